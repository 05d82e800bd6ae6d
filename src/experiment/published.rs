//! What the five papers published: the reference column that stands beside our own results.
//!
//! One file per paper under `experiments/published/`, built into the program, so that a report
//! never depends on the working folder. Numbers stand there as printed; a value that its own
//! paper contradicts is kept with a note and never repaired. [`published`] finds a table by name,
//! `azizi-2023/table3`; [`PublishedTable::value`] finds a number in it.
//!
//! Notation: per cents of the files are shares here (76.39 is 0.7639), as in every
//! [`Score`](crate::terms::Score), and so are their differences and spreads.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::terms::{Direction, Problem, nearest};

/// The files, by the name of their paper.
const FILES: [(&str, &str); 5] = [
    ("azizi-2023", include_str!("../../experiments/published/azizi-2023.toml")),
    ("zhou-2023", include_str!("../../experiments/published/zhou-2023.toml")),
    ("he-2023", include_str!("../../experiments/published/he-2023.toml")),
    ("liang-2025", include_str!("../../experiments/published/liang-2025.toml")),
    ("hyponet-2024", include_str!("../../experiments/published/hyponet-2024.toml")),
];

static PAPERS: LazyLock<IndexMap<&str, PaperFile>> = LazyLock::new(|| {
    let read = |text| toml::from_str(text).expect("the published numbers are part of the program");
    FILES.iter().map(|&(name, text)| (name, read(text))).collect()
});

/// Returns a table of published numbers by name: `azizi-2023/table3`.
///
/// # Errors
/// If there is no such paper or no such table; the problem's source is `published`, for the caller
/// to replace by the place of the name.
pub fn published(name: &str) -> Result<PublishedTable, Problem> {
    let (paper, table) = name.split_once('/').unwrap_or((name, ""));
    let Some((&paper, file)) = PAPERS.get_key_value(paper) else {
        let known = PAPERS.keys().copied();
        return Err(unknown(name, nearest(paper, known.clone()), "paper", known));
    };
    let Some((key, table)) = file.tables.get_key_value(table) else {
        let known = file.tables.keys().map(String::as_str);
        let near = nearest(table, known.clone()).map(|table| format!("{paper}/{table}"));
        return Err(unknown(name, near.as_deref(), &format!("table of `{paper}`"), known));
    };
    Ok(PublishedTable { paper, key, about: &file.paper, table })
}

fn unknown<'a>(
    name: &str,
    near: Option<&str>,
    what: &str,
    known: impl Iterator<Item = &'a str>,
) -> Problem {
    let known = known.map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    let problem = Problem::new(
        "published",
        format!("no published numbers `{name}`"),
        format!("`paper/table` with a {what}: {known}"),
    );
    problem.hint_near(near)
}

/// One table of one paper.
#[derive(Clone, Copy, Debug)]
pub struct PublishedTable {
    paper: &'static str,
    key: &'static str,
    about: &'static PublishedPaper,
    table: &'static Table,
}

/// One published number.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedValue {
    /// The number in the unit of its column; per cents and their differences as shares.
    pub value: f64,
    /// What is printed behind "±", in the same unit.
    pub spread: Option<f64>,
    /// How certain the number is, in one letter: see the head of `azizi-2023.toml`.
    pub tag: String,
}

impl PublishedTable {
    /// Returns the name that [`published`] finds this table by.
    pub fn name(&self) -> String {
        format!("{}/{}", self.paper, self.key)
    }

    /// Returns what the table is about, in a few words of ours.
    pub fn title(&self) -> &'static str {
        &self.table.title
    }

    /// Returns one sentence of ours on what stands in the table.
    pub fn caption(&self) -> &'static str {
        &self.table.caption
    }

    /// Returns where the numbers stand: work, arXiv number, place.
    pub fn source(&self) -> String {
        let Table { from, place, .. } = self.table;
        let PublishedPaper { authors, arxiv, .. } = self.about;
        match (from, arxiv) {
            (Some(from), _) => format!("{from}, {place}"),
            (None, Some(arxiv)) => format!("{authors}, arXiv {arxiv}, {place}"),
            (None, None) => format!("{authors}, {place}"),
        }
    }

    /// Returns the paper that the table belongs to.
    pub fn paper(&self) -> &'static PublishedPaper {
        self.about
    }

    /// Returns what a reader must know before comparing: ambiguities and contradictions.
    pub fn notes(&self) -> &'static [String] {
        &self.table.notes
    }

    /// Returns the columns in the order of the paper.
    pub fn columns(&self) -> &'static [PublishedColumn] {
        &self.table.columns
    }

    /// Returns the rows in the order of the paper.
    pub fn rows(&self) -> &'static [PublishedRow] {
        &self.table.rows
    }

    /// Returns the number in a row and a column, by label and key; nothing if there is no such row
    /// or column, or no number is printed there.
    pub fn value(&self, row: &str, column: &str) -> Option<PublishedValue> {
        let row = self.table.rows.iter().find(|it| it.label == row)?;
        let column = self.table.columns.iter().find(|it| it.key == column)?;
        let (value, spread, own) = match *row.cells.get(&column.key)? {
            Cell::Number(value) => (value, None, None),
            Cell::Measured(Measured { value, spread, tag }) => (value, spread, tag),
            Cell::Absent(Absent::NotPrinted) => return None,
        };
        let tag = own.or(row.tag).or(column.tag).unwrap_or(self.table.tag);
        let scale = column.unit.scale();
        Some(PublishedValue {
            value: value / scale,
            spread: spread.map(|it| it / scale),
            tag: tag.letter().to_owned(),
        })
    }
}

/// A file as written: the paper, then its tables by name.
#[derive(Debug, Deserialize)]
struct PaperFile {
    paper: PublishedPaper,
    #[serde(flatten)]
    tables: IndexMap<String, Table>,
}

/// A paper whose numbers we print.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedPaper {
    /// Who and when: `Azizi et al. 2023`.
    pub authors: String,
    /// Its title.
    pub title: String,
    /// Its number at arXiv, if it stands there.
    pub arxiv: Option<String>,
    /// Where it was published.
    pub venue: String,
    /// What holds for all of its tables.
    pub notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    title: String,
    caption: String,
    /// The work that the numbers stand in, if not the paper.
    from: Option<String>,
    /// Table, figure or text.
    place: String,
    tag: Tag,
    columns: Vec<PublishedColumn>,
    rows: Vec<PublishedRow>,
    #[serde(default)]
    notes: Vec<String>,
}

/// A column of a published table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedColumn {
    /// The key that [`PublishedTable::value`] finds the column by: `real+generated`.
    pub key: String,
    /// What a table of ours prints above it.
    pub name: String,
    /// What its numbers are counted in.
    pub unit: Unit,
    /// Which way it improves; nothing for a column that describes its rows, such as `input`.
    pub direction: Option<Direction>,
    tag: Option<Tag>,
}

/// What the numbers of a published column are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Per cent in the file, a share here.
    Percent,
    /// Difference of per cents in the file, of shares here.
    Points,
    /// A share of 1.
    Share,
    /// A ratio.
    Times,
    /// Millions of pictures or parameters.
    Millions,
    /// Side of a square picture.
    Pixels,
    /// Wall time.
    Seconds,
    /// A whole number of things.
    Count,
    /// A number without a unit, such as a Fréchet distance.
    Score,
}

impl Unit {
    /// Returns by what a printed number is divided.
    fn scale(self) -> f64 {
        match self {
            Self::Percent | Self::Points => 100.0,
            Self::Share
            | Self::Times
            | Self::Millions
            | Self::Pixels
            | Self::Seconds
            | Self::Count
            | Self::Score => 1.0,
        }
    }
}

/// A row of a published table.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedRow {
    /// The label that [`PublishedTable::value`] finds the row by: `resnet-50`.
    pub label: String,
    /// What a table of ours prints before it.
    pub name: String,
    /// What a reader must know about this row.
    pub note: Option<String>,
    tag: Option<Tag>,
    #[serde(flatten)]
    cells: IndexMap<String, Cell>,
}

/// A cell as written. Untagged, although errors lose their place by it: the files are ours, and a
/// page of numbers stays a page of numbers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Cell {
    Number(f64),
    Measured(Measured),
    Absent(Absent),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    value: f64,
    spread: Option<f64>,
    tag: Option<Tag>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Absent {
    #[serde(rename = "-")]
    NotPrinted,
}

/// How certain a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Tag {
    /// Stands in the paper, in a page image of it, or in the official code.
    C,
    /// Stands only in a review of the paper.
    S,
    /// Garbled or wrong in a review of the paper.
    G,
    /// Read off a figure by eye.
    F,
    /// Our own inference or arithmetic.
    I,
    /// General knowledge, not from the paper.
    K,
    /// Unknown.
    U,
}

impl Tag {
    fn letter(self) -> &'static str {
        match self {
            Self::C => "C",
            Self::S => "S",
            Self::G => "G",
            Self::F => "F",
            Self::I => "I",
            Self::K => "K",
            Self::U => "U",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{Tol, close};

    /// Printed numbers have two decimals: what is left of a sum of them is half of the last one.
    const HALF: f64 = 0.005 + 1e-9;

    fn table(name: &str) -> PublishedTable {
        published(name).expect("the tests name tables that exist")
    }

    /// Returns a number as its file prints it.
    fn printed(table: &PublishedTable, row: &str, column: &str) -> Option<f64> {
        let unit = table.columns().iter().find(|it| it.key == column).expect("a column").unit;
        table.value(row, column).map(|it| it.value * unit.scale())
    }

    fn all() -> impl Iterator<Item = PublishedTable> {
        PAPERS.iter().flat_map(|(paper, file)| {
            file.tables.keys().map(move |key| table(&format!("{paper}/{key}")))
        })
    }

    #[test]
    fn every_table_is_whole() {
        assert_eq!(PAPERS.len(), FILES.len());
        for table in all() {
            let name = table.name();
            let keys: BTreeSet<&str> = table.columns().iter().map(|it| it.key.as_str()).collect();
            assert_eq!(keys.len(), table.columns().len(), "{name}: a column twice");
            let labels: BTreeSet<&str> = table.rows().iter().map(|it| it.label.as_str()).collect();
            assert_eq!(labels.len(), table.rows().len(), "{name}: a row twice");
            assert!(!keys.is_empty() && !labels.is_empty(), "{name}: empty");
            for row in table.rows() {
                let cells: BTreeSet<&str> = row.cells.keys().map(String::as_str).collect();
                assert_eq!(cells, keys, "{name}: row `{}`", row.label);
            }
            for key in keys {
                let any = labels.iter().any(|label| table.value(label, key).is_some());
                assert!(any, "{name}: no number in column `{key}`");
            }
            let words = [table.title(), table.caption()];
            let notes = table.notes().iter().map(String::as_str);
            assert!(words.into_iter().chain(notes).all(|it| !it.is_empty()), "{name}: no words");
        }
    }

    #[test]
    fn what_no_file_may_say_is_refused() {
        let file = |column: &str, cell: &str| {
            let text = format!(
                "[paper]\nauthors = 'A'\ntitle = 'B'\nvenue = 'C'\nnotes = []\n\
                 [t]\ntitle = 'T'\ncaption = 'U'\nplace = 'V'\ntag = 'C'\n\
                 columns = [{{ key = 'x', name = 'X', {column} }}]\n\
                 rows = [{{ label = 'a', name = 'A', x = {cell} }}]\n"
            );
            toml::from_str::<PaperFile>(&text)
        };
        assert!(file("unit = 'percent'", "{ value = 1, spread = 0.5, tag = 'F' }").is_ok());
        assert!(file("unit = 'percent'", "'-'").is_ok());
        for (column, cell) in [
            ("unit = 'percent'", "'none'"),
            ("unit = 'percent'", "{ value = 1, sprad = 0.5 }"),
            ("unit = 'percent'", "{ value = 1, tag = 'X' }"),
            ("unit = 'percent', tag = 'c'", "1"),
            ("unit = 'permille'", "1"),
            ("unit = 'percent', colour = 'red'", "1"),
        ] {
            assert!(file(column, cell).is_err(), "{column}; {cell}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_papers() {
        for (name, row, column, value, spread, tag) in [
            ("azizi-2023/table1", "ours-256", "fid-train", 1.76, None, "C"),
            ("azizi-2023/table1", "ours-256", "inception-score", 239.18, Some(1.14), "C"),
            ("azizi-2023/table2", "ours-1024", "top1", 0.6924, None, "C"),
            ("azizi-2023/table3", "resnet-50", "real+generated", 0.7817, None, "C"),
            ("azizi-2023/table3", "deit-b", "difference", 0.0104, None, "C"),
            ("azizi-2023/table3", "deit-b-384", "input", 384.0, None, "C"),
            ("azizi-2023/table4", "2.4m", "1024px", 0.7812, Some(0.0005), "C"),
            ("azizi-2023/table4", "12.0m", "1024px-difference", -0.0269, None, "C"),
            ("azizi-2023/figure6", "0m", "top1", 0.686, None, "F"),
            ("zhou-2023/quality", "inversion", "cifar-100", 0.791, None, "S"),
            ("zhou-2023/quality", "inversion-elsewhere", "cifar-100", 0.744, None, "G"),
            ("zhou-2023/table2", "inversion", "coverage", 0.787, None, "S"),
            ("he-2023/table1", "eurosat", "rn50+syn", 0.5537, None, "C"),
            ("he-2023/table1", "recomputed-average", "rn50", 0.5526, None, "I"),
            ("liang-2025/table1", "ce+discl-d2s", "few", 0.2364, None, "C"),
            ("liang-2025/table1", "ce+discl-d2s", "recomputed", 0.3995, None, "I"),
            ("liang-2025/table4", "discl-adaptive", "id", 0.543, Some(0.014), "C"),
            ("hyponet-2024/table5-9", "sd-1.5-hyponet", "average", 0.7105, None, "C"),
            ("hyponet-2024/table5-11-12", "sdxl-hyponet", "fid", 24.91, None, "C"),
        ] {
            let got = table(name).value(row, column).expect("a number is printed");
            // Division by 100 rounds once.
            close(got.value, value, Tol::relative(1e-15));
            assert_eq!(got.spread.is_some(), spread.is_some(), "{name} {row} {column}");
            close(got.spread.unwrap_or(0.0), spread.unwrap_or(0.0), Tol::relative(1e-15));
            assert_eq!(got.tag, tag, "{name} {row} {column}");
        }
        let table3 = table("azizi-2023/table3");
        assert_eq!(table3.rows().len(), 12);
        assert_eq!(table3.source(), "Azizi et al. 2023, arXiv 2304.08466, Table 3");
        assert_eq!(table3.columns()[2].direction, Some(Direction::Higher));
        assert_eq!(table("hyponet-2024/table5-9").source(), "Yu Tae Yeong 2024, Table 5-9");
        let cas = "Ravuri & Vinyals 2019, arXiv 1905.10887, accuracy tables";
        assert_eq!(table("azizi-2023/cas-imagenet").source(), cas);
    }

    #[test]
    fn what_is_not_printed_is_no_number() {
        let table1 = table("azizi-2023/table1");
        assert_eq!(table1.value("sr3-256", "fid-val"), None);
        assert_eq!(table1.value("sr4-256", "fid-val"), None);
        assert_eq!(table1.value("sr3-256", "fid-test"), None);
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        let says = |name| published(name).expect_err("there is no such table").to_string();
        assert!(says("azizi-2032/table3").ends_with("did you mean `azizi-2023`?"));
        assert!(says("azizi-2023/tabel3").ends_with("did you mean `azizi-2023/table3`?"));
        assert!(says("he-2023").contains("a table of `he-2023`: `table1`, "));
        assert!(!says("nobody-1999/table3").contains("did you mean"));
    }

    /// Asserts that in every row `whole` is the weighted sum of `parts` but for rounding (`half` of
    /// the last digit), except in the rows `but`, in which it must not be.
    fn adds_up(name: &str, whole: &str, parts: &[(f64, &str)], half: f64, but: &[&str]) {
        let table = table(name);
        let mut rows = 0;
        for row in table.rows() {
            let number = |column| printed(&table, &row.label, column);
            let sum = parts.iter().map(|&(weight, part)| Some(weight * number(part)?)).sum();
            let (Some(whole), Some(sum)) = (number(whole), sum) else { continue };
            let sum: f64 = sum;
            let holds = (whole - sum).abs() <= half;
            let label = row.label.as_str();
            assert_eq!(holds, !but.contains(&label), "{name} {label}: {whole} against {sum}");
            rows += 1;
        }
        assert!(rows > but.len(), "{name}: nothing to check");
    }

    #[test]
    fn differences_within_a_row_are_differences() {
        let gain = [(1.0, "real+generated"), (-1.0, "real")];
        // Prints +1.04 for 82.84 - 81.79; its own Figure 1 prints +1.05.
        adds_up("azizi-2023/table3", "difference", &gain, HALF, &["deit-b"]);
        let gain = [(1.0, "generated"), (-1.0, "real")];
        adds_up("zhou-2023/full-data", "difference", &gain, HALF, &[]);
    }

    #[test]
    fn differences_to_the_first_row_are_differences() {
        let table4 = table("azizi-2023/table4");
        for size in ["256px", "1024px"] {
            let real = printed(&table4, "1.2m", size).expect("the row of real pictures");
            for row in table4.rows() {
                let number = |column: &str| printed(&table4, &row.label, column);
                let gain = number(&format!("{size}-difference")).expect("a number");
                let mean = number(size).expect("a number");
                close(gain, mean - real, Tol::absolute(HALF));
            }
        }
    }

    #[test]
    fn headlines_are_differences_of_their_tables() {
        let cell = |at: &str| {
            let mut parts = at.split(' ');
            let mut next = || parts.next().expect("table, row and column");
            printed(&table(next()), next(), next()).expect("a number is printed")
        };
        for (gain, after, before, holds) in [
            ("he-2023 rn50-average", "table1 average rn50+syn", "table1 average rn50", false),
            (
                "he-2023 rn50-average",
                "table1 recomputed-average rn50+syn",
                "table1 recomputed-average rn50",
                true,
            ),
            (
                "he-2023 vit-b-16-average",
                "table1 average vit-b-16+syn",
                "table1 average vit-b-16",
                true,
            ),
            ("he-2023 rn50-eurosat", "table1 eurosat rn50+syn", "table1 eurosat rn50", true),
            (
                "he-2023 rn50-simple",
                "table-a15 average simple+syn",
                "table-a15 average simple",
                true,
            ),
            (
                "he-2023 rn50-ensemble",
                "table-a15 average ensemble+syn",
                "table-a15 average ensemble",
                false,
            ),
            (
                "he-2023 rn50-ensemble-recomputed",
                "table-a15 recomputed-average ensemble+syn",
                "table-a15 average ensemble",
                true,
            ),
            ("liang-2025 iwildcam-ood", "table4 discl-adaptive ood", "table4 flyp ood", true),
            ("liang-2025 iwildcam-id", "table4 discl-adaptive id", "table4 flyp id", true),
            ("liang-2025 iwildcam-ood-alia", "table4 discl-adaptive ood", "table4 alia ood", true),
            ("liang-2025 iwildcam-id-alia", "table4 discl-adaptive id", "table4 alia id", true),
            ("liang-2025 few-ce", "table1 ce+discl-d2s few", "table1 ce few", true),
            ("liang-2025 few-cuda", "table1 ce+discl-d2s few", "table1 ce+cuda few", true),
            ("liang-2025 bs-many", "table1 bs+discl many", "table1 bs+cuda many", true),
            ("liang-2025 bs-few", "table1 bs+discl few", "table1 bs+cuda few", true),
            ("liang-2025 bs-overall", "table1 bs+discl overall", "table1 bs+cuda overall", true),
        ] {
            let (paper, row) = gain.split_once(' ').expect("paper and row");
            let want = cell(&format!("{paper}/gains {row} difference"));
            let got = cell(&format!("{paper}/{after}")) - cell(&format!("{paper}/{before}"));
            assert_eq!((got - want).abs() <= HALF, holds, "{gain}: {want} against {got}");
        }
    }

    #[test]
    fn averages_are_means_of_their_columns() {
        // The exceptions are the averages that the paper prints wrong.
        for (name, label, wrong) in [
            ("he-2023/table1", "average", &["rn50", "rn50+syn"][..]),
            ("he-2023/table1", "recomputed-average", &[]),
            ("he-2023/table-a15", "average", &["ensemble+syn"]),
            ("he-2023/table-a15", "recomputed-average", &[]),
        ] {
            let table = table(name);
            for column in table.columns() {
                let number = |label: &str| printed(&table, label, &column.key);
                let Some(average) = number(label) else { continue };
                let sets = table.rows().iter().filter(|it| !it.label.ends_with("average"));
                let numbers: Vec<f64> = sets.filter_map(|it| number(&it.label)).collect();
                let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
                let holds = (average - mean).abs() <= HALF;
                let key = column.key.as_str();
                assert_eq!(holds, !wrong.contains(&key), "{name} {key}: {average} against {mean}");
            }
        }
        let third = 1.0 / 3.0;
        let sets = [(third, "cifar-10"), (third, "imagenet"), (third, "stl-10")];
        adds_up("hyponet-2024/table5-9", "average", &sets, HALF, &[]);
    }

    #[test]
    fn recomputed_overalls_are_weighted_by_classes() {
        let weighted = |name: &str, prefix: &str, classes: [f64; 3], half: f64| {
            let total: f64 = classes.iter().sum();
            let names = ["many", "medium", "few"].map(|it| format!("{prefix}{it}"));
            let parts: Vec<(f64, &str)> =
                classes.iter().zip(&names).map(|(n, it)| (n / total, it.as_str())).collect();
            adds_up(name, &format!("{prefix}recomputed"), &parts, half, &[]);
        };
        weighted("liang-2025/table1", "", [391.0, 473.0, 136.0], HALF);
        weighted("liang-2025/table2", "ir100-", [35.0, 35.0, 30.0], HALF);
        weighted("liang-2025/table2", "ir50-", [41.0, 41.0, 18.0], HALF);
        weighted("liang-2025/table7", "ir50-", [41.0, 41.0, 18.0], 0.05); // One decimal.
    }

    #[test]
    fn generation_statistics_are_ratios_and_products() {
        let table5 = table("liang-2025/table5");
        for row in table5.rows() {
            let number = |column| printed(&table5, &row.label, column).expect("a number");
            let share = 100.0 * number("kept") / number("generated");
            close(number("acceptance"), share, Tol::absolute(HALF));
            let product = number("hard-samples") * number("guidance-scales") * number("seeds");
            close(number("product"), product, Tol::absolute(0.0));
        }
    }
}
