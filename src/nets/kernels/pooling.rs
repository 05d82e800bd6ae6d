//! Pools: the largest or the mean of the pixels in a moving window, as one node of the graph.
//!
//! A window is taken apart into rows and columns: the rows of a window are put together once, whole
//! rows at a time, and then its columns. On other devices than the CPU the plain operators serve.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::vector::vectorised;

/// A square window that moves over a picture.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Height and width of the window in pixels.
    pub side: usize,
    /// Pixels between two windows.
    pub stride: usize,
    /// How far windows reach out of the picture on each side, in pixels; at most half of their
    /// side.
    pub padding: usize,
}

/// Returns the largest number in every window, of `[n, c, h, w]`. What lies outside of the picture
/// does not count.
pub fn max_pool(x: Tensor<4>, window: Window) -> Tensor<4> {
    let Window { side, stride, padding } = window;
    let kind = Kind { forward: max_plane, backward: max_gradient };
    pool(&x, window, kind).unwrap_or_else(|| {
        let options = MaxPoolOptions::new([side; 2]).with_stride([stride; 2]);
        max_pool2d(x, options.with_padding([padding; 2]))
    })
}

/// Returns the mean of every window, of `[n, c, h, w]`. What lies outside of the picture does not
/// count.
pub fn mean_pool(x: Tensor<4>, window: Window) -> Tensor<4> {
    let Window { side, stride, padding } = window;
    let kind = Kind { forward: mean_plane, backward: mean_gradient };
    pool(&x, window, kind).unwrap_or_else(|| {
        let options = AvgPoolOptions::new([side; 2]).with_stride([stride; 2]);
        avg_pool2d(x, options.with_padding([padding; 2]).with_count_include_pad(false))
    })
}

/// The sizes of a plane and of its windows.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    h: usize,
    w: usize,
    out_w: usize,
    window: Window,
}

impl Sizes {
    /// Returns the rows of the picture in window row `i`.
    #[inline(always)]
    fn rows(&self, i: usize) -> std::ops::Range<usize> {
        self.inside(i, self.h)
    }

    /// Returns the positions from 0 to `length` in window `i`.
    #[inline(always)]
    fn inside(&self, i: usize, length: usize) -> std::ops::Range<usize> {
        let Window { side, stride, padding } = self.window;
        let start = i * stride;
        start.saturating_sub(padding)..(start + side - padding).min(length)
    }
}

/// A pool: how a plane is pooled, and how a gradient goes back, given input, output and gradient.
#[derive(Clone, Copy, Debug)]
struct Kind {
    forward: fn(&[f32], Sizes, &mut [f32]),
    backward: fn([&[f32]; 3], Sizes, &mut [f32]),
}

/// Pools one plane after the other, unless on another device.
fn pool(x: &Tensor<4>, window: Window, kind: Kind) -> Option<Tensor<4>> {
    let operands = Operands::new([take(x)])?;
    let [host] = operands.hosts.clone();
    let [n, c, h, w] = host.dims();
    let Window { side, stride, padding } = window;
    assert!(2 * padding <= side && side <= h.min(w) + 2 * padding, "windows lie in the picture");
    let [out_h, out_w] = [h, w].map(|length| (length + 2 * padding - side) / stride + 1);
    let sizes = Sizes { h, w, out_w, window };
    let mut out = Fresh::new(n * c * out_h * out_w);
    out.pieces(out_h * out_w)
        .zip(host.numbers().par_chunks(h * w))
        .with_min_len(8)
        .for_each(|(out, x)| (kind.forward)(x, sizes, out));
    let out = flex_tensor(out.numbers(), [n, c, out_h, out_w]);
    let y = Host::new(out.clone());
    Some(operands.output(Pool, Memory { x: host, y, sizes, kind }, out))
}

#[derive(Clone, Debug)]
struct Memory {
    x: Host,
    y: Host,
    sizes: Sizes,
    kind: Kind,
}

#[derive(Debug)]
struct Pool;

impl Backward<Flex, 1> for Pool {
    type State = Memory;

    fn backward(self, ops: Ops<Memory, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let Memory { x, y, sizes, kind } = &ops.state;
        let [_, _, out_h, out_w] = dy.dims::<4>();
        let (pixels, size) = (out_h * out_w, sizes.h * sizes.w);
        let mut dx = Fresh::new(x.numbers().len());
        let outputs = y.numbers().par_chunks(pixels).zip(dy.numbers().par_chunks(pixels));
        dx.pieces(size)
            .zip(x.numbers().par_chunks(size).zip(outputs))
            .with_min_len(8)
            .for_each(|(dx, (x, (y, dy)))| (kind.backward)([x, y, dy], *sizes, dx));
        grads.register::<Flex>(node.id, flex_tensor(dx.numbers(), x.dims::<4>()));
    }
}

/// The larger number; what is not a number stays.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}

/// Puts the rows and then the columns of every window together, and finishes every row of results:
/// `finish` gets it with the number of picture rows behind it.
#[inline(always)]
fn fold_plane(
    x: &[f32],
    s: Sizes,
    out: &mut [f32],
    (neutral, join): (f32, impl Fn(f32, f32) -> f32),
    finish: impl Fn(&mut [f32], usize),
) {
    let Window { side, stride, padding } = s.window;
    let mut line = vec![neutral; s.w + 2 * padding]; // With the border of the picture.
    for (i, out) in out.chunks_exact_mut(s.out_w).enumerate() {
        let rows = s.rows(i);
        let body = &mut line[padding..padding + s.w];
        body.copy_from_slice(&x[rows.start * s.w..(rows.start + 1) * s.w]);
        for row in rows.start + 1..rows.end {
            let row = &x[row * s.w..(row + 1) * s.w];
            body.iter_mut().zip(row).for_each(|(sum, x)| *sum = join(*sum, *x));
        }
        if stride == 1 {
            out.copy_from_slice(&line[..s.out_w]);
            for kx in 1..side {
                let shifted = &line[kx..kx + s.out_w];
                out.iter_mut().zip(shifted).for_each(|(sum, x)| *sum = join(*sum, *x));
            }
        } else {
            for (out, window) in out.iter_mut().zip(line.windows(side).step_by(stride)) {
                *out = window[1..].iter().fold(window[0], |sum, x| join(sum, *x));
            }
        }
        finish(out, rows.len());
    }
}

#[inline(always)]
fn max_plane_loop(x: &[f32], s: Sizes, out: &mut [f32]) {
    fold_plane(x, s, out, (f32::NEG_INFINITY, larger), |_, _| {});
}

#[inline(always)]
fn mean_plane_loop(x: &[f32], s: Sizes, out: &mut [f32]) {
    let columns: Vec<f32> = (0..s.out_w).map(|i| s.inside(i, s.w).len() as f32).collect();
    fold_plane(x, s, out, (0.0, |sum, x| sum + x), |out, rows| {
        let counts = columns.iter().map(|count| count * rows as f32);
        out.iter_mut().zip(counts).for_each(|(sum, count)| *sum /= count);
    });
}

/// The gradient of a window goes to the first of its numbers that is the largest, row by row.
fn max_gradient([x, y, dy]: [&[f32]; 3], s: Sizes, dx: &mut [f32]) {
    let rows = y.chunks_exact(s.out_w).zip(dy.chunks_exact(s.out_w));
    for (i, (y, dy)) in rows.enumerate() {
        for (j, (y, dy)) in y.iter().zip(dy).enumerate() {
            let columns = s.inside(j, s.w);
            let place = s.rows(i).find_map(|row| {
                let line = &x[row * s.w..(row + 1) * s.w][columns.clone()];
                let is_it = |x: &f32| x.to_bits() == y.to_bits() || x >= y || x.is_nan();
                line.iter().position(is_it).map(|column| row * s.w + columns.start + column)
            });
            if let Some(place) = place {
                dx[place] += dy;
            }
        }
    }
}

/// The gradient of a window goes to all of its numbers alike.
fn mean_gradient([_, _, dy]: [&[f32]; 3], s: Sizes, dx: &mut [f32]) {
    for (i, dy) in dy.chunks_exact(s.out_w).enumerate() {
        let rows = s.rows(i);
        for (j, dy) in dy.iter().enumerate() {
            let columns = s.inside(j, s.w);
            let share = dy / (rows.len() * columns.len()) as f32;
            for row in rows.clone() {
                let line = &mut dx[row * s.w..(row + 1) * s.w][columns.clone()];
                line.iter_mut().for_each(|dx| *dx += share);
            }
        }
    }
}

vectorised!(max_plane = max_plane_loop, (x: &[f32], s: Sizes, out: &mut [f32]));
vectorised!(mean_plane = mean_plane_loop, (x: &[f32], s: Sizes, out: &mut [f32]));

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::laws::{draw, leaf, numbers, on_threads, plain_and_ours};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    /// `[n, c, h, w]`, and side, stride and padding of the window.
    const CASES: [([usize; 4], [usize; 3]); 8] = [
        ([2, 3, 9, 7], [3, 1, 1]),
        ([2, 3, 9, 8], [3, 2, 0]),
        ([1, 2, 8, 8], [2, 2, 0]),
        ([1, 2, 1, 1], [3, 1, 1]),
        ([1, 1, 6, 35], [3, 2, 1]),
        ([3, 9, 17, 17], [3, 1, 1]),
        ([1, 2, 11, 10], [5, 3, 2]),
        ([1, 1, 4, 4], [1, 1, 0]),
    ];

    #[test]
    fn equals_the_plain_operators() {
        for (i, (shape, [side, stride, padding])) in CASES.into_iter().enumerate() {
            let x = draw(shape, Seed::root(5).index(i as u64));
            let window = Window { side, stride, padding };
            let options = MaxPoolOptions::new([side; 2]).with_stride([stride; 2]);
            let plain = max_pool2d(x.clone(), options.with_padding([padding; 2]));
            let ours = max_pool(x.clone(), window);
            assert_eq!(ours.dims(), plain.dims());
            close_f32(&numbers(ours), &numbers(plain), Tol::absolute(0.0));
            let plain_max = |[x]: [Tensor<4>; 1]| {
                let options = MaxPoolOptions::new([side; 2]).with_stride([stride; 2]);
                max_pool2d(x, options.with_padding([padding; 2]))
            };
            let plain_mean = |[x]: [Tensor<4>; 1]| {
                let options = AvgPoolOptions::new([side; 2]).with_stride([stride; 2]);
                avg_pool2d(x, options.with_padding([padding; 2]).with_count_include_pad(false))
            };
            let (max, mean) = (
                |[x]: [Tensor<4>; 1]| max_pool(x, window),
                |[x]: [Tensor<4>; 1]| mean_pool(x, window),
            );
            for (theirs, ours) in [
                plain_and_ours([x.clone()], plain_max, max),
                plain_and_ours([x.clone()], plain_mean, mean),
            ] {
                // Gradients are sums of up to 9 numbers, in another order.
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    close_f32(ours, theirs, Tol::absolute(2e-6));
                }
            }
            let options = AvgPoolOptions::new([side; 2]).with_stride([stride; 2]);
            let options = options.with_padding([padding; 2]).with_count_include_pad(false);
            let plain = avg_pool2d(x.clone(), options);
            // The mean of up to 25 standard normals, in another order.
            let ours = numbers(mean_pool(x, window));
            close_f32(&ours, &numbers(plain), Tol::absolute(1e-6));
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let x = draw([4, 5, 17, 17], Seed::root(6));
        on_threads(|| numbers(mean_pool(x.clone(), Window { side: 3, stride: 1, padding: 1 })));
    }

    #[test]
    fn gradients_flow_and_what_is_no_number_stays() {
        let window = Window { side: 3, stride: 1, padding: 1 };
        let x = leaf(&draw([1, 1, 4, 4], Seed::root(7)));
        let gradients =
            (max_pool(x.clone(), window) + mean_pool(x.clone(), window)).sum().backward();
        assert!(numbers(x.grad(&gradients).unwrap()).iter().sum::<f32>() > 0.0);
        for at in [0, 5, 15] {
            let mut values = [1.0_f32; 16];
            values[at] = f32::NAN;
            let x = Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 1, 4, 4]);
            let nans = numbers(max_pool(x, window)).iter().filter(|x| x.is_nan()).count();
            assert_eq!(nans, if at == 5 { 9 } else { 4 });
        }
    }
}
