//! The embedded font: how wide a text is and which dots it covers.
//!
//! DejaVu Sans, cut down; see `assets/fonts/SOURCE.md`. Plotters' own text loses the side bearings
//! of letters and rounds each to a dot, so letters would stand unevenly.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, PxScale, ScaleFont as _};

/// Half the height of an `x`, in em: text is centred on it, as in SVG.
const HALF_X: f32 = 0.5 * 1120.0 / 2048.0;

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../../assets/fonts/DejaVuSans.ttf"))
        .expect("the embedded font is a font")
});

/// Returns the scale at which an em is `em` long.
fn scale(em: f32) -> PxScale {
    let units = FONT.units_per_em().expect("a TrueType font has units");
    PxScale::from(em * FONT.height_unscaled() / units)
}

/// Returns the width of a line of text whose em is `em` long, in the unit of `em`.
#[expect(clippy::cast_possible_truncation, reason = "sizes of letters")]
pub(super) fn width(text: &str, em: f64) -> f64 {
    let mut end = 0.0;
    lay_out(text, em as f32, |_, after| end = after);
    f64::from(end)
}

/// Calls `dot(x, y, share)` for every dot a line of text covers by a share of 0..=1. The text
/// starts at `x = 0`; `y = 0` runs through the middle of its small letters.
pub(super) fn draw(text: &str, em: f32, mut dot: impl FnMut(i32, i32, f32)) {
    lay_out(text, em, |glyph, _| {
        let Some(outline) = FONT.outline_glyph(glyph) else { return };
        let corner = outline.px_bounds().min;
        #[expect(clippy::cast_possible_truncation, reason = "places on a canvas are small")]
        let (left, top) = (corner.x as i32, corner.y as i32);
        outline.draw(|x, y, share| {
            let inside = |at: u32| i32::try_from(at).expect("a letter is small");
            dot(left + inside(x), top + inside(y), share.min(1.0));
        });
    });
}

/// Calls `each(glyph, end)` for every letter at its place and the place where the next one starts.
fn lay_out(text: &str, em: f32, mut each: impl FnMut(ab_glyph::Glyph, f32)) {
    let font = FONT.as_scaled(scale(em));
    let (mut x, mut before) = (0.0, None);
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        if let Some(before) = before {
            x += font.kern(before, id);
        }
        let glyph = id.with_scale_and_position(font.scale(), ab_glyph::point(x, em * HALF_X));
        x += font.h_advance(id);
        before = Some(id);
        each(glyph, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tol, close};

    #[test]
    fn widths_are_those_of_the_font() {
        // Advance widths of DejaVu Sans 2.35, in 2048ths of an em: `0` 1303, `m` 1995.
        close(width("00", 2048.0), 2.0 * 1303.0, Tol::absolute(0.01));
        close(width("m", 2048.0), 1995.0, Tol::absolute(0.01));
        close(width("", 12.0), 0.0, Tol::absolute(0.0));
    }

    #[test]
    fn knows_every_sign_that_reports_use() {
        let signs = "↑↓→×±−–—“”‘’…≤≥≠≈·∞√²³αβγλσΔµéüß";
        let missing: String = signs.chars().filter(|c| FONT.glyph_id(*c).0 == 0).collect();
        assert!(missing.is_empty(), "the font was cut too far: {missing}");
    }

    #[test]
    fn small_letters_are_centred() {
        let (mut top, mut bottom) = (i32::MAX, i32::MIN);
        draw("x", 100.0, |_, y, share| {
            if share > 0.5 {
                top = top.min(y);
                bottom = bottom.max(y);
            }
        });
        assert!((top + bottom).abs() <= 2, "{top} {bottom}");
    }
}
