//! What the tests of this room share: a busy picture by formula, and golden bytes.

use base64::Engine as _;
use serde_json::Value;

use crate::terms::Picture;

/// Returns a picture of many grey levels and hard edges; `make.py` computes the same.
pub(super) fn busy(width: usize, height: usize) -> Picture {
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                rgb.push((((x * 37 + y * 91 + c * 53) ^ (x * y * 7)) % 256) as u8);
            }
        }
    }
    Picture::new(width, height, rgb)
}

/// Reads base64.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Reads base64 of little-endian single-precision numbers.
pub(super) fn floats(value: &Value) -> Vec<f32> {
    bytes(value).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Reads a whole number.
pub(super) fn whole(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}
