//! Means and covariances as files: what FID tools exchange instead of pictures.
//!
//! An `.npz` with `mu` `[d]` and `sigma` `[d, d]` (pytorch-fid, clean-fid, EDM), and with `mu_s`,
//! `sigma_s` for the spatial features too (ADM). Numbers may be f32 or f64, in C or Fortran order.
//! What we write has two more members, which other tools do not look at: `n`, the number of
//! pictures, and `extractor`, the bytes of what the features are of.

use std::io::{Read, Seek};

use faer::Mat;

use super::Statistics;
use super::npz::{Array, Npz, NpzError, Numbers, archive};

/// Room for the asymmetry of a covariance, relative to its largest variance: f32 has 1e-7.
const ASYMMETRY: f64 = 1e-5;

/// The content of a file of statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct StatisticsFile {
    /// `mu` and `sigma`: of pool3 features, for FID.
    pub pooled: Statistics,
    /// `mu_s` and `sigma_s`: of spatial features, for sFID.
    pub spatial: Option<Statistics>,
    /// What the features are of, as [`Extractor::describe`](super::Extractor::describe) says;
    /// `None` in files of other tools.
    pub extractor: Option<String>,
}

impl StatisticsFile {
    /// Reads statistics that any of the tools wrote.
    ///
    /// ```
    /// use std::io::Cursor;
    /// use ersatz::lab::metrics::{Features, Statistics, StatisticsFile};
    /// let features = Features::new(2, vec![0.0, 1.0, 1.0, 0.0, 0.5, 3.0]);
    /// let pooled = Statistics::of_features(&features);
    /// let file = StatisticsFile { pooled, spatial: None, extractor: Some("pool3".to_owned()) };
    /// assert_eq!(StatisticsFile::read(Cursor::new(file.to_npz())).unwrap(), file);
    /// ```
    ///
    /// # Errors
    /// If it is no archive; or names the member that is missing or damaged, and what is wrong.
    pub fn read(reader: impl Read + Seek) -> Result<Self, NpzError> {
        let mut npz = Npz::open(reader)?;
        let n = match npz.has("n") {
            true => Some(npz.with("n", |header, reader| count(&header.integers(reader)?))?),
            false => None,
        };
        let extractor = match npz.has("extractor") {
            true => Some(npz.with("extractor", |header, reader| text(&header.integers(reader)?))?),
            false => None,
        };
        let pooled = side(&mut npz, ["mu", "sigma"], n)?;
        let spatial =
            if npz.has("mu_s") { Some(side(&mut npz, ["mu_s", "sigma_s"], n)?) } else { None };
        Ok(Self { pooled, spatial, extractor })
    }

    /// Returns the file, f64 in C order; equal statistics make equal bytes.
    pub fn to_npz(&self) -> Vec<u8> {
        let n = self.pooled.n.map(|n| [i64::try_from(n).expect("pictures fit in 63 bits")]);
        let matrices = [Some(&self.pooled), self.spatial.as_ref()].map(|side| {
            side.map(|side| (&side.mean[..], rows(&side.covariance), [side.d(), side.d()]))
        });
        let mut arrays = Vec::new();
        for ((mean, matrix, shape), [mu, sigma]) in
            matrices.iter().flatten().zip([["mu", "sigma"], ["mu_s", "sigma_s"]])
        {
            arrays.push(Array { name: mu, shape: &shape[..1], numbers: Numbers::Float(mean) });
            arrays.push(Array { name: sigma, shape, numbers: Numbers::Float(matrix) });
        }
        if let Some(n) = &n {
            arrays.push(Array { name: "n", shape: &[], numbers: Numbers::Whole(n) });
        }
        let length = [self.extractor.as_ref().map_or(0, String::len)];
        if let Some(text) = &self.extractor {
            let numbers = Numbers::Bytes(text.as_bytes());
            arrays.push(Array { name: "extractor", shape: &length, numbers });
        }
        archive(&arrays)
    }
}

fn rows(matrix: &Mat<f64>) -> Vec<f64> {
    // Symmetric: columns are rows.
    matrix.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<_>>()).collect()
}

fn text(numbers: &[i64]) -> Result<String, String> {
    let bytes: Result<Vec<u8>, _> = numbers.iter().map(|byte| u8::try_from(*byte)).collect();
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| "is no text of bytes".to_owned())
}

fn count(numbers: &[i64]) -> Result<usize, String> {
    match numbers {
        [n] if *n >= 2 => usize::try_from(*n).map_err(|error| error.to_string()),
        _ => Err(format!("{numbers:?} is no number of pictures from 2 on")),
    }
}

fn side<R: Read + Seek>(
    npz: &mut Npz<R>,
    [mu, sigma]: [&str; 2],
    n: Option<usize>,
) -> Result<Statistics, NpzError> {
    let damaged = |name: &str, why| NpzError::Damaged { member: format!("{name}.npy"), why };
    let (header, mean) = npz.floats(mu)?;
    if header.shape.len() != 1 || mean.is_empty() {
        return Err(damaged(mu, format!("{}; expected one number per feature", header.describe())));
    }
    if let Some(at) = mean.iter().position(|value| !value.is_finite()) {
        return Err(damaged(mu, format!("the mean of feature {at} is {}", mean[at])));
    }
    let d = mean.len();
    let (header, numbers) = npz.floats(sigma)?;
    if header.shape != [d, d] {
        let found = header.describe();
        return Err(damaged(sigma, format!("{found}; expected ({d}, {d}), as `{mu}` has {d}")));
    }
    // Fortran order is the transpose, and a covariance is its own transpose.
    let covariance = symmetric(d, &numbers).map_err(|why| damaged(sigma, why))?;
    Ok(Statistics { n, mean, covariance })
}

/// Returns the matrix, both triangles equal.
fn symmetric(d: usize, numbers: &[f64]) -> Result<Mat<f64>, String> {
    if let Some(at) = numbers.iter().position(|value| !value.is_finite()) {
        return Err(format!("row {}, column {} is {}", at / d, at % d, numbers[at]));
    }
    let variances = (0..d).map(|i| numbers[i * d + i]);
    if let Some((i, variance)) = variances.clone().enumerate().find(|(_, it)| *it < 0.0) {
        return Err(format!("the variance of feature {i} is {variance}"));
    }
    let room = ASYMMETRY * variances.fold(0.0, f64::max);
    for i in 0..d {
        for j in 0..i {
            let (below, above) = (numbers[i * d + j], numbers[j * d + i]);
            if (below - above).abs() > room {
                return Err(format!("not symmetric: {below} and {above} for features {i}, {j}"));
            }
        }
    }
    Ok(Mat::from_fn(d, d, |i, j| 0.5 * numbers[i * d + j] + 0.5 * numbers[j * d + i]))
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use proptest::prelude::*;

    use super::super::features::testing::{from_json, normal};
    use super::super::{fid, fid_of_statistics};
    use super::*;
    use crate::testing::{Tol, close, close_all, golden_json, golden_path};

    fn golden(name: &str) -> Vec<u8> {
        std::fs::read(golden_path("metrics/statistics").join(name)).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<StatisticsFile, NpzError> {
        StatisticsFile::read(Cursor::new(bytes))
    }

    fn why(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    fn array<'a>(name: &'a str, shape: &'a [usize], numbers: &'a [f64]) -> Array<'a> {
        Array { name, shape, numbers: Numbers::Float(numbers) }
    }

    #[test]
    fn reads_what_numpy_writes() {
        let golden_numbers = golden_json("metrics/statistics/numbers.json");
        let list = |name: &str, part: &str| -> Vec<f64> {
            let list = golden_numbers[name][part].as_array().unwrap();
            list.iter().map(|value| value.as_f64().unwrap()).collect()
        };
        for name in ["c-f64", "fortran-f64", "c-f32", "big-endian", "compressed", "adm"] {
            let file = read(&golden(&format!("{name}.npz"))).unwrap();
            // f32 files hold other numbers: theirs are stored rounded.
            let from = if name == "c-f32" { "f32" } else { "f64" };
            let d = file.pooled.d();
            let sigma: Vec<f64> =
                (0..d * d).map(|at| file.pooled.covariance(at / d, at % d)).collect();
            // The reader of JSON may miss the last bit; `writes_what_numpy_would` looks at bits.
            close_all(file.pooled.mean(), &list(from, "mu"), Tol::relative(4e-16));
            close_all(&sigma, &list(from, "sigma"), Tol::relative(4e-16));
            assert_eq!(file.pooled.n(), None);
            assert_eq!(file.spatial.as_ref().map(Statistics::d), (name == "adm").then_some(3));
        }
    }

    #[test]
    fn writes_what_numpy_would() {
        let (theirs, file) = (golden("c-f64.npz"), read(&golden("c-f64.npz")).unwrap());
        let member = |archive: &[u8], name: &str| {
            let mut archive = zip::ZipArchive::new(Cursor::new(archive.to_vec())).unwrap();
            let mut bytes = Vec::new();
            archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        };
        for name in ["mu.npy", "sigma.npy"] {
            assert!(member(&theirs, name) == member(&file.to_npz(), name), "{name}");
        }
    }

    #[test]
    fn a_distance_needs_no_pictures() {
        let golden = golden_json("metrics/statistics/numbers.json");
        let features = ["real", "fake"].map(|name| from_json(&golden[name]));
        let files = features.each_ref().map(|side| {
            let pooled = Statistics::of_features(side);
            let extractor = Some("pool3@6726825d,größe".to_owned());
            let file = StatisticsFile { pooled, spatial: None, extractor };
            let again = read(&file.to_npz()).unwrap();
            assert_eq!((&again, again.pooled.n()), (&file, Some(side.n())));
            again.pooled
        });
        let got = fid_of_statistics(&files[0], &files[1]);
        assert_eq!(got, fid(&features[0], &features[1]));
        let theirs = read(&self::golden("c-f64.npz")).unwrap().pooled; // Of `real`, without `n`.
        let value = fid_of_statistics(&theirs, &files[1]).sound().unwrap().value;
        // NumPy's means and covariances in another order of summation.
        close(value, golden["fid"].as_f64().unwrap(), Tol::relative(1e-9));
        // Four rows span no 5-d covariance, whether the file counts them or not.
        let few = Statistics::of_features(&normal(1, 4, 5, 0.0, 1.0));
        let unknown = Statistics { n: None, ..few.clone() };
        for few in [few, unknown] {
            assert!(fid_of_statistics(&files[0], &few).sound().is_none());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (mu, unit) = (array("mu", &[2], &[0.0, 1.0]), [1.0, 0.0, 0.0, 1.0]);
        let with = |shape: &[usize], sigma: &[f64]| {
            why(&archive(&[array("mu", &[2], &[0.0, 1.0]), array("sigma", shape, sigma)]))
        };
        assert!(why(b"no archive").starts_with("not an npz archive: "));
        let missing = why(&archive(&[mu]));
        assert!(missing.starts_with("there is no `sigma.npy`, only "), "{missing}");
        for (shape, sigma, want) in [
            (&[4][..], &unit[..], "`sigma.npy`: an array of f8 with shape (4); expected (2, 2)"),
            (&[2, 2], &unit[..3], "`sigma.npy`: ends within an array of f8 with shape (2, 2)"),
            (&[1 << 40, 1 << 40], &unit, "with shape (1099511627776, 1099511627776) is too large"),
            (&[1 << 20, 1 << 20], &unit, "`sigma.npy`: ends within"),
            (&[1, 2], &unit, "`sigma.npy`: more bytes than an array of f8 with shape (1, 2)"),
            (&[2, 2], &[1.0, 0.0, f64::NAN, 1.0], "`sigma.npy`: row 1, column 0 is NaN"),
            (&[2, 2], &[1.0, 0.5, 0.0, 1.0], "`sigma.npy`: not symmetric: 0 and 0.5"),
            (&[2, 2], &[1.0, 0.0, 0.0, -1.0], "`sigma.npy`: the variance of feature 1 is -1"),
        ] {
            let got = with(shape, sigma);
            assert!(got.contains(want), "{got}, not {want}");
        }
        let whole = [Array { name: "mu", shape: &[1], numbers: Numbers::Whole(&[3]) }];
        assert!(why(&archive(&whole)).contains("an array of i8 with shape (1); expected f4 or f8"));
    }

    proptest! {
        #[test]
        fn damage_is_an_error_and_never_a_panic(
            file in 0..3_usize, cut in 0.0..1.0_f64,
            hits in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 0..6),
        ) {
            let mut bytes = golden(["c-f64.npz", "compressed.npz", "adm.npz"][file]);
            if hits.len() < 2 {
                bytes.truncate((cut * bytes.len() as f64) as usize);
            }
            for (at, byte) in hits {
                let at = (at * bytes.len() as f64) as usize;
                if let Some(old) = bytes.get_mut(at) {
                    *old = byte;
                }
            }
            // Some bytes do not matter (times, names of other members): what is read is sound.
            if let Ok(file) = read(&bytes) {
                prop_assert!(file.pooled.mean().iter().all(|value| value.is_finite()));
            }
        }

        #[test]
        fn headers_may_say_anything(
            text in "[{}()'<>|a-z_:, 0-9TFL]{0,80}", more in any::<Vec<u8>>(),
        ) {
            // A member that is well packed and says nonsense: no check sum saves us here.
            let mut member = b"\x93NUMPY\x01\x00".to_vec();
            let text = if more.is_empty() { text } else {
                format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({text}), }}")
            };
            member.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            member.extend(text.as_bytes());
            member.extend(more);
            let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
            writer.start_file("mu.npy", zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut writer, &member).unwrap();
            let bytes = writer.finish().unwrap().into_inner();
            prop_assert!(read(&bytes).is_err()); // At the latest: there is no `sigma`.
        }
    }
}
