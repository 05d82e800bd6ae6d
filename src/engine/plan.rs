//! What a run would do, before it does anything: what is cached, what runs, what it takes, and all
//! that is missing.

use super::disk::DiskError;
use super::graph::{Graph, NodeId};
use super::history::{Comparison, History, Nearest};
use super::stage::{Estimate, Missing};
use super::store::{Found, Progress, Store};

/// What a run would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The nodes it needs; inputs come before what is made from them.
    pub nodes: Vec<PlannedNode>,
    /// All that must exist before any work starts and does not.
    pub missing: Vec<MissingFor>,
    /// The bytes that may still be written to the store.
    pub free_bytes: u64,
}

/// What a run would do with one node.
#[derive(Clone, Debug)]
pub struct PlannedNode {
    /// The node.
    pub id: NodeId,
    /// Whether it has to run.
    pub state: State,
    /// What is left to be spent on it; nothing if it is cached.
    pub estimate: Estimate,
    /// Whether the estimate rests on a past run on this store.
    pub measured: bool,
}

/// Whether a node has to run.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Its entry exists.
    Cached,
    /// It runs from the beginning.
    Runs,
    /// It goes on where an earlier session stopped.
    Resumes(Progress),
}

/// Something missing, and who needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFor {
    /// What is missing.
    pub missing: Missing,
    /// The nodes that need it.
    pub nodes: Vec<NodeId>,
}

impl Plan {
    /// Returns how many nodes have to run.
    pub fn to_run(&self) -> usize {
        self.nodes.iter().filter(|node| node.state != State::Cached).count()
    }

    /// Returns what all nodes together will take, one after the other.
    pub fn estimate(&self) -> Estimate {
        let each = || self.nodes.iter().map(|node| node.estimate);
        Estimate {
            seconds: each().map(|estimate| estimate.seconds).sum(),
            bytes: each().map(|estimate| estimate.bytes).sum(),
        }
    }

    /// Returns whether the estimated entries fit on the disk.
    pub fn fits(&self) -> bool {
        self.estimate().bytes <= self.free_bytes
    }
}

/// Returns what a run of these targets would do.
///
/// # Errors
/// If the disk fails.
pub fn plan(graph: &Graph, targets: &[NodeId], store: &Store) -> Result<Plan, DiskError> {
    let needed =
        graph.needed(targets, |_, node| Ok(matches!(store.find(node.key())?, Found::Whole(_))))?;
    let free_bytes = store.free_bytes()?;
    let mut nodes: Vec<PlannedNode> = needed.cached.iter().map(|id| cached(*id)).collect();
    let mut missing: Vec<MissingFor> = Vec::new();
    if !needed.run.is_empty() {
        let history = History::read(store)?;
        let mut comparison = Comparison::new(graph, &history);
        for id in &needed.run {
            let nearest = comparison.nearest(*id, f64::INFINITY);
            let progress = store.progress(graph.node(*id).key())?;
            nodes.push(planned(graph, *id, progress, nearest));
            for what in graph.node(*id).stage().missing() {
                match missing.iter_mut().find(|known| known.missing == what) {
                    Some(known) => known.nodes.push(*id),
                    None => missing.push(MissingFor { missing: what, nodes: vec![*id] }),
                }
            }
        }
    }
    nodes.sort_by_key(|node| node.id);
    Ok(Plan { nodes, missing, free_bytes })
}

fn cached(id: NodeId) -> PlannedNode {
    PlannedNode { id, state: State::Cached, estimate: Estimate::default(), measured: false }
}

fn planned(
    graph: &Graph,
    id: NodeId,
    progress: Option<Progress>,
    nearest: Option<Nearest<'_>>,
) -> PlannedNode {
    let own = graph.node(id).origin().estimate;
    let mut estimate = nearest.as_ref().map_or(own, |nearest| refined(own, nearest));
    if let Some(progress) = &progress {
        estimate.seconds = (estimate.seconds - progress.seconds).max(0.0);
    }
    let state = progress.map_or(State::Runs, State::Resumes);
    PlannedNode { id, state, estimate, measured: nearest.is_some() }
}

/// Returns a stage's own estimate, corrected by how far the nearest past run was off its own.
fn refined(own: Estimate, nearest: &Nearest<'_>) -> Estimate {
    let past = nearest.manifest;
    let expected = past.origin.estimate;
    let scale = |own: f64, expected: f64, measured: f64| {
        if expected > 0.0 && own > 0.0 { own * measured / expected } else { measured }
    };
    let bytes = scale(own.bytes as f64, expected.bytes as f64, past.bytes() as f64);
    Estimate {
        seconds: scale(own.seconds, expected.seconds, past.seconds),
        bytes: bytes.round() as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::engine::stage::Failure;
    use crate::engine::store::{FileRecord, Manifest, Origin};
    use crate::engine::testing::{Fake, Site};
    use crate::terms::Key;

    fn missing(what: &str) -> Missing {
        Missing { what: what.into(), hint: "see the README".into() }
    }

    #[test]
    fn every_node_says_what_it_will_do() {
        let mut site = Site::new();
        let needs = |kind, what: &str| {
            let missing = vec![missing(what)];
            Fake { missing, ..Fake::new(kind, json!(null)) }
        };
        let hidden = site.add(needs("hidden", "data that only a cached result needed"), &[]);
        let done = site.add(Fake::new("done", json!(null)), &[("x", hidden)]);
        let half = site.add(
            Fake::doing("half", |_, bench, _| {
                bench.put("part", b"1")?;
                bench.note("shard 1 of 4")?;
                Err(Failure::Interrupted)
            }),
            &[("x", done)],
        );
        let first = site.add(needs("first", "`inet.safetensors`"), &[("x", half)]);
        let second = site.add(needs("second", "`inet.safetensors`"), &[("x", half)]);
        let third = site.add(needs("third", "`cifar-10`"), &[("x", half)]);
        site.run(&[half], 1);
        let plan = plan(&site.graph, &[first, second, third], &site.store).unwrap();
        let states: Vec<_> = plan.nodes.iter().map(|node| (node.id, &node.state)).collect();
        let State::Resumes(progress) = states[1].1 else { panic!("half resumes: {states:?}") };
        assert_eq!(progress.note.as_deref(), Some("shard 1 of 4"));
        let half_state = State::Resumes(progress.clone());
        assert_eq!(
            states,
            [
                (done, &State::Cached),
                (half, &half_state),
                (first, &State::Runs),
                (second, &State::Runs),
                (third, &State::Runs)
            ]
        );
        let want = [("`inet.safetensors`", vec![first, second]), ("`cifar-10`", vec![third])]
            .map(|(what, nodes)| MissingFor { missing: missing(what), nodes });
        assert_eq!(plan.missing, want);
        assert_eq!(plan.to_run(), 4);
        assert_eq!(plan.estimate().bytes, 400);
        let seconds = plan.estimate().seconds;
        assert!(seconds > 30.0 && seconds < 40.0, "{seconds}: what is behind us does not count");
        assert!(plan.fits() && plan.nodes.iter().all(|node| !node.measured));
    }

    #[test]
    fn a_past_run_of_the_same_kind_corrects_the_estimate() {
        let origin = |seconds, bytes| Origin {
            kind: "train".into(),
            version: 1,
            label: "train".into(),
            spec: json!({}),
            inputs: BTreeMap::new(),
            estimate: Estimate { seconds, bytes },
        };
        let refined = |expected: (f64, u64), measured: (f64, u64), own: (f64, u64)| {
            let origin = origin(expected.0, expected.1);
            let key = origin.key();
            let blake3 = Key::of_bytes(b"");
            let files = vec![FileRecord { name: "out".into(), size: measured.1, blake3 }];
            let manifest =
                Manifest { format: 1, key, origin, files, seconds: measured.0, finished: 0.0 };
            let own = Estimate { seconds: own.0, bytes: own.1 };
            super::refined(own, &Nearest { manifest: &manifest, reasons: Vec::new() })
        };
        // Twice as slow as it thought, and half as large.
        let got = refined((10.0, 100), (20.0, 50), (30.0, 1000));
        assert_eq!(got, Estimate { seconds: 60.0, bytes: 500 });
        // A stage without an idea of its own needs what the other one needed.
        let got = refined((0.0, 0), (20.0, 50), (0.0, 0));
        assert_eq!(got, Estimate { seconds: 20.0, bytes: 50 });
    }

    #[test]
    fn plan_uses_what_was_measured_on_this_store() {
        let mut site = Site::new();
        let old = site.add(Fake::new("train", json!({"seed": 0})), &[]);
        site.run(&[old], 1);
        let new = site.add(Fake::new("train", json!({"seed": 1})), &[]);
        let plan = plan(&site.graph, &[new], &site.store).unwrap();
        assert!(plan.nodes[0].measured);
        // It put its label, which is as long for every seed of one digit.
        let bytes = site.graph.node(old).label().len() as u64;
        assert_eq!(plan.nodes[0].estimate.bytes, bytes);
    }
}
