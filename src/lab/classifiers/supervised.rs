//! Learning to name what pictures show, from labels.
//!
//! Which pictures a step sees, how they are augmented and with whom they are mixed are functions of
//! the seed and the step alone.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::predict::{Sight, predict};
use crate::lab::data::Dataset;
use crate::lab::images::augment::{Augmentation, Crop, Mixing, soft_targets};
use crate::lab::images::{Channels, Normalisation, View, planes};
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
    /// The size at which the net sees pictures.
    #[serde(skip_serializing_if = "View::is_data")]
    pub view: View,
    /// How often a picture stands in a row of a batch, each time changed anew; an epoch has as many
    /// fewer pictures (Hoffer et al. 2020, arXiv:1901.09335). DeiT: 3.
    #[serde(skip_serializing_if = "Repeats::is_once")]
    pub repeats: Repeats,
}

impl SupervisedSpec {
    /// Returns how the net sees pictures.
    pub fn sight(&self, channels: Channels) -> Sight {
        Sight { normalisation: self.normalisation, channels, view: self.view }
    }
}

/// How often a picture stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeats(#[schemars(range(min = 1))] pub usize);

impl Default for Repeats {
    fn default() -> Self {
        Self(1)
    }
}

impl Repeats {
    /// Once is not written, so that results of before there were repeats keep their keys.
    fn is_once(&self) -> bool {
        self.0 == 1
    }
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
        let epochs = epochs.repeating(spec.repeats.0);
        Self { spec, train, validation, channels, seed, epochs }
    }

    /// Returns a training picture as the net sees it at this address.
    fn seen(&self, picture: &Picture, seed: Seed) -> Picture {
        let augmentation = &self.spec.augmentation;
        match (self.spec.view.side(), &augmentation.crop) {
            (None, _) => augmentation.apply(picture, seed),
            (Some(side), Crop::Resized(_)) => augmentation.apply_to(picture, side, side, seed),
            (Some(_), _) => augmentation.apply(&self.spec.view.whole(picture), seed),
        }
    }
}

/// Pictures and soft targets of one step.
pub struct Batch {
    pixels: Vec<f32>,
    shape: [usize; 4],
    targets: Vec<f32>,
    /// Where what the net leaves out is drawn.
    seed: Seed,
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
                self.seen(&example.picture, seed.index(i as u64))
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
        let planes = [self.channels.count(), h, w];
        for (i, picture) in pixels.chunks_exact_mut(planes.iter().product()).enumerate() {
            self.spec.augmentation.erase(picture, planes, seed.index(i as u64));
        }
        self.spec.mixing.apply(&mut pixels, &mut targets, shape, seed.child("mixing"));
        Batch { pixels, shape, targets, seed }
    }

    fn loss(&self, model: &Classifier, batch: Batch, device: &Device) -> Tensor<1> {
        let n = batch.shape[0];
        let k = batch.targets.len() / n;
        let x = Tensor::<4>::from_data(TensorData::new(batch.pixels, batch.shape), device);
        let targets = Tensor::<2>::from_data(TensorData::new(batch.targets, [n, k]), device);
        let logits = model.forward(x, Mode::Train(batch.seed));
        (log_softmax(logits, 1) * targets).sum() * (-1.0 / n as f64)
    }

    fn validate(&self, model: &Classifier) -> Option<f64> {
        if self.validation.is_empty() {
            return None;
        }
        let pictures: Vec<&Picture> =
            self.validation.examples.iter().map(|e| e.picture.as_ref()).collect();
        let predicted = predict(model, &pictures, self.spec.sight(self.channels));
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
    use crate::lab::images::Scaled;
    use crate::lab::images::augment::{
        Cutmix, Either, Mixup, Padded, RandAugment, RandomErasing, ResizedCrop,
    };
    use crate::lab::training::testing::{course, resumes_exactly};
    use crate::lab::training::{Adamw, Decay, Ema, Keep, LearningRate, Optimizer, Outcome, Sgd};
    use crate::nets::blocks::Site;
    use crate::nets::classifier::{ClassifierNet, Input};
    use crate::nets::resnet::{ResNetFamily, ResNetSpec, Stem};
    use crate::nets::resnet_rs::ResNetRsSpec;
    use crate::nets::vit::VitSpec;
    use crate::terms::{ClassNames, Precision};
    use crate::testing::{Tol, close, close_f32};

    /// Returns pictures of noise of three classes in turn.
    fn data(n: usize, size: usize) -> Dataset {
        let one = |i: usize| {
            let mut stream = Seed::root(5).index(i as u64).stream();
            let rgb = (0..size * size * 3).map(|_| stream.below(256) as u8).collect();
            Example {
                id: i.to_string(),
                class: ClassId(i as u32 % 3),
                origin: Origin::Real,
                picture: Arc::new(Picture::new(size, size, rgb)),
            }
        };
        Dataset::new(ClassNames::new(["a", "b", "c"]), (0..n).map(one).collect())
    }

    fn build(net: ClassifierNet) -> Classifier {
        build_at(net, 8)
    }

    fn build_at(net: ClassifierNet, pixels: usize) -> Classifier {
        let site = Site::new(Seed::root(2), &Device::flex());
        net.build(Input { channels: 3, pixels }, 3, &site)
    }

    /// A net without statistics of batches: it says the same in training and in evaluation.
    fn vit() -> Classifier {
        let (features, heads, depth) = (Some(8), Some(2), Some(1));
        build(ClassifierNet::Vit(VitSpec {
            patch: 4,
            features,
            heads,
            depth,
            ..VitSpec::default()
        }))
    }

    fn resnet() -> Classifier {
        let (stem, width) = (Some(Stem::Cifar), Some(4));
        build(ClassifierNet::ResNet(ResNetSpec { family: ResNetFamily::ResNet10, stem, width }))
    }

    fn padded_and_flipped() -> Augmentation {
        let crop = Crop::Padded(Padded::default());
        Augmentation { crop, flip: true, ..Augmentation::default() }
    }

    fn batches_of(batch: usize) -> SupervisedSpec {
        let recipe = Recipe { batch, ..Recipe::default() };
        SupervisedSpec { recipe, ..SupervisedSpec::default() }
    }

    #[test]
    fn a_batch_is_larger_than_the_data() {
        let (train, none) = (data(3, 4), data(0, 4));
        let spec = batches_of(8);
        let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(1));
        let batch = task.batch(0);
        assert_eq!(batch.shape, [8, 3, 4, 4]);
        assert_eq!(batch.targets.len(), 24);
    }

    #[test]
    fn a_batch_is_a_function_of_seed_and_step() {
        let (train, none) = (data(10, 8), data(0, 8));
        let augmentation = padded_and_flipped();
        let mixing = Mixing::Cutmix(Cutmix { probability: 0.5, ..Cutmix::default() });
        let spec = SupervisedSpec { augmentation, mixing, ..batches_of(4) };
        let task = |seed| Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(seed));
        let parts = |batch: Batch| (batch.pixels, batch.targets);
        let (forwards, backwards) = (task(1), task(1));
        let want: Vec<_> = (0..8).map(|step| parts(forwards.batch(step))).collect();
        for step in [7, 3, 0, 4] {
            assert_eq!(parts(backwards.batch(step)), want[step]);
        }
        assert_ne!(parts(task(2).batch(0)), want[0]);
        assert_ne!(want[0], want[1]);
        let mixed = |targets: &[f32]| targets.iter().any(|share| *share > 0.001 && *share < 0.999);
        let some = want.iter().filter(|(_, targets)| mixed(targets)).count();
        assert!(some > 0 && some < 8, "about half of the batches are mixed, not {some} of 8");
        // An epoch is 2.5 batches: the same picture is seen otherwise in the next one.
        assert_ne!(want[0].0, want[5].0);
    }

    #[test]
    fn targets_are_smoothed_then_mixed() {
        let (train, none) = (data(12, 4), data(0, 4));
        let rows = |label_smoothing, mixing| {
            let spec = SupervisedSpec { label_smoothing, mixing, ..batches_of(12) };
            let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(1));
            task.batch(0).targets
        };
        let plain = rows(0.0, Mixing::None);
        for class in 0..3 {
            let ones = plain.iter().skip(class).step_by(3).filter(|share| **share > 0.999);
            assert_eq!(ones.count(), 4, "an epoch has 4 pictures of class {class}");
        }
        let tol = Tol::absolute(1e-6); // A few roundings of shares.
        let smoothed: Vec<f32> = plain.iter().map(|share| 0.7 * share + 0.1).collect();
        close_f32(&rows(0.3, Mixing::None), &smoothed, tol);
        let mixed = rows(0.3, Mixing::Mixup(Mixup::default()));
        assert!(mixed.iter().any(|share| *share > 0.11 && *share < 0.79), "something is mixed");
        for row in mixed.chunks(3) {
            close(row.iter().map(|share| f64::from(*share)).sum(), 1.0, tol);
            assert!(row.iter().all(|share| (0.099..0.801).contains(share)));
        }
    }

    #[test]
    fn the_loss_is_the_cross_entropy_of_soft_targets() {
        let (train, none) = (data(12, 8), data(0, 8));
        let spec = SupervisedSpec {
            label_smoothing: 0.1,
            mixing: Mixing::Mixup(Mixup::default()),
            ..batches_of(6)
        };
        let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(1));
        let (net, batch, device) = (vit(), task.batch(3), Device::flex());
        let (pixels, targets) = (batch.pixels.clone(), batch.targets.clone());
        let got: f32 = task.loss(&net, batch, &device).into_scalar();
        let x = Tensor::<4>::from_data(TensorData::new(pixels, [6, 3, 8, 8]), &device);
        let logits: Vec<f32> = net.forward(x, Mode::Evaluate).into_data().try_into_vec().unwrap();
        let row = |(logits, targets): (&[f32], &[f32])| {
            let whole = logits.iter().map(|z| f64::from(*z).exp()).sum::<f64>().ln();
            let of = |(z, t): (&f32, &f32)| f64::from(*t) * (whole - f64::from(*z));
            logits.iter().zip(targets).map(of).sum::<f64>()
        };
        let want = logits.chunks(3).zip(targets.chunks(3)).map(row).sum::<f64>() / 6.0;
        close(f64::from(got), want, Tol::relative(1e-6)); // 18 terms in single precision.
    }

    #[test]
    fn validation_is_the_share_of_right_answers() {
        let (train, spec, net) = (data(3, 8), batches_of(1), vit());
        let mut held_out = data(300, 8); // More than one pass of `predict`.
        let answers: Vec<ClassId> = {
            let seen: Vec<&Picture> =
                held_out.examples.iter().map(|e| e.picture.as_ref()).collect();
            let said = predict(&net, &seen, spec.sight(Channels::Rgb));
            said.logits.chunks(3).map(|row| ClassId(best(row) as u32)).collect()
        };
        let validate = |data: &Dataset| {
            Supervised::new(&spec, &train, data, Channels::Rgb, Seed::root(0)).validate(&net)
        };
        for (i, (example, answer)) in held_out.examples.iter_mut().zip(&answers).enumerate() {
            let wrong = ClassId((answer.0 + 1) % 3);
            example.class = if i % 4 == 0 { wrong } else { *answer };
        }
        assert_eq!(validate(&held_out), Some(0.75));
        assert_eq!(validate(&data(0, 8)), None);
    }

    fn resumes(optimizer: Optimizer) {
        let recipe = Recipe {
            precision: Precision::F32,
            steps: 6,
            batch: 4,
            optimizer,
            learning_rate: LearningRate { peak: 0.01, warmup_steps: 2, ..Default::default() },
            clip_norm: Some(2.0),
            ema: Some(Ema { decay: 0.8 }),
            validate_every: 2,
            keep: Keep::BestValidation,
        };
        let spec = SupervisedSpec {
            recipe,
            augmentation: padded_and_flipped(),
            mixing: Mixing::Mixup(Mixup::default()),
            label_smoothing: 0.1,
            ..SupervisedSpec::default()
        };
        let (train, held_out) = (data(7, 8), data(9, 8));
        let task = Supervised::new(&spec, &train, &held_out, Channels::Rgb, Seed::root(3));
        resumes_exactly(&task, resnet, &spec.recipe);
    }

    #[test]
    fn a_training_by_sgd_resumes_exactly() {
        resumes(Optimizer::Sgd(Sgd::default()));
    }

    #[test]
    fn a_training_by_adamw_resumes_exactly() {
        resumes(Optimizer::Adamw(Adamw::default()));
    }

    /// Every random part of the recipes of ResNet-RS and DeiT at once.
    fn everything(batch: usize) -> SupervisedSpec {
        SupervisedSpec {
            recipe: Recipe {
                steps: 4,
                batch,
                learning_rate: LearningRate { peak: 0.01, warmup_steps: 2, ..Default::default() },
                ema: Some(Ema { decay: 0.8 }),
                ..Recipe::default()
            },
            augmentation: Augmentation {
                crop: Crop::Resized(ResizedCrop::default()),
                flip: true,
                rand_augment: Some(RandAugment::default()),
                erasing: Some(RandomErasing { probability: 0.5, ..RandomErasing::default() }),
            },
            mixing: Mixing::Either(Either::default()),
            label_smoothing: 0.1,
            view: View::Scaled(Scaled { pixels: 12, ..Scaled::default() }),
            repeats: Repeats(3),
            ..SupervisedSpec::default()
        }
    }

    fn resnet_rs() -> Classifier {
        let (width, blocks) = (Some(4), Some([1, 1, 1, 1]));
        let spec = ResNetRsSpec {
            stem: Stem::Cifar,
            width,
            blocks,
            drop_path: 0.3,
            ..ResNetRsSpec::default()
        };
        build_at(ClassifierNet::ResNetRs(spec), 12)
    }

    fn deit() -> Classifier {
        let (features, heads, depth) = (Some(8), Some(2), Some(2));
        let (drop_path, dropout) = (0.3, 0.1);
        let spec =
            VitSpec { patch: 4, features, heads, depth, drop_path, dropout, ..VitSpec::default() };
        build_at(ClassifierNet::Vit(spec), 12)
    }

    #[test]
    fn recipes_with_everything_random_resume_exactly() {
        let (train, held_out) = (data(7, 8), data(5, 8));
        let mut spec = everything(6);
        let task = Supervised::new(&spec, &train, &held_out, Channels::Rgb, Seed::root(3));
        resumes_exactly(&task, resnet_rs, &spec.recipe);
        spec.recipe.optimizer = Optimizer::Adamw(Adamw::default());
        let task = Supervised::new(&spec, &train, &held_out, Channels::Rgb, Seed::root(3));
        resumes_exactly(&task, deit, &spec.recipe);
    }

    #[test]
    fn what_the_net_leaves_out_belongs_to_the_step() {
        let (train, none) = (data(7, 8), data(0, 8));
        let spec = everything(6);
        let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(3));
        let loss = |step, seed_of| -> f32 {
            let mut batch = task.batch(step);
            batch.seed = task.batch(seed_of).seed;
            task.loss(&deit(), batch, &Device::flex()).into_scalar()
        };
        assert_eq!(loss(0, 0).to_bits(), loss(0, 0).to_bits());
        assert_ne!(loss(0, 0).to_bits(), loss(0, 1).to_bits());
    }

    #[test]
    fn repeats_are_the_same_picture_changed_anew() {
        let (train, none) = (data(9, 8), data(0, 8));
        let spec = SupervisedSpec {
            mixing: Mixing::None,
            label_smoothing: 0.0,
            view: View::Data,
            ..everything(6)
        };
        let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(4));
        let batch = task.batch(0);
        let rows: Vec<&[f32]> = batch.targets.chunks(3).collect();
        assert!(rows[0] == rows[1] && rows[1] == rows[2]);
        let pictures: Vec<&[f32]> = batch.pixels.chunks(3 * 64).collect();
        assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
    }

    #[test]
    fn a_net_may_see_pictures_of_another_size() {
        let (train, held_out) = (data(6, 8), data(6, 8));
        for crop in [Crop::None, Crop::Resized(ResizedCrop::default())] {
            let augmentation = Augmentation { crop, ..Augmentation::default() };
            let spec = SupervisedSpec { augmentation, ..everything(6) };
            let task = Supervised::new(&spec, &train, &held_out, Channels::Rgb, Seed::root(4));
            assert_eq!(task.batch(0).shape, [6, 3, 12, 12]);
            assert!(task.validate(&deit()).is_some());
        }
    }

    /// What is not used is not written, so that results of before it existed keep their keys.
    #[test]
    fn what_is_absent_leaves_no_trace() {
        let written = serde_json::to_value(SupervisedSpec::default()).unwrap();
        let keys: Vec<&String> = written.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["recipe", "augmentation", "mixing", "label-smoothing", "normalisation"]);
        let spec: SupervisedSpec =
            toml::from_str("repeats = 3\n[view.scaled]\npixels = 16").unwrap();
        assert_eq!((spec.repeats, spec.view.side()), (Repeats(3), Some(16)));
    }

    #[test]
    fn a_training_with_too_long_steps_is_stopped() {
        let learning_rate = LearningRate { peak: 1e30, warmup_steps: 0, decay: Decay::Constant };
        let recipe = Recipe { steps: 9, batch: 4, learning_rate, ..Recipe::default() };
        let spec = SupervisedSpec { recipe, ..SupervisedSpec::default() };
        let (train, none) = (data(7, 8), data(0, 8));
        let task = Supervised::new(&spec, &train, &none, Channels::Rgb, Seed::root(3));
        let (outcome, saved) = course(&task, resnet(), &spec.recipe, None, None);
        let Err(Outcome::Diverged { step, loss }) = outcome else { panic!("{outcome:?}") };
        assert!(!loss.is_finite() && saved.len() == step && step < 9);
    }

    #[test]
    fn validation_chooses_the_weights() {
        // Steps so long that the net gets worse: the best weights are not the last.
        let learning_rate = LearningRate { peak: 0.3, warmup_steps: 0, decay: Decay::Constant };
        let recipe = |keep| Recipe {
            steps: 8,
            batch: 6,
            learning_rate: learning_rate.clone(),
            validate_every: 1,
            keep,
            ..Recipe::default()
        };
        let (train, held_out) = (data(12, 8), data(30, 8));
        let validated = |keep| {
            let spec = SupervisedSpec { recipe: recipe(keep), ..SupervisedSpec::default() };
            let task = Supervised::new(&spec, &train, &held_out, Channels::Rgb, Seed::root(3));
            let trained = course(&task, resnet(), &spec.recipe, None, None).0.unwrap();
            let log: Vec<f64> = trained.log.iter().filter_map(|line| line.validation).collect();
            (task.validate(&trained.model).unwrap(), log)
        };
        let (last, log) = validated(Keep::Last);
        let most = log.iter().copied().fold(0.0, f64::max);
        close(last, log[7], Tol::absolute(0.0));
        assert!(most > last, "the case tells the two rules apart: {log:?}");
        close(validated(Keep::BestValidation).0, most, Tol::absolute(0.0));
    }
}
