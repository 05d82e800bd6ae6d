//! The recipes of ResNet-RS and DeiT, through the program: a run that is stopped again and again
//! ends with the weights of one that was left alone, byte for byte.
#![expect(clippy::disallowed_methods, reason = "a test writes its own inputs")]
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const EXPERIMENT: &str = include_str!("recipes/recipes.toml");

fn command(folder: &Path, verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ersatz"));
    command.args([verb, "recipes.toml"]).current_dir(folder);
    command.env_remove("ERSATZ_CACHE");
    command
}

fn desk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("recipes.toml"), EXPERIMENT).unwrap();
    folder
}

/// Returns the weights and evaluations of all stages, by stage.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder.join(".ersatz/entries")).unwrap() {
        let entry = entry.unwrap().path();
        for name in ["weights.safetensors", "log.json", "evaluation.json"] {
            if let Ok(bytes) = fs::read(entry.join(name)) {
                let key = entry.file_name().unwrap().to_str().unwrap().to_owned();
                all.insert(format!("{key}/{name}"), bytes);
            }
        }
    }
    all
}

#[test]
fn stopped_at_any_step_it_ends_the_same() {
    let undisturbed = desk();
    let run = command(undisturbed.path(), "run").output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let want = results(undisturbed.path());
    assert_eq!(want.len(), 9, "three nets leave weights, a log and an evaluation each");

    let folder = desk();
    let mut pause = Duration::from_millis(10);
    let mut stops = 0;
    loop {
        let mut run = command(folder.path(), "run");
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while lines.next().is_some_and(|line| !line.unwrap().starts_with("started")) {}
        let drain = std::thread::spawn(move || lines.map_while(Result::ok).count());
        std::thread::sleep(pause);
        // It may be done by now; then there is nobody to ask.
        let _ = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).output();
        let status = child.wait().unwrap();
        drain.join().unwrap();
        if status.success() {
            break;
        }
        assert_eq!(status.code(), Some(130), "{status}");
        stops += 1;
        pause = pause.mul_f64(1.5);
    }
    assert!(stops >= 3, "only {stops} stops");
    let got = results(folder.path());
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (name, bytes) in &want {
        assert!(&got[name] == bytes, "{name} differs");
    }
}

/// What is trained at another size says so before anything runs.
#[test]
fn a_start_that_cannot_be_is_told() {
    let folder = desk();
    let text = EXPERIMENT.replace("start = \"deit\"", "start = \"resnet-rs\"");
    let twice = text.replace("pixels = 12", "pixels = 13");
    fs::write(folder.path().join("recipes.toml"), twice).unwrap();
    let plan = command(folder.path(), "plan").output().unwrap();
    let said = String::from_utf8(plan.stderr).unwrap();
    assert_eq!(plan.status.code(), Some(2), "{said}");
    for part in [
        "`resnet-rs`, whose net is another, expected a classifier with the same `net` as `deit-12`",
        "patches of 2 pixels in pictures of 13",
        "2 mistakes found",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
