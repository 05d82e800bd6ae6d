//! Batches prepared ahead on other threads, handed over in fixed order.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Batches that wait, per thread.
const AHEAD: usize = 2;

/// Batches `first..end` in order.
pub(super) struct Prefetch<B> {
    lanes: Vec<Receiver<B>>,
    next: usize,
    end: usize,
}

impl<B: Send> Prefetch<B> {
    /// Starts `threads` threads; thread `i` of `n` prepares every `n`-th batch, so the order of
    /// delivery never depends on who is faster. They end when this value is dropped.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        threads: usize,
        range: std::ops::Range<usize>,
        prepare: impl Fn(usize) -> B + Copy + Send + 'scope,
    ) -> Self
    where
        B: 'scope,
    {
        let lanes = (0..threads)
            .map(|lane| {
                let (sender, receiver) = sync_channel(AHEAD);
                let steps = range.clone().skip(lane).step_by(threads);
                scope.spawn(move || {
                    for step in steps {
                        if sender.send(prepare(step)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        Self { lanes, next: range.start, end: range.end }
    }
}

impl<B> Iterator for Prefetch<B> {
    type Item = (usize, B);

    fn next(&mut self) -> Option<(usize, B)> {
        if self.next == self.end {
            return None;
        }
        let step = self.next;
        self.next += 1;
        // The first batch came from lane 0; the lane follows from how many have been taken.
        let batch = self.lanes[0].recv().expect("the thread that prepares batches is alive");
        self.lanes.rotate_left(1);
        Some((step, batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_fixed_and_an_early_end_frees_the_threads() {
        for threads in [1, 2, 5] {
            let got: Vec<_> = std::thread::scope(|scope| {
                Prefetch::start(scope, threads, 3..40, |step| step * 10).collect()
            });
            assert_eq!(got, (3..40).map(|s| (s, s * 10)).collect::<Vec<_>>());
            let few: Vec<_> = std::thread::scope(|scope| {
                Prefetch::start(scope, threads, 0..1_000_000, |step| step).take(4).collect()
            });
            assert_eq!(few.len(), 4);
        }
    }
}
