//! The same quantity measured twice: one point per class, and the diagonal where both agree.

use plotters::prelude::DrawingBackend;

use super::super::figure::{Mark, Scatter};
use super::canvas::{At, Canvas, Size, Stroke};
use super::frame::{Frame, limits, printed};
use super::front::draw_names;
use super::labels::Obstacles;
use super::palette::{MUTED, Shape, colour};
use super::ticks::Ticks;

/// With more classes than this only the outermost are named.
const NAMED_ALL: usize = 20;
const NAMED: usize = 8;

pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &Scatter,
    title: &str,
    size: Size,
) {
    let mark = |mark: &Mark| Mark {
        label: mark.label.clone(),
        x: printed(&mark.x, plot.x.unit),
        y: printed(&mark.y, plot.y.unit),
    };
    let finite = |mark: &Mark| mark.x.mean.is_finite() && mark.y.mean.is_finite();
    let mut marks: Vec<Mark> = plot.marks.iter().map(mark).filter(finite).collect();
    // The farthest from the diagonal are drawn and named first.
    let distance = |mark: &Mark| (mark.x.mean - mark.y.mean).abs();
    marks.sort_by(|a, b| distance(b).total_cmp(&distance(a)));

    // Both axes have one scale, else the diagonal would be no diagonal.
    let values: Vec<f64> = marks.iter().flat_map(|mark| [mark.x.mean, mark.y.mean]).collect();
    let ticks = Ticks::around(&values, 8, limits(plot.x.unit));
    let frame = Frame::new(size, ticks.clone(), ticks, 0.0);
    frame.draw(canvas, title, &plot.x, &plot.y);
    let ends = [frame.place(frame.x.low, frame.y.low), frame.place(frame.x.high, frame.y.high)];
    canvas.line(&ends, Stroke::dashed(MUTED, 1.25));
    let places: Vec<At> = marks.iter().map(|m| frame.place(m.x.mean, m.y.mean)).collect();
    for at in &places {
        canvas.marker(*at, Shape::Circle, colour(0));
    }
    let named = if marks.len() > NAMED_ALL { NAMED } else { marks.len() };
    let mut obstacles = Obstacles::default();
    obstacles.line(&ends);
    draw_names(canvas, &frame, (&marks[..named], &places), obstacles);
}
