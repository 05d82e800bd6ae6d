//! Two pictures and their targets become one: MixUp and CutMix, on a normalised batch.
//!
//! MixUp: Zhang et al. 2018 (arXiv:1710.09412), Section 2. CutMix: Yun et al. 2019
//! (arXiv:1905.04899), Section 3.1. Notation: `lambda` is the share of a picture's own content, its
//! partner has the rest; one `lambda` and one permutation of partners for the whole batch, as in
//! both papers' released code. Arithmetic in the order of timm's `Mixup` in batch mode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::terms::{Problem, Seed, Stream};

/// How the pictures of a batch are mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mixing {
    /// Not at all.
    #[default]
    None,
    /// Weighted means of two pictures.
    Mixup(Mixup),
    /// A rectangle of one picture in the other.
    Cutmix(Cutmix),
    /// For every batch one of the two, at random, as in DeiT (Touvron et al. 2021,
    /// arXiv:2012.12877).
    Either(Either),
}

/// Weighted means of two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Mixup {
    /// Both parameters of the Beta law of lambda, above 0. The paper: 1 on CIFAR, 0.2 on ImageNet.
    #[schemars(range(min = 0.0))]
    pub alpha: f64,
    /// Share of the batches that are mixed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
}

impl Default for Mixup {
    fn default() -> Self {
        Self { alpha: 1.0, probability: 1.0 }
    }
}

/// A rectangle of one picture in the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Cutmix {
    /// Both parameters of the Beta law of lambda, above 0. The paper: 1.
    #[schemars(range(min = 0.0))]
    pub alpha: f64,
    /// Share of the batches that are mixed. The paper's code: 0.5 on CIFAR, 1 on ImageNet.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
}

impl Default for Cutmix {
    fn default() -> Self {
        Self { alpha: 1.0, probability: 1.0 }
    }
}

/// MixUp or CutMix, batch by batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Either {
    /// Both parameters of the Beta law of MixUp's lambda, above 0. DeiT: 0.8.
    #[schemars(range(min = 0.0))]
    pub mixup_alpha: f64,
    /// Both parameters of the Beta law of CutMix's lambda, above 0. DeiT: 1.
    #[schemars(range(min = 0.0))]
    pub cutmix_alpha: f64,
    /// Share of CutMix among the mixed batches. DeiT: 0.5.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub cutmix_share: f64,
    /// Share of the batches that are mixed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub probability: f64,
}

impl Default for Either {
    fn default() -> Self {
        Self { mixup_alpha: 0.8, cutmix_alpha: 1.0, cutmix_share: 0.5, probability: 1.0 }
    }
}

/// What one batch undergoes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Leave,
    Blend { alpha: f64 },
    Paste { alpha: f64 },
}

impl Mixing {
    /// Mixes a batch in place: `pixels` are `shape = [n, c, h, w]`, `targets` are rows `[n, k]`.
    /// Returns lambda, the share of every picture's own content; 1 if nothing was done.
    ///
    /// # Panics
    /// If the numbers of values do not fit the shape.
    pub fn apply(
        &self,
        pixels: &mut [f32],
        targets: &mut [f32],
        shape: [usize; 4],
        seed: Seed,
    ) -> f64 {
        let [n, c, h, w] = shape;
        assert_eq!(pixels.len(), n * c * h * w, "pixels fill the shape");
        assert!(n > 0 && targets.len().is_multiple_of(n), "one row of targets per picture");
        let mut stream = seed.child("lambda").stream();
        let act = self.draw(&mut stream);
        let partners = seed.child("partners").stream().permutation(n);
        let (pixels, targets) = (Rows::new(pixels, n), Rows::new(targets, n));
        match act {
            Act::Leave => 1.0,
            Act::Blend { alpha } => {
                let lambda = stream.beta(alpha, alpha);
                pixels.blend(&partners, lambda);
                targets.blend(&partners, lambda);
                lambda
            }
            Act::Paste { alpha } => {
                let lambda = stream.beta(alpha, alpha);
                let patch = Patch::new(lambda, (stream.below(w), stream.below(h)), w, h);
                pixels.paste(&partners, patch, w, h);
                let lambda = patch.share_outside(w, h);
                targets.blend(&partners, lambda);
                lambda
            }
        }
    }

    fn draw(&self, stream: &mut Stream) -> Act {
        let (act, probability) = match *self {
            Self::None => return Act::Leave,
            Self::Mixup(Mixup { alpha, probability }) => (Act::Blend { alpha }, probability),
            Self::Cutmix(Cutmix { alpha, probability }) => (Act::Paste { alpha }, probability),
            Self::Either(of) => {
                let act = if stream.chance(of.cutmix_share) {
                    Act::Paste { alpha: of.cutmix_alpha }
                } else {
                    Act::Blend { alpha: of.mixup_alpha }
                };
                (act, of.probability)
            }
        };
        if stream.chance(probability) { act } else { Act::Leave }
    }

    /// Returns what is wrong with the numbers; `source` says where they stand.
    pub fn check(&self, source: &str) -> Vec<Problem> {
        let (alphas, shares) = match *self {
            Self::None => return Vec::new(),
            Self::Mixup(Mixup { alpha, probability })
            | Self::Cutmix(Cutmix { alpha, probability }) => {
                (vec![("alpha", alpha)], vec![("probability", probability)])
            }
            Self::Either(of) => (
                vec![("mixup-alpha", of.mixup_alpha), ("cutmix-alpha", of.cutmix_alpha)],
                vec![("cutmix-share", of.cutmix_share), ("probability", of.probability)],
            ),
        };
        let wrong = |(name, value): &(&str, f64), expected: &str| {
            Problem::new(source, format!("`{name} = {value}`"), expected)
        };
        let alphas = alphas.iter().filter(|(_, alpha)| !(*alpha > 0.0 && alpha.is_finite()));
        let shares = shares.iter().filter(|(_, share)| !(0.0..=1.0).contains(share));
        alphas
            .map(|it| wrong(it, "a number above 0"))
            .chain(shares.map(|it| wrong(it, "a share from 0 to 1")))
            .collect()
    }
}

/// The rectangle that shows the partner: columns `left..right`, rows `top..bottom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patch {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

impl Patch {
    /// Returns a rectangle with the sides `sqrt(1 - lambda)` times those of the picture (paper,
    /// equation 2), around a centre, clipped at the borders.
    // DIFFERS: the paper's released code ends the rectangle at `centre + cut / 2`, which loses a
    // pixel of odd sides; timm 1.0.31 ends it at `centre + (cut + 1) / 2`, and so do we.
    fn new(lambda: f64, centre: (usize, usize), w: usize, h: usize) -> Self {
        let ratio = (1.0 - lambda).sqrt();
        let span = |centre: usize, side: usize| {
            let cut = (side as f64 * ratio) as usize;
            (centre.saturating_sub(cut / 2), (centre + cut.div_ceil(2)).min(side))
        };
        let ((left, right), (top, bottom)) = (span(centre.0, w), span(centre.1, h));
        Self { left, right, top, bottom }
    }

    /// Returns lambda as the share of pixels that are truly left.
    fn share_outside(self, w: usize, h: usize) -> f64 {
        let area = (self.right - self.left) * (self.bottom - self.top);
        1.0 - area as f64 / (w * h) as f64
    }
}

/// A batch as rows, one per picture, with a copy of how they were.
struct Rows<'a> {
    rows: &'a mut [f32],
    length: usize,
}

impl<'a> Rows<'a> {
    fn new(rows: &'a mut [f32], n: usize) -> Self {
        let length = rows.len() / n;
        Self { rows, length }
    }

    /// Calls `change` with every row and its partner as it was before.
    fn each(self, partners: &[usize], change: impl Fn(&mut [f32], &[f32])) {
        let before = self.rows.to_vec();
        if self.length == 0 {
            return;
        }
        for (row, partner) in self.rows.chunks_exact_mut(self.length).zip(partners) {
            change(row, &before[partner * self.length..][..self.length]);
        }
    }

    fn blend(self, partners: &[usize], lambda: f64) {
        let (own, other) = (lambda as f32, (1.0 - lambda) as f32);
        self.each(partners, |row, partner| {
            for (value, partner) in row.iter_mut().zip(partner) {
                *value = *value * own + partner * other;
            }
        });
    }

    fn paste(self, partners: &[usize], patch: Patch, w: usize, h: usize) {
        self.each(partners, |row, partner| {
            for (plane, partner) in row.chunks_exact_mut(w * h).zip(partner.chunks_exact(w * h)) {
                for y in patch.top..patch.bottom {
                    let line = y * w + patch.left..y * w + patch.right;
                    plane[line.clone()].copy_from_slice(&partner[line]);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::{floats, whole};
    use super::*;
    use crate::testing::{Tol, close, close_f32, golden_json};

    const SHAPE: [usize; 4] = [4, 3, 6, 7];

    fn batch(golden: &serde_json::Value) -> (Vec<f32>, Vec<f32>) {
        (floats(&golden["pixels"]), floats(&golden["smoothed"]))
    }

    #[test]
    fn equals_timm() {
        let golden = golden_json("images/augment/mix.json");
        let reversed = [3, 2, 1, 0]; // timm's partners.
        // Single precision, the same order; a fused multiply-add in torch may spare one rounding of
        // values below 4.
        let tol = Tol::absolute(5e-7);
        for case in golden["cases"].as_array().unwrap() {
            let (mut pixels, mut targets) = batch(&golden);
            let lambda = case["lambda"].as_f64().unwrap();
            let lambda = if case["patch"].is_null() {
                Rows::new(&mut pixels, 4).blend(&reversed, lambda);
                lambda
            } else {
                let [x, y] = ["x", "y"].map(|key| whole(&case[key]));
                let patch = Patch::new(lambda, (x, y), 7, 6);
                let got = [patch.left, patch.right, patch.top, patch.bottom];
                assert_eq!(serde_json::json!(got), case["patch"], "{lambda} at {x}, {y}");
                Rows::new(&mut pixels, 4).paste(&reversed, patch, 7, 6);
                patch.share_outside(7, 6)
            };
            Rows::new(&mut targets, 4).blend(&reversed, lambda);
            close(lambda, case["corrected"].as_f64().unwrap(), Tol::absolute(1e-15));
            close_f32(&pixels, &floats(&case["mixed"]), tol);
            close_f32(&targets, &floats(&case["targets"]), tol);
        }
    }

    fn all() -> [Mixing; 3] {
        [
            Mixing::Mixup(Mixup::default()),
            Mixing::Cutmix(Cutmix::default()),
            Mixing::Either(Either::default()),
        ]
    }

    #[test]
    fn obeys_its_laws() {
        let golden = golden_json("images/augment/mix.json");
        let before = batch(&golden);
        for mixing in all() {
            let mut changed = 0;
            for i in 0..50 {
                let (mut pixels, mut targets) = before.clone();
                let seed = Seed::root(8).index(i);
                let lambda = mixing.apply(&mut pixels, &mut targets, SHAPE, seed);
                assert!((0.0..=1.0).contains(&lambda), "{lambda}");
                for row in targets.chunks_exact(5) {
                    // Five single-precision terms below 1, three roundings each.
                    let sum = row.iter().map(|v| f64::from(*v)).sum();
                    close(sum, 1.0, Tol::absolute(15.0 * f64::from(f32::EPSILON)));
                }
                let (mut again, mut again_targets) = before.clone();
                mixing.apply(&mut again, &mut again_targets, SHAPE, seed);
                assert_eq!((&again, &again_targets), (&pixels, &targets), "same seed");
                changed += usize::from(pixels != before.0);
            }
            assert!(changed > 40, "{mixing:?} changed {changed} of 50 batches");
        }
    }

    #[test]
    fn lambda_is_the_share_of_own_pixels() {
        let [n, c, h, w] = SHAPE;
        // Every pixel tells whose it is, so does every row of targets.
        let whose =
            |length: usize| (0..n).flat_map(|i| vec![i as f32; length]).collect::<Vec<f32>>();
        let cutmix = Mixing::Cutmix(Cutmix::default());
        for i in 0..100 {
            let mut pixels = whose(c * h * w);
            let mut targets: Vec<f32> =
                (0..n * n).map(|at| f32::from(u8::from(at / n == at % n))).collect();
            let lambda = cutmix.apply(&mut pixels, &mut targets, SHAPE, Seed::root(9).index(i));
            for (i, (row, target)) in
                pixels.chunks_exact(c * h * w).zip(targets.chunks_exact(n)).enumerate()
            {
                for (owner, share) in target.iter().enumerate() {
                    let own = row.iter().filter(|v| **v as usize == owner).count();
                    // One rounding of a share to single precision.
                    close(
                        f64::from(*share),
                        own as f64 / (c * h * w) as f64,
                        Tol::absolute(f64::from(f32::EPSILON)),
                    );
                }
                assert!(f64::from(target[i]) >= lambda - 1e-6);
            }
        }
    }

    #[test]
    fn what_is_off_changes_nothing() {
        let golden = golden_json("images/augment/mix.json");
        let before = batch(&golden);
        for mixing in [
            Mixing::None,
            Mixing::Mixup(Mixup { probability: 0.0, ..Mixup::default() }),
            Mixing::Cutmix(Cutmix { probability: 0.0, ..Cutmix::default() }),
        ] {
            let (mut pixels, mut targets) = before.clone();
            let lambda = mixing.apply(&mut pixels, &mut targets, SHAPE, Seed::root(0));
            close(lambda, 1.0, Tol::absolute(0.0));
            assert_eq!((pixels, targets), before, "{mixing:?}");
        }
    }

    /// timm's `_params_per_batch`: whether a batch is mixed, and of those, by which of the two.
    #[test]
    fn batches_switch_between_mixup_and_cutmix() {
        let either = Either { probability: 0.6, cutmix_share: 0.3, ..Either::default() };
        let n = 5_000;
        let act = |i| Mixing::Either(either).draw(&mut Seed::root(12).index(i).stream());
        let acts: Vec<Act> = (0..n).map(act).collect();
        let share =
            |of: &dyn Fn(&Act) -> bool| acts.iter().filter(|act| of(act)).count() as f64 / n as f64;
        // Five standard deviations of a share of 5,000: at most 0.036.
        let tol = Tol::absolute(0.036);
        close(share(&|act| *act == Act::Leave), 0.4, tol);
        close(share(&|act| *act == Act::Blend { alpha: 0.8 }), 0.42, tol);
        close(share(&|act| *act == Act::Paste { alpha: 1.0 }), 0.18, tol);
    }

    #[test]
    fn spelled_in_toml_and_checked() {
        #[derive(Deserialize)]
        struct File {
            mixing: Mixing,
        }
        let read = |text: &str| toml::from_str::<File>(text).unwrap().mixing;
        assert_eq!(read("mixing = \"none\""), Mixing::None);
        let mixup = read("[mixing.mixup]\nalpha = 0.2");
        assert_eq!(mixup, Mixing::Mixup(Mixup { alpha: 0.2, probability: 1.0 }));
        assert!(mixup.check("here").is_empty());
        let wrong = read("[mixing.either]\nmixup-alpha = 0\ncutmix-share = 1.5");
        assert_eq!(wrong.check("here").len(), 2);
    }
}
