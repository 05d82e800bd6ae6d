//! Are the files of all classes and parts made alike? If one class came as PNG and another as JPEG,
//! or in another size, a classifier learns that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Facts, Warning, named};
use crate::lab::data::{Seen, Survey};

/// Shares of a kind of file may differ by so much.
const SHARE: f64 = 0.1;
/// Numbers of pixels (geometric means) may differ by this factor.
const FACTOR: f64 = 1.25;

/// What some pictures have in common.
#[derive(Default)]
struct Tally {
    count: f64,
    kinds: BTreeMap<String, f64>,
    log_pixels: f64,
}

impl Tally {
    fn of<'a>(seen: impl IntoIterator<Item = &'a Seen<Facts>>) -> Self {
        let mut tally = Self::default();
        for facts in seen.into_iter().filter_map(|one| one.made.as_ref().ok()) {
            tally.count += 1.0;
            *tally.kinds.entry(facts.kind.clone()).or_default() += 1.0;
            tally.log_pixels += ((facts.width * facts.height) as f64).ln();
        }
        tally
    }

    fn share(&self, kind: &str) -> f64 {
        self.kinds.get(kind).copied().unwrap_or(0.0) / self.count
    }

    /// Returns how many times the pixels of others these pictures have.
    fn times(&self, others: &Self) -> f64 {
        (self.log_pixels / self.count - others.log_pixels / others.count).exp()
    }

    /// Returns the kind whose share differs most, if that is too much.
    fn odd(&self, others: &Self) -> Option<String> {
        let kinds: BTreeSet<&String> = self.kinds.keys().chain(others.kinds.keys()).collect();
        let gap = |kind: &str| (self.share(kind) - others.share(kind)).abs();
        let odd = kinds.into_iter().max_by(|a, b| gap(a).total_cmp(&gap(b)).then(b.cmp(a)))?;
        (gap(odd) > SHARE).then(|| odd.clone())
    }
}

fn unlike(times: f64) -> bool {
    !(1.0 / FACTOR..=FACTOR).contains(&times)
}

fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}

pub(super) fn warnings(survey: &Survey<Facts>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let train = Tally::of(&survey.parts[0].1);
    if train.count < 1.0 {
        return warnings;
    }
    let mut by_class: Vec<Vec<&Seen<Facts>>> = vec![Vec::new(); survey.classes.len()];
    survey.parts[0].1.iter().for_each(|one| by_class[one.class.index()].push(one));
    let classes: Vec<Tally> = by_class.into_iter().map(Tally::of).collect();
    let some = |unlike: &dyn Fn(&Tally) -> bool| -> Vec<usize> {
        (0..classes.len()).filter(|i| classes[*i].count > 0.0 && unlike(&classes[*i])).collect()
    };
    // The kind that differs most somewhere, told for the classes that have too much of it.
    let odd: BTreeSet<String> =
        classes.iter().filter(|c| c.count > 0.0).filter_map(|c| c.odd(&train)).collect();
    for kind in odd {
        let which = some(&|class| class.share(&kind) - train.share(&kind) > SHARE);
        let Some(first) = which.first() else { continue };
        warnings.push(Warning(format!(
            "training files of a class differ from the others: {kind} is {} of {} and {} of all; \
             a classifier may learn the files",
            percent(classes[*first].share(&kind)),
            named(&survey.classes, &which),
            percent(train.share(&kind))
        )));
    }
    let which = some(&|class| unlike(class.times(&train)));
    if !which.is_empty() {
        let times = |i: &usize| {
            let name = survey.classes.iter().nth(*i).expect("a class of the list");
            format!("`{name}` {:.2}", classes[*i].times(&train))
        };
        let shown = which.iter().take(5).map(times).collect::<Vec<_>>().join(", ");
        let more = which.len().saturating_sub(5);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = "sizes of training pictures differ by class";
        let warning = format!("{what}: {shown} times the pixels of all{rest}");
        warnings.push(Warning(warning));
    }
    for (name, seen) in &survey.parts[1..] {
        let part = Tally::of(seen);
        if part.count < 1.0 {
            continue;
        }
        if let Some(kind) = part.odd(&train) {
            warnings.push(Warning(format!(
                "{name} files differ from training files: {kind} is {} of them and {} of those \
                 for training",
                percent(part.share(&kind)),
                percent(train.share(&kind))
            )));
        }
        let times = part.times(&train);
        if unlike(times) {
            let what =
                format!("{name} pictures have {times:.2} times the pixels of training pictures");
            warnings.push(Warning(what));
        }
    }
    warnings
}
