//! What pictures there are in a place, without decoding any.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use serde_json::Value;
use zip::ZipArchive;

use super::{EXTENSIONS, Leaf};
use crate::lab::data::PictureRows;
use crate::lab::metrics::visit_samples;
use crate::terms::{Files, Window};

/// Endings of picture files that other tools may read and we do not.
const FOREIGN: [&str; 12] =
    ["tif", "tiff", "gif", "ppm", "pgm", "pbm", "pnm", "avif", "heic", "jxl", "jp2", "tga"];

/// Bytes that are fetched at a time.
const AHEAD: usize = 1 << 18;

/// A file that is read front to back, or in pieces from its end: a piece at a time.
pub(super) type Reader<'a> = BufReader<Window<'a>>;

pub(super) type Archive<'a> = ZipArchive<Reader<'a>>;

/// The pictures of a place, and what was not taken for one.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) leaves: Vec<Leaf>,
    /// How many files there are of each foreign ending.
    pub(super) passed_over: BTreeMap<String, usize>,
}

impl Listing {
    /// Takes those names that are pictures, in the byte order of names.
    fn of(mut names: Vec<String>, class: impl Fn(&str) -> Option<String>) -> Self {
        let mut passed_over = BTreeMap::new();
        names.retain(|name| {
            let (inside, ending) = (Path::new(name), extension(Path::new(name)));
            if inside.iter().any(|part| part.as_encoded_bytes().starts_with(b".")) {
                return false;
            }
            if FOREIGN.contains(&ending.as_str()) {
                *passed_over.entry(ending.clone()).or_insert(0) += 1;
            }
            EXTENSIONS.contains(&ending.as_str())
        });
        names.sort_unstable();
        let leaf = |(row, name): (usize, String)| Leaf { class: class(&name), name, row };
        Self { leaves: names.into_iter().enumerate().map(leaf).collect(), passed_over }
    }
}

pub(super) fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

pub(super) fn open<'a>(path: &Path, files: &'a dyn Files) -> io::Result<Reader<'a>> {
    Ok(BufReader::with_capacity(AHEAD, Window::open(path, files)?))
}

pub(super) fn archive<'a>(path: &Path, files: &'a dyn Files) -> Result<Archive<'a>, String> {
    let window = open(path, files).map_err(|e| e.to_string())?;
    ZipArchive::new(window).map_err(|e| e.to_string())
}

/// Returns the first folder of a path inside of an album.
fn first_folder(name: &str) -> Option<String> {
    name.split_once('/').map(|(folder, _)| folder.to_owned())
}

pub(super) fn folder(root: &Path, files: &dyn Files) -> io::Result<Listing> {
    let mut names = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for (path, is_folder) in files.list(&folder)? {
            let inside = path.strip_prefix(root).expect("listed below the root");
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            if is_folder {
                open.push(path);
            } else {
                names.push(parts.join("/"));
            }
        }
    }
    Ok(Listing::of(names, first_folder))
}

pub(super) fn zip(path: &Path, files: &dyn Files) -> Result<Listing, String> {
    let mut archive = archive(path, files)?;
    let labels = labels(&mut archive)?;
    let members: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let names = members.map_err(|e| e.to_string())?;
    Ok(Listing::of(names, |name| match &labels {
        Some(labels) => labels.get(name).cloned(),
        None => first_folder(name),
    }))
}

/// Returns the classes that EDM keeps in `dataset.json`: a list of file and number under `labels`.
fn labels(archive: &mut Archive<'_>) -> Result<Option<BTreeMap<String, String>>, String> {
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

pub(super) fn rows(path: &Path, files: &dyn Files) -> Result<(PictureRows, Listing), String> {
    let rows = PictureRows::open(&files.read(path).map_err(|e| e.to_string())?)?;
    let class = |row: usize| rows.labels().map(|labels| labels[row].clone());
    let leaf = |row: usize| Leaf { name: format!("row {row}"), row, class: class(row) };
    let leaves = (0..rows.rows()).map(leaf).collect();
    Ok((rows, Listing { leaves, ..Listing::default() }))
}

/// Reads through the samples once: how many there are, and whether they are whole.
pub(super) fn samples(path: &Path, files: &dyn Files) -> Result<Listing, String> {
    let window = open(path, files).map_err(|e| e.to_string())?;
    let mut n = 0;
    let classes = visit_samples(window, 64, |pictures| n += pictures.len());
    let classes = classes.map_err(|e| e.to_string())?;
    let class = |row: usize| classes.as_ref().map(|classes| classes[row].0.to_string());
    let leaf = |row: usize| Leaf { name: format!("sample {row}"), row, class: class(row) };
    Ok(Listing { leaves: (0..n).map(leaf).collect(), ..Listing::default() })
}
