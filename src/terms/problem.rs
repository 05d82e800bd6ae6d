//! A mistake of the user: where it stands, what was found, what was expected, and a hint.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::Files;

/// One mistake in what the user wrote or pointed to. Found before any work starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file (or command-line option) that holds the mistake.
    pub source: String,
    /// Bytes of the mistake inside the file, if it is a text file of ours.
    pub span: Option<Range<usize>>,
    /// What is there, as a lower-case fragment with names in backticks.
    pub found: String,
    /// What should be there.
    pub expected: String,
    /// What the user may do next.
    pub hint: Option<String>,
}

impl Problem {
    /// Starts a problem of a file or option.
    pub fn new(
        source: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            source: source.into(),
            span: None,
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    /// Says where in the file the mistake stands.
    #[must_use]
    pub fn at(mut self, span: Option<Range<usize>>) -> Self {
        self.span = span;
        self
    }

    /// Says what the user may do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Problem {
    /// Says what may have been meant, if anything is near.
    #[must_use]
    pub fn hint_near(self, near: Option<impl fmt::Display>) -> Self {
        match near {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, expected {}", self.source, self.found, self.expected)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// All mistakes that were found together. Never empty when it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Returns the path beside `path` whose name is nearest, for a path that leads nowhere.
pub fn near_path(path: &Path, files: &dyn Files) -> Option<String> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let entries = files.list(folder).unwrap_or_default();
    let names = entries.iter().filter_map(|(path, _)| path.file_name()?.to_str());
    let near = nearest(path.file_name()?.to_str()?, names)?;
    Some(folder.join(near).to_string_lossy().into_owned())
}

/// Returns the known name nearest to `name`, if one is near enough to be a slip of the hand.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_only() {
        let known = ["guidance", "sampler", "steps"];
        assert_eq!(nearest("guidence", known), Some("guidance"));
        assert_eq!(nearest("step", known), Some("steps"));
        assert_eq!(nearest("learning-rate", known), None);
    }
}
