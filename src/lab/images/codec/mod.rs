//! Pictures as files: PNG, JPEG, WebP and BMP in, PNG out.
//!
//! [`decode`] gives what `Image.open(..).convert("RGB")` of Pillow gives: grey is repeated, alpha
//! is dropped (not composited), palettes are looked up without their transparency, the EXIF
//! orientation is not applied, of an animation the first frame counts. Golden: equal to the grey
//! level, but for the 16-bit kinds of BMP.
//!
//! The format is told by the content; the name of the file is never asked.

// DIFFERS: 16-bit BMP (5 or 6 bits per colour): Pillow cuts off `level * 255 / 31`, the decoder
// here rounds it; at most 1 grey level.

mod jpeg;

use std::fmt;
use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder as _, ImageEncoder as _, ImageFormat};

use crate::terms::Picture;

/// Pillow refuses larger pictures as decompression bombs (`2 * Image.MAX_IMAGE_PIXELS`).
const PIXELS_MAX: u64 = 178_956_970;

/// A file format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG in a JFIF, EXIF or Adobe file.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// Windows bitmap.
    Bmp,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
        })
    }
}

/// Why bytes are no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The content starts like none of the formats.
    #[error("the content is neither PNG, JPEG, WebP nor BMP")]
    UnknownFormat,
    /// The file ends before the picture does.
    #[error("the {0} file ends before its picture")]
    Truncated(Format),
    /// The picture would not fit in memory; most often a damaged header.
    #[error("the {format} file claims {width} x {height} pixels, more than {PIXELS_MAX} in all")]
    TooLarge {
        /// The format.
        format: Format,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The content breaks the rules of its format, or uses a part of it that is not supported.
    #[error("the {format} file cannot be read: {reason}")]
    Unreadable {
        /// The format.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
}

/// Returns the picture in a PNG, JPEG, WebP or BMP file.
///
/// # Errors
/// If the content is of no known format, damaged, cut short, or larger than Pillow accepts.
pub fn decode(bytes: &[u8]) -> Result<Picture, DecodeError> {
    let (format, kind) = sniff(bytes).ok_or(DecodeError::UnknownFormat)?;
    if format == Format::Jpeg {
        return jpeg::decode(bytes);
    }
    let unreadable =
        |error: image::ImageError| DecodeError::Unreadable { format, reason: error.to_string() };
    let decoder = image::ImageReader::with_format(Cursor::new(bytes), kind)
        .into_decoder()
        .map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    check_size(format, width as usize, height as usize)?;
    let decoded = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    let grey_16 = format == Format::Png && bytes[PNG_COLOUR_TYPE] == PNG_GREY;
    Ok(Picture::new(width as usize, height as usize, rgb(decoded, grey_16)))
}

/// Returns the picture as a PNG file; the same picture gives the same bytes.
pub fn encode_png(picture: &Picture) -> Vec<u8> {
    let side = |pixels: usize| u32::try_from(pixels).expect("a side fits in 32 bits");
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(
            picture.rgb(),
            side(picture.width()),
            side(picture.height()),
            ExtendedColorType::Rgb8,
        )
        .expect("writing to memory does not fail");
    bytes
}

/// Refuses what Pillow refuses as well, before memory is asked for.
fn check_size(format: Format, width: usize, height: usize) -> Result<(), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::Unreadable { format, reason: "it has no pixels".into() });
    }
    if width as u64 * height as u64 > PIXELS_MAX {
        return Err(DecodeError::TooLarge { format, width, height });
    }
    Ok(())
}

/// Returns whether a file is a JPEG, by its first bytes.
pub fn is_jpeg(bytes: &[u8]) -> bool {
    sniff(bytes).is_some_and(|(format, _)| format == Format::Jpeg)
}

pub(super) fn sniff(bytes: &[u8]) -> Option<(Format, ImageFormat)> {
    let kind = image::guess_format(bytes).ok()?;
    let format = match kind {
        ImageFormat::Png => Format::Png,
        ImageFormat::Jpeg => Format::Jpeg,
        ImageFormat::WebP => Format::WebP,
        ImageFormat::Bmp => Format::Bmp,
        _ => return None,
    };
    Some((format, kind))
}

/// Where the header of a PNG file tells the colour type (PNG specification, 11.2.1).
const PNG_COLOUR_TYPE: usize = 25;
/// The colour type of grey without alpha; a transparent level in `tRNS` does not change it.
const PNG_GREY: u8 = 0;

/// Returns interleaved RGB, 8 bits each, from what was decoded.
fn rgb(decoded: DynamicImage, grey_16: bool) -> Vec<u8> {
    let repeated = |levels: &mut dyn Iterator<Item = u8>| levels.flat_map(|v| [v; 3]).collect();
    // Pillow reads 16-bit colour, and grey with alpha, by its high byte.
    let high = |level: u16| (level >> 8) as u8;
    match decoded {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => {
            image.pixels().flat_map(|p| [p[0], p[1], p[2]]).collect()
        }
        DynamicImage::ImageLuma8(image) => repeated(&mut image.into_raw().into_iter()),
        DynamicImage::ImageLumaA8(image) => repeated(&mut image.pixels().map(|p| p[0])),
        // 16-bit grey alone is mode `I;16`, which Pillow converts by clipping: 256 and above are
        // white.
        DynamicImage::ImageLuma16(image) => {
            repeated(&mut image.into_raw().into_iter().map(|v| v.min(255) as u8))
        }
        DynamicImage::ImageLumaA16(image) if grey_16 => {
            repeated(&mut image.pixels().map(|p| p[0].min(255) as u8))
        }
        DynamicImage::ImageLumaA16(image) => repeated(&mut image.pixels().map(|p| high(p[0]))),
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(high).collect(),
        DynamicImage::ImageRgba16(image) => {
            image.pixels().flat_map(|p| [p[0], p[1], p[2]].map(high)).collect()
        }
        other => other.to_rgb8().into_raw(), // Single precision: none of the four formats has it.
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::{busy, bytes, whole};
    use super::*;
    use crate::testing::{golden_json, golden_path};

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(golden_path("images/codec").join(name)).unwrap()
    }

    fn names() -> Vec<String> {
        let golden = golden_json("images/codec/pillow.json");
        golden.as_object().unwrap().keys().cloned().collect()
    }

    /// Returns every golden file with what Pillow reads in it.
    fn goldens() -> Vec<(String, Vec<u8>, Picture)> {
        let golden = golden_json("images/codec/pillow.json");
        let read = |(name, want): (&String, &serde_json::Value)| {
            let (width, height) = (whole(&want["width"]), whole(&want["height"]));
            (name.clone(), file(name), Picture::new(width, height, bytes(&want["rgb"])))
        };
        golden.as_object().unwrap().iter().map(read).collect()
    }

    /// Returns how far a file may lie from Pillow: the largest and the mean difference in grey
    /// levels.
    fn allowed(name: &str) -> (u8, f64) {
        match name {
            "555.bmp" | "565.bmp" => (1, 0.5),
            _ => (0, 0.0),
        }
    }

    #[test]
    fn equals_pillow() {
        let goldens = goldens();
        assert!(goldens.len() > 45, "all kinds are there");
        for (name, content, want) in goldens {
            let got = decode(&content).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((got.width(), got.height()), (want.width(), want.height()), "{name}");
            let gaps: Vec<u8> =
                got.rgb().iter().zip(want.rgb()).map(|(g, w)| g.abs_diff(*w)).collect();
            let largest = gaps.iter().copied().max().unwrap();
            let mean = gaps.iter().map(|g| f64::from(*g)).sum::<f64>() / gaps.len() as f64;
            let (largest_allowed, mean_allowed) = allowed(&name);
            assert!(
                largest <= largest_allowed && mean <= mean_allowed,
                "{name}: off by {largest} at most and {mean} on the mean"
            );
        }
    }

    #[test]
    fn what_is_no_picture_is_said() {
        assert_eq!(decode(b""), Err(DecodeError::UnknownFormat));
        assert_eq!(decode(b"GIF89a and more"), Err(DecodeError::UnknownFormat));
        let photograph = file("420.jpg");
        let cut = decode(&photograph[..photograph.len() / 2]);
        assert_eq!(cut, Err(DecodeError::Truncated(Format::Jpeg)));
        let mut huge = encode_png(&busy(3, 3));
        huge[16..20].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
        assert!(decode(&huge).unwrap_err().to_string().contains("PNG"));
        let mut bitmap = file("rgb.bmp");
        bitmap[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bitmap[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        let (format, width, height) = (Format::Bmp, 60_000, 60_000);
        let error = decode(&bitmap).unwrap_err();
        assert_eq!(error, DecodeError::TooLarge { format, width, height });
        assert_eq!(
            error.to_string(),
            "the BMP file claims 60000 x 60000 pixels, more than 178956970 in all"
        );
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        for (name, content, _) in goldens() {
            // An animation is whole once its first frame is.
            let kept = content.len() - content.len() / 4;
            if !name.starts_with("animated") {
                assert!(decode(&content[..kept]).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn png_comes_back_and_is_the_same_every_time() {
        for (width, height) in [(1, 1), (8, 8), (45, 37)] {
            let picture = busy(width, height);
            let bytes = encode_png(&picture);
            assert_eq!(decode(&bytes), Ok(picture.clone()));
            assert_eq!(encode_png(&picture), bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Damaged files give an error or a picture, never a panic.
        #[test]
        fn damage_never_panics(
            which in 0_usize..1000,
            keep in 0.5_f64..1.3,
            flips in proptest::collection::vec((0.0_f64..1.0, 0_u8..8), 0..6),
        ) {
            let names = names();
            let mut content = file(&names[which % names.len()]);
            content.truncate((content.len() as f64 * keep) as usize);
            for (at, bit) in flips {
                let at = (content.len() as f64 * at) as usize;
                content[at] ^= 1 << bit;
            }
            let _ = decode(&content);
        }
    }
}
