//! What can differ from picture to picture, by name: the words of the experiment file, of class
//! names and of captions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares one factor: its values in order, each with its word.
macro_rules! factor {
    ($(#[$about:meta])* $name:ident:
        $($(#[$value_about:meta])* $value:ident = $word:literal,)+) => {
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$value_about])* $value,)+ }

        impl $name {
            /// All values, in order.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// Returns the word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    };
}

factor! {
    /// The outline of the object.
    Shape:
    /// A disc.
    Circle = "circle",
    /// A square.
    Square = "square",
    /// An equilateral triangle.
    Triangle = "triangle",
    /// A regular pentagon.
    Pentagon = "pentagon",
    /// A regular hexagon.
    Hexagon = "hexagon",
    /// A star with five points.
    Star = "star",
    /// Two bars across each other.
    Cross = "cross",
    /// A disc with a hole.
    Ring = "ring",
    /// A disc without the part that another disc covers.
    Crescent = "crescent",
    /// A heart.
    Heart = "heart",
}

factor! {
    /// The colour of the object; every picture has a shade of its own.
    Colour:
    /// About (219, 41, 41).
    Red = "red",
    /// About (242, 140, 26).
    Orange = "orange",
    /// About (242, 219, 51).
    Yellow = "yellow",
    /// About (46, 158, 61).
    Green = "green",
    /// About (31, 184, 189).
    Turquoise = "turquoise",
    /// About (41, 82, 217).
    Blue = "blue",
    /// About (135, 56, 186).
    Purple = "purple",
    /// About (245, 133, 184).
    Pink = "pink",
}

factor! {
    /// How the object is filled.
    Texture:
    /// One shade.
    Plain = "plain",
    /// Bars of two shades.
    Striped = "striped",
    /// Dots of another shade.
    Dotted = "dotted",
    /// Squares of two shades.
    Checked = "checked",
}

factor! {
    /// What is behind the object: greys with a tint.
    Background:
    /// One shade.
    Plain = "plain",
    /// From one shade to another.
    Shaded = "shaded",
    /// Soft spots.
    Cloudy = "cloudy",
    /// Squares of two shades.
    Tiled = "tiled",
}

factor! {
    /// In which ninth of the room that its size leaves the object has its centre.
    Position:
    /// The upper left.
    UpperLeft = "in the upper left",
    /// The top.
    Top = "at the top",
    /// The upper right.
    UpperRight = "in the upper right",
    /// The left.
    Left = "on the left",
    /// The middle.
    Middle = "in the middle",
    /// The right.
    Right = "on the right",
    /// The lower left.
    LowerLeft = "in the lower left",
    /// The bottom.
    Bottom = "at the bottom",
    /// The lower right.
    LowerRight = "in the lower right",
}

factor! {
    /// How large the object is.
    Size:
    /// A radius of 0.20 to 0.26 of the picture's side.
    Small = "small",
    /// A radius of 0.26 to 0.33 of the picture's side.
    Medium = "medium-sized",
    /// A radius of 0.33 to 0.40 of the picture's side.
    Large = "large",
}
