//! A run that is killed again and again ends with the table of one that was left alone, byte for
//! byte.
#![expect(clippy::disallowed_methods, reason = "a test writes its own inputs")]
#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const EXPERIMENT: &str = include_str!("cli/tiny.toml");

fn run(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ersatz"));
    command.args(["run", "tiny.toml", "-o", "generator.pixel.training.recipe.steps=100"]);
    command.env_remove("ERSATZ_CACHE").current_dir(folder).stdout(Stdio::null());
    command
}

fn desk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), EXPERIMENT).unwrap();
    folder
}

fn table(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("reports/tiny/paper/table.json")).unwrap()
}

#[test]
fn killed_at_any_moment_it_ends_the_same() {
    let undisturbed = desk();
    let status = run(undisturbed.path()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success());

    let folder = desk();
    let mut pause = Duration::from_millis(5);
    let mut kills = 0;
    loop {
        let mut child = run(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // From the first new work on, so that a slow machine gets further each time, too.
        while lines.next().is_some_and(|line| !line.unwrap().starts_with("started")) {}
        let drain = std::thread::spawn(move || lines.map_while(Result::ok).count());
        std::thread::sleep(pause);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        drain.join().unwrap();
        if status.code().is_some() {
            assert!(status.success(), "{status}");
            break;
        }
        kills += 1;
        pause = pause.mul_f64(1.4);
    }
    assert!(kills >= 5, "only {kills} kills");
    assert!(table(folder.path()) == table(undisturbed.path()), "the tables differ");
}
