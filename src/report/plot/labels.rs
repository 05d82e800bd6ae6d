//! Names beside points, moved so that they cover neither points nor each other.

use super::canvas::{At, text_width};
use super::frame::Frame;

/// Half the height of a line of text, in points.
const HALF: f64 = 7.0;
/// The distance of a name from its point.
const AWAY: f64 = 9.0;

/// A box: left, top, right, bottom.
pub(super) type Area = (f64, f64, f64, f64);

/// What names keep clear of.
#[derive(Default)]
pub(super) struct Obstacles {
    /// Never covered.
    points: Vec<Area>,
    /// Covered only where there is no other room.
    lines: Vec<Area>,
}

impl Obstacles {
    /// Adds a point.
    pub(super) fn point(&mut self, (x, y): At) {
        self.points.push((x - 6.0, y - 6.0, x + 6.0, y + 6.0));
    }

    /// Adds a line through places.
    pub(super) fn line(&mut self, path: &[At]) {
        for pair in path.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            let mut s = 0.0;
            while s <= length {
                let share = if length > 0.0 { s / length } else { 0.0 };
                let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
                self.lines.push((x - 2.0, y - 2.0, x + 2.0, y + 2.0));
                s += 4.0;
            }
        }
    }
}

/// Returns where each name starts (its left end, vertically centred), or `None` if there is no room
/// for it. Names earlier in the list choose first.
pub(super) fn place(
    frame: &Frame,
    names: &[(At, &str)],
    mut obstacles: Obstacles,
    size: f64,
) -> Vec<Option<At>> {
    let mut places = Vec::new();
    for (point, name) in names {
        let width = text_width(name, size);
        let area = |at: &At| (at.0, at.1 - HALF, at.0 + width, at.1 + HALF);
        let clear = |at: &At, of: &[Area]| !of.iter().any(|other| overlap(area(at), *other));
        let possible: Vec<At> = candidates(*point, width)
            .into_iter()
            .filter(|at| inside(frame, area(at)) && clear(at, &obstacles.points))
            .collect();
        let free = possible.iter().find(|at| clear(at, &obstacles.lines)).or(possible.first());
        if let Some((x, y)) = free {
            obstacles.points.push((x - 2.0, y - HALF, x + width + 2.0, y + HALF));
        }
        places.push(free.copied());
    }
    places
}

/// Right, left, above, below, then the four corners, near and far.
fn candidates((x, y): At, width: f64) -> [At; 12] {
    let (up, down) = (y - HALF - AWAY, y + HALF + AWAY);
    let (right, left, middle) = (x + AWAY, x - AWAY - width, x - width / 2.0);
    let (near_right, near_left) = (x + 5.0, x - 5.0 - width);
    let (far_up, far_down) = (up - 5.0, down + 5.0);
    [
        (right, y),
        (left, y),
        (middle, up),
        (middle, down),
        (near_right, up + 3.0),
        (near_right, down - 3.0),
        (near_left, up + 3.0),
        (near_left, down - 3.0),
        (near_right + 3.0, far_up),
        (near_right + 3.0, far_down),
        (near_left - 3.0, far_up),
        (near_left - 3.0, far_down),
    ]
}

fn inside(frame: &Frame, (left, top, right, bottom): Area) -> bool {
    left >= frame.left + 2.0
        && right <= frame.right
        && top >= frame.top
        && bottom <= frame.bottom - 2.0
}

fn overlap(a: Area, b: Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Size;
    use super::super::ticks::Ticks;
    use super::*;

    #[test]
    fn names_keep_clear_of_everything() {
        let ticks = || Ticks::around(&[0.0, 10.0], 5, None);
        let frame = Frame::new(Size { width: 800, height: 500 }, ticks(), ticks(), 0.0);
        let points: Vec<At> = (0..9).map(|i| frame.place(f64::from(i), 5.0)).collect();
        let names: Vec<(At, &str)> = points.iter().map(|at| (*at, "a rather long name")).collect();
        let mut obstacles = Obstacles::default();
        points.iter().for_each(|at| obstacles.point(*at));
        let places = place(&frame, &names, obstacles, 12.0);
        let width = text_width("a rather long name", 12.0);
        let areas: Vec<Area> = places
            .iter()
            .flatten()
            .map(|at| (at.0, at.1 - HALF, at.0 + width, at.1 + HALF))
            .collect();
        assert!(areas.len() >= 4, "most names have room");
        for (i, a) in areas.iter().enumerate() {
            assert!(areas[..i].iter().all(|b| !overlap(*a, *b)));
            assert!(points.iter().all(|p| !overlap(*a, (p.0, p.1, p.0, p.1))));
        }
    }

    #[test]
    fn names_cover_a_line_only_in_need() {
        let ticks = || Ticks::around(&[0.0, 10.0], 5, None);
        let frame = Frame::new(Size { width: 800, height: 500 }, ticks(), ticks(), 0.0);
        let point = frame.place(5.0, 5.0);
        let mut to_the_right = Obstacles::default();
        to_the_right.line(&[point, frame.place(9.0, 5.0)]);
        let beside = place(&frame, &[(point, "name")], to_the_right, 12.0);
        assert!(beside[0].is_some_and(|at| at.0 < point.0));
        let mut everywhere = Obstacles::default();
        for i in 0..=100 {
            let y = f64::from(i) / 10.0;
            everywhere.line(&[frame.place(0.0, y), frame.place(10.0, y)]);
        }
        let across = place(&frame, &[(point, "name")], everywhere, 12.0);
        assert!(across[0].is_some_and(|at| at.0 > point.0));
    }
}
