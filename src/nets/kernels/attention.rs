//! Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, Eq. 1) of several heads as
//! one node of the graph: `softmax(q k^T / sqrt(d)) v`.
//!
//! Heads lie side by side in the features of a token. The weights `p` of a head are never kept:
//! backward computes them again. With `dp = do v^T` it takes `ds = p (dp - sum(p dp)) / sqrt(d)`,
//! and then `dq = ds k`, `dk = ds^T q`, `dv = p^T do`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::activation;
use burn::tensor::ops::AttentionModuleOptions;
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::{Fresh, zeros};
use super::gemm::{Matrix, Target, multiply, multiply_into_window};
use super::transformer::softmax;
use super::vector::vectorised;

/// Returns what tokens `[n, t, d]` take from the values of other tokens `[n, s, d]`, in `heads`
/// heads that lie side by side.
///
/// # Panics
/// If the heads do not divide the features.
pub fn attention(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, heads: usize) -> Tensor<3> {
    assert_eq!(q.dims()[2] % heads, 0, "heads share the features");
    match Operands::new([take(&q), take(&k), take(&v)]) {
        Some(operands) => run(operands, heads),
        None => plain(q, k, v, heads),
    }
}

/// Returns the attention of tokens to each other, `[n, t, d]`, for queries, keys and values side by
/// side, `[n, t, 3 d]`.
///
/// # Panics
/// If the heads do not divide the features.
pub fn self_attention(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    assert_eq!(qkv.dims()[2] % (3 * heads), 0, "heads share the features");
    match Operands::new([take(&qkv)]) {
        Some(operands) => run(operands, heads),
        None => {
            let [q, k, v] = qkv.chunk(3, 2).try_into().expect("three parts were asked for");
            plain(q, k, v, heads)
        }
    }
}

/// The same by burn's own operators.
fn plain(q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, heads: usize) -> Tensor<3> {
    let [q, k, v] = [q, k, v].map(|x| {
        let [n, t, d] = x.dims();
        x.reshape([n, t, heads, d / heads]).swap_dims(1, 2) // [n, heads, t, d / heads]
    });
    let [n, _, t, d] = q.dims();
    // A backend's own kernel, which never holds all scores at once, knows no gradient.
    if !q.device().is_autodiff() {
        let options = AttentionModuleOptions::default();
        let out = burn::tensor::module::attention(q, k, v, None, None, options);
        return out.swap_dims(1, 2).reshape([n, t, heads * d]);
    }
    let scores = (q * (1.0 / (d as f64).sqrt())).matmul(k.transpose());
    activation::softmax(scores, 3).matmul(v).swap_dims(1, 2).reshape([n, t, heads * d])
}

/// Operands are queries, keys and values, or one tensor with all of them.
fn run<const N: usize>(operands: Operands<N>, heads: usize) -> Tensor<3> {
    let memory = Memory { hosts: operands.hosts.to_vec(), heads };
    let [n, t, d] = [memory.pictures(), memory.tokens(0), memory.features()];
    let mut out = Fresh::new(n * t * d);
    out.pieces(t * d).enumerate().for_each_init(Vec::new, |scores, (picture, out)| {
        for head in 0..heads {
            memory.weights(picture, head, scores);
            let weights = Matrix::new(scores, t, memory.tokens(1));
            let out = &mut out[head * d / heads..];
            multiply_into_window(weights, memory.head(2, picture, head), out, d, Target::Replace);
        }
    });
    operands.output(Attention, memory, flex_tensor(out.numbers(), [n, t, d]))
}

#[derive(Clone, Debug)]
struct Memory {
    /// Queries, keys and values, or one tensor with all of them.
    hosts: Vec<Host>,
    heads: usize,
}

impl Memory {
    fn packed(&self) -> bool {
        self.hosts.len() == 1
    }

    fn pictures(&self) -> usize {
        self.hosts[0].dims::<3>()[0]
    }

    /// Returns the features of all heads.
    fn features(&self) -> usize {
        let [_, _, d] = self.hosts[0].dims();
        if self.packed() { d / 3 } else { d }
    }

    /// Returns the host of queries (0), keys (1) or values (2), and where they begin in a token.
    fn part(&self, part: usize) -> (&Host, usize) {
        match self.packed() {
            true => (&self.hosts[0], part * self.features()),
            false => (&self.hosts[part], 0),
        }
    }

    fn tokens(&self, part: usize) -> usize {
        self.part(part).0.dims::<3>()[1]
    }

    /// Returns the queries, keys or values of a head, `[tokens, d / heads]`.
    fn head(&self, part: usize, picture: usize, head: usize) -> Matrix<'_> {
        let (host, start) = self.part(part);
        let [_, t, step] = host.dims();
        let width = self.features() / self.heads;
        let at = picture * t * step + start + head * width;
        Matrix::window(&host.numbers()[at..], t, width, step)
    }

    fn scale(&self) -> f32 {
        let width = self.features() / self.heads;
        (1.0 / (width as f64).sqrt()) as f32
    }

    /// Fills `scores` with the weights of a head, `[t, s]`.
    fn weights(&self, picture: usize, head: usize, scores: &mut Vec<f32>) {
        let (t, s) = (self.tokens(0), self.tokens(1));
        scores.resize(t * s, 0.0);
        let [q, k] = [0, 1].map(|part| self.head(part, picture, head));
        multiply(q, k.transposed(), scores, Target::Replace);
        softmax(scores, s, self.scale());
    }
}

#[derive(Debug)]
struct Attention;

/// Parents are queries, keys and values, or one tensor with all of them.
impl<const N: usize> Backward<Flex, N> for Attention {
    type State = Memory;

    fn backward(self, ops: Ops<Memory, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let memory = &ops.state;
        let mut targets: Vec<Vec<f32>> =
            memory.hosts.iter().map(|host| zeros(host.numbers().len())).collect();
        let n = memory.pictures();
        // Of every picture, its part of each gradient.
        let mut parts: Vec<Vec<&mut [f32]>> = (0..n).map(|_| Vec::new()).collect();
        for target in &mut targets {
            let size = target.len() / n;
            parts.iter_mut().zip(target.chunks_mut(size)).for_each(|(of, part)| of.push(part));
        }
        parts.par_iter_mut().enumerate().for_each_init(
            <[Vec<f32>; 2]>::default,
            |buffers, (picture, targets)| {
                (0..memory.heads)
                    .for_each(|head| pull_back(memory, &dy, (picture, head), buffers, targets));
            },
        );
        for (i, target) in targets.into_iter().enumerate() {
            if let Some(Some(node)) = ops.parents.get(i) {
                let shape = memory.hosts[i].dims::<3>();
                grads.register::<Flex>(node.id, flex_tensor(target, shape));
            }
        }
    }
}

/// Writes the gradients of a head into those of its picture.
fn pull_back(
    memory: &Memory,
    dy: &Host,
    (picture, head): (usize, usize),
    [weights, pulled]: &mut [Vec<f32>; 2],
    targets: &mut [&mut [f32]],
) {
    let (t, s, d) = (memory.tokens(0), memory.tokens(1), memory.features());
    let width = d / memory.heads;
    memory.weights(picture, head, weights);
    pulled.resize(t * s, 0.0);
    let dy = Matrix::window(&dy.numbers()[picture * t * d + head * width..], t, width, d);
    let [q, k, v] = [0, 1, 2].map(|part| memory.head(part, picture, head));
    multiply(dy, v.transposed(), pulled, Target::Replace);
    softmax_gradient(weights, pulled, s, memory.scale());
    let (p, ds) = (Matrix::new(weights, t, s), Matrix::new(pulled, t, s));
    let products = [(ds, k), (ds.transposed(), q), (p.transposed(), dy)];
    for (part, (left, right)) in products.into_iter().enumerate() {
        let (host, start) = memory.part(part);
        let [_, _, step] = host.dims();
        let target = &mut targets[if memory.packed() { 0 } else { part }];
        let target = &mut target[start + head * width..];
        multiply_into_window(left, right, target, step, Target::Replace);
    }
}

/// Replaces `dp` by `p (dp - sum(p dp)) scale`, row by row.
#[inline(always)]
fn softmax_gradient_loop(p: &[f32], dp: &mut [f32], s: usize, scale: f32) {
    for (p, dp) in p.chunks_exact(s).zip(dp.chunks_exact_mut(s)) {
        let total = super::vector::map_and_sum([p, dp], &mut [], |[p, dp]| (0.0, [p * dp, 0.0]));
        let total = total[0] as f32;
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - total) * scale;
        }
    }
}

vectorised!(softmax_gradient = softmax_gradient_loop,
    (p: &[f32], dp: &mut [f32], s: usize, scale: f32));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, leaf, numbers, on_threads, plain_and_ours, pull};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32};

    /// `[n, t, s, d, heads]`.
    const CASES: [[usize; 5]; 6] = [
        [1, 1, 1, 1, 1],
        [2, 5, 5, 6, 3],
        [1, 3, 7, 4, 1],
        [2, 65, 65, 48, 3],
        [3, 17, 2, 32, 2],
        [1, 200, 197, 20, 4],
    ];

    #[test]
    fn equals_the_plain_operators() {
        for (i, [n, t, s, d, heads]) in CASES.into_iter().enumerate() {
            let seed = Seed::root(1).index(i as u64);
            let [q, k, v] = [("q", t), ("k", s), ("v", s)]
                .map(|(name, tokens)| draw([n, tokens, d], seed.child(name)));
            let (theirs, ours) = plain_and_ours(
                [q, k, v],
                |[q, k, v]| plain(q, k, v, heads),
                |[q, k, v]| attention(q, k, v, heads),
            );
            // Averages of up to 200 numbers, and sums of them over as many tokens.
            for (ours, theirs) in ours.iter().zip(&theirs) {
                close_f32(ours, theirs, Tol::absolute(2e-5));
            }
            let qkv = draw([n, t, 3 * d], seed.child("qkv"));
            let apart = |[x]: [Tensor<3>; 1]| {
                let [q, k, v] = x.chunk(3, 2).try_into().unwrap();
                plain(q, k, v, heads)
            };
            let (theirs, ours) = plain_and_ours([qkv], apart, |[x]| self_attention(x, heads));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                close_f32(ours, theirs, Tol::absolute(2e-5)); // As above.
            }
        }
    }

    /// The law in double precision, for central differences: two tokens look at three, one head of
    /// two features.
    fn objective([q, k, v]: &[Vec<f64>; 3], dy: &[f64]) -> f64 {
        let mut total = 0.0;
        for t in 0..2 {
            let score =
                |s: usize| (q[2 * t] * k[2 * s] + q[2 * t + 1] * k[2 * s + 1]) / 2f64.sqrt();
            let sum: f64 = (0..3).map(|s| score(s).exp()).sum();
            for s in 0..3 {
                let weight = score(s).exp() / sum;
                total += weight * (v[2 * s] * dy[2 * t] + v[2 * s + 1] * dy[2 * t + 1]);
            }
        }
        total
    }

    #[test]
    fn gradients_agree_with_differences_in_double_precision() {
        let [q, k, v] = [("q", 2), ("k", 3), ("v", 3)]
            .map(|(name, t)| draw([1, t, 2], Seed::root(2).child(name)));
        let leaves = [leaf(&q), leaf(&k), leaf(&v)];
        let [a, b, c] = leaves.clone();
        let grads = pull(&attention(a, b, c, 1));
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        let dy = wide(numbers(draw([1, 2, 2], Seed::root(77))));
        let parts = [q, k, v].map(|x| wide(numbers(x)));
        for (part, leaf) in leaves.into_iter().enumerate() {
            for (i, got) in numbers(leaf.grad(&grads).unwrap()).into_iter().enumerate() {
                let at = |step: f64| {
                    let mut parts = parts.clone();
                    parts[part][i] += step;
                    objective(&parts, &dy)
                };
                let want = (at(1e-5) - at(-1e-5)) / 2e-5;
                // Ours is in single precision; the differences are good to 1e-9.
                close(f64::from(got), want, Tol::absolute(2e-6).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let x = draw([5, 33, 36], Seed::root(3));
        on_threads(|| {
            let x = leaf(&x);
            let grads = pull(&self_attention(x.clone(), 3));
            numbers(x.grad(&grads).unwrap())
        });
    }
}
