//! Two class lists that should be one.
//!
//! Two trees with different folders give shifted labels without any error, the classic slip with
//! image folders. So lists are compared by name and order wherever data meet, and a difference is
//! spelled out.

use std::fmt;

use crate::terms::ClassNames;

/// Names shown of each kind of difference.
const SHOWN: usize = 8;

/// How two class lists differ. The first list is called left, the second right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ClassMismatch {
    /// Names that only the left list has.
    pub only_left: Vec<String>,
    /// Names that only the right list has.
    pub only_right: Vec<String>,
    /// Names that both have at different positions, with the left and the right position from 0.
    pub moved: Vec<(String, usize, usize)>,
}

impl ClassMismatch {
    /// Compares two lists by name and order.
    ///
    /// # Errors
    /// If they are not the same list.
    pub fn between(left: &ClassNames, right: &ClassNames) -> Result<(), Self> {
        if left == right {
            return Ok(());
        }
        let missing = |from: &ClassNames, to: &ClassNames| {
            from.iter().filter(|name| to.find(name).is_none()).map(str::to_owned).collect()
        };
        let moved = left
            .iter()
            .enumerate()
            .filter_map(|(i, name)| Some((name.to_owned(), i, right.find(name)?.index())))
            .filter(|(_, i, j)| i != j)
            .collect();
        Err(Self { only_left: missing(left, right), only_right: missing(right, left), moved })
    }
}

impl fmt::Display for ClassMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect();
        let moved = self.moved.iter().map(|(name, i, j)| format!("`{name}` ({i} and {j})"));
        let mut parts = Vec::new();
        for (what, items) in [
            ("only in the first: ", quoted(&self.only_left)),
            ("only in the second: ", quoted(&self.only_right)),
            ("at different positions: ", moved.collect::<Vec<_>>()),
        ] {
            if items.is_empty() {
                continue;
            }
            let more = items.len().saturating_sub(SHOWN);
            let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
            parts.push(format!("{what}{}{tail}", items[..items.len() - more].join(", ")));
        }
        if parts.is_empty() {
            // Only lists that repeat a name get here.
            parts.push("the same names, repeated differently".to_owned());
        }
        write!(f, "class lists differ ({})", parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_spelled_out() {
        for (left, right, want) in [
            (vec!["a", "b"], vec!["a", "b"], None),
            (vec!["a", "b"], vec!["a"], Some("only in the first: `b`")),
            (vec!["a"], vec!["a", "c"], Some("only in the second: `c`")),
            (
                vec!["a", "b", "c"],
                vec!["b", "c", "d"],
                Some(
                    "only in the first: `a`; only in the second: `d`; \
                     at different positions: `b` (1 and 0), `c` (2 and 1)",
                ),
            ),
            (
                vec!["a", "b", "a"],
                vec!["a", "b", "b"],
                // `a` stands at 2 on the left only, but is first found at 0 on both sides.
                Some("at different positions: `a` (2 and 0)"),
            ),
            (vec!["a", "a"], vec!["a"], Some("at different positions: `a` (1 and 0)")),
            (vec!["a"], vec!["a", "a"], Some("the same names, repeated differently")),
        ] {
            let got = ClassMismatch::between(&ClassNames::new(left), &ClassNames::new(right));
            let want = want.map(|text| format!("class lists differ ({text})"));
            assert_eq!(got.err().map(|mismatch| mismatch.to_string()), want);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let left = ClassNames::new((0..30).map(|i| format!("n{i}")));
        let text = ClassMismatch::between(&left, &ClassNames::new(["x"])).unwrap_err().to_string();
        assert!(text.contains("`n7` and 22 more; only in the second: `x`"), "{text}");
    }
}
