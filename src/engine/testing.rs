//! What the engine's tests share: a stage that does as told, and a store to run it on.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::{
    Bench, Context, Estimate, Event, Events, Executor as _, Failure, Graph, Inputs, Local, Missing,
    NodeId, Record, Sink, Stage, StopFlag, Store, Summary, Work,
};

pub(super) type Run = Box<dyn Fn(&Inputs, &Bench, &Context) -> Result<(), Failure> + Send + Sync>;

/// A stage that does as told; by default it puts its label into `out.txt`.
pub(super) struct Fake {
    pub(super) kind: &'static str,
    pub(super) version: u32,
    pub(super) spec: Value,
    pub(super) estimate: Estimate,
    pub(super) missing: Vec<Missing>,
    pub(super) run: Option<Run>,
}

impl Fake {
    pub(super) fn new(kind: &'static str, spec: Value) -> Self {
        let estimate = Estimate { seconds: 10.0, bytes: 100 };
        Self { kind, version: 1, spec, estimate, missing: Vec::new(), run: None }
    }

    pub(super) fn doing(
        kind: &'static str,
        run: impl Fn(&Inputs, &Bench, &Context) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { run: Some(Box::new(run)), ..Self::new(kind, Value::Null) }
    }
}

impl Stage for Fake {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn spec(&self) -> Value {
        self.spec.clone()
    }

    fn label(&self) -> String {
        match &self.spec {
            Value::Null => self.kind.to_owned(),
            spec => format!("{} {spec}", self.kind),
        }
    }

    fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn missing(&self) -> Vec<Missing> {
        self.missing.clone()
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        match &self.run {
            Some(run) => run(inputs, bench, context),
            None => Ok(bench.put("out.txt", self.label().as_bytes())?),
        }
    }
}

/// A store in a folder of its own, a graph, and everything that happened.
pub(super) struct Site {
    _folder: TempDir,
    pub(super) store: Store,
    pub(super) graph: Graph,
    pub(super) record: Record,
    pub(super) stop: StopFlag,
    events: Events,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::default();
        Self {
            store: Store::open(folder.path()).unwrap(),
            _folder: folder,
            graph: Graph::default(),
            events: Events::new(vec![Sink::Record(record.clone())]),
            record,
            stop: StopFlag::default(),
        }
    }

    pub(super) fn add(&mut self, stage: Fake, inputs: &[(&str, NodeId)]) -> NodeId {
        self.graph.add(Arc::new(stage), inputs)
    }

    pub(super) fn run(&self, targets: &[NodeId], jobs: usize) -> Summary {
        let work = Work {
            graph: &self.graph,
            targets,
            store: &self.store,
            events: &self.events,
            stop: &self.stop,
        };
        Local { jobs }.execute(&work).unwrap()
    }

    /// Returns the labels of all stages that started, in order.
    pub(super) fn started(&self) -> Vec<String> {
        let started = |event| match event {
            Event::Started { label, .. } => Some(label),
            _ => None,
        };
        self.record.events().into_iter().filter_map(started).collect()
    }
}
