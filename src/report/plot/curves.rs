//! A metric against a setting: one line per series, intervals as bands, or as whiskers where a
//! band would claim to know what lies between.

use plotters::prelude::DrawingBackend;
use plotters::style::Color as _;

use super::super::figure::{Curve, Curves, Point};
use super::canvas::{Canvas, Size, Stroke};
use super::frame::{Frame, MARGIN, extent, limits, printed};
use super::legend::{Legend, Symbol};
use super::palette::{colour, shape};
use super::ticks::Ticks;

pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &Curves,
    title: &str,
    size: Size,
) {
    let curves: Vec<Curve> =
        plot.curves.iter().map(|curve| in_printed_units(curve, plot)).collect();
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let xs: Vec<f64> = points().map(|point| point.x).collect();
    let ys: Vec<f64> = points().flat_map(|point| extent(&point.y)).collect();
    let legend = legend(&curves);
    let (x, y) = (Ticks::at(&xs, 10), Ticks::around(&ys, 8, limits(plot.y.unit)));
    let frame = Frame::new(size, x, y, legend.width());
    frame.draw(canvas, title, &plot.x, &plot.y);
    legend.draw(canvas, size.width as f64 - MARGIN - legend.width(), frame.top);
    for (i, curve) in curves.iter().enumerate() {
        draw_intervals(canvas, &frame, curve, series(&curves, i));
    }
    for (i, curve) in curves.iter().enumerate() {
        draw_line(canvas, &frame, curve, series(&curves, i));
    }
    for (i, curve) in curves.iter().enumerate() {
        draw_points(canvas, &frame, curve, series(&curves, i));
    }
}

/// Drops what has no place in the plane.
fn in_printed_units(curve: &Curve, plot: &Curves) -> Curve {
    let point = |point: &Point| Point {
        x: point.x * plot.x.unit.factor(),
        y: printed(&point.y, plot.y.unit),
    };
    let finite = |point: &Point| point.x.is_finite() && point.y.mean.is_finite();
    Curve { points: curve.points.iter().map(point).filter(finite).collect(), ..curve.clone() }
}

/// Returns the colour and shape of a curve: a published one takes those of ours with its name.
fn series(curves: &[Curve], index: usize) -> usize {
    let same = |other: &Curve| other.name == curves[index].name;
    curves.iter().position(same).unwrap_or(index)
}

fn legend(curves: &[Curve]) -> Legend {
    let mut legend = Legend::default();
    if curves.len() < 2 && curves.iter().all(|curve| !curve.published) {
        return legend;
    }
    for (i, curve) in curves.iter().enumerate() {
        let index = series(curves, i);
        if curve.published {
            legend.add(Symbol::Dashed { index }, &format!("{} (published)", curve.name));
        } else {
            legend.add(Symbol::Line { index }, &curve.name);
        }
    }
    legend
}

/// A band if every point has an interval, else whiskers for those that have one.
fn draw_intervals<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    frame: &Frame,
    curve: &Curve,
    index: usize,
) {
    let intervals: Vec<(f64, (f64, f64))> =
        curve.points.iter().filter_map(|p| Some((p.x, p.y.interval()?))).collect();
    if intervals.len() < 2 || intervals.len() < curve.points.len() {
        for (x, interval) in intervals {
            frame.whisker_y(canvas, x, interval, Stroke::solid(colour(index), 1.0));
        }
        return;
    }
    let upper = intervals.iter().map(|(x, (_, high))| frame.place(*x, *high));
    let lower = intervals.iter().rev().map(|(x, (low, _))| frame.place(*x, *low));
    canvas.fill(&upper.chain(lower).collect::<Vec<_>>(), colour(index).mix(0.16));
}

fn draw_line<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    frame: &Frame,
    curve: &Curve,
    index: usize,
) {
    let path: Vec<_> = curve.points.iter().map(|p| frame.place(p.x, p.y.mean)).collect();
    let stroke = if curve.published {
        Stroke::dashed(colour(index), 1.5)
    } else {
        Stroke::solid(colour(index), 2.0)
    };
    canvas.line(&path, stroke);
}

fn draw_points<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    frame: &Frame,
    curve: &Curve,
    index: usize,
) {
    for point in &curve.points {
        let at = frame.place(point.x, point.y.mean);
        if curve.published {
            canvas.ring(at, shape(index), colour(index));
        } else {
            canvas.marker(at, shape(index), colour(index));
        }
    }
}
