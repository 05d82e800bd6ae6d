//! Two-dimensional convolution by matrix products.
//!
//! With the shifted planes `S` of a picture ([`shifts`](super::shifts)) and, for every row `ky` of
//! the kernel, the weights `W[ky]` as a matrix `[outputs, kw * inputs]`, the output is the sum
//! over `ky` of `W[ky]` times the window `ky` of `S`. The weight gradient is the sum over pictures
//! of `dY` times the same windows; the input gradient is, for stride 1, itself a convolution of
//! `dY` with the mirrored weights. burn-flex 0.22.1 computes the weight gradient as a convolution
//! with the output gradient as its kernel, which costs several times more.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;
use rayon::prelude::*;

use super::channels::{channel_totals, narrow};
use super::dots::{self, Rows, add_dots};
use super::flex::{Host, Operands, flex_tensor, take};
use super::gemm::{Matrix, Target, multiply, multiply_into_window};
use super::scratch::Scratch;
use super::shifts::{Shape, gather, scatter};
use super::vector::{self, vectorised};

/// Independent partial sums of a weight gradient, whatever the number of threads.
const LANES: usize = 8;

/// Output pixels that a weight gradient takes together, at least: the end of a sum in a vector
/// costs about as much as 64 of its pixels.
const COLUMNS: usize = 512;

/// Step, border and groups of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Pixels between two outputs.
    pub stride: usize,
    /// Zeros above and below the picture, and on its left and its right.
    pub padding: [usize; 2],
    /// Groups of channels.
    pub groups: usize,
}

/// Returns the cross-correlation of `x` `[n, c, h, w]` with `weight` `[o, c / groups, kh, kw]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    if geometry.groups != 1 {
        return plain(x, weight, bias, geometry);
    }
    let done = match &bias {
        None => Operands::new([take(&x), take(&weight)]).map(|it| run(it, geometry)),
        Some(b) => Operands::new([take(&x), take(&weight), take(b)]).map(|it| run(it, geometry)),
    };
    done.unwrap_or_else(|| plain(x, weight, bias, geometry))
}

fn run<const N: usize>(operands: Operands<N>, geometry: Geometry) -> Tensor<4> {
    let [x, weight] = [0, 1].map(|i| operands.hosts[i].clone());
    let s = shape(&x, &weight, geometry);
    let matrices = forward_matrices(weight.numbers(), &s);
    let out = correlate(x.numbers(), &matrices, operands.hosts.get(2).map(Host::numbers), &s);
    let out = flex_tensor(out, [s.n, s.outputs, s.out_h, s.out_w]);
    operands.output(Convolution, (x, weight, geometry), out)
}

/// The same by burn's own operator.
fn plain(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    let Geometry { stride, padding, groups } = geometry;
    let options = ConvOptions::new([stride; 2], padding, [1, 1], groups);
    burn::tensor::module::conv2d(x, weight, bias, options)
}

pub(super) fn shape(x: &Host, weight: &Host, geometry: Geometry) -> Shape {
    let [n, inputs, h, w] = x.dims();
    let [outputs, fan, kernel_h, kernel_w] = weight.dims();
    assert_eq!(fan, inputs, "a kernel over all channels");
    let Geometry { stride, padding, .. } = geometry;
    let kernel = [kernel_h, kernel_w];
    let side = |axis: usize, size: usize| (size + 2 * padding[axis] - kernel[axis]) / stride + 1;
    let (out_h, out_w) = (side(0, h), side(1, w));
    Shape { n, inputs, h, w, outputs, kernel, stride, padding, out_h, out_w }
}

type State = (Host, Host, Geometry);

#[derive(Debug)]
struct Convolution;

/// Parents are `x`, `weight` and, if `N` is 3, `bias`.
impl<const N: usize> Backward<Flex, N> for Convolution {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let (x, weight, geometry) = &ops.state;
        let s = shape(x, weight, *geometry);
        if let Some(Some(node)) = ops.parents.first() {
            let dx = input_gradient(weight.numbers(), dy.numbers(), &s);
            grads.register::<Flex>(node.id, flex_tensor(dx, x.dims::<4>()));
        }
        if let Some(Some(node)) = ops.parents.get(1) {
            let dw = weight_gradient(x.numbers(), dy.numbers(), &s);
            grads.register::<Flex>(node.id, flex_tensor(dw, weight.dims::<4>()));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let db = bias_gradient(dy.numbers(), &s);
            grads.register::<Flex>(node.id, flex_tensor(db, [s.outputs]));
        }
    }
}

/// Returns the weights as `kh` matrices `[outputs, kw * inputs]`.
fn forward_matrices(weight: &[f32], s: &Shape) -> Vec<f32> {
    let ([kernel_h, kernel_w], inputs) = (s.kernel, s.inputs);
    let mut matrices = vec![0.0; weight.len()];
    for (i, kernel_rows) in weight.chunks_exact(kernel_h * kernel_w).enumerate() {
        let (output, input) = (i / inputs, i % inputs);
        for (tap, number) in kernel_rows.iter().enumerate() {
            let (ky, kx) = (tap / kernel_w, tap % kernel_w);
            matrices[((ky * s.outputs + output) * kernel_w + kx) * inputs + input] = *number;
        }
    }
    matrices
}

/// Returns the mirrored weights with inputs and outputs exchanged, `[inputs, kw * outputs]` each.
fn mirrored_matrices(weight: &[f32], s: &Shape) -> Vec<f32> {
    let ([kernel_h, kernel_w], inputs, outputs) = (s.kernel, s.inputs, s.outputs);
    let mut matrices = vec![0.0; weight.len()];
    for (i, kernel_rows) in weight.chunks_exact(kernel_h * kernel_w).enumerate() {
        let (output, input) = (i / inputs, i % inputs);
        for (tap, number) in kernel_rows.iter().rev().enumerate() {
            let (ky, kx) = (tap / kernel_w, tap % kernel_w);
            matrices[((ky * inputs + input) * kernel_w + kx) * outputs + output] = *number;
        }
    }
    matrices
}

/// Returns the convolution of all pictures with the weights in matrices.
fn correlate(x: &[f32], matrices: &[f32], bias: Option<&[f32]>, s: &Shape) -> Vec<f32> {
    let mut out = vec![0.0_f32; s.n * s.output()];
    let pictures = out.par_chunks_mut(s.output()).zip(x.par_chunks(s.input()));
    pictures.for_each_init(Scratch::default, |scratch, (out, x)| {
        let planes: &[f32] = if s.is_pointwise() {
            x
        } else {
            let planes = scratch.numbers(s.planes() * s.plane());
            gather(x, s, planes);
            planes
        };
        if let Some(bias) = bias {
            out.chunks_mut(s.pixels()).zip(bias).for_each(|(row, bias)| row.fill(*bias));
        }
        for (ky, matrix) in matrices.chunks_exact(s.outputs * s.planes()).enumerate() {
            let first = ky == 0 && bias.is_none();
            let target = if first { Target::Replace } else { Target::Add };
            let a = Matrix::new(matrix, s.outputs, s.planes());
            let window = &planes[s.window(ky)..];
            let b = Matrix::window(window, s.planes(), s.pixels(), s.plane());
            multiply(a, b, out, target);
        }
    });
    out
}

fn input_gradient(weight: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let mirrored_padding = |axis: usize| (s.kernel[axis] - 1).checked_sub(s.padding[axis]);
    let (1, Some(above), Some(left)) = (s.stride, mirrored_padding(0), mirrored_padding(1)) else {
        return strided_input_gradient(weight, dy, s);
    };
    let mirrored = Shape {
        inputs: s.outputs,
        h: s.out_h,
        w: s.out_w,
        outputs: s.inputs,
        padding: [above, left],
        out_h: s.h,
        out_w: s.w,
        ..*s
    };
    correlate(dy, &mirrored_matrices(weight, s), None, &mirrored)
}

/// The gradient of the windows, `W[ky]^T dY`, added up in the planes and then in the picture.
fn strided_input_gradient(weight: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let matrices = forward_matrices(weight, s);
    let mut dx = vec![0.0_f32; s.n * s.input()];
    let pictures = dx.par_chunks_mut(s.input()).zip(dy.par_chunks(s.output()));
    pictures.for_each_init(Scratch::default, |scratch, (dx, dy)| {
        let planes = scratch.numbers(s.planes() * s.plane());
        planes.fill(0.0);
        let dy = Matrix::new(dy, s.outputs, s.pixels());
        for (ky, matrix) in matrices.chunks_exact(s.outputs * s.planes()).enumerate() {
            let a = Matrix::new(matrix, s.outputs, s.planes()).transposed();
            let window = &mut planes[s.window(ky)..];
            multiply_into_window(a, dy, window, s.plane(), Target::Add);
        }
        scatter(planes, s, dx);
    });
    dx
}

fn weight_gradient(x: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let per_lane = s.n.div_ceil(LANES);
    let lanes: Vec<Vec<f32>> = x
        .par_chunks(per_lane * s.input())
        .zip(dy.par_chunks(per_lane * s.output()))
        .map(|(x, dy)| lane_weight_gradient(x, dy, s))
        .collect();
    let mut lanes = lanes.into_iter();
    let mut total = lanes.next().expect("a batch has a picture");
    for lane in lanes {
        total.iter_mut().zip(&lane).for_each(|(t, l)| *t += l);
    }
    let mut dw = vec![0.0; total.len()];
    let ([kernel_h, kernel_w], inputs) = (s.kernel, s.inputs);
    for (i, kernel_rows) in dw.chunks_exact_mut(kernel_h * kernel_w).enumerate() {
        let (output, input) = (i / inputs, i % inputs);
        for (tap, number) in kernel_rows.iter_mut().enumerate() {
            let (ky, kx) = (tap / kernel_w, tap % kernel_w);
            *number = total[((ky * s.outputs + output) * kernel_w + kx) * inputs + input];
        }
    }
    dw
}

/// Returns the weight gradient of some pictures, as matrices `[outputs, kw * inputs]`.
fn lane_weight_gradient(x: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let mut sum = vec![0.0_f32; s.kernel[0] * s.outputs * s.planes()];
    let pictures = COLUMNS.div_ceil(s.pixels()).min(x.len() / s.input());
    // Rows of `dY` end in zeros, so that what stands in the planes behind a window does not count.
    let columns = s.pixels().next_multiple_of(dots::LANES);
    let dy_step = s.outputs.next_multiple_of(dots::TILE) * columns;
    let planes_step = s.planes().next_multiple_of(dots::TILE) * s.plane();
    let (mut dy_scratch, mut planes_scratch) = (Scratch::default(), Scratch::default());
    let dy_rows = dy_scratch.numbers(pictures * dy_step);
    let planes = planes_scratch.numbers(pictures * planes_step + dots::LANES);
    for (x, dy) in x.chunks(pictures * s.input()).zip(dy.chunks(pictures * s.output())) {
        for (target, picture) in planes.chunks_mut(planes_step).zip(x.chunks(s.input())) {
            gather(picture, s, &mut target[..s.planes() * s.plane()]);
        }
        for (target, picture) in dy_rows.chunks_mut(dy_step).zip(dy.chunks(s.output())) {
            let rows = target.chunks_mut(columns).zip(picture.chunks(s.pixels()));
            rows.for_each(|(target, row)| target[..s.pixels()].copy_from_slice(row));
        }
        let a =
            Rows { numbers: dy_rows, count: s.outputs, row_step: columns, picture_step: dy_step };
        for (ky, sum) in sum.chunks_mut(s.outputs * s.planes()).enumerate() {
            let b = Rows {
                numbers: &planes[s.window(ky)..],
                count: s.planes(),
                row_step: s.plane(),
                picture_step: planes_step,
            };
            add_dots(a, b, x.len() / s.input(), columns, sum);
        }
    }
    sum
}

fn bias_gradient(dy: &[f32], s: &Shape) -> Vec<f32> {
    let mut sums = vec![[0.0; 2]; s.n * s.outputs];
    sums.par_chunks_mut(s.outputs)
        .zip(dy.par_chunks(s.output()))
        .for_each(|(sums, dy)| row_sums(dy, sums));
    let [db, _] = channel_totals(&sums, s.outputs);
    narrow(db)
}

#[inline(always)]
fn row_sums_loop(dy: &[f32], sums: &mut [[f64; 2]]) {
    let pixels = dy.len() / sums.len();
    for (row, sum) in dy.chunks(pixels).zip(sums) {
        sum[0] = vector::sum(row, |dy| dy);
    }
}

vectorised!(row_sums = row_sums_loop, (dy: &[f32], sums: &mut [[f64; 2]]));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};
    use burn::tensor::{Device, TensorData};

    fn draw<const D: usize>(shape: [usize; D], seed: Seed, device: &Device) -> Tensor<D> {
        let values = seed.stream().normals(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), device).require_grad()
    }

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_to_vec::<f32>().unwrap()
    }

    /// `[n, inputs, h, w, outputs]`, then height and width of the kernel, stride, and padding in
    /// both directions.
    const CASES: [[usize; 10]; 17] = [
        [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
        [2, 3, 5, 7, 4, 3, 3, 1, 1, 1],
        [3, 4, 8, 8, 5, 3, 3, 2, 1, 1],
        [2, 3, 9, 11, 4, 7, 7, 2, 3, 3],
        [5, 2, 6, 6, 3, 1, 1, 2, 0, 0],
        [70, 2, 4, 4, 3, 3, 3, 1, 1, 1],
        [2, 2, 3, 3, 2, 3, 3, 1, 0, 0],
        [1, 2, 2, 5, 3, 5, 5, 1, 2, 2],
        [2, 1, 33, 31, 2, 3, 3, 1, 1, 1],
        [2, 3, 9, 8, 4, 1, 7, 1, 0, 3],
        [2, 3, 9, 8, 4, 7, 1, 1, 3, 0],
        [2, 4, 8, 8, 3, 1, 3, 1, 0, 1],
        [2, 4, 8, 8, 3, 3, 1, 1, 1, 0],
        [2, 2, 7, 9, 3, 3, 5, 2, 1, 2],
        [2, 2, 7, 9, 3, 5, 3, 1, 0, 2],
        [2, 2, 4, 3, 3, 1, 2, 1, 2, 0],
        [3, 2, 9, 9, 3, 3, 3, 2, 0, 0],
    ];

    #[test]
    fn equals_the_plain_operator_forward_and_backward() {
        let device = Device::flex().autodiff();
        for (i, case) in CASES.into_iter().enumerate() {
            let [n, c, h, w, o, kernel_h, kernel_w, stride, above, left] = case;
            let geometry = Geometry { stride, padding: [above, left], groups: 1 };
            let seed = Seed::root(1).index(i as u64);
            let x = draw([n, c, h, w], seed.child("x"), &device);
            let weight = draw([o, c, kernel_h, kernel_w], seed.child("w"), &device);
            let bias = (i % 2 == 0).then(|| draw([o], seed.child("b"), &device));
            let run = |conv: fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, Geometry) -> Tensor<4>| {
                let out = conv(x.clone(), weight.clone(), bias.clone(), geometry);
                let pull = draw(out.dims(), seed.child("dy"), &device).detach();
                let grads = (out.clone() * pull).sum().backward();
                let mut parts = vec![numbers(out.detach())];
                parts.push(numbers(x.grad(&grads).unwrap()));
                parts.push(numbers(weight.grad(&grads).unwrap()));
                parts.extend(bias.iter().map(|b| numbers(b.grad(&grads).unwrap())));
                parts
            };
            // Sums of up to 1,100 products of standard normals in another order: their rounding is
            // some 1e-7 of sqrt(1100) ~ 33.
            for (ours, theirs) in run(conv2d).iter().zip(run(plain)) {
                close_f32(ours, &theirs, Tol::absolute(5e-5).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let device = Device::flex().autodiff();
        let geometry = Geometry { stride: 1, padding: [1, 1], groups: 1 };
        let run = || {
            let x = draw([40, 3, 8, 8], Seed::root(2).child("x"), &device);
            let weight = draw([6, 3, 3, 3], Seed::root(2).child("w"), &device);
            let grads = conv2d(x, weight.clone(), None, geometry).powi_scalar(2).sum().backward();
            numbers(weight.grad(&grads).unwrap())
        };
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        assert_eq!(pool(1).install(run), pool(3).install(run));
    }
}
