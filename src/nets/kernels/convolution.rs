//! Two-dimensional convolution.
//!
//! Forward, sums run over the shifted planes of a picture ([`shifts`](super::shifts)) while they
//! stay in registers ([`panels`](super::panels)); kernels of 3x3 over many channels go another way
//! that needs fewer products ([`winograd`](super::winograd)). The input gradient is, for stride 1,
//! the same with mirrored weights, and else the gradient of every place of the kernel, added up in
//! the picture.
//! The weight gradient has tiles of its own ([`weight_gradient`](super::weight_gradient)), and so
//! have kernels of single channels ([`depthwise`](super::depthwise)). burn-flex 0.22.1 computes the
//! weight gradient as a convolution with the output gradient as its kernel, and groups one by one.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;
use rayon::prelude::*;

use super::channels::{channel_totals, narrow};
use super::depthwise;
use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::packed::{Packed, Stored};
use super::pairs::rounded;
use super::panels::{Buffers, correlate, pictures};
use super::scratch::Scratch;
use super::shifts::{Shape, scatter};
use super::tile::Finish;
use super::vector::{self, vectorised};
use super::weight_gradient::weight_gradient;
use super::winograd;
use crate::terms::Precision;

/// Step, border, groups and precision of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Pixels between two outputs.
    pub stride: usize,
    /// Zeros above and below the picture, and on its left and its right.
    pub padding: [usize; 2],
    /// Groups of channels.
    pub groups: usize,
    /// Of the factors of products; those of single channels are always in single precision.
    pub precision: Precision,
}

/// Returns the cross-correlation of `x` `[n, c, h, w]` with `weight` `[o, c / groups, kh, kw]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    let done = match &bias {
        None => Operands::new([take(&x), take(&weight)]).map(|it| run(it, geometry)),
        Some(b) => Operands::new([take(&x), take(&weight), take(b)]).map(|it| run(it, geometry)),
    };
    done.unwrap_or_else(|| plain(x, weight, bias, geometry))
}

fn run<const N: usize>(operands: Operands<N>, geometry: Geometry) -> Tensor<4> {
    let [x, weight] = [0, 1].map(|i| operands.hosts[i].clone());
    let s = shape(&x, &weight, geometry);
    let bias = operands.hosts.get(2).map(Host::numbers);
    let out = forward(x.numbers(), weight.numbers(), bias, (&s, geometry.groups));
    let out = flex_tensor(out, [s.n, geometry.groups * s.outputs, s.out_h, s.out_w]);
    operands.output(Convolution, (x, weight, geometry), out)
}

/// The same by burn's own operator.
// DIFFERS: the gradient of the output is not rounded here, those of the inputs are.
fn plain(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    let Geometry { stride, padding, groups, precision } = geometry;
    let [x, weight] = [x, weight].map(|it| rounded(it, precision));
    let options = ConvOptions::new([stride; 2], padding, [1, 1], groups);
    burn::tensor::module::conv2d(x, weight, bias, options)
}

/// Returns the shape of one group.
pub(super) fn shape(x: &Host, weight: &Host, geometry: Geometry) -> Shape {
    let [n, channels, h, w] = x.dims();
    let [outputs, inputs, kernel_h, kernel_w] = weight.dims();
    let Geometry { stride, padding, groups, precision } = geometry;
    assert_eq!(inputs * groups, channels, "a kernel over all channels of its group");
    assert_eq!(outputs % groups, 0, "groups have as many outputs");
    let kernel = [kernel_h, kernel_w];
    let side = |axis: usize, size: usize| (size + 2 * padding[axis] - kernel[axis]) / stride + 1;
    let (out_h, out_w) = (side(0, h), side(1, w));
    let outputs = outputs / groups;
    Shape { n, inputs, h, w, outputs, kernel, stride, padding, out_h, out_w, precision }
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
        let (s, groups) = (shape(x, weight, *geometry), geometry.groups);
        if let Some(Some(node)) = ops.parents.first() {
            let dx = input_gradient(weight.numbers(), dy.numbers(), &s, groups);
            grads.register::<Flex>(node.id, flex_tensor(dx, x.dims::<4>()));
        }
        if let Some(Some(node)) = ops.parents.get(1) {
            let [x, dy] = [x, &dy].map(Host::numbers);
            let dw = if s.is_single() {
                depthwise::weight_gradient(x, dy, &s, groups)
            } else if groups == 1 && winograd::serves(&s) {
                winograd::weight_gradient(x, dy, &s)
            } else {
                weight_gradient(x, dy, &s, groups)
            };
            grads.register::<Flex>(node.id, flex_tensor(dw, weight.dims::<4>()));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let db = bias_gradient(dy.numbers(), groups * s.outputs, s.pixels());
            grads.register::<Flex>(node.id, flex_tensor(db, [groups * s.outputs]));
        }
    }
}

/// Returns the shape in which every group of a picture counts as a picture.
fn grouped(s: &Shape, groups: usize) -> Shape {
    Shape { n: s.n * groups, ..*s }
}

fn forward(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    (s, groups): (&Shape, usize),
) -> Vec<f32> {
    if s.is_single() && groups > 1 {
        return depthwise::forward(x, weight, bias, s);
    }
    correlated(x, weight, (s, groups), bias.map_or(Finish::Sum, Finish::Bias))
}

/// Returns the convolution of whole groups of channels.
pub(super) fn correlated(
    x: &[f32],
    weight: &[f32],
    (s, groups): (&Shape, usize),
    finish: Finish<'_>,
) -> Vec<f32> {
    let taps = s.kernel[0] * s.kernel[1];
    let stored = Stored { numbers: weight, steps: [s.inputs * taps, taps], mirrored: false };
    apply(x, stored, (&grouped(s, groups), groups), finish)
}

/// Returns the convolution with the weights of some groups; every picture counts once per group.
fn apply(
    x: &[f32],
    stored: Stored<'_>,
    (s, groups): (&Shape, usize),
    finish: Finish<'_>,
) -> Vec<f32> {
    if groups == 1 && winograd::serves(s) {
        let weights = winograd::Weights::new(stored, [s.outputs, s.inputs], s.precision);
        return winograd::correlate(x, &weights, s, finish);
    }
    let sizes @ [outputs, inputs, taps] = [s.outputs, s.inputs, s.kernel[0] * s.kernel[1]];
    let pack = |numbers| Packed::new(Stored { numbers, ..stored }, sizes, s.precision);
    let weights: Vec<Packed> = stored.numbers.chunks(outputs * inputs * taps).map(pack).collect();
    correlate(x, &weights, s, finish)
}

fn input_gradient(weight: &[f32], dy: &[f32], s: &Shape, groups: usize) -> Vec<f32> {
    if s.is_single() && groups > 1 {
        return depthwise::input_gradient(weight, dy, s);
    }
    let taps = s.kernel[0] * s.kernel[1];
    let mirrored_padding = |axis: usize| (s.kernel[axis] - 1).checked_sub(s.padding[axis]);
    let (1, Some(above), Some(left)) = (s.stride, mirrored_padding(0), mirrored_padding(1)) else {
        return strided_input_gradient(weight, dy, s, groups);
    };
    let mirrored = Shape {
        n: s.n * groups,
        inputs: s.outputs,
        h: s.out_h,
        w: s.out_w,
        outputs: s.inputs,
        padding: [above, left],
        out_h: s.h,
        out_w: s.w,
        ..*s
    };
    let steps = [taps, s.inputs * taps];
    apply(dy, Stored { numbers: weight, steps, mirrored: true }, (&mirrored, groups), Finish::Sum)
}

/// The gradient of what every place of the kernel sees, added up in the picture.
fn strided_input_gradient(weight: &[f32], dy: &[f32], s: &Shape, groups: usize) -> Vec<f32> {
    let taps = s.kernel[0] * s.kernel[1];
    let size = s.outputs * s.inputs * taps;
    // For each picture a 1x1 convolution from outputs to inputs and places.
    let seen = Shape {
        n: 1,
        inputs: s.outputs,
        h: s.out_h,
        w: s.out_w,
        outputs: s.inputs * taps,
        kernel: [1, 1],
        stride: 1,
        padding: [0, 0],
        ..*s
    };
    let steps = [1, s.inputs * taps];
    let pack = |numbers| {
        let stored = Stored { numbers, steps, mirrored: false };
        Packed::new(stored, [s.inputs * taps, s.outputs, 1], s.precision)
    };
    let weights: Vec<Packed> = weight.chunks(size).map(pack).collect();
    let mut dx = Fresh::new(s.n * groups * s.input());
    let jobs = dx.pieces(s.input()).zip(dy.par_chunks(s.output()));
    jobs.enumerate().for_each_init(
        <(Buffers, Scratch)>::default,
        |(buffers, scratch), (i, (dx, dy))| {
            let pulled = scratch.numbers(seen.output());
            pictures(dy, (&weights[i % groups], Finish::Sum), &seen, buffers, pulled);
            scatter(pulled, s, dx);
        },
    );
    dx.numbers()
}

fn bias_gradient(dy: &[f32], outputs: usize, pixels: usize) -> Vec<f32> {
    let mut sums = vec![[0.0; 2]; dy.len() / pixels];
    sums.par_chunks_mut(outputs)
        .zip(dy.par_chunks(outputs * pixels))
        .for_each(|(sums, dy)| row_sums(dy, sums));
    let [db, _] = channel_totals(&sums, outputs);
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
    use super::super::laws::on_threads;
    use super::super::pairs::rounded_all;
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32};
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
    const CASES: [[usize; 10]; 28] = [
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
        [9, 40, 4, 4, 70, 3, 3, 1, 1, 1],
        [2, 20, 33, 18, 9, 3, 3, 1, 1, 1],
        [3, 130, 3, 3, 150, 3, 3, 1, 1, 1],
        [2, 50, 7, 7, 17, 1, 1, 1, 0, 0],
        [2, 17, 12, 12, 24, 1, 1, 2, 0, 0],
        [1, 16, 20, 20, 130, 3, 3, 2, 1, 1],
        [1, 3, 40, 37, 8, 7, 7, 2, 3, 3],
        [2, 8, 12, 12, 5, 4, 4, 4, 0, 0],
        [1, 64, 18, 20, 32, 3, 3, 1, 1, 1],
        [2, 33, 11, 12, 34, 3, 3, 1, 1, 1],
        [20, 128, 5, 6, 130, 3, 3, 1, 1, 1],
    ];

    /// The same, and groups.
    const GROUPED: [([usize; 10], usize); 11] = [
        ([2, 3, 5, 7, 3, 3, 3, 1, 1, 1], 3),
        ([2, 9, 8, 8, 9, 3, 3, 2, 1, 1], 9),
        ([3, 2, 1, 1, 2, 3, 3, 1, 1, 1], 2),
        ([1, 5, 9, 12, 5, 5, 5, 2, 2, 2], 5),
        ([1, 4, 11, 6, 4, 7, 3, 3, 1, 0], 4),
        ([2, 17, 28, 28, 17, 3, 3, 1, 1, 1], 17),
        ([1, 4, 7, 7, 4, 1, 1, 2, 0, 0], 4),
        ([2, 4, 6, 6, 6, 3, 3, 1, 1, 1], 2),
        ([2, 6, 8, 9, 9, 3, 3, 2, 1, 1], 3),
        ([1, 3, 5, 5, 6, 3, 3, 1, 1, 1], 3),
        ([2, 36, 5, 5, 36, 1, 1, 1, 0, 0], 2),
    ];

    #[test]
    fn equals_the_plain_operator_forward_and_backward() {
        let device = Device::flex().autodiff();
        let cases = CASES.into_iter().map(|case| (case, 1)).chain(GROUPED);
        for (i, (case, groups)) in cases.enumerate() {
            let [n, c, h, w, o, kernel_h, kernel_w, stride, above, left] = case;
            let precision = Precision::F32;
            let geometry = Geometry { stride, padding: [above, left], groups, precision };
            let seed = Seed::root(1).index(i as u64);
            let x = draw([n, c, h, w], seed.child("x"), &device);
            let weight = draw([o, c / groups, kernel_h, kernel_w], seed.child("w"), &device);
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
            // Sums of up to 1,400 products of standard normals in another order: their rounding is
            // some 1e-7 of sqrt(1400) ~ 37, at the worst of some 100,000 numbers ten times that,
            // and minimal filtering doubles it.
            for (ours, theirs) in run(conv2d).iter().zip(run(plain)) {
                close_f32(ours, &theirs, Tol::absolute(1e-4).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let device = Device::flex().autodiff();
        let run = |c: usize, groups: usize, stride: usize, precision: Precision| {
            let geometry = Geometry { stride, padding: [1, 1], groups, precision };
            let x = draw([40, c, 8, 8], Seed::root(2).child("x"), &device);
            let weight = draw([c, c / groups, 3, 3], Seed::root(2).child("w"), &device);
            let out = conv2d(x.clone(), weight.clone(), None, geometry);
            let grads = out.clone().powi_scalar(2).sum().backward();
            let parts = [out.detach(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()];
            parts.map(numbers).concat()
        };
        for (c, groups, stride) in
            [(6, 1, 1), (6, 1, 2), (6, 2, 1), (6, 6, 1), (6, 6, 2), (64, 1, 1)]
        {
            for precision in [Precision::F32, Precision::Bf16] {
                on_threads(|| run(c, groups, stride, precision));
            }
        }
    }

    /// With factors that are in bfloat16 already, the sums are those of single precision. Where
    /// they are not, rounding them before changes nothing.
    #[test]
    fn products_of_rounded_factors_are_those_of_single_precision() {
        let device = Device::flex().autodiff();
        let round = |x: &[f32]| rounded_all(x);
        let cases = CASES.into_iter().map(|case| (case, 1)).chain(GROUPED);
        for (i, (case, groups)) in cases.enumerate() {
            let [n, c, h, w, o, kernel_h, kernel_w, stride, above, left] = case;
            let seed = Seed::root(9).index(i as u64);
            let normals = |name: &str, count| seed.child(name).stream().normals(count);
            let shapes = [[n, c, h, w], [o, c / groups, kernel_h, kernel_w]];
            let run = |change: &dyn Fn(&[f32]) -> Vec<f32>, precision: Precision| {
                let [x, weight] = [("x", shapes[0]), ("w", shapes[1])].map(|(name, shape)| {
                    let values = change(&normals(name, shape.iter().product()));
                    Tensor::<4>::from_data(TensorData::new(values, shape), &device).require_grad()
                });
                let geometry = Geometry { stride, padding: [above, left], groups, precision };
                let out = conv2d(x.clone(), weight.clone(), None, geometry);
                let pull = change(&normals("dy", out.dims().iter().product()));
                let pull = Tensor::from_data(TensorData::new(pull, out.dims()), &device);
                let grads = (out.clone() * pull).sum().backward();
                let parts = [out.detach(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()];
                parts.map(numbers)
            };
            let ours = run(&round, Precision::Bf16);
            let geometry =
                Geometry { stride, padding: [above, left], groups, precision: Precision::F32 };
            let [x, weight] = shapes
                .map(|shape| Host::new(flex_tensor(vec![0.0; shape.iter().product()], shape)));
            let s = shape(&x, &weight, geometry);
            let filtered = groups == 1 && winograd::serves(&s);
            // As between two orders of single precision; minimal filtering rounds what it has
            // transformed, 2^-9 of up to 4 times larger factors in sums of up to 1,400 products.
            let tol = Tol::absolute(if filtered { 1.5 } else { 1e-4 }).or_relative(1e-5);
            for (ours, single) in ours.iter().zip(run(&round, Precision::F32)) {
                close_f32(ours, &single, tol);
            }
            if !filtered && !s.is_single() {
                assert_eq!(run(&|x: &[f32]| x.to_vec(), Precision::Bf16), ours, "{case:?}");
            }
        }
    }

    /// On other devices burn's operator sees rounded factors, and so does its backward pass.
    #[test]
    fn the_plain_operator_rounds_factors_too() {
        let device = Device::flex().autodiff();
        let geometry =
            Geometry { stride: 2, padding: [1, 1], groups: 2, precision: Precision::Bf16 };
        let run = |conv: fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, Geometry) -> Tensor<4>| {
            let x = draw([2, 6, 8, 9], Seed::root(12).child("x"), &device);
            let weight = draw([10, 3, 3, 3], Seed::root(12).child("w"), &device);
            let out = conv(x.clone(), weight.clone(), None, geometry);
            // Gradients of 1 are in bfloat16.
            let grads = out.clone().sum().backward();
            [out.detach(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()].map(numbers)
        };
        let [ours, plain] = [run(conv2d), run(plain)];
        // Sums of up to 40 products of standard normals; gradients are rounded to 2^-9 at last.
        close_f32(&ours[0], &plain[0], Tol::absolute(1e-5));
        for (ours, plain) in ours[1..].iter().zip(&plain[1..]) {
            close_f32(ours, plain, Tol::absolute(1e-5).or_relative(4e-3));
        }
    }

    /// The law in double precision, for central differences: stride 2, two groups.
    fn objective([x, weight]: &[Vec<f64>; 2], dy: &[f64]) -> f64 {
        let mut total = 0.0;
        for (at, dy) in dy.iter().enumerate() {
            let (n, o, y, x_out) = (at / 16, at / 4 % 4, at / 2 % 2, at % 2);
            for tap in 0..2 * 9 {
                let (c, ky, kx) = (tap / 9, tap / 3 % 3, tap % 3);
                let (row, column) = (2 * y + ky, 2 * x_out + kx); // One more than in the picture.
                if (1..=4).contains(&row) && (1..=4).contains(&column) {
                    let from = ((n * 4 + o / 2 * 2 + c) * 4 + row - 1) * 4 + column - 1;
                    total += dy * weight[o * 18 + tap] * x[from];
                }
            }
        }
        total
    }

    #[test]
    fn gradients_agree_with_differences_in_double_precision() {
        let device = Device::flex().autodiff();
        let x = draw([2, 4, 4, 4], Seed::root(3).child("x"), &device);
        let weight = draw([4, 2, 3, 3], Seed::root(3).child("w"), &device);
        let precision = Precision::F32;
        let geometry = Geometry { stride: 2, padding: [1, 1], groups: 2, precision };
        let out = conv2d(x.clone(), weight.clone(), None, geometry);
        let grads = super::super::laws::pull(&out);
        let got = [x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()].map(numbers);
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        let dy = wide(numbers(super::super::laws::draw(out.dims(), Seed::root(77))));
        let parts = [wide(numbers(x)), wide(numbers(weight))];
        for (part, got) in got.iter().enumerate() {
            for (i, got) in got.iter().enumerate() {
                let at = |step: f64| {
                    let mut parts = parts.clone();
                    parts[part][i] += step;
                    objective(&parts, &dy)
                };
                // The objective is linear in each number: differences are good to 1e-13.
                let want = (at(0.5) - at(-0.5)) / 1.0;
                close(f64::from(*got), want, Tol::absolute(5e-6).or_relative(1e-5));
            }
        }
    }
}
