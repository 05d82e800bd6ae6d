//! Data before any picture is decoded: who is there, and where the pixels are.
//!
//! Splits and subsets work on listings, so that only the pictures that are wanted are ever read.

use std::sync::Arc;

use rayon::prelude::*;

use super::dataset::{Dataset, Example, Origin};
use crate::terms::{ClassId, ClassNames, Picture, Problem, Problems};

/// Unreadable pictures named one by one; the others are counted.
const SHOWN: usize = 20;

/// One picture that is not read yet; `P` says where it is.
#[derive(Clone, Debug)]
pub(super) struct Entry<P> {
    pub(super) id: String,
    pub(super) class: ClassId,
    pub(super) place: P,
}

impl<P> Entry<P> {
    /// Returns the example of this entry with this picture.
    pub(super) fn example(&self, picture: Picture) -> Example {
        let (id, class) = (self.id.clone(), self.class);
        Example { id, class, origin: Origin::Real, picture: Arc::new(picture) }
    }
}

/// The pictures of one part of the data, in order.
#[derive(Clone, Debug)]
pub(super) struct Listing<P> {
    pub(super) classes: ClassNames,
    pub(super) entries: Vec<Entry<P>>,
}

/// The three parts of a source; without `val` it is held out of `train`.
#[derive(Clone, Debug)]
pub(super) struct Parts<T> {
    pub(super) train: T,
    pub(super) val: Option<T>,
    pub(super) test: T,
}

impl<T> Parts<T> {
    /// Turns every part into another thing, or collects the problems of all of them, each once.
    pub(super) fn map<U>(
        self,
        turn: impl Fn(T) -> Result<U, Problems>,
    ) -> Result<Parts<U>, Problems> {
        let (train, val, test) =
            (turn(self.train), self.val.map(&turn).transpose(), turn(self.test));
        match (train, val, test) {
            (Ok(train), Ok(val), Ok(test)) => Ok(Parts { train, val, test }),
            (train, val, test) => {
                let mut all: Vec<Problem> = Vec::new();
                let found = [train.err(), val.err(), test.err()].into_iter().flatten();
                for problem in found.flat_map(|problems| problems.0) {
                    let same = |p: &Problem| p.source == problem.source && p.found == problem.found;
                    if !all.iter().any(same) {
                        all.push(problem);
                    }
                }
                Err(Problems(all))
            }
        }
    }

    /// Iterates over the parts: train, val, test.
    pub(super) fn all(self) -> impl Iterator<Item = T> {
        [Some(self.train), self.val, Some(self.test)].into_iter().flatten()
    }
}

impl<P> Listing<P> {
    pub(super) fn roll(&self) -> Vec<(&str, ClassId)> {
        self.entries.iter().map(|entry| (entry.id.as_str(), entry.class)).collect()
    }

    /// Returns the classes, and how many entries each has.
    pub(super) fn counts(self) -> (ClassNames, Vec<usize>) {
        let mut counts = vec![0; self.classes.len()];
        self.entries.iter().for_each(|entry| counts[entry.class.index()] += 1);
        (self.classes, counts)
    }

    /// Keeps these classes, given in ascending order, and numbers them from 0.
    pub(super) fn narrow(self, kept: &[ClassId]) -> Self {
        let mut new = vec![None; self.classes.len()];
        for (class, old) in self.classes.ids().zip(kept) {
            new[old.index()] = Some(class);
        }
        let classes = ClassNames::new(kept.iter().map(|class| self.classes.name(*class)));
        let renumber = |e: Entry<P>| new[e.class.index()].map(|class| Entry { class, ..e });
        Self { classes, entries: self.entries.into_iter().filter_map(renumber).collect() }
    }

    /// Divides the entries by position: those of `first` (ascending), and the others.
    pub(super) fn divide(self, first: &[usize]) -> (Self, Self) {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let mut positions = first.iter().peekable();
        for (i, entry) in self.entries.into_iter().enumerate() {
            let chosen = positions.next_if_eq(&&i).is_some();
            if chosen { inside.push(entry) } else { outside.push(entry) }
        }
        let part = |entries| Self { classes: self.classes.clone(), entries };
        (part(inside), part(outside))
    }
}

/// Reads pictures in parallel; the results come in the order of the entries.
pub(super) fn read_all<P: Sync>(
    entries: &[Entry<P>],
    read: impl Fn(&Entry<P>) -> Result<Picture, Problem> + Sync,
) -> Vec<Result<Example, Problem>> {
    entries.par_iter().map(|entry| Ok(entry.example(read(entry)?))).collect()
}

/// Returns the data set, or everything that could not be read: the first twenty by name.
pub(super) fn complete(
    classes: ClassNames,
    results: Vec<Result<Example, Problem>>,
) -> Result<Dataset, Problems> {
    let mut examples = Vec::with_capacity(results.len());
    let mut problems = Vec::new();
    for result in results {
        match result {
            Ok(example) => examples.push(example),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        return Ok(Dataset::new(classes, examples));
    }
    // Pictures of one damaged file share its problem.
    problems.dedup();
    let more = problems.len().saturating_sub(SHOWN);
    problems.truncate(SHOWN);
    if more > 0 {
        let (found, expected) = (format!("{more} more like these"), "pictures that can be read");
        problems.push(Problem::new(problems[0].source.clone(), found, expected));
    }
    Err(Problems(problems))
}
