//! Weights to start a training from, instead of fresh ones: the central step of Azizi et al. 2023
//! (arXiv:2304.08466), who tune a model that has seen far more pictures on those of one task.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nets::blocks::Site;
use crate::nets::unet::{UNet, UNetConfig};
use crate::nets::weights::{Mismatch, State, load_state, read_safetensors, state_of};
use crate::terms::{Files, Problem};
use burn::tensor::Device;

/// Where the first weights of a training come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// A safetensors file, as `weights.safetensors` of a generator in the store.
    File(StartFile),
    /// A generator under `pretraining`, trained on other pictures.
    Pretraining(StartPretraining),
}

/// Weights of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StartFile {
    /// The file; its content is part of the result, its place is not.
    pub path: String,
    /// What becomes of its table of classes.
    pub classes: ClassTable,
}

/// Weights of a generator of the same experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StartPretraining {
    /// Its name under `pretraining`. A stage of a cascade starts from the stage of the same name
    /// there, the base from the base or from a model on pixels.
    pub of: String,
    /// What becomes of its table of classes.
    pub classes: ClassTable,
}

/// What becomes of the vectors that stand for classes, when weights are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassTable {
    /// They are taken over: the classes are the same in the same order.
    #[default]
    Same,
    /// They start fresh: there are other classes.
    New,
}

/// The table of classes in a net.
const CLASSES: &str = "class_embedding.weight";

impl Start {
    /// Returns what becomes of the table of classes.
    pub fn classes(&self) -> ClassTable {
        match self {
            Self::File(StartFile { classes, .. })
            | Self::Pretraining(StartPretraining { classes, .. }) => *classes,
        }
    }
}

impl ClassTable {
    /// Returns a fresh net with weights taken over: every tensor must be there by name and shape,
    /// and no other, but for the table of classes if that stays fresh.
    ///
    /// # Errors
    /// If the weights are not those of the net.
    pub fn begin(self, net: UNet, mut weights: State) -> Result<UNet, Mismatch> {
        if self == Self::New {
            let fresh = state_of(&net).remove(CLASSES);
            weights.extend(fresh.map(|table| (CLASSES.to_owned(), table)));
        }
        load_state(net, &weights)
    }
}

impl StartFile {
    /// Returns what is wrong with the file, as far as it can be told before the classes are
    /// counted; `config` is that of the net for a number of classes.
    pub fn check(
        &self,
        source: &str,
        config: impl Fn(usize) -> UNetConfig,
        files: &dyn Files,
    ) -> Option<Problem> {
        let path = format!("{source}.path");
        let whose = |reason: String| format!("`{}`: {reason}", self.path);
        let problem = |found: String| {
            let expected = "a safetensors file with the weights of this net";
            Problem::new(path.clone(), found, expected)
        };
        let bytes = match files.read(Path::new(&self.path)) {
            Ok(bytes) => bytes,
            Err(error) => return Some(problem(error.to_string())), // It names the file.
        };
        let weights = match read_safetensors(&bytes) {
            Ok(weights) => weights,
            Err(reason) => return Some(problem(whose(reason))),
        };
        // The last row stands for "no class".
        let rows = weights.get(CLASSES).and_then(|table| table.shape.first().copied());
        let classes = rows.unwrap_or(1).saturating_sub(1);
        let net = UNet::new(&config(classes), &Site::blank(&Device::flex()));
        let mismatch = self.classes.begin(net, weights).err()?;
        let hint = "`training.net` and `data.channels` must be those it was trained with";
        Some(problem(whose(mismatch.to_string())).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::generators::PixelNet;
    use crate::lab::images::Channels;
    use crate::nets::weights::write_safetensors;
    use crate::terms::{MemoryFiles, Seed};

    fn knobs(channels: [usize; 2]) -> PixelNet {
        PixelNet { channels: channels.to_vec(), groups: 2, ..PixelNet::default() }
    }

    fn net(channels: [usize; 2], classes: usize, seed: u64) -> UNet {
        let config = knobs(channels).config(Channels::Grey, classes);
        UNet::new(&config, &Site::new(Seed::root(seed), &Device::flex()))
    }

    #[test]
    fn a_table_of_classes_is_taken_over_or_stays_fresh() {
        let weights = state_of(&net([4, 6], 3, 1));
        let same = ClassTable::Same.begin(net([4, 6], 3, 2), weights.clone()).unwrap();
        assert!(state_of(&same) == weights);
        // Of other classes, or with none at all.
        let mut without = weights.clone();
        without.remove(CLASSES);
        for weights in [weights.clone(), without] {
            let fresh = net([4, 6], 5, 2);
            let table = state_of(&fresh)[CLASSES].clone();
            let new = state_of(&ClassTable::New.begin(fresh, weights.clone()).unwrap());
            assert!(new[CLASSES] == table);
            assert!(new.iter().all(|(name, array)| name == CLASSES || *array == weights[name]));
        }
        let mismatch = ClassTable::Same.begin(net([4, 6], 5, 2), weights).unwrap_err();
        assert_eq!(mismatch.shapes.len(), 1, "{mismatch}");
        assert_eq!(mismatch.shapes[0].name, CLASSES);
    }

    #[test]
    fn a_wrong_file_is_told_before_any_work() {
        let mut files = MemoryFiles::default();
        files.insert("w/right.safetensors", write_safetensors(&state_of(&net([4, 6], 7, 1))));
        files.insert("w/wider.safetensors", write_safetensors(&state_of(&net([4, 8], 7, 1))));
        files.insert("w/text.safetensors", b"no weights".to_vec());
        let check = |path: &str, classes| {
            let file = StartFile { path: path.to_owned(), classes };
            let config = |classes| knobs([4, 6]).config(Channels::Grey, classes);
            file.check("x", config, &files).map(|problem| problem.to_string())
        };
        for classes in [ClassTable::Same, ClassTable::New] {
            assert_eq!(check("w/right.safetensors", classes), None);
            let wider = check("w/wider.safetensors", classes).unwrap();
            assert!(wider.starts_with("x.path: `w/wider.safetensors`: the weights do not fit"));
            assert!(wider.contains("hint: `training.net`"), "{wider}");
            assert!(check("w/text.safetensors", classes).unwrap().contains("no safetensors file"));
            assert!(check("w/none.safetensors", classes).unwrap().contains("does not exist"));
        }
    }
}
