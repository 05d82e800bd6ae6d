//! Which examples are held out for validation, and which few are trained on.
//!
//! Every example draws a number at an address of its own, `seed / id`; within its class the
//! examples stand in the order of these numbers, and a split takes them from the front. So a split
//! does not depend on the order of files, a smaller one lies inside a larger one, and an example
//! that is added moves at most one other example of its class across the border.

use crate::terms::{ClassId, Seed};

/// Returns the positions of each class in the order of the numbers that their ids draw.
fn ranked(roll: &[(&str, ClassId)], seed: Seed) -> Vec<Vec<usize>> {
    let mut classes: Vec<Vec<(u64, &str, usize)>> = Vec::new();
    for (i, (id, class)) in roll.iter().enumerate() {
        if classes.len() <= class.index() {
            classes.resize(class.index() + 1, Vec::new());
        }
        classes[class.index()].push((seed.child(id).stream().bits(), *id, i));
    }
    let positions = |mut class: Vec<(u64, &str, usize)>| {
        class.sort_unstable();
        class.into_iter().map(|(_, _, i)| i).collect()
    };
    classes.into_iter().map(positions).collect()
}

/// Returns the front of each class: `count` says how many, by class and size.
fn front(ranked: Vec<Vec<usize>>, count: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    let take = |(class, ranked): (usize, Vec<usize>)| {
        ranked[..count(class, ranked.len()).min(ranked.len())].to_vec()
    };
    let mut positions: Vec<usize> = ranked.into_iter().enumerate().flat_map(take).collect();
    positions.sort_unstable();
    positions
}

/// Returns the positions to hold out for validation, ascending: of each class the share, rounded,
/// but at least one example (if the share is not 0) and never the last one.
///
/// `roll` is the id and class of every example; the share lies in [0, 1).
///
/// ```
/// use ersatz::lab::data::held_out;
/// use ersatz::terms::{ClassId, Seed};
/// let roll: Vec<_> = ["a", "b", "c", "d"].map(|id| (id, ClassId(0))).into();
/// assert_eq!(held_out(&roll, 0.5, Seed::root(0)).len(), 2);
/// ```
///
/// # Panics
/// If the share is not in [0, 1).
pub fn held_out(roll: &[(&str, ClassId)], share: f64, seed: Seed) -> Vec<usize> {
    assert!((0.0..1.0).contains(&share), "a share lies in [0, 1)");
    if share == 0.0 {
        return Vec::new();
    }
    let count = |_, n: usize| ((share * n as f64).round() as usize).max(1).min(n.saturating_sub(1));
    front(ranked(roll, seed), count)
}

/// Returns the positions of `per_class` examples of each class (all of a class that has fewer),
/// ascending.
pub fn few(roll: &[(&str, ClassId)], per_class: usize, seed: Seed) -> Vec<usize> {
    front(ranked(roll, seed), |_, _| per_class)
}

/// Returns the positions of so many examples of each class (all of a class that has fewer),
/// ascending.
///
/// # Panics
/// If a class has no count.
pub(super) fn counted(roll: &[(&str, ClassId)], counts: &[usize], seed: Seed) -> Vec<usize> {
    front(ranked(roll, seed), |class, _| counts[class])
}

/// Returns the positions of a share of each class, rounded, ascending; 0 keeps none, 1 all.
///
/// # Panics
/// If the share is not in [0, 1].
pub fn share_of(roll: &[(&str, ClassId)], share: f64, seed: Seed) -> Vec<usize> {
    assert!((0.0..=1.0).contains(&share), "a share lies in [0, 1]");
    front(ranked(roll, seed), |_, n| (share * n as f64).round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Classes of 40, 7, 1 and 2 examples, interleaved.
    fn ids() -> Vec<(String, ClassId)> {
        let sizes = [40, 7, 1, 2];
        let of_class = |(class, n): (usize, usize)| {
            (0..n).map(move |i| (format!("c{class}/{i}"), ClassId(class as u32)))
        };
        let mut ids: Vec<_> = sizes.into_iter().enumerate().flat_map(of_class).collect();
        ids.sort_by_key(|(id, _)| id.len());
        ids
    }

    fn roll(ids: &[(String, ClassId)]) -> Vec<(&str, ClassId)> {
        ids.iter().map(|(id, class)| (id.as_str(), *class)).collect()
    }

    fn names(ids: &[(String, ClassId)], positions: &[usize]) -> BTreeSet<String> {
        positions.iter().map(|&i| ids[i].0.clone()).collect()
    }

    fn of_class(chosen: &BTreeSet<String>, class: usize) -> usize {
        chosen.iter().filter(|id| id.starts_with(&format!("c{class}/"))).count()
    }

    #[test]
    fn each_class_gives_its_share() {
        let ids = ids();
        let chosen = names(&ids, &held_out(&roll(&ids), 0.2, Seed::root(1)));
        let counts: Vec<_> = (0..4).map(|class| of_class(&chosen, class)).collect();
        // 0.2 x 7 = 1.4; a class of one keeps its only example, a class of two gives one.
        assert_eq!(counts, [8, 1, 0, 1]);
        assert!(held_out(&roll(&ids), 0.0, Seed::root(1)).is_empty());
    }

    #[test]
    fn few_takes_the_same_number_of_each_class() {
        let ids = ids();
        let chosen = names(&ids, &few(&roll(&ids), 5, Seed::root(1)));
        assert_eq!((0..4).map(|class| of_class(&chosen, class)).collect::<Vec<_>>(), [5, 5, 1, 2]);
    }

    #[test]
    fn seeds_choose_differently() {
        let ids = ids();
        let chosen: BTreeSet<_> =
            (0..8).map(|seed| names(&ids, &held_out(&roll(&ids), 0.2, Seed::root(seed)))).collect();
        assert_eq!(chosen.len(), 8);
    }

    proptest! {
        #[test]
        fn small_lies_in_large(seed: u64, a in 0.0..0.99_f64, b in 0.0..0.99_f64, m in 0..9_usize) {
            let ids = ids();
            let (small, large) = (a.min(b), a.max(b));
            let held = |share| names(&ids, &held_out(&roll(&ids), share, Seed::root(seed)));
            prop_assert!(held(small).is_subset(&held(large)));
            let kept = |m| names(&ids, &few(&roll(&ids), m, Seed::root(seed)));
            prop_assert!(kept(m).is_subset(&kept(m + 1)));
        }

        #[test]
        fn order_does_not_matter(seed: u64) {
            let ids = ids();
            let order = Seed::root(seed).stream().permutation(ids.len());
            let shuffled: Vec<_> = order.iter().map(|&i| ids[i].clone()).collect();
            let held = |ids: &[_]| names(ids, &held_out(&roll(ids), 0.3, Seed::root(7)));
            prop_assert_eq!(held(&ids), held(&shuffled));
        }

        #[test]
        fn one_more_example_moves_at_most_one_other(seed: u64) {
            let ids = ids();
            let mut more = ids.clone();
            more.push(("c0/new".to_owned(), ClassId(0)));
            let held = |ids: &[_]| names(ids, &held_out(&roll(ids), 0.2, Seed::root(seed)));
            let (before, after) = (held(&ids), held(&more));
            let moved = before.symmetric_difference(&after).filter(|id| *id != "c0/new").count();
            prop_assert!(moved <= 1, "{} moved", moved);
            let other = |set: &BTreeSet<String>| of_class(set, 1) + of_class(set, 3);
            prop_assert_eq!(other(&before), other(&after));
        }
    }
}
