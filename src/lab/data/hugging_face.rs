//! The Hugging Face image layout of a Parquet file: what is in which column, and what it is called.
//!
//! A picture is a struct of `bytes` (the encoded file) and `path`; a label is an integer; the names
//! of the classes stand in the schema metadata under the key `huggingface`, as JSON: `{"info":
//! {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}`.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polars::prelude::{
    ArrowSchema, DataFrame, ParquetReader, PolarsResult, Schema, SchemaExt as _, SerReader as _,
};
use polars_arrow::io::ipc::write::{default_ipc_fields, schema_to_bytes};
use serde_json::{Map, Value, json};

use super::guarded::{check_pages, guarded};
use crate::terms::ClassNames;

/// The key of the schema metadata that holds the features.
pub(super) const METADATA_KEY: &str = "huggingface";
/// The field of the picture struct that holds the encoded file.
pub(super) const BYTES: &str = "bytes";
/// The field of the picture struct that holds the name of the file.
pub(super) const PATH: &str = "path";

/// Label columns that are found by themselves.
pub(super) const LABELS: [&str; 3] = ["label", "fine_label", "coarse_label"];

/// What a Parquet file says about itself.
pub(super) struct Footer {
    pub(super) schema: Schema,
    features: Map<String, Value>,
}

impl Footer {
    /// Reads the footer of a file, and looks at its pages: the first to be asked of any file.
    pub(super) fn read(file: &[u8]) -> PolarsResult<Self> {
        let (schema, text) = guarded(|| {
            let mut reader = ParquetReader::new(Cursor::new(file));
            let schema = Schema::from_arrow_schema(reader.schema()?.as_ref());
            let metadata = reader.get_metadata()?;
            check_pages(file, metadata)?;
            let texts = metadata.key_value_metadata().iter().flatten();
            let mut features = texts.filter(|pair| pair.key == METADATA_KEY);
            Ok((schema, features.find_map(|pair| pair.value.clone())))
        })?;
        let root = text.and_then(|text| serde_json::from_str(&text).ok());
        let mut root = root.unwrap_or(Value::Null);
        let features = match root.pointer_mut("/info/features").map(Value::take) {
            Some(Value::Object(features)) => features,
            _ => Map::new(),
        };
        Ok(Self { schema, features })
    }

    /// Returns the class names of a label column, if the file names them.
    pub(super) fn class_names(&self, label: &str) -> Option<ClassNames> {
        let names = self.features.get(label)?.get("names")?.as_array()?;
        let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
        Some(ClassNames::new(names?))
    }
}

/// Reads some columns of a file.
pub(super) fn columns(file: &[u8], names: &[&str]) -> PolarsResult<DataFrame> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    guarded(|| ParquetReader::new(Cursor::new(file)).with_columns(Some(names)).finish())
}

/// Returns the metadata of a file with a picture column, a label column, and plain ones with their
/// types.
pub(super) fn metadata(image: &str, label: (&str, &ClassNames), plain: &[(&str, &str)]) -> String {
    let mut features = Map::new();
    features.insert(image.to_owned(), json!({"_type": "Image"}));
    features.insert(label.0.to_owned(), json!({"names": label.1, "_type": "ClassLabel"}));
    for (name, dtype) in plain {
        features.insert((*name).to_owned(), json!({"dtype": dtype, "_type": "Value"}));
    }
    json!({"info": {"features": features}}).to_string()
}

/// Returns the key-value metadata of a file that is to be read with this Arrow schema and these
/// features.
///
/// The features stand there twice: Arrow readers take the metadata of the schema from the encoded
/// schema, and only without one from the file. The encoded schema is an IPC message (flatbuffer)
/// behind the continuation mark and its length, in base64.
pub(super) fn declaration(schema: &ArrowSchema, features: String) -> Vec<(String, String)> {
    let metadata = [(METADATA_KEY.into(), features.as_str().into())].into();
    let fields = default_ipc_fields(schema.iter_values());
    let message = schema_to_bytes(schema, &fields, Some(&metadata));
    let length = u32::try_from(message.len()).expect("a schema is small").to_le_bytes();
    let framed = [&[0xff; 4], length.as_slice(), &message].concat();
    let arrow = ("ARROW:schema".to_owned(), STANDARD.encode(framed));
    vec![arrow, (METADATA_KEY.to_owned(), features)]
}
