//! Plain words that every room uses. No tensors, no files, no clocks.
//!
//! In reading order: [`Key`] names an artifact, [`Seed`] addresses randomness, [`ClassId`] and
//! [`ClassNames`] say what a picture shows, [`Picture`] is the picture itself, [`Precision`]
//! is how exact a net's products are, [`Score`] is a number that knows its name and protocol,
//! [`Problem`] is a mistake of the user, and [`Files`] is the only door through which science sees
//! a disk, a [`Window`] a file behind it.

mod class;
mod files;
mod key;
mod picture;
mod precision;
mod problem;
mod score;
mod seed;
mod window;

pub use class::{ClassId, ClassNames};
pub use files::{Files, MemoryFiles};
pub use key::Key;
pub use picture::Picture;
pub use precision::Precision;
pub use problem::{Problem, Problems, near_path, nearest};
pub use score::{Direction, Protocol, Score};
pub use seed::{Seed, Stream};
pub use window::Window;
