//! The shortcut without parameters of the residual nets for CIFAR (He et al. 2016,
//! arXiv:1512.03385, section 3.3, option A), as one node of the graph: every `stride`-th pixel of
//! each row and column, and zeros as new channels behind the old.
//!
//! burn takes a slice, zeros and their concatenation, whole batches on one thread, and back through
//! two more batches of zeros.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Slice, Tensor};
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::Fresh;

/// Returns `[n, channels, ceil(h / stride), ceil(w / stride)]` for `[n, c, h, w]`.
///
/// # Panics
/// If there are fewer channels than `c`.
pub fn strided_identity(x: Tensor<4>, stride: usize, channels: usize) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    assert!(c <= channels, "no channel is left out");
    let Some(operands) = Operands::new([take(&x)]) else {
        return plain(x, stride, channels);
    };
    let [host] = operands.hosts.clone();
    let sizes = Sizes { h, w, stride };
    let [out_h, out_w] = sizes.outputs();
    let mut out = Fresh::new(n * channels * out_h * out_w);
    let pictures = out.pieces(channels * out_h * out_w).zip(host.numbers().par_chunks(c * h * w));
    pictures.for_each(|(out, x)| {
        let planes = out.chunks_exact_mut(out_h * out_w).zip(x.chunks_exact(h * w));
        planes.for_each(|(out, x)| {
            sizes.visit(|row, source| {
                let numbers = x[source].iter().step_by(stride);
                out[row].iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
            });
        });
    });
    let out = flex_tensor(out.numbers(), [n, channels, out_h, out_w]);
    operands.output(StridedIdentity, (sizes, c), out)
}

/// The same by burn's own operators.
fn plain(x: Tensor<4>, stride: usize, channels: usize) -> Tensor<4> {
    let step = Slice::new(0, None, stride as isize);
    let x = x.slice([Slice::full(), Slice::full(), step, step]);
    let [n, c, h, w] = x.dims();
    let zeros = Tensor::zeros([n, channels - c, h, w], &x.device());
    Tensor::cat(vec![x, zeros], 1)
}

/// The sizes of a plane.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    h: usize,
    w: usize,
    stride: usize,
}

impl Sizes {
    fn outputs(self) -> [usize; 2] {
        [self.h, self.w].map(|length| length.div_ceil(self.stride))
    }

    /// Calls with where a row of outputs lies, and the row of the picture that it comes from.
    fn visit(self, mut row: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        let [out_h, out_w] = self.outputs();
        for i in 0..out_h {
            let start = i * self.stride * self.w;
            row(i * out_w..(i + 1) * out_w, start..start + self.w);
        }
    }
}

#[derive(Debug)]
struct StridedIdentity;

impl Backward<Flex, 1> for StridedIdentity {
    type State = (Sizes, usize);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let (sizes, c) = ops.state;
        let [n, channels, out_h, out_w] = dy.dims();
        let Sizes { h, w, stride } = sizes;
        let mut dx = Fresh::new(n * c * h * w);
        let pulled = dy.numbers().par_chunks(channels * out_h * out_w);
        dx.pieces(c * h * w).zip(pulled).for_each(|(dx, dy)| {
            let planes = dx.chunks_exact_mut(h * w).zip(dy.chunks_exact(out_h * out_w));
            planes.for_each(|(dx, dy)| {
                sizes.visit(|row, source| {
                    let targets = dx[source].iter_mut().step_by(stride);
                    targets.zip(&dy[row]).for_each(|(to, from)| *to = *from);
                });
            });
        });
        grads.register::<Flex>(node.id, flex_tensor(dx.numbers(), [n, c, h, w]));
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, plain_and_ours};
    use super::*;
    use crate::terms::Seed;

    /// To the bit: numbers only move.
    #[test]
    fn equals_the_plain_operators() {
        let cases = [
            ([1, 1, 1, 1], 2, 1),
            ([2, 3, 8, 8], 2, 6),
            ([3, 2, 7, 9], 2, 5),
            ([1, 4, 5, 4], 3, 4),
            ([2, 1, 6, 6], 1, 3),
        ];
        for (i, (shape, stride, channels)) in cases.into_iter().enumerate() {
            let x = draw(shape, Seed::root(4).index(i as u64));
            let (theirs, ours) = plain_and_ours(
                [x],
                |[x]: [Tensor<4>; 1]| plain(x, stride, channels),
                |[x]: [Tensor<4>; 1]| strided_identity(x, stride, channels),
            );
            assert_eq!(ours, theirs, "{shape:?}");
        }
    }
}
