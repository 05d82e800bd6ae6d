//! The only door through which science sees a disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Read access to files by path. The engine implements it over the disk, tests over a map.
pub trait Files: Send + Sync {
    /// Returns the whole content of a file.
    ///
    /// # Errors
    /// If the file does not exist or cannot be read; the error names the path.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Returns the entries of a folder with their full paths, sorted by name in byte order; `true`
    /// marks a folder. Links are followed.
    ///
    /// # Errors
    /// If the folder does not exist or cannot be read; the error names the path.
    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>>;

    /// Returns whether the path is a file (`Some(false)`), a folder (`Some(true)`) or absent.
    fn is_folder(&self, path: &Path) -> Option<bool>;

    /// Returns the size of a file in bytes.
    ///
    /// # Errors
    /// If the file does not exist or cannot be read; the error names the path.
    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(self.read(path)?.len() as u64)
    }

    /// Returns `length` bytes of a file from `start` on; fewer where the file ends before.
    ///
    /// # Errors
    /// If the file does not exist or cannot be read; the error names the path.
    fn read_range(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut content = self.read(path)?;
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(content.len());
        content.drain(..start);
        content.truncate(length);
        Ok(content)
    }
}

/// Files that live in memory, for tests and embedded data.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MemoryFiles {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<PathBuf>, content: Vec<u8>) {
        self.files.insert(path.into(), content);
    }
}

fn absent(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("`{}` does not exist", path.display()))
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| absent(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let mut entries = BTreeMap::new();
        for path in self.files.keys() {
            let Ok(rest) = path.strip_prefix(folder) else { continue };
            let mut parts = rest.components();
            if let Some(first) = parts.next() {
                entries.insert(folder.join(first), parts.next().is_some());
            }
        }
        if entries.is_empty() { Err(absent(folder)) } else { Ok(entries.into_iter().collect()) }
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(self.files.get(path).ok_or_else(|| absent(path))?.len() as u64)
    }

    fn read_range(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let content = self.files.get(path).ok_or_else(|| absent(path))?;
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(content.len());
        Ok(content[start..].iter().take(length).copied().collect())
    }

    fn is_folder(&self, path: &Path) -> Option<bool> {
        if self.files.contains_key(path) {
            return Some(false);
        }
        self.files.keys().any(|file| file.starts_with(path)).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_behaves_like_a_disk() {
        let mut files = MemoryFiles::default();
        files.insert("root/b/1.png", vec![1]);
        files.insert("root/a.txt", vec![2]);
        let listed = files.list(Path::new("root")).unwrap();
        assert_eq!(listed, [(PathBuf::from("root/a.txt"), false), (PathBuf::from("root/b"), true)]);
        assert_eq!(files.is_folder(Path::new("root/b")), Some(true));
        assert_eq!(files.is_folder(Path::new("root/c")), None);
        let range = |start, length| files.read_range(Path::new("root/a.txt"), start, length);
        assert_eq!((range(0, 9).unwrap(), range(1, 1).unwrap()), (vec![2], vec![]));
        assert_eq!(files.size(Path::new("root/a.txt")).unwrap(), 1);
        assert!(files.read(Path::new("root/c")).unwrap_err().to_string().contains("root/c"));
    }
}
