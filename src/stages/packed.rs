//! A data set in one file: the length of a JSON header (8 bytes, little endian), the header, the
//! pixels.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::lab::data::{Dataset, Example, Origin};
use crate::terms::{ClassId, ClassNames, Picture};

#[derive(Serialize, Deserialize)]
struct Header {
    classes: ClassNames,
    examples: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    class: ClassId,
    origin: Origin,
    width: usize,
    height: usize,
}

/// A file that is not a packed data set.
#[derive(Debug, thiserror::Error)]
#[error("the packed data set is damaged: {0}")]
pub struct PackedError(String);

/// Writes a data set into one file.
pub fn pack(data: &Dataset) -> Vec<u8> {
    let line = |example: &Example| Line {
        id: example.id.clone(),
        class: example.class,
        origin: example.origin,
        width: example.picture.width(),
        height: example.picture.height(),
    };
    let header = Header {
        classes: data.classes.clone(),
        examples: data.examples.iter().map(line).collect(),
    };
    let header = serde_json::to_vec(&header).expect("a header is plain data");
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    data.examples.iter().for_each(|example| bytes.extend(example.picture.rgb()));
    bytes
}

/// Reads what [`pack`] wrote.
///
/// # Errors
/// If it is anything else.
pub fn unpack(bytes: &[u8]) -> Result<Dataset, PackedError> {
    let cut = || PackedError("it is cut short".to_owned());
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    let (header, mut pixels) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header: Header = serde_json::from_slice(header).map_err(|e| PackedError(e.to_string()))?;
    let mut examples = Vec::with_capacity(header.examples.len());
    for line in header.examples {
        if line.class.index() >= header.classes.len() || line.width * line.height == 0 {
            return Err(PackedError(format!("`{}` has no such class or no pixels", line.id)));
        }
        let (rgb, rest) = pixels.split_at_checked(line.width * line.height * 3).ok_or_else(cut)?;
        pixels = rest;
        let picture = Arc::new(Picture::new(line.width, line.height, rgb.to_vec()));
        examples.push(Example { id: line.id, class: line.class, origin: line.origin, picture });
    }
    if pixels.is_empty() {
        Ok(Dataset::new(header.classes, examples))
    } else {
        Err(PackedError(format!("{} bytes too many", pixels.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_notices_damage() {
        let one = |i: u8| Example {
            id: format!("x/{i}"),
            class: ClassId(u32::from(i % 2)),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(2 + usize::from(i), 3, [i, 7, 9])),
        };
        let data = Dataset::new(ClassNames::new(["a", "b"]), (0..3).map(one).collect());
        let bytes = pack(&data);
        assert_eq!(unpack(&bytes).unwrap(), data);
        for cut in [0, 5, 20, bytes.len() - 1] {
            assert!(unpack(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(unpack(&[bytes, vec![0]].concat()).is_err());
    }
}
