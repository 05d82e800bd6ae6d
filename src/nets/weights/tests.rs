//! Files written by torch and safetensors, and strictness.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use burn::module::Module as _;
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;

use super::*;
use crate::nets::blocks::{Mode, Site};
use crate::nets::classifier::{Classifier, ClassifierNet, Input};
use crate::nets::golden::{filled, weights};
use crate::terms::Seed;
use crate::testing::harm::harm;
use crate::testing::{Tol, close_f32, golden_path};

/// The tensors of `tests/golden/nets/weights/make.py`.
const TENSORS: [(&str, &[usize]); 9] = [
    ("layers.0.bias", &[6]),
    ("layers.0.weight", &[6, 4]),
    ("layers.1.weight", &[2, 6]),
    ("norm.bias", &[4]),
    ("norm.running_mean", &[4]),
    ("norm.running_var", &[4]),
    ("norm.weight", &[4]),
    ("stem.bias", &[4]),
    ("stem.weight", &[4, 3, 3, 3]),
];

fn golden(file: &str) -> State {
    read_weights(&golden_path("nets/weights").join(file)).unwrap()
}

#[test]
fn files_of_torch_hold_what_torch_wrote() {
    // Exact where the type holds every f32; else half a unit in the last place of the type.
    for (file, relative) in [
        ("plain.pth", 0.0),
        ("legacy.pth", 0.0),
        ("nested.pth", 0.0),
        ("f32.safetensors", 0.0),
        ("f64.safetensors", 0.0),
        ("f16.safetensors", 1.0 / 2048.0),
        ("bf16.safetensors", 1.0 / 256.0),
    ] {
        let mut state = golden(file);
        assert_eq!(state.remove("norm.num_batches_tracked").unwrap().shape, [0; 0], "{file}");
        let found: Vec<_> = state.iter().map(|(n, a)| (n.as_str(), a.shape.as_slice())).collect();
        assert_eq!(found, TENSORS, "{file}");
        for (name, shape) in TENSORS {
            let tol = Tol::absolute(if relative > 0.0 { 1e-7 } else { 0.0 }).or_relative(relative);
            close_f32(&state[name].values, &weights(name, shape), tol);
        }
    }
}

#[test]
fn what_is_no_file_of_weights_says_so() {
    let here = tempfile::tempdir().unwrap();
    let whole = std::fs::read(golden_path("nets/weights/f32.safetensors")).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = here.path().join(name);
        let file = File::options().write(true).create_new(true).open(&path);
        file.unwrap().write_all(bytes).unwrap();
        path
    };
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("text", b"a page of HTML, as failed downloads are"),
        ("cut.safetensors", &whole[..whole.len() - 1]),
        ("cut.pth", b"PK\x03\x04"),
    ] {
        let error = read_weights(&write(name, bytes)).unwrap_err();
        assert!(matches!(error, WeightsError::Format { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let absent = read_weights(Path::new("absent.pth")).unwrap_err();
    assert!(
        matches!(absent, WeightsError::Read { .. }) && absent.to_string().contains("absent.pth")
    );
}

#[test]
fn writing_and_reading_gives_the_same_bits() {
    let state = state_of(&small());
    let bytes = write_safetensors(&state);
    assert_eq!(read_safetensors(&bytes).unwrap(), state);
    assert_eq!(bytes, write_safetensors(&read_safetensors(&bytes).unwrap()));
}

fn small() -> Classifier {
    let net: ClassifierNet = toml::from_str("[resnet]\nfamily = \"resnet-10\"\nwidth = 2").unwrap();
    net.build(Input { channels: 3, pixels: 32 }, 4, &Site::new(Seed::root(1), &Device::flex()))
}

#[test]
fn names_are_those_of_a_state_dict() {
    let state = state_of(&small());
    let expected = [
        ("conv1.weight", vec![2, 3, 7, 7]),
        ("bn1.running_var", vec![2]),
        ("layer2.0.conv1.weight", vec![4, 2, 3, 3]),
        ("layer2.0.downsample.0.weight", vec![4, 2, 1, 1]),
        ("layer2.0.downsample.1.running_mean", vec![4]),
        ("fc.weight", vec![4, 16]),
    ];
    for (name, shape) in expected {
        assert_eq!(state.get(name).map(|array| &array.shape), Some(&shape), "{name}");
    }
}

#[test]
fn loading_tells_all_that_does_not_fit() {
    let mut state = state_of(&small());
    let count = Array { shape: vec![], values: vec![3.0] };
    state.insert("bn1.num_batches_tracked".to_owned(), count);
    assert!(load_state(small(), &state).is_ok());

    let head = state.remove("fc.weight").unwrap();
    state.insert("fc.weights".to_owned(), head);
    state.remove("layer4.0.bn1.running_mean");
    let bias = state.get_mut("fc.bias").unwrap();
    *bias = Array { shape: vec![5], values: vec![0.0; 5] };
    let mismatch = load_state(small(), &state).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        "the weights do not fit the net: 2 missing, 1 unused, 1 of another shape\n  \
         missing `fc.weight` (the weights have `fc.weights`)\n  \
         missing `layer4.0.bn1.running_mean`\n  \
         unused `fc.weights`\n  \
         `fc.bias` has shape [5], expected [4]"
    );
    let nothing = load_state(small(), &State::new()).unwrap_err();
    assert!(
        nothing.to_string().ends_with(&format!("and {} more missing", nothing.missing.len() - 20))
    );
}

#[test]
fn loading_keeps_what_tracks_gradients() {
    let device = Device::flex();
    let state = state_of(&filled(small()));
    for tracked in [false, true] {
        let net = if tracked { small().train() } else { small() };
        let net = load_state(net, &state).unwrap();
        assert_eq!(state_of(&net), state);
        let device = if tracked { device.clone().autodiff() } else { device.clone() };
        let logits = net.forward(Tensor::ones([1, 3, 32, 32], &device), Mode::Evaluate);
        assert_eq!(logits.is_autodiff(), tracked);
    }
}

#[test]
fn a_clone_in_training_does_not_reach_into_the_loaded_net() {
    let built = small();
    let before = state_of(&built);
    let loaded = load_state(built.clone(), &before).unwrap();
    let pictures = Tensor::<4>::ones([2, 3, 32, 32], &Device::flex());
    built.forward(pictures.clone(), Mode::Train(Seed::root(0)));
    assert_ne!(state_of(&built), before);
    loaded.forward(pictures, Mode::Evaluate);
    assert_eq!(state_of(&loaded), before);
}

/// 2,000 inputs for each of four files of PyTorch and safetensors.
#[test]
fn a_harmed_file_is_an_error_that_names_it_or_other_weights_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("harmed");
    for name in ["f32.safetensors", "plain.pth", "nested.pth", "legacy.pth"] {
        let whole = std::fs::read(golden_path(&format!("nets/weights/{name}"))).unwrap();
        let refused = std::cell::Cell::new(0);
        proptest!(ProptestConfig::with_cases(2000), |(harm in harm())| {
            let mut file = whole.clone();
            harm.apply(&mut file);
            let mut options = File::options();
            let target = options.write(true).create(true).truncate(true).open(&path);
            target.unwrap().write_all(&file).unwrap();
            if let Err(error) = read_weights(&path) {
                refused.set(refused.get() + 1);
                let told = error.to_string();
                prop_assert!(told.contains("harmed") && told.len() < 600, "{told}");
            }
        });
        // The harm reaches what is read, and not every harm is noticed: a weight may change.
        assert!((200..2000).contains(&refused.get()), "{name}: {} were refused", refused.get());
    }
}
