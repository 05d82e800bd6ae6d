//! Where synthetic pictures come from.
//!
//! A [`Generator`] is a choice in the experiment file; what is trained is one part of it, how
//! pictures are drawn is the other, so that another guidance or sampler re-uses the training.
//! [`Draw`] is the seam: it draws pictures that were [ordered](Order) one by one, each from
//! randomness of its own, so that a picture is the same in any batch (a grey level of it may rarely
//! differ by one, because products round differently at another batch size).

mod cascade;
mod enlarging;
mod pixel;
mod planted;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{ClassId, Picture, Seed};

pub use cascade::{Cascade, CascadeStart, Low, Upscaler, UpscalingArtist};
pub use enlarging::Enlarging;
pub use pixel::{Pixel, PixelArtist, PixelNet, PixelTask, PixelTraining};
pub use planted::{Blur, ColourShift, Defect, FewerModes, LabelNoise, Planted, PlantedArtist};

/// What draws the synthetic pictures.
#[expect(clippy::large_enum_variant, reason = "an experiment holds one of them")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Generator {
    /// A class-conditional diffusion model on pixels, trained here on the real training pictures.
    Pixel(Pixel),
    /// Diffusion models in a row: the first draws small pictures, each of the others enlarges those
    /// of the one before.
    Cascade(Cascade),
    /// Pictures with a planted defect, to test the harness itself; nothing is trained.
    Planted(Planted),
    /// A generator of a paper that this program cannot run yet; `plan` refuses it.
    Announced(Announced),
}

impl Default for Generator {
    fn default() -> Self {
        Self::Pixel(Pixel::default())
    }
}

/// Something that a paper used and this program does not have yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Announced {
    /// What it is, in the words of the paper.
    pub what: String,
}

/// One picture to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// What it shall show.
    pub class: ClassId,
    /// Where its randomness lies.
    pub seed: Seed,
    /// Its number among the pictures of its class, from 0.
    pub number: u64,
}

/// Draws pictures to order.
pub trait Draw {
    /// Returns one picture for each order, or the position of the first that did not become one (a
    /// number that is not finite).
    ///
    /// # Errors
    /// If a picture is not made of numbers.
    fn draw(&self, orders: &[Order]) -> Result<Vec<Picture>, usize>;
}
