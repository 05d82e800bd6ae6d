//! The place where a stage works; it survives kills.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::manifest::MANIFEST;
use crate::engine::disk::{Disk, DiskError, Lock, Status};
use crate::engine::event::Stopwatch;
use crate::terms::Key;

/// The name of the file in which a bench remembers how far its stage is.
const NOTE: &str = ".note.json";

/// How far an unfinished stage is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Wall time spent so far, in seconds.
    pub seconds: f64,
    /// The stage's own words, for instance "step 1200 of 5000".
    pub note: Option<String>,
}

/// The place where one stage works, alone. What it puts here is each whole or absent and is still
/// there when the stage runs again after an interruption or a kill; what is here when the stage
/// returns becomes the entry.
///
/// Names may contain `/`; every part consists of ASCII letters, digits, `.`, `_` and `-` and does
/// not begin with a dot. `manifest.json` is taken.
pub struct Bench {
    key: Key,
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    before: Mutex<Progress>,
    watch: Stopwatch,
    _lock: Lock,
}

impl Bench {
    /// Opens the folder, which its lock makes ours, and removes what a kill left half done.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        key: Key,
        folder: PathBuf,
        lock: Lock,
    ) -> Result<Self, DiskError> {
        disk.create_folder(&folder)?;
        disk.sync(folder.parent().expect("a bench lies in the store"))?;
        let before = progress(&*disk, &folder)?.unwrap_or_default();
        let bench = Self {
            key,
            folder,
            disk,
            before: Mutex::new(before),
            watch: Stopwatch::start(),
            _lock: lock,
        };
        bench.sweep(|hidden| hidden != NOTE)?;
        Ok(bench)
    }

    /// Returns the key of the artifact in work.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Returns the folder, for libraries that write files themselves; such a file is not whole or
    /// absent unless its writer takes care of that.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes a file, whole or not at all, in place of one of the same name. Threads may put
    /// different names at the same time.
    ///
    /// # Errors
    /// If the disk fails; a full disk is recognised.
    ///
    /// # Panics
    /// If the name is not one (see [`Bench`]).
    pub fn put(&self, name: &str, content: &[u8]) -> Result<(), DiskError> {
        let path = self.place(name);
        if let Some((inner, _)) = name.rsplit_once('/') {
            self.disk.create_folder(&self.folder.join(inner))?;
        }
        self.disk.write(&path, content)
    }

    /// Returns the content of a file, `None` if it is not there.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, DiskError> {
        if self.has(name)? { self.disk.read(&self.place(name)).map(Some) } else { Ok(None) }
    }

    /// Returns whether a file is there.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn has(&self, name: &str) -> Result<bool, DiskError> {
        Ok(matches!(self.disk.look(&self.place(name))?, Some(Status::File(_))))
    }

    /// Removes a file that shall not become part of the entry, a checkpoint for instance.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove(&self, name: &str) -> Result<(), DiskError> {
        self.disk.remove(&self.place(name))
    }

    /// Returns the names of all files in byte order.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn names(&self) -> Result<Vec<String>, DiskError> {
        let mut names = content(&*self.disk, &self.folder)?.files;
        names.sort();
        Ok(names)
    }

    /// Notes in words how far the work is, for `plan` and for the next session. Best told right
    /// after a checkpoint is put.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn note(&self, words: impl Into<String>) -> Result<(), DiskError> {
        self.before.lock().expect("nothing panics with the note").note = Some(words.into());
        self.pause()
    }

    /// Keeps the time spent so far for the next session.
    pub(in crate::engine) fn pause(&self) -> Result<(), DiskError> {
        let progress = Progress { seconds: self.seconds(), ..self.progress() };
        let text = serde_json::to_vec(&progress).expect("progress is plain data");
        self.disk.write(&self.folder.join(NOTE), &text)
    }

    /// Returns how far the work was when this session began, with the latest note.
    pub(in crate::engine) fn progress(&self) -> Progress {
        self.before.lock().expect("nothing panics with the note").clone()
    }

    /// Returns the wall time of all sessions so far, in seconds.
    pub(in crate::engine) fn seconds(&self) -> f64 {
        self.progress().seconds + self.watch.seconds()
    }

    /// Removes everything that is not content, so that the folder can become an entry; returns the
    /// names of the files and syncs them and their folders.
    pub(super) fn seal(&self) -> Result<Vec<String>, DiskError> {
        self.sweep(|_| true)?;
        let mut content = content(&*self.disk, &self.folder)?;
        content.files.sort();
        // Files that a library wrote by itself may not be synced yet.
        for name in content.files.iter().chain(&content.folders) {
            self.disk.sync(&self.folder.join(name))?;
        }
        Ok(content.files)
    }

    /// Removes drafts, a manifest that was not committed, and hidden files that are `unwanted`.
    fn sweep(&self, unwanted: impl Fn(&str) -> bool) -> Result<(), DiskError> {
        for name in content(&*self.disk, &self.folder)?.hidden {
            if unwanted(&name) {
                self.disk.remove(&self.folder.join(&name))?;
            }
        }
        Ok(())
    }

    fn place(&self, name: &str) -> PathBuf {
        let plain = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
        };
        assert!(name.split('/').all(plain) && name != MANIFEST, "`{name}` is no name for a file");
        self.folder.join(name)
    }
}

/// Returns how far the stage of a bench is, `None` if there is nothing to resume from.
pub(super) fn progress(disk: &dyn Disk, folder: &Path) -> Result<Option<Progress>, DiskError> {
    if disk.look(folder)?.is_none() || content(disk, folder)?.files.is_empty() {
        return Ok(None);
    }
    let path = folder.join(NOTE);
    let Some(_) = disk.look(&path)? else { return Ok(Some(Progress::default())) };
    // A note of another form is as good as none.
    Ok(Some(serde_json::from_slice(&disk.read(&path)?).unwrap_or_default()))
}

/// Names in a bench, relative to it.
#[derive(Default)]
struct Content {
    files: Vec<String>,
    folders: Vec<String>,
    hidden: Vec<String>,
}

fn content(disk: &dyn Disk, folder: &Path) -> Result<Content, DiskError> {
    let mut content = Content::default();
    let mut open = vec![String::new()];
    while let Some(inner) = open.pop() {
        for (name, is_folder) in disk.list(&folder.join(&inner))? {
            let path = if inner.is_empty() { name.clone() } else { format!("{inner}/{name}") };
            if name.starts_with('.') || path == MANIFEST {
                content.hidden.push(path);
            } else if is_folder {
                open.push(path.clone());
                content.folders.push(path);
            } else {
                content.files.push(path);
            }
        }
    }
    Ok(content)
}
