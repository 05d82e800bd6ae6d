//! `export`: synthetic pictures as an image folder.

use std::path::PathBuf;

use clap::Args;

use super::setting::{Opened, Setting};
use super::{Stop, say};
use crate::engine::{Disk as _, RealDisk};
use crate::stages::drawn_files;

#[derive(Args)]
pub(super) struct Export {
    #[command(flatten)]
    setting: Setting,
    /// The folder to write: one folder per class, one PNG file per picture
    #[arg(long)]
    to: PathBuf,
}

impl Export {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let Opened { built, store, .. } = self.setting.open()?;
        let mut written = 0;
        for (_, nodes) in &built.cells {
            for id in nodes.samples.values().flatten() {
                let node = built.graph.node(*id);
                let entry = store.find(node.key())?.whole().ok_or_else(|| {
                    Stop::Failed(format!("`{}` is not drawn yet: run the experiment", node.label()))
                })?;
                for (class, id, png) in drawn_files(&entry)? {
                    let folder = self.to.join(class);
                    RealDisk.create_folder(&folder)?;
                    RealDisk.write(&folder.join(format!("{}.png", id.replace('/', "-"))), &png)?;
                    written += 1;
                }
            }
        }
        say(format!("{written} pictures written to {}", self.to.display()));
        Ok(())
    }
}
