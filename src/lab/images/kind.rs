//! What a picture file is, without decoding it: its format, and how a JPEG samples its colours.
//!
//! ITU-T T.81: B.2.2 (frame header), with one byte of sampling factors per component.

use std::fmt;

use super::codec::{Format, sniff};

/// A format, and for JPEG the sampling of the colours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    format: String,
    sampling: Option<String>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sampling {
            Some(sampling) => write!(f, "{} {sampling}", self.format),
            None => f.write_str(&self.format),
        }
    }
}

/// Returns what a picture file is, if it is of a known format.
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    let (format, _) = sniff(bytes)?;
    let sampling = if format == Format::Jpeg { sampling(bytes) } else { None };
    Some(Kind { format: format.to_string(), sampling })
}

/// Returns the sampling of a JPEG file as photographers write it: `4:2:0`, `grey`.
fn sampling(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes.get(2..)?;
    loop {
        let at = rest.iter().position(|byte| *byte != 0xff)?;
        let (marker, after) = (rest[at], &rest[at + 1..]);
        let length = usize::from(u16::from_be_bytes([*after.first()?, *after.get(1)?]));
        // Frames of every kind but DHT, JPG and DAC, which share their range.
        if (0xc0..=0xcf).contains(&marker) && ![0xc4, 0xc8, 0xcc].contains(&marker) {
            let components = after.get(8..length)?.chunks_exact(3);
            let factors: Vec<(u8, u8)> = components.map(|c| (c[1] >> 4, c[1] & 15)).collect();
            return Some(match factors.as_slice() {
                [_] => "grey".to_owned(),
                [luma, blue, red] if blue == red => {
                    match (luma.0 / blue.0.max(1), luma.1 / blue.1.max(1)) {
                        (1, 1) => "4:4:4".to_owned(),
                        (2, 1) => "4:2:2".to_owned(),
                        (2, 2) => "4:2:0".to_owned(),
                        (1, 2) => "4:4:0".to_owned(),
                        (4, 1) => "4:1:1".to_owned(),
                        (h, v) => format!("{h}x{v}"),
                    }
                }
                other => format!("{} components", other.len()),
            });
        }
        if length < 2 {
            return None;
        }
        rest = after.get(length..)?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::golden_path;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(golden_path("images/codec").join(name)).unwrap()
    }

    #[test]
    fn formats_and_samplings_are_told() {
        for (name, want) in [
            ("420.jpg", "JPEG 4:2:0"),
            ("444.jpg", "JPEG 4:4:4"),
            ("444-progressive.jpg", "JPEG 4:4:4"),
            ("grey.jpg", "JPEG grey"),
            ("cmyk.jpg", "JPEG 4 components"),
            ("rgb.bmp", "BMP"),
        ] {
            assert_eq!(kind(&file(name)).unwrap().to_string(), want, "{name}");
        }
        assert_eq!(kind(b"GIF89a"), None);
    }

    proptest! {
        #[test]
        fn damage_never_panics(cut in 0_usize..2000, at in 0_usize..700, byte: u8) {
            let mut bytes = file("420.jpg");
            bytes.truncate(cut);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = kind(&bytes);
        }
    }
}
