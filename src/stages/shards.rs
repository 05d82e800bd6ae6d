//! A set of synthetic pictures: which ones it holds, and how they are drawn into shards.
//!
//! A stage draws one copy of the class histogram of the real training set: as many pictures of each
//! class as there are real ones. Copies are nested: copies 0 and 1 together are the "2 x synthetic"
//! set, and asking for one more copy draws that one alone. Pictures are ordered round by round over
//! the classes, so that any front part is balanced.

use serde::{Deserialize, Serialize};

use super::dataset::{SHEET, sheet};
use crate::engine::{Bench, Context, Entry, Failure};
use crate::lab::data::{Codec, Dataset, SyntheticRow, read_shard, synthetic_dataset, write_shard};
use crate::lab::generators::Order;
use crate::lab::images::{decode, encode_png};
use crate::terms::{Picture, Seed};

/// The start of the names of synthetic pictures among the inputs of other stages.
pub(super) const INPUT: &str = "synthetic";

/// Returns the name of a copy of synthetic pictures among the inputs of other stages.
pub(super) fn input(copy: usize) -> String {
    format!("{INPUT}-{copy:03}")
}

/// What was drawn.
const SUMMARY: &str = "summary.json";

/// Pictures per shard: what a kill may cost.
pub(super) const SHARD: usize = 250;

/// Numbers about a set of synthetic pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// How many pictures.
    pub pictures: usize,
    /// How many of them are of one colour.
    pub blank: usize,
}

/// Which set of pictures.
pub(super) struct Set {
    /// Where the randomness of all sets lies.
    pub(super) root: Seed,
    /// Which independent set.
    pub(super) draw: u64,
    /// Which copy of the histogram.
    pub(super) copy: usize,
}

/// One picture to draw, with its address in words.
pub(super) struct Item {
    pub(super) id: String,
    pub(super) order: Order,
}

impl Set {
    /// Returns the pictures of the set, round by round over the classes.
    pub(super) fn items(&self, train: &Dataset) -> Vec<Item> {
        let counts = train.class_counts();
        let root = self.root.index(self.draw);
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut items = Vec::new();
        for round in 0..most {
            for class in train.classes.ids().filter(|class| counts[class.index()] > round) {
                let number = (self.copy * counts[class.index()] + round) as u64;
                let name = train.classes.name(class);
                let seed = root.child(name).index(number);
                let id = format!("draw-{}/{name}/{number:06}", self.draw);
                items.push(Item { id, order: Order { class, seed, number } });
            }
        }
        items
    }
}

fn shard_name(index: usize) -> String {
    format!("train-{index:05}.parquet")
}

/// Draws what is not on the bench yet, shard by shard, and leaves shards, a sheet and a summary.
/// `rows` gets the number of the shard and what is in it.
pub(super) fn draw_shards(
    set: &Set,
    train: &Dataset,
    (bench, context): (&Bench, &Context),
    rows: impl Fn(usize, &[Item]) -> Result<Vec<SyntheticRow>, Failure>,
) -> Result<(), Failure> {
    let items = set.items(train);
    for (index, part) in items.chunks(SHARD).enumerate() {
        context.proceed()?;
        context.progress(index * SHARD, items.len(), "pictures");
        if !bench.has(&shard_name(index))? {
            let rows = rows(index, part)?;
            let shard = write_shard(&train.classes, &rows).map_err(Failure::other)?;
            bench.put(&shard_name(index), &shard)?;
        }
    }
    finish(items.len().div_ceil(SHARD), (bench, context))
}

/// Makes each shard of an entry anew, picture by picture, and leaves shards, a sheet and a summary.
pub(super) fn change_shards(
    entry: &Entry,
    (bench, context): (&Bench, &Context),
    change: impl Fn(&Picture) -> Picture,
) -> Result<(), Failure> {
    let shards = entry.names().filter(|name| name.ends_with(".parquet")).count();
    for index in 0..shards {
        context.proceed()?;
        context.progress(index, shards, "shards");
        let name = shard_name(index);
        if bench.has(&name)? {
            continue;
        }
        let (classes, mut rows) = read_shard(&entry.read(&name)?).map_err(Failure::other)?;
        for row in &mut rows {
            row.png = encode_png(&change(&decode(&row.png).map_err(Failure::other)?));
        }
        bench.put(&name, &write_shard(&classes, &rows).map_err(Failure::other)?)?;
    }
    finish(shards, (bench, context))
}

/// Looks at all shards and leaves a sheet and a summary.
fn finish(shards: usize, (bench, context): (&Bench, &Context)) -> Result<(), Failure> {
    let drawn = join((0..shards).map(|index| {
        bench.get(&shard_name(index))?.ok_or_else(|| Failure::other("a shard is gone"))
    }))?;
    let blank = drawn.examples.iter().filter(|e| is_blank(&e.picture)).count();
    if blank > 0 {
        context.warn(format!("{blank} of {} pictures are of one colour", drawn.len()));
    }
    bench.put(SHEET, &encode_png(&sheet(&drawn)))?;
    bench.put(SUMMARY, &super::json(&Sampled { pictures: drawn.len(), blank }))?;
    Ok(())
}

fn is_blank(picture: &Picture) -> bool {
    picture.rgb().chunks(3).all(|pixel| pixel == &picture.rgb()[..3])
}

/// Returns the class name, the id and the PNG file of every picture of an entry.
///
/// # Errors
/// If the entry cannot be read.
pub fn drawn_files(entry: &Entry) -> Result<Vec<(String, String, Vec<u8>)>, Failure> {
    let mut files = Vec::new();
    for name in entry.names().filter(|name| name.ends_with(".parquet")) {
        let (classes, rows) = read_shard(&entry.read(name)?).map_err(Failure::other)?;
        files.extend(rows.into_iter().map(|row| {
            let class = classes.name(row.class).to_owned();
            (class, row.id, row.png)
        }));
    }
    Ok(files)
}

/// Reads one shard of an entry.
pub(super) fn shard(entry: &Entry, index: usize) -> Result<Dataset, Failure> {
    join(std::iter::once(Ok(entry.read(&shard_name(index))?)))
}

/// Reads the pictures of an entry.
pub(super) fn pictures(entry: &Entry) -> Result<Dataset, Failure> {
    let mut names: Vec<&str> = entry.names().filter(|name| name.ends_with(".parquet")).collect();
    names.sort_unstable();
    join(names.into_iter().map(|name| Ok(entry.read(name)?)))
}

fn join(shards: impl Iterator<Item = Result<Vec<u8>, Failure>>) -> Result<Dataset, Failure> {
    let codec = Codec {
        decode: &|bytes| decode(bytes).map_err(|error| error.to_string()),
        fit: &|picture| picture,
    };
    let mut all: Option<Dataset> = None;
    for shard in shards {
        let (classes, rows) = read_shard(&shard?).map_err(Failure::other)?;
        let part = synthetic_dataset(classes, &rows, codec).map_err(Failure::other)?;
        all = Some(match all {
            None => part,
            Some(held) => held.concat(&part).map_err(Failure::other)?,
        });
    }
    all.ok_or_else(|| Failure::other("there is no synthetic picture"))
}
