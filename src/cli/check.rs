//! `check`: the gate. Results of an experiment against those of an earlier report.

use std::path::PathBuf;

use clap::Args;

use super::setting::Setting;
use super::{Stop, say};
use crate::engine::DiskFiles;
use crate::report::Baseline;
use crate::terms::{Files as _, Problem};

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    setting: Setting,
    /// The `table.json` to compare with: of an earlier report, where `run` does not write
    #[arg(long)]
    baseline: PathBuf,
    /// Relative difference that passes where the baseline has no interval
    #[arg(long, default_value_t = 0.25)]
    tolerance: f64,
}

impl Check {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let document = self.setting.finished()?;
        let path = &self.baseline;
        let wrong = |found: String| {
            Problem::new("--baseline", format!("`{}`: {found}", path.display()), "a `table.json`")
                .hint("a report of `ersatz run` has one; keep it beside your code")
        };
        let json = DiskFiles.read(path).map_err(|error| wrong(error.to_string()))?;
        let baseline = Baseline::read(&json).map_err(wrong)?;
        let (ours, theirs) =
            ((&document.experiment, &document.profile), (&baseline.experiment, &baseline.profile));
        if ours != theirs {
            return Err(wrong(format!("it is of `{}` [{}]", theirs.0, theirs.1)).into());
        }
        let gate = baseline.compare(&document.tables, self.tolerance);
        if gate.compared == 0 {
            return Err(wrong("no measured number in it".to_owned()).into());
        }
        gate.failures.iter().for_each(|miss| say(format!("fails  {miss}")));
        let (failed, all) = (gate.failures.len(), gate.compared);
        say(format!("{} of {all} numbers pass against {}", all - failed, path.display()));
        let same = document.files().iter().any(|(name, now)| name == "table.json" && *now == json);
        if same {
            say("the two are equal to the byte");
        }
        if gate.passed() { Ok(()) } else { Err(Stop::Gate { failed, all }) }
    }
}
