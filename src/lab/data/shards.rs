//! Synthetic pictures on their way to disk: a shard is one Parquet file in the Hugging Face image
//! layout.
//!
//! Beside `image` and `label`, every row carries its manifest: the name of the class, the condition
//! the generator saw, the seed address, the guidance weight, the sampler, the key of the generator,
//! and the BLAKE3 hash of the PNG file, which is checked when the shard is read. `datasets` and
//! every Parquet reader show the pictures with their class names. The same rows give the same
//! bytes.

use polars::prelude::{
    ArrowDataType, ArrowField, ArrowSchema, BinaryChunked, Column, DataFrame, Float64Chunked,
    Int64Chunked, IntoColumn as _, KeyValueMetadata, NewChunkedArray as _, ParquetCompression,
    ParquetWriter, PolarsError, PolarsResult, StatisticsOptions, StringChunked, StructChunked,
};

use super::dataset::{Dataset, Origin};
use super::hugging_face::{BYTES, Footer, PATH, columns, declaration, metadata};
use super::listing::{Entry, read_all};
use super::source::{Codec, Content};
use crate::terms::{ClassId, ClassNames, Key, Problem};

const IMAGE: &str = "image";
const LABEL: &str = "label";
/// The manifest columns with their types.
const MANIFEST: [(&str, &str); 7] = [
    ("class", "string"),
    ("condition", "string"),
    ("seed", "string"),
    ("guidance", "float64"),
    ("sampler", "string"),
    ("generator", "string"),
    ("content", "string"),
];

/// One synthetic picture and how it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticRow {
    /// The name of the picture, stable over runs; the file name in the shard is this and `.png`.
    pub id: String,
    /// The class it was drawn for.
    pub class: ClassId,
    /// The picture as a PNG file.
    pub png: Vec<u8>,
    /// What the generator was told: a class name, a prompt.
    pub condition: String,
    /// The address of the randomness, as `Seed::hex` gives it.
    pub seed: String,
    /// The guidance weight g of u + g (c - u); 1 is off.
    pub guidance: f64,
    /// The sampler, with its steps.
    pub sampler: String,
    /// The key of the trained generator.
    pub generator: Key,
}

/// Why a shard could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The Parquet library refused.
    #[error("the Parquet file is broken or has other columns: {0}")]
    Parquet(#[from] PolarsError),
    /// A row does not hold what it must.
    #[error("row {row}: {found}")]
    Row {
        /// The row, from 0.
        row: usize,
        /// What is wrong with it.
        found: String,
    },
    /// The file names no classes.
    #[error("the Parquet file has no class names in its metadata")]
    Nameless,
}

/// Returns the bytes of a Parquet file that holds the rows in their order.
///
/// # Errors
/// If the Parquet library fails.
///
/// # Panics
/// If a row has a class without a name.
pub fn write_shard(classes: &ClassNames, rows: &[SyntheticRow]) -> Result<Vec<u8>, ShardError> {
    let mut table = DataFrame::new(rows.len(), table(classes, rows)?)?;
    let features = metadata(IMAGE, (LABEL, classes), &MANIFEST);
    let pairs = declaration(&arrow_schema(), features);
    let mut file = Vec::new();
    ParquetWriter::new(&mut file)
        // PNG files do not get smaller, and every reader can read plain pages.
        .with_compression(ParquetCompression::Uncompressed)
        // The smallest and largest picture would stand in the footer as whole files.
        .with_statistics(StatisticsOptions::empty())
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(pairs)))
        .finish(&mut table)?;
    Ok(file)
}

/// Returns the class names and rows of a shard.
///
/// # Errors
/// If the bytes are not a shard, or a picture is not the one that was written.
pub fn read_shard(file: &[u8]) -> Result<(ClassNames, Vec<SyntheticRow>), ShardError> {
    let classes = Footer::read(file)?.class_names(LABEL).ok_or(ShardError::Nameless)?;
    let names: Vec<&str> =
        [IMAGE, LABEL].into_iter().chain(MANIFEST.map(|(name, _)| name)).collect();
    let table = columns(file, &names)?;
    let image = table.column(IMAGE)?.struct_()?;
    let (png, path) = (image.field_by_name(BYTES)?, image.field_by_name(PATH)?);
    let (png, path) = (png.binary()?, path.str()?);
    let labels = table.column(LABEL)?.i64()?;
    let guidance = table.column("guidance")?.f64()?;
    let texts = |name: &str| table.column(name)?.str();
    let (condition, seed, sampler) = (texts("condition")?, texts("seed")?, texts("sampler")?);
    let (generator, content) = (texts("generator")?, texts("content")?);

    let row = |row: usize| {
        let problem = |found: &str| ShardError::Row { row, found: found.to_owned() };
        let text = |column: &StringChunked| column.get(row).map(str::to_owned);
        let png = png.get(row).ok_or_else(|| problem("no picture"))?;
        if content.get(row) != Some(Key::of_bytes(png).hex().as_str()) {
            return Err(problem("the picture differs from its content hash"));
        }
        let path = path.get(row).ok_or_else(|| problem("no name"))?;
        let class = labels.get(row).and_then(|label| u32::try_from(label).ok()).map(ClassId);
        let generator = text(generator).and_then(|hex| Key::try_from(hex).ok());
        Ok(SyntheticRow {
            id: path.strip_suffix(".png").unwrap_or(path).to_owned(),
            class: class
                .filter(|class| class.index() < classes.len())
                .ok_or_else(|| problem("a label without a class name"))?,
            png: png.to_vec(),
            condition: text(condition).ok_or_else(|| problem("no condition"))?,
            seed: text(seed).ok_or_else(|| problem("no seed"))?,
            guidance: guidance.get(row).ok_or_else(|| problem("no guidance"))?,
            sampler: text(sampler).ok_or_else(|| problem("no sampler"))?,
            generator: generator.ok_or_else(|| problem("no generator key"))?,
        })
    };
    let rows = (0..table.height()).map(row).collect::<Result<_, _>>()?;
    Ok((classes, rows))
}

/// Decodes the pictures of some rows, in their order, as synthetic data.
///
/// # Errors
/// If a picture cannot be decoded; the first one is named.
pub fn synthetic_dataset(
    classes: ClassNames,
    rows: &[SyntheticRow],
    codec: Codec<'_>,
) -> Result<Dataset, ShardError> {
    let entry = |row: usize| Entry { id: rows[row].id.clone(), class: rows[row].class, place: row };
    let entries: Vec<_> = (0..rows.len()).map(entry).collect();
    let decode = |entry: &Entry<usize>| {
        let problem = |found| Problem::new(entry.place.to_string(), found, "a picture");
        codec.picture(Content::File(&rows[entry.place].png)).map_err(problem)
    };
    let mut examples = Vec::with_capacity(rows.len());
    for (row, result) in read_all(&entries, decode).into_iter().enumerate() {
        let mut example = result.map_err(|e| ShardError::Row { row, found: e.found })?;
        example.origin = Origin::Synthetic;
        examples.push(example);
    }
    Ok(Dataset::new(classes, examples))
}

fn table(classes: &ClassNames, rows: &[SyntheticRow]) -> PolarsResult<Vec<Column>> {
    let texts = |name: &str, text: &dyn Fn(&SyntheticRow) -> String| {
        StringChunked::from_iter_values(name.into(), rows.iter().map(text)).into_column()
    };
    let bytes =
        BinaryChunked::from_iter_values(BYTES.into(), rows.iter().map(|r| r.png.as_slice()));
    let path = texts(PATH, &|r| format!("{}.png", r.id));
    let fields = [bytes.into_column(), path];
    let image = StructChunked::from_columns(IMAGE.into(), rows.len(), &fields)?;
    let labels = rows.iter().map(|r| i64::from(r.class.0));
    let guidance = rows.iter().map(|r| r.guidance);
    Ok(vec![
        image.into_column(),
        Int64Chunked::from_iter_values(LABEL.into(), labels).into_column(),
        texts("class", &|r| classes.name(r.class).to_owned()),
        texts("condition", &|r| r.condition.clone()),
        texts("seed", &|r| r.seed.clone()),
        Float64Chunked::from_iter_values("guidance".into(), guidance).into_column(),
        texts("sampler", &|r| r.sampler.clone()),
        texts("generator", &|r| r.generator.hex()),
        texts("content", &|r| Key::of_bytes(&r.png).hex()),
    ])
}

/// Returns the schema as Arrow readers shall see it. `datasets` takes a column for a picture only
/// if its fields are of the types `binary` and `string`; polars on its own would declare views.
fn arrow_schema() -> ArrowSchema {
    let field = |name: &str, dtype| ArrowField::new(name.into(), dtype, true);
    let image = vec![field(BYTES, ArrowDataType::Binary), field(PATH, ArrowDataType::Utf8)];
    let manifest = MANIFEST.iter().map(|(name, dtype)| match *dtype {
        "float64" => field(name, ArrowDataType::Float64),
        _ => field(name, ArrowDataType::Utf8),
    });
    [field(IMAGE, ArrowDataType::Struct(image)), field(LABEL, ArrowDataType::Int64)]
        .into_iter()
        .chain(manifest)
        .map(|field| (field.name.clone(), field))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use polars::prelude::{ParquetReader, SerReader as _};
    use polars_arrow::io::ipc::read::deserialize_schema;

    use super::*;
    use crate::lab::data::tests::{CODEC, bytes_of};
    use crate::terms::Seed;

    fn classes() -> ClassNames {
        ClassNames::new(["kočka", "dog \"x\"", ""])
    }

    fn rows(n: usize) -> Vec<SyntheticRow> {
        let row = |i: usize| SyntheticRow {
            id: format!("synthetic/{i:05}"),
            class: ClassId(i as u32 * 7 % 3),
            png: bytes_of(i as u8),
            condition: format!("a photo of {i}"),
            seed: Seed::root(1).index(i as u64).hex(),
            guidance: 1.0 + i as f64 / 3.0,
            sampler: "ddim-25".to_owned(),
            generator: Key::of_bytes(b"generator"),
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for n in [0, 1, 200] {
            let file = write_shard(&classes(), &rows(n)).unwrap();
            assert_eq!(read_shard(&file).unwrap(), (classes(), rows(n)));
        }
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let write = || write_shard(&classes(), &rows(100)).unwrap();
        assert_eq!(write(), write());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(pool.install(write), write());
    }

    #[test]
    fn rows_become_synthetic_examples() {
        let data = synthetic_dataset(classes(), &rows(5), CODEC).unwrap();
        assert!(data.examples.iter().all(|e| e.origin == Origin::Synthetic));
        let greys: Vec<_> = data.examples.iter().map(|e| e.picture.rgb()[0]).collect();
        assert_eq!(greys, [0, 1, 2, 3, 4]);
        let mut broken = rows(5);
        broken[3].png = vec![0];
        let error = synthetic_dataset(classes(), &broken, CODEC).unwrap_err().to_string();
        assert_eq!(error, "row 3: not a test picture");
    }

    #[test]
    fn damage_is_found() {
        let file = write_shard(&classes(), &rows(3)).unwrap();
        assert!(matches!(read_shard(&file[..file.len() - 9]), Err(ShardError::Parquet(_))));
        assert!(matches!(read_shard(b""), Err(ShardError::Parquet(_))));
        let mut flipped = file;
        let wanted = bytes_of(2);
        let at = flipped.windows(wanted.len()).position(|bytes| bytes == wanted).unwrap();
        flipped[at + wanted.len() - 1] ^= 1;
        let error = read_shard(&flipped).unwrap_err().to_string();
        assert_eq!(error, "row 2: the picture differs from its content hash");
    }

    #[test]
    fn arrow_readers_are_told_the_types_and_names() {
        // `datasets` shows pictures and class names only if both are exactly so.
        let file = write_shard(&classes(), &rows(2)).unwrap();
        let mut reader = ParquetReader::new(Cursor::new(file));
        let pairs = reader.get_metadata().unwrap().key_value_metadata().clone().unwrap();
        let value = |key| pairs.iter().find(|pair| pair.key == key).unwrap().value.clone().unwrap();
        let message = STANDARD.decode(value("ARROW:schema")).unwrap();
        let (schema, _, metadata) = deserialize_schema(&message[8..]).unwrap();
        assert_eq!(schema.iter_values().cloned().collect::<Vec<_>>(), arrow_fields());
        let features = value("huggingface");
        assert_eq!(metadata.unwrap()["huggingface"].as_str(), features);
        let features: serde_json::Value = serde_json::from_str(&features).unwrap();
        assert_eq!(features["info"]["features"]["image"]["_type"], "Image");
        assert_eq!(features["info"]["features"]["label"]["names"][1], "dog \"x\"");
    }

    fn arrow_fields() -> Vec<ArrowField> {
        let field = |name: &str, dtype| ArrowField::new(name.into(), dtype, true);
        let image = [field("bytes", ArrowDataType::Binary), field("path", ArrowDataType::Utf8)];
        vec![
            field("image", ArrowDataType::Struct(image.to_vec())),
            field("label", ArrowDataType::Int64),
            field("class", ArrowDataType::Utf8),
            field("condition", ArrowDataType::Utf8),
            field("seed", ArrowDataType::Utf8),
            field("guidance", ArrowDataType::Float64),
            field("sampler", ArrowDataType::Utf8),
            field("generator", ArrowDataType::Utf8),
            field("content", ArrowDataType::Utf8),
        ]
    }
}
