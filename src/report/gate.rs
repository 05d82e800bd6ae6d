//! Results against those of an earlier report: the gate that a change has to pass.
//!
//! A number passes if it lies inside of the interval that the baseline gives. Where the baseline
//! has none (one measurement, or seeds that all agreed), it passes within a relative tolerance,
//! which is a convention and no statistics. Differences that the table does not print pass always:
//! another processor rounds otherwise, and a distance of 0 is some 1e-14.

use std::fmt;

use serde::Deserialize;

use super::table::{Cell, Column, Estimate, Table, Unit};
use crate::terms::Direction;

/// The tables of an earlier report: its `table.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Baseline {
    /// The name of the experiment.
    pub experiment: String,
    /// The profile.
    pub profile: String,
    tables: Vec<Table>,
}

impl Baseline {
    /// Reads a `table.json`.
    ///
    /// # Errors
    /// If it is none; says where and why in a lower-case fragment.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }

    /// Compares every measured number of the baseline with the one that stands in its place now.
    /// `tolerance` is relative, and serves where the baseline has no interval.
    pub fn compare(&self, now: &[Table], tolerance: f64) -> Gate {
        let mut gate = Gate { compared: 0, failures: Vec::new() };
        for before in &self.tables {
            let table = now.iter().find(|table| table.name == before.name);
            for row in &before.rows {
                let cells = table
                    .and_then(|table| table.rows.iter().find(|r| r.labels == row.labels))
                    .map_or(&[][..], |row| &row.cells);
                for (column, cell) in before.columns.iter().zip(&row.cells) {
                    let Some(was) = cell.measured() else { continue };
                    let same =
                        |table: &Table| table.columns.iter().position(|c| c.name == column.name);
                    let is =
                        table.and_then(same).and_then(|i| cells.get(i)).and_then(Cell::measured);
                    gate.compared += 1;
                    if let Some(verdict) = judge(was, is, column, tolerance) {
                        let place = format!("{}, {}", row.labels.join(" "), column.name);
                        let table = before.name.clone();
                        gate.failures.push(Miss { table, place, unit: column.unit, verdict });
                    }
                }
            }
        }
        gate
    }
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// How many numbers the baseline has.
    pub compared: usize,
    /// Those that did not pass, in the order of the baseline.
    pub failures: Vec<Miss>,
}

impl Gate {
    /// Returns whether every number passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A number that did not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// The table it stands in.
    pub table: String,
    /// Its row and column.
    pub place: String,
    /// How it is printed.
    pub unit: Unit,
    /// Why it did not pass.
    pub verdict: Verdict,
}

/// Why a number did not pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is not there any more.
    Gone,
    /// It was measured in another way, so that the two cannot be compared.
    OtherProtocol {
        /// The protocol of the baseline.
        was: String,
        /// The protocol now.
        is: String,
    },
    /// It lies outside of what the baseline allows.
    Outside {
        /// The mean now.
        is: f64,
        /// The lowest value that passes.
        low: f64,
        /// The highest value that passes.
        high: f64,
        /// Whether it moved the right way; `None` where neither way is better.
        better: Option<bool>,
    },
}

/// Returns why a number does not pass, `None` if it does.
fn judge(
    was: &Estimate,
    is: Option<&Estimate>,
    column: &Column,
    tolerance: f64,
) -> Option<Verdict> {
    let Some(is) = is else { return Some(Verdict::Gone) };
    if was.protocol != is.protocol {
        let text = |estimate: &Estimate| {
            estimate.protocol.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        return Some(Verdict::OtherProtocol { was: text(was), is: text(is) });
    }
    let (low, high) = allowed(was, column, tolerance);
    if (low..=high).contains(&is.mean) {
        return None;
    }
    let better = column.direction.map(|direction| match direction {
        Direction::Higher => is.mean > high,
        Direction::Lower => is.mean < low,
    });
    Some(Verdict::Outside { is: is.mean, low, high, better })
}

fn allowed(was: &Estimate, column: &Column, tolerance: f64) -> (f64, f64) {
    let (low, high) = match was.interval() {
        Some((low, high)) if high > low => (low, high),
        _ => {
            let room = was.mean.abs() * tolerance;
            (was.mean - room, was.mean + room)
        }
    };
    // Half of the last printed digit.
    let unseen = 0.5 * 10_f64.powi(-(column.decimals as i32)) / column.unit.factor();
    (low.min(was.mean - unseen), high.max(was.mean + unseen))
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, place, unit, verdict } = self;
        write!(f, "{table}: {place}: ")?;
        match verdict {
            Verdict::Gone => f.write_str("in the baseline, and not in the results"),
            Verdict::OtherProtocol { was, is } => {
                write!(f, "measured as {is}, the baseline as {was}: they cannot be compared")
            }
            Verdict::Outside { is, low, high, better } => {
                let number = |value: f64| value * unit.factor();
                let (is, low, high) = (number(*is), number(*low), number(*high));
                let sense = match better {
                    Some(true) => " (better: renew the baseline if that is meant)",
                    Some(false) => " (worse)",
                    None => "",
                };
                write!(f, "{is:.4} lies outside of [{low:.4}, {high:.4}]{sense}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::terms::Protocol;

    fn column(direction: Option<Direction>) -> Column {
        Column { name: "fid".into(), unit: Unit::Plain, direction, decimals: 2 }
    }

    fn baseline() -> Baseline {
        let files = sample::document().files();
        let (_, json) = files.iter().find(|(name, _)| name == "table.json").unwrap();
        Baseline::read(json).unwrap()
    }

    /// Changes the first measured number of the tables, and returns what the gate says.
    fn after(change: impl Fn(&mut Estimate)) -> Vec<String> {
        let mut tables = sample::document().tables;
        for cell in tables.iter_mut().flat_map(|t| &mut t.rows).flat_map(|row| &mut row.cells) {
            if let Cell::Estimate(estimate) = cell {
                change(estimate);
                break;
            }
        }
        let gate = baseline().compare(&tables, 0.1);
        assert!(gate.compared > 5);
        gate.failures.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_report_wrote_passes() {
        assert_eq!(baseline().experiment, sample::document().experiment);
        assert_eq!(after(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn the_interval_of_the_baseline_decides() {
        let inside = after(|e| e.mean = e.high.unwrap());
        assert_eq!(inside, Vec::<String>::new());
        let above = after(|e| e.mean = e.high.unwrap() + 1e-3);
        assert_eq!(above.len(), 1);
        assert!(above[0].ends_with("(better: renew the baseline if that is meant)"), "{above:?}");
        let below = after(|e| e.mean = e.low.unwrap() - 0.01);
        assert!(below[0].ends_with("(worse)"), "{below:?}");
    }

    #[test]
    fn without_an_interval_the_tolerance_decides() {
        let was = Estimate::single(20.0);
        let lower = column(Some(Direction::Lower));
        let at = |mean| judge(&was, Some(&Estimate::single(mean)), &lower, 0.1);
        assert_eq!((at(18.0), at(22.0)), (None, None));
        assert!(matches!(at(17.9), Some(Verdict::Outside { better: Some(true), .. })));
        assert!(matches!(at(22.1), Some(Verdict::Outside { better: Some(false), .. })));
        let agreed = Estimate { low: Some(20.0), high: Some(20.0), n: 3, ..was.clone() };
        assert_eq!(judge(&agreed, Some(&Estimate::single(21.0)), &column(None), 0.1), None);
    }

    #[test]
    fn what_is_not_printed_decides_nothing() {
        let zero = Estimate { low: Some(-4e-14), high: Some(-4e-14), ..Estimate::single(-4e-14) };
        let plain = column(Some(Direction::Lower));
        let at = |mean| judge(&zero, Some(&Estimate::single(mean)), &plain, 0.25);
        assert_eq!((at(0.0), at(3e-13), at(0.004)), (None, None, None));
        assert!(at(0.006).is_some());
        // A share is printed times 100: two decimals are 0.00005 of it.
        let percent = Column { unit: Unit::Percent, ..plain };
        assert!(judge(&zero, Some(&Estimate::single(0.004)), &percent, 0.25).is_some());
    }

    #[test]
    fn another_protocol_and_a_missing_number_do_not_pass() {
        let other = after(|e| e.protocol = Some(Protocol("accuracy[N=7]".to_owned())));
        assert!(other[0].contains("measured as accuracy[N=7], the baseline as"), "{other:?}");
        let mut tables = sample::document().tables;
        let gone = tables[0].rows.pop().unwrap();
        let gate = baseline().compare(&tables, 0.1);
        let numbers = gone.cells.iter().filter(|cell| cell.measured().is_some()).count();
        assert!(numbers > 0 && gate.failures.len() == numbers);
        assert!(gate.failures.iter().all(|miss| miss.verdict == Verdict::Gone));
    }

    #[test]
    fn what_is_no_report_is_said() {
        assert!(Baseline::read(b"{}").unwrap_err().contains("missing field"));
    }
}
