//! Tiny ImageNet: 200 classes of ImageNet at 64 x 64 pixels, as it is unpacked.
//!
//! Le and Yang 2015, Tiny ImageNet Visual Recognition Challenge (CS 231N). `train/<synset>/images`
//! holds 500 pictures of a class; `val/images` 10,000 pictures whose synsets `val_annotations.txt`
//! tells; `words.txt` says what synsets mean. The test pictures have no labels, so the official
//! validation pictures are the test data, and validation pictures are held out of the others.

use std::path::{Path, PathBuf};

use super::Content;
use super::folder;
use super::reader::{Part, Reader, absent, keyed};
use super::synsets::{Synsets, text};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems};

const ANNOTATIONS: &str = "val/val_annotations.txt";
const IMAGES: &str = "val/images";

/// Tiny ImageNet as it is unpacked. Its validation pictures are the test data, because its test
/// pictures have no labels. Classes are in the order of their synsets; their names are the first
/// words of `words.txt`, with the synset where two classes share one.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TinyImageNet {
    /// The folder `tiny-imagenet-200`, which holds `train`, `val`, `wnids.txt` and `words.txt`.
    pub path: String,
    /// Share of each class of the training data to hold out for validation.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

impl TinyImageNet {
    /// Returns the synsets, and per synset its training pictures, at most so many.
    fn train(
        &self,
        limit: usize,
        files: &dyn Files,
    ) -> Result<(Synsets, Vec<Vec<PathBuf>>), Problems> {
        let part = Part { key: "tiny-imagenet.path".to_owned(), path: &self.path };
        let root = Path::new(&self.path);
        if files.is_folder(root) != Some(true) {
            return Err(absent(&part, "the folder `tiny-imagenet-200`", files).into());
        }
        let list = root.join("wnids.txt");
        let found = format!("no `wnids.txt` in `{}`", self.path);
        if files.is_folder(&list) != Some(false) {
            return Err(Problem::new(part.key, found, "the folder `tiny-imagenet-200`")
                .hint("`ersatz data fetch tiny-imagenet` names the official archive")
                .into());
        }
        let ids = text(&list, files)?.lines().map(str::trim).map(str::to_owned).collect();
        let synsets = Synsets::new(ids, &list, &words(root, files), files)?;
        let (mut pictures, mut problems) = (Vec::new(), Vec::new());
        for id in &synsets.ids {
            let tree = root.join("train").join(id).join("images");
            let mut found = Vec::new();
            match folder::walk(&tree, files, limit, &mut found) {
                Ok(()) if !found.is_empty() => pictures.push(found),
                Ok(()) | Err(_) => {
                    let found = format!("no picture in `{}`", tree.display());
                    let expected = "pictures of every synset of `wnids.txt`";
                    problems.push(Problem::new("tiny-imagenet.path", found, expected));
                }
            }
        }
        if problems.is_empty() { Ok((synsets, pictures)) } else { Err(Problems(problems)) }
    }

    fn test(&self, synsets: &Synsets, files: &dyn Files) -> Result<Listing<PathBuf>, Problem> {
        let root = Path::new(&self.path);
        let path = root.join(ANNOTATIONS);
        let mut entries = Vec::new();
        for (row, line) in text(&path, files)?.lines().enumerate() {
            let mut columns = line.split('\t');
            let (Some(name), Some(id)) = (columns.next(), columns.next()) else {
                let source = format!("{}, line {}", path.display(), row + 1);
                return Err(Problem::new(source, "one column", "a file name, a tab and a synset"));
            };
            let class = synsets.class(id, || format!("{}, line {}", path.display(), row + 1))?;
            let place = root.join(IMAGES).join(name);
            entries.push(Entry { id: format!("val/{name}"), class, place });
        }
        if entries.is_empty() {
            return Err(Problem::new(path.to_string_lossy(), "no line", "10,000 annotations"));
        }
        let folder = root.join(IMAGES);
        folder::labelled_once("tiny-imagenet.path", &path, &folder, &entries, files)?;
        Ok(Listing { classes: synsets.names.clone(), entries })
    }
}

fn words(root: &Path, files: &dyn Files) -> String {
    let words = root.join("words.txt");
    let there = files.is_folder(&words) == Some(false);
    if there { words.to_string_lossy().into_owned() } else { String::new() }
}

impl Reader for TinyImageNet {
    const KIND: &'static str = "tiny-imagenet";
    type Place = PathBuf;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<PathBuf>>, Problems> {
        let (synsets, pictures) = self.train(usize::MAX, files)?;
        let mut entries = Vec::new();
        for (class, paths) in synsets.names.ids().zip(pictures) {
            let entry = |place: PathBuf| {
                let name = place.file_name().unwrap_or_default().to_string_lossy();
                Entry { id: format!("train/{name}"), class, place }
            };
            entries.extend(paths.into_iter().map(entry));
        }
        let train = Listing { classes: synsets.names.clone(), entries };
        Ok(Parts { train, val: None, test: self.test(&synsets, files)? })
    }

    /// Makes sure that each class has a picture, and looks no further.
    fn check(&self, subset: &Subset, files: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        let (synsets, _) = self.train(1, files)?;
        self.test(&synsets, files)?;
        let kept = subset.kept_in(&synsets.names, "tiny-imagenet.path")?;
        let kept = ClassNames::new(kept.iter().map(|class| synsets.names.name(*class)));
        Ok(Parts { train: kept.clone(), val: None, test: kept })
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<PathBuf>],
        files: &dyn Files,
        look: impl Fn(&Entry<PathBuf>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        folder::see(entries, files, look)
    }

    fn fingerprint(&self, subset: &Subset, files: &dyn Files) -> Result<Key, Problems> {
        let parts = keyed(Self::KIND, self.list(subset, files)?);
        folder::labelled_key(Self::KIND, parts, subset, files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::data::tests::{bytes_of, load_all, seen};
    use crate::terms::MemoryFiles;

    const TOML: &str = "[tiny-imagenet]\npath = \"d\"\nvalidation-share = 0";

    fn files() -> MemoryFiles {
        let mut files = MemoryFiles::default();
        files.insert("d/wnids.txt", b"n02\nn01\n".to_vec());
        files.insert("d/words.txt", b"n01\tgoldfish, Carassius auratus\nn02\ttench\n".to_vec());
        for (i, id) in ["n01", "n02"].iter().enumerate() {
            for j in 0..2 {
                let path = format!("d/train/{id}/images/{id}_{j}.JPEG");
                files.insert(path, bytes_of((10 * i + j) as u8));
            }
            files.insert(format!("d/train/{id}/{id}_boxes.txt"), vec![]);
            files.insert(format!("d/val/images/val_{i}.JPEG"), bytes_of(100 + i as u8));
        }
        let annotations = "val_0.JPEG\tn02\t0\t0\t62\t63\nval_1.JPEG\tn01\t1\t2\t3\t4\n";
        files.insert("d/val/val_annotations.txt", annotations.into());
        files.insert("d/test/images/test_0.JPEG", bytes_of(0));
        files
    }

    #[test]
    fn train_folders_and_annotations_are_read() {
        let splits = load_all(TOML, &files()).unwrap();
        assert_eq!(splits.train.classes, ClassNames::new(["goldfish", "tench"]));
        let grey = |levels: &[u8]| levels.iter().map(|v| vec![*v; 3]).collect::<Vec<_>>();
        assert_eq!(seen(&splits.train), (vec![0, 0, 1, 1], grey(&[0, 1, 10, 11])));
        assert_eq!(seen(&splits.test), (vec![1, 0], grey(&[100, 101])));
        assert_eq!(splits.train.examples[3].id, "train/n02_1.JPEG");
        assert_eq!(splits.test.examples[0].id, "val/val_0.JPEG");
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let told = |path: &str, text: &str| {
            let mut files = files();
            files.insert(path, text.as_bytes().to_vec());
            load_all(TOML, &files).unwrap_err().to_string()
        };
        let annotations = "d/val/val_annotations.txt";
        assert_eq!(
            told(annotations, "val_0.JPEG\tn02\nval_1.JPEG\tn03\n"),
            "d/val/val_annotations.txt, line 2: synset `n03`, \
             expected a synset of the training data\nhint: did you mean `n01`?"
        );
        assert_eq!(
            told(annotations, "val_0.JPEG n02\n"),
            "d/val/val_annotations.txt, line 1: one column, \
             expected a file name, a tab and a synset"
        );
        let text = told("d/wnids.txt", "n01\nn02\nn07\n");
        assert!(
            text.starts_with("tiny-imagenet.path: no picture in `d/train/n07/images`"),
            "{text}"
        );
        let text = told("d/train/n01/images/n01_0.JPEG", "cut");
        assert!(text.starts_with("d/train/n01/images/n01_0.JPEG: not a test picture"), "{text}");
        let text = told(annotations, "val_7.JPEG\tn02\n");
        let want = "tiny-imagenet.path: no `val/val_7.JPEG` in `d/val/images`, expected all";
        assert!(text.starts_with(want), "{text}");
        let text = told(annotations, "val_0.JPEG\tn02\n");
        assert!(text.contains("no line for `d/val/images/val_1.JPEG`, expected a line"), "{text}");
        let text = told(annotations, "val_0.JPEG\tn02\nval_1.JPEG\tn02\nval_0.JPEG\tn01\n");
        assert!(text.contains(": `val/val_0.JPEG` twice, expected every picture once"), "{text}");
    }
}
