//! Parquet files in the Hugging Face image layout.
//!
//! A part of the data is one file, or all files `<part>-*.parquet` of a folder in the order of
//! their names. Footers and label columns are read first; pictures are decoded file by file, so
//! that one file and the decoded pictures are in memory at a time.

use std::path::{Path, PathBuf};

use polars::prelude::{DataType, PolarsError, PolarsResult};
use rayon::prelude::*;

use super::Content;
use super::reader::{Part, Reader, absent, parts};
use crate::lab::data::hugging_face::{BYTES, Footer, LABELS, columns};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, ClassNames, Files, Key, Problem, Problems, nearest};

/// Picture columns that are found by themselves.
const IMAGES: [&str; 2] = ["image", "img"];

/// Parquet files in the Hugging Face image layout: a column of pictures (struct of `bytes` and
/// `path`) and a column of integer labels. A path is a file, a folder that holds `train-*.parquet`
/// (`validation-*`, `test-*`), or a folder with a pattern of one `*`, such as
/// `imagenet/validation-*`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Parquet {
    /// Path of the training data.
    pub train: String,
    /// Path of the validation data; absent: they are held out of the training data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Path of the test data.
    pub test: String,
    /// Column of the pictures; absent: `image` or `img`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_column: Option<String>,
    /// Column of the labels; absent: `label`, `fine_label` or `coarse_label`, the first that is
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Names of the classes in the order of the labels; empty: the names in the files' metadata.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// Share of each class of the training data to hold out for validation where there is no `val`.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

/// Where a picture is: which file, which row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    file: PathBuf,
    row: usize,
}

/// What a file calls its columns and classes.
#[derive(Clone, Debug, PartialEq)]
struct Layout {
    image: String,
    label: String,
    classes: ClassNames,
}

impl Reader for Parquet {
    const KIND: &'static str = "parquet";
    type Place = Row;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<Row>>, Problems> {
        self.parts().map(|part| self.list_part(&part, files))
    }

    fn check(&self, subset: &Subset, files: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        self.parts().map(|part| {
            let all = self.names(&part, files)?;
            let kept = subset.kept_in(&all, &part.key)?;
            Ok(ClassNames::new(kept.iter().map(|class| all.name(*class))))
        })
    }

    /// Goes file by file.
    fn see<T: Send>(
        &self,
        entries: &[Entry<Row>],
        files: &dyn Files,
        look: impl Fn(&Entry<Row>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let mut results = Vec::with_capacity(entries.len());
        for entries in entries.chunk_by(|a, b| a.place.file == b.place.file) {
            match self.see_file(entries, files, &look) {
                Ok(seen) => results.extend(seen),
                // What is wrong with a file is wrong with each of its pictures.
                Err(Problems(problems)) => {
                    let problem = problems.first().expect("there is a reason");
                    results.extend(entries.iter().map(|_| Err(problem.clone())));
                }
            }
        }
        results
    }

    fn fingerprint(&self, _: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let hashed = self.parts().map(|part| fingerprint(&part, files))?;
        let inputs: Vec<_> = hashed.all().flatten().collect();
        Ok(Key::of_stage(Self::KIND, 1, &serde_json::Value::Null, &inputs))
    }
}

impl Parquet {
    fn parts(&self) -> Parts<Part<'_>> {
        parts(Self::KIND, &self.train, self.val.as_deref(), &self.test)
    }

    /// Lists the rows of a part by their labels.
    fn list_part(&self, part: &Part<'_>, files: &dyn Files) -> Result<Listing<Row>, Problems> {
        let mut whole: Option<Listing<Row>> = None;
        for path in find(part, files)? {
            let listing = self.list_file(part, &path, files)?;
            match &mut whole {
                None => whole = Some(listing),
                Some(whole) if whole.classes == listing.classes => {
                    whole.entries.extend(listing.entries);
                }
                Some(_) => {
                    let found = format!("other class names in `{}`", path.display());
                    let expected = "the names of the first file";
                    return Err(Problem::new(part.key.clone(), found, expected).into());
                }
            }
        }
        Ok(whole.expect("a part has at least one file"))
    }

    /// Looks at the columns and class names of a part, in the footer of its first file.
    fn names(&self, part: &Part<'_>, files: &dyn Files) -> Result<ClassNames, Problems> {
        let path = &find(part, files)?[0];
        Ok(self.layout(part, path, &open(part, path, files)?)?.classes)
    }

    /// Shows rows of one file.
    fn see_file<T: Send>(
        &self,
        entries: &[Entry<Row>],
        files: &dyn Files,
        look: impl Fn(&Entry<Row>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Result<Vec<Result<T, Problem>>, Problems> {
        let path = &entries[0].place.file;
        let name = path.to_string_lossy();
        let part = Part { key: name.clone().into_owned(), path: &name };
        let file = open(&part, path, files)?;
        let image = self.layout(&part, path, &file)?.image;
        let table = columns(&file, &[&image]).map_err(|e| broken(&part, path, &e))?;
        let bytes = table.column(&image).and_then(|c| c.struct_()?.field_by_name(BYTES));
        let bytes = bytes.map_err(|e| broken(&part, path, &e))?;
        let bytes = bytes.binary().map_err(|e| broken(&part, path, &e))?;
        let see = |entry: &Entry<Row>| {
            let row = entry.place.row;
            let problem = |found: String| {
                let expected = "a picture that can be read";
                Problem::new(format!("{name}, row {row}"), found, expected)
            };
            let bytes = bytes.get(row).ok_or_else(|| problem("no bytes".to_owned()))?;
            look(entry, Content::File(bytes)).map_err(problem)
        };
        Ok(entries.par_iter().map(see).collect())
    }

    fn list_file(
        &self,
        part: &Part<'_>,
        path: &Path,
        files: &dyn Files,
    ) -> Result<Listing<Row>, Problems> {
        let file = open(part, path, files)?;
        let Layout { label, classes, .. } = self.layout(part, path, &file)?;
        let labels = labels(&file, &label).map_err(|e| broken(part, path, &e))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut entries = Vec::with_capacity(labels.len());
        for (row, number) in labels.into_iter().enumerate() {
            let class = number.and_then(|number| u32::try_from(number).ok()).map(ClassId);
            let Some(class) = class.filter(|class| class.index() < classes.len()) else {
                let found =
                    number.map_or("no label".to_owned(), |number| format!("label {number}"));
                let source = format!("{}, row {row}", path.display());
                let expected = format!("a label of 0 to {}", classes.len().saturating_sub(1));
                let names = format!("there are {} class names", classes.len());
                return Err(Problem::new(source, found, expected).hint(names).into());
            };
            let place = Row { file: path.to_owned(), row };
            entries.push(Entry { id: format!("{stem}#{row}"), class, place });
        }
        Ok(Listing { classes, entries })
    }

    /// Finds the columns and the class names of a file.
    fn layout(&self, part: &Part<'_>, path: &Path, file: &[u8]) -> Result<Layout, Problems> {
        let footer = Footer::read(file).map_err(|e| broken(part, path, &e))?;
        let image = pick(&self.image_column, &IMAGES, "image-column", path, &footer);
        let label = pick(&self.label_column, &LABELS, "label-column", path, &footer);
        let (image, label) = match (image, label) {
            (Ok(image), Ok(label)) => (image, label),
            (image, label) => {
                return Err(Problems(image.err().into_iter().chain(label.err()).collect()));
            }
        };
        let mut problems = Vec::new();
        for (column, fits, expected) in [
            (&image, is_picture as fn(&DataType) -> bool, "a struct of `bytes` and `path`"),
            (&label, DataType::is_integer, "integers"),
        ] {
            let dtype = footer.schema.get(column).expect("picked from the schema");
            if !fits(dtype) {
                let found = format!("column `{column}` of `{}` holds {dtype}", path.display());
                problems.push(Problem::new(part.key.clone(), found, expected));
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let classes = if self.class_names.is_empty() {
            footer.class_names(&label).ok_or_else(|| nameless(path, &label))?
        } else {
            ClassNames::new(&self.class_names)
        };
        Ok(Layout { image, label, classes })
    }
}

/// Returns the keys of the files of a part, by name.
fn fingerprint(part: &Part<'_>, files: &dyn Files) -> Result<Vec<(String, Key)>, Problems> {
    let hash = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok((format!("{}/{name}", part.key), Key::of_bytes(&open(part, path, files)?)))
    };
    Ok(find(part, files)?.par_iter().map(hash).collect::<Result<_, Problem>>()?)
}

/// Returns the files of a part, sorted; there is at least one.
fn find(part: &Part<'_>, files: &dyn Files) -> Result<Vec<PathBuf>, Problem> {
    let path = Path::new(part.path);
    let last = path.file_name().unwrap_or_default().to_string_lossy();
    let (folder, patterns) = match (files.is_folder(path), last.split_once('*')) {
        (Some(false), _) => return Ok(vec![path.to_owned()]),
        (Some(true), _) => (path, patterns(&part.key)),
        (None, Some((front, back))) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            (folder, vec![(front.to_owned(), back.to_owned())])
        }
        (None, None) => return Err(absent(part, "a Parquet file or a folder of them", files)),
    };
    let listed = files.list(folder);
    let entries = listed
        .map_err(|e| Problem::new(part.key.clone(), e.to_string(), "a folder of Parquet files"))?;
    for (front, back) in &patterns {
        let fits = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.len() >= front.len() + back.len()
                && name.starts_with(front.as_str())
                && name.ends_with(back.as_str())
                && name.ends_with(".parquet")
        };
        let found: Vec<_> =
            entries.iter().filter(|(p, is_folder)| !is_folder && fits(p)).map(|(p, _)| p).collect();
        if !found.is_empty() {
            return Ok(found.into_iter().cloned().collect());
        }
    }
    let expected: Vec<_> = patterns.iter().map(|(a, b)| format!("`{a}*{b}`")).collect();
    let found = format!("no such file in `{}`", folder.display());
    let expected = format!("Parquet files {}", expected.join(" or "));
    Err(Problem::new(part.key.clone(), found, expected))
}

/// Returns the beginnings and ends of file names of a part, named by its key.
fn patterns(key: &str) -> Vec<(String, String)> {
    let fronts: &[&str] = match key.rsplit('.').next() {
        Some("val") => &["validation-", "valid-", "val-"],
        Some("test") => &["test-"],
        _ => &["train-"],
    };
    fronts.iter().map(|front| ((*front).to_owned(), ".parquet".to_owned())).collect()
}

fn open(part: &Part<'_>, path: &Path, files: &dyn Files) -> Result<Vec<u8>, Problem> {
    let problem = |e: std::io::Error| {
        Problem::new(part.key.clone(), e.to_string(), "a Parquet file that can be read")
    };
    files.read(path).map_err(problem)
}

fn broken(part: &Part<'_>, path: &Path, error: &PolarsError) -> Problem {
    let found = format!("`{}` cannot be read ({error})", path.display());
    Problem::new(part.key.clone(), found, "a whole Parquet file")
}

fn labels(file: &[u8], label: &str) -> PolarsResult<Vec<Option<i64>>> {
    let table = columns(file, &[label])?;
    let numbers = table.column(label)?.cast(&DataType::Int64)?;
    Ok(numbers.i64()?.iter().collect())
}

fn is_picture(dtype: &DataType) -> bool {
    let DataType::Struct(fields) = dtype else { return false };
    fields.iter().any(|field| field.name == BYTES && field.dtype == DataType::Binary)
}

/// Returns the wanted column, or the first known one that the file has.
fn pick(
    wanted: &Option<String>,
    known: &[&str],
    key: &str,
    path: &Path,
    footer: &Footer,
) -> Result<String, Problem> {
    let present: Vec<&str> = footer.schema.iter_names().map(|name| name.as_str()).collect();
    let candidates = wanted.as_deref().map_or(known.to_vec(), |wanted| vec![wanted]);
    if let Some(name) = candidates.iter().find(|name| present.contains(name)) {
        return Ok((*name).to_owned());
    }
    let quoted = |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>();
    let found = format!("no column {} in `{}`", quoted(&candidates).join(", "), path.display());
    let expected = format!("one of {}", quoted(&present).join(", "));
    let problem = Problem::new(format!("parquet.{key}"), found, expected);
    let near = wanted.as_deref().and_then(|wanted| nearest(wanted, present.iter().copied()));
    Err(match near {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("name the column with `{key}`")),
    })
}

fn nameless(path: &Path, label: &str) -> Problem {
    let found = format!("no class names in `{}`", path.display());
    let expected = format!("names of `{label}` in its metadata or in the experiment");
    Problem::new("parquet.class-names", found, expected)
        .hint("write them as `class-names = [...]`, in the order of the labels")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use polars::prelude::{
        DataFrame, IntoColumn as _, NamedFrom as _, NewChunkedArray as _, ParquetWriter, Series,
    };

    use super::*;
    use crate::lab::data::dataset::Dataset;
    use crate::lab::data::source::reader::read;
    use crate::lab::data::tests::{CODEC, Disk, IMAGES, bytes_of};
    use crate::terms::MemoryFiles;
    use crate::testing::{data_folder, golden_json, golden_path};

    fn spec(class_names: &[&str]) -> Parquet {
        Parquet {
            train: String::new(),
            val: None,
            test: String::new(),
            image_column: None,
            label_column: None,
            class_names: class_names.iter().map(|name| (*name).to_owned()).collect(),
            validation_share: 0.1,
        }
    }

    fn load(spec: &Parquet, part: &Part<'_>) -> Result<Dataset, Problems> {
        read(spec, spec.list_part(part, &Disk)?, &Disk, IMAGES)
    }

    fn golden(key: &str, path: &str, spec: &Parquet) -> Result<Dataset, Problems> {
        let path = golden_path("data/parquet").join(path);
        load(spec, &Part { key: key.to_owned(), path: &path.to_string_lossy() })
    }

    /// Labels, class names and pixels of some golden files, in this order.
    fn wanted(files: &[&str], label: &str) -> (Vec<u32>, Vec<String>, Vec<Vec<u8>>) {
        let want = golden_json("data/parquet/want.json");
        let (mut labels, mut names, mut pixels) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            let file = &want[*file];
            labels
                .extend(serde_json::from_value::<Vec<u32>>(file["labels"][label].clone()).unwrap());
            pixels.extend(serde_json::from_value::<Vec<Vec<u8>>>(file["pixels"].clone()).unwrap());
            names = serde_json::from_value(file["names"][label].clone()).unwrap_or_default();
        }
        (labels, names, pixels)
    }

    fn seen(data: &Dataset) -> (Vec<u32>, Vec<String>, Vec<Vec<u8>>) {
        (
            data.examples.iter().map(|e| e.class.0).collect(),
            data.classes.iter().map(str::to_owned).collect(),
            data.examples.iter().map(|e| e.picture.rgb().to_vec()).collect(),
        )
    }

    #[test]
    fn agrees_with_pyarrow() {
        let [first, second] =
            ["split/train-00000-of-00002.parquet", "split/train-00001-of-00002.parquet"];
        for (key, path, files, label) in [
            ("parquet.train", "split", vec![first, second], "label"),
            ("parquet.train", "split/train-*", vec![first, second], "label"),
            ("parquet.test", "split", vec!["split/test-00000-of-00001.parquet"], "label"),
            ("parquet.test", first, vec![first], "label"),
            ("parquet.test", "fine/test.parquet", vec!["fine/test.parquet"], "fine_label"),
        ] {
            let data = golden(key, path, &spec(&[])).unwrap();
            assert_eq!(seen(&data), wanted(&files, label), "{path}");
        }
        let ids = golden("parquet.train", "split", &spec(&[])).unwrap();
        assert_eq!(ids.examples[2].id, "train-00000-of-00002#2");
        assert_eq!(ids.examples[3].id, "train-00001-of-00002#0");
    }

    #[test]
    fn columns_are_mapped() {
        let mut coarse = spec(&[]);
        coarse.label_column = Some("coarse_label".to_owned());
        let data = golden("parquet.test", "fine/test.parquet", &coarse).unwrap();
        assert_eq!(seen(&data), wanted(&["fine/test.parquet"], "coarse_label"));

        coarse.label_column = Some("finelabel".to_owned());
        coarse.image_column = Some("picture".to_owned());
        let text = golden("parquet.test", "fine/test.parquet", &coarse).unwrap_err().to_string();
        assert!(text.starts_with("parquet.image-column: no column `picture` in"), "{text}");
        assert!(text.contains("expected one of `img`, `fine_label`, `coarse_label`"), "{text}");
        assert!(text.ends_with("hint: did you mean `fine_label`?"), "{text}");
    }

    #[test]
    fn class_names_are_asked_for() {
        let text =
            golden("parquet.test", "plain/test.parquet", &spec(&[])).unwrap_err().to_string();
        assert!(text.starts_with("parquet.class-names: no class names in"), "{text}");
        assert!(text.contains("hint: write them as `class-names = [...]`"), "{text}");
        let data = golden("parquet.test", "plain/test.parquet", &spec(&["no", "yes"])).unwrap();
        assert_eq!(data.classes, ClassNames::new(["no", "yes"]));
        let few = golden("parquet.test", "plain/test.parquet", &spec(&["no"])).unwrap_err();
        assert!(few.to_string().contains("row 1: label 1, expected a label of 0 to 0"), "{few}");
    }

    #[test]
    fn missing_files_are_named() {
        let text = |path| golden("parquet.val", path, &spec(&[])).unwrap_err().to_string();
        let no_val = text("split");
        assert!(no_val.contains("Parquet files `validation-*.parquet` or"), "{no_val}");
        let slip = text("splt");
        assert!(slip.starts_with("parquet.val: `") && slip.contains("split`?"), "{slip}");
        let not_parquet = text("want.json");
        assert!(not_parquet.contains("cannot be read ("), "{not_parquet}");
    }

    /// Writes a file without class names, as polars does by itself.
    fn plain_file(pictures: &[Option<&[u8]>], labels: &[Option<i64>]) -> Vec<u8> {
        let bytes = polars::prelude::BinaryChunked::from_slice_options(BYTES.into(), pictures);
        let path = Series::new("path".into(), vec!["x.png"; pictures.len()]);
        let fields = [bytes.into_column(), path.into_column()];
        let image =
            polars::prelude::StructChunked::from_columns("image".into(), pictures.len(), &fields);
        let label = Series::new("label".into(), labels.to_vec()).into_column();
        let columns = vec![image.unwrap().into_column(), label];
        let mut table = DataFrame::new(pictures.len(), columns).unwrap();
        let mut file = Vec::new();
        ParquetWriter::new(&mut file).finish(&mut table).unwrap();
        file
    }

    fn in_memory(file: Vec<u8>) -> Result<Dataset, Problems> {
        let mut files = MemoryFiles::default();
        files.insert("d.parquet", file);
        let (spec, part) =
            (spec(&["a", "b"]), Part { key: "parquet.test".into(), path: "d.parquet" });
        read(&spec, spec.list_part(&part, &files)?, &files, CODEC)
    }

    #[test]
    fn rows_that_cannot_be_read_are_named() {
        let (good, bad) = (bytes_of(7), b"corrupt".to_vec());
        let file = plain_file(&[Some(&good), Some(&good)], &[Some(1), Some(0)]);
        assert_eq!(in_memory(file).unwrap().examples[0].picture.rgb(), [7, 7, 7]);
        let file = plain_file(&[Some(&good), Some(&bad), None], &[Some(1), Some(0), Some(1)]);
        assert_eq!(
            in_memory(file).unwrap_err().to_string(),
            "d.parquet, row 1: not a test picture, expected a picture that can be read\n\
             d.parquet, row 2: no bytes, expected a picture that can be read"
        );
        for (label, found) in [(Some(2), "label 2"), (Some(-1), "label -1"), (None, "no label")] {
            let file = plain_file(&[Some(&good)], &[label]);
            let text = in_memory(file).unwrap_err().to_string();
            assert!(text.starts_with(&format!("d.parquet, row 0: {found}, expected")), "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_for_each_of_its_pictures() {
        let picture = bytes_of(7);
        let good = plain_file(&[Some(picture.as_slice()); 3], &[Some(1), Some(0), Some(1)]);
        let mut files = MemoryFiles::default();
        files.insert("d/test-0.parquet", good.clone());
        files.insert("d/test-1.parquet", good);
        let (spec, part) = (spec(&["a", "b"]), Part { key: "parquet.test".into(), path: "d" });
        let listing = spec.list_part(&part, &files).unwrap();
        files.insert("d/test-0.parquet", b"PAR1 no more".to_vec());
        let seen = spec.see(&listing.entries, &files, |_, _| Ok(()));
        let whole: Vec<bool> = seen.iter().map(Result::is_ok).collect();
        assert_eq!(whole, [false, false, false, true, true, true]);
        // Told once all the same.
        let Problems(told) = read(&spec, listing, &files, CODEC).unwrap_err();
        assert_eq!(told.len(), 1);
    }

    #[test]
    fn cifar_10_loads() {
        let Some(root) = data_folder() else { return };
        let path = root.join("cifar10/plain_text");
        let path = path.to_string_lossy();
        let part = Part { key: "parquet.test".to_owned(), path: &path };
        let data = load(&spec(&[]), &part).unwrap();
        let names: Vec<_> = data.classes.iter().collect();
        assert_eq!((names[0], names[9], names.len()), ("airplane", "truck", 10));
        assert_eq!(data.class_counts(), [1000; 10]);
        let sizes: BTreeMap<_, usize> =
            data.examples.iter().fold(BTreeMap::new(), |mut sizes, e| {
                *sizes.entry((e.picture.width(), e.picture.height())).or_default() += 1;
                sizes
            });
        assert_eq!(sizes, BTreeMap::from([((32, 32), 10_000)]));
    }
}
