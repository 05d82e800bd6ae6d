//! The outlines of the objects, as sets of points.
//!
//! Coordinates: the centre of the object is (0, 0), `u` runs to the right, `v` down, and every
//! outline lies about inside of the unit disc. Only sums, products and comparisons decide whether a
//! point is inside, so the answer is the same on every machine.

use super::factors::Shape;

/// No point of any outline is farther from the centre: the corners of the triangle are there.
pub(super) const REACH: f64 = 1.12;

/// Corners in order. Regular polygons stand on a side or a point as one draws them.
type Corners = [(f64, f64)];

/// Circumradius 1.12, centre of mass at (0, 0).
const TRIANGLE: &Corners = &[(0.0, -1.12), (0.969_948_5, 0.56), (-0.969_948_5, 0.56)];

const PENTAGON: &Corners = &[
    (0.0, -1.0),
    (0.951_056_5, -0.309_017),
    (0.587_785_3, 0.809_017),
    (-0.587_785_3, 0.809_017),
    (-0.951_056_5, -0.309_017),
];

const HEXAGON: &Corners = &[
    (1.0, 0.0),
    (0.5, 0.866_025_4),
    (-0.5, 0.866_025_4),
    (-1.0, 0.0),
    (-0.5, -0.866_025_4),
    (0.5, -0.866_025_4),
];

/// The pentagon of circumradius 1.1 and, between its corners, points at 0.48.
const STAR: &Corners = &[
    (0.0, -1.1),
    (0.282_136_9, -0.388_328_2),
    (1.046_162_2, -0.339_918_7),
    (0.456_507_1, 0.148_328_2),
    (0.646_563_8, 0.889_918_7),
    (0.0, 0.48),
    (-0.646_563_8, 0.889_918_7),
    (-0.456_507_1, 0.148_328_2),
    (-1.046_162_2, -0.339_918_7),
    (-0.282_136_9, -0.388_328_2),
];

impl Shape {
    /// Returns whether a point lies inside of the outline.
    pub(super) fn holds(self, u: f64, v: f64) -> bool {
        let square = u * u + v * v;
        match self {
            Self::Circle => square <= 0.81,
            Self::Square => u.abs() <= 0.78 && v.abs() <= 0.78,
            Self::Triangle => inside(TRIANGLE, u, v),
            Self::Pentagon => inside(PENTAGON, u, v),
            Self::Hexagon => inside(HEXAGON, u, v),
            Self::Star => inside(STAR, u, v),
            Self::Cross => {
                let (a, b) = (u.abs(), v.abs());
                (a <= 0.3 && b <= 0.95) || (a <= 0.95 && b <= 0.3)
            }
            Self::Ring => (0.22..=0.9).contains(&square),
            Self::Crescent => {
                let bite = (u - 0.45) * (u - 0.45) + v * v;
                square <= 0.9 && bite >= 0.5
            }
            Self::Heart => {
                // (x² + y² - 1)³ <= x² y³, upright and brought to size.
                let (x, y) = (u * 1.22, 0.18 - v * 1.22);
                let a = x * x + y * y - 1.0;
                a * a * a <= x * x * y * y * y
            }
        }
    }
}

/// Counts the sides that a ray to the right crosses.
fn inside(corners: &Corners, u: f64, v: f64) -> bool {
    let next = corners.iter().cycle().skip(1);
    let crossed = |((x0, y0), (x1, y1)): (&(f64, f64), &(f64, f64))| {
        (*y0 > v) != (*y1 > v) && u < (x1 - x0) * (v - y0) / (y1 - y0) + x0
    };
    corners.iter().zip(next).filter(|side| crossed(*side)).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Area by a grid of 400 x 400 points.
    fn area(shape: Shape) -> f64 {
        let at = |i: usize| (i as f64 + 0.5) / 160.0 - 1.25;
        let inside = (0..160_000).filter(|i| shape.holds(at(i % 400), at(i / 400))).count();
        inside as f64 / (160.0 * 160.0)
    }

    #[test]
    fn areas_are_those_of_geometry() {
        let root = |x: f64| x.sqrt();
        for (shape, want) in [
            (Shape::Circle, std::f64::consts::PI * 0.81),
            (Shape::Square, 1.56 * 1.56),
            (Shape::Triangle, 0.75 * root(3.0) * 1.12 * 1.12),
            (Shape::Pentagon, 2.5 * (72.0_f64).to_radians().sin()),
            (Shape::Hexagon, 1.5 * root(3.0)),
            // Ten triangles between neighbouring corners at 36 degrees.
            (Shape::Star, 5.0 * 1.1 * 0.48 * (36.0_f64).to_radians().sin()),
            (Shape::Cross, 2.0 * 0.6 * 1.9 - 0.36),
            (Shape::Ring, std::f64::consts::PI * 0.68),
        ] {
            // A grid of step 1/160 misses at most about a tenth of a step along the edge.
            let got = area(shape);
            assert!((got - want).abs() < 0.01, "{shape:?}: {got}, want {want}");
        }
    }

    #[test]
    fn all_outlines_are_of_similar_size_and_inside_of_their_disc() {
        for &shape in Shape::ALL {
            let found = area(shape);
            assert!((0.9..2.7).contains(&found), "{shape:?} covers {found}");
            let far = REACH + 1e-6;
            let outside = (0..3600).any(|i| {
                let angle = (f64::from(i) / 10.0).to_radians();
                shape.holds(far * angle.cos(), far * angle.sin())
            });
            assert!(!outside, "{shape:?} reaches too far");
        }
    }
}
