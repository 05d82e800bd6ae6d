//! The sigmoid linear unit, `x * sigmoid(x)` (Hendrycks & Gimpel 2016, arXiv:1606.08415, section
//! 2), as one node of the graph. It remembers its input only.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Tensor, activation};
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;
use super::vector::{self, vectorised};

/// Numbers per piece of work.
const PIECE: usize = 1 << 14;

/// Returns `x * sigmoid(x)` of every number.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let Some(operands) = Operands::new([take(&x)]) else {
        return activation::silu(x);
    };
    let [host] = operands.hosts.clone();
    let mut out = Fresh::new(host.numbers().len());
    out.pieces(PIECE).zip(host.numbers().par_chunks(PIECE)).for_each(|(out, x)| forward(x, out));
    operands.output(Silu, host, flex_tensor(out.numbers(), x.dims()))
}

#[derive(Debug)]
struct Silu;

impl Backward<Flex, 1> for Silu {
    type State = Host;

    fn backward(self, ops: Ops<Host, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let shape = dy.layout().shape().clone();
        let dy = Host::new(dy);
        let mut dx = Fresh::new(dy.numbers().len());
        dx.pieces(PIECE)
            .zip(ops.state.numbers().par_chunks(PIECE))
            .zip(dy.numbers().par_chunks(PIECE))
            .for_each(|((dx, x), dy)| backward(x, dy, dx));
        let dx = burn::tensor::TensorData::new(dx.numbers(), shape);
        grads.register::<Flex>(node.id, burn_flex::FlexTensor::from_data(dx));
    }
}

#[inline(always)]
fn forward_loop(x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = vector::silu(*x);
    }
}

#[inline(always)]
fn backward_loop(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
        *dx = dy * vector::silu_slope(*x);
    }
}

vectorised!(forward = forward_loop, (x: &[f32], out: &mut [f32]));
vectorised!(backward = backward_loop, (x: &[f32], dy: &[f32], dx: &mut [f32]));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, numbers, on_threads, plain_and_ours};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};
    use burn::tensor::Device;

    #[test]
    fn equals_the_plain_operator() {
        for (i, length) in [1, 2, 15, 16, 17, 1000, 40_000].into_iter().enumerate() {
            let x = draw([length], Seed::root(1).index(i as u64)) * 4.0;
            let (theirs, ours) = plain_and_ours([x], |[x]| activation::silu(x), |[x]| silu(x));
            // Both round a handful of times; slopes and values are of size 10.
            for (ours, theirs) in ours.iter().zip(&theirs) {
                close_f32(ours, theirs, Tol::absolute(1e-6).or_relative(1e-6));
            }
        }
    }

    #[test]
    fn agrees_with_double_precision() {
        let x: Vec<f32> = (-2000..=2000).map(|i| i as f32 / 50.0).collect();
        let wide = |f: fn(f64) -> f64| x.iter().map(|x| f(f64::from(*x)) as f32).collect();
        let value: Vec<f32> = wide(|x| x / (1.0 + (-x).exp()));
        let slope: Vec<f32> = wide(|x| {
            let step = 1e-5;
            let f = |x: f64| x / (1.0 + (-x).exp());
            (f(x + step) - f(x - step)) / (2.0 * step)
        });
        let (mut out, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        forward(&x, &mut out);
        backward(&x, &vec![1.0; x.len()], &mut dx);
        close_f32(&out, &value, Tol::absolute(1e-30).or_relative(5e-7)); // Four roundings.
        close_f32(&dx, &slope, Tol::absolute(5e-7)); // The same, and central differences.
    }

    #[test]
    fn loops_are_the_same_on_every_instruction_set() {
        let x = numbers(draw([1003], Seed::root(2).child("x")) * 10.0);
        let dy = numbers(draw([1003], Seed::root(2).child("dy")));
        let bits = |run: &dyn Fn(&mut [f32])| {
            let mut out = vec![0.0; x.len()];
            run(&mut out);
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(bits(&|out| forward(&x, out)), bits(&|out| forward_loop(&x, out)));
        assert_eq!(bits(&|out| backward(&x, &dy, out)), bits(&|out| backward_loop(&x, &dy, out)));
    }

    #[test]
    fn a_view_is_taken_as_it_looks() {
        let x = draw([6, 5], Seed::root(3));
        let view = || x.clone().transpose().narrow(0, 1, 3);
        let device = Device::flex();
        let copy = Tensor::from_data(view().into_data(), &device);
        assert_eq!(numbers(silu(view())), numbers(silu::<2>(copy)));
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let x = draw([100_000], Seed::root(4));
        on_threads(|| numbers(silu(x.clone())));
    }
}
