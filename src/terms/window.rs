//! A file behind the door as a reader: what archive libraries ask for.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::Files;

/// Bytes that are fetched at a time.
const AHEAD: usize = 1 << 18;

/// A file, read where the reader stands, a piece at a time: never whole.
pub struct Window<'a> {
    files: &'a dyn Files,
    path: PathBuf,
    size: u64,
    at: u64,
    /// What was fetched, and where it begins.
    held: (u64, Vec<u8>),
}

impl<'a> Window<'a> {
    /// Opens a file at its first byte.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be read.
    pub fn open(path: &Path, files: &'a dyn Files) -> io::Result<Self> {
        let size = files.size(path)?;
        Ok(Self { files, path: path.to_owned(), size, at: 0, held: (0, Vec::new()) })
    }
}

impl BufRead for Window<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (start, held) = (self.held.0, self.held.1.len() as u64);
        if self.at < start || self.at >= start + held {
            self.held = (self.at, self.files.read_range(&self.path, self.at, AHEAD)?);
        }
        let inside = usize::try_from(self.at - self.held.0).expect("inside of what is held");
        Ok(&self.held.1[inside..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Ok(count)
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
        let content: Vec<u8> = (0..AHEAD * 2 + 77).map(|i| (i % 251) as u8).collect();
        let mut files = MemoryFiles::default();
        files.insert("file", content.clone());
        let mut window = Window::open(Path::new("file"), &files).unwrap();
        let mut cursor = io::Cursor::new(&content);
        let steps = [
            SeekFrom::Start(3),
            SeekFrom::End(-200),
            SeekFrom::Current(-5000),
            SeekFrom::Start(AHEAD as u64 - 1),
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
