//! `gc`: removes artifacts that no experiment to keep needs. Says what it would do, unless told to
//! do it.

use std::collections::BTreeSet;

use clap::Args;

use super::setting::{Setting, store_folder};
use super::{Stop, say};
use crate::engine::{Found, Store, StoreError, unix_seconds};
use crate::terms::{Key, Problem};

#[derive(Args)]
pub(super) struct Gc {
    /// Keeps all that an experiment needs: `--keep table3`, `--keep quickstart@small`; may be
    /// repeated
    #[arg(long, value_name = "EXPERIMENT[@PROFILE]")]
    keep: Vec<String>,
    /// Keeps what was finished within so many days
    #[arg(long, value_name = "DAYS")]
    newer_than: Option<f64>,
    /// Does it
    #[arg(long)]
    delete: bool,
    /// Folder of the artifact store [default: `ERSATZ_CACHE` or `.ersatz`]
    #[arg(long)]
    store: Option<String>,
}

impl Gc {
    pub(super) fn execute(&self) -> Result<(), Stop> {
        if self.keep.is_empty() && self.newer_than.is_none() {
            let expected = "`--keep EXPERIMENT` or `--newer-than DAYS`";
            let problem = Problem::new("gc", "nothing to keep", expected);
            return Err(problem.hint("`--newer-than 0` keeps nothing").into());
        }
        let store = Store::open(store_folder(self.store.as_deref()))?;
        let kept = self.kept()?;
        let (mut count, mut bytes, mut busy) = (0, 0, 0);
        for (key, label, size) in candidates(&store, self.newer_than)? {
            if kept.contains(&key) {
                continue;
            }
            if self.delete {
                match store.forget(key) {
                    Err(StoreError::Busy { .. }) => {
                        busy += 1;
                        continue;
                    }
                    done => done.map_err(|error| Stop::Failed(error.to_string()))?,
                }
            } else {
                say(format!("would remove  {}  {:>7} KiB  {label}", key.short(), size >> 10));
            }
            count += 1;
            bytes += size;
        }
        let size = bytes >> 20;
        if self.delete {
            store.empty_trash()?;
            say(format!("{count} artifacts removed, {size} MiB free again"));
        } else {
            say(format!("{count} artifacts would go, {size} MiB; `--delete` removes them"));
        }
        if busy > 0 {
            say(format!("{busy} artifacts are being worked on and stay"));
        }
        Ok(())
    }

    /// Returns the keys of all that the experiments to keep need.
    fn kept(&self) -> Result<BTreeSet<Key>, Stop> {
        let mut kept = BTreeSet::new();
        for name in &self.keep {
            let (experiment, profile) = match name.split_once('@') {
                Some((experiment, profile)) => (experiment, Some(profile.to_owned())),
                None => (name.as_str(), None),
            };
            let setting = Setting::of(experiment.to_owned(), profile, Vec::new());
            let opened = setting.stored(self.store.clone()).open()?;
            kept.extend(opened.built.graph.iter().map(|(_, node)| node.key()));
        }
        Ok(kept)
    }
}

/// Returns entries that are older than so many days, and unfinished work, with their sizes.
fn candidates(store: &Store, newer_than: Option<f64>) -> Result<Vec<(Key, String, u64)>, Stop> {
    let limit = newer_than.map(|days| unix_seconds() - days * 86_400.0);
    let mut found = Vec::new();
    for key in store.keys()? {
        match store.find(key)? {
            Found::Whole(entry) => {
                let manifest = entry.manifest();
                if limit.is_none_or(|limit| manifest.finished <= limit) {
                    found.push((key, manifest.origin.label.clone(), manifest.bytes()));
                }
            }
            Found::Damaged(what) => found.push((key, format!("damaged: {what}"), 0)),
            Found::Absent => {}
        }
    }
    // Nobody knows the age of work that was stopped; only a list of what to keep decides on it.
    if limit.is_none() {
        let unfinished = |key| (key, "unfinished work".to_owned(), 0);
        found.extend(store.unfinished()?.into_iter().map(unfinished));
    }
    Ok(found)
}
