//! A look at all pictures of a source as they are, before they are fitted.

use std::collections::BTreeMap;

use super::reader::{Reader, see, settled};
use super::{Content, Source, of};
use crate::lab::data::listing::{Entry, Listing};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, ClassNames, Files, Problem, Problems, Seed};

/// A picture of a source, before its content is seen.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// `train`, `val` or `test`.
    pub part: &'static str,
    /// Its name.
    pub id: &'a str,
    /// What it shows.
    pub class: ClassId,
    /// How many pictures of its class stand before it in this part.
    pub rank: usize,
}

/// What was made of a picture.
#[derive(Clone, Debug)]
pub struct Seen<T> {
    /// Its name.
    pub id: String,
    /// What it shows.
    pub class: ClassId,
    /// What the look made of it, or why it cannot be read.
    pub made: Result<T, Problem>,
}

/// All pictures of a source, part by part.
#[derive(Clone, Debug)]
pub struct Survey<T> {
    /// The classes.
    pub classes: ClassNames,
    /// Training, validation and test pictures, in this order, as an experiment divides them.
    pub parts: [(&'static str, Vec<Seen<T>>); 3],
}

/// Shows every picture to `look`, as an experiment with this seed divides them.
///
/// # Errors
/// If the data cannot be listed; pictures that cannot be read are part of the survey.
pub fn survey<T: Send>(
    source: &Source,
    subset: &Subset,
    seed: Seed,
    files: &dyn Files,
    look: impl Fn(&Sight<'_>, Content<'_>) -> Result<T, String> + Sync,
) -> Result<Survey<T>, Problems> {
    of!(source, reader => {
        let [train, val, test] = settled(reader, subset, seed, files)?;
        let classes = train.classes.clone();
        let part = |name, listing| (name, part(reader, name, listing, files, &look));
        Ok(Survey { classes, parts: [part("train", train), part("val", val), part("test", test)] })
    })
}

fn part<R: Reader, T: Send>(
    reader: &R,
    name: &'static str,
    listing: Listing<R::Place>,
    files: &dyn Files,
    look: &(impl Fn(&Sight<'_>, Content<'_>) -> Result<T, String> + Sync),
) -> Vec<Seen<T>> {
    let mut before = vec![0; listing.classes.len()];
    let mut ranks = BTreeMap::new();
    for Entry { id, class, .. } in &listing.entries {
        ranks.insert(id.as_str(), before[class.index()]);
        before[class.index()] += 1;
    }
    let made =
        see(reader, &listing.entries, files, |entry: &Entry<R::Place>, content: Content<'_>| {
            let Entry { id, class, .. } = entry;
            look(&Sight { part: name, id, class: *class, rank: ranks[id.as_str()] }, content)
        });
    let seen = |(entry, made): (&Entry<R::Place>, Result<T, Problem>)| Seen {
        id: entry.id.clone(),
        class: entry.class,
        made,
    };
    listing.entries.iter().zip(made).map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;

    #[test]
    fn every_picture_is_seen_once_where_an_experiment_has_it() {
        let all = survey(
            &Source::default(),
            &Subset::default(),
            Seed::root(0),
            &MemoryFiles::default(),
            |sight, content| match content {
                Content::Pixels(picture) => Ok((sight.part, sight.rank, picture.width())),
                Content::File(_) | Content::Drawn(_) => Err("a file".to_owned()),
            },
        )
        .unwrap();
        assert_eq!(all.parts.each_ref().map(|(_, seen)| seen.len()), [1200, 240, 357]);
        for (name, seen) in &all.parts {
            let mut next = vec![0; all.classes.len()];
            for one in seen {
                let want = (*name, next[one.class.index()], 8);
                assert_eq!(one.made.as_ref().unwrap(), &want, "{}", one.id);
                next[one.class.index()] += 1;
            }
        }
    }
}
