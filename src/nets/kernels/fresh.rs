//! Memory for results that is cleared by the threads that fill it, piece by piece.
//!
//! `vec![0.0; n]` clears all of a batch on one thread while the others wait, and by the time the
//! numbers are written they have left the caches.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;

/// Numbers of a piece of zeros.
const PIECE: usize = 1 << 16;

/// Numbers that are still to be written.
pub(super) struct Fresh {
    room: Vec<f32>,
    count: usize,
    /// Numbers of the pieces that were visited.
    cleared: AtomicUsize,
}

impl Fresh {
    pub(super) fn new(count: usize) -> Self {
        Self { room: Vec::with_capacity(count), count, cleared: AtomicUsize::new(0) }
    }

    /// Returns pieces of `size` numbers, the last maybe smaller, each 0 when its turn comes.
    pub(super) fn pieces(
        &mut self,
        size: usize,
    ) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        self.cleared = AtomicUsize::new(0);
        let cleared = &self.cleared;
        let room = &mut self.room.spare_capacity_mut()[..self.count];
        room.par_chunks_mut(size).map(move |piece| {
            piece.fill(MaybeUninit::new(0.0));
            cleared.fetch_add(piece.len(), Relaxed);
            // SAFETY: all numbers of the piece were just written, and the types differ in nothing
            // else.
            unsafe { &mut *(std::ptr::from_mut(piece) as *mut [f32]) }
        })
    }

    /// Returns the numbers.
    ///
    /// # Panics
    /// If some pieces were not visited.
    pub(super) fn numbers(self) -> Vec<f32> {
        let Self { mut room, count, cleared } = self;
        assert_eq!(cleared.into_inner(), count, "every piece was visited");
        // SAFETY: the pieces of one pass do not overlap and each is visited once at most, so with
        // as many numbers as there are all were written.
        unsafe { room.set_len(count) };
        room
    }
}

/// Returns zeros, written on all threads.
pub(super) fn zeros(count: usize) -> Vec<f32> {
    let mut zeros = Fresh::new(count);
    zeros.pieces(PIECE).for_each(|_| ());
    zeros.numbers()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_begin_as_zeros_and_keep_what_is_written() {
        for (count, size) in [(0, 3), (1, 1), (10, 3), (12, 4), (5, 100)] {
            let mut fresh = Fresh::new(count);
            fresh.pieces(size).enumerate().for_each(|(i, piece)| {
                assert!(piece.iter().all(|x| *x == 0.0));
                piece[0] = i as f32 + 1.0;
            });
            let number =
                |i: usize| if i.is_multiple_of(size) { (i / size) as f32 + 1.0 } else { 0.0 };
            assert_eq!(fresh.numbers(), (0..count).map(number).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "every piece was visited")]
    fn a_piece_that_nobody_visits_is_noticed() {
        let mut fresh = Fresh::new(10);
        fresh.pieces(3).take(2).for_each(|_| ());
        fresh.numbers();
    }

    /// What an earlier pass wrote does not count for a later one.
    #[test]
    #[should_panic(expected = "every piece was visited")]
    fn a_second_pass_counts_anew() {
        let mut fresh = Fresh::new(10);
        fresh.pieces(3).for_each(|_| ());
        fresh.pieces(5).take(1).for_each(|_| ());
        fresh.numbers();
    }
}
