//! Where real data come from: the family of sources, and what can be asked of each.
//!
//! A source is a spec (what the user writes) with a [`Reader`](reader::Reader): which classes and
//! pictures there are, what a picture's bytes are, and a key of all of them. What they share is in
//! `reader`: parts have one class list, validation pictures are held out, subsets taken, and only
//! what is left is decoded. A new source is a file here, a variant of [`Source`], and a line in
//! [`of`].

mod cifar;
mod cursor;
#[cfg(test)]
mod damage;
mod digits;
mod folder;
mod grid;
mod idx;
mod imagenet;
mod medmnist;
mod parquet;
mod reader;
mod shapes;
mod stl10;
mod survey;
mod svhn;
mod synsets;
mod tiny_imagenet;
mod webdataset;

pub use cifar::{Cifar, CifarLabels};
pub use digits::Digits;
pub use folder::Folder;
pub use idx::Idx;
pub use imagenet::ImageNet;
pub use medmnist::Medmnist;
pub use parquet::Parquet;
pub use shapes::{Background, ClassBy, Colour, Law, Position, Scene, Shape, Shapes, Size, Texture};
pub use stl10::Stl10;
pub use survey::{Seen, Sight, Survey, survey};
pub use svhn::Svhn;
pub use tiny_imagenet::TinyImageNet;
pub use webdataset::WebDataset;

use super::dataset::Dataset;
use super::subset::Subset;
use crate::terms::{Files, Key, Picture, Problems, Seed};

/// Where the real data come from.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The embedded handwritten digits.
    Digits(Digits),
    /// Folders of picture files, one per class.
    Folder(Folder),
    /// Parquet files in the Hugging Face image layout.
    Parquet(Parquet),
    /// Pictures that the program draws, with known truth.
    Shapes(Shapes),
    /// CIFAR-10 or CIFAR-100 in the files of their authors.
    Cifar(Cifar),
    /// The IDX files of MNIST, Fashion-MNIST, KMNIST and EMNIST.
    Idx(Idx),
    /// STL-10 in its binary files.
    #[serde(rename = "stl10")]
    Stl10(Stl10),
    /// The street-view house numbers, cropped.
    Svhn(Svhn),
    /// An archive of MedMNIST.
    Medmnist(Medmnist),
    /// Tiny ImageNet as it is unpacked.
    #[serde(rename = "tiny-imagenet")]
    TinyImageNet(TinyImageNet),
    /// ImageNet (ILSVRC 2012).
    #[serde(rename = "imagenet")]
    ImageNet(ImageNet),
    /// Tar shards in the layout of WebDataset.
    #[serde(rename = "webdataset")]
    WebDataset(WebDataset),
}

/// Goes on with the reader of a source, whichever it is: the one `match` of the family.
macro_rules! of {
    ($source:expr, $reader:ident => $go_on:expr) => {
        match $source {
            Source::Digits($reader) => $go_on,
            Source::Folder($reader) => $go_on,
            Source::Parquet($reader) => $go_on,
            Source::Shapes($reader) => $go_on,
            Source::Cifar($reader) => $go_on,
            Source::Idx($reader) => $go_on,
            Source::Stl10($reader) => $go_on,
            Source::Svhn($reader) => $go_on,
            Source::Medmnist($reader) => $go_on,
            Source::TinyImageNet($reader) => $go_on,
            Source::ImageNet($reader) => $go_on,
            Source::WebDataset($reader) => $go_on,
        }
    };
}

use of;

impl Default for Source {
    fn default() -> Self {
        Self::Digits(Digits {})
    }
}

/// The keys of a declaration that say where files lie, in every source.
const PATHS: [&str; 6] = ["train", "val", "test", "path", "map", "words"];

impl Source {
    /// Returns the key of its declaration: `digits`, `folder`.
    pub fn kind(&self) -> &'static str {
        of!(self, reader => reader::kind(reader))
    }

    /// Returns the path of the training data as it was declared; the kind if nothing was.
    pub fn place(&self) -> String {
        let declared = serde_json::to_value(self).expect("a spec is plain data");
        let spec = &declared[self.kind()];
        let path = ["train", "path"].iter().find_map(|key| spec[*key].as_str());
        path.unwrap_or(self.kind()).to_owned()
    }

    /// Returns the declaration without its paths: what decides a result beside the bytes of the
    /// files, for which the [`fingerprint`] stands.
    pub fn without_paths(&self) -> serde_json::Value {
        let mut declared = serde_json::to_value(self).expect("a spec is plain data");
        if let Some(spec) = declared[self.kind()].as_object_mut() {
            PATHS.iter().for_each(|path| drop(spec.remove(*path)));
        }
        declared
    }
}

/// The three parts of real data, over one list of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splits {
    /// For training.
    pub train: Dataset,
    /// For choosing checkpoints; may be empty.
    pub val: Dataset,
    /// For the one measurement at the end.
    pub test: Dataset,
}

/// How pictures are made from files and brought to the size of the experiment.
#[derive(Clone, Copy)]
pub struct Codec<'a> {
    /// Decodes a picture file, or says why not in a lower-case fragment.
    pub decode: &'a (dyn Fn(&[u8]) -> Result<Picture, String> + Sync),
    /// Brings a picture to the size of the experiment.
    pub fit: &'a (dyn Fn(Picture) -> Picture + Sync),
}

/// What a source keeps of one picture.
#[derive(Clone)]
pub enum Content<'a> {
    /// A picture file.
    File(&'a [u8]),
    /// Its pixels.
    Pixels(Picture),
    /// What draws it at any side in pixels.
    Drawn(&'a dyn Fn(usize) -> Picture),
}

impl Codec<'_> {
    /// Decodes and fits.
    pub(super) fn picture(&self, content: Content<'_>) -> Result<Picture, String> {
        match content {
            Content::File(bytes) => (self.decode)(bytes).map(self.fit),
            Content::Pixels(picture) => Ok((self.fit)(picture)),
            // The size of the experiment is what a pixel is fitted to.
            Content::Drawn(draw) => Ok(draw((self.fit)(Picture::filled(1, 1, [0; 3])).width())),
        }
    }
}

/// Loads the data: lists them, keeps or merges the classes of the subset and the training pictures
/// of its list, holds out validation pictures where the source has none, keeps as many training
/// pictures of each class as the subset says, and decodes what is left. The classes
/// of the three parts are the same list. Randomness is at `seed / "validation"` and `seed /
/// "subset"`. The source has passed [`check`].
///
/// # Errors
/// If something is missing, differs between the parts, or cannot be decoded: everything of one
/// kind at once.
pub fn load(
    source: &Source,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Splits, Problems> {
    of!(source, reader => reader::load(reader, subset, seed, files, codec))
}

/// Loads all there is, though there may be classes without pictures, as in small golden data.
#[cfg(test)]
pub(super) fn load_sparse(
    source: &Source,
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Splits, Problems> {
    of!(source, reader => reader::load_sparse(reader, files, codec))
}

/// Finds what can be known without decoding a picture: missing folders and files, files of another
/// format or size, empty classes (of Parquet files, only [`load`] finds them: their labels lie among
/// the pictures), missing columns and class names, names that stand for two classes, classes that
/// differ between the parts, unknown classes of the subset.
pub fn check(source: &Source, subset: &Subset, files: &dyn Files) -> Problems {
    of!(source, reader => reader::check(reader, subset, files))
}

/// Returns a key of all the bytes that the source reads for the classes of the subset, and of where
/// they stand relative to its paths; the same data in another folder have the same key.
///
/// # Errors
/// If a folder or file is missing or cannot be read.
pub fn fingerprint(source: &Source, subset: &Subset, files: &dyn Files) -> Result<Key, Problems> {
    let bytes = of!(source, reader => reader::Reader::fingerprint(reader, subset, files))?;
    subset.with_list(bytes, files)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lab::data::tests::{CODEC, Disk, IMAGES, bytes_of, golden_files};
    use crate::terms::{ClassNames, MemoryFiles};
    use crate::testing::{data_folder, golden_path};
    use std::collections::BTreeSet;

    fn source(toml: &str) -> Source {
        toml::from_str(toml).unwrap()
    }

    fn folder(train: &str, test: &str) -> Source {
        source(&format!("[folder]\ntrain = \"{train}\"\ntest = \"{test}\""))
    }

    fn files() -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for class in ["cat", "dog", "eel"] {
            for i in 0..20_u8 {
                files.insert(format!("d/train/{class}/{i}.png"), bytes_of(i));
            }
            files.insert(format!("d/test/{class}/0.png"), bytes_of(100));
        }
        files
    }

    fn all_ids(splits: &Splits) -> Vec<String> {
        let parts = [&splits.train, &splits.val];
        parts.iter().flat_map(|part| part.examples.iter().map(|e| e.id.clone())).collect()
    }

    #[test]
    fn specs_are_written_as_the_reference_says() {
        assert_eq!(source("[digits]"), Source::default());
        let toml = "[parquet]\ntrain = \"t\"\ntest = \"u\"\nlabel-column = \"fine_label\"";
        let Source::Parquet(spec) = source(toml) else { panic!("another source") };
        assert_eq!((spec.label_column.as_deref(), spec.val), (Some("fine_label"), None));
        for wrong in ["[digits]\nsize = 8", "[folder]\ntrain = \"t\"", "[folders]"] {
            assert!(toml::from_str::<Source>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn digits_load_with_fit_and_subset() {
        let subset = Subset {
            classes: vec!["3".into(), "8".into()],
            per_class: Some(10),
            ..Subset::default()
        };
        let twice = |p: Picture| Picture::filled(16, 16, p.pixel(4, 4));
        let codec = Codec { decode: CODEC.decode, fit: &twice };
        let nothing = MemoryFiles::default();
        let splits = load(&Source::default(), &subset, Seed::root(0), &nothing, codec).unwrap();
        assert_eq!(splits.train.class_counts(), [10, 10]);
        assert_eq!(splits.test.classes, ClassNames::new(["3", "8"]));
        assert!(splits.val.len() > 40 && splits.test.len() > 60);
        assert_eq!(splits.train.examples[0].picture.width(), 16);
    }

    #[test]
    fn validation_pictures_leave_the_training_data() {
        let load = |seed| {
            load(&folder("d/train", "d/test"), &Subset::default(), seed, &files(), CODEC).unwrap()
        };
        let splits = load(Seed::root(0));
        assert_eq!(splits.val.class_counts(), [2, 2, 2]);
        assert_eq!(splits.train.class_counts(), [18, 18, 18]);
        assert_eq!(all_ids(&splits).into_iter().collect::<BTreeSet<_>>().len(), 60);
        assert_eq!(splits, load(Seed::root(0)));
        assert_ne!(splits.val.content_key(), load(Seed::root(1)).val.content_key());
    }

    #[test]
    fn a_validation_tree_is_taken_as_it_is() {
        let mut files = files();
        for class in ["cat", "dog", "eel"] {
            files.insert(format!("d/val/{class}/0.png"), bytes_of(50));
        }
        let Source::Folder(spec) = folder("d/train", "d/test") else { panic!("another source") };
        let spec = Source::Folder(Folder { val: Some("d/val".to_owned()), ..spec });
        let splits = load(&spec, &Subset::default(), Seed::root(0), &files, CODEC).unwrap();
        assert_eq!((splits.train.len(), splits.val.len(), splits.test.len()), (60, 3, 3));
    }

    #[test]
    fn check_finds_everything_without_decoding() {
        let mut files = files();
        files.insert("d/train/cat/0.png", b"corrupt".to_vec());
        let text = |source: &Source, subset: &Subset| check(source, subset, &files).to_string();
        assert_eq!(text(&folder("d/train", "d/test"), &Subset::default()), "");
        assert_eq!(text(&Source::default(), &Subset::default()), "");

        let both = text(&folder("d/tran", "d/tset"), &Subset::default());
        assert_eq!(
            both,
            "folder.train: `d/tran` does not exist, expected a folder with one folder per class\n\
             hint: did you mean `d/train`?\n\
             folder.test: `d/tset` does not exist, expected a folder with one folder per class\n\
             hint: did you mean `d/test`?"
        );
        let subset =
            Subset { classes: vec!["cta".to_owned()], per_class: None, ..Subset::default() };
        assert_eq!(
            text(&folder("d/train", "d/test"), &subset),
            "subset.classes: class `cta`, expected a class of `folder.train`\n\
             hint: did you mean `cat`?"
        );
        let Source::Folder(spec) = folder("d/train", "d/test") else { panic!("another source") };
        let spec = Source::Folder(Folder { validation_share: 1.0, ..spec });
        assert!(text(&spec, &Subset::default()).starts_with("folder.validation-share: 1, "));
    }

    #[test]
    fn a_list_goes_by_the_classes_of_the_data_when_they_are_merged() {
        let mut files = files();
        let list = "cat/3.png 0\ncat/4.png 0\ndog/5.png 1\neel/6.png 2\neel/7.png 2\n";
        files.insert("list.txt", list.into());
        let toml = "list = \"list.txt\"\nmerge = { legs = [\"dog\", \"cat\"], none = [\"eel\"] }";
        let subset: Subset = toml::from_str(toml).unwrap();
        let Source::Folder(spec) = folder("d/train", "d/test") else { panic!("another source") };
        let source = Source::Folder(Folder { validation_share: 0.0, ..spec });
        assert_eq!(check(&source, &subset, &files), Problems::default());
        let train = load(&source, &subset, Seed::root(0), &files, CODEC).unwrap().train;
        assert_eq!((train.class_counts(), train.len()), (vec![3, 2], 5));
        assert_eq!(train.classes, ClassNames::new(["legs", "none"]));
        // A list that leaves nothing of a class is no list for these classes.
        files.insert("list.txt", b"cat/3.png 0\ndog/5.png 1\n".to_vec());
        let told = load(&source, &subset, Seed::root(0), &files, CODEC).unwrap_err().to_string();
        assert!(told.starts_with("folder.train: no training picture of class `none`, "), "{told}");
    }

    #[test]
    fn two_classes_of_one_name_are_refused() {
        let files = golden_files("data/idx");
        let names = source("[idx]\npath = \"d\"\nclass-names = [\"shoe\", \"bag\", \"shoe\"]");
        assert_eq!(
            check(&names, &Subset::default(), &files).to_string(),
            "idx: two classes of the name `shoe`, expected a name of its own for each class\n\
             hint: results and addresses of randomness go by the names of classes"
        );
    }

    #[test]
    fn classes_and_parts_without_pictures_are_refused() {
        // Grey pictures of one pixel with these labels.
        let idx = |train: &[u8], test: &[u8]| {
            let mut files = MemoryFiles::default();
            for (part, labels) in [("train", train), ("t10k", test)] {
                let count = (labels.len() as u32).to_be_bytes();
                let front = [[0, 0, 8, 3].as_slice(), &count, &[0, 0, 0, 1, 0, 0, 0, 1]].concat();
                files.insert(format!("d/{part}-images-idx3-ubyte"), [&front, labels].concat());
                let front = [[0, 0, 8, 1].as_slice(), &count, labels].concat();
                files.insert(format!("d/{part}-labels-idx1-ubyte"), front);
            }
            files
        };
        let told = |train: &[u8], test: &[u8], subset: &str| {
            let (source, files) = (source("[idx]\npath = \"d\""), idx(train, test));
            let subset: Subset = toml::from_str(subset).unwrap();
            let found = check(&source, &subset, &files).to_string();
            let loaded = load(&source, &subset, Seed::root(0), &files, CODEC);
            assert_eq!(loaded.err().unwrap_or_default().to_string(), found);
            found
        };
        assert_eq!(told(&[0, 0, 1, 1], &[1], ""), "");
        assert_eq!(
            told(&[0, 0, 3, 3], &[0], ""),
            "idx.train: no training picture of class `1`, `2`, expected at least one of each class\n\
             hint: `subset.classes` keeps the classes that have pictures"
        );
        assert_eq!(told(&[0, 0, 3, 3], &[0], "classes = [\"0\", \"3\"]"), "");
        assert_eq!(
            told(&[0, 0, 3, 3], &[0], "classes = [\"1\"]"),
            "idx.train: no training picture of the kept classes, expected at least one of each\n\
             idx.test: no test picture of the kept classes, expected at least one"
        );
    }

    #[test]
    fn shifted_labels_are_refused() {
        let mut files = files();
        files.insert("d/test/cow/0.png", bytes_of(0));
        let source = folder("d/train", "d/test");
        let want = "folder.test: class lists differ (only in the second: `cow`; at different \
                    positions: `dog` (1 and 2), `eel` (2 and 3)), the first being `train`, \
                    expected the classes of `train` in the same order\n\
                    hint: `subset.classes` keeps the classes that both have";
        assert_eq!(check(&source, &Subset::default(), &files).to_string(), want);
        let loaded = load(&source, &Subset::default(), Seed::root(0), &files, CODEC);
        assert_eq!(loaded.unwrap_err().to_string(), want);
        let common = ["cat", "dog", "eel"].map(str::to_owned).to_vec();
        let subset = Subset { classes: common, per_class: None, ..Subset::default() };
        assert_eq!(check(&source, &subset, &files), Problems::default());
        // A class that the test data lack is named as such.
        let subset =
            Subset { classes: vec!["cow".to_owned()], per_class: None, ..Subset::default() };
        let text = check(&source, &subset, &files).to_string();
        assert!(text.contains("class `cow`, expected a class of `folder.train`"), "{text}");
    }

    #[test]
    fn the_fingerprint_follows_the_bytes_and_not_the_place() {
        let key = |source: &Source, files: &MemoryFiles| {
            fingerprint(source, &Subset::default(), files).unwrap()
        };
        let base = key(&folder("d/train", "d/test"), &files());
        let mut moved = MemoryFiles::default();
        for part in ["train", "test"] {
            for (path, _) in files().list(Path::new(&format!("d/{part}"))).unwrap() {
                for (file, _) in files().list(&path).unwrap() {
                    let place = Path::new("elsewhere").join(file.strip_prefix("d").unwrap());
                    moved.insert(place, files().read(&file).unwrap());
                }
            }
        }
        assert_eq!(key(&folder("elsewhere/train", "elsewhere/test"), &moved), base);

        let changed = |path: &str, content: Vec<u8>| {
            let mut files = files();
            files.insert(path, content);
            key(&folder("d/train", "d/test"), &files)
        };
        let keys = [
            base,
            changed("d/train/cat/0.png", bytes_of(9)),
            changed("d/train/cat/new.png", bytes_of(0)),
            changed("d/test/cat/0.png", bytes_of(9)),
            changed("d/classes.txt", b"eel\ndog\ncat".to_vec()),
            fingerprint(&Source::default(), &Subset::default(), &files()).unwrap(),
        ];
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        assert_eq!(changed("d/train/cat/readme.txt", vec![1]), base);
    }

    fn parquet(train: &str, test: &str) -> Source {
        let path = |name: &str| {
            let path = golden_path("data/parquet").join(name);
            path.to_string_lossy().into_owned()
        };
        let (train, test) = (path(train), path(test));
        source(&format!("[parquet]\ntrain = '{train}'\ntest = '{test}'"))
    }

    #[test]
    fn parquet_files_load_and_are_checked() {
        let all = Subset::default();
        let good = parquet("split", "split");
        assert_eq!(check(&good, &all, &Disk), Problems::default());
        let subset = Subset {
            classes: vec!["eel".to_owned(), "cat".to_owned()],
            per_class: Some(1),
            ..Subset::default()
        };
        assert_eq!(check(&good, &subset, &Disk), Problems::default());
        let splits = load(&good, &subset, Seed::root(0), &Disk, IMAGES).unwrap();
        assert_eq!(splits.test.classes, ClassNames::new(["cat", "eel"]));
        assert_eq!((splits.train.len(), splits.val.len(), splits.test.len()), (2, 1, 2));

        let other = check(&parquet("split", "fine/test.parquet"), &all, &Disk).to_string();
        assert!(other.starts_with("parquet.test: class lists differ (only in"), "{other}");
        let missing = check(&parquet("spilt", "plain/test.parquet"), &all, &Disk);
        let sources: Vec<_> = missing.0.iter().map(|problem| problem.source.as_str()).collect();
        assert_eq!(sources, ["parquet.train", "parquet.class-names"]);

        let key = |source: &Source| fingerprint(source, &all, &Disk).unwrap();
        let [first, second] =
            ["split/train-00000-of-00002.parquet", "split/train-00001-of-00002.parquet"];
        assert_eq!(key(&good), key(&parquet("split/train-*", "split/test-*.parquet")));
        assert_ne!(key(&parquet(first, second)), key(&parquet(second, first)));
        assert_ne!(key(&good), key(&parquet(first, "split")));
    }

    #[test]
    fn imagenette_loads() {
        let Some(root) = data_folder() else { return };
        let root = root.join("imagenette-64");
        let path = |part: &str| root.join(part).to_string_lossy().into_owned();
        let source = folder(&path("train"), &path("val"));
        assert_eq!(check(&source, &Subset::default(), &Disk), Problems::default());
        let subset = Subset {
            classes: vec!["n03888257".to_owned()],
            per_class: Some(20),
            ..Subset::default()
        };
        let splits = load(&source, &subset, Seed::root(0), &Disk, IMAGES);
        let splits = splits.unwrap();
        assert_eq!((splits.train.len(), splits.val.len(), splits.test.len()), (20, 96, 390));
    }
}
