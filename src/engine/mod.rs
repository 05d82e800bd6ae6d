//! The machinery: makes artifacts from stages, once each, and survives kills at any moment.
//!
//! It sees a stage as a key, inputs and a `run`; it knows no tensor and no stage by name. In
//! reading order: [`Stage`] is what science implements; a [`Graph`] joins stages; the [`Store`]
//! keeps what they make, whole or absent; [`plan()`] says what a run would do and [`why()`] for
//! what reason; [`Local`] is the [`Executor`] that does it, telling [`Events`] on the way; [`Disk`]
//! is the seam at which a test may let the machine die.
//!
//! Invariants: an entry never changes; nothing measured (time, estimate, label) enters a key; one
//! process works on a key at a time; a cached result never asks for its ancestors.
//!
//! ```
//! use std::sync::Arc;
//!
//! use ersatz::engine::{
//!     Bench, Context, Estimate, Events, Executor, Failure, Graph, Inputs, Local, Stage, StopFlag,
//!     Store, Work,
//! };
//!
//! struct Count {
//!     to: usize,
//! }
//!
//! impl Stage for Count {
//!     fn kind(&self) -> &'static str {
//!         "count"
//!     }
//!     fn version(&self) -> u32 {
//!         1
//!     }
//!     fn spec(&self) -> serde_json::Value {
//!         serde_json::json!({"to": self.to})
//!     }
//!     fn label(&self) -> String {
//!         format!("count to {}", self.to)
//!     }
//!     fn estimate(&self) -> Estimate {
//!         Estimate { seconds: 0.1, bytes: 10 }
//!     }
//!     fn run(&self, _: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
//!         for i in 0..self.to {
//!             context.proceed()?;
//!             context.progress(i, self.to, "");
//!         }
//!         bench.put("count.txt", self.to.to_string().as_bytes())?;
//!         Ok(())
//!     }
//! }
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let store = Store::open(folder.path())?;
//! let mut graph = Graph::default();
//! let count = graph.add(Arc::new(Count { to: 3 }), &[]);
//! let (events, stop) = (Events::silent(), StopFlag::default());
//! let work =
//!     Work { graph: &graph, targets: &[count], store: &store, events: &events, stop: &stop };
//! assert_eq!(Local { jobs: 2 }.execute(&work)?.done(), 1);
//! assert_eq!(Local { jobs: 2 }.execute(&work)?.done(), 0); // It is there by now.
//! # Ok::<(), ersatz::engine::DiskError>(())
//! ```

mod disk;
mod event;
mod graph;
mod history;
mod plan;
mod schedule;
mod stage;
mod store;
#[cfg(test)]
mod testing;
mod why;

pub use disk::{Disk, DiskError, DiskFiles, Fault, FaultyDisk, Lock, Locking, RealDisk, Status};
pub use event::{
    Event, Events, JsonLines, Record, Screen, ScreenStyle, Sink, Stopwatch, duration, unix_seconds,
};
pub use graph::{Graph, Needed, Node, NodeId};
pub use plan::{MissingFor, Plan, PlannedNode, State, plan};
pub use schedule::{Executor, Local, Outcome, Summary, Work, run_node};
pub use stage::{Context, Estimate, Failure, Inputs, Missing, Stage, StopFlag};
pub use store::{Bench, Entry, FileRecord, Found, Manifest, Origin, Progress, Store, StoreError};
pub use why::{Explanation, Reason, why};
