//! A rectangle of a picture, and cutting it out.

use crate::terms::Picture;

/// A rectangle in pixels; `x`, `y` is its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Returns the part of a picture inside `area`.
///
/// # Panics
/// If the area is empty or reaches out of the picture.
pub(super) fn cut(picture: &Picture, area: Area) -> Picture {
    let Area { x, y, width, height } = area;
    assert!(
        x + width <= picture.width() && y + height <= picture.height(),
        "the area {area:?} lies inside {picture:?}"
    );
    let mut rgb = Vec::with_capacity(width * height * 3);
    for row in picture.rgb().chunks_exact(picture.width() * 3).skip(y).take(height) {
        rgb.extend_from_slice(&row[x * 3..(x + width) * 3]);
    }
    Picture::new(width, height, rgb)
}
