//! Pictures of one size that lie one after another in the same bytes.

use std::sync::Arc;

use rayon::prelude::*;

use super::Content;
use crate::lab::data::listing::Entry;
use crate::terms::{Picture, Problem};

/// How the bytes of a picture are arranged, one byte per level. One channel is grey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    width: usize,
    height: usize,
    channels: usize,
    /// Bytes from a pixel to the next one below, to the right, and in the next channel.
    steps: [usize; 3],
}

impl Grid {
    /// Channel by channel, row by row.
    pub(super) fn planes(channels: usize, height: usize, width: usize) -> Self {
        Self { width, height, channels, steps: [width, 1, height * width] }
    }

    /// Channel by channel, column by column.
    pub(super) fn planes_of_columns(channels: usize, height: usize, width: usize) -> Self {
        Self { width, height, channels, steps: [1, height, height * width] }
    }

    /// Row by row, the channels of a pixel side by side.
    pub(super) fn pixels(channels: usize, height: usize, width: usize) -> Self {
        Self { width, height, channels, steps: [width * channels, channels, 1] }
    }

    /// Returns the number of bytes of a picture.
    pub(super) fn size(&self) -> usize {
        self.width * self.height * self.channels
    }

    /// Returns the picture in these bytes, of which there are [`Grid::size`].
    pub(super) fn picture(&self, bytes: &[u8]) -> Picture {
        let [down, right, deep] = self.steps;
        let mut rgb = Vec::with_capacity(self.width * self.height * 3);
        for y in 0..self.height {
            for x in 0..self.width {
                let at = y * down + x * right;
                rgb.extend((0..3).map(|c| bytes[at + (c % self.channels) * deep]));
            }
        }
        Picture::new(self.width, self.height, rgb)
    }
}

/// Where a picture is, in a file or in what a file unpacks to.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// What is opened.
    pub(super) file: Arc<str>,
    /// How its bytes are arranged.
    pub(super) grid: Grid,
    /// Its first byte.
    pub(super) start: usize,
}

/// Shows packed pictures; `open` returns the bytes of a file, unpacked, and is asked once for all
/// neighbours in the list.
pub(super) fn see<T: Send>(
    entries: &[Entry<Address>],
    open: impl Fn(&str) -> Result<Vec<u8>, Problem>,
    look: impl Fn(&Entry<Address>, Content<'_>) -> Result<T, String> + Sync,
) -> Vec<Result<T, Problem>> {
    let mut results = Vec::with_capacity(entries.len());
    for entries in entries.chunk_by(|a, b| a.place.file == b.place.file) {
        let bytes = match open(&entries[0].place.file) {
            Ok(bytes) => bytes,
            Err(problem) => {
                results.extend(entries.iter().map(|_| Err(problem.clone())));
                continue;
            }
        };
        let see = |entry: &Entry<Address>| {
            let Address { file, grid, start } = &entry.place;
            let place = format!("{file}, byte {start} (picture `{}`)", entry.id);
            let Some(bytes) = start.checked_add(grid.size()).and_then(|end| bytes.get(*start..end))
            else {
                let found = format!("the file ends at byte {}", bytes.len());
                return Err(Problem::new(place, found, format!("{} bytes", grid.size())));
            };
            look(entry, Content::Pixels(grid.picture(bytes)))
                .map_err(|found| Problem::new(place, found, "a picture that can be read"))
        };
        results.extend(entries.par_iter().map(see).collect::<Vec<_>>());
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_picture_in_every_arrangement() {
        // Level of channel c at (x, y) in a picture of 2 x 3.
        let level = |x: usize, y: usize, c: usize| (100 * c + 10 * y + x) as u8;
        let (mut planes, mut columns, mut pixels) = (vec![], vec![], vec![]);
        for c in 0..3 {
            planes.extend((0..6).map(|i| level(i % 2, i / 2, c)));
            columns.extend((0..6).map(|i| level(i / 3, i % 3, c)));
        }
        pixels.extend((0..18).map(|i| level(i / 3 % 2, i / 6, i % 3)));
        let want = Picture::new(2, 3, pixels.clone());
        assert_eq!(Grid::planes(3, 3, 2).picture(&planes), want);
        assert_eq!(Grid::planes_of_columns(3, 3, 2).picture(&columns), want);
        assert_eq!(Grid::pixels(3, 3, 2).picture(&pixels), want);
        let grey = Grid::planes(1, 3, 2).picture(&planes[..6]);
        assert_eq!(grey.pixel(1, 2), [21; 3]);
    }
}
