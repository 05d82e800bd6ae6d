//! The pictures of one Parquet file, whatever its columns are called and whether it has labels.

use std::io::Cursor;
use std::ops::Range;

use polars::prelude::{DataType, ParquetReader, PolarsError, SerReader as _};

use super::guarded::guarded;
use super::hugging_face::{BYTES, Footer, LABELS, columns};
use crate::terms::ClassNames;

/// The pictures of a file in the Hugging Face image layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureRows {
    column: String,
    labels: Option<Vec<String>>,
    rows: usize,
}

impl PictureRows {
    /// Finds the column of pictures: the first struct with a member `bytes`.
    ///
    /// # Errors
    /// If the bytes are no Parquet file, there is no such column, or some rows have a class and
    /// others have none, in a lower-case fragment.
    pub fn open(file: &[u8]) -> Result<Self, String> {
        let footer = Footer::read(file).map_err(wrong)?;
        let rows = guarded(|| ParquetReader::new(Cursor::new(file)).num_rows()).map_err(wrong)?;
        let pictures = |dtype: &DataType| {
            let DataType::Struct(fields) = dtype else { return false };
            fields.iter().any(|field| field.name == BYTES && field.dtype == DataType::Binary)
        };
        let column = footer.schema.iter().find(|(_, dtype)| pictures(dtype));
        let Some((column, _)) = column else {
            let names: Vec<_> = footer.schema.iter_names().map(ToString::to_string).collect();
            return Err(format!("no column of pictures among `{}`", names.join("`, `")));
        };
        let label = LABELS.iter().find(|name| footer.schema.get(name).is_some());
        let labels = match label {
            None => None,
            Some(label) => labels(file, label, footer.class_names(label).as_ref())?,
        };
        Ok(Self { column: column.to_string(), labels, rows })
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the class name of every row, if there is a column of labels with a class in it: a
    /// test part may be given away with labels of -1.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Returns the picture files of some rows; `None` where a row has none.
    ///
    /// # Errors
    /// If the file is damaged, in a lower-case fragment.
    pub fn read(&self, file: &[u8], rows: Range<usize>) -> Result<Vec<Option<Vec<u8>>>, String> {
        let table = guarded(|| {
            ParquetReader::new(Cursor::new(file))
                .with_columns(Some(vec![self.column.clone()]))
                .with_slice(Some((rows.start, rows.len())))
                .finish()
        })
        .map_err(wrong)?;
        let bytes = table.column(&self.column).and_then(|c| c.struct_()?.field_by_name(BYTES));
        let bytes = bytes.map_err(wrong)?;
        let bytes = bytes.binary().map_err(wrong)?;
        Ok(bytes.iter().map(|content| content.map(<[u8]>::to_vec)).collect())
    }
}

/// Returns the class name of every row; `None` if no row has a class. Numbers go by the names of
/// the file, if it has any; text is a name.
fn labels(
    file: &[u8],
    label: &str,
    names: Option<&ClassNames>,
) -> Result<Option<Vec<String>>, String> {
    let table = columns(file, &[label]).map_err(wrong)?;
    let column = table.column(label).map_err(wrong)?;
    let of_number = |(row, number): (usize, Option<i64>)| {
        let Some(number) = number.and_then(|number| usize::try_from(number).ok()) else {
            return Ok(None);
        };
        let Some(names) = names else { return Ok(Some(number.to_string())) };
        let known = || format!("label {number} in row {row}, with names for {}", names.len());
        names.iter().nth(number).map(|name| Some(name.to_owned())).ok_or_else(known)
    };
    let found: Vec<Option<String>> = match column.dtype() {
        DataType::String => {
            let text = column.str().map_err(wrong)?;
            text.iter().map(|name| name.map(str::to_owned)).collect()
        }
        dtype if dtype.is_integer() => {
            let numbers = column.cast(&DataType::Int64).map_err(wrong)?;
            let numbers = numbers.i64().map_err(wrong)?;
            numbers.iter().enumerate().map(of_number).collect::<Result<_, _>>()?
        }
        other => return Err(format!("labels `{label}` that are {other}, not integers or names")),
    };
    match found.iter().position(Option::is_none) {
        _ if found.iter().all(Option::is_none) => Ok(None),
        Some(row) => Err(format!("no label in row {row}, while others have one in `{label}`")),
        None => Ok(Some(found.into_iter().flatten().collect())),
    }
}

fn wrong(error: PolarsError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{
        BinaryChunked, DataFrame, IntoColumn as _, NamedFrom as _, NewChunkedArray as _,
        ParquetWriter, Series, StructChunked,
    };

    use super::*;
    use crate::testing::{golden_json, golden_path};

    /// Writes pictures with these labels.
    fn with_labels(labels: Series) -> Vec<u8> {
        let n = labels.len();
        let bytes = BinaryChunked::from_slice(BYTES.into(), &vec![[1_u8]; n]).into_column();
        let image = StructChunked::from_columns("image".into(), n, &[bytes]).unwrap();
        let columns = vec![image.into_column(), labels.into_column()];
        let mut file = Vec::new();
        ParquetWriter::new(&mut file).finish(&mut DataFrame::new(n, columns).unwrap()).unwrap();
        file
    }

    /// A page that claims less than no values once ended the process.
    #[test]
    fn no_bit_of_a_file_ends_the_process() {
        let labels = (0..40).map(|i| (i % 3 > 0).then_some(i)).collect::<Vec<Option<i64>>>();
        let file = with_labels(Series::new("label".into(), labels));
        let mut refused = 0;
        for place in 0..file.len() {
            for bit in 0..8 {
                let mut file = file.clone();
                file[place] ^= 1 << bit;
                let read = PictureRows::open(&file).and_then(|rows| rows.read(&file, 0..40));
                refused += usize::from(read.is_err());
            }
        }
        assert!(refused > 100, "{refused} of {} files", 8 * file.len());
    }

    #[test]
    fn names_and_missing_labels_are_no_numbers() {
        let labels = |labels: Series| {
            let rows = PictureRows::open(&with_labels(labels));
            rows.map(|rows| rows.labels().map(<[String]>::to_vec))
        };
        let named = |names: [&str; 2]| Ok(Some(names.map(str::to_owned).to_vec()));
        assert_eq!(labels(Series::new("label".into(), ["dog", "cat"])), named(["dog", "cat"]));
        assert_eq!(labels(Series::new("label".into(), [7_i64, 0])), named(["7", "0"]));
        assert_eq!(labels(Series::new("label".into(), [-1_i64, -1])), Ok(None));
        assert_eq!(labels(Series::new("label".into(), [None::<i64>, None])), Ok(None));
        assert_eq!(labels(Series::new("label".into(), [None::<&str>, None])), Ok(None));
        for some in [
            Series::new("label".into(), [Some(1_i64), None]),
            Series::new("label".into(), [1_i64, -1]),
            Series::new("label".into(), [Some("dog"), None]),
        ] {
            let want = "no label in row 1, while others have one in `label`";
            assert_eq!(labels(some), Err(want.to_owned()));
        }
        let told = labels(Series::new("label".into(), [0.5, 1.5])).unwrap_err();
        assert_eq!(told, "labels `label` that are f64, not integers or names");
    }

    #[test]
    fn rows_and_labels_are_those_of_the_file() {
        let want = golden_json("data/parquet/want.json");
        let mut seen = 0;
        for (name, file) in want.as_object().unwrap() {
            let path = golden_path("data/parquet").join(name);
            let content = std::fs::read(path).unwrap();
            let rows = PictureRows::open(&content).unwrap();
            let Some((label, numbers)) =
                file["labels"].as_object().unwrap().iter().find(|(name, _)| *name == "label")
            else {
                continue;
            };
            let numbers: Vec<usize> = serde_json::from_value(numbers.clone()).unwrap();
            assert_eq!(rows.rows(), numbers.len(), "{name}");
            if let Some(names) = file["names"][label].as_array() {
                let want: Vec<&str> = numbers.iter().map(|i| names[*i].as_str().unwrap()).collect();
                assert_eq!(rows.labels().unwrap(), want, "{name}");
            }
            let all = rows.read(&content, 0..rows.rows()).unwrap();
            let last = rows.read(&content, rows.rows() - 1..rows.rows()).unwrap();
            assert_eq!(last[..], all[rows.rows() - 1..], "{name}");
            assert!(all.iter().all(|file| file.as_ref().is_some_and(|file| file.len() > 20)));
            seen += 1;
        }
        assert!(seen > 0, "a file with labels was read");
    }

    #[test]
    fn what_is_no_file_of_pictures_is_said() {
        assert!(PictureRows::open(b"PAR1 not").is_err());
    }
}
