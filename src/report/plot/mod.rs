//! Figures become drawings: one drawing function, dressed as SVG and as PNG.
//!
//! Everything is drawn on a canvas of [`canvas::SCALE`] dots per point. The SVG keeps the dots and
//! says how many make a point; the PNG averages them, which smooths every edge, and keeps two
//! pixels per point. The font is embedded, so the bytes are the same on every machine.
//!
//! In reading order: `canvas` strokes, fills and writes, with `font` and `bitmap` behind it;
//! `palette` holds colours and shapes; `ticks` chooses numbers for an axis; `frame` draws axes;
//! `legend` and `labels` place names; then one file for each kind of plot.

mod bars;
mod bitmap;
mod canvas;
mod curves;
mod font;
mod frame;
mod front;
mod labels;
mod legend;
mod palette;
mod scatter;
mod ticks;

use plotters::prelude::{DrawingBackend, IntoDrawingArea as _, SVGBackend};

use self::bitmap::Dots;
use self::canvas::{Canvas, SCALE, Size};
use super::figure::{Figure, Plot};

/// Pixels per point of a PNG.
const PIXELS: usize = 2;

/// Returns a figure as an SVG file.
pub(super) fn svg(figure: &Figure) -> String {
    let size = size(figure);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size.dots()).into_drawing_area();
    draw(&Canvas::new(&area), figure, size);
    area.present().expect("drawing into memory does not fail");
    drop(area);
    let (width, height) = size.dots();
    let dots = format!("width=\"{width}\" height=\"{height}\"");
    let points = format!("width=\"{}\" height=\"{}\"", size.width, size.height);
    svg.replacen(&dots, &points, 1)
}

/// Returns a figure as a PNG file.
pub(super) fn png(figure: &Figure) -> Vec<u8> {
    let size = size(figure);
    let mut dots = Dots::new(size.dots());
    let area = dots.surface().into_drawing_area();
    draw(&Canvas::new(&area), figure, size);
    area.present().expect("drawing into memory does not fail");
    drop(area);
    dots.png(SCALE / PIXELS)
}

fn size(figure: &Figure) -> Size {
    match &figure.plot {
        Plot::Curves(_) | Plot::Front(_) => Size { width: 800, height: 500 },
        Plot::Scatter(_) => Size { width: 640, height: 600 },
        Plot::Bars(plot) => bars::size(plot),
    }
}

fn draw<DB: DrawingBackend>(canvas: &Canvas<'_, DB>, figure: &Figure, size: Size) {
    canvas.clear();
    match &figure.plot {
        Plot::Curves(plot) => curves::draw(canvas, plot, &figure.title, size),
        Plot::Front(plot) => front::draw(canvas, plot, &figure.title, size),
        Plot::Scatter(plot) => scatter::draw(canvas, plot, &figure.title, size),
        Plot::Bars(plot) => bars::draw(canvas, plot, &figure.title, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::report::{Axis, Bars, Curves, Front, Scatter};

    fn pixels(figure: &Figure) -> image::RgbImage {
        image::load_from_memory(&png(figure)).expect("a PNG file").into_rgb8()
    }

    #[test]
    fn plots_show_something() {
        for figure in sample::document().figures {
            let picture = pixels(&figure);
            let size = size(&figure);
            let pixels = u32::try_from(PIXELS).unwrap();
            let want = (u32::try_from(size.width).unwrap(), u32::try_from(size.height).unwrap());
            assert_eq!(picture.dimensions(), (want.0 * pixels, want.1 * pixels));
            let inked = picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
            let colours = picture.pixels().filter(|pixel| {
                let [red, green, blue] = pixel.0;
                red.abs_diff(green).max(green.abs_diff(blue)) > 60
            });
            let colourful = colours.count();
            assert!(inked > 5000 && colourful > 200, "{}: {inked} {colourful}", figure.name);
        }
    }

    #[test]
    fn drawing_twice_gives_the_same_bytes() {
        for figure in sample::document().figures {
            assert_eq!(svg(&figure), svg(&figure));
            assert_eq!(png(&figure), png(&figure));
        }
    }

    #[test]
    fn nothing_leaves_the_page() {
        for figure in sample::document().figures {
            let picture = pixels(&figure);
            let (width, height) = picture.dimensions();
            let edge = |x: u32, y: u32| x == 0 || y == 0 || x == width - 1 || y == height - 1;
            let white = |pixel: &image::Rgb<u8>| pixel.0 == [255; 3];
            let clean = picture.enumerate_pixels().all(|(x, y, p)| !edge(x, y) || white(p));
            assert!(clean, "{} touches the edge of its picture", figure.name);
        }
    }

    #[test]
    fn svg_writes_text_as_text() {
        for figure in sample::document().figures {
            let svg = svg(&figure);
            assert!(svg.contains("font-family=\"DejaVu Sans, sans-serif\""));
            assert!(svg.starts_with("<svg width=\"") && svg.contains("viewBox=\"0 0 "));
            assert!(!svg.contains("NaN") && !svg.contains("<image"));
        }
    }

    #[test]
    fn nothing_to_show_is_no_error() {
        let (x, y) = (Axis::plain("x"), Axis::plain("y"));
        let plots = [
            Plot::Curves(Curves { x: x.clone(), y: y.clone(), curves: vec![] }),
            Plot::Front(Front { x: x.clone(), y: y.clone(), marks: vec![] }),
            Plot::Scatter(Scatter { x: x.clone(), y, marks: vec![] }),
            Plot::Bars(Bars { value: x, categories: vec![], groups: vec![] }),
        ];
        for plot in plots {
            let figure = Figure { name: "e".into(), title: "t".into(), caption: "c".into(), plot };
            assert!(svg(&figure).ends_with("</svg>\n"));
            assert!(!pixels(&figure).is_empty());
        }
    }
}
