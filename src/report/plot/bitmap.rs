//! A drawing as dots, and the PNG made of them.

use std::convert::Infallible;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use plotters::style::FontTransform;
use plotters::style::text_anchor::HPos;
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::canvas::EM;
use super::font;

/// Dots of red, green and blue, row by row, white at first.
pub(super) struct Dots {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Dots {
    pub(super) fn new((width, height): (u32, u32)) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, rgb: vec![255; width * height * 3] }
    }

    /// Returns a surface to draw on.
    pub(super) fn surface(&mut self) -> Surface<'_> {
        Surface { dots: self }
    }

    /// Returns a PNG file, each pixel of which is the mean of `square` by `square` dots.
    pub(super) fn png(&self, square: usize) -> Vec<u8> {
        let (width, height) = (self.width / square, self.height / square);
        let mut pixels = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                for c in 0..3 {
                    pixels.push(self.mean(x * square, y * square, c, square));
                }
            }
        }
        let mut bytes = Vec::new();
        let side = |n: usize| u32::try_from(n).expect("a drawing of sane size");
        // Plain areas compress best as they are.
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter)
            .write_image(&pixels, side(width), side(height), ExtendedColorType::Rgb8)
            .expect("writing into memory does not fail");
        bytes
    }

    fn mean(&self, left: usize, top: usize, c: usize, square: usize) -> u8 {
        let rows = (top..top + square).map(|y| (y * self.width + left) * 3 + c);
        let dots = rows.flat_map(|start| (0..square).map(move |x| start + x * 3));
        let sum: usize = dots.map(|at| usize::from(self.rgb[at])).sum();
        let count = square * square;
        u8::try_from((sum + count / 2) / count).expect("a mean of bytes is a byte")
    }
}

/// Dots as plotters sees them. Lines and polygons are plotters' own, text is ours.
pub(super) struct Surface<'a> {
    dots: &'a mut Dots,
}

impl Surface<'_> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=255")]
    fn blend(&mut self, (x, y): BackendCoord, (rgb, alpha): ((u8, u8, u8), f64)) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.dots.width || y >= self.dots.height {
            return;
        }
        let at = (y * self.dots.width + x) * 3;
        let ink = [rgb.0, rgb.1, rgb.2];
        if alpha >= 1.0 {
            self.dots.rgb[at..at + 3].copy_from_slice(&ink);
            return;
        }
        for (dot, ink) in self.dots.rgb[at..at + 3].iter_mut().zip(ink) {
            let mixed = f64::from(*dot) * (1.0 - alpha) + f64::from(ink) * alpha;
            *dot = mixed.round() as u8;
        }
    }
}

impl DrawingBackend for Surface<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let side = |n: usize| u32::try_from(n).expect("made from u32");
        (side(self.dots.width), side(self.dots.height))
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(
        &mut self,
        point: BackendCoord,
        colour: BackendColor,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        self.blend(point, (colour.rgb, colour.alpha));
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let em = style.size() / EM;
        let width = font::width(text, em);
        let start = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let (transform, colour) = (style.transform(), style.color());
        #[expect(clippy::cast_possible_truncation, reason = "places on a canvas are small")]
        let (em, start) = (em as f32, start.round() as i32);
        font::draw(text, em, |right, down, share| {
            let right = start + right;
            let (right, down) = match transform {
                FontTransform::None => (right, down),
                FontTransform::Rotate90 => (-down, right),
                FontTransform::Rotate180 => (-right, -down),
                FontTransform::Rotate270 => (down, -right),
            };
            self.blend((x + right, y + down), (colour.rgb, colour.alpha * f64::from(share)));
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_mean_of_its_dots() {
        let mut dots = Dots::new((4, 2));
        let mut surface = dots.surface();
        let black = |alpha| BackendColor { rgb: (0, 0, 0), alpha };
        for (at, alpha) in [((0, 0), 1.0), ((1, 0), 1.0), ((0, 1), 0.5)] {
            surface.draw_pixel(at, black(alpha)).unwrap();
        }
        // Outside is nowhere.
        surface.draw_pixel((-1, 0), black(1.0)).unwrap();
        surface.draw_pixel((4, 0), black(1.0)).unwrap();
        let picture = image::load_from_memory(&dots.png(2)).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (2, 1));
        // (0 + 0 + 128 + 255) / 4, rounded.
        assert_eq!(picture.get_pixel(0, 0).0, [96; 3]);
        assert_eq!(picture.get_pixel(1, 0).0, [255; 3]);
    }
}
