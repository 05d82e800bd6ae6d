//! `show`: the tables of an experiment that has been run.

use clap::Args;

use super::Stop;
use super::setting::{Opened, Setting};
use crate::experiment::document;

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
        let Opened { resolved, built, store, circumstances } = self.setting.open()?;
        let document = document(&resolved, &built, &store, &circumstances)
            .map_err(|failure| Stop::Failed(format!("{failure}: run the experiment first")))?;
        super::run::print(&document, self.json);
        Ok(())
    }
}
