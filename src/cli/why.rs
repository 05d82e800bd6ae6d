//! `why`: for what reason each stage runs, or ran.

use clap::Args;

use super::setting::{Opened, Setting};
use super::{Stop, say};
use crate::engine::{plan, why};

#[derive(Args)]
pub(super) struct Why {
    #[command(flatten)]
    setting: Setting,
    /// Only stages whose description or key holds this text
    #[arg(long)]
    stage: Option<String>,
    /// Cached stages too
    #[arg(long)]
    all: bool,
}

impl Why {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let Opened { built, store, .. } = self.setting.open()?;
        let mut shown = 0;
        let plan = plan(&built.graph, &built.targets(), &store)?;
        for planned in &plan.nodes {
            let explanation = why(&built.graph, planned.id, &store)?;
            let named = self.stage.as_ref().is_some_and(|text| {
                explanation.label.contains(text) || explanation.key.hex().starts_with(text)
            });
            if named || (self.stage.is_none() && (self.all || !explanation.cached)) {
                say(format!("{explanation}\n"));
                shown += 1;
            }
        }
        let cached = plan.nodes.len() - plan.to_run();
        say(format!("{} stages to run, {cached} cached, {shown} explained", plan.to_run()));
        Ok(())
    }
}
