//! Random resized crop: a random area of random proportions, scaled to a fixed size.
//!
//! Szegedy et al. 2015 (arXiv:1409.4842), Section 6; the law is torchvision's `RandomResizedCrop`:
//! ten tries of a share of the area (uniform) and proportions (log-uniform), and if none fits, the
//! largest area in the centre within the proportions allowed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::cut::{Area, cut};
use super::super::resize::{Filter, resize};
use crate::terms::{Picture, Problem, Seed, Stream};

const TRIES: usize = 10;

/// The law of the area that is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ResizedCrop {
    /// Smallest share of the picture's area, above 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub scale_min: f64,
    /// Largest share of the picture's area, at most 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub scale_max: f64,
    /// Smallest width over height, above 0.
    #[schemars(range(min = 0.0))]
    pub ratio_min: f64,
    /// Largest width over height.
    #[schemars(range(min = 0.0))]
    pub ratio_max: f64,
    /// How the area is scaled.
    pub filter: Filter,
}

impl Default for ResizedCrop {
    fn default() -> Self {
        let filter = Filter::Bilinear;
        Self { scale_min: 0.08, scale_max: 1.0, ratio_min: 3.0 / 4.0, ratio_max: 4.0 / 3.0, filter }
    }
}

impl ResizedCrop {
    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub(super) fn check(&self, source: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (low, high) = (self.scale_min, self.scale_max);
        if !(low > 0.0 && low <= high && high <= 1.0) {
            let found = format!("`scale-min = {low}` and `scale-max = {high}`");
            problems.push(Problem::new(source, found, "0 < scale-min <= scale-max <= 1"));
        }
        let (low, high) = (self.ratio_min, self.ratio_max);
        if !(low > 0.0 && low <= high && high.is_finite()) {
            let found = format!("`ratio-min = {low}` and `ratio-max = {high}`");
            problems.push(Problem::new(source, found, "0 < ratio-min <= ratio-max"));
        }
        problems
    }

    /// Draws one try: a share of the area, and width over height.
    fn draw(&self, stream: &mut Stream) -> (f64, f64) {
        let share = stream.between(self.scale_min, self.scale_max);
        let ratio = stream.between(self.ratio_min.ln(), self.ratio_max.ln()).exp();
        (share, ratio)
    }

    /// Returns the largest area in the centre whose proportions are allowed.
    fn centre(&self, width: usize, height: usize) -> Area {
        let ratio = width as f64 / height as f64;
        let side = |length: f64| length.round_ties_even() as usize;
        let (w, h) = if ratio < self.ratio_min {
            (width, side(width as f64 / self.ratio_min))
        } else if ratio > self.ratio_max {
            (side(height as f64 * self.ratio_max), height)
        } else {
            (width, height)
        };
        Area { x: (width - w) / 2, y: (height - h) / 2, width: w, height: h }
    }
}

/// Returns width and height of an area with this share of the picture and these proportions, if it
/// fits in.
fn size_of(share: f64, ratio: f64, width: usize, height: usize) -> Option<(usize, usize)> {
    let area = (width * height) as f64 * share;
    let w = (area * ratio).sqrt().round_ties_even() as usize;
    let h = (area / ratio).sqrt().round_ties_even() as usize;
    ((1..=width).contains(&w) && (1..=height).contains(&h)).then_some((w, h))
}

/// Returns a random area of the picture, scaled to `width` x `height` pixels.
///
/// # Panics
/// If `width` or `height` is 0.
pub fn random_resized_crop(
    picture: &Picture,
    width: usize,
    height: usize,
    law: &ResizedCrop,
    seed: Seed,
) -> Picture {
    let mut stream = seed.stream();
    let (from_width, from_height) = (picture.width(), picture.height());
    let drawn = (0..TRIES).find_map(|_| {
        let (share, ratio) = law.draw(&mut stream);
        size_of(share, ratio, from_width, from_height)
    });
    let area = match drawn {
        Some((w, h)) => {
            let (x, y) = (stream.below(from_width - w + 1), stream.below(from_height - h + 1));
            Area { x, y, width: w, height: h }
        }
        None => law.centre(from_width, from_height),
    };
    resize(&cut(picture, area), width, height, law.filter)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{busy, whole};
    use super::*;
    use crate::testing::{Tol, close, golden_json};

    #[test]
    fn areas_are_torchvision_s() {
        let golden = golden_json("images/augment/resized.json");
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        for case in golden["tries"].as_array().unwrap() {
            let [width, height] = ["width", "height"].map(|key| whole(&case[key]));
            let got = size_of(number(&case["share"]), number(&case["ratio"]), width, height);
            let want = case["size"].as_array().map(|size| (whole(&size[0]), whole(&size[1])));
            assert_eq!(got, want, "{case}");
        }
        for case in golden["centres"].as_array().unwrap() {
            let [ratio_min, ratio_max] = ["ratio-min", "ratio-max"].map(|key| number(&case[key]));
            let law = ResizedCrop { ratio_min, ratio_max, ..ResizedCrop::default() };
            let area = law.centre(whole(&case["width"]), whole(&case["height"]));
            let want = ["x", "y", "w", "h"].map(|key| whole(&case[key]));
            assert_eq!([area.x, area.y, area.width, area.height], want, "{case}");
        }
    }

    #[test]
    fn draws_follow_the_law() {
        let law = ResizedCrop::default();
        let n = 20_000;
        let mut stream = Seed::root(2).stream();
        let draws: Vec<(f64, f64)> = (0..n).map(|_| law.draw(&mut stream)).collect();
        assert!(draws.iter().all(|(share, _)| (0.08..1.0).contains(share)));
        assert!(draws.iter().all(|(_, ratio)| (0.7499..1.3334).contains(ratio)));
        // Standard errors: 0.92 / sqrt(12 n) = 0.0019 and 0.575 / sqrt(12 n) = 0.0012; five of
        // them.
        let mean = |f: &dyn Fn(&(f64, f64)) -> f64| draws.iter().map(f).sum::<f64>() / f64::from(n);
        close(mean(&|d| d.0), 0.54, Tol::absolute(0.0095));
        close(mean(&|d| d.1.ln()), 0.0, Tol::absolute(0.006));
    }

    #[test]
    fn the_whole_picture_is_itself() {
        let picture = busy(12, 12);
        let law = ResizedCrop {
            scale_min: 1.0,
            ratio_min: 1.0,
            ratio_max: 1.0,
            ..ResizedCrop::default()
        };
        assert_eq!(random_resized_crop(&picture, 12, 12, &law, Seed::root(0)), picture);
    }

    #[test]
    fn pictures_of_any_shape_give_the_size_asked_for() {
        for (i, (width, height)) in
            [(1, 1), (1, 40), (40, 1), (9, 200), (30, 31)].into_iter().enumerate()
        {
            for draw in 0..20 {
                let seed = Seed::root(i as u64).index(draw);
                let law = ResizedCrop::default();
                let got = random_resized_crop(&busy(width, height), 7, 5, &law, seed);
                assert_eq!((got.width(), got.height()), (7, 5));
                assert_eq!(got, random_resized_crop(&busy(width, height), 7, 5, &law, seed));
            }
        }
    }
}
