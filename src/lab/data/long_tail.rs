//! Class sizes that fall exponentially.
//!
//! Cui et al. 2019 (arXiv:1901.05555), section 5.1; as CIFAR-LT in Cao et al. 2019
//! (arXiv:1906.07413), whose code rounds down. Notation: `C` classes, `ratio` = the first size over
//! the last.
//!
//! DIFFERS: a class keeps at least one picture, where their code would leave it empty.

/// Returns `floor(most * ratio^(-i / (C - 1)))` for each class i, at least one.
pub(super) fn long_tail(most: usize, ratio: f64, classes: usize) -> Vec<usize> {
    let last = classes.saturating_sub(1).max(1) as f64;
    let size = |i: usize| {
        let exact = most as f64 * ratio.powf(-(i as f64) / last);
        // Powers differ in their last bit between machines: a whole number stays one.
        ((exact + 1e-6).floor() as usize).max(1)
    };
    (0..classes).map(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_cifar_lt() {
        // CIFAR-10-LT and CIFAR-100-LT with ratio 100, as every paper on them states.
        let ten = long_tail(5000, 100.0, 10);
        assert_eq!(ten, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
        let hundred = long_tail(500, 100.0, 100);
        assert_eq!(hundred.iter().sum::<usize>(), 10_847);
        assert_eq!((hundred[0], hundred[99]), (500, 5));
    }

    #[test]
    fn edges() {
        assert_eq!(long_tail(7, 1.0, 3), [7, 7, 7]);
        assert_eq!(long_tail(7, 50.0, 1), [7]);
        assert_eq!(long_tail(5, 1000.0, 2), [5, 1]);
        assert_eq!(long_tail(1, 2.0, 0), [0_usize; 0]);
    }
}
