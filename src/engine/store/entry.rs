//! A committed artifact.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Manifest;
use crate::engine::disk::{Disk, DiskError};
use crate::terms::Key;

/// Only reading shows it, so a run that meets it stops instead of making the entry again.
const DAMAGED: &str = "its content is not what was committed; remove its entry and run again";

/// A committed artifact: a folder of files that never change.
#[derive(Clone)]
pub struct Entry {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
}

impl Entry {
    /// Returns the entry's key.
    pub fn key(&self) -> Key {
        self.manifest.key
    }

    /// Returns what the entry says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the folder of its files. Nothing may be written there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the names of its files in byte order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.manifest.files.iter().map(|file| file.name.as_str())
    }

    /// Returns whether it has a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Returns the path of a file, for libraries that open files themselves.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the content of a file, after comparing its hash with the recorded one.
    ///
    /// # Errors
    /// If the entry has no such file, or it cannot be read, or its content has changed.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, DiskError> {
        let path = self.path(name);
        let Some(file) = self.manifest.files.iter().find(|file| file.name == name) else {
            return Err(DiskError::damaged(&path, "the entry has no such file"));
        };
        let content = self.disk.read(&path)?;
        if Key::of_bytes(&content) != file.blake3 {
            return Err(DiskError::damaged(&path, DAMAGED));
        }
        Ok(content)
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.key().short())
    }
}
