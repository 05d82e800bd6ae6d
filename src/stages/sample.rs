//! Synthetic pictures, drawn shard by shard by a trained generator.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shards::{Item, Set, draw_shards};
use super::{Machine, generator, keeper, real};
use crate::engine::{Bench, Context, Estimate, Failure, Inputs, Stage};
use crate::lab::data::SyntheticRow;
use crate::lab::generators::{Draw as _, Order, Pixel, PixelArtist};
use crate::lab::images::{Channels, encode_png};
use crate::nets::blocks::Site;
use crate::nets::unet::{UNet, UNetConfig};
use crate::nets::weights::{load_state, read_safetensors};
use crate::terms::{ClassNames, Key, Picture, Seed};

/// Draws one copy of the training set's class histogram.
pub struct SampleStage {
    /// How the generator draws.
    pub pixel: Pixel,
    /// Which set of pictures.
    pub draw: u64,
    /// Which copy of the histogram.
    pub copy: usize,
    /// What the net sees.
    pub channels: Channels,
    /// Side of the pictures in pixels.
    pub size: usize,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl SampleStage {
    fn artist(&self, inputs: &Inputs, classes: usize) -> Result<PixelArtist<'_>, Failure> {
        let config = self.pixel.training.net.config(self.channels, classes);
        Ok(PixelArtist {
            spec: &self.pixel,
            net: trained(inputs, &config, &self.machine)?,
            channels: self.channels,
            size: self.size,
            classes,
            device: self.machine.device.clone(),
        })
    }
}

/// Returns the trained net among the inputs.
pub(super) fn trained(
    inputs: &Inputs,
    config: &UNetConfig,
    machine: &Machine,
) -> Result<UNet, Failure> {
    let state = read_safetensors(&inputs.read(generator::INPUT, keeper::WEIGHTS)?);
    let net = UNet::new(config, &Site::blank(&machine.device));
    load_state(net, &state.map_err(Failure::other)?).map_err(Failure::other)
}

/// Returns what a shard says of pictures that a model has drawn.
pub(super) fn rows(
    pixel: &Pixel,
    items: &[Item],
    pictures: &[Picture],
    at: (&ClassNames, Key),
) -> Vec<SyntheticRow> {
    let (classes, generator) = at;
    let sampler = serde_json::to_string(&pixel.sampler).expect("a spec is plain data");
    let row = |(item, picture): (&Item, &Picture)| SyntheticRow {
        id: item.id.clone(),
        class: item.order.class,
        png: encode_png(picture),
        condition: format!("class {}", classes.name(item.order.class)),
        seed: item.order.seed.hex(),
        guidance: pixel.guidance,
        sampler: sampler.clone(),
        generator,
    };
    items.iter().zip(pictures).map(row).collect()
}

/// Says that a picture did not become one.
pub(super) fn diverged(pixel: &Pixel, item: &Item) -> Failure {
    Failure::Diverged {
        step: pixel.sampler.steps() as u64,
        what: format!("picture `{}` is not made of numbers", item.id),
    }
}

impl Stage for SampleStage {
    fn kind(&self) -> &'static str {
        "sample"
    }

    fn version(&self) -> u32 {
        3
    }

    fn spec(&self) -> Value {
        // The rest of the generator's spec is in its key.
        let Pixel { sampler, guidance, clip, seed, .. } = &self.pixel;
        json!({
            "sampler": sampler, "guidance": guidance, "clip": clip, "seed": seed,
            "draw": self.draw, "copy": self.copy, "channels": self.channels,
        })
    }

    fn label(&self) -> String {
        let copy = if self.copy == 0 { String::new() } else { format!(", copy {}", self.copy + 1) };
        format!("synthetic pictures, draw {}{copy}, guidance {}", self.draw, self.pixel.guidance)
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 10.0, bytes: 1 << 20 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let train = real(inputs, "train")?;
        let root = Seed::root(self.pixel.seed).child("pictures");
        let set = Set { root, draw: self.draw, copy: self.copy };
        let artist = self.artist(inputs, train.classes.len())?;
        let generator = inputs.entry(generator::INPUT).key();
        draw_shards(&set, &train, (bench, context), |_, part| {
            let orders: Vec<Order> = part.iter().map(|item| item.order).collect();
            let pictures = artist.draw(&orders).map_err(|at| diverged(&self.pixel, &part[at]))?;
            Ok(rows(&self.pixel, part, &pictures, (&train.classes, generator)))
        })
    }
}
