//! The layers of a transformer one after the other, outside of any graph.
//!
//! The tokens of all pictures go through a layer together, as rows of the products of [`dense`];
//! attention works on each head of each picture. Either way the numbers of a picture depend neither
//! on the pictures beside it nor on the number of threads. What follows a product, be it the unit
//! or the sum with the tokens, happens while its numbers are in the near cache.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::dense::{self, Interleaved, Weight};
use super::flex::{Host, Taken, flex_tensor, take};
use super::gelu::{self, Gelu};
use super::gemm::{Matrix, Target, multiply};
use super::layer_norm::{Moments, normalise};
use super::vector::{LANES, exp, vectorised};
use crate::terms::Precision;

/// A linear map: `[outputs, inputs]` and `[outputs]`.
#[derive(Clone, Debug)]
pub struct LinearWeights {
    /// `[outputs, inputs]`.
    pub weight: Tensor<2>,
    /// `[outputs]`.
    pub bias: Tensor<1>,
    /// Of the factors of products.
    pub precision: Precision,
}

/// A layer normalisation.
#[derive(Clone, Debug)]
pub struct NormWeights {
    /// `[d]`, the scale.
    pub weight: Tensor<1>,
    /// `[d]`, the shift.
    pub bias: Tensor<1>,
    /// Is added to the variance.
    pub epsilon: f64,
}

/// One of the two halves of a layer: `x + scale * outer(inner(norm(x)))`, where what lies between
/// the two maps is attention or the unit.
#[derive(Clone, Debug)]
pub struct BranchWeights {
    /// The normalisation in front.
    pub norm: NormWeights,
    /// To queries, keys and values, or to hidden features.
    pub inner: LinearWeights,
    /// Back to the features of a token.
    pub outer: LinearWeights,
    /// `[d]`, a factor of what is added.
    pub scale: Option<Tensor<1>>,
}

/// A layer: attention, then a perceptron.
#[derive(Clone, Debug)]
pub struct LayerWeights {
    /// The half with attention.
    pub attention: BranchWeights,
    /// Heads of the attention.
    pub heads: usize,
    /// The half with the perceptron.
    pub perceptron: BranchWeights,
    /// The unit of the perceptron.
    pub gelu: Gelu,
}

/// Returns `[n, t, d]` behind all layers for `[n, t, d]`; nothing if any of it belongs to a graph
/// or lives on another device.
pub fn transformer(x: &Tensor<3>, layers: &[LayerWeights]) -> Option<Tensor<3>> {
    let layers: Vec<Layer> = layers.iter().map(Layer::new).collect::<Option<_>>()?;
    let host = host(x)?;
    let [_, t, d] = x.dims();
    let mut out = host.numbers().to_vec();
    let mut buffers = Buffers::default();
    for tokens in out.chunks_mut((NEAR / t).max(1) * t * d) {
        for layer in &layers {
            layer.attend(tokens, t, &mut buffers);
            layer.perceive(tokens, &mut buffers);
        }
    }
    Some(Tensor::from_primitive::<burn::backend::Flex>(flex_tensor(out, x.dims())))
}

/// Tokens that go through all layers before the next begin: enough for every thread, and few enough
/// for the last cache.
const NEAR: usize = 2048;

fn host<const D: usize>(x: &Tensor<D>) -> Option<Host> {
    match take(x)? {
        Taken::Plain(x) => Some(Host::new(x)),
        Taken::Tracked(_) => None,
    }
}

struct Linear {
    weight: Host,
    bias: Host,
    precision: Precision,
}

impl Linear {
    fn new(weights: &LinearWeights) -> Option<Self> {
        let [weight, bias] = [host(&weights.weight)?, host(&weights.bias)?];
        Some(Self { weight, bias, precision: weights.precision })
    }

    fn weight(&self) -> Weight<'_> {
        let [outputs, inputs] = self.weight.dims();
        let bias = Some(self.bias.numbers());
        Weight { numbers: self.weight.numbers(), bias, outputs, inputs, transposed: false }
    }
}

struct Branch {
    norm: [Host; 2],
    epsilon: f64,
    inner: Linear,
    outer: Linear,
    scale: Option<Host>,
}

impl Branch {
    fn new(weights: &BranchWeights) -> Option<Self> {
        let BranchWeights { norm, inner, outer, scale } = weights;
        let scale = match scale {
            Some(scale) => Some(host(scale)?),
            None => None,
        };
        Some(Self {
            norm: [host(&norm.weight)?, host(&norm.bias)?],
            epsilon: norm.epsilon,
            inner: Linear::new(inner)?,
            outer: Linear::new(outer)?,
            scale,
        })
    }

    /// Fills `wide` with what the inner map makes of the normalised tokens.
    fn begin(
        &self,
        tokens: &[f32],
        Buffers { rows, wide, .. }: &mut Buffers,
        finish: impl Fn(&mut [f32]) + Sync,
    ) {
        let [weight, bias] = &self.norm;
        let affine = [weight.numbers(), bias.numbers()];
        let (d, inner) = (affine[0].len(), self.inner.weight());
        let count = tokens.len() / d;
        rows.fill([count, d], self.inner.precision, |first, to| {
            let mut moments = [Moments::default(); dense::ROWS];
            normalise(&tokens[first * d..][..to.len()], to, &mut moments, affine, self.epsilon);
        });
        wide.resize(count * inner.outputs, 0.0);
        dense::multiply(rows, inner, wide, |new, old, _| {
            finish(new);
            old.copy_from_slice(new);
        });
    }

    /// Adds what the outer map makes of the rows to the tokens.
    fn end(&self, rows: &Interleaved, tokens: &mut [f32]) {
        match &self.scale {
            Some(scale) => {
                dense::multiply(rows, self.outer.weight(), tokens, |new, old, column| {
                    add_scaled(old, new, &scale.numbers()[column..]);
                })
            }
            None => dense::multiply(rows, self.outer.weight(), tokens, |new, old, _| {
                old.iter_mut().zip(new).for_each(|(token, add)| *token += *add);
            }),
        }
    }
}

struct Layer {
    attention: Branch,
    heads: usize,
    perceptron: Branch,
    gelu: Gelu,
}

/// What is used again for one layer after the other.
#[derive(Default)]
struct Buffers {
    rows: Interleaved,
    wide: Vec<f32>,  // [n, t, 3 d] or [n, t, hidden]
    heads: Vec<f32>, // [n, heads, t, d / heads]
}

impl Layer {
    fn new(weights: &LayerWeights) -> Option<Self> {
        Some(Self {
            attention: Branch::new(&weights.attention)?,
            heads: weights.heads,
            perceptron: Branch::new(&weights.perceptron)?,
            gelu: weights.gelu,
        })
    }

    /// The half of the layer with attention, for pictures of `t` tokens.
    fn attend(&self, tokens: &mut [f32], t: usize, buffers: &mut Buffers) {
        self.attention.begin(tokens, buffers, |_| {});
        let Buffers { rows, wide, heads, .. } = buffers;
        let [_, d] = self.attention.outer.weight.dims();
        let part = d / self.heads;
        heads.resize(tokens.len(), 0.0);
        heads.par_chunks_mut(t * part).enumerate().for_each_init(Vec::new, |scores, (i, out)| {
            let (picture, head) = (i / self.heads, i % self.heads);
            let all = &wide[picture * t * 3 * d + head * part..];
            let [q, k, v] = [0, d, 2 * d].map(|kind| Matrix::window(&all[kind..], t, part, 3 * d));
            scores.resize(t * t, 0.0);
            multiply(q, k.transposed(), scores, Target::Replace);
            softmax(scores, t, (1.0 / (part as f64).sqrt()) as f32);
            multiply(Matrix::new(scores, t, t), v, out, Target::Replace);
        });
        let precision = self.attention.outer.precision;
        rows.fill([tokens.len() / d, d], precision, |first, to| {
            for (row, to) in (first..).zip(to.chunks_exact_mut(d)) {
                let (picture, token) = (row / t, row % t);
                for (head, to) in to.chunks_exact_mut(part).enumerate() {
                    let from = ((picture * self.heads + head) * t + token) * part;
                    to.copy_from_slice(&heads[from..][..part]);
                }
            }
        });
        self.attention.end(rows, tokens);
    }

    /// The half with the perceptron.
    fn perceive(&self, tokens: &mut [f32], buffers: &mut Buffers) {
        self.perceptron.begin(tokens, buffers, |x| gelu::in_place(x, self.gelu));
        let Buffers { rows, wide, .. } = buffers;
        let [d, hidden] = self.perceptron.outer.weight.dims();
        let precision = self.perceptron.outer.precision;
        rows.fill([tokens.len() / d, hidden], precision, |first, to| {
            to.copy_from_slice(&wide[first * hidden..][..to.len()]);
        });
        self.perceptron.end(rows, tokens);
    }
}

#[inline(always)]
fn add_scaled_loop(to: &mut [f32], add: &[f32], scale: &[f32]) {
    for ((to, add), scale) in to.iter_mut().zip(add).zip(scale) {
        *to += add * scale;
    }
}

/// Replaces each row of `t` numbers by the softmax of its multiples.
#[inline(always)]
fn softmax_loop(scores: &mut [f32], t: usize, scale: f32) {
    for row in scores.chunks_exact_mut(t) {
        let mut largest = [f32::NEG_INFINITY; LANES];
        let (wide, rest) = row.as_chunks::<LANES>();
        for x in wide {
            for i in 0..LANES {
                largest[i] = if x[i] > largest[i] { x[i] } else { largest[i] };
            }
        }
        let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        let mut sums = [0.0; LANES];
        let (wide, rest) = row.as_chunks_mut::<LANES>();
        for x in wide {
            for i in 0..LANES {
                x[i] = exp((x[i] - largest) * scale);
                sums[i] += x[i];
            }
        }
        for (x, sum) in rest.iter_mut().zip(&mut sums) {
            *x = exp((*x - largest) * scale);
            *sum += *x;
        }
        let factor = 1.0 / sums.iter().sum::<f32>();
        row.iter_mut().for_each(|x| *x *= factor);
    }
}

vectorised!(add_scaled = add_scaled_loop, (to: &mut [f32], add: &[f32], scale: &[f32]));
vectorised!(
    /// Replaces each row of `t` numbers by the softmax of its multiples.
    pub(super) softmax = softmax_loop, (scores: &mut [f32], t: usize, scale: f32));
