//! A generator whose defect is known, because it was planted: the oracle for the harness itself.
//!
//! It needs no training. With `shapes` data its pictures are fresh samples of the law that the real
//! ones come from, but for the defect; with other data they are the real training pictures. Numbers
//! about such pictures are right or wrong: samples of the law are as good as real ones, fewer modes
//! keep precision and lose recall, copies are near the training data, wrong labels do not move the
//! law of the pictures but spoil what is learned from them.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Draw, Order};
use crate::lab::data::{Dataset, Law};
use crate::terms::{ClassId, Picture, Seed};

/// Pictures with a planted defect, to test the harness itself. With `shapes` data they are fresh
/// samples of the same law, with other data the real training pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Planted {
    /// What is wrong with the pictures.
    pub defect: Defect,
    /// The address of their randomness.
    pub seed: u64,
}

/// What is wrong with planted pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Defect {
    /// Nothing: fresh samples of the law. Only with `shapes` data.
    #[default]
    Truth,
    /// They are the training pictures themselves, whatever the data.
    Copies,
    /// Modes are missing.
    FewerModes(FewerModes),
    /// Some show another class than their label says.
    LabelNoise(LabelNoise),
    /// They are blurred.
    Blur(Blur),
    /// Their colours are shifted.
    ColourShift(ColourShift),
}

/// Modes are missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FewerModes {
    /// With `shapes` data, the share of the values of every factor but the class that is kept, at
    /// least one; with other data, the share of the training pictures of each class.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub keep: f64,
}

impl Default for FewerModes {
    fn default() -> Self {
        Self { keep: 0.25 }
    }
}

/// Some pictures show another class than their label says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LabelNoise {
    /// The probability of a wrong label, equally often each of the other classes.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

impl Default for LabelNoise {
    fn default() -> Self {
        Self { share: 0.4 }
    }
}

/// Pictures are blurred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Blur {
    /// How often `[1 2 1] / 4` is applied along rows and columns: a nearly Gaussian blur with a
    /// standard deviation of `sqrt(radius / 2)` pixels.
    #[schemars(range(min = 1, max = 64))]
    pub radius: usize,
}

impl Default for Blur {
    fn default() -> Self {
        Self { radius: 2 }
    }
}

/// Colours are shifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ColourShift {
    /// What is added to red and taken from blue, as a share of the full range.
    #[schemars(range(min = -1.0, max = 1.0))]
    pub amount: f64,
}

impl Default for ColourShift {
    fn default() -> Self {
        Self { amount: 0.15 }
    }
}

/// Draws pictures with a planted defect.
pub struct PlantedArtist<'a> {
    spec: &'a Planted,
    law: Option<Law>,
    /// The training pictures of each class, in the order in which they are copied.
    copied: Vec<Vec<&'a Picture>>,
    side: usize,
}

impl<'a> PlantedArtist<'a> {
    /// Prepares a draw for these training data, which come from this law if it is known. Which
    /// training pictures are copied and which modes are kept is the luck of the draw, as everything
    /// else about it is.
    ///
    /// # Panics
    /// If the defect is [`Defect::Truth`] and there is no law, or there is no training picture.
    pub fn new(spec: &'a Planted, train: &'a Dataset, law: Option<&Law>, draw: u64) -> Self {
        assert!(law.is_some() || spec.defect != Defect::Truth, "the truth needs a known law");
        let seed = Seed::root(spec.seed).child("planted").index(draw);
        let mut copied: Vec<Vec<&Picture>> = vec![Vec::new(); train.classes.len()];
        for example in &train.examples {
            copied[example.class.index()].push(example.picture.as_ref());
        }
        for (class, pictures) in train.classes.iter().zip(&mut copied) {
            let order = seed.child("order").child(class).stream().permutation(pictures.len());
            *pictures = order.iter().map(|i| pictures[*i]).collect();
        }
        let mut law = law.cloned();
        match &spec.defect {
            Defect::Copies => law = None,
            Defect::FewerModes(FewerModes { keep }) => {
                law = law.map(|law| law.with_modes(*keep, seed.child("modes")));
                for pictures in copied.iter_mut().filter(|pictures| !pictures.is_empty()) {
                    let kept = (keep * pictures.len() as f64).round() as usize;
                    pictures.truncate(kept.max(1));
                }
            }
            _ => {}
        }
        let side = train.examples.first().expect("there are training pictures").picture.width();
        Self { spec, law, copied, side }
    }

    /// Returns what a picture shows: its caption if the law is known, else nothing.
    pub fn caption(&self, order: &Order) -> Option<String> {
        Some(self.law.as_ref()?.scene(self.shown(order), order.seed).caption())
    }

    /// Returns the class that a picture shows, whatever its label.
    fn shown(&self, order: &Order) -> ClassId {
        let Defect::LabelNoise(LabelNoise { share }) = &self.spec.defect else {
            return order.class;
        };
        let mut stream = order.seed.child("label").stream();
        let others: Vec<usize> = (0..self.copied.len())
            .filter(|class| *class != order.class.index() && !self.copied[*class].is_empty())
            .collect();
        if !stream.chance(*share) || others.is_empty() {
            return order.class;
        }
        let other = others[stream.below(others.len())];
        ClassId(u32::try_from(other).expect("class counts fit in u32"))
    }

    fn picture(&self, order: &Order) -> Picture {
        let class = self.shown(order);
        let picture = match &self.law {
            Some(law) => law.scene(class, order.seed).draw(self.side),
            None => {
                let pictures = &self.copied[class.index()];
                pictures[(order.number % pictures.len() as u64) as usize].clone()
            }
        };
        match &self.spec.defect {
            Defect::Blur(Blur { radius }) => blurred(&picture, *radius),
            Defect::ColourShift(ColourShift { amount }) => shifted(picture, *amount),
            _ => picture,
        }
    }
}

impl Draw for PlantedArtist<'_> {
    fn draw(&self, orders: &[Order]) -> Result<Vec<Picture>, usize> {
        Ok(orders.par_iter().map(|order| self.picture(order)).collect())
    }
}

/// Applies `[1 2 1] / 4` along rows and columns `times` times; the edge is repeated.
fn blurred(picture: &Picture, times: usize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let mut levels: Vec<f64> = picture.rgb().iter().map(|level| f64::from(*level)).collect();
    for _ in 0..times {
        for along_rows in [true, false] {
            let at = |x: usize, y: usize, c: usize| levels[(y * width + x) * 3 + c];
            let smooth = |i: usize| {
                let (c, x, y) = (i % 3, i / 3 % width, i / 3 / width);
                let (before, after) = if along_rows {
                    (at(x.saturating_sub(1), y, c), at((x + 1).min(width - 1), y, c))
                } else {
                    (at(x, y.saturating_sub(1), c), at(x, (y + 1).min(height - 1), c))
                };
                0.25 * (before + after) + 0.5 * at(x, y, c)
            };
            levels = (0..levels.len()).map(smooth).collect();
        }
    }
    let rgb = levels.into_iter().map(|level| (level + 0.5).floor() as u8).collect();
    Picture::new(width, height, rgb)
}

/// Adds to red and takes from blue.
fn shifted(mut picture: Picture, amount: f64) -> Picture {
    let step = (amount * 255.0).round() as i16;
    for pixel in picture.rgb_mut().chunks_exact_mut(3) {
        let moved = |level: u8, step: i16| (i16::from(level) + step).clamp(0, 255) as u8;
        (pixel[0], pixel[2]) = (moved(pixel[0], step), moved(pixel[2], -step));
    }
    picture
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::lab::data::{Example, Origin, Shapes, Source, Subset};
    use crate::terms::ClassNames;

    /// Three classes of eight pictures; the first pixel says class and number.
    fn train() -> Dataset {
        let example = |i: u32| Example {
            id: i.to_string(),
            class: ClassId(i % 3),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(8, 8, [i as u8 % 3, i as u8 / 3, 100])),
        };
        Dataset::new(ClassNames::new(["a", "b", "c"]), (0..24).map(example).collect())
    }

    fn orders(n: u64) -> Vec<Order> {
        let order = |number: u64| {
            let class = ClassId(number as u32 % 3);
            Order { class, seed: Seed::root(1).index(number), number: number / 3 }
        };
        (0..n).map(order).collect()
    }

    fn law() -> Law {
        let subset = Subset {
            classes: ["star", "ring", "heart"].map(str::to_owned).into(),
            ..Subset::default()
        };
        Law::of(&Source::Shapes(Shapes::default()), &subset).unwrap()
    }

    fn drawn(defect: Defect, law: Option<&Law>, n: u64) -> Vec<Picture> {
        let (spec, train) = (Planted { defect, seed: 0 }, train());
        PlantedArtist::new(&spec, &train, law, 0).draw(&orders(n)).unwrap()
    }

    #[test]
    fn copies_are_each_training_picture_once_and_again() {
        let pictures = drawn(Defect::Copies, Some(&law()), 48);
        let of_class = |i: usize| u32::from(pictures[i].rgb()[0]);
        assert!((0..48).all(|i| of_class(i) == i as u32 % 3));
        let distinct =
            |part: &[Picture]| part.iter().map(|p| p.rgb().to_vec()).collect::<BTreeSet<_>>().len();
        assert_eq!((distinct(&pictures[..24]), distinct(&pictures)), (24, 24));
        assert_eq!(pictures[..24], pictures[24..]);
    }

    #[test]
    fn every_draw_chooses_anew_what_is_copied_and_kept() {
        let (train, law) = (train(), law());
        let seen = |defect: &Defect, law: Option<&Law>, draw: u64| {
            let spec = Planted { defect: defect.clone(), seed: 0 };
            let pictures = PlantedArtist::new(&spec, &train, law, draw).draw(&orders(6)).unwrap();
            pictures.iter().map(|picture| picture.rgb().to_vec()).collect::<Vec<_>>()
        };
        let fewer = Defect::FewerModes(FewerModes { keep: 0.25 });
        for (defect, law) in [(&Defect::Copies, None), (&fewer, None), (&fewer, Some(&law))] {
            let draws: BTreeSet<_> = (0..4).map(|draw| seen(defect, law, draw)).collect();
            assert_eq!(draws.len(), 4, "{defect:?}");
            assert_eq!(seen(defect, law, 3), seen(defect, law, 3));
        }
    }

    #[test]
    fn without_a_law_training_pictures_are_spoiled() {
        let few = drawn(Defect::FewerModes(FewerModes { keep: 0.25 }), None, 48);
        let distinct: BTreeSet<_> = few.iter().map(|p| p.rgb()[..2].to_vec()).collect();
        assert_eq!(distinct.len(), 6, "two of eight in each class");
        let warm = drawn(Defect::ColourShift(ColourShift { amount: 0.2 }), None, 24);
        assert!(warm.iter().all(|p| p.rgb()[0] >= 51 && p.rgb()[2] == 49));
    }

    #[test]
    fn wrong_labels_are_as_many_as_declared_and_show_the_others_equally() {
        let n = 3000;
        let pictures = drawn(Defect::LabelNoise(LabelNoise { share: 0.4 }), None, n);
        let mut shown = [0; 3];
        for (picture, order) in pictures.iter().zip(orders(n)) {
            let turn = (u32::from(picture.rgb()[0]) + 3 - order.class.0) % 3;
            shown[turn as usize] += 1;
        }
        // Standard deviations are 27 and 22.
        assert!((shown[0] - 1800_i32).abs() < 110, "{shown:?}");
        assert!((shown[1] - 600_i32).abs() < 90 && (shown[2] - 600_i32).abs() < 90, "{shown:?}");
    }

    #[test]
    fn the_truth_is_fresh_and_has_captions() {
        let (spec, train, law) = (Planted::default(), train(), law());
        let artist = PlantedArtist::new(&spec, &train, Some(&law), 0);
        let pictures = artist.draw(&orders(30)).unwrap();
        assert_eq!(pictures.iter().map(|p| p.rgb()).collect::<BTreeSet<_>>().len(), 30);
        for (order, word) in orders(3).iter().zip(["star", "ring", "heart"]) {
            let caption = artist.caption(order).unwrap();
            // Classes stand in the order of the data: star, ring, heart.
            assert!(caption.contains(word), "{caption}");
        }
        // A picture does not depend on its company.
        assert_eq!(artist.draw(&orders(30)[7..8]).unwrap()[0], pictures[7]);
    }

    #[test]
    fn blur_spreads_a_point_as_binomials_do() {
        let mut point = Picture::filled(7, 7, [0; 3]);
        point.rgb_mut()[(3 * 7 + 3) * 3] = 255;
        let once = blurred(&point, 1);
        let red = |x, y| once.pixel(x, y)[0];
        // 255 / 4, 255 / 8, 255 / 16, rounded.
        assert_eq!([red(3, 3), red(2, 3), red(3, 4), red(4, 4), red(5, 3)], [64, 32, 32, 16, 0]);
        let flat = Picture::filled(5, 4, [9, 200, 255]);
        assert_eq!(blurred(&flat, 3), flat);
    }
}
