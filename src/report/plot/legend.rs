//! The legend, right of the axes, where it covers no data.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

use super::canvas::{Canvas, Stroke, Writing, text_width, wrap};
use super::palette::{Shape, colour as series_colour, shape as series_shape};

/// The widest text of a legend, in points; longer names break.
const WIDEST: f64 = 150.0;
/// The width of a symbol with the gap behind it.
const SYMBOL: f64 = 34.0;
const LINE_HEIGHT: f64 = 16.0;
const GAP: f64 = 7.0;

/// What stands before a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Symbol {
    /// A solid line with a point.
    Line { index: usize },
    /// A dashed line with a hollow point.
    Dashed { index: usize },
    /// A point.
    Point { shape: Shape, colour: RGBColor },
    /// A hollow point.
    Ring { shape: Shape, colour: RGBColor },
    /// A line without point.
    Plain(Stroke),
    /// A bar.
    Bar { index: usize },
}

/// Names of what is drawn.
#[derive(Default)]
pub(super) struct Legend {
    entries: Vec<(Symbol, Vec<String>)>,
}

impl Legend {
    pub(super) fn add(&mut self, symbol: Symbol, name: &str) {
        self.entries.push((symbol, wrap(name, Writing::LEGEND.size, WIDEST)));
    }

    /// Returns the width in points; 0 if there is nothing to tell.
    pub(super) fn width(&self) -> f64 {
        let lines = self.entries.iter().flat_map(|(_, lines)| lines);
        let widest = lines.map(|line| text_width(line, Writing::LEGEND.size)).fold(0.0, f64::max);
        if self.entries.is_empty() { 0.0 } else { SYMBOL + widest }
    }

    /// Returns the height in points.
    pub(super) fn height(&self) -> f64 {
        let lines: usize = self.entries.iter().map(|(_, lines)| lines.len().max(1)).sum();
        lines as f64 * LINE_HEIGHT + self.entries.len() as f64 * GAP
    }

    /// Draws the entries from the upper left corner down.
    pub(super) fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<'_, DB>, left: f64, top: f64) {
        let mut y = top + LINE_HEIGHT / 2.0;
        for (symbol, lines) in &self.entries {
            draw_symbol(canvas, *symbol, left, y);
            for (i, line) in lines.iter().enumerate() {
                let at = (left + SYMBOL, y + i as f64 * LINE_HEIGHT);
                canvas.text(line, at, Writing::LEGEND);
            }
            y += lines.len().max(1) as f64 * LINE_HEIGHT + GAP;
        }
    }
}

fn draw_symbol<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, symbol: Symbol, left: f64, y: f64) {
    let middle = (left + 13.0, y);
    let ends = [(left, y), (left + 26.0, y)];
    match symbol {
        Symbol::Line { index } => {
            canvas.line(&ends, Stroke::solid(series_colour(index), 2.0));
            canvas.marker(middle, series_shape(index), series_colour(index));
        }
        Symbol::Dashed { index } => {
            canvas.line(&ends, Stroke::dashed(series_colour(index), 1.5));
            canvas.ring(middle, series_shape(index), series_colour(index));
        }
        Symbol::Point { shape, colour } => canvas.marker(middle, shape, colour),
        Symbol::Ring { shape, colour } => canvas.ring(middle, shape, colour),
        Symbol::Plain(stroke) => canvas.line(&ends, stroke),
        Symbol::Bar { index } => {
            canvas.rectangle((left + 5.0, y - 6.0), (left + 21.0, y + 6.0), series_colour(index));
        }
    }
}
