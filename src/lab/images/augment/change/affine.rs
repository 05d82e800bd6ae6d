//! Changes of place: Pillow's `Image.rotate` and `Image.transform` with an affine map (13.0.0,
//! `libImaging/Geometry.c`).
//!
//! Every output pixel looks up where it comes from. Positions are those of pixel centres, in double
//! precision; what lies outside of the picture keeps the colour of the ground.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ground;
use crate::terms::Picture;

/// How a level between pixels is found; pixels beyond the edge are those of the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// From 2 x 2 pixels.
    Bilinear,
    /// From 4 x 4 pixels, by the cubic of slope -1.
    #[default]
    Bicubic,
}

/// The place `(a x + b y + c, d x + e y + f)` of the old picture that is shown at `(x, y)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Map(pub(super) [f64; 6]);

impl Map {
    /// Returns the rotation around the centre, its numbers rounded to 15 digits as Pillow does.
    pub(super) fn rotation(degrees: f64, width: f64, height: f64) -> Self {
        let angle = -degrees.rem_euclid(360.0).to_radians();
        let [a, b, d] = [angle.cos(), angle.sin(), -angle.sin()].map(rounded);
        let (x, y) = (width / 2.0, height / 2.0);
        Self([a, b, a * -x + b * -y + 0.0 + x, d, a, d * -x + a * -y + 0.0 + y])
    }

    /// Returns the picture as the map shows it.
    pub(super) fn apply(self, picture: &Picture, ground: Ground) -> Picture {
        let Self([a, b, c, d, e, f]) = self;
        let (width, height) = (picture.width(), picture.height());
        let mut out = Picture::filled(width, height, ground.fill);
        for (i, to) in out.rgb_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = ((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
            let at = (a * x + b * y + c, d * x + e * y + f);
            let inside =
                (0.0..width as f64).contains(&at.0) && (0.0..height as f64).contains(&at.1);
            if inside {
                let place = Place::new(picture, at);
                let levels = match ground.interpolation {
                    Interpolation::Bilinear => [0, 1, 2].map(|channel| place.bilinear(channel)),
                    Interpolation::Bicubic => [0, 1, 2].map(|channel| place.bicubic(channel)),
                };
                to.copy_from_slice(&levels);
            }
        }
        out
    }
}

/// Returns the number rounded to 15 decimal places, as Python's `round`.
fn rounded(x: f64) -> f64 {
    format!("{x:.15}").parse().expect("a printed number is a number")
}

/// A place between pixel centres: the pixel above and to the left, and the distance from it.
struct Place<'a> {
    picture: &'a Picture,
    x: isize,
    y: isize,
    dx: f64,
    dy: f64,
}

impl<'a> Place<'a> {
    fn new(picture: &'a Picture, (x, y): (f64, f64)) -> Self {
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        Self { picture, x: left as isize, y: top as isize, dx: x - left, dy: y - top }
    }

    /// Returns a level at some distance from the pixel; beyond the edge, that of the edge.
    fn level(&self, right: isize, down: isize, channel: usize) -> f64 {
        let (width, height) = (self.picture.width(), self.picture.height());
        let x = (self.x + right).clamp(0, width as isize - 1) as usize;
        let y = (self.y + down).clamp(0, height as isize - 1) as usize;
        f64::from(self.picture.rgb()[(y * width + x) * 3 + channel])
    }

    fn bilinear(&self, channel: usize) -> u8 {
        let between = |from: f64, to: f64, share: f64| from + (to - from) * share;
        let row =
            |down| between(self.level(0, down, channel), self.level(1, down, channel), self.dx);
        between(row(0), row(1), self.dy) as u8
    }

    fn bicubic(&self, channel: usize) -> u8 {
        let row =
            |down| cubic([-1, 0, 1, 2].map(|right| self.level(right, down, channel)), self.dx);
        cubic([-1, 0, 1, 2].map(row), self.dy) as u8 // `as` saturates.
    }
}

/// The cubic through the middle two of four values whose slopes are the differences of neighbours.
fn cubic([v1, v2, v3, v4]: [f64; 4], d: f64) -> f64 {
    let linear = -v1 + v3;
    let square = 2.0 * (v1 - v2) + v3 - v4;
    let cube = -v1 + v2 - v3 + v4;
    v2 + d * (linear + d * (square + d * cube))
}
