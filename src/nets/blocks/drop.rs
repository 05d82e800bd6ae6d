//! What training leaves out at random: paths through the net, and single features.
//!
//! Stochastic depth: Huang et al. 2016, arXiv:1603.09382, here per picture, as timm's `DropPath`.
//! Dropout: Srivastava et al. 2014. What stays is divided by the probability that it stays, so that
//! nothing has to change in evaluation. What a picture loses is drawn at
//! `seed / position in the batch / "drop" / place` and depends on nothing else.

use burn::tensor::{Tensor, TensorData};

use super::Mode;
use crate::terms::{Seed, Stream};

/// Leaves out a branch, picture by picture.
#[derive(Clone, Debug)]
pub struct DropPath(Rule);

/// Leaves out single features before the last linear layer.
#[derive(Clone, Debug)]
pub struct Dropout(Rule);

/// How often something is left out, and what that is called in addresses.
#[derive(Clone, Debug)]
struct Rule {
    probability: f64,
    place: String,
}

impl Rule {
    fn new(probability: f64, place: impl Into<String>) -> Self {
        assert!((0.0..1.0).contains(&probability), "something is left sometimes");
        Self { probability, place: place.into() }
    }

    /// Returns where the numbers are drawn from, if anything is left out at all.
    fn seed(&self, mode: Mode) -> Option<Seed> {
        match mode {
            Mode::Train(seed) if self.probability > 0.0 => Some(seed),
            Mode::Train(_) | Mode::Evaluate => None,
        }
    }

    /// Returns one factor for each of `width` things of each of `n` pictures: 0, or what makes up
    /// for the zeros.
    fn factors(&self, seed: Seed, n: usize, width: usize) -> Vec<f32> {
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        let factor = |stream: &mut Stream| if stream.chance(self.probability) { 0.0 } else { kept };
        (0..n)
            .flat_map(|i| {
                let mut stream = seed.index(i as u64).child("drop").child(&self.place).stream();
                (0..width).map(|_| factor(&mut stream)).collect::<Vec<f32>>()
            })
            .collect()
    }
}

impl DropPath {
    /// Leaves out the branch at `place` with this probability, below 1.
    pub fn new(probability: f64, place: impl Into<String>) -> Self {
        Self(Rule::new(probability, place))
    }

    /// Returns the probability for block `index` of `blocks`: it rises from 0 to `rate` (section 4,
    /// the linear rule, counted from 0 as timm does).
    // DIFFERS: the paper's rule is l / L * rate for l = 1..L, so that its first block is dropped
    // sometimes; timm's, and ours, is l / (L - 1) for l = 0..L-1.
    pub fn linear(rate: f64, index: usize, blocks: usize) -> f64 {
        rate * index as f64 / blocks.saturating_sub(1).max(1) as f64
    }

    /// Returns what a branch adds, `[n, ...]`: nothing for some of the pictures.
    pub fn forward<const D: usize>(&self, branch: Tensor<D>, mode: Mode) -> Tensor<D> {
        let Some(seed) = self.0.seed(mode) else { return branch };
        let mut shape = [1; D];
        shape[0] = branch.dims()[0];
        let factors = TensorData::new(self.0.factors(seed, shape[0], 1), shape);
        let device = branch.device();
        branch * Tensor::from_data(factors, &device)
    }
}

impl Dropout {
    /// Leaves out features at `place` with this probability, below 1.
    pub fn new(probability: f64, place: impl Into<String>) -> Self {
        Self(Rule::new(probability, place))
    }

    /// Returns features, `[n, d]`, some of them 0.
    pub fn forward(&self, features: Tensor<2>, mode: Mode) -> Tensor<2> {
        let Some(seed) = self.0.seed(mode) else { return features };
        let [n, d] = features.dims();
        let factors = TensorData::new(self.0.factors(seed, n, d), [n, d]);
        let device = features.device();
        features * Tensor::from_data(factors, &device)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::nets::golden::numbers_of;
    use crate::testing::{Tol, close};

    fn ones<const D: usize>(shape: [usize; D]) -> Tensor<D> {
        Tensor::ones(shape, &Device::flex())
    }

    fn train(number: u64) -> Mode {
        Mode::Train(Seed::root(number))
    }

    #[test]
    fn evaluation_and_a_rate_of_zero_change_nothing() {
        let x = || ones([3, 2, 2, 1]);
        for out in [
            DropPath::new(0.9, "a").forward(x(), Mode::Evaluate),
            DropPath::new(0.0, "a").forward(x(), train(1)),
        ] {
            assert_eq!(out.into_data(), x().into_data());
        }
        let features = Dropout::new(0.5, "head").forward(ones([2, 5]), Mode::Evaluate);
        assert_eq!(features.into_data(), ones([2, 5]).into_data());
    }

    #[test]
    fn a_picture_loses_the_whole_branch_or_nothing() {
        let out = numbers_of(DropPath::new(0.25, "a").forward(ones([400, 3, 2]), train(2)));
        let (mut gone, kept) = (0, (1.0_f32 / 0.75).to_bits());
        for picture in out.chunks(6) {
            assert!(picture.iter().all(|x| x.to_bits() == picture[0].to_bits()));
            assert!(picture[0].to_bits() == kept || picture[0] <= 0.0);
            gone += usize::from(picture[0] <= 0.0);
        }
        // 400 draws of 1/4: the deviation is 8.7; five of them.
        assert!(gone.abs_diff(100) < 44, "{gone} of 400 dropped");
    }

    #[test]
    fn the_mean_stays() {
        for (probability, n) in [(0.1, 60), (0.5, 60), (0.9, 200)] {
            let dropped = Dropout::new(probability, "head").forward(ones([n, 500]), train(3));
            let values = numbers_of(dropped);
            let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64;
            let variance = probability / (1.0 - probability) / values.len() as f64;
            close(mean, 1.0, Tol::absolute(5.0 * variance.sqrt()));
        }
    }

    /// Whoever stands beside a picture, and whatever else is dropped, its own losses are the same.
    #[test]
    fn losses_have_an_address() {
        let dropout = Dropout::new(0.5, "head");
        let drop = |n: usize, seed: u64| numbers_of(dropout.forward(ones([n, 64]), train(seed)));
        assert_eq!(drop(8, 4)[..3 * 64], drop(3, 4));
        assert_ne!(drop(3, 4), drop(3, 5));
        assert_ne!(drop(1, 4), drop(2, 4)[64..]);
        let paths = ["layer1.0", "layer1.1"]
            .map(|place| numbers_of(DropPath::new(0.5, place).forward(ones([64, 1]), train(4))));
        assert_ne!(paths[0], paths[1]);
    }

    #[test]
    fn the_rate_rises_linearly() {
        let rates: Vec<f64> = (0..5).map(|i| DropPath::linear(0.2, i, 5)).collect();
        for (rate, want) in rates.iter().zip([0.0, 0.05, 0.1, 0.15, 0.2]) {
            close(*rate, want, Tol::absolute(1e-15));
        }
        close(DropPath::linear(0.2, 0, 1), 0.0, Tol::absolute(0.0));
    }
}
