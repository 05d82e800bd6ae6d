//! Pictures of an album, decoded block by block.

use std::io::Read as _;
use std::ops::Range;

use rayon::prelude::*;

use super::listing::{Archive, archive, open};
use super::{Album, Kind};
use crate::lab::data::PictureRows;
use crate::lab::images::{decode, is_jpeg};
use crate::lab::metrics::visit_samples;
use crate::terms::{Files, Picture};

/// Bytes of one picture file, unpacked; a larger one is cut, and then refused by its decoder.
const MEMBER_MAX: u64 = 1 << 30;

/// A picture, and what its file was.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::comparison) struct Decoded {
    /// The picture.
    pub(in crate::comparison) picture: Picture,
    /// Whether it was a JPEG.
    pub(in crate::comparison) lossy: bool,
}

/// Pictures in order; of one that cannot be read, why: a lower-case fragment.
pub(in crate::comparison) type Block = Vec<Result<Decoded, String>>;

/// Why an album cannot be read further: what is wrong with the file that holds all pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::comparison) struct Damaged(pub(in crate::comparison) String);

/// What becomes of a block: an error of the visitor ends the visit.
type Visit<'a, E> = dyn FnMut(usize, Block) -> Result<(), E> + 'a;

impl Album {
    /// Shows the pictures in blocks: of block `b` those from `b * block` on. Blocks that are not
    /// wanted are passed over.
    ///
    /// # Errors
    /// That of the visitor, which ends the visit; or what is wrong with the file as a whole.
    pub(in crate::comparison) fn visit<E: From<Damaged>>(
        &self,
        files: &dyn Files,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        match &self.kind {
            Kind::Samples => self.visit_samples(files, block, wanted, visit),
            Kind::Files => {
                self.blocks(block, wanted, visit, |range| Ok(self.read_files(range, files)))
            }
            Kind::Zip => {
                let mut archive = archive(&self.path, files).map_err(Damaged)?;
                let read = |range| Ok(self.read_zip(range, &mut archive));
                self.blocks(block, wanted, visit, read)
            }
            Kind::Rows(rows) => {
                let file = files.read(&self.path).map_err(|e| Damaged(e.to_string()))?;
                let read = |range| self.read_rows(rows, range, &file).map_err(Damaged);
                self.blocks(block, wanted, visit, read)
            }
        }
    }

    /// Reads the wanted blocks in order and shows each.
    fn blocks<E: From<Damaged>>(
        &self,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
        mut read: impl FnMut(Range<usize>) -> Result<Block, Damaged>,
    ) -> Result<(), E> {
        for (b, first) in (0..self.len()).step_by(block).enumerate() {
            if wanted(b) {
                visit(b, read(first..(first + block).min(self.len()))?)?;
            }
        }
        Ok(())
    }

    fn read_files(&self, range: Range<usize>, files: &dyn Files) -> Block {
        let read = |i: usize| {
            let path = self.path.join(&self.leaves[i].name);
            decoded(files.read(&path).map_err(|e| e.to_string()))
        };
        range.into_par_iter().map(read).collect()
    }

    fn read_zip(&self, range: Range<usize>, archive: &mut Archive<'_>) -> Block {
        // Unpacked one by one, decoded in parallel.
        let mut content = Vec::with_capacity(range.len());
        for leaf in &self.leaves[range] {
            let mut bytes = Vec::new();
            let read = archive.by_name(&leaf.name).map_err(|e| e.to_string()).and_then(|member| {
                member.take(MEMBER_MAX).read_to_end(&mut bytes).map_err(|e| e.to_string())
            });
            content.push(read.map(|_| bytes));
        }
        content.into_par_iter().map(decoded).collect()
    }

    fn read_rows(
        &self,
        rows: &PictureRows,
        range: Range<usize>,
        file: &[u8],
    ) -> Result<Block, String> {
        let leaves = &self.leaves[range];
        let [Some(first), Some(last)] = [leaves.first(), leaves.last()] else {
            return Ok(Vec::new());
        };
        let content = rows.read(file, first.row..last.row + 1)?;
        let picture = |row: usize| {
            let bytes = content.get(row - first.row).cloned().flatten();
            decoded(bytes.ok_or_else(|| "no bytes".to_owned()))
        };
        Ok(leaves.par_iter().map(|leaf| picture(leaf.row)).collect())
    }

    /// Samples pass by in the order of the file.
    fn visit_samples<E: From<Damaged>>(
        &self,
        files: &dyn Files,
        block: usize,
        wanted: &dyn Fn(usize) -> bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<(), E> {
        let window = open(&self.path, files).map_err(|e| Damaged(e.to_string()))?;
        let (mut row, mut next, mut held, mut end) = (0, 0, Block::new(), Ok(()));
        let seen = visit_samples(window, 1, |pictures| {
            for picture in pictures {
                if end.is_ok() && self.leaves.get(next).is_some_and(|leaf| leaf.row == row) {
                    if wanted(next / block) {
                        held.push(Ok(Decoded { picture, lossy: false }));
                    }
                    next += 1;
                    if !held.is_empty() && (next.is_multiple_of(block) || next == self.len()) {
                        end = visit((next - 1) / block, std::mem::take(&mut held));
                    }
                }
                row += 1;
            }
        });
        end?;
        seen.map(drop).map_err(|e| Damaged(e.to_string()).into())
    }
}

fn decoded(content: Result<Vec<u8>, String>) -> Result<Decoded, String> {
    let bytes = content?;
    let picture = decode(&bytes).map_err(|e| e.to_string())?;
    Ok(Decoded { picture, lossy: is_jpeg(&bytes) })
}
