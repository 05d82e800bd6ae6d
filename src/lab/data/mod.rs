//! Real data: where they come from, how they are split, and how synthetic ones are stored.
//!
//! In reading order: [`Dataset`] is pictures with classes; [`Source`] says where real ones come
//! from (`source/`, one file for each); a source is first listed (`listing`), then split
//! ([`held_out`]) and narrowed ([`Subset`]), and only then decoded, by a [`Codec`] that is passed
//! in. [`write_shard`] and [`read_shard`] turn synthetic pictures into Parquet files and back;
//! `hugging_face` is the layout that both kinds of Parquet file share, [`PictureRows`] one such
//! file that nobody declared. Class lists are compared by
//! name and order wherever data meet ([`ClassMismatch`]).
//!
//! The source of a [`Problem`](crate::terms::Problem) is the key at fault, relative to the
//! declaration of the data (`folder.train`, `parquet.class-names`, `subset.classes`), or the path
//! of a file with bad content.

mod dataset;
mod guarded;
mod hugging_face;
mod listing;
mod long_tail;
mod mismatch;
mod official;
mod rows;
mod shards;
mod source;
mod split;
mod subset;
mod training_list;

pub use dataset::{Dataset, Example, Origin};
pub use mismatch::ClassMismatch;
pub use official::{Found, OFFICIAL, Official, OfficialFile};
pub use rows::PictureRows;
pub use shards::{ShardError, SyntheticRow, read_shard, synthetic_dataset, write_shard};
pub use source::*;
pub use split::{few, held_out, share_of};
pub use subset::Subset;

#[cfg(test)]
mod tests {
    //! What the tests of this room share.

    use std::io;
    use std::path::{Path, PathBuf};

    use super::source::load_sparse;
    use super::{Codec, Dataset, Source, Splits, Subset, check};
    use crate::terms::{Files, MemoryFiles, Picture, Problems};
    use crate::testing::golden_path;

    /// Reads the file format of [`bytes_of`]; fits nothing.
    pub(super) const CODEC: Codec<'static> = Codec { decode: &decode, fit: &|picture| picture };

    /// Returns a file with one grey pixel, in a format that only tests know.
    pub(super) fn bytes_of(grey: u8) -> Vec<u8> {
        vec![b'P', b'I', b'C', grey]
    }

    fn decode(file: &[u8]) -> Result<Picture, String> {
        match file {
            [b'P', b'I', b'C', grey] => Ok(Picture::filled(1, 1, [*grey; 3])),
            _ => Err("not a test picture".to_owned()),
        }
    }

    /// Decodes real picture files.
    pub(super) const IMAGES: Codec<'static> =
        Codec { decode: &decode_image, fit: &|picture| picture };

    fn decode_image(file: &[u8]) -> Result<Picture, String> {
        let image = image::load_from_memory(file).map_err(|e| e.to_string())?.into_rgb8();
        let (width, height) = image.dimensions();
        Ok(Picture::new(width as usize, height as usize, image.into_raw()))
    }

    /// Returns the golden files of a folder, in memory under `d/`.
    pub(super) fn golden_files(folder: &str) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for (path, is_folder) in Disk.list(&golden_path(folder)).unwrap() {
            if !is_folder {
                let place = Path::new("d").join(path.file_name().unwrap());
                files.insert(place, std::fs::read(&path).unwrap());
            }
        }
        files
    }

    /// Labels and levels of all pictures, in order.
    pub(super) fn seen(data: &Dataset) -> (Vec<u32>, Vec<Vec<u8>>) {
        let levels = data.examples.iter().map(|e| e.picture.rgb().to_vec()).collect();
        (data.examples.iter().map(|e| e.class.0).collect(), levels)
    }

    /// Checks all of a source. Small golden data have no pictures of most classes, which is no
    /// mistake of theirs.
    pub(super) fn check_sparse(source: &Source, files: &MemoryFiles) -> Problems {
        let mut found = check(source, &Subset::default(), files);
        found.0.retain(|problem| !problem.found.starts_with("no training picture of class `"));
        found
    }

    /// Loads all of a source that is written in TOML.
    pub(super) fn load_all(toml: &str, files: &MemoryFiles) -> Result<Splits, Problems> {
        let source: Source = toml::from_str(toml).unwrap();
        let found = check_sparse(&source, files);
        if found == Problems::default() { load_sparse(&source, files, CODEC) } else { Err(found) }
    }

    /// The disk.
    pub(super) struct Disk;

    impl Files for Disk {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            std::fs::read(path)
        }

        fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, bool)>> {
            let mut entries = Vec::new();
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                let is_folder = path.is_dir();
                entries.push((path, is_folder));
            }
            entries.sort();
            Ok(entries)
        }

        fn is_folder(&self, path: &Path) -> Option<bool> {
            path.exists().then(|| path.is_dir())
        }
    }
}
