//! Left and right exchanged.

use crate::terms::Picture;

/// Returns the mirror image.
pub fn flip(picture: &Picture) -> Picture {
    let mut rgb = Vec::with_capacity(picture.rgb().len());
    for row in picture.rgb().chunks_exact(picture.width() * 3) {
        rgb.extend(row.rchunks_exact(3).flatten());
    }
    Picture::new(picture.width(), picture.height(), rgb)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::busy;
    use super::*;

    #[test]
    fn columns_change_places_and_come_back() {
        for (width, height) in [(1, 5), (2, 2), (7, 3)] {
            let picture = busy(width, height);
            let mirrored = flip(&picture);
            for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
                assert_eq!(mirrored.pixel(x, y), picture.pixel(width - 1 - x, y));
            }
            assert_eq!(flip(&mirrored), picture);
        }
    }
}
