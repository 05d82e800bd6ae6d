//! `data`: what data can be read, what some data are like, and how well-known data come here.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::download::{DownloadError, Downloader, Remote};
use super::setting::{Setting, data_folder};
use super::{Stop, say};
use crate::engine::DiskFiles;
use crate::experiment::{
    Absent, Inspection, fetch, folder_source, inspect_experiment, inspect_source, source_of,
    sources,
};

#[derive(Args)]
pub(super) struct Data {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Lists the sources and the well-known data sets.
    Ls,
    /// Looks at all pictures: counts, sizes, kinds of files, leakage.
    #[command(after_help = "Examples:\n  \
        ersatz data inspect table3\n  \
        ersatz data inspect --folder pictures\n  \
        ersatz data inspect --source 'svhn = { path = \"data/svhn\" }'")]
    Inspect(Inspect),
    /// Downloads the official files of a data set that are missing, and checks those that are here.
    #[command(after_help = "ERSATZ_MIRROR=https://host stands for scheme and host of every \
                            address. A call that was stopped is resumed by the same call.")]
    Fetch(Fetch),
}

#[derive(Args)]
struct Inspect {
    /// Name of an experiment or path of its TOML file
    #[arg(required_unless_present_any = ["folder", "source"])]
    experiment: Option<String>,
    /// A profile of the experiment
    #[arg(long, requires = "experiment")]
    profile: Option<String>,
    /// Changes one key of the experiment; may be repeated
    #[arg(short = 'o', long = "override", value_name = "KEY=VALUE", requires = "experiment")]
    overrides: Vec<String>,
    /// A folder with `train` and `test` (or `val`) in it, and one folder per class in each
    #[arg(long, value_name = "DIR", conflicts_with_all = ["experiment", "source"])]
    folder: Option<String>,
    /// A source as experiment files declare it
    #[arg(long, value_name = "TOML", conflicts_with = "experiment")]
    source: Option<String>,
    /// Where the contact sheet is written
    #[arg(long, default_value = "sheet.png", value_name = "PNG")]
    sheet: PathBuf,
}

#[derive(Args)]
struct Fetch {
    /// Name of a data set, as `ersatz data ls` has it
    name: String,
    /// Folder of the files [default: the name, in `ERSATZ_DATA` or `../shared/data`]
    #[arg(long, value_name = "DIR")]
    to: Option<String>,
    /// Which file, where one of several is enough [default: the first]
    #[arg(long)]
    file: Option<String>,
}

impl Data {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        match &self.verb {
            Verb::Ls => {
                say(sources().trim_end());
                Ok(())
            }
            Verb::Inspect(verb) => verb.execute(),
            Verb::Fetch(verb) => verb.execute(),
        }
    }
}

impl Inspect {
    fn execute(&self) -> Result<(), Stop> {
        let inspection = self.inspection()?;
        say(inspection.page.trim_end());
        if let Some(png) = &inspection.sheet {
            super::put(&self.sheet, png)?;
            say(format!("contact sheet: {}", self.sheet.display()));
        }
        if inspection.warnings.is_empty() {
            say("warnings: none");
        }
        inspection.warnings.iter().for_each(say);
        if inspection.unreadable.0.is_empty() {
            return Ok(());
        }
        Err(Stop::WrongData(inspection.unreadable))
    }

    fn inspection(&self) -> Result<Inspection, Stop> {
        if let Some(experiment) = &self.experiment {
            let setting =
                Setting::of(experiment.clone(), self.profile.clone(), self.overrides.clone());
            let (resolved, texts) = setting.resolved()?;
            return inspect_experiment(&resolved, &DiskFiles)
                .map_err(|problems| Stop::Wrong(problems, texts));
        }
        let source = match (&self.source, &self.folder) {
            (Some(declared), _) => source_of("--source", declared)?,
            (None, folder) => folder_source(folder.as_deref().unwrap_or("."), &DiskFiles)?,
        };
        inspect_source(&source, &DiskFiles).map_err(Stop::WrongData)
    }
}

impl Fetch {
    fn execute(&self) -> Result<(), Stop> {
        let usual = || format!("{}/{}", data_folder().trim_end_matches('/'), self.name);
        let folder = self.to.clone().unwrap_or_else(usual);
        let found = fetch(&self.name, &folder, &DiskFiles)?;
        let wanted = found.wanted(self.file.as_deref())?;
        let downloaded = download(&wanted);
        let now = match wanted.is_empty() {
            true => found,
            false => fetch(&self.name, &folder, &DiskFiles)?,
        };
        say(now.page.trim_end());
        match (downloaded, now.missing) {
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(missing)) => Err(Stop::Failed(missing)),
            (Err(error), None) => Err(Stop::Failed(error.to_string())),
            (Err(error), Some(missing)) => Err(Stop::Failed(format!("{error}\n  {missing}"))),
        }
    }
}

/// Downloads files, up to the first that fails.
fn download(wanted: &[&Absent]) -> Result<(), DownloadError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let downloader = Downloader::of_environment();
    wanted.iter().try_for_each(|absent| {
        let check = |path: &Path| absent.check(path, &DiskFiles);
        let check: &dyn Fn(&Path) -> Result<(), String> = &check;
        let check = absent.has_sum().then_some(check);
        let (address, to) = (absent.address.as_str(), absent.path.as_path());
        downloader.get(&Remote { address, to, bytes: None, check })
    })
}
