//! Weights in the order in which tiles of products ([`panels`](super::panels)) read them.

use std::ops::Range;

use rayon::prelude::*;

use super::pairs::pair_rows;
use super::transpose::{Source, transpose};
use crate::terms::Precision;

/// Outputs of a tile.
pub(super) const ROWS: usize = 8;

/// Weights as they are stored; the taps of an output and an input lie side by side.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) numbers: &'a [f32],
    /// Numbers from output to output and from input to input.
    pub(super) steps: [usize; 2],
    /// Whether taps are read from their end.
    pub(super) mirrored: bool,
}

impl<'a> Stored<'a> {
    /// Returns the taps of an output and an input.
    #[inline(always)]
    pub(super) fn taps(&self, output: usize, input: usize, count: usize) -> &'a [f32] {
        &self.numbers[output * self.steps[0] + input * self.steps[1]..][..count]
    }
}

/// The weights of one group, tile by tile: `[tiles, depth, ROWS]`; rows that are no outputs are 0.
pub(super) struct Packed {
    pub(super) numbers: Vec<f32>,
    /// Numbers of a sum.
    pub(super) depth: usize,
}

impl Packed {
    /// Packs the weights of `outputs` outputs over `inputs` inputs and `taps` places of the kernel.
    pub(super) fn new(
        stored: Stored<'_>,
        [outputs, inputs, taps]: [usize; 3],
        precision: Precision,
    ) -> Self {
        let depth = inputs * taps;
        let mut numbers = vec![0.0; outputs.div_ceil(ROWS) * depth * ROWS];
        numbers.par_chunks_mut(depth * ROWS).enumerate().for_each(|(tile, to)| {
            let first = tile * ROWS;
            stored.pack(first..outputs.min(first + ROWS), [inputs, taps], to);
        });
        Self { numbers, depth }.at(precision, inputs)
    }

    /// Packs matrices of `outputs` outputs over `inputs` inputs; `pack(first, tiles)` writes the
    /// tile that begins with an output in each of them.
    pub(super) fn several<const N: usize>(
        [outputs, inputs]: [usize; 2],
        pack: impl Fn(usize, &mut [&mut [f32]]) + Sync,
    ) -> [Self; N] {
        let (count, size) = (outputs.div_ceil(ROWS), inputs * ROWS);
        let mut all: [Vec<f32>; N] = std::array::from_fn(|_| vec![0.0; count * size]);
        let mut tiles: Vec<Vec<&mut [f32]>> = (0..count).map(|_| Vec::new()).collect();
        for numbers in &mut all {
            let each = tiles.iter_mut().zip(numbers.chunks_exact_mut(size));
            each.for_each(|(tile, to)| tile.push(to));
        }
        tiles.par_iter_mut().enumerate().for_each(|(tile, to)| pack(tile * ROWS, to));
        all.map(|numbers| Self { numbers, depth: inputs })
    }

    /// Returns the same with the inputs of each tap in pairs, if the precision wants them.
    pub(super) fn at(self, precision: Precision, inputs: usize) -> Self {
        if precision.is_single() {
            return self;
        }
        let half = inputs.div_ceil(2);
        let mut numbers = vec![0.0; self.numbers.len() / inputs * half];
        let taps = self.numbers.chunks_exact(inputs * ROWS);
        for (rows, pairs) in taps.zip(numbers.chunks_exact_mut(half * ROWS)) {
            pair_rows(rows, ROWS, pairs);
        }
        Self { numbers, depth: self.depth / inputs * half }
    }
}

impl Stored<'_> {
    /// Writes some outputs, `[taps * inputs, ROWS]`.
    fn pack(&self, outputs: Range<usize>, [inputs, taps]: [usize; 2], to: &mut [f32]) {
        let (first, count) = (outputs.start, outputs.len());
        match (taps, self.steps) {
            (1, [step, 1]) => {
                let numbers = &self.numbers[first * step..];
                let rows = Source { numbers, step, rows: count, columns: inputs };
                transpose(rows, to, (0..inputs).map(|input| input * ROWS));
            }
            (1, [1, _]) => {
                for (input, to) in to.chunks_exact_mut(ROWS).enumerate() {
                    to[..count].copy_from_slice(self.taps(first, input, count));
                }
            }
            _ => {
                for input in 0..inputs {
                    for row in 0..count {
                        let numbers = self.taps(first + row, input, taps);
                        for (tap, number) in numbers.iter().enumerate() {
                            let tap = if self.mirrored { taps - 1 - tap } else { tap };
                            to[(tap * inputs + input) * ROWS + row] = *number;
                        }
                    }
                }
            }
        }
    }
}
