//! A tensor that two branches use, such as a residual block and its shortcut.
//!
//! The graph adds the gradients of two uses by burn's operator, on one thread while the others
//! wait. A fork gives each branch a node of its own; the gradient that comes first waits for the
//! second, and both are added on all threads.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{Host, Operands, take};

/// Numbers per piece of work.
const PIECE: usize = 1 << 15;

/// Returns the tensor for two branches, both of which must lead to the loss, if either does.
pub fn fork(x: Tensor<4>) -> [Tensor<4>; 2] {
    let waiting = Waiting::default();
    let branch = || {
        let operands = Operands::new([take(&x)]).filter(Operands::tracked)?;
        let same = operands.hosts[0].clone().into_tensor();
        Some(operands.output(Branch, waiting.clone(), same))
    };
    match [branch(), branch()] {
        [Some(a), Some(b)] => [a, b],
        _ => [x.clone(), x],
    }
}

/// The gradient of the branch that is done.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<Option<FlexTensor>>>);

#[derive(Debug)]
struct Branch;

impl Backward<Flex, 1> for Branch {
    type State = Waiting;

    fn backward(self, ops: Ops<Waiting, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        let waiting = || ops.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A sum runs outside of the lock: a thread that waits for the pool takes up other work.
        let first = waiting().take();
        match first {
            None => *waiting() = Some(dy),
            Some(first) => grads.register::<Flex>(node.id, sum(first, dy)),
        }
    }
}

/// Adds the second to the first where that lies.
fn sum(first: FlexTensor, second: FlexTensor) -> FlexTensor {
    let second = Host::new(second);
    let mut first = Host::new(first).into_tensor();
    let pieces = first.storage_mut::<f32>().par_chunks_mut(PIECE);
    pieces.zip(second.numbers().par_chunks(PIECE)).for_each(|(first, second)| {
        first.iter_mut().zip(second).for_each(|(sum, x)| *sum += x);
    });
    first
}

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, leaf, numbers, plain_and_ours};
    use super::*;
    use crate::terms::Seed;

    /// To the bit: a sum of two numbers has no order.
    #[test]
    fn gradients_are_those_of_two_uses() {
        let x = draw([3, 4, 5, 6], Seed::root(3));
        let (theirs, ours) = plain_and_ours(
            [x],
            |[x]: [Tensor<4>; 1]| x.clone() * 3.0 + x.sin(),
            |[x]: [Tensor<4>; 1]| {
                let [a, b] = fork(x);
                a * 3.0 + b.sin()
            },
        );
        assert_eq!(ours, theirs);
    }

    /// A branch that adds its input itself hands its gradient on as it is.
    #[test]
    fn shared_and_chained_gradients_add_up() {
        let x = leaf(&draw([1, 2, 3, 4], Seed::root(9)));
        let mut y = x.clone();
        for _ in 0..3 {
            let [a, b] = fork(y);
            y = a + b;
        }
        let gradients = y.sum().backward();
        assert_eq!(numbers(x.grad(&gradients).unwrap()), [8.0; 24]);
    }
}
