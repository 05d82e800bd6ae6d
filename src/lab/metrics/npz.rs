//! NumPy's archives: a zip of arrays, each a small text header and raw numbers.
//!
//! Format: NEP 1 and `numpy.lib.format`, versions 1 to 3. Plain numbers only; pickled objects and
//! records are refused. Files come from anywhere, so nothing is allocated by a size that a file
//! claims: memory grows with the bytes that arrive, and every refusal names the member.

use std::io::{self, Cursor, Read, Seek, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// It is no zip archive at all.
    #[error("not an npz archive: {0}")]
    NoArchive(String),
    /// An array is missing.
    #[error("there is no `{member}`, only {found:?}")]
    Missing {
        /// Its name in the archive.
        member: String,
        /// What is there.
        found: Vec<String>,
    },
    /// An array is not what it should be.
    #[error("`{member}`: {why}")]
    Damaged {
        /// Its name in the archive.
        member: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Longest header that is read; NumPy's own are 128 bytes long.
const HEADER_LIMIT: usize = 1 << 16;

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 16;

/// An open archive.
pub(super) struct Npz<R>(ZipArchive<R>);

impl<R: Read + Seek> Npz<R> {
    pub(super) fn open(reader: R) -> Result<Self, NpzError> {
        ZipArchive::new(reader).map(Self).map_err(|error| NpzError::NoArchive(error.to_string()))
    }

    /// Returns whether there is an array of this name, given without `.npy`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// Gives an array to a function: its header, and a reader of its numbers, which has to read
    /// all of them; nothing may follow.
    pub(super) fn with<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Header, &mut dyn Read) -> Result<T, String>,
    ) -> Result<T, NpzError> {
        let member = format!("{name}.npy");
        if !self.has(name) {
            let found = self.0.file_names().map(|name| format!("{name:?}")).collect();
            return Err(NpzError::Missing { member, found });
        }
        let work = || -> Result<T, String> {
            let mut file = self.0.by_name(&member).map_err(|error| error.to_string())?;
            let header = Header::read(&mut file)?;
            let got = read(&header, &mut file)?;
            // The end is where the check sum is compared.
            let mut rest = [0];
            match file.read(&mut rest) {
                Ok(0) => Ok(got),
                Ok(_) => Err(format!("more bytes than {} needs", header.describe())),
                Err(error) => Err(error.to_string()),
            }
        };
        work().map_err(|why| NpzError::Damaged { member, why })
    }

    /// Returns all numbers of an array in the order of the file, and its header.
    pub(super) fn floats(&mut self, name: &str) -> Result<(Header, Vec<f64>), NpzError> {
        self.with(name, |header, reader| Ok((header.clone(), header.floats(reader)?)))
    }
}

/// What an array says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// NumPy's type string without the byte order: `f8`, `u1`, ...
    pub(super) kind: String,
    big_endian: bool,
    /// Whether the first index runs fastest.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    /// Returns how many numbers there are.
    pub(super) fn count(&self) -> Result<usize, String> {
        let product = self.shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side));
        product.ok_or_else(|| format!("{} is too large", self.describe()))
    }

    pub(super) fn describe(&self) -> String {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!("an array of {} with shape ({})", self.kind, shape.join(", "))
    }

    fn read(reader: &mut dyn Read) -> Result<Self, String> {
        let start = exactly(reader, 8, "the magic bytes")?;
        if start[..6] != *b"\x93NUMPY" {
            return Err("not a NumPy array".to_owned());
        }
        let length = match start[6] {
            1 => exactly(reader, 2, "the header")?,
            2 | 3 => exactly(reader, 4, "the header")?,
            other => return Err(format!("format version {other} is not known")),
        };
        let length = length.iter().rev().fold(0_usize, |all, byte| (all << 8) | usize::from(*byte));
        if length > HEADER_LIMIT {
            return Err(format!("a header of {length} bytes"));
        }
        let text = exactly(reader, length, "the header")?;
        let text = str::from_utf8(&text).map_err(|_| "the header is not text".to_owned())?;
        Self::parse(text).ok_or_else(|| format!("cannot understand the header `{}`", text.trim()))
    }

    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}'"))?;
            rest.trim_start().strip_prefix(':').map(str::trim_start)
        };
        let (kind, _) = value("descr")?.strip_prefix('\'')?.split_once('\'')?;
        let (big_endian, kind) = match kind.split_at_checked(1)? {
            (">", kind) => (true, kind),
            ("<" | "|" | "=", kind) => (false, kind),
            _ => return None,
        };
        let order = value("fortran_order")?;
        let fortran = order.starts_with("True");
        if !fortran && !order.starts_with("False") {
            return None;
        }
        let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
        let sides = shape.split(',').map(str::trim).filter(|side| !side.is_empty());
        // Python 2 wrote long integers as `50000L`.
        let sides = sides.map(|side| side.trim_end_matches('L').parse().ok());
        Some(Self {
            kind: kind.to_owned(),
            big_endian,
            fortran,
            shape: sides.collect::<Option<_>>()?,
        })
    }

    fn floats(&self, reader: &mut dyn Read) -> Result<Vec<f64>, String> {
        let number: fn([u8; 8]) -> f64 = match self.kind.as_str() {
            "f8" => f64::from_le_bytes,
            "f4" => |b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            _ => return Err(format!("{}; expected f4 or f8", self.describe())),
        };
        self.numbers(reader, number)
    }

    /// Returns whole numbers.
    pub(super) fn integers(&self, reader: &mut dyn Read) -> Result<Vec<i64>, String> {
        let number: fn([u8; 8]) -> i64 = match self.kind.as_str() {
            "u1" => |b| i64::from(b[0]),
            "i1" => |b| i64::from(i8::from_le_bytes([b[0]])),
            "u2" => |b| i64::from(u16::from_le_bytes([b[0], b[1]])),
            "i2" => |b| i64::from(i16::from_le_bytes([b[0], b[1]])),
            "u4" => |b| i64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            "i4" => |b| i64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            // Beyond i64 a number is no count and no label: it comes out negative.
            "i8" | "u8" => i64::from_le_bytes,
            _ => return Err(format!("{}; expected whole numbers", self.describe())),
        };
        self.numbers(reader, number)
    }

    /// Reads all numbers, block by block; `number` gets little-endian bytes.
    fn numbers<T>(
        &self,
        reader: &mut dyn Read,
        number: fn([u8; 8]) -> T,
    ) -> Result<Vec<T>, String> {
        let size = self.kind[1..].parse::<usize>().expect("a kind from the lists above");
        let count = self.count()?;
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let now = (count - numbers.len()).min(BLOCK / size);
            let bytes = exactly(reader, now * size, &self.describe())?;
            numbers.extend(bytes.chunks_exact(size).map(|chunk| {
                let mut wide = [0; 8];
                wide[..size].copy_from_slice(chunk);
                if self.big_endian {
                    wide[..size].reverse();
                }
                number(wide)
            }));
        }
        Ok(numbers)
    }
}

/// Reads so many bytes; the buffer grows with what arrives.
pub(super) fn exactly(reader: &mut dyn Read, count: usize, of: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    reader.take(count as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() < count {
        return Err(format!("ends within {of}"));
    }
    Ok(bytes)
}

/// An array to be written: name, shape, C order.
pub(super) struct Array<'a> {
    pub(super) name: &'a str,
    pub(super) shape: &'a [usize],
    pub(super) numbers: Numbers<'a>,
}

/// The numbers of an array.
pub(super) enum Numbers<'a> {
    Float(&'a [f64]),
    Whole(&'a [i64]),
    Bytes(&'a [u8]),
}

/// Returns an archive of arrays, the bytes of each as NumPy 1 and 2 write them. Nothing in it
/// depends on the clock.
pub(super) fn archive(arrays: &[Array<'_>]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut write = || -> io::Result<()> {
        for array in arrays {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(true); // As NumPy does: a covariance may pass 4 GiB.
            writer.start_file(format!("{}.npy", array.name), options)?;
            writer.write_all(&array.bytes())?;
        }
        Ok(())
    };
    write().expect("memory takes every byte");
    writer.finish().expect("memory takes every byte").into_inner()
}

impl Array<'_> {
    fn bytes(&self) -> Vec<u8> {
        let kind = match self.numbers {
            Numbers::Float(_) => "<f8",
            Numbers::Whole(_) => "<i8",
            Numbers::Bytes(_) => "|u1",
        };
        let sides: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let comma = if sides.len() == 1 { "," } else { "" };
        let mut header = format!(
            "{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}{comma}), }}",
            sides.join(", ")
        );
        // Numbers start at a multiple of 64 bytes.
        let room = (10 + header.len() + 1).next_multiple_of(64) - 11;
        header = format!("{header:<room$}\n");
        let length = u16::try_from(header.len()).expect("a header of few sides is short");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(header.as_bytes());
        match self.numbers {
            Numbers::Float(numbers) => bytes.extend(numbers.iter().flat_map(|it| it.to_le_bytes())),
            Numbers::Whole(numbers) => bytes.extend(numbers.iter().flat_map(|it| it.to_le_bytes())),
            Numbers::Bytes(numbers) => bytes.extend(numbers),
        }
        bytes
    }
}
