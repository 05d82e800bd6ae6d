//! Pictures on the host: from bytes to pictures, from pictures to the numbers a network sees, and
//! back.
//!
//! In reading order: [`codec`] reads PNG, JPEG, WebP and BMP as Pillow does and writes PNG;
//! [`kind`](mod@kind) tells what a file is without that;
//! [`resize`] scales exactly as Pillow's resampling and as the tools of FID; [`augment`]
//! changes training pictures and mixes batches, always at a random address; [`range`] turns
//! pictures into planes of numbers and back; [`View`] is the size at which a net sees them;
//! [`sheet`] lays pictures out for the eye.
//!
//! Invariants: nothing here touches a device, a file or a clock; a function of the same picture and
//! the same seed gives the same bytes on every machine.

pub mod augment;
pub mod codec;
mod cut;
pub mod kind;
pub mod range;
pub mod resize;
pub mod sheet;
mod view;

pub use codec::{DecodeError, decode, encode_png, is_jpeg};
pub use kind::{Kind, kind};
pub use range::{Channels, Normalisation, from_signed, planes};
pub use resize::{
    Filter, Fit, Resize, resize, resize_clean_fid, resize_f32, resize_tf1, resize_torch,
};
pub use sheet::contact_sheet;
pub use view::{Scaled, View};

#[cfg(test)]
mod fixture;
