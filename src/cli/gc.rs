//! `gc`: removes artifacts that no experiment to keep needs. Says what it would do, unless told to
//! do it.

use std::collections::BTreeSet;

use clap::Args;

use super::setting::{Setting, store_folder};
use super::{Stop, say};
use crate::engine::{DiskFiles, Found, Store, StoreError, unix_seconds};
use crate::experiment::{find, profiles};
use crate::terms::{Key, Problem};

#[derive(Args)]
pub(super) struct Gc {
    /// Keeps all that an experiment needs, in every profile (`--keep table3`) or in one
    /// (`--keep table3@small`); may be repeated. What was run with `-o`, `--sweep` or `--seeds`,
    /// from files or data that have changed since, or by `ersatz metrics` has no such name: only
    /// `--newer-than` keeps it
    #[arg(long, value_name = "EXPERIMENT[@PROFILE]")]
    keep: Vec<String>,
    /// Keeps what was finished within so many days
    #[arg(long, value_name = "DAYS")]
    newer_than: Option<f64>,
    /// Does it, unless another process works in the store
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
        let holders = if self.delete { store.holders()? } else { Vec::new() };
        if !holders.is_empty() {
            // It may be about to read what this would remove.
            let who = holders.join(", ");
            let failed = format!("nothing is removed: {who} works in this store");
            return Err(Stop::Failed(format!("{failed}; run again when it is done")));
        }
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
            kept.extend(match name.split_once('@') {
                Some((experiment, profile)) => self.keys(experiment, profile)?,
                None => self.keys_of_all_profiles(name)?,
            });
        }
        Ok(kept)
    }

    fn keys(&self, experiment: &str, profile: &str) -> Result<Vec<Key>, Stop> {
        let profile = Some(profile.to_owned());
        let setting = Setting::of(experiment.to_owned(), profile, Vec::new());
        let opened = setting.stored(self.store.clone()).open()?;
        Ok(opened.built.graph.iter().map(|(_, node)| node.key()).collect())
    }

    /// Returns the keys of every profile that can run here, and says which cannot: without its data
    /// nobody knows what it needs.
    fn keys_of_all_profiles(&self, experiment: &str) -> Result<Vec<Key>, Stop> {
        let (mut keys, mut refused) = (Vec::new(), Vec::new());
        let profiles = profiles_of(experiment)?;
        for profile in &profiles {
            match self.keys(experiment, profile) {
                Ok(found) => keys.extend(found),
                Err(Stop::Wrong(problems, texts)) => refused.push((profile, problems, texts)),
                Err(other) => return Err(other),
            }
        }
        if refused.len() == profiles.len() {
            let (_, problems, texts) = refused.swap_remove(0);
            return Err(Stop::Wrong(problems, texts));
        }
        for (profile, problems, _) in refused {
            let why = problems.0.first().expect("it was refused for a reason");
            let why = format!("{}: {}", why.source, why.found);
            say(format!("not kept: {experiment}@{profile}, which cannot run here ({why})"));
        }
        Ok(keys)
    }
}

/// Returns the names of all profiles of an experiment.
fn profiles_of(experiment: &str) -> Result<Vec<String>, Stop> {
    let (path, text) = find(experiment, &DiskFiles)?;
    profiles(&path, &text).map_err(|problems| Stop::Wrong(problems, vec![(path, text)]))
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
