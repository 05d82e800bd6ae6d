//! As much of Matlab's MAT file, version 5, as SVHN uses: named arrays of numbers.
//!
//! Reference: MathWorks, MAT-File Format, the chapter on version 5. A file is a header of 128 bytes
//! and elements; an element is a tag (type and length), data, and padding to 8 bytes; an array is
//! an element of elements (flags, sides, name, numbers), mostly packed by zlib on its own. Numbers
//! run with the first side fastest. Little-endian files only: SVHN's are.

use flate2::read::ZlibDecoder;

use super::super::cursor::{Cursor, unpacked};
use crate::terms::Problem;

/// Element types.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT16: u32 = 3;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const SINGLE: u32 = 7;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Unpacked bytes of an array; the largest of SVHN, the pictures of `extra`, has 1.6 thousand
/// million.
const ARRAY_MAX: usize = 1 << 31;
/// Sides of an array.
const SIDES_MAX: usize = 8;

/// Where an array of numbers is: in the bytes of [`array`].
#[derive(Clone, Debug)]
pub(super) struct Array {
    /// Lengths of the sides, the first of which moves fastest.
    pub(super) sides: Vec<usize>,
    /// The type of the numbers as they are stored.
    kind: u32,
    /// The first byte of the numbers.
    pub(super) start: usize,
    /// How many bytes they have.
    pub(super) length: usize,
}

impl Array {
    /// Returns whether the numbers are bytes.
    pub(super) fn is_bytes(&self) -> bool {
        self.kind == UINT8
    }

    /// Returns the numbers, if they are of a known type.
    pub(super) fn numbers(&self, element: &[u8]) -> Option<Vec<f64>> {
        let bytes = element.get(self.start..self.start.checked_add(self.length)?)?;
        fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            let numbers = bytes.chunks_exact(N);
            numbers.map(|bytes| number(bytes.try_into().expect("N bytes"))).collect()
        }
        Some(match self.kind {
            INT8 => each(bytes, |b| f64::from(i8::from_le_bytes(b))),
            UINT8 => each(bytes, |b| f64::from(u8::from_le_bytes(b))),
            INT16 => each(bytes, |b| f64::from(i16::from_le_bytes(b))),
            UINT16 => each(bytes, |b| f64::from(u16::from_le_bytes(b))),
            INT32 => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
            UINT32 => each(bytes, |b| f64::from(u32::from_le_bytes(b))),
            SINGLE => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
            DOUBLE => each(bytes, f64::from_le_bytes),
            _ => return None,
        })
    }
}

/// Returns the element of the array with this name, unpacked, and where in it the numbers are. With
/// `whole` unset only as much is unpacked as says so.
pub(super) fn array(
    name: &str,
    file: &[u8],
    wanted: &str,
    whole: bool,
) -> Result<(Vec<u8>, Array), Problem> {
    let mut cursor = Cursor::new(name, file);
    let header = cursor.take(128, "the header")?;
    match &header[124..] {
        [0, 1, b'I', b'M'] => {}
        [1, 0, b'M', b'I'] => {
            return Err(cursor.problem_at(124, "big-endian numbers", "a little-endian file"));
        }
        _ => {
            let problem = cursor.problem_at(124, "no mark of version 5", "a MAT file, version 5");
            return Err(problem.hint("SVHN's are `train_32x32.mat` and `test_32x32.mat`"));
        }
    }
    while cursor.left() > 0 {
        let place = format!("{name}, element at byte {}", cursor.at());
        let (kind, length) = tag(&mut cursor)?;
        let length = length as usize;
        let element = match kind {
            COMPRESSED => {
                let packed = cursor.take(length, "a packed array")?;
                // Flags, sides and name take far less.
                let front = std::io::Read::take(ZlibDecoder::new(packed), 4096);
                let front = unpacked(&place, front, ARRAY_MAX, "packed array")?;
                match read(&place, &front)? {
                    Some((found, array)) if found == wanted => {
                        if !whole {
                            return Ok((front, array));
                        }
                        let stream = ZlibDecoder::new(packed);
                        (unpacked(&place, stream, ARRAY_MAX, "packed array")?, array)
                    }
                    _ => continue,
                }
            }
            MATRIX => {
                let bytes = &file[cursor.at() - 8..];
                cursor.take(length, "an array")?;
                cursor.skip((8 - length % 8) % 8);
                let bytes = &bytes[..8 + length];
                match read(&place, bytes)? {
                    Some((found, array)) if found == wanted => (bytes.to_vec(), array),
                    _ => continue,
                }
            }
            _ => {
                cursor.take(length, "an element")?;
                cursor.skip((8 - length % 8) % 8);
                continue;
            }
        };
        let (bytes, array) = element;
        let end = array.start.saturating_add(array.length);
        if bytes.len() < end {
            let found = format!("the end of array `{wanted}` at its byte {}", bytes.len());
            return Err(Problem::new(place, found, format!("{end} bytes")));
        }
        return Ok((bytes, array));
    }
    Err(cursor.problem(format!("the end of the file without `{wanted}`"), "that array"))
}

/// Reads the tag of an element of the file: its type and length.
fn tag(cursor: &mut Cursor<'_>) -> Result<(u32, u32), Problem> {
    let kind = u32::from_le_bytes(cursor.array("an element's type")?);
    Ok((kind, u32::from_le_bytes(cursor.array("an element's length")?)))
}

/// Reads a part of an array, which may be small: type, length and up to 4 bytes in one.
fn part<'a>(cursor: &mut Cursor<'a>, what: &str) -> Result<(u32, &'a [u8]), Problem> {
    let first = u32::from_le_bytes(cursor.array(what)?);
    let small = first >> 16;
    if small != 0 {
        let before = cursor.clone();
        let bytes = cursor.take(4, what)?;
        let bytes = bytes.get(..small as usize);
        let bytes = bytes.ok_or_else(|| before.problem(format!("{small} bytes in 4"), what))?;
        return Ok((first & 0xffff, bytes));
    }
    let length = u32::from_le_bytes(cursor.array(what)?) as usize;
    let bytes = cursor.take(length, what)?;
    cursor.skip((8 - length % 8) % 8);
    Ok((first, bytes))
}

/// Returns the name of the array in an element and where its numbers are; nothing for elements that
/// are no arrays of numbers.
fn read(place: &str, element: &[u8]) -> Result<Option<(String, Array)>, Problem> {
    let mut cursor = Cursor::new(place, element);
    if tag(&mut cursor)?.0 != MATRIX {
        return Ok(None);
    }
    let (_, flags) = part(&mut cursor, "the flags of an array")?;
    // Classes 6 to 15 are numbers; the others are cells, structures, objects, texts.
    if !flags.first().is_some_and(|class| (6..=15).contains(class)) {
        return Ok(None);
    }
    let (kind, sides) = part(&mut cursor, "the sides of an array")?;
    let sides: Vec<usize> = sides
        .chunks_exact(4)
        .map(|side| u32::from_le_bytes(side.try_into().expect("4 bytes")) as usize)
        .collect();
    if kind != INT32 || sides.is_empty() || sides.len() > SIDES_MAX {
        return Err(cursor.problem(format!("{} sides of type {kind}", sides.len()), "1 to 8 sides"));
    }
    let (_, name) = part(&mut cursor, "the name of an array")?;
    let name = String::from_utf8_lossy(name).into_owned();
    let first = u32::from_le_bytes(cursor.array("the numbers")?);
    let (kind, length) = match first >> 16 {
        0 => (first, u32::from_le_bytes(cursor.array("the numbers")?) as usize),
        small => (first & 0xffff, small as usize),
    };
    Ok(Some((name, Array { sides, kind, start: cursor.at(), length })))
}
