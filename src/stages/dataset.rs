//! The real pictures, read, split and fitted once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::packed::pack;
use crate::engine::{Bench, Context, DiskFiles, Estimate, Failure, Inputs, Stage};
use crate::lab::data::{Codec, Dataset, Source, Subset, load};
use crate::lab::images::{Channels, Filter, Fit, contact_sheet, decode, encode_png};
use crate::terms::{Key, Picture, Seed};

/// The name of this stage among the inputs of others.
pub(super) const INPUT: &str = "data";

/// A picture of some training pictures, one row per class.
pub const SHEET: &str = "sheet.png";

/// The real pictures and how they are seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Data {
    /// Where they come from.
    pub source: Source,
    /// Which of them are used.
    pub subset: Subset,
    /// Side of the square pictures in pixels.
    #[schemars(range(min = 1))]
    pub size: usize,
    /// Whether nets see one channel or three.
    pub channels: Channels,
    /// How pictures are brought to a square.
    pub fit: Fit,
    /// The kernel of the resize.
    pub filter: Filter,
    /// The address of splits and subsets.
    pub seed: u64,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            source: Source::default(),
            subset: Subset::default(),
            size: 8,
            channels: Channels::Rgb,
            fit: Fit::default(),
            filter: Filter::default(),
            seed: 0,
        }
    }
}

/// Returns the file that holds `train`, `val` or `test`.
pub(super) fn file_of(part: &str) -> String {
    format!("{part}.bin")
}

/// Reads the real pictures.
pub struct DatasetStage {
    data: Data,
    fingerprint: Key,
}

impl DatasetStage {
    /// Joins a declaration and the fingerprint of what it points to.
    pub fn new(data: Data, fingerprint: Key) -> Self {
        Self { data, fingerprint }
    }
}

/// Calls `with` with what decodes and fits the pictures of a declaration.
pub fn codec<T>(data: &Data, with: impl FnOnce(Codec<'_>) -> T) -> T {
    let (fit, filter, size) = (data.fit, data.filter, data.size);
    with(Codec {
        decode: &|bytes| decode(bytes).map_err(|error| error.to_string()),
        fit: &move |picture: Picture| {
            if (picture.width(), picture.height()) == (size, size) {
                return picture;
            }
            fit.apply(&picture, size, filter)
        },
    })
}

impl Stage for DatasetStage {
    fn kind(&self) -> &'static str {
        "dataset"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        let mut data = serde_json::to_value(&self.data).expect("a spec is plain data");
        // The fingerprint stands for the files, wherever they lie; channels are the nets' affair.
        data["source"] = self.data.source.without_paths();
        let subset = data["subset"].as_object_mut().expect("a struct is an object");
        subset.remove("list");
        if let Some(Value::Object(merge)) = subset.remove("merge") {
            // Their order numbers the classes, and a key does not see the order of an object.
            subset.insert("merge".to_owned(), json!(merge.into_iter().collect::<Vec<_>>()));
        }
        data.as_object_mut().expect("a struct is an object").remove("channels");
        json!({"data": data, "content": self.fingerprint})
    }

    fn label(&self) -> String {
        format!("real pictures of {} at {} px", self.data.source.place(), self.data.size)
    }

    fn estimate(&self) -> Estimate {
        Estimate { seconds: 1.0, bytes: 1 << 20 }
    }

    fn run(&self, _: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let seed = Seed::root(self.data.seed).child("data");
        let Data { source, subset, .. } = &self.data;
        let splits = codec(&self.data, |codec| load(source, subset, seed, &DiskFiles, codec))
            .map_err(Failure::Wrong)?;
        context.proceed()?;
        for (part, data) in [("train", &splits.train), ("val", &splits.val), ("test", &splits.test)]
        {
            bench.put(&file_of(part), &pack(data))?;
        }
        bench.put(SHEET, &encode_png(&sheet(&splits.train)))?;
        Ok(())
    }
}

/// Columns of a sample sheet.
pub const SHEET_COLUMNS: usize = 12;

/// Returns a picture of the first pictures of each class, one row per class, at most 20 rows.
pub fn sheet(data: &Dataset) -> Picture {
    let mut rows: Vec<Vec<&Picture>> = vec![Vec::new(); data.classes.len()];
    for example in &data.examples {
        let row = &mut rows[example.class.index()];
        if row.len() < SHEET_COLUMNS {
            row.push(&example.picture);
        }
    }
    rows.retain(|row| !row.is_empty());
    rows.truncate(20);
    let side = |picture: &&Picture| picture.width().max(picture.height());
    let largest = rows.iter().flatten().map(side).max().unwrap_or(1);
    let scale = (48 / largest).max(1);
    contact_sheet(&rows, scale, (scale / 2).max(1))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::data::{Example, Origin};
    use crate::terms::{ClassId, ClassNames};

    fn key(subset: &str) -> (Key, Value) {
        let data = Data { subset: toml::from_str(subset).unwrap(), ..Data::default() };
        let stage = DatasetStage::new(data, Key::of_bytes(b"digits"));
        let spec = stage.spec();
        (Key::of_stage(stage.kind(), stage.version(), &spec, &[]), spec)
    }

    #[test]
    fn the_order_of_merged_classes_is_in_the_key() {
        let odd_first = key("merge = { odd = [\"1\", \"3\"], even = [\"0\", \"2\"] }").0;
        let even_first = key("merge = { even = [\"0\", \"2\"], odd = [\"1\", \"3\"] }").0;
        assert_ne!(odd_first, even_first);
        // What merges nothing keeps the key it had.
        let (_, spec) = key("classes = [\"1\"]");
        assert_eq!(spec["data"]["subset"], json!({"classes": ["1"], "per-class": null}));
    }

    #[test]
    fn a_sheet_is_scaled_by_its_largest_picture() {
        let example = |side: usize| Example {
            id: side.to_string(),
            class: ClassId(0),
            origin: Origin::Real,
            picture: Arc::new(Picture::filled(side, side, [0; 3])),
        };
        let sized = |sides: &[usize]| {
            let examples = sides.iter().map(|side| example(*side)).collect();
            sheet(&Dataset::new(ClassNames::new(["a"]), examples)).width()
        };
        assert_eq!(sized(&[8, 8]), 2 * 48 + 3 * 3);
        assert_eq!(sized(&[1, 600]), 2 * 600 + 3);
    }
}
