//! The real handwritten digits that the program carries: 1,797 pictures of 8x8 pixels.
//!
//! Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI Machine Learning
//! Repository, doi:10.24432/C50P49, CC BY 4.0; the test part. `assets/digits/SOURCE.md` says how
//! the contact sheet was made. A value v of 0..=16 is the grey level round(255 v / 16).
//!
//! The split is fixed, so that every result on digits is on the same pictures: 1,200 train, 240
//! val, 357 test. The digits of each class are ranked by the key of their id; the digit of rank r
//! among n stands at (r + 1/2) / n, and the parts are cut from all digits in the order of these
//! places. Thus every part has the class shares of the whole, to one digit.

use rayon::prelude::*;

use super::Content;
use super::reader::Reader;
use crate::lab::data::listing::{Entry, Listing, Parts};
use crate::lab::data::subset::Subset;
use crate::terms::{ClassId, ClassNames, Files, Key, Picture, Problem, Problems};

const SHEET: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/digits/digits.png"));
const LABELS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/digits/labels.txt"));

/// Side of a digit in pixels.
const SIDE: usize = 8;
/// Digits trained on.
const TRAIN: usize = 1200;
/// Digits for choosing checkpoints; the rest are for the test.
const VAL: usize = 240;
/// Raised when the split changes: part of the fingerprint.
const SPLIT_VERSION: u32 = 1;

/// The embedded digits: 1,797 real pictures of 8x8 pixels in 10 classes, with a fixed split of
/// 1,200 training, 240 validation and 357 test pictures. Source: UCI Optical Recognition of
/// Handwritten Digits (Alpaydin and Kaynak 1998), CC BY 4.0.
#[derive(
    Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Digits {}

impl Reader for Digits {
    const KIND: &'static str = "digits";
    type Place = Picture;

    fn validation_share(&self) -> f64 {
        0.0 // The split is fixed.
    }

    fn list(&self, _: &Subset, _: &dyn Files) -> Result<Parts<Listing<Picture>>, Problems> {
        Ok(list())
    }

    fn check(&self, subset: &Subset, _: &dyn Files) -> Result<Parts<ClassNames>, Problems> {
        subset.kept(&classes())?;
        Ok(Parts { train: classes(), val: None, test: classes() })
    }

    fn see<T: Send>(
        &self,
        entries: &[Entry<Picture>],
        _: &dyn Files,
        look: impl Fn(&Entry<Picture>, Content<'_>) -> Result<T, String> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let problem = |found| Problem::new("digits", found, "a picture that can be read");
        let see = |entry: &Entry<Picture>| {
            look(entry, Content::Pixels(entry.place.clone())).map_err(problem)
        };
        entries.par_iter().map(see).collect()
    }

    /// Of the pictures, the labels and the split.
    fn fingerprint(&self, _: &Subset, _: &dyn Files) -> Result<Key, Problems> {
        let inputs = [
            ("sheet".to_owned(), Key::of_bytes(SHEET)),
            ("labels".to_owned(), Key::of_bytes(LABELS.as_bytes())),
        ];
        Ok(Key::of_stage(Self::KIND, SPLIT_VERSION, &serde_json::Value::Null, &inputs))
    }
}

/// Returns the digits, divided.
fn list() -> Parts<Listing<Picture>> {
    let digits = all();
    let order = stratified(&digits);
    let part = |range: std::ops::Range<usize>| {
        let mut positions = order[range].to_vec();
        positions.sort_unstable();
        let entries = positions.iter().map(|&i| digits[i].clone()).collect();
        Listing { classes: classes(), entries }
    };
    Parts {
        train: part(0..TRAIN),
        val: Some(part(TRAIN..TRAIN + VAL)),
        test: part(TRAIN + VAL..digits.len()),
    }
}

/// Returns the names of the classes, "0" to "9".
fn classes() -> ClassNames {
    ClassNames::new((0..10).map(|digit| digit.to_string()))
}

/// Cuts the contact sheet; its tiles run row by row.
fn all() -> Vec<Entry<Picture>> {
    let sheet = image::load_from_memory_with_format(SHEET, image::ImageFormat::Png)
        .expect("the embedded sheet is a whole PNG")
        .into_luma8();
    let columns = sheet.width() as usize / SIDE;
    let digits = LABELS.bytes().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let tile = |(i, class): (usize, u32)| {
        let (left, top) = (i % columns * SIDE, i / columns * SIDE);
        let grey =
            |at: usize| sheet.get_pixel((left + at % SIDE) as u32, (top + at / SIDE) as u32).0[0];
        let rgb = (0..SIDE * SIDE).flat_map(|at| [grey(at); 3]).collect();
        let place = Picture::new(SIDE, SIDE, rgb);
        Entry { id: format!("digits/{i:04}"), class: ClassId(class), place }
    };
    digits.enumerate().map(tile).collect()
}

/// Returns all positions such that every front part has the class shares of the whole.
fn stratified(digits: &[Entry<Picture>]) -> Vec<usize> {
    let mut places = Vec::with_capacity(digits.len());
    for class in 0..10 {
        let of_class = (0..digits.len()).filter(|&i| digits[i].class == ClassId(class));
        let mut ranked: Vec<_> =
            of_class.map(|i| (Key::of_bytes(digits[i].id.as_bytes()), i)).collect();
        ranked.sort_unstable();
        let n = ranked.len() as f64;
        let place = |(rank, (_, i)): (usize, (Key, usize))| ((rank as f64 + 0.5) / n, class, i);
        places.extend(ranked.into_iter().enumerate().map(place));
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    places.into_iter().map(|(_, _, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Read as _;

    use super::*;

    #[test]
    fn parts_are_fixed_disjoint_and_stratified() {
        let parts = list();
        let (train, val, test) = (parts.train, parts.val.unwrap(), parts.test);
        let sizes = [train.entries.len(), val.entries.len(), test.entries.len()];
        assert_eq!(sizes, [1200, 240, 357]);
        let ids = |l: &Listing<Picture>| l.entries.iter().map(|e| e.id.clone()).collect::<Vec<_>>();
        let union: BTreeSet<_> = [&train, &val, &test].into_iter().flat_map(ids).collect();
        assert_eq!(union.len(), 1797);

        let whole = all();
        for class in 0..10 {
            let n = whole.iter().filter(|e| e.class == ClassId(class)).count() as f64;
            for part in [&train, &val, &test] {
                let got = part.entries.iter().filter(|e| e.class == ClassId(class)).count() as f64;
                let want = n * part.entries.len() as f64 / 1797.0;
                assert!((got - want).abs() <= 1.5, "class {class}: {got}, share gives {want}");
            }
        }
        // Pinned: a change here changes every result on digits.
        assert_eq!(Key::of_bytes(ids(&test).join(" ").as_bytes()).short(), PINNED_TEST);
        assert_eq!(Key::of_bytes(ids(&val).join(" ").as_bytes()).short(), PINNED_VAL);
    }

    const PINNED_TEST: &str = "db5679fa4df0";
    const PINNED_VAL: &str = "9ec0f054b98e";

    #[test]
    fn the_sheet_holds_the_published_values() {
        let Some(folder) = crate::testing::data_folder() else { return };
        let packed = std::fs::read(folder.join("digits.csv.gz")).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        let digits = all();
        assert_eq!(text.lines().count(), digits.len());
        for (line, digit) in text.lines().zip(&digits) {
            let want: Vec<f64> = line.split(',').map(|value| value.parse().unwrap()).collect();
            let values = digit.place.rgb().chunks(3).map(|rgb| {
                assert!(rgb[0] == rgb[1] && rgb[1] == rgb[2]);
                (f64::from(rgb[0]) * 16.0 / 255.0).round()
            });
            let got: Vec<f64> = values.chain([f64::from(digit.class.0)]).collect();
            assert_eq!(got, want, "{}", digit.id);
        }
    }
}
