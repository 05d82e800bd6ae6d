//! The draws of NumPy's `RandomState`, number for number.
//!
//! Matsumoto & Nishimura 1998 (doi:10.1145/272991.272995), MT19937. Protocols of other tools name
//! their subsets by a NumPy seed, so to repeat a published number one must repeat the draws;
//! everything that is ours uses [`Seed`](crate::terms::Seed).
//!
//! What NumPy does (frozen for `RandomState` by its policy NEP 19, checked against 2.4): a whole
//! seed starts the state by `init_genrand`; a number in `0..=max` takes the low bits that `max` has
//! and is drawn again while too large; a shuffle goes from the last place to the second.

const WORDS: usize = 624;
const SHIFT: usize = 397;

/// A generator in a state that `numpy.random.RandomState` would be in.
#[derive(Clone, Debug)]
pub struct RandomState {
    words: [u32; WORDS],
    /// The next word to give out; [`WORDS`] if all are used up.
    next: usize,
}

impl RandomState {
    /// Returns `RandomState(seed)`.
    ///
    /// ```
    /// use ersatz::lab::metrics::RandomState;
    /// // np.random.RandomState(0).permutation(5)
    /// assert_eq!(RandomState::new(0).permutation(5), [2, 0, 1, 3, 4]);
    /// ```
    pub fn new(seed: u32) -> Self {
        let mut words = [seed; WORDS];
        for i in 1..WORDS {
            let before = words[i - 1];
            // The multiplier of the authors' `init_genrand` (2002).
            words[i] = 1_812_433_253_u32
                .wrapping_mul(before ^ (before >> 30))
                .wrapping_add(u32::try_from(i).expect("there are 624 words"));
        }
        Self { words, next: WORDS }
    }

    /// Returns 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.next == WORDS {
            self.twist();
        }
        let mut y = self.words[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..WORDS {
            let y = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % WORDS] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + SHIFT) % WORDS] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// Returns a whole number in `0..n`, as `randint(n)`.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn randint(&mut self, n: usize) -> usize {
        assert!(n > 0, "no number is below 0");
        let max = n as u64 - 1;
        let mask = u64::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
        loop {
            let drawn = match max {
                0 => return 0, // Nothing is drawn where there is no choice.
                1..=0xffff_ffff => u64::from(self.bits()),
                _ => (u64::from(self.bits()) << 32) | u64::from(self.bits()),
            };
            if drawn & mask <= max {
                return (drawn & mask) as usize;
            }
        }
    }

    /// Puts items in random order, as `shuffle`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.randint(i + 1));
        }
    }

    /// Returns `0..n` in random order, as `permutation(n)`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// Returns `count` different numbers of `0..n`, as `choice(n, count, replace=False)`.
    ///
    /// # Panics
    /// If `count` exceeds `n`.
    pub fn choice(&mut self, n: usize, count: usize) -> Vec<usize> {
        assert!(count <= n, "{count} different numbers below {n}");
        let mut order = self.permutation(n);
        order.truncate(count);
        order
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::testing::golden_json;

    fn numbers(value: &Value) -> Vec<usize> {
        let list = value.as_array().unwrap();
        list.iter().map(|v| usize::try_from(v.as_u64().unwrap()).unwrap()).collect()
    }

    #[test]
    fn agrees_with_numpy_draw_for_draw() {
        for case in golden_json("metrics/mt19937/cases.json").as_array().unwrap() {
            let seed = u32::try_from(case["seed"].as_u64().unwrap()).unwrap();
            let mut state = RandomState::new(seed);
            for step in case["draws"].as_array().unwrap() {
                let n = usize::try_from(step["n"].as_u64().unwrap()).unwrap();
                let want = numbers(&step["want"]);
                // Long draws are stored by their head; what follows them proves the rest.
                let got = match step["what"].as_str().unwrap() {
                    "bits" => want.iter().map(|_| state.bits() as usize).collect(),
                    "randint" => want.iter().map(|_| state.randint(n)).collect(),
                    "permutation" => state.permutation(n),
                    "choice" => {
                        let count = usize::try_from(step["count"].as_u64().unwrap()).unwrap();
                        state.choice(n, count)
                    }
                    "shuffle" => {
                        let mut letters: Vec<usize> = (100..100 + n).collect();
                        state.shuffle(&mut letters);
                        letters
                    }
                    other => panic!("no such draw: {other}"),
                };
                assert_eq!(got[..want.len()], want, "seed {seed}: {step}");
            }
        }
    }

    #[test]
    fn one_is_no_choice() {
        let (mut a, mut b) = (RandomState::new(7), RandomState::new(7));
        assert_eq!(a.randint(1), 0);
        assert_eq!(a.bits(), b.bits());
    }

    #[test]
    #[should_panic(expected = "6 different numbers below 5")]
    fn more_than_there_are_is_refused() {
        RandomState::new(0).choice(5, 6);
    }
}
