//! Convolutions in which every channel has one kernel of its own, and what it gives is one channel.
//!
//! A channel lies in a field with its border, line behind line without a gap. For a stride above 1
//! there is one field for each remainder of rows and of columns, so that what all outputs see
//! through one weight lies side by side, `offset` behind where it lies for the first weight. An
//! output is then a sum over few offsets, whole lines and pictures at a time; what this computes
//! across the end of a line is thrown away. Gradients are the same sums with offsets in the other
//! direction, and products of fields.

use rayon::prelude::*;

use super::fresh::Fresh;
use super::scratch::Scratch;
use super::shifts::Shape;
use super::vector::{LANES, vectorised};

/// Channels of a piece of work.
const PIECE: usize = 8;

/// Sizes of the fields of a channel; `s` is the shape of one channel.
#[derive(Clone, Copy)]
struct Fields<'a> {
    s: &'a Shape,
    /// Columns of a field.
    columns: usize,
    /// Numbers of a field.
    size: usize,
}

impl<'a> Fields<'a> {
    fn new(s: &'a Shape) -> Self {
        let [rows, columns] = [0, 1].map(|axis| {
            let seen = [s.out_h, s.out_w][axis] - 1 + (s.kernel[axis] - 1) / s.stride + 1;
            seen.max(([s.h, s.w][axis] + 2 * s.padding[axis]).div_ceil(s.stride))
        });
        Self { s, columns, size: rows * columns }
    }

    /// Fields of a channel.
    fn count(&self) -> usize {
        self.s.stride * self.s.stride
    }

    /// Numbers that outputs take in a field's order, in whole vectors.
    fn length(&self) -> usize {
        ((self.s.out_h - 1) * self.columns + self.s.out_w).next_multiple_of(LANES)
    }

    /// The largest offset.
    fn reach(&self) -> usize {
        let [below, right] = [0, 1].map(|axis| (self.s.kernel[axis] - 1) / self.s.stride);
        below * self.columns + right
    }

    /// Returns field and offset of a weight.
    fn place(&self, tap: usize) -> (usize, usize) {
        let (ky, kx) = (tap / self.s.kernel[1], tap % self.s.kernel[1]);
        let stride = self.s.stride;
        (ky % stride * stride + kx % stride, ky / stride * self.columns + kx / stride)
    }

    /// Calls `visit(channel's start, field's start, count)` for every line of a channel and field.
    fn lines(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let Self { s, columns, size } = *self;
        for y in 0..s.h {
            let row = y + s.padding[0];
            for phase in 0..s.stride {
                // The first column of the picture whose place has this remainder.
                let first = (phase + s.stride - s.padding[1] % s.stride) % s.stride;
                if first >= s.w {
                    continue;
                }
                let field = row % s.stride * s.stride + phase;
                let place = row / s.stride * columns + (first + s.padding[1]) / s.stride;
                let count = (s.w - first).div_ceil(s.stride);
                visit(y * s.w + first, field * size + place, count);
            }
        }
    }

    /// Puts a channel into its fields, whose borders are 0.
    fn put(&self, channel: &[f32], fields: &mut [f32]) {
        self.lines(|from, to, count| {
            let from = channel[from..].iter().step_by(self.s.stride);
            fields[to..to + count].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        });
    }

    /// Takes a channel out of its fields.
    fn take(&self, fields: &[f32], channel: &mut [f32]) {
        self.lines(|to, from, count| {
            let to = channel[to..].iter_mut().step_by(self.s.stride);
            to.zip(&fields[from..from + count]).for_each(|(to, from)| *to = *from);
        });
    }

    /// Takes the outputs of a channel out of a field, or puts them in.
    fn outputs(&self, mut visit: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        let w = self.s.out_w;
        for y in 0..self.s.out_h {
            visit(y * w..(y + 1) * w, y * self.columns..y * self.columns + w);
        }
    }
}

/// Returns the convolution, `[n, c, h', w']`, of `[n, c, h, w]` with `[c, 1, kh, kw]`.
pub(super) fn forward(x: &[f32], weight: &[f32], bias: Option<&[f32]>, s: &Shape) -> Vec<f32> {
    let (fields, taps) = (Fields::new(s), s.kernel[0] * s.kernel[1]);
    let channels = weight.len() / taps;
    let mut out = Fresh::new(x.len() / s.input() * s.pixels());
    let pieces = out.pieces(PIECE * s.pixels()).zip(x.par_chunks(PIECE * s.input()));
    pieces.enumerate().for_each_init(<[Scratch; 2]>::default, |[seen, sums], (piece, (out, x))| {
        let room = fields.count() * fields.size + fields.reach() + LANES;
        let (seen, sums) = (cleared(seen, room), sums.numbers(fields.length()));
        let both = out.chunks_exact_mut(s.pixels()).zip(x.chunks_exact(s.input()));
        for (i, (out, x)) in both.enumerate() {
            let channel = (piece * PIECE + i) % channels;
            fields.put(x, seen);
            let weight = &weight[channel * taps..(channel + 1) * taps];
            let places: Vec<_> = (0..taps)
                .map(|tap| {
                    let (field, offset) = fields.place(tap);
                    (field * fields.size + offset, weight[tap])
                })
                .collect();
            weighted(seen, &places, bias.map_or(0.0, |bias| bias[channel]), sums);
            fields.outputs(|to, from| out[to].copy_from_slice(&sums[from]));
        }
    });
    out.numbers()
}

/// Returns the gradient of the input.
pub(super) fn input_gradient(weight: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let (fields, taps) = (Fields::new(s), s.kernel[0] * s.kernel[1]);
    let channels = weight.len() / taps;
    let (reach, size) = (fields.reach(), fields.size);
    let mut dx = Fresh::new(dy.len() / s.pixels() * s.input());
    let pieces = dx.pieces(PIECE * s.input()).zip(dy.par_chunks(PIECE * s.pixels()));
    pieces.enumerate().for_each_init(
        <[Scratch; 2]>::default,
        |[pulled, sums], (piece, (dx, dy))| {
            // Zeros before the outputs, as many as an offset can be, and behind them.
            let pulled = cleared(pulled, reach + size + fields.length() + LANES);
            let whole = size.next_multiple_of(LANES);
            // A field is overwritten from its end on by the next.
            let sums = sums.numbers(fields.count() * size + LANES);
            let both = dx.chunks_exact_mut(s.input()).zip(dy.chunks_exact(s.pixels()));
            for (i, (dx, dy)) in both.enumerate() {
                let channel = (piece * PIECE + i) % channels;
                fields.outputs(|from, to| {
                    pulled[reach + to.start..reach + to.end].copy_from_slice(&dy[from]);
                });
                for field in 0..fields.count() {
                    let places: Vec<_> = (0..taps)
                        .map(|tap| (fields.place(tap), weight[channel * taps + tap]))
                        .filter(|((of, _), _)| *of == field)
                        .map(|((_, offset), weight)| (reach - offset, weight))
                        .collect();
                    weighted(pulled, &places, 0.0, &mut sums[field * size..field * size + whole]);
                }
                fields.take(sums, dx);
            }
        },
    );
    dx.numbers()
}

/// Returns the gradient of the weight.
pub(super) fn weight_gradient(x: &[f32], dy: &[f32], s: &Shape, channels: usize) -> Vec<f32> {
    let (fields, taps) = (Fields::new(s), s.kernel[0] * s.kernel[1]);
    let mut parts = vec![0.0; x.len() / s.input() * taps];
    let rows = x.par_chunks(PIECE * s.input()).zip(dy.par_chunks(PIECE * s.pixels()));
    parts.par_chunks_mut(PIECE * taps).zip(rows).for_each_init(
        <[Scratch; 2]>::default,
        |[seen, pulled], (parts, (x, dy))| {
            let room = fields.count() * fields.size + fields.reach() + LANES;
            let (seen, pulled) = (cleared(seen, room), cleared(pulled, fields.length()));
            let both = x.chunks_exact(s.input()).zip(dy.chunks_exact(s.pixels()));
            for (part, (x, dy)) in parts.chunks_exact_mut(taps).zip(both) {
                fields.put(x, seen);
                fields.outputs(|from, to| pulled[to].copy_from_slice(&dy[from]));
                for (line, part) in part.chunks_mut(TAPS).enumerate() {
                    let place = |i: usize| {
                        let (field, offset) = fields.place((line * TAPS + i).min(taps - 1));
                        field * fields.size + offset
                    };
                    let sums = products(seen, pulled, std::array::from_fn(place));
                    part.iter_mut().zip(sums).for_each(|(part, sum)| *part = sum);
                }
            }
        },
    );
    let mut totals = vec![0.0_f64; channels * taps];
    for picture in parts.chunks_exact(channels * taps) {
        totals.iter_mut().zip(picture).for_each(|(total, part)| *total += f64::from(*part));
    }
    super::channels::narrow(totals)
}

/// Weights whose gradients are summed together: one register each.
const TAPS: usize = 9;

fn cleared(scratch: &mut Scratch, length: usize) -> &mut [f32] {
    let numbers = scratch.numbers(length);
    numbers.fill(0.0);
    numbers
}

/// Fills `sums` with the sum over places of the weight times what lies there.
#[inline(always)]
fn weighted_loop(seen: &[f32], places: &[(usize, f32)], start: f32, sums: &mut [f32]) {
    let (wide, rest) = sums.as_chunks_mut::<LANES>();
    for (at, sums) in wide.iter_mut().enumerate() {
        let mut total = [start; LANES];
        for (place, weight) in places {
            let seen = &seen[place + at * LANES..][..LANES];
            for i in 0..LANES {
                total[i] += weight * seen[i];
            }
        }
        *sums = total;
    }
    assert!(rest.is_empty(), "sums come in whole vectors");
}

/// Returns the sums of the products of `pulled` with what lies at each place.
#[inline(always)]
fn products_loop(seen: &[f32], pulled: &[f32], places: [usize; TAPS]) -> [f32; TAPS] {
    let mut totals = [[0.0_f32; LANES]; TAPS];
    let seen = places.map(|place| &seen[place..place + pulled.len()]);
    for (at, pulled) in pulled.as_chunks::<LANES>().0.iter().enumerate() {
        for (total, seen) in totals.iter_mut().zip(seen) {
            let seen = &seen[at * LANES..(at + 1) * LANES];
            for i in 0..LANES {
                total[i] += pulled[i] * seen[i];
            }
        }
    }
    totals.map(|total| total.iter().sum())
}

vectorised!(weighted = weighted_loop,
    (seen: &[f32], places: &[(usize, f32)], start: f32, sums: &mut [f32]));
vectorised!(products = products_loop,
    (seen: &[f32], pulled: &[f32], places: [usize; TAPS]) -> [f32; TAPS]);
