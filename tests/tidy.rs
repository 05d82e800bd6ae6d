//! The house keeps itself tidy: who may import whom, sizes, names, reasons, golden folders.
//!
//! Plain text in, list of breaches out; nothing but the standard library. A source is cut into
//! words and marks (comments and strings fall away), what only tests see is taken out, and the
//! rest is read against the tables below. ARCHITECTURE.md prints [`ROOMS`]. Paths are followed
//! from `crate::`, `ersatz::` and `super::`; what a macro builds or a re-export hides is not seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/scanner.rs"]
mod scanner;
#[path = "tidy/split.rs"]
mod split;
#[path = "tidy/words.rs"]
mod words;

use paths::paths;
use split::{attribute, split};
use words::{Token, cut};

/// The rooms, and what each may import besides itself. A name covers all that lies below it.
const ROOMS: &[(&str, &[&str])] = &[
    ("terms", &[]),
    ("nets", &["terms"]),
    ("lab::images", &["terms"]),
    ("lab::stats", &["terms"]),
    ("lab::data", &["terms"]),
    ("lab::diffusion", &["terms"]),
    ("lab::conditions", &["terms", "nets", "lab::data"]),
    ("lab::training", &["terms", "nets::weights", "nets::workers"]),
    (
        "lab::generators",
        &[
            "terms",
            "nets",
            "lab::diffusion",
            "lab::conditions",
            "lab::training",
            "lab::data",
            "lab::images",
        ],
    ),
    ("lab::filters", &["terms", "nets", "lab::conditions", "lab::data", "lab::images"]),
    ("lab::curricula", &["terms", "lab::data"]),
    (
        "lab::classifiers",
        &[
            "terms",
            "nets",
            "lab::training",
            "lab::curricula",
            "lab::conditions",
            "lab::data",
            "lab::images",
        ],
    ),
    ("lab::metrics", &["terms", "nets", "lab::images", "lab::stats"]),
    ("lab", &["terms"]), // Its doorplate.
    ("engine", &["terms"]),
    ("report", &["terms", "lab::stats", "lab::images"]),
    ("stages", &["terms", "nets", "lab", "engine", "report"]),
    ("experiment", &["terms", "nets", "lab", "engine", "report", "stages"]), // Specs, of science.
    ("comparison", &["terms", "nets", "lab", "engine", "report"]),
    (
        "cli",
        &[
            "terms",
            "engine",
            "report",
            "stages::Machine",
            "stages::drawn_files",
            "experiment",
            "comparison",
        ],
    ),
    ("main", &["cli"]),
    ("", &[]), // lib.rs: the map.
];

/// Names without a subject, for files and folders.
const NAMELESS: &[&str] =
    &["utils", "util", "common", "base", "misc", "helpers", "helper", "manager", "imp", "types"];

/// Where machines keep what is theirs: a path that starts so works on one machine only.
const MACHINE_ROOTS: &[&str] =
    &["home", "root", "Users", "tmp", "var", "mnt", "work", "workspace", "scratch"];

/// Macros that say there is work left.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

const LINES: usize = 500;
const COLUMNS: usize = 100;
const UNSAFE_ROOM: &str = "nets::kernels";
const GOLDEN: &str = "tests/golden";
/// Golden folders that no script makes: a reviewed snapshot of our own pages.
const SNAPSHOTS: &[&str] = &["report"];

// ------------------------------------------------------------------- The house as it stands.

#[test]
fn rooms_import_only_what_they_may() {
    assert_tidy(&Code::read(&house(), "src").imports());
}

#[test]
fn files_have_a_size_and_a_name() {
    let code = Code::read(&house(), "src");
    assert_tidy(&[code.long_files(), code.nameless()].concat());
}

#[test]
fn exceptions_have_reasons_and_nothing_is_left_to_do() {
    let code = Code::read(&house(), "src");
    assert_tidy(&[code.unreasoned(), code.unfinished(), code.machine_paths()].concat());
}

#[test]
fn unsafe_stays_in_one_room() {
    assert_tidy(&Code::read(&house(), "src").unsafe_outside());
}

#[test]
fn lines_fit() {
    let folders = ["src", "tests", "benches"].into_iter().filter(|it| house().join(it).is_dir());
    let wide: Vec<String> = folders.flat_map(|it| Code::read(&house(), it).wide_lines()).collect();
    assert_tidy(&wide);
}

#[test]
fn golden_data_says_where_it_comes_from() {
    assert_tidy(&orphans(&house().join(GOLDEN)));
}

/// The tests above see the whole house: none of them may pass because nothing was read.
#[test]
fn the_house_is_read() {
    let code = Code::read(&house(), "src");
    let rooms: BTreeSet<String> = code.files.iter().map(|it| room(&it.module)).collect();
    for (name, _) in ROOMS {
        let standing = house().join("src").join(name.replace("::", "/")).is_dir();
        assert!(!standing || rooms.contains(*name), "no file of room `{name}` was read");
    }
    let imports: usize = code.files.iter().map(|it| paths(&it.production, &it.module).len()).sum();
    assert!(imports > code.files.len(), "{imports} imports in {} files", code.files.len());
}

fn house() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn assert_tidy(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}\n", breaches.len(), breaches.join("\n"));
}

// ------------------------------------------------------------------- Sources.

/// All sources of the program, and which of them only tests see.
struct Code {
    files: Vec<Source>,
}

struct Source {
    /// Where it lies, from the root of the repository.
    path: String,
    text: String,
    /// Where it stands among the modules: `["lab", "data", "folder"]`; empty for `lib.rs`.
    module: Vec<String>,
    /// The words and marks that are compiled outside of tests.
    production: Vec<Token>,
    /// All words and marks.
    tokens: Vec<Token>,
    /// How many lines are not inside of test items.
    lines: usize,
    /// Whether the whole file is for tests.
    hidden: bool,
}

impl Code {
    /// Reads the sources of a folder.
    fn read(root: &Path, folder: &str) -> Self {
        let mut paths = Vec::new();
        walk(&root.join(folder), &mut |path| {
            if path.extension().is_some_and(|it| it == "rs") {
                paths.push(path.to_path_buf());
            }
        });
        let sources = paths.iter().map(|path| {
            let below = path.strip_prefix(root).expect("found below the root");
            let text = fs::read_to_string(path).expect("sources are readable text");
            (below.to_string_lossy().replace('\\', "/"), text)
        });
        Self::of(sources)
    }

    fn of(sources: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files = Vec::new();
        let mut hidden: Vec<Vec<String>> = Vec::new(); // Modules declared for tests only.
        for (path, text) in sources {
            let module = module_of(&path);
            let tokens = cut(&text);
            let split = split(&tokens);
            let declared = |name| module.iter().cloned().chain([name]).collect();
            hidden.extend(split.hidden.into_iter().map(declared));
            if split.whole {
                hidden.push(module.clone());
            }
            let lines = text.lines().count() - split.lines;
            files.push(Source {
                path,
                text,
                module,
                production: split.rest,
                tokens,
                lines,
                hidden: false,
            });
        }
        for file in &mut files {
            file.hidden = hidden.iter().any(|it| file.module.starts_with(it));
        }
        Self { files }
    }

    /// Lists imports that the table does not allow.
    fn imports(&self) -> Vec<String> {
        let mut breaches = Vec::new();
        for file in self.files.iter().filter(|it| !it.hidden) {
            let home = room(&file.module);
            let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == home) else {
                breaches.push(format!("{}:1: room `{home}` is not in the table", file.path));
                continue;
            };
            for (path, line) in paths(&file.production, &file.module) {
                let path = path.join("::");
                if !below(&path, &home) && !allowed.iter().any(|it| below(&path, it)) {
                    breaches.push(format!(
                        "{}:{line}: room `{home}` imports `{path}`, may import {allowed:?}",
                        file.path
                    ));
                }
            }
        }
        breaches
    }

    fn long_files(&self) -> Vec<String> {
        let long = self.files.iter().filter(|it| !it.hidden && it.lines > LINES);
        long.map(|it| format!("{}: {} lines without tests, {LINES} fit", it.path, it.lines))
            .collect()
    }

    fn nameless(&self) -> Vec<String> {
        let says = |file: &Source| {
            let name = file.module.iter().find(|it| NAMELESS.contains(&it.as_str()))?;
            Some(format!("{}: `{name}` is a name without a subject", file.path))
        };
        self.files.iter().filter_map(says).collect()
    }

    /// Lists attributes that silence something and do not say why.
    fn unreasoned(&self) -> Vec<String> {
        self.each(|file| {
            let tokens = &file.tokens;
            let heads = (0..tokens.len()).filter(|&i| attribute(tokens, i).is_some());
            let mut breaches = Vec::new();
            for i in heads {
                let attribute = &tokens[i..attribute(tokens, i).expect("a head")];
                let has = |name: &str| attribute.iter().any(|it| it.is(name));
                let silences = ["allow", "expect"].into_iter().find(|name| {
                    attribute.windows(2).any(|pair| pair[0].is(name) && pair[1].is("("))
                });
                let ignored = attribute.windows(2).any(|it| it[0].is("ignore") && !it[1].is("="));
                if let Some(name) = silences.filter(|_| !has("reason")) {
                    breaches.push((tokens[i].line, format!("`#[{name}]` without a reason")));
                } else if ignored {
                    breaches.push((tokens[i].line, "`#[ignore]` without a reason".to_owned()));
                }
            }
            breaches
        })
    }

    fn unfinished(&self) -> Vec<String> {
        self.each(|file| {
            let calls = file.tokens.windows(3).filter(|it| it[1].is("!") && !it[2].is("="));
            let left = calls.filter(|it| UNFINISHED.contains(&it[0].text.as_str()));
            left.map(|it| (it[0].line, format!("`{}!`", it[0].text))).collect()
        })
    }

    fn unsafe_outside(&self) -> Vec<String> {
        self.each(|file| {
            if below(&file.module.join("::"), UNSAFE_ROOM) {
                return Vec::new();
            }
            let found = file.tokens.iter().filter(|it| it.is("unsafe"));
            found.map(|it| (it.line, format!("`unsafe` outside of `{UNSAFE_ROOM}`"))).collect()
        })
    }

    fn machine_paths(&self) -> Vec<String> {
        self.each(|file| {
            let lines = file.text.lines().zip(1..);
            let says =
                |(line, number)| machine_path(line).map(|it| (number, format!("path `{it}`")));
            lines.filter_map(says).collect()
        })
    }

    fn wide_lines(&self) -> Vec<String> {
        self.each(|file| {
            let widths = file.text.lines().map(|it| it.chars().count()).zip(1..);
            let wide = widths.filter(|(width, _)| *width > COLUMNS);
            wide.map(|(width, line)| (line, format!("{width} columns, {COLUMNS} fit"))).collect()
        })
    }

    fn each(&self, find: impl Fn(&Source) -> Vec<(usize, String)>) -> Vec<String> {
        let mut breaches = Vec::new();
        for file in &self.files {
            let found = find(file).into_iter();
            breaches.extend(found.map(|(line, what)| format!("{}:{line}: {what}", file.path)));
        }
        breaches
    }
}

/// Calls `see` with every file below a folder, in the order of names.
fn walk(folder: &Path, see: &mut dyn FnMut(&Path)) {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let mut paths: Vec<PathBuf> = entries.map(|it| it.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { walk(&path, see) } else { see(&path) }
    }
}

/// Returns the modules that lead to a file: `src/lab/data/mod.rs` is `lab`, `data`.
fn module_of(path: &str) -> Vec<String> {
    let below = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let parts = below.split('/').filter(|it| !["mod", "lib"].contains(it));
    parts.map(str::to_owned).collect()
}

/// Returns the room of a module: two names deep in `lab`, one elsewhere.
fn room(module: &[String]) -> String {
    let depth = if module.first().is_some_and(|it| it == "lab") { 2 } else { 1 };
    module[..depth.min(module.len())].join("::")
}

/// Says whether a path is `place` or lies below it. Only `""` lies below `""`.
fn below(path: &str, place: &str) -> bool {
    path == place
        || (!place.is_empty()
            && path.strip_prefix(place).is_some_and(|rest| rest.starts_with("::")))
}

/// Returns the path of a machine that a line names, if any.
fn machine_path(line: &str) -> Option<&str> {
    for (i, _) in line.match_indices('/') {
        let before = line[..i].chars().next_back();
        let inside = |c: char| c.is_alphanumeric() || "/._-}>*)".contains(c);
        if before.is_some_and(inside) {
            continue; // Inside of a longer path, an address, or a division.
        }
        let path = line[i + 1..].split(|c: char| !(c.is_alphanumeric() || "/._-".contains(c)));
        let path = path.into_iter().next().unwrap_or_default();
        let (root, rest) = path.split_once('/').unwrap_or((path, ""));
        if MACHINE_ROOTS.contains(&root) && rest.starts_with(char::is_alphanumeric) {
            return Some(&line[i..=i + path.len()]);
        }
    }
    None
}

// ------------------------------------------------------------------- Golden folders.

/// Lists golden data without the script that makes it or the versions it was made with.
fn orphans(golden: &Path) -> Vec<String> {
    let mut breaches = BTreeSet::new();
    walk(golden, &mut |path| {
        let below = path.strip_prefix(golden).expect("found below it");
        let parts = below.components().map(|it| it.as_os_str().to_string_lossy());
        let parts: Vec<String> = parts.map(std::borrow::Cow::into_owned).collect();
        let script = path.extension().is_some_and(|it| it == "py" || it == "pyc");
        if (script && !below.ends_with("make.py")) || SNAPSHOTS.contains(&parts[0].as_str()) {
            return;
        }
        let folders = || path.ancestors().skip(1).take_while(|it| *it != golden);
        let made =
            folders().any(|it| it.join("make.py").is_file() && it.join("versions.txt").is_file());
        if !made {
            let folder = below.parent().unwrap_or(below).display();
            breaches
                .insert(format!("{GOLDEN}/{folder}: data without `make.py` and `versions.txt`"));
        }
    });
    breaches.into_iter().collect()
}
