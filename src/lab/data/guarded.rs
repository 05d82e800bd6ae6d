//! Readers that panic, or end the process, where a file is damaged.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use polars::prelude::{PolarsError, PolarsResult};
use polars_parquet::parquet::metadata::FileMetadata;
use polars_parquet::parquet::page::CompressedPage;
use polars_parquet::parquet::read::PageReader;

thread_local! {
    /// Whether a panic of this thread is caught below, and nobody need hear of it.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Reads a Parquet file; a panic is an error, and nothing is printed but that. polars 0.55 counts
/// on metadata that do not contradict themselves.
pub(super) fn guarded<T>(read: impl FnOnce() -> PolarsResult<T>) -> PolarsResult<T> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |about| {
            if !GUARDED.get() {
                before(about);
            }
        }));
    });
    GUARDED.set(true);
    let got = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(false);
    got.unwrap_or_else(|_| Err(damaged()))
}

fn damaged() -> PolarsError {
    PolarsError::ComputeError("its metadata or pages contradict themselves".into())
}

/// Looks at what the pages of a file say of themselves. polars takes memory for as many values as a
/// page claims to have, and less than none are read as 2^64: there the process would end.
///
/// # Errors
/// If a page cannot be found or claims more values than its column has.
pub(super) fn check_pages(file: &[u8], metadata: &FileMetadata) -> PolarsResult<()> {
    for column in metadata.row_groups.iter().flat_map(|group| group.parquet_columns()) {
        let range = column.byte_range();
        let bytes = file.get(range.start as usize..range.end as usize).ok_or_else(damaged)?;
        let most = usize::try_from(column.num_values()).map_err(|_| damaged())?;
        let reader = Cursor::new(bytes.to_vec().into());
        for page in PageReader::new(reader, column, Vec::new(), bytes.len()) {
            if matches!(page?, CompressedPage::Data(page) if page.num_values() > most) {
                return Err(damaged());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_one_is_heard() {
        let got: PolarsResult<()> = guarded(|| panic!("out of bounds"));
        assert!(got.unwrap_err().to_string().contains("contradict"));
        assert_eq!(guarded(|| Ok(3)).unwrap(), 3);
        assert!(!GUARDED.get());
    }
}
