//! Random erasing: a rectangle of a normalised picture is replaced.
//!
//! Zhong et al. 2017 (arXiv:1708.04896), Algorithm 1; the law and the contents are those of timm's
//! `RandomErasing` (1.0.31), with one rectangle per picture: ten tries of a share of the area
//! (uniform) and of height over width (log-uniform).
//!
//! DIFFERS: the paper draws the proportions uniformly and fills with random grey levels before
//! normalisation; timm draws their logarithm and fills afterwards, with normal numbers or with 0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Problem, Seed, Stream};

const TRIES: usize = 10;

/// Whether and how a part of a picture is erased.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RandomErasing {
    /// Share of the pictures that lose a part. DeiT: 0.25.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
    /// What the part becomes. DeiT: `pixel`.
    pub content: Content,
    /// Smallest share of the picture's area, above 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub area_min: f64,
    /// Largest share of the picture's area.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub area_max: f64,
    /// Smallest height over width, above 0 and at most 1; the largest is its inverse.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ratio_min: f64,
}

impl Default for RandomErasing {
    fn default() -> Self {
        Self {
            probability: 0.25,
            content: Content::Pixel,
            area_min: 0.02,
            area_max: 1.0 / 3.0,
            ratio_min: 0.3,
        }
    }
}

/// What an erased part becomes, in normalised numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// 0, the mean of the data.
    Const,
    /// One normal number per channel.
    Rand,
    /// A normal number for each pixel and channel.
    #[default]
    Pixel,
}

/// Rows `top..top + height`, columns `left..left + width`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

impl RandomErasing {
    /// Erases a part of one picture, planes `shape = [c, h, w]`, or nothing.
    ///
    /// # Panics
    /// If the number of values does not fit the shape.
    pub fn apply(&self, planes: &mut [f32], shape: [usize; 3], seed: Seed) {
        let [c, h, w] = shape;
        assert_eq!(planes.len(), c * h * w, "planes fill the shape");
        let mut stream = seed.stream();
        if !stream.chance(self.probability) {
            return;
        }
        if let Some(part) = self.draw(&mut stream, h, w) {
            let content = Filling { content: self.content, stream };
            content.fill(planes, (h, w), part);
        }
    }

    /// Draws the part to erase; none if no try fits.
    fn draw(&self, stream: &mut Stream, h: usize, w: usize) -> Option<Part> {
        let bound = self.ratio_min.ln().abs();
        (0..TRIES).find_map(|_| {
            let share = stream.between(self.area_min, self.area_max);
            let ratio = stream.between(-bound, bound).exp();
            let (height, width) = sides(share, ratio, h, w)?;
            let (top, left) = (stream.below(h - height + 1), stream.below(w - width + 1));
            Some(Part { top, left, height, width })
        })
    }

    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub(super) fn check(&self, source: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(0.0..=1.0).contains(&self.probability) {
            let found = format!("`probability = {}`", self.probability);
            problems.push(Problem::new(source, found, "0 to 1"));
        }
        let (low, high) = (self.area_min, self.area_max);
        if !(low > 0.0 && low <= high && high <= 1.0) {
            let found = format!("`area-min = {low}` and `area-max = {high}`");
            problems.push(Problem::new(source, found, "0 < area-min <= area-max <= 1"));
        }
        if !(self.ratio_min > 0.0 && self.ratio_min <= 1.0) {
            let found = format!("`ratio-min = {}`", self.ratio_min);
            problems.push(Problem::new(source, found, "above 0, at most 1"));
        }
        problems
    }
}

/// Returns height and width of a part with this share of the picture and this height over width, if
/// both are smaller than the picture's.
fn sides(share: f64, ratio: f64, h: usize, w: usize) -> Option<(usize, usize)> {
    let area = share * (h * w) as f64;
    let height = (area * ratio).sqrt().round_ties_even() as usize;
    let width = (area / ratio).sqrt().round_ties_even() as usize;
    (height < h && width < w).then_some((height, width))
}

/// Numbers for the erased part, channel by channel, row by row.
struct Filling {
    content: Content,
    stream: Stream,
}

impl Filling {
    fn fill(mut self, planes: &mut [f32], (h, w): (usize, usize), part: Part) {
        for plane in planes.chunks_exact_mut(h * w) {
            let constant = match self.content {
                Content::Rand => self.stream.normal() as f32,
                Content::Const | Content::Pixel => 0.0,
            };
            for y in part.top..part.top + part.height {
                for value in &mut plane[y * w + part.left..][..part.width] {
                    *value = match self.content {
                        Content::Pixel => self.stream.normal() as f32,
                        Content::Const | Content::Rand => constant,
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::whole;
    use super::*;
    use crate::testing::{Tol, close, golden_json};

    #[test]
    fn parts_are_timm_s() {
        for case in golden_json("images/augment/erasing.json").as_array().unwrap() {
            let [h, w] = ["height", "width"].map(|key| whole(&case[key]));
            let [share, ratio] = ["share", "ratio"].map(|key| case[key].as_f64().unwrap());
            let want = case["size"].as_array().map(|size| (whole(&size[0]), whole(&size[1])));
            assert_eq!(sides(share, ratio, h, w), want, "{case}");
        }
    }

    const SHAPE: [usize; 3] = [3, 16, 12];

    /// Erases a picture of sevens; returns how many pixels it lost and what stands there now.
    fn erase(law: &RandomErasing, seed: u64) -> (usize, Vec<f32>) {
        let mut planes = vec![7.0; SHAPE.iter().product()];
        law.apply(&mut planes, SHAPE, Seed::root(2).index(seed));
        let gone: Vec<bool> = planes.iter().map(|x| (x - 7.0).abs() > 0.0).collect();
        let per_channel: Vec<&[bool]> = gone.chunks(16 * 12).collect();
        assert!(per_channel.iter().all(|channel| channel == &per_channel[0]), "one place");
        let content =
            planes.iter().zip(&gone).filter(|(_, gone)| **gone).map(|(x, _)| *x).collect();
        (per_channel[0].iter().filter(|gone| **gone).count(), content)
    }

    #[test]
    fn a_share_of_the_pictures_loses_a_share_of_the_area() {
        let law = RandomErasing::default();
        let n = 4_000;
        let lost: Vec<usize> = (0..n).map(|i| erase(&law, i).0).filter(|lost| *lost > 0).collect();
        // Five deviations of a binomial law of 4,000 and 1/4: 137. Rectangles that fit in no try
        // are rare: each of ten misses with a probability below 1/2.
        assert!(lost.len().abs_diff(1_000) < 137 + 4, "{} of {n} erased", lost.len());
        let area = (16 * 12) as f64;
        // Sides are rounded: up to half a row and half a column too much.
        assert!(lost.iter().all(|lost| *lost as f64 <= area / 3.0 + 0.5 * 28.0 + 0.25));
        let mean = lost.iter().map(|lost| *lost as f64 / area).sum::<f64>() / lost.len() as f64;
        // Uniform in 0.02 to 0.33, with those that do not fit missing: 0.177 at most.
        assert!((0.14..0.185).contains(&mean), "mean share {mean}");
    }

    #[test]
    fn contents_follow_their_laws() {
        let law = |content| RandomErasing { probability: 1.0, content, ..RandomErasing::default() };
        let all = |content| (0..200).flat_map(|i| erase(&law(content), i).1).collect::<Vec<f32>>();
        assert!(all(Content::Const).iter().all(|x| x.abs() <= 0.0));
        let pixels = all(Content::Pixel);
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        let square = pixels.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
        close(mean, 0.0, Tol::absolute(5.0 / n.sqrt()));
        close(square, 1.0, Tol::absolute(5.0 * (2.0 / n).sqrt()));
        let (lost, channels) = erase(&law(Content::Rand), 1);
        for channel in channels.chunks(lost) {
            assert!(channel.iter().all(|x| x.to_bits() == channel[0].to_bits()));
        }
        assert_ne!(channels[0].to_bits(), channels[lost].to_bits());
        let bits = |i| erase(&law(Content::Pixel), i).1.into_iter().map(f32::to_bits);
        assert!(bits(5).eq(bits(5)) && !bits(5).eq(bits(6)));
    }

    #[test]
    fn spelled_in_toml() {
        let read = |text: &str| toml::from_str::<RandomErasing>(text).unwrap();
        assert_eq!(read(""), RandomErasing::default());
        assert_eq!(read("content = \"const\"").content, Content::Const);
        let wrong = read("probability = 2\narea-min = 0.5\narea-max = 0.4\nratio-min = 0");
        assert_eq!(wrong.check("here").len(), 3);
    }
}
