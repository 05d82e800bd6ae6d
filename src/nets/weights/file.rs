//! A file of weights, whichever format it has.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use burn::tensor::{Bytes, DType, TensorData};

use super::pickle::read_pickle;
use super::{Array, State, read_safetensors};

/// Why a file of weights could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file is absent or unreadable.
    #[error("read weights `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what its format asks for.
    #[error("understand weights `{}`: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Returns the weights in a safetensors file or a pickled PyTorch checkpoint; the content decides
/// which it is. All numbers become f32. A state dict nested under `state_dict`, `model_state_dict`
/// or `model` is found.
///
/// # Errors
/// If the file cannot be read or is neither.
pub fn read_weights(path: &Path) -> Result<State, WeightsError> {
    let failed = |source| WeightsError::Read { path: path.to_owned(), source };
    let mut start = Vec::new();
    let mut file = File::open(path).map_err(failed)?;
    file.by_ref().take(SNIFFED).read_to_end(&mut start).map_err(failed)?;
    let state = if is_safetensors(&start) {
        file.read_to_end(&mut start).map_err(failed)?;
        read_safetensors(&start)
    } else {
        read_pickle(path)
    };
    state.map_err(|reason| WeightsError::Format { path: path.to_owned(), reason })
}

/// Bytes that tell the formats apart: the length of a safetensors header and its first character.
const SNIFFED: u64 = 9;

/// The longest header the safetensors format allows, in bytes.
const HEADER_MAX: u64 = 100_000_000;

fn is_safetensors(start: &[u8]) -> bool {
    let length = start.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    length.is_some_and(|length| length <= HEADER_MAX) && start.get(8) == Some(&b'{')
}

/// Makes an array of raw native-endian numbers of any type.
pub(super) fn array(bytes: Vec<u8>, shape: Vec<usize>, kind: DType) -> Result<Array, String> {
    let data = TensorData::try_from_bytes(Bytes::from_bytes_vec(bytes), shape.clone(), kind);
    let values = data.and_then(TensorData::try_into_vec_as).map_err(|e| e.to_string())?;
    Ok(Array { shape, values })
}
