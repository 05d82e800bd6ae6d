//! Where an experiment file is found: by path, by name under `experiments/`, or in the program
//! itself.

use std::path::Path;

use crate::terms::{Files, Problem, nearest};

/// The experiments that are part of the program, so that it works in an empty folder.
const BUILT_IN: [(&str, &str); 11] = [
    ("quickstart", include_str!("../../experiments/quickstart.toml")),
    ("known-truth", include_str!("../../experiments/known-truth.toml")),
    ("cascade", include_str!("../../experiments/cascade.toml")),
    ("table1", include_str!("../../experiments/table1.toml")),
    ("table2", include_str!("../../experiments/table2.toml")),
    ("table3", include_str!("../../experiments/table3.toml")),
    ("table4", include_str!("../../experiments/table4.toml")),
    ("figure3", include_str!("../../experiments/figure3.toml")),
    ("figure4", include_str!("../../experiments/figure4.toml")),
    ("figure5", include_str!("../../experiments/figure5.toml")),
    ("figure6", include_str!("../../experiments/figure6.toml")),
];

/// Returns the path (for messages) and the text of an experiment.
///
/// # Errors
/// If there is none of this name or path.
pub fn find(name: &str, files: &dyn Files) -> Result<(String, String), Problem> {
    let looks_like_path = name.ends_with(".toml");
    let paths = match looks_like_path {
        true => vec![name.to_owned()],
        false => vec![format!("experiments/{name}.toml"), format!("{name}.toml")],
    };
    for path in paths {
        match files.read(Path::new(&path)) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes)
                    .map_err(|_| Problem::new(&path, "bytes that are not UTF-8", "a TOML file"))?;
                return Ok((path, text));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Problem::new(path, error.to_string(), "a file that can be read"));
            }
        }
    }
    let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
    if let Some((known, text)) = built_in {
        return Ok((format!("experiments/{known}.toml"), (*text).to_owned()));
    }
    let known: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
    let problem = Problem::new(
        name,
        format!("no experiment `{name}`"),
        format!("a TOML file, or one of {}", known.join(", ")),
    );
    Err(match nearest(name, known) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint("give the path of a `.toml` file"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{PAPER, Request, resolve};
    use crate::terms::MemoryFiles;

    #[test]
    fn every_experiment_of_the_repository_is_built_in_and_makes_sense_at_tiny() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = files
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let mut known = BUILT_IN.map(|(name, _)| name.to_owned());
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known);
        for (name, text) in BUILT_IN {
            let nowhere = MemoryFiles::default();
            let resolved = resolve(name, text, &Request::default(), &nowhere);
            let resolved = resolved.unwrap_or_else(|problems| panic!("{name}: {problems}"));
            assert!(resolved.profile == "tiny" || resolved.profile == PAPER, "{name}");
        }
    }
}
