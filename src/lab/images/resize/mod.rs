//! Scaling pictures, as Pillow 9 to 12 do it (`src/libImaging/Resample.c`).
//!
//! Parts: [`Filter`] says which neighbours count how much (`kernel`); [`resize`] works on grey
//! levels and rounds after each direction, like Pillow on RGB pictures (`levels`); [`resize_f32`]
//! never rounds, like Pillow on pictures of mode `F` (`float`), and with [`resize_clean_fid`]
//! that is the scaling of clean-fid; [`Fit`] brings a picture to a square (`fit`).
//!
//! All of them widen the filter when they scale down (antialias), and scale rows before columns.
// DIFFERS: Pillow 13 scales columns before rows where the height shrinks by more than twice as many
// pixels as the width. Rounding in between then changes some levels by 1. Here rows always come
// first, as in Pillow 9 to 12, which published numbers come from so far.

mod fit;
mod float;
mod kernel;
mod levels;

pub use fit::Fit;
pub use float::{resize_clean_fid, resize_f32};
pub use kernel::Filter;
pub use levels::resize;
