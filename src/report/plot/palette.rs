//! Colours and shapes of series.
//!
//! The colours are those of Okabe and Ito (2008), "Color Universal Design", told apart by readers
//! with any common colour blindness; black and yellow are left out, because one vanishes on dark
//! paper and the other on white. Shapes carry the same difference for print without colour.

use plotters::style::RGBColor;

/// Paper, ink, softer ink and grid lines. The page's style sheet knows these by value and swaps
/// them for dark readers.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(super) const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
pub(super) const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6e);
pub(super) const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xeb);

const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2), // blue
    RGBColor(0xd5, 0x5e, 0x00), // vermillion
    RGBColor(0x00, 0x9e, 0x73), // bluish green
    RGBColor(0xcc, 0x79, 0xa7), // reddish purple
    RGBColor(0xe6, 0x9f, 0x00), // orange
    RGBColor(0x56, 0xb4, 0xe9), // sky blue
    RGBColor(0x80, 0x80, 0x80), // grey
];

/// Returns the colour of a series.
pub(super) fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// Returns the shape of a series. Four shapes and seven colours make 28 pairs before one repeats.
pub(super) fn shape(index: usize) -> Shape {
    const SHAPES: [Shape; 4] = [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Diamond];
    SHAPES[index % SHAPES.len()]
}
