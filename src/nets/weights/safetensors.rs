//! The safetensors format: a JSON header and raw little-endian numbers.

use burn::tensor::DType;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Array, State};

/// Returns the tensors in the bytes of a safetensors file. Other types than f32 are converted.
///
/// # Errors
/// If the bytes are no safetensors file, or hold a type other than a plain number; the reason is a
/// fragment without the file's name.
pub fn read_safetensors(bytes: &[u8]) -> Result<State, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("no safetensors file: {e}"))?;
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let array = array(&view).map_err(|reason| format!("tensor `{name}` {reason}"))?;
            Ok((name, array))
        })
        .collect()
}

fn array(view: &TensorView<'_>) -> Result<Array, String> {
    let kind = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F64 => DType::F64,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::U8 => DType::U8,
        other => return Err(format!("has type {other:?}, expected numbers of 16 to 64 bits")),
    };
    super::file::array(view.data().to_vec(), view.shape().to_vec(), kind)
}

/// Returns the bytes of a safetensors file: f32, sorted by name. Equal states give equal bytes.
pub fn write_safetensors(state: &State) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = state
        .values()
        .map(|array| array.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = state.iter().zip(&bytes).map(|((name, array), bytes)| {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytes)
            .expect("an array has as many values as its shape says");
        (name, view)
    });
    safetensors::serialize(views, None).expect("a header of a net's names fits the format")
}
