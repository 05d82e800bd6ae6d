//! A set of pictures through a network, once: blocks of features in the store, keyed by content.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::album::{Album, Unreadable};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::metrics::extractors::{Encoder, Network, Preprocessing};
use crate::lab::metrics::{Extractor as _, Features, Logits};
use crate::nets::weights::{Array, State, read_safetensors, write_safetensors};
use crate::terms::{Files, Key, Picture, Problem, Problems};

/// Pictures per file on the bench: what a kill costs at most.
const BLOCK: usize = 256;

/// Unreadable pictures that are named one by one.
const SHOWN: usize = 20;

/// Where the pictures that could not be read are listed, if some were left out.
const UNREADABLE: &str = "unreadable.json";

/// A network with its weights, and what becomes of a picture before it.
pub struct Extraction {
    /// The network.
    pub network: Network,
    /// What becomes of a picture.
    pub preprocessing: Preprocessing,
    /// The weights.
    pub weights: State,
    /// The hash of their file, in hexadecimal digits.
    pub weights_hash: String,
    /// Where the network runs; decides no result.
    pub device: Device,
}

impl Extraction {
    pub(super) fn encoder(&self) -> Result<Encoder, Failure> {
        let Self { network, preprocessing, weights, weights_hash, device } = self;
        Encoder::new(*network, *preprocessing, weights, weights_hash, device)
            .map_err(Failure::other)
    }
}

/// Puts an album through a network.
pub(super) struct FeaturesStage {
    pub(super) album: Album,
    /// The key of the album's content.
    pub(super) content: Key,
    pub(super) extraction: Arc<Extraction>,
    pub(super) files: Arc<dyn Files>,
    /// Whether pictures that cannot be read are left out.
    pub(super) skip_unreadable: bool,
}

/// Why a visit of the album ended early.
enum Ended {
    /// Nobody listens any more.
    Unheard,
    Damaged(Unreadable),
}

impl From<Unreadable> for Ended {
    fn from(unreadable: Unreadable) -> Self {
        Self::Damaged(unreadable)
    }
}

impl Stage for FeaturesStage {
    fn kind(&self) -> &'static str {
        "features"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        json!({
            "network": self.extraction.network,
            "preprocessing": self.extraction.preprocessing,
            "weights": self.extraction.weights_hash,
            "pictures": self.content.hex(),
            "jpeg": super::DECODER,
            "skip-unreadable": self.skip_unreadable,
        })
    }

    fn label(&self) -> String {
        format!("features of {} by {}", self.album.path().display(), self.extraction.network.name())
    }

    fn estimate(&self) -> Estimate {
        // Two cores and Inception; numbers of 4 bytes.
        Estimate {
            seconds: self.album.len() as f64 / 12.0,
            bytes: self.album.len() as u64 * 20_000,
        }
    }

    fn run(&self, _: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let encoder = self.extraction.encoder()?;
        let total = self.album.len();
        let done: BTreeSet<usize> =
            bench.names()?.iter().filter_map(|name| block_of(name)).collect();
        let (mut seen, mut unreadable) = (done.len() * BLOCK, Vec::new());
        thread::scope(|scope| {
            let (send, receive) = sync_channel(1);
            let (done, album, files) = (&done, &self.album, &*self.files);
            // Decodes the next block while the network looks at this one.
            let reader = scope.spawn(move || {
                album.visit(
                    files,
                    BLOCK,
                    &|block| !done.contains(&block),
                    &mut |block, pictures| send.send((block, pictures)).map_err(|_| Ended::Unheard),
                )
            });
            for (block, pictures) in receive {
                context.proceed()?;
                seen += pictures.len();
                let (readable, bad): (Vec<_>, Vec<_>) =
                    pictures.into_iter().partition(Result::is_ok);
                unreadable.extend(bad.into_iter().filter_map(Result::err));
                // After the first one the rest is only counted, unless they may be left out.
                if self.skip_unreadable || unreadable.is_empty() {
                    let readable: Vec<Picture> = readable.into_iter().flatten().collect();
                    bench.put(&file_of(block), &extract(&encoder, &readable))?;
                }
                context.progress(seen.min(total), total, "pictures");
            }
            match reader.join().expect("reading does not panic") {
                Ok(()) | Err(Ended::Unheard) => Ok(()),
                Err(Ended::Damaged(it)) => Err(wrong(&[it], self.album.len())),
            }
        })?;
        if unreadable.is_empty() {
            return Ok(());
        }
        if !self.skip_unreadable {
            return Err(wrong(&unreadable, total));
        }
        context.warn(format!("{} of {total} pictures cannot be read: left out", unreadable.len()));
        let names: Vec<&str> = unreadable.iter().map(|it| it.name.as_str()).collect();
        Ok(bench.put(UNREADABLE, &serde_json::to_vec_pretty(&names).expect("names are text"))?)
    }
}

/// Names pictures that cannot be read, the first of them one by one.
fn wrong(unreadable: &[Unreadable], total: usize) -> Failure {
    let hint = "replace them, take them out, or leave them out with `--skip-unreadable`";
    let problem = |it: &Unreadable| {
        Problem::new(it.name.clone(), it.reason.clone(), "a picture that can be read")
    };
    let mut problems: Vec<Problem> = unreadable.iter().take(SHOWN).map(problem).collect();
    if let Some(last) = problems.last_mut() {
        let count = format!("{} of {total} pictures cannot be read; {hint}", unreadable.len());
        last.hint = Some(count);
    }
    Failure::Wrong(Problems(problems))
}

fn file_of(block: usize) -> String {
    format!("block-{block:06}.safetensors")
}

fn block_of(name: &str) -> Option<usize> {
    name.strip_prefix("block-")?.strip_suffix(".safetensors")?.parse().ok()
}

/// Returns the taps of some pictures as a file.
fn extract(encoder: &Encoder, pictures: &[Picture]) -> Vec<u8> {
    let mut state = State::new();
    if !pictures.is_empty() {
        let taps = encoder.taps(&pictures.iter().collect::<Vec<_>>());
        let mut keep = |name: &str, width: usize, rows: Vec<f32>| {
            let shape = vec![rows.len() / width, width];
            state.insert(name.to_owned(), Array { shape, values: rows });
        };
        keep("features", taps.features.d(), taps.features.rows().to_vec());
        if let Some(logits) = taps.logits {
            let rows = (0..logits.n()).flat_map(|i| logits.row(i)).copied().collect();
            keep("logits", logits.classes(), rows);
        }
        if let Some(spatial) = taps.spatial {
            keep("spatial", spatial.d(), spatial.rows().to_vec());
        }
    }
    write_safetensors(&state)
}

/// What a network said of an album.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FeatureSet {
    pub(super) features: Features,
    pub(super) logits: Option<Logits>,
    pub(super) spatial: Option<Features>,
    /// How many pictures were left out.
    pub(super) unreadable: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct Rows {
    width: usize,
    numbers: Vec<f32>,
}

impl FeatureSet {
    /// Reads what the stage left.
    pub(super) fn read(entry: &Entry) -> Result<Self, Failure> {
        let [mut features, mut logits, mut spatial] = [(); 3].map(|()| Rows::default());
        let mut blocks: Vec<&str> = entry.names().filter(|name| block_of(name).is_some()).collect();
        blocks.sort_unstable();
        for name in blocks {
            let mut state = read_safetensors(&entry.read(name)?).map_err(Failure::other)?;
            for (tap, rows) in
                [("features", &mut features), ("logits", &mut logits), ("spatial", &mut spatial)]
            {
                if let Some(array) = state.remove(tap) {
                    rows.width = array.shape[1];
                    rows.numbers.extend(array.values);
                }
            }
        }
        let unreadable = match entry.has(UNREADABLE) {
            true => serde_json::from_slice::<Vec<String>>(&entry.read(UNREADABLE)?)
                .map_err(Failure::other)?
                .len(),
            false => 0,
        };
        let points =
            |rows: Rows| Features::checked(rows.width, rows.numbers).map_err(Failure::other);
        Ok(Self {
            features: points(features)?,
            logits: (logits.width > 0).then(|| Logits::new(logits.width, logits.numbers)),
            spatial: (spatial.width > 0).then(|| points(spatial)).transpose()?,
            unreadable,
        })
    }
}
