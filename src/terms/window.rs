//! A file behind the door as a reader: what archive libraries ask for.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Files;

/// A file, read where the reader stands, never whole. Every read is one access of the disk: where
/// many small ones follow each other, put a `BufReader` around it.
pub struct Window<'a> {
    files: &'a dyn Files,
    path: PathBuf,
    size: u64,
    at: u64,
}

impl<'a> Window<'a> {
    /// Opens a file at its first byte.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be read.
    pub fn open(path: &Path, files: &'a dyn Files) -> io::Result<Self> {
        Ok(Self { files, path: path.to_owned(), size: files.size(path)?, at: 0 })
    }

    /// Returns the size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.files.read_range(&self.path, self.at, buffer.len())?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryFiles;
    use super::*;

    #[test]
    fn reads_as_a_cursor_does() {
        let content: Vec<u8> = (0..10_077).map(|i| (i % 251) as u8).collect();
        let mut files = MemoryFiles::default();
        files.insert("file", content.clone());
        let mut window = Window::open(Path::new("file"), &files).unwrap();
        let mut cursor = io::Cursor::new(&content);
        let steps = [
            SeekFrom::Start(3),
            SeekFrom::End(-200),
            SeekFrom::Current(-5000),
            SeekFrom::Start(9_999),
            SeekFrom::End(10),
        ];
        for step in steps {
            assert_eq!(window.seek(step).unwrap(), cursor.seek(step).unwrap());
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            window.by_ref().take(300).read_to_end(&mut ours).unwrap();
            cursor.by_ref().take(300).read_to_end(&mut theirs).unwrap();
            assert_eq!(ours, theirs, "{step:?}");
        }
        assert!(window.seek(SeekFrom::Current(i64::MIN)).is_err());
    }
}
