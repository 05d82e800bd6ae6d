//! The layers of a transformer one after the other, outside of any graph: each picture goes through
//! all of them on one thread.
//!
//! A picture's tokens stay in the near caches between the operators, a layer costs one pass over
//! its weights, and every product has the shape of one picture: so the numbers of a picture depend
//! neither on the pictures beside it nor on the number of threads. A batch smaller than the number
//! of threads leaves threads idle.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::flex::{Host, Taken, flex_tensor, take};
use super::gelu::{self, Gelu};
use super::gemm::{Matrix, Target, multiply, multiply_into_window};
use super::layer_norm::{Moments, normalise};
use super::vector::{LANES, exp, vectorised};

/// A linear map: `[outputs, inputs]` and `[outputs]`.
#[derive(Clone, Debug)]
pub struct LinearWeights {
    /// `[outputs, inputs]`.
    pub weight: Tensor<2>,
    /// `[outputs]`.
    pub bias: Tensor<1>,
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

/// Returns `[n, t, d]` behind all layers for `[n, t, d]`; nothing if any of it belongs to a graph or
/// lives on another device.
pub fn transformer(x: &Tensor<3>, layers: &[LayerWeights]) -> Option<Tensor<3>> {
    let layers: Vec<Layer> = layers.iter().map(Layer::new).collect::<Option<_>>()?;
    let host = host(x)?;
    let [_, t, d] = x.dims();
    let mut out = host.numbers().to_vec();
    out.par_chunks_mut(t * d).for_each_init(Buffers::default, |buffers, tokens| {
        for layer in &layers {
            layer.attend(tokens, buffers);
            layer.perceive(tokens, buffers);
        }
    });
    Some(Tensor::from_primitive::<burn::backend::Flex>(flex_tensor(out, x.dims())))
}

/// Returns `x W^T`, `[n, outputs]`, for `[n, inputs]`, each row as a product of its own; nothing as
/// for [`transformer`].
pub fn project(x: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    let ([n, inputs], [outputs, _]) = (x.dims(), weight.dims());
    let (x, weight) = (host(x)?, host(weight)?);
    let matrix = Matrix::new(weight.numbers(), outputs, inputs).transposed();
    let mut out = vec![0.0; n * outputs];
    out.par_chunks_mut(outputs).zip(x.numbers().par_chunks(inputs)).for_each(|(out, x)| {
        multiply(Matrix::new(x, 1, inputs), matrix, out, Target::Replace);
    });
    Some(Tensor::from_primitive::<burn::backend::Flex>(flex_tensor(out, [n, outputs])))
}

fn host<const D: usize>(x: &Tensor<D>) -> Option<Host> {
    match take(x)? {
        Taken::Plain(x) => Some(Host::new(x)),
        Taken::Tracked(_) => None,
    }
}

struct Linear {
    weight: Host,
    bias: Host,
}

impl Linear {
    fn new(weights: &LinearWeights) -> Option<Self> {
        Some(Self { weight: host(&weights.weight)?, bias: host(&weights.bias)? })
    }

    fn outputs(&self) -> usize {
        self.bias.numbers().len()
    }

    /// Fills `out`, `[t, outputs]`, from `x`, `[t, inputs]`.
    fn apply(&self, x: &[f32], out: &mut [f32]) {
        let outputs = self.outputs();
        let [_, inputs] = self.weight.dims();
        for row in out.chunks_exact_mut(outputs) {
            row.copy_from_slice(self.bias.numbers());
        }
        let weight = Matrix::new(self.weight.numbers(), outputs, inputs).transposed();
        multiply(Matrix::new(x, x.len() / inputs, inputs), weight, out, Target::Add);
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

    /// Fills `narrow` with the normalised tokens and `wide` with what the inner map makes of them.
    fn begin(&self, tokens: &[f32], buffers: &mut Buffers) {
        let [weight, bias] = &self.norm;
        let affine = [weight.numbers(), bias.numbers()];
        let count = tokens.len() / affine[0].len();
        buffers.moments.resize(count, Moments::default());
        buffers.narrow.resize(tokens.len(), 0.0);
        buffers.wide.resize(count * self.inner.outputs(), 0.0);
        normalise(tokens, &mut buffers.narrow, &mut buffers.moments, affine, self.epsilon);
        self.inner.apply(&buffers.narrow, &mut buffers.wide);
    }

    /// Adds what the outer map makes of `input` to the tokens.
    fn end(&self, input: &[f32], product: &mut [f32], tokens: &mut [f32]) {
        self.outer.apply(input, product);
        match &self.scale {
            Some(scale) => {
                let d = scale.numbers().len();
                for (tokens, product) in tokens.chunks_exact_mut(d).zip(product.chunks_exact(d)) {
                    add_scaled(tokens, product, scale.numbers());
                }
            }
            None => tokens.iter_mut().zip(product).for_each(|(token, add)| *token += *add),
        }
    }
}

struct Layer {
    attention: Branch,
    heads: usize,
    perceptron: Branch,
    gelu: Gelu,
}

/// What a thread uses again for one picture after the other.
#[derive(Default)]
struct Buffers {
    moments: Vec<Moments>,
    narrow: Vec<f32>, // [t, d]
    wide: Vec<f32>,   // [t, 3 d] or [t, hidden]
    scores: Vec<f32>, // [t, t]
    product: Vec<f32>,
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

    /// The half of the layer with attention, for the tokens of one picture.
    fn attend(&self, tokens: &mut [f32], buffers: &mut Buffers) {
        self.attention.begin(tokens, buffers);
        let Buffers { narrow, wide, scores, product, .. } = buffers;
        let d = self.attention.outer.outputs();
        let (t, part) = (tokens.len() / d, d / self.heads);
        scores.resize(t * t, 0.0);
        let scale = (1.0 / (part as f64).sqrt()) as f32;
        for start in (0..d).step_by(part) {
            let [q, k, v] =
                [0, d, 2 * d].map(|kind| Matrix::window(&wide[kind + start..], t, part, 3 * d));
            multiply(q, k.transposed(), scores, Target::Replace);
            softmax(scores, t, scale);
            let target = &mut narrow[start..];
            multiply_into_window(Matrix::new(scores, t, t), v, target, d, Target::Replace);
        }
        product.resize(tokens.len(), 0.0);
        self.attention.end(narrow, product, tokens);
    }

    /// The half with the perceptron.
    fn perceive(&self, tokens: &mut [f32], buffers: &mut Buffers) {
        self.perceptron.begin(tokens, buffers);
        let Buffers { narrow, wide, .. } = buffers;
        gelu::in_place(wide, self.gelu);
        self.perceptron.end(wide, narrow, tokens);
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
vectorised!(softmax = softmax_loop, (scores: &mut [f32], t: usize, scale: f32));
