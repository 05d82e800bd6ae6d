//! From a scene to pixels.
//!
//! A pixel is the mean of 4 x 4 points, then noise is added and the sum rounded. Points are
//! evaluated in f64 by sums, products, quotients and `floor` alone, one after another, so the bytes
//! are the same on every machine.

use super::factors::{Background, Texture};
use super::scene::{Bar, Ground, KNOTS, Look, Piece, Point, Scene, Shade};
use crate::terms::{Picture, Stream};

/// Points per pixel along a side.
const POINTS: usize = 4;

impl Scene {
    /// Draws the scene as a square picture.
    ///
    /// # Panics
    /// If the side is 0.
    pub fn draw(&self, side: usize) -> Picture {
        let mut noise = self.look.noise_seed.stream();
        let mut rgb = Vec::with_capacity(side * side * 3);
        for y in 0..side {
            for x in 0..side {
                let shade = self.pixel((x, y), side);
                rgb.extend(shade.map(|level| {
                    let level = level + self.look.noise * bell(&mut noise);
                    (level * 255.0 + 0.5).floor().clamp(0.0, 255.0) as u8
                }));
            }
        }
        Picture::new(side, side, rgb)
    }

    fn pixel(&self, (x, y): (usize, usize), side: usize) -> Shade {
        let step = 1.0 / (side * POINTS) as f64;
        let mut sum = [0.0; 3];
        for i in 0..POINTS * POINTS {
            let along = |pixel: usize, i: usize| ((pixel * POINTS + i) as f64 + 0.5) * step;
            let at = (along(x, i % POINTS), along(y, i / POINTS));
            let shade = self.shade(at);
            sum.iter_mut().zip(shade).for_each(|(sum, level)| *sum += level);
        }
        sum.map(|level| level / (POINTS * POINTS) as f64)
    }

    /// Returns the shade of a point: that of the foremost thing there.
    fn shade(&self, at: Point) -> Shade {
        let look = &self.look;
        if let Some(bar) = look.bar.as_ref().filter(|bar| bar.holds(at)) {
            return bar.shade;
        }
        let (u, v) = self.of_object(at);
        if self.shape.holds(u, v) {
            return look.shades
                [usize::from(self.texture.marks(u + look.phase.0, v + look.phase.1))];
        }
        match look.pieces.iter().find(|piece| piece.holds(at)) {
            Some(piece) => piece.shade,
            None => look.ground.shade(self.background, at),
        }
    }

    /// Returns a point in the coordinates of the object's outline.
    pub(super) fn of_object(&self, at: Point) -> Point {
        let Look { centre, radius, turn: (cos, sin), .. } = self.look;
        let (dx, dy) = ((at.0 - centre.0) / radius, (at.1 - centre.1) / radius);
        (cos * dx + sin * dy, cos * dy - sin * dx)
    }
}

impl Texture {
    /// Returns whether a point has the second shade; lengths are in radii of the object.
    fn marks(self, u: f64, v: f64) -> bool {
        let odd = |x: f64| x.floor().rem_euclid(2.0) > 0.5;
        match self {
            Self::Plain => false,
            Self::Striped => odd(v / 0.32),
            Self::Checked => odd(u / 0.42) != odd(v / 0.42),
            Self::Dotted => {
                let off = |x: f64| x / 0.52 - (x / 0.52).floor() - 0.5;
                let (du, dv) = (off(u), off(v));
                du * du + dv * dv < 0.09
            }
        }
    }
}

impl Ground {
    fn shade(&self, background: Background, at: Point) -> Shade {
        let share = match background {
            Background::Plain => 0.0,
            Background::Shaded => {
                let along = (at.0 - 0.5) * self.direction.0 + (at.1 - 0.5) * self.direction.1;
                // From 0 to 1, and more than the step of the others.
                1.6 * (along * 0.7 + 0.5)
            }
            Background::Cloudy => 1.6 * self.cloud(at),
            Background::Tiled => {
                let cell = |x: f64, phase: f64| (x * 5.0 + phase).floor();
                let sum = cell(at.0, self.phase.0) + cell(at.1, self.phase.1);
                sum.rem_euclid(2.0)
            }
        };
        let [a, b] = self.shades;
        let mixed = |i: usize| a[i] + (b[i] - a[i]) * share;
        [mixed(0), mixed(1), mixed(2)]
    }

    /// Returns the value between the four knots around a point, without an edge at the knots.
    fn cloud(&self, at: Point) -> f64 {
        let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
        let cells = (KNOTS - 1) as f64;
        let split = |x: f64| {
            let cell = (x * cells).floor().min(cells - 1.0);
            (cell as usize, smooth(x * cells - cell))
        };
        let ((column, right), (row, down)) = (split(at.0), split(at.1));
        let knot = |row: usize, column: usize| self.knots[row * KNOTS + column];
        let along = |row| knot(row, column) * (1.0 - right) + knot(row, column + 1) * right;
        along(row) * (1.0 - down) + along(row + 1) * down
    }
}

impl Piece {
    fn holds(&self, at: Point) -> bool {
        let (dx, dy) = (at.0 - self.centre.0, at.1 - self.centre.1);
        match self.round {
            true => dx * dx + dy * dy <= self.radius * self.radius,
            false => dx.abs() <= self.radius * 0.85 && dy.abs() <= self.radius * 0.85,
        }
    }
}

impl Bar {
    fn holds(&self, at: Point) -> bool {
        let (dx, dy) = (at.0 - self.centre.0, at.1 - self.centre.1);
        let along = dx * self.direction.0 + dy * self.direction.1;
        let across = dy * self.direction.0 - dx * self.direction.1;
        along.abs() <= self.half_length && across.abs() <= self.half_width
    }
}

/// Returns a number of mean 0 and variance 1 whose law is nearly normal: the sum of four uniform
/// ones (Irwin and Hall 1927), because logarithms differ between machines.
fn bell(stream: &mut Stream) -> f64 {
    let sum: f64 = (0..4).map(|_| stream.uniform()).sum();
    (sum - 2.0) * 3.0_f64.sqrt()
}
