//! Where the weights of published networks lie, and whether they are what their names say.
//!
//! Ours lie in a folder of our own ([`Folders::ours`]). Other tools have often left them already:
//! in `TORCH_HOME/hub/checkpoints`, or in the cache of Hugging Face. In reading order: [`find`],
//! [`load`] and [`fit`] for what is there, [`missing`] for what is not, and [`import`] and
//! [`verify`] for what comes into our folder.

mod import;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sha2::{Digest as _, Sha256};

pub use self::import::{ImportError, import};
use crate::lab::metrics::extractors::{Encoder, Network, Published, WrongWeights};
use crate::nets::weights::{State, read_weights};
use crate::terms::{Files, Problem};

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 22;

/// What models are called in the cache of Hugging Face: `transformers` loads the first that is
/// there.
const HUB_FILES: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];

/// Where weights are looked for, in this order.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    /// Ours, where [`import`] and downloads put them.
    pub ours: PathBuf,
    /// Folders of other tools, which leave them under their published names.
    pub others: Vec<PathBuf>,
    /// The cache of Hugging Face, if it is to be looked at.
    pub hub: Option<PathBuf>,
}

impl Folders {
    /// Returns all folders in the order of the search, for messages.
    pub fn list(&self) -> String {
        let all = [&self.ours].into_iter().chain(&self.others).chain(&self.hub);
        all.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// The weights of a network, from a file.
pub struct Weights {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal digits.
    pub hash: String,
    /// The tensors.
    pub state: State,
}

/// Returns where the weights of a network are: under a published name in the first folder that has
/// one, else in the cache of Hugging Face.
pub fn find(network: Network, folders: &Folders, files: &dyn Files) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| files.is_folder(path) == Some(false);
    let names = network.published();
    let mut named = [&folders.ours]
        .into_iter()
        .chain(&folders.others)
        .flat_map(|folder| names.iter().map(|published| folder.join(published.name)));
    named.find(is_file).or_else(|| {
        let hub = folders.hub.as_ref()?;
        let mut cached = names.iter().filter_map(|published| in_hub(published, hub, files));
        cached.find(is_file)
    })
}

/// Returns where the cache of Hugging Face has a model, in the first snapshot by name.
fn in_hub(published: &Published, hub: &Path, files: &dyn Files) -> Option<PathBuf> {
    let snapshots = files.list(&hub.join(published.hub_folder()?).join("snapshots")).ok()?;
    HUB_FILES
        .iter()
        .flat_map(|name| snapshots.iter().map(move |(snapshot, _)| snapshot.join(name)))
        .find(|path| files.is_folder(path) == Some(false))
}

/// Reads the weights of a network: from the file that was told, else from where they are found.
///
/// # Errors
/// If there is none, it cannot be read, or its name and its content do not belong together.
pub fn load(
    network: Network,
    told: Option<&Path>,
    folders: &Folders,
    files: &dyn Files,
) -> Result<Weights, Problem> {
    let path = match told {
        Some(path) => path.to_owned(),
        None => find(network, folders, files).ok_or_else(|| missing(network, folders))?,
    };
    let wrong = |found: String| {
        Problem::new(path.to_string_lossy(), found, format!("weights for `{}`", network.name()))
    };
    let hash = sha256(&path, files).map_err(|error| wrong(error.to_string()))?;
    if let Some((published, digits)) = promised(network, &path)
        && hash != published.sha256
    {
        let found = format!("a file whose SHA-256 begins with {}", &hash[..8]);
        let hint = format!("its name promises {digits}: it is damaged, or another file");
        return Err(wrong(found).hint(hint));
    }
    let state = read_weights(&path).map_err(|error| wrong(error.to_string()))?;
    Ok(Weights { path, hash, state })
}

/// Returns the published file of this name and the digits that the name ends with, if it does.
fn promised(network: Network, path: &Path) -> Option<(&'static Published, &'static str)> {
    let name = path.file_name()?.to_str()?;
    let published = network.published().iter().find(|published| published.name == name)?;
    Some((published, published.digits()?))
}

/// Makes sure that every tensor of a network is there and finite, and no other.
///
/// # Errors
/// If not: names what is missing, left over or of another shape.
pub fn fit(network: Network, weights: &Weights) -> Result<(), Problem> {
    let preprocessing = network.preprocessing();
    Encoder::new(network, preprocessing, &weights.state, &weights.hash, &Device::flex())
        .map(drop)
        .map_err(|error| misfit(&weights.path, &error))
}

/// Makes sure that a file, whatever it is called, is this published one, and fits.
///
/// # Errors
/// If not: a lower-case fragment that says why.
pub fn verify(
    network: Network,
    published: &Published,
    path: &Path,
    files: &dyn Files,
) -> Result<(), String> {
    let hash = sha256(path, files).map_err(|error| error.to_string())?;
    if hash != published.sha256 {
        return Err(format!("its SHA-256 is {hash}, published is {}", published.sha256));
    }
    let state = read_weights(path).map_err(|error| error.to_string())?;
    let weights = Weights { path: path.to_owned(), hash, state };
    fit(network, &weights).map_err(|problem| problem.found)
}

/// Returns the problem of weights that are not those of the network.
pub(super) fn misfit(path: &Path, error: &WrongWeights) -> Problem {
    let path = path.to_string_lossy();
    let problem = Problem::new(path, error.to_string(), "the weights of the network");
    match error {
        WrongWeights::Torchvision => {
            problem.hint(format!("the right file is `{}`", names(Network::Inception)))
        }
        _ => problem,
    }
}

/// Returns the names that the weights of a network are published under, for messages.
pub fn names(network: Network) -> String {
    let names: Vec<&str> = network.published().iter().map(|published| published.name).collect();
    names.join("` or `")
}

/// Returns what to do about weights that are nowhere.
pub fn missing(network: Network, folders: &Folders) -> Problem {
    let found = format!("no weights for `{}` in {}", network.name(), folders.list());
    let hint = format!(
        "`ersatz weights fetch {}` downloads them; without a network {}",
        network.name(),
        by_hand(network, &folders.ours)
    );
    Problem::new("--weights", found, format!("`{}`", names(network))).hint(hint)
}

/// Returns what to download elsewhere, and where to put it.
pub fn by_hand(network: Network, folder: &Path) -> String {
    let Published { name, address, .. } = network.published()[0];
    let folder = folder.display();
    format!(
        "download {address}, save it as `{name}` in {folder}, or name the file with `--weights`"
    )
}

/// Returns SHA-256 of a file in hexadecimal digits.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path, files: &dyn Files) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    for start in (0..files.size(path)?).step_by(PIECE) {
        hash.update(files.read_range(path, start, PIECE)?);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;

    fn folders() -> Folders {
        let [ours, torch, hub] = ["ours", "torch", "hub"].map(PathBuf::from);
        Folders { ours, others: vec![torch], hub: Some(hub) }
    }

    fn found(network: Network, files: &MemoryFiles) -> Option<String> {
        find(network, &folders(), files).map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn digits_are_promised_by_published_names_only() {
        let of = |network, name: &str| promised(network, Path::new(name)).map(|(_, it)| it);
        let inception = |name| of(Network::Inception, name);
        assert_eq!(inception("pt_inception-2015-12-05-6726825d.pth"), Some("6726825d"));
        assert_eq!(inception("a/weights-inception-2015-12-05-6726825d.pth"), Some("6726825d"));
        assert_eq!(of(Network::Vgg16, "vgg16-397923af.pth"), Some("397923af"));
        // A date looks like digits of a hash.
        assert_eq!(of(Network::Vgg16, "vgg16-20240131.pth"), None);
        assert_eq!(of(Network::Vgg16, "pt_inception-2015-12-05-6726825d.pth"), None);
        assert_eq!(of(Network::Dinov2B, "dinov2_vitb14_pretrain.pth"), None);
    }

    #[test]
    fn files_are_found_in_the_order_of_folders_and_hashed() {
        let mut files = MemoryFiles::default();
        let [first, second] = [0, 1].map(|i| Network::Inception.published()[i].name);
        assert_eq!(found(Network::Inception, &files), None);
        files.insert(format!("torch/{first}"), b"abc".to_vec());
        assert_eq!(found(Network::InceptionD64, &files).unwrap(), format!("torch/{first}"));
        // FIPS 180-4, the example of one block.
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&Path::new("torch").join(first), &files).unwrap(), want);
        let load = |network| load(network, None, &folders(), &files).err().unwrap().to_string();
        let said = load(Network::Inception);
        assert!(
            said.contains("begins with ba7816bf") && said.contains("promises 6726825d"),
            "{said}"
        );
        let said = load(Network::Vgg16);
        for part in ["no weights for `vgg16` in ours, torch, hub", "`vgg16-397923af.pth`"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(
            said.contains("`ersatz weights fetch vgg16`") && said.contains("in ours"),
            "{said}"
        );
        files.insert(format!("ours/{second}"), b"abc".to_vec());
        assert_eq!(found(Network::Inception, &files).unwrap(), format!("ours/{second}"));
    }

    #[test]
    fn the_cache_of_hugging_face_is_looked_at_last() {
        let mut files = MemoryFiles::default();
        let clip = "hub/models--openai--clip-vit-large-patch14";
        files.insert(format!("{clip}/blobs/f1a1"), vec![1]);
        files.insert(format!("{clip}/snapshots/1111/config.json"), vec![1]);
        assert_eq!(found(Network::ClipL14, &files), None);
        files.insert(format!("{clip}/snapshots/1111/pytorch_model.bin"), vec![1]);
        let pickle = format!("{clip}/snapshots/1111/pytorch_model.bin");
        assert_eq!(found(Network::ClipL14, &files), Some(pickle));
        // As `transformers`, which loads no pickle where there is the other.
        files.insert(format!("{clip}/snapshots/2222/model.safetensors"), vec![1]);
        let tensors = format!("{clip}/snapshots/2222/model.safetensors");
        assert_eq!(found(Network::ClipL14, &files), Some(tensors));
        assert_eq!(found(Network::ClipB32, &files), None);
        for (network, model) in [
            (Network::ClipB32, "openai--clip-vit-base-patch32"),
            (Network::Dinov2B, "facebook--dinov2-base"),
            (Network::Dinov2L, "facebook--dinov2-large"),
        ] {
            let path = format!("hub/models--{model}/snapshots/main/model.safetensors");
            files.insert(path.clone(), vec![1]);
            assert_eq!(found(network, &files), Some(path));
        }
        files.insert("torch/dinov2_vitb14_pretrain.pth", vec![1]);
        assert_eq!(found(Network::Dinov2B, &files).unwrap(), "torch/dinov2_vitb14_pretrain.pth");
    }
}
