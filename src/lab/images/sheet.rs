//! Contact sheets: many small pictures on one page, for the eye.

use crate::terms::Picture;

const WHITE: [u8; 3] = [255; 3];

/// Returns a page with the pictures in rows from the upper left, each enlarged `scale` times (every
/// pixel becomes a square), with `gap` white pixels between and around them. Rows may differ in
/// length, pictures in size: a cell has the size of the largest.
///
/// # Panics
/// If there is no picture at all, or `scale` is 0.
pub fn contact_sheet(rows: &[Vec<&Picture>], scale: usize, gap: usize) -> Picture {
    assert!(scale > 0, "a picture is enlarged at least once");
    let all = || rows.iter().flatten();
    let cell_width = scale * all().map(|p| p.width()).max().expect("a sheet has pictures");
    let cell_height = scale * all().map(|p| p.height()).max().expect("a sheet has pictures");
    let columns = rows.iter().map(Vec::len).max().expect("a sheet has rows");

    let side = |cells: usize, cell: usize| gap + cells * (cell + gap);
    let mut page = Picture::filled(side(columns, cell_width), side(rows.len(), cell_height), WHITE);
    for (row, pictures) in rows.iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            let corner = (side(column, cell_width), side(row, cell_height));
            paste_enlarged(&mut page, picture, corner, scale);
        }
    }
    page
}

fn paste_enlarged(page: &mut Picture, picture: &Picture, corner: (usize, usize), scale: usize) {
    let (left, top) = corner;
    let stride = page.width() * 3;
    let length = picture.width() * scale * 3;
    for y in 0..picture.height() {
        let row = &picture.rgb()[y * picture.width() * 3..][..picture.width() * 3];
        let wide: Vec<u8> = row.chunks_exact(3).flat_map(|colour| colour.repeat(scale)).collect();
        for line in 0..scale {
            let at = (top + y * scale + line) * stride + left * 3;
            page.rgb_mut()[at..at + length].copy_from_slice(&wide);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_stands_where_it_belongs() {
        let red = Picture::filled(2, 1, [255, 0, 0]);
        let blue = Picture::filled(1, 2, [0, 0, 255]);
        let (scale, gap) = (3, 1);
        let page = contact_sheet(&[vec![&red, &blue], vec![&blue]], scale, gap);
        assert_eq!((page.width(), page.height()), (1 + 2 * 7, 1 + 2 * 7)); // Cells of 6 x 6.
        for y in 0..15 {
            for x in 0..15 {
                let inside = |left: usize, top: usize, width: usize, height: usize| {
                    (left..left + width).contains(&x) && (top..top + height).contains(&y)
                };
                let want = if inside(1, 1, 6, 3) {
                    [255, 0, 0]
                } else if inside(8, 1, 3, 6) || inside(1, 8, 3, 6) {
                    [0, 0, 255]
                } else {
                    WHITE
                };
                assert_eq!(page.pixel(x, y), want, "at {x}, {y}");
            }
        }
    }

    #[test]
    fn one_picture_without_gap_is_itself() {
        let picture = Picture::new(2, 2, (0..12).collect());
        assert_eq!(contact_sheet(&[vec![&picture]], 1, 0), picture);
    }
}
