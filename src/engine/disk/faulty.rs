//! A disk that fails at a chosen operation, for tests of everything that must survive it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::real::{append, write_unsynced};
use super::{Disk, DiskError, Locking, RealDisk, Status};
use crate::terms::Key;

/// How a [`FaultyDisk`] fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One operation fails; later ones work.
    Error,
    /// From the operation on, everything that needs space fails, a draft after half of its content.
    NoSpace,
    /// The process ends in the middle of the operation: a draft is half written, nothing follows.
    Kill,
    /// As `Kill`, and everything that was not synced by then is undone.
    PowerCut,
}

/// The machine's disk, with one fault at one operation. It never waits for the platter: it knows by
/// itself what a power cut would undo.
#[derive(Debug)]
pub struct FaultyDisk {
    fault: Fault,
    /// The number of the first operation that fails, counted from 0.
    at: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    operations: usize,
    failed: bool,
    renames: Vec<Rename>,
}

/// A rename that a power cut would undo.
#[derive(Debug)]
struct Rename {
    from: PathBuf,
    to: PathBuf,
    replaced: Option<Vec<u8>>,
}

impl Rename {
    /// Moves along with the folder it happened in.
    fn follow(&mut self, from: &Path, to: &Path) {
        for path in [&mut self.from, &mut self.to] {
            if let Ok(rest) = path.strip_prefix(from) {
                *path = to.join(rest);
            }
        }
    }
}

impl FaultyDisk {
    /// Returns a disk whose operation number `at` fails, counted from 0.
    pub fn new(fault: Fault, at: usize) -> Self {
        Self { fault, at, state: Mutex::default() }
    }

    /// Returns whether the fault has happened.
    pub fn failed(&self) -> bool {
        self.state().failed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no operation of this disk panics")
    }

    /// Counts an operation; `half` is what is left of it if the fault falls on it.
    fn step(&self, path: &Path, space: bool, half: impl FnOnce()) -> Result<(), DiskError> {
        let mut state = self.state();
        let now = state.operations;
        state.operations += 1;
        let fails = match self.fault {
            Fault::Error => now == self.at,
            Fault::NoSpace => now >= self.at && space,
            Fault::Kill | Fault::PowerCut => now >= self.at,
        };
        if !fails {
            return Ok(());
        }
        if !state.failed || self.fault == Fault::NoSpace {
            half();
        }
        if !state.failed && self.fault == Fault::PowerCut {
            undo(&mut state.renames);
        }
        state.failed = true;
        let cause = match self.fault {
            Fault::Error => io::Error::other("the disk failed"),
            Fault::NoSpace => io::Error::from(io::ErrorKind::StorageFull),
            Fault::Kill | Fault::PowerCut => io::Error::other("the machine is off"),
        };
        Err(DiskError::new("use", path, cause))
    }
}

fn undo(renames: &mut Vec<Rename>) {
    while let Some(rename) = renames.pop() {
        RealDisk.rename(&rename.to, &rename.from).expect("what was moved moves back");
        if RealDisk.look(&rename.from).is_ok_and(|found| found == Some(Status::Folder)) {
            renames.iter_mut().for_each(|earlier| earlier.follow(&rename.to, &rename.from));
        }
        if let Some(content) = rename.replaced {
            write_unsynced(&rename.to, &content).expect("what was replaced comes back");
        }
    }
}

impl Disk for FaultyDisk {
    fn create_folder(&self, path: &Path) -> Result<(), DiskError> {
        self.step(path, true, || ())?;
        RealDisk.create_folder(path)
    }

    fn write_draft(&self, path: &Path, content: &[u8]) -> Result<(), DiskError> {
        let half = &content[..content.len() / 2];
        self.step(path, true, || write_unsynced(path, half).expect("half fits"))?;
        write_unsynced(path, content)
    }

    fn append(&self, path: &Path, content: &[u8]) -> Result<(), DiskError> {
        let half = &content[..content.len() / 2];
        self.step(path, true, || append(path, half).expect("half fits"))?;
        RealDisk.append(path, content)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        self.step(path, false, || ())?;
        RealDisk.read(path)
    }

    fn digest(&self, path: &Path) -> Result<(u64, Key), DiskError> {
        self.step(path, false, || ())?;
        RealDisk.digest(path)
    }

    fn list(&self, folder: &Path) -> Result<Vec<(String, bool)>, DiskError> {
        self.step(folder, false, || ())?;
        RealDisk.list(folder)
    }

    fn look(&self, path: &Path) -> Result<Option<Status>, DiskError> {
        self.step(path, false, || ())?;
        RealDisk.look(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.step(to, false, || ())?;
        let replaced = match RealDisk.look(to)? {
            Some(Status::File(_)) => Some(RealDisk.read(to)?),
            Some(Status::Folder) | None => None,
        };
        RealDisk.rename(from, to)?;
        let mut state = self.state();
        if RealDisk.look(to)? == Some(Status::Folder) {
            state.renames.iter_mut().for_each(|earlier| earlier.follow(from, to));
        }
        state.renames.push(Rename { from: from.to_owned(), to: to.to_owned(), replaced });
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.step(path, false, || ())?;
        self.state().renames.retain(|rename| !rename.to.starts_with(path));
        RealDisk.remove(path)
    }

    fn sync(&self, path: &Path) -> Result<(), DiskError> {
        self.step(path, false, || ())?;
        self.state().renames.retain(|rename| rename.to.parent() != Some(path));
        Ok(())
    }

    fn free_bytes(&self, path: &Path) -> Result<u64, DiskError> {
        self.step(path, false, || ())?;
        RealDisk.free_bytes(path)
    }

    fn lock(&self, path: &Path) -> Result<Locking, DiskError> {
        self.step(path, true, || ())?;
        RealDisk.lock(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_undoes_what_was_not_synced() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let (draft, file) = (root.join("draft"), root.join("file"));
        RealDisk.write_draft(&file, b"old").unwrap();
        for (synced, want) in [(false, b"old"), (true, b"new")] {
            let disk = FaultyDisk::new(Fault::PowerCut, if synced { 3 } else { 2 });
            disk.write_draft(&draft, b"new").unwrap();
            disk.rename(&draft, &file).unwrap();
            if synced {
                disk.sync(root).unwrap();
            }
            assert!(disk.read(&file).is_err());
            assert!(disk.failed());
            assert_eq!(RealDisk.read(&file).unwrap(), want);
        }
    }

    #[test]
    fn a_full_disk_is_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.bin");
        let error = FaultyDisk::new(Fault::NoSpace, 0).write(&path, b"1234").unwrap_err();
        assert!(error.is_full());
        assert!(error.to_string().ends_with(
            "weights.bin`: the disk is full; free some space and run again, finished work is kept"
        ));
        assert_eq!(RealDisk.list(folder.path()).unwrap(), [], "half a draft does not stay");
    }
}
