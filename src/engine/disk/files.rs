//! Science's read-only door to the machine's disk.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::terms::Files;

/// Read access to the machine's disk by path.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFiles;

/// Names the path in an error of the system, which does not.
fn at<T>(path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|e| io::Error::new(e.kind(), format!("`{}`: {e}", path.display())))
}

impl Files for DiskFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        at(path, fs::read(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
        let list = || {
            let mut entries = Vec::new();
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let is_folder = path.is_dir();
                entries.push((path, is_folder));
            }
            entries.sort_by(|(a, _), (b, _)| a.as_os_str().cmp(b.as_os_str()));
            Ok(entries)
        };
        at(folder, list())
    }

    fn is_folder(&self, path: &Path) -> Option<bool> {
        fs::metadata(path).ok().map(|found| found.is_dir())
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(at(path, fs::metadata(path))?.len())
    }

    fn read_range(&self, path: &Path, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let read = || {
            let mut file = fs::File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            let mut content = Vec::new();
            file.take(length as u64).read_to_end(&mut content)?;
            Ok(content)
        };
        at(path, read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::disk::{Disk as _, RealDisk};

    #[test]
    fn the_disk_behaves_like_a_map() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        RealDisk.create_folder(&root.join("b")).unwrap();
        RealDisk.write(&root.join("b/1.png"), &[1]).unwrap();
        RealDisk.write(&root.join("a.txt"), &[2]).unwrap();
        let listed = DiskFiles.list(root).unwrap();
        assert_eq!(listed, [(root.join("a.txt"), false), (root.join("b"), true)]);
        assert_eq!(DiskFiles.is_folder(&root.join("b")), Some(true));
        assert_eq!(DiskFiles.is_folder(&root.join("c")), None);
        assert_eq!(DiskFiles.read(&root.join("b/1.png")).unwrap(), [1]);
        RealDisk.write(&root.join("abc"), b"abc").unwrap();
        let range = |start, length| DiskFiles.read_range(&root.join("abc"), start, length).unwrap();
        assert_eq!((range(1, 1), range(2, 9), range(9, 9)), (b"b".into(), b"c".into(), vec![]));
        assert_eq!(DiskFiles.size(&root.join("abc")).unwrap(), 3);
        let error = DiskFiles.read(&root.join("c")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains(&root.join("c").display().to_string()), "{error}");
    }
}
