//! Less data than there is: some classes, a few pictures of each.

use super::dataset::{Dataset, Example};
use super::listing::{Entry, Listing};
use super::split::few;
use crate::terms::{ClassId, ClassNames, Problem, Problems, Seed, nearest};

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
}

impl Subset {
    /// Returns the classes to keep, ascending.
    ///
    /// # Errors
    /// If a name is unknown or comes twice.
    pub fn kept(&self, known: &ClassNames) -> Result<Vec<ClassId>, Problems> {
        self.kept_in(known, "data")
    }

    /// Returns the classes to keep of the part of the data with this key.
    pub(super) fn kept_in(&self, known: &ClassNames, part: &str) -> Result<Vec<ClassId>, Problems> {
        if self.classes.is_empty() {
            return Ok(known.ids().collect());
        }
        let mut kept = Vec::new();
        let mut problems = Vec::new();
        for name in &self.classes {
            match known.find(name) {
                None => problems.push(unknown(name, known, part)),
                Some(class) if kept.contains(&class) => {
                    let found = format!("class `{name}` twice");
                    problems.push(Problem::new("subset.classes", found, "each class once"));
                }
                Some(class) => kept.push(class),
            }
        }
        kept.sort_unstable();
        if problems.is_empty() { Ok(kept) } else { Err(Problems(problems)) }
    }

    /// Returns the positions of the training examples to keep, ascending; `roll` is the id and
    /// class of every example.
    ///
    /// # Errors
    /// If a class has fewer than `per-class` examples.
    pub fn chosen(
        &self,
        classes: &ClassNames,
        roll: &[(&str, ClassId)],
        seed: Seed,
    ) -> Result<Vec<usize>, Problems> {
        let Some(per_class) = self.per_class else { return Ok((0..roll.len()).collect()) };
        let mut counts = vec![0; classes.len()];
        roll.iter().for_each(|(_, class)| counts[class.index()] += 1);
        let short = |(name, n): (&str, usize)| {
            let found = format!("{per_class}, while class `{name}` has {n} training pictures");
            let least = counts.iter().min().unwrap_or(&0);
            let hint =
                format!("the smallest class has {least}; validation data are held out first");
            Problem::new("subset.per-class", found, format!("at most {n}")).hint(hint)
        };
        let counted = classes.iter().zip(counts.iter().copied());
        let problems: Vec<_> = counted.filter(|(_, n)| *n < per_class).map(short).collect();
        if problems.is_empty() { Ok(few(roll, per_class, seed)) } else { Err(Problems(problems)) }
    }

    /// Returns the subset of some training data.
    ///
    /// # Errors
    /// If a class is unknown or too small.
    pub fn apply(&self, data: &Dataset, seed: Seed) -> Result<Dataset, Problems> {
        let entry = |e: &Example| Entry { id: e.id.clone(), class: e.class, place: e.clone() };
        let entries = data.examples.iter().map(entry).collect();
        let listing = Listing { classes: data.classes.clone(), entries };
        let (listing, _) = self.few(listing.narrow(&self.kept(&data.classes)?), seed)?;
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
fn unknown(name: &str, known: &ClassNames, part: &str) -> Problem {
    let (found, expected) = (format!("class `{name}`"), format!("a class of `{part}`"));
    let problem = Problem::new("subset.classes", found, expected);
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
        Subset { classes: classes.iter().map(|name| (*name).to_owned()).collect(), per_class }
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
}
