//! Readers that panic where a file is damaged.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use polars::prelude::{PolarsError, PolarsResult};

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
    let damaged =
        || PolarsError::ComputeError("its metadata or pages contradict themselves".into());
    got.unwrap_or_else(|_| Err(damaged()))
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
