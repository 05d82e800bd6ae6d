//! The content-addressed store: artifacts by key, each whole or absent.
//!
//! ```text
//! entries/<key>/   a committed artifact: its files and manifest.json
//! work/<key>/      the bench of an unfinished one; every file in it is whole
//! locks/<key>      who works on it now
//! trash/<key>/     a damaged entry on its way out
//! ```
//!
//! A bench becomes an entry in one rename, after everything in it is synced; that rename, made
//! durable by syncing `entries/`, is the only commit point. What a kill leaves is a bench (used by
//! the next run), a draft (removed by it) or a free lock (taken over by it).

mod bench;
mod entry;
mod manifest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use bench::{Bench, Progress};
pub use entry::Entry;
pub use manifest::{FileRecord, Manifest, Origin};

use super::disk::{Disk, DiskError, Locking, RealDisk, Status};
use super::event;
use crate::terms::Key;

/// What lies in the store under a key.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A whole entry.
    Whole(Box<Entry>),
    /// An entry that is not what was committed; the text says how.
    Damaged(String),
}

impl Found {
    /// Returns the entry if it is whole.
    pub fn whole(self) -> Option<Entry> {
        match self {
            Self::Whole(entry) => Some(*entry),
            Self::Absent | Self::Damaged(_) => None,
        }
    }
}

/// What can go wrong when a bench is asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Another process works on the same key.
    #[error("{holder} is working on it (lock `{}`); run again when it is done", lock.display())]
    Busy {
        /// Who has it.
        holder: String,
        /// The lock.
        lock: PathBuf,
    },
}

/// A folder of artifacts. Copies are cheap and share the disk.
#[derive(Clone)]
pub struct Store {
    disk: Arc<dyn Disk>,
    root: PathBuf,
}

impl Store {
    /// Opens the store in a folder, which is created if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DiskError> {
        Self::open_on(Arc::new(RealDisk), root)
    }

    /// Opens the store in a folder of another disk, for tests.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn open_on(disk: Arc<dyn Disk>, root: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let store = Self { disk, root: root.into() };
        for folder in ["entries", "work", "locks"] {
            store.disk.create_folder(&store.root.join(folder))?;
        }
        store.disk.sync(&store.root)?;
        Ok(store)
    }

    /// Returns the folder of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the bytes that may still be written.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn free_bytes(&self) -> Result<u64, DiskError> {
        self.disk.free_bytes(&self.root)
    }

    /// Returns what lies under a key, after comparing the sizes of its files.
    ///
    /// # Errors
    /// If the disk fails; damage is not an error.
    pub fn find(&self, key: Key) -> Result<Found, DiskError> {
        let folder = self.place("entries", key);
        if self.disk.look(&folder)?.is_none() {
            return Ok(Found::Absent);
        }
        if self.disk.look(&folder.join(manifest::MANIFEST))?.is_none() {
            return Ok(Found::Damaged("its manifest is gone".to_owned()));
        }
        let text = self.disk.read(&folder.join(manifest::MANIFEST))?;
        let manifest = match Manifest::parse(&text, key) {
            Ok(manifest) => manifest,
            Err(what) => return Ok(Found::Damaged(what)),
        };
        for file in &manifest.files {
            let what = match self.disk.look(&folder.join(&file.name))? {
                Some(Status::File(size)) if size == file.size => continue,
                Some(Status::File(size)) => {
                    format!("`{}` has {size} bytes instead of {}", file.name, file.size)
                }
                Some(Status::Folder) | None => format!("`{}` is gone", file.name),
            };
            return Ok(Found::Damaged(what));
        }
        Ok(Found::Whole(Box::new(Entry { disk: self.disk.clone(), folder, manifest })))
    }

    /// Returns what lies under a key, after comparing the hashes of its files.
    ///
    /// # Errors
    /// If the disk fails; damage is not an error.
    pub fn verify(&self, key: Key) -> Result<Found, DiskError> {
        let found = self.find(key)?;
        if let Found::Whole(entry) = &found {
            for file in &entry.manifest().files {
                if self.disk.digest(&entry.path(&file.name))? != (file.size, file.blake3) {
                    let what = format!("the content of `{}` has changed", file.name);
                    return Ok(Found::Damaged(what));
                }
            }
        }
        Ok(found)
    }

    /// Returns how far an unfinished artifact is, `None` if nothing of it is there.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn progress(&self, key: Key) -> Result<Option<Progress>, DiskError> {
        bench::progress(&*self.disk, &self.place("work", key))
    }

    /// Returns the keys of all entries, whole or damaged, in order.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn keys(&self) -> Result<Vec<Key>, DiskError> {
        let names = self.disk.list(&self.root.join("entries"))?;
        Ok(names.into_iter().filter_map(|(name, _)| Key::try_from(name).ok()).collect())
    }

    /// Returns the keys of all benches, in order: of work that is under way or was stopped.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn unfinished(&self) -> Result<Vec<Key>, DiskError> {
        let names = self.disk.list(&self.root.join("work"))?;
        Ok(names.into_iter().filter_map(|(name, _)| Key::try_from(name).ok()).collect())
    }

    /// Removes the entry and the bench of a key. A kill leaves the entry whole, or in the trash.
    ///
    /// # Errors
    /// If another process works on it, or the disk fails.
    pub fn forget(&self, key: Key) -> Result<(), StoreError> {
        let bench = self.bench(key)?;
        if self.disk.look(&self.place("entries", key))?.is_some() {
            self.discard(&bench)?;
        }
        Ok(self.clear(bench)?)
    }

    /// Removes what a kill left in the trash, but for what another process is removing just now.
    /// The folder stays: another process may be about to move something into it.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn empty_trash(&self) -> Result<(), DiskError> {
        let trash = self.root.join("trash");
        if self.disk.look(&trash)?.is_none() {
            return Ok(());
        }
        for (name, _) in self.disk.list(&trash)? {
            let Ok(key) = Key::try_from(name) else { continue };
            if let Locking::Held(_lock) = self.disk.lock(&self.place("locks", key))? {
                self.disk.remove(&self.place("trash", key))?;
            }
        }
        Ok(())
    }

    /// Returns who works in this store now: what living processes wrote into their locks, each
    /// once.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn holders(&self) -> Result<Vec<String>, DiskError> {
        let mut holders = Vec::new();
        for (name, _) in self.disk.list(&self.root.join("locks"))? {
            let lock = self.disk.lock(&self.root.join("locks").join(name))?;
            if let Locking::Busy(holder) = lock
                && !holders.contains(&holder)
            {
                holders.push(holder);
            }
        }
        Ok(holders)
    }

    /// Opens the bench of a key, with whatever an earlier run left on it.
    ///
    /// # Errors
    /// If another process has it, or the disk fails.
    pub fn bench(&self, key: Key) -> Result<Bench, StoreError> {
        let lock = self.place("locks", key);
        match self.disk.lock(&lock)? {
            Locking::Busy(holder) => Err(StoreError::Busy { holder, lock }),
            Locking::Held(lock) => {
                Ok(Bench::open(self.disk.clone(), key, self.place("work", key), lock)?)
            }
        }
    }

    /// Makes a bench the entry of its key.
    ///
    /// # Errors
    /// If the disk fails; then the bench is still there and the entry is not, or it is there and
    /// whole.
    ///
    /// # Panics
    /// If the origin has another key than the bench.
    pub fn commit(&self, bench: Bench, origin: Origin) -> Result<Entry, DiskError> {
        let key = bench.key();
        assert_eq!(origin.key(), key, "an origin is committed from its own bench");
        let mut files = Vec::new();
        for name in bench.seal()? {
            let (size, blake3) = self.disk.digest(&bench.path().join(&name))?;
            files.push(FileRecord { name, size, blake3 });
        }
        let manifest = Manifest {
            format: manifest::FORMAT,
            key,
            origin,
            files,
            seconds: bench.seconds(),
            finished: event::unix_seconds(),
        };
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        self.disk.write(&bench.path().join(manifest::MANIFEST), &text)?;
        let folder = self.place("entries", key);
        self.disk.rename(bench.path(), &folder)?;
        self.disk.sync(&self.root.join("entries"))?;
        Ok(Entry { disk: self.disk.clone(), folder, manifest })
    }

    /// Removes the bench of an artifact that exists by now.
    pub(super) fn clear(&self, bench: Bench) -> Result<(), DiskError> {
        self.disk.remove(bench.path())
    }

    /// Removes a damaged entry. Whoever calls holds the bench of its key.
    pub(super) fn discard(&self, bench: &Bench) -> Result<(), DiskError> {
        let trash = self.place("trash", bench.key());
        self.disk.remove(&trash)?;
        self.disk.create_folder(&self.root.join("trash"))?;
        // Removing a folder takes many steps, and a half removed entry must not look like one.
        self.disk.rename(&self.place("entries", bench.key()), &trash)?;
        self.disk.sync(&self.root.join("entries"))?;
        self.disk.remove(&trash)
    }

    fn place(&self, part: &str, key: Key) -> PathBuf {
        self.root.join(part).join(key.hex())
    }
}

#[cfg(test)]
mod tests;
