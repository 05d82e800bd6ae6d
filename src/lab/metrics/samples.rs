//! Generated pictures as ADM's tools exchange them: an `.npz` with `arr_0`, `[n, h, w, 3]` of
//! bytes, and `arr_1`, the class of each, if there are classes.
//!
//! Fifty thousand pictures of 256 x 256 are 10 GB: they pass by in blocks, and one block is all
//! that is held.

use std::io::{Read, Seek};

use super::npz::{Header, Npz, NpzError, exactly};
use crate::terms::{ClassId, Picture};

/// The content of a file of samples.
#[derive(Debug)]
pub struct Samples {
    /// The pictures.
    pub pictures: Vec<Picture>,
    /// The class of each, if the file says so.
    pub classes: Option<Vec<ClassId>>,
}

/// Reads all pictures of a file, which are held once.
///
/// # Errors
/// If it is no archive; or names the member that is missing or damaged, and what is wrong.
pub fn read_samples(reader: impl Read + Seek) -> Result<Samples, NpzError> {
    let mut pictures = Vec::new();
    let classes = visit_samples(reader, 1, |block| pictures.extend(block))?;
    Ok(Samples { pictures, classes })
}

/// Hands over the pictures of a file in order, in blocks of `block` (the last one may be smaller),
/// and returns their classes, if the file says so. Classes are read first: a file that is wrong
/// there costs no work on pictures.
///
/// # Errors
/// If it is no archive; or names the member that is missing or damaged, and what is wrong. Blocks
/// before the damage have been handed over by then.
///
/// # Panics
/// If `block` is 0.
pub fn visit_samples(
    reader: impl Read + Seek,
    block: usize,
    mut visit: impl FnMut(Vec<Picture>),
) -> Result<Option<Vec<ClassId>>, NpzError> {
    assert!(block > 0, "a block holds a picture");
    let mut npz = Npz::open(reader)?;
    let classes = if npz.has("arr_1") {
        Some(npz.with("arr_1", |header, reader| class_ids(&header.integers(reader)?))?)
    } else {
        None
    };
    npz.with("arr_0", |header, reader| {
        let [n, height, width] = sides(header)?;
        if let Some(classes) = classes.as_ref().filter(|classes| classes.len() != n) {
            return Err(format!("{n} pictures, but `arr_1.npy` has {} classes", classes.len()));
        }
        let bytes = header.count()? / n;
        let mut held = Vec::new();
        for i in 0..n {
            let rgb = exactly(reader, bytes, &format!("picture {i} of {n}"))?;
            held.push(Picture::new(width, height, rgb));
            if held.len() == block || i + 1 == n {
                visit(std::mem::take(&mut held));
            }
        }
        Ok(())
    })?;
    Ok(classes)
}

fn sides(header: &Header) -> Result<[usize; 3], String> {
    match header.shape[..] {
        [n, height, width, 3]
            if header.kind == "u1" && !header.fortran && n * height.min(1) * width.min(1) > 0 =>
        {
            Ok([n, height, width])
        }
        _ => {
            let order = if header.fortran { " in Fortran order" } else { "" };
            let found = header.describe();
            Err(format!("{found}{order}; expected u1 of shape (n, height, width, 3) in C order"))
        }
    }
}

fn class_ids(numbers: &[i64]) -> Result<Vec<ClassId>, String> {
    let class = |(i, number): (usize, &i64)| {
        let id = u32::try_from(*number);
        id.map(ClassId).map_err(|_| format!("the class of picture {i} is {number}"))
    };
    numbers.iter().enumerate().map(class).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::testing::{golden_json, golden_path};

    fn golden(name: &str) -> Cursor<Vec<u8>> {
        Cursor::new(std::fs::read(golden_path("metrics/statistics").join(name)).unwrap())
    }

    #[test]
    fn reads_what_adm_writes() {
        let pixels = &golden_json("metrics/statistics/numbers.json")["samples"];
        for name in ["samples.npz", "samples-labelled.npz"] {
            let got = read_samples(golden(name)).unwrap();
            let bytes: Vec<u64> = got
                .pictures
                .iter()
                .flat_map(|picture| picture.rgb().iter().map(|byte| u64::from(*byte)))
                .collect();
            let want: Vec<u64> =
                pixels.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
            assert_eq!(bytes, want);
            let size = (got.pictures[0].width(), got.pictures[0].height());
            assert_eq!((got.pictures.len(), size), (7, (3, 2))); // Width before height.
            let classes = [3, 1, 4, 1, 5, 9, 2].map(ClassId).to_vec();
            assert_eq!(got.classes, (name == "samples-labelled.npz").then_some(classes));
        }
    }

    #[test]
    fn blocks_are_the_whole() {
        let whole = read_samples(golden("samples.npz")).unwrap().pictures;
        for (block, sizes) in [(1, &[1; 7][..]), (3, &[3, 3, 1]), (7, &[7]), (9, &[7])] {
            let (mut joined, mut seen) = (Vec::new(), Vec::new());
            visit_samples(golden("samples.npz"), block, |pictures| {
                seen.push(pictures.len());
                joined.extend(pictures);
            })
            .unwrap();
            assert!(seen == sizes && joined == whole, "{block}: {seen:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, want) in [
            ("c-f64.npz", "there is no `arr_0.npy`, only "),
            ("floats.npz", "`arr_0.npy`: an array of f4 with shape (2, 2, 2, 3); expected u1"),
            ("channels-first.npz", "`arr_0.npy`: an array of u1 with shape (2, 3, 4, 4); expected"),
            ("fortran.npz", "in Fortran order; expected"),
            ("miscounted.npz", "`arr_0.npy`: 2 pictures, but `arr_1.npy` has 3 classes"),
        ] {
            let got = read_samples(golden(name)).unwrap_err().to_string();
            assert!(got.contains(want), "{got}, not {want}");
        }
        let mut cut = golden("samples.npz").into_inner();
        let at = cut.windows(6).position(|it| it == b"\x93NUMPY").unwrap() + 140;
        cut[at] ^= 1; // One pixel.
        let got = read_samples(Cursor::new(cut)).unwrap_err().to_string();
        assert!(got.starts_with("`arr_0.npy`: "), "{got}"); // The check sum.
    }
}
