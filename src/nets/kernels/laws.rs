//! What the laws of all operators share: drawn tensors, and gradients of two operators side by
//! side.

use burn::tensor::{Device, Tensor, TensorData};

use crate::terms::Seed;

/// Draws standard normal numbers on the CPU, outside of any graph.
pub(super) fn draw<const D: usize>(shape: [usize; D], seed: Seed) -> Tensor<D> {
    let values = seed.stream().normals(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

pub(super) fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec::<f32>().unwrap()
}

/// Moves a tensor into a new graph, as a leaf.
pub(super) fn leaf<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(x.clone().into_data(), &Device::flex().autodiff()).require_grad()
}

/// Pulls the output back by drawn gradients.
pub(super) fn pull<const D: usize>(out: &Tensor<D>) -> burn::tensor::Gradients {
    let dy = draw(out.dims(), Seed::root(77));
    let dy = Tensor::from_data(dy.into_data(), &out.device());
    (out.clone() * dy).sum().backward()
}

/// Returns the output outside of a graph, the output in a graph and the gradients, first of the
/// plain operator and then of ours.
pub(super) fn plain_and_ours<const D: usize, const E: usize, const N: usize>(
    inputs: [Tensor<D>; N],
    plain: impl Fn([Tensor<D>; N]) -> Tensor<E>,
    ours: impl Fn([Tensor<D>; N]) -> Tensor<E>,
) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let run = |operator: &dyn Fn([Tensor<D>; N]) -> Tensor<E>| {
        let leaves = inputs.clone().map(|x| leaf(&x));
        let out = operator(leaves.clone());
        let grads = pull(&out);
        let mut parts = vec![numbers(operator(inputs.clone())), numbers(out.detach())];
        parts.extend(leaves.map(|x| numbers(x.grad(&grads).unwrap())));
        parts
    };
    (run(&plain), run(&ours))
}

/// Asserts that one thread and three compute the same numbers.
pub(super) fn on_threads(run: impl Fn() -> Vec<f32> + Sync) {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(pool(1).install(&run)), bits(pool(3).install(&run)));
}

/// Every law of this room holds with the vectors of lesser processors: the tests run again, in
/// processes of their own, at each lower level.
#[test]
fn laws_hold_with_narrower_vectors() {
    let tests = std::env::current_exe().expect("a test runs from a file");
    for level in ["avx2", "plain"] {
        let run = std::process::Command::new(&tests)
            .args(["nets::kernels", "--skip", "narrower_vectors"])
            .env("ERSATZ_VECTORS", level)
            .output()
            .expect("the tests start again");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && !said.contains(" 0 passed"), "{level}: {said}");
    }
}
