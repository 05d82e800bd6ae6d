//! A file of weights comes into our folder, whole or not at all.

use std::path::{Path, PathBuf};

use super::{PIECE, Weights, fit, sha256};
use crate::engine::{Disk, DiskError};
use crate::lab::metrics::extractors::Network;
use crate::terms::{Files, Problem};

/// Why weights did not come into our folder.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// They are not the weights of the network, or another file has their name.
    #[error("{0}")]
    Wrong(Problem),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl From<Problem> for ImportError {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem)
    }
}

/// Copies weights into a folder under their published name, if they fit the network. Returns where
/// they are then. What is there already is not copied again.
///
/// # Errors
/// If they do not fit, another file has their name, or the name would promise another hash.
pub fn import(
    network: Network,
    weights: &Weights,
    folder: &Path,
    (files, disk): (&dyn Files, &dyn Disk),
) -> Result<PathBuf, ImportError> {
    fit(network, weights)?;
    let to = folder.join(name(network, weights)?);
    if disk.look(&to)?.is_none() {
        copy(&weights.path, &to, (files, disk))?;
        return Ok(to);
    }
    let wrong = |found: String| {
        Problem::new(to.to_string_lossy(), found, "a free name")
            .hint("`ersatz weights check` says what the file is; it is not overwritten")
    };
    let there = sha256(&to, files).map_err(|error| wrong(error.to_string()))?;
    if there != weights.hash {
        return Err(wrong(format!("another file, SHA-256 {there}")).into());
    }
    Ok(to)
}

/// Returns the name that weights are published under. What nobody published takes a name that
/// promises no digits.
fn name(network: Network, weights: &Weights) -> Result<&'static str, Problem> {
    let all = network.published();
    let same = all.iter().find(|published| published.sha256 == weights.hash);
    let open = || all.iter().find(|published| published.digits().is_none());
    same.or_else(open).map(|published| published.name).ok_or_else(|| {
        let found = format!("weights that nobody published, SHA-256 {}", weights.hash);
        let expected = format!("`{}`", super::names(network));
        Problem::new(weights.path.to_string_lossy(), found, expected)
            .hint("`--weights` measures with them, and protocols say `weights=unpublished`")
    })
}

/// Copies a file; a kill leaves a draft, which the next copy removes.
fn copy(from: &Path, to: &Path, (files, disk): (&dyn Files, &dyn Disk)) -> Result<(), DiskError> {
    let folder = to.parent().expect("a name in a folder");
    let draft = to.with_added_extension("draft");
    disk.create_folder(folder)?;
    disk.remove(&draft)?;
    let read = |cause| DiskError::new("read", from, cause);
    for start in (0..files.size(from).map_err(read)?).step_by(PIECE) {
        disk.append(&draft, &files.read_range(from, start, PIECE).map_err(read)?)?;
    }
    disk.sync(&draft)?;
    disk.rename(&draft, to)?;
    disk.sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{DiskFiles, Fault, FaultyDisk, RealDisk};
    use crate::nets::weights::State;

    #[test]
    fn a_copy_is_whole_or_absent_wherever_the_machine_dies() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("ours/weights.pth"));
        let content: Vec<u8> = (0..PIECE + 99).map(|i| (i % 251) as u8).collect();
        RealDisk.write(&from, &content).unwrap();
        let mut died = 0;
        for at in 0.. {
            let disk = FaultyDisk::new(Fault::PowerCut, at);
            let copied = copy(&from, &to, (&DiskFiles, &disk));
            if copied.is_ok() {
                break;
            }
            died += 1;
            let there = RealDisk.look(&to).unwrap().map(|_| RealDisk.read(&to).unwrap());
            assert!(there.is_none_or(|there| there == content), "operation {at}");
            RealDisk.remove(&to).unwrap();
        }
        assert!(died >= 7, "{died} operations");
        assert_eq!(RealDisk.read(&to).unwrap(), content);
        assert_eq!(RealDisk.list(to.parent().unwrap()).unwrap().len(), 1, "no draft is left");
    }

    #[test]
    fn a_published_name_is_for_what_was_published() {
        let named = |network: Network, hash: &str| {
            let weights =
                Weights { path: "x.pth".into(), hash: hash.to_owned(), state: State::new() };
            name(network, &weights).map_err(|problem| problem.to_string())
        };
        for network in Network::ALL {
            for published in network.published() {
                // The two files of Inception are one content.
                let name = named(network, published.sha256).unwrap();
                assert!(network.published().iter().any(|it| it.name == name), "{name}");
            }
        }
        let of_hub = Network::Dinov2B.published()[1];
        assert_eq!(named(Network::Dinov2B, of_hub.sha256).unwrap(), "dinov2-base.safetensors");
        assert_eq!(named(Network::Dinov2B, "00").unwrap(), "dinov2_vitb14_pretrain.pth");
        let said = named(Network::Vgg16, "00").unwrap_err();
        assert!(said.contains("nobody published") && said.contains("--weights"), "{said}");
    }
}
