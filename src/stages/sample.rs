//! Synthetic pictures, drawn shard by shard.
//!
//! A stage draws one copy of the class histogram of the real training set: as many pictures of each
//! class as there are real ones. Copies are nested: copies 0 and 1 together are the "2 x synthetic"
//! set, and asking for one more copy draws that one alone. Pictures are ordered round by round over
//! the classes, so that any front part is balanced.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Machine, dataset, generator, keeper, real};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::data::{Codec, Dataset, SyntheticRow, read_shard, synthetic_dataset, write_shard};
use crate::lab::generators::{Draw as _, Order, Pixel, PixelArtist};
use crate::lab::images::{Channels, decode, encode_png};
use crate::nets::blocks::Site;
use crate::nets::unet::UNet;
use crate::nets::weights::{load_state, read_safetensors};
use crate::terms::{ClassNames, Key, Picture, Seed};

/// The start of this stage's names among the inputs of others.
pub(super) const INPUT: &str = "synthetic";

/// What was drawn.
const SUMMARY: &str = "summary.json";

use super::dataset::SHEET;

/// Pictures per shard: what a kill may cost.
const SHARD: usize = 250;

/// Numbers about a set of synthetic pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// How many pictures.
    pub pictures: usize,
    /// How many of them are of one colour.
    pub blank: usize,
}

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

/// One picture to draw, with its address in words.
struct Item {
    id: String,
    order: Order,
}

impl SampleStage {
    fn items(&self, train: &Dataset) -> Vec<Item> {
        let counts = train.class_counts();
        let root = Seed::root(self.pixel.seed).child("pictures").index(self.draw);
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut items = Vec::new();
        for round in 0..most {
            for class in train.classes.ids().filter(|class| counts[class.index()] > round) {
                let number = self.copy * counts[class.index()] + round;
                let name = train.classes.name(class);
                let seed = root.child(name).index(number as u64);
                let id = format!("draw-{}/{name}/{number:06}", self.draw);
                items.push(Item { id, order: Order { class, seed } });
            }
        }
        items
    }

    fn artist(&self, inputs: &Inputs, classes: usize) -> Result<PixelArtist<'_>, Failure> {
        let config = self.pixel.training.net.config(self.channels, classes);
        let device = &self.machine.device;
        let state = read_safetensors(&inputs.read(generator::INPUT, keeper::WEIGHTS)?);
        let net = UNet::new(&config, &Site::new(Seed::root(0), device));
        let net = load_state(net, &state.map_err(Failure::other)?).map_err(Failure::other)?;
        Ok(PixelArtist {
            spec: &self.pixel,
            net,
            channels: self.channels,
            size: self.size,
            classes,
            device: device.clone(),
        })
    }

    fn rows(
        &self,
        items: &[Item],
        pictures: &[Picture],
        at: (&ClassNames, Key),
    ) -> Vec<SyntheticRow> {
        let (classes, generator) = at;
        let sampler = serde_json::to_string(&self.pixel.sampler).expect("a spec is plain data");
        let row = |(item, picture): (&Item, &Picture)| SyntheticRow {
            id: item.id.clone(),
            class: item.order.class,
            png: encode_png(picture),
            condition: format!("class {}", classes.name(item.order.class)),
            seed: item.order.seed.hex(),
            guidance: self.pixel.guidance,
            sampler: sampler.clone(),
            generator,
        };
        items.iter().zip(pictures).map(row).collect()
    }
}

fn shard_name(index: usize) -> String {
    format!("train-{index:05}.parquet")
}

impl Stage for SampleStage {
    fn kind(&self) -> &'static str {
        "sample"
    }

    fn version(&self) -> u32 {
        1
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
        let items = self.items(&train);
        let artist = self.artist(inputs, train.classes.len())?;
        let generator = inputs.entry(generator::INPUT).key();
        for (index, part) in items.chunks(SHARD).enumerate() {
            context.proceed()?;
            context.progress(index * SHARD, items.len(), "pictures");
            if bench.has(&shard_name(index))? {
                continue;
            }
            let orders: Vec<Order> = part.iter().map(|item| item.order).collect();
            let pictures = artist.draw(&orders).map_err(|at| Failure::Diverged {
                step: self.pixel.sampler.steps() as u64,
                what: format!("picture `{}` is not made of numbers", part[at].id),
            })?;
            let rows = self.rows(part, &pictures, (&train.classes, generator));
            let shard = write_shard(&train.classes, &rows).map_err(Failure::other)?;
            bench.put(&shard_name(index), &shard)?;
        }
        let shards = items.len().div_ceil(SHARD);
        let drawn = join((0..shards).map(|index| {
            bench.get(&shard_name(index))?.ok_or_else(|| Failure::other("a shard is gone"))
        }))?;
        let blank = drawn.examples.iter().filter(|e| is_blank(&e.picture)).count();
        if blank > 0 {
            context.warn(format!("{blank} of {} pictures are of one colour", drawn.len()));
        }
        bench.put(SHEET, &encode_png(&dataset::sheet(&drawn)))?;
        bench.put(SUMMARY, &super::json(&Sampled { pictures: drawn.len(), blank }))?;
        Ok(())
    }
}

fn is_blank(picture: &Picture) -> bool {
    picture.rgb().chunks(3).all(|pixel| pixel == &picture.rgb()[..3])
}

/// Returns the class name, the id and the PNG file of every picture of an entry.
///
/// # Errors
/// If the entry cannot be read.
pub fn drawn_files(entry: &Entry) -> Result<Vec<(String, String, Vec<u8>)>, Failure> {
    let mut files = Vec::new();
    for name in entry.names().filter(|name| name.ends_with(".parquet")) {
        let (classes, rows) = read_shard(&entry.read(name)?).map_err(Failure::other)?;
        files.extend(rows.into_iter().map(|row| {
            let class = classes.name(row.class).to_owned();
            (class, row.id, row.png)
        }));
    }
    Ok(files)
}

/// Reads the pictures of an entry.
pub(super) fn pictures(entry: &Entry) -> Result<Dataset, Failure> {
    let mut names: Vec<&str> = entry.names().filter(|name| name.ends_with(".parquet")).collect();
    names.sort_unstable();
    join(names.into_iter().map(|name| Ok(entry.read(name)?)))
}

fn join(shards: impl Iterator<Item = Result<Vec<u8>, Failure>>) -> Result<Dataset, Failure> {
    let codec = Codec {
        decode: &|bytes| decode(bytes).map_err(|error| error.to_string()),
        fit: &|picture| picture,
    };
    let mut all: Option<Dataset> = None;
    for shard in shards {
        let (classes, rows) = read_shard(&shard?).map_err(Failure::other)?;
        let part = synthetic_dataset(classes, &rows, codec).map_err(Failure::other)?;
        all = Some(match all {
            None => part,
            Some(held) => held.concat(&part).map_err(Failure::other)?,
        });
    }
    all.ok_or_else(|| Failure::other("there is no synthetic picture"))
}
