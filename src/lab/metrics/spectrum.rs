//! Dense linear algebra in f64: products, eigenvalues, singular values.
//!
//! The only place that calls the decompositions of faer. They run on one thread, so that a
//! spectrum has the same bits on any number of cores; matrix products are spread over fixed panels
//! of columns, each computed by one thread.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::reborrow::ReborrowMut as _;
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

/// Returns the lower triangular `L` with `L Lᵀ` a symmetric matrix (its lower triangle), or `None`
/// if it is not positive definite.
pub(super) fn cholesky(a: MatRef<'_, f64>) -> Option<Mat<f64>> {
    let n = a.nrows();
    let mut lower = Mat::from_fn(n, n, |i, j| if i >= j { a[(i, j)] } else { 0.0 });
    let scratch = cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default());
    let stack = &mut MemBuffer::new(scratch);
    let stack = MemStack::new(stack);
    let plain = LltRegularization::default();
    cholesky_in_place(lower.as_mut(), plain, Par::Seq, stack, Default::default()).ok()?;
    // The blocked factorisation may leave numbers above the diagonal.
    for j in 1..n {
        lower.col_mut(j).subrows_mut(0, j).fill(0.0);
    }
    Some(lower)
}

/// Returns `Lᵀ A L`, right on and below the diagonal, for a lower triangular `L` and a symmetric
/// `A` with both triangles.
pub(super) fn congruence(lower: MatRef<'_, f64>, a: MatRef<'_, f64>) -> Mat<f64> {
    let n = lower.nrows();
    let mut out = Mat::zeros(n, n);
    out.par_col_chunks_mut(PANEL).enumerate().for_each(|(panel, mut out)| {
        // Above row `first`, this panel of L is zero; so are the results that are asked for.
        let (first, width) = (panel * PANEL, out.ncols());
        let below = n - first;
        let right = lower.submatrix(first, first, below, width);
        let mut half = Mat::zeros(below, width);
        let rows = a.submatrix(first, first, below, below);
        matmul(half.as_mut(), Accum::Replace, rows, right, 1.0, Par::Seq);
        let left = lower.submatrix(first, first, below, below).transpose();
        let out = out.rb_mut().subrows_mut(first, below);
        matmul(out, Accum::Replace, left, half.as_ref(), 1.0, Par::Seq);
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
    fn triangles_rebuild_their_matrix() {
        // Three panels, the last one partial.
        let (x, y) = (normal(9, 700, 600, 0.0, 1.0), normal(10, 650, 600, 0.0, 1.0));
        let gram = |x: &super::super::Features| {
            let wide = x.wide(0..x.n());
            let x = MatRef::from_row_major_slice(&wide, x.n(), x.d());
            product(x.transpose(), x)
        };
        let (a, b) = (gram(&x), gram(&y));
        let lower = cholesky(a.as_ref()).unwrap();
        let rebuilt = product(lower.as_ref(), lower.transpose());
        // 600 terms of up to 700 each.
        close((&rebuilt - &a).norm_max(), 0.0, Tol::absolute(1e-9));
        let got = congruence(lower.as_ref(), b.as_ref());
        let want = product(lower.transpose(), product(b.as_ref(), lower.as_ref()).as_ref());
        for j in 0..600 {
            for i in j..600 {
                close(got[(i, j)], want[(i, j)], Tol::absolute(1e-7).or_relative(1e-10));
            }
        }
        let run = |threads| on_threads(threads, || congruence(lower.as_ref(), b.as_ref()));
        assert!(run(1) == run(3));
        let singular = Mat::from_fn(3, 3, |i, j| if i == 2 || j == 2 { 0.0 } else { 1.0 });
        assert!(cholesky(singular.as_ref()).is_none());
    }

    #[test]
    fn products_do_not_depend_on_threads() {
        let x = normal(8, 70, 600, 0.0, 1.0).wide(0..70);
        let x = MatRef::from_row_major_slice(&x, 70, 600);
        let run = |threads| on_threads(threads, || product(x.transpose(), x));
        assert!(run(1) == run(3));
    }
}
