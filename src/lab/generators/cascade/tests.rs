//! The laws a model that enlarges keeps, and what a trained cascade is worth.

use std::sync::Arc;

use burn::tensor::Device;

use super::*;
use crate::lab::data::{Codec, Dataset, Digits, Example, Source, Subset, load};
use crate::lab::diffusion::samplers::{Ddim, Ddpm};
use crate::lab::generators::{Draw as _, Order, PixelArtist, PixelNet, PixelTask};
use crate::lab::images::{Channels, Normalisation, planes, resize};
use crate::lab::metrics::{Features, fid};
use crate::lab::training::testing::course;
use crate::lab::training::{Ema, LearningRate, Recipe};
use crate::nets::blocks::Site;
use crate::nets::unet::UNet;
use crate::terms::{ClassId, MemoryFiles, Picture, Seed};

const CLASSES: usize = 3;

fn upscaler(guidance: f64) -> Upscaler {
    let net = PixelNet { channels: vec![8, 8], groups: 4, ..PixelNet::default() };
    let training = PixelTraining { net, ..PixelTraining::default() };
    let sampler = Sampler::Ddpm(Ddpm { steps: 3, ..Ddpm::default() });
    Upscaler { training, sampler, guidance, ..Upscaler::default() }
}

/// An artist with fresh weights.
fn artist(pixel: &Pixel, noise_level: f64) -> UpscalingArtist<'_> {
    let (channels, device) = (Channels::Rgb, Device::flex());
    let config = pixel.training.net.enlarging(channels, CLASSES);
    let net = UNet::new(&config, &Site::new(Seed::root(6), &device));
    let pixel = PixelArtist { spec: pixel, net, channels, size: 8, classes: CLASSES, device };
    UpscalingArtist { pixel, enlarging: Enlarging::default(), noise_level }
}

fn orders(n: u64) -> Vec<Order> {
    let order = |i| {
        let (class, seed) = (ClassId(i as u32 % 3), Seed::root(7).index(i));
        Order { class, seed, number: i / 3 }
    };
    (0..n).map(order).collect()
}

fn small_pictures(n: u64) -> Vec<Picture> {
    let picture = |i| {
        let mut stream = Seed::root(9).index(i).stream();
        Picture::new(4, 4, (0..48).map(|_| stream.below(256) as u8).collect())
    };
    (0..n).map(picture).collect()
}

/// Returns how many grey levels differ, and by how much at most.
fn moved(got: &[Picture], want: &[Picture]) -> (usize, u8) {
    let levels = |pictures: &[Picture]| -> Vec<u8> {
        pictures.iter().flat_map(|picture| picture.rgb().to_vec()).collect()
    };
    let (got, want) = (levels(got), levels(want));
    assert_eq!(got.len(), want.len());
    let gaps = got.iter().zip(&want).map(|(g, w)| g.abs_diff(*w)).filter(|gap| *gap > 0);
    (gaps.clone().count(), gaps.max().unwrap_or(0))
}

#[test]
fn an_enlarged_picture_is_the_same_in_any_batch() {
    for guidance in [1.0, 1.5] {
        let pixel = upscaler(guidance).pixel(0);
        let artist = artist(&pixel, 0.3);
        let (orders, low) = (orders(7), small_pictures(7));
        let low: Vec<&Picture> = low.iter().collect();
        let want = artist.draw(&orders, &low).unwrap();
        assert!(want.iter().all(|picture| (picture.width(), picture.height()) == (8, 8)));
        for batch in [1, 3] {
            let parts = orders.chunks(batch).zip(low.chunks(batch));
            let got: Vec<Picture> =
                parts.flat_map(|(orders, low)| artist.draw(orders, low).unwrap()).collect();
            // Sums in another order move a number by 1e-6, and now and then a level by one.
            let (levels, by) = moved(&got, &want);
            assert!(by <= 1 && levels * 200 <= 7 * 192, "{levels} levels by {by}");
        }
    }
}

#[test]
fn smaller_picture_class_seed_and_level_decide_the_picture() {
    let (orders, low) = (orders(2), small_pictures(2));
    let pixel = upscaler(1.5).pixel(0);
    let draw = |orders: &[Order], low: &[Picture], level| {
        let low: Vec<&Picture> = low.iter().collect();
        artist(&pixel, level).draw(orders, &low).unwrap()
    };
    let want = draw(&orders, &low, 0.2);
    assert_eq!(draw(&orders, &low, 0.2), want);
    let swapped: Vec<Picture> = low.iter().rev().cloned().collect();
    let others = orders.iter().map(|order| Order { class: ClassId(2), ..*order });
    let others: Vec<Order> = others.collect();
    let reseeded = orders.iter().map(|order| Order { seed: order.seed.child("x"), ..*order });
    let reseeded: Vec<Order> = reseeded.collect();
    let changed = [
        draw(&orders, &swapped, 0.2),
        draw(&others, &low, 0.2),
        draw(&reseeded, &low, 0.2),
        draw(&orders, &low, 0.0),
    ];
    for other in changed {
        assert!(other[0] != want[0] && other[1] != want[1]);
    }
}

#[test]
fn the_noise_on_smaller_pictures_is_not_that_of_the_larger_ones() {
    // With the highest level, nothing of the smaller picture is left: what a net sees there must
    // not be the noise it starts from, which lies at the same seed.
    let order = orders(1)[0];
    let initial = order.seed.child("initial").stream().normals(8);
    let low = order.seed.child("low").child("initial").stream().normals(8);
    assert!(initial.iter().zip(&low).all(|(a, b)| (a - b).abs() > 1e-6));
}

#[test]
fn stages_up_to_the_named_one_are_used() {
    let stage = |size| Upscaler { size, ..Upscaler::default() };
    let cascade = |pictures: &str| Cascade {
        stage: [("middle".to_owned(), stage(8)), ("top".to_owned(), stage(16))].into(),
        pictures: pictures.to_owned(),
        ..Cascade::default()
    };
    let used = |pictures: &str| {
        let cascade = cascade(pictures);
        let names = cascade.used().iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
        (names, cascade.size())
    };
    assert_eq!(used(""), (vec!["middle".to_owned(), "top".to_owned()], 16));
    assert_eq!(used("top"), used(""));
    assert_eq!(used("middle"), (vec!["middle".to_owned()], 8));
    assert_eq!(used("base"), (vec![], 4));
    assert!(cascade("").check("x").is_empty());
}

/// The built-in digits at a size.
fn digits(size: usize) -> Dataset {
    let fit = |picture: Picture| match picture.width() == size {
        true => picture,
        false => resize(&picture, size, size, Filter::Bilinear),
    };
    let codec = Codec { decode: &|_| Err("no file is read".to_owned()), fit: &fit };
    let (source, subset) = (Source::Digits(Digits::default()), Subset::default());
    load(&source, &subset, Seed::root(0), &MemoryFiles::default(), codec).unwrap().train
}

fn learned(channels: [usize; 2], steps: usize) -> PixelTraining {
    let net = PixelNet { channels: channels.to_vec(), ..PixelNet::default() };
    let learning_rate = LearningRate { peak: 4e-3, warmup_steps: 20, ..LearningRate::default() };
    let own = PixelTraining::default();
    let ema = Some(Ema { decay: 0.98 });
    let recipe = Recipe { steps, batch: 32, learning_rate, ema, ..own.recipe.clone() };
    PixelTraining { net, recipe, ..own }
}

/// The pixels as features: the distance of their laws needs no trained net.
fn pixels(pictures: &[&Picture]) -> Features {
    Features::new(64, planes(pictures, Normalisation::Unit, Channels::Grey))
}

/// The whole question of a cascade, small: what a trained model adds to a scaled picture.
#[test]
fn a_trained_cascade_beats_repeated_pixels() {
    let (small, large) = (digits(4), digits(8));
    let (channels, device) = (Channels::Grey, Device::flex());
    let sampler = Sampler::Ddim(Ddim { steps: 8, ..Ddim::default() });
    let base = CascadeStart { training: learned([16, 16], 300), sampler, ..Default::default() };
    let above = Upscaler { training: learned([16, 32], 300), sampler, ..Upscaler::default() };
    let (base, pixel) = (base.pixel(0), above.pixel(0));
    let trained = |task: &PixelTask<'_>, training: &PixelTraining| {
        course(task, task.net(&device), &training.recipe, None, None).0.unwrap().model
    };
    let task = PixelTask::new(&base.training, &small, channels, Seed::root(1));
    let net = trained(&task, &base.training);
    let classes = small.classes.len();
    let artist =
        PixelArtist { spec: &base, net, channels, size: 4, classes, device: device.clone() };
    let orders: Vec<Order> = (0..300)
        .map(|i| Order { class: ClassId(i as u32 % 10), seed: Seed::root(2).index(i), number: i })
        .collect();
    let drawn = artist.draw(&orders).unwrap();

    let task = PixelTask::new(&pixel.training, &large, channels, Seed::root(3));
    let task = task.enlarging(&small, above.enlarging);
    let net = trained(&task, &pixel.training);
    let artist = PixelArtist { spec: &pixel, net, channels, size: 8, classes, device };
    let (enlarging, noise_level) = (above.enlarging, 0.0);
    let artist = UpscalingArtist { pixel: artist, enlarging, noise_level };
    let low: Vec<&Picture> = drawn.iter().collect();
    let enlarged = artist.draw(&orders, &low).unwrap();

    let repeated: Vec<Picture> =
        drawn.iter().map(|picture| resize(picture, 8, 8, Filter::Box)).collect();
    let real: Vec<Arc<Picture>> =
        large.examples.iter().map(|example: &Example| example.picture.clone()).collect();
    let real = pixels(&real.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let distance = |pictures: &[Picture]| {
        let fake = pixels(&pictures.iter().collect::<Vec<_>>());
        fid(&real, &fake).sound().unwrap().value
    };
    let (ours, theirs) = (distance(&enlarged), distance(&repeated));
    assert!(ours < 0.5 * theirs, "enlarged by a net {ours}, by repeated pixels {theirs}");
}
