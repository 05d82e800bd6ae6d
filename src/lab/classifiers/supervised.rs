//! Learning to name what pictures show, from labels.
//!
//! Which pictures a step sees, how they are augmented and with whom they are mixed are functions of the
//! seed and the step alone.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::predict::predict;
use crate::lab::data::Dataset;
use crate::lab::images::augment::{Augmentation, Mixing, soft_targets};
use crate::lab::images::{Channels, Normalisation, planes};
use crate::lab::training::{Epochs, Recipe, Task};
use crate::nets::blocks::Mode;
use crate::nets::classifier::Classifier;
use crate::terms::{ClassId, Picture, Seed};

/// How a classifier is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SupervisedSpec {
    /// How long, how fast, by which rule.
    pub recipe: Recipe,
    /// Random changes of single pictures.
    pub augmentation: Augmentation,
    /// Random mixtures of two pictures of a batch.
    pub mixing: Mixing,
    /// Share of the target that is spread evenly over all classes (Szegedy et al. 2016,
    /// arXiv:1512.00567, section 7).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_smoothing: f64,
    /// How grey levels become numbers.
    pub normalisation: Normalisation,
}

/// The task of naming what the pictures of a training set show.
pub struct Supervised<'a> {
    spec: &'a SupervisedSpec,
    train: &'a Dataset,
    validation: &'a Dataset,
    channels: Channels,
    seed: Seed,
    epochs: Epochs,
}

impl<'a> Supervised<'a> {
    /// Joins what the task is made of. `seed` decides order, augmentation and mixing.
    ///
    /// # Panics
    /// If there is no training picture.
    pub fn new(
        spec: &'a SupervisedSpec,
        train: &'a Dataset,
        validation: &'a Dataset,
        channels: Channels,
        seed: Seed,
    ) -> Self {
        let epochs = Epochs::new(train.len(), spec.recipe.batch, seed.child("order"));
        Self { spec, train, validation, channels, seed, epochs }
    }
}

/// Pictures and soft targets of one step.
pub struct Batch {
    pixels: Vec<f32>,
    shape: [usize; 4],
    targets: Vec<f32>,
}

impl Task for Supervised<'_> {
    type Model = Classifier;
    type Batch = Batch;

    fn batch(&self, step: usize) -> Batch {
        let positions = self.epochs.positions(step);
        let seed = self.seed.child("step").index(step as u64);
        let pictures: Vec<Picture> = positions
            .iter()
            .enumerate()
            .map(|(i, position)| {
                let example = &self.train.examples[*position];
                self.spec.augmentation.apply(&example.picture, seed.index(i as u64))
            })
            .collect();
        let classes: Vec<ClassId> =
            positions.iter().map(|p| self.train.examples[*p].class).collect();
        let k = self.train.classes.len();
        let mut targets = soft_targets(&classes, k, self.spec.label_smoothing);
        let (h, w) = (pictures[0].height(), pictures[0].width());
        let seen: Vec<&Picture> = pictures.iter().collect();
        let mut pixels = planes(&seen, self.spec.normalisation, self.channels);
        let shape = [pictures.len(), self.channels.count(), h, w];
        self.spec.mixing.apply(&mut pixels, &mut targets, shape, seed.child("mixing"));
        Batch { pixels, shape, targets }
    }

    fn loss(&self, model: &Classifier, batch: Batch, device: &Device) -> Tensor<1> {
        let n = batch.shape[0];
        let k = batch.targets.len() / n;
        let x = Tensor::<4>::from_data(TensorData::new(batch.pixels, batch.shape), device);
        let targets = Tensor::<2>::from_data(TensorData::new(batch.targets, [n, k]), device);
        let logits = model.forward(x, Mode::Train);
        (log_softmax(logits, 1) * targets).sum() * (-1.0 / n as f64)
    }

    fn validate(&self, model: &Classifier) -> Option<f64> {
        if self.validation.is_empty() {
            return None;
        }
        let pictures: Vec<&Picture> =
            self.validation.examples.iter().map(|e| e.picture.as_ref()).collect();
        let predicted = predict(model, &pictures, self.spec.normalisation, self.channels);
        let rows = predicted.logits.chunks(predicted.classes);
        let hits = rows.zip(&self.validation.examples);
        let right = hits.filter(|(row, example)| best(row) == example.class.index()).count();
        Some(right as f64 / self.validation.len() as f64)
    }
}

/// Returns the position of the first largest number.
fn best(row: &[f32]) -> usize {
    let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
    (1..row.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::data::{Example, Origin};
    use crate::terms::ClassNames;

    fn data(n: usize) -> Dataset {
        let one = |i: usize| Example {
            id: i.to_string(),
            class: ClassId(i as u32 % 3),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(4, 4, [i as u8; 3])),
        };
        Dataset::new(ClassNames::new(["a", "b", "c"]), (0..n).map(one).collect())
    }

    #[test]
    fn a_batch_is_larger_than_the_data() {
        let (train, none) = (data(3), data(0));
        let recipe = Recipe { batch: 8, ..Recipe::default() };
        let spec = SupervisedSpec { recipe, ..SupervisedSpec::default() };
        let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(1));
        let batch = task.batch(0);
        assert_eq!(batch.shape, [8, 3, 4, 4]);
        assert_eq!(batch.targets.len(), 24);
    }
}
