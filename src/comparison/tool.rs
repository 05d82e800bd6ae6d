//! Whose way of measuring: how each published tool prepares pictures and computes its scores.

use crate::lab::images::Resize;
use crate::lab::metrics::extractors::{Network, Preprocessing, Scaling};
use crate::lab::metrics::{IsProtocol, PrProtocol};

/// A published way of measuring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tool {
    /// Ours: clean-fid's resize, exact KID, prdc's balls, every score there is.
    #[default]
    Ersatz,
    /// pytorch-fid 0.3: bilinear resize without antialias, `2x - 1`.
    PytorchFid,
    /// torch-fidelity 0.4: TensorFlow's resize, subsets and splits by `RandomState(2020)`.
    TorchFidelity,
    /// clean-fid 0.1.35, mode "clean": Pillow's bicubic in single precision.
    CleanFid,
    /// TTUR's FID in TensorFlow, clean-fid's mode `legacy_tensorflow`.
    Tf,
    /// The evaluator of ADM (guided-diffusion).
    Adm,
}

/// A score, or a few that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Fréchet distance.
    Fid,
    /// Fréchet distance of spatial features.
    Sfid,
    /// Fréchet distance extrapolated to endless pictures.
    FidInfinity,
    /// Kernel distance.
    Kid,
    /// Inception score.
    Is,
    /// Precision and recall, and what the tool computes with them.
    Pr,
    /// Share of pictures that are no near copies of a real one.
    Authenticity,
    /// Share of pictures nearer to a real one than all but a few unseen real pictures are.
    NearTrain,
}

/// How a tool draws the pictures of its kernel distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KidWay {
    /// All pairs.
    Exact,
    /// 100 subsets of 1,000 by `RandomState(2020)`.
    Subsets {
        /// Whether subsets shrink to the smaller side, where it has fewer pictures.
        shrink: bool,
    },
}

impl Wanted {
    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fid => "fid",
            Self::Sfid => "sfid",
            Self::FidInfinity => "fid-infinity",
            Self::Kid => "kid",
            Self::Is => "is",
            Self::Pr => "pr",
            Self::Authenticity => "authenticity",
            Self::NearTrain => "near-train",
        }
    }

    /// Returns whether it looks at the real pictures at all.
    pub(super) fn compares(self) -> bool {
        self != Self::Is
    }

    /// Returns whether it is a distance of moments, for which statistics of the real pictures are
    /// enough.
    pub(super) fn takes_statistics(self) -> bool {
        matches!(self, Self::Fid | Self::Sfid)
    }

    /// Returns whether it is a distance of moments, which few pictures do not determine.
    pub(super) fn needs_many(self) -> bool {
        matches!(self, Self::Fid | Self::Sfid | Self::FidInfinity)
    }

    /// All scores, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Fid,
        Self::Sfid,
        Self::FidInfinity,
        Self::Kid,
        Self::Is,
        Self::Pr,
        Self::Authenticity,
        Self::NearTrain,
    ];
}

impl Tool {
    /// All tools, ours first.
    pub const ALL: [Self; 6] =
        [Self::Ersatz, Self::PytorchFid, Self::TorchFidelity, Self::CleanFid, Self::Tf, Self::Adm];

    /// Returns the name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ersatz => "ersatz",
            Self::PytorchFid => "pytorch-fid",
            Self::TorchFidelity => "torch-fidelity",
            Self::CleanFid => "clean-fid",
            Self::Tf => "tf",
            Self::Adm => "adm",
        }
    }

    /// Returns the scores that the tool has.
    pub fn scores(self) -> &'static [Wanted] {
        match self {
            Self::Ersatz => &Wanted::ALL,
            Self::PytorchFid | Self::Tf => &[Wanted::Fid],
            Self::TorchFidelity => &[Wanted::Fid, Wanted::Kid, Wanted::Is, Wanted::Pr],
            Self::CleanFid => &[Wanted::Fid, Wanted::Kid],
            Self::Adm => &[Wanted::Fid, Wanted::Sfid, Wanted::Is, Wanted::Pr],
        }
    }

    /// Returns what becomes of a picture before a network; `None` if the tool does not have it.
    pub fn preprocessing(self, network: Network) -> Option<Preprocessing> {
        let usual = network.preprocessing();
        let pool3 = network == Network::Inception;
        let inception = network.name().starts_with("inception");
        let way = |resize, scaling| Some(Preprocessing { resize, scaling, ..usual });
        match self {
            Self::Ersatz => Some(usual),
            Self::PytorchFid if inception => way(Resize::TorchBilinear, Scaling::Signed),
            // `interpolate_bilinear_2d_like_tensorflow1x` before each of its networks.
            Self::TorchFidelity => way(Resize::Tf1, usual.scaling),
            Self::CleanFid if pool3 || network == Network::ClipB32 => Some(usual),
            Self::Tf | Self::Adm if pool3 => way(Resize::Tf1, Scaling::Tensorflow),
            Self::PytorchFid | Self::CleanFid | Self::Tf | Self::Adm => None,
        }
    }

    /// Returns the networks that the tool has.
    pub fn networks(self) -> Vec<Network> {
        let has = |network: &Network| self.preprocessing(*network).is_some();
        Network::ALL.into_iter().filter(has).collect()
    }

    /// Returns the only network in whose features the tool takes a score, if it is not the one that
    /// was chosen.
    pub(super) fn insists(self, wanted: Wanted, network: Network) -> Option<Network> {
        let vgg = self == Self::TorchFidelity && wanted == Wanted::Pr;
        (vgg && network != Network::Vgg16).then_some(Network::Vgg16)
    }

    /// Returns whose splits the Inception score has.
    pub(super) fn inception_score(self) -> IsProtocol {
        match self {
            Self::TorchFidelity => IsProtocol::TorchFidelity,
            Self::Adm => IsProtocol::Adm,
            _ => IsProtocol::Ersatz,
        }
    }

    /// Returns whose balls precision and recall have.
    pub(super) fn precision_recall(self) -> PrProtocol {
        match self {
            Self::TorchFidelity => PrProtocol::TorchFidelity,
            Self::Adm => PrProtocol::Adm,
            _ => PrProtocol::Prdc,
        }
    }

    pub(super) fn kernel_distance(self) -> KidWay {
        match self {
            Self::TorchFidelity => KidWay::Subsets { shrink: false },
            Self::CleanFid => KidWay::Subsets { shrink: true },
            _ => KidWay::Exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_prepare_pictures_as_their_sources_do() {
        let said = |tool: Tool, network: Network| {
            tool.preprocessing(network).map(|it| it.describe()).unwrap_or_default()
        };
        let inception = Network::Inception;
        assert_eq!(said(Tool::PytorchFid, inception), "torch-bilinear-299,2x-1");
        assert_eq!(said(Tool::TorchFidelity, inception), "tf1-299,(x-128)/128");
        assert_eq!(said(Tool::CleanFid, inception), "pil-bicubic-f32-299,(x-128)/128");
        assert_eq!(said(Tool::Tf, inception), said(Tool::Adm, inception));
        assert_eq!(said(Tool::TorchFidelity, Network::Dinov2B), "tf1-224,imagenet");
        assert_eq!(said(Tool::TorchFidelity, Network::ClipL14), "tf1-224,clip");
        assert_eq!(said(Tool::Ersatz, Network::Dinov2B), "pil-8bit-224,imagenet");
        let counts = Tool::ALL.map(|tool| tool.networks().len());
        assert_eq!(counts, [9, 4, 9, 2, 1, 1]);
    }

    #[test]
    fn torch_fidelity_takes_precision_in_vgg() {
        let insists = |tool: Tool, network| tool.insists(Wanted::Pr, network);
        assert_eq!(insists(Tool::TorchFidelity, Network::Inception), Some(Network::Vgg16));
        assert_eq!(insists(Tool::TorchFidelity, Network::Vgg16), None);
        assert_eq!(insists(Tool::Adm, Network::Inception), None);
    }
}
