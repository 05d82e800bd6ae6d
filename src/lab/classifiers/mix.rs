//! Which pictures a classifier learns from: a share of the real ones, and k synthetic ones for
//! each.
//!
//! Notation: `n_c` is the number of real training pictures of class c. A mix holds
//! `round(real * n_c)` real pictures (each `repeat` times) and `round(synthetic * n_c)` synthetic
//! pictures of each class, so every mix keeps the class balance of the real data (Azizi et al.
//! 2023, section 4.4; the classification accuracy score of Ravuri & Vinyals 2019, arXiv:1905.10887,
//! is `real = 0, synthetic = 1`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lab::data::{ClassMismatch, Dataset, Example, share_of};
use crate::terms::Seed;

/// A training set made of real and synthetic pictures, shuffled together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Mix {
    /// Share of the real training pictures, per class, in 0..=1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub real: f64,
    /// Synthetic pictures per real training picture of the same class (the k of "real + k x
    /// synthetic").
    #[schemars(range(min = 0.0))]
    pub synthetic: f64,
    /// How often each real picture stands in the training set: the control for "more pictures" is
    /// more of the same.
    #[schemars(range(min = 1))]
    pub repeat: usize,
}

impl Default for Mix {
    fn default() -> Self {
        Self { real: 1.0, synthetic: 0.0, repeat: 1 }
    }
}

/// Why a mix cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MixError {
    /// The synthetic pictures have other classes.
    #[error(transparent)]
    Classes(#[from] ClassMismatch),
    /// There are too few synthetic pictures.
    #[error("class `{class}` has {found} synthetic pictures, the mix needs {needed}")]
    TooFew {
        /// The class.
        class: String,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
}

impl Mix {
    /// Returns whether the mix needs a generator.
    pub fn needs_synthetic(&self) -> bool {
        self.synthetic > 0.0
    }

    /// Returns how many synthetic pictures of each class the mix needs, given the real counts.
    pub fn synthetic_counts(&self, real: &[usize]) -> Vec<usize> {
        real.iter().map(|n| (self.synthetic * *n as f64).round() as usize).collect()
    }

    /// Makes the training set: real pictures first, then the first synthetic ones of each class.
    /// Which real pictures a share keeps is decided at `seed`.
    ///
    /// # Errors
    /// If the classes differ, or there are too few synthetic pictures.
    pub fn make(
        &self,
        real: &Dataset,
        synthetic: Option<&Dataset>,
        seed: Seed,
    ) -> Result<Dataset, MixError> {
        let counts = real.class_counts();
        let kept = share_of(&real.roll(), self.real, seed.child("share"));
        let mut examples = Vec::new();
        for _ in 0..self.repeat {
            examples.extend(kept.iter().map(|position| real.examples[*position].clone()));
        }
        let needed = self.synthetic_counts(&counts);
        if let Some(synthetic) = synthetic.filter(|_| self.needs_synthetic()) {
            ClassMismatch::between(&real.classes, &synthetic.classes)?;
            examples.extend(first_of_each(synthetic, &needed)?);
        } else if let Some(first) = needed.iter().position(|n| *n > 0) {
            let class = real.classes.iter().nth(first).unwrap_or_default().to_owned();
            return Err(MixError::TooFew { class, found: 0, needed: needed[first] });
        }
        Ok(Dataset::new(real.classes.clone(), examples))
    }
}

/// Returns the first `needed` examples of each class, in order.
fn first_of_each(synthetic: &Dataset, needed: &[usize]) -> Result<Vec<Example>, MixError> {
    let mut left = needed.to_vec();
    let mut examples = Vec::new();
    for example in &synthetic.examples {
        let left = &mut left[example.class.index()];
        if *left > 0 {
            *left -= 1;
            examples.push(example.clone());
        }
    }
    match left.iter().position(|n| *n > 0) {
        None => Ok(examples),
        Some(class) => Err(MixError::TooFew {
            class: synthetic.classes.iter().nth(class).unwrap_or_default().to_owned(),
            found: needed[class] - left[class],
            needed: needed[class],
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::data::Origin;
    use crate::terms::{ClassId, ClassNames, Picture};

    fn data(origin: Origin, counts: [usize; 2]) -> Dataset {
        let one = |class: u32, i: usize| Example {
            id: format!("{origin:?}/{class}/{i}"),
            class: ClassId(class),
            origin,
            picture: Arc::new(Picture::filled(1, 1, [0; 3])),
        };
        let all = (0..2).flat_map(|c| (0..counts[c as usize]).map(move |i| one(c, i)));
        Dataset::new(ClassNames::new(["a", "b"]), all.collect())
    }

    fn counts(mix: Mix) -> (Vec<usize>, Vec<usize>) {
        let (real, fake) = (data(Origin::Real, [8, 4]), data(Origin::Synthetic, [20, 10]));
        let made = mix.make(&real, Some(&fake), Seed::root(0)).unwrap();
        let of = |origin| made.filter(|e| e.origin == origin).class_counts();
        (of(Origin::Real), of(Origin::Synthetic))
    }

    #[test]
    fn shares_and_multiples_keep_the_class_balance() {
        let mix = |real, synthetic, repeat| counts(Mix { real, synthetic, repeat });
        assert_eq!(mix(1.0, 0.0, 1), (vec![8, 4], vec![0, 0]));
        assert_eq!(mix(0.0, 1.0, 1), (vec![0, 0], vec![8, 4]));
        assert_eq!(mix(0.5, 2.5, 1), (vec![4, 2], vec![20, 10]));
        assert_eq!(mix(1.0, 0.0, 3), (vec![24, 12], vec![0, 0]));
    }

    #[test]
    fn too_few_synthetic_pictures_are_named() {
        let (real, fake) = (data(Origin::Real, [8, 4]), data(Origin::Synthetic, [20, 3]));
        let mix = Mix { synthetic: 1.0, ..Mix::default() };
        let error = mix.make(&real, Some(&fake), Seed::root(0)).unwrap_err().to_string();
        assert_eq!(error, "class `b` has 3 synthetic pictures, the mix needs 4");
        let error = mix.make(&real, None, Seed::root(0)).unwrap_err().to_string();
        assert_eq!(error, "class `a` has 0 synthetic pictures, the mix needs 8");
    }
}
