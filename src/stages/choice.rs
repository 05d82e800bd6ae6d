//! Of several weights of a training, those are kept whose pictures are nearest to the real
//! validation pictures.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::measure::TrainedExtractor;
use super::sample::diverged;
use super::shards::{Item, SHARD, Set};
use super::upscale::Smaller;
use super::{Machine, generator, keeper, real, real_at};
use crate::engine::{Bench, Context, DiskFiles, Estimate, Failure, Inputs, Stage};
use crate::lab::classifiers::Sight;
use crate::lab::data::Dataset;
use crate::lab::generators::{
    Choice, Draw as _, Enlarging, Order, Pixel, PixelArtist, PixelTraining, UpscalingArtist,
};
use crate::lab::images::Channels;
use crate::lab::metrics::extractors::{Encoder, Network};
use crate::lab::metrics::{Extractor, Features, Frechet, fid};
use crate::nets::blocks::Site;
use crate::nets::classifier::{ClassifierNet, Input};
use crate::nets::unet::UNet;
use crate::nets::weights::{load_state, read_safetensors, read_weights};
use crate::terms::{Files as _, Key, Picture, Problem, Problems, Seed};

/// The file that says how near each candidate came.
const RESULT: &str = "choice.json";

/// Chooses among the weights that a generator stage has left.
pub struct ChoiceStage {
    /// What they were trained by.
    pub training: PixelTraining,
    /// How they are judged.
    pub choice: Choice,
    /// The address of the pictures' randomness.
    pub seed: u64,
    /// What the net sees.
    pub channels: Channels,
    /// Side of the pictures in pixels.
    pub size: usize,
    /// How it is shown smaller pictures; absent for a model that sees none.
    pub enlarging: Option<Enlarging>,
    /// The net that measures their pictures.
    pub by: JudgeNet,
    /// Where it runs.
    pub machine: Arc<Machine>,
}

/// The net that measures the pictures of candidates.
#[derive(Clone, Debug, PartialEq)]
pub enum JudgeNet {
    /// The classifier among the inputs: its architecture, what it sees, and how.
    Classifier(ClassifierNet, Input, Sight),
    /// The Inception of FID: the file of its weights, and the key of its content.
    Inception(String, Key),
}

/// What came of judging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// The step whose weights are kept.
    pub step: usize,
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// The feature space.
    pub extractor: String,
    /// How many validation pictures they were compared with.
    pub validation: usize,
}

/// One set of weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The step after which it was taken.
    pub step: usize,
    /// The distance of its pictures to the validation pictures.
    pub fid: f64,
}

impl Stage for ChoiceStage {
    fn kind(&self) -> &'static str {
        "choice"
    }

    fn version(&self) -> u32 {
        2
    }

    fn spec(&self) -> Value {
        // The rest is in the keys of candidates, classifier and pictures.
        let choice = self.choice.without_extractor();
        let mut spec = json!({"choice": choice, "seed": self.seed, "size": self.size});
        if let JudgeNet::Inception(_, content) = &self.by {
            spec["inception"] = json!(content);
        }
        spec
    }

    fn label(&self) -> String {
        format!("choice of {} weights at {} px", self.choice.at.len(), self.size)
    }

    fn estimate(&self) -> Estimate {
        let width: usize = self.training.net.channels.iter().sum();
        Estimate { seconds: 10.0, bytes: (width * width * 800) as u64 }
    }

    fn run(&self, inputs: &Inputs, bench: &Bench, context: &Context) -> Result<(), Failure> {
        let (train, val) = (real(inputs, "train")?, real(inputs, "val")?);
        if val.len() < 2 {
            let expected = "validation pictures, by which weights are chosen";
            let problem = Problem::new("data", format!("{} of them", val.len()), expected);
            return Err(Failure::Wrong(Problems::from(problem)));
        }
        let smaller = match self.enlarging {
            None => None,
            Some(_) => Some(real_at(inputs, generator::SMALLER, "train")?),
        };
        let extractor = self.extractor(inputs, train.classes.len())?;
        let pictures: Vec<&Picture> = val.examples.iter().map(|e| e.picture.as_ref()).collect();
        let judge = Judge {
            stage: self,
            items: self.items(&train),
            real: extractor.taps(&pictures).features,
            extractor,
            train: &train,
            smaller: smaller.as_ref().map(Smaller::real),
        };
        let mut candidates = Vec::new();
        for (i, &step) in self.choice.at.iter().enumerate() {
            context.progress(i, self.choice.at.len(), "candidates");
            candidates.push(judge.candidate(step, inputs, (bench, context))?);
        }
        let best = candidates.iter().min_by(|a, b| a.fid.total_cmp(&b.fid));
        let step = best.expect("a choice has candidates").step;
        let weights = inputs.read(generator::INPUT, &keeper::weights_after(step))?;
        let chosen = Chosen {
            step,
            candidates,
            extractor: judge.extractor.describe(),
            validation: val.len(),
        };
        bench.put(keeper::WEIGHTS, &weights)?;
        bench.put(RESULT, &super::json(&chosen))?;
        Ok(())
    }
}

impl ChoiceStage {
    fn extractor(&self, inputs: &Inputs, classes: usize) -> Result<Box<dyn Extractor>, Failure> {
        let (path, content) = match &self.by {
            JudgeNet::Classifier(net, input, sight) => {
                let at = (*input, classes, self.machine.as_ref());
                return Ok(Box::new(TrainedExtractor::read(inputs, net, *sight, at)?));
            }
            JudgeNet::Inception(path, content) => (Path::new(path), content),
        };
        let read = DiskFiles.read(path).map_err(|error| Failure::io("read", path, error))?;
        if *content != Key::of_bytes(&read) {
            let found = format!("`{}` has changed since the run began", path.display());
            return Err(Failure::other(found));
        }
        let weights = read_weights(path).map_err(Failure::other)?;
        let hash: String = Sha256::digest(&read).iter().map(|byte| format!("{byte:02x}")).collect();
        let (network, device) = (Network::Inception, &self.machine.device);
        let encoder = Encoder::new(network, network.preprocessing(), &weights, &hash, device);
        Ok(Box::new(encoder.map_err(Failure::other)?))
    }

    /// Returns what to draw: in turns over the classes, from randomness that draws nothing else.
    fn items(&self, train: &Dataset) -> Vec<Item> {
        let root = Seed::root(self.seed).child("choice").index(self.size as u64);
        let copies = (0..).flat_map(|copy| Set { root, draw: 0, copy }.items(train));
        copies.take(self.choice.pictures).collect()
    }
}

/// What all candidates of a choice share.
struct Judge<'a> {
    stage: &'a ChoiceStage,
    items: Vec<Item>,
    real: Features,
    extractor: Box<dyn Extractor>,
    train: &'a Dataset,
    smaller: Option<Smaller<'a>>,
}

impl Judge<'_> {
    /// Measures one candidate, or reads from the bench what came of it.
    fn candidate(
        &self,
        step: usize,
        inputs: &Inputs,
        (bench, context): (&Bench, &Context),
    ) -> Result<Candidate, Failure> {
        let name = format!("candidate-{step:07}.json");
        if let Some(known) = bench.get(&name)? {
            return serde_json::from_slice(&known).map_err(Failure::other);
        }
        let weights = inputs.read(generator::INPUT, &keeper::weights_after(step))?;
        let fake = self.features(&weights, context)?;
        let fid = match fid(&self.real, &fake) {
            Frechet::Sound(distance) => distance.value,
            Frechet::RankDeficient(distance) => {
                context.warn("fewer pictures than features: the order of candidates is uncertain");
                distance.value
            }
            Frechet::Indefinite { .. } => {
                return Err(Failure::other(format!("no distance for the weights of step {step}")));
            }
        };
        let candidate = Candidate { step, fid };
        bench.put(&name, &super::json(&candidate))?;
        Ok(candidate)
    }

    /// Draws with some weights and returns the features of what came.
    fn features(&self, weights: &[u8], context: &Context) -> Result<Features, Failure> {
        let ChoiceStage { training, choice, seed, .. } = self.stage;
        let (sampler, guidance) = (choice.sampler, choice.guidance);
        let (training, seed) = (training.clone(), *seed);
        let pixel = Pixel { training, sampler, guidance, clip: true, seed };
        let artist = self.artist(&pixel, weights)?;
        let mut rows = Vec::new();
        for part in self.items.chunks(SHARD) {
            context.proceed()?;
            let drawn = artist.draw(part)?.map_err(|at| diverged(&pixel, &part[at]))?;
            let pictures: Vec<&Picture> = drawn.iter().collect();
            rows.extend_from_slice(self.extractor.taps(&pictures).features.rows());
        }
        Ok(Features::new(self.real.d(), rows))
    }

    fn artist<'b>(&'b self, pixel: &'b Pixel, weights: &[u8]) -> Result<Artist<'b>, Failure> {
        let ChoiceStage { channels, size, enlarging, machine, .. } = self.stage;
        let classes = self.train.classes.len();
        let net = &pixel.training.net;
        let config = match enlarging {
            None => net.config(*channels, classes),
            Some(_) => net.enlarging(*channels, classes),
        };
        let state = read_safetensors(weights).map_err(Failure::other)?;
        let net = UNet::new(&config, &Site::blank(&machine.device));
        let pixel = PixelArtist {
            spec: pixel,
            net: load_state(net, &state).map_err(Failure::other)?,
            channels: *channels,
            size: *size,
            classes,
            device: machine.device.clone(),
        };
        Ok(match (&self.smaller, *enlarging) {
            (Some(smaller), Some(enlarging)) => {
                Artist::Enlarging(UpscalingArtist { pixel, enlarging, noise_level: 0.0 }, smaller)
            }
            _ => Artist::FromNoise(pixel),
        })
    }
}

/// What draws for a candidate.
enum Artist<'a> {
    FromNoise(PixelArtist<'a>),
    Enlarging(UpscalingArtist<'a>, &'a Smaller<'a>),
}

impl Artist<'_> {
    fn draw(&self, part: &[Item]) -> Result<Result<Vec<Picture>, usize>, Failure> {
        let orders: Vec<Order> = part.iter().map(|item| item.order).collect();
        Ok(match self {
            Self::FromNoise(artist) => artist.draw(&orders),
            Self::Enlarging(artist, smaller) => {
                let low = smaller.of(0, part)?;
                artist.draw(&orders, &low.iter().map(AsRef::as_ref).collect::<Vec<_>>())
            }
        })
    }
}
