//! Sets of pictures against each other, as the published tools measure them.
//!
//! In reading order: an [`Album`] is pictures in a folder, an archive or a file; `features` puts
//! them through a published network once and keeps the result in the store, keyed by content;
//! [`Tool`] says how each published tool prepares pictures and computes its scores; `measuring`
//! computes them, `scores` is the stage that keeps them; `reference` is what the real side may be;
//! [`Comparison`] makes the graph of the work and reads what came of it; [`weights`] knows where
//! weights lie.
//!
//! Invariants: a number carries its protocol; what the literature's rules forbid is refused unless
//! it is asked for by name; a picture that cannot be read is never left out silently.

mod album;
mod features;
mod measuring;
mod reference;
mod request;
mod scores;
mod sheet;
mod table;
mod tool;
pub mod weights;

pub use album::Album;
pub use features::Extraction;
pub use request::Request;
pub use scores::{ClassLine, Line, Scores};
pub use table::{class_table, table};
pub use tool::{Tool, Wanted};

pub use crate::lab::metrics::extractors::Network;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{Failure, Graph, NodeId, Store};
use crate::lab::metrics::{Extractor as _, Statistics, StatisticsFile};
use crate::terms::{Files, Key, Problem, Problems};
use features::{Beside, FeatureSet, FeaturesStage};
use measuring::Measuring;
use reference::Reference;
use scores::{FAKE, REAL, ScoresStage, UNSEEN};

/// What decodes JPEG files, for protocols: the arithmetic, which all tools on Pillow share.
const DECODER: &str = "libjpeg-turbo";

/// A comparison that is ready to run.
pub struct Comparison {
    /// The work.
    pub graph: Graph,
    /// What may be wrong with the pictures, seen before any is decoded.
    pub warnings: Vec<String>,
    /// The generated sides, in the order of the request.
    sets: Vec<Set>,
    real: Option<(NodeId, Arc<Album>)>,
    /// What the features of the real side are of.
    extractor: String,
}

/// A generated side.
struct Set {
    name: String,
    album: Arc<Album>,
    scores: NodeId,
}

impl Comparison {
    /// Finds the pictures and makes the graph of the work. Decodes nothing.
    ///
    /// # Errors
    /// If a place holds no pictures, sets of different sizes meet, or the weights do not fit.
    pub fn plan(
        request: &Request,
        extraction: &Arc<Extraction>,
        files: &Arc<dyn Files>,
    ) -> Result<Self, Problems> {
        let misfit = |error| weights::misfit(&extraction.weights_path, &error);
        let encoder = extraction.encoder().map_err(misfit)?;
        let extractor = encoder.describe();
        let reference = Reference::open(request, &extractor, &**files)?;
        let mut problems = Vec::new();
        let mut album = |option: &str, place: &String| {
            let album = request.album(option, place, &**files);
            album.map_err(|problem| problems.push(problem)).ok().map(Arc::new)
        };
        let fakes: Vec<_> = request.fakes.iter().filter_map(|it| album("--fake", it)).collect();
        let unseen = request.unseen.as_ref().and_then(|place| album("--unseen", place));
        problems.extend(request.mistakes(extraction.network, &reference, &fakes));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let mut plan = Plan { extraction, files, request, graph: Graph::default() };
        let warnings = warnings(&reference, &fakes);
        let real = reference.album.clone().map(|album| plan.features(album)).transpose()?;
        let unseen = unseen.map(|album| plan.features(album)).transpose()?;
        let names = request.names();
        let mut sets = Vec::new();
        for (album, name) in fakes.into_iter().zip(names) {
            let fake = plan.features(album.clone())?;
            let measuring = measuring(request, extraction, &extractor, &reference, &fake, &real);
            let inputs = [(REAL, &real), (UNSEEN, &unseen), (FAKE, &Some(fake.clone()))];
            let there = || inputs.iter().filter_map(|(name, it)| Some((*name, it.as_ref()?)));
            let albums: BTreeMap<_, _> =
                there().map(|(name, it)| (name, it.album.clone())).collect();
            let stage = ScoresStage {
                measuring,
                statistics: reference.statistics.clone(),
                albums,
                skip_unreadable: request.skip_unreadable,
                name: name.clone(),
            };
            let nodes: Vec<_> = there().map(|(name, it)| (name, it.node)).collect();
            sets.push(Set { name, album, scores: plan.graph.add(Arc::new(stage), &nodes) });
        }
        let real = real.map(|it| (it.node, it.album));
        Ok(Self { graph: plan.graph, warnings, sets, real, extractor })
    }

    /// Reads the scores of each generated side that is measured, by its name.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn scores(&self, store: &Store) -> Result<Vec<(String, Scores)>, Failure> {
        let read = |set: &Set| match store.find(self.graph.node(set.scores).key()) {
            Err(error) => Some(Err(error.into())),
            Ok(found) => {
                let entry = found.whole()?;
                Some(Scores::read(&entry).map(|scores| (set.name.clone(), scores)))
            }
        };
        self.sets.iter().filter_map(read).collect()
    }

    /// Returns the nodes to run: the scores, and with `statistics` the features of the real side
    /// too, which may be gone while the scores are there.
    pub fn targets(&self, statistics: bool) -> Vec<NodeId> {
        let real = self.real.iter().filter(|_| statistics).map(|(node, _)| *node);
        self.sets.iter().map(|set| set.scores).chain(real).collect()
    }

    /// Returns the statistics of the real side as a file that other tools read.
    ///
    /// # Errors
    /// If there are no features of it, they cannot be read, or a covariance needs more pictures.
    pub fn statistics(&self, store: &Store) -> Result<Vec<u8>, Failure> {
        let none = || Failure::other("there are no features of the real side");
        let (node, _) = self.real.as_ref().ok_or_else(none)?;
        let entry = store.find(self.graph.node(*node).key())?.whole().ok_or_else(none)?;
        let set = FeatureSet::read(&entry, Beside { logits: false, spatial: true })?;
        if set.features.n() < 2 {
            return Err(Failure::other("a covariance needs two pictures"));
        }
        let pooled = Statistics::of_features(&set.features);
        let spatial = set.spatial.as_ref().map(Statistics::of_features);
        let extractor = Some(self.extractor.clone());
        Ok(StatisticsFile { pooled, spatial, extractor }.to_npz())
    }
}

/// A graph in the making.
struct Plan<'a> {
    extraction: &'a Arc<Extraction>,
    files: &'a Arc<dyn Files>,
    request: &'a Request,
    graph: Graph,
}

/// An album that goes through the network.
#[derive(Clone)]
struct Planned {
    node: NodeId,
    key: Key,
    album: Arc<Album>,
}

impl Plan<'_> {
    fn features(&mut self, album: Arc<Album>) -> Result<Planned, Problem> {
        let key = album.key(&**self.files)?;
        let stage = FeaturesStage {
            content: key.clone(),
            album: album.clone(),
            extraction: self.extraction.clone(),
            files: self.files.clone(),
            skip_unreadable: self.request.skip_unreadable,
        };
        Ok(Planned { node: self.graph.add(Arc::new(stage), &[]), key, album })
    }
}

/// Says how one generated side is measured.
fn measuring(
    request: &Request,
    extraction: &Extraction,
    extractor: &str,
    reference: &Reference,
    fake: &Planned,
    real: &Option<Planned>,
) -> Measuring {
    let of_content = real.as_ref().map(|it| &it.key);
    let sides = [reference.album.as_deref(), Some(&*fake.album)];
    Measuring {
        tool: request.tool,
        network: extraction.network,
        wanted: request.wanted.clone(),
        extractor: extractor.to_owned(),
        reference: reference.name(&request.real, of_content),
        details: request::drawn(sides).into_iter().chain(reference.origin()).collect(),
        allow_small_n: request.allow_small_n,
        intervals: request.intervals,
        per_class: request.per_class,
        pairs: if request.pairs { sheet::PAIRS } else { 0 },
    }
}

/// Says what is in the places and is not measured.
fn warnings(reference: &Reference, fakes: &[Arc<Album>]) -> Vec<String> {
    let mut said: Vec<String> = reference
        .album
        .iter()
        .chain(fakes)
        .flat_map(|album| {
            let path = album.path().display();
            album.passed_over().iter().map(move |(ending, count)| {
                format!("{count} files with the ending `{ending}` in `{path}` are not measured")
            })
        })
        .collect();
    if reference.statistics.is_some() && fakes.iter().any(|it| it.drawn_from().is_some()) {
        said.push("`--draw` draws pictures, the statistics stay those of all".to_owned());
    }
    said
}
