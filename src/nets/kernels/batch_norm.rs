//! Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithm 1) and what follows it in
//! a residual net, `relu(norm(x))` or `relu(norm(x) + r)` (He et al. 2016, arXiv:1512.03385, Eq.
//! 1), as one node of the graph.
//!
//! A plane is one channel of one picture; a channel has `N` numbers in the batch. With
//! `x' = (x - mean) / sqrt(variance + epsilon)` the output is `y = f(weight x' + bias + r)`.
//! Backward takes `dz = dy f'`, which is also the gradient of `r`, and, per channel, `a = mean(dz)`
//! and `b = mean(dz x')` (their sums are the gradients of bias and weight); then
//! `dx = weight (dz - a - b x') / sqrt(variance + epsilon)`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, module};
use rayon::prelude::*;

use super::channels::{channel_totals, narrow};
use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::vector::{self, map_and_sum, vectorised};

/// Numbers per piece of work, at least.
const PIECE: usize = 1 << 13;

/// The learned part of a norm.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[c]`, the scale.
    pub weight: Tensor<1>,
    /// `[c]`, the shift.
    pub bias: Tensor<1>,
    /// Is added to the variance.
    pub epsilon: f64,
}

/// What follows a norm.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "burn's tensors are large, and there is one per call"
)]
pub enum Finish {
    /// Nothing.
    Identity,
    /// `relu(z)`.
    Relu,
    /// `relu(z + r)` with `r` of the norm's shape.
    AddRelu(Tensor<4>),
}

impl Finish {
    fn plain(self, z: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Identity => z,
            Self::Relu => relu(z),
            Self::AddRelu(r) => relu(z + r),
        }
    }

    fn rectifies(&self) -> bool {
        !matches!(self, Self::Identity)
    }
}

/// A batch normalised by its own statistics, and those; no gradient flows through them.
#[derive(Clone, Debug)]
pub struct Trained {
    /// `[n, c, h, w]`.
    pub output: Tensor<4>,
    /// `[c]`.
    pub mean: Tensor<1>,
    /// `[c]`, biased: divided by the count.
    pub variance: Tensor<1>,
}

/// Normalises `[n, c, h, w]` by the mean and the variance of the batch.
pub fn batch_norm_train(x: Tensor<4>, affine: Affine, finish: Finish) -> Trained {
    let taken = [take(&x), take(&affine.weight), take(&affine.bias)];
    let done = match &finish {
        Finish::AddRelu(r) => {
            let [x, weight, bias] = taken;
            Operands::new([x, weight, bias, take(r)]).map(|it| train(it, &affine, &finish))
        }
        _ => Operands::new(taken).map(|it| train(it, &affine, &finish)),
    };
    done.unwrap_or_else(|| plain_train(x, affine, finish))
}

/// Normalises `[n, c, h, w]` by a known mean and variance, `[c]`.
pub fn batch_norm(
    x: Tensor<4>,
    [mean, variance]: [Tensor<1>; 2],
    affine: Affine,
    finish: Finish,
) -> Tensor<4> {
    let taken = [take(&x), take(&affine.weight), take(&affine.bias), take(&mean), take(&variance)];
    let rest = match &finish {
        Finish::AddRelu(r) => Operands::new([take(r)]).map(Some),
        _ => Some(None),
    };
    match (Operands::new(taken), rest) {
        (Some(it), Some(rest)) if !it.tracked() && rest.as_ref().is_none_or(|r| !r.tracked()) => {
            let [x, weight, bias, mean, variance] = &it.hosts;
            let moments = mean.numbers().iter().zip(variance.numbers());
            let moments = moments
                .map(|(mean, variance)| Moments::new((*mean).into(), (*variance).into(), &affine));
            let moments: Vec<_> = moments.collect();
            let r = rest.as_ref().map(|rest| rest.hosts[0].numbers());
            let out = normalise(x, r, &moments, [weight, bias], finish.rectifies());
            let shape = x.dims::<4>();
            it.constant(flex_tensor(out, shape))
        }
        _ => plain(x, [mean, variance], affine, finish),
    }
}

/// The same by burn's own operators.
fn plain_train(x: Tensor<4>, affine: Affine, finish: Finish) -> Trained {
    let out = module::batch_norm_train(x, affine.weight, affine.bias, affine.epsilon);
    let (mean, variance) = (out.mean.detach(), out.variance.detach());
    Trained { output: finish.plain(out.output), mean, variance }
}

/// The same by burn's own operators.
fn plain(
    x: Tensor<4>,
    [mean, variance]: [Tensor<1>; 2],
    Affine { weight, bias, epsilon }: Affine,
    finish: Finish,
) -> Tensor<4> {
    finish.plain(module::batch_norm(x, weight, bias, mean, variance, epsilon))
}

/// Mean and `1 / sqrt(variance + epsilon)` of a channel.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f32,
    scale: f32,
}

impl Moments {
    fn new(mean: f64, variance: f64, affine: &Affine) -> Self {
        Self { mean: mean as f32, scale: (1.0 / (variance + affine.epsilon).sqrt()) as f32 }
    }
}

/// Returns mean, factor and shift of every channel, of its mean, variance, scale and shift.
pub(super) fn known_channels(
    [mean, variance, weight, bias]: [&[f32]; 4],
    epsilon: f64,
) -> Vec<[f32; 3]> {
    let channel = |i: usize| {
        let scale = (1.0 / (f64::from(variance[i]) + epsilon).sqrt()) as f32;
        [mean[i], scale * weight[i], bias[i]]
    };
    (0..mean.len()).map(channel).collect()
}

/// Operands are `x`, `weight`, `bias` and, if `N` is 4, `r`.
fn train<const N: usize>(operands: Operands<N>, affine: &Affine, finish: &Finish) -> Trained {
    let [x, weight, bias] = [0, 1, 2].map(|i| operands.hosts[i].clone());
    let (means, variances) = statistics(&x);
    let pairs = means.iter().zip(&variances);
    let moments: Vec<_> = pairs.map(|(m, v)| Moments::new(*m, *v, affine)).collect();
    let r = operands.hosts.get(3).map(Host::numbers);
    let out = normalise(&x, r, &moments, [&weight, &bias], finish.rectifies());
    let out = flex_tensor(out, x.dims::<4>());
    let y = finish.rectifies().then(|| Host::new(out.clone()));
    let c = means.len();
    Trained {
        mean: operands.constant(flex_tensor(narrow(means), [c])),
        variance: operands.constant(flex_tensor(narrow(variances), [c])),
        output: operands.output(BatchNorm, Memory { x, y, weight, moments }, out),
    }
}

/// Returns mean and biased variance of every channel, from those of the planes (Chan et al. 1983,
/// The American Statistician 37, Eq. 2.1).
fn statistics(x: &Host) -> (Vec<f64>, Vec<f64>) {
    let [n, c, h, w] = x.dims();
    let mut planes = vec![[0.0; 2]; n * c];
    planes
        .par_chunks_mut(c)
        .zip(x.numbers().par_chunks(c * h * w))
        .with_min_len(PIECE.div_ceil(c * h * w))
        .for_each(|(planes, x)| plane_moments(x, planes));
    let [sums, _] = channel_totals(&planes, c);
    let means: Vec<_> = sums.into_iter().map(|sum| sum / n as f64).collect();
    let mut squares = vec![0.0; c];
    for picture in planes.chunks(c) {
        for ((square, mean), plane) in squares.iter_mut().zip(&means).zip(picture) {
            let off = plane[0] - mean;
            *square += plane[1] + off * off * (h * w) as f64;
        }
    }
    let count = (n * h * w) as f64;
    (means, squares.into_iter().map(|square| square / count).collect())
}

fn normalise(
    x: &Host,
    r: Option<&[f32]>,
    moments: &[Moments],
    [weight, bias]: [&Host; 2],
    rectifies: bool,
) -> Vec<f32> {
    let [_, c, h, w] = x.dims();
    let picture = c * h * w;
    let channels: Vec<_> = (moments.iter().zip(weight.numbers()).zip(bias.numbers()))
        .map(|((moments, weight), bias)| [moments.mean, moments.scale * weight, *bias])
        .collect();
    let mut out = Fresh::new(x.numbers().len());
    let pieces = out.pieces(picture).zip(x.numbers().par_chunks(picture));
    let pieces = pieces.enumerate().with_min_len(PIECE.div_ceil(picture));
    pieces.for_each(|(i, (out, x))| {
        let r = r.map(|r| &r[i * picture..(i + 1) * picture]);
        forward(x, r, out, &channels, rectifies);
    });
    out.numbers()
}

#[derive(Clone, Debug)]
struct Memory {
    x: Host,
    /// The output, if it was rectified.
    y: Option<Host>,
    weight: Host,
    moments: Vec<Moments>,
}

#[derive(Debug)]
struct BatchNorm;

/// Parents are `x`, `weight`, `bias` and, if `N` is 4, `r`.
impl<const N: usize> Backward<Flex, N> for BatchNorm {
    type State = Memory;

    fn backward(self, ops: Ops<Memory, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let shape = ops.state.x.dims::<4>();
        let c = shape[1];
        let (dz, sums) = finish_gradient(&ops.state, dy.numbers(), N == 4);
        let totals = channel_totals(&sums, c);
        let node = |i: usize| ops.parents.get(i).and_then(Option::as_ref);
        if let Some(node) = node(0) {
            let dx = input_gradient(&ops.state, dy.numbers(), dz.as_deref(), &totals);
            grads.register::<Flex>(node.id, flex_tensor(dx, shape));
        }
        let [db, dw] = totals.map(narrow);
        if let Some(node) = node(1) {
            grads.register::<Flex>(node.id, flex_tensor(dw, [c]));
        }
        if let Some(node) = node(2) {
            grads.register::<Flex>(node.id, flex_tensor(db, [c]));
        }
        if let (Some(node), Some(dz)) = (node(3), dz) {
            grads.register::<Flex>(node.id, flex_tensor(dz, shape));
        }
    }
}

/// Returns `dz`, if it is wanted, and per picture and channel the sums of `dz` and `dz x'`.
fn finish_gradient(memory: &Memory, dy: &[f32], wanted: bool) -> (Option<Vec<f32>>, Vec<[f64; 2]>) {
    let [n, c, h, w] = memory.x.dims();
    let picture = c * h * w;
    let visit = |i: usize, dz: &mut [f32], sums: &mut [[f64; 2]]| {
        let part = i * picture..(i + 1) * picture;
        let [x, dy] = [memory.x.numbers(), dy].map(|all| &all[part.clone()]);
        let y = memory.y.as_ref().map(|y| &y.numbers()[part]);
        channel_sums([x, dy], y, dz, sums, &memory.moments);
    };
    let mut dz = wanted.then(|| Fresh::new(dy.len()));
    let mut sums = vec![[0.0; 2]; n * c];
    let pieces = sums.par_chunks_mut(c).enumerate().with_min_len(PIECE.div_ceil(picture));
    match &mut dz {
        Some(dz) => pieces.zip(dz.pieces(picture)).for_each(|((i, sums), dz)| visit(i, dz, sums)),
        None => pieces.for_each(|(i, sums)| visit(i, &mut [], sums)),
    }
    (dz.map(Fresh::numbers), sums)
}

fn input_gradient(
    memory: &Memory,
    dy: &[f32],
    dz: Option<&[f32]>,
    totals: &[Vec<f64>; 2],
) -> Vec<f32> {
    let [n, c, h, w] = memory.x.dims();
    let (picture, count) = (c * h * w, (n * h * w) as f64);
    let channels: Vec<_> = (0..c)
        .map(|i| {
            let Moments { mean, scale } = memory.moments[i];
            let factor = memory.weight.numbers()[i] * scale;
            let [a, b] = [0, 1].map(|k| (totals[k][i] / count) as f32);
            [mean, scale, factor, a, b]
        })
        .collect();
    // What is rectified already needs no mask.
    let (source, mask) = match dz {
        Some(dz) => (dz, None),
        None => (dy, memory.y.as_ref()),
    };
    let mut dx = Fresh::new(dy.len());
    let pieces = dx.pieces(picture).zip(source.par_chunks(picture));
    let pieces = pieces.enumerate().with_min_len(PIECE.div_ceil(picture));
    pieces.for_each(|(i, (dx, dz))| {
        let part = i * picture..(i + 1) * picture;
        let x = &memory.x.numbers()[part.clone()];
        let y = mask.map(|y| &y.numbers()[part]);
        backward([x, dz], y, dx, &channels);
    });
    dx.numbers()
}

/// A number below 0 becomes 0; NaN stays.
#[inline(always)]
fn rectified(z: f32) -> f32 {
    if z <= 0.0 { 0.0 } else { z }
}

/// The gradient through a rectified `y`.
#[inline(always)]
fn masked(y: f32, dy: f32) -> f32 {
    if y <= 0.0 { 0.0 } else { dy }
}

#[inline(always)]
fn plane_moments_loop(x: &[f32], planes: &mut [[f64; 2]]) {
    let pixels = x.len() / planes.len();
    for (x, plane) in x.chunks(pixels).zip(planes) {
        let (mean, square) = vector::moments(x);
        *plane = [mean, square];
    }
}

/// `channels` are mean, factor and shift.
#[inline(always)]
fn forward_loop(
    x: &[f32],
    r: Option<&[f32]>,
    out: &mut [f32],
    channels: &[[f32; 3]],
    rectifies: bool,
) {
    let pixels = x.len() / channels.len();
    let planes = x.chunks(pixels).zip(out.chunks_mut(pixels)).zip(channels);
    for (i, ((x, out), [mean, factor, shift])) in planes.enumerate() {
        let z = |x: f32| (x - mean) * factor + shift;
        let pairs = out.iter_mut().zip(x);
        match (r, rectifies) {
            (None, false) => pairs.for_each(|(out, x)| *out = z(*x)),
            (None, true) => pairs.for_each(|(out, x)| *out = rectified(z(*x))),
            (Some(r), _) => {
                let r = &r[i * pixels..(i + 1) * pixels];
                pairs.zip(r).for_each(|((out, x), r)| *out = rectified(z(*x) + r));
            }
        }
    }
}

#[inline(always)]
fn channel_sums_loop(
    [x, dy]: [&[f32]; 2],
    y: Option<&[f32]>,
    dz: &mut [f32],
    sums: &mut [[f64; 2]],
    moments: &[Moments],
) {
    let pixels = x.len() / moments.len();
    for (i, (sum, Moments { mean, scale })) in sums.iter_mut().zip(moments).enumerate() {
        let part = i * pixels..(i + 1) * pixels;
        let dz = if dz.is_empty() { &mut [][..] } else { &mut dz[part.clone()] };
        let (x, dy) = (&x[part.clone()], &dy[part.clone()]);
        let terms = |x: f32, dz: f32| (dz, [dz, dz * ((x - mean) * scale)]);
        *sum = match y {
            None => map_and_sum([x, dy], dz, |[x, dy]| terms(x, dy)),
            Some(y) => map_and_sum([x, &y[part], dy], dz, |[x, y, dy]| terms(x, masked(y, dy))),
        };
    }
}

/// `channels` are mean, scale, factor, `a` and `b`.
#[inline(always)]
fn backward_loop([x, dz]: [&[f32]; 2], y: Option<&[f32]>, dx: &mut [f32], channels: &[[f32; 5]]) {
    let pixels = x.len() / channels.len();
    let planes = x.chunks(pixels).zip(dz.chunks(pixels)).zip(dx.chunks_mut(pixels)).zip(channels);
    for (i, (((x, dz), dx), [mean, scale, factor, a, b])) in planes.enumerate() {
        let at = |x: f32, dz: f32| factor * (dz - a - b * ((x - mean) * scale));
        let triples = dx.iter_mut().zip(x).zip(dz);
        match y {
            None => triples.for_each(|((dx, x), dz)| *dx = at(*x, *dz)),
            Some(y) => {
                let y = &y[i * pixels..(i + 1) * pixels];
                triples.zip(y).for_each(|(((dx, x), dy), y)| *dx = at(*x, masked(*y, *dy)));
            }
        }
    }
}

vectorised!(plane_moments = plane_moments_loop, (x: &[f32], planes: &mut [[f64; 2]]));
vectorised!(forward = forward_loop,
    (x: &[f32], r: Option<&[f32]>, out: &mut [f32], channels: &[[f32; 3]], rectifies: bool));
vectorised!(channel_sums = channel_sums_loop,
    (rows: [&[f32]; 2], y: Option<&[f32]>, dz: &mut [f32], sums: &mut [[f64; 2]],
     moments: &[Moments]));
vectorised!(backward = backward_loop,
    (rows: [&[f32]; 2], y: Option<&[f32]>, dx: &mut [f32], channels: &[[f32; 5]]));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, leaf, numbers, on_threads, pull};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32};

    /// `[n, c, h, w]`.
    const CASES: [[usize; 4]; 7] = [
        [1, 1, 1, 2],
        [2, 3, 1, 1],
        [1, 2, 5, 7],
        [3, 4, 4, 4],
        [2, 1, 33, 31],
        [40, 5, 3, 3],
        [4, 3, 8, 8],
    ];

    /// 0 for nothing, 1 for ReLU, 2 for a sum and ReLU.
    fn finish(kind: usize, r: &Tensor<4>) -> Finish {
        [Finish::Identity, Finish::Relu, Finish::AddRelu(r.clone())][kind].clone()
    }

    struct Case {
        x: Tensor<4>,
        r: Tensor<4>,
        weight: Tensor<1>,
        bias: Tensor<1>,
    }

    fn case(shape: [usize; 4], seed: Seed) -> Case {
        let c = [shape[1]];
        Case {
            x: draw(shape, seed.child("x")) * 2.0 + 3.0,
            r: draw(shape, seed.child("r")),
            weight: draw(c, seed.child("w")) + 0.5,
            bias: draw(c, seed.child("b")),
        }
    }

    /// Output, mean, variance, and the gradients of x, weight, bias and, for kind 2, r.
    fn run(
        case: &Case,
        kind: usize,
        operator: fn(Tensor<4>, Affine, Finish) -> Trained,
    ) -> Vec<Vec<f32>> {
        let (x, r) = (leaf(&case.x), leaf(&case.r));
        let (weight, bias) = (leaf(&case.weight), leaf(&case.bias));
        let affine = Affine { weight: weight.clone(), bias: bias.clone(), epsilon: 1e-5 };
        let out = operator(x.clone(), affine, finish(kind, &r));
        let grads = pull(&out.output);
        let mut parts =
            vec![out.output.detach().into_data(), out.mean.into_data(), out.variance.into_data()];
        parts.push(x.grad(&grads).unwrap().into_data());
        parts.extend([weight, bias].map(|p| p.grad(&grads).unwrap().into_data()));
        parts.extend((kind == 2).then(|| r.grad(&grads).unwrap().into_data()));
        parts.into_iter().map(|data| data.try_into_vec::<f32>().unwrap()).collect()
    }

    #[test]
    fn training_equals_the_plain_operator_forward_and_backward() {
        for (i, shape) in CASES.into_iter().enumerate() {
            let case = case(shape, Seed::root(1).index(i as u64));
            for kind in 0..3 {
                let (ours, theirs) =
                    (run(&case, kind, batch_norm_train), run(&case, kind, plain_train));
                assert_eq!(ours.len(), theirs.len());
                // Numbers of about 3 in single precision, divided by deviations down to about 0.1.
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    close_f32(ours, theirs, Tol::absolute(5e-5).or_relative(2e-5));
                }
            }
        }
    }

    #[test]
    fn evaluation_equals_the_plain_operator() {
        for (i, shape) in CASES.into_iter().enumerate() {
            let Case { x, r, weight, bias } = case(shape, Seed::root(2).index(i as u64));
            let known = [bias.clone() * 2.0, weight.clone().powi_scalar(2) + 0.1];
            let affine = Affine { weight, bias, epsilon: 1e-5 };
            for kind in 0..3 {
                let run = |operator: fn(Tensor<4>, [Tensor<1>; 2], Affine, Finish) -> Tensor<4>| {
                    let (x, known) = (x.clone(), known.clone());
                    numbers(operator(x, known, affine.clone(), finish(kind, &r)))
                };
                close_f32(&run(batch_norm), &run(plain), Tol::absolute(1e-5).or_relative(1e-6));
            }
        }
    }

    /// The law in double precision, for central differences: two channels, three pictures of two
    /// pixels.
    fn objective(parts: &[Vec<f64>; 4], dy: &[f64]) -> f64 {
        let [x, weight, bias, r] = parts;
        let mut total = 0.0;
        for c in 0..2 {
            let places: Vec<_> = (0..12).filter(|i| i / 2 % 2 == c).collect();
            let count = places.len() as f64;
            let mean = places.iter().map(|i| x[*i]).sum::<f64>() / count;
            let variance = places.iter().map(|i| (x[*i] - mean).powi(2)).sum::<f64>() / count;
            for i in places {
                let z = weight[c] * (x[i] - mean) / (variance + 1e-5).sqrt() + bias[c] + r[i];
                total += dy[i] * z.max(0.0);
            }
        }
        total
    }

    #[test]
    fn gradients_agree_with_differences_in_double_precision() {
        let case = case([3, 2, 1, 2], Seed::root(3));
        let got = run(&case, 2, batch_norm_train);
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        let dy = wide(numbers(draw([3, 2, 1, 2], Seed::root(77))));
        let parts = [numbers(case.x), numbers(case.weight), numbers(case.bias), numbers(case.r)];
        let parts = parts.map(wide);
        for (part, got) in got[3..].iter().enumerate() {
            for (i, got) in got.iter().enumerate() {
                let at = |step: f64| {
                    let mut parts = parts.clone();
                    parts[part][i] += step;
                    objective(&parts, &dy)
                };
                let want = (at(1e-6) - at(-1e-6)) / 2e-6;
                // Ours is in single precision; no ReLU of these numbers lies within a step of 0.
                close(f64::from(*got), want, Tol::absolute(5e-6).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let case = case([64, 6, 16, 16], Seed::root(4));
        on_threads(|| run(&case, 2, batch_norm_train).concat());
    }

    #[test]
    fn loops_are_the_same_on_every_instruction_set() {
        let [x, y, dy] =
            ["x", "y", "dy"].map(|name| numbers(draw([2 * 53], Seed::root(5).child(name))));
        let moments = [Moments { mean: 0.1, scale: 2.0 }, Moments { mean: -0.3, scale: 0.7 }];
        let run = |portable: bool| {
            let (mut planes, mut sums) = ([[0.0; 2]; 2], [[0.0; 2]; 2]);
            let [mut out, mut dz, mut dx] = [(); 3].map(|()| vec![0.0; 106]);
            let (channels, wide) = ([[0.1, 2.0, 0.3]; 2], [[0.1, 2.0, 0.3, 0.4, 0.5]; 2]);
            if portable {
                plane_moments_loop(&x, &mut planes);
                forward_loop(&x, Some(&y), &mut out, &channels, true);
                channel_sums_loop([&x, &dy], Some(&y), &mut dz, &mut sums, &moments);
                backward_loop([&x, &dy], Some(&y), &mut dx, &wide);
            } else {
                plane_moments(&x, &mut planes);
                forward(&x, Some(&y), &mut out, &channels, true);
                channel_sums([&x, &dy], Some(&y), &mut dz, &mut sums, &moments);
                backward([&x, &dy], Some(&y), &mut dx, &wide);
            }
            let bits = [out, dz, dx].concat().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            (bits, [planes, sums].map(|pair| pair.map(|pair| pair.map(f64::to_bits))))
        };
        assert_eq!(run(true), run(false));
    }

    #[test]
    fn what_is_not_a_number_stays_visible() {
        let x = draw([1, 1, 2, 2], Seed::root(6)) * f32::NAN;
        let one = draw([1], Seed::root(7));
        let affine = Affine { weight: one.clone(), bias: one, epsilon: 1e-5 };
        let out = numbers(batch_norm_train(x, affine, Finish::Relu).output);
        assert!(out.iter().all(|y| y.is_nan()), "{out:?}");
    }
}
