//! `show`: the tables of an experiment that has been run.

use clap::Args;

use super::Stop;
use super::setting::Setting;

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    setting: Setting,
    /// Prints the tables as JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let document = self.setting.finished()?;
        super::run::print(&document, self.json);
        Ok(())
    }
}
