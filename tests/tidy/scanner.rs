//! The checks of the house, tried on small sources that must fail, and on some that must not.

use super::*;

fn code(path: &str, text: &str) -> Code {
    Code::of([(path.to_owned(), text.to_owned())])
}

#[track_caller]
fn refused(breaches: &[String], start: &str, holds: &str) {
    assert_eq!(breaches.len(), 1, "{breaches:?}");
    assert!(breaches[0].starts_with(start) && breaches[0].contains(holds), "{breaches:?}");
}

#[test]
fn breaches_of_the_table_are_found() {
    for (path, text, line, import) in [
        ("src/terms/a.rs", "use crate::nets::vit::Vit;", 1, "nets::vit::Vit"),
        ("src/engine/a.rs", "\n\nfn f() { crate::lab::stats::mean(); }", 3, "lab::stats::mean"),
        ("src/lab/diffusion/a.rs", "use crate::{nets, terms::Key};", 1, "nets"),
        (
            "src/lab/diffusion/a.rs",
            "use crate::lab::{\n stats::Mean, diffusion::B};",
            2,
            "lab::stats::Mean",
        ),
        ("src/lab/data/a/b.rs", "use super::super::super::images::C;", 1, "lab::images::C"),
        ("src/lab/data/mod.rs", "use super::images::C;", 1, "lab::images::C"),
        (
            "src/lab/data/a.rs",
            "mod inner { use super::super::super::stats::D; }",
            1,
            "lab::stats::D",
        ),
        ("src/lab/training/a.rs", "pub use crate::nets::{weights::State, unet};", 1, "nets::unet"),
        ("src/lab/data/a.rs", "use crate::lab::{data::{A, B as C}, stats as s};", 1, "lab::stats"),
        (
            "src/lab/metrics/a.rs",
            "fn f(x: crate::lab::training::Fit<'_>) {}",
            1,
            "lab::training::Fit",
        ),
        ("src/cli/run.rs", "use crate::stages::{Machine, Sample};", 1, "stages::Sample"),
        ("src/cli/run.rs", "use crate::lab::stats::Mean;", 1, "lab::stats::Mean"),
        ("src/report/a.rs", "use crate::lab::*;", 1, "lab"),
        ("src/terms/mod.rs", "use super::*;", 1, ""),
        ("src/terms/a.rs", "use crate::testing::close;", 1, "testing::close"),
        ("src/main.rs", "fn main() { ersatz::engine::run() }", 1, "engine::run"),
        ("src/terms/a.rs", "#[cfg(not(test))]\nuse crate::nets::Vit;", 2, "nets::Vit"),
        ("src/terms/a.rs", "#[cfg(test)]\nuse crate::nets::Vit;\nuse crate::lab::B;", 3, "lab::B"),
        ("src/terms/a.rs", "#[cfg(test)]\nmod t { fn f() {} }\nuse crate::lab::B;", 3, "lab::B"),
        ("src/terms/a.rs", "const C: char = '\"'; use crate::lab::B; // \"", 1, "lab::B"),
        ("src/terms/a.rs", "fn f<'a>() { r#\"\"\"#; b'\\''; crate::lab::B }", 1, "lab::B"),
    ] {
        let start = format!("{path}:{line}: room");
        refused(&code(path, text).imports(), &start, &format!("imports `{import}`, may"));
    }
    let unknown = code("src/attic/a.rs", "");
    refused(&unknown.imports(), "src/attic/a.rs:1:", "room `attic` is not in the table");
}

#[test]
fn what_the_table_allows_passes() {
    for (path, text) in [
        ("src/lab/metrics/a.rs", "use crate::lab::stats::Mean; use crate::terms::{Key, Seed};"),
        ("src/lab/metrics/a.rs", "use super::Features; use super::super::stats::Mean;"),
        ("src/lab/training/a.rs", "use crate::nets::weights::{self, State};"),
        ("src/lab/curricula/a.rs", "use crate::{lab::{data::*}, terms::*};"),
        ("src/cli/run.rs", "use crate::stages::Machine;"),
        ("src/engine/store/a.rs", "pub(in crate::engine) fn f() {}"),
        ("src/terms/a.rs", "// use crate::nets::Vit;\n/* crate::lab::A /* */ crate::lab::B */"),
        ("src/terms/a.rs", "/// See [`crate::lab`].\nconst S: &str = \"use crate::lab::A;\";"),
        (
            "src/terms/a.rs",
            "const S: &str = \"\\\" crate::lab::A\"; const T: &str = r#\"\" crate::lab::B\"#;",
        ),
        ("src/terms/a.rs", "#[cfg(test)]\nmod tests { use crate::testing::close; fn f() {} }"),
        ("src/terms/a.rs", "#[cfg(test)]\nuse crate::nets::{Vit, A};\nuse crate::terms::Key;"),
        ("src/terms/a.rs", "struct S {\n #[cfg(test)]\n a: crate::nets::Vit,\n b: u8 }"),
        ("src/terms/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() { crate::lab::a() }"),
        ("src/terms/a.rs", "#![cfg(test)]\nuse crate::nets::Vit;"),
    ] {
        assert_eq!(code(path, text).imports(), [""; 0], "{path}: {text}");
    }
}

#[test]
fn modules_of_tests_are_left_alone() {
    let tests = "use crate::nets::Vit;";
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let hidden = [
        file("src/terms/mod.rs", "#[cfg(test)]\npub(crate) mod checks;\nmod key;"),
        file("src/terms/checks/mod.rs", tests),
        file("src/terms/checks/more.rs", tests),
        file("src/terms/key.rs", ""),
    ];
    assert_eq!(Code::of(hidden.clone()).imports(), [""; 0]);
    let [_, a, b, c] = hidden;
    let shown = [file("src/terms/mod.rs", "mod checks;\nmod key;"), a, b, c];
    assert_eq!(Code::of(shown).imports().len(), 2);
}

#[test]
fn size_is_counted_without_tests() {
    let text = |lines: usize, tests: usize| {
        let body = "const A: u8 = 0;\n".repeat(lines);
        format!("{body}#[cfg(test)]\nmod tests {{\n{}}}\n", "// Line.\n".repeat(tests))
    };
    assert_eq!(code("src/terms/a.rs", &text(LINES, 400)).long_files(), [""; 0]);
    let long = code("src/terms/a.rs", &text(LINES + 1, 0));
    refused(&long.long_files(), "src/terms/a.rs: 501 lines", "without tests");
}

#[test]
fn names_without_a_subject_are_found() {
    for path in ["src/lab/utils.rs", "src/lab/common/a.rs", "src/nets/base/mod.rs"] {
        refused(&code(path, "").nameless(), path, "without a subject");
    }
    assert_eq!(code("src/lab/baseline.rs", "").nameless(), [""; 0]);
}

#[test]
fn silence_needs_a_reason() {
    for text in [
        "#[allow(dead_code)]\nfn f() {}",
        "#![allow(clippy::all)]",
        "#[expect(dead_code)]\nfn f() {}",
        "#[cfg_attr(test, allow(dead_code))]\nfn f() {}",
        "#[cfg(test)]\nmod tests { #[ignore]\n#[test]\nfn f() {} }",
    ] {
        refused(&code("src/terms/a.rs", text).unreasoned(), "src/terms/a.rs:", "a reason");
    }
    for text in [
        "#[expect(dead_code, reason = \"r\")]\nfn f() { x.allow(1); y.expect(\"z\") }",
        "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
        "#[derive(Debug)]\nstruct Ignore { ignore: bool }",
    ] {
        assert_eq!(code("src/terms/a.rs", text).unreasoned(), [""; 0], "{text}");
    }
}

#[test]
fn what_is_not_finished_is_found() {
    for text in ["fn f() { todo!() }", "fn f() { unimplemented!() }", "fn f() { dbg!(1); }"] {
        refused(&code("src/terms/a.rs", text).unfinished(), "src/terms/a.rs:1", "!`");
    }
    let done = "fn f() { assert!(todo != dbg); } // todo!()";
    assert_eq!(code("src/terms/a.rs", done).unfinished(), [""; 0]);
}

#[test]
fn unsafe_is_found() {
    let text = "fn f() { unsafe { g() } }";
    refused(&code("src/nets/vit.rs", text).unsafe_outside(), "src/nets/vit.rs:1", "unsafe");
    assert_eq!(code("src/nets/kernels/gemm.rs", text).unsafe_outside(), [""; 0]);
    let named = "#![expect(unsafe_code, reason = \"r\")] // unsafe";
    assert_eq!(code("src/nets/vit.rs", named).unsafe_outside(), [""; 0]);
}

#[test]
fn paths_of_machines_are_found() {
    for line in ["\"/home/me/data\"", "path = /scratch/run1"] {
        let found = code("src/terms/a.rs", line).machine_paths();
        refused(&found, "src/terms/a.rs:1: path `/", "");
    }
    for line in [
        "//! https://example.org/home/page",
        "let a = b /root;",
        "\"tests/work/file\"",
        "\"/\"",
        "// a/b, and /data is the user's.",
    ] {
        assert_eq!(code("src/terms/a.rs", line).machine_paths(), [""; 0], "{line}");
    }
}

#[test]
fn wide_lines_are_found() {
    let wide = format!("\n// {}", "ä".repeat(98));
    refused(&code("src/terms/a.rs", &wide).wide_lines(), "src/terms/a.rs:2", "101 columns");
    assert_eq!(code("src/terms/a.rs", &wide[..wide.len() - 2]).wide_lines(), [""; 0]);
}

#[test]
fn golden_data_without_a_script_is_found() {
    let root = house().join(GOLDEN);
    let mut scripts = Vec::new();
    walk(&root, &mut |path| scripts.extend(path.ends_with("make.py").then(|| path.to_path_buf())));
    assert!(!scripts.is_empty());
    for script in scripts {
        // Seen from the inside of a folder, its own script lies above what counts.
        let folder = script.parent().expect("a script lies in a folder");
        assert_ne!(orphans(folder), [""; 0], "{}", folder.display());
    }
}
