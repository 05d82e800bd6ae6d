//! `metrics`: generated pictures against real ones, as the published tools measure them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::setting::{device, store_folder};
use super::{Stop, choice, say};
use crate::comparison::{
    Comparison, Extraction, Network, Request, Scores, Tool, Wanted, class_table, table, weights,
};
use crate::engine::{
    DiskFiles, Events, Executor as _, Local, NodeId, Screen, ScreenStyle, Sink, StopFlag, Store,
    Work,
};
use crate::terms::{Files, Problem};

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    ersatz metrics --real cifar/train --fake samples.npz\n  \
    ersatz metrics fid is --real train --fake a --fake b --draw 5000\n  \
    ersatz metrics fid --real fid_stats.npz --fake samples.zip --protocol pytorch-fid")]
pub(super) struct Metrics {
    /// The scores, or `all` that the protocol has: `fid`, `sfid`, `fid-infinity`, `kid`, `is`, `pr`
    /// (precision, recall, density, coverage), `authenticity`, `near-train` (needs `--unseen`)
    #[arg(value_name = "SCORE", default_value = "all")]
    scores: Vec<String>,
    /// Real pictures: a folder, a .zip, a .npz of samples or of statistics, a .parquet
    #[arg(long)]
    real: String,
    /// Generated pictures; more than once for more columns
    #[arg(long, required = true)]
    fake: Vec<String>,
    /// Real pictures that the generator was not trained on, as many as there are
    #[arg(long)]
    unseen: Option<String>,
    /// Whose way of preparing pictures and computing scores: `ersatz`, `pytorch-fid`,
    /// `torch-fidelity`, `clean-fid`, `tf` or `adm`
    #[arg(long, default_value = "ersatz")]
    protocol: String,
    /// The network that turns pictures into features, see `ersatz weights ls`
    #[arg(long, default_value = "inception")]
    extractor: String,
    /// Its weights [default: looked for where other tools leave them, see `ersatz weights`]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Draws so many pictures of each side, by NumPy's `RandomState(2020)`
    #[arg(long, value_name = "N")]
    draw: Option<usize>,
    /// Shows distances of fewer than 2048 pictures, or than there are features
    #[arg(long)]
    allow_small_n: bool,
    /// Compares sets of different sizes
    #[arg(long)]
    allow_different_n: bool,
    /// Leaves out pictures that cannot be read
    #[arg(long)]
    skip_unreadable: bool,
    /// Leaves out intervals that take longer than their score
    #[arg(long)]
    no_intervals: bool,
    /// Measures each class: folders, labels of `dataset.json`, `arr_1`, or a column `label`
    #[arg(long)]
    per_class: bool,
    /// Writes a sheet of the generated pictures nearest to a real one, each above it; of several
    /// sets one sheet each
    #[arg(long, value_name = "PNG")]
    pairs: Option<PathBuf>,
    /// Writes mean and covariance of the real pictures as .npz
    #[arg(long, value_name = "FILE")]
    write_statistics: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Where the network runs: `cpu`, or `cuda:0` in a build with that feature
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of the artifact store [default: `ERSATZ_CACHE` or `.ersatz`]
    #[arg(long)]
    store: Option<String>,
}

impl Metrics {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        let network = super::weights::network("--extractor", &self.extractor)?;
        let tool = choice("--protocol", &self.protocol, &Tool::ALL, Tool::name)?;
        let wanted = self.wanted(tool)?;
        let folders = super::weights::folders();
        let preprocessing = tool.preprocessing(network).ok_or_else(|| foreign(tool, network))?;
        let weights = weights::load(network, self.weights.as_deref(), &folders, &DiskFiles)?;
        let extraction = Arc::new(Extraction {
            network,
            preprocessing,
            weights: weights.state,
            weights_path: weights.path,
            weights_hash: weights.hash,
            device: device(&self.device)?,
        });
        let request = Request {
            tool,
            wanted,
            real: self.real.clone(),
            fakes: self.fake.clone(),
            unseen: self.unseen.clone(),
            draw: self.draw,
            allow_small_n: self.allow_small_n,
            allow_different_n: self.allow_different_n,
            skip_unreadable: self.skip_unreadable,
            intervals: !self.no_intervals,
            per_class: self.per_class,
            pairs: self.pairs.is_some(),
            statistics: self.write_statistics.is_some(),
        };
        let files: Arc<dyn Files> = Arc::new(DiskFiles);
        let comparison = Comparison::plan(&request, &extraction, &files)
            .map_err(|problems| Stop::Wrong(problems, Vec::new()))?;
        let store = Store::open(store_folder(self.store.as_deref()))?;
        let targets = comparison.targets(self.write_statistics.is_some());
        let outcome = work(&comparison, &targets, &store);
        // What is measured is shown, whatever became of the rest.
        let scores = comparison.scores(&store)?;
        if !scores.is_empty() {
            self.print(&comparison, network, &scores);
        }
        outcome?;
        if let Some(path) = &self.write_statistics {
            super::put(path, &comparison.statistics(&store)?)?;
        }
        if let Some(path) = &self.pairs {
            let sheets = comparison.pair_sheets(&scores, &DiskFiles);
            for (name, png) in &sheets {
                super::put(&sheet_path(path, name, sheets.len()), png)?;
            }
        }
        if scores.iter().all(|(_, scores)| scores.lines.is_empty()) {
            return Err(Stop::Failed("none of the scores could be measured".to_owned()));
        }
        Ok(())
    }

    /// Returns the scores that were named, all of which the tool must have.
    fn wanted(&self, tool: Tool) -> Result<BTreeSet<Wanted>, Problem> {
        let has = tool.scores();
        let mut wanted = BTreeSet::new();
        for name in self.scores.iter().flat_map(|names| names.split(',')) {
            if name == "all" {
                let possible = |it: &&Wanted| **it != Wanted::NearTrain || self.unseen.is_some();
                wanted.extend(has.iter().filter(possible));
            } else {
                let option = format!("metrics --protocol {}", tool.name());
                wanted.insert(choice(&option, name, has, Wanted::name)?);
            }
        }
        Ok(wanted)
    }

    fn print(&self, comparison: &Comparison, network: Network, scores: &[(String, Scores)]) {
        if self.json {
            let sets: serde_json::Map<String, serde_json::Value> =
                scores.iter().map(|(name, scores)| (name.clone(), json!(scores))).collect();
            let all = json!({"warnings": comparison.warnings, "sets": sets});
            say(serde_json::to_string_pretty(&all).unwrap_or_default());
            return;
        }
        say(table(scores).markdown());
        for (name, scores) in scores.iter().filter(|(_, scores)| !scores.classes.is_empty()) {
            say(class_table(name, network.distance(), &scores.classes).markdown());
        }
        for (name, scores) in scores {
            scores.refused.iter().for_each(|why| say(format!("not measured ({name}): {why}")));
            scores.warnings.iter().for_each(|text| say(format!("warning ({name}): {text}")));
        }
        comparison.warnings.iter().for_each(|text| say(format!("warning: {text}")));
    }
}

/// Returns the mistake of asking a tool for a network that it does not have.
fn foreign(tool: Tool, network: Network) -> Problem {
    let names: Vec<&str> = tool.networks().into_iter().map(Network::name).collect();
    let found = format!("`{}` with `--protocol {}`", network.name(), tool.name());
    Problem::new("--extractor", found, format!("one of `{}`", names.join("`, `")))
        .hint("`--protocol ersatz` takes every network")
}

/// Returns where the sheet of a set goes: what was asked for, and of several sets with their names.
fn sheet_path(path: &Path, set: &str, sets: usize) -> PathBuf {
    if sets < 2 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let set: String = set.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    path.with_file_name(format!("{stem}-{set}.png"))
}

/// Runs what is missing of a comparison.
fn work(comparison: &Comparison, targets: &[NodeId], store: &Store) -> Result<(), Stop> {
    let stop = StopFlag::default();
    super::run::listen(&stop)?;
    let style = ScreenStyle::choose(|name| std::env::var(name).ok());
    let events = Events::new(vec![Sink::Screen(Screen::stderr(style))]);
    let work = Work { graph: &comparison.graph, targets, store, events: &events, stop: &stop };
    let summary = Local { jobs: 1 }.execute(&work)?;
    drop(events);
    super::run::failed(&comparison.graph, &summary)
}
