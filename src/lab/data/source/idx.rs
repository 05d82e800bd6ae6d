//! The IDX files of MNIST and of those who followed: Fashion-MNIST, KMNIST, EMNIST.
//!
//! The format is described at yann.lecun.com/exdb/mnist: big-endian, two zero bytes, the type (8:
//! bytes), the number of sides, the sides, the bytes. Grey pictures, row by row. EMNIST (Cohen et
//! al. 2017, arXiv 1702.05373) stores its pictures mirrored at the diagonal, and the labels of its
//! letters start at 1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::Content;
use super::cursor::{Cursor, class_from, unpacked};
use super::grid::{self, Address, Grid};
use super::reader::{Part, Reader, absent, hashed};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems};

/// Magic numbers: bytes in three sides, bytes in one.
const PICTURES: u32 = 0x0803;
const LABELS: u32 = 0x0801;
/// Longest side of a picture; the family has 28.
const SIDE_MAX: u32 = 4096;
/// Unpacked bytes of one file; the largest of the family, EMNIST by class, has 547 million.
const FILE_MAX: usize = 1 << 31;

/// The four IDX files of MNIST, Fashion-MNIST, KMNIST or one split of EMNIST, packed by gzip or
/// not: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k` or `test`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Idx {
    /// Folder that holds the files.
    pub path: String,
    /// What the names of the files start with, before `-train-images-idx3-ubyte`: `emnist-letters`;
    /// empty for the others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether pictures are stored mirrored at the diagonal, as those of EMNIST are.
    #[serde(default)]
    pub transposed: bool,
    /// The label of the first class: 1 for the letters of EMNIST.
    #[serde(default)]
    pub first_label: usize,
    /// Names of the classes in the order of the labels; empty: the labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Share of each class of the training data to hold out for validation.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

/// The two files of a part.
struct Pair {
    pictures: PathBuf,
    labels: PathBuf,
}

impl Idx {
    fn pairs(&self, files: &dyn Files) -> Result<Parts<Pair>, Problems> {
        let key = || "idx.path".to_owned();
        let part = Part { key: key(), path: &self.path };
        match files.is_folder(Path::new(&self.path)) {
            None => return Err(absent(&part, "a folder of IDX files", files).into()),
            Some(false) => {
                let found = format!("`{}` is a file", self.path);
                return Err(Problem::new(key(), found, "the folder of the IDX files").into());
            }
            Some(true) => {}
        }
        let front =
            if self.prefix.is_empty() { String::new() } else { format!("{}-", self.prefix) };
        let find = |parts: &[&str], what: &str| {
            let stems = parts.iter().flat_map(|part| {
                // The second form is the one of mirrors that turn a dash into a dot.
                [
                    format!("{front}{part}-{what}"),
                    format!("{front}{part}-{}", what.replacen('-', ".", 1)),
                ]
            });
            let names = stems.flat_map(|stem| [format!("{stem}.gz"), stem]);
            let paths: Vec<PathBuf> = names.map(|name| Path::new(&self.path).join(name)).collect();
            let found = paths.iter().find(|path| files.is_folder(path) == Some(false));
            found.cloned().ok_or_else(|| {
                let found = format!("no `{front}{}-{what}` in `{}`", parts[0], self.path);
                let expected = "the four IDX files, packed (`.gz`) or not";
                Problem::new(key(), found, expected).hint(
                    "`ersatz data fetch mnist` names the official files; EMNIST's have a `prefix`",
                )
            })
        };
        let pair = |names: &[&str]| {
            let (pictures, labels) =
                (find(names, "images-idx3-ubyte"), find(names, "labels-idx1-ubyte"));
            match (pictures, labels) {
                (Ok(pictures), Ok(labels)) => Ok(Pair { pictures, labels }),
                (pictures, labels) => {
                    Err(Problems(pictures.err().into_iter().chain(labels.err()).collect()))
                }
            }
        };
        Parts { train: ["train"].as_slice(), val: None, test: &["t10k", "test"] }.map(pair)
    }

    fn part(
        &self,
        name: &str,
        pair: &Pair,
        classes: Option<&ClassNames>,
        files: &dyn Files,
    ) -> Result<Listing<Address>, Problem> {
        let labels = labels(&pair.labels, files)?;
        let (count, grid, start) = shape(&pair.pictures, self.transposed, files)?;
        if count != labels.len() {
            let found = format!("{count} pictures with {} labels", labels.len());
            let source = pair.pictures.to_string_lossy();
            return Err(Problem::new(source, found, "one label for each picture"));
        }
        let classes = match classes {
            Some(classes) => classes.clone(),
            None => self.classes(&labels)?,
        };
        let file: Arc<str> = pair.pictures.to_string_lossy().into();
        let entry = |(row, label): (usize, u8)| {
            let place = || format!("{}, byte {} (row {row})", pair.labels.display(), 8 + row);
            let class = class_from(self.first_label as i64, label.into(), &classes, place)?;
            let start = start + row * grid.size();
            Ok(Entry {
                id: format!("{name}/{row}"),
                class,
                place: Address { file: file.clone(), grid, start },
            })
        };
        let entries = labels.into_iter().enumerate().map(entry).collect::<Result<_, _>>()?;
        Ok(Listing { classes, entries })
    }

    /// Returns the given names, or the labels there are, as names.
    fn classes(&self, labels: &[u8]) -> Result<ClassNames, Problem> {
        let last = labels.iter().copied().max().map_or(0, usize::from);
        let count = (last + 1).saturating_sub(self.first_label);
        if self.class_names.is_empty() {
            return Ok(ClassNames::new((self.first_label..=last).map(|label| label.to_string())));
        }
        if self.class_names.len() != count {
            let found = format!("{} names", self.class_names.len());
            let problem = Problem::new("idx.class-names", found, format!("{count}"));
            return Err(problem.hint(format!("labels are {} to {last}", self.first_label)));
        }
        Ok(ClassNames::new(&self.class_names))
    }
}

/// Opens a file that may be packed, and reads at most so many bytes of it.
fn open(path: &Path, files: &dyn Files, limit: usize) -> Result<Vec<u8>, Problem> {
    let name = path.to_string_lossy();
    let bytes = files
        .read(path)
        .map_err(|e| Problem::new(name.clone(), e.to_string(), "a file that can be read"))?;
    if bytes.get(..2) != Some(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    unpacked(&name, MultiGzDecoder::new(bytes.as_slice()), limit, "gzip file")
}

/// Opens the front of a file that may be packed.
fn front(path: &Path, files: &dyn Files, length: usize) -> Result<Vec<u8>, Problem> {
    let name = path.to_string_lossy();
    // A packed front is hardly longer than the plain one.
    let problem = |e: std::io::Error| Problem::new(name.clone(), e.to_string(), "an IDX file");
    let bytes = files.read_range(path, 0, length + 4096).map_err(problem)?;
    if bytes.get(..2) != Some(&[0x1f, 0x8b]) {
        return Ok(bytes.into_iter().take(length).collect());
    }
    let mut stream = std::io::Read::take(MultiGzDecoder::new(bytes.as_slice()), length as u64);
    let mut front = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut front).map_err(problem)?;
    Ok(front)
}

fn magic(cursor: &mut Cursor<'_>, wanted: u32, what: &str) -> Result<(), Problem> {
    let before = cursor.clone();
    let magic = u32::from_be_bytes(cursor.array("the magic number")?);
    if magic == wanted {
        return Ok(());
    }
    let found = format!("the magic number 0x{magic:08x}");
    let problem = before.problem(found, format!("0x{wanted:08x}, IDX {what}"));
    Err(match magic {
        PICTURES | LABELS => problem.hint("the files of labels and of pictures are exchanged"),
        _ => problem.hint("no IDX file of bytes: fetch it again"),
    })
}

fn labels(path: &Path, files: &dyn Files) -> Result<Vec<u8>, Problem> {
    let bytes = open(path, files, FILE_MAX)?;
    let name = path.to_string_lossy();
    let mut cursor = Cursor::new(&name, &bytes);
    magic(&mut cursor, LABELS, "labels")?;
    let count = u32::from_be_bytes(cursor.array("the number of labels")?);
    let labels = cursor.take(count as usize, "the labels")?.to_vec();
    if cursor.left() > 0 {
        return Err(
            cursor.problem(format!("{} bytes more", cursor.left()), format!("{count} labels"))
        );
    }
    Ok(labels)
}

/// Returns the number of pictures of a file, how they are arranged, and where they start.
fn shape(
    path: &Path,
    transposed: bool,
    files: &dyn Files,
) -> Result<(usize, Grid, usize), Problem> {
    let name = path.to_string_lossy();
    let bytes = front(path, files, 16)?;
    let mut cursor = Cursor::new(&name, &bytes);
    magic(&mut cursor, PICTURES, "pictures")?;
    let count = u32::from_be_bytes(cursor.array("the number of pictures")?) as usize;
    let before = cursor.clone();
    let height = u32::from_be_bytes(cursor.array("the height")?);
    let width = u32::from_be_bytes(cursor.array("the width")?);
    if !(1..=SIDE_MAX).contains(&height) || !(1..=SIDE_MAX).contains(&width) {
        let found = format!("pictures of {width} x {height} pixels");
        return Err(before.problem(found, format!("sides of 1 to {SIDE_MAX}")));
    }
    let (height, width) = (height as usize, width as usize);
    let grid = match transposed {
        false => Grid::planes(1, height, width),
        true => Grid::planes_of_columns(1, width, height),
    };
    let plain = files.read_range(path, 0, 2).is_ok_and(|magic| magic != [0x1f, 0x8b]);
    let size = files.size(path).unwrap_or(0);
    let wanted = 16 + count as u64 * grid.size() as u64;
    if plain && size != wanted {
        let found = format!("{size} bytes");
        let expected = format!("{wanted}: {count} pictures of {width} x {height}");
        return Err(cursor.problem_at(size as usize, found, expected).hint("fetch the file again"));
    }
    Ok((count, grid, cursor.at()))
}

impl Reader for Idx {
    const KIND: &'static str = "idx";
    type Place = Address;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<Address>>, Problems> {
        let pairs = self.pairs(files)?;
        let train = self.part("train", &pairs.train, None, files)?;
        let test = self.part("test", &pairs.test, Some(&train.classes), files)?;
        Ok(Parts { train, val: None, test })
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Address>],
        files: &dyn Files,
        look: impl Fn(&Entry<Address>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        grid::see(entries, |name| open(Path::new(name), files, FILE_MAX), look)
    }

    /// Of the unpacked bytes, so that packed and plain files are the same data.
    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let pairs = self.pairs(files)?;
        let all = [
            ("train-images", &pairs.train.pictures),
            ("train-labels", &pairs.train.labels),
            ("test-images", &pairs.test.pictures),
            ("test-labels", &pairs.test.labels),
        ];
        let key = |path: &Path| Ok(Key::of_bytes(&open(path, files, FILE_MAX)?));
        Ok(hashed(Self::KIND, all.iter().map(|(name, path)| (*name, key(path.as_path()))))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::lab::data::dataset::Dataset;
    use crate::lab::data::source::{Source, fingerprint};
    use crate::lab::data::tests::{golden_files, load_all, seen};
    use crate::terms::MemoryFiles;
    use crate::testing::golden_json;

    const MNIST: &str = "[idx]\npath = \"d\"\nvalidation-share = 0";
    const LETTERS: &str = "[idx]\npath = \"d\"\nprefix = \"emnist-letters\"\ntransposed = true\n\
                           first-label = 1\nvalidation-share = 0";

    fn agrees(data: &Dataset, want: &Json, first: u32) {
        let labels: Vec<u32> = serde_json::from_value(want["labels"].clone()).unwrap();
        let labels: Vec<u32> = labels.into_iter().map(|label| label - first).collect();
        let grey: Vec<Vec<u8>> = serde_json::from_value(want["grey"].clone()).unwrap();
        let rgb = grey.iter().map(|p| p.iter().flat_map(|v| [*v; 3]).collect()).collect();
        assert_eq!(seen(data), (labels, rgb));
        let size: [usize; 2] = serde_json::from_value(want["size"].clone()).unwrap();
        let picture = &data.examples[0].picture;
        assert_eq!([picture.height(), picture.width()], size);
    }

    #[test]
    fn agrees_with_torchvision() {
        let (want, files) = (golden_json("data/idx/want.json"), golden_files("data/idx"));
        let mnist = load_all(MNIST, &files).unwrap();
        agrees(&mnist.train, &want["train"], 0);
        agrees(&mnist.test, &want["t10k"], 0);
        assert_eq!(mnist.train.classes, ClassNames::new(["0", "1", "2"]));
        let letters = load_all(LETTERS, &files).unwrap();
        agrees(&letters.train, &want["emnist-letters-train"], 1);
        agrees(&letters.test, &want["emnist-letters-test"], 1);
        assert_eq!(letters.train.classes, ClassNames::new(["1", "2", "3"]));
        assert_eq!(letters.test.examples[3].id, "test/3");
    }

    #[test]
    fn packed_and_unpacked_are_the_same_data() {
        let mut files = golden_files("data/idx");
        let key = |files: &MemoryFiles| {
            let source: Source = toml::from_str(MNIST).unwrap();
            fingerprint(&source, &Subset::default(), files).unwrap()
        };
        let before = key(&files);
        let name = "d/train-labels-idx1-ubyte";
        let plain = open(Path::new(&format!("{name}.gz")), &files, 100).unwrap();
        files.insert(format!("{name}.gz"), plain); // A plain file under the name of a packed one.
        assert_eq!(key(&files), before);
    }

    #[test]
    fn names_must_fit_the_labels() {
        let files = golden_files("data/idx");
        let named = |names: &str| load_all(&format!("{MNIST}\nclass-names = {names}"), &files);
        let classes = named(r#"["T-shirt", "trouser", "bag"]"#).unwrap().train.classes;
        assert_eq!(classes, ClassNames::new(["T-shirt", "trouser", "bag"]));
        assert_eq!(
            named(r#"["T-shirt"]"#).unwrap_err().to_string(),
            "idx.class-names: 1 names, expected 3\nhint: labels are 0 to 2"
        );
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let told = |file: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut files = golden_files("data/idx");
            let path = format!("d/{file}");
            let mut content = files.read(Path::new(&path)).unwrap();
            change(&mut content);
            files.insert(path, content);
            load_all(MNIST, &files).unwrap_err().to_string()
        };
        let (pictures, labels) = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
        for (file, change, want) in [
            (
                pictures,
                &(|file: &mut Vec<u8>| file.truncate(100)) as &dyn Fn(&mut Vec<u8>),
                "d/t10k-images-idx3-ubyte, byte 100: 100 bytes, expected 136: 4 pictures of 5 x 6\n\
                 hint: fetch the file again",
            ),
            (
                pictures,
                &|file| file[3] = 1,
                "d/t10k-images-idx3-ubyte, byte 0: the magic number 0x00000801, \
                 expected 0x00000803, IDX pictures\n\
                 hint: the files of labels and of pictures are exchanged",
            ),
            (
                pictures,
                &|file| file[8..12].fill(0xff),
                "d/t10k-images-idx3-ubyte, byte 8: pictures of 5 x 4294967295 pixels, \
                 expected sides of 1 to 4096",
            ),
            (
                labels,
                &|file| file[4] = 0xff,
                "d/t10k-labels-idx1-ubyte, byte 8: the end of the file after 4, \
                 expected 4278190084 bytes for the labels",
            ),
            (
                labels,
                &|file| file[10] = 9,
                "d/t10k-labels-idx1-ubyte, byte 10 (row 2): label 9, expected a label of 0 to 2\n\
                 hint: there are 3 classes",
            ),
            (
                labels,
                &|file| file.clear(),
                "d/t10k-labels-idx1-ubyte, byte 0: the end of the file after 0, \
                 expected 4 bytes for the magic number",
            ),
        ] {
            assert_eq!(told(file, change), want);
        }
        // The label is told as it is stored, wherever the labels start.
        let mut files = golden_files("data/idx");
        let path = "d/emnist-letters-test-labels-idx1-ubyte.gz";
        let mut content = open(Path::new(path), &files, 100).unwrap();
        content[9] = 0;
        files.insert(path, content);
        assert_eq!(
            load_all(LETTERS, &files).unwrap_err().to_string(),
            format!(
                "{path}, byte 9 (row 1): label 0, expected a label of 1 to 3\n\
                 hint: there are 3 classes"
            )
        );
        let text = told("train-images-idx3-ubyte.gz", &|file| file.truncate(60));
        assert!(text.starts_with("d/train-images-idx3-ubyte.gz: "), "{text}");
        assert!(text.contains("behind byte "), "{text}");
        let mut files = MemoryFiles::default();
        files.insert("d/train-images-idx3-ubyte.gz", vec![]);
        let text = load_all(MNIST, &files).unwrap_err().to_string();
        assert!(text.contains("idx.path: no `train-labels-idx1-ubyte` in `d`"), "{text}");
        assert!(text.contains("idx.path: no `t10k-images-idx3-ubyte` in `d`"), "{text}");
    }
}
