//! Grouped bars. They lie on their side, so that long names of classifiers can be read, and start
//! at zero, so that their lengths can be compared.

use plotters::prelude::DrawingBackend;

use super::super::figure::Bars;
use super::super::printed::round;
use super::super::table::Estimate;
use super::canvas::{Anchor, Canvas, Size, Stroke, Writing, text_width, wrap};
use super::frame::{Frame, MARGIN, TOP, draw_title, extent, printed};
use super::legend::{Legend, Symbol};
use super::palette::{INK, Shape, colour};
use super::ticks::Ticks;

/// Heights in points: of a bar with its number, of the air between categories, of what is below.
const BAR: f64 = 17.0;
const AIR: f64 = 14.0;
const BELOW: usize = 62;
/// The widest name of a category; longer names break.
const WIDEST: f64 = 170.0;

/// Returns a size in which every bar can be read.
pub(super) fn size(plot: &Bars) -> Size {
    let bars = plot.categories.len() as f64 * category_height(plot);
    let legend = legend(plot).height();
    // Both are small and positive.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    let height = (TOP + bars.max(legend).max(120.0)).ceil() as usize + BELOW;
    Size { width: 800, height }
}

fn category_height(plot: &Bars) -> f64 {
    (plot.groups.len().max(1) as f64 * BAR + AIR).max(36.0)
}

pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &Bars,
    title: &str,
    size: Size,
) {
    let legend = legend(plot);
    let frame = frame(plot, size, legend.width());
    draw_title(canvas, title);
    frame.draw_x(canvas, &plot.value);
    for (i, category) in plot.categories.iter().enumerate() {
        let top = frame.top + i as f64 * category_height(plot);
        draw_category(canvas, &frame, category, top + category_height(plot) / 2.0);
        for (series, group) in plot.groups.iter().enumerate() {
            let bars = plot.groups.len() as f64 * BAR;
            let middle = top + (category_height(plot) - bars) / 2.0 + (series as f64 + 0.5) * BAR;
            if let Some(Some(value)) = group.values.get(i) {
                draw_bar(canvas, &frame, &printed(value, plot.value.unit), (middle, series));
            }
            if let Some(Some(published)) = group.published.get(i) {
                let at = (frame.place_x(published * plot.value.unit.factor()), middle);
                canvas.ring(at, Shape::Diamond, INK);
            }
        }
    }
    let zero = frame.place_x(0.0);
    canvas.line(&[(zero, frame.top), (zero, frame.bottom)], Stroke::solid(INK, 1.0));
    legend.draw(canvas, size.width as f64 - MARGIN - legend.width(), frame.top);
}

fn frame(plot: &Bars, size: Size, legend: f64) -> Frame {
    let factor = plot.value.unit.factor();
    let measured = plot.groups.iter().flat_map(|group| group.values.iter().flatten());
    let published = plot.groups.iter().flat_map(|group| group.published.iter().flatten());
    let values: Vec<f64> = measured
        .flat_map(|value| extent(&printed(value, plot.value.unit)))
        .chain(published.map(|value| value * factor))
        .filter(|value| value.is_finite())
        .collect();
    let mut x = Ticks::from_zero(&values, 6);
    // Room for the numbers behind the bars.
    x.high += (x.high - x.low) * 0.1;
    let names = plot.categories.iter().flat_map(|name| wrap(name, Writing::LEGEND.size, WIDEST));
    let widest = names.map(|line| text_width(&line, Writing::LEGEND.size)).fold(0.0, f64::max);
    let none = Ticks { low: 0.0, high: 1.0, marks: vec![] };
    let mut frame = Frame::new(size, x, none, legend);
    frame.left = MARGIN + widest + 12.0;
    frame.bottom = (size.height - BELOW) as f64;
    frame
}

fn draw_category<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    frame: &Frame,
    name: &str,
    middle: f64,
) {
    let lines = wrap(name, Writing::LEGEND.size, WIDEST);
    let first = middle - (lines.len() as f64 - 1.0) * 7.5;
    for (i, line) in lines.iter().enumerate() {
        let at = (frame.left - 10.0, first + i as f64 * 15.0);
        canvas.text(line, at, Writing::LEGEND.anchored(Anchor::Right));
    }
}

/// Draws a bar, its whisker and its number, at a height and in the colour of its series.
fn draw_bar<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    frame: &Frame,
    value: &Estimate,
    (middle, series): (f64, usize),
) {
    if !value.mean.is_finite() {
        return;
    }
    let (zero, end) = (frame.place_x(0.0), frame.place_x(value.mean));
    let half = BAR / 2.0 - 1.5;
    canvas.rectangle((zero, middle - half), (end, middle + half), colour(series));
    let mut tip = end.max(zero);
    if let Some(interval) = value.interval() {
        frame.whisker_x(canvas, interval, middle, Stroke::solid(INK, 1.0));
        tip = tip.max(frame.place_x(interval.1));
    }
    let decimals = if value.mean.abs() >= 1000.0 { 0 } else { 1 };
    let text = round(value.mean, decimals).replace('-', "−");
    let writing = Writing { size: 10.5, ..Writing::TICK.anchored(Anchor::Left) };
    canvas.text(&text, (tip + 7.0, middle), writing);
}

fn legend(plot: &Bars) -> Legend {
    let mut legend = Legend::default();
    let published = plot.groups.iter().any(|group| group.published.iter().any(Option::is_some));
    if plot.groups.len() < 2 && !published {
        return legend;
    }
    for (index, group) in plot.groups.iter().enumerate() {
        legend.add(Symbol::Bar { index }, &group.name);
    }
    if published {
        legend.add(Symbol::Ring { shape: Shape::Diamond, colour: INK }, "published");
    }
    legend
}
