//! `weights`: which networks there are, where their weights lie, and how they come here.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::download::{Downloader, Remote};
use super::{Stop, choice, say};
use crate::comparison::weights::{Folders, ImportError, Weights as Found};
use crate::comparison::{Network, weights};
use crate::engine::{DiskFiles, RealDisk};
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
    /// Downloads the published weights of a network, unless weights that fit are here
    #[command(after_help = "ERSATZ_MIRROR=https://host stands for scheme and host of every \
                            address. A call that was stopped is resumed by the same call.")]
    Fetch {
        /// The network
        network: String,
        /// The folder to look at and to download into [default: `ERSATZ_WEIGHTS`, or
        /// `ersatz/weights` in the user's cache]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Copies weights that fit a network into our folder, under their published name
    Import {
        /// The network
        network: String,
        /// The file: .safetensors, .pth, .pt or .bin
        file: PathBuf,
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
            Verb::Ls => list(&folders),
            Verb::Fetch { network, to } => {
                let network = self::network("NETWORK", network)?;
                let told = to.clone().map(|ours| Folders { ours, ..Folders::default() });
                fetch(network, &told.unwrap_or(folders))?;
            }
            Verb::Import { network, file } => {
                let network = self::network("NETWORK", network)?;
                let found = weights::load(network, Some(file), &folders, &DiskFiles)?;
                let to = weights::import(network, &found, &folders.ours, (&DiskFiles, &RealDisk))
                    .map_err(|error| match error {
                    ImportError::Wrong(problem) => problem.into(),
                    ImportError::Disk(error) => Stop::from(error),
                })?;
                say(fitting(network, &found, &to));
            }
            Verb::Check { network, file } => {
                let network = self::network("NETWORK", network)?;
                let found = weights::load(network, Some(file), &folders, &DiskFiles)?;
                weights::fit(network, &found)?;
                say(fitting(network, &found, file));
            }
        }
        Ok(())
    }
}

fn list(folders: &Folders) {
    for network in Network::ALL {
        let place = match weights::find(network, folders, &DiskFiles) {
            Some(path) => path.display().to_string(),
            None => format!("absent: `{}`", weights::names(network)),
        };
        say(format!("{:<16} {place}", network.name()));
    }
    say(format!("looked for in {}", folders.list()));
    say(format!("`ersatz weights fetch NETWORK` downloads into {}", folders.ours.display()));
}

/// Finds weights that fit, or downloads them.
fn fetch(network: Network, folders: &Folders) -> Result<(), Stop> {
    if weights::find(network, folders, &DiskFiles).is_some() {
        let found = weights::load(network, None, folders, &DiskFiles)?;
        weights::fit(network, &found)?;
        say(fitting(network, &found, &found.path));
        return Ok(());
    }
    let published = &network.published()[0];
    let to = folders.ours.join(published.name);
    let check = |path: &Path| weights::verify(network, published, path, &DiskFiles);
    let (address, bytes) = (published.address, Some(published.bytes));
    let remote = Remote { address, to: &to, bytes, check: Some(&check) };
    Downloader::of_environment().get(&remote).map_err(|error| {
        let hint = weights::by_hand(network, &folders.ours);
        Stop::Failed(format!("{error}\n  hint: {hint}"))
    })?;
    let (place, name) = (to.display(), network.name());
    say(format!("{place}: the published weights of `{name}`, SHA-256 {}", published.sha256));
    Ok(())
}

/// Says that weights fit, and whether they are the published ones.
fn fitting(network: Network, found: &Found, path: &Path) -> String {
    let (place, count, name) = (path.display(), found.state.len(), network.name());
    let whose = match network.is_published(&found.hash) {
        true => "as published",
        false => "which nobody published: protocols will say so",
    };
    format!("{place}: {count} tensors fit `{name}`, SHA-256 {}, {whose}", found.hash)
}

/// Returns the network of a name.
pub(super) fn network(option: &str, name: &str) -> Result<Network, Problem> {
    choice(option, name, &Network::ALL, Network::name)
}

/// Returns the folders where weights are looked for: ours, then those of other tools.
pub(super) fn folders() -> Folders {
    let told = |name: &str| std::env::var(name).ok().map(PathBuf::from);
    let cache = || {
        told("XDG_CACHE_HOME").unwrap_or_else(|| told("HOME").unwrap_or_default().join(".cache"))
    };
    let ours = told("ERSATZ_WEIGHTS").unwrap_or_else(|| cache().join("ersatz/weights"));
    let torch = told("TORCH_HOME").unwrap_or_else(|| cache().join("torch"));
    let hub = told("HF_HOME").unwrap_or_else(|| cache().join("huggingface"));
    Folders { ours, others: vec![torch.join("hub/checkpoints")], hub: Some(hub.join("hub")) }
}
