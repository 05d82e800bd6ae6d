//! Checkpoints that PyTorch pickled: `.pt` and `.pth`.
//!
//! The reader is burn's: it interprets the few pickle operations that tensors need, runs no code,
//! and reads every container that `torch.save` has ever written. It opens the file itself and takes
//! no bytes, which is why weights are read from a path and not through [`crate::terms::Files`].

use std::path::Path;

use burn::store::pytorch_reader::{self, PytorchError, PytorchReader};
use burn::tensor::DType;

use super::{Array, State};

/// Keys under which training scripts nest the weights beside their own bookkeeping.
const NESTS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// Returns the tensors of a pickled checkpoint; of its nested state dict, if it has one.
pub(super) fn read_pickle(path: &Path) -> Result<State, String> {
    for nest in NESTS {
        match PytorchReader::with_top_level_key(path, nest) {
            Ok(reader) => return state(reader),
            Err(PytorchError::KeyNotFound(_)) => {}
            Err(other) => return Err(other.to_string()),
        }
    }
    state(PytorchReader::new(path).map_err(|e| e.to_string())?)
}

fn state(reader: PytorchReader) -> Result<State, String> {
    let named = reader.into_tensors().into_iter();
    named.map(|(name, tensor)| array(&tensor).map(|array| (name, array))).collect()
}

fn array(tensor: &pytorch_reader::Tensor) -> Result<Array, String> {
    use pytorch_reader::DType as Stored;
    let kind = match tensor.dtype() {
        Stored::F64 => DType::F64,
        Stored::F32 => DType::F32,
        Stored::F16 => DType::F16,
        Stored::BF16 => DType::BF16,
        Stored::I64 => DType::I64,
        Stored::I32 => DType::I32,
        Stored::I16 => DType::I16,
        Stored::I8 => DType::I8,
        Stored::U64 => DType::U64,
        Stored::U32 => DType::U32,
        Stored::U16 => DType::U16,
        Stored::U8 | Stored::Bool => DType::U8,
    };
    let bytes = tensor.read().map_err(|e| e.to_string())?;
    super::file::array(bytes, tensor.shape().to_vec(), kind)
}
