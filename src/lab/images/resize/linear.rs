//! Linear scaling without antialias, as PyTorch and TensorFlow 1 do it: every output pixel is made
//! of the four pixels around its place, however many it covers.
//!
//! Places are single-precision numbers there, and so they are here: near the end of a long row
//! their last digit is a hundredth of a grey level where edges are hard.

use crate::terms::Picture;

/// Two neighbours, and how far from the first towards the second a place lies.
#[derive(Clone, Copy)]
struct Between {
    low: usize,
    high: usize,
    share: f32,
}

impl Between {
    fn at(place: f32, length: usize) -> Self {
        let low = (place as usize).min(length - 1);
        Self { low, high: (low + 1).min(length - 1), share: place - low as f32 }
    }
}

/// Returns the picture scaled as `torch.nn.functional.interpolate(mode="bilinear",
/// align_corners=False)` does it, pixels being areas. Planes `[3, h, w]` in grey levels.
///
/// # Panics
/// If a side is 0.
pub fn resize_torch(picture: &Picture, width: usize, height: usize) -> Vec<f32> {
    let place = |i: usize, scale: f32| ((i as f32 + 0.5) * scale - 0.5).max(0.0);
    resize(picture, [width, height], place)
}

/// Returns the picture scaled as TensorFlow 1's `resize_bilinear(align_corners=False)` does it:
/// place `i` of the output is `i * scale` in the input, so that the picture moves towards its upper
/// left corner. Planes `[3, h, w]` in grey levels.
///
/// # Panics
/// If a side is 0.
pub fn resize_tf1(picture: &Picture, width: usize, height: usize) -> Vec<f32> {
    resize(picture, [width, height], |i, scale| i as f32 * scale)
}

/// `place` returns where an output position lies in the input, by the input's length over the
/// output's.
fn resize(
    picture: &Picture,
    [width, height]: [usize; 2],
    place: impl Fn(usize, f32) -> f32,
) -> Vec<f32> {
    assert!(width > 0 && height > 0, "a picture has at least one pixel");
    let places = |input: usize, output: usize| -> Vec<Between> {
        let scale = input as f32 / output as f32;
        (0..output).map(|i| Between::at(place(i, scale), input)).collect()
    };
    let (columns, rows) = (places(picture.width(), width), places(picture.height(), height));
    let stride = picture.width() * 3;
    let mut out = Vec::with_capacity(3 * width * height);
    for channel in 0..3 {
        for row in &rows {
            let [above, below] = [row.low, row.high].map(|y| &picture.rgb()[y * stride..]);
            let across = |line: &[u8], column: &Between| {
                let level = |x: usize| f32::from(line[x * 3 + channel]);
                mixed(level(column.low), level(column.high), column.share)
            };
            let level = |column| mixed(across(above, column), across(below, column), row.share);
            out.extend(columns.iter().map(level));
        }
    }
    out
}

fn mixed(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}
