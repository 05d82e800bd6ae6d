//! One picture before it is drawn: the values of its factors, and what varies within them.
//!
//! Lengths are in sides of the picture, x to the right and y down from the upper left corner;
//! shades are RGB in 0..=1. Every number is drawn at an address of its own below the address of the
//! picture, so another factor or another difficulty leaves the rest of a picture as it is. No
//! function is used whose last bit depends on the machine: directions come from points of the unit
//! disc, not from angles, and noise is a sum of uniform numbers.

use super::factors::{Background, Colour, Position, Shape, Size, Texture};
use super::outline::REACH;
use super::{ClassBy, Shapes};
use crate::terms::{ClassId, Seed};

/// A shade, RGB in 0..=1.
pub(super) type Shade = [f64; 3];

/// A point or direction.
pub(super) type Point = (f64, f64);

/// Knots of the clouds along a side.
pub(super) const KNOTS: usize = 5;

/// Distractors at most.
const PIECES: u64 = 6;

/// One picture of the law, before it is drawn: the truth about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The outline of the object.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// How it is filled.
    pub texture: Texture,
    /// What is behind it.
    pub background: Background,
    /// Where it is.
    pub position: Position,
    /// How large it is.
    pub size: Size,
    pub(super) look: Look,
}

/// What varies within the factors.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) centre: Point,
    pub(super) radius: f64,
    /// Cosine and sine of the turn of the object.
    pub(super) turn: Point,
    /// The shades of the object: the ground of its texture, and the other.
    pub(super) shades: [Shade; 2],
    /// Where the texture starts.
    pub(super) phase: Point,
    pub(super) ground: Ground,
    /// Small pieces behind the object.
    pub(super) pieces: Vec<Piece>,
    /// A bar before the object.
    pub(super) bar: Option<Bar>,
    /// Standard deviation of the noise of a channel.
    pub(super) noise: f64,
    pub(super) noise_seed: Seed,
}

/// What is behind the object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ground {
    pub(super) shades: [Shade; 2],
    pub(super) direction: Point,
    pub(super) phase: Point,
    /// How much of the second shade is at each knot of the clouds.
    pub(super) knots: [f64; KNOTS * KNOTS],
}

/// A small disc or square that is not the object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) round: bool,
    pub(super) centre: Point,
    pub(super) radius: f64,
    pub(super) shade: Shade,
}

/// A bar across the object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) centre: Point,
    pub(super) direction: Point,
    pub(super) half_width: f64,
    pub(super) half_length: f64,
    pub(super) shade: Shade,
}

impl Scene {
    /// Draws a picture of a class at an address. The law has no [`Shapes::mistakes`].
    pub(super) fn of(law: &Shapes, class: ClassId, seed: Seed) -> Self {
        let (shape, colour) = law.told(class);
        let shape = shape.unwrap_or_else(|| pick(&law.shapes(), seed.child("shape")));
        let colour = colour.unwrap_or_else(|| pick(&law.colours(), seed.child("colour")));
        let texture = pick(&law.textures(), seed.child("texture"));
        let background = pick(&law.backgrounds(), seed.child("background"));
        let position = pick(&law.positions(), seed.child("position"));
        let size = pick(&law.sizes(), seed.child("size"));
        let radius = radius(size, seed.child("radius"));
        let centre = centre(position, radius, seed.child("centre"));
        let ground = ground(seed.child("ground"));
        let turn = turn(seed.child("turn"));
        let hard = law.difficulty;
        let bar = bar((centre, radius), ground.shades[1], hard, seed.child("bar"));
        let shades = faded(shades(colour, seed.child("shade")), &ground, hard, seed.child("fade"));
        let mut stream = seed.child("phase").stream();
        let look = Look {
            centre,
            radius,
            turn,
            shades,
            phase: (stream.uniform(), stream.uniform()),
            ground,
            pieces: pieces(hard, seed.child("pieces")),
            bar,
            noise: 0.10 * hard,
            noise_seed: seed.child("noise"),
        };
        Self { shape, colour, texture, background, position, size, look }
    }

    /// Returns a sentence that says what the picture shows.
    pub fn caption(&self) -> String {
        let texture = match self.texture {
            Texture::Plain => String::new(),
            other => format!("{} ", other.word()),
        };
        format!(
            "A {} {texture}{} {} {}, on a {} background.",
            self.size.word(),
            self.colour.word(),
            self.shape.word(),
            self.position.word(),
            self.background.word()
        )
    }
}

impl Shapes {
    /// Returns the shape and the colour that a class stands for.
    fn told(&self, class: ClassId) -> (Option<Shape>, Option<Colour>) {
        let (shapes, colours, i) = (self.shapes(), self.colours(), class.index());
        match self.class_by {
            ClassBy::Shape => (Some(shapes[i]), None),
            ClassBy::Colour => (None, Some(colours[i])),
            ClassBy::ShapeAndColour => {
                (Some(shapes[i / colours.len()]), Some(colours[i % colours.len()]))
            }
        }
    }
}

fn pick<T: Copy>(values: &[T], seed: Seed) -> T {
    values[seed.stream().below(values.len())]
}

fn radius(size: Size, seed: Seed) -> f64 {
    let (low, high) = match size {
        Size::Small => (0.20, 0.26),
        Size::Medium => (0.26, 0.33),
        Size::Large => (0.33, 0.40),
    };
    seed.stream().between(low, high)
}

/// Returns a point of the ninth of the room in which the object is all inside, whatever its shape
/// and turn, so that they say nothing about where it is.
fn centre(position: Position, radius: f64, seed: Seed) -> Point {
    let cell = Position::ALL.iter().position(|known| *known == position);
    let cell = cell.expect("all positions are listed");
    let reach = REACH * radius;
    let mut stream = seed.stream();
    let mut along = |third: usize| {
        let share = (third as f64 + stream.uniform()) / 3.0;
        reach + share * (1.0 - 2.0 * reach)
    };
    (along(cell % 3), along(cell / 3))
}

/// Returns the turn of an object by at most 33 degrees, as cosine and sine, from the tangent of
/// half the angle.
fn turn(seed: Seed) -> Point {
    let half = seed.stream().between(-0.3, 0.3);
    let scale = 1.0 / (1.0 + half * half);
    ((1.0 - half * half) * scale, 2.0 * half * scale)
}

/// Returns a direction, uniform on the circle.
fn direction(seed: Seed) -> Point {
    let mut stream = seed.stream();
    loop {
        let (x, y) = (stream.between(-1.0, 1.0), stream.between(-1.0, 1.0));
        let square = x * x + y * y;
        if (0.01..=1.0).contains(&square) {
            let length = square.sqrt();
            return (x / length, y / length);
        }
    }
}

/// Returns the middle of all shades of a colour.
fn middle(colour: Colour) -> Shade {
    match colour {
        Colour::Red => [0.86, 0.16, 0.16],
        Colour::Orange => [0.95, 0.55, 0.10],
        Colour::Yellow => [0.95, 0.86, 0.20],
        Colour::Green => [0.18, 0.62, 0.24],
        Colour::Turquoise => [0.12, 0.72, 0.74],
        Colour::Blue => [0.16, 0.32, 0.85],
        Colour::Purple => [0.53, 0.22, 0.73],
        Colour::Pink => [0.96, 0.52, 0.72],
    }
}

/// Returns the two shades of an object: one near the middle of its colour, and one that is darker
/// or lighter.
fn shades(colour: Colour, seed: Seed) -> [Shade; 2] {
    let mut stream = seed.stream();
    let light = stream.between(0.82, 1.08);
    let first = middle(colour).map(|x| x * light + stream.between(-0.05, 0.05));
    let towards = if stream.chance(0.5) { 0.0 } else { 1.0 };
    let share = stream.between(0.45, 0.6);
    [first, first.map(|x| x + (towards - x) * share)]
}

/// Brings shades nearer to the ground: by 0.6 x difficulty at most.
fn faded(shades: [Shade; 2], ground: &Ground, hard: f64, seed: Seed) -> [Shade; 2] {
    let share = 0.6 * hard * seed.stream().uniform();
    let [a, b] = ground.shades;
    shades.map(|shade| {
        let towards = |i: usize| shade[i] + ((a[i] + b[i]) / 2.0 - shade[i]) * share;
        [towards(0), towards(1), towards(2)]
    })
}

fn ground(seed: Seed) -> Ground {
    let mut stream = seed.stream();
    let dark = stream.chance(0.5);
    let grey = if dark { stream.between(0.10, 0.34) } else { stream.between(0.66, 0.90) };
    let first = [(); 3].map(|()| grey + stream.between(-0.06, 0.06));
    // Towards the middle, so that nothing is cut off at black or white.
    let step = stream.between(0.12, 0.22) * if dark { 1.0 } else { -1.0 };
    let mut knots = [0.0; KNOTS * KNOTS];
    knots.iter_mut().for_each(|knot| *knot = stream.uniform());
    Ground {
        shades: [first, first.map(|x| x + step)],
        direction: direction(seed.child("direction")),
        phase: (stream.uniform(), stream.uniform()),
        knots,
    }
}

/// Returns distractors: each of six is there with probability 0.6 x difficulty.
fn pieces(hard: f64, seed: Seed) -> Vec<Piece> {
    let piece = |i| {
        let mut stream = seed.index(i).stream();
        let there = stream.chance(0.6 * hard);
        let colour = pick(Colour::ALL, seed.index(i).child("colour"));
        there.then(|| Piece {
            round: stream.chance(0.5),
            centre: (stream.uniform(), stream.uniform()),
            radius: stream.between(0.04, 0.09),
            shade: middle(colour).map(|x| x * 0.9),
        })
    };
    (0..PIECES).filter_map(piece).collect()
}

/// Returns, with probability 0.6 x difficulty, a bar near the middle of an object, 0.3 to 0.7 of
/// its radius wide.
fn bar((centre, radius): (Point, f64), shade: Shade, hard: f64, seed: Seed) -> Option<Bar> {
    let mut stream = seed.stream();
    if !stream.chance(0.6 * hard) {
        return None;
    }
    let mut off = || stream.between(-0.5, 0.5) * radius;
    let centre = (centre.0 + off(), centre.1 + off());
    Some(Bar {
        centre,
        direction: direction(seed.child("direction")),
        half_width: stream.between(0.15, 0.35) * radius,
        half_length: 1.5 * radius,
        shade,
    })
}
