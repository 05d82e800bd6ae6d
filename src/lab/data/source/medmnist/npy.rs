//! NumPy's array files inside of an `.npz` archive: what stands in the header.
//!
//! Reference: `numpy/lib/_format_impl.py`, versions 1 to 3: a magic, a version, the length of the
//! header, and the header: a Python dictionary of `descr`, `fortran_order` and `shape`, as NumPy
//! prints it.

use super::super::cursor::Cursor;
use crate::terms::Problem;

/// Bytes of a header; NumPy itself refuses longer ones.
pub(super) const HEADER_MAX: usize = 10_000;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The type of the numbers as NumPy writes it: `|u1`, `<i8`.
    pub(super) kind: String,
    /// Lengths of the sides, the last of which moves fastest.
    pub(super) sides: Vec<usize>,
    /// The first byte of the numbers.
    pub(super) start: usize,
}

impl Header {
    /// Reads the front of an array file.
    pub(super) fn read(name: &str, file: &[u8]) -> Result<Self, Problem> {
        let mut cursor = Cursor::new(name, file);
        if cursor.take(6, "the magic")? != b"\x93NUMPY" {
            return Err(cursor.problem_at(0, "no magic of NumPy", "an array file"));
        }
        let [major, _] = cursor.array("the version")?;
        let length = match major {
            1 => usize::from(u16::from_le_bytes(cursor.array("the header's length")?)),
            2 | 3 => u32::from_le_bytes(cursor.array("the header's length")?) as usize,
            _ => return Err(cursor.problem_at(6, format!("version {major}"), "version 1 to 3")),
        };
        if length > HEADER_MAX {
            return Err(cursor.problem(format!("a header of {length} bytes"), "a short one"));
        }
        let before = cursor.clone();
        let text = String::from_utf8_lossy(cursor.take(length, "the header")?).into_owned();
        let wrong = |found: &str| before.problem(found, "a header as NumPy writes it");
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let kind = value("descr").and_then(|rest| rest.strip_prefix('\'')?.split_once('\''));
        let Some((kind, _)) = kind else { return Err(wrong("no simple type of numbers")) };
        match value("fortran_order").map(|rest| rest.starts_with("False")) {
            Some(true) => {}
            Some(false) => return Err(wrong("an array whose first side moves fastest")),
            None => return Err(wrong("no order")),
        }
        let sides = value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
        let sides = sides.and_then(|(sides, _)| {
            let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
            sides.map(|side| side.parse().ok()).collect::<Option<Vec<usize>>>()
        });
        let sides = sides.ok_or_else(|| wrong("no shape"))?;
        Ok(Self { kind: kind.to_owned(), sides, start: cursor.at() })
    }

    /// Returns the size of a number in bytes, of the types that labels come in.
    pub(super) fn width(&self) -> Option<usize> {
        Some(match self.kind.as_str() {
            "|u1" | "|i1" => 1,
            "<u2" | "<i2" => 2,
            "<u4" | "<i4" => 4,
            "<u8" | "<i8" => 8,
            _ => return None,
        })
    }

    /// Returns the bytes of the whole array, if that is a number.
    pub(super) fn length(&self) -> Option<usize> {
        self.sides.iter().try_fold(self.width()?, |size, side| size.checked_mul(*side))
    }

    /// Returns the numbers in these bytes.
    pub(super) fn integers(&self, bytes: &[u8]) -> Option<Vec<i64>> {
        let width = self.width()?;
        let signed = self.kind.as_bytes()[1] == b'i';
        let number = |bytes: &[u8]| {
            let negative = signed && bytes[width - 1] >= 0x80;
            let mut wide = [if negative { 0xff } else { 0 }; 8];
            wide[..width].copy_from_slice(bytes);
            i64::from_le_bytes(wide)
        };
        Some(bytes.chunks_exact(width).map(number).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, header: &str) -> Vec<u8> {
        let mut file = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
        match version {
            1 => file.extend((header.len() as u16).to_le_bytes()),
            _ => file.extend((header.len() as u32).to_le_bytes()),
        }
        file.extend(header.as_bytes());
        file
    }

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let text = "{'descr': '<i8', 'fortran_order': False, 'shape': (3, 1), }    \n";
        let header = Header::read("x", &file(1, text)).unwrap();
        assert_eq!((header.kind.as_str(), header.sides.as_slice()), ("<i8", [3, 1].as_slice()));
        assert_eq!((header.start, header.length()), (10 + text.len(), Some(24)));
        assert_eq!(Header::read("x", &file(2, text)).unwrap().start, 12 + text.len());
        let bytes = [1_i64, -2, 300].map(i64::to_le_bytes).concat();
        assert_eq!(header.integers(&bytes).unwrap(), [1, -2, 300]);
    }

    #[test]
    fn other_arrays_are_refused() {
        for (text, found) in [
            ("{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }", "first side moves"),
            (
                "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (3,), }",
                "no simple type",
            ),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': (3,-1), }", "no shape"),
            ("{'descr': '|u1', 'shape': (3,), }", "no order"),
        ] {
            let text = Header::read("x", &file(1, text)).unwrap_err().to_string();
            assert!(text.starts_with("x, byte 10: ") && text.contains(found), "{text}");
        }
        let huge =
            "{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }";
        assert_eq!(Header::read("x", &file(1, huge)).unwrap().length(), None);
    }
}
