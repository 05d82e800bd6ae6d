//! JPEG, equal to libjpeg-turbo to the grey level: the accurate integer transform and smooth
//! ("fancy") chroma, which Pillow asks for, and so every tool that reads pictures through Pillow.
//!
//! Stricter than libjpeg in one point: a file that is damaged or ends early is an error, where
//! libjpeg paints the rest grey and warns, and training would not notice.

use libjpeg_turbo_rs::{Decoder, JpegError, PixelFormat};

use super::{DecodeError, Format, check_size};
use crate::terms::Picture;

/// Returns the picture in a JPEG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    if !has_end(bytes) {
        return Err(DecodeError::Truncated(Format::Jpeg));
    }
    let mut decoder = Decoder::new(bytes).map_err(wrong)?;
    let header = decoder.header();
    let (width, height) = (header.width(), header.height());
    let kind = match header.components.len() {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        other => return Err(unreadable(format!("it has {other} components per pixel"))),
    };
    check_size(Format::Jpeg, width, height)?;
    decoder.set_output_format(kind);
    let image = decoder.decode_image().map_err(wrong)?;
    let levels = image.data;
    let rgb = match kind {
        PixelFormat::Grayscale => levels.iter().flat_map(|level| [*level; 3]).collect(),
        PixelFormat::Cmyk => levels.as_chunks::<4>().0.iter().flat_map(|ink| paper(*ink)).collect(),
        _ => levels,
    };
    Ok(Picture::new(image.width, image.height, rgb))
}

/// Returns the colour of four inks. Pillow takes all such files for inverted ones, as Adobe's
/// programs write them, and multiplies in 8 bits (`cmyk2rgb` in `src/libImaging/Convert.c`).
fn paper([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = u32::from(k);
    [c, m, y].map(|stored| {
        let product = (255 - u32::from(stored)) * light + 128;
        (light - ((product + (product >> 8)) >> 8)) as u8
    })
}

fn unreadable(reason: String) -> DecodeError {
    DecodeError::Unreadable { format: Format::Jpeg, reason }
}

fn wrong(error: JpegError) -> DecodeError {
    match error {
        JpegError::UnexpectedEof => DecodeError::Truncated(Format::Jpeg),
        other => unreadable(other.to_string()),
    }
}

/// Returns whether the marker "end of image" follows the segments and scans of a JPEG file
/// (ITU-T T.81, B.1.1).
fn has_end(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == 0xff) {
        rest = &rest[at + 1..];
        match rest.first() {
            Some(&END) => return true,
            // A stuffed byte of a scan, a restart, the start of the image, a fill byte: no segment.
            Some(0x00 | 0x01 | 0xd0..=0xd8 | 0xff) => {}
            Some(_) => {
                let Some(length) = rest.get(1..3) else { return false };
                let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                let Some(after) = rest.get(1 + length..) else { return false };
                rest = after;
            }
            None => return false,
        }
    }
    false
}
