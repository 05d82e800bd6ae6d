//! A training's window to the bench.

use std::cell::Cell;
use std::io;

use burn::tensor::Device;

use crate::engine::{Bench, Context, Failure, Stopwatch};
use crate::lab::training::{Keeper, Outcome, Recipe, Task, Trained, fit};
use crate::nets::weights::{State, state_of, write_safetensors};

/// The last whole checkpoint; gone when the training is done.
const CHECKPOINT: &str = "checkpoint.bin";

/// The trained weights.
pub(super) const WEIGHTS: &str = "weights.safetensors";

/// Loss and validation over time.
pub(super) const LOG: &str = "log.json";

/// Seconds between two checkpoints. Never decides a result.
const CHECKPOINT_SECONDS: f64 = 15.0;

/// Returns the file of the weights after a step, if they are kept.
pub(super) fn weights_after(step: usize) -> String {
    format!("weights-{step:07}.safetensors")
}

struct BenchKeeper<'a> {
    bench: &'a Bench,
    /// Steps after which weights are kept.
    kept: &'a [usize],
    context: &'a Context,
    watch: Stopwatch,
    saved_at: Cell<f64>,
    /// Pictures of a step.
    batch: usize,
    /// The first step that was seen, and when.
    begun: Cell<Option<(usize, f64)>>,
}

impl BenchKeeper<'_> {
    /// Returns the pictures per second since the first step, from the second on.
    fn speed(&self, step: usize) -> Option<f64> {
        let now = self.watch.seconds();
        let Some((first, since)) = self.begun.get() else {
            self.begun.set(Some((step, now)));
            return None;
        };
        let pictures = step.saturating_sub(first) * self.batch;
        (now > since).then(|| pictures as f64 / (now - since))
    }
}

impl Keeper for BenchKeeper<'_> {
    fn load(&self) -> io::Result<Option<Vec<u8>>> {
        self.bench.get(CHECKPOINT).map_err(io::Error::other)
    }

    fn save(&self, checkpoint: &[u8]) -> io::Result<()> {
        self.saved_at.set(self.watch.seconds());
        self.bench.put(CHECKPOINT, checkpoint).map_err(io::Error::other)
    }

    fn progress(&self, step: usize, steps: usize, loss: f64) {
        let speed = self.speed(step).map_or(String::new(), |it| format!(", {it:.0} pictures/s"));
        self.context.progress(step, steps, format!("loss {loss:.4}{speed}"));
    }

    fn stopping(&self) -> bool {
        self.context.stopping()
    }

    fn look(&self, step: usize, weights: &dyn Fn() -> State) -> io::Result<()> {
        if !self.kept.contains(&step) {
            return Ok(());
        }
        let bytes = write_safetensors(&weights());
        self.bench.put(&weights_after(step), &bytes).map_err(io::Error::other)
    }

    fn checkpoint_due(&self, _step: usize) -> bool {
        self.watch.seconds() - self.saved_at.get() > CHECKPOINT_SECONDS
    }
}

/// Trains on the bench: resumes from its checkpoint, leaves weights and log.
pub(super) fn train<T: Task>(
    task: &T,
    model: T::Model,
    recipe: &Recipe,
    device: &Device,
    at: (&Bench, &Context),
) -> Result<Trained<T::Model>, Failure> {
    train_keeping(&[], task, model, (recipe, device), at)
}

/// The same, and leaves the weights after some steps as well.
pub(super) fn train_keeping<T: Task>(
    kept: &[usize],
    task: &T,
    model: T::Model,
    (recipe, device): (&Recipe, &Device),
    at: (&Bench, &Context),
) -> Result<Trained<T::Model>, Failure> {
    let (bench, context) = at;
    let keeper = BenchKeeper {
        bench,
        kept,
        context,
        watch: Stopwatch::start(),
        saved_at: Cell::new(0.0),
        batch: recipe.batch,
        begun: Cell::new(None),
    };
    let trained = fit(task, model, recipe, &keeper, device).map_err(failure)?;
    bench.put(WEIGHTS, &write_safetensors(&state_of(&trained.model)))?;
    bench.put(LOG, &super::json(&trained.log))?;
    bench.remove(CHECKPOINT)?;
    Ok(trained)
}

fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Interrupted { .. } => Failure::Interrupted,
        Outcome::Diverged { step, loss } => Failure::Diverged {
            step: step as u64,
            what: format!("the loss is {loss}; a lower learning rate or `clip-norm` may help"),
        },
        Outcome::Disk(error) => match error.downcast() {
            Ok(disk) => Failure::Disk(disk),
            Err(error) => Failure::other(error),
        },
    }
}
