//! STL-10: 96 x 96 pixels, 10 classes, 500 labelled training and 800 test pictures of each.
//!
//! Coates, Lee and Ng 2011, An Analysis of Single-Layer Networks in Unsupervised Feature Learning.
//! `*_X.bin`: three planes of 96 columns each, column by column as Matlab writes; `*_y.bin`: labels
//! 1 to 10. The unlabelled pictures and the folds of the protocol for few labels are not read.

use std::path::Path;
use std::sync::Arc;

use super::Content;
use super::cursor::class_from;
use super::grid::{self, Address, Grid};
use super::reader::{Part, Reader, absent, file_key, hashed};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems};

const SIDE: usize = 96;
/// `class_names.txt` of the archive.
const CLASSES: [&str; 10] =
    ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"];
/// Where the archive keeps its files.
const INSIDE: &str = "stl10_binary";
const FILES: [&str; 4] = ["train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"];

/// STL-10 in its binary files; the unlabelled pictures are left alone.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stl10 {
    /// Folder that holds `train_X.bin`, `train_y.bin`, `test_X.bin` and `test_y.bin`, or the folder
    /// `stl10_binary` with them.
    pub path: String,
    /// Share of each class of the training data to hold out for validation.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

impl Stl10 {
    /// Returns the path of a file that is there.
    fn find(&self, file: &str, files: &dyn Files) -> Result<String, Problem> {
        let part = Part { key: "stl10.path".to_owned(), path: &self.path };
        let path = Path::new(&self.path);
        match files.is_folder(path) {
            None => return Err(absent(&part, "the folder of STL-10", files)),
            Some(false) => {
                let found = format!("`{}` is a file", self.path);
                return Err(Problem::new(part.key, found, "the folder of STL-10")
                    .hint("unpack `stl10_binary.tar.gz`"));
            }
            Some(true) => {}
        }
        let places = [path.join(file), path.join(INSIDE).join(file)];
        match places.iter().find(|place| files.is_folder(place) == Some(false)) {
            Some(place) => Ok(place.to_string_lossy().into_owned()),
            None => {
                let found = format!("no `{file}` in `{}`", self.path);
                Err(Problem::new(part.key, found, "the files of STL-10")
                    .hint("`ersatz data fetch stl10` names the official archive"))
            }
        }
    }

    fn part(&self, part: &str, files: &dyn Files) -> Result<Listing<Address>, Problems> {
        let paths =
            [format!("{part}_X.bin"), format!("{part}_y.bin")].map(|file| self.find(&file, files));
        let (pictures, labels) = match paths {
            [Ok(pictures), Ok(labels)] => (pictures, labels),
            [pictures, labels] => {
                return Err(Problems(pictures.err().into_iter().chain(labels.err()).collect()));
            }
        };
        let bytes = open(&labels, files)?;
        let size = files.size(Path::new(&pictures)).map_err(|e| {
            Problem::new(pictures.clone(), e.to_string(), "a file that can be read")
        })?;
        let grid = Grid::planes_of_columns(3, SIDE, SIDE);
        let wanted = (bytes.len() * grid.size()) as u64;
        if size != wanted {
            let found = format!("{size} bytes");
            let expected = format!("{wanted}: {} labels, {} bytes each", bytes.len(), grid.size());
            let source = format!("{pictures}, byte {}", size.min(wanted));
            return Err(Problem::new(source, found, expected)
                .hint("a file is cut short: fetch `stl10_binary.tar.gz` again")
                .into());
        }
        let classes = ClassNames::new(CLASSES);
        let file: Arc<str> = pictures.into();
        let entry = |(row, label): (usize, &u8)| {
            let place = || format!("{labels}, byte {row}");
            let class = class_from(1, i64::from(*label), &classes, place)?;
            let place = Address { file: file.clone(), grid, start: row * grid.size() };
            Ok(Entry { id: format!("{part}/{row}"), class, place })
        };
        let entries = bytes.iter().enumerate().map(entry).collect::<Result<_, Problem>>()?;
        Ok(Listing { classes: classes.clone(), entries })
    }
}

fn open(name: &str, files: &dyn Files) -> Result<Vec<u8>, Problem> {
    files
        .read(Path::new(name))
        .map_err(|e| Problem::new(name, e.to_string(), "a file that can be read"))
}

impl Reader for Stl10 {
    const KIND: &'static str = "stl10";
    type Place = Address;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<Address>>, Problems> {
        Parts { train: "train", val: None, test: "test" }.map(|part| self.part(part, files))
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Address>],
        files: &dyn Files,
        look: impl Fn(&Entry<Address>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        grid::see(entries, |name| open(name, files), look)
    }

    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let key = |file: &str| file_key(&self.find(file, files)?, files);
        Ok(hashed(Self::KIND, FILES.into_iter().map(|file| (file, key(file))))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::data::tests::{load_all, seen};
    use crate::terms::MemoryFiles;
    use crate::testing::golden_json;

    const TOML: &str = "[stl10]\npath = \"d\"\nvalidation-share = 0";

    /// The files that `make.py` writes for torchvision.
    fn files() -> MemoryFiles {
        let want = golden_json("data/stl10/want.json");
        let mut files = MemoryFiles::default();
        for part in ["train", "test"] {
            let labels: Vec<u8> = serde_json::from_value(want[part]["stored"].clone()).unwrap();
            let level = |i: usize| ((i * i / 7 + i) % 251) as u8;
            let pictures = (0..labels.len() * 3 * SIDE * SIDE).map(level).collect();
            files.insert(format!("d/stl10_binary/{part}_X.bin"), pictures);
            files.insert(format!("d/stl10_binary/{part}_y.bin"), labels);
        }
        files
    }

    #[test]
    fn agrees_with_torchvision() {
        let want = golden_json("data/stl10/want.json");
        let splits = load_all(TOML, &files()).unwrap();
        for (part, data) in [("train", &splits.train), ("test", &splits.test)] {
            let (labels, pictures) = seen(data);
            let levels: Vec<Vec<u8>> =
                pictures.iter().map(|p| p.iter().step_by(13).copied().collect()).collect();
            let sum = |p: &Vec<u8>| p.iter().zip(1_u64..).map(|(v, i)| u64::from(*v) * i).sum();
            let sums: Vec<u64> = pictures.iter().map(sum).collect();
            let got = serde_json::json!({"labels": labels, "levels": levels, "sums": sums});
            for key in ["labels", "levels", "sums"] {
                assert_eq!(got[key], want[part][key], "{part} {key}");
            }
        }
        assert_eq!(splits.train.classes.name(splits.train.examples[1].class), "truck");
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let mut cut = files();
        let path = "d/stl10_binary/train_X.bin";
        let whole = cut.read(Path::new(path)).unwrap();
        cut.insert(path, whole[..30_000].to_vec());
        assert_eq!(
            load_all(TOML, &cut).unwrap_err().to_string(),
            "d/stl10_binary/train_X.bin, byte 30000: 30000 bytes, \
             expected 82944: 3 labels, 27648 bytes each\n\
             hint: a file is cut short: fetch `stl10_binary.tar.gz` again"
        );
        let mut wrong = files();
        wrong.insert("d/stl10_binary/test_y.bin", vec![4, 0]);
        let text = load_all(TOML, &wrong).unwrap_err().to_string();
        let want = "d/stl10_binary/test_y.bin, byte 1: label 0, expected a label of 1 to 10";
        assert!(text.starts_with(want), "{text}");
        let mut missing = MemoryFiles::default();
        missing.insert("d/train_X.bin", vec![]);
        let text = load_all(TOML, &missing).unwrap_err().to_string();
        assert!(text.starts_with("stl10.path: no `train_y.bin` in `d`, expected"), "{text}");
        assert!(text.contains("`ersatz data fetch stl10`"), "{text}");
    }
}
