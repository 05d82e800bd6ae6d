//! The oracle: on data whose law is known, the metrics must rank planted defects as they are.
//!
//! Features are no net's: the colours of a picture reduced to 4 x 4 pixels, which tell the classes
//! (colours, so that a nearest neighbour can learn them) and the modes. Every statement is made in
//! three draws of three.

use std::sync::Arc;

use ersatz::lab::data::{
    ClassBy, Codec, Dataset, Example, Law, Origin, Shapes, Size, Source, Splits, Subset, load,
};
use ersatz::lab::generators::{
    Blur, ColourShift, Defect, Draw as _, FewerModes, LabelNoise, Order, Planted, PlantedArtist,
};
use ersatz::lab::metrics::{
    Features, Manifolds, MemorisationSets, PrdcSpec, fid, memorisation, prdc,
};
use ersatz::terms::{MemoryFiles, Picture, Seed};

const SIDE: usize = 16;

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

fn shapes() -> Source {
    Source::Shapes(Shapes {
        class_by: ClassBy::Colour,
        per_class: 60,
        val_per_class: 40,
        test_per_class: 40,
        difficulty: 0.2,
        sizes: vec![Size::Large],
        ..Shapes::default()
    })
}

fn real() -> Splits {
    let fit = |_: Picture| Picture::filled(SIDE, SIDE, [0; 3]);
    let codec = Codec { decode: &|_| Err("no file is read".to_owned()), fit: &fit };
    load(&shapes(), &Subset::default(), Seed::root(0), &MemoryFiles::default(), codec)
        .expect("shapes need no file")
}

/// As many planted pictures of each class as there are training pictures.
fn planted(defect: Defect, train: &Dataset, draw: u64) -> Dataset {
    let spec = Planted { defect, seed: 0 };
    let law = Law::of(&shapes(), &Subset::default());
    let artist = PlantedArtist::new(&spec, train, law.as_ref());
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

/// Mean colours of 4 x 4 squares.
fn features(data: &Dataset) -> Features {
    const CELLS: usize = 4;
    let step = SIDE / CELLS;
    let mean = |picture: &Picture, i: usize| {
        let (channel, left, top) = (i % 3, i / 3 % CELLS * step, i / 3 / CELLS * step);
        let at = |j: usize| f32::from(picture.pixel(left + j % step, top + j / step)[channel]);
        (0..step * step).map(at).sum::<f32>() / (step * step) as f32 / 255.0
    };
    let rows = data.examples.iter().flat_map(|example| {
        (0..3 * CELLS * CELLS).map(|i| mean(&example.picture, i)).collect::<Vec<_>>()
    });
    Features::new(3 * CELLS * CELLS, rows.collect())
}

/// Share of real test pictures whose class most of the nine nearest training pictures have.
fn neighbours_accuracy(train: &Dataset, test: &Dataset) -> f64 {
    let (learned, asked) = (features(train), features(test));
    let right = (0..test.len()).filter(|i| {
        let far = |j: usize| -> f32 {
            let pairs = asked.row(*i).iter().zip(learned.row(j));
            pairs.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let mut near: Vec<(f32, usize)> = (0..train.len()).map(|j| (far(j), j)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut votes = vec![0; train.classes.len()];
        near[..9].iter().for_each(|(_, j)| votes[train.examples[*j].class.index()] += 1);
        let most = votes.iter().max();
        votes.iter().position(|n| Some(n) == most) == Some(test.examples[*i].class.index())
    });
    right.count() as f64 / test.len() as f64
}

fn measure(defect: Defect, real: &Splits, draw: u64) -> Numbers {
    let fake = planted(defect, &real.train, draw);
    let (train, val, fakes) = (features(&real.train), features(&real.val), features(&fake));
    let spread = prdc(Manifolds { real: &train, fake: &fakes }, PrdcSpec::PACKAGE);
    let near = memorisation(MemorisationSets { train: &train, test: &val, fake: &fakes }, 0.05);
    Numbers {
        fid: fid(&train, &fakes).sound().expect("more pictures than features").value,
        precision: spread.precision,
        recall: spread.recall,
        authentic: near.authentic,
        near_train: near.near_train,
        cas: neighbours_accuracy(&fake, &real.test),
    }
}

#[test]
fn planted_defects_are_ranked_as_they_are() {
    let real = real();
    let of_real = neighbours_accuracy(&real.train, &real.test);
    for draw in 0..3 {
        let of = |defect| measure(defect, &real, draw);
        let truth = of(Defect::Truth);
        let copies = of(Defect::Copies);
        let fewer = of(Defect::FewerModes(FewerModes { keep: 0.25 }));
        let wrong = of(Defect::LabelNoise(LabelNoise { share: 0.6 }));
        let blurred = of(Defect::Blur(Blur { radius: 4 }));
        let shifted = of(Defect::ColourShift(ColourShift { amount: 0.15 }));
        let all = format!(
            "draw {draw}, real {of_real}\ntruth {truth:?}\ncopies {copies:?}\nfewer {fewer:?}\n\
             wrong {wrong:?}\nblurred {blurred:?}\nshifted {shifted:?}"
        );
        println!("{all}");

        // Truth: as good as real. The accuracy of 320 test pictures has a deviation of 0.028, the
        // luck of two training sets comes on top.
        assert!((truth.cas - of_real).abs() < 0.1, "{all}");
        assert!(truth.near_train < 0.12 && truth.authentic > 0.3, "{all}");
        // Copies: the same pictures, named by memorisation and by nothing else.
        assert!(copies.fid.abs() < 1e-6 && copies.near_train > 0.999, "{all}");
        assert!(copies.authentic < 1e-9, "{all}");
        assert!((copies.cas - of_real).abs() < 1e-9, "the same training set: {all}");
        // Fewer modes: what is there is right, most is missing.
        assert!(fewer.precision > truth.precision - 0.1, "{all}");
        assert!(fewer.recall < truth.recall - 0.3, "{all}");
        assert!(fewer.fid > 2.0 * truth.fid, "{all}");
        // Wrong labels: the same pictures, of less use.
        assert!(wrong.cas < truth.cas - 0.1, "{all}");
        assert!((wrong.fid / truth.fid - 1.0).abs() < 0.5, "{all}");
        assert!((wrong.recall - truth.recall).abs() < 0.1, "{all}");
        // Blurred and shifted pictures are others.
        assert!(blurred.fid > 1.5 * truth.fid && shifted.fid > 2.0 * truth.fid, "{all}");
    }
}
