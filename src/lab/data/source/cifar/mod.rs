//! CIFAR-10 and CIFAR-100: 32 x 32 pixels, in the files of their authors.
//!
//! Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; the files are described
//! at cs.toronto.edu/~kriz/cifar.html. Binary: a record is one label byte (CIFAR-100: coarse, then
//! fine) and 3,072 bytes, three planes of rows. Python: pickled dictionaries with the same bytes in
//! an array `data`. Either form, in a folder or in the archive as it is downloaded.

mod pickle;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;

use self::pickle::Value;
use super::Content;
use super::cursor::{Cursor, class, unpacked};
use super::grid::{self, Address, Grid};
use super::reader::{Part, Reader, absent, hashed};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems};

/// Bytes of a picture: three planes of 32 x 32.
const PIXELS: usize = 3 * 32 * 32;
/// No official file has more; what unpacks to more is none of them.
const FILE_MAX: usize = 1 << 28;

/// CIFAR-10 or CIFAR-100 in the files of their authors: which of the two, and binary or Python, is
/// told by the names of the files.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cifar {
    /// Folder that holds the files (`data_batch_1.bin`, ..., or `train.bin`, or the same without
    /// `.bin`) or the folder they are packed in (`cifar-10-batches-bin`), or the archive
    /// (`cifar-10-binary.tar.gz`).
    pub path: String,
    /// Which labels of CIFAR-100 count; CIFAR-10 has fine ones only.
    #[serde(default)]
    pub labels: CifarLabels,
    /// Share of each class of the training data to hold out for validation.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

/// The two kinds of labels of CIFAR-100.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CifarLabels {
    /// The 10 or 100 classes.
    #[default]
    Fine,
    /// The 20 superclasses of CIFAR-100.
    Coarse,
}

/// One form in which the data are given away.
struct Form {
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// File of fine and of coarse class names; the same file in Python's form.
    names: [&'static str; 2],
    /// Bytes before the pixels of a record; 0: pickles.
    labels: usize,
    /// Fine and coarse classes.
    classes: [usize; 2],
}

const FORMS: [Form; 4] = [
    Form {
        folder: "cifar-10-batches-bin",
        train: &[
            "data_batch_1.bin",
            "data_batch_2.bin",
            "data_batch_3.bin",
            "data_batch_4.bin",
            "data_batch_5.bin",
        ],
        test: "test_batch.bin",
        names: ["batches.meta.txt", ""],
        labels: 1,
        classes: [10, 0],
    },
    Form {
        folder: "cifar-10-batches-py",
        train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
        test: "test_batch",
        names: ["batches.meta", ""],
        labels: 0,
        classes: [10, 0],
    },
    Form {
        folder: "cifar-100-binary",
        train: &["train.bin"],
        test: "test.bin",
        names: ["fine_label_names.txt", "coarse_label_names.txt"],
        labels: 2,
        classes: [100, 20],
    },
    Form {
        folder: "cifar-100-python",
        train: &["train"],
        test: "test",
        names: ["meta", "meta"],
        labels: 0,
        classes: [100, 20],
    },
];

impl Form {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        let names = self.names.into_iter().filter(|name| !name.is_empty());
        self.train.iter().copied().chain([self.test]).chain(names)
    }
}

/// The files of a form, wherever they lie.
enum Shelf {
    Folder(PathBuf),
    /// Files of the archive by their names for people.
    Archive(String, BTreeMap<String, Vec<u8>>),
}

impl Shelf {
    /// Returns where the files are.
    fn place(&self) -> String {
        match self {
            Self::Folder(folder) => folder.to_string_lossy().into_owned(),
            Self::Archive(archive, _) => archive.clone(),
        }
    }

    /// Returns how people call a file: what it is opened by.
    fn name(&self, file: &str) -> String {
        match self {
            Self::Folder(folder) => folder.join(file).to_string_lossy().into_owned(),
            Self::Archive(archive, _) => format!("{archive}, member `{file}`"),
        }
    }

    fn has(&self, file: &str, files: &dyn Files) -> bool {
        match self {
            Self::Folder(folder) => files.is_folder(&folder.join(file)) == Some(false),
            Self::Archive(_, members) => members.contains_key(&self.name(file)),
        }
    }

    /// Reads a file by its name for people.
    fn read(&self, name: &str, files: &dyn Files) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Folder(_) => files
                .read(Path::new(name))
                .map_err(|e| Problem::new(name, e.to_string(), "a file that can be read")),
            Self::Archive(_, members) => members
                .get(name)
                .cloned()
                .ok_or_else(|| Problem::new(name, "nothing", "a member of the archive")),
        }
    }
}

impl Cifar {
    /// Finds the files.
    fn shelf(&self, files: &dyn Files) -> Result<(Shelf, &'static Form), Problem> {
        let part = Part { key: "cifar.path".to_owned(), path: &self.path };
        let path = Path::new(&self.path);
        let mut shelves = match files.is_folder(path) {
            None => return Err(absent(&part, "a folder or archive of CIFAR", files)),
            Some(false) => vec![archive(&self.path, files)?],
            Some(true) => {
                let below = FORMS.iter().map(|form| path.join(form.folder));
                std::iter::once(path.to_owned()).chain(below).map(Shelf::Folder).collect()
            }
        };
        let forms = |shelf: &Shelf| -> Vec<&'static Form> {
            FORMS.iter().filter(|form| shelf.has(form.train[0], files)).collect()
        };
        let found: Vec<(usize, &Form)> = shelves
            .iter()
            .enumerate()
            .flat_map(|(i, shelf)| forms(shelf).into_iter().map(move |form| (i, form)))
            .collect();
        if let Some(&(first, form)) = found.first() {
            // Two forms of one data set are the same pictures; two data sets are not.
            if let Some(&(other, odd)) = found.iter().find(|(_, odd)| odd.classes != form.classes) {
                let here = |i: usize, form: &Form| {
                    format!("CIFAR-{} in `{}`", form.classes[0], shelves[i].place())
                };
                let found = format!("{} and {}", here(first, form), here(other, odd));
                let problem = Problem::new(part.key, found, "one of them");
                return Err(problem.hint("name the folder of the one that is meant"));
            }
            return Ok((shelves.swap_remove(first), form));
        }
        let found = format!("none of CIFAR's files in `{}`", self.path);
        let expected = "`data_batch_1.bin`, `train.bin`, `data_batch_1` or `train`";
        let problem = Problem::new(part.key, found, expected);
        Err(problem.hint("`ersatz data fetch cifar-10` names the official archives"))
    }

    /// Returns which label of a record counts, of fine and coarse.
    fn which(&self, form: &Form) -> Result<usize, Problem> {
        let which = usize::from(self.labels == CifarLabels::Coarse);
        if form.classes[which] == 0 {
            let problem = Problem::new("cifar.labels", "`coarse` with CIFAR-10", "`fine`");
            return Err(problem.hint("only CIFAR-100 has superclasses"));
        }
        Ok(which)
    }

    fn classes(
        &self,
        shelf: &Shelf,
        form: &Form,
        files: &dyn Files,
    ) -> Result<ClassNames, Problem> {
        let which = self.which(form)?;
        let (file, count) = (form.names[which], form.classes[which]);
        if !shelf.has(file, files) {
            return Ok(ClassNames::new((0..count).map(|class| class.to_string())));
        }
        let name = shelf.name(file);
        let bytes = shelf.read(&name, files)?;
        let names: Vec<String> = if form.labels == 0 {
            let key = match (count, which) {
                (10, _) => "label_names",
                (_, 0) => "fine_label_names",
                _ => "coarse_label_names",
            };
            let whole = pickle::read(&name, &bytes)?;
            match whole.get(&bytes, key) {
                Some(Value::List(items, _)) => items
                    .iter()
                    .filter_map(|item| match item {
                        Value::Text(at) => Some(String::from_utf8_lossy(&bytes[at.clone()]).into()),
                        _ => None,
                    })
                    .collect(),
                _ => return Err(Problem::new(name, format!("no list `{key}`"), "class names")),
            }
        } else {
            let text = String::from_utf8_lossy(&bytes);
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        if names.len() != count {
            let found = format!("{} class names", names.len());
            return Err(Problem::new(name, found, format!("{count}")));
        }
        Ok(ClassNames::new(names))
    }

    /// Lists the pictures of some files, which are one part of the data.
    fn part(
        &self,
        (shelf, form): (&Shelf, &Form),
        (part, names): (&str, &[&str]),
        classes: &ClassNames,
        files: &dyn Files,
    ) -> Result<Listing<Address>, Problem> {
        let which = self.which(form)?;
        let mut entries = Vec::new();
        for file in names {
            let name: Arc<str> = shelf.name(file).into();
            if !shelf.has(file, files) {
                let problem = Problem::new(&*name, "nothing", "a file of CIFAR");
                return Err(problem.hint(format!("`{}` has it", form.folder)));
            }
            let bytes = shelf.read(&name, files)?;
            let (labels, start, step) = match form.labels {
                0 => pickled(&name, &bytes, form, which)?,
                before => (records(&name, &bytes, before, which)?, before, before + PIXELS),
            };
            for (row, label) in labels.into_iter().enumerate() {
                let start = start + row * step;
                let class = class(label, classes, || format!("{name}, row {row} (byte {start})"))?;
                let grid = Grid::planes(3, 32, 32);
                let place = Address { file: name.clone(), grid, start };
                entries.push(Entry { id: format!("{part}/{}", entries.len()), class, place });
            }
        }
        Ok(Listing { classes: classes.clone(), entries })
    }
}

/// Returns the labels of binary records.
fn records(name: &str, bytes: &[u8], before: usize, which: usize) -> Result<Vec<i64>, Problem> {
    let record = before + PIXELS;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        let whole = bytes.len() / record * record;
        let problem = Cursor::new(name, bytes).problem_at(
            whole,
            format!("{} bytes behind {} whole records", bytes.len() - whole, bytes.len() / record),
            format!("records of {record} bytes to the end"),
        );
        return Err(problem.hint("the file is cut short, or of another data set: fetch it again"));
    }
    // A record of CIFAR-100 starts with the coarse label.
    let at = if which == 1 { 0 } else { before - 1 };
    Ok(bytes.chunks_exact(record).map(|record| i64::from(record[at])).collect())
}

/// Returns the labels of a pickled batch, and where its pictures start and how far apart they are.
fn pickled(
    name: &str,
    bytes: &[u8],
    form: &Form,
    which: usize,
) -> Result<(Vec<i64>, usize, usize), Problem> {
    let whole = pickle::read(name, bytes)?;
    let wrong = |found: &str, expected: &str| Problem::new(name, found, expected);
    let key = match (form.classes[1], which) {
        (0, _) => "labels",
        (_, 0) => "fine_labels",
        _ => "coarse_labels",
    };
    let Some(Value::List(labels, _)) = whole.get(bytes, key) else {
        return Err(wrong(&format!("no list `{key}`"), "labels"));
    };
    let Some(Value::Table(sides, at)) = whole.get(bytes, "data") else {
        return Err(wrong("no array `data`", "pictures"));
    };
    let (rows, start) = (labels.len(), at.start);
    if *sides != [rows, PIXELS] {
        let found = format!("an array of {sides:?} with {rows} labels");
        return Err(wrong(&found, &format!("one of [{rows}, {PIXELS}]")));
    }
    let label = |value: &Value| match value {
        Value::Int(label) => Some(*label),
        _ => None,
    };
    let labels: Option<Vec<i64>> = labels.iter().map(label).collect();
    Ok((labels.ok_or_else(|| wrong("a label that is no number", "labels"))?, start, PIXELS))
}

/// Unpacks an archive as it is downloaded; only the files of a form are kept.
fn archive(path: &str, files: &dyn Files) -> Result<Shelf, Problem> {
    let problem = |found: String| {
        Problem::new(path, found, "an archive of CIFAR")
            .hint("the official ones are `cifar-10-python.tar.gz`, `cifar-10-binary.tar.gz`, ...")
    };
    let packed = files.read(Path::new(path)).map_err(|e| problem(e.to_string()))?;
    if packed.get(..2) != Some(&[0x1f, 0x8b]) {
        return Err(problem("no gzip file".to_owned()));
    }
    let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
    let mut members = BTreeMap::new();
    for member in archive.entries().map_err(|e| problem(e.to_string()))? {
        let member =
            member.map_err(|e| problem(format!("behind {} members: {e}", members.len())))?;
        let inside = member.path().map_err(|e| problem(e.to_string()))?.into_owned();
        let Some(file) = inside.file_name().and_then(|name| name.to_str()) else { continue };
        if member.header().entry_type().is_file()
            && FORMS.iter().any(|f| f.all().any(|n| n == file))
        {
            let name = format!("{path}, member `{file}`");
            let size = member.size();
            let bytes = unpacked(&name, member.take(size), FILE_MAX, "member of CIFAR")?;
            if (bytes.len() as u64) < size {
                let found = format!("the end of the archive behind {} bytes", bytes.len());
                return Err(Problem::new(name, found, format!("{size} bytes")));
            }
            members.insert(name, bytes);
        }
    }
    Ok(Shelf::Archive(path.to_owned(), members))
}

impl Reader for Cifar {
    const KIND: &'static str = "cifar";
    type Place = Address;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<Address>>, Problems> {
        let (shelf, form) = self.shelf(files)?;
        let classes = self.classes(&shelf, form, files)?;
        let part = |part| self.part((&shelf, form), part, &classes, files);
        Ok(Parts {
            train: part(("train", form.train))?,
            val: None,
            test: part(("test", &[form.test]))?,
        })
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Address>],
        files: &dyn Files,
        look: impl Fn(&Entry<Address>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let shelf = self.shelf(files);
        let open = |name: &str| shelf.as_ref().map_err(Clone::clone)?.0.read(name, files);
        grid::see(entries, open, look)
    }

    /// Of the files of the form, from a folder and from an archive alike.
    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let (shelf, form) = self.shelf(files)?;
        let present = form.all().filter(|file| shelf.has(file, files));
        let key = |file| Ok(Key::of_bytes(&shelf.read(&shelf.name(file), files)?));
        Ok(hashed(Self::KIND, present.map(|file| (file, key(file))))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::lab::data::source::{Source, fingerprint};
    use crate::lab::data::tests::{golden_files, load_all, seen};
    use crate::terms::MemoryFiles;
    use crate::testing::golden_json;

    /// Unpacks every golden archive beside it.
    fn files() -> MemoryFiles {
        let mut files = golden_files("data/cifar");
        for form in &FORMS {
            let packed = files.read(Path::new(&format!("d/{}.tar.gz", form.folder))).unwrap();
            let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
            for member in archive.entries().unwrap() {
                let mut member = member.unwrap();
                let path = Path::new("d").join(form.folder).join(member.path().unwrap());
                let mut content = Vec::new();
                member.read_to_end(&mut content).unwrap();
                files.insert(path, content);
            }
        }
        files
    }

    fn toml(path: &str, labels: &str) -> String {
        format!("[cifar]\npath = \"{path}\"\nlabels = \"{labels}\"\nvalidation-share = 0")
    }

    fn wanted<T: serde::de::DeserializeOwned>(want: &Json) -> T {
        serde_json::from_value(want.clone()).unwrap()
    }

    #[test]
    fn every_form_agrees_with_torchvision() {
        let (want, files) = (golden_json("data/cifar/want.json"), files());
        for form in &FORMS {
            let kind = if form.classes[0] == 10 { "cifar-10" } else { "cifar-100" };
            for path in [
                format!("d/{}", form.folder),
                format!("d/{0}/{0}", form.folder),
                format!("d/{}.tar.gz", form.folder),
            ] {
                let splits = load_all(&toml(&path, "fine"), &files).unwrap();
                for (part, data) in [("train", &splits.train), ("test", &splits.test)] {
                    let want = &want[part][kind];
                    let expected = (wanted(&want["labels"]), wanted(&want["rgb"]));
                    assert_eq!(seen(data), expected, "{path} {part}");
                    let names: Vec<String> = wanted(&want["classes"]);
                    assert_eq!(data.classes, ClassNames::new(names), "{path}");
                    assert_eq!(data.examples[1].id, format!("{part}/1"));
                }
            }
        }
    }

    #[test]
    fn coarse_labels_are_the_superclasses() {
        let (want, files) = (golden_json("data/cifar/want.json"), files());
        for path in ["d/cifar-100-binary", "d/cifar-100-python.tar.gz"] {
            let splits = load_all(&toml(path, "coarse"), &files).unwrap();
            let want = &want["train"]["coarse"];
            assert_eq!(seen(&splits.train).0, wanted::<Vec<u32>>(&want["labels"]));
            assert_eq!(
                splits.train.classes,
                ClassNames::new(wanted::<Vec<String>>(&want["classes"]))
            );
        }
        let text = load_all(&toml("d/cifar-10-batches-bin", "coarse"), &files).unwrap_err();
        assert_eq!(
            text.to_string(),
            "cifar.labels: `coarse` with CIFAR-10, expected `fine`\n\
             hint: only CIFAR-100 has superclasses"
        );
    }

    #[test]
    fn a_batch_pickled_by_python_3_is_the_same() {
        let mut files = files();
        let modern = files.read(Path::new("d/modern.pickle")).unwrap();
        let path = "d/cifar-10-batches-py";
        let before = load_all(&toml(path, "fine"), &files).unwrap();
        files.insert(format!("{path}/cifar-10-batches-py/data_batch_1"), modern);
        assert_eq!(load_all(&toml(path, "fine"), &files).unwrap(), before);
    }

    #[test]
    fn packed_and_unpacked_are_the_same_data() {
        let files = files();
        let key = |path: &str| {
            let source: Source = toml::from_str(&toml(path, "fine")).unwrap();
            fingerprint(&source, &Subset::default(), &files).unwrap()
        };
        assert_eq!(key("d/cifar-100-binary"), key("d/cifar-100-binary.tar.gz"));
        assert_ne!(key("d/cifar-100-binary"), key("d/cifar-100-python"));
    }

    #[test]
    fn two_data_sets_in_one_folder_are_not_guessed_between() {
        let mut files = files();
        for form in ["cifar-10-batches-bin", "cifar-100-binary", "cifar-10-batches-py"] {
            let inside = format!("d/{form}/{form}");
            for (path, _) in files.list(Path::new(&inside)).unwrap() {
                let content = files.read(&path).unwrap();
                let folder = if form.ends_with("py") { "two" } else { "one" };
                let file = path.file_name().unwrap();
                files.insert(Path::new(folder).join(form).join(file), content.clone());
                if form.starts_with("cifar-10-") {
                    files.insert(Path::new("two").join(form).join(file), content);
                }
            }
        }
        assert_eq!(
            load_all(&toml("one", "fine"), &files).unwrap_err().to_string(),
            "cifar.path: CIFAR-10 in `one/cifar-10-batches-bin` and CIFAR-100 in \
             `one/cifar-100-binary`, expected one of them\n\
             hint: name the folder of the one that is meant"
        );
        // Binary and pickled CIFAR-10 are the same pictures.
        assert!(load_all(&toml("two", "fine"), &files).is_ok());
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let told = |change: &dyn Fn(&mut MemoryFiles), path: &str| {
            let mut files = files();
            change(&mut files);
            load_all(&toml(path, "fine"), &files).unwrap_err().to_string()
        };
        let bin = "d/cifar-10-batches-bin/cifar-10-batches-bin";
        let batch = format!("{bin}/data_batch_2.bin");
        let cut = |files: &mut MemoryFiles| {
            let whole = files.read(Path::new(&batch)).unwrap();
            files.insert(batch.as_str(), whole[..5000].to_vec());
        };
        assert_eq!(
            told(&cut, bin),
            format!(
                "{batch}, byte 3073: 1927 bytes behind 1 whole records, \
                 expected records of 3073 bytes to the end\n\
                 hint: the file is cut short, or of another data set: fetch it again"
            )
        );
        let label = |files: &mut MemoryFiles| {
            let mut whole = files.read(Path::new(&batch)).unwrap();
            whole[3073] = 77;
            files.insert(batch.as_str(), whole);
        };
        assert_eq!(
            told(&label, bin),
            format!(
                "{batch}, row 1 (byte 3074): label 77, expected a label of 0 to 9\n\
                 hint: there are 10 classes"
            )
        );
        let python = "d/cifar-10-batches-py/cifar-10-batches-py";
        let operation = |files: &mut MemoryFiles| {
            let path = format!("{python}/data_batch_3");
            let mut whole = files.read(Path::new(&path)).unwrap();
            whole[2] = b'i';
            files.insert(path, whole);
        };
        let text = told(&operation, python);
        let want = format!("{python}/data_batch_3, byte 2: pickle operation 0x69, expected");
        assert!(text.starts_with(&want), "{text}");
        let archive = |files: &mut MemoryFiles| {
            let path = "d/cifar-100-binary.tar.gz";
            let whole = files.read(Path::new(path)).unwrap();
            files.insert(path, whole[..whole.len() / 2].to_vec());
        };
        let text = told(&archive, "d/cifar-100-binary.tar.gz");
        assert!(text.starts_with("d/cifar-100-binary.tar.gz, member `test.bin`: "), "{text}");
        assert!(text.contains(" behind byte "), "{text}");
        let nothing = told(&|files| files.insert("e/x", vec![]), "e");
        assert_eq!(
            nothing,
            "cifar.path: none of CIFAR's files in `e`, \
             expected `data_batch_1.bin`, `train.bin`, `data_batch_1` or `train`\n\
             hint: `ersatz data fetch cifar-10` names the official archives"
        );
    }
}
