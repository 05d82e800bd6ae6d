//! The oracle: on data whose law is known, the metrics must rank planted defects as they are.
//!
//! Law, defects and side are those of `experiments/known-truth.toml` in its profile `tiny`, so what
//! is shown here holds for what is shipped, with two exceptions. Sets are a quarter as large. And
//! classes are colours, because no net is trained: features are mean colours of 8 x 8 squares, by
//! which a nearest neighbour can learn a colour and not a shape.
//!
//! Every statement is about intervals over draws. A draw has real data of its own, so that their
//! luck is in the interval, too.
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ersatz::lab::data::{
    ClassBy, Codec, Dataset, Example, Law, Origin, Shapes, Source, Splits, Subset, load,
};
use ersatz::lab::generators::{Defect, Draw as _, Order, Planted, PlantedArtist};
use ersatz::lab::metrics::{
    Features, Manifolds, MemorisationSets, PrdcSpec, fid, memorisation, prdc,
};
use ersatz::lab::stats::{Estimate, paired};
use ersatz::terms::{MemoryFiles, Picture, Seed};

const FILE: &str = include_str!("../experiments/known-truth.toml");
/// Squares along a side.
const CELLS: usize = 8;
const DRAWS: u64 = 5;

/// What was measured about one set of pictures.
#[derive(Debug)]
struct Numbers {
    fid: f64,
    precision: f64,
    recall: f64,
    authentic: f64,
    near_train: f64,
    /// Accuracy on real test pictures of what has learned from the set.
    cas: f64,
}

/// What the experiment file says.
struct Shipped {
    shapes: Shapes,
    side: usize,
    defects: Vec<Defect>,
}

impl Shipped {
    fn read() -> Self {
        let file: toml::Table = toml::from_str(FILE).unwrap();
        let tiny = &file["profile"]["tiny"]["data"];
        let mut shapes = file["data"]["source"]["shapes"].as_table().unwrap().clone();
        shapes.extend(tiny["source"]["shapes"].as_table().unwrap().clone());
        let shapes: Shapes = shapes.try_into().unwrap();
        let side = usize::try_from(tiny["size"].as_integer().unwrap()).unwrap();
        let defects = file["sweep"]["generator.planted.defect"].clone().try_into().unwrap();
        Self { shapes, side, defects }
    }

    fn source(&self, draw: u64) -> Source {
        Source::Shapes(Shapes {
            class_by: ClassBy::Colour,
            per_class: self.shapes.per_class / 4,
            val_per_class: self.shapes.val_per_class / 4,
            test_per_class: self.shapes.test_per_class / 4,
            seed: draw,
            ..self.shapes.clone()
        })
    }

    fn real(&self, draw: u64) -> Splits {
        let side = self.side;
        let fit = move |_: Picture| Picture::filled(side, side, [0; 3]);
        let codec = Codec { decode: &|_| Err("no file is read".to_owned()), fit: &fit };
        let (all, no_files) = (Subset::default(), MemoryFiles::default());
        load(&self.source(draw), &all, Seed::root(0), &no_files, codec).unwrap()
    }

    /// As many planted pictures of each class as there are training pictures.
    fn planted(&self, defect: &Defect, train: &Dataset, draw: u64) -> Dataset {
        let spec = Planted { defect: defect.clone(), seed: 0 };
        let law = Law::of(&self.source(draw), &Subset::default());
        let artist = PlantedArtist::new(&spec, train, law.as_ref(), draw);
        let mut orders = Vec::new();
        for (class, n) in train.classes.ids().zip(train.class_counts()) {
            let seed = Seed::root(100).index(draw).index(u64::from(class.0));
            orders.extend((0..n as u64).map(|number| Order {
                class,
                seed: seed.index(number),
                number,
            }));
        }
        let pictures = artist.draw(&orders).expect("planted pictures are pictures");
        let example = |(order, picture): (&Order, Picture)| Example {
            id: order.seed.hex(),
            class: order.class,
            origin: Origin::Synthetic,
            picture: Arc::new(picture),
        };
        Dataset::new(train.classes.clone(), orders.iter().zip(pictures).map(example).collect())
    }
}

/// Mean colours of squares.
fn features(data: &Dataset) -> Features {
    let mean = |picture: &Picture, i: usize| {
        let step = picture.width() / CELLS;
        let (channel, left, top) = (i % 3, i / 3 % CELLS * step, i / 3 / CELLS * step);
        let at = |j: usize| f32::from(picture.pixel(left + j % step, top + j / step)[channel]);
        (0..step * step).map(at).sum::<f32>() / (step * step) as f32 / 255.0
    };
    let rows = data.examples.iter().flat_map(|example| {
        (0..3 * CELLS * CELLS).map(|i| mean(&example.picture, i)).collect::<Vec<_>>()
    });
    Features::new(3 * CELLS * CELLS, rows.collect())
}

/// Share of real test pictures that have the class of the nearest training picture: one alone, so
/// that a wrong label is not outvoted.
fn neighbour_accuracy(train: &Dataset, test: &Dataset) -> f64 {
    let (learned, asked) = (features(train), features(test));
    let right = (0..test.len()).filter(|i| {
        let far = |j: usize| -> f32 {
            let pairs = asked.row(*i).iter().zip(learned.row(j));
            pairs.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let nearest = (0..train.len()).map(|j| (far(j), j)).min_by(|a, b| a.0.total_cmp(&b.0));
        train.examples[nearest.unwrap().1].class == test.examples[*i].class
    });
    right.count() as f64 / test.len() as f64
}

fn measure(fake: &Dataset, real: &Splits) -> Numbers {
    let (train, val, fakes) = (features(&real.train), features(&real.val), features(fake));
    let spread = prdc(Manifolds { real: &train, fake: &fakes }, PrdcSpec::PACKAGE);
    let near = memorisation(MemorisationSets { train: &train, test: &val, fake: &fakes }, 0.05);
    Numbers {
        fid: fid(&train, &fakes).sound().expect("more pictures than features").value,
        precision: spread.precision,
        recall: spread.recall,
        authentic: near.authentic,
        near_train: near.near_train,
        cas: neighbour_accuracy(fake, &real.test),
    }
}

/// The numbers of one kind of set, by draw.
struct Arm(BTreeMap<u64, Numbers>);

impl Arm {
    fn values(&self, of: fn(&Numbers) -> f64) -> BTreeMap<u64, f64> {
        self.0.iter().map(|(draw, numbers)| (*draw, of(numbers))).collect()
    }

    /// Returns the interval of the mean.
    fn mean(&self, of: fn(&Numbers) -> f64) -> (f64, f64) {
        ends(Estimate::of(&self.values(of).into_values().collect::<Vec<_>>()).unwrap())
    }

    /// Returns the interval of the mean difference to another arm, draw by draw.
    fn over(&self, other: &Self, of: fn(&Numbers) -> f64) -> (f64, f64) {
        ends(paired(&self.values(of), &other.values(of)).unwrap())
    }
}

fn ends(estimate: Estimate) -> (f64, f64) {
    (estimate.low.unwrap(), estimate.high.unwrap())
}

#[test]
fn planted_defects_are_ranked_as_they_are() {
    let shipped = Shipped::read();
    let reals: Vec<Splits> = (0..DRAWS).map(|draw| shipped.real(draw)).collect();
    let arm = |fake: &dyn Fn(&Splits, u64) -> Dataset| {
        let one = |(real, draw): (&Splits, u64)| (draw, measure(&fake(real, draw), real));
        Arm(reals.iter().zip(0..).map(one).collect())
    };
    let of = |wanted: fn(&Defect) -> bool| {
        let defect = shipped.defects.iter().find(|defect| wanted(defect)).unwrap();
        let arm = arm(&|real, draw| shipped.planted(defect, &real.train, draw));
        println!("{defect:?}: {:#?}", arm.0);
        arm
    };
    let real = arm(&|real, _| real.train.clone());
    println!("real: {:#?}", real.0);
    let truth = of(|defect| *defect == Defect::Truth);
    let copies = of(|defect| *defect == Defect::Copies);
    let fewer = of(|defect| matches!(defect, Defect::FewerModes(_)));
    let wrong = of(|defect| matches!(defect, Defect::LabelNoise(_)));
    let blurred = of(|defect| matches!(defect, Defect::Blur(_)));
    let shifted = of(|defect| matches!(defect, Defect::ColourShift(_)));

    // Truth: as good as real, and not remembered. 5 % of new pictures are near by definition.
    let (low, high) = truth.over(&real, |n| n.cas);
    assert!(low < 0.0 && high > 0.0 && high - low < 0.1, "cas of truth: {low} to {high}");
    let (low, high) = truth.mean(|n| n.near_train);
    assert!(low < 0.06 && high < 0.1, "near-train of truth: {low} to {high}");
    assert!(truth.mean(|n| n.authentic).0 > 0.3);
    // Copies: the same pictures, named by memorisation and by nothing else.
    for copied in copies.0.values() {
        assert!(copied.fid.abs() < 1e-6 && copied.near_train > 0.999, "{copied:?}");
        assert!(copied.authentic < 1e-9, "{copied:?}");
    }
    let (low, high) = copies.over(&real, |n| n.cas);
    assert!(low.abs() < 1e-9 && high.abs() < 1e-9, "the same training set: {low} to {high}");
    // Fewer modes: what is there is right, most is missing.
    let (low, high) = fewer.over(&truth, |n| n.precision);
    assert!(low > -0.15, "precision of fewer modes: {low} to {high}");
    let (low, high) = fewer.over(&truth, |n| n.recall);
    assert!(high < -0.2, "recall of fewer modes: {low} to {high}");
    // Wrong labels: the same pictures, of less use.
    let (low, high) = wrong.over(&truth, |n| n.cas);
    assert!(high < -0.2, "cas of wrong labels: {low} to {high}");
    let (low, high) = wrong.over(&truth, |n| n.recall);
    assert!(low > -0.05 && high < 0.05, "recall of wrong labels: {low} to {high}");
    let (low, high) = wrong.over(&truth, |n| n.fid);
    let usual = truth.mean(|n| n.fid).1;
    assert!(low > -0.5 * usual && high < 0.5 * usual, "fid of wrong labels: {low} to {high}");
    // Missing modes, blur and another colour are seen by the distance.
    for (what, arm) in [("fewer modes", &fewer), ("blur", &blurred), ("colours", &shifted)] {
        let (low, high) = arm.over(&truth, |n| n.fid);
        assert!(low > 0.5 * usual, "fid of {what} over {usual}: {low} to {high}");
    }
}
