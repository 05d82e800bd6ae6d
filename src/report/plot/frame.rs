//! Axes: a rectangle of the canvas in which data has places.

use plotters::prelude::DrawingBackend;

use super::super::figure::Axis;
use super::super::table::{Estimate, Unit};
use super::canvas::{Anchor, At, Canvas, Size, Stroke, Writing, text_width};
use super::palette::{GRID, INK};
use super::ticks::Ticks;

/// The margin around everything, in points.
pub(super) const MARGIN: f64 = 18.0;
/// Where axes begin below a title.
pub(super) const TOP: f64 = 56.0;
/// What tick numbers and the name of the x axis need below the axes.
const BOTTOM: f64 = 62.0;

/// A rectangle with a scale along each side. Data is in printed units: shares times 100.
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Ticks,
    pub(super) y: Ticks,
}

impl Frame {
    /// Returns axes that leave `legend` points free at the right.
    pub(super) fn new(size: Size, x: Ticks, y: Ticks, legend: f64) -> Self {
        let widest = y.marks.iter().map(|(_, text)| text_width(text, Writing::TICK.size));
        let left = MARGIN + 26.0 + widest.fold(0.0, f64::max);
        let right = size.width as f64 - MARGIN - if legend > 0.0 { legend + 16.0 } else { 6.0 };
        Self { left, right, top: TOP, bottom: size.height as f64 - BOTTOM, x, y }
    }

    /// Returns the place of data.
    pub(super) fn place(&self, x: f64, y: f64) -> At {
        (self.place_x(x), self.place_y(y))
    }

    pub(super) fn place_x(&self, x: f64) -> f64 {
        self.left + (x - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)
    }

    pub(super) fn place_y(&self, y: f64) -> f64 {
        self.bottom - (y - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)
    }

    /// Draws title, grid, numbers and names.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        title: &str,
        x: &Axis,
        y: &Axis,
    ) {
        draw_title(canvas, title);
        self.draw_x(canvas, x);
        for (value, text) in &self.y.marks {
            let at = self.place_y(*value);
            canvas.line(&[(self.left, at), (self.right, at)], Stroke::solid(GRID, 1.0));
            canvas.text(text, (self.left - 8.0, at), Writing::TICK.anchored(Anchor::Right));
        }
        let middle = f64::midpoint(self.top, self.bottom);
        let upwards = Writing::NAME.anchored(Anchor::Upwards);
        canvas.text(&y.heading(), (MARGIN + 4.0, middle), upwards);
        let corners = [(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)];
        canvas.line(&corners, Stroke::solid(INK, 1.0));
    }

    /// Draws the numbers and the name of the lower axis, and its grid.
    pub(super) fn draw_x<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, axis: &Axis) {
        for (value, text) in &self.x.marks {
            let at = self.place_x(*value);
            canvas.line(&[(at, self.top), (at, self.bottom)], Stroke::solid(GRID, 1.0));
            canvas.text(text, (at, self.bottom + 15.0), Writing::TICK);
        }
        let middle = f64::midpoint(self.left, self.right);
        canvas.text(&axis.heading(), (middle, self.bottom + 40.0), Writing::NAME);
    }

    /// Draws the interval of a measured number upwards and downwards, with caps.
    pub(super) fn whisker_y<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        x: f64,
        y: (f64, f64),
        stroke: Stroke,
    ) {
        let (at, low, high) = (self.place_x(x), self.place_y(y.0), self.place_y(y.1));
        canvas.line(&[(at, low), (at, high)], stroke);
        for end in [low, high] {
            canvas.line(&[(at - 3.0, end), (at + 3.0, end)], stroke);
        }
    }

    /// Draws the interval of a measured number to both sides, with caps.
    pub(super) fn whisker_x<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<'_, DB>,
        x: (f64, f64),
        at: f64,
        stroke: Stroke,
    ) {
        let (low, high) = (self.place_x(x.0), self.place_x(x.1));
        canvas.line(&[(low, at), (high, at)], stroke);
        for end in [low, high] {
            canvas.line(&[(end, at - 3.0), (end, at + 3.0)], stroke);
        }
    }
}

/// Writes the line above a plot.
pub(super) fn draw_title<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, title: &str) {
    canvas.text(title, (MARGIN, 26.0), Writing::TITLE);
}

/// Returns a measured number in printed units.
pub(super) fn printed(estimate: &Estimate, unit: Unit) -> Estimate {
    let factor = unit.factor();
    Estimate {
        mean: estimate.mean * factor,
        low: estimate.low.map(|low| low * factor).filter(|low| low.is_finite()),
        high: estimate.high.map(|high| high * factor).filter(|high| high.is_finite()),
        ..estimate.clone()
    }
}

/// Returns all numbers a measured number needs room for.
pub(super) fn extent(estimate: &Estimate) -> impl Iterator<Item = f64> + use<> {
    [Some(estimate.mean), estimate.low, estimate.high].into_iter().flatten()
}

/// Returns how far an axis may reach beyond its values.
pub(super) fn limits(unit: Unit) -> Option<(f64, f64)> {
    match unit {
        Unit::Percent => Some((0.0, 100.0)),
        Unit::Plain | Unit::Points => None,
    }
}
