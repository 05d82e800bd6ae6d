//! From pictures to planes of single-precision numbers, and back.
//!
//! Planes are `[n, c, h, w]`, row-major. The arithmetic is torchvision's (`ToTensor`, `Normalize`)
//! in the same order and precision, so the numbers are equal to the bit.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::Picture;

/// What a grey level becomes before a network sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalisation {
    /// -1 to 1: `level / 127.5 - 1`. Diffusion networks, GANs and the Inception of FID.
    #[default]
    Signed,
    /// 0 to 1: `level / 255`.
    Unit,
    /// The statistics of ImageNet, as torchvision's and timm's networks expect them.
    Imagenet,
    /// Mean and deviation per channel, of another data set.
    Custom(MeanStd),
}

/// Mean and deviation per channel; a number becomes `(level / 255 - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct MeanStd {
    /// Mean of red, green and blue, on the scale from 0 to 1.
    pub mean: [f64; 3],
    /// Standard deviation of red, green and blue, on the scale from 0 to 1; above 0.
    pub std: [f64; 3],
}

impl Default for MeanStd {
    fn default() -> Self {
        Self { mean: [0.5; 3], std: [0.5; 3] }
    }
}

/// torchvision, the `IMAGENET1K` weights' transforms; timm, `IMAGENET_DEFAULT_MEAN` and `_STD`.
const IMAGENET: MeanStd = MeanStd { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/// How many planes a picture becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One plane, luma as Pillow's `convert("L")`; a picture with three equal channels keeps its
    /// levels.
    Grey,
    /// Three planes: red, green, blue.
    #[default]
    Rgb,
}

impl Channels {
    /// Returns the number of planes.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

impl Normalisation {
    /// Returns the number of every grey level in a channel. One plane uses the channel 0.
    fn levels(self, channel: usize) -> [f32; 256] {
        let table = |level: &dyn Fn(f32) -> f32| std::array::from_fn(|i| level(i as f32));
        let affine = |of: MeanStd| {
            let (mean, std) = (of.mean[channel] as f32, of.std[channel] as f32);
            table(&|level| (level / 255.0 - mean) / std)
        };
        match self {
            Self::Signed => table(&|level| level / 127.5 - 1.0),
            Self::Unit => table(&|level| level / 255.0),
            Self::Imagenet => affine(IMAGENET),
            Self::Custom(of) => affine(of),
        }
    }
}

/// Returns the pictures as planes, `[n, c, h, w]`.
///
/// # Panics
/// If the pictures differ in size.
pub fn planes(pictures: &[&Picture], to: Normalisation, channels: Channels) -> Vec<f32> {
    let Some(first) = pictures.first() else { return Vec::new() };
    let size = (first.width(), first.height());
    let area = size.0 * size.1;
    let tables: Vec<[f32; 256]> = (0..channels.count()).map(|c| to.levels(c)).collect();

    let mut out = vec![0.0; pictures.len() * channels.count() * area];
    out.par_chunks_exact_mut(channels.count() * area).zip(pictures).for_each(|(out, picture)| {
        assert_eq!((picture.width(), picture.height()), size, "pictures of a batch have one size");
        for (c, (plane, table)) in out.chunks_exact_mut(area).zip(&tables).enumerate() {
            for (value, colour) in plane.iter_mut().zip(picture.rgb().chunks_exact(3)) {
                let level = match channels {
                    Channels::Grey => luma(colour),
                    Channels::Rgb => colour[c],
                };
                *value = table[usize::from(level)];
            }
        }
    });
    out
}

/// Returns Pillow's luma: ITU-R 601-2 weights (0.299, 0.587, 0.114) in 16-bit fixed point.
pub(super) fn luma(colour: &[u8]) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|c| u32::from(colour[c]));
    ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
}

/// Returns `n` pictures from planes `[n, c, h, w]` in -1 to 1, where `c` is 1 (repeated) or 3.
/// Numbers outside are clamped, halves rounded up; not-a-number becomes black.
///
/// # Panics
/// If the number of values is neither `n * h * w` nor three times that.
pub fn from_signed(values: &[f32], n: usize, h: usize, w: usize) -> Vec<Picture> {
    if n == 0 {
        assert!(values.is_empty(), "no picture has no values");
        return Vec::new();
    }
    let area = h * w;
    let channels = values.len() / (n * area);
    assert!(
        (channels == 1 || channels == 3) && values.len() == n * channels * area,
        "{} values are {n} pictures of {h} x {w} with 1 or 3 channels",
        values.len()
    );
    // `as` saturates, and sends not-a-number to 0.
    let level = |value: f32| ((value + 1.0) * 127.5 + 0.5).floor() as u8;
    let picture = |planes: &[f32]| {
        let mut rgb = Vec::with_capacity(area * 3);
        for at in 0..area {
            rgb.extend((0..3).map(|c| level(planes[c % channels * area + at])));
        }
        Picture::new(w, h, rgb)
    };
    values.chunks_exact(channels * area).map(picture).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{busy, floats};
    use super::*;
    use crate::testing::golden_json;

    #[test]
    fn planes_are_torchvision_s_to_the_bit() {
        let golden = golden_json("images/range/range.json");
        let picture = busy(19, 14); // 798 levels, every one of 0..=255 among them.
        let cifar = MeanStd { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616] };
        for (name, to, channels) in [
            ("signed", Normalisation::Signed, Channels::Rgb),
            ("unit", Normalisation::Unit, Channels::Rgb),
            ("imagenet", Normalisation::Imagenet, Channels::Rgb),
            ("cifar", Normalisation::Custom(cifar), Channels::Rgb),
            ("grey-unit", Normalisation::Unit, Channels::Grey),
        ] {
            let got = planes(&[&picture], to, channels);
            let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&got), bits(&floats(&golden[name])), "{name}");
        }
    }

    #[test]
    fn signed_and_back_is_the_identity() {
        let all = Picture::new(16, 16, (0..=255).flat_map(|v: u8| [v, 255 - v, v ^ 85]).collect());
        let grey = Picture::new(16, 16, (0..=255).flat_map(|v: u8| [v; 3]).collect());
        let both = planes(&[&all, &grey], Normalisation::Signed, Channels::Rgb);
        assert_eq!(from_signed(&both, 2, 16, 16), [all, grey.clone()]);
        let one = planes(&[&grey], Normalisation::Signed, Channels::Grey);
        assert_eq!(one.len(), 256);
        assert_eq!(from_signed(&one, 1, 16, 16), [grey]);
    }

    #[test]
    fn outside_is_clamped_and_halves_go_up() {
        // 0 is level 127.5.
        let values = [-7.0, 7.0, 0.0, -0.0001, f32::NAN, f32::INFINITY];
        let levels: Vec<u8> =
            from_signed(&values, 1, 1, 6)[0].rgb().chunks_exact(3).map(|c| c[0]).collect();
        assert_eq!(levels, [0, 255, 128, 127, 0, 255]);
    }

    #[test]
    fn spelled_in_toml() {
        #[derive(Deserialize)]
        struct File {
            a: Normalisation,
            b: Normalisation,
            c: Channels,
        }
        let text = "a = \"imagenet\"\nc = \"grey\"\n[b.custom]\nmean = [0.1, 0.2, 0.3]";
        let file: File = toml::from_str(text).unwrap();
        assert_eq!(file.a, Normalisation::Imagenet);
        let want = MeanStd { mean: [0.1, 0.2, 0.3], ..MeanStd::default() };
        assert_eq!(file.b, Normalisation::Custom(want));
        assert_eq!(file.c, Channels::Grey);
    }
}
