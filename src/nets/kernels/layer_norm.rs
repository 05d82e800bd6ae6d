//! Layer normalisation over the last axis (Ba et al. 2016, arXiv:1607.06450), scale and shift, as
//! one node of the graph.
//!
//! With `x' = (x - mean) / sqrt(variance + epsilon)` the output is `weight * x' + bias`. Backward
//! takes per row `a = mean(weight dy)` and `b = mean(weight dy x')`; then
//! `dx = (weight dy - a - b x') / sqrt(variance + epsilon)`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::vector::{self, vectorised};

/// Rows per piece of work.
const PIECE: usize = 32;

/// Returns the normalised `[..., d]`, scaled and shifted by `weight` and `bias`, `[d]`.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    let Some(operands) = Operands::new([take(&x), take(&weight), take(&bias)]) else {
        return burn::tensor::module::layer_norm(x, weight, Some(bias), epsilon);
    };
    let [host, weight, bias] = operands.hosts.clone();
    let d = weight.numbers().len();
    let mut out = Fresh::new(host.numbers().len());
    let mut moments = vec![Moments::default(); host.numbers().len() / d];
    out.pieces(PIECE * d)
        .zip(host.numbers().par_chunks(PIECE * d))
        .zip(moments.par_chunks_mut(PIECE))
        .for_each(|((out, x), moments)| {
            normalise(x, out, moments, [weight.numbers(), bias.numbers()], epsilon);
        });
    let out = flex_tensor(out.numbers(), x.dims());
    operands.output(LayerNorm::<D>, Memory { x: host, weight, moments }, out)
}

/// Mean and `1 / sqrt(variance + epsilon)` of a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    mean: f32,
    scale: f32,
}

#[derive(Clone, Debug)]
struct Memory {
    x: Host,
    weight: Host,
    moments: Vec<Moments>,
}

/// The operator over tensors of `D` axes.
#[derive(Debug)]
struct LayerNorm<const D: usize>;

/// Parents are `x`, `weight` and `bias`.
impl<const D: usize> Backward<Flex, 3> for LayerNorm<D> {
    type State = Memory;

    fn backward(self, ops: Ops<Memory, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let Memory { x: host, weight, moments } = &ops.state;
        let d = weight.numbers().len();
        let mut dx = Fresh::new(dy.numbers().len());
        let mut sums = vec![0.0; moments.len().div_ceil(PIECE) * 2 * d];
        dx.pieces(PIECE * d)
            .zip(sums.par_chunks_mut(2 * d))
            .zip(dy.numbers().par_chunks(PIECE * d).zip(host.numbers().par_chunks(PIECE * d)))
            .zip(moments.par_chunks(PIECE))
            .for_each(|(((dx, sums), (dy, x)), moments)| {
                backward([x, dy], dx, sums.split_at_mut(d), weight.numbers(), moments);
            });
        let [x, weight, bias] = &ops.parents;
        if let Some(node) = x {
            grads.register::<Flex>(node.id, flex_tensor(dx.numbers(), host.dims::<D>()));
        }
        let mut totals = totals(&sums, 2 * d);
        let db = totals.split_off(d);
        for (node, total) in [(weight, totals), (bias, db)] {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, flex_tensor(total, [d]));
            }
        }
    }
}

/// Returns the sums over pieces, in their order and in double precision.
fn totals(sums: &[f32], width: usize) -> Vec<f32> {
    let mut wide = vec![0.0; width];
    for piece in sums.chunks(width) {
        wide.iter_mut().zip(piece).for_each(|(total, sum)| *total += f64::from(*sum));
    }
    wide.into_iter().map(|total| total as f32).collect()
}

#[inline(always)]
fn normalise_loop(
    x: &[f32],
    out: &mut [f32],
    moments: &mut [Moments],
    [weight, bias]: [&[f32]; 2],
    epsilon: f64,
) {
    let d = weight.len();
    for ((x, out), moments) in x.chunks_exact(d).zip(out.chunks_exact_mut(d)).zip(moments) {
        let (mean, square) = vector::moments(x);
        let scale = 1.0 / (square / d as f64 + epsilon).sqrt();
        let (mean, scale) = (mean as f32, scale as f32);
        for ((out, x), (weight, bias)) in out.iter_mut().zip(x).zip(weight.iter().zip(bias)) {
            *out = (x - mean) * scale * weight + bias;
        }
        *moments = Moments { mean, scale };
    }
}

/// Fills `dx` and adds to the sums of `dy x'` and of `dy` per feature.
#[inline(always)]
fn backward_loop(
    [x, dy]: [&[f32]; 2],
    dx: &mut [f32],
    (dw, db): (&mut [f32], &mut [f32]),
    weight: &[f32],
    moments: &[Moments],
) {
    let d = weight.len();
    let rows = x.chunks_exact(d).zip(dy.chunks_exact(d)).zip(dx.chunks_exact_mut(d));
    for (((x, dy), dx), Moments { mean, scale }) in rows.zip(moments) {
        let sums = vector::map_and_sum([x, dy, weight], dx, |[x, dy, weight]| {
            let pulled = dy * weight;
            (pulled, [pulled, pulled * ((x - mean) * scale)])
        });
        let [a, b] = sums.map(|sum| (sum / d as f64) as f32);
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = (*dx - a - b * ((x - mean) * scale)) * scale;
        }
        for ((dw, db), (x, dy)) in dw.iter_mut().zip(db.iter_mut()).zip(x.iter().zip(dy)) {
            *dw += dy * ((x - mean) * scale);
            *db += dy;
        }
    }
}

vectorised!(
    /// Fills `out` and the moments of its rows.
    pub(super) normalise = normalise_loop,
    (x: &[f32], out: &mut [f32], moments: &mut [Moments], affine: [&[f32]; 2], epsilon: f64));
vectorised!(backward = backward_loop,
    (rows: [&[f32]; 2], dx: &mut [f32], sums: (&mut [f32], &mut [f32]), weight: &[f32],
     moments: &[Moments]));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, leaf, numbers, on_threads, pull};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32};

    fn plain(x: Tensor<3>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<3> {
        burn::tensor::module::layer_norm(x, weight, Some(bias), epsilon)
    }

    type Operator = fn(Tensor<3>, Tensor<1>, Tensor<1>, f64) -> Tensor<3>;

    /// Returns the output and the gradients of `x`, `weight` and `bias`.
    fn run(operator: Operator, inputs: (&Tensor<3>, &Tensor<1>, &Tensor<1>)) -> [Vec<f32>; 4] {
        let (x, weight, bias) = (leaf(inputs.0), leaf(inputs.1), leaf(inputs.2));
        let out = operator(x.clone(), weight.clone(), bias.clone(), 1e-5);
        let grads = pull(&out);
        [
            numbers(out.detach()),
            numbers(x.grad(&grads).unwrap()),
            numbers(weight.grad(&grads).unwrap()),
            numbers(bias.grad(&grads).unwrap()),
        ]
    }

    #[test]
    fn equals_the_plain_operator_forward_and_backward() {
        let shapes = [[1, 1, 2], [2, 3, 5], [1, 1, 16], [3, 33, 17], [2, 64, 48], [1, 5, 5000]];
        for (i, shape) in shapes.into_iter().enumerate() {
            let seed = Seed::root(1).index(i as u64);
            let x = draw(shape, seed.child("x")) * 2.0 + 3.0;
            let [w, b] = ["w", "b"].map(|name| draw([shape[2]], seed.child(name)) + 0.5);
            let ours = run(layer_norm, (&x, &w, &b));
            for (ours, theirs) in ours.iter().zip(run(plain, (&x, &w, &b))) {
                // Numbers of about 3 in single precision, divided by deviations down to about 0.1.
                close_f32(ours, &theirs, Tol::absolute(5e-5).or_relative(2e-5));
            }
            let [ours, theirs] = [layer_norm, plain as Operator]
                .map(|operator| numbers(operator(x.clone(), w.clone(), b.clone(), 1e-5)));
            close_f32(&ours, &theirs, Tol::absolute(5e-5));
        }
    }

    /// The law in double precision, for central differences.
    fn objective([x, weight, bias]: &[Vec<f64>; 3], dy: &[f64]) -> f64 {
        let d = weight.len();
        let row = |(x, dy): (&[f64], &[f64])| {
            let mean = x.iter().sum::<f64>() / d as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
            let normal = |i: usize| (x[i] - mean) / (variance + 1e-5).sqrt();
            (0..d).map(|i| dy[i] * (weight[i] * normal(i) + bias[i])).sum::<f64>()
        };
        x.chunks(d).zip(dy.chunks(d)).map(row).sum()
    }

    #[test]
    fn gradients_agree_with_differences_in_double_precision() {
        let seed = Seed::root(2);
        let x = draw([2, 2, 5], seed.child("x"));
        let [weight, bias] = ["w", "b"].map(|name| draw([5], seed.child(name)));
        let [_, got @ ..] = run(layer_norm, (&x, &weight, &bias));
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        let dy = wide(numbers(draw([2, 2, 5], Seed::root(77))));
        let parts = [wide(numbers(x)), wide(numbers(weight)), wide(numbers(bias))];
        for (part, got) in got.iter().enumerate() {
            for (i, got) in got.iter().enumerate() {
                let at = |step: f64| {
                    let mut parts = parts.clone();
                    parts[part][i] += step;
                    objective(&parts, &dy)
                };
                let want = (at(1e-5) - at(-1e-5)) / 2e-5;
                // Ours is in single precision; the differences are good to 1e-9.
                close(f64::from(*got), want, Tol::absolute(5e-6).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let x = draw([4, 100, 48], Seed::root(3));
        let [weight, bias] = ["w", "b"].map(|name| draw([48], Seed::root(3).child(name)));
        on_threads(|| run(layer_norm, (&x, &weight, &bias)).concat());
    }

    #[test]
    fn loops_are_the_same_on_every_instruction_set() {
        let [x, dy] = [4, 5].map(|seed| numbers(draw([2 * 53], Seed::root(seed))));
        let [weight, bias] = [6, 7].map(|seed| numbers(draw([53], Seed::root(seed))));
        let run = |portable: bool| {
            let mut moments = [Moments::default(); 2];
            let (mut out, mut dx) = (vec![0.0; 106], vec![0.0; 106]);
            let mut sums = (vec![0.0; 53], vec![0.0; 53]);
            let affine: [&[f32]; 2] = [&weight, &bias];
            if portable {
                normalise_loop(&x, &mut out, &mut moments, affine, 1e-5);
                backward_loop([&x, &dy], &mut dx, (&mut sums.0, &mut sums.1), &weight, &moments);
            } else {
                normalise(&x, &mut out, &mut moments, affine, 1e-5);
                backward([&x, &dy], &mut dx, (&mut sums.0, &mut sums.1), &weight, &moments);
            }
            let all = [out, dx, sums.0, sums.1].concat();
            all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(run(true), run(false));
    }
}
