//! A canvas in points: strokes, fills and text, whatever the file they end in.

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingBackend, PathElement, Polygon};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, TextStyle,
};

use super::font;
use super::palette::{INK, MUTED, PAPER, Shape};

/// Dots per point.
pub(super) const SCALE: usize = 4;

/// The family as SVG names it. In a PNG it is the embedded font.
const FAMILY: &str = "DejaVu Sans, sans-serif";
/// What plotters divides a size by to get the em of SVG text.
pub(super) const EM: f64 = 1.24;

/// The size of a drawing in points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Size {
    /// Returns the size in dots.
    pub(super) fn dots(self) -> (u32, u32) {
        let dots = |points: usize| u32::try_from(points * SCALE).expect("a drawing of sane size");
        (dots(self.width), dots(self.height))
    }
}

/// A place in points from the upper left corner.
pub(super) type At = (f64, f64);

/// A line's colour, width in points, and whether it is dashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    pub(super) colour: RGBColor,
    pub(super) width: f64,
    pub(super) dashed: bool,
}

impl Stroke {
    pub(super) fn solid(colour: RGBColor, width: f64) -> Self {
        Self { colour, width, dashed: false }
    }

    pub(super) fn dashed(colour: RGBColor, width: f64) -> Self {
        Self { colour, width, dashed: true }
    }
}

/// Which part of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
    /// Centred and turned, so that it reads from bottom to top.
    Upwards,
}

/// How a text looks; its vertical centre stands at its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) size: f64,
    pub(super) colour: RGBColor,
    pub(super) anchor: Anchor,
}

impl Writing {
    pub(super) const TITLE: Self = Self { size: 16.0, colour: INK, anchor: Anchor::Left };
    pub(super) const NAME: Self = Self { size: 13.0, colour: INK, anchor: Anchor::Centre };
    pub(super) const LEGEND: Self = Self { size: 12.5, colour: INK, anchor: Anchor::Left };
    pub(super) const TICK: Self = Self { size: 12.0, colour: MUTED, anchor: Anchor::Centre };
    pub(super) const LABEL: Self = Self { size: 11.5, colour: INK, anchor: Anchor::Left };

    pub(super) fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

/// The canvas. It ends in memory, so drawing on it does not fail.
pub(super) struct Canvas<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
}

impl<'a, DB: DrawingBackend> Canvas<'a, DB> {
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>) -> Self {
        Self { area }
    }

    /// Covers everything with paper.
    pub(super) fn clear(&self) {
        self.area.fill(&PAPER).expect("drawing into memory does not fail");
    }

    /// Draws a line through places.
    pub(super) fn line(&self, path: &[At], stroke: Stroke) {
        if !stroke.dashed {
            return self.stroke(path, stroke);
        }
        for dash in dashes(path, 6.0, 4.0) {
            self.stroke(&dash, stroke);
        }
    }

    fn stroke(&self, path: &[At], stroke: Stroke) {
        let mut path: Vec<_> = path.iter().map(|at| dots(*at)).collect();
        path.dedup();
        if path.len() < 2 {
            return;
        }
        let width = dots((stroke.width, 0.0)).0.unsigned_abs().max(1);
        let element = PathElement::new(path, stroke.colour.stroke_width(width));
        self.area.draw(&element).expect("drawing into memory does not fail");
    }

    /// Fills a polygon.
    pub(super) fn fill(&self, corners: &[At], colour: RGBAColor) {
        let corners: Vec<_> = corners.iter().map(|at| dots(*at)).collect();
        let element = Polygon::new(corners, colour);
        self.area.draw(&element).expect("drawing into memory does not fail");
    }

    /// Fills the rectangle between two opposite corners.
    pub(super) fn rectangle(&self, a: At, b: At, colour: RGBColor) {
        self.fill(&[a, (b.0, a.1), b, (a.0, b.1)], colour.to_rgba());
    }

    /// Draws a point with a rim of paper, so that it stands out from what it lies on.
    pub(super) fn marker(&self, at: At, shape: Shape, colour: RGBColor) {
        self.fill(&outline(at, shape, 5.6), PAPER.to_rgba());
        self.fill(&outline(at, shape, 4.2), colour.to_rgba());
    }

    /// Draws a point that is hollow.
    pub(super) fn ring(&self, at: At, shape: Shape, colour: RGBColor) {
        self.fill(&outline(at, shape, 5.0), colour.to_rgba());
        self.fill(&outline(at, shape, 3.1), PAPER.to_rgba());
    }

    /// Writes one line of text.
    pub(super) fn text(&self, text: &str, at: At, writing: Writing) {
        let (horizontal, transform) = match writing.anchor {
            Anchor::Left => (HPos::Left, FontTransform::None),
            Anchor::Centre => (HPos::Center, FontTransform::None),
            Anchor::Right => (HPos::Right, FontTransform::None),
            Anchor::Upwards => (HPos::Center, FontTransform::Rotate270),
        };
        let size = writing.size * EM * SCALE as f64;
        let font = FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal);
        let style = TextStyle::from(font.transform(transform))
            .color(&writing.colour)
            .pos(Pos::new(horizontal, VPos::Center));
        self.area.draw_text(text, &style, dots(at)).expect("drawing into memory does not fail");
    }
}

/// Returns the width of a line of text in points.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    font::width(text, size)
}

/// Breaks a text at spaces into lines that are no wider than `width`, if its words allow.
pub(super) fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[expect(clippy::cast_possible_truncation, reason = "places on a canvas are small")]
fn dots((x, y): At) -> (i32, i32) {
    let dots = |points: f64| (points * SCALE as f64).round() as i32;
    (dots(x), dots(y))
}

/// Returns the corners of a shape of about the same area for every shape.
fn outline((x, y): At, shape: Shape, radius: f64) -> Vec<At> {
    let corners = |count: usize, radius: f64, turn: f64| {
        let corner = |i: usize| {
            let angle = std::f64::consts::TAU * (i as f64 / count as f64 + turn);
            (x + radius * angle.cos(), y + radius * angle.sin())
        };
        (0..count).map(corner).collect()
    };
    match shape {
        Shape::Circle => corners(32, radius, 0.0),
        Shape::Square => corners(4, radius * 1.2, 0.125),
        Shape::Triangle => corners(3, radius * 1.4, -0.25),
        Shape::Diamond => corners(4, radius * 1.25, 0.0),
    }
}

/// Cuts a line into dashes of length `on` with gaps of length `off`. The pattern runs through
/// corners.
fn dashes(path: &[At], on: f64, off: f64) -> Vec<Vec<At>> {
    let mut dashes: Vec<Vec<At>> = Vec::new();
    let mut phase = 0.0;
    for pair in path.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let along = |s: f64| (x0 + (x1 - x0) * s / length, y0 + (y1 - y0) * s / length);
        let mut s = 0.0;
        while s < length {
            let inside = phase < on;
            let step = if inside { on - phase } else { on + off - phase };
            let end = (s + step).min(length);
            if inside {
                match dashes.last_mut() {
                    Some(dash) if s == 0.0 && phase > 0.0 => dash.push(along(end)),
                    _ => dashes.push(vec![along(s), along(end)]),
                }
            }
            phase = if s + step > length {
                phase + (length - s)
            } else if inside {
                on
            } else {
                0.0
            };
            s += step;
        }
    }
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close};

    fn length(path: &[At]) -> f64 {
        path.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum()
    }

    #[test]
    fn dashes_run_through_corners() {
        let path = [(0.0, 0.0), (8.0, 0.0), (8.0, 12.0)];
        let dashes = dashes(&path, 6.0, 4.0);
        let lengths: Vec<f64> = dashes.iter().map(|dash| length(dash)).collect();
        assert_eq!(lengths.len(), 2);
        close(lengths[0], 6.0, Tol::absolute(1e-12));
        close(lengths[1], 6.0, Tol::absolute(1e-12));
        close(dashes[1][0].1, 2.0, Tol::absolute(1e-12));
        // A dash that goes around a corner is one line.
        let bent = super::dashes(&[(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)], 6.0, 4.0);
        assert_eq!(bent, [vec![(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)]]);
    }

    #[test]
    fn lines_break_at_spaces() {
        let text = "real + synthetic, CLIP filtered";
        let lines = wrap(text, 12.0, 110.0);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| text_width(line, 12.0) <= 110.0));
        assert_eq!(wrap("indivisible", 12.0, 1.0), ["indivisible"]);
    }
}
