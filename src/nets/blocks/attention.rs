//! Attention between tokens.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::ops::AttentionModuleOptions;

/// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, Eq. 1), one per head:
/// `softmax(q k^T / sqrt(d)) v`. Returns `[n, heads, t, d]` for queries of `t` tokens; keys and
/// values may have another number of tokens.
pub fn attention(queries: Tensor<4>, keys: Tensor<4>, values: Tensor<4>) -> Tensor<4> {
    // The backend's own kernel, which never holds all scores at once, knows no gradient.
    if !queries.device().is_autodiff() {
        let options = AttentionModuleOptions::default();
        return burn::tensor::module::attention(queries, keys, values, None, None, options);
    }
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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    /// 576 tokens: beyond the size up to which the backend's kernel holds all scores at once.
    #[test]
    fn with_and_without_gradients_the_same() {
        let shape = [1, 3, 576, 4];
        let draw = |name: &str, device: &Device| {
            let values = Seed::root(1).child(name).stream().normals(shape.iter().product());
            Tensor::<4>::from_data(TensorData::new(values, shape), device)
        };
        let run = |device: &Device| -> Vec<f32> {
            let [q, k, v] = ["q", "k", "v"].map(|name| draw(name, device));
            attention(q, k, v).into_data().try_into_vec().unwrap()
        };
        // Averages of 576 numbers near 1, in single precision.
        close_f32(&run(&Device::flex()), &run(&Device::flex().autodiff()), Tol::absolute(1e-5));
    }
}
