//! Why a stage will run, or was run: in what it differs from the nearest run before it.
//!
//! The reasons are found in the same values that are hashed into the key.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::disk::DiskError;
use super::graph::{Graph, NodeId};
use super::history::{Comparison, History};
use super::store::{Found, Store};
use crate::terms::Key;

/// One reason why a stage runs, with the old and the new value.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Nothing of its kind is in the store.
    NeverRun,
    /// Its entry is not what was committed.
    EntryDamaged {
        /// How it is damaged.
        what: String,
    },
    /// The code of the stage changed.
    VersionChanged {
        /// The version then.
        old: u32,
        /// The version now.
        new: u32,
    },
    /// A setting changed.
    SpecChanged {
        /// The path of the setting inside of the spec: `sampler.ddim.steps`.
        path: String,
        /// The value then, if the setting was there.
        old: Option<Value>,
        /// The value now, if the setting is there.
        new: Option<Value>,
    },
    /// An input is made in another way.
    InputChanged {
        /// The name of the input.
        name: String,
        /// In what the input differs.
        because: Vec<Self>,
    },
    /// There is an input more.
    InputAdded {
        /// The name of the input.
        name: String,
    },
    /// There is an input less.
    InputRemoved {
        /// The name of the input.
        name: String,
    },
    /// An input is made by another kind of stage.
    KindChanged {
        /// The kind then.
        old: String,
        /// The kind now.
        new: String,
    },
    /// What an input was then is no longer in the store.
    Forgotten {
        /// The key it had.
        key: Key,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRun => f.write_str("no such stage has been run before"),
            Self::EntryDamaged { what } => write!(f, "its entry is damaged: {what}"),
            Self::VersionChanged { old, new } => {
                write!(f, "the code of the stage changed: version {old} -> {new}")
            }
            Self::SpecChanged { path, old: Some(old), new: Some(new) } => {
                write!(f, "{path} changed: {} -> {}", words(old), words(new))
            }
            Self::SpecChanged { path, new: Some(new), .. } => {
                write!(f, "{path} added: {}", words(new))
            }
            Self::SpecChanged { path, old, .. } => {
                write!(f, "{path} removed: {}", words(old.as_ref().unwrap_or(&Value::Null)))
            }
            Self::InputChanged { name, because } => {
                write!(f, "input `{name}`: ")?;
                list(f, because, "; ")
            }
            Self::InputAdded { name } => write!(f, "input `{name}` added"),
            Self::InputRemoved { name } => write!(f, "input `{name}` removed"),
            Self::KindChanged { old, new } => write!(f, "made by another stage: {old} -> {new}"),
            Self::Forgotten { key } => {
                write!(f, "changed; its earlier entry {} is gone", key.short())
            }
        }
    }
}

/// Returns a value in at most 60 characters; of a choice its name, of two choices what tells them
/// apart.
fn words(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(members) if members.len() == 1 => {
            members.keys().next().cloned().unwrap_or_default()
        }
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST - 3).collect();
    short.push_str("...");
    short
}

/// Writes reasons one after the other; inputs that changed for the same reasons are told together.
fn list(f: &mut impl fmt::Write, reasons: &[Reason], between: &str) -> fmt::Result {
    let mut told: Vec<&[Reason]> = Vec::new();
    for reason in reasons {
        let Reason::InputChanged { because, .. } = reason else {
            separate(f, told.is_empty(), between)?;
            told.push(&[]);
            write!(f, "{reason}")?;
            continue;
        };
        if told.contains(&because.as_slice()) {
            continue;
        }
        separate(f, told.is_empty(), between)?;
        told.push(because);
        let names: Vec<String> = reasons
            .iter()
            .filter_map(|other| match other {
                Reason::InputChanged { name, because: same } if same == because => {
                    Some(format!("`{name}`"))
                }
                _ => None,
            })
            .collect();
        let word = if names.len() == 1 { "input" } else { "inputs" };
        write!(f, "{word} {}: ", names.join(", "))?;
        list(f, because, "; ")?;
    }
    Ok(())
}

fn separate(f: &mut impl fmt::Write, first: bool, between: &str) -> fmt::Result {
    if first { Ok(()) } else { f.write_str(between) }
}

/// Why a stage will run, or why it was run.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The key of the stage's entry.
    pub key: Key,
    /// What people call the stage.
    pub label: String,
    /// Whether the entry exists; then the reasons say why it was made.
    pub cached: bool,
    /// The nearest entry of the same kind that was there before, with its label.
    pub nearest: Option<(Key, String)>,
    /// The reasons; a cached entry that was the first of its kind has `NeverRun`.
    pub reasons: Vec<Reason>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, label) = (self.key.short(), &self.label);
        if self.cached {
            write!(f, "cached: entry {key} of {label}\nit was run because:\n  ")?;
        } else {
            write!(f, "will run: {label}, to be entry {key}\nbecause:\n  ")?;
        }
        let mut reasons = String::new();
        list(&mut reasons, &self.reasons, "\n  ")?;
        f.write_str(&reasons)?;
        if let Some((key, label)) = &self.nearest {
            let mut text = String::new();
            write!(text, "\ncompared with: entry {} of {label}", key.short())?;
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// Explains why a node will run, or why it was run.
///
/// # Errors
/// If the disk fails.
pub fn why(graph: &Graph, id: NodeId, store: &Store) -> Result<Explanation, DiskError> {
    let node = graph.node(id);
    let history = History::read(store)?;
    let mut comparison = Comparison::new(graph, &history);
    let explain = |cached, nearest, reasons| {
        Ok(Explanation {
            key: node.key(),
            label: node.label().to_owned(),
            cached,
            nearest,
            reasons,
        })
    };
    let (cached, limit) = match store.find(node.key())? {
        Found::Damaged(what) => {
            return explain(false, None, vec![Reason::EntryDamaged { what }]);
        }
        Found::Whole(entry) => (true, entry.manifest().finished),
        Found::Absent => (false, f64::INFINITY),
    };
    match comparison.nearest(id, limit) {
        None => explain(cached, None, vec![Reason::NeverRun]),
        Some(nearest) => {
            let past = nearest.manifest;
            explain(cached, Some((past.key, past.origin.label.clone())), nearest.reasons)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::disk::{Disk as _, RealDisk};
    use crate::engine::testing::{Fake, Site};

    /// Adds data -> generator -> pictures -> classifier x 2 -> report, all of them cheap.
    fn chain(site: &mut Site, generator: Value, version: u32) -> [NodeId; 4] {
        let data = site.add(Fake::new("data", json!({"digits": {"size": 8}})), &[]);
        let generator =
            site.add(Fake { version, ..Fake::new("generator", generator) }, &[("data", data)]);
        let pictures =
            site.add(Fake::new("pictures", json!({"count": 10})), &[("generator", generator)]);
        let classifiers = [0, 1].map(|seed| {
            let spec = json!({"seed": seed});
            site.add(Fake::new("classifier", spec), &[("real", data), ("synthetic", pictures)])
        });
        let inputs = [("run-0", classifiers[0]), ("run-1", classifiers[1])];
        [generator, pictures, classifiers[0], site.add(Fake::new("report", json!({})), &inputs)]
    }

    fn text(site: &Site, id: NodeId) -> String {
        why(&site.graph, id, &site.store).unwrap().to_string()
    }

    /// Returns the reasons only, one a line.
    fn reasons(site: &Site, id: NodeId) -> String {
        let reasons = why(&site.graph, id, &site.store).unwrap().reasons;
        reasons.iter().map(|reason| format!("{reason}\n")).collect()
    }

    #[test]
    fn one_setting_explains_everything_below_it() {
        let mut site = Site::new();
        let old = chain(&mut site, json!({"guidance": 1.5}), 1);
        assert_eq!(
            text(&site, old[0]),
            "will run: generator {\"guidance\":1.5}, to be entry 219626dcea71\n\
             because:\n  no such stage has been run before"
        );
        assert!(site.run(&old, 2).complete());
        let new = chain(&mut site, json!({"guidance": 3.0}), 1);
        assert_eq!(
            text(&site, new[0]),
            "will run: generator {\"guidance\":3.0}, to be entry 414117228d1d\n\
             because:\n  guidance changed: 1.5 -> 3.0\n\
             compared with: entry 219626dcea71 of generator {\"guidance\":1.5}"
        );
        assert_eq!(
            reasons(&site, new[2]),
            "input `synthetic`: input `generator`: guidance changed: 1.5 -> 3.0\n"
        );
        assert_eq!(
            text(&site, new[3]),
            "will run: report {}, to be entry c557c4e5c5e0\n\
             because:\n  inputs `run-0`, `run-1`: input `synthetic`: input `generator`: \
             guidance changed: 1.5 -> 3.0\n\
             compared with: entry f73f1e3c074f of report {}"
        );
        assert!(site.run(&new, 2).complete());
        assert_eq!(
            text(&site, new[1]),
            "cached: entry e6e938578cdc of pictures {\"count\":10}\n\
             it was run because:\n  input `generator`: guidance changed: 1.5 -> 3.0\n\
             compared with: entry a08cac3abbb1 of pictures {\"count\":10}"
        );
        assert_eq!(reasons(&site, old[1]), "no such stage has been run before\n");
    }

    #[test]
    fn the_nearest_past_run_is_compared() {
        let mut site = Site::new();
        let far = site.add(Fake::new("g", json!({"a": 1, "b": 1, "c": 1})), &[]);
        let near = site.add(Fake::new("g", json!({"a": 2, "b": 1, "c": 2})), &[]);
        let later = site.add(Fake::new("g", json!({"a": 1, "b": 2, "c": 3})), &[]);
        for id in [far, near, later] {
            site.run(&[id], 1);
        }
        let now = site.add(Fake::new("g", json!({"a": 2, "b": 2, "c": 2})), &[]);
        assert_eq!(reasons(&site, now), "b changed: 1 -> 2\n");
        let now = site.add(Fake::new("g", json!({"a": 1, "b": 2, "c": 1})), &[]);
        assert_eq!(reasons(&site, now), "c changed: 3 -> 1\n", "of two equally near, the later");
    }

    #[test]
    fn every_reason_has_words() {
        let old = json!({
            "sampler": {"ddim": {"steps": 50}},
            "layers": [1, 2],
            "flip": true,
            "gone": "x",
            "depth": {"a": 0.1, "b": 1},
        });
        let new = json!({
            "sampler": {"heun": {"steps": 18}},
            "layers": [1, 3, 4],
            "flip": false,
            "depth": {"a": 0.1, "b": 2},
            "prompts": "a photo of a very long prompt that nobody would want to see in full",
        });
        let mut site = Site::new();
        let [data, extra] = ["data", "extra"].map(|kind| site.add(Fake::new(kind, json!(1)), &[]));
        let old = site.add(Fake::new("g", old), &[("data", data), ("extra", extra)]);
        site.run(&[old], 1);
        let folder = site.graph.node(extra).key().hex();
        RealDisk.remove(&site.store.root().join("entries").join(folder)).unwrap();
        let [other, extra] = [("crops", json!(1)), ("extra", json!(2))]
            .map(|(kind, s)| site.add(Fake::new(kind, s), &[]));
        let inputs = [("data", other), ("extra", extra), ("more", data)];
        let new = site.add(Fake { version: 2, ..Fake::new("g", new) }, &inputs);
        let forgotten = folder_short(&site, old);
        assert_eq!(
            reasons(&site, new),
            format!(
                "the code of the stage changed: version 1 -> 2\n\
                 depth.b changed: 1 -> 2\n\
                 flip changed: true -> false\n\
                 gone removed: x\n\
                 layers[1] changed: 2 -> 3\n\
                 layers[2] added: 4\n\
                 prompts added: a photo of a very long prompt that nobody would want to s...\n\
                 sampler changed: ddim -> heun\n\
                 input `data`: made by another stage: data -> crops\n\
                 input `extra`: changed; its earlier entry {forgotten} is gone\n\
                 input `more` added\n"
            )
        );
        let fewer =
            site.add(Fake::new("g", site.graph.node(old).origin().spec.clone()), &[("data", data)]);
        assert_eq!(reasons(&site, fewer), "input `extra` removed\n");
    }

    fn folder_short(site: &Site, id: NodeId) -> String {
        site.graph.node(id).origin().inputs["extra"].short()
    }

    #[test]
    fn damage_is_a_reason() {
        let mut site = Site::new();
        let a = site.add(Fake::new("a", json!(null)), &[]);
        site.run(&[a], 1);
        let folder = site.store.root().join("entries").join(site.graph.node(a).key().hex());
        RealDisk.remove(&folder.join("out.txt")).unwrap();
        assert_eq!(reasons(&site, a), "its entry is damaged: `out.txt` is gone\n");
    }
}
