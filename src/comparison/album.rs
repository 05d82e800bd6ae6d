//! Pictures that nobody declared as data: what metric tools are pointed at.
//!
//! A folder of picture files at any depth (plain, one folder per class, or EDM's `000000/...`), a
//! `.zip` of them (with EDM's `dataset.json`, if there is one), samples of ADM (`.npz` with
//! `arr_0`), or a Parquet file in the Hugging Face layout. Pictures stand in the byte order of
//! their names, or as the file has them. `listing` finds them, `reading` decodes them.

mod listing;
mod reading;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use crate::lab::data::PictureRows;
use crate::terms::{Files, Key, Problem, near_path};
use listing::{Listing, extension};
pub(super) use reading::{Block, Damaged, Decoded};

/// Endings of the picture files that are read.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 22;

/// Pictures in one place, in order.
#[derive(Clone, Debug)]
pub struct Album {
    path: PathBuf,
    kind: Kind,
    leaves: Vec<Leaf>,
    passed_over: BTreeMap<String, usize>,
    /// How many pictures there were before some were selected.
    drawn_from: Option<usize>,
}

#[derive(Clone, Debug)]
enum Kind {
    Files,
    Zip,
    Rows(PictureRows),
    Samples,
}

/// One picture that is not read yet.
#[derive(Clone, Debug)]
struct Leaf {
    /// The path inside of the album, or the row.
    name: String,
    /// Its position in the file, where names do not lead to it.
    row: usize,
    class: Option<String>,
}

impl Album {
    /// Finds the pictures in a place, without decoding any. `option` is what names the place, for
    /// messages: `--real`.
    ///
    /// # Errors
    /// If there is no such place, or no picture in it, or it is a file of no known kind.
    pub fn open(option: &str, place: &str, files: &dyn Files) -> Result<Self, Problem> {
        let path = PathBuf::from(place);
        let expected = "a folder of pictures, .zip, .npz or .parquet";
        let problem = |found: String| Problem::new(option, format!("`{place}`: {found}"), expected);
        let (kind, listing) = match files.is_folder(&path) {
            None => {
                let problem = problem("does not exist".to_owned());
                return Err(problem.hint_near(near_path(&path, files)));
            }
            Some(true) => {
                let listing = listing::folder(&path, files).map_err(|e| problem(e.to_string()))?;
                (Kind::Files, listing)
            }
            Some(false) => match extension(&path).as_str() {
                "zip" => (Kind::Zip, listing::zip(&path, files).map_err(problem)?),
                "npz" => (Kind::Samples, listing::samples(&path, files).map_err(problem)?),
                "parquet" => {
                    let (rows, listing) = listing::rows(&path, files).map_err(problem)?;
                    (Kind::Rows(rows), listing)
                }
                other => return Err(problem(format!("a file with the ending `{other}`"))),
            },
        };
        let Listing { leaves, passed_over } = listing;
        if leaves.is_empty() {
            let kinds = EXTENSIONS.join(", ");
            return Err(problem("no picture in it".to_owned()).hint(format!("{kinds} count")));
        }
        Ok(Self { path, kind, leaves, passed_over, drawn_from: None })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many pictures there are.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Returns whether there is none; never of one that was opened.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Returns where a picture is, for people.
    pub fn address(&self, i: usize) -> String {
        self.path.join(&self.leaves[i].name).to_string_lossy().into_owned()
    }

    /// Returns the class of every picture, if every picture has one: its first folder, or its
    /// label.
    pub fn classes(&self) -> Option<Vec<&str>> {
        self.leaves.iter().map(|leaf| leaf.class.as_deref()).collect()
    }

    /// Returns how many files there are that look like pictures and are not read, by their ending.
    pub fn passed_over(&self) -> &BTreeMap<String, usize> {
        &self.passed_over
    }

    /// Returns how many pictures there were before some were selected, if some were.
    pub fn drawn_from(&self) -> Option<usize> {
        self.drawn_from
    }

    /// Keeps some pictures, in the order of the album: it is read front to back.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        let mut positions = positions.to_vec();
        positions.sort_unstable();
        let leaves = positions.iter().map(|i| self.leaves[*i].clone()).collect();
        Self { leaves, drawn_from: Some(self.len()), ..self.clone() }
    }

    /// Returns a key of the content of the pictures in their order: of files, never of names. A
    /// picture file that cannot be read is told when its turn comes.
    ///
    /// # Errors
    /// If a file that holds many pictures cannot be read.
    pub fn key(&self, files: &dyn Files) -> Result<Key, Problem> {
        let parts: Vec<(String, Key)> = match self.kind {
            Kind::Files => {
                let hash = |(i, leaf): (usize, &Leaf)| {
                    let content = files.read(&self.path.join(&leaf.name));
                    let key = content.map_or_else(
                        |_| key_of(&json!("unreadable")),
                        |content| Key::of_bytes(&content),
                    );
                    (i.to_string(), key)
                };
                self.leaves.par_iter().enumerate().map(hash).collect()
            }
            Kind::Zip | Kind::Rows(_) | Kind::Samples => {
                let whole = whole(&self.path, files).map_err(|e| {
                    let path = self.path.to_string_lossy();
                    Problem::new(path, e.to_string(), "a file that can be read")
                })?;
                let rows = json!(self.leaves.iter().map(|leaf| leaf.row).collect::<Vec<_>>());
                vec![("file".to_owned(), whole), ("rows".to_owned(), key_of(&rows))]
            }
        };
        Ok(Key::of_stage("album", 1, &Value::Null, &parts))
    }
}

fn key_of(value: &Value) -> Key {
    Key::of_stage("value", 1, value, &[])
}

/// Returns the key of a file, which is never held whole.
///
/// # Errors
/// If it cannot be read.
pub(super) fn whole(path: &Path, files: &dyn Files) -> io::Result<Key> {
    let size = files.size(path)?;
    let mut pieces = Vec::new();
    for start in (0..size).step_by(PIECE) {
        pieces.push((start.to_string(), Key::of_bytes(&files.read_range(path, start, PIECE)?)));
    }
    Ok(Key::of_stage("file", 1, &Value::Null, &pieces))
}

#[cfg(test)]
mod tests;
