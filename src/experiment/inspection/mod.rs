//! A look at data as they are: counts, sizes, kinds of files, and what may spoil a result.
//!
//! `parity` warns where a classifier could tell classes or parts by how their files were made,
//! `leakage` where the same picture stands in two parts or two classes. Equal means equal pixels,
//! whatever file they came from.

mod leakage;
mod parity;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::resolve::Resolved;
use crate::lab::data::{
    Content, Dataset, Example, Folder, Origin, Seen, Sight, Source, Subset, Survey, check, survey,
};
use crate::lab::images::{Filter, Fit, decode, encode_png, kind};
use crate::stages::{SHEET_COLUMNS, sheet};
use crate::terms::{ClassNames, Files, Key, Picture, Problem, Problems, Seed};

/// Longest side of a picture on the contact sheet; larger ones are scaled down.
const THUMBNAIL: usize = 64;
/// Pictures that cannot be read and are told one by one.
const UNREADABLE_SHOWN: usize = 20;
/// Classes that are told one by one.
const CLASSES_SHOWN: usize = 50;

/// What is known of one picture.
struct Facts {
    width: usize,
    height: usize,
    /// Format and sampling; `pixels` where a source keeps no files.
    kind: String,
    /// Of the pixels.
    content: Key,
    /// For the contact sheet.
    thumbnail: Option<Picture>,
}

/// Something that may spoil a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}", self.0)
    }
}

/// What was seen of some data.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Counts per class and part, sizes, kinds of files.
    pub page: String,
    /// What may spoil a result.
    pub warnings: Vec<Warning>,
    /// The first training pictures of each class, as a PNG file.
    pub sheet: Option<Vec<u8>>,
    /// Pictures that cannot be read, the first twenty.
    pub unreadable: Problems,
}

/// Looks at every picture of an experiment's data; of swept ones, the first.
///
/// # Errors
/// If the data cannot be listed.
pub fn inspect_experiment(resolved: &Resolved, files: &dyn Files) -> Result<Inspection, Problems> {
    let data = &resolved.cells[0].experiment.data;
    inspect(&data.source, &data.subset, data.seed, files)
}

/// Looks at every picture of a source.
///
/// # Errors
/// If the data cannot be listed.
pub fn inspect_source(source: &Source, files: &dyn Files) -> Result<Inspection, Problems> {
    inspect(source, &Subset::default(), 0, files)
}

/// Returns the source of a folder with `train` and `test` in it; `val` is the test part where there
/// is no other.
///
/// # Errors
/// If there are no such folders.
pub fn folder_source(folder: &str, files: &dyn Files) -> Result<Source, Problem> {
    let path = |part: &str| format!("{}/{part}", folder.trim_end_matches('/'));
    let is_there = |part: &str| files.is_folder(Path::new(&path(part))) == Some(true);
    let (val, test) = match (is_there("train"), is_there("val"), is_there("test")) {
        (true, true, true) => (Some(path("val")), path("test")),
        (true, false, true) => (None, path("test")),
        (true, true, false) => (None, path("val")),
        _ => {
            let problem = Problem::new(
                format!("--folder {folder}"),
                "no `train` with `test` or `val` in it",
                "two folders with one folder per class in each",
            );
            return Err(problem.hint("other layouts: `--source 'folder = { .. }'`"));
        }
    };
    Ok(Source::Folder(Folder { train: path("train"), val, test, validation_share: 0.0 }))
}

fn inspect(
    source: &Source,
    subset: &Subset,
    seed: u64,
    files: &dyn Files,
) -> Result<Inspection, Problems> {
    let found = check(source, subset, files);
    if !found.0.is_empty() {
        return Err(found);
    }
    // The address of the dataset stage, so that the parts are those of a run.
    let seed = Seed::root(seed).child("data");
    let seen = survey(source, subset, seed, files, facts)?;
    let mut warnings = parity::warnings(&seen);
    warnings.extend(leakage::warnings(&seen));
    let mut unreadable: Vec<Problem> =
        all(&seen).filter_map(|one| one.made.as_ref().err()).cloned().collect();
    if !unreadable.is_empty() {
        let count = pictures(unreadable.len());
        warnings.insert(0, Warning(format!("{count} cannot be read")));
        // Pictures of one damaged file share its problem.
        unreadable.dedup();
        unreadable.truncate(UNREADABLE_SHOWN);
    }
    let page = format!("{}: {}\n{}", source.kind(), source.place(), page(&seen));
    Ok(Inspection {
        page,
        warnings,
        sheet: contact_sheet(&seen).map(|page| encode_png(&page)),
        unreadable: Problems(unreadable),
    })
}

fn facts(sight: &Sight<'_>, content: Content<'_>) -> Result<Facts, String> {
    let (kind, picture) = match content {
        Content::File(bytes) => {
            let picture = decode(bytes).map_err(|error| error.to_string())?;
            (kind(bytes).map_or("unknown".to_owned(), |kind| kind.to_string()), picture)
        }
        Content::Pixels(picture) => ("pixels".to_owned(), picture),
        Content::Drawn(draw) => ("drawn".to_owned(), draw(THUMBNAIL)),
    };
    let (width, height) = (picture.width(), picture.height());
    let sides = [width as u64, height as u64].map(u64::to_le_bytes).concat();
    let content = Key::of_bytes(&[sides.as_slice(), picture.rgb()].concat());
    let wanted = sight.part == "train" && sight.rank < SHEET_COLUMNS;
    let thumbnail = wanted.then(|| match width.max(height) > THUMBNAIL {
        true => Fit::default().apply(&picture, THUMBNAIL, Filter::default()),
        false => picture,
    });
    Ok(Facts { width, height, kind, content, thumbnail })
}

fn all(survey: &Survey<Facts>) -> impl Iterator<Item = &Seen<Facts>> {
    survey.parts.iter().flat_map(|(_, seen)| seen)
}

fn pictures(count: usize) -> String {
    if count == 1 { "1 picture".to_owned() } else { format!("{count} pictures") }
}

/// Returns counts per class and part, and how often each size and kind comes.
fn page(survey: &Survey<Facts>) -> String {
    let counts = survey.parts.each_ref().map(|(_, seen)| {
        let mut counts = vec![0_usize; survey.classes.len()];
        seen.iter().for_each(|one| counts[one.class.index()] += 1);
        counts
    });
    let widest = survey.classes.iter().take(CLASSES_SHOWN).map(|name| name.chars().count()).max();
    let wide = widest.unwrap_or(0).clamp(8, 40);
    let mut page = format!("{:wide$}  {:>8} {:>8} {:>8}\n", "class", "train", "val", "test");
    let mut row = |name: &str, [train, val, test]: [usize; 3]| {
        let _ = writeln!(page, "{name:wide$}  {train:>8} {val:>8} {test:>8}");
    };
    for (i, name) in survey.classes.iter().enumerate().take(CLASSES_SHOWN) {
        row(name, counts.each_ref().map(|counts| counts[i]));
    }
    let left = survey.classes.len().saturating_sub(CLASSES_SHOWN);
    if left > 0 {
        let rest = |counts: &Vec<usize>| counts.iter().skip(CLASSES_SHOWN).sum();
        row(&format!("{left} more"), counts.each_ref().map(rest));
    }
    row("in all", counts.each_ref().map(|counts| counts.iter().sum()));
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for facts in all(survey).filter_map(|one| one.made.as_ref().ok()) {
        *sizes.entry(format!("{} x {}", facts.width, facts.height)).or_default() += 1;
        *kinds.entry(facts.kind.clone()).or_default() += 1;
    }
    let _ = writeln!(page, "sizes: {}", most(sizes));
    let _ = writeln!(page, "files: {}", most(kinds));
    page
}

/// Returns what comes most often, with its counts.
fn most(counts: BTreeMap<String, usize>) -> String {
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown = counts.iter().take(5).map(|(what, count)| format!("{what} ({count})"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if counts.len() > 5 {
        let _ = write!(text, " and {} more", counts.len() - 5);
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

fn contact_sheet(survey: &Survey<Facts>) -> Option<Picture> {
    let example = |one: &Seen<Facts>| {
        let picture = one.made.as_ref().ok()?.thumbnail.clone()?;
        let (id, class) = (one.id.clone(), one.class);
        Some(Example { id, class, origin: Origin::Real, picture: Arc::new(picture) })
    };
    let examples: Vec<Example> = survey.parts[0].1.iter().filter_map(example).collect();
    if examples.is_empty() {
        return None;
    }
    Some(sheet(&Dataset::new(survey.classes.clone(), examples)))
}

/// Returns names for a message: the first few, and how many more.
fn named(classes: &ClassNames, which: &[usize]) -> String {
    let name = |i: &usize| classes.iter().nth(*i).expect("a class of the list");
    let shown: Vec<String> =
        which.iter().take(5).map(|i| format!("`{}`", name(i))).collect::<Vec<_>>();
    let more = which.len() - shown.len();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;

    fn source() -> Source {
        toml::from_str("folder = { train = \"d/train\", test = \"d/test\", validation-share = 0 }")
            .unwrap()
    }

    fn picture(side: usize, level: u8) -> Picture {
        Picture::filled(side, side, [level, 2, 3])
    }

    /// Ten pictures of two classes each to train on, two to test.
    fn files() -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for (c, class) in ["cat", "dog"].iter().enumerate() {
            for i in 0..12_u8 {
                let part = if i < 10 { "train" } else { "test" };
                let png = encode_png(&picture(8, i + 100 * c as u8));
                files.insert(format!("d/{part}/{class}/{i:02}.png"), png);
            }
        }
        files
    }

    fn warned(files: &MemoryFiles) -> Vec<String> {
        let inspection = inspect(&source(), &Subset::default(), 0, files).unwrap();
        inspection.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn clean_data_give_no_warning() {
        let inspection = inspect(&source(), &Subset::default(), 0, &files()).unwrap();
        assert_eq!(inspection.warnings, []);
        assert_eq!(
            inspection.page,
            "folder: d/train\n\
             class        train      val     test\n\
             cat             10        0        2\n\
             dog             10        0        2\n\
             in all          20        0        4\n\
             sizes: 8 x 8 (24)\n\
             files: PNG (24)\n"
        );
        let sheet = decode(&inspection.sheet.unwrap()).unwrap();
        assert!(sheet.width() > sheet.height(), "ten pictures of two classes");
        assert_eq!(inspection.unreadable, Problems::default());
    }

    #[test]
    fn the_same_picture_in_two_parts_is_told() {
        let mut files = files();
        files.insert("d/test/dog/10.png", encode_png(&picture(8, 103)));
        assert_eq!(
            warned(&files),
            ["warning: 1 of 4 test pictures is in the training data too: \
              `dog/10.png` is `dog/03.png`"]
        );
    }

    #[test]
    fn the_same_picture_in_validation_and_test_data_is_told() {
        let mut files = files();
        for i in 0..2_u8 {
            let of_test = encode_png(&picture(8, 10 + i));
            files.insert(format!("d/val/cat/{i}.png"), of_test);
            files.insert(format!("d/val/dog/{i}.png"), encode_png(&picture(8, 200 + i)));
        }
        let toml = "folder = { train = \"d/train\", val = \"d/val\", test = \"d/test\" }";
        let source = toml::from_str(toml).unwrap();
        let inspection = inspect(&source, &Subset::default(), 0, &files).unwrap();
        let told: Vec<String> = inspection.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["warning: 2 of 4 test pictures are in the validation data too: \
              `cat/10.png` is `cat/0.png`, `cat/11.png` is `cat/1.png`"]
        );
    }

    #[test]
    fn the_same_picture_in_two_classes_is_told() {
        let mut files = files();
        files.insert("d/train/dog/00.png", encode_png(&picture(8, 4)));
        assert_eq!(
            warned(&files),
            ["warning: 1 training picture has two classes: \
                 `dog/00.png` (`dog`) is `cat/04.png` (`cat`)"]
        );
    }

    #[test]
    fn files_of_another_kind_or_size_are_told() {
        // What the header says counts; these few bytes are a BMP of one pixel.
        let bmp = |side: u32, level: u8| {
            let row = (side * 3).div_ceil(4) * 4;
            let mut file = b"BM".to_vec();
            file.extend((54 + row * side).to_le_bytes());
            file.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
            file.extend([side.to_le_bytes(), side.to_le_bytes()].concat());
            file.extend([1, 0, 24, 0]);
            file.extend([0; 24]);
            file.extend(vec![level; (row * side) as usize]);
            file
        };
        let mut files = files();
        for i in 0..10_u8 {
            files.insert(format!("d/train/dog/{i:02}.png"), bmp(8, 50 + i));
        }
        let told = warned(&files);
        assert_eq!(
            told,
            [
                "warning: training files of a class differ from the others: BMP is 100% of `dog` \
                 and 50% of all; a classifier may learn the files",
                "warning: test files differ from training files: BMP is 0% of them and 50% of \
                 those for training",
            ]
        );
        for i in 0..10_u8 {
            files.insert(format!("d/train/dog/{i:02}.png"), encode_png(&picture(16, 50 + i)));
        }
        let told = warned(&files);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("sizes of training pictures differ by class"), "{told:?}");
        assert!(told[1].contains("test pictures have 0.50 times the pixels"), "{told:?}");
    }

    #[test]
    fn pictures_that_cannot_be_read_are_counted_and_named() {
        let mut files = files();
        files.insert("d/train/cat/05.png", b"cut".to_vec());
        let inspection = inspect(&source(), &Subset::default(), 0, &files).unwrap();
        assert_eq!(inspection.warnings[0].to_string(), "warning: 1 picture cannot be read");
        assert_eq!(inspection.unreadable.0[0].source, "d/train/cat/05.png");
    }
}
