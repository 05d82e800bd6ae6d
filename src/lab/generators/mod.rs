//! Where synthetic pictures come from.
//!
//! A [`Generator`] is a choice in the experiment file; what is trained is one part of it, how
//! pictures are drawn is the other, so that another guidance or sampler re-uses the training.
//! [`Draw`] is the seam: it draws pictures that were [ordered](Order) one by one, each from
//! randomness of its own, so that a picture is the same in any batch (a grey level of it may rarely
//! differ by one, because products round differently at another batch size).

mod cascade;
mod choice;
mod enlarging;
mod pixel;
mod planted;
mod start;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::images::Channels;
use crate::nets::unet::UNetConfig;
use crate::terms::{ClassId, Picture, Seed};

pub use cascade::{Cascade, CascadeStart, Low, Upscaler, UpscalingArtist};
pub use choice::{Choice, InceptionFile, Judge};
pub use enlarging::Enlarging;
pub use pixel::{Pixel, PixelArtist, PixelNet, PixelTask, PixelTraining};
pub use planted::{Blur, ColourShift, Defect, FewerModes, LabelNoise, Planted, PlantedArtist};
pub use start::{ClassTable, Start, StartFile, StartPretraining};

/// What draws the synthetic pictures.
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

/// A model of a generator that is trained.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its place in a file below the generator: `cascade.stage.up`.
    pub path: String,
    /// The stage of a cascade that it is; the base and a model on pixels are none.
    pub stage: Option<&'a str>,
    /// Side of its pictures in pixels.
    pub size: usize,
    /// What decides its weights.
    pub training: &'a PixelTraining,
    /// How it is shown smaller pictures, and their side in pixels; absent if it sees none.
    pub enlarging: Option<(Enlarging, usize)>,
}

impl Part<'_> {
    /// Returns the configuration of its net.
    pub fn config(&self, channels: Channels, classes: usize) -> UNetConfig {
        match self.enlarging {
            None => self.training.net.config(channels, classes),
            Some(_) => self.training.net.enlarging(channels, classes),
        }
    }
}

impl Generator {
    /// Returns the models that are trained, in their order, and the address of their randomness;
    /// `size` is the side of real pictures in pixels.
    pub fn parts(&self, size: usize) -> (Vec<Part<'_>>, u64) {
        match self {
            Self::Pixel(pixel) => {
                let (path, training) = ("pixel".to_owned(), &pixel.training);
                let part = Part { path, stage: None, size, training, enlarging: None };
                (vec![part], pixel.seed)
            }
            Self::Cascade(cascade) => (cascade.parts(), cascade.seed),
            Self::Planted(_) | Self::Announced(_) => (Vec::new(), 0),
        }
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
