//! ImageNet: the 1,000 classes of ILSVRC 2012, or any set that is laid out alike.
//!
//! Russakovsky et al. 2015, ImageNet Large Scale Visual Recognition Challenge, arXiv 1409.0575. The
//! training tree has one folder per synset. The official validation pictures, which everyone
//! measures on, are the test data: in folders by synset as well, or flat, with a map in one of the
//! two forms that go round: Kaggle's `LOC_val_solution.csv` (`ImageId,PredictionString`, the first
//! word of which is the synset), or lines `<file> <synset or class index>`, as Caffe's `val.txt`.

use std::path::{Path, PathBuf};

use super::Content;
use super::folder;
use super::reader::{Part, Reader, absent, keyed, parts};
use super::synsets::{Synsets, text};
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems};

/// ImageNet (ILSVRC 2012), or a set that is laid out alike: training folders by synset, and test
/// pictures (the official validation pictures) in folders too, or flat with a map. Class indices
/// are the places of the synsets in byte order, as everywhere.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImageNet {
    /// Folder of the training data: one folder per synset.
    pub train: String,
    /// Folder of the test data: one folder per synset, or flat with a `map`.
    pub test: String,
    /// File that tells the class of each flat test picture: `LOC_val_solution.csv`, or lines of a
    /// file name and a synset or class index; empty: the test data are in folders.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub map: String,
    /// File of lines that start with a synset and go on with words for it
    /// (`LOC_synset_mapping.txt`, `words.txt`); empty: synsets are the names of the classes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Share of each class of the training data to hold out for validation.
    #[serde(default = "super::reader::default_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub validation_share: f64,
}

impl ImageNet {
    fn parts(&self) -> Parts<Part<'_>> {
        parts(Self::KIND, &self.train, None, &self.test)
    }

    fn synsets(&self, ids: &ClassNames, files: &dyn Files) -> Result<Synsets, Problem> {
        if !self.words.is_empty() && files.is_folder(Path::new(&self.words)) != Some(false) {
            let part = Part { key: "imagenet.words".to_owned(), path: &self.words };
            return Err(absent(&part, "a file of synsets and words", files));
        }
        let ids = ids.iter().map(str::to_owned).collect();
        Synsets::new(ids, Path::new(&self.train), &self.words, files)
    }

    /// Lists flat test pictures by the map.
    fn mapped(&self, synsets: &Synsets, files: &dyn Files) -> Result<Listing<PathBuf>, Problems> {
        let part = self.parts().test;
        let map = Path::new(&self.map);
        if files.is_folder(map) != Some(false) {
            let part = Part { key: "imagenet.map".to_owned(), path: &self.map };
            return Err(absent(&part, "a file of pictures and classes", files).into());
        }
        if files.is_folder(Path::new(&self.test)) != Some(true) {
            return Err(absent(&part, "the folder of the test pictures", files).into());
        }
        let text = text(map, files)?;
        let kaggle = text.starts_with("ImageId,");
        let mut entries = Vec::new();
        for (row, line) in text.lines().enumerate().skip(usize::from(kaggle)) {
            if line.trim().is_empty() {
                continue;
            }
            let place = || format!("{}, line {}", self.map, row + 1);
            let separator = if kaggle { ',' } else { ' ' };
            let line = line.trim().replace('\t', " ");
            let Some((name, label)) = line.split_once(separator) else {
                let expected = "a picture and its synset or class index";
                let problem = Problem::new(place(), format!("`{}`", line.escape_debug()), expected);
                return Err(problem
                    .hint("`ILSVRC2012_validation_ground_truth.txt` counts in another order")
                    .into());
            };
            let label = label.split_whitespace().next().unwrap_or_default();
            let class = match label.parse::<usize>() {
                Ok(index) if index < synsets.ids.len() => {
                    synsets.names.ids().nth(index).expect("inside of the list")
                }
                Ok(index) => {
                    let expected = format!("0 to {}", synsets.ids.len() - 1);
                    return Err(
                        Problem::new(place(), format!("class index {index}"), expected).into()
                    );
                }
                Err(_) => synsets.class(label, place)?,
            };
            let name = if kaggle { format!("{name}.JPEG") } else { name.to_owned() };
            let file = Path::new(&self.test).join(&name);
            entries.push(Entry { id: name, class, place: file });
        }
        if entries.is_empty() {
            return Err(Problem::new(&*self.map, "no picture", "a line for each").into());
        }
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        folder::labelled_once(&part.key, map, Path::new(&self.test), &entries, files)?;
        Ok(Listing { classes: synsets.names.clone(), entries })
    }

    /// Lists test pictures, whose folders, if any, are those of the training data.
    fn test(&self, synsets: &Synsets, files: &dyn Files) -> Result<Listing<PathBuf>, Problems> {
        if !self.map.is_empty() {
            return self.mapped(synsets, files);
        }
        let listing = folder::list(&self.parts().test, &Subset::default(), files)?;
        Ok(renamed(listing, synsets))
    }
}

/// Gives the classes of a tree their names. A tree of other classes keeps its own, and the
/// comparison of the parts will tell.
fn renamed(listing: Listing<PathBuf>, synsets: &Synsets) -> Listing<PathBuf> {
    let same = listing.classes.iter().eq(synsets.ids.iter().map(String::as_str));
    let classes = if same { synsets.names.clone() } else { listing.classes };
    Listing { classes, ..listing }
}

impl Reader for ImageNet {
    const KIND: &'static str = "imagenet";
    type Place = PathBuf;

    fn validation_share(&self) -> f64 {
        self.validation_share
    }

    fn list(&self, _: &Subset, files: &dyn Files) -> Result<Parts<Listing<PathBuf>>, Problems> {
        let train = folder::list(&self.parts().train, &Subset::default(), files)?;
        let synsets = self.synsets(&train.classes, files)?;
        let test = self.test(&synsets, files)?;
        Ok(Parts { train: renamed(train, &synsets), val: None, test })
    }

    /// Makes sure that each class has a picture, and looks no further.
    fn check(&self, subset: &Subset, files: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        let all = Subset::default();
        let (ids, _) = folder::pictures(&self.parts().train, &all, files, 1)?;
        let synsets = self.synsets(&ids, files)?;
        let test = match self.map.is_empty() {
            false => self.mapped(&synsets, files)?.classes,
            true => {
                let (classes, _) = folder::pictures(&self.parts().test, &all, files, 1)?;
                renamed(Listing { classes, entries: Vec::new() }, &synsets).classes
            }
        };
        let parts = Parts { train: synsets.names, val: None, test };
        keyed(Self::KIND, parts).map(|(key, classes)| {
            let kept = subset.kept_in(&classes, &key)?;
            Ok(ClassNames::new(kept.iter().map(|class| classes.name(*class))))
        })
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
    use crate::lab::data::source::{Source, fingerprint};
    use crate::lab::data::tests::{bytes_of, load_all, seen};
    use crate::terms::MemoryFiles;

    fn toml(test: &str, more: &str) -> String {
        format!("[imagenet]\ntrain = \"d/train\"\ntest = \"{test}\"\n{more}\nvalidation-share = 0")
    }

    fn files() -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for (i, id) in ["n01440764", "n01443537", "n02084071"].iter().enumerate() {
            let (train, test) = (bytes_of(i as u8), bytes_of(100 + i as u8));
            files.insert(format!("d/train/{id}/{id}_{i}.JPEG"), train);
            files.insert(format!("d/val/ILSVRC2012_val_0000000{i}.JPEG"), test.clone());
            files.insert(format!("d/folders/{id}/ILSVRC2012_val_0000000{i}.JPEG"), test);
        }
        let kaggle = "ImageId,PredictionString\nILSVRC2012_val_00000002,n02084071 1 2 3 4 \n\
                      ILSVRC2012_val_00000000,n01440764 1 2 3 4 n01440764 5 6 7 8 \n\
                      ILSVRC2012_val_00000001,n01443537 1 2 3 4 \n";
        files.insert("d/LOC_val_solution.csv", kaggle.into());
        let line = |label: &dyn Fn(usize) -> String| {
            let line = |i| format!("ILSVRC2012_val_0000000{i}.JPEG {}\n", label(i));
            (0..3).map(line).collect::<String>()
        };
        files.insert("d/index.txt", line(&|i| i.to_string()).into());
        let ids = ["n01440764", "n01443537", "n02084071"];
        files.insert("d/synsets.txt", line(&|i| ids[i].to_owned()).into());
        let words =
            "n01440764 tench, Tinca tinca\nn01443537 goldfish\nn02084071 dog, domestic dog\n";
        files.insert("d/LOC_synset_mapping.txt", words.into());
        files
    }

    #[test]
    fn every_layout_of_the_test_pictures_is_the_same_data() {
        let files = files();
        for (test, map) in [
            ("d/folders", ""),
            ("d/val", "map = \"d/LOC_val_solution.csv\""),
            ("d/val", "map = \"d/index.txt\""),
            ("d/val", "map = \"d/synsets.txt\""),
        ] {
            let plain = load_all(&toml(test, map), &files).unwrap();
            assert_eq!(plain.test.classes.name(plain.test.examples[0].class), "n01440764");
            let levels = [100, 101, 102].map(|v| vec![v; 3]).to_vec();
            assert_eq!(seen(&plain.test), (vec![0, 1, 2], levels), "{map}");
            let words = format!("{map}\nwords = \"d/LOC_synset_mapping.txt\"");
            let named = load_all(&toml(test, &words), &files).unwrap();
            assert_eq!(named.train.classes, ClassNames::new(["tench", "goldfish", "dog"]));
            assert_eq!(named.test.classes, named.train.classes);
        }
    }

    #[test]
    fn the_map_and_the_words_are_in_the_fingerprint() {
        let key = |more: &str, files: &MemoryFiles| {
            let source: Source = toml::from_str(&toml("d/val", more)).unwrap();
            fingerprint(&source, &Subset::default(), files).unwrap()
        };
        let (map, words) = ("map = \"d/index.txt\"", "words = \"d/LOC_synset_mapping.txt\"");
        let mut files = files();
        let base = key(map, &files);
        assert_eq!(base, key("map = \"d/LOC_val_solution.csv\"", &files));
        assert_ne!(base, key(&format!("{map}\n{words}"), &files));
        let text = String::from_utf8(files.read(Path::new("d/index.txt")).unwrap()).unwrap();
        files.insert("d/index.txt", text.replace("G 0", "G 1").into());
        assert_ne!(base, key(map, &files));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let told = |map: &str| {
            let mut files = files();
            files.insert("d/map.txt", map.into());
            load_all(&toml("d/val", "map = \"d/map.txt\""), &files).unwrap_err().to_string()
        };
        for (map, want) in [
            (
                "ILSVRC2012_val_00000000.JPEG 3\n",
                "d/map.txt, line 1: class index 3, expected 0 to 2",
            ),
            (
                "ILSVRC2012_val_00000000.JPEG 2\n490\n",
                "d/map.txt, line 2: `490`, expected a picture and its synset or class index\n\
                 hint: `ILSVRC2012_validation_ground_truth.txt` counts in another order",
            ),
            (
                "ImageId,PredictionString\nILSVRC2012_val_00000000,n02084017 1 2\n",
                "d/map.txt, line 2: synset `n02084017`, expected a synset of the training data\n\
                 hint: did you mean `n02084071`?",
            ),
            (
                "ILSVRC2012_val_00000009.JPEG 2\nILSVRC2012_val_00000008.JPEG 2\n",
                "imagenet.test: no `ILSVRC2012_val_00000008.JPEG` and 1 more in `d/val`, \
                 expected all pictures of `d/map.txt`",
            ),
            (
                "ILSVRC2012_val_00000000.JPEG 2\nILSVRC2012_val_00000001.JPEG 1\n\
                 ILSVRC2012_val_00000002.JPEG 0\nILSVRC2012_val_00000001.JPEG 2\n",
                "d/map.txt: `ILSVRC2012_val_00000001.JPEG` twice, expected every picture once",
            ),
            (
                "ILSVRC2012_val_00000001.JPEG 2\n",
                "d/map.txt: no line for `d/val/ILSVRC2012_val_00000000.JPEG` and 1 more, \
                 expected a line for every picture of the folder\n\
                 hint: the file is cut short, or belongs to other pictures",
            ),
        ] {
            assert_eq!(told(map), want);
        }
        let text = load_all(&toml("d/val", "map = \"d/idnex.txt\""), &files()).unwrap_err();
        assert!(text.to_string().contains("did you mean `d/index.txt`?"), "{text}");
    }
}
