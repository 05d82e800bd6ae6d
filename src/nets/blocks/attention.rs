//! Attention between tokens.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

/// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, Eq. 1), one per head:
/// `softmax(q k^T / sqrt(d)) v`. Returns `[n, heads, t, d]` for queries of `t` tokens; keys and values
/// may have another number of tokens.
pub fn attention(queries: Tensor<4>, keys: Tensor<4>, values: Tensor<4>) -> Tensor<4> {
    let [_, _, _, d] = queries.dims();
    let scale = 1.0 / (d as f64).sqrt();
    let scores = (queries * scale).matmul(keys.transpose()); // [n, heads, t, t']
    softmax(scores, 3).matmul(values)
}

/// Cuts `[n, t, d]` into `[n, heads, t, d / heads]`.
pub fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [n, t, d] = x.dims();
    x.reshape([n, t, heads, d / heads]).swap_dims(1, 2)
}

/// Puts `[n, heads, t, d]` together to `[n, t, heads * d]`.
pub fn join_heads(x: Tensor<4>) -> Tensor<3> {
    let [n, heads, t, d] = x.dims();
    x.swap_dims(1, 2).reshape([n, t, heads * d])
}
