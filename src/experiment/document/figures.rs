//! What the figures show.

use super::declared::{Quantity, combination, synthetic_only};
use super::points::points;
use super::results::Results;
use super::tables::heading;
use crate::experiment::file::{FigureKind, FrontAxes};
use crate::experiment::published::published;
use crate::report::{
    Axis, Bars, Curve, Curves, Estimate, Figure, Front, Group, Mark, Plot, Point, Scatter, Unit,
};
use crate::terms::{ClassId, Direction};

pub(super) fn figures(results: &[Results]) -> Vec<Figure> {
    let kinds = &results[0].cell.experiment.report.figures;
    kinds
        .iter()
        .flat_map(|kind| match kind {
            FigureKind::Bars => bars(results).into_iter().collect(),
            FigureKind::Scale => scale(results),
            FigureKind::PerClass => per_class(results).into_iter().collect(),
            FigureKind::Sweep => sweep(results),
            FigureKind::Front(axes) => vec![front(results, axes)],
        })
        .collect()
}

fn accuracy_axis() -> Axis {
    Axis {
        label: "top-1 on real test pictures".to_owned(),
        unit: Unit::Percent,
        direction: Some(Direction::Higher),
    }
}

/// Accuracy of every classifier on every mix.
fn bars(results: &[Results]) -> Option<Figure> {
    let results = results.first()?;
    let report = &results.cell.experiment.report;
    let paper = published(&report.published).ok();
    let groups = report
        .columns
        .iter()
        .map(|mix| Group {
            name: heading(mix, &results.cell.experiment.mix[mix]),
            values: report.rows.iter().map(|row| results.plotted(row, mix)).collect(),
            published: match &paper {
                None => Vec::new(),
                Some(paper) => report
                    .rows
                    .iter()
                    .map(|row| paper.value(row, mix).map(|found| found.value))
                    .collect(),
            },
        })
        .collect();
    Some(Figure {
        name: "accuracy".to_owned(),
        title: "Accuracy by training set".to_owned(),
        caption: "Top-1 on real test pictures; whiskers are 95 % intervals over seeds.".to_owned(),
        plot: Plot::Bars(Bars { value: accuracy_axis(), categories: report.rows.clone(), groups }),
    })
}

/// Accuracy against the synthetic multiple: a curve per combination of swept values, classifier,
/// and share of real pictures.
fn scale(results: &[Results]) -> Vec<Figure> {
    let mut curves = Vec::new();
    for results in results {
        let report = &results.cell.experiment.report;
        for classifier in &report.rows {
            for (with_real, kind) in [(true, "real + k × synthetic"), (false, "k × synthetic")] {
                let points = along_multiples(results, classifier, with_real);
                if points.len() > 1 {
                    let at = combination(&results.cell.axes);
                    let at = if at.is_empty() { at } else { format!(", {at}") };
                    let name = format!("{classifier}, {kind}{at}");
                    curves.push(Curve { name, points, published: false });
                }
            }
        }
    }
    let figure = Figure {
        name: "scale".to_owned(),
        title: "Accuracy against the amount of synthetic pictures".to_owned(),
        caption: "k synthetic pictures for each real training picture of the same class."
            .to_owned(),
        plot: Plot::Curves(Curves {
            x: Axis::plain("k, synthetic pictures per real one"),
            y: accuracy_axis(),
            curves,
        }),
    };
    vec![figure]
}

/// Returns the accuracies of the mixes with or without real pictures by their synthetic multiple.
fn along_multiples(results: &Results, classifier: &str, with_real: bool) -> Vec<Point> {
    let experiment = &results.cell.experiment;
    let point = |name: &String| {
        let mix = &experiment.mix[name];
        let y = results.plotted(classifier, name)?;
        ((mix.real > 0.0) == with_real).then_some(Point { x: mix.synthetic, y })
    };
    let mut points: Vec<Point> = experiment.report.columns.iter().filter_map(point).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

/// Accuracy per class: synthetic only against real only, of the first classifier.
fn per_class(results: &[Results]) -> Option<Figure> {
    let results = results.first()?;
    let experiment = &results.cell.experiment;
    let report = &experiment.report;
    let classifier = report.rows.first()?;
    let fake_only = report.columns.iter().find(|name| experiment.mix[*name].real <= 0.0)?;
    let of = |mix: &str, class: ClassId| {
        let values: Vec<f64> = results
            .tests
            .iter()
            .filter(|(which, _)| which.classifier == *classifier && which.mix == mix)
            .filter_map(|(_, test)| test.accuracy.per_class.get(class.index())?.top1)
            .collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        (n > 0).then(|| Estimate { mean, n, ..Estimate::default() })
    };
    let classes = &results.tests.values().next()?.classes;
    let marks = classes
        .ids()
        .filter_map(|class| {
            let label = classes.name(class).to_owned();
            Some(Mark { label, x: of(&report.baseline, class)?, y: of(fake_only, class)? })
        })
        .collect();
    let axis = |name: &str| Axis {
        label: format!("top-1, trained on {name}"),
        unit: Unit::Percent,
        direction: Some(Direction::Higher),
    };
    Some(Figure {
        name: "per-class".to_owned(),
        title: format!("Accuracy per class, {classifier}"),
        caption: "Each mark is a class; on the diagonal synthetic pictures teach as much as real \
                  ones."
            .to_owned(),
        plot: Plot::Scatter(Scatter { x: axis(&report.baseline), y: axis(fake_only), marks }),
    })
}

/// Accuracies and scores against the first swept key; each combination of the others is a curve.
fn sweep(results: &[Results]) -> Vec<Figure> {
    let Some((key, _)) = results[0].cell.axes.first() else { return Vec::new() };
    let report = &results[0].cell.experiment.report;
    let x = Axis::plain(key.clone());
    let groups = along_first_axis(results);
    let curve = |name: &str, (rest, group): &(String, Vec<&Results>), of: &Quantified<'_>| {
        let point = |it: &&Results| {
            let y = Estimate { protocol: None, ..of(it)? };
            Some(Point { x: it.cell.axes[0].1.as_f64()?, y })
        };
        let name = [name, rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let points: Vec<Point> = group.iter().filter_map(point).collect();
        Curve { name: name.join(", "), points, published: false }
    };
    let several = |curve: &Curve| curve.points.len() > 1;
    let accuracies =
        report.rows.iter().flat_map(|row| report.columns.iter().map(move |c| (row, c)));
    let curves = accuracies
        .flat_map(|(row, mix)| {
            let name = format!("{row}, {mix}");
            let of = |it: &Results| it.plotted(row, mix);
            groups.iter().map(|group| curve(&name, group, &of)).collect::<Vec<_>>()
        })
        .filter(several)
        .collect();
    let mut figures = vec![Figure {
        name: "sweep-accuracy".to_owned(),
        title: format!("Accuracy against {key}"),
        caption: "Top-1 on real test pictures.".to_owned(),
        plot: Plot::Curves(Curves { x: x.clone(), y: accuracy_axis(), curves }),
    }];
    for (name, direction, ..) in &results[0].scores {
        let of = |it: &Results| it.score(name);
        let one = if groups.len() > 1 { "" } else { name };
        let curves = groups.iter().map(|group| curve(one, group, &of)).filter(several).collect();
        let y = Axis { label: name.clone(), unit: Unit::Plain, direction: Some(*direction) };
        figures.push(Figure {
            name: format!("sweep-{name}"),
            title: format!("{name} against {key}"),
            caption: "Synthetic pictures against real ones.".to_owned(),
            plot: Plot::Curves(Curves { x: x.clone(), y, curves }),
        });
    }
    figures
}

/// A value of a combination.
type Quantified<'a> = dyn Fn(&Results) -> Option<Estimate> + 'a;

/// Returns the combinations that differ in the first swept key only, by what the others are.
fn along_first_axis(results: &[Results]) -> Vec<(String, Vec<&Results>)> {
    let mut groups: Vec<(String, Vec<&Results>)> = Vec::new();
    for one in results {
        let name = combination(&one.cell.axes[1..]);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(one),
            None => groups.push((name, vec![one])),
        }
    }
    groups
}

/// One value of every combination against another.
fn front(results: &[Results], axes: &FrontAxes) -> Figure {
    let report = &results[0].cell.experiment.report;
    let classifier = report.rows.first().map_or("", String::as_str);
    let mix = synthetic_only(results);
    let [x, y] = [&axes.x, &axes.y].map(|name| Quantity::read(name));
    let mark = |it: &Results| {
        let [x, y] = [&x, &y].map(|quantity| quantity.of(it, classifier, mix));
        Some(Mark { label: combination(&it.cell.axes), x: x?, y: y? })
    };
    let points = points(results);
    let best = points.best(&[&axes.x, &axes.y]).map(|best| {
        let axes: Vec<_> = best.settings.clone().into_iter().collect();
        format!(" Best of both, by the sum of ranks: {}.", combination(&axes))
    });
    Figure {
        name: format!("front-{}-{}", axes.x, axes.y).replace(':', "-"),
        title: format!("{} against {}", axes.y, axes.x),
        caption: format!(
            "Each mark is a combination of swept values; the line joins those that no other beats \
             in both.{}",
            best.unwrap_or_default()
        ),
        plot: Plot::Front(Front {
            x: x.axis(&axes.x, results),
            y: y.axis(&axes.y, results),
            marks: results.iter().filter_map(mark).collect(),
        }),
    }
}
