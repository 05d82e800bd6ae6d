//! A trained pixel model at work.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Pixel;
use crate::lab::diffusion::{Clipped, Denoiser, Levels, Noise, guide_stacked};
use crate::lab::generators::{Draw, Order};
use crate::lab::images::{Channels, from_signed};
use crate::nets::unet::{Condition, UNet};
use crate::terms::{Picture, Seed};

/// Draws pictures with a trained net.
pub struct PixelArtist<'a> {
    /// How it draws.
    pub spec: &'a Pixel,
    /// The net, on the plain device.
    pub net: UNet,
    /// Channels of the pictures the net knows.
    pub channels: Channels,
    /// Side of the pictures in pixels.
    pub size: usize,
    /// Number of classes.
    pub classes: usize,
    /// Where the net lives.
    pub device: Device,
}

impl Draw for PixelArtist<'_> {
    fn draw(&self, orders: &[Order]) -> Result<Vec<Picture>, usize> {
        let items: Vec<Seed> = orders.iter().map(|order| order.seed).collect();
        let (c, size) = (self.channels.count(), self.size);
        let noise = Noise::new(&items, [c, size, size], &self.device);
        let levels = self.spec.training.schedule.levels();
        let teller = Teller { artist: self, orders, levels: &levels };
        let sampler = &self.spec.sampler;
        let x0 = match self.spec.clip {
            true => sampler.draw(&Clipped(&teller), &levels, &noise),
            false => sampler.draw(&teller, &levels, &noise),
        };
        let numbers =
            x0.into_data().try_into_vec::<f32>().expect("nets compute in single precision");
        let per_picture = c * size * size;
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(at / per_picture),
            None => Ok(from_signed(&numbers, orders.len(), size, size)),
        }
    }
}

/// The net, told the classes of some orders.
struct Teller<'a> {
    artist: &'a PixelArtist<'a>,
    orders: &'a [Order],
    levels: &'a Levels,
}

impl Teller<'_> {
    fn clean(&self, x: Tensor<4>, sigma: f64, labels: Vec<i64>) -> Tensor<4> {
        let (artist, n) = (self.artist, labels.len());
        let time = self.levels.timestep(sigma) as f32;
        let times = Tensor::<1>::full([n], time, &artist.device);
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), &artist.device);
        let condition = Condition { class_labels: Some(labels), ..Condition::default() };
        let seen = x.clone() / sigma.hypot(1.0);
        let output = artist.net.forward(seen, times, &condition);
        artist.spec.training.prediction.clean(x, output, sigma)
    }
}

impl Denoiser for Teller<'_> {
    #[expect(clippy::float_cmp, reason = "exactly 1 means that guidance is off")]
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4> {
        let labels = self.orders.iter().map(|order| i64::from(order.class.0));
        let guidance = self.artist.spec.guidance;
        if guidance == 1.0 {
            return self.clean(x, sigma, labels.collect());
        }
        let none = i64::try_from(self.artist.classes).expect("class counts fit in i64");
        let both = std::iter::repeat_n(none, self.orders.len()).chain(labels).collect();
        guide_stacked(self.clean(Tensor::cat(vec![x.clone(), x], 0), sigma, both), guidance)
    }
}
