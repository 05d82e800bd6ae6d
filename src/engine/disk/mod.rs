//! The disk as the engine sees it: few operations, each of which may fail or be the last.
//!
//! [`Disk`] is the seam: [`RealDisk`] is the machine's disk, [`FaultyDisk`] fails at a chosen
//! operation, for tests. Everything that must be whole or absent is built from three facts: a draft
//! is synced before it is renamed, a rename is atomic, and it is durable once its folder is synced.
//! [`DiskFiles`] is the read-only door of science ([`crate::terms::Files`]) to the same disk.

mod faulty;
mod files;
mod real;

use std::io;
use std::path::{Path, PathBuf};

pub use faulty::{Fault, FaultyDisk};
pub use files::DiskFiles;
pub(super) use real::open_log;
pub use real::{Lock, RealDisk};

use crate::terms::Key;

/// How names of unfinished files begin; they are never content.
const DRAFT: &str = ".draft-";

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A file of this many bytes.
    File(u64),
    /// A folder.
    Folder,
}

/// The answer to a request for a lock.
#[derive(Debug)]
pub enum Locking {
    /// It is ours until dropped.
    Held(Lock),
    /// A living process has it; the text says which.
    Busy(String),
}

/// A failed operation on the disk, with the path it was about.
#[derive(Debug, thiserror::Error)]
#[error("{doing} `{}`: {}", path.display(), reason(cause))]
pub struct DiskError {
    doing: &'static str,
    path: PathBuf,
    cause: io::Error,
}

fn reason(cause: &io::Error) -> String {
    if is_full(cause) {
        "the disk is full; free some space and run again, finished work is kept".to_owned()
    } else {
        cause.to_string()
    }
}

fn is_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl DiskError {
    /// Says what failed, as a verb, on which path, and how.
    pub fn new(doing: &'static str, path: &Path, cause: io::Error) -> Self {
        Self { doing, path: path.to_owned(), cause }
    }

    /// Returns an error about content that is not what was once written.
    pub(super) fn damaged(path: &Path, what: &str) -> Self {
        Self::new("read", path, io::Error::new(io::ErrorKind::InvalidData, what))
    }

    /// Returns whether the disk (or the user's share of it) is full.
    pub fn is_full(&self) -> bool {
        is_full(&self.cause)
    }

    /// Returns the path of the failed operation.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The operations of a disk; each is one step at which a machine may die.
///
/// # Errors
/// All of them fail with the path in the error.
pub trait Disk: Send + Sync {
    /// Creates a folder and its parents; one that exists is fine.
    fn create_folder(&self, path: &Path) -> Result<(), DiskError>;

    /// Writes and syncs a file in place. A crash may leave a part of it: use [`Disk::write`].
    fn write_draft(&self, path: &Path, content: &[u8]) -> Result<(), DiskError>;

    /// Adds to the end of a file, which is created if it is absent. A crash may leave a part of what
    /// was added: who appends must know in the end whether the whole is whole.
    fn append(&self, path: &Path, content: &[u8]) -> Result<(), DiskError>;

    /// Returns the whole content of a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError>;

    /// Returns size and BLAKE3 of a file without holding it in memory.
    fn digest(&self, path: &Path) -> Result<(u64, Key), DiskError>;

    /// Returns the names in a folder in byte order; `true` marks a folder.
    fn list(&self, folder: &Path) -> Result<Vec<(String, bool)>, DiskError>;

    /// Returns what a path leads to, `None` if to nothing.
    fn look(&self, path: &Path) -> Result<Option<Status>, DiskError>;

    /// Moves a file or folder; a file in the way is replaced. Atomic; durable after the target's
    /// folder is synced.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file, or a folder with all it holds; what is absent is fine. Not atomic for
    /// folders.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;

    /// Makes the content of a file, or the names in a folder, survive a power cut.
    fn sync(&self, path: &Path) -> Result<(), DiskError>;

    /// Returns the bytes this user may still write.
    fn free_bytes(&self, path: &Path) -> Result<u64, DiskError>;

    /// Takes the lock at a path, or says who has it. A dead process holds no lock.
    fn lock(&self, path: &Path) -> Result<Locking, DiskError>;

    /// Writes a file whole or not at all: draft in the same folder, sync, rename, sync the folder.
    /// Two writers of the same name at the same time are the caller's mistake.
    fn write(&self, path: &Path, content: &[u8]) -> Result<(), DiskError> {
        // The parent of a bare name is empty, which no system opens.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        let draft = folder.join(format!("{DRAFT}{name}"));
        let written = self.write_draft(&draft, content).and_then(|()| self.rename(&draft, path));
        if written.is_err() {
            // A part of a draft may be what fills the disk. The first error is the one to tell.
            let _ = self.remove(&draft);
        }
        written?;
        self.sync(folder)
    }
}
