//! Milliseconds of our operators beside those of plain burn-flex on the CPU, forward and backward:
//! the best of several rounds, in which both take turns.
//!
//! `cargo bench --bench operators`, or for some of them
//! `cargo bench --bench operators -- convolution`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use burn::tensor::activation::{relu, silu as plain_silu};
use burn::tensor::module::batch_norm_train as plain_batch_norm;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData, module};
use ersatz::nets::kernels::{
    Activation, Affine, Finish, Geometry, Grouping, batch_norm_train, conv2d, group_norm, silu,
};
use ersatz::terms::{Precision, Seed};

const ROUNDS: usize = 15;

fn main() {
    println!(
        "{:<22}{:<26}{:>9}{:>9}{:>9}{:>9}{:>7}{:>7}",
        "operator", "shape", "forward", "plain", "backward", "plain", "ratio", "ratio"
    );
    for shape in [[64, 32, 8, 8], [64, 64, 4, 4], [64, 16, 32, 32]] {
        pointwise(shape);
        norms(shape);
    }
    // [n, inputs, pixels, outputs, kernel, stride]
    for case in [
        [64, 16, 32, 16, 3, 1],
        [64, 32, 16, 32, 3, 1],
        [64, 64, 8, 64, 3, 1],
        [64, 16, 32, 32, 3, 2],
        [64, 32, 8, 32, 3, 1],
        [64, 64, 4, 64, 3, 1],
        [64, 128, 4, 64, 3, 1],
        [64, 3, 32, 16, 3, 1],
        [64, 64, 8, 32, 1, 1],
        [16, 64, 56, 64, 3, 1],
        [8, 256, 14, 256, 3, 1],
    ] {
        convolution(case);
    }
}

fn draw<const D: usize>(shape: [usize; D], name: &str) -> Tensor<D> {
    let values = Seed::root(1).child(name).stream().normals(shape.iter().product());
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

type Operator<'a> = &'a dyn Fn() -> Tensor<4>;

fn compare(name: &str, shape: &str, ours: Operator<'_>, plain: Operator<'_>) {
    if std::env::args().skip(1).any(|word| !word.starts_with("--") && !name.contains(&word)) {
        return;
    }
    let mut best = [[f64::INFINITY; 2]; 2];
    for _ in 0..ROUNDS {
        for (best, operator) in best.iter_mut().zip([ours, plain]) {
            let start = Instant::now();
            let out = operator();
            let half = Instant::now();
            std::hint::black_box(out.backward());
            let (forward, backward) = (half - start, half.elapsed());
            *best = [best[0].min(forward.as_secs_f64()), best[1].min(backward.as_secs_f64())];
        }
    }
    let [[forward, backward], [plain_forward, plain_backward]] =
        best.map(|pair| pair.map(|s| s * 1e3));
    println!(
        "{name:<22}{shape:<26}{forward:>9.3}{plain_forward:>9.3}{backward:>9.3}\
         {plain_backward:>9.3}\
         {:>7.1}{:>7.1}",
        plain_forward / forward,
        plain_backward / backward
    );
}

fn pointwise(shape: [usize; 4]) {
    let x = draw(shape, "x");
    let text = format!("{shape:?}");
    compare("silu", &text, &|| silu(x.clone()), &|| plain_silu(x.clone()));
}

fn norms(shape: [usize; 4]) {
    let c = shape[1];
    let text = format!("{shape:?}");
    let (x, r, weight, bias) = (draw(shape, "x"), draw(shape, "r"), draw([c], "w"), draw([c], "b"));
    let grouping = Grouping { groups: 8, epsilon: 1e-5, activation: Activation::Silu };
    compare(
        "group norm, silu",
        &text,
        &|| group_norm(x.clone(), weight.clone(), bias.clone(), grouping),
        &|| {
            let [n, c, h, w] = shape;
            let flat: Tensor<3> = x.clone().reshape([1, n * 8, c / 8 * h * w]);
            let unit = Tensor::ones([n * 8], &flat.device());
            let out = plain_batch_norm(flat, unit.clone(), unit * 0.0, 1e-5).output;
            let (weight, bias) = (weight.clone(), bias.clone());
            let z = out.reshape(shape) * weight.reshape([1, c, 1, 1]) + bias.reshape([1, c, 1, 1]);
            plain_silu(z)
        },
    );
    let affine = Affine { weight: weight.clone(), bias: bias.clone(), epsilon: 1e-5 };
    compare(
        "batch norm, relu",
        &text,
        &|| batch_norm_train(x.clone(), affine.clone(), Finish::Relu).output,
        &|| relu(plain_batch_norm(x.clone(), weight.clone(), bias.clone(), 1e-5).output),
    );
    compare(
        "batch norm, add, relu",
        &text,
        &|| batch_norm_train(x.clone(), affine.clone(), Finish::AddRelu(r.clone())).output,
        &|| {
            relu(plain_batch_norm(x.clone(), weight.clone(), bias.clone(), 1e-5).output + r.clone())
        },
    );
}

fn convolution([n, inputs, pixels, outputs, kernel, stride]: [usize; 6]) {
    let padding = kernel / 2;
    let x = draw([n, inputs, pixels, pixels], "x");
    let weight = draw([outputs, inputs, kernel, kernel], "w");
    let text = format!("{n}x{inputs}x{pixels}^2 -> {outputs}, k{kernel} s{stride}");
    compare(
        "convolution",
        &text,
        &|| {
            conv2d(
                x.clone(),
                weight.clone(),
                None,
                Geometry { stride, padding: [padding; 2], groups: 1, precision: Precision::F32 },
            )
        },
        &|| {
            let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
            module::conv2d(x.clone(), weight.clone(), None, options)
        },
    );
}
