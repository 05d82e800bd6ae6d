//! Where the files of well-known data sets officially lie, and whether those that are here are
//! whole.
//!
//! Addresses and MD5 sums are those that torchvision 0.29 (`torchvision/datasets`) and the package
//! `medmnist` 3.0 (`info.py`) check their downloads by. Nothing here opens a connection.

mod md5;
mod table;

use std::io;
use std::path::Path;

use self::md5::Md5;
pub use self::table::OFFICIAL;
use crate::terms::{Files, Problem, nearest};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// A data set that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Official {
    /// What it is called here.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Where its files lie; a file's address is this and its name, unless it is a page.
    pub address: &'static str,
    /// Its files.
    pub files: &'static [OfficialFile],
    /// Whether one of the files is enough (they are sizes or forms of the same pictures).
    pub any: bool,
    /// What is unpacked before it can be declared, and where to; empty: nothing.
    pub unpack: &'static str,
    /// How it is declared once the files are there; `DIR` stands for their folder. Of a set one of
    /// whose files is enough, the first is named.
    pub declared: &'static str,
}

/// A file of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfficialFile {
    /// The name it is downloaded by.
    pub name: &'static str,
    /// Its MD5 sum in lower-case hexadecimal; empty: none is published where we could check it.
    pub md5: &'static str,
}

/// What a file here turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is not there.
    Missing,
    /// It is the official one.
    Official,
    /// It is there, and there is no sum to compare.
    Unknown,
    /// It is there, with another sum: damaged, or another file.
    Other(String),
}

impl Official {
    /// Returns the data set of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(name: &str) -> Result<&'static Self, Problem> {
        if let Some(found) = OFFICIAL.iter().find(|official| official.name == name) {
            return Ok(found);
        }
        let names = || OFFICIAL.iter().map(|official| official.name);
        let expected = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let problem = Problem::new("data fetch", format!("`{name}`"), format!("one of {expected}"));
        Err(match nearest(name, names()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("`ersatz data ls` says what each of them is"),
        })
    }

    /// Returns whether the address is a page on which people ask for the files.
    pub fn is_page(&self) -> bool {
        !self.address.ends_with('/')
    }

    /// Returns the address of a file, or the page on which people ask for it.
    pub fn address_of(&self, file: &OfficialFile) -> String {
        let name = if self.is_page() { "" } else { file.name };
        format!("{}{name}", self.address)
    }
}

impl OfficialFile {
    /// Looks for this file in a folder and compares its sum.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn compare(&self, folder: &str, files: &dyn Files) -> io::Result<Found> {
        self.compare_at(&Path::new(folder).join(self.name), files)
    }

    /// Looks for this file under a name that may be another, and compares its sum.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn compare_at(&self, path: &Path, files: &dyn Files) -> io::Result<Found> {
        if files.is_folder(path) != Some(false) {
            return Ok(Found::Missing);
        }
        if self.md5.is_empty() {
            return Ok(Found::Unknown);
        }
        let (mut md5, mut at) = (Md5::new(), 0);
        loop {
            let piece = files.read_range(path, at, PIECE)?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            md5.update(&piece);
        }
        let sum = md5.hex();
        Ok(if sum == self.md5 { Found::Official } else { Found::Other(sum) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::lab::data::Source;
    use crate::terms::MemoryFiles;

    #[test]
    fn the_table_is_whole() {
        let names: BTreeSet<_> = OFFICIAL.iter().map(|official| official.name).collect();
        assert_eq!(names.len(), OFFICIAL.len());
        for official in OFFICIAL {
            assert!(official.address.starts_with("http"), "{}", official.name);
            let parsed = toml::from_str::<Source>(official.declared);
            let first = format!("DIR/{}\"", official.files[0].name);
            assert_eq!(official.declared.contains(&first), official.any, "{}", official.name);
            assert!(parsed.is_ok(), "{}: {parsed:?}", official.declared);
            for file in official.files {
                let hex =
                    file.md5.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                assert!(hex && [0, 32].contains(&file.md5.len()), "{}", file.name);
            }
        }
    }

    #[test]
    fn commands_in_hints_name_data_sets() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lab/data/source");
        let (mut folders, mut seen) = (vec![folder], 0);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for (_, rest) in text
                    .match_indices("`ersatz data fetch ")
                    .map(|(at, found)| (at, &text[at + found.len()..]))
                {
                    let name = rest.split('`').next().unwrap();
                    assert!(Official::find(name).is_ok(), "`{name}` in {}", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 3, "hints were found");
    }

    #[test]
    fn files_are_compared_by_their_sums() {
        let file = OfficialFile { name: "x", md5: "0cc175b9c0f1b6a831c399e269772661" };
        let mut files = MemoryFiles::default();
        assert_eq!(file.compare("d", &files).unwrap(), Found::Missing);
        files.insert("d/x", b"a".to_vec());
        assert_eq!(file.compare("d", &files).unwrap(), Found::Official);
        assert_eq!(OfficialFile { md5: "", ..file }.compare("d", &files).unwrap(), Found::Unknown);
        files.insert("d/x", b"".to_vec());
        let other = Found::Other("d41d8cd98f00b204e9800998ecf8427e".to_owned());
        assert_eq!(file.compare("d", &files).unwrap(), other);
    }

    #[test]
    fn names_are_found_or_guessed() {
        assert_eq!(Official::find("svhn").unwrap().name, "svhn");
        let hint = Official::find("cifar10").unwrap_err().hint.unwrap();
        assert_eq!(hint, "did you mean `cifar-10`?");
    }
}
