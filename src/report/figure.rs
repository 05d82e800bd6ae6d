//! What a figure shows: named points on axes that know their unit and direction.

use std::collections::BTreeSet;

use super::table::{Estimate, Unit, heading};
use crate::terms::{Direction, Protocol};

/// An axis of a plot. Numbers on it are in its unit, shares not times 100.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What is measured.
    pub label: String,
    /// How numbers are printed.
    pub unit: Unit,
    /// Which way is better; `None` if neither is.
    pub direction: Option<Direction>,
}

impl Axis {
    /// Returns an axis of plain numbers without direction.
    pub fn plain(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    pub(super) fn heading(&self) -> String {
        heading(&self.label, self.unit, self.direction)
    }
}

/// A measured number at a place, for instance accuracy at a multiple of synthetic data.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// What was measured there.
    pub y: Estimate,
}

/// A line through points.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its points, in the order of the line.
    pub points: Vec<Point>,
    /// Whether a paper published it; drawn dashed.
    pub published: bool,
}

/// A metric against a setting: accuracy against scale, FID against guidance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// The setting.
    pub x: Axis,
    /// The metric.
    pub y: Axis,
    /// The lines.
    pub curves: Vec<Curve>,
}

/// A labelled place in the plane of two metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// What it is.
    pub label: String,
    /// The first metric.
    pub x: Estimate,
    /// The second metric.
    pub y: Estimate,
}

/// One metric against another, with the front of those that no other beats in both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Front {
    /// The first metric. The front is drawn only where both axes have a direction.
    pub x: Axis,
    /// The second metric.
    pub y: Axis,
    /// The settings.
    pub marks: Vec<Mark>,
}

/// The same quantity measured twice, for instance the accuracy of every class with a classifier
/// trained on real and on synthetic pictures, with the diagonal where both agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scatter {
    /// The first measurement.
    pub x: Axis,
    /// The second measurement, in the same unit.
    pub y: Axis,
    /// The classes. All are labelled if they are few, else those farthest from the diagonal.
    pub marks: Vec<Mark>,
}

/// One series of bars: the same thing in every category.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name in the legend.
    pub name: String,
    /// One measured number for each category.
    pub values: Vec<Option<Estimate>>,
    /// One published number for each category, or nothing at all.
    pub published: Vec<Option<f64>>,
}

/// Bars side by side, one group for each category.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// The metric.
    pub value: Axis,
    /// The categories, from top to bottom.
    pub categories: Vec<String>,
    /// The series, in the order of the legend.
    pub groups: Vec<Group>,
}

/// The kinds of plot.
#[derive(Clone, Debug, PartialEq)]
pub enum Plot {
    /// Lines with intervals.
    Curves(Curves),
    /// Two metrics and their Pareto front.
    Front(Front),
    /// The same quantity twice, with the diagonal.
    Scatter(Scatter),
    /// Grouped bars with intervals.
    Bars(Bars),
}

/// A plot with its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// A short name of letters, digits and dashes: its file name and anchor.
    pub name: String,
    /// The line above the plot.
    pub title: String,
    /// What one sees, in a sentence or two; also read aloud to those who do not see the plot.
    pub caption: String,
    /// What is drawn.
    pub plot: Plot,
}

impl Figure {
    /// Returns the plot as an SVG file.
    pub fn svg(&self) -> String {
        super::plot::svg(self)
    }

    /// Returns the plot as a PNG file.
    pub fn png(&self) -> Vec<u8> {
        super::plot::png(self)
    }

    /// Returns what a reader must know before he compares the numbers of an axis; usually nothing.
    pub fn warnings(&self) -> Vec<String> {
        let axes: Vec<(&Axis, BTreeSet<&Protocol>)> = match &self.plot {
            Plot::Curves(plot) => {
                let points = plot.curves.iter().flat_map(|curve| &curve.points);
                vec![(&plot.y, protocols(points.map(|point| &point.y)))]
            }
            Plot::Front(Front { x, y, marks }) | Plot::Scatter(Scatter { x, y, marks }) => vec![
                (x, protocols(marks.iter().map(|mark| &mark.x))),
                (y, protocols(marks.iter().map(|mark| &mark.y))),
            ],
            Plot::Bars(plot) => {
                let values = plot.groups.iter().flat_map(|group| group.values.iter().flatten());
                vec![(&plot.value, protocols(values))]
            }
        };
        axes.into_iter()
            .filter(|(_, protocols)| protocols.len() > 1)
            .map(|(axis, protocols)| mixed(&axis.label, &protocols))
            .collect()
    }
}

fn protocols<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> BTreeSet<&'a Protocol> {
    estimates.filter_map(|estimate| estimate.protocol.as_ref()).collect()
}

/// Says that numbers shown under one heading were measured in different ways.
pub(super) fn mixed(name: &str, protocols: &BTreeSet<&Protocol>) -> String {
    let list: Vec<_> = protocols.iter().map(ToString::to_string).collect();
    format!(
        "The numbers under “{name}” were measured by different protocols and are not \
         comparable: {}",
        list.join(" | ")
    )
}
