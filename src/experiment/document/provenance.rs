//! How the numbers came about.

use serde_json::{Value, json};

use super::results::entry;
use crate::engine::{Failure, Store, plan};
use crate::experiment::build::Built;
use crate::experiment::resolve::Resolved;

/// What surrounds a run and decides nothing.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The version of this program.
    pub version: String,
    /// Where nets lived.
    pub device: String,
    /// Operating system and processor.
    pub machine: String,
    /// Threads that computed.
    pub threads: usize,
}

/// Returns the resolved experiments, the stages with keys and wall times, and the circumstances.
pub(super) fn provenance(
    resolved: &Resolved,
    built: &Built,
    store: &Store,
    circumstances: &Circumstances,
) -> Result<Value, Failure> {
    let experiments: Vec<Value> = resolved
        .cells
        .iter()
        .map(|cell| {
            let text = toml::to_string(&cell.experiment).map_err(Failure::other)?;
            let axes: serde_json::Map<String, Value> = cell.axes.iter().cloned().collect();
            Ok(json!({"swept": axes, "toml": text}))
        })
        .collect::<Result<_, Failure>>()?;
    let mut stages = Vec::new();
    for node in plan(&built.graph, &built.targets(), store)?.nodes {
        let entry = entry(built, node.id, store)?;
        let manifest = entry.manifest();
        stages.push(json!({
            "stage": manifest.origin.label,
            "kind": manifest.origin.kind,
            "key": manifest.key.short(),
            "seconds": (manifest.seconds * 10.0).round() / 10.0,
            "bytes": manifest.bytes(),
        }));
    }
    Ok(json!({
        "experiment": resolved.name,
        "profile": resolved.profile,
        "resolved": experiments,
        "stages": stages,
        "program": format!("ersatz {}", circumstances.version),
        "device": circumstances.device,
        "machine": circumstances.machine,
        "threads": circumstances.threads,
    }))
}
