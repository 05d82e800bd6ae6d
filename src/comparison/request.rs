//! What shall be compared, and which of it the rules of the literature forbid.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::album::Album;
use super::measuring::least_pictures;
use super::reference::Reference;
use super::tool::{Tool, Wanted};
use crate::lab::metrics::RandomState;
use crate::lab::metrics::extractors::Network;
use crate::terms::{Files, Problem};

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
    /// The place of real pictures that the generator has not seen.
    pub unseen: Option<String>,
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
    /// Whether classes are measured one by one.
    pub per_class: bool,
    /// Whether the closest pairs are kept.
    pub pairs: bool,
    /// Whether statistics of the real side are asked for.
    pub statistics: bool,
}

impl Request {
    /// Opens an album and draws from it as torch-fidelity's tests do.
    pub(super) fn album(
        &self,
        option: &str,
        place: &str,
        files: &dyn Files,
    ) -> Result<Album, Problem> {
        let album = Album::open(option, place, files)?;
        let Some(count) = self.draw else { return Ok(album) };
        if count == 0 || count > album.len() {
            let found = format!("`{place}` has {} pictures", album.len());
            return Err(Problem::new(
                "--draw",
                found,
                format!("at least {count}, and one to draw"),
            ));
        }
        Ok(album.select(&RandomState::new(DRAW_SEED).choice(album.len(), count)))
    }

    /// Returns whether pictures of the real side have to go through the network.
    pub(super) fn needs_pictures(&self, has_statistics: bool) -> bool {
        let needs =
            |wanted: &Wanted| wanted.compares() && !(has_statistics && wanted.takes_statistics());
        self.per_class || self.pairs || self.statistics || self.wanted.iter().any(needs)
    }

    /// Finds, before any work starts, what is refused or would come to nothing.
    pub(super) fn mistakes(
        &self,
        network: Network,
        reference: &Reference,
        fakes: &[Arc<Album>],
    ) -> Vec<Problem> {
        let real = reference.album.as_deref();
        let mut found = Vec::new();
        found.extend(self.different_sizes(fakes));
        found.extend(self.too_few(network, real.into_iter().chain(fakes.iter().map(|it| &**it))));
        found.extend(self.no_pictures(reference));
        if self.per_class {
            found.extend(no_classes("--real", real));
            found.extend(fakes.iter().filter_map(|album| no_classes("--fake", Some(album))));
        }
        if self.wanted.contains(&Wanted::NearTrain) && self.unseen.is_none() {
            let expected = "real pictures that the generator was not trained on: `--unseen PLACE`";
            found.push(Problem::new("metrics near-train", "no unseen pictures", expected));
        }
        found
    }

    /// Scores depend on the number of pictures, so sets of different sizes are not one table.
    fn different_sizes(&self, fakes: &[Arc<Album>]) -> Option<Problem> {
        let first = fakes.first()?.len();
        let other = fakes.iter().find(|album| album.len() != first)?;
        if self.allow_different_n {
            return None;
        }
        let path = other.path().display();
        let found = format!("`{path}` has {} pictures, the first set {first}", other.len());
        let expected = "sets of one size, as distances shrink with it";
        let hint =
            "`--draw N` takes as many of each; `--allow-different-n` compares them all the same";
        Some(Problem::new("--fake", found, expected).hint(hint))
    }

    /// Finds that none of the scores would be shown, as sets are too small for all of them.
    fn too_few<'a>(
        &self,
        network: Network,
        mut albums: impl Iterator<Item = &'a Album>,
    ) -> Option<Problem> {
        if self.allow_small_n || !self.wanted.iter().all(|wanted| wanted.needs_many()) {
            return None;
        }
        let least = least_pictures(network);
        let few = albums.find(|album| album.len() < least)?;
        let found = format!("`{}` has {} pictures", few.path().display(), few.len());
        let expected = format!("at least {least} for a distance of moments");
        let hint =
            "of fewer it says more about their number than about them; `--allow-small-n` shows it";
        Some(Problem::new("metrics", found, expected).hint(hint))
    }

    /// Finds that statistics stand where pictures are needed for what was asked for by a flag.
    fn no_pictures(&self, reference: &Reference) -> Option<Problem> {
        let asked = [
            (self.statistics, "--write-statistics"),
            (self.per_class, "--per-class"),
            (self.pairs, "--pairs"),
        ];
        let (_, option) = asked.into_iter().find(|(asked, _)| *asked)?;
        reference.album.is_none().then(|| {
            let found = format!("`{}` holds statistics", self.real);
            Problem::new(option, found, "the real pictures themselves")
        })
    }

    /// Returns what the generated sides are called; those that would share a name bear their whole
    /// paths.
    pub(super) fn names(&self) -> Vec<String> {
        let short: Vec<String> = self.fakes.iter().map(|place| name_of(place)).collect();
        let name = |(place, name): (&String, &String)| {
            let shared = short.iter().filter(|other| *other == name).count() > 1;
            if shared { plain(place) } else { name.clone() }
        };
        self.fakes.iter().zip(&short).map(name).collect()
    }
}

/// Finds that pictures have no classes.
fn no_classes(option: &str, album: Option<&Album>) -> Option<Problem> {
    let album = album.filter(|album| album.classes().is_none())?;
    let found = format!("`{}` has pictures without a class", album.path().display());
    let expected = "a folder per class, labels in `dataset.json`, `arr_1`, or a column `label`";
    Some(Problem::new("--per-class", found, format!("{expected} ({option})")))
}

/// Returns what a place is called in tables and protocols.
pub(super) fn name_of(place: &str) -> String {
    let path = Path::new(place);
    plain(&path.file_name().map_or(place.into(), |name| name.to_string_lossy()))
}

/// Takes out what means something in a protocol.
fn plain(name: &str) -> String {
    name.replace([';', '[', ']'], "_")
}

/// Returns what protocols say of draws, if pictures were drawn: from how many of each side.
pub(super) fn drawn(sides: [Option<&Album>; 2]) -> Option<String> {
    let from = sides.map(|album| album.and_then(Album::drawn_from));
    if from.iter().all(Option::is_none) {
        return None;
    }
    let from = from.map(|n| n.map_or_else(|| "all".to_owned(), |n| n.to_string()));
    Some(format!("draw=mt19937-{DRAW_SEED}:{}", from.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_unless_they_would_meet() {
        assert_eq!(name_of("runs/a;b/samples[1]"), "samples_1_");
        assert_eq!(name_of("runs/fake/"), "fake");
    }
}
