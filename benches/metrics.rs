//! Seconds of the costly scores: the best of a few rounds on all threads.
//!
//! `cargo bench --bench metrics`, or for some of them `cargo bench --bench metrics -- frechet`;
//! `RAYON_NUM_THREADS` sets the threads.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use ersatz::lab::metrics::{
    Features, Manifolds, PrdcSpec, Statistics, fid_of_statistics, kid, prdc,
};
use ersatz::terms::Seed;

fn main() {
    for (n, d) in [(3000, 1024), (5000, 2048)] {
        if !wanted("frechet") {
            break;
        }
        let sides = [1, 2].map(|seed| Statistics::of_features(&normal(seed, n, d)));
        time(&format!("frechet, {d}-d statistics"), 2, || {
            std::hint::black_box(fid_of_statistics(&sides[0], &sides[1]));
        });
    }
    for (n, d) in [(2000, 2048), (10_000, 2048)] {
        let (real, fake) = (normal(3, n, d), normal(4, n, d));
        time(&format!("moments, {n} x {d}"), 1, || {
            std::hint::black_box(Statistics::of_features(&real));
        });
        time(&format!("prdc, {n} x {d}"), 1, || {
            std::hint::black_box(prdc(Manifolds { real: &real, fake: &fake }, PrdcSpec::PACKAGE));
        });
        time(&format!("kid over all pairs, {n} x {d}"), 1, || {
            std::hint::black_box(kid(&real, &fake));
        });
    }
}

fn normal(seed: u64, n: usize, d: usize) -> Features {
    Features::new(d, Seed::root(seed).stream().normals(n * d))
}

/// Whether the words of the command line leave room for this name, or for names that begin so.
fn wanted(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    words.all(|word| name.contains(&word) || word.starts_with(name))
}

fn time(name: &str, rounds: usize, work: impl Fn()) {
    if !wanted(name) {
        return;
    }
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<36}{best:>9.3} s");
}
