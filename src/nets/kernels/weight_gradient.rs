//! The gradient of a convolution's weight.
//!
//! A picture is brought into the order `[h, w, c]`, with its border: what a row of the kernel sees
//! from an output pixel, `kw * c` numbers, then lies side by side. A tile multiplies [`ROWS`]
//! outputs with up to [`VECTORS`] vectors of it, and its sums stay in registers over the pixels of
//! many rows and pictures.
//!
//! Outputs are cut into blocks and pictures into lanes, by shape alone, and each block of each lane
//! is one piece of work; the sums of the lanes are added in their order.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::packed::ROWS;
use super::pairs::{pair_apart, pair_neighbours};
use super::scratch::Scratch;
use super::shifts::Shape;
use super::tile::VECTORS;
use super::transpose::{Source, transpose};
use super::vector::LANES;
use super::walk::Walk;
use crate::terms::Precision;

/// Pieces of work of a group, at least where there are as many pictures.
const PIECES: usize = 8;

/// Outputs of a block, at least: each block brings its pictures into order anew.
const BLOCK: usize = 64;

/// Sums of a block, if it need not be smaller than that: half a MiB stays in the second cache.
const SUMS: usize = 1 << 17;

/// Pixels whose numbers stay in the second cache.
const NEAR: usize = 256;

thread_local! {
    /// Kept from call to call.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Buffers of a thread.
#[derive(Default)]
struct Buffers {
    /// Pictures in their order.
    ordered: Scratch,
    /// The same, every number with that of the next output pixel.
    pairs: Scratch,
    /// Gradients with that of the next pixel.
    pulled: Scratch,
}

/// Returns the gradient, `[groups * outputs, inputs, kh, kw]`; `s` is the shape of one group.
pub(super) fn weight_gradient(x: &[f32], dy: &[f32], s: &Shape, groups: usize) -> Vec<f32> {
    let sums = |group: usize, outputs: Range<usize>, pictures: Range<usize>| {
        let piece = Piece { x, dy, s, groups, group, outputs };
        BUFFERS.with_borrow_mut(|buffers| piece.sums(pictures, buffers))
    };
    let blocks = [BLOCK, s.kernel[0] * width(s)];
    by_pieces(s, groups, blocks, sums, |lanes, output, target, total| {
        collect((lanes, output), s, target, total);
    })
}

/// Returns a gradient whose sums are taken in pieces: `sums` of some outputs of a group over some
/// pictures, neither empty, in blocks of at least `block` outputs with so many sums each. `collect`
/// adds the sums of all lanes of an output of a block and writes its gradient, with a scratch.
pub(super) fn by_pieces(
    s: &Shape,
    groups: usize,
    [block, each]: [usize; 2],
    sums: impl Fn(usize, Range<usize>, Range<usize>) -> Vec<f32> + Sync,
    collect: impl Fn(&[Vec<f32>], usize, &mut [f32], &mut Vec<f32>) + Sync,
) -> Vec<f32> {
    let most = if groups > 1 { 1 } else { PIECES };
    let limit = (s.outputs / block).clamp(1, most);
    let blocks = (s.outputs * each).div_ceil(SUMS).min(limit);
    let lanes = (most / blocks).min(s.n);
    // Where there are few pictures, there are more blocks.
    let blocks = (most / lanes).min(limit);
    let block = s.outputs.div_ceil(blocks).next_multiple_of(ROWS);
    let per_lane = s.n.div_ceil(lanes);
    let pieces: Vec<Vec<f32>> = (0..groups * blocks * lanes)
        .into_par_iter()
        .map(|piece| {
            let (lane, of) = (piece % lanes, piece / lanes);
            let (group, first) = (of / blocks, of % blocks * block);
            let pictures = (lane * per_lane).min(s.n)..((lane + 1) * per_lane).min(s.n);
            let outputs = first.min(s.outputs)..(first + block).min(s.outputs);
            match pictures.is_empty() || outputs.is_empty() {
                true => Vec::new(),
                false => sums(group, outputs, pictures),
            }
        })
        .collect();
    let mut dw = vec![0.0; groups * s.outputs * s.kernel[0] * s.kernel[1] * s.inputs];
    let size = s.inputs * s.kernel[0] * s.kernel[1];
    let mut rest = dw.as_mut_slice();
    let mut targets = Vec::new();
    for of in 0..groups * blocks {
        let first = (of % blocks * block).min(s.outputs);
        let count = (first + block).min(s.outputs) - first;
        let (target, behind) = std::mem::take(&mut rest).split_at_mut(count * size);
        targets.push(target);
        rest = behind;
    }
    let all = targets.into_par_iter().zip(pieces.par_chunks(lanes));
    all.for_each_init(Vec::new, |scratch, (target, lanes)| {
        for (output, target) in target.chunks_exact_mut(size).enumerate() {
            collect(lanes, output, target, scratch);
        }
    });
    dw
}

/// Numbers of a row of sums: what a row of the kernel sees, in whole vectors.
fn width(s: &Shape) -> usize {
    (s.kernel[1] * s.inputs).next_multiple_of(LANES)
}

/// Sets `total` to the sums of an output, `count` numbers, over all lanes in their order.
pub(super) fn add_lanes(lanes: &[Vec<f32>], output: usize, count: usize, total: &mut Vec<f32>) {
    total.clear();
    total.resize(count, 0.0);
    for lane in lanes.iter().filter(|lane| !lane.is_empty()) {
        let sums = &lane[output * count..][..count];
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
}

/// Adds the lanes of an output, and brings them into the order of weights.
fn collect(
    (lanes, output): (&[Vec<f32>], usize),
    s: &Shape,
    target: &mut [f32],
    total: &mut Vec<f32>,
) {
    let ([kernel_h, kernel_w], inputs, width) = (s.kernel, s.inputs, width(s));
    add_lanes(lanes, output, kernel_h * width, total);
    if s.kernel == [1, 1] {
        return target.copy_from_slice(&total[..inputs]);
    }
    for (input, taps) in target.chunks_exact_mut(kernel_h * kernel_w).enumerate() {
        for (ky, taps) in taps.chunks_exact_mut(kernel_w).enumerate() {
            for (kx, to) in taps.iter_mut().enumerate() {
                *to = total[ky * width + kx * inputs + input];
            }
        }
    }
}

/// Some outputs of a group.
struct Piece<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    s: &'a Shape,
    groups: usize,
    group: usize,
    outputs: Range<usize>,
}

impl Piece<'_> {
    /// Returns the sums over some pictures, `[outputs in whole tiles, kh, width]`.
    fn sums(&self, pictures: Range<usize>, buffers: &mut Buffers) -> Vec<f32> {
        let Self { x, s, groups, group, outputs, .. } = self;
        let [rows, columns] = [0, 1].map(|axis| [s.h, s.w][axis] + 2 * s.padding[axis]);
        let size = rows * columns * s.inputs;
        let together = NEAR.div_ceil(s.pixels()).min(pictures.len());
        let Buffers { ordered, pairs, pulled } = buffers;
        let (pixel, behind) = (s.stride * s.inputs, width(s));
        // A vector at the end of a picture may reach out of it, and so may its neighbour.
        let seen = ordered.numbers(together * size + behind + pixel);
        seen.fill(0.0);
        let tiles = outputs.len().div_ceil(ROWS);
        let mut sums = vec![0.0; tiles * ROWS * s.kernel[0] * width(s)];
        let all: Vec<usize> = pictures.collect();
        for some in all.chunks(together) {
            for (picture, seen) in some.iter().zip(seen.chunks_exact_mut(size)) {
                let from = &x[(picture * groups + group) * s.input()..][..s.input()];
                order(from, s, columns, seen);
            }
            let seen: &[f32] = match s.precision {
                Precision::F32 => seen,
                Precision::Bf16 => {
                    let pairs = pairs.numbers(together * size + behind);
                    pair_apart(seen, pixel, pairs);
                    pairs
                }
            };
            // Whole pictures if several fit, else some rows of one.
            let near = NEAR.div_ceil(s.out_w).min(s.out_h);
            let near = if some.len() > 1 { s.out_h } else { near };
            for first in (0..s.out_h).step_by(near) {
                let lines = first..s.out_h.min(first + near);
                let part = Part { columns, size, pictures: some, lines };
                self.add(seen, &part, pulled, &mut sums);
            }
        }
        sums
    }

    /// Adds the products of some lines of some pictures.
    fn add(&self, seen: &[f32], part: &Part<'_>, pulled: &mut Scratch, sums: &mut [f32]) {
        let Self { s, outputs, .. } = self;
        let vectors = width(s) / LANES;
        let panels = vectors.div_ceil(VECTORS);
        let bound = |i: usize| i * vectors / panels;
        // Lines of a picture without border follow each other like pixels.
        let merged = s.stride == 1 && part.columns == s.out_w;
        let (lines, length) = match merged {
            true => (1, part.lines.len() * s.out_w),
            false => (part.lines.len(), s.out_w),
        };
        let pulled = self.pulled(part, [lines, length], pulled);
        let (length, pixel) = match s.precision {
            Precision::F32 => (length, s.stride * s.inputs),
            Precision::Bf16 => (length.div_ceil(2), 2 * s.stride * s.inputs),
        };
        for ky in 0..s.kernel[0] {
            for panel in 0..panels {
                let columns = bound(panel) * LANES..bound(panel + 1) * LANES;
                let top = (part.lines.start * s.stride + ky) * part.columns * s.inputs;
                for (tile, first) in outputs.clone().step_by(ROWS).enumerate() {
                    let walk = Walk {
                        seen: &seen[top + columns.start..],
                        dy: &pulled.numbers[(first - outputs.start) * pulled.row..],
                        pictures: part.pictures.len(),
                        picture: [part.size, pulled.picture],
                        lines,
                        line: [s.stride * part.columns * s.inputs, pulled.line],
                        length,
                        pixel,
                        rows: (outputs.end - first).min(ROWS),
                        row: pulled.row,
                        precision: s.precision,
                    };
                    let start = (tile * ROWS * s.kernel[0] + ky) * width(s) + columns.start;
                    let step = s.kernel[0] * width(s);
                    walk.run(columns.len() / LANES, &mut sums[start..], step);
                }
            }
        }
    }
}

impl<'a> Piece<'a> {
    /// Returns the gradients of some lines of some pictures, for the first output of the piece.
    fn pulled<'b>(
        &self,
        part: &Part<'_>,
        [lines, length]: [usize; 2],
        pairs: &'b mut Scratch,
    ) -> Pulled<'b>
    where
        'a: 'b,
    {
        let Self { s, groups, group, outputs, dy, .. } = self;
        let begin = |picture: usize| {
            let place = (picture * groups + group) * s.output() + outputs.start * s.pixels();
            place + part.lines.start * s.out_w
        };
        if s.precision.is_single() {
            let numbers = &dy[begin(part.pictures[0])..];
            return Pulled {
                numbers,
                picture: groups * s.output(),
                line: s.out_w,
                row: s.pixels(),
            };
        }
        let line = length.div_ceil(2);
        let row = lines * line;
        let picture = outputs.len() * row;
        let pairs = pairs.numbers(part.pictures.len() * picture);
        for (of, pairs) in part.pictures.iter().zip(pairs.chunks_exact_mut(picture)) {
            for (output, pairs) in pairs.chunks_exact_mut(row).enumerate() {
                let dy = &dy[begin(*of) + output * s.pixels()..];
                // A single line is all lines of the part, one behind the other.
                for (dy, pairs) in dy.chunks(length).zip(pairs.chunks_exact_mut(line)) {
                    pair_neighbours(dy, pairs);
                }
            }
        }
        Pulled { numbers: pairs, picture, line, row }
    }
}

/// Gradients, and how far it is from picture to picture, from line to line, from output to output.
struct Pulled<'a> {
    numbers: &'a [f32],
    picture: usize,
    line: usize,
    row: usize,
}

/// Lines of pictures that are taken together.
struct Part<'a> {
    /// Columns of a picture with its border.
    columns: usize,
    /// Numbers of a picture with its border.
    size: usize,
    pictures: &'a [usize],
    /// Output lines.
    lines: Range<usize>,
}

/// Brings a picture into the order `[h, w, c]`, inside of its border.
pub(super) fn order(from: &[f32], s: &Shape, columns: usize, to: &mut [f32]) {
    let pixels = s.h * s.w;
    let planes = Source { numbers: from, step: pixels, rows: s.inputs, columns: pixels };
    let line = |y| (y + s.padding[0]) * columns + s.padding[1];
    let pixels = (0..s.h).flat_map(|y| (0..s.w).map(move |x| line(y) + x));
    transpose(planes, to, pixels.map(|pixel| pixel * s.inputs));
}
