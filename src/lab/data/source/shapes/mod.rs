//! Drawn pictures, as many as one wants, of which everything is known: one object of a shape, a
//! colour, a texture, a position and a size before a background.
//!
//! A picture is a function of its address, `seed / "shapes" / part / class name / number`, so a
//! data set of another size, or the same classes with a long tail, consists of the same pictures.
//! The factors are independent and uniform over the chosen values. Because the law is known, fresh
//! pictures of it are what a perfect generator would draw; that is how the harness itself is tested
//! (`lab::generators::Planted`).
//!
//! In reading order: `factors` are the words, `outline` the geometry, [`Scene`] is one picture
//! before it is drawn, `paint` draws it, [`Law`] is what the pictures of a narrowed declaration
//! come from.

mod factors;
mod law;
mod outline;
mod paint;
mod scene;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Debug;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Content;
use super::reader::Reader;
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, ClassNames, Files, Key, Picture, Problem, Problems, Seed};

pub use factors::{Background, Colour, Position, Shape, Size, Texture};
pub use law::Law;
pub use scene::Scene;

/// Raised when the same declaration gives other pictures: part of the fingerprint.
const LAW_VERSION: u32 = 2;

/// Pictures drawn by the program, without limit and with known truth: an object of one of 10
/// shapes, 8 colours, 4 textures, 9 positions and 3 sizes before one of 4 backgrounds, each value
/// equally often. They are drawn at `data.size`, 8 to 128 pixels. Every list of values may be
/// narrowed; an empty one means all values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Shapes {
    /// What the class of a picture is; everything else varies within the class.
    pub class_by: ClassBy,
    /// Training pictures of each class; `subset.imbalance` makes a long tail of them.
    #[schemars(range(min = 1))]
    pub per_class: usize,
    /// Validation pictures of each class.
    pub val_per_class: usize,
    /// Test pictures of each class.
    #[schemars(range(min = 1))]
    pub test_per_class: usize,
    /// From 0, easy, to 1: the noise of a channel has a standard deviation of 0.1 x difficulty of
    /// the full range; each of six small distractors, and a bar across the object, is there with
    /// probability 0.6 x difficulty; the object's shades are moved towards the background by a
    /// uniform share of at most 0.6 x difficulty.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub difficulty: f64,
    /// The outlines of the object.
    pub shapes: Vec<Shape>,
    /// Its colours.
    pub colours: Vec<Colour>,
    /// How it is filled.
    pub textures: Vec<Texture>,
    /// What is behind it.
    pub backgrounds: Vec<Background>,
    /// Where it is.
    pub positions: Vec<Position>,
    /// How large it is.
    pub sizes: Vec<Size>,
    /// The address of all pictures.
    pub seed: u64,
}

/// What the class of a picture is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassBy {
    /// Its shape: `circle`.
    #[default]
    Shape,
    /// Its colour: `red`.
    Colour,
    /// Both: `red-circle`.
    ShapeAndColour,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            class_by: ClassBy::Shape,
            per_class: 500,
            val_per_class: 50,
            test_per_class: 200,
            difficulty: 0.5,
            shapes: Vec::new(),
            colours: Vec::new(),
            textures: Vec::new(),
            backgrounds: Vec::new(),
            positions: Vec::new(),
            sizes: Vec::new(),
            seed: 0,
        }
    }
}

/// What a picture is drawn from. A subset may number classes anew, the law does not.
#[derive(Clone, Debug)]
pub(in crate::lab::data) struct Place {
    class: ClassId,
    seed: Seed,
}

/// Returns the chosen values, or all.
fn chosen<T: Copy>(values: &[T], all: &[T]) -> Vec<T> {
    if values.is_empty() { all.to_vec() } else { values.to_vec() }
}

/// Returns a share of some values, rounded and at least one, in random order.
fn some_of<T: Copy>(values: &[T], share: f64, seed: Seed) -> Vec<T> {
    let kept = ((share * values.len() as f64).round() as usize).clamp(1, values.len());
    let order = seed.stream().permutation(values.len());
    order[..kept].iter().map(|i| values[*i]).collect()
}

impl Shapes {
    /// The sides that pictures may have, in pixels.
    pub const SIDES: std::ops::RangeInclusive<usize> = 8..=128;

    fn shapes(&self) -> Vec<Shape> {
        chosen(&self.shapes, Shape::ALL)
    }

    fn colours(&self) -> Vec<Colour> {
        chosen(&self.colours, Colour::ALL)
    }

    fn textures(&self) -> Vec<Texture> {
        chosen(&self.textures, Texture::ALL)
    }

    fn backgrounds(&self) -> Vec<Background> {
        chosen(&self.backgrounds, Background::ALL)
    }

    fn positions(&self) -> Vec<Position> {
        chosen(&self.positions, Position::ALL)
    }

    fn sizes(&self) -> Vec<Size> {
        chosen(&self.sizes, Size::ALL)
    }

    /// Returns the names of the classes.
    pub fn classes(&self) -> ClassNames {
        let (shapes, colours) = (self.shapes(), self.colours());
        match self.class_by {
            ClassBy::Shape => ClassNames::new(shapes.iter().map(|shape| shape.word())),
            ClassBy::Colour => ClassNames::new(colours.iter().map(|colour| colour.word())),
            ClassBy::ShapeAndColour => ClassNames::new(shapes.iter().flat_map(|shape| {
                colours.iter().map(move |colour| format!("{}-{}", colour.word(), shape.word()))
            })),
        }
    }

    /// Returns the picture of a class at an address, before it is drawn.
    ///
    /// ```
    /// use ersatz::lab::data::Shapes;
    /// use ersatz::terms::{ClassId, Seed};
    /// let scene = Shapes::default().scene(ClassId(5), Seed::root(0));
    /// assert!(scene.caption().contains("star"));
    /// assert_eq!(scene.draw(32).width(), 32);
    /// ```
    ///
    /// # Panics
    /// If there is no such class.
    pub fn scene(&self, class: ClassId, seed: Seed) -> Scene {
        Scene::of(self, class, seed)
    }

    /// Returns the caption of the picture with this id; `None` if these data have no such picture.
    pub fn caption(&self, id: &str) -> Option<String> {
        let mut parts = id.strip_prefix("shapes/")?.split('/');
        let (part, name, number) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
        let class = self.classes().find(name)?;
        Some(self.scene(class, self.address(part, name, number)).caption())
    }

    /// Returns the same law with fewer modes: of every factor that is not the class, a share of the
    /// values, at least one, chosen at `seed / factor`.
    #[must_use]
    pub fn with_modes(&self, share: f64, seed: Seed) -> Self {
        let mut fewer = self.clone();
        let seed = |factor| seed.child(factor);
        if self.class_by == ClassBy::Colour {
            fewer.shapes = some_of(&self.shapes(), share, seed("shape"));
        }
        if self.class_by == ClassBy::Shape {
            fewer.colours = some_of(&self.colours(), share, seed("colour"));
        }
        fewer.textures = some_of(&self.textures(), share, seed("texture"));
        fewer.backgrounds = some_of(&self.backgrounds(), share, seed("background"));
        fewer.positions = some_of(&self.positions(), share, seed("position"));
        fewer.sizes = some_of(&self.sizes(), share, seed("size"));
        fewer
    }

    /// Finds values that come twice, and too few classes.
    fn mistakes(&self) -> Problems {
        let mut problems = Problems::default();
        once(&self.shapes, "shapes", &mut problems);
        once(&self.colours, "colours", &mut problems);
        once(&self.textures, "textures", &mut problems);
        once(&self.backgrounds, "backgrounds", &mut problems);
        once(&self.positions, "positions", &mut problems);
        once(&self.sizes, "sizes", &mut problems);
        if self.classes().len() < 2 {
            let found = format!("one class, `{}`", self.classes().name(ClassId(0)));
            problems.0.push(Problem::new("shapes", found, "at least two classes"));
        }
        problems
    }

    fn address(&self, part: &str, class: &str, number: u64) -> Seed {
        Seed::root(self.seed).child("shapes").child(part).child(class).index(number)
    }

    /// Lists the pictures of a part, class by class.
    fn part(&self, part: &str, n: usize) -> Listing<Place> {
        let classes = self.classes();
        let entry = |(class, number): (ClassId, usize)| {
            let name = classes.name(class);
            Entry {
                id: format!("shapes/{part}/{name}/{number:06}"),
                class,
                place: Place { class, seed: self.address(part, name, number as u64) },
            }
        };
        let numbered = classes.ids().flat_map(|class| (0..n).map(move |number| (class, number)));
        let entries = numbered.map(entry).collect();
        Listing { classes, entries }
    }
}

impl Reader for Shapes {
    const KIND: &'static str = "shapes";
    type Place = Place;

    fn validation_share(&self) -> f64 {
        0.0 // There are as many validation pictures as one wants.
    }

    fn list(&self, _: &Subset, _: &dyn Files) -> Result<Parts<Listing<Place>>, Problems> {
        Ok(Parts {
            train: self.part("train", self.per_class),
            val: Some(self.part("val", self.val_per_class)),
            test: self.part("test", self.test_per_class),
        })
    }

    fn check(&self, subset: &Subset, _: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        let (mut problems, classes) = (self.mistakes(), self.classes());
        match subset.kept_in(&classes, Self::KIND) {
            Ok(kept) if subset.list.is_empty() => {
                let whole = self.part("train", self.per_class).narrow(&kept);
                let (names, counts) = subset.merged(whole).counts();
                problems.0.extend(subset.wanted(&names, &counts).err().unwrap_or_default().0);
            }
            Ok(_) => {}
            Err(unknown) => problems.0.extend(unknown.0),
        }
        if problems.0.is_empty() {
            Ok(Parts { train: classes.clone(), val: None, test: classes })
        } else {
            Err(problems)
        }
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Place>],
        _: &dyn Files,
        look: impl Fn(&Entry<Place>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let problem = |found| Problem::new(Self::KIND, found, "a picture");
        let see = |entry: &Entry<Place>| {
            let scene = self.scene(entry.place.class, entry.place.seed);
            let draw = |side: usize| -> Picture { scene.draw(side) };
            look(entry, Content::Drawn(&draw)).map_err(problem)
        };
        entries.par_iter().map(see).collect()
    }

    /// Of the law and its declaration.
    fn fingerprint(&self, _: &Subset, _: &dyn Files) -> Result<Key, Problems> {
        let spec = serde_json::to_value(self).expect("a spec is plain data");
        Ok(Key::of_stage(Self::KIND, LAW_VERSION, &spec, &[]))
    }
}

/// Finds values that come twice.
fn once<T: Copy + Ord + Debug + Serialize>(values: &[T], key: &str, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (i, value) in values.iter().enumerate() {
        if !seen.insert(*value) {
            let word = serde_json::to_value(value).expect("a word is plain data");
            let found = format!("`{}` a second time", word.as_str().unwrap_or_default());
            problems.0.push(Problem::new(format!("shapes.{key}.{i}"), found, "each value once"));
        }
    }
}
