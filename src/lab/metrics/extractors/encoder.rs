//! A network with its weights.

use burn::tensor::{Device, Tensor, TensorData};

use super::super::{Extractor, Features, Logits, Taps};
use super::{Network, Preprocessing};
use crate::nets::blocks::{Mode, Site};
use crate::nets::clip::{Clip, ClipSpec};
use crate::nets::dinov2::{Dinov2, Dinov2Spec, Interpolation};
use crate::nets::inception::{Depth, Inception};
use crate::nets::vgg::{Vgg, VggSpec};
use crate::nets::weights::{Mismatch, State, load_state};
use crate::nets::workers::among_workers;
use crate::terms::Picture;

/// Pictures per forward pass, always: the last batch of a call is filled up, so that no kernel can
/// choose another order of sums for it. Convolutions share pictures out to threads.
const BATCH: usize = 16;

/// What was found instead of the weights of a network: a lower-case fragment.
#[derive(Debug, thiserror::Error)]
pub enum WrongWeights {
    /// The InceptionV3 that torchvision and many ports of FID load.
    #[error(
        "torchvision's InceptionV3, which was trained anew on 1000 classes (`fc.weight` \
         [1000, 2048], `AuxLogits`) and pools differently: its distances and scores are not those \
         of the literature (an Inception score of 9.7 instead of 11.2 for CIFAR-10)"
    )]
    Torchvision,
    /// Tensors of other names or shapes.
    #[error("tensors that are not those of `{network}`: {mismatch}")]
    Mismatch {
        /// The network's name.
        network: &'static str,
        /// What does not fit.
        mismatch: Mismatch,
    },
    /// Pictures of a size that the network has no positions for.
    #[error("pictures of {side} x {side} pixels for `{network}`, which takes {takes}")]
    Side {
        /// The network's name.
        network: &'static str,
        /// The size asked for.
        side: usize,
        /// The sizes that would do.
        takes: &'static str,
    },
    /// A tensor with infinities or not-a-numbers.
    #[error("what is no finite number in `{tensor}` of `{network}`")]
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
    /// What the protocol says of the weights.
    weights_in_protocol: String,
    net: Net,
    device: Device,
    batch: usize,
}

impl Encoder {
    /// Gives a network its weights. Of `weights_hash`, which is the SHA-256 of the file in
    /// hexadecimal digits, the first eight are part of the protocol, which also says if they are
    /// those of no published file.
    ///
    /// # Errors
    /// If the weights are not those of the network: every tensor must be there by name and shape,
    /// and no other, but for PyTorch's counts of batches (`num_batches_tracked`), DINOv2's mask
    /// token and CLIP's text tower. If the network cannot take pictures of the size.
    pub fn new(
        network: Network,
        preprocessing: Preprocessing,
        weights: &State,
        weights_hash: &str,
        device: &Device,
    ) -> Result<Self, WrongWeights> {
        let net = Net::new(network, preprocessing.side, weights, device)?;
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if let Some((tensor, _)) = weights.iter().find(|(_, array)| !finite(&array.values)) {
            let (network, tensor) = (network.name(), tensor.clone());
            return Err(WrongWeights::NotFinite { network, tensor });
        }
        let mark = if network.is_published(weights_hash) { "" } else { ",weights=unpublished" };
        let weights_in_protocol =
            format!("{}{mark}", weights_hash.get(..8).unwrap_or(weights_hash));
        Ok(Self {
            network,
            preprocessing,
            weights_in_protocol,
            net,
            device: device.clone(),
            batch: BATCH,
        })
    }

    /// The same with smaller batches, which tests with few pictures fill sooner.
    #[cfg(test)]
    pub(super) fn in_batches_of(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    fn pass(&self, pictures: &[&Picture]) -> Pass {
        let side = self.preprocessing.side;
        let planes = self.preprocessing.planes(pictures, self.batch);
        let data = TensorData::new(planes, [self.batch, 3, side, side]);
        among_workers(&self.device, || self.net.pass(Tensor::from_data(data, &self.device)))
    }
}

impl Extractor for Encoder {
    fn describe(&self) -> String {
        let (network, layer) = (self.network.name(), self.network.layer());
        let weights = &self.weights_in_protocol;
        format!("{network}.{layer}@{weights},{}", self.preprocessing.describe())
    }

    fn taps(&self, pictures: &[&Picture]) -> Taps {
        let [mut features, mut logits, mut spatial] = [(); 3].map(|()| Rows::default());
        for part in pictures.chunks(self.batch) {
            let pass = self.pass(part);
            features.extend(Some(pass.features), part.len());
            logits.extend(pass.logits, part.len());
            spatial.extend(pass.spatial, part.len());
        }
        debug_assert!(pictures.is_empty() || features.width == self.network.features());
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
enum Net {
    Inception(Inception),
    InceptionAt(Depth, Inception),
    Vgg16(Vgg),
    Dinov2(Dinov2),
    Clip(Clip),
}

impl Net {
    fn new(
        network: Network,
        side: usize,
        weights: &State,
        device: &Device,
    ) -> Result<Self, WrongWeights> {
        let site = Site::blank(device);
        if let Some(takes) = refusal(network, side) {
            return Err(WrongWeights::Side { network: network.name(), side, takes });
        }
        let mismatch = |mismatch| WrongWeights::Mismatch { network: network.name(), mismatch };
        let inception = || {
            if is_torchvision_inception(weights) {
                return Err(WrongWeights::Torchvision);
            }
            load_state(Inception::new(&site), weights).map_err(mismatch)
        };
        let dinov2 = |spec: Dinov2Spec| {
            // Whatever file the weights come from: the tools that publish distances all resize
            // position embeddings as the hub does.
            let net = spec.load(weights, side, Interpolation::Offset, device);
            net.map(Self::Dinov2).map_err(mismatch)
        };
        let clip = |spec: ClipSpec| spec.load(weights, device).map(Self::Clip).map_err(mismatch);
        Ok(match network {
            Network::Inception => Self::Inception(inception()?),
            Network::InceptionD64 => Self::InceptionAt(Depth::D64, inception()?),
            Network::InceptionD192 => Self::InceptionAt(Depth::D192, inception()?),
            Network::InceptionD768 => Self::InceptionAt(Depth::D768, inception()?),
            Network::Vgg16 => {
                let net = VggSpec::default().build(1000, &site);
                Self::Vgg16(load_state(net, weights).map_err(mismatch)?)
            }
            Network::Dinov2B => dinov2(Dinov2Spec::B14)?,
            Network::Dinov2L => dinov2(Dinov2Spec::L14)?,
            Network::ClipB32 => clip(ClipSpec::B32)?,
            Network::ClipL14 => clip(ClipSpec::L14)?,
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
            Self::Dinov2(net) => Pass { features: net.forward(x), logits: None, spatial: None },
            Self::Clip(net) => Pass { features: net.forward(x), logits: None, spatial: None },
        }
    }
}

/// Returns the sizes that a network takes, if this is none of them.
fn refusal(network: Network, side: usize) -> Option<&'static str> {
    match network {
        Network::Dinov2B | Network::Dinov2L => {
            let fits = side > 0 && side.is_multiple_of(Dinov2Spec::B14.patch);
            (!fits).then_some("multiples of 14")
        }
        Network::ClipB32 | Network::ClipL14 => {
            (side != ClipSpec::B32.pixels).then_some("224 x 224")
        }
        _ => None,
    }
}

fn is_torchvision_inception(weights: &State) -> bool {
    let thousand = weights.get("fc.weight").is_some_and(|fc| fc.shape == [1000, 2048]);
    thousand || weights.keys().any(|name| name.starts_with("AuxLogits."))
}
