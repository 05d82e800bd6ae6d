//! `run`: does what is missing and writes the report.

use std::path::{Path, PathBuf};

use clap::Args;

use super::setting::{Opened, Setting};
use super::{Stop, say};
use crate::engine::{
    Disk as _, Events, Executor as _, Failure, Graph, JsonLines, Local, RealDisk, Screen,
    ScreenStyle, Sink, StopFlag, Stopwatch, Summary, Work, duration, plan,
};
use crate::experiment::document;
use crate::report::Document;
use crate::terms::{Problem, Problems};

#[derive(Args)]
pub(super) struct Run {
    #[command(flatten)]
    setting: Setting,
    /// Stages that run at the same time; each uses all cores for its arithmetic
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Folder of the reports
    #[arg(long, default_value = "reports")]
    reports: PathBuf,
    /// Prints the tables as JSON
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let watch = Stopwatch::start();
        let opened = self.setting.open()?;
        super::plan::refuse_missing(&opened)?;
        let stop = StopFlag::default();
        listen(&stop)?;
        let log = opened.store.root().join("log.jsonl");
        let style = ScreenStyle::choose(|name| std::env::var(name).ok());
        let events = Events::new(vec![
            Sink::Log(JsonLines::append(&log)?),
            Sink::Screen(Screen::stderr(style)),
        ]);
        let targets = opened.built.targets();
        let before = plan(&opened.built.graph, &targets, &opened.store)?;
        if !before.fits() {
            let (needs, has) = (before.estimate().bytes >> 20, before.free_bytes >> 20);
            events.emit(crate::engine::Event::Warning {
                label: "disk".to_owned(),
                text: format!("about {needs} MiB are needed and {has} MiB are free"),
            });
        }
        let work = Work {
            graph: &opened.built.graph,
            targets: &targets,
            store: &opened.store,
            events: &events,
            stop: &stop,
        };
        let summary = Local { jobs: self.jobs.max(1) }.execute(&work)?;
        drop(events);
        failed(&opened.built.graph, &summary)?;
        let Opened { resolved, built, store, circumstances } = &opened;
        let document = document(resolved, built, store, circumstances)?;
        let folder = write(&document, &self.reports)?;
        print(&document, self.json);
        if !self.json {
            let (ran, all) = (summary.done(), built.graph.iter().len());
            say(format!("{ran} of {all} stages run, {} in all", duration(watch.seconds())));
            say(format!("report: {}", folder.join("index.html").display()));
        }
        Ok(())
    }
}

/// Says why a summary is not complete, if it is not.
pub(super) fn failed(graph: &Graph, summary: &Summary) -> Result<(), Stop> {
    if let Some(wrong) = wrong_data(summary) {
        return Err(Stop::WrongData(wrong));
    }
    let failures: Vec<String> = summary
        .failures()
        .map(|(id, failure)| format!("`{}` failed: {failure}", graph.node(id).label()))
        .collect();
    if !failures.is_empty() {
        return Err(Stop::Failed(failures.join("\nerror: ")));
    }
    if summary.interrupted() { Err(Stop::Interrupted) } else { Ok(()) }
}

/// Returns what is wrong with the user's data, if that is all that went wrong.
fn wrong_data(summary: &Summary) -> Option<Problems> {
    let mut all: Vec<Problem> = Vec::new();
    for (_, failure) in summary.failures() {
        let Failure::Wrong(Problems(problems)) = failure else { return None };
        // Combinations of swept values often share their data.
        for problem in problems {
            if !all.contains(problem) {
                all.push(problem.clone());
            }
        }
    }
    (!all.is_empty()).then_some(Problems(all))
}

/// Prints the summary and the tables, or the tables as JSON.
pub(super) fn print(document: &Document, json: bool) {
    if json {
        let files = document.files();
        let table = files.iter().find(|(name, _)| name == "table.json");
        say(table.map(|(_, bytes)| String::from_utf8_lossy(bytes)).unwrap_or_default());
        return;
    }
    say(format!("# {} [{}]\n", document.title, document.profile));
    document.summary.iter().for_each(|line| say(format!("{line}\n")));
    document.tables.iter().for_each(|table| say(table.markdown()));
}

/// Writes every file of a report, each whole or not at all; returns the folder.
pub(super) fn write(document: &Document, reports: &Path) -> Result<PathBuf, Stop> {
    let folder = reports.join(&document.experiment).join(&document.profile);
    for (name, content) in document.files() {
        let path = folder.join(name);
        RealDisk.create_folder(path.parent().unwrap_or(&folder))?;
        RealDisk.write(&path, &content)?;
    }
    Ok(folder)
}

/// Stops at the next safe point on the first signal, at once on the second.
pub(super) fn listen(stop: &StopFlag) -> Result<(), Stop> {
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.is_set() {
            std::process::exit(130);
        }
        flag.set();
        eprintln!("stopping at the next safe point; once more stops at once");
    })
    .map_err(|error| Stop::Failed(format!("failed to listen for signals: {error}")))
}
