//! Encoders against the tools they stand for, and their promises.

use burn::tensor::Device;
use serde_json::Value;

use super::super::features::testing::on_threads;
use super::super::{Extractor as _, Logits, Taps};
use super::*;
use crate::nets::golden::{formula_file, numbers};
use crate::nets::weights::State;
use crate::terms::Picture;
use crate::testing::{Tol, close_f32, golden_json};

fn inception_file() -> State {
    formula_file(&golden_json("nets/inception/names.json"), 2.0)
}

/// An encoder that looks at one picture at a time.
fn encoder(network: Network, preprocessing: Preprocessing, file: &State) -> Encoder {
    let built = Encoder::new(network, preprocessing, file, "0123456789", &Device::flex());
    built.unwrap().in_batches_of(1)
}

/// A picture from planes in -1 to 1, as `make.py` has it.
fn picture(name: &str, width: usize, height: usize) -> Picture {
    let planes = numbers(name, 3 * width * height);
    let level = |i: usize| ((planes[i] + 1.0) * 128.0).floor() as u8;
    let colour = |at: usize| (0..3).map(move |c| level(c * width * height + at));
    Picture::new(width, height, (0..width * height).flat_map(colour).collect())
}

fn steps(row: &[f32], step: usize) -> Vec<f32> {
    row.iter().step_by(step).copied().collect()
}

fn list(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn agrees_with_the_tools_from_picture_to_features() {
    let (file, cases) = (inception_file(), golden_json("nets/inception/cases.json"));
    let picture = picture("small picture", 40, 32);
    for (tool, resize, scaling) in [
        ("torch-fidelity", Resize::Tf1, Scaling::Tensorflow),
        ("pytorch-fid", Resize::TorchBilinear, Scaling::Signed),
    ] {
        let preprocessing = Preprocessing { resize, side: 299, scaling };
        let taps = encoder(Network::Inception, preprocessing, &file).taps(&[&picture]);
        // Theirs in f64. Ten times what torch loses in f32 (4e-7 of the largest number), as in
        // `nets::inception`; torch-fidelity declares 1e-4.
        let close = |got: &[f32], want: Vec<f32>| {
            let largest = want.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            close_f32(got, &want, Tol::absolute(4e-6 * f64::from(largest)));
        };
        close(&steps(taps.features.row(0), 32), list(&cases[tool]["pool3"]));
        if tool == "torch-fidelity" {
            let logits = taps.logits.unwrap();
            close(&steps(logits.row(0), 16), list(&cases[tool]["logits"]));
        }
        let spatial = taps.spatial.unwrap();
        assert_eq!((taps.features.d(), spatial.d()), (2048, 2023));
    }
}

#[test]
fn vgg_agrees_with_torch_fidelity_from_picture_to_features() {
    let case = &golden_json("nets/vgg/cases.json")["vgg-16"];
    let file = formula_file(&case["shapes"], 2.0);
    let picture = picture("pictures", 224, 224);
    let taps = encoder(Network::Vgg16, Network::Vgg16.preprocessing(), &file).taps(&[&picture]);
    let want = list(&case["fc2_relu"]);
    let largest = want.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let lost = case["f32"].as_f64().unwrap(); // By torch, in single precision: 1e-6.
    let tol = Tol::absolute(10.0 * lost * f64::from(largest));
    close_f32(&steps(taps.features.row(0), 64), &want, tol);
    assert_eq!((taps.features.d(), taps.logits.unwrap().classes()), (4096, 1000));
    assert_eq!(taps.spatial, None);
}

fn bits(taps: &Taps) -> Vec<u32> {
    let logits = taps.logits.as_ref().unwrap();
    let logits = (0..logits.n()).flat_map(|i| logits.row(i)).copied();
    let rows = [&taps.features, taps.spatial.as_ref().unwrap()].map(|tap| tap.rows());
    rows.into_iter().flatten().copied().chain(logits).map(f32::to_bits).collect()
}

/// Small squares, so that the test stays short: the kernels are the same.
#[test]
fn features_do_not_depend_on_companions_or_threads() {
    let small = Preprocessing { side: 75, ..Network::Inception.preprocessing() };
    let encoder = encoder(Network::Inception, small, &inception_file()).in_batches_of(4);
    let pictures: Vec<Picture> =
        (0..9).map(|i| picture(&format!("picture {i}"), 30 + 7 * i, 80 - 5 * i)).collect();
    let all: Vec<&Picture> = (0..64).map(|i| &pictures[i % 9]).collect();
    let whole = on_threads(1, || encoder.taps(&all));
    for i in 0..64 {
        let twin = i % 9;
        assert_eq!(whole.features.row(i), whole.features.row(twin), "picture {i}");
    }
    for (at_once, count) in [(1, 5), (7, 9)] {
        for (part, chunk) in all[..count].chunks(at_once).enumerate() {
            let taps = on_threads(2, || encoder.taps(chunk));
            let first = part * at_once;
            let range: Vec<usize> = (first..first + chunk.len()).collect();
            let logits = whole.logits.as_ref().unwrap();
            let rows = range.iter().flat_map(|i| logits.row(*i)).copied().collect();
            let want = Taps {
                features: whole.features.select(&range),
                logits: Some(Logits::new(logits.classes(), rows)),
                spatial: whole.spatial.as_ref().map(|spatial| spatial.select(&range)),
            };
            assert_eq!(bits(&taps), bits(&want), "{at_once} at once");
        }
    }
}

#[test]
fn a_constant_picture_is_scaled_as_each_tool_says() {
    let grey = Picture::filled(4, 4, [128, 128, 128]);
    let golden = golden_json("images/resize_torch/scalings.json");
    for (name, want) in golden.as_object().unwrap() {
        let scaling: Scaling = serde_json::from_value(name.as_str().into()).unwrap();
        assert_eq!(scaling.name(), name);
        let preprocessing = Preprocessing { resize: Resize::Tf1, side: 2, scaling };
        let planes = preprocessing.planes(&[&grey], 2);
        assert_eq!(planes.len(), 2 * 3 * 4);
        let corners: Vec<f32> = planes.iter().take(12).step_by(4).copied().collect();
        close_f32(&corners, &list(want), Tol::absolute(1e-6)); // Three roundings near 1.
        assert!(planes[12..].iter().all(|x| x.to_bits() == 0));
    }
}

#[test]
fn weights_that_are_not_the_networks_say_why() {
    let refused = |network: Network, file: &State| {
        let device = Device::flex();
        Encoder::new(network, network.preprocessing(), file, "", &device).unwrap_err().to_string()
    };
    let whole = inception_file();
    for (hash, said) in [
        ("6726825d0af5f729", "6726825d"),
        ("6726825d00000000", "6726825d,weights=unpublished"),
        ("0af5f729cebd5821", "0af5f729,weights=unpublished"),
    ] {
        let device = Device::flex();
        let encoder = Encoder::new(Network::InceptionD64, CLEAN_299, &whole, hash, &device);
        let want = format!("inception-d64.pool1@{said},pil-bicubic-f32-299,(x-128)/128");
        assert_eq!(encoder.unwrap().describe(), want);
    }

    let mut torchvision = whole.clone();
    let fc = torchvision.get_mut("fc.weight").unwrap();
    fc.values.truncate(1000 * 2048);
    fc.shape = vec![1000, 2048];
    let mut auxiliary = whole.clone();
    auxiliary.insert("AuxLogits.conv0.conv.weight".to_owned(), whole["fc.bias"].clone());
    for file in [torchvision, auxiliary] {
        let why = refused(Network::InceptionD768, &file);
        assert!(why.contains("torchvision's InceptionV3") && why.contains("AuxLogits"), "{why}");
    }

    let mut short = whole.clone();
    short.remove("Mixed_7c.branch_pool.bn.bias");
    let why = refused(Network::Inception, &short);
    assert!(why.contains("`inception`") && why.contains("missing `Mixed_7c.branch_pool.bn.bias`"));

    let mut broken = whole.clone();
    broken.get_mut("fc.bias").unwrap().values[3] = f32::NAN;
    assert!(refused(Network::Inception, &broken).contains("what is no finite number in `fc.bias`"));

    let why = refused(Network::Dinov2B, &whole);
    assert!(
        why.contains("`dinov2-b`") && why.contains("missing `blocks.0.attn.proj.bias`"),
        "{why}"
    );
    let why = refused(Network::ClipB32, &whole);
    let name = "missing `vision_model.embeddings.class_embedding`";
    assert!(why.contains("`clip-b32`") && why.contains(name), "{why}");

    let why = refused(Network::Vgg16, &whole);
    assert!(why.contains("`vgg16`") && why.contains("missing `classifier.0.bias`"), "{why}");
}

#[test]
fn transformers_take_the_sizes_they_have_positions_for() {
    let refused = |network: Network, side: usize| {
        let preprocessing = Preprocessing { side, ..network.preprocessing() };
        let encoder = Encoder::new(network, preprocessing, &State::new(), "", &Device::flex());
        encoder.unwrap_err().to_string()
    };
    assert!(
        refused(Network::Dinov2L, 225)
            .contains("225 x 225 pixels for `dinov2-l`, which takes multiples of 14")
    );
    assert!(refused(Network::ClipL14, 336).contains("which takes 224 x 224"));
    for network in [Network::Dinov2B, Network::ClipB32] {
        let side = network.preprocessing().side;
        assert!(!refused(network, side).contains("pixels"), "only the weights are missing");
    }
}

#[test]
fn names_are_those_of_files() {
    for network in Network::ALL {
        assert_eq!(serde_json::to_value(network).unwrap(), network.name());
    }
    let distances: std::collections::BTreeSet<_> =
        Network::ALL.iter().map(|network| network.distance()).collect();
    assert_eq!(distances.len(), Network::ALL.len());
}
