//! The long form of all tables as CSV. Its columns are described in `long_form`.

use polars::prelude::{CsvWriter, SerWriter as _};

use super::document::Document;
use super::long_form::long_form;

/// Returns a CSV file with a heading line; what does not apply to a cell is left empty.
pub(super) fn tables(document: &Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes)
        .include_header(true)
        .finish(&mut long_form(document))
        .expect("writing into memory does not fail");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn special_characters_are_text() {
        let text = String::from_utf8(tables(&sample::document())).expect("text");
        assert!(text.contains(r#","vit_tiny, ""{a}"" | b","#), "{text}");
    }
}
