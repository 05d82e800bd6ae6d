//! Synthetic pictures at another size, scaled as a viewer would.

use serde_json::{Value, json};

use super::shards;
use crate::engine::{Bench, Context, Estimate, Failure, Inputs, Stage};
use crate::lab::images::{Filter, resize};

/// Scales a set of synthetic pictures.
pub struct ResizeStage {
    /// Side of the scaled pictures in pixels.
    pub size: usize,
    /// The kernel.
    pub filter: Filter,
    /// Which set of pictures, for the label.
    pub draw: u64,
}

impl Stage for ResizeStage {
    fn kind(&self) -> &'static str {
        "resize"
    }

    fn version(&self) -> u32 {
        1
    }

    fn spec(&self) -> Value {
        json!({"size": self.size, "filter": self.filter})
    }

    fn label(&self) -> String {
        format!("synthetic pictures, draw {}, scaled to {} px", self.draw, self.size)
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 1.0, bytes: 1 << 20 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let drawn = inputs.entry(&shards::input(0));
        shards::change_shards(drawn, (bench, context), |picture| {
            resize(picture, self.size, self.size, self.filter)
        })
    }
}
