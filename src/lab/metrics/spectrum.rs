//! Dense linear algebra in f64: products, eigenvalues, singular values.
//!
//! The only place that calls the decompositions of faer. They run on one thread, so that a
//! spectrum has the same bits on any number of cores; matrix products are spread over fixed panels
//! of columns, each computed by one thread.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

/// Columns per panel of a product.
const PANEL: usize = 256;

/// Returns `a b`.
pub(super) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    out.par_col_chunks_mut(PANEL).enumerate().for_each(|(panel, out)| {
        let b = b.subcols(panel * PANEL, out.ncols());
        matmul(out, Accum::Replace, a, b, 1.0, Par::Seq);
    });
    out
}

/// Returns the eigenvalues of a symmetric matrix (its lower triangle), smallest first.
pub(super) fn eigenvalues(a: MatRef<'_, f64>) -> Vec<f64> {
    evd(a, ComputeEigenvectors::No).0
}

/// Returns eigenvalues, smallest first, and eigenvectors (columns) of a symmetric matrix (its lower
/// triangle).
pub(super) fn eigen(a: MatRef<'_, f64>) -> (Vec<f64>, Mat<f64>) {
    evd(a, ComputeEigenvectors::Yes)
}

fn evd(a: MatRef<'_, f64>, vectors: ComputeEigenvectors) -> (Vec<f64>, Mat<f64>) {
    let n = a.nrows();
    let mut values = Diag::<f64>::zeros(n);
    let wanted = matches!(vectors, ComputeEigenvectors::Yes);
    let mut basis = if wanted { Mat::zeros(n, n) } else { Mat::new() };
    let scratch = self_adjoint_evd_scratch::<f64>(n, vectors, Par::Seq, Default::default());
    self_adjoint_evd(
        a,
        values.as_mut(),
        wanted.then(|| basis.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .expect("the iteration converges on finite symmetric matrices");
    (values.column_vector().iter().copied().collect(), basis)
}

/// Returns the singular values of a matrix, largest first.
pub(super) fn singular_values(a: MatRef<'_, f64>) -> Vec<f64> {
    let (rows, columns) = a.shape();
    let mut values = Diag::<f64>::zeros(rows.min(columns));
    let none = ComputeSvdVectors::No;
    let scratch = svd_scratch::<f64>(rows, columns, none, none, Par::Seq, Default::default());
    svd(
        a,
        values.as_mut(),
        None,
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .expect("the iteration converges on finite matrices");
    values.column_vector().iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::super::features::testing::{normal, on_threads};
    use super::*;
    use crate::testing::{Tol, close, close_all};

    #[test]
    fn decompositions_rebuild_their_matrix() {
        let x = normal(7, 60, 40, 0.0, 1.0).wide(0..60);
        let x = MatRef::from_row_major_slice(&x, 60, 40);
        let gram = product(x.transpose(), x);
        let (values, basis) = eigen(gram.as_ref());
        let scaled = Mat::from_fn(40, 40, |i, j| basis[(i, j)] * values[j]);
        let rebuilt = product(scaled.as_ref(), basis.transpose());
        // 40 sums of 60 terms near 1, and a backward stable decomposition.
        close((&rebuilt - &gram).norm_max(), 0.0, Tol::absolute(1e-11));
        close_all(&eigenvalues(gram.as_ref()), &values, Tol::absolute(1e-11));
        let squares: Vec<f64> = singular_values(x).iter().rev().map(|s| s * s).collect();
        close_all(&squares, &values, Tol::absolute(1e-11));
    }

    #[test]
    fn products_do_not_depend_on_threads() {
        let x = normal(8, 70, 600, 0.0, 1.0).wide(0..70);
        let x = MatRef::from_row_major_slice(&x, 70, 600);
        let run = |threads| on_threads(threads, || product(x.transpose(), x));
        assert!(run(1) == run(3));
    }
}
