//! `schema`: the JSON schema of the experiment file.

use clap::Args;

use super::{Stop, say};

#[derive(Args)]
pub(super) struct Schema;

impl Schema {
    #[expect(clippy::unused_self, reason = "every verb is executed alike")]
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let text = serde_json::to_string_pretty(crate::experiment::schema());
        say(text.map_err(|error| Stop::Failed(error.to_string()))?);
        Ok(())
    }
}
