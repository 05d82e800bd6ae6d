//! The classes of ImageNet and of its children: WordNet's noun synsets, such as `n02084071`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::terms::{ClassId, ClassNames, Files, Problem, nearest};

/// Synsets in byte order, and what they are called.
pub(super) struct Synsets {
    /// The ids, in class order.
    pub(super) ids: Vec<String>,
    /// The names, in class order.
    pub(super) names: ClassNames,
}

impl Synsets {
    /// Sorts ids and names them by a file of lines `<synset><tab or blank><words, ...>`; without
    /// one (an empty path) they are their own names. `source` is where the ids come from.
    pub(super) fn new(
        mut ids: Vec<String>,
        source: &Path,
        words: &str,
        files: &dyn Files,
    ) -> Result<Self, Problem> {
        ids.retain(|id| !id.is_empty());
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            let found = format!("synset `{}` twice", twice[0]);
            return Err(Problem::new(source.to_string_lossy(), found, "every synset once"));
        }
        if ids.is_empty() {
            return Err(Problem::new(source.to_string_lossy(), "no synset", "at least one"));
        }
        if words.is_empty() {
            let names = ClassNames::new(&ids);
            return Ok(Self { ids, names });
        }
        let text = text(Path::new(words), files)?;
        let known = meanings(&text);
        let first = |id: &String| known.get(id.as_str()).cloned();
        let meant: Vec<Option<String>> = ids.iter().map(first).collect();
        let name = |(id, name): (&String, &Option<String>)| match name {
            None => id.clone(),
            Some(name) if meant.iter().filter(|other| other.as_ref() == Some(name)).count() > 1 => {
                format!("{name} ({id})")
            }
            Some(name) => name.clone(),
        };
        let names = ClassNames::new(ids.iter().zip(&meant).map(name));
        Ok(Self { ids, names })
    }

    /// Returns the class of a synset.
    pub(super) fn class(
        &self,
        id: &str,
        place: impl FnOnce() -> String,
    ) -> Result<ClassId, Problem> {
        if let Ok(position) = self.ids.binary_search_by(|known| known.as_str().cmp(id)) {
            return Ok(ClassId(u32::try_from(position).expect("class counts fit in u32")));
        }
        let found = format!("synset `{}`", id.escape_debug());
        let problem = Problem::new(place(), found, "a synset of the training data");
        Err(match nearest(id, self.ids.iter().map(String::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("the map is of another set of classes"),
        })
    }
}

/// Returns the first word of every synset.
fn meanings(text: &str) -> BTreeMap<&str, String> {
    let line = |line| {
        let (id, words) = str::split_once(line, ['\t', ' '])?;
        let first = words.split(',').next()?.trim();
        (!first.is_empty()).then(|| (id, first.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// Reads a text file.
pub(super) fn text(path: &Path, files: &dyn Files) -> Result<String, Problem> {
    let problem = |found: String| Problem::new(path.to_string_lossy(), found, "a text file");
    let bytes = files.read(path).map_err(|e| problem(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Problem::new(format!("{}, byte {at}", path.display()), "no UTF-8", "a text file")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;

    fn synsets(ids: &[&str], words: &str) -> Result<Synsets, Problem> {
        let mut files = MemoryFiles::default();
        files.insert("words.txt", words.as_bytes().to_vec());
        let path = if words.is_empty() { "" } else { "words.txt" };
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Synsets::new(ids, Path::new("wnids.txt"), path, &files)
    }

    #[test]
    fn names_are_first_words_and_unlike() {
        let words = "n03\tcrane\nn01\tgoldfish, Carassius auratus\nn02\tcrane\nn09\tnobody\n";
        let got = synsets(&["n03", "n01", "n02", "n04"], words).unwrap();
        assert_eq!(got.ids, ["n01", "n02", "n03", "n04"]);
        let names = ["goldfish", "crane (n02)", "crane (n03)", "n04"];
        assert_eq!(got.names, ClassNames::new(names));
        // Kaggle's LOC_synset_mapping.txt has a blank behind the synset.
        let kaggle = synsets(&["n01"], "n01 tench, Tinca tinca").unwrap();
        assert_eq!(kaggle.names, ClassNames::new(["tench"]));
        assert_eq!(synsets(&["b", "a"], "").unwrap().names, ClassNames::new(["a", "b"]));
    }

    #[test]
    fn mistakes_are_named() {
        let text = |result: Result<Synsets, Problem>| result.err().unwrap().to_string();
        assert_eq!(
            text(synsets(&["a", "b", "a"], "")),
            "wnids.txt: synset `a` twice, expected every synset once"
        );
        let known = synsets(&["n02084071", "n01440764"], "").unwrap();
        let unknown = known.class("n02084017", || "map.txt, line 3".to_owned()).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "map.txt, line 3: synset `n02084017`, expected a synset of the training data\n\
             hint: did you mean `n02084071`?"
        );
    }
}
