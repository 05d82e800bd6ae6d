//! What a net that enlarges is shown: a smaller picture, brought to its size, with noise of a known
//! level on it.
//!
//! Noise-conditioning augmentation (Ho et al. 2021, arXiv:2106.15282, section 4; Saharia et al.
//! 2022, arXiv:2205.11487, section 2.4): in training the smaller picture is corrupted at a level
//! that is drawn for every picture, the net is told the level, and drawing uses one fixed level. A
//! net that saw only flawless small pictures would take the flaws of drawn ones for detail.
//!
//! A level is a share: 0 is no noise at all, 1 the highest level of the schedule.

use burn::tensor::{Int, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::diffusion::{Levels, corrupt, network_input};
use crate::lab::images::{Channels, Filter, Normalisation, planes, resize};
use crate::nets::unet::Condition;
use crate::terms::Picture;

/// How smaller pictures are shown to a net that learns to enlarge them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Enlarging {
    /// The kernel that brings a smaller picture to the size of the larger one.
    pub filter: Filter,
    /// The highest level of noise on smaller pictures in training, as a share of the schedule:
    /// levels are drawn evenly from 0 to this.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise_max: f64,
}

impl Default for Enlarging {
    fn default() -> Self {
        // SR3 (Saharia et al. 2021, arXiv:2104.07636, section 2.3) and CDM enlarge by a cubic.
        Self { filter: Filter::Bicubic, noise_max: 1.0 }
    }
}

impl Enlarging {
    /// Returns smaller pictures at `size` pixels as planes `[n, c, size, size]` in -1 to 1.
    pub(super) fn planes(&self, smaller: &[&Picture], size: usize, channels: Channels) -> Vec<f32> {
        let enlarged: Vec<Picture> =
            smaller.iter().map(|picture| resize(picture, size, size, self.filter)).collect();
        let enlarged: Vec<&Picture> = enlarged.iter().collect();
        planes(&enlarged, Normalisation::Signed, channels)
    }
}

/// Sinusoids of a time embedding are made for numbers up to 1000.
const TOLD_AT_MOST: f64 = 1000.0;

/// What a net sees beside the noisy pictures, and what it is told about it.
pub(super) struct Shown {
    /// `[n, c, h, w]`.
    pub(super) pictures: Tensor<4>,
    /// `[n]`.
    pub(super) levels: Tensor<1>,
}

impl Shown {
    /// Puts noise on enlarged pictures `low`, at one level per picture.
    pub(super) fn new(low: Tensor<4>, eps: Tensor<4>, levels: &[f64], schedule: &Levels) -> Self {
        let told: Vec<f32> = levels.iter().map(|level| (level * TOLD_AT_MOST) as f32).collect();
        let told = TensorData::new(told, [levels.len()]);
        let sigmas: Vec<f64> = levels.iter().map(|level| sigma(*level, schedule)).collect();
        let levels = Tensor::from_data(told, &low.device());
        Self { pictures: network_input(corrupt(low, eps, &sigmas), &sigmas), levels }
    }

    /// Returns the same twice, for a call with and one without the class.
    pub(super) fn twice(&self) -> Self {
        let twice = |x: &Tensor<4>| Tensor::cat(vec![x.clone(), x.clone()], 0);
        let levels = Tensor::cat(vec![self.levels.clone(), self.levels.clone()], 0);
        Self { pictures: twice(&self.pictures), levels }
    }
}

/// Returns what goes into a net: noisy pictures and, behind them in the channels, what is shown.
pub(super) fn beside(noisy: Tensor<4>, shown: Option<&Shown>) -> Tensor<4> {
    match shown {
        None => noisy,
        Some(shown) => Tensor::cat(vec![noisy, shown.pictures.clone()], 1), // [n, 2c, h, w]
    }
}

/// Returns what a net is told: classes, and the levels of what is shown.
pub(super) fn condition(labels: Tensor<1, Int>, shown: Option<&Shown>) -> Condition {
    let levels = shown.map(|shown| shown.levels.clone());
    Condition { class_labels: Some(labels), levels, ..Condition::default() }
}

/// Returns the noise level in units of the picture: a schedule's lowest level is above 0, but no
/// noise is no noise.
fn sigma(level: f64, schedule: &Levels) -> f64 {
    if level > 0.0 { schedule.at(level) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::lab::diffusion::Schedule;
    use crate::terms::Seed;

    fn tensor(values: Vec<f32>) -> Tensor<4> {
        let n = values.len() / 4;
        Tensor::from_data(TensorData::new(values, [n, 1, 2, 2]), &Device::flex())
    }

    fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn level_0_shows_the_picture_itself_and_level_1_nothing_of_it() {
        let mut stream = Seed::root(1).stream();
        let (low, eps) = (stream.normals(8), stream.normals(8));
        let schedule = Schedule::default().levels();
        let shown = |level: f64| {
            let levels = [level, 0.5];
            Shown::new(tensor(low.clone()), tensor(eps.clone()), &levels, &schedule)
        };
        assert_eq!(values(shown(0.0).pictures)[..4], low[..4]);
        assert_eq!(values(shown(0.0).levels), [0.0, 500.0]);
        // At timestep 999 of the linear schedule the signal is 0.0064 of what is seen.
        let last = values(shown(1.0).pictures);
        assert!(last[..4].iter().zip(&eps).all(|(seen, eps)| (seen - eps).abs() < 0.02));
        // What is beside does not matter.
        assert_eq!(values(shown(0.0).pictures)[4..], last[4..]);
    }

    #[test]
    fn a_whole_factor_with_the_box_repeats_pixels() {
        let rgb = [10_u8, 200, 30, 90].iter().flat_map(|level| [*level; 3]).collect();
        let picture = Picture::new(2, 2, rgb);
        let how = Enlarging { filter: Filter::Box, ..Enlarging::default() };
        let got = how.planes(&[&picture], 4, Channels::Grey);
        let level = |x: u8| f32::from(x) / 127.5 - 1.0;
        let rows = [[10, 10, 200, 200], [10, 10, 200, 200], [30, 30, 90, 90], [30, 30, 90, 90]];
        assert_eq!(got, rows.concat().into_iter().map(level).collect::<Vec<_>>());
    }
}
