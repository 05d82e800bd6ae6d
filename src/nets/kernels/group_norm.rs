//! Group normalisation (Wu & He 2018, arXiv:1803.08494, Eq. 1 and 2), scale and shift of the
//! channels, and the activation behind it, as one node of the graph.
//!
//! A row is one group of one picture: `m` numbers that lie side by side. With
//! `x' = (x - mean) / sqrt(variance + epsilon)` and `z = weight * x' + bias` the output is `f(z)`.
//! Backward takes `dz = dy f'(z)` and, per row, `a = mean(weight dz)` and `b = mean(weight dz x')`;
//! then `dx = (weight dz - a - b x') / sqrt(variance + epsilon)`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Tensor, activation};
use rayon::prelude::*;

use super::channels::{channel_totals, narrow};
use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::vector::{self, map_and_sum, vectorised};

/// Numbers per piece of work, at least.
const PIECE: usize = 1 << 13;

/// What a group norm is, beside its weights.
#[derive(Clone, Copy, Debug)]
pub struct Grouping {
    /// Groups of channels.
    pub groups: usize,
    /// Is added to the variance.
    pub epsilon: f64,
    /// What follows.
    pub activation: Activation,
}

/// A function of every number behind a norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `z * sigmoid(z)`.
    Silu,
}

/// Returns the normalised `[n, c, h, w]`, scaled and shifted by `weight` and `bias`, `[c]`.
pub fn group_norm(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    grouping: Grouping,
) -> Tensor<4> {
    let Some(operands) = Operands::new([take(&x), take(&weight), take(&bias)]) else {
        return plain(x, weight, bias, grouping);
    };
    let [x, weight, bias] = operands.hosts.clone();
    let sizes = Sizes::new(x.dims(), grouping.groups);
    let mut out = Fresh::new(x.numbers().len());
    let mut moments = vec![Moments::default(); sizes.rows()];
    out.pieces(sizes.row())
        .zip(x.numbers().par_chunks(sizes.row()))
        .zip(moments.par_iter_mut())
        .enumerate()
        .with_min_len(PIECE.div_ceil(sizes.row()))
        .for_each(|(index, ((out, x), moments))| {
            let affine = sizes.affine(&weight, &bias, index);
            *moments = forward(x, out, affine, grouping);
        });
    let out = flex_tensor(out.numbers(), x.dims::<4>());
    operands.output(GroupNorm, Memory { x, weight, bias, moments, grouping }, out)
}

/// The same by burn's own operators.
fn plain(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, grouping: Grouping) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    // Each (picture, group) is one "channel" of a batch of one: burn records batch norm as one node
    // with an analytic backward pass, where its group norm is a chain of a dozen.
    let rows = n * grouping.groups;
    let flat: Tensor<3> = x.reshape([1, rows, c / grouping.groups * h * w]);
    let (one, zero) = (Tensor::ones([rows], &flat.device()), Tensor::zeros([rows], &flat.device()));
    let normal = burn::tensor::module::batch_norm_train(flat, one, zero, grouping.epsilon).output;
    let weight = weight.reshape([1, c, 1, 1]);
    let bias = bias.reshape([1, c, 1, 1]);
    let z = normal.reshape([n, c, h, w]) * weight + bias;
    match grouping.activation {
        Activation::Identity => z,
        Activation::Silu => activation::silu(z),
    }
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    n: usize,
    channels: usize,
    groups: usize,
    pixels: usize,
}

impl Sizes {
    fn new([n, channels, h, w]: [usize; 4], groups: usize) -> Self {
        assert_eq!(channels % groups, 0, "groups divide channels");
        Self { n, channels, groups, pixels: h * w }
    }

    fn rows(&self) -> usize {
        self.n * self.groups
    }

    /// Channels of a group.
    fn width(&self) -> usize {
        self.channels / self.groups
    }

    /// Numbers of a row.
    fn row(&self) -> usize {
        self.width() * self.pixels
    }

    /// Returns weight and bias of the channels of a row.
    fn affine<'a>(&self, weight: &'a Host, bias: &'a Host, row: usize) -> [&'a [f32]; 2] {
        let first = row % self.groups * self.width();
        [weight, bias].map(|all| &all.numbers()[first..first + self.width()])
    }
}

/// Mean and `1 / sqrt(variance + epsilon)` of a row.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    mean: f32,
    scale: f32,
}

#[derive(Clone, Debug)]
struct Memory {
    x: Host,
    weight: Host,
    bias: Host,
    moments: Vec<Moments>,
    grouping: Grouping,
}

#[derive(Debug)]
struct GroupNorm;

/// Parents are `x`, `weight` and `bias`.
impl Backward<Flex, 3> for GroupNorm {
    type State = Memory;

    fn backward(self, ops: Ops<Memory, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let memory = &ops.state;
        let shape = memory.x.dims::<4>();
        let sizes = Sizes::new(shape, memory.grouping.groups);
        let (dx, sums) = pull_back(memory, dy.numbers(), &sizes);
        let [db, dw] = channel_totals(&sums, sizes.channels).map(narrow);
        let [x, weight, bias] = &ops.parents;
        if let Some(node) = x {
            grads.register::<Flex>(node.id, flex_tensor(dx, shape));
        }
        if let Some(node) = weight {
            grads.register::<Flex>(node.id, flex_tensor(dw, [sizes.channels]));
        }
        if let Some(node) = bias {
            grads.register::<Flex>(node.id, flex_tensor(db, [sizes.channels]));
        }
    }
}

/// Returns `dx` and, per picture and channel, the sums of `dz` and `dz x'`.
fn pull_back(memory: &Memory, dy: &[f32], sizes: &Sizes) -> (Vec<f32>, Vec<[f64; 2]>) {
    let (row, width) = (sizes.row(), sizes.width());
    let mut dx = Fresh::new(dy.len());
    let mut sums = vec![[0.0; 2]; sizes.n * sizes.channels];
    dx.pieces(row)
        .zip(sums.par_chunks_mut(width))
        .zip(dy.par_chunks(row).zip(memory.x.numbers().par_chunks(row)))
        .enumerate()
        .with_min_len(PIECE.div_ceil(row))
        .for_each(|(index, ((dx, sums), (dy, x)))| {
            let affine = sizes.affine(&memory.weight, &memory.bias, index);
            let shape = (memory.moments[index], memory.grouping.activation);
            backward([x, dy], dx, sums, affine, shape);
        });
    (dx.numbers(), sums)
}

#[inline(always)]
fn forward_loop(
    x: &[f32],
    out: &mut [f32],
    [weight, bias]: [&[f32]; 2],
    grouping: Grouping,
) -> Moments {
    let (mean, square) = vector::moments(x);
    let variance = square / x.len() as f64;
    let scale = 1.0 / (variance + grouping.epsilon).sqrt();
    let moments = Moments { mean: mean as f32, scale: scale as f32 };
    let pixels = x.len() / weight.len();
    let channels = x.chunks(pixels).zip(out.chunks_mut(pixels));
    for ((x, out), (weight, bias)) in channels.zip(weight.iter().zip(bias)) {
        let factor = weight * moments.scale;
        let z = |x: f32| (x - moments.mean) * factor + bias;
        let pairs = x.iter().zip(out);
        match grouping.activation {
            Activation::Identity => pairs.for_each(|(x, out)| *out = z(*x)),
            Activation::Silu => pairs.for_each(|(x, out)| *out = vector::silu(z(*x))),
        }
    }
    moments
}

#[inline(always)]
fn backward_loop(
    [x, dy]: [&[f32]; 2],
    dx: &mut [f32],
    sums: &mut [[f64; 2]],
    [weight, bias]: [&[f32]; 2],
    (Moments { mean, scale }, activation): (Moments, Activation),
) {
    let pixels = x.len() / weight.len();
    let mut means = [0.0; 2];
    let channels = x.chunks(pixels).zip(dy.chunks(pixels)).zip(dx.chunks_mut(pixels));
    let affine = weight.iter().zip(bias);
    for ((((x, dy), dz), sum), (weight, bias)) in channels.zip(sums).zip(affine) {
        let normal = |x: f32| (x - mean) * scale;
        *sum = match activation {
            Activation::Identity => map_and_sum([x, dy], dz, |[x, dy]| (dy, [dy, dy * normal(x)])),
            Activation::Silu => map_and_sum([x, dy], dz, |[x, dy]| {
                let normal = normal(x);
                let dz = dy * vector::silu_slope(normal * weight + bias);
                (dz, [dz, dz * normal])
            }),
        };
        means[0] += f64::from(*weight) * sum[0];
        means[1] += f64::from(*weight) * sum[1];
    }
    let [a, b] = means.map(|sum| (sum / x.len() as f64) as f32);
    for ((x, dx), weight) in x.chunks(pixels).zip(dx.chunks_mut(pixels)).zip(weight) {
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = (weight * *dx - a - b * ((x - mean) * scale)) * scale;
        }
    }
}

vectorised!(forward = forward_loop,
    (x: &[f32], out: &mut [f32], affine: [&[f32]; 2], grouping: Grouping) -> Moments);
vectorised!(backward = backward_loop,
    (rows: [&[f32]; 2], dx: &mut [f32], sums: &mut [[f64; 2]], affine: [&[f32]; 2],
     shape: (Moments, Activation)));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, leaf, numbers, on_threads, pull};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32};

    /// `[n, c, h, w, groups]`.
    const CASES: [[usize; 5]; 8] = [
        [1, 1, 1, 2, 1],
        [1, 2, 1, 1, 1],
        [3, 4, 5, 7, 2],
        [2, 6, 1, 1, 2],
        [5, 8, 4, 4, 8],
        [1, 3, 33, 31, 3],
        [2, 4, 8, 8, 1],
        [40, 8, 3, 3, 4],
    ];

    type Operator = fn(Tensor<4>, Tensor<1>, Tensor<1>, Grouping) -> Tensor<4>;

    #[test]
    fn equals_the_plain_operator_forward_and_backward() {
        for (i, [n, c, h, w, groups]) in CASES.into_iter().enumerate() {
            let seed = Seed::root(1).index(i as u64);
            let x = draw([n, c, h, w], seed.child("x")) * 2.0 + 3.0;
            let [weight, bias] = ["w", "b"].map(|name| draw([c], seed.child(name)) + 0.5);
            for activation in [Activation::Identity, Activation::Silu] {
                let grouping = Grouping { groups, epsilon: 1e-5, activation };
                let run = |operator: Operator| {
                    let (x, weight, bias) = (leaf(&x), leaf(&weight), leaf(&bias));
                    let out = operator(x.clone(), weight.clone(), bias.clone(), grouping);
                    let grads = pull(&out);
                    [
                        numbers(out.detach()),
                        numbers(x.grad(&grads).unwrap()),
                        numbers(weight.grad(&grads).unwrap()),
                        numbers(bias.grad(&grads).unwrap()),
                    ]
                };
                // Numbers of about 3 in single precision, divided by deviations down to about 0.1.
                for (ours, theirs) in run(group_norm).iter().zip(run(plain)) {
                    close_f32(ours, &theirs, Tol::absolute(5e-5).or_relative(2e-5));
                }
                let ours = group_norm(x.clone(), weight.clone(), bias.clone(), grouping);
                close_f32(
                    &numbers(ours),
                    &numbers(plain(x.clone(), weight.clone(), bias.clone(), grouping)),
                    Tol::absolute(5e-5),
                );
            }
        }
    }

    /// The law in double precision, for central differences.
    fn objective(x: &[f64], weight: &[f64], bias: &[f64], dy: &[f64]) -> f64 {
        let (groups, width, pixels) = (4, 2, 3); // Two pictures of two groups.
        let row = width * pixels;
        (0..groups)
            .map(|g| {
                let part = &x[g * row..(g + 1) * row];
                let mean = part.iter().sum::<f64>() / row as f64;
                let variance = part.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row as f64;
                let term = |i: usize| {
                    let channel = g % 2 * width + i / pixels;
                    let normal = (part[i] - mean) / (variance + 1e-5).sqrt();
                    let z = weight[channel] * normal + bias[channel];
                    dy[g * row + i] * z / (1.0 + (-z).exp())
                };
                (0..row).map(term).sum::<f64>()
            })
            .sum()
    }

    #[test]
    fn gradients_agree_with_differences_in_double_precision() {
        let seed = Seed::root(2);
        let x = draw([2, 4, 1, 3], seed.child("x"));
        let [weight, bias] = ["w", "b"].map(|name| draw([4], seed.child(name)));
        let grouping = Grouping { groups: 2, epsilon: 1e-5, activation: Activation::Silu };
        let leaves = (leaf(&x), leaf(&weight), leaf(&bias));
        let out = group_norm(leaves.0.clone(), leaves.1.clone(), leaves.2.clone(), grouping);
        let grads = pull(&out);
        let got = [
            numbers(leaves.0.grad(&grads).unwrap()),
            numbers(leaves.1.grad(&grads).unwrap()),
            numbers(leaves.2.grad(&grads).unwrap()),
        ];
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        let dy = wide(numbers(draw(out.dims(), Seed::root(77))));
        let parts = [wide(numbers(x)), wide(numbers(weight)), wide(numbers(bias))];
        for (part, got) in got.iter().enumerate() {
            for (i, got) in got.iter().enumerate() {
                let at = |step: f64| {
                    let mut parts = parts.clone();
                    parts[part][i] += step;
                    objective(&parts[0], &parts[1], &parts[2], &dy)
                };
                let want = (at(1e-5) - at(-1e-5)) / 2e-5;
                // Ours is in single precision; the differences are good to 1e-9.
                close(f64::from(*got), want, Tol::absolute(5e-6).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let grouping = Grouping { groups: 2, epsilon: 1e-5, activation: Activation::Silu };
        let x = draw([64, 6, 16, 16], Seed::root(3));
        let [weight, bias] = ["w", "b"].map(|name| draw([6], Seed::root(3).child(name)));
        on_threads(|| {
            let (x, weight) = (leaf(&x), leaf(&weight));
            let out = group_norm(x.clone(), weight.clone(), leaf(&bias), grouping);
            let grads = pull(&out);
            let mut all = numbers(out.detach());
            all.extend(numbers(x.grad(&grads).unwrap()));
            all.extend(numbers(weight.grad(&grads).unwrap()));
            all
        });
    }

    #[test]
    fn loops_are_the_same_on_every_instruction_set() {
        let x = numbers(draw([2 * 53], Seed::root(4)));
        let dy = numbers(draw([2 * 53], Seed::root(5)));
        let affine: [&[f32]; 2] = [&[0.5, -2.0], &[0.1, 0.3]];
        let grouping = Grouping { groups: 1, epsilon: 1e-5, activation: Activation::Silu };
        let run = |portable: bool| {
            let (mut out, mut dx, mut sums) = (vec![0.0; 106], vec![0.0; 106], [[0.0; 2]; 2]);
            if portable {
                let moments = forward_loop(&x, &mut out, affine, grouping);
                backward_loop([&x, &dy], &mut dx, &mut sums, affine, (moments, Activation::Silu));
            } else {
                let moments = forward(&x, &mut out, affine, grouping);
                backward([&x, &dy], &mut dx, &mut sums, affine, (moments, Activation::Silu));
            }
            let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            (bits(out), bits(dx), sums.map(|pair| pair.map(f64::to_bits)))
        };
        assert_eq!(run(true), run(false));
    }
}
