//! SVHN, the street-view house numbers, as cropped digits of 32 x 32 pixels.
//!
//! Netzer et al. 2011, Reading Digits in Natural Images with Unsupervised Feature Learning. MAT
//! files with `X` (height, width, channel, picture; the first moves fastest) and `y` (labels 1 to
//! 10). Label 10 is the digit 0, as torchvision has it. The `extra` part is not read.

mod mat;

use std::path::Path;
use std::sync::Arc;

use super::Content;
use super::grid::{self, Address, Grid};
use super::reader::{Part, Reader, absent, file_key, hashed};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, ClassNames, Files, Key, Problem, Problems};

const SIDE: usize = 32;

/// SVHN, format 2: cropped digits of 32 x 32 pixels. Label 10 is the digit 0.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Svhn {
    /// Folder that holds `train_32x32.mat` and `test_32x32.mat`.
    pub path: String,
    /// Share of each class of the training data to hold out for validation.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

impl Svhn {
    /// Returns the path of the file of a part.
    fn find(&self, part: &str, files: &dyn Files) -> Result<String, Problem> {
        let key = Part { key: "svhn.path".to_owned(), path: &self.path };
        if files.is_folder(Path::new(&self.path)).is_none() {
            return Err(absent(&key, "the folder of SVHN", files));
        }
        let name = format!("{part}_32x32.mat");
        let path = Path::new(&self.path).join(&name);
        if files.is_folder(&path) == Some(false) {
            return Ok(path.to_string_lossy().into_owned());
        }
        let found = format!("no `{name}` in `{}`", self.path);
        Err(Problem::new(key.key, found, "the cropped digits of SVHN")
            .hint("`ersatz data fetch svhn` names the official files"))
    }

    fn part(&self, part: &str, files: &dyn Files) -> Result<Listing<Address>, Problems> {
        let name = self.find(part, files)?;
        let file = open(&name, files)?;
        let (element, y) = mat::array(&name, &file, "y", true)?;
        let (_, x) = mat::array(&name, &file, "X", false)?;
        let wrong = |found: String, expected: String| Problem::new(name.clone(), found, expected);
        let labels = y.numbers(&element).unwrap_or_default();
        let wanted = [SIDE, SIDE, 3, labels.len()];
        // Matlab drops a last side of 1.
        let is = x.sides == wanted || (labels.len() == 1 && x.sides == wanted[..3]);
        let grid = Grid::planes_of_columns(3, SIDE, SIDE);
        if labels.is_empty() || !is || !x.is_bytes() || x.length != labels.len() * grid.size() {
            let found = format!("`X` of {:?} in {} bytes, `y` of {:?}", x.sides, x.length, y.sides);
            let expected = format!("bytes of {wanted:?} and as many labels");
            return Err(wrong(found, expected)
                .hint("format 2, cropped digits: `train_32x32.mat`")
                .into());
        }
        let classes = ClassNames::new((0..10).map(|digit| digit.to_string()));
        let shared: Arc<str> = name.as_str().into();
        let entry = |(row, label): (usize, f64)| {
            let known = (1..=10).find(|digit| (f64::from(*digit) - label).abs() < f64::EPSILON);
            let Some(digit) = known else {
                // Damage makes numbers of hundreds of digits.
                let plain = label.abs() < 1e6;
                let shown = if plain { label.to_string() } else { format!("{label:e}") };
                let place = format!("{name}, array `y`, row {row}");
                let problem = Problem::new(place, format!("label {shown}"), "a label of 1 to 10");
                return Err(problem.hint("label 10 is the digit 0"));
            };
            let class = ClassId(digit % 10);
            let start = x.start + row * grid.size();
            let place = Address { file: shared.clone(), grid, start };
            Ok(Entry { id: format!("{part}/{row}"), class, place })
        };
        let entries = labels.into_iter().enumerate().map(entry).collect::<Result<_, Problem>>()?;
        Ok(Listing { classes: classes.clone(), entries })
    }
}

fn open(name: &str, files: &dyn Files) -> Result<Vec<u8>, Problem> {
    files
        .read(Path::new(name))
        .map_err(|e| Problem::new(name, e.to_string(), "a file that can be read"))
}

impl Reader for Svhn {
    const KIND: &'static str = "svhn";
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
        let unpack = |name: &str| Ok(mat::array(name, &open(name, files)?, "X", true)?.0);
        grid::see(entries, unpack, look)
    }

    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let key = |part: &str| file_key(&self.find(part, files)?, files);
        Ok(hashed(Self::KIND, ["train", "test"].into_iter().map(|part| (part, key(part))))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::data::tests::{golden_files, load_all, seen};
    use crate::terms::MemoryFiles;
    use crate::testing::golden_json;

    const TOML: &str = "[svhn]\npath = \"d\"\nvalidation-share = 0";

    #[test]
    fn agrees_with_torchvision() {
        let want = golden_json("data/svhn/want.json");
        let splits = load_all(TOML, &golden_files("data/svhn")).unwrap();
        for (part, data) in [("train", &splits.train), ("test", &splits.test)] {
            let labels: Vec<u32> = serde_json::from_value(want[part]["labels"].clone()).unwrap();
            let rgb: Vec<Vec<u8>> = serde_json::from_value(want[part]["rgb"].clone()).unwrap();
            assert_eq!(seen(data), (labels, rgb), "{part}");
        }
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let told = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut files = golden_files("data/svhn");
            let mut content = files.read(Path::new(file)).unwrap();
            change(&mut content);
            files.insert(file, content);
            load_all(TOML, &files).unwrap_err().to_string()
        };
        let (packed, plain) = ("d/train_32x32.mat", "d/test_32x32.mat");
        let text = told(plain, &|file| file.truncate(1000));
        assert!(text.starts_with("d/test_32x32.mat, byte "), "{text}");
        assert!(text.contains("bytes for an array"), "{text}");
        let text = told(packed, &|file| file.truncate(5000));
        assert!(text.starts_with("d/train_32x32.mat, byte "), "{text}");
        let text = told(packed, &|file| file[4000] ^= 0x55);
        assert!(text.starts_with("d/train_32x32.mat, element at byte "), "{text}");
        let text = told(packed, &|file| file[126] = b'X');
        assert!(text.starts_with("d/train_32x32.mat, byte 124: no mark of version 5"), "{text}");
        let text = told(packed, &|file| file.truncate(128));
        assert!(text.contains("byte 128: the end of the file without `y`"), "{text}");
        let missing = load_all(TOML, &MemoryFiles::default()).unwrap_err().to_string();
        assert!(missing.starts_with("svhn.path: `d` does not exist"), "{missing}");
    }
}
