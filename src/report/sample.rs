//! A report with everything in it, for tests: every kind of cell and plot, and hostile words.
//!
//! Its numbers are made up.

use serde_json::json;

use super::{
    Axis, Bars, Cell, Column, Combination, Curve, Curves, Document, Estimate, Figure, Front, Group,
    Mark, Plot, Point, Points, Published, Row, Scatter, Sheet, Table, Unit,
};
use crate::terms::{Direction, Protocol};

const ACCURACY: &str = "accuracy[test=digits/test;N=360;f64]";

fn estimate(mean: f64, half: f64) -> Estimate {
    Estimate {
        mean,
        low: Some(mean - half),
        high: Some(mean + half),
        n: 5,
        sd: Some(half * 0.8),
        protocol: Some(Protocol(ACCURACY.into())),
    }
}

fn column(name: &str, unit: Unit, direction: Option<Direction>, decimals: usize) -> Column {
    Column { name: name.into(), unit, direction, decimals }
}

fn mixes() -> Table {
    let row = |classifier: &str, mix: &str, accuracy: (f64, f64), rest: [Cell; 3]| {
        let [difference, published, fid] = rest;
        let accuracy = Cell::Estimate(estimate(accuracy.0, accuracy.1));
        Row {
            labels: vec![classifier.into(), mix.into()],
            cells: vec![accuracy, difference, published, fid],
        }
    };
    let difference = |mean, half| Cell::Difference(estimate(mean, half));
    let published = |value, spread| Cell::Published(Published { value, spread, tag: "C".into() });
    let fid = |mean: f64, protocol: &str| {
        let protocol = Some(Protocol(protocol.into()));
        Cell::Estimate(Estimate { protocol, n: 1, ..Estimate::single(mean) })
    };
    let small = "fid[extractor=resnet-20@1f3a;N=360/360]";
    let large = "fid[extractor=resnet-20@1f3a;N=1437/1437]";
    Table {
        name: "mixes".into(),
        caption: "Top-1 accuracy of classifiers trained on real, synthetic and both, \
                  50% of pictures & <script>alert(1)</script>"
            .into(),
        interval: "95 % Student t interval over seeds".into(),
        row_labels: vec!["classifier".into(), "training data".into()],
        columns: vec![
            column("top-1", Unit::Percent, Some(Direction::Higher), 2),
            column("Δ to real", Unit::Points, Some(Direction::Higher), 2),
            column("published", Unit::Percent, None, 2),
            column("FID", Unit::Plain, Some(Direction::Lower), 1),
        ],
        rows: vec![
            row(
                "resnet-10",
                "real",
                (0.9512, 0.0041),
                [Cell::Empty, published(0.7639, None), Cell::Empty],
            ),
            row(
                "resnet-10",
                "synthetic",
                (0.8733, 0.0125),
                [difference(-0.0779, 0.0102), published(0.6902, Some(0.0021)), fid(18.42, small)],
            ),
            row(
                "resnet-10",
                "real + 1 × synthetic",
                (0.9642, 0.0033),
                [difference(0.0130, 0.0028), published(0.7817, None), fid(18.42, small)],
            ),
            row(
                "vit_tiny, \"{a}\" | b",
                "real",
                (0.9237, 0.0080),
                [Cell::Empty, Cell::Text("not printed".into()), Cell::Empty],
            ),
            row(
                "vit_tiny, \"{a}\" | b",
                "real + 1 × synthetic",
                (0.9512, 0.0061),
                [
                    difference(0.0275, 0.0049),
                    Cell::Published(Published { value: 0.781, spread: None, tag: "F".into() }),
                    fid(12.07, large),
                ],
            ),
        ],
    }
}

fn guidance() -> Table {
    let row = |guidance: &str, fid: f64, seconds: f64, n: usize| Row {
        labels: vec![guidance.into()],
        cells: vec![
            Cell::Estimate(Estimate { n, sd: Some(0.4), ..Estimate::single(fid) }),
            Cell::Estimate(Estimate::single(seconds)),
        ],
    };
    Table {
        name: "guidance".into(),
        caption: "Guidance weight g, where g = 1 is off".into(),
        interval: String::new(),
        row_labels: vec!["g".into()],
        columns: vec![
            column("FID", Unit::Plain, Some(Direction::Lower), 2),
            column("steps", Unit::Plain, None, 0),
        ],
        rows: vec![
            row("1.0", 21.307, 50.0, 5),
            row("1.25", 18.42, 50.0, 5),
            row("2.0", 24.9, 50.0, 3),
        ],
    }
}

fn curve(name: &str, published: bool, points: &[(f64, f64, f64)]) -> Curve {
    let point = |(x, mean, half): &(f64, f64, f64)| Point {
        x: *x,
        y: if published { Estimate::single(*mean) } else { estimate(*mean, *half) },
    };
    Curve { name: name.into(), points: points.iter().map(point).collect(), published }
}

fn accuracy() -> Axis {
    Axis { label: "top-1".into(), unit: Unit::Percent, direction: Some(Direction::Higher) }
}

fn scale() -> Figure {
    let curves = vec![
        curve(
            "real + synthetic",
            false,
            &[
                (0.0, 0.9512, 0.0041),
                (1.0, 0.9642, 0.0033),
                (2.0, 0.9655, 0.0030),
                (3.0, 0.9631, 0.0042),
                (6.0, 0.9580, 0.0052),
                (9.0, 0.9522, 0.0060),
            ],
        ),
        curve(
            "real repeated (control)",
            false,
            &[
                (0.0, 0.9512, 0.0041),
                (1.0, 0.9530, 0.0047),
                (2.0, 0.9524, 0.0042),
                (3.0, 0.9509, 0.0051),
                (6.0, 0.9502, 0.0049),
                (9.0, 0.9490, 0.0050),
            ],
        ),
        curve(
            "real + synthetic",
            true,
            &[(0.0, 0.936, 0.0), (1.0, 0.947, 0.0), (3.0, 0.952, 0.0), (9.0, 0.944, 0.0)],
        ),
    ];
    Figure {
        name: "scale".into(),
        title: "Accuracy against the amount of synthetic data".into(),
        caption:
            "Synthetic pictures help up to twice the real data; repeating real data does not. \
                  Bands are 95 % intervals over 5 seeds."
                .into(),
        plot: Plot::Curves(Curves {
            x: Axis::plain("synthetic pictures per real picture, k"),
            y: accuracy(),
            curves,
        }),
    }
}

fn pareto() -> Figure {
    let settings = [
        (1.0, 13.3, 0.801),
        (1.25, 14.1, 0.824),
        (1.5, 16.4, 0.841),
        (1.75, 19.2, 0.849),
        (2.0, 22.9, 0.846),
        (3.0, 28.0, 0.823),
        (5.0, 33.5, 0.779),
    ];
    let mark = |(g, fid, cas): (f64, f64, f64)| Mark {
        label: format!("g = {g}"),
        x: Estimate { low: Some(fid - 0.8), high: Some(fid + 0.8), ..Estimate::single(fid) },
        y: estimate(cas, 0.006),
    };
    Figure {
        name: "fid-cas".into(),
        title: "FID against classification accuracy score".into(),
        caption: "Each point is one guidance weight.".into(),
        plot: Plot::Front(Front {
            x: Axis { label: "FID".into(), unit: Unit::Plain, direction: Some(Direction::Lower) },
            y: Axis { label: "CAS".into(), ..accuracy() },
            marks: settings.map(mark).to_vec(),
        }),
    }
}

fn classes() -> Figure {
    let pairs = [
        (0.994, 0.98),
        (0.97, 0.91),
        (0.985, 0.93),
        (0.942, 0.83),
        (0.968, 0.97),
        (0.955, 0.90),
        (0.99, 0.955),
        (0.973, 0.90),
        (0.91, 0.79),
        (0.93, 0.86),
    ];
    let mark = |(digit, (real, synthetic)): (usize, &(f64, f64))| Mark {
        label: format!("digit {digit}"),
        x: Estimate::single(*real),
        y: Estimate::single(*synthetic),
    };
    Figure {
        name: "classes".into(),
        title: "Accuracy per class".into(),
        caption: "Classes below the dashed diagonal lose by training on synthetic pictures.".into(),
        plot: Plot::Scatter(Scatter {
            x: Axis { label: "trained on real".into(), unit: Unit::Percent, direction: None },
            y: Axis { label: "trained on synthetic".into(), unit: Unit::Percent, direction: None },
            marks: pairs.iter().enumerate().map(mark).collect(),
        }),
    }
}

fn overview() -> Figure {
    let values =
        |means: [f64; 3], half: f64| means.iter().map(|mean| Some(estimate(*mean, half))).collect();
    Figure {
        name: "overview".into(),
        title: "Real, synthetic and both, by classifier <&>".into(),
        caption: "Diamonds are published values at the paper's scale.".into(),
        plot: Plot::Bars(Bars {
            value: accuracy(),
            categories: vec![
                "resnet-10".into(),
                "vit-tiny".into(),
                "mobilenet-v2 with weight averaging, long schedule".into(),
            ],
            groups: vec![
                Group {
                    name: "real".into(),
                    values: values([0.9512, 0.9237, 0.8811], 0.006),
                    published: vec![Some(0.7639), None, Some(0.709)],
                },
                Group {
                    name: "synthetic".into(),
                    values: values([0.8733, 0.8011, 0.7433], 0.02),
                    published: vec![Some(0.6924), None, None],
                },
                Group {
                    name: "real + 1 × synthetic".into(),
                    values: values([0.9642, 0.9512, 0.9050], 0.004),
                    published: vec![Some(0.7817), None, None],
                },
            ],
        }),
    }
}

fn points() -> Points {
    let combination = |(guidance, fid): (f64, f64)| Combination {
        settings: [("generator.pixel.guidance".to_owned(), guidance.into())].into(),
        values: [("fid".to_owned(), fid)].into(),
    };
    Points {
        better: [("fid".to_owned(), Direction::Lower)].into(),
        points: [(1.0, 21.307), (1.25, 18.42), (2.0, 24.9)].map(combination).to_vec(),
    }
}

/// Returns a sheet of 60 x 20 pixels.
fn sheet() -> Sheet {
    let picture = image::RgbImage::from_fn(60, 20, |x, y| {
        let dark = |n: u32| u8::try_from((n * 37) % 256).expect("below 256");
        image::Rgb([dark(x), dark(y * 3 + x / 10), dark(x * y)])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).expect("writing into memory");
    Sheet {
        name: "digits-g1-25".into(),
        caption: "Six \"digits\" per row, guidance 1.25".into(),
        png: png.into_inner(),
    }
}

/// Returns the report.
pub(super) fn document() -> Document {
    let resolved = "seeds = [0, 1, 2, 3, 4]\n\n[data.digits]\nvalidation-share = 0.1\n\n\
                    [generator.pixel]\nguidance = 1.25\n\n[generator.pixel.sampler.ddim]\n\
                    steps = 50\n";
    Document {
        experiment: "azizi-table3".into(),
        title: "Synthetic data beside real data".into(),
        profile: "tiny".into(),
        question: "Does one synthetic picture per real picture raise accuracy on real test data?"
            .into(),
        summary: vec![
            "Yes: by 1.30 points for resnet-10 and by 2.75 points for vit_tiny, at equal steps."
                .into(),
        ],
        tables: vec![mixes(), guidance()],
        figures: vec![scale(), pareto(), classes(), overview()],
        points: points(),
        sheets: vec![sheet()],
        notes: vec![
            "Every mix was trained for the same number of optimiser steps.".into(),
            "Test data was used once, at the end.".into(),
        ],
        provenance: json!({
            "experiment": resolved,
            "seeds": [0, 1, 2, 3, 4],
            "versions": {"ersatz": "0.1.0", "burn": "0.22.1"},
            "machine": {"cpu": "2 cores", "device": "flex (CPU)"},
            "stages": [
                {"stage": "train generator", "key": "5be1ca85d1a0", "seconds": 92.1},
                {"stage": "draw", "key": "0f1e2d3c4b5a", "seconds": 31.4},
                {"stage": "train classifier", "key": "9a8b7c6d5e4f", "seconds": 61.0},
            ],
        }),
    }
}
