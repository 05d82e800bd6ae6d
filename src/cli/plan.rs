//! `plan`: what a run would do.

use clap::Args;

use super::setting::{Opened, Setting};
use super::{Stop, say};
use crate::engine::{State, duration, plan};

#[derive(Args)]
pub(super) struct Plan {
    #[command(flatten)]
    setting: Setting,
    /// Prints the plan as JSON
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let opened = self.setting.open()?;
        let Opened { built, store, .. } = &opened;
        let plan = plan(&built.graph, &built.targets(), store)?;
        let lines: Vec<_> = plan
            .nodes
            .iter()
            .map(|node| {
                let state = match &node.state {
                    State::Cached => "cached",
                    State::Runs => "runs",
                    State::Resumes(_) => "resumes",
                };
                let label = built.graph.node(node.id).label();
                (state, built.graph.node(node.id).key().short(), label, node.estimate)
            })
            .collect();
        if self.json {
            let stages: Vec<_> = lines
                .iter()
                .map(|(state, key, label, estimate)| {
                    serde_json::json!({"state": state, "key": key, "label": label,
                        "seconds": estimate.seconds, "bytes": estimate.bytes})
                })
                .collect();
            say(format!(
                "{}",
                serde_json::json!({"stages": stages, "free-bytes": plan.free_bytes})
            ));
            return refuse_missing(&opened);
        }
        for (state, key, label, estimate) in &lines {
            let cost = match *state {
                "cached" => String::new(),
                _ => format!("about {}", duration(estimate.seconds)),
            };
            say(format!("{state:8} {key}  {label:60} {cost}"));
        }
        let all = plan.estimate();
        say(format!(
            "\n{} of {} stages to run, about {} and {} MiB ({} MiB are free)",
            plan.to_run(),
            plan.nodes.len(),
            duration(all.seconds),
            all.bytes.div_ceil(1 << 20),
            plan.free_bytes >> 20
        ));
        refuse_missing(&opened)
    }
}

/// Refuses to go on where something is missing that no stage makes: one list of all of it.
pub(super) fn refuse_missing(opened: &Opened) -> Result<(), Stop> {
    let Opened { built, store, .. } = opened;
    let plan = plan(&built.graph, &built.targets(), store)?;
    if plan.missing.is_empty() {
        return Ok(());
    }
    let lines = plan.missing.iter().map(|missing| {
        format!("missing: {}\n  hint: {}", missing.missing.what, missing.missing.hint)
    });
    Err(Stop::Failed(lines.collect::<Vec<_>>().join("\n")))
}
