//! Which examples a step sees: an endless sequence of epochs, each a permutation of its own.

use std::sync::Mutex;

use crate::terms::Seed;

/// Cuts a sequence of shuffled epochs into batches. The batch of a step is a function of the seed
/// and the step alone, in whatever order steps are asked for; a batch may run from one epoch into
/// the next.
#[derive(Debug)]
pub struct Epochs {
    examples: usize,
    batch: usize,
    /// How often a drawn example stands in a row.
    repeats: usize,
    seed: Seed,
    /// The last epoch that was shuffled, because neighbours ask for the same one.
    held: Mutex<Option<(usize, Vec<usize>)>>,
}

impl Epochs {
    /// Shuffles `examples` into batches of `batch`.
    ///
    /// # Panics
    /// If either is 0.
    pub fn new(examples: usize, batch: usize, seed: Seed) -> Self {
        assert!(examples > 0, "training needs at least one example");
        assert!(batch > 0, "a batch holds at least one example");
        Self { examples, batch, repeats: 1, seed, held: Mutex::new(None) }
    }

    /// Lets every example of an epoch stand `repeats` times in a row: an epoch is as long as before
    /// and has as many fewer different examples (repeated augmentation: Hoffer et al. 2020,
    /// arXiv:1901.09335; as DeiT's `RASampler` on one machine).
    ///
    /// # Panics
    /// If `repeats` is 0.
    #[must_use]
    pub fn repeating(self, repeats: usize) -> Self {
        assert!(repeats > 0, "an example stands at least once");
        Self { repeats, ..self }
    }

    /// Returns the positions of the examples that step `step` sees.
    pub fn positions(&self, step: usize) -> Vec<usize> {
        let (mut at, end) = (step * self.batch, (step + 1) * self.batch);
        let mut positions = Vec::with_capacity(self.batch);
        while at < end {
            let part = self.part(at / self.examples, at % self.examples, end - at);
            at += part.len();
            positions.extend(part);
        }
        positions
    }

    fn part(&self, epoch: usize, from: usize, n: usize) -> Vec<usize> {
        let mut held = self.held.lock().expect("no thread panics while it holds the order");
        if held.as_ref().is_none_or(|(known, _)| *known != epoch) {
            let mut stream = self.seed.index(epoch as u64).stream();
            *held = Some((epoch, stream.permutation(self.examples)));
        }
        let (_, order) = held.as_ref().expect("it was just put there");
        let end = (from + n).min(self.examples);
        (from..end).map(|place| order[place / self.repeats]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_every_example_once_and_steps_stand_alone() {
        let epochs = Epochs::new(10, 4, Seed::root(1));
        let in_order: Vec<Vec<usize>> = (0..5).map(|s| epochs.positions(s)).collect();
        let all = in_order.concat();
        for epoch in all.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(all[..10], all[10..]);
        for step in [4, 0, 3] {
            assert_eq!(epochs.positions(step), in_order[step]);
        }
        assert_eq!(Epochs::new(3, 8, Seed::root(1)).positions(0).len(), 8);
    }

    #[test]
    fn repeats_stand_in_a_row_and_an_epoch_keeps_its_length() {
        let (plain, thrice) = [1, 3].map(|n| Epochs::new(10, 4, Seed::root(1)).repeating(n)).into();
        let all: Vec<usize> = (0..5).flat_map(|step| thrice.positions(step)).collect();
        for (i, epoch) in all.chunks(10).enumerate() {
            // The first 4 of the epoch's order, the last of them once.
            let order: Vec<usize> =
                (0..5).flat_map(|step| plain.positions(step)).skip(10 * i).take(4).collect();
            let want: Vec<usize> = (0..10).map(|place| order[place / 3]).collect();
            assert_eq!(epoch, want, "epoch {i}");
        }
        assert_eq!(thrice.positions(3), all[12..16]);
    }
}
