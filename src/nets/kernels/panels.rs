//! Convolutions whose sums stay in registers.
//!
//! Output pixels lie in vectors of [`LANES`]; a vector belongs to one picture, and pictures of few
//! pixels go through together. Panels of up to [`VECTORS`] vectors are copied out of the shifted
//! planes ([`shifts`](super::shifts)), all that the kernel sees of them below each other. A tile
//! multiplies [`ROWS`] outputs with a panel, over at most [`DEPTH`] of its rows at a time so that
//! panels stay in the second cache, and finishes its sums before they are written for the last
//! time. Each sum runs over channels, then columns, then rows of the kernel, in one chain of fused
//! products: it depends neither on the other pictures nor on the cuts.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::fresh::Fresh;
use super::packed::{Packed, ROWS};
use super::pairs::pair_rows;
use super::scratch::Scratch;
use super::shifts::{Shape, gather};
use super::tile::{Finish, Place, Seen, Tile, VECTORS};
use super::vector::{LANES, vectorised};
use crate::terms::Precision;

/// Rows of a panel that are taken at a time.
const DEPTH: usize = 768;

/// Numbers of panels that stay in the second cache together.
const NEAR: usize = 1 << 16;

/// Outputs up to which panels are not worth their copies: vectors are read from the planes.
const FEW: usize = 32;

/// Vectors that go through together, at least, if there are so many pictures.
const TOGETHER: usize = 12;

thread_local! {
    /// Kept from call to call.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Planes and panels, used again for one job after the other: threads that allocate wait for each
/// other.
#[derive(Default)]
pub(super) struct Buffers {
    pairs: Scratch,
    planes: Scratch,
    panels: Scratch,
    places: Vec<Place>,
    /// Where rows begin in the planes.
    rows: Vec<usize>,
}

/// Returns the convolution of all pictures; with several groups, `s` is the shape of one group,
/// every picture counts once per group, and `weights` are those of the groups.
pub(super) fn correlate(x: &[f32], weights: &[Packed], s: &Shape, finish: Finish<'_>) -> Vec<f32> {
    let groups = weights.len();
    let alone = groups > 1 || reads_planes(s);
    let count = if alone { 1 } else { TOGETHER.div_ceil(s.pixels().div_ceil(LANES)) };
    // Every thread of a usual machine finds a job.
    let count = count.min(s.n.div_ceil(8)).max(1);
    let mut out = Fresh::new(s.n * s.output());
    let jobs = out.pieces(count * s.output()).zip(x.par_chunks(count * s.input()));
    jobs.enumerate().for_each(|(i, (out, x))| {
        let group = i % groups;
        let own = (&weights[group], finish.from(group * s.outputs));
        BUFFERS.with_borrow_mut(|buffers| pictures(x, own, s, buffers, out));
    });
    out.numbers()
}

/// Returns whether tiles read the planes of one picture instead of panels.
fn reads_planes(s: &Shape) -> bool {
    s.outputs <= FEW && s.pixels() >= VECTORS * LANES && !s.is_pointwise()
}

/// Computes some pictures on this thread.
pub(super) fn pictures(
    x: &[f32],
    (weights, finish): (&Packed, Finish<'_>),
    s: &Shape,
    Buffers { pairs, planes, panels: numbers, places, rows: begins }: &mut Buffers,
    out: &mut [f32],
) {
    let paired = s.paired();
    let (x, s) = match s.precision {
        Precision::F32 => (x, s),
        Precision::Bf16 => (&*pair_channels(x, s, pairs), &paired),
    };
    let planes = if s.is_pointwise() { x } else { gather_all(x, s, planes) };
    places.clear();
    let vectors = x.len() / s.input() * s.pixels().div_ceil(LANES);
    places.extend((0..vectors).map(|index| Place::new(index, s)));
    // Panels of nearly the same size.
    let count = vectors.div_ceil(VECTORS);
    let panel = |i: usize| &places[i * vectors / count..(i + 1) * vectors / count];
    let run = |first: usize, rows: &Range<usize>, seen: &mut dyn FnMut(&Tile<'_>)| {
        for (i, weights) in weights.numbers.chunks_exact(weights.depth * ROWS).enumerate() {
            let channel = i * ROWS;
            let ends = rows.end == weights.len() / ROWS;
            seen(&Tile {
                weights: &weights[rows.start * ROWS..rows.end * ROWS],
                rows: ROWS.min(s.outputs - channel),
                channel,
                begins: first == 0,
                finish: if ends { finish.from(channel) } else { Finish::Sum },
            });
        }
    };
    let depth = weights.depth;
    if reads_planes(s) && x.len() == s.input() {
        begins.clear();
        for ky in 0..s.kernel[0] {
            begins.extend((0..s.planes()).map(|plane| plane * s.plane() + s.window(ky)));
        }
        let last = begins.iter().max().map_or(0, |row| *row);
        return run(0, &(0..depth), &mut |tile| {
            for panel in (0..count).map(panel) {
                tile.run(panel, Seen { numbers: &planes[panel[0].start..], begins, last }, s, out);
            }
        });
    }
    let room = depth.min(DEPTH) * VECTORS * LANES; // Of one panel.
    let together = (NEAR / room).max(1);
    let numbers = numbers.numbers(together * room);
    for start in (0..count).step_by(together) {
        let chunk = || (start..count.min(start + together)).map(panel);
        for first in (0..depth).step_by(DEPTH) {
            let rows = first..depth.min(first + DEPTH);
            for (panel, numbers) in chunk().zip(numbers.chunks_exact_mut(room)) {
                fill(panel, planes, s, rows.clone(), numbers);
            }
            run(first, &rows, &mut |tile| {
                for (panel, numbers) in chunk().zip(numbers.chunks_exact(room)) {
                    let last = (rows.len() - 1) * panel.len() * LANES;
                    tile.run(panel, Seen { numbers, begins: &[], last }, s, out);
                }
            });
        }
    }
}

/// Returns all pictures with their channels in pairs.
fn pair_channels<'a>(x: &[f32], s: &Shape, pairs: &'a mut Scratch) -> &'a mut [f32] {
    let size = s.paired().input();
    let pairs = pairs.numbers(x.len() / s.input() * size);
    for (x, pairs) in x.chunks_exact(s.input()).zip(pairs.chunks_exact_mut(size)) {
        pair_rows(x, s.h * s.w, pairs);
    }
    pairs
}

/// Returns the planes of all pictures.
fn gather_all<'a>(x: &[f32], s: &Shape, planes: &'a mut Scratch) -> &'a [f32] {
    let size = s.planes() * s.plane();
    // A vector at the end of a picture may reach out of it.
    let planes = planes.numbers(x.len() / s.input() * size + LANES);
    for (x, planes) in x.chunks_exact(s.input()).zip(planes.chunks_exact_mut(size)) {
        gather(x, s, planes);
    }
    planes
}

/// Copies what a panel sees in some rows: `[rows, vectors * LANES]`, zeros behind a picture's end.
#[inline(always)]
fn fill_loop(panel: &[Place], planes: &[f32], s: &Shape, rows: Range<usize>, numbers: &mut [f32]) {
    let (count, size) = (s.planes(), s.planes() * s.plane());
    let width = panel.len() * LANES;
    for (row, to) in rows.zip(numbers.chunks_exact_mut(width)) {
        let (ky, plane) = (row / count, row % count);
        let window = plane * s.plane() + s.window(ky);
        for (place, to) in panel.iter().zip(to.chunks_exact_mut(LANES)) {
            let from = &planes[place.picture * size + window + place.start..];
            if place.count == LANES {
                to.copy_from_slice(&from[..LANES]);
            } else {
                to[..place.count].copy_from_slice(&from[..place.count]);
                to[place.count..].fill(0.0);
            }
        }
    }
}

vectorised!(fill = fill_loop,
    (panel: &[Place], planes: &[f32], s: &Shape, rows: Range<usize>,
     numbers: &mut [f32]));
