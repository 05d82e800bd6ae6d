//! Synthetic pictures with a planted defect: drawn without training.

use serde_json::{Value, json};

use super::dataset::Data;
use super::real;
use super::shards::{Item, Set, draw_shards};
use crate::engine::{Bench, Context, Estimate, Failure, Inputs, Stage};
use crate::lab::data::{Law, SyntheticRow};
use crate::lab::generators::{Draw as _, Order, Planted, PlantedArtist};
use crate::lab::images::encode_png;
use crate::terms::Seed;

/// Draws one copy of the training set's class histogram.
pub struct PlantedStage {
    /// What is wrong with the pictures.
    pub planted: Planted,
    /// The declaration of the real pictures, which may tell their law.
    pub data: Data,
    /// Which set of pictures.
    pub draw: u64,
    /// Which copy of the histogram.
    pub copy: usize,
}

impl Stage for PlantedStage {
    fn kind(&self) -> &'static str {
        "planted"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        // The law is in the key of the real pictures.
        json!({"planted": self.planted, "draw": self.draw, "copy": self.copy})
    }

    fn label(&self) -> String {
        let copy = if self.copy == 0 { String::new() } else { format!(", copy {}", self.copy + 1) };
        let defect = serde_json::to_value(&self.planted.defect).expect("a spec is plain data");
        let kind = match &defect {
            Value::Object(choice) => choice.keys().next().map(String::as_str),
            other => other.as_str(),
        };
        format!("planted pictures ({}), draw {}{copy}", kind.unwrap_or_default(), self.draw)
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 5.0, bytes: 1 << 20 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let train = real(inputs, "train")?;
        if train.is_empty() {
            return Err(Failure::other("there is no training picture"));
        }
        let law = Law::of(&self.data.source, &self.data.subset);
        let artist = PlantedArtist::new(&self.planted, &train, law.as_ref(), self.draw);
        let root = Seed::root(self.planted.seed).child("pictures");
        let set = Set { root, draw: self.draw, copy: self.copy };
        let generator = bench.key();
        draw_shards(&set, &train, (bench, context), |part| {
            let orders: Vec<Order> = part.iter().map(|item| item.order).collect();
            let pictures = artist.draw(&orders).expect("planted pictures are always pictures");
            let row = |(item, picture): (&Item, _)| {
                let name = train.classes.name(item.order.class);
                SyntheticRow {
                    id: item.id.clone(),
                    class: item.order.class,
                    png: encode_png(picture),
                    condition: artist
                        .caption(&item.order)
                        .unwrap_or_else(|| format!("class {name}")),
                    seed: item.order.seed.hex(),
                    guidance: 1.0,
                    sampler: "planted".to_owned(),
                    generator,
                }
            };
            Ok(part.iter().zip(&pictures).map(row).collect())
        })
    }
}
