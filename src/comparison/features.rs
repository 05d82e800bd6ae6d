//! A set of pictures through a network, once: blocks of features in the store, keyed by content.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::album::{Album, Block, Damaged, Decoded};
use crate::engine::{Bench, Context, Entry, Estimate, Failure, Inputs, Stage};
use crate::lab::metrics::extractors::{Encoder, Network, Preprocessing, WrongWeights};
use crate::lab::metrics::{Extractor as _, Features, Logits};
use crate::nets::weights::{Array, State, read_safetensors, write_safetensors};
use crate::terms::{Files, Key, Picture, Problem, Problems};

/// Pictures per file on the bench: what a kill costs at most.
const BLOCK: usize = 256;

/// Unreadable pictures that are named one by one.
const SHOWN: usize = 20;

/// A network with its weights, and what becomes of a picture before it.
pub struct Extraction {
    /// The network.
    pub network: Network,
    /// What becomes of a picture.
    pub preprocessing: Preprocessing,
    /// The weights.
    pub weights: State,
    /// The file they are from; decides no result.
    pub weights_path: PathBuf,
    /// The hash of that file, in hexadecimal digits.
    pub weights_hash: String,
    /// Where the network runs; decides no result.
    pub device: Device,
}

impl Extraction {
    pub(super) fn encoder(&self) -> Result<Encoder, WrongWeights> {
        let Self { network, preprocessing, weights, weights_hash, device, .. } = self;
        Encoder::new(*network, *preprocessing, weights, weights_hash, device)
    }
}

/// Puts an album through a network.
pub(super) struct FeaturesStage {
    pub(super) album: Arc<Album>,
    /// The key of the album's content.
    pub(super) content: Key,
    pub(super) extraction: Arc<Extraction>,
    pub(super) files: Arc<dyn Files>,
    /// Whether pictures that cannot be read are left out. Decides no feature, so that blocks that
    /// are done serve either way; who reads the features asks what was left out.
    pub(super) skip_unreadable: bool,
}

/// A picture that was left out: its position in the album, and why.
pub(super) type LeftOut = (usize, String);

/// What a block is beside its features.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Facts {
    left_out: Vec<LeftOut>,
    /// How many pictures were JPEG.
    lossy: usize,
    /// Width and height, if all pictures share them.
    size: Option<(usize, usize)>,
}

impl Facts {
    fn of(pictures: &[Decoded], left_out: Vec<LeftOut>) -> Self {
        let lossy = pictures.iter().filter(|it| it.lossy).count();
        let mut sizes = pictures.iter().map(|it| (it.picture.width(), it.picture.height()));
        let first = sizes.next();
        Self { left_out, lossy, size: first.filter(|first| sizes.all(|size| size == *first)) }
    }
}

/// Why a visit of the album ended early.
enum Ended {
    /// Nobody listens any more.
    Unheard,
    Damaged(Damaged),
}

impl From<Damaged> for Ended {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

impl Stage for FeaturesStage {
    fn kind(&self) -> &'static str {
        "features"
    }

    fn version(&self) -> u32 {
        3
    }

    fn spec(&self) -> Value {
        json!({
            "network": self.extraction.network,
            "preprocessing": self.extraction.preprocessing,
            "weights": self.extraction.weights_hash,
            "pictures": self.content.hex(),
            "jpeg": super::DECODER,
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
        let encoder = self.extraction.encoder().map_err(Failure::other)?;
        let total = self.album.len();
        let done: BTreeSet<usize> =
            bench.names()?.iter().filter_map(|name| block_of(name)).collect();
        let (mut seen, mut unreadable) = (done.len() * BLOCK, Vec::new());
        thread::scope(|scope| {
            let (send, receive) = sync_channel::<(usize, Block)>(1);
            let (done, album, files) = (&done, &self.album, &*self.files);
            // Decodes the next block while the network looks at this one.
            let reader = scope.spawn(move || {
                let wanted = |block| !done.contains(&block);
                album.visit(files, BLOCK, &wanted, &mut |block, pictures| {
                    send.send((block, pictures)).map_err(|_| Ended::Unheard)
                })
            });
            for (block, pictures) in receive {
                context.proceed()?;
                seen += pictures.len();
                let (pictures, left_out) = sort(block, pictures);
                // After the first one the rest is only counted, unless they may be left out.
                unreadable.extend_from_slice(&left_out);
                if self.skip_unreadable || unreadable.is_empty() {
                    // Facts first: features say that a block is done.
                    let facts = Facts::of(&pictures, left_out);
                    let facts = serde_json::to_vec(&facts).expect("facts are plain data");
                    bench.put(&facts_of(block), &facts)?;
                    bench.put(&file_of(block), &extract(&encoder, &pictures))?;
                }
                context.progress(seen.min(total), total, "pictures");
            }
            match reader.join().expect("reading does not panic") {
                Ok(()) | Err(Ended::Unheard) => Ok(()),
                Err(Ended::Damaged(Damaged(why))) => {
                    let path = self.album.path().to_string_lossy();
                    let whole = "a file that can be read to its end";
                    Err(Failure::Wrong(Problem::new(path, why, whole).into()))
                }
            }
        })?;
        if unreadable.is_empty() || self.skip_unreadable {
            return Ok(());
        }
        Err(wrong(&self.album, &unreadable))
    }
}

/// Parts a block into pictures and what cannot be read.
fn sort(block: usize, pictures: Block) -> (Vec<Decoded>, Vec<LeftOut>) {
    let (mut readable, mut left_out) = (Vec::new(), Vec::new());
    for (i, picture) in pictures.into_iter().enumerate() {
        match picture {
            Ok(picture) => readable.push(picture),
            Err(why) => left_out.push((block * BLOCK + i, why)),
        }
    }
    (readable, left_out)
}

/// Names pictures that cannot be read, the first of them one by one.
pub(super) fn wrong(album: &Album, unreadable: &[LeftOut]) -> Failure {
    let hint = "replace them, take them out, or leave them out with `--skip-unreadable`";
    let problem = |(i, why): &LeftOut| {
        Problem::new(album.address(*i), why.clone(), "a picture that can be read")
    };
    let mut problems: Vec<Problem> = unreadable.iter().take(SHOWN).map(problem).collect();
    if let Some(last) = problems.last_mut() {
        let (count, total) = (unreadable.len(), album.len());
        last.hint = Some(format!("{count} of {total} pictures cannot be read; {hint}"));
    }
    Failure::Wrong(Problems(problems))
}

fn file_of(block: usize) -> String {
    format!("block-{block:06}.safetensors")
}

fn facts_of(block: usize) -> String {
    format!("block-{block:06}.json")
}

fn block_of(name: &str) -> Option<usize> {
    name.strip_prefix("block-")?.strip_suffix(".safetensors")?.parse().ok()
}

/// Returns the taps of some pictures as a file.
fn extract(encoder: &Encoder, pictures: &[Decoded]) -> Vec<u8> {
    let mut state = State::new();
    if !pictures.is_empty() {
        let pictures: Vec<&Picture> = pictures.iter().map(|it| &it.picture).collect();
        let taps = encoder.taps(&pictures);
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

/// Which of a network's answers are read beside its features.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Beside {
    pub(super) logits: bool,
    pub(super) spatial: bool,
}

/// What a network said of an album.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FeatureSet {
    pub(super) features: Features,
    pub(super) logits: Option<Logits>,
    pub(super) spatial: Option<Features>,
    /// What was left out, because it could not be read.
    pub(super) left_out: Vec<LeftOut>,
    /// How many pictures were JPEG.
    lossy: usize,
    /// Width and height, if all pictures share them.
    pub(super) size: Option<(usize, usize)>,
}

#[derive(Default)]
struct Rows {
    width: usize,
    numbers: Vec<f32>,
}

impl FeatureSet {
    /// Reads what the stage left.
    pub(super) fn read(entry: &Entry, beside: Beside) -> Result<Self, Failure> {
        let [mut features, mut logits, mut spatial] = [(); 3].map(|()| Rows::default());
        let mut blocks: Vec<usize> = entry.names().filter_map(block_of).collect();
        blocks.sort_unstable();
        let (mut left_out, mut lossy, mut sizes) = (Vec::new(), 0, Vec::new());
        for block in &blocks {
            let mut state =
                read_safetensors(&entry.read(&file_of(*block))?).map_err(Failure::other)?;
            for (tap, wanted, rows) in [
                ("features", true, &mut features),
                ("logits", beside.logits, &mut logits),
                ("spatial", beside.spatial, &mut spatial),
            ] {
                if let Some(array) = state.remove(tap).filter(|_| wanted) {
                    if rows.width == 0 {
                        // All blocks but the last are of one size: the room is known.
                        rows.numbers.reserve_exact(array.values.len() * blocks.len());
                    }
                    rows.width = array.shape[1];
                    rows.numbers.extend(array.values);
                }
            }
            let facts = entry.read(&facts_of(*block))?;
            let facts: Facts = serde_json::from_slice(&facts).map_err(Failure::other)?;
            left_out.extend(facts.left_out);
            lossy += facts.lossy;
            sizes.push(facts.size);
        }
        if features.width == 0 {
            return Err(Failure::other("measure a set of which no picture can be read"));
        }
        sizes.dedup();
        let points =
            |rows: Rows| Features::checked(rows.width, rows.numbers).map_err(Failure::other);
        Ok(Self {
            features: points(features)?,
            logits: (logits.width > 0).then(|| Logits::new(logits.width, logits.numbers)),
            spatial: (spatial.width > 0).then(|| points(spatial)).transpose()?,
            left_out,
            lossy,
            size: if let [Some(size)] = sizes[..] { Some(size) } else { None },
        })
    }

    /// Returns the share of pictures that were JPEG.
    pub(super) fn lossy_share(&self) -> f64 {
        self.lossy as f64 / self.features.n() as f64
    }

    /// Returns the position in the album of every row.
    pub(super) fn positions(&self) -> Vec<usize> {
        let gone: BTreeSet<usize> = self.left_out.iter().map(|(i, _)| *i).collect();
        let all = self.features.n() + gone.len();
        (0..all).filter(|i| !gone.contains(i)).collect()
    }
}
