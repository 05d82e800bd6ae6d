//! Pictures with their classes, in order: what a classifier or a generator learns from.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::mismatch::ClassMismatch;
use crate::terms::{ClassId, ClassNames, Key, Picture};

/// Where a picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A camera, a scanner, a hand.
    Real,
    /// A generator.
    Synthetic,
}

/// One picture with all that is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// A name that stays the same on every machine and in every run: `digits/0042`, a path relative
    /// to its root, `train-00000-of-00001#17`.
    pub id: String,
    /// What it shows.
    pub class: ClassId,
    /// Where it comes from.
    pub origin: Origin,
    /// The pixels; shared, because subsets and mixes hold the same picture many times.
    pub picture: Arc<Picture>,
}

/// Examples in order, over one list of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The names of the classes; their order gives the labels.
    pub classes: ClassNames,
    /// The examples.
    pub examples: Vec<Example>,
}

impl Dataset {
    /// Joins examples and their classes.
    ///
    /// # Panics
    /// If an example has a class that is not in the list.
    pub fn new(classes: ClassNames, examples: Vec<Example>) -> Self {
        assert!(
            examples.iter().all(|example| example.class.index() < classes.len()),
            "every example has a class of the list"
        );
        Self { classes, examples }
    }

    /// Returns the number of examples.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Returns whether there is no example at all.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Returns the number of examples of each class, in class order.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.examples.iter().for_each(|example| counts[example.class.index()] += 1);
        counts
    }

    /// Returns the id and class of every example, in order: what splits and subsets decide by.
    pub fn roll(&self) -> Vec<(&str, ClassId)> {
        self.examples.iter().map(|example| (example.id.as_str(), example.class)).collect()
    }

    /// Returns the examples at these positions, in this order; a position may come again.
    ///
    /// # Panics
    /// If a position lies outside.
    #[must_use]
    pub fn select(&self, positions: &[usize]) -> Self {
        let examples = positions.iter().map(|&i| self.examples[i].clone()).collect();
        Self { classes: self.classes.clone(), examples }
    }

    /// Returns the examples that `keep` accepts, in their order.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Example) -> bool) -> Self {
        let examples = self.examples.iter().filter(|example| keep(example)).cloned().collect();
        Self { classes: self.classes.clone(), examples }
    }

    /// Returns these examples followed by the others.
    ///
    /// # Errors
    /// If the two class lists differ in names or in order: labels would shift silently.
    pub fn concat(&self, other: &Self) -> Result<Self, ClassMismatch> {
        ClassMismatch::between(&self.classes, &other.classes)?;
        let examples = self.examples.iter().chain(&other.examples).cloned().collect();
        Ok(Self { classes: self.classes.clone(), examples })
    }

    /// Returns a key of all that is in here: class names, ids, labels, origins, sizes and bytes of
    /// the pictures, and their order.
    pub fn content_key(&self) -> Key {
        let pictures: Vec<(String, Key)> = self
            .examples
            .par_iter()
            .map(|example| (example.id.clone(), picture_key(&example.picture)))
            .collect();
        let labels: Vec<_> = self.examples.iter().map(|e| (e.class, e.origin)).collect();
        let spec = json!({"classes": self.classes, "labels": labels});
        Key::of_stage("dataset", 1, &spec, &pictures)
    }
}

fn picture_key(picture: &Picture) -> Key {
    let mut bytes = Vec::with_capacity(picture.rgb().len() + 16);
    bytes.extend((picture.width() as u64).to_le_bytes());
    bytes.extend((picture.height() as u64).to_le_bytes());
    bytes.extend(picture.rgb());
    Key::of_bytes(&bytes)
}

/// Hands the examples to whatever reads burn's data sets, its loaders for instance.
impl burn_dataset::Dataset<Example> for Dataset {
    fn get(&self, index: usize) -> Result<Example, burn_dataset::DatasetError> {
        Ok(self.examples[index].clone())
    }

    fn len(&self) -> usize {
        self.examples.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(id: &str, class: u32, grey: u8) -> Example {
        Example {
            id: id.to_owned(),
            class: ClassId(class),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(2, 3, [grey; 3])),
        }
    }

    fn animals() -> Dataset {
        let examples = vec![example("a", 0, 1), example("b", 2, 2), example("c", 0, 3)];
        Dataset::new(ClassNames::new(["cat", "dog", "eel"]), examples)
    }

    #[test]
    fn counts_and_selections_follow_positions() {
        let data = animals();
        assert_eq!(data.class_counts(), [2, 0, 1]);
        let picked = data.select(&[2, 0, 2]);
        assert_eq!(picked.roll(), [("c", ClassId(0)), ("a", ClassId(0)), ("c", ClassId(0))]);
        assert_eq!(data.filter(|e| e.class == ClassId(0)), data.select(&[0, 2]));
        assert!(data.select(&[]).is_empty());
    }

    #[test]
    fn every_part_of_the_content_is_in_the_key() {
        let base = animals();
        let change = |f: &dyn Fn(&mut Dataset)| {
            let mut data = base.clone();
            f(&mut data);
            data.content_key()
        };
        let wide = Picture::filled(3, 2, [1; 3]);
        let keys = [
            base.content_key(),
            change(&|d| d.examples.swap(0, 2)),
            change(&|d| d.examples.truncate(2)),
            change(&|d| d.examples[0].id = "z".into()),
            change(&|d| d.examples[0].class = ClassId(1)),
            change(&|d| d.examples[0].origin = Origin::Synthetic),
            change(&|d| d.examples[0].picture = Arc::new(wide.clone())),
            change(&|d| Arc::make_mut(&mut d.examples[1].picture).rgb_mut()[17] ^= 1),
            change(&|d| d.classes = ClassNames::new(["cat", "dog", "owl"])),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(base.content_key(), animals().content_key());
    }

    #[test]
    fn concatenation_refuses_other_classes() {
        let base = animals();
        assert_eq!(base.concat(&base).unwrap().len(), 6);
        let mut other = animals();
        other.classes = ClassNames::new(["cat", "eel", "dog"]);
        let mismatch = base.concat(&other).unwrap_err();
        assert_eq!(mismatch.moved, [("dog".to_owned(), 1, 2), ("eel".to_owned(), 2, 1)]);
    }

    #[test]
    fn burn_reads_it_as_one_of_its_own() {
        use burn_dataset::Dataset as _;
        use burn_dataset::transform::PartialDataset;

        let classes = ClassNames::new(["a"]);
        let one = |i: u8| Example {
            id: i.to_string(),
            class: ClassId(0),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(1, 1, [i; 3])),
        };
        let data = Dataset::new(classes, (0..5).map(one).collect());
        let part = PartialDataset::new(data, 2, 4);
        let ids: Vec<_> = (0..part.len()).map(|i| part.get(i).unwrap().id).collect();
        assert_eq!(ids, ["2", "3"]);
    }
}
