//! What the sources differ in, and what they do alike.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Codec, Content, Splits};
use crate::lab::data::dataset::{Dataset, Example};
use crate::lab::data::listing::{Entry, Listing, Parts, complete};
use crate::lab::data::mismatch::ClassMismatch;
use crate::lab::data::split::held_out;
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems, Seed, Window, near_path};

/// What a source has of its own. Implemented by the spec of the source.
pub(super) trait Reader {
    /// The key of its declaration.
    const KIND: &'static str;
    /// Where a picture is.
    type Place: Send + Sync;

    /// Returns the share of each training class to hold out where there are no validation data.
    fn validation_share(&self) -> f64;

    /// Lists what there is, in an order that is the same on every machine.
    fn list(
        &self,
        subset: &Subset,
        files: &dyn Files,
    ) -> Result<Parts<Listing<Self::Place>>, Problems>;

    /// Returns the chosen classes of each part, without decoding a picture. Each has a training
    /// picture, where that can be known without reading all of the data.
    fn check(&self, subset: &Subset, files: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        let parts = kept(self, subset, files)?;
        enough(Self::KIND, &parts.train, &parts.test)?;
        parts.map(|listing| Ok(listing.classes))
    }

    /// Shows the content of every entry to `look`, which says what it makes of it or why the
    /// content is no picture. Entries are in the order of the list, some left out; the results come
    /// in the order of the entries.
    fn see<T: Send>(
        &self,
        entries: &[Entry<Self::Place>],
        files: &dyn Files,
        look: impl Fn(&Entry<Self::Place>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>>;

    /// Returns a key of all bytes that are read for the classes of the subset.
    fn fingerprint(&self, subset: &Subset, files: &dyn Files) -> Result<Key, Problems>;
}

/// Returns the key of a reader's declaration.
pub(super) fn kind<R: Reader>(_: &R) -> &'static str {
    R::KIND
}

/// One part of a source: the key that names its path, and the path.
pub(super) struct Part<'a> {
    pub(super) key: String,
    pub(super) path: &'a str,
}

pub(super) fn default_share() -> f64 {
    0.1
}

/// Empty classes that are named one by one.
const EMPTY_SHOWN: usize = 5;

pub(super) fn load<R: Reader>(
    reader: &R,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Splits, Problems> {
    decoded(reader, settled(reader, subset, seed, files)?, files, codec)
}

/// Loads all there is, though there may be classes without pictures, as in small golden data.
#[cfg(test)]
pub(super) fn load_sparse<R: Reader>(
    reader: &R,
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Splits, Problems> {
    let parts = divided(reader, &Subset::default(), Seed::root(0), files)?;
    decoded(reader, parts, files, codec)
}

fn decoded<R: Reader>(
    reader: &R,
    [train, val, test]: [Listing<R::Place>; 3],
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Splits, Problems> {
    let parts = Parts { train, val: Some(val), test };
    let Parts { train, val, test } = parts.map(|listing| read(reader, listing, files, codec))?;
    Ok(Splits { train, val: val.expect("it went in"), test })
}

/// Decodes what is listed.
pub(super) fn read<R: Reader>(
    reader: &R,
    listing: Listing<R::Place>,
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Dataset, Problems> {
    let example = |entry: &Entry<R::Place>, content: Content<'_>| -> Result<Example, String> {
        Ok(entry.example(codec.picture(content)?))
    };
    complete(listing.classes, see(reader, &listing.entries, files, example))
}

/// Shows the content of every entry to `look`, and holds the reader to its promise of one result
/// for each.
pub(super) fn see<R: Reader, T: Send>(
    reader: &R,
    entries: &[Entry<R::Place>],
    files: &dyn Files,
    look: impl Fn(&Entry<R::Place>, Content<'_>) -> Result<T, String> + Sync,
) -> Vec<Result<T, Problem>> {
    let results = reader.see(entries, files, look);
    assert_eq!(results.len(), entries.len(), "a reader has one result for each entry");
    results
}

pub(super) fn check<R: Reader>(reader: &R, subset: &Subset, files: &dyn Files) -> Problems {
    let mut problems = Problems::default();
    let share = reader.validation_share();
    if !(0.0..=0.9).contains(&share) {
        let key = format!("{}.validation-share", R::KIND);
        problems.0.push(Problem::new(key, share.to_string(), "a share of 0 to 0.9"));
    }
    match reader.check(subset, files) {
        Ok(classes) => {
            problems.0.extend(twice(&classes.train, R::KIND));
            problems.0.extend(same_classes(&classes, R::KIND).err().unwrap_or_default().0);
        }
        Err(found) => problems.0.extend(found.0),
    }
    problems.0.extend(subset.check_list(files).0);
    problems
}

/// Lists training, validation and test data as they will be read: of the kept classes, divided, with
/// a training picture of each and a test picture.
pub(super) fn settled<R: Reader>(
    reader: &R,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
) -> Result<[Listing<R::Place>; 3], Problems> {
    let parts = divided(reader, subset, seed, files)?;
    enough(R::KIND, &parts[0], &parts[2])?;
    Ok(parts)
}

fn divided<R: Reader>(
    reader: &R,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
) -> Result<[Listing<R::Place>; 3], Problems> {
    let parts = kept(reader, subset, files)?;
    let classes = Parts {
        train: parts.train.classes.clone(),
        val: parts.val.as_ref().map(|listing| listing.classes.clone()),
        test: parts.test.classes.clone(),
    };
    same_classes(&classes, R::KIND)?;
    // The labels of a list are those of the data, whatever their classes are merged to.
    let parts = Parts { train: subset.listed(parts.train, files)?, ..parts };
    let parts = parts.map(|listing| Ok(subset.merged(listing)))?;
    let (val, train) = match parts.val {
        Some(val) => (val, parts.train),
        None => {
            let share = reader.validation_share();
            let roll = parts.train.roll();
            let positions = held_out(&roll, share, seed.child("validation"));
            parts.train.divide(&positions)
        }
    };
    let (train, _) = subset.few(train, seed.child("subset"))?;
    Ok([train, val, parts.test])
}

/// Lists the kept classes of every part.
fn kept<R: Reader + ?Sized>(
    reader: &R,
    subset: &Subset,
    files: &dyn Files,
) -> Result<Parts<Listing<R::Place>>, Problems> {
    keyed(R::KIND, reader.list(subset, files)?).map(|(key, listing)| {
        let kept = subset.kept_in(&listing.classes, &key)?;
        Ok(listing.narrow(&kept))
    })
}

/// Makes sure that there is a training picture of every class, and a test picture.
fn enough<P>(kind: &str, train: &Listing<P>, test: &Listing<P>) -> Result<(), Problems> {
    let mut there = vec![false; train.classes.len()];
    train.entries.iter().for_each(|entry| there[entry.class.index()] = true);
    let named = train.classes.iter().zip(there);
    let empty: Vec<String> =
        named.filter(|(_, there)| !there).map(|(name, _)| format!("`{name}`")).collect();
    let mut problems = Vec::new();
    if train.entries.is_empty() {
        let found = "no training picture of the kept classes";
        problems.push(Problem::new(format!("{kind}.train"), found, "at least one of each"));
    } else if !empty.is_empty() {
        let (shown, more) = empty.split_at(empty.len().min(EMPTY_SHOWN));
        let more =
            if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        let found = format!("no training picture of class {}{more}", shown.join(", "));
        let problem = Problem::new(format!("{kind}.train"), found, "at least one of each class");
        problems.push(problem.hint("`subset.classes` keeps the classes that have pictures"));
    }
    if test.entries.is_empty() {
        let found = "no test picture of the kept classes";
        problems.push(Problem::new(format!("{kind}.test"), found, "at least one"));
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Finds a class name that stands for two classes.
fn twice(names: &ClassNames, kind: &str) -> Option<Problem> {
    let mut known = BTreeSet::new();
    let twice = names.iter().find(|name| !known.insert(*name))?;
    let found = format!("two classes of the name `{twice}`");
    let problem = Problem::new(kind, found, "a name of its own for each class");
    Some(problem.hint("results and addresses of randomness go by the names of classes"))
}

/// Names the parts of a source by their keys.
pub(super) fn keyed<T>(kind: &str, parts: Parts<T>) -> Parts<(String, T)> {
    let key = |name: &str| format!("{kind}.{name}");
    Parts {
        train: (key("train"), parts.train),
        val: parts.val.map(|part| (key("val"), part)),
        test: (key("test"), parts.test),
    }
}

/// Names the paths of the parts of a source by their keys.
pub(super) fn parts<'a>(
    kind: &str,
    train: &'a str,
    val: Option<&'a str>,
    test: &'a str,
) -> Parts<Part<'a>> {
    let paths = keyed(kind, Parts { train, val, test });
    let part = |(key, path)| Part { key, path };
    Parts { train: part(paths.train), val: paths.val.map(part), test: part(paths.test) }
}

/// Makes sure that all parts have the class list of the training data.
fn same_classes(classes: &Parts<ClassNames>, kind: &str) -> Result<(), Problems> {
    let others = [("val", classes.val.as_ref()), ("test", Some(&classes.test))];
    let problem = |(name, other): (&str, Option<&ClassNames>)| {
        let mismatch = ClassMismatch::between(&classes.train, other?).err()?;
        let key = format!("{kind}.{name}");
        let found = format!("{mismatch}, the first being `train`");
        let problem = Problem::new(key, found, "the classes of `train` in the same order");
        Some(problem.hint("`subset.classes` keeps the classes that both have"))
    };
    let problems: Vec<_> = others.into_iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// Returns the problem of a path that leads nowhere, with the nearest name beside it.
pub(super) fn absent(part: &Part<'_>, expected: &str, files: &dyn Files) -> Problem {
    let path = Path::new(part.path);
    let found = if part.path.is_empty() {
        "an empty path".to_owned()
    } else {
        format!("`{}` does not exist", part.path)
    };
    let problem = Problem::new(part.key.clone(), found, expected);
    problem.hint_near(near_path(path, files))
}

/// Returns the key of some files, each by its name and its key, in this order.
pub(super) fn hashed<'a>(
    kind: &str,
    named: impl Iterator<Item = (&'a str, Result<Key, Problem>)>,
) -> Result<Key, Problem> {
    let inputs = named.map(|(name, key)| Ok((name.to_owned(), key?)));
    let inputs = inputs.collect::<Result<Vec<_>, Problem>>()?;
    Ok(Key::of_stage(kind, 1, &serde_json::Value::Null, &inputs))
}

/// Returns the key of a file, which is never held whole.
pub(super) fn file_key(path: &str, files: &dyn Files) -> Result<Key, Problem> {
    let key = Window::open(Path::new(path), files).and_then(Key::of_stream);
    key.map_err(|e| Problem::new(path, e.to_string(), "a file that can be read"))
}
