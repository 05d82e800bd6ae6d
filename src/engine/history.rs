//! What was run before: which past entry is nearest to a node, and in what it differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::disk::DiskError;
use super::graph::{Graph, NodeId};
use super::store::{Found, Manifest, Store};
use super::why::Reason;
use crate::terms::Key;

/// The manifests of all whole entries of a store.
pub(super) struct History {
    manifests: BTreeMap<Key, Manifest>,
}

impl History {
    pub(super) fn read(store: &Store) -> Result<Self, DiskError> {
        let mut manifests = BTreeMap::new();
        for key in store.keys()? {
            if let Found::Whole(entry) = store.find(key)? {
                manifests.insert(key, entry.manifest().clone());
            }
        }
        Ok(Self { manifests })
    }
}

/// A past entry and all in which a node differs from it.
pub(super) struct Nearest<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) reasons: Vec<Reason>,
}

/// Compares nodes with the past, down through their inputs.
pub(super) struct Comparison<'a> {
    graph: &'a Graph,
    history: &'a History,
    /// Many nodes share inputs.
    known: BTreeMap<(NodeId, Key), Vec<Reason>>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(graph: &'a Graph, history: &'a History) -> Self {
        Self { graph, history, known: BTreeMap::new() }
    }

    /// Returns the past entry of the same kind in which fewest leaves differ (of several the
    /// latest), among those finished before `limit`, in seconds since 1970.
    pub(super) fn nearest(&mut self, id: NodeId, limit: f64) -> Option<Nearest<'a>> {
        let node = self.graph.node(id);
        let earlier = |past: &&Manifest| {
            past.origin.kind == node.origin().kind
                && past.key != node.key()
                && past.finished < limit
        };
        let mut nearest: Option<(usize, Nearest<'a>)> = None;
        for manifest in self.history.manifests.values().filter(earlier) {
            let reasons = self.differences(id, manifest);
            let distance = distance(&reasons);
            let nearer = nearest.as_ref().is_none_or(|(least, best)| {
                distance < *least
                    || distance == *least && manifest.finished > best.manifest.finished
            });
            if nearer {
                nearest = Some((distance, Nearest { manifest, reasons }));
            }
        }
        nearest.map(|(_, nearest)| nearest)
    }

    /// Returns in what a node differs from a past one: version, then spec, then inputs.
    fn differences(&mut self, id: NodeId, past: &Manifest) -> Vec<Reason> {
        if let Some(known) = self.known.get(&(id, past.key)) {
            return known.clone();
        }
        let now = self.graph.node(id).origin();
        let before = &past.origin;
        let mut reasons = Vec::new();
        if now.kind != before.kind {
            let (old, new) = (before.kind.clone(), now.kind.clone());
            reasons.push(Reason::KindChanged { old, new });
        } else {
            if now.version != before.version {
                reasons.push(Reason::VersionChanged { old: before.version, new: now.version });
            }
            compare("", Some(&before.spec), Some(&as_stored(&now.spec)), &mut reasons);
            self.compare_inputs(id, past, &mut reasons);
        }
        self.known.insert((id, past.key), reasons.clone());
        reasons
    }

    fn compare_inputs(&mut self, id: NodeId, past: &Manifest, reasons: &mut Vec<Reason>) {
        let node = self.graph.node(id);
        let old = &past.origin.inputs;
        let names: BTreeSet<&String> = node.inputs().keys().chain(old.keys()).collect();
        for name in names {
            let name = name.clone();
            match (old.get(&name), node.inputs().get(&name)) {
                (Some(key), Some(input)) if self.graph.node(*input).key() == *key => {}
                (Some(key), Some(input)) => {
                    let because = match self.history.manifests.get(key) {
                        Some(manifest) => self.differences(*input, manifest),
                        None => vec![Reason::Forgotten { key: *key }],
                    };
                    reasons.push(Reason::InputChanged { name, because });
                }
                (None, _) => reasons.push(Reason::InputAdded { name }),
                (_, None) => reasons.push(Reason::InputRemoved { name }),
            }
        }
    }
}

/// Returns the number of leaves that differ.
fn distance(reasons: &[Reason]) -> usize {
    /// Another kind of input, or one of which nothing is known, is further than a few settings.
    const STRANGER: usize = 8;
    let one = |reason: &Reason| match reason {
        Reason::InputChanged { because, .. } => distance(because).max(1),
        Reason::KindChanged { .. } | Reason::Forgotten { .. } => STRANGER,
        _ => 1,
    };
    reasons.iter().map(one).sum()
}

/// Returns a value as it comes back from a manifest. A reader of JSON may miss the last bit of a
/// float, so only values that were read are comparable.
fn as_stored(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).expect("a value that was written can be read")
}

/// Collects the leaves in which two values differ.
fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, reasons: &mut Vec<Reason>) {
    match (old, new) {
        (Some(old), Some(new)) if old == new => {}
        (Some(Value::Object(was)), Some(Value::Object(is))) if !is_other_choice(was, is) => {
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for name in names {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&inner, was.get(name), is.get(name), reasons);
            }
        }
        (Some(Value::Array(was)), Some(Value::Array(is))) => {
            for i in 0..was.len().max(is.len()) {
                compare(&format!("{path}[{i}]"), was.get(i), is.get(i), reasons);
            }
        }
        (old, new) => {
            let (old, new) = (old.cloned(), new.cloned());
            reasons.push(Reason::SpecChanged { path: path.to_owned(), old, new });
        }
    }
}

/// Returns whether two objects are different choices of one enum (`{"ddim": ..}`, `{"euler": ..}`),
/// whose settings have nothing to do with each other.
fn is_other_choice(
    old: &serde_json::Map<String, Value>,
    new: &serde_json::Map<String, Value>,
) -> bool {
    old.len() == 1 && new.len() == 1 && old.keys().ne(new.keys())
}
