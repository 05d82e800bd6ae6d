//! Pictures that nobody declared as data: what metric tools are pointed at.
//!
//! A folder of picture files at any depth (plain, one folder per class, or EDM's `000000/...`), a
//! `.zip` of them (with EDM's `dataset.json`, if there is one), samples of ADM (`.npz` with
//! `arr_0`), or a Parquet file in the Hugging Face layout. Pictures stand in the byte order of
//! their names, or as the file has them.

use std::io::{self, BufReader, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use zip::ZipArchive;

use crate::lab::data::PictureRows;
use crate::lab::images::decode;
use crate::lab::metrics::visit_samples;
use crate::terms::{ClassId, ClassNames, Files, Key, Picture, Problem, Window, near_path};

const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Bytes of one picture file, unpacked; a larger one is cut, and then refused by its decoder.
const MEMBER_MAX: u64 = 1 << 30;

/// Bytes that are fetched at a time.
const AHEAD: usize = 1 << 18;

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 22;

/// Pictures in one place, in order.
#[derive(Clone, Debug)]
pub struct Album {
    path: PathBuf,
    kind: Kind,
    leaves: Vec<Leaf>,
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

/// A picture that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which one.
    pub name: String,
    /// Why not: a lower-case fragment.
    pub reason: String,
}

/// A file that is read front to back, or in pieces from its end: a piece at a time.
type Reader<'a> = BufReader<Window<'a>>;

type Archive<'a> = ZipArchive<Reader<'a>>;

/// Pictures of a block, in order.
pub type Pictures = Vec<Result<Picture, Unreadable>>;

/// What becomes of a block of pictures: an error of the visitor ends the visit.
pub type Visit<'a, E> = dyn FnMut(usize, Pictures) -> Result<(), E> + 'a;

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
        let (kind, leaves) = match files.is_folder(&path) {
            None => {
                let problem = problem("does not exist".to_owned());
                return Err(problem.hint_near(near_path(&path, files)));
            }
            Some(true) => (Kind::Files, folder(&path, files).map_err(|e| problem(e.to_string()))?),
            Some(false) => match extension(&path).as_str() {
                "zip" => (Kind::Zip, zip_members(&path, files).map_err(problem)?),
                "npz" => (Kind::Samples, samples(&path, files).map_err(problem)?),
                "parquet" => rows(&path, files).map_err(problem)?,
                other => return Err(problem(format!("a file with the ending `{other}`"))),
            },
        };
        if leaves.is_empty() {
            let kinds = EXTENSIONS.join(", ");
            return Err(problem("no picture in it".to_owned()).hint(format!("{kinds} count")));
        }
        Ok(Self { path, kind, leaves })
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

    /// Returns what a picture is called.
    pub fn name(&self, i: usize) -> &str {
        &self.leaves[i].name
    }

    /// Returns the classes and the class of every picture, if every picture has one: its first
    /// folder, or its label.
    pub fn classes(&self) -> Option<(ClassNames, Vec<ClassId>)> {
        let of_each: Option<Vec<&str>> =
            self.leaves.iter().map(|leaf| leaf.class.as_deref()).collect();
        let of_each = of_each?;
        let mut names = of_each.clone();
        names.sort_unstable();
        names.dedup();
        let id = |name: &&str| {
            let at = names.binary_search(name).expect("names are of these");
            ClassId(u32::try_from(at).expect("classes fit in 32 bits"))
        };
        let ids = of_each.iter().map(id).collect();
        Some((ClassNames::new(names.iter().copied()), ids))
    }

    /// Returns the share of pictures that are JPEG by their names.
    pub fn lossy_share(&self) -> f64 {
        let lossy = |leaf: &&Leaf| extension(Path::new(&leaf.name)).starts_with("jp");
        self.leaves.iter().filter(lossy).count() as f64 / self.len() as f64
    }

    /// Keeps some pictures, in this order.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        let leaves = positions.iter().map(|i| self.leaves[*i].clone()).collect();
        Self { leaves, ..self.clone() }
    }

    /// Returns a key of the content of the pictures in their order: of files, never of names.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn key(&self, files: &dyn Files) -> Result<Key, Problem> {
        let problem = |path: &Path, e: io::Error| {
            Problem::new(path.to_string_lossy(), e.to_string(), "a file that can be read")
        };
        let parts: Vec<(String, Key)> = match self.kind {
            Kind::Files => {
                let hash = |(i, leaf): (usize, &Leaf)| {
                    let path = self.path.join(&leaf.name);
                    let content = files.read(&path).map_err(|e| problem(&path, e))?;
                    Ok((i.to_string(), Key::of_bytes(&content)))
                };
                self.leaves.par_iter().enumerate().map(hash).collect::<Result<_, Problem>>()?
            }
            Kind::Zip | Kind::Rows(_) | Kind::Samples => {
                let whole = whole(&self.path, files).map_err(|e| problem(&self.path, e))?;
                let rows = serde_json::json!(self.leaves.iter().map(|l| l.row).collect::<Vec<_>>());
                vec![("file".to_owned(), whole), ("rows".to_owned(), key_of(&rows))]
            }
        };
        Ok(Key::of_stage("album", 1, &Value::Null, &parts))
    }

    /// Shows the pictures in blocks: of block `b` those from `b * block` on. Blocks that are not
    /// wanted are passed over.
    ///
    /// # Errors
    /// That of the visitor, which ends the visit; or what is wrong with the file as a whole.
    pub fn visit<E: From<Unreadable>>(
        &self,
        files: &dyn Files,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let damaged = |reason: String| self.whole_file(reason);
        match &self.kind {
            Kind::Samples => self.visit_samples(files, block, wanted, visit),
            Kind::Files => {
                self.blocks(block, wanted, visit, |range| Ok(self.read_files(range, files)))
            }
            Kind::Zip => {
                let mut archive = archive(&self.path, files).map_err(damaged)?;
                let read = |range| Ok(self.read_zip(range, &mut archive));
                self.blocks(block, wanted, visit, read)
            }
            Kind::Rows(rows) => {
                let file = files.read(&self.path).map_err(|e| damaged(e.to_string()))?;
                let read = |range| self.read_rows(rows, range, &file).map_err(damaged);
                self.blocks(block, wanted, visit, read)
            }
        }
    }

    /// Reads the wanted blocks in order and shows each.
    fn blocks<E: From<Unreadable>>(
        &self,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
        mut read: impl FnMut(Range<usize>) -> Result<Pictures, Unreadable>,
    ) -> Result<(), E> {
        for (b, first) in (0..self.len()).step_by(block).enumerate() {
            if wanted(b) {
                visit(b, read(first..(first + block).min(self.len()))?)?;
            }
        }
        Ok(())
    }

    fn whole_file(&self, reason: String) -> Unreadable {
        Unreadable { name: self.path.to_string_lossy().into_owned(), reason }
    }

    fn picture(&self, i: usize, content: Result<Vec<u8>, String>) -> Result<Picture, Unreadable> {
        let decoded = content.and_then(|bytes| decode(&bytes).map_err(|e| e.to_string()));
        let path = self.path.join(&self.leaves[i].name);
        decoded.map_err(|reason| Unreadable { name: path.to_string_lossy().into_owned(), reason })
    }

    fn read_files(&self, range: Range<usize>, files: &dyn Files) -> Pictures {
        let read = |i: usize| {
            let path = self.path.join(&self.leaves[i].name);
            self.picture(i, files.read(&path).map_err(|e| e.to_string()))
        };
        range.into_par_iter().map(read).collect()
    }

    fn read_zip(&self, range: Range<usize>, archive: &mut Archive<'_>) -> Pictures {
        // Unpacked one by one, decoded in parallel.
        let mut content = Vec::with_capacity(range.len());
        for i in range {
            let mut bytes = Vec::new();
            let read = archive.by_name(&self.leaves[i].name).map_err(|e| e.to_string()).and_then(
                |member| member.take(MEMBER_MAX).read_to_end(&mut bytes).map_err(|e| e.to_string()),
            );
            content.push((i, read.map(|_| bytes)));
        }
        content.into_par_iter().map(|(i, bytes)| self.picture(i, bytes)).collect()
    }

    fn read_rows(
        &self,
        rows: &PictureRows,
        range: Range<usize>,
        file: &[u8],
    ) -> Result<Pictures, String> {
        let wanted = || self.leaves[range.clone()].iter().map(|leaf| leaf.row);
        let first = wanted().min().unwrap_or(0);
        let end = wanted().max().map_or(0, |last| last + 1);
        let content = rows.read(file, first..end)?;
        let picture = |i: usize| {
            let bytes = content.get(self.leaves[i].row - first).cloned().flatten();
            self.picture(i, bytes.ok_or_else(|| "no bytes".to_owned()))
        };
        Ok(range.into_par_iter().map(picture).collect())
    }

    /// Samples pass by in the order of the file, and those that were selected are kept: a
    /// selection is held whole.
    fn visit_samples<E: From<Unreadable>>(
        &self,
        files: &dyn Files,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let damaged = |reason: String| self.whole_file(reason);
        let window = open(&self.path, files).map_err(|e| damaged(e.to_string()))?;
        if self.leaves.iter().enumerate().any(|(i, leaf)| leaf.row != i) {
            return self.visit_selected_samples(window, block, wanted, visit);
        }
        let (mut at, mut end) = (0, Ok(()));
        let seen = visit_samples(window, block, |pictures| {
            let first = at * block;
            if end.is_ok() && first < self.len() && wanted(at) {
                let left = self.len() - first;
                end = visit(at, pictures.into_iter().take(left).map(Ok).collect());
            }
            at += 1;
        });
        end?;
        seen.map(drop).map_err(|e| damaged(e.to_string()).into())
    }

    fn visit_selected_samples<E: From<Unreadable>>(
        &self,
        window: Reader<'_>,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let mut held = std::collections::BTreeMap::new();
        let rows: std::collections::BTreeSet<usize> = self.leaves.iter().map(|l| l.row).collect();
        let mut row = 0;
        visit_samples(window, 1, |pictures| {
            if rows.contains(&row) {
                held.extend(pictures.into_iter().map(|picture| (row, picture)));
            }
            row += 1;
        })
        .map_err(|e| self.whole_file(e.to_string()))?;
        for (b, leaves) in self.leaves.chunks(block).enumerate() {
            if wanted(b) {
                visit(b, leaves.iter().map(|leaf| Ok(held[&leaf.row].clone())).collect())?;
            }
        }
        Ok(())
    }
}

fn key_of(value: &Value) -> Key {
    Key::of_stage("value", 1, value, &[])
}

/// Returns the key of a file, which is never held whole.
fn whole(path: &Path, files: &dyn Files) -> io::Result<Key> {
    let size = files.size(path)?;
    let mut pieces = Vec::new();
    for start in (0..size).step_by(PIECE) {
        pieces.push((start.to_string(), Key::of_bytes(&files.read_range(path, start, PIECE)?)));
    }
    Ok(Key::of_stage("file", 1, &Value::Null, &pieces))
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn is_picture(name: &str) -> bool {
    let inside = Path::new(name);
    let hidden = inside.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
    !hidden && EXTENSIONS.contains(&extension(inside).as_str())
}

/// Returns the first folder of a path inside of an album.
fn first_folder(name: &str) -> Option<String> {
    name.split_once('/').map(|(folder, _)| folder.to_owned())
}

fn folder(root: &Path, files: &dyn Files) -> io::Result<Vec<Leaf>> {
    let mut names = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for (path, is_folder) in files.list(&folder)? {
            let inside = path.strip_prefix(root).expect("listed below the root");
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            let name = parts.join("/");
            if is_folder {
                open.push(path);
            } else if is_picture(&name) {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    let leaf = |(row, name): (usize, String)| Leaf { class: first_folder(&name), name, row };
    Ok(names.into_iter().enumerate().map(leaf).collect())
}

fn open<'a>(path: &Path, files: &'a dyn Files) -> io::Result<Reader<'a>> {
    Ok(BufReader::with_capacity(AHEAD, Window::open(path, files)?))
}

fn archive<'a>(path: &Path, files: &'a dyn Files) -> Result<Archive<'a>, String> {
    let window = open(path, files).map_err(|e| e.to_string())?;
    ZipArchive::new(window).map_err(|e| e.to_string())
}

fn zip_members(path: &Path, files: &dyn Files) -> Result<Vec<Leaf>, String> {
    let mut archive = archive(path, files)?;
    let labels = labels(&mut archive)?;
    let members: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let mut names = members.map_err(|e| e.to_string())?;
    names.retain(|name| is_picture(name));
    names.sort_unstable();
    let leaf = |(row, name): (usize, String)| {
        let class = match &labels {
            Some(labels) => labels.get(&name).cloned(),
            None => first_folder(&name),
        };
        Leaf { name, row, class }
    };
    Ok(names.into_iter().enumerate().map(leaf).collect())
}

/// Returns the classes that EDM keeps in `dataset.json`: a list of file and number under `labels`.
fn labels(
    archive: &mut Archive<'_>,
) -> Result<Option<std::collections::BTreeMap<String, String>>, String> {
    let mut text = String::new();
    match archive.by_name("dataset.json") {
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(mut member) => {
            member.read_to_string(&mut text).map_err(|e| format!("`dataset.json`: {e}"))?;
        }
    }
    let json: Value = serde_json::from_str(&text).map_err(|e| format!("`dataset.json`: {e}"))?;
    let Some(list) = json["labels"].as_array() else { return Ok(None) };
    let pair = |pair: &Value| {
        let (file, class) = (pair[0].as_str()?, pair[1].as_i64()?);
        Some((file.to_owned(), class.to_string()))
    };
    let pairs: Option<_> = list.iter().map(pair).collect();
    pairs
        .map(Some)
        .ok_or_else(|| "`dataset.json`: `labels` is no list of file and number".to_owned())
}

fn rows(path: &Path, files: &dyn Files) -> Result<(Kind, Vec<Leaf>), String> {
    let rows = PictureRows::open(&files.read(path).map_err(|e| e.to_string())?)?;
    let class = |row: usize| rows.labels().map(|labels| labels[row].clone());
    let leaf = |row: usize| Leaf { name: format!("row {row}"), row, class: class(row) };
    let leaves = (0..rows.rows()).map(leaf).collect();
    Ok((Kind::Rows(rows), leaves))
}

/// Reads through the samples once: how many there are, and whether they are whole.
fn samples(path: &Path, files: &dyn Files) -> Result<Vec<Leaf>, String> {
    let window = open(path, files).map_err(|e| e.to_string())?;
    let mut n = 0;
    let classes = visit_samples(window, 64, |pictures| n += pictures.len());
    let classes = classes.map_err(|e| e.to_string())?;
    let class = |row: usize| classes.as_ref().map(|classes| classes[row].0.to_string());
    let leaf = |row: usize| Leaf { name: format!("sample {row}"), row, class: class(row) };
    Ok((0..n).map(leaf).collect())
}

#[cfg(test)]
mod tests;
