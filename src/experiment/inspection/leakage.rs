//! Does a picture stand where it must not: in training and test data, or in two classes?

use std::collections::BTreeMap;

use super::{Facts, Warning, pictures};
use crate::lab::data::{Seen, Survey};
use crate::terms::Key;

/// Pairs that are named.
const SHOWN: usize = 3;

type Known<'a> = BTreeMap<&'a Key, &'a Seen<Facts>>;

pub(super) fn warnings(survey: &Survey<Facts>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut known = Known::new();
    let mut two = Vec::new();
    for (key, one) in readable(&survey.parts[0].1) {
        match known.get(key) {
            None => drop(known.insert(key, one)),
            Some(first) if first.class != one.class => two.push((one, *first)),
            Some(_) => {}
        }
    }
    if !two.is_empty() {
        let name =
            |one: &Seen<Facts>| format!("`{}` (`{}`)", one.id, survey.classes.name(one.class));
        let have = if two.len() == 1 { "has" } else { "have" };
        let count = pictures(two.len()).replacen("picture", "training picture", 1);
        warnings.push(Warning(format!("{count} {have} two classes: {}", pairs(&two, name))));
    }
    let [_, val, test] = &survey.parts;
    warnings.extend(both(val, ("training", &known)));
    warnings.extend(both(test, ("training", &known)));
    // Checkpoints are chosen on validation pictures.
    warnings.extend(both(test, ("validation", &readable(&val.1).collect())));
    warnings
}

/// Warns of pictures of a part that are known from another.
fn both(
    (part, seen): &(&'static str, Vec<Seen<Facts>>),
    (other, known): (&str, &Known<'_>),
) -> Option<Warning> {
    let of_part = readable(seen);
    let both: Vec<_> = of_part.filter_map(|(key, one)| Some((one, *known.get(key)?))).collect();
    if both.is_empty() {
        return None;
    }
    let are = if both.len() == 1 { "is" } else { "are" };
    let name = |one: &Seen<Facts>| format!("`{}`", one.id);
    Some(Warning(format!(
        "{} of {} {part} pictures {are} in the {other} data too: {}",
        both.len(),
        seen.len(),
        pairs(&both, name)
    )))
}

fn readable(seen: &[Seen<Facts>]) -> impl Iterator<Item = (&Key, &Seen<Facts>)> {
    seen.iter().filter_map(|one| Some((&one.made.as_ref().ok()?.content, one)))
}

fn pairs(pairs: &[(&Seen<Facts>, &Seen<Facts>)], name: impl Fn(&Seen<Facts>) -> String) -> String {
    let shown = pairs.iter().take(SHOWN).map(|(a, b)| format!("{} is {}", name(a), name(b)));
    let text = shown.collect::<Vec<_>>().join(", ");
    let more = pairs.len().saturating_sub(SHOWN);
    if more > 0 { format!("{text} and {more} more") } else { text }
}
