//! Weights as minimal filtering multiplies them.

use std::ops::Range;

use super::super::packed::{Packed, ROWS, Stored};
use super::super::vector::vectorised;
use super::PLACES;
use crate::terms::Precision;

/// The transformed weights of all outputs: for every place a matrix over the inputs.
pub(in super::super) struct Weights([Packed; PLACES]);

impl Weights {
    /// Transforms weights of 3x3.
    pub(in super::super) fn new(
        stored: Stored<'_>,
        [outputs, inputs]: [usize; 2],
        precision: Precision,
    ) -> Self {
        let places = Packed::several([outputs, inputs], |first, to| {
            weight_transform(stored, first..outputs.min(first + ROWS), inputs, to);
        });
        Self(places.map(|place| place.at(precision, inputs)))
    }

    /// Returns the matrices of the places.
    pub(super) fn places(&self) -> &[Packed; PLACES] {
        &self.0
    }
}

/// Writes `G g G^T` of some outputs and all inputs, `[inputs, ROWS]` for each place.
#[inline(always)]
fn weight_transform_loop(
    stored: Stored<'_>,
    outputs: Range<usize>,
    inputs: usize,
    to: &mut [&mut [f32]],
) {
    type Row = [f32; ROWS];
    let one = |a: Row, b: Row, c: Row| {
        let sum = |i: usize| 0.5 * (a[i] + b[i] + c[i]);
        let difference = |i: usize| 0.5 * (a[i] - b[i] + c[i]);
        [a, std::array::from_fn(sum), std::array::from_fn(difference), c]
    };
    for input in 0..inputs {
        let mut g = [[0.0; ROWS]; 9];
        for (row, output) in outputs.clone().enumerate() {
            for (tap, number) in stored.taps(output, input, 9).iter().enumerate() {
                g[if stored.mirrored { 8 - tap } else { tap }][row] = *number;
            }
        }
        let columns = [0, 1, 2].map(|column| one(g[column], g[3 + column], g[6 + column]));
        for row in 0..4 {
            let of = one(columns[0][row], columns[1][row], columns[2][row]);
            for (column, numbers) in of.into_iter().enumerate() {
                to[4 * row + column][input * ROWS..][..ROWS].copy_from_slice(&numbers);
            }
        }
    }
}

vectorised!(weight_transform = weight_transform_loop,
    (stored: Stored<'_>, outputs: Range<usize>, inputs: usize, to: &mut [&mut [f32]]));
