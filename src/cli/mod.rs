//! The command line: one file per verb.
//!
//! Progress goes to stderr, results to stdout. Exit codes: 0 done, 1 a run failed, 2 what the user
//! wrote is wrong, 3 a gate is not met, 130 interrupted. The environment enters here and nowhere
//! else.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the room that talks to people, and through which the environment enters"
)]

mod check;
mod data;
mod doctor;
mod download;
mod export;
mod gc;
mod metrics;
mod plan;
mod problems;
mod report;
mod run;
mod schema;
mod setting;
mod show;
mod weights;
mod why;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::engine::{Disk as _, DiskError, Failure, RealDisk};
use crate::terms::{Problem, Problems, nearest};

/// Does synthetic image data help a classifier, which kind, and how much?
#[derive(Parser)]
#[command(version, max_term_width = 100)]
#[command(after_help = "Examples:\n  \
    ersatz run quickstart                               the first table, in minutes\n  \
    ersatz run table3 -o generator.pixel.guidance=3.0   the same with one key changed\n  \
    ersatz run my.toml --sweep generator.pixel.guidance=1,1.5,2\n  \
    ersatz why table3                                   what runs, and for what reason")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Does what is missing of an experiment and writes its report.
    Run(run::Run),
    /// Says what a run would do, what it costs, and what is missing.
    Plan(plan::Plan),
    /// Prints the tables of an experiment that has been run.
    Show(show::Show),
    /// Says for what reason each stage runs, or ran.
    Why(why::Why),
    /// Compares the results of an experiment with those of an earlier report; ends with code 3 if
    /// one left its interval.
    Check(check::Check),
    /// Writes the report of an experiment that has been run, without computing anything.
    Report(report::Report),
    /// Removes artifacts that no experiment to keep needs.
    Gc(gc::Gc),
    /// Says what data can be read, looks at some, checks downloads.
    Data(data::Data),
    /// Measures generated pictures against real ones, as the published tools do.
    Metrics(metrics::Metrics),
    /// Networks that metrics are published with, and where their weights lie.
    Weights(weights::Weights),
    /// Looks at the machine.
    Doctor(doctor::Doctor),
    /// Prints the JSON schema of the experiment file.
    Schema(schema::Schema),
    /// Writes synthetic pictures as an image folder.
    Export(export::Export),
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
enum Stop {
    /// The user's mistakes, with the texts they stand in.
    Wrong(Problems, Vec<(String, String)>),
    /// The user's mistakes in data that a run came to read.
    WrongData(Problems),
    /// The world's failure.
    Failed(String),
    /// Results left the intervals of a baseline.
    Gate {
        /// How many numbers did not pass.
        failed: usize,
        /// How many numbers were compared.
        all: usize,
    },
    /// The user asked to stop.
    Interrupted,
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Wrong(problem.into(), Vec::new())
    }
}

impl From<DiskError> for Stop {
    fn from(error: DiskError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Interrupted => Self::Interrupted,
            Failure::Wrong(problems) => Self::WrongData(problems),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Returns the one of a family that has this name.
fn choice<T: Copy>(
    option: &str,
    name: &str,
    all: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<T, Problem> {
    let names = || all.iter().map(|one| name_of(*one));
    all.iter().copied().find(|one| name_of(*one) == name).ok_or_else(|| {
        let expected = format!("one of `{}`", names().collect::<Vec<_>>().join("`, `"));
        Problem::new(option, format!("`{name}`"), expected).hint_near(nearest(name, names()))
    })
}

/// Writes a file that was asked for, and its folder if there is none.
fn put(path: &Path, content: &[u8]) -> Result<(), Stop> {
    RealDisk.create_folder(path.parent().unwrap_or(Path::new(".")))?;
    Ok(RealDisk.write(path, content)?)
}

/// Prints a line of results. A reader that has seen enough closes the pipe: that ends the program,
/// and is no mistake.
fn say(line: impl std::fmt::Display) {
    use std::io::Write as _;
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not mistakes; a closed stdout is nobody's fault.
            let code = if error.use_stderr() { 2 } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let done = match arguments.verb {
        Verb::Run(verb) => verb.execute(),
        Verb::Plan(verb) => verb.execute(),
        Verb::Show(verb) => verb.execute(),
        Verb::Why(verb) => verb.execute(),
        Verb::Check(verb) => verb.execute(),
        Verb::Report(verb) => verb.execute(),
        Verb::Gc(verb) => verb.execute(),
        Verb::Data(verb) => verb.execute(),
        Verb::Metrics(verb) => verb.execute(),
        Verb::Weights(verb) => verb.execute(),
        Verb::Doctor(verb) => verb.execute(),
        Verb::Schema(verb) => verb.execute(),
        Verb::Export(verb) => verb.execute(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Wrong(problems, texts)) => {
            let count = problems::count(&problems);
            eprintln!("{}{count} found, nothing was run", problems::render(&problems, &texts));
            ExitCode::from(2)
        }
        Err(Stop::WrongData(problems)) => {
            let count = problems::count(&problems);
            eprintln!("{}{count} found in the data", problems::render(&problems, &[]));
            ExitCode::from(2)
        }
        Err(Stop::Failed(what)) => {
            eprintln!("error: {what}");
            ExitCode::from(1)
        }
        Err(Stop::Gate { failed, all }) => {
            eprintln!("error: {failed} of {all} numbers left the baseline");
            ExitCode::from(3)
        }
        Err(Stop::Interrupted) => {
            eprintln!("interrupted: run the same command again to go on");
            ExitCode::from(130)
        }
    }
}
