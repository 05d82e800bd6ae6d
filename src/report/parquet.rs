//! The long form of all tables as Parquet. Its columns are described in `long_form`.

use polars::prelude::{ParquetCompression, ParquetWriter};

use super::document::Document;
use super::long_form::long_form;

/// Returns a Parquet file of one row group. A table is small: plain pages open in every reader.
pub(super) fn tables(document: &Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Uncompressed)
        .set_parallel(false)
        .finish(&mut long_form(document))
        .expect("writing into memory does not fail");
    bytes
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ParquetReader, SerReader as _};

    use super::*;
    use crate::report::sample;

    #[test]
    fn reads_back_as_it_was() {
        let document = sample::document();
        let bytes = tables(&document);
        let back = ParquetReader::new(std::io::Cursor::new(&bytes)).finish().unwrap();
        assert!(back.equals_missing(&long_form(&document)));
        assert_eq!(bytes, tables(&document), "the same tables are the same bytes");
    }
}
