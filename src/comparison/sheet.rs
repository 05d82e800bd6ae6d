//! The generated pictures that lie nearest to a real one, for the eye.

use super::{Album, Comparison, Scores};
use crate::lab::images::{Filter, contact_sheet, encode_png, resize};
use crate::terms::{Files, Picture};

/// How many pairs are kept.
pub(super) const PAIRS: usize = 24;

/// Pairs per row of the sheet.
const COLUMNS: usize = 8;

/// Side of a picture on the sheet in pixels: small ones are enlarged to about it, large ones
/// reduced.
const SIDE: usize = 96;

impl Comparison {
    /// Returns a sheet of the closest pairs of each generated side by its name, as PNG: rows of
    /// generated pictures, under each its nearest real one, nearest first. A picture that can no
    /// longer be read is white.
    pub fn pair_sheets(
        &self,
        scores: &[(String, Scores)],
        files: &dyn Files,
    ) -> Vec<(String, Vec<u8>)> {
        let Some((_, real)) = &self.real else { return Vec::new() };
        let sheet = |(name, scores): &(String, Scores)| {
            let set = self.sets.iter().find(|set| set.name == *name)?;
            let pairs = &scores.pairs;
            let fakes: Vec<usize> = pairs.iter().map(|pair| pair.fake).collect();
            let reals: Vec<usize> = pairs.iter().map(|pair| pair.real.index).collect();
            let (fakes, reals) = (read(&set.album, &fakes, files), read(real, &reals, files));
            let rows: Vec<Vec<&Picture>> = fakes
                .chunks(COLUMNS)
                .zip(reals.chunks(COLUMNS))
                .flat_map(|(fakes, reals)| [fakes.iter().collect(), reals.iter().collect()])
                .collect();
            let side = fakes.iter().chain(&reals).map(|it| it.width().max(it.height())).max()?;
            Some((name.clone(), encode_png(&contact_sheet(&rows, (SIDE / side).max(1), 4))))
        };
        scores.iter().filter_map(sheet).collect()
    }
}

/// Reads pictures of an album in the order asked for.
fn read(album: &Album, positions: &[usize], files: &dyn Files) -> Vec<Picture> {
    let mut order: Vec<usize> = positions.to_vec();
    order.sort_unstable();
    order.dedup();
    let mut pictures = vec![None; order.len()];
    let chosen = album.select(&order);
    // Damage that appeared since the pictures were measured leaves white places.
    let _ = chosen.visit(files, 1, &|_| true, &mut |i, block| {
        pictures[i] = block.into_iter().next().and_then(Result::ok).map(|it| it.picture);
        Ok::<(), super::album::Damaged>(())
    });
    let fitted = |i: &usize| {
        let place = order.binary_search(i).expect("asked for");
        pictures[place].as_ref().map_or_else(|| Picture::filled(1, 1, [255; 3]), fit)
    };
    positions.iter().map(fitted).collect()
}

/// Reduces a large picture.
fn fit(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let longest = width.max(height);
    if longest <= SIDE {
        return picture.clone();
    }
    let scaled = |side: usize| (side * SIDE).div_ceil(longest);
    resize(picture, scaled(width), scaled(height), Filter::Bicubic)
}
