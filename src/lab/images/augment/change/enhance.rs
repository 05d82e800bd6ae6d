//! Mixtures of a picture with a poorer one: Pillow's `ImageEnhance` and `Image.blend` (13.0.0).

use super::super::super::range::luma;
use crate::terms::Picture;

/// Towards the grey picture.
pub(super) fn colour(picture: &Picture, factor: f64) -> Picture {
    let grey = picture.rgb().chunks_exact(3).flat_map(|colour| [luma(colour); 3]).collect();
    blend(Picture::new(picture.width(), picture.height(), grey), picture, factor)
}

/// Towards the mean of the grey picture, a half rounded up.
pub(super) fn contrast(picture: &Picture, factor: f64) -> Picture {
    let greys = picture.rgb().chunks_exact(3).map(|colour| u64::from(luma(colour)));
    let mean = greys.sum::<u64>() as f64 / (picture.width() * picture.height()) as f64;
    let poor = Picture::filled(picture.width(), picture.height(), [(mean + 0.5) as u8; 3]);
    blend(poor, picture, factor)
}

/// Towards black.
pub(super) fn brightness(picture: &Picture, factor: f64) -> Picture {
    blend(Picture::filled(picture.width(), picture.height(), [0; 3]), picture, factor)
}

/// Towards a smoothed picture.
pub(super) fn sharpness(picture: &Picture, factor: f64) -> Picture {
    blend(smoothed(picture), picture, factor)
}

/// `ImageFilter.SMOOTH`: the mean of 3x3 pixels where the middle counts five times, rounded; pixels
/// at the edge stay. (Pillow sums in single precision; a sum over 13 is never near a half.)
fn smoothed(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut out = picture.clone();
    let (from, to) = (picture.rgb(), out.rgb_mut());
    for y in 1..height.saturating_sub(1) {
        for at in (y * width + 1) * 3..((y + 1) * width).saturating_sub(1) * 3 {
            let row = |start: usize| [start - 3, start, start + 3].map(|i| u32::from(from[i]));
            let rows = [at - width * 3, at, at + width * 3].map(row);
            let sum = rows.iter().flatten().sum::<u32>() + 4 * u32::from(from[at]);
            to[at] = ((2 * sum + 13) / 26) as u8;
        }
    }
    out
}

/// `Image.blend`: `poor + factor * (rich - poor)` in single precision, cut to a level.
fn blend(mut poor: Picture, rich: &Picture, factor: f64) -> Picture {
    let factor = factor as f32;
    for (level, rich) in poor.rgb_mut().iter_mut().zip(rich.rgb()) {
        let (from, to) = (f32::from(*level), f32::from(*rich));
        *level = (from + factor * (to - from)) as u8; // `as` saturates.
    }
    poor
}
