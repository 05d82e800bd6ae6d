//! What the sources differ in, and what they do alike.

use std::path::Path;

use super::{Codec, Content, Splits};
use crate::lab::data::dataset::{Dataset, Example};
use crate::lab::data::listing::{Entry, Listing, Parts, complete};
use crate::lab::data::mismatch::ClassMismatch;
use crate::lab::data::split::held_out;
use crate::lab::data::subset::Subset;
use crate::terms::{ClassNames, Files, Key, Problem, Problems, Seed, near_path};

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

    /// Returns the chosen classes of each part, without decoding a picture.
    fn check(&self, subset: &Subset, files: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        keyed(Self::KIND, self.list(subset, files)?).map(|(key, listing)| {
            let kept = subset.kept_in(&listing.classes, &key)?;
            Ok(ClassNames::new(kept.iter().map(|class| listing.classes.name(*class))))
        })
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

pub(super) fn load<R: Reader>(
    reader: &R,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
    codec: Codec<'_>,
) -> Result<Splits, Problems> {
    let [train, val, test] = settled(reader, subset, seed, files)?;
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
    complete(listing.classes, reader.see(&listing.entries, files, example))
}

pub(super) fn check<R: Reader>(reader: &R, subset: &Subset, files: &dyn Files) -> Problems {
    let mut problems = Problems::default();
    let share = reader.validation_share();
    if !(0.0..=0.9).contains(&share) {
        let key = format!("{}.validation-share", R::KIND);
        problems.0.push(Problem::new(key, share.to_string(), "a share of 0 to 0.9"));
    }
    let result = reader.check(subset, files).and_then(|classes| same_classes(&classes, R::KIND));
    problems.0.extend(result.err().unwrap_or_default().0);
    problems.0.extend(subset.check_list(files).0);
    problems
}

/// Lists training, validation and test data as they will be read: of the kept classes, divided.
pub(super) fn settled<R: Reader>(
    reader: &R,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
) -> Result<[Listing<R::Place>; 3], Problems> {
    let parts = keyed(R::KIND, reader.list(subset, files)?).map(|(key, listing)| {
        let kept = subset.kept_in(&listing.classes, &key)?;
        Ok(subset.merged(listing.narrow(&kept)))
    })?;
    let classes = Parts {
        train: parts.train.classes.clone(),
        val: parts.val.as_ref().map(|listing| listing.classes.clone()),
        test: parts.test.classes.clone(),
    };
    same_classes(&classes, R::KIND)?;
    let parts = Parts { train: subset.listed(parts.train, files)?, ..parts };
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

/// Returns the key of some files by name, in this order.
pub(super) fn hashed<'a>(
    kind: &str,
    names: impl Iterator<Item = &'a str>,
    read: impl Fn(&str) -> Result<Vec<u8>, Problem>,
) -> Result<Key, Problem> {
    let hash = |name: &str| Ok((name.to_owned(), Key::of_bytes(&read(name)?)));
    let inputs = names.map(hash).collect::<Result<Vec<_>, Problem>>()?;
    Ok(Key::of_stage(kind, 1, &serde_json::Value::Null, &inputs))
}
