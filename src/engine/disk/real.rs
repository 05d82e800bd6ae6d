//! The machine's disk.

#![expect(clippy::disallowed_methods, reason = "this is the one place that may touch std::fs")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, Locking, Status};
use crate::terms::Key;

/// The machine's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// Names an operation and its path in whatever goes wrong.
fn at<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, DiskError> {
    result.map_err(|cause| DiskError::new(doing, path, cause))
}

fn write(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    Ok(file)
}

pub(super) fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(content)
}

/// Writes a file without waiting for the platter, for a disk that only plays power cuts.
pub(super) fn write_unsynced(path: &Path, content: &[u8]) -> Result<(), DiskError> {
    at("write", path, write(path, content).map(drop))
}

impl Disk for RealDisk {
    fn create_folder(&self, path: &Path) -> Result<(), DiskError> {
        at("create folder", path, fs::create_dir_all(path))
    }

    fn write_draft(&self, path: &Path, content: &[u8]) -> Result<(), DiskError> {
        at("write", path, write(path, content).and_then(|file| file.sync_all()))
    }

    fn append(&self, path: &Path, content: &[u8]) -> Result<(), DiskError> {
        at("write", path, append(path, content))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, DiskError> {
        at("read", path, fs::read(path))
    }

    fn digest(&self, path: &Path) -> Result<(u64, Key), DiskError> {
        let digest = || {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(File::open(path)?)?;
            let key = Key::try_from(hasher.finalize().to_hex().to_string());
            Ok((hasher.count(), key.expect("a BLAKE3 hash has the form of a key")))
        };
        at("read", path, digest())
    }

    fn list(&self, folder: &Path) -> Result<Vec<(String, bool)>, DiskError> {
        let list = || {
            let mut names = Vec::new();
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                names.push((name, entry.file_type()?.is_dir()));
            }
            names.sort();
            Ok(names)
        };
        at("list", folder, list())
    }

    fn look(&self, path: &Path) -> Result<Option<Status>, DiskError> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(Some(Status::Folder)),
            Ok(found) => Ok(Some(Status::File(found.len()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => at("look at", path, Err(e)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        at("move to", to, fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let removed = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(e) => Err(e),
        };
        match removed {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => at("remove", path, other),
        }
    }

    fn sync(&self, path: &Path) -> Result<(), DiskError> {
        at("sync", path, File::open(path).and_then(|file| file.sync_all()))
    }

    fn free_bytes(&self, path: &Path) -> Result<u64, DiskError> {
        let found = at("look at", path, rustix::fs::statvfs(path).map_err(io::Error::from))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn lock(&self, path: &Path) -> Result<Locking, DiskError> {
        at("lock", path, take(path))
    }
}

/// A lock that ends when it is dropped or when its process dies, however it dies.
///
/// It is the system's lock on an open file, not the file's presence: a process number left behind
/// proves nothing, because numbers are used again and another machine's cannot be looked up. The
/// file's text only tells people who works there.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While we still hold it, so that nobody's lock but ours is removed. One that stays is no
        // harm: it is free.
        let _ = fs::remove_file(&self.path);
    }
}

fn take(path: &Path) -> io::Result<Locking> {
    loop {
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                return Ok(Locking::Busy(holder));
            }
            Err(TryLockError::Error(e)) => return Err(e),
        }
        // Its holder may have removed the file between our opening and locking it; then what we
        // locked is no longer at the path, and another process may lock what is.
        let ours = file.metadata()?;
        match fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {}
            Ok(_) => continue,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        }
        file.set_len(0)?;
        write!(file, "process {} on {}", std::process::id(), host())?;
        return Ok(Locking::Held(Lock { path: path.to_owned(), _file: file }));
    }
}

/// Returns the name of this machine where the system tells it in a file, as Linux does.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "an unnamed machine".to_owned() } else { name.trim().to_owned() }
}

/// Opens a log file for appending and creates its folder.
pub(in crate::engine) fn open_log(path: &Path) -> Result<Box<dyn Write + Send>, DiskError> {
    let open = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).open(path)
    };
    Ok(Box::new(at("open", path, open())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_a_left_one_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        // What a killed process leaves: the file, but no lock on it.
        fs::write(&path, "process 1 on elsewhere, long dead").unwrap();
        let Locking::Held(first) = RealDisk.lock(&path).unwrap() else { panic!("nobody has it") };
        let Locking::Busy(holder) = RealDisk.lock(&path).unwrap() else { panic!("it is held") };
        assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
        drop(first);
        assert_eq!(RealDisk.look(&path).unwrap(), None);
        assert!(matches!(RealDisk.lock(&path).unwrap(), Locking::Held(_)));
    }

    #[test]
    fn a_digest_is_the_size_and_the_hash_of_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        RealDisk.write(&path, b"abc").unwrap();
        assert_eq!(RealDisk.digest(&path).unwrap(), (3, Key::of_bytes(b"abc")));
        assert_eq!(RealDisk.list(folder.path()).unwrap(), [("file".to_owned(), false)]);
        assert!(RealDisk.free_bytes(folder.path()).unwrap() > 0);
    }

    #[test]
    fn errors_name_the_path() {
        let error = RealDisk.read(Path::new("no/such/file")).unwrap_err();
        assert!(error.to_string().starts_with("read `no/such/file`: "), "{error}");
    }
}
