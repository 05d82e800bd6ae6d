//! The seam between machinery and science: what a stage is, what it is given, how it may fail.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::DiskError;
use super::event::{Event, Events};
use super::store::{Bench, Entry, StoreError};
use crate::terms::{Key, Problems};

/// What a stage expects to need, before anything is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Wall time in seconds on two CPU cores.
    pub seconds: f64,
    /// Size of the entry in bytes.
    pub bytes: u64,
}

/// Something that must exist before any work starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// What is missing, as a lower-case fragment with names in backticks.
    pub what: String,
    /// Where it comes from, or what to do instead.
    pub hint: String,
}

/// One step of an experiment: named inputs and a spec go in, an entry of the store comes out.
///
/// The entry's key is a hash of kind, version, spec and input keys, so all that decides the result
/// belongs in these four, and how it is run (device, threads) in none of them.
pub trait Stage: Send + Sync {
    /// Returns the kind of stage, one word: `classifier`.
    fn kind(&self) -> &'static str;

    /// Returns the version of the code; it rises whenever the same spec gives another result.
    fn version(&self) -> u32;

    /// Returns everything else that decides the result.
    fn spec(&self) -> Value;

    /// Returns what people call it: "classifier resnet-20 real seed 0".
    fn label(&self) -> String;

    /// Returns what it expects to need.
    fn estimate(&self) -> Estimate;

    /// Returns what must exist before any work starts and does not: data, weights, features.
    fn missing(&self) -> Vec<Missing> {
        Vec::new()
    }

    /// Does the work. It puts its result on the bench, looks there first for what an earlier run
    /// left, and calls [`Context::proceed`] wherever it may stop.
    ///
    /// # Errors
    /// If it was asked to stop, or the work failed; the bench is kept in both cases.
    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure>;
}

/// Why a stage did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A number stopped being one.
    #[error("diverged at step {step}: {what}")]
    Diverged {
        /// The optimiser step, counted from 0.
        step: u64,
        /// What was seen: "the loss is NaN".
        what: String,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The user's data turned out to be wrong.
    #[error(transparent)]
    Wrong(#[from] Problems),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Says in words what went wrong; fits `map_err(Failure::other)`.
    pub fn other(what: impl fmt::Display) -> Self {
        Self::Other(what.to_string())
    }

    /// Sorts an error of the system that came from a library; a full disk is recognised.
    pub fn io(doing: &'static str, path: &Path, cause: std::io::Error) -> Self {
        Self::Disk(DiskError::new(doing, path, cause))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Disk(error) => Self::Disk(error),
            busy @ StoreError::Busy { .. } => Self::other(busy),
        }
    }
}

/// The entries a stage works from, by name.
#[derive(Clone, Debug, Default)]
pub struct Inputs(BTreeMap<String, Entry>);

impl Inputs {
    /// Collects entries under their names.
    pub fn new(entries: impl IntoIterator<Item = (String, Entry)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// Returns the entry of a name.
    ///
    /// # Panics
    /// If the graph gave the stage no such input.
    pub fn entry(&self, name: &str) -> &Entry {
        self.0.get(name).unwrap_or_else(|| panic!("the graph gave no input `{name}`"))
    }

    /// Returns the entry of a name that the graph may leave out.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// Iterates over all inputs in byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Returns the checked content of a file of an input.
    ///
    /// # Errors
    /// If the file cannot be read or has changed since it was committed.
    ///
    /// # Panics
    /// If the graph gave the stage no such input.
    pub fn read(&self, name: &str, file: &str) -> Result<Vec<u8>, DiskError> {
        self.entry(name).read(file)
    }
}

/// Asks everything that runs to stop at its next safe point. Copies share one flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether someone asked.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What surrounds a running stage: who listens, and who may ask it to stop.
#[derive(Clone)]
pub struct Context {
    key: Key,
    label: String,
    events: Events,
    stop: StopFlag,
}

impl Context {
    /// Returns the surroundings of the stage with this key and label.
    pub fn new(key: Key, label: impl Into<String>, events: Events, stop: StopFlag) -> Self {
        Self { key, label: label.into(), events, stop }
    }

    /// Returns surroundings in which nobody listens and nobody asks to stop, for tests.
    pub fn silent() -> Self {
        Self::new(Key::of_bytes(b"nothing"), "test", Events::silent(), StopFlag::default())
    }

    /// Reports how far the work is, as often as convenient; `note` may be empty.
    pub fn progress(&self, done: usize, total: usize, note: impl Into<String>) {
        let (key, label, note) = (self.key, self.label.clone(), note.into());
        self.events.emit(Event::Progress { key, label, done, total, note });
    }

    /// Tells people something.
    pub fn message(&self, text: impl Into<String>) {
        self.events.emit(Event::Message { label: self.label.clone(), text: text.into() });
    }

    /// Tells people about something that may be wrong.
    pub fn warn(&self, text: impl Into<String>) {
        self.events.emit(Event::Warning { label: self.label.clone(), text: text.into() });
    }

    /// Returns whether the stage shall stop at its next safe point.
    pub fn stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Marks a safe point: `context.proceed()?`.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] if the stage shall stop.
    pub fn proceed(&self) -> Result<(), Failure> {
        if self.stopping() { Err(Failure::Interrupted) } else { Ok(()) }
    }
}
