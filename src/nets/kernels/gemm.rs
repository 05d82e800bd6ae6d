//! Matrix products of row-major blocks on one thread.

/// A read-only matrix: `rows x columns` numbers, `row_step` and `column_step` apart.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_step: usize,
    pub(super) column_step: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix.
    pub(super) fn new(numbers: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(numbers.len() >= rows * columns, "the matrix has all of its numbers");
        Self { numbers, rows, columns, row_step: columns, column_step: 1 }
    }

    /// A row-major matrix with other numbers between its rows.
    pub(super) fn window(numbers: &'a [f32], rows: usize, columns: usize, step: usize) -> Self {
        let last = (rows - 1) * step + columns;
        assert!(numbers.len() >= last, "the matrix has all of its numbers");
        Self { numbers, rows, columns, row_step: step, column_step: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }
}

/// What happens to the numbers that are already in the target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// They are replaced.
    Replace,
    /// The product is added to them.
    Add,
}

/// Computes `a * b` into the row-major `out`.
pub(super) fn multiply(a: Matrix<'_>, b: Matrix<'_>, out: &mut [f32], target: Target) {
    multiply_into_window(a, b, out, b.columns, target);
}

/// Computes `a * b` into rows of `out` that are `step` numbers apart.
pub(super) fn multiply_into_window(
    a: Matrix<'_>,
    b: Matrix<'_>,
    out: &mut [f32],
    step: usize,
    target: Target,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "inner sizes agree");
    assert!(n <= step, "rows of the target do not overlap");
    assert!(m == 0 || out.len() >= (m - 1) * step + n, "the target holds the product");
    let keep = target == Target::Add;
    // SAFETY: `Matrix` and the assertions above keep every access inside the three slices; `out` is
    // borrowed mutably, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            step as isize,
            keep,
            a.numbers.as_ptr(),
            a.column_step as isize,
            a.row_step as isize,
            b.numbers.as_ptr(),
            b.column_step as isize,
            b.row_step as isize,
            if keep { 1.0 } else { 0.0 },
            1.0_f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
