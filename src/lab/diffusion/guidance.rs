//! Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598): `u + g (c - u)`, 1 is off.
//!
//! Clean picture, noise and velocity are affine in each other at a given `(x, sigma)`, and the
//! weights `g` and `1 - g` sum to 1: guiding any of the three is the same.
// DIFFERS: Ho and Salimans print (1 + w) c - w u. That is g = 1 + w; numbers are converted where
// they enter.

use burn::tensor::Tensor;

use super::Denoiser;

/// Two denoisers, one told the condition and one not, combined.
pub struct Guided<'a> {
    /// Knows the condition.
    pub conditional: &'a dyn Denoiser,
    /// Does not know it. Never called when `guidance` is 1.
    pub unconditional: &'a dyn Denoiser,
    /// The weight `g`; 1 is off.
    pub guidance: f64,
}

impl Denoiser for Guided<'_> {
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4> {
        let conditional = self.conditional.denoise(x.clone(), sigma);
        if is_off(self.guidance) {
            return conditional;
        }
        guide(conditional, self.unconditional.denoise(x, sigma), self.guidance)
    }
}

/// Returns `u + g (c - u)` of two outputs of the same kind; with `g = 1`, `c` to the last bit.
pub fn guide(conditional: Tensor<4>, unconditional: Tensor<4>, guidance: f64) -> Tensor<4> {
    if is_off(guidance) {
        return conditional;
    }
    unconditional.clone() + (conditional - unconditional) * guidance
}

/// Returns the guided output of one network call for both halves: `[2n, c, h, w]`, unconditional
/// pictures first (as diffusers stacks them), becomes `[n, c, h, w]`.
///
/// # Panics
/// If the number of pictures is odd.
pub fn guide_stacked(both: Tensor<4>, guidance: f64) -> Tensor<4> {
    let [twice, ..] = both.dims();
    assert_eq!(twice % 2, 0, "unconditional and conditional pictures come in pairs");
    let n = twice / 2;
    guide(both.clone().narrow(0, n, n), both.narrow(0, 0, n), guidance)
}

#[expect(clippy::float_cmp, reason = "exactly 1 means off; a number near 1 does not")]
fn is_off(guidance: f64) -> bool {
    guidance == 1.0
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::super::Prediction;
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    fn pictures(purpose: &str) -> Tensor<4> {
        let values = Seed::root(4).child(purpose).stream().normals(8);
        Tensor::from_data(TensorData::new(values, [2, 1, 2, 2]), &Device::flex())
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn one_is_off_and_zero_is_unconditional() {
        let conditional = |_: Tensor<4>, _: f64| pictures("c");
        let never = |_: Tensor<4>, _: f64| -> Tensor<4> { panic!("called without need") };
        let off = Guided { conditional: &conditional, unconditional: &never, guidance: 1.0 };
        assert_eq!(values(off.denoise(pictures("x"), 1.0)), values(pictures("c")));
        let zero = guide(pictures("c"), pictures("u"), 0.0);
        assert_eq!(values(zero), values(pictures("u")));
    }

    #[test]
    fn two_calls_are_one_stacked_call() {
        let conditional = |_: Tensor<4>, _: f64| pictures("c");
        let unconditional = |_: Tensor<4>, _: f64| pictures("u");
        let guided =
            Guided { conditional: &conditional, unconditional: &unconditional, guidance: 2.5 };
        let both = Tensor::cat(vec![pictures("u"), pictures("c")], 0);
        let want = values(guided.denoise(pictures("x"), 1.0));
        assert_eq!(values(guide_stacked(both, 2.5)), want);
        // Written out, in f32 in another order.
        let (c, u) = (values(pictures("c")), values(pictures("u")));
        let formula: Vec<f32> = c.iter().zip(&u).map(|(c, u)| 2.5 * c - 1.5 * u).collect();
        close_f32(&want, &formula, Tol::absolute(2e-6));
    }

    #[test]
    fn any_prediction_may_be_guided() {
        for kind in [Prediction::Noise, Prediction::Clean, Prediction::Velocity] {
            for sigma in [0.05, 1.0, 9.0] {
                let clean = |output| kind.clean(pictures("x"), output, sigma);
                let outputs_guided = clean(guide(pictures("c"), pictures("u"), 3.0));
                let pictures_guided = guide(clean(pictures("c")), clean(pictures("u")), 3.0);
                // f32: numbers of size g * sigma are added.
                let tol = Tol::absolute(3e-6 * (1.0 + sigma));
                close_f32(&values(outputs_guided), &values(pictures_guided), tol);
            }
        }
    }
}
