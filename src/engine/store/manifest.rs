//! What an entry says about itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::Estimate;
use crate::terms::Key;

/// The name of the file in which an entry says what it is.
pub(super) const MANIFEST: &str = "manifest.json";

/// The form of a manifest; a higher number is not ours to read.
pub(super) const FORMAT: u32 = 1;

/// Where an artifact comes from: everything that decides its key, and what people call it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The kind of stage that makes it.
    pub kind: String,
    /// The version of that stage.
    pub version: u32,
    /// What people call it; not part of the key.
    pub label: String,
    /// The stage's settings.
    pub spec: Value,
    /// The keys of its inputs by name.
    pub inputs: BTreeMap<String, Key>,
    /// What the stage expected to need; not part of the key.
    pub estimate: Estimate,
}

impl Origin {
    /// Returns the key of the artifact.
    pub fn key(&self) -> Key {
        let inputs: Vec<_> = self.inputs.iter().map(|(name, key)| (name.clone(), *key)).collect();
        Key::of_stage(&self.kind, self.version, &self.spec, &inputs)
    }
}

/// One file of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// The path inside of the entry, with `/` between folders.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// BLAKE3 of the content.
    pub blake3: Key,
}

/// What an entry says about itself. Nothing in it but the origin enters a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this manifest.
    pub format: u32,
    /// The key of the entry.
    pub key: Key,
    /// Where it comes from.
    pub origin: Origin,
    /// Its files in byte order of their names.
    pub files: Vec<FileRecord>,
    /// Wall time of the work in seconds, over all sessions it took.
    pub seconds: f64,
    /// When it was committed, in seconds since 1970 (UTC).
    pub finished: f64,
}

impl Manifest {
    /// Returns the size of all files together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    pub(super) fn parse(bytes: &[u8], key: Key) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|e| format!("its manifest cannot be read: {e}"))?;
        if manifest.format != FORMAT {
            return Err(format!("its manifest has the unknown form {}", manifest.format));
        }
        if manifest.key != key {
            return Err(format!("its manifest belongs to {}", manifest.key.short()));
        }
        Ok(manifest)
    }
}
