//! The Gaussian error linear unit (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2) as one
//! node of the graph. It remembers its input only.

use std::ops::Range;

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Tensor, activation};
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::vector::{exp, vectorised};

/// Which form of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gelu {
    /// `x Phi(x)` with the normal distribution function `Phi`.
    Exact,
    /// `x sigmoid(1.702 x)`, the paper's approximation, which CLIP was trained with.
    Quick,
}

/// Numbers per piece of work.
const PIECE: usize = 1 << 14;

/// Returns the unit of every number.
pub fn gelu<const D: usize>(x: Tensor<D>, form: Gelu) -> Tensor<D> {
    let Some(operands) = Operands::new([take(&x)]) else {
        return plain(x, form);
    };
    let [host] = operands.hosts.clone();
    let out = changed(host.numbers(), |_, x| in_place(x, form));
    operands.output(Unit, (host, form), flex_tensor(out, x.dims()))
}

/// The same by burn's own operators.
fn plain<const D: usize>(x: Tensor<D>, form: Gelu) -> Tensor<D> {
    match form {
        Gelu::Exact => activation::gelu(x),
        Gelu::Quick => x.clone() * activation::sigmoid(x * QUICK),
    }
}

/// Returns a copy of which `change(range, numbers)` has changed every piece.
fn changed(x: &[f32], change: impl Fn(Range<usize>, &mut [f32]) + Sync) -> Vec<f32> {
    let mut out = Fresh::new(x.len());
    out.pieces(PIECE).enumerate().for_each(|(i, out)| {
        let piece = i * PIECE..i * PIECE + out.len();
        out.copy_from_slice(&x[piece.clone()]);
        change(piece, out);
    });
    out.numbers()
}

#[derive(Debug)]
struct Unit;

impl Backward<Flex, 1> for Unit {
    type State = (Host, Gelu);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let shape = dy.layout().shape().clone();
        let dy = Host::new(dy);
        let (x, form) = &ops.state;
        let dx = changed(dy.numbers(), |piece, dx| backward(&x.numbers()[piece], dx, *form));
        let dx = burn::tensor::TensorData::new(dx, shape);
        grads.register::<Flex>(node.id, burn_flex::FlexTensor::from_data(dx));
    }
}

const QUICK: f32 = 1.702;

/// Returns the normal distribution function, by `erfc(z) = t exp(-z^2 + P(t))` with
/// `t = 1 / (1 + z / 2)` and Chebyshev's best `P`: a relative error of 1.2e-7 for all z >= 0 (Press
/// et al., Numerical Recipes, 2nd edition, section 6.2), so that small values are as exact.
#[inline(always)]
fn phi(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let mut p = 0.170_872_77;
    for c in [
        -0.822_152_23,
        1.488_515_9,
        -1.135_204,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_7,
        -1.265_512_2,
    ] {
        p = p * t + c;
    }
    let tail = 0.5 * t * exp(p - z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[inline(always)]
fn in_place_loop(x: &mut [f32], form: Gelu) {
    match form {
        Gelu::Exact => x.iter_mut().for_each(|x| *x *= phi(*x)),
        Gelu::Quick => x.iter_mut().for_each(|x| *x /= 1.0 + exp(-QUICK * *x)),
    }
}

#[inline(always)]
fn backward_loop(x: &[f32], dx: &mut [f32], form: Gelu) {
    const DENSITY: f32 = 0.398_942_3; // 1 / sqrt(2 pi)
    match form {
        Gelu::Exact => {
            for (dx, x) in dx.iter_mut().zip(x) {
                *dx *= phi(*x) + x * (DENSITY * exp(-0.5 * x * x));
            }
        }
        Gelu::Quick => {
            for (dx, x) in dx.iter_mut().zip(x) {
                let e = exp(-QUICK * x);
                let s = 1.0 / (1.0 + e);
                *dx *= s * (1.0 + QUICK * x * (e * s)); // e s = 1 - s, without its cancellation.
            }
        }
    }
}

vectorised!(
    /// Replaces numbers by their unit.
    pub(super) in_place = in_place_loop, (x: &mut [f32], form: Gelu));
vectorised!(backward = backward_loop, (x: &[f32], dx: &mut [f32], form: Gelu));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, numbers, on_threads, plain_and_ours};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    const FORMS: [Gelu; 2] = [Gelu::Exact, Gelu::Quick];

    #[test]
    fn equals_the_plain_operator() {
        for (i, length) in [1, 2, 15, 16, 17, 1000, 40_000].into_iter().enumerate() {
            for form in FORMS {
                let x = draw([length], Seed::root(1).index(i as u64)) * 4.0;
                let (theirs, ours) = plain_and_ours([x], |[x]| plain(x, form), |[x]| gelu(x, form));
                // Both round a handful of times; values and slopes times a drawn number are of
                // size 20.
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    close_f32(ours, theirs, Tol::absolute(1e-6).or_relative(1e-6));
                }
            }
        }
    }

    /// Returns the error function in double precision, by its power series.
    fn erf_series(x: f64) -> f64 {
        if x.abs() > 4.2 {
            return x.signum(); // Within 3e-9; the series loses as much there.
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn agrees_with_double_precision() {
        let x: Vec<f32> = (-4000..=4000).map(|i| i as f32 / 500.0).collect();
        let wide = |f: &dyn Fn(f64) -> f64| -> Vec<f32> {
            x.iter().map(|x| f(f64::from(*x)) as f32).collect()
        };
        let phi = |x: f64| 0.5 * (1.0 + erf_series(x * std::f64::consts::FRAC_1_SQRT_2));
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-1.702 * x).exp());
        let exact = [&|x| x * phi(x), &|x| phi(x) + x * density(x)] as [&dyn Fn(f64) -> f64; 2];
        let quick = [&|x| x * sigmoid(x), &|x| sigmoid(x) * (1.0 + 1.702 * x * (1.0 - sigmoid(x)))]
            as [&dyn Fn(f64) -> f64; 2];
        for (form, [law, slope]) in FORMS.into_iter().zip([exact, quick]) {
            let (mut out, mut dx) = (x.clone(), vec![1.0; x.len()]);
            in_place(&mut out, form);
            backward(&x, &mut dx, form);
            // A handful of roundings; the series is good to 1e-8 times |x|.
            close_f32(&out, &wide(law), Tol::absolute(3e-7).or_relative(4e-7));
            close_f32(&dx, &wide(slope), Tol::absolute(6e-7));
        }
    }

    #[test]
    fn loops_are_the_same_on_every_instruction_set() {
        let x = numbers(draw([1003], Seed::root(2).child("x")) * 10.0);
        let dy = numbers(draw([1003], Seed::root(2).child("dy")));
        let bits = |start: &[f32], run: &dyn Fn(&mut [f32])| {
            let mut out = start.to_vec();
            run(&mut out);
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        for form in FORMS {
            let ours = bits(&x, &|x| in_place(x, form));
            assert_eq!(ours, bits(&x, &|x| in_place_loop(x, form)));
            let ours = bits(&dy, &|dy| backward(&x, dy, form));
            assert_eq!(ours, bits(&dy, &|dy| backward_loop(&x, dy, form)));
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let x = draw([100_000], Seed::root(4));
        on_threads(|| numbers(gelu(x.clone(), Gelu::Exact)));
    }
}
