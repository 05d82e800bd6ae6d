//! What every verb about an experiment is told.

use std::sync::Arc;

use burn::tensor::Device;
use clap::Args;

use super::Stop;
use crate::engine::{DiskFiles, Store};
use crate::experiment::{Built, Circumstances, Request, Resolved, build, document, find, resolve};
use crate::report::Document;
use crate::stages::Machine;
use crate::terms::Problem;

/// Where artifacts are kept, unless told otherwise.
const STORE: &str = ".ersatz";

/// Where real data lie, unless told otherwise.
const DATA: &str = "../shared/data";

#[derive(Args)]
pub(super) struct Setting {
    /// Name of an experiment (`quickstart`, `table3`) or path of its TOML file
    experiment: String,
    /// Scale: a profile of the file, or `paper` for the file as it stands [default: `tiny` if the
    /// file has it]
    #[arg(long)]
    profile: Option<String>,
    /// Changes one key: `-o generator.pixel.guidance=1.5`; may be repeated
    #[arg(short = 'o', long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Runs every value of a key: `--sweep generator.pixel.guidance=1,1.5,2`; may be repeated
    #[arg(long, value_name = "KEY=A,B,C")]
    sweep: Vec<String>,
    /// Seeds, instead of those of the file: `--seeds 0,1,2`
    #[arg(long, value_name = "A,B,C")]
    seeds: Option<String>,
    /// Where nets run: `cpu`, or `cuda:0` in a build with that feature
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of the artifact store [default: `ERSATZ_CACHE` or `.ersatz`]
    #[arg(long)]
    store: Option<String>,
}

/// An experiment with everything it needs to be planned or run.
pub(super) struct Opened {
    pub(super) resolved: Resolved,
    pub(super) built: Built,
    pub(super) store: Store,
    pub(super) circumstances: Circumstances,
}

impl Setting {
    /// Names an experiment, a profile and changes; all else is as usual.
    pub(super) fn of(experiment: String, profile: Option<String>, overrides: Vec<String>) -> Self {
        let (sweep, device) = (Vec::new(), "cpu".to_owned());
        Self { experiment, profile, overrides, sweep, seeds: None, device, store: None }
    }

    /// The same with another store; `None` is the usual one.
    pub(super) fn stored(self, store: Option<String>) -> Self {
        Self { store, ..self }
    }

    /// Finds, reads and checks the experiment, and builds its graph.
    pub(super) fn open(&self) -> Result<Opened, Stop> {
        let (resolved, texts) = self.resolved()?;
        let machine = Arc::new(Machine::new(self.device()?));
        let built = build(&resolved, &machine).map_err(|problems| Stop::Wrong(problems, texts))?;
        let store = Store::open(store_folder(self.store.as_deref()))?;
        let circumstances = Circumstances {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: self.device.clone(),
            machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            threads: rayon::current_num_threads(),
        };
        Ok(Opened { resolved, built, store, circumstances })
    }

    /// Returns the report of an experiment that has been run.
    pub(super) fn finished(&self) -> Result<Document, Stop> {
        let Opened { resolved, built, store, circumstances } = self.open()?;
        document(&resolved, &built, &store, &circumstances)
            .map_err(|failure| Stop::Failed(format!("{failure}: run the experiment first")))
    }

    /// Finds, reads and checks the experiment; returns its texts too, for messages.
    pub(super) fn resolved(&self) -> Result<(Resolved, Vec<(String, String)>), Stop> {
        let (path, text) = find(&self.experiment, &DiskFiles)?;
        let mut overrides = self.overrides.clone();
        if let Some(seeds) = &self.seeds {
            overrides.push(format!("seeds=[{seeds}]"));
        }
        let request = Request {
            profile: self.profile.clone(),
            overrides,
            sweeps: self.sweep.clone(),
            data_folder: data_folder(),
        };
        let texts = vec![(path.clone(), text.clone())];
        match resolve(&path, &text, &request, &DiskFiles) {
            Ok(resolved) => Ok((resolved, texts)),
            Err(problems) => Err(Stop::Wrong(problems, texts)),
        }
    }

    fn device(&self) -> Result<Device, Problem> {
        device(&self.device)
    }
}

/// Returns the folder of the artifact store: as told, or from the environment, or the usual one.
pub(super) fn store_folder(told: Option<&str>) -> String {
    let told = told.map(str::to_owned).or_else(|| std::env::var("ERSATZ_CACHE").ok());
    told.unwrap_or_else(|| STORE.to_owned())
}

/// Returns the folder that `$ERSATZ_DATA` stands for.
pub(super) fn data_folder() -> String {
    std::env::var("ERSATZ_DATA").unwrap_or_else(|_| DATA.to_owned())
}

/// Returns the device of a name.
pub(super) fn device(name: &str) -> Result<Device, Problem> {
    if name == "cpu" {
        return Ok(Device::flex());
    }
    #[cfg(feature = "cuda")]
    if let Some(index) = name.strip_prefix("cuda").map(|rest| rest.trim_start_matches(':'))
        && let Ok(index) = if index.is_empty() { Ok(0) } else { index.parse::<usize>() }
    {
        return Ok(Device::cuda(index));
    }
    let known = if cfg!(feature = "cuda") { "`cpu` or `cuda:N`" } else { "`cpu`" };
    let problem = Problem::new(format!("--device {name}"), format!("`{name}`"), known);
    Err(problem.hint("GPUs need a build with `--features cuda`"))
}
