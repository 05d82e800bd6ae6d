//! A report as a whole, and the files it consists of.

use std::collections::BTreeSet;

use serde_json::Value;

use super::figure::Figure;
use super::points::Points;
use super::table::Table;
use super::{csv, html, json, latex, markdown, parquet};

/// Sample pictures on one sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// A short name of letters, digits and dashes: its file name.
    pub name: String,
    /// What one sees, in a sentence; also read aloud to those who do not see the sheet.
    pub caption: String,
    /// The sheet as a PNG file, one pixel per pixel.
    pub png: Vec<u8>,
}

/// A report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The name of the experiment.
    pub experiment: String,
    /// The title for people.
    pub title: String,
    /// The profile (scale) it was run at; printed in the title line.
    pub profile: String,
    /// What the experiment asks, in a sentence; may be empty.
    pub question: String,
    /// What came out, in paragraphs; may be empty.
    pub summary: Vec<String>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The combinations of swept values; without any if nothing is swept.
    pub points: Points,
    /// The sheets of samples.
    pub sheets: Vec<Sheet>,
    /// Remarks for the end, one sentence each or more.
    pub notes: Vec<String>,
    /// How the numbers came about: resolved experiment file, keys, seeds, versions, machine, wall
    /// time per stage. The only part that may differ between two runs with the same results.
    pub provenance: Value,
}

impl Document {
    /// Returns all files of the report: paths below `reports/<experiment>/<profile>/`, with `/`
    /// between their parts, and contents.
    ///
    /// # Panics
    /// If a table, figure or sheet has a name that is no file name, or shares it with another one.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.check_names();
        let mut files: Vec<(String, Vec<u8>)> = vec![
            ("index.html".into(), html::page(self).into_bytes()),
            ("report.md".into(), markdown::report(self).into_bytes()),
            ("table.csv".into(), csv::tables(self)),
            ("table.parquet".into(), parquet::tables(self)),
            ("table.tex".into(), latex::tables(self).into_bytes()),
            ("table.json".into(), json::tables(self).into_bytes()),
            ("manifest.json".into(), json::pretty(&self.provenance).into_bytes()),
        ];
        if !self.points.points.is_empty() {
            files.push(("points.json".into(), json::pretty(&self.points).into_bytes()));
        }
        for figure in &self.figures {
            files.push((format!("plots/{}.svg", figure.name), figure.svg().into_bytes()));
            files.push((format!("plots/{}.png", figure.name), figure.png()));
        }
        for sheet in &self.sheets {
            files.push((format!("samples/{}.png", sheet.name), sheet.png.clone()));
        }
        files
    }

    fn check_names(&self) {
        let tables: Vec<_> = self.tables.iter().map(|table| &table.name).collect();
        let figures: Vec<_> = self.figures.iter().map(|figure| &figure.name).collect();
        let sheets: Vec<_> = self.sheets.iter().map(|sheet| &sheet.name).collect();
        for names in [tables, figures, sheets] {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            for name in &names {
                assert!(
                    !name.is_empty() && name.chars().all(plain),
                    "`{name}` names a file: letters, digits and dashes only"
                );
            }
            let different: BTreeSet<_> = names.iter().collect();
            assert_eq!(
                different.len(),
                names.len(),
                "two parts of a report share a name: {names:?}"
            );
        }
    }
}

/// Returns text that ends like a sentence.
pub(super) fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::testing::golden_path;

    /// Files whose text is kept as it is; the others are tested by what is in them.
    const KEPT: [&str; 4] = ["report.md", "table.csv", "table.tex", "table.json"];

    #[test]
    fn agrees_with_what_was_reviewed() {
        let files = sample::document().files();
        for name in KEPT {
            let (_, got) = files.iter().find(|(path, _)| path == name).expect("every kept file");
            let path = golden_path("report").join(name);
            let want = std::fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let got = String::from_utf8_lossy(got);
            for (i, (got, want)) in got.lines().zip(want.lines()).enumerate() {
                assert_eq!(got, want, "line {} of {name}", i + 1);
            }
            assert_eq!(got.len(), want.len(), "the end of {name}");
        }
    }

    /// Look at the difference before it is committed.
    #[test]
    #[ignore = "rewrites what `agrees_with_what_was_reviewed` compares with"]
    fn rewrite_what_was_reviewed() {
        for (path, content) in sample::document().files() {
            if KEPT.contains(&path.as_str()) {
                #[expect(clippy::disallowed_methods, reason = "a person runs this and looks")]
                std::fs::write(golden_path("report").join(path), content).unwrap();
            }
        }
    }

    #[test]
    fn equal_results_are_equal_bytes() {
        let machine_facts = ["index.html", "manifest.json"];
        let one = sample::document();
        let mut other = sample::document();
        other.provenance = serde_json::json!({"machine": "another"});
        for (a, b) in one.files().into_iter().zip(other.files()) {
            assert_eq!(a.0, b.0);
            assert_eq!(a.1 == b.1, !machine_facts.contains(&a.0.as_str()), "{}", a.0);
        }
    }

    #[test]
    fn everything_linked_is_there() {
        let document = sample::document();
        let files = document.files();
        let report = markdown::report(&document);
        let links: Vec<&str> = report
            .match_indices("](")
            .map(|(at, _)| report[at + 2..].split(')').next().expect("a link ends"))
            .collect();
        assert_eq!(links.len(), document.figures.len() + document.sheets.len() + 2);
        for link in links {
            assert!(files.iter().any(|(path, _)| path == link), "{link}");
        }
    }

    #[test]
    fn an_empty_report_is_a_report() {
        assert_eq!(Document::default().files().len(), 7);
    }

    #[test]
    #[should_panic(expected = "names a file")]
    fn names_stay_in_their_folder() {
        let mut document = sample::document();
        document.sheets[0].name = "../elsewhere".into();
        document.files();
    }
}
