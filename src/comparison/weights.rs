//! Where the weights of published networks lie, and whether they are what their names say.
//!
//! Other tools have often left them already: in `TORCH_HOME/hub/checkpoints`, or in the cache of
//! Hugging Face. Names of files end with the first digits of their SHA-256.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sha2::{Digest as _, Sha256};

use crate::lab::metrics::extractors::{Encoder, Network, WrongWeights};
use crate::nets::weights::{State, read_weights};
use crate::terms::{Files, Problem};

/// Bytes that are hashed at a time.
const PIECE: usize = 1 << 22;

/// The weights of a network, from a file.
pub struct Weights {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, in hexadecimal digits.
    pub hash: String,
    /// The tensors.
    pub state: State,
}

/// Returns where the published weights of a network are, in the first of the folders that has them.
pub fn find(network: Network, folders: &[PathBuf], files: &dyn Files) -> Option<PathBuf> {
    let mut places =
        folders.iter().flat_map(|folder| network.files().iter().map(|name| folder.join(name)));
    places.find(|path| files.is_folder(path) == Some(false))
}

/// Reads the weights of a network: from the file that was told, else from where they are found.
///
/// # Errors
/// If there is none, it cannot be read, or its name and its content do not belong together.
pub fn load(
    network: Network,
    told: Option<&Path>,
    folders: &[PathBuf],
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
    if let Some(digits) = promised(&path)
        && !hash.starts_with(&digits)
    {
        let found = format!("a file whose SHA-256 begins with {}", &hash[..8]);
        let hint = format!("its name promises {digits}: it is damaged, or another file");
        return Err(wrong(found).hint(hint));
    }
    let state = read_weights(&path).map_err(|error| wrong(error.to_string()))?;
    Ok(Weights { path, hash, state })
}

/// Makes sure that every tensor of a network is there, and no other.
///
/// # Errors
/// If not: names what is missing, left over or of another shape.
pub fn fit(network: Network, weights: &Weights) -> Result<(), Problem> {
    let preprocessing = network.preprocessing();
    Encoder::new(network, preprocessing, &weights.state, &weights.hash, &Device::flex())
        .map(drop)
        .map_err(|error| misfit(&weights.path.to_string_lossy(), &error))
}

/// Returns the problem of weights that are not those of the network.
pub(super) fn misfit(source: &str, error: &WrongWeights) -> Problem {
    let problem = Problem::new(source, error.to_string(), "the weights of the network");
    match error {
        WrongWeights::Torchvision => problem
            .hint(format!("the right file is `{}`", Network::Inception.files().join("` or `"))),
        _ => problem,
    }
}

/// Returns what to download and where to put it.
pub fn missing(network: Network, folders: &[PathBuf]) -> Problem {
    let names = network.files().join("` or `");
    let searched: Vec<String> =
        folders.iter().map(|folder| folder.to_string_lossy().into_owned()).collect();
    let found = format!("no weights for `{}` in {}", network.name(), searched.join(", "));
    let hint = match address(network) {
        Some(address) => {
            format!("download {address} and put it there, or name the file with `--weights`")
        }
        None => "save OpenAI's model from Hugging Face under this name, or name the file with \
                 `--weights`"
            .to_owned(),
    };
    Problem::new("--weights", found, format!("`{names}`")).hint(hint)
}

/// Returns where the published weights are, as the tools that load them say (pytorch-fid 0.3,
/// torchvision 0.29, torch-fidelity 0.4).
fn address(network: Network) -> Option<&'static str> {
    match network {
        Network::Inception
        | Network::InceptionD64
        | Network::InceptionD192
        | Network::InceptionD768 => Some(
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/\
             pt_inception-2015-12-05-6726825d.pth",
        ),
        Network::Vgg16 => Some("https://download.pytorch.org/models/vgg16-397923af.pth"),
        Network::Dinov2B => {
            Some("https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth")
        }
        Network::Dinov2L => {
            Some("https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth")
        }
        Network::ClipB32 | Network::ClipL14 => None,
    }
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

/// Returns the first digits of the SHA-256 that a published file's name ends with.
fn promised(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let digits = stem.rsplit('-').next()?;
    let hexadecimal = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hexadecimal && stem != digits).then(|| digits.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::MemoryFiles;

    #[test]
    fn a_name_promises_digits() {
        let of = |name: &str| promised(Path::new(name));
        assert_eq!(of("pt_inception-2015-12-05-6726825d.pth").as_deref(), Some("6726825d"));
        assert_eq!(of("vgg16-397923AF.pth").as_deref(), Some("397923af"));
        assert_eq!((of("inception.pth"), of("12345678.pth"), of("a-2015.pth")), (None, None, None));
    }

    #[test]
    fn files_are_found_in_the_order_of_folders_and_hashed() {
        let mut files = MemoryFiles::default();
        let name = Network::Inception.files()[0];
        files.insert(format!("b/{name}"), b"abc".to_vec());
        let folders = [PathBuf::from("a"), PathBuf::from("b")];
        let found = find(Network::Inception, &folders, &files).unwrap();
        assert_eq!(found, Path::new("b").join(name));
        // FIPS 180-4, the example of one block.
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&found, &files).unwrap(), want);
        let said = load(Network::Inception, None, &folders, &files).err().unwrap().to_string();
        assert!(
            said.contains("begins with ba7816bf") && said.contains("promises 6726825d"),
            "{said}"
        );
        let said = load(Network::Inception, None, &folders[..1], &files).err().unwrap().to_string();
        assert!(said.contains("no weights for `inception` in a") && said.contains(name), "{said}");
        for network in Network::ALL {
            let named = |address: &str| network.files().iter().any(|name| address.ends_with(name));
            assert!(address(network).is_none_or(named), "{network:?}");
        }
    }
}
