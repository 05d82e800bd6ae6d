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
}

/// How a tool draws the pictures of its kernel distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KidWay {
    /// All pairs.
    Exact,
    /// 100 subsets of 1,000 by `RandomState(seed)`.
    Subsets,
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
        }
    }

    /// Returns whether it is a distance of moments, which few pictures do not determine.
    pub(super) fn needs_many(self) -> bool {
        matches!(self, Self::Fid | Self::Sfid | Self::FidInfinity)
    }

    /// All scores, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Fid,
        Self::Sfid,
        Self::FidInfinity,
        Self::Kid,
        Self::Is,
        Self::Pr,
        Self::Authenticity,
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

    /// Returns what becomes of a picture before a network. The tools differ for Inception only;
    /// another network has its own way.
    pub fn preprocessing(self, network: Network) -> Preprocessing {
        let usual = network.preprocessing();
        if !network.name().starts_with("inception") {
            return usual;
        }
        let (resize, scaling) = match self {
            Self::Ersatz | Self::CleanFid => (Resize::PilBicubicF32, Scaling::Tensorflow),
            Self::PytorchFid => (Resize::TorchBilinear, Scaling::Signed),
            Self::TorchFidelity | Self::Tf | Self::Adm => (Resize::Tf1, Scaling::Tensorflow),
        };
        Preprocessing { resize, scaling, ..usual }
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
            Self::TorchFidelity | Self::CleanFid => KidWay::Subsets,
            _ => KidWay::Exact,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_prepare_pictures_as_their_sources_do() {
        let said = |tool: Tool| tool.preprocessing(Network::Inception).describe();
        assert_eq!(said(Tool::PytorchFid), "torch-bilinear-299,2x-1");
        assert_eq!(said(Tool::TorchFidelity), "tf1-299,(x-128)/128");
        assert_eq!(said(Tool::CleanFid), "pil-bicubic-f32-299,(x-128)/128");
        assert_eq!(said(Tool::Tf), said(Tool::Adm));
        let vgg = Network::Vgg16;
        assert_eq!(Tool::PytorchFid.preprocessing(vgg), vgg.preprocessing());
    }
}
