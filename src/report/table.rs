//! What a table shows: rows of cells under columns that know their unit and direction.

use serde::{Deserialize, Serialize};

use super::printed::Printed;
use crate::terms::{Direction, Protocol};

/// How the numbers of a column or an axis are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// As they are.
    #[default]
    Plain,
    /// Shares in 0..=1, printed times 100.
    Percent,
    /// Differences of shares, printed times 100, in percentage points.
    Points,
}

impl Unit {
    /// Returns what a number is multiplied by when it is printed.
    pub(super) fn factor(self) -> f64 {
        match self {
            Self::Plain => 1.0,
            Self::Percent | Self::Points => 100.0,
        }
    }

    /// Returns the unit as it stands in a heading.
    pub(super) fn label(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Percent => Some("%"),
            Self::Points => Some("points"),
        }
    }
}

/// A name with its unit and an arrow that says which way is better, as in `FID ↓` or `top-1 (%) ↑`.
pub(super) fn heading(name: &str, unit: Unit, direction: Option<Direction>) -> String {
    let unit = unit.label().map(|unit| format!(" ({unit})")).unwrap_or_default();
    let arrow = match direction {
        Some(Direction::Higher) => " ↑",
        Some(Direction::Lower) => " ↓",
        None => "",
    };
    format!("{name}{unit}{arrow}")
}

/// A number measured `n` times. All parts are in the unit of the column, shares not times 100.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The lower end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How many measurements (usually seeds) the mean is of.
    pub n: usize,
    /// The standard deviation; printed only where there is no interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sd: Option<f64>,
    /// How it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

impl Estimate {
    /// Returns a single measurement without an interval.
    pub fn single(value: f64) -> Self {
        Self { mean: value, n: 1, ..Self::default() }
    }

    /// Returns the interval, if both of its ends are known.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.low.zip(self.high)
    }
}

/// A number that a paper printed, in the unit of the column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The value.
    pub value: f64,
    /// The half width the paper printed beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// How sure we are of it: `C`, `S`, `F`, ... as in the data file of the paper.
    pub tag: String,
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Nothing to show.
    Empty,
    /// Words.
    Text(String),
    /// A measured number; takes part in the choice of the best.
    Estimate(Estimate),
    /// A measured difference, printed with its sign; takes no part in the choice of the best.
    Difference(Estimate),
    /// A number that a paper printed.
    Published(Published),
}

impl Cell {
    /// Returns the measured number, if it is one.
    pub fn measured(&self) -> Option<&Estimate> {
        match self {
            Self::Estimate(estimate) | Self::Difference(estimate) => Some(estimate),
            Self::Empty | Self::Text(_) | Self::Published(_) => None,
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The heading, without unit and arrow.
    pub name: String,
    /// How numbers are printed.
    pub unit: Unit,
    /// Which way is better; `None` if neither is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Digits behind the point.
    pub decimals: usize,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What the row is about, one label for each label column.
    pub labels: Vec<String>,
    /// One cell for each column.
    pub cells: Vec<Cell>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// A short name of letters, digits and dashes: its anchor and its LaTeX label.
    pub name: String,
    /// What the table shows, in a sentence.
    pub caption: String,
    /// What the intervals are, for instance `95 % Student t interval over seeds`; empty if none.
    pub interval: String,
    /// The headings of the label columns.
    pub row_labels: Vec<String>,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, in the order in which they are printed.
    pub rows: Vec<Row>,
}

impl Table {
    /// Returns the table in GitHub's Markdown, with its caption and notes.
    pub fn markdown(&self) -> String {
        super::markdown::table(self)
    }

    /// Returns what a reader must know before he compares the numbers of a column; usually nothing.
    pub fn warnings(&self) -> Vec<String> {
        Printed::new(self).warnings
    }
}
