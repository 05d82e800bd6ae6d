//! Sets of pictures against each other, as the published tools measure them.
//!
//! In reading order: an [`Album`] is pictures in a folder, an archive or a file; `features` puts
//! them through a published network once and keeps the result in the store, keyed by content;
//! [`Tool`] says how each published tool prepares pictures and computes its scores; `scores`
//! computes them; [`Comparison`] makes the graph of the work and reads what came of it;
//! [`weights`] knows where weights lie.
//!
//! Invariants: a number carries its protocol; what the literature's rules forbid is refused unless
//! it is asked for by name; a picture that cannot be read is never left out silently.

mod album;
mod features;
mod scores;
mod table;
mod tool;
pub mod weights;

pub use album::{Album, Pictures, Unreadable, Visit};
pub use features::Extraction;
pub use scores::{LEAST_PICTURES, Line, Scores};
pub use table::table;
pub use tool::{Tool, Wanted};

pub use crate::lab::metrics::extractors::Network;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use crate::engine::{Failure, Graph, NodeId, Store};
use crate::lab::metrics::{Extractor as _, NpzError, RandomState, Statistics, StatisticsFile};
use crate::terms::{Files, Key, Problem, Problems};
use features::{FeatureSet, FeaturesStage};
use scores::{FAKE, Measuring, REAL, ScoresStage};

/// What decodes JPEG files, for protocols: the arithmetic, which all tools on Pillow share.
const DECODER: &str = "libjpeg-turbo";

/// The seed of the draws of `--draw`, torch-fidelity's.
const DRAW_SEED: u32 = 2020;

/// What shall be compared, and how.
pub struct Request {
    /// Whose way of measuring.
    pub tool: Tool,
    /// The scores.
    pub wanted: BTreeSet<Wanted>,
    /// The place of the real pictures, or of an `.npz` with their statistics.
    pub real: String,
    /// The places of the generated pictures.
    pub fakes: Vec<String>,
    /// How many pictures of each place to draw; `None`: all.
    pub draw: Option<usize>,
    /// Whether distances of few pictures are shown.
    pub allow_small_n: bool,
    /// Whether generated sets of different sizes may stand side by side.
    pub allow_different_n: bool,
    /// Whether pictures that cannot be read are left out.
    pub skip_unreadable: bool,
    /// Whether intervals that take long are computed.
    pub intervals: bool,
}

/// A comparison that is ready to run.
pub struct Comparison {
    /// The work.
    pub graph: Graph,
    /// What may be wrong with the pictures, seen before any is decoded.
    pub warnings: Vec<String>,
    /// The scores of each generated side, in the order of the request.
    targets: Vec<NodeId>,
    real: Option<NodeId>,
    names: Vec<String>,
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
        let extractor =
            extraction.encoder().map_err(|error| weights::misfit("--weights", &error))?;
        let statistics = statistics(&request.real, &**files)?;
        let open = |option: &str, place: &String| drawn(option, place, request.draw, &**files);
        let mut problems = Vec::new();
        let mut album = |option: &str, place: &String| {
            open(option, place).map_err(|problem| problems.push(problem)).ok()
        };
        let real = if statistics.is_some() { None } else { album("--real", &request.real) };
        let fakes: Vec<Album> =
            request.fakes.iter().filter_map(|place| album("--fake", place)).collect();
        problems.extend(different_sizes(request, &fakes));
        problems.extend(too_few(request, real.iter().chain(&fakes)));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let mut graph = Graph::default();
        let warnings = parity(real.as_ref(), &fakes);
        let mut node = |album: Album| -> Result<NodeId, Problems> {
            let stage = FeaturesStage {
                content: album.key(&**files)?,
                album,
                extraction: extraction.clone(),
                files: files.clone(),
                skip_unreadable: request.skip_unreadable,
            };
            Ok(graph.add(Arc::new(stage), &[]))
        };
        let real = real.map(&mut node).transpose()?;
        let fakes = fakes.into_iter().map(&mut node).collect::<Result<Vec<_>, _>>()?;
        let measuring = Measuring {
            tool: request.tool,
            network: extraction.network,
            wanted: request.wanted.clone(),
            extractor: extractor.describe(),
            reference: name_of(&request.real),
            allow_small_n: request.allow_small_n,
            intervals: request.intervals,
        };
        let names = names_of(&request.fakes);
        let targets = fakes.iter().zip(&names).map(|(fake, name)| {
            let stage = ScoresStage {
                measuring: measuring.clone(),
                statistics: statistics.clone(),
                name: name.clone(),
            };
            let mut inputs = vec![(FAKE, *fake)];
            inputs.extend(real.map(|real| (REAL, real)));
            graph.add(Arc::new(stage), &inputs)
        });
        let targets = targets.collect();
        Ok(Self { graph, targets, warnings, real, names })
    }

    /// Reads the scores of each generated side, by its name.
    ///
    /// # Errors
    /// If they are not there, or cannot be read.
    pub fn scores(&self, store: &Store) -> Result<Vec<(String, Scores)>, Failure> {
        let read = |(id, name): (&NodeId, &String)| {
            let entry = store.find(self.graph.node(*id).key())?.whole();
            let entry = entry.ok_or_else(|| Failure::other("the scores are not there"))?;
            Ok((name.clone(), Scores::read(&entry)?))
        };
        self.targets.iter().zip(&self.names).map(read).collect()
    }

    /// Returns the nodes to run: the scores, and with `statistics` the features of the real side
    /// too, which may be gone while the scores are there.
    pub fn targets(&self, statistics: bool) -> Vec<NodeId> {
        self.targets.iter().copied().chain(self.real.filter(|_| statistics)).collect()
    }

    /// Returns the statistics of the real side as a file that other tools read.
    ///
    /// # Errors
    /// If there are no features of it, or they cannot be read.
    pub fn statistics(&self, store: &Store) -> Result<Vec<u8>, Failure> {
        let none = || Failure::other("the real side is a file of statistics already");
        let key = self.graph.node(self.real.ok_or_else(none)?).key();
        let entry = store.find(key)?.whole();
        let set = FeatureSet::read(&entry.ok_or_else(|| Failure::other("no features"))?)?;
        let pooled = Statistics::of_features(&set.features);
        let spatial = set.spatial.as_ref().map(Statistics::of_features);
        Ok(StatisticsFile { pooled, spatial }.to_npz())
    }
}

/// Returns what a file says of the real side, with its hash, if it is a file of statistics.
fn statistics(
    place: &str,
    files: &dyn Files,
) -> Result<Option<(Arc<StatisticsFile>, String)>, Problem> {
    let path = Path::new(place);
    if !place.ends_with(".npz") || files.is_folder(path) != Some(false) {
        return Ok(None);
    }
    let wrong = |found: String| {
        Problem::new("--real", format!("`{place}`: {found}"), "statistics with `mu` and `sigma`")
    };
    let content = files.read(path).map_err(|error| wrong(error.to_string()))?;
    match StatisticsFile::read(Cursor::new(&content)) {
        Ok(file) => Ok(Some((Arc::new(file), Key::of_bytes(&content).hex()))),
        // Without `mu` it may be samples, and what is no archive is told as an album.
        Err(NpzError::Missing { member, .. }) if member == "mu.npy" => Ok(None),
        Err(NpzError::NoArchive(_)) => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Opens an album and draws from it as torch-fidelity's tests do.
fn drawn(
    option: &str,
    place: &str,
    draw: Option<usize>,
    files: &dyn Files,
) -> Result<Album, Problem> {
    let album = Album::open(option, place, files)?;
    let Some(count) = draw else { return Ok(album) };
    if count == 0 || count > album.len() {
        let found = format!("`{place}` has {} pictures", album.len());
        return Err(Problem::new("--draw", found, format!("at least {count}, and one to draw")));
    }
    Ok(album.select(&RandomState::new(DRAW_SEED).choice(album.len(), count)))
}

/// Scores depend on the number of pictures, so sets of different sizes are not one table.
fn different_sizes(request: &Request, fakes: &[Album]) -> Option<Problem> {
    let first = fakes.first()?.len();
    let other = fakes.iter().find(|album| album.len() != first)?;
    if request.allow_different_n {
        return None;
    }
    let path = other.path().display();
    let found = format!("`{path}` has {} pictures, the first set {first}", other.len());
    let hint = "`--draw N` takes as many of each; `--allow-different-n` compares them all the same";
    Some(Problem::new("--fake", found, "sets of one size, as distances shrink with it").hint(hint))
}

/// Finds before any work starts that nothing would come of it.
fn too_few<'a>(request: &Request, mut albums: impl Iterator<Item = &'a Album>) -> Option<Problem> {
    if request.allow_small_n || !request.wanted.iter().all(|wanted| wanted.needs_many()) {
        return None;
    }
    let few = albums.find(|album| album.len() < LEAST_PICTURES)?;
    let found = format!("`{}` has {} pictures", few.path().display(), few.len());
    let expected = format!("at least {LEAST_PICTURES} for a distance of moments");
    let hint =
        "of fewer it says more about their number than about them; `--allow-small-n` shows it";
    Some(Problem::new("metrics", found, expected).hint(hint))
}

/// Says where one side is compressed and the other is not.
fn parity(real: Option<&Album>, fakes: &[Album]) -> Vec<String> {
    let Some(real) = real else { return Vec::new() };
    let differs = |fake: &&Album| (real.lossy_share() - fake.lossy_share()).abs() > 0.5;
    let say = |fake: &Album| {
        let [of_real, of_fake] = [real, fake].map(|album| 100.0 * album.lossy_share());
        let path = fake.path().display();
        format!(
            "{of_real:.0} % of the real pictures are JPEG and {of_fake:.0} % of `{path}`: scores \
             also measure the compression"
        )
    };
    fakes.iter().filter(differs).map(say).collect()
}

/// Returns what a place is called in tables and protocols.
fn name_of(place: &str) -> String {
    let path = Path::new(place);
    let name = path.file_name().map_or(place.into(), |name| name.to_string_lossy());
    name.replace([';', '[', ']'], "_")
}

/// Returns what places are called; those that would share a name bear their whole paths.
fn names_of(places: &[String]) -> Vec<String> {
    let short: Vec<String> = places.iter().map(|place| name_of(place)).collect();
    let name = |(place, name): (&String, &String)| {
        let shared = short.iter().filter(|other| *other == name).count() > 1;
        if shared { place.replace([';', '[', ']'], "_") } else { name.clone() }
    };
    places.iter().zip(&short).map(name).collect()
}
