//! What every test shares: one comparison that says how badly it failed, and access to golden data.

pub(crate) mod harm;

use std::path::PathBuf;

/// How far a number may lie from the wanted one: `absolute + relative * |want|`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tol {
    absolute: f64,
    relative: f64,
}

impl Tol {
    pub(crate) fn absolute(absolute: f64) -> Self {
        Self { absolute, relative: 0.0 }
    }

    pub(crate) fn relative(relative: f64) -> Self {
        Self { absolute: 0.0, relative }
    }

    pub(crate) fn or_relative(self, relative: f64) -> Self {
        Self { relative, ..self }
    }
}

/// Asserts that two lists of numbers agree; reports the worst place. NaN never agrees.
#[track_caller]
pub(crate) fn close_all(got: &[f64], want: &[f64], tol: Tol) {
    assert_eq!(got.len(), want.len(), "different numbers of values");
    let mut worst = (0.0_f64, None);
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let excess = (g - w).abs() - (tol.absolute + tol.relative * w.abs());
        if excess.is_nan() || excess > worst.0 {
            worst = (if excess.is_nan() { f64::INFINITY } else { excess }, Some(i));
        }
    }
    if let (_, Some(i)) = worst {
        let (g, w) = (got[i], want[i]);
        panic!("at {i}: got {g:e}, want {w:e}, off by {:e}, allowed {tol:?}", (g - w).abs());
    }
}

/// Asserts that two numbers agree.
#[track_caller]
pub(crate) fn close(got: f64, want: f64, tol: Tol) {
    close_all(&[got], &[want], tol);
}

/// Asserts that two lists of single-precision numbers agree.
#[track_caller]
pub(crate) fn close_f32(got: &[f32], want: &[f32], tol: Tol) {
    let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    close_all(&wide(got), &wide(want), tol);
}

/// Returns the path of golden data: `tests/golden/<name>`.
pub(crate) fn golden_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Reads golden data in JSON: `tests/golden/<name>`.
pub(crate) fn golden_json(name: &str) -> serde_json::Value {
    let path = golden_path(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("golden data {}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("golden data {}: {e}", path.display()))
}

/// Returns the folder of real data for tests, or says why there is none.
pub(crate) fn data_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("ERSATZ_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no data folder at {} (set ERSATZ_DATA)", folder.display());
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(got: &[f64], want: &[f64], tol: Tol) -> bool {
        let (got, want) = (got.to_vec(), want.to_vec());
        std::panic::catch_unwind(move || close_all(&got, &want, tol)).is_err()
    }

    #[test]
    fn close_refuses_what_is_not_close() {
        assert!(fails(&[1.0], &[1.0, 2.0], Tol::absolute(1.0)));
        assert!(fails(&[f64::NAN], &[f64::NAN], Tol::absolute(1.0)));
        assert!(fails(&[1.0, 2.1], &[1.0, 2.0], Tol::absolute(0.05)));
        assert!(fails(&[102.0], &[100.0], Tol::relative(0.01)));
        assert!(!fails(&[100.5], &[100.0], Tol::relative(0.01)));
        assert!(!fails(&[1e-9], &[0.0], Tol::absolute(1e-8).or_relative(0.1)));
    }
}
