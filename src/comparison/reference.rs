//! The real side: pictures, statistics of pictures, or both in one file.
//!
//! ADM's reference batches (`VIRTUAL_imagenet256_labeled.npz`) hold statistics of all training
//! pictures and 10,000 of the pictures: Fréchet distances are to the former, everything else to the
//! latter, as in its evaluator.

use std::path::Path;
use std::sync::Arc;

use super::album::{Album, whole};
use super::request::{Request, name_of};
use crate::lab::metrics::{NpzError, StatisticsFile};
use crate::terms::{Files, Key, Problem, Window};

/// Digits of a key in a protocol.
const DIGITS: usize = 8;

/// What the real side is.
pub(super) struct Reference {
    /// What a file says of it, with the key of the file.
    pub(super) statistics: Option<(Arc<StatisticsFile>, Key)>,
    /// Its pictures, if any are needed.
    pub(super) album: Option<Arc<Album>>,
}

impl Reference {
    /// Opens what `--real` names, as far as it is needed.
    ///
    /// # Errors
    /// If it is neither, or holds statistics of other features than `extractor` makes.
    pub(super) fn open(
        request: &Request,
        extractor: &str,
        files: &dyn Files,
    ) -> Result<Self, Problem> {
        let statistics = statistics(&request.real, files)?;
        if let Some((file, _)) = &statistics
            && let Some(other) = file.extractor.as_ref().filter(|other| *other != extractor)
        {
            let found = format!("`{}` holds statistics of `{other}`", request.real);
            let hint = "measure both sides by one `--protocol`, `--extractor` and `--weights`";
            return Err(Problem::new("--real", found, format!("of `{extractor}`")).hint(hint));
        }
        let open = || request.album("--real", &request.real, files).map(Arc::new);
        let needed = request.needs_pictures(statistics.is_some());
        let album = match &statistics {
            None => Some(open()?),
            // It may hold pictures as well; if not, their scores are refused one by one.
            Some(_) if needed => open().ok(),
            Some(_) => None,
        };
        Ok(Self { statistics, album: album.filter(|_| needed) })
    }

    /// Returns what it is called in protocols: its name and the first digits of what it holds.
    pub(super) fn name(&self, place: &str, pictures: Option<&Key>) -> String {
        let keys = [self.statistics.as_ref().map(|(_, key)| key), pictures];
        let digits = keys.into_iter().flatten().map(|key| key.hex()[..DIGITS].to_owned());
        let digits: Vec<String> = digits.collect();
        format!("{}@{}", name_of(place), digits.join("+"))
    }

    /// Returns what protocols say of statistics that do not say what they are of.
    pub(super) fn origin(&self) -> Option<String> {
        let (file, _) = self.statistics.as_ref()?;
        file.extractor.is_none().then(|| "ref-extractor=unknown".to_owned())
    }
}

/// Returns what a file says of the real side, if it is a file of statistics.
fn statistics(
    place: &str,
    files: &dyn Files,
) -> Result<Option<(Arc<StatisticsFile>, Key)>, Problem> {
    let path = Path::new(place);
    if !place.to_ascii_lowercase().ends_with(".npz") || files.is_folder(path) != Some(false) {
        return Ok(None);
    }
    let wrong = |found: String| {
        Problem::new("--real", format!("`{place}`: {found}"), "statistics with `mu` and `sigma`")
    };
    let window = Window::open(path, files).map_err(|error| wrong(error.to_string()))?;
    match StatisticsFile::read(std::io::BufReader::new(window)) {
        Ok(file) => {
            let key = whole(path, files).map_err(|error| wrong(error.to_string()))?;
            Ok(Some((Arc::new(file), key)))
        }
        // Without `mu` it may be samples, and what is no archive is told as an album.
        Err(NpzError::Missing { member, .. }) if member == "mu.npy" => Ok(None),
        Err(NpzError::NoArchive(_)) => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
    }
}
