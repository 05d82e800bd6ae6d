//! The pictures of one Parquet file, whatever its columns are called and whether it has labels.

use std::io::Cursor;
use std::ops::Range;

use polars::prelude::{DataType, ParquetReader, PolarsError, SerReader as _};

use super::hugging_face::{BYTES, Footer, LABELS, columns};

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
    /// If the bytes are no Parquet file or there is no such column, in a lower-case fragment.
    pub fn open(file: &[u8]) -> Result<Self, String> {
        let footer = Footer::read(file).map_err(wrong)?;
        let rows = ParquetReader::new(Cursor::new(file)).num_rows().map_err(wrong)?;
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
            Some(label) => {
                let table = columns(file, &[label]).map_err(wrong)?;
                let names = footer.class_names(label);
                let numbers = table.column(label).and_then(|column| column.cast(&DataType::Int64));
                let numbers = numbers.map_err(wrong)?;
                let name = |number: Option<i64>| {
                    let number = number.unwrap_or(-1);
                    let named = usize::try_from(number)
                        .ok()
                        .and_then(|i| names.as_ref()?.iter().nth(i).map(str::to_owned));
                    named.unwrap_or_else(|| number.to_string())
                };
                Some(numbers.i64().map_err(wrong)?.iter().map(name).collect())
            }
        };
        Ok(Self { column: column.to_string(), labels, rows })
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the class name of every row, if there is a column of labels.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Returns the picture files of some rows; `None` where a row has none.
    ///
    /// # Errors
    /// If the file is damaged, in a lower-case fragment.
    pub fn read(&self, file: &[u8], rows: Range<usize>) -> Result<Vec<Option<Vec<u8>>>, String> {
        let table = ParquetReader::new(Cursor::new(file))
            .with_columns(Some(vec![self.column.clone()]))
            .with_slice(Some((rows.start, rows.len())))
            .finish()
            .map_err(wrong)?;
        let bytes = table.column(&self.column).and_then(|c| c.struct_()?.field_by_name(BYTES));
        let bytes = bytes.map_err(wrong)?;
        let bytes = bytes.binary().map_err(wrong)?;
        Ok(bytes.iter().map(|content| content.map(<[u8]>::to_vec)).collect())
    }
}

fn wrong(error: PolarsError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{golden_json, golden_path};

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
