//! A text file that names the training pictures: path and label a line.
//!
//! The lists of ImageNet-LT and Places-LT (Liu et al. 2019, arXiv:1904.05160) are
//! `train/n01440764/n01440764_190.JPEG 0`. A path names the picture whose id it is or ends with, so
//! a list fits whatever folder the pictures lie in. The class of a picture is that of the data; the
//! label must go with it one to one, which finds a list for another order or another data set.

use std::collections::BTreeMap;
use std::path::Path;

use super::listing::Listing;
use crate::terms::{ClassId, Files, Problem, Problems};

/// Mistakes told one by one; the others are counted.
const SHOWN: usize = 8;

/// A list in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrainingList {
    source: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// From 1.
    number: usize,
    path: String,
    label: u32,
}

impl TrainingList {
    /// Returns the bytes of a list.
    pub(super) fn bytes(path: &str, files: &dyn Files) -> Result<Vec<u8>, Problem> {
        files.read(Path::new(path)).map_err(|error| {
            let found = format!("`{path}` cannot be read ({})", error.kind());
            Problem::new("subset.list", found, "a text file with a path and a label a line")
        })
    }

    /// Reads a list.
    pub(super) fn read(path: &str, files: &dyn Files) -> Result<Self, Problems> {
        let bytes = Self::bytes(path, files)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = Vec::new();
        let mut problems = Vec::new();
        for (i, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            // A path may hold blanks.
            let parts = text.trim().rsplit_once(char::is_whitespace);
            let label = parts.and_then(|(_, label)| label.parse().ok());
            match (parts, label) {
                (Some((path, _)), Some(label)) => {
                    lines.push(Line { number: i + 1, path: path.trim().to_owned(), label });
                }
                _ => {
                    let found = format!("line {}: `{text}`", i + 1);
                    problems.push(Problem::new(path, found, "a path and a label"));
                }
            }
        }
        if lines.is_empty() && problems.is_empty() {
            problems.push(Problem::new(path, "no line", "a path and a label a line"));
        }
        let list = Self { source: path.to_owned(), lines };
        if problems.is_empty() { Ok(list) } else { Err(list.told(problems)) }
    }

    /// Returns the positions of the listed pictures, ascending. With `whole`, every line must name
    /// one; otherwise the lines of left-out classes need not.
    pub(super) fn positions<P>(
        &self,
        listing: &Listing<P>,
        whole: bool,
    ) -> Result<Vec<usize>, Problems> {
        let ids: BTreeMap<&str, usize> =
            listing.entries.iter().enumerate().map(|(i, entry)| (entry.id.as_str(), i)).collect();
        let found: Vec<Option<usize>> =
            self.lines.iter().map(|line| position(&line.path, &ids)).collect();
        let mut labels: BTreeMap<u32, ClassId> = BTreeMap::new();
        let mut classes: BTreeMap<ClassId, u32> = BTreeMap::new();
        let mut problems = Vec::new();
        let mut problem = |line: &Line, found: String, expected: String| {
            let found = format!("line {}: {found}", line.number);
            problems.push(Problem::new(self.source.clone(), found, expected));
        };
        for (line, position) in self.lines.iter().zip(&found) {
            let Some(position) = position else { continue };
            let class = listing.entries[*position].class;
            let name = listing.classes.name(class);
            let (known, label) = (*labels.entry(line.label).or_insert(class), line.label);
            if known != class {
                let expected = format!("`{}`, as before", listing.classes.name(known));
                problem(line, format!("label {label} for class `{name}`"), expected);
            } else if *classes.entry(class).or_insert(label) != label {
                let expected = format!("label {}, as before", classes[&class]);
                problem(line, format!("label {label} for class `{name}`"), expected);
            }
        }
        for (line, position) in self.lines.iter().zip(&found) {
            if position.is_none() && (whole || labels.contains_key(&line.label)) {
                let found = format!("`{}` is no training picture", line.path);
                problem(line, found, "a picture of the data".to_owned());
            }
        }
        let mut positions: Vec<usize> = found.into_iter().flatten().collect();
        positions.sort_unstable();
        positions.dedup();
        if positions.is_empty() && problems.is_empty() {
            let found = "no picture of the kept classes".to_owned();
            problems.push(Problem::new(self.source.clone(), found, "at least one"));
        }
        if problems.is_empty() { Ok(positions) } else { Err(self.told(problems)) }
    }

    fn told(&self, mut problems: Vec<Problem>) -> Problems {
        let more = problems.len().saturating_sub(SHOWN);
        problems.truncate(SHOWN);
        if more > 0 {
            let found = format!("{more} more like these");
            problems.push(Problem::new(self.source.clone(), found, "a list for these data"));
        }
        Problems(problems)
    }
}

/// Returns the picture whose id a path is, or ends with after a slash; the longest such id.
fn position(path: &str, ids: &BTreeMap<&str, usize>) -> Option<usize> {
    let tails = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    [path].into_iter().chain(tails).find_map(|tail| ids.get(tail).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::data::listing::Entry;
    use crate::terms::{ClassNames, MemoryFiles};

    fn listing() -> Listing<()> {
        let entry = |i: u32| {
            let id = format!("{}/{i}.png", ["cat", "dog"][i as usize % 2]);
            Entry { id, class: ClassId(i % 2), place: () }
        };
        Listing { classes: ClassNames::new(["cat", "dog"]), entries: (0..6).map(entry).collect() }
    }

    fn positions(text: &str, whole: bool) -> Result<Vec<usize>, String> {
        let mut files = MemoryFiles::default();
        files.insert("list.txt", text.as_bytes().to_vec());
        let list = TrainingList::read("list.txt", &files).map_err(|p| p.to_string())?;
        list.positions(&listing(), whole).map_err(|p| p.to_string())
    }

    #[test]
    fn a_list_names_pictures() {
        for (text, want) in [
            ("cat/4.png 0\ndog/1.png 1\n", vec![1, 4]),
            ("train/x/dog/3.png 7\n\n  ./cat/0.png\t2  \r\n", vec![0, 3]),
            ("cat/0.png 0\ncat/0.png 0", vec![0]),
        ] {
            assert_eq!(positions(text, true), Ok(want), "{text}");
        }
        // Of another class, which was left out.
        assert_eq!(positions("cat/0.png 0\neel/9.png 5", false), Ok(vec![0]));
    }

    #[test]
    fn mistakes_are_named_by_line() {
        for (text, whole, want) in [
            ("cat/0.png", true, "list.txt: line 1: `cat/0.png`, expected a path and a label"),
            ("\n", true, "list.txt: no line, expected a path and a label a line"),
            (
                "cat/0.png 0\ncow/0.png 1",
                true,
                "list.txt: line 2: `cow/0.png` is no training picture, \
                 expected a picture of the data",
            ),
            (
                "cat/0.png 0\ncat/8.png 0",
                false,
                "list.txt: line 2: `cat/8.png` is no training picture, \
                 expected a picture of the data",
            ),
            (
                "cat/0.png 0\ndog/1.png 0",
                true,
                "list.txt: line 2: label 0 for class `dog`, expected `cat`, as before",
            ),
            (
                "cat/0.png 0\ncat/2.png 1",
                true,
                "list.txt: line 2: label 1 for class `cat`, expected label 0, as before",
            ),
            (
                "eel/0.png 0",
                false,
                "list.txt: no picture of the kept classes, expected at least one",
            ),
        ] {
            assert_eq!(positions(text, whole), Err(want.to_owned()));
        }
        let many = positions(&"cat 1\n".repeat(20), true).unwrap_err();
        assert!(many.ends_with("list.txt: 12 more like these, expected a list for these data"));
        let absent = TrainingList::read("other.txt", &MemoryFiles::default()).unwrap_err();
        assert!(absent.to_string().starts_with("subset.list: `other.txt` cannot be read ("));
    }
}
