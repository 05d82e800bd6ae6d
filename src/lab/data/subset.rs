//! Less data than there is: some classes, or several as one; listed pictures, a few pictures of
//! each class, or fewer and fewer from class to class.
//!
//! In this order: classes are kept or merged, training pictures that the list does not name are
//! left out, validation pictures are held out where the source has none, and of the training
//! pictures that remain so many are kept as `per-class` and `imbalance` say.

use indexmap::IndexMap;

use super::dataset::{Dataset, Example};
use super::listing::{Entry, Listing};
use super::long_tail::long_tail;
use super::split::counted;
use super::training_list::TrainingList;
use crate::terms::{ClassId, ClassNames, Files, Key, Problem, Problems, Seed, nearest};

/// Which of the data are used.
#[derive(
    Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Subset {
    /// Names of the classes to keep, in training, validation and test data alike; empty: all. The
    /// order of the classes stays that of the data.
    pub classes: Vec<String>,
    /// Training pictures of each class, chosen after validation data were held out; absent: all.
    /// The pictures of a smaller number are among those of a larger one.
    #[schemars(range(min = 1))]
    pub per_class: Option<usize>,
    /// A long tail: the training pictures of the first class over those of the last, as in CIFAR-LT
    /// (Cao et al. 2019, arXiv:1906.07413); class i of C keeps
    /// `floor(n * imbalance^(-i / (C - 1)))`, at least one, with n = `per-class` or, without it,
    /// the size of the largest class. Absent: no tail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0))]
    pub imbalance: Option<f64>,
    /// Path of a text file that names the training pictures to keep, one a line: path and label, as
    /// the lists of ImageNet-LT. A path may have folders before the picture's id; a label stands
    /// for one class. Empty: all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub list: String,
    /// Classes made of several: by name of the new class, the names of the classes it is made of.
    /// The new classes stand in the order of the file, all others are left out. Empty: the classes
    /// of the data.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub merge: IndexMap<String, Vec<String>>,
}

impl Subset {
    /// Returns the classes to keep, ascending.
    ///
    /// # Errors
    /// If a name is unknown or comes twice.
    pub fn kept(&self, known: &ClassNames) -> Result<Vec<ClassId>, Problems> {
        self.kept_in(known, "data")
    }

    /// Returns the classes to keep of the part of the data with this key: those that are merged, or
    /// those that are named, or all.
    pub(super) fn kept_in(&self, known: &ClassNames, part: &str) -> Result<Vec<ClassId>, Problems> {
        if self.classes.is_empty() && self.merge.is_empty() {
            return Ok(known.ids().collect());
        }
        let named = self.classes.iter().map(|name| ("subset.classes".to_owned(), name));
        let merged = self.merge.iter().flat_map(|(new, names)| {
            let at = move |(i, name)| (format!("subset.merge.{new}.{i}"), name);
            names.iter().enumerate().map(at)
        });
        let mut kept = Vec::new();
        let mut problems = self.unclear();
        for (key, name) in named.chain(merged) {
            match known.find(name) {
                None => problems.push(unknown(&key, name, known, part)),
                Some(class) if kept.contains(&class) => {
                    problems.push(Problem::new(
                        key,
                        format!("class `{name}` twice"),
                        "each class once",
                    ));
                }
                Some(class) => kept.push(class),
            }
        }
        kept.sort_unstable();
        if problems.is_empty() { Ok(kept) } else { Err(Problems(problems)) }
    }

    /// Finds what contradicts itself.
    fn unclear(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.classes.is_empty() && !self.merge.is_empty() {
            let problem = Problem::new("subset.classes", "`classes` beside `merge`", "one of them");
            problems.push(problem.hint("classes that are not merged are left out anyway"));
        }
        for (new, _) in self.merge.iter().filter(|(_, names)| names.is_empty()) {
            let found = format!("class `{new}` made of no class");
            problems.push(Problem::new(format!("subset.merge.{new}"), found, "at least one class"));
        }
        problems
    }

    /// Gives the entries of a listing the merged classes; it has the kept classes only.
    pub(super) fn merged<P>(&self, listing: Listing<P>) -> Listing<P> {
        if self.merge.is_empty() {
            return listing;
        }
        let classes = ClassNames::new(self.merge.keys().map(String::as_str));
        let new = |old: &str| {
            let position =
                self.merge.values().position(|names| names.iter().any(|name| name == old));
            ClassId(u32::try_from(position.expect("kept classes are merged")).expect("few classes"))
        };
        let new: Vec<ClassId> = listing.classes.iter().map(new).collect();
        let renamed = |entry: Entry<P>| Entry { class: new[entry.class.index()], ..entry };
        Listing { classes, entries: listing.entries.into_iter().map(renamed).collect() }
    }

    /// Keeps the training pictures that the list names.
    ///
    /// # Errors
    /// If the list cannot be read, or does not fit the pictures.
    pub(super) fn listed<P>(
        &self,
        listing: Listing<P>,
        files: &dyn Files,
    ) -> Result<Listing<P>, Problems> {
        if self.list.is_empty() {
            return Ok(listing);
        }
        let whole = self.classes.is_empty() && self.merge.is_empty();
        let positions = TrainingList::read(&self.list, files)?.positions(&listing, whole)?;
        Ok(listing.divide(&positions).0)
    }

    /// Finds what can be known of the list without the pictures.
    pub(super) fn check_list(&self, files: &dyn Files) -> Problems {
        match self.list.as_str() {
            "" => Problems::default(),
            path => TrainingList::read(path, files).err().unwrap_or_default(),
        }
    }

    /// Returns a key of some data and of the list that narrows them.
    pub(super) fn with_list(&self, data: Key, files: &dyn Files) -> Result<Key, Problems> {
        if self.list.is_empty() {
            return Ok(data);
        }
        let list = Key::of_bytes(&TrainingList::bytes(&self.list, files)?);
        let inputs = [("data".to_owned(), data), ("list".to_owned(), list)];
        Ok(Key::of_stage("listed", 1, &serde_json::Value::Null, &inputs))
    }

    /// Returns the positions of the training examples to keep, ascending; `roll` is the id and
    /// class of every example.
    ///
    /// # Errors
    /// If a class has fewer examples than `per-class` and `imbalance` ask for.
    pub fn chosen(
        &self,
        classes: &ClassNames,
        roll: &[(&str, ClassId)],
        seed: Seed,
    ) -> Result<Vec<usize>, Problems> {
        let mut counts = vec![0; classes.len()];
        roll.iter().for_each(|(_, class)| counts[class.index()] += 1);
        match self.wanted(classes, &counts)? {
            Some(wanted) => Ok(counted(roll, &wanted, seed)),
            None => Ok((0..roll.len()).collect()),
        }
    }

    /// Returns how many training pictures of each class are kept, given how many there are; `None`:
    /// all.
    ///
    /// # Errors
    /// If a class has fewer.
    pub(super) fn wanted(
        &self,
        classes: &ClassNames,
        counts: &[usize],
    ) -> Result<Option<Vec<usize>>, Problems> {
        let (key, wanted) = match (self.per_class, self.imbalance) {
            (None, None) => return Ok(None),
            (Some(n), None) => ("subset.per-class", vec![n; classes.len()]),
            (n, Some(ratio)) => {
                let most = n.or(counts.iter().copied().max()).unwrap_or(0);
                ("subset.imbalance", long_tail(most, ratio, classes.len()))
            }
        };
        let least = counts.iter().min().unwrap_or(&0);
        let short = |(name, (n, wanted)): (&str, (&usize, &usize))| {
            let found = format!("{wanted}, while class `{name}` has {n} training pictures");
            let hint =
                format!("the smallest class has {least}; validation data are held out first");
            Problem::new(key, found, format!("at most {n}")).hint(hint)
        };
        let asked = classes.iter().zip(counts.iter().zip(&wanted));
        let problems: Vec<_> = asked.filter(|(_, (n, wanted))| n < wanted).map(short).collect();
        if problems.is_empty() { Ok(Some(wanted)) } else { Err(Problems(problems)) }
    }

    /// Returns the subset of some training data, the list aside.
    ///
    /// # Errors
    /// If a class is unknown or too small.
    pub fn apply(&self, data: &Dataset, seed: Seed) -> Result<Dataset, Problems> {
        let entry = |e: &Example| Entry { id: e.id.clone(), class: e.class, place: e.clone() };
        let entries = data.examples.iter().map(entry).collect();
        let listing = Listing { classes: data.classes.clone(), entries };
        let listing = self.merged(listing.narrow(&self.kept(&data.classes)?));
        let (listing, _) = self.few(listing, seed)?;
        let example = |entry: Entry<Example>| Example { class: entry.class, ..entry.place };
        Ok(Dataset::new(listing.classes, listing.entries.into_iter().map(example).collect()))
    }

    /// Divides training data into what is chosen and what is left.
    pub(super) fn few<P>(
        &self,
        listing: Listing<P>,
        seed: Seed,
    ) -> Result<(Listing<P>, Listing<P>), Problems> {
        let positions = self.chosen(&listing.classes, &listing.roll(), seed)?;
        Ok(listing.divide(&positions))
    }
}

/// Returns the problem of a class name that the data do not have.
fn unknown(key: &str, name: &str, known: &ClassNames, part: &str) -> Problem {
    let (found, expected) = (format!("class `{name}`"), format!("a class of `{part}`"));
    let problem = Problem::new(key, found, expected);
    match nearest(name, known.iter()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => {
            let first: Vec<_> = known.iter().take(10).map(|name| format!("`{name}`")).collect();
            problem.hint(format!("the {} classes start with {}", known.len(), first.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::data::Origin;
    use crate::terms::Picture;

    fn data() -> Dataset {
        let example = |i: u32| Example {
            id: i.to_string(),
            class: ClassId(i % 3),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(1, 1, [i as u8; 3])),
        };
        Dataset::new(ClassNames::new(["cat", "dog", "eel"]), (0..20).map(example).collect())
    }

    fn subset(classes: &[&str], per_class: Option<usize>) -> Subset {
        let classes = classes.iter().map(|name| (*name).to_owned()).collect();
        Subset { classes, per_class, ..Subset::default() }
    }

    #[test]
    fn an_empty_subset_is_everything() {
        assert_eq!(Subset::default().apply(&data(), Seed::root(0)).unwrap(), data());
    }

    #[test]
    fn classes_are_renumbered_in_the_order_of_the_data() {
        let data = data();
        let got = subset(&["eel", "cat"], Some(4)).apply(&data, Seed::root(0)).unwrap();
        assert_eq!(got.classes, ClassNames::new(["cat", "eel"]));
        assert_eq!(got.class_counts(), [4, 4]);
        for example in &got.examples {
            let before = data.examples.iter().find(|e| e.id == example.id).unwrap();
            assert_eq!(got.classes.name(example.class), data.classes.name(before.class));
            assert_eq!(example.picture, before.picture);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let problems = |s: Subset| s.apply(&data(), Seed::root(0)).unwrap_err().to_string();
        assert_eq!(
            problems(subset(&["cta", "dog", "dog", "hippopotamus"], None)),
            "subset.classes: class `cta`, expected a class of `data`\n\
             hint: did you mean `cat`?\n\
             subset.classes: class `dog` twice, expected each class once\n\
             subset.classes: class `hippopotamus`, expected a class of `data`\n\
             hint: the 3 classes start with `cat`, `dog`, `eel`"
        );
        assert_eq!(
            problems(subset(&[], Some(7))),
            "subset.per-class: 7, while class `eel` has 6 training pictures, expected at most 6\n\
             hint: the smallest class has 6; validation data are held out first"
        );
    }

    #[test]
    fn classes_are_merged_in_the_order_of_the_file() {
        let toml = "merge = { swims = [\"eel\"], walks = [\"dog\", \"cat\"] }\nper-class = 5";
        let merging: Subset = toml::from_str(toml).unwrap();
        let data = data();
        let got = merging.apply(&data, Seed::root(0)).unwrap();
        assert_eq!(got.classes, ClassNames::new(["swims", "walks"]));
        assert_eq!(got.class_counts(), [5, 5]);
        for example in &got.examples {
            let before = data.examples.iter().find(|e| e.id == example.id).unwrap();
            let swims = data.classes.name(before.class) == "eel";
            assert_eq!(got.classes.name(example.class), if swims { "swims" } else { "walks" });
        }
        // What merges are not told apart: any five of the fourteen.
        let kinds = |seed| {
            let got = merging.apply(&data, Seed::root(seed)).unwrap();
            got.examples.iter().filter(|e| e.id.parse::<u32>().unwrap() % 3 == 0).count()
        };
        assert!((0..9).map(kinds).collect::<std::collections::BTreeSet<_>>().len() > 1);
    }

    #[test]
    fn mistakes_of_merging_are_named() {
        let toml = "classes = [\"cat\"]\n\
                    merge = { a = [\"cta\", \"dog\"], b = [\"dog\"], c = [] }";
        let merging: Subset = toml::from_str(toml).unwrap();
        let Problems(problems) = merging.kept(&data().classes).unwrap_err();
        let told: Vec<String> =
            problems.iter().map(|p| format!("{}: {}", p.source, p.found)).collect();
        assert_eq!(
            told,
            [
                "subset.classes: `classes` beside `merge`",
                "subset.merge.c: class `c` made of no class",
                "subset.merge.a.0: class `cta`",
                "subset.merge.b.0: class `dog` twice",
            ]
        );
    }

    #[test]
    fn a_tail_is_cut_from_the_largest_class() {
        let tail = |imbalance| Subset { imbalance: Some(imbalance), ..Subset::default() };
        // Seven cats, seven dogs, six eels; 7 / sqrt(7) = 2.6.
        let got = tail(7.0).apply(&data(), Seed::root(0)).unwrap();
        assert_eq!(got.class_counts(), [7, 2, 1]);
        let steeper = tail(100.0).apply(&data(), Seed::root(0)).unwrap();
        assert_eq!(steeper.class_counts(), [7, 1, 1]);
        assert!(steeper.examples.iter().all(|e| got.examples.contains(e)), "tails are nested");
        let flat = tail(1.0).apply(&data(), Seed::root(0)).unwrap_err().to_string();
        assert!(
            flat.starts_with("subset.imbalance: 7, while class `eel` has 6 training"),
            "{flat}"
        );
        let few = Subset { per_class: Some(6), ..tail(1.0) };
        assert_eq!(few.apply(&data(), Seed::root(0)).unwrap().class_counts(), [6, 6, 6]);
    }

    #[test]
    fn old_keys_stay() {
        // What is not used is not in the key of a data set.
        let spec = serde_json::to_string(&Subset::default()).unwrap();
        assert_eq!(spec, r#"{"classes":[],"per-class":null}"#);
    }
}
