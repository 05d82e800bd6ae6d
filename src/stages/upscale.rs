//! Synthetic pictures, enlarged shard by shard by a trained model.

use std::sync::Arc;

use serde_json::{Value, json};

use super::sample::{diverged, rows, trained};
use super::shards::{self, Item, Set, draw_shards};
use super::{Machine, generator, real};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::data::Dataset;
use crate::lab::generators::{Order, Pixel, PixelArtist, Upscaler, UpscalingArtist};
use crate::lab::images::Channels;
use crate::terms::{ClassId, Picture, Seed};

/// Enlarges one copy of the training set's class histogram: drawn pictures if there are any among
/// the inputs, else real training pictures of the same class.
pub struct UpscaleStage {
    /// The model that enlarges, and how it draws.
    pub upscaler: Upscaler,
    /// The address of the pictures' randomness.
    pub seed: u64,
    /// Which set of pictures.
    pub draw: u64,
    /// Which copy of the histogram.
    pub copy: usize,
    /// What the net sees.
    pub channels: Channels,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

impl UpscaleStage {
    fn artist<'a>(
        &'a self,
        inputs: &Inputs,
        pixel: &'a Pixel,
        classes: usize,
    ) -> Result<UpscalingArtist<'a>, Failure> {
        let config = pixel.training.net.enlarging(self.channels, classes);
        Ok(UpscalingArtist {
            pixel: PixelArtist {
                spec: pixel,
                net: trained(inputs, &config, &self.machine)?,
                channels: self.channels,
                size: self.upscaler.size,
                classes,
                device: self.machine.device.clone(),
            },
            enlarging: self.upscaler.enlarging,
            noise_level: self.upscaler.noise_level,
        })
    }
}

impl Stage for UpscaleStage {
    fn kind(&self) -> &'static str {
        "upscale"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        // The rest is in the keys of the trained model and of the smaller pictures.
        let Upscaler { size, noise_level, sampler, guidance, clip, .. } = &self.upscaler;
        json!({
            "size": size, "noise-level": noise_level, "sampler": sampler, "guidance": guidance,
            "clip": clip, "seed": self.seed, "draw": self.draw, "copy": self.copy,
            "channels": self.channels,
        })
    }

    fn label(&self) -> String {
        let copy = if self.copy == 0 { String::new() } else { format!(", copy {}", self.copy + 1) };
        let Upscaler { size, guidance, noise_level, .. } = &self.upscaler;
        let draw = self.draw;
        format!(
            "pictures enlarged to {size} px, draw {draw}{copy}, guidance {guidance}, \
             noise {noise_level}"
        )
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 10.0, bytes: 1 << 20 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let train = real(inputs, "train")?;
        let smaller = match inputs.get(&shards::input(0)) {
            Some(drawn) => Smaller::Drawn(drawn),
            None => Smaller::real(&train),
        };
        let pixel = self.upscaler.pixel(self.seed);
        let artist = self.artist(inputs, &pixel, train.classes.len())?;
        let root = Seed::root(self.seed).child("pictures");
        let set = Set { root, draw: self.draw, copy: self.copy };
        let generator = inputs.entry(generator::INPUT).key();
        draw_shards(&set, &train, (bench, context), |index, part| {
            let part: Vec<Item> = part.iter().map(|item| self.own(item)).collect();
            let orders: Vec<Order> = part.iter().map(|item| item.order).collect();
            let low = smaller.of(index, &part)?;
            let low: Vec<&Picture> = low.iter().map(AsRef::as_ref).collect();
            let pictures = artist.draw(&orders, &low).map_err(|at| diverged(&pixel, &part[at]))?;
            Ok(rows(&pixel, &part, &pictures, (&train.classes, generator)))
        })
    }
}

impl UpscaleStage {
    /// Returns the item with randomness of its own at this size.
    fn own(&self, item: &Item) -> Item {
        let seed = item.order.seed.child("size").index(self.upscaler.size as u64);
        Item { id: item.id.clone(), order: Order { seed, ..item.order } }
    }
}

/// Returns the positions of the pictures of each class.
fn by_class(data: &Dataset) -> Vec<Vec<usize>> {
    let mut positions = vec![Vec::new(); data.classes.len()];
    for (i, example) in data.examples.iter().enumerate() {
        positions[example.class.index()].push(i);
    }
    positions
}

/// What is enlarged.
pub(super) enum Smaller<'a> {
    /// A set with the same pictures in the same shards.
    Drawn(&'a Entry),
    /// Real pictures, and which ones are of a class.
    Real(&'a Dataset, Vec<Vec<usize>>),
}

impl<'a> Smaller<'a> {
    /// Real pictures, each class by itself.
    pub(super) fn real(data: &'a Dataset) -> Self {
        Self::Real(data, by_class(data))
    }
}

impl Smaller<'_> {
    /// Returns the smaller pictures of a shard.
    pub(super) fn of(&self, index: usize, part: &[Item]) -> Result<Vec<Arc<Picture>>, Failure> {
        match self {
            Self::Drawn(entry) => {
                let drawn = shards::shard(entry, index)?;
                let ids = drawn.examples.iter().map(|example| &example.id);
                if ids.ne(part.iter().map(|item| &item.id)) {
                    return Err(Failure::other("the smaller pictures are of another set"));
                }
                Ok(drawn.examples.into_iter().map(|example| example.picture).collect())
            }
            Self::Real(train, positions) => {
                let picture = |class: ClassId, number: u64| {
                    let of_class = &positions[class.index()];
                    let at = of_class[(number % of_class.len() as u64) as usize];
                    train.examples[at].picture.clone()
                };
                Ok(part.iter().map(|item| picture(item.order.class, item.order.number)).collect())
            }
        }
    }
}
