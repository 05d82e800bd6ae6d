//! A network with its weights.

use burn::tensor::{Device, Tensor, TensorData};

use super::super::{Extractor, Features, Logits, Taps};
use super::{Network, Preprocessing};
use crate::nets::blocks::{Mode, Site};
use crate::nets::inception::{Depth, Inception};
use crate::nets::vgg::{Vgg, VggSpec};
use crate::nets::weights::{Mismatch, State, load_state};
use crate::terms::Picture;

/// Pictures per forward pass, always: the last batch of a call is filled up, so that no kernel can
/// choose another order of sums for it.
const BATCH: usize = 8;

/// Why weights are not those of a network. The text continues "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum WrongWeights {
    /// The InceptionV3 that torchvision and many ports of FID load.
    #[error(
        "use torchvision's InceptionV3 for FID: it was trained anew, on 1000 classes (`fc.weight` \
         [1000, 2048], `AuxLogits`), and pools differently, so that its distances and scores are \
         not those of the literature (CIFAR-10 would have an Inception score of 9.7 instead of \
         11.2); take `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid, or torch-fidelity's \
         `weights-inception-2015-12-05-6726825d.pth`"
    )]
    Torchvision,
    /// Tensors of other names or shapes.
    #[error("use the weights for `{network}`: {mismatch}")]
    Mismatch {
        /// The network's name.
        network: &'static str,
        /// What does not fit.
        mismatch: Mismatch,
    },
    /// A tensor with infinities or not-a-numbers.
    #[error("use the weights for `{network}`: `{tensor}` holds what is no finite number")]
    NotFinite {
        /// The network's name.
        network: &'static str,
        /// The tensor's name.
        tensor: String,
    },
}

/// A published network with its weights.
#[derive(Debug)]
pub struct Encoder {
    network: Network,
    preprocessing: Preprocessing,
    weights_hash: String,
    net: Net,
    device: Device,
}

impl Encoder {
    /// Gives a network its weights. Of `weights_hash`, which is the hash of the file in hexadecimal
    /// digits, the first eight are part of the protocol.
    ///
    /// # Errors
    /// If the weights are not those of the network: every tensor must be there by name and shape,
    /// and no other, but for PyTorch's counts of batches (`num_batches_tracked`).
    pub fn new(
        network: Network,
        preprocessing: Preprocessing,
        weights: &State,
        weights_hash: &str,
        device: &Device,
    ) -> Result<Self, WrongWeights> {
        let net = Net::new(network, weights, device)?;
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if let Some((tensor, _)) = weights.iter().find(|(_, array)| !finite(&array.values)) {
            let (network, tensor) = (network.name(), tensor.clone());
            return Err(WrongWeights::NotFinite { network, tensor });
        }
        let weights_hash = weights_hash.chars().take(8).collect();
        Ok(Self { network, preprocessing, weights_hash, net, device: device.clone() })
    }

    fn pass(&self, pictures: &[&Picture]) -> Pass {
        let side = self.preprocessing.side;
        let planes = self.preprocessing.planes(pictures, BATCH);
        let data = TensorData::new(planes, [BATCH, 3, side, side]);
        self.net.pass(Tensor::from_data(data, &self.device))
    }
}

impl Extractor for Encoder {
    fn describe(&self) -> String {
        let (network, layer) = (self.network.name(), self.network.layer());
        format!("{network}.{layer}@{},{}", self.weights_hash, self.preprocessing.describe())
    }

    fn taps(&self, pictures: &[&Picture]) -> Taps {
        let [mut features, mut logits, mut spatial] = [(); 3].map(|()| Rows::default());
        for part in pictures.chunks(BATCH) {
            let pass = self.pass(part);
            features.extend(Some(pass.features), part.len());
            logits.extend(pass.logits, part.len());
            spatial.extend(pass.spatial, part.len());
        }
        Taps {
            features: Features::new(features.width, features.numbers),
            logits: (logits.width > 0).then(|| Logits::new(logits.width, logits.numbers)),
            spatial: (spatial.width > 0).then(|| Features::new(spatial.width, spatial.numbers)),
        }
    }
}

/// Rows of one tap under way; no width where the network has no such tap.
#[derive(Default)]
struct Rows {
    width: usize,
    numbers: Vec<f32>,
}

impl Rows {
    /// Takes over the first rows of a batch.
    fn extend(&mut self, batch: Option<Tensor<2>>, rows: usize) {
        let Some(batch) = batch else { return };
        self.width = batch.dims()[1];
        let numbers = batch.into_data().try_into_vec::<f32>();
        let numbers = numbers.expect("networks compute in single precision");
        self.numbers.extend_from_slice(&numbers[..rows * self.width]);
    }
}

/// What one batch gives.
struct Pass {
    features: Tensor<2>,
    logits: Option<Tensor<2>>,
    spatial: Option<Tensor<2>>,
}

/// The networks as modules.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per encoder")]
enum Net {
    Inception(Inception),
    InceptionAt(Depth, Inception),
    Vgg16(Vgg),
}

impl Net {
    fn new(network: Network, weights: &State, device: &Device) -> Result<Self, WrongWeights> {
        let site = Site::blank(device);
        let mismatch = |mismatch| WrongWeights::Mismatch { network: network.name(), mismatch };
        let inception = || {
            if is_torchvision_inception(weights) {
                return Err(WrongWeights::Torchvision);
            }
            load_state(Inception::new(&site), weights).map_err(mismatch)
        };
        Ok(match network {
            Network::Inception => Self::Inception(inception()?),
            Network::InceptionD64 => Self::InceptionAt(Depth::D64, inception()?),
            Network::InceptionD192 => Self::InceptionAt(Depth::D192, inception()?),
            Network::InceptionD768 => Self::InceptionAt(Depth::D768, inception()?),
            Network::Vgg16 => {
                let net = VggSpec::default().build(1000, &site);
                Self::Vgg16(load_state(net, weights).map_err(mismatch)?)
            }
        })
    }

    fn pass(&self, x: Tensor<4>) -> Pass {
        match self {
            Self::Inception(net) => {
                let taps = net.taps(x);
                // Without their bias, as in the code of the Inception score, in torch-fidelity and
                // in ADM.
                Pass {
                    features: taps.pool3,
                    logits: Some(taps.logits),
                    spatial: Some(taps.spatial),
                }
            }
            Self::InceptionAt(depth, net) => {
                Pass { features: net.features_at(*depth, x), logits: None, spatial: None }
            }
            Self::Vgg16(net) => {
                let features = net.features(x, Mode::Evaluate);
                let logits = net.head(features.clone());
                Pass { features, logits: Some(logits), spatial: None }
            }
        }
    }
}

fn is_torchvision_inception(weights: &State) -> bool {
    let thousand = weights.get("fc.weight").is_some_and(|fc| fc.shape == [1000, 2048]);
    thousand || weights.keys().any(|name| name.starts_with("AuxLogits."))
}
