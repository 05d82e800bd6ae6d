//! Two metrics against each other, with the Pareto front: the settings that no other one beats in
//! both. The front is drawn as the border of what they beat, so it claims no setting between two.

use plotters::prelude::DrawingBackend;

use super::super::figure::{Front, Mark};
use super::canvas::{At, Canvas, Size, Stroke, Writing};
use super::frame::{Frame, MARGIN, extent, limits, printed};
use super::labels::{self, Obstacles};
use super::legend::{Legend, Symbol};
use super::palette::{MUTED, Shape, colour};
use super::ticks::Ticks;
use crate::terms::Direction;

pub(super) fn draw<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    plot: &Front,
    title: &str,
    size: Size,
) {
    let marks = in_printed_units(plot);
    let xs: Vec<f64> = marks.iter().flat_map(|mark| extent(&mark.x)).collect();
    let ys: Vec<f64> = marks.iter().flat_map(|mark| extent(&mark.y)).collect();
    let front = plot.x.direction.zip(plot.y.direction).map(|(x, y)| pareto(&marks, x, y));
    let legend = legend(front.is_some());
    let x = Ticks::around(&xs, 8, limits(plot.x.unit));
    let y = Ticks::around(&ys, 8, limits(plot.y.unit));
    let frame = Frame::new(size, x, y, legend.width());
    frame.draw(canvas, title, &plot.x, &plot.y);
    legend.draw(canvas, size.width as f64 - MARGIN - legend.width(), frame.top);

    let places: Vec<At> = marks.iter().map(|m| frame.place(m.x.mean, m.y.mean)).collect();
    let on_front = |i: usize| front.as_ref().is_none_or(|front| front.contains(&i));
    let mut obstacles = Obstacles::default();
    for (i, mark) in marks.iter().enumerate() {
        let stroke = Stroke::solid(MUTED, 1.0);
        if let Some((low, high)) = mark.y.interval() {
            frame.whisker_y(canvas, mark.x.mean, (low, high), stroke);
            obstacles.line(&[frame.place(mark.x.mean, low), frame.place(mark.x.mean, high)]);
        }
        if let Some((low, high)) = mark.x.interval() {
            frame.whisker_x(canvas, (low, high), places[i].1, stroke);
            obstacles.line(&[frame.place(low, mark.y.mean), frame.place(high, mark.y.mean)]);
        }
    }
    if let Some(front) = &front {
        let stairs = stairs(front, &places);
        canvas.line(&stairs, Stroke::solid(colour(0), 2.0));
        obstacles.line(&stairs);
    }
    for (i, at) in places.iter().enumerate() {
        if on_front(i) {
            canvas.marker(*at, Shape::Circle, colour(0));
        } else {
            canvas.ring(*at, Shape::Circle, MUTED);
        }
    }
    draw_names(canvas, &frame, (&marks, &places), obstacles);
}

fn in_printed_units(plot: &Front) -> Vec<Mark> {
    let mark = |mark: &Mark| Mark {
        label: mark.label.clone(),
        x: printed(&mark.x, plot.x.unit),
        y: printed(&mark.y, plot.y.unit),
    };
    let finite = |mark: &Mark| mark.x.mean.is_finite() && mark.y.mean.is_finite();
    plot.marks.iter().map(mark).filter(finite).collect()
}

fn legend(has_front: bool) -> Legend {
    let mut legend = Legend::default();
    if has_front {
        legend.add(Symbol::Plain(Stroke::solid(colour(0), 2.0)), "Pareto front");
        legend.add(Symbol::Point { shape: Shape::Circle, colour: colour(0) }, "on the front");
        legend.add(Symbol::Ring { shape: Shape::Circle, colour: MUTED }, "dominated");
    }
    legend
}

/// Writes the name of each mark beside its place, where there is room. Marks may be fewer than
/// places: the first ones are named.
pub(super) fn draw_names<DB: DrawingBackend>(
    canvas: &Canvas<'_, DB>,
    frame: &Frame,
    (marks, places): (&[Mark], &[At]),
    mut obstacles: Obstacles,
) {
    places.iter().for_each(|at| obstacles.point(*at));
    let names: Vec<(At, &str)> =
        places.iter().zip(marks).map(|(at, mark)| (*at, mark.label.as_str())).collect();
    let found = labels::place(frame, &names, obstacles, Writing::LABEL.size);
    for (at, (_, name)) in found.into_iter().zip(names) {
        if let Some(at) = at {
            canvas.text(name, at, Writing::LABEL);
        }
    }
}

/// Returns the marks that no other mark beats in both metrics, from the best in `x` to the worst.
fn pareto(marks: &[Mark], x: Direction, y: Direction) -> Vec<usize> {
    // Both metrics as costs.
    let cost = |value: f64, direction: Direction| match direction {
        Direction::Higher => -value,
        Direction::Lower => value,
    };
    let costs: Vec<(f64, f64)> =
        marks.iter().map(|mark| (cost(mark.x.mean, x), cost(mark.y.mean, y))).collect();
    let mut order: Vec<usize> = (0..marks.len()).collect();
    order.sort_by(|a, b| {
        costs[*a].0.total_cmp(&costs[*b].0).then(costs[*a].1.total_cmp(&costs[*b].1))
    });
    let mut front: Vec<usize> = Vec::new();
    for i in order {
        if front.last().is_none_or(|last| costs[i].1 < costs[*last].1) {
            front.push(i);
        }
    }
    front
}

/// Returns the border of what the front beats: from each mark towards worse `x`, then to better
/// `y`.
fn stairs(front: &[usize], places: &[At]) -> Vec<At> {
    let mut path = Vec::new();
    for pair in front.windows(2) {
        let (here, next) = (places[pair[0]], places[pair[1]]);
        path.extend([here, (next.0, here.1), next]);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Estimate;

    fn marks(places: &[(f64, f64)]) -> Vec<Mark> {
        let mark = |(x, y): &(f64, f64)| Mark {
            label: String::new(),
            x: Estimate::single(*x),
            y: Estimate::single(*y),
        };
        places.iter().map(mark).collect()
    }

    #[test]
    fn nobody_beats_the_front() {
        use Direction::{Higher, Lower};
        let marks =
            marks(&[(1.0, 5.0), (2.0, 6.0), (3.0, 5.5), (2.0, 4.0), (4.0, 9.0), (1.0, 3.0)]);
        assert_eq!(pareto(&marks, Lower, Higher), [0, 1, 4]);
        assert_eq!(pareto(&marks, Higher, Higher), [4]);
        assert_eq!(pareto(&marks, Lower, Lower), [5]);
        assert_eq!(pareto(&marks, Higher, Lower), [4, 2, 3, 5]);
        assert!(pareto(&[], Higher, Lower).is_empty());
    }

    #[test]
    fn stairs_turn_in_what_is_beaten() {
        let places = [(0.0, 10.0), (5.0, 2.0)];
        assert_eq!(stairs(&[0, 1], &places), [(0.0, 10.0), (5.0, 10.0), (5.0, 2.0)]);
        assert!(stairs(&[0], &places).is_empty());
    }
}
