//! The affine map `y = x W^T + b` as one node of the graph, by the products of
//! [`dense`](super::dense): a row's numbers do not depend on the rows beside it.
//!
//! Backward, `dx = dy W`, `dW = dy^T x`, and `db` sums `dy` over the rows.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::channels::narrow;
use super::dense::{self, Interleaved, Weight};
use super::flex::{Host, Operands, flex_tensor, take};
use super::fresh::zeros;
use super::pairs::rounded;
use super::vector::vectorised;
use crate::terms::Precision;

/// Rows whose gradients are summed together.
const PIECE: usize = 64;

/// Returns `[..., outputs]` for `[..., inputs]`, a weight `[outputs, inputs]` and a bias
/// `[outputs]`.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    precision: Precision,
) -> Tensor<D> {
    let done = match &bias {
        None => Operands::new([take(&x), take(&weight)]).map(|it| run::<D, 2>(it, precision)),
        Some(b) => {
            Operands::new([take(&x), take(&weight), take(b)]).map(|it| run::<D, 3>(it, precision))
        }
    };
    done.unwrap_or_else(|| plain(x, weight, bias, precision))
}

/// The same by burn's own operator.
// DIFFERS: the gradient of the output is not rounded here, those of the inputs are.
fn plain<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    precision: Precision,
) -> Tensor<D> {
    let weight = rounded(weight, precision).transpose();
    burn::tensor::module::linear(rounded(x, precision), weight, bias)
}

fn run<const D: usize, const N: usize>(operands: Operands<N>, precision: Precision) -> Tensor<D> {
    let [x, weight] = [0, 1].map(|i| operands.hosts[i].clone());
    let [outputs, inputs] = weight.dims();
    let rows = x.numbers().len() / inputs;
    let map = Weight {
        numbers: weight.numbers(),
        bias: operands.hosts.get(2).map(Host::numbers),
        outputs,
        inputs,
        transposed: false,
    };
    let mut left = Interleaved::default();
    left.fill([rows, inputs], precision, |first, to| {
        to.copy_from_slice(&x.numbers()[first * inputs..][..to.len()]);
    });
    let mut out = zeros(rows * outputs);
    dense::multiply(&left, map, &mut out, |new, old, _| old.copy_from_slice(new));
    let mut shape = x.dims::<D>();
    shape[D - 1] = outputs;
    operands.output(Linear::<D>, (x, weight, precision), flex_tensor(out, shape))
}

/// The operator over tensors of `D` axes.
#[derive(Debug)]
struct Linear<const D: usize>;

/// Parents are `x`, `weight` and, if `N` is 3, `bias`.
impl<const D: usize, const N: usize> Backward<Flex, N> for Linear<D> {
    type State = (Host, Host, Precision);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let (x, weight, precision) = &ops.state;
        let [outputs, inputs] = weight.dims();
        let rows = x.numbers().len() / inputs;
        let mut left = Interleaved::default();
        if let Some(Some(node)) = ops.parents.first() {
            left.fill([rows, outputs], *precision, |first, to| {
                to.copy_from_slice(&dy.numbers()[first * outputs..][..to.len()]);
            });
            let back = transposed(weight.numbers(), [inputs, outputs]);
            let mut dx = zeros(rows * inputs);
            dense::multiply(&left, back, &mut dx, |new, old, _| old.copy_from_slice(new));
            grads.register::<Flex>(node.id, flex_tensor(dx, x.dims::<D>()));
        }
        if let Some(Some(node)) = ops.parents.get(1) {
            left.fill_columns(outputs, dy.numbers(), *precision);
            let right = transposed(x.numbers(), [inputs, rows]);
            let mut dw = vec![0.0; outputs * inputs];
            dense::multiply(&left, right, &mut dw, |new, old, _| old.copy_from_slice(new));
            grads.register::<Flex>(node.id, flex_tensor(dw, [outputs, inputs]));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let db = column_sums(dy.numbers(), outputs);
            grads.register::<Flex>(node.id, flex_tensor(db, [outputs]));
        }
    }
}

/// The columns of a matrix as the rows of a weight.
fn transposed(numbers: &[f32], [outputs, inputs]: [usize; 2]) -> Weight<'_> {
    Weight { numbers, bias: None, outputs, inputs, transposed: true }
}

/// Returns the sums over rows of `width` numbers: pieces in single precision, then in double.
fn column_sums(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; rows.len().div_ceil(PIECE * width) * width];
    sums.par_chunks_mut(width)
        .zip(rows.par_chunks(PIECE * width))
        .for_each(|(sums, rows)| add_rows(rows, sums));
    let mut totals = vec![0.0; width];
    for piece in sums.chunks_exact(width) {
        totals.iter_mut().zip(piece).for_each(|(total, sum)| *total += f64::from(*sum));
    }
    narrow(totals)
}

#[inline(always)]
fn add_rows_loop(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
}

vectorised!(add_rows = add_rows_loop, (rows: &[f32], sums: &mut [f32]));

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, leaf, numbers, on_threads, pull};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close, close_f32};

    type Operator = fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>, Precision) -> Tensor<3>;

    struct Case {
        x: Tensor<3>,
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
    }

    fn case([n, t, inputs, outputs]: [usize; 4], bias: bool, seed: Seed) -> Case {
        Case {
            x: draw([n, t, inputs], seed.child("x")),
            weight: draw([outputs, inputs], seed.child("w")),
            bias: bias.then(|| draw([outputs], seed.child("b"))),
        }
    }

    /// Returns the output outside of a graph and in one, and the gradients.
    fn run(case: &Case, operator: Operator, precision: Precision) -> Vec<Vec<f32>> {
        let (x, weight, bias) = (leaf(&case.x), leaf(&case.weight), case.bias.as_ref().map(leaf));
        let out = operator(x.clone(), weight.clone(), bias.clone(), precision);
        let grads = pull(&out);
        let alone = operator(case.x.clone(), case.weight.clone(), case.bias.clone(), precision);
        let mut parts = vec![numbers(alone), numbers(out.detach())];
        parts.push(numbers(x.grad(&grads).unwrap()));
        parts.push(numbers(weight.grad(&grads).unwrap()));
        parts.extend(bias.map(|bias| numbers(bias.grad(&grads).unwrap())));
        parts
    }

    #[test]
    fn equals_the_plain_operator_forward_and_backward() {
        let shapes =
            [[1, 1, 1, 1], [2, 3, 5, 7], [1, 15, 33, 10], [3, 65, 48, 70], [2, 300, 17, 64]];
        for (i, shape) in shapes.into_iter().enumerate() {
            let case = case(shape, i % 2 == 0, Seed::root(1).index(i as u64));
            for (ours, theirs) in
                run(&case, linear, Precision::F32).iter().zip(run(&case, plain, Precision::F32))
            {
                // Sums of up to 600 products of standard normals, of size 25, in another order.
                close_f32(ours, &theirs, Tol::absolute(5e-5).or_relative(1e-5));
            }
        }
    }

    /// Products of rounded factors are those of single precision, and rounding is all that differs.
    #[test]
    fn factors_in_bfloat16_are_rounded_and_no_more() {
        let shapes = [[1, 1, 1, 1], [2, 3, 5, 7], [1, 15, 33, 10], [3, 65, 48, 70]];
        for (i, shape) in shapes.into_iter().enumerate() {
            let given = case(shape, false, Seed::root(4).index(i as u64));
            let round = |x: Tensor<3>| rounded(x, Precision::Bf16);
            let rounded = Case {
                x: round(given.x.clone()),
                weight: rounded(given.weight.clone(), Precision::Bf16),
                bias: None,
            };
            let ours = run(&given, linear, Precision::Bf16);
            assert_eq!(run(&rounded, linear, Precision::Bf16), ours, "{shape:?}");
            // The output, alone and in a graph. Sums of up to 48 products, in another order.
            for (ours, single) in ours[..2].iter().zip(run(&rounded, linear, Precision::F32)) {
                close_f32(ours, &single, Tol::absolute(1e-5));
            }
        }
    }

    /// The law in double precision, for differences.
    fn objective([x, weight, bias]: &[Vec<f64>; 3], dy: &[f64]) -> f64 {
        let entry = |(i, dy): (usize, &f64)| {
            let (row, output) = (i / 2, i % 2);
            let product = (0..3).map(|k| x[row * 3 + k] * weight[output * 3 + k]).sum::<f64>();
            dy * (product + bias[output])
        };
        dy.iter().enumerate().map(entry).sum()
    }

    #[test]
    fn gradients_agree_with_differences_in_double_precision() {
        let case = case([2, 2, 3, 2], true, Seed::root(2));
        let got = run(&case, linear, Precision::F32);
        let wide = |x: Vec<f32>| x.into_iter().map(f64::from).collect::<Vec<_>>();
        let dy = wide(numbers(draw([2, 2, 2], Seed::root(77))));
        let bias = numbers(case.bias.unwrap());
        let parts = [numbers(case.x), numbers(case.weight), bias].map(wide);
        for (part, got) in got[2..].iter().enumerate() {
            for (i, got) in got.iter().enumerate() {
                let at = |step: f64| {
                    let mut parts = parts.clone();
                    parts[part][i] += step;
                    objective(&parts, &dy)
                };
                // The objective is linear in each number.
                let want = at(0.5) - at(-0.5);
                close(f64::from(*got), want, Tol::absolute(2e-6).or_relative(1e-6));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let case = case([4, 100, 48, 90], true, Seed::root(3));
        on_threads(|| run(&case, linear, Precision::F32).concat());
    }
}
