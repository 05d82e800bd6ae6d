//! Bytes read from front to back, where every mistake knows its place.

use std::io::Read;

use crate::terms::{ClassId, ClassNames, Problem};

/// A place in the bytes of a file, or of what a file unpacks to.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    name: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first byte; `name` is for people.
    pub(super) fn new(name: &'a str, bytes: &'a [u8]) -> Self {
        Self { name, bytes, at: 0 }
    }

    /// Returns the position from the start of the file.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns how many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Returns the next bytes and goes on behind them.
    pub(super) fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8], Problem> {
        let Some(bytes) = self.bytes[self.at..].get(..length) else {
            let expected = format!("{length} bytes for {what}");
            return Err(
                self.problem(format!("the end of the file after {}", self.left()), expected)
            );
        };
        self.at += length;
        Ok(bytes)
    }

    /// Goes on behind bytes that nobody reads, or at the end of the file.
    pub(super) fn skip(&mut self, length: usize) {
        self.at += length.min(self.left());
    }

    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Problem> {
        Ok(self.take(N, what)?.try_into().expect("as many as asked for"))
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8, Problem> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Returns a problem at this place.
    pub(super) fn problem(&self, found: impl Into<String>, expected: impl Into<String>) -> Problem {
        self.problem_at(self.at, found, expected)
    }

    /// Returns a problem at another place.
    pub(super) fn problem_at(
        &self,
        at: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Problem {
        Problem::new(format!("{}, byte {at}", self.name), found, expected)
    }
}

/// Returns what a packed stream unpacks to, if it is whole and has at most `limit` bytes.
pub(super) fn unpacked(
    name: &str,
    stream: impl Read,
    limit: usize,
    what: &str,
) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = stream.take(limit as u64 + 1).read_to_end(&mut bytes);
    if let Err(error) = read {
        let found = format!("{error} behind byte {} of what it unpacks to", bytes.len());
        return Err(Problem::new(name, found, format!("a whole {what}")));
    }
    if bytes.len() > limit {
        let found = format!("more than {limit} unpacked bytes");
        return Err(Problem::new(name, found, format!("a {what} of at most that")));
    }
    Ok(bytes)
}

/// Returns the class of a label that is counted from 0.
pub(super) fn class(
    label: i64,
    classes: &ClassNames,
    place: impl FnOnce() -> String,
) -> Result<ClassId, Problem> {
    class_from(0, label, classes, place)
}

/// Returns the class of a label that is counted from `first`.
pub(super) fn class_from(
    first: i64,
    label: i64,
    classes: &ClassNames,
    place: impl FnOnce() -> String,
) -> Result<ClassId, Problem> {
    let number = label.checked_sub(first).and_then(|number| u32::try_from(number).ok());
    let class = number.map(ClassId);
    class.filter(|class| class.index() < classes.len()).ok_or_else(|| {
        let last = first + (classes.len() as i64 - 1).max(0);
        let expected = format!("a label of {first} to {last}");
        Problem::new(place(), format!("label {label}"), expected)
            .hint(format!("there are {} classes", classes.len()))
    })
}
