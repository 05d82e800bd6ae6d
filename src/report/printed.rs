//! What a table says before it is dressed: rounded numbers, best and second best, notes, warnings.
//!
//! Every format prints this and nothing else, so no two of them can disagree.

use std::collections::{BTreeMap, BTreeSet};

use super::figure::mixed;
use super::table::{Cell, Column, Estimate, Published, Table, heading};
use crate::terms::{Direction, Protocol};

/// What the certainty tags of published numbers mean.
const TAGS: [(&str, &str); 9] = [
    ("C", "verified in the paper's text, a page image or the official code"),
    ("S", "from a review of the paper only"),
    ("R", "from a second review of the paper"),
    ("S+R", "two reviews of the paper agree"),
    ("F", "read off a figure by eye"),
    ("I", "our own inference or arithmetic"),
    ("K", "general knowledge of the data set, not from the paper"),
    ("G", "contradicted by the paper itself or by another source"),
    ("U", "stands in no source available to us"),
];

/// The place of a measured number in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    None,
    Best,
    Second,
}

/// A number, rounded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    /// The value, with an ASCII minus if it is negative.
    pub(super) value: String,
    /// The ends of the interval.
    pub(super) interval: Option<(String, String)>,
    /// What stands behind `±`.
    pub(super) spread: Option<String>,
    /// How many measurements, where the cells of the column differ in it.
    pub(super) n: Option<usize>,
    /// The certainty tag of a published number.
    pub(super) tag: Option<String>,
    pub(super) rank: Rank,
}

/// A cell, rounded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    Empty,
    Text(String),
    Number(Number),
}

/// A table, rounded.
pub(super) struct Printed {
    /// Label columns, then value columns.
    pub(super) headings: Vec<String>,
    /// How many of the headings belong to label columns.
    pub(super) label_columns: usize,
    /// Whether each of the columns holds numbers, and so is set to the right.
    pub(super) numeric: Vec<bool>,
    pub(super) rows: Vec<PrintedRow>,
    /// Sentences for under the table, without a final stop.
    pub(super) notes: Vec<String>,
    /// The protocols, each with the headings of its columns.
    pub(super) protocols: Vec<(String, String)>,
    /// What must be read before numbers are compared.
    pub(super) warnings: Vec<String>,
}

pub(super) struct PrintedRow {
    pub(super) labels: Vec<String>,
    pub(super) entries: Vec<Entry>,
    /// Whether the first of several labels differs from the row above: here a group starts.
    pub(super) starts_group: bool,
}

impl Printed {
    /// # Panics
    /// If a row has not one label for each label column and one cell for each column.
    pub(super) fn new(table: &Table) -> Self {
        for row in &table.rows {
            assert_eq!(row.labels.len(), table.row_labels.len(), "one label per label column");
            assert_eq!(row.cells.len(), table.columns.len(), "one cell per column");
        }
        let columns: Vec<Vec<Entry>> =
            (0..table.columns.len()).map(|i| print_column(table, i)).collect();
        let rows = table.rows.iter().enumerate().map(|(i, row)| PrintedRow {
            labels: row.labels.clone(),
            entries: columns.iter().map(|column| column[i].clone()).collect(),
            starts_group: i > 0
                && row.labels.len() > 1
                && row.labels.first() != table.rows[i - 1].labels.first(),
        });
        let numeric = |column: &Vec<Entry>| column.iter().any(|e| matches!(e, Entry::Number(_)));
        let numeric = table.row_labels.iter().map(|_| false).chain(columns.iter().map(numeric));
        let numeric: Vec<bool> = numeric.collect();
        let values = table.columns.iter().map(|c| heading(&c.name, c.unit, c.direction));
        Self {
            headings: table.row_labels.iter().cloned().chain(values).collect(),
            label_columns: table.row_labels.len(),
            numeric,
            rows: rows.collect(),
            notes: notes(table, &columns),
            protocols: protocol_notes(table),
            warnings: warnings(table),
        }
    }
}

/// Returns a number rounded to `decimals`, never `-0.00`.
pub(super) fn round(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "n/a".to_owned() } else { format!("{value}") };
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|c| c == '0' || c == '.') => zero.to_owned(),
        _ => text,
    }
}

fn signed(text: String) -> String {
    let zero = text.chars().all(|c| c == '0' || c == '.');
    if zero || text.starts_with('-') || text.starts_with('n') { text } else { format!("+{text}") }
}

fn print_column(table: &Table, index: usize) -> Vec<Entry> {
    let column = &table.columns[index];
    let cells: Vec<&Cell> = table.rows.iter().map(|row| &row.cells[index]).collect();
    let shows_n = measured_counts(&cells).len() > 1;
    let mut entries: Vec<Entry> = cells.iter().map(|c| print_cell(column, c, shows_n)).collect();
    // Numbers that are not comparable have no best among them.
    if protocols(&cells).len() < 2 {
        rank(column, &cells, &mut entries);
    }
    entries
}

fn print_cell(column: &Column, cell: &Cell, shows_n: bool) -> Entry {
    match cell {
        Cell::Empty => Entry::Empty,
        Cell::Text(text) => Entry::Text(text.clone()),
        Cell::Estimate(estimate) => measured(column, estimate, shows_n, |text| text),
        Cell::Difference(estimate) => measured(column, estimate, shows_n, signed),
        Cell::Published(Published { value, spread, tag }) => {
            let print = |x: f64| round(x * column.unit.factor(), column.decimals);
            Entry::Number(Number {
                value: print(*value),
                interval: None,
                spread: spread.map(print),
                n: None,
                tag: Some(tag.clone()),
                rank: Rank::None,
            })
        }
    }
}

fn measured(
    column: &Column,
    estimate: &Estimate,
    shows_n: bool,
    sign: fn(String) -> String,
) -> Entry {
    let print = |x: f64| round(x * column.unit.factor(), column.decimals);
    let interval = estimate.interval();
    Entry::Number(Number {
        value: sign(print(estimate.mean)),
        interval: interval.map(|(low, high)| (sign(print(low)), sign(print(high)))),
        spread: estimate.sd.filter(|_| interval.is_none()).map(print),
        n: shows_n.then_some(estimate.n),
        tag: None,
        rank: Rank::None,
    })
}

/// Marks best and second best. Numbers that print alike rank alike; a column with nothing to
/// choose from has no best.
fn rank(column: &Column, cells: &[&Cell], entries: &mut [Entry]) {
    let Some(direction) = column.direction else { return };
    let mut candidates: Vec<(f64, usize)> = Vec::new();
    for (i, cell) in cells.iter().enumerate() {
        if let Cell::Estimate(estimate) = cell
            && estimate.mean.is_finite()
        {
            candidates.push((estimate.mean, i));
        }
    }
    candidates.sort_by(|a, b| match direction {
        Direction::Higher => b.0.total_cmp(&a.0),
        Direction::Lower => a.0.total_cmp(&b.0),
    });
    let mut places: Vec<String> = Vec::new();
    for (_, i) in &candidates {
        if let Entry::Number(number) = &entries[*i]
            && !places.contains(&number.value)
        {
            places.push(number.value.clone());
        }
    }
    if places.len() < 2 {
        return;
    }
    for (_, i) in candidates {
        let Entry::Number(number) = &mut entries[i] else { continue };
        number.rank = match places.iter().position(|place| *place == number.value) {
            Some(0) => Rank::Best,
            // Of two numbers the other one is no news.
            Some(1) if places.len() > 2 => Rank::Second,
            _ => Rank::None,
        };
    }
}

fn measured_counts(cells: &[&Cell]) -> BTreeSet<usize> {
    cells.iter().filter_map(|cell| cell.measured()).map(|estimate| estimate.n).collect()
}

fn protocols<'a>(cells: &[&'a Cell]) -> BTreeSet<&'a Protocol> {
    cells.iter().filter_map(|cell| cell.measured()?.protocol.as_ref()).collect()
}

fn column_cells(table: &Table, index: usize) -> Vec<&Cell> {
    table.rows.iter().map(|row| &row.cells[index]).collect()
}

fn warnings(table: &Table) -> Vec<String> {
    let mut warnings = Vec::new();
    for (i, column) in table.columns.iter().enumerate() {
        let protocols = protocols(&column_cells(table, i));
        if protocols.len() > 1 {
            warnings.push(mixed(&column.name, &protocols));
        }
    }
    warnings
}

fn protocol_notes(table: &Table) -> Vec<(String, String)> {
    let mut columns_of: BTreeMap<&Protocol, Vec<&str>> = BTreeMap::new();
    for (i, column) in table.columns.iter().enumerate() {
        for protocol in protocols(&column_cells(table, i)) {
            columns_of.entry(protocol).or_default().push(&column.name);
        }
    }
    columns_of.into_iter().map(|(p, names)| (names.join(", "), p.to_string())).collect()
}

fn notes(table: &Table, printed: &[Vec<Entry>]) -> Vec<String> {
    let numbers = || {
        printed.iter().flatten().filter_map(|entry| match entry {
            Entry::Number(number) => Some(number),
            Entry::Empty | Entry::Text(_) => None,
        })
    };
    let mut notes = Vec::new();
    if numbers().any(|number| number.interval.is_some()) && !table.interval.is_empty() {
        notes.push(format!("Mean and [{}]", table.interval));
    }
    if numbers().any(|number| number.spread.is_some() && number.tag.is_none()) {
        notes.push("± is the standard deviation".to_owned());
    }
    notes.extend(count_note(table));
    match (
        numbers().any(|number| number.rank == Rank::Best),
        numbers().any(|number| number.rank == Rank::Second),
    ) {
        (true, true) => notes.push("Bold: best of a column; underlined: second best".to_owned()),
        (true, false) => notes.push("Bold: best of a column".to_owned()),
        _ => {}
    }
    let tags: BTreeSet<&str> = numbers().filter_map(|number| number.tag.as_deref()).collect();
    if !tags.is_empty() {
        let meaning = |tag: &&str| {
            let known = TAGS.iter().find(|(known, _)| known == tag);
            format!("{tag} = {}", known.map_or("tag of its data file", |(_, meaning)| *meaning))
        };
        let meanings: Vec<_> = tags.iter().map(meaning).collect();
        notes.push(format!("Published numbers carry a tag: {}", meanings.join("; ")));
    }
    notes
}

/// Says how many measurements there are behind each mean, unless every cell says so itself.
fn count_note(table: &Table) -> Option<String> {
    let uniform: Vec<(&str, usize)> = (0..table.columns.len())
        .filter_map(|i| {
            let counts = measured_counts(&column_cells(table, i));
            let n = counts.first().filter(|_| counts.len() == 1)?;
            Some((table.columns[i].name.as_str(), *n))
        })
        .collect();
    let (_, first) = uniform.first()?;
    let measured_columns = (0..table.columns.len())
        .filter(|i| !measured_counts(&column_cells(table, *i)).is_empty())
        .count();
    if uniform.len() == measured_columns && uniform.iter().all(|(_, n)| n == first) {
        return Some(format!("n = {first}"));
    }
    let mut names_of: Vec<(usize, Vec<&str>)> = Vec::new();
    for (name, n) in &uniform {
        match names_of.iter_mut().find(|(known, _)| known == n) {
            Some((_, names)) => names.push(name),
            None => names_of.push((*n, vec![name])),
        }
    }
    let each: Vec<_> =
        names_of.iter().map(|(n, names)| format!("{n} ({})", names.join(", "))).collect();
    Some(format!("n = {}", each.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Row, Unit};

    fn table(direction: Option<Direction>, cells: Vec<Cell>) -> Table {
        let column = Column { name: "fid".into(), unit: Unit::Plain, direction, decimals: 1 };
        Table {
            name: "t".into(),
            caption: String::new(),
            interval: String::new(),
            row_labels: vec![],
            columns: vec![column],
            rows: cells.into_iter().map(|cell| Row { labels: vec![], cells: vec![cell] }).collect(),
        }
    }

    fn ranks(direction: Option<Direction>, cells: Vec<Cell>) -> Vec<Rank> {
        let printed = Printed::new(&table(direction, cells));
        let rank = |row: &PrintedRow| match &row.entries[0] {
            Entry::Number(number) => number.rank,
            _ => Rank::None,
        };
        printed.rows.iter().map(rank).collect()
    }

    fn of(means: &[f64]) -> Vec<Cell> {
        means.iter().map(|mean| Cell::Estimate(Estimate::single(*mean))).collect()
    }

    #[test]
    fn best_and_second_follow_the_direction() {
        use Rank::{Best, None as No, Second};
        let rows: [(Option<Direction>, Vec<Cell>, Vec<Rank>); 7] = [
            (Some(Direction::Higher), of(&[1.0, 3.0, 2.0]), vec![No, Best, Second]),
            (Some(Direction::Lower), of(&[1.0, 3.0, 2.0]), vec![Best, No, Second]),
            (None, of(&[1.0, 3.0, 2.0]), vec![No; 3]),
            // Numbers that print alike rank alike.
            (Some(Direction::Higher), of(&[3.01, 2.99, 2.0, 1.0]), vec![Best, Best, Second, No]),
            (Some(Direction::Higher), of(&[2.0, 2.0]), vec![No; 2]),
            (Some(Direction::Higher), of(&[1.0, 2.0]), vec![No, Best]),
            (Some(Direction::Higher), of(&[f64::NAN, 2.0, 1.0]), vec![No, Best, No]),
        ];
        for (direction, cells, want) in rows {
            assert_eq!(ranks(direction, cells.clone()), want, "{direction:?} {cells:?}");
        }
    }

    #[test]
    fn only_estimates_compete() {
        let mut cells = of(&[1.0, 2.0, 3.0]);
        cells.push(Cell::Difference(Estimate::single(9.0)));
        cells.push(Cell::Published(Published { value: 9.0, spread: None, tag: "C".into() }));
        let got = ranks(Some(Direction::Higher), cells);
        assert_eq!(got, [Rank::None, Rank::Second, Rank::Best, Rank::None, Rank::None]);
    }

    #[test]
    fn different_protocols_warn_and_have_no_best() {
        let with = |mean: f64, protocol: &str| {
            let protocol = Some(Protocol(protocol.into()));
            Cell::Estimate(Estimate { protocol, ..Estimate::single(mean) })
        };
        let mixed = vec![with(1.0, "fid[N=100]"), with(2.0, "fid[N=50]"), with(3.0, "fid[N=50]")];
        let printed = Printed::new(&table(Some(Direction::Lower), mixed.clone()));
        assert_eq!(printed.warnings.len(), 1);
        assert!(printed.warnings[0].contains("fid[N=100] | fid[N=50]"));
        assert_eq!(ranks(Some(Direction::Lower), mixed), [Rank::None; 3]);
        let same = vec![with(1.0, "fid[N=50]"), with(2.0, "fid[N=50]")];
        let printed = Printed::new(&table(Some(Direction::Lower), same));
        assert!(printed.warnings.is_empty());
        assert_eq!(printed.protocols, [("fid".to_owned(), "fid[N=50]".to_owned())]);
    }

    #[test]
    fn counts_stand_where_they_differ() {
        let n = |n: usize| Cell::Estimate(Estimate { n, ..Estimate::single(1.0) });
        let same = Printed::new(&table(None, vec![n(5), n(5), Cell::Empty]));
        assert_eq!(same.notes, ["n = 5"]);
        let different = Printed::new(&table(None, vec![n(5), n(3)]));
        assert!(different.notes.is_empty());
        let Entry::Number(number) = &different.rows[1].entries[0] else { panic!("a number") };
        assert_eq!(number.n, Some(3));
    }

    #[test]
    fn rounding_never_prints_minus_zero() {
        let rows = [
            (-0.004, 2, "0.00"),
            (-0.006, 2, "-0.01"),
            (0.125, 1, "0.1"),
            (76.0, 0, "76"),
            (f64::NAN, 2, "n/a"),
            (f64::INFINITY, 2, "inf"),
        ];
        for (value, decimals, want) in rows {
            assert_eq!(round(value, decimals), want);
        }
        let rows = [("0.00", "0.00"), ("1.5", "+1.5"), ("-1.5", "-1.5"), ("n/a", "n/a")];
        for (text, want) in rows {
            assert_eq!(signed(text.to_owned()), want);
        }
    }
}
