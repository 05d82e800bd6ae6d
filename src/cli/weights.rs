//! `weights`: which networks there are, and where their weights lie.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Stop, choice, say};
use crate::comparison::{Network, weights};
use crate::engine::DiskFiles;
use crate::terms::Problem;

#[derive(Args)]
pub(super) struct Weights {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists the networks, and where their weights were found
    Ls,
    /// Says what to download for a network and where to put it, and checks what is there
    Fetch {
        /// The network
        network: String,
    },
    /// Checks that a file holds all weights of a network
    Check {
        /// The network
        network: String,
        /// The file: .safetensors, .pth, .pt or .bin
        file: PathBuf,
    },
}

impl Weights {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let folders = folders();
        match &self.verb {
            Verb::Ls => {
                for network in Network::ALL {
                    let place = match weights::find(network, &folders, &DiskFiles) {
                        Some(path) => path.display().to_string(),
                        None => format!("absent: {}", network.files().join(" or ")),
                    };
                    say(format!("{:<16} {place}", network.name()));
                }
                let searched: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
                say(format!("looked for in {}", searched.join(", ")));
            }
            Verb::Fetch { network } => {
                let network = self::network("NETWORK", network)?;
                let found = weights::load(network, None, &folders, &DiskFiles)?;
                say(format!("{} is there, SHA-256 {}", found.path.display(), found.hash));
            }
            Verb::Check { network, file } => {
                let network = self::network("NETWORK", network)?;
                let found = weights::load(network, Some(file), &folders, &DiskFiles)?;
                weights::fit(network, &found)?;
                let count = found.state.len();
                say(format!("{count} tensors fit `{}`, SHA-256 {}", network.name(), found.hash));
            }
        }
        Ok(())
    }
}

/// Returns the network of a name.
pub(super) fn network(option: &str, name: &str) -> Result<Network, Problem> {
    choice(option, name, &Network::ALL, Network::name)
}

/// Returns the folders where weights are looked for, ours first, then those of other tools.
pub(super) fn folders() -> Vec<PathBuf> {
    let told = |name: &str| std::env::var(name).ok().map(PathBuf::from);
    let cache = || {
        told("XDG_CACHE_HOME").or_else(|| Some(told("HOME")?.join(".cache"))).unwrap_or_default()
    };
    let torch = told("TORCH_HOME").unwrap_or_else(|| cache().join("torch"));
    let hub = told("HF_HOME").unwrap_or_else(|| cache().join("huggingface"));
    let mut folders: Vec<PathBuf> = told("ERSATZ_WEIGHTS").into_iter().collect();
    folders.extend([torch.join("hub/checkpoints"), hub]);
    folders
}
