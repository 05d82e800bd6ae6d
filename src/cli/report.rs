//! `report`: writes the report of an experiment that has been run, from what is in the store.

use std::path::PathBuf;

use clap::Args;

use super::setting::Setting;
use super::{Stop, say};

#[derive(Args)]
pub(super) struct Report {
    #[command(flatten)]
    setting: Setting,
    /// Folder of the reports
    #[arg(long, default_value = "reports")]
    reports: PathBuf,
}

impl Report {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let document = self.setting.finished()?;
        let folder = super::run::write(&document, &self.reports)?;
        say(format!("report: {}", folder.join("index.html").display()));
        Ok(())
    }
}
