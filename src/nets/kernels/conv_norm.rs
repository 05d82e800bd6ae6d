//! Convolution, a norm by known statistics and ReLU in one go, outside of a graph.
//!
//! The sums of a tile of the convolution ([`panels`](super::panels)) are normed and rectified
//! before they are written, once. Within a graph and for grouped convolutions the operators one
//! after the other serve.

use burn::tensor::Tensor;

use super::batch_norm::{Affine, Finish, batch_norm, known_channels};
use super::convolution::{Geometry, conv2d, correlated, shape};
use super::flex::{Operands, flex_tensor, take};
use super::tile;

/// A norm by known statistics.
#[derive(Clone, Debug)]
pub struct KnownNorm {
    /// `[c]`.
    pub mean: Tensor<1>,
    /// `[c]`.
    pub variance: Tensor<1>,
    /// Scale, shift and epsilon.
    pub affine: Affine,
}

/// Returns the ReLU of the norm of the cross-correlation of `x` `[n, c, h, w]` with `weight`
/// `[o, c / groups, kh, kw]`.
pub fn conv_norm_relu(
    x: Tensor<4>,
    weight: Tensor<4>,
    geometry: Geometry,
    norm: KnownNorm,
) -> Tensor<4> {
    if let Some(out) = run(&x, &weight, geometry, &norm) {
        return out;
    }
    let KnownNorm { mean, variance, affine } = norm;
    let out = conv2d(x, weight, None, geometry);
    batch_norm(out, [mean, variance], affine, Finish::Relu)
}

fn run(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    geometry: Geometry,
    norm: &KnownNorm,
) -> Option<Tensor<4>> {
    if geometry.groups != 1 {
        return None;
    }
    let maps = Operands::new([take(x), take(weight)]).filter(|it| !it.tracked())?;
    let channels = [&norm.mean, &norm.variance, &norm.affine.weight, &norm.affine.bias];
    let channels = Operands::new(channels.map(take)).filter(|it| !it.tracked())?;
    let channels = channels.hosts.each_ref().map(|host| host.numbers());
    let channels = known_channels(channels, norm.affine.epsilon);
    let [x, weight] = &maps.hosts;
    let s = shape(x, weight, geometry);
    let finish = tile::Finish::NormRelu(&channels);
    let out = correlated(x.numbers(), weight.numbers(), (&s, 1), finish);
    Some(maps.constant(flex_tensor(out, [s.n, s.outputs, s.out_h, s.out_w])))
}

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, numbers, on_threads};
    use super::*;
    use crate::terms::{Precision, Seed};
    use crate::testing::{Tol, close_f32};

    /// `[n, inputs, h, w, outputs]`, then height and width of the kernel, stride, and padding in
    /// both directions.
    const CASES: [[usize; 10]; 9] = [
        [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
        [2, 3, 5, 7, 4, 3, 3, 1, 1, 1],
        [2, 9, 17, 17, 11, 1, 7, 1, 0, 3],
        [2, 8, 17, 17, 16, 7, 1, 1, 3, 0],
        [3, 4, 9, 8, 21, 3, 3, 2, 0, 0],
        [2, 5, 8, 8, 8, 1, 1, 1, 0, 0],
        [1, 2, 41, 40, 3, 5, 5, 1, 2, 2],
        [2, 30, 35, 33, 9, 1, 1, 1, 0, 0],
        [1, 300, 13, 13, 24, 3, 3, 1, 1, 1],
    ];

    fn parts(i: usize) -> (Tensor<4>, Tensor<4>, Geometry, KnownNorm) {
        let [n, c, h, w, o, kernel_h, kernel_w, stride, above, left] = CASES[i];
        let seed = |name: &str| Seed::root(8).index(i as u64).child(name);
        let affine =
            Affine { weight: draw([o], seed("scale")), bias: draw([o], seed("b")), epsilon: 1e-3 };
        let variance = draw([o], seed("variance")).abs() + 0.5;
        let norm = KnownNorm { mean: draw([o], seed("mean")), variance, affine };
        let scale = 1.0 / ((c * kernel_h * kernel_w) as f64).sqrt();
        let weight = draw([o, c, kernel_h, kernel_w], seed("w")) * scale;
        let precision = Precision::F32;
        let geometry = Geometry { stride, padding: [above, left], groups: 1, precision };
        (draw([n, c, h, w], seed("x")), weight, geometry, norm)
    }

    #[test]
    fn equals_the_operators_one_after_the_other() {
        for i in 0..CASES.len() {
            let (x, weight, geometry, norm) = parts(i);
            let ours = conv_norm_relu(x.clone(), weight.clone(), geometry, norm.clone());
            let plain = conv2d(x, weight, None, geometry);
            let KnownNorm { mean, variance, affine } = norm;
            let plain = batch_norm(plain, [mean, variance], affine, Finish::Relu);
            assert_eq!(ours.dims(), plain.dims());
            // Sums of up to 2,700 products with a deviation of about 1, in another order.
            let tol = Tol::absolute(1e-5).or_relative(1e-5);
            close_f32(&numbers(ours), &numbers(plain), tol);
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        on_threads(|| {
            let (x, weight, geometry, norm) = parts(2);
            numbers(conv_norm_relu(x, weight, geometry, norm))
        });
    }
}
