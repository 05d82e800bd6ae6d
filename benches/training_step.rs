//! Milliseconds of one training step (forward and backward, no optimiser) on the CPU: a small
//! diffusion UNet and ResNet-20. The best of several rounds, in which the nets take turns.
//!
//! `cargo bench --bench training_step`, or for some of them
//! `cargo bench --bench training_step -- unet`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use burn::tensor::{Device, Int, Tensor, TensorData};
use ersatz::nets::blocks::{Mode, Site};
use ersatz::nets::resnet::{ResNetFamily, ResNetSpec};
use ersatz::nets::unet::{
    Condition, DownBlockType, MidBlockType, OneOrEach, UNet, UNetConfig, UpBlockType,
};
use ersatz::terms::Seed;

const PICTURES: usize = 64;
const ROUNDS: usize = 10;

fn main() {
    let asked = |name: &str| {
        std::env::args().skip(1).all(|word| word.starts_with("--") || name.contains(&word))
    };
    let mut steps = vec![
        ("unet, 8x8", diffusion_step(8)),
        ("resnet-20, 8x8", classifier_step(8)),
        ("resnet-20, 32x32", classifier_step(32)),
    ];
    steps.retain(|(name, _)| asked(name));
    let mut best = vec![[f64::INFINITY; 2]; steps.len()];
    for _ in 0..ROUNDS {
        for (best, (_, step)) in best.iter_mut().zip(&mut steps) {
            let now = step();
            *best = [best[0].min(now[0]), best[1].min(now[1])];
        }
    }
    println!("{:<18}{:>12}{:>12}{:>12}", "step", "forward ms", "backward ms", "pictures/s");
    for ((name, _), [forward, backward]) in steps.iter().zip(best) {
        let rate = PICTURES as f64 / (forward + backward);
        let (forward, backward) = (forward * 1e3, backward * 1e3);
        println!("{name:<18}{forward:>12.1}{backward:>12.1}{rate:>12.0}");
    }
}

type Step = Box<dyn FnMut() -> [f64; 2]>;

fn pictures(channels: usize, pixels: usize, device: &Device) -> Tensor<4> {
    let shape = [PICTURES, channels, pixels, pixels];
    let values = Seed::root(1).stream().normals(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Returns the seconds of the forward and of the backward pass.
fn time(forward: impl FnOnce() -> Tensor<1>) -> [f64; 2] {
    let start = Instant::now();
    let loss = forward();
    let half = Instant::now();
    std::hint::black_box(loss.backward());
    [(half - start).as_secs_f64(), half.elapsed().as_secs_f64()]
}

fn diffusion_step(pixels: usize) -> Step {
    let device = Device::flex().autodiff();
    let config = UNetConfig {
        in_channels: 1,
        out_channels: 1,
        block_out_channels: vec![32, 64],
        down_block_types: vec![DownBlockType::DownBlock2D, DownBlockType::AttnDownBlock2D],
        mid_block_type: Some(MidBlockType::UNetMidBlock2DCrossAttn),
        up_block_types: vec![UpBlockType::AttnUpBlock2D, UpBlockType::UpBlock2D],
        cross_attention_dim: OneOrEach::One(None),
        norm_num_groups: 8,
        num_class_embeds: Some(10),
        ..UNetConfig::default()
    };
    let net = UNet::new(&config, &Site::new(Seed::root(0), &device));
    let x = pictures(1, pixels, &device);
    let times: Vec<f32> = (0..PICTURES).map(|i| (i * 15) as f32).collect();
    let classes: Vec<i64> = (0..PICTURES).map(|i| (i % 10) as i64).collect();
    let times = Tensor::<1>::from_data(TensorData::new(times, [PICTURES]), &device);
    let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [PICTURES]), &device);
    let condition = Condition { class_labels: Some(classes), ..Condition::default() };
    Box::new(move || {
        time(|| {
            let out = net.forward(x.clone(), times.clone(), &condition);
            (out - x.clone()).powi_scalar(2).mean()
        })
    })
}

fn classifier_step(pixels: usize) -> Step {
    let device = Device::flex().autodiff();
    let spec = ResNetSpec { family: ResNetFamily::ResNet20, ..ResNetSpec::default() };
    let net = spec.build(3, 10, &Site::new(Seed::root(0), &device));
    let x = pictures(3, pixels, &device);
    Box::new(move || {
        time(|| net.forward(x.clone(), Mode::Train(Seed::root(0))).powi_scalar(2).mean())
    })
}
