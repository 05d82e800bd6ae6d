//! Runs a graph: what is ready in a fixed order, several at a time, on through failures.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;

use super::disk::DiskError;
use super::event::{Event, Events};
use super::graph::{Graph, Needed, Node, NodeId};
use super::stage::{Context, Failure, Inputs, StopFlag};
use super::store::{Found, Store};

/// What shall be done, with what, and who is told.
pub struct Work<'a> {
    /// The stages.
    pub graph: &'a Graph,
    /// The nodes whose entries are wanted.
    pub targets: &'a [NodeId],
    /// Where entries are found and go.
    pub store: &'a Store,
    /// Who is told.
    pub events: &'a Events,
    /// Who may stop it.
    pub stop: &'a StopFlag,
}

/// A way to get the targets of some work.
pub trait Executor {
    /// Makes the entries of all targets, as far as possible.
    ///
    /// # Errors
    /// If the disk fails before anything runs. What fails later is in the summary.
    fn execute(&self, work: &Work<'_>) -> Result<Summary, DiskError>;
}

/// What became of a node.
#[derive(Debug)]
pub enum Outcome {
    /// Its entry existed.
    Cached,
    /// It ran.
    Done {
        /// Wall time over all its sessions, in seconds.
        seconds: f64,
    },
    /// It ran and did not finish.
    Failed(Failure),
    /// It was stopped, or the work was stopped before it started.
    Interrupted,
    /// It could not start because another node failed.
    Blocked {
        /// The node that failed.
        by: NodeId,
    },
}

/// What became of every node that was needed.
#[derive(Debug, Default)]
pub struct Summary {
    /// The outcomes; inputs come before what is made from them.
    pub outcomes: BTreeMap<NodeId, Outcome>,
}

impl Summary {
    /// Returns whether every target has its entry.
    pub fn complete(&self) -> bool {
        let good = |outcome: &_| matches!(outcome, Outcome::Cached | Outcome::Done { .. });
        self.outcomes.values().all(good)
    }

    /// Returns whether something was stopped before its end.
    pub fn interrupted(&self) -> bool {
        self.outcomes.values().any(|outcome| matches!(outcome, Outcome::Interrupted))
    }

    /// Iterates over the nodes that failed by themselves.
    pub fn failures(&self) -> impl Iterator<Item = (NodeId, &Failure)> {
        self.outcomes.iter().filter_map(|(id, outcome)| match outcome {
            Outcome::Failed(failure) => Some((*id, failure)),
            _ => None,
        })
    }

    /// Returns how many nodes ran to their end.
    pub fn done(&self) -> usize {
        self.outcomes.values().filter(|outcome| matches!(outcome, Outcome::Done { .. })).count()
    }
}

/// Runs stages on this machine, on threads of this process.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// How many stages run at a time, at least 1.
    pub jobs: usize,
}

impl Executor for Local {
    fn execute(&self, work: &Work<'_>) -> Result<Summary, DiskError> {
        // As the main thread of a program has; other threads get a quarter of it by default.
        const STACK_BYTES: usize = 8 << 20;
        let needed = work.graph.needed(work.targets, |_, node| {
            Ok(matches!(work.store.find(node.key())?, Found::Whole(_)))
        })?;
        for id in &needed.cached {
            let node = work.graph.node(*id);
            let (key, label) = (node.key(), node.label().to_owned());
            work.events.emit(Event::Cached { key, label });
        }
        let board = Board::new(work, &needed);
        thread::scope(|scope| {
            for i in 0..self.jobs.clamp(1, needed.run.len().max(1)) {
                thread::Builder::new()
                    .name(format!("stage-{i}"))
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, || board.serve())
                    .expect("the system can start a thread");
            }
        });
        Ok(board.summary(&needed))
    }
}

/// What is to do and what has been done, shared by the threads.
struct Board<'a> {
    work: &'a Work<'a>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// For every node that cannot start yet: its unfinished inputs.
    waiting: BTreeMap<NodeId, BTreeSet<NodeId>>,
    ready: BTreeSet<NodeId>,
    running: usize,
    outcomes: BTreeMap<NodeId, Outcome>,
}

impl<'a> Board<'a> {
    fn new(work: &'a Work<'a>, needed: &Needed) -> Self {
        let unfinished = |id: &NodeId| -> BTreeSet<NodeId> {
            let inputs = work.graph.node(*id).inputs().values();
            inputs.filter(|input| needed.run.contains(input)).copied().collect()
        };
        let all = needed.run.iter().map(|id| (*id, unfinished(id)));
        let (ready, waiting): (BTreeMap<_, _>, _) = all.partition(|(_, inputs)| inputs.is_empty());
        let outcomes = needed.cached.iter().map(|id| (*id, Outcome::Cached)).collect();
        let ready = ready.into_keys().collect();
        let state = State { waiting, ready, running: 0, outcomes };
        Self { work, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics with the board")
    }

    /// Runs one node after the other until nothing is left to start.
    fn serve(&self) {
        while let Some(id) = self.next() {
            let ran = panic::catch_unwind(AssertUnwindSafe(|| run_node(self.work, id)));
            // A panic is our bug and ends the program, but only after the others reached a safe
            // point: a thread that waits for this node would wait for ever.
            let outcome = ran.unwrap_or_else(|bug| {
                self.work.stop.set();
                self.finish(id, Outcome::Interrupted);
                panic::resume_unwind(bug)
            });
            self.finish(id, outcome);
        }
    }

    /// Returns the earliest node that is ready; waits for one as long as one may become ready.
    fn next(&self) -> Option<NodeId> {
        let mut state = self.state();
        loop {
            if self.work.stop.is_set() {
                return None;
            }
            if let Some(id) = state.ready.pop_first() {
                state.running += 1;
                return Some(id);
            }
            if state.running == 0 {
                return None;
            }
            state = self.changed.wait(state).expect("nothing panics with the board");
        }
    }

    fn finish(&self, id: NodeId, outcome: Outcome) {
        let mut state = self.state();
        state.running -= 1;
        match &outcome {
            Outcome::Cached | Outcome::Done { .. } => state.release(id),
            Outcome::Failed(_) => state.block(id),
            // What waits for it stays without an outcome; see `summary`.
            Outcome::Interrupted | Outcome::Blocked { .. } => {}
        }
        state.outcomes.insert(id, outcome);
        self.changed.notify_all();
    }

    fn summary(self, needed: &Needed) -> Summary {
        let mut outcomes = self.state.into_inner().expect("nothing panics with the board").outcomes;
        for id in &needed.run {
            outcomes.entry(*id).or_insert(Outcome::Interrupted);
        }
        Summary { outcomes }
    }
}

impl State {
    fn release(&mut self, input: NodeId) {
        for inputs in self.waiting.values_mut() {
            inputs.remove(&input);
        }
        self.ready
            .extend(self.waiting.extract_if(.., |_, inputs| inputs.is_empty()).map(|(id, _)| id));
    }

    fn block(&mut self, by: NodeId) {
        let mut lost = BTreeSet::from([by]);
        // Inputs come first, so one pass finds everything that is made from what is lost.
        let blocked: Vec<_> = self
            .waiting
            .extract_if(.., |id, inputs| !inputs.is_disjoint(&lost) && lost.insert(*id))
            .collect();
        self.outcomes.extend(blocked.into_iter().map(|(id, _)| (id, Outcome::Blocked { by })));
    }
}

/// Runs one node whose inputs exist, tells what happens, and returns what became of it.
pub fn run_node(work: &Work<'_>, id: NodeId) -> Outcome {
    let node = work.graph.node(id);
    let outcome = match attempt(work, node) {
        Ok(outcome) => outcome,
        Err(Failure::Interrupted) => Outcome::Interrupted,
        Err(failure) => Outcome::Failed(failure),
    };
    let (key, label) = (node.key(), node.label().to_owned());
    work.events.emit(match &outcome {
        Outcome::Cached => Event::Cached { key, label },
        Outcome::Done { seconds } => Event::Finished { key, label, seconds: *seconds },
        Outcome::Failed(failure) => Event::Failed { key, label, what: failure.to_string() },
        Outcome::Interrupted | Outcome::Blocked { .. } => Event::Interrupted { key, label },
    });
    outcome
}

fn attempt(work: &Work<'_>, node: &Node) -> Result<Outcome, Failure> {
    let key = node.key();
    let resumes = work.store.progress(key)?;
    let bench = work.store.bench(key)?;
    // Only now is nobody else at it; another process may have finished it in the meantime.
    match work.store.find(key)? {
        Found::Absent => {}
        Found::Damaged(_) => work.store.discard(&bench)?,
        Found::Whole(_) => {
            work.store.clear(bench)?;
            return Ok(Outcome::Cached);
        }
    }
    let inputs = inputs(work, node)?;
    let label = node.label().to_owned();
    let note = resumes.as_ref().and_then(|progress| progress.note.clone());
    let resumes = resumes.is_some();
    work.events.emit(Event::Started { key, label: label.clone(), resumes, note });
    let context = Context::new(key, label, work.events.clone(), work.stop.clone());
    if let Err(failure) = node.stage().run(&inputs, &bench, &context) {
        // The time spent is worth less than the failure, which may be the disk's.
        let _ = bench.pause();
        return Err(failure);
    }
    let entry = work.store.commit(bench, node.origin().clone())?;
    Ok(Outcome::Done { seconds: entry.manifest().seconds })
}

fn inputs(work: &Work<'_>, node: &Node) -> Result<Inputs, Failure> {
    let mut entries = Vec::new();
    for (name, id) in node.inputs() {
        let input = work.graph.node(*id);
        match work.store.find(input.key())? {
            Found::Whole(entry) => entries.push((name.clone(), *entry)),
            Found::Absent => {
                return Err(Failure::other(format!("its input {} is gone", input.label())));
            }
            Found::Damaged(what) => {
                let label = input.label();
                return Err(Failure::other(format!("its input {label} is damaged: {what}")));
            }
        }
    }
    Ok(Inputs::new(entries))
}

#[cfg(test)]
mod tests;
