//! What may be said of a few numbers: means with intervals, shares, differences, resampling.
//!
//! In reading order: [`student_t_quantile`] and [`wilson`] are the textbook laws, [`Estimate`] is a
//! mean of several seeds with its interval, [`paired`] compares two arms seed by seed, and
//! [`bootstrap`] gives an interval to any statistic of rows. All in f64 and in a fixed order; every
//! interval has the level [`LEVEL`].

mod bootstrap;
mod interval;
mod paired;
mod student;
mod summary;

pub use bootstrap::{bootstrap, quantile};
pub use interval::{Interval, LEVEL, student_t, wilson};
pub use paired::paired;
pub use student::student_t_quantile;
pub use summary::Estimate;
