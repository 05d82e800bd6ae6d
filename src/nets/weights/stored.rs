//! A net's weights in a file with other names and forms.

use burn::module::Module;

use super::state::{Outline, load_state, outline_of};
use super::{Array, Mismatch, State};

/// How a tensor of a net stands in a file of another implementation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Under this name, with the same numbers in the same order; axes of length 1 may be absent in
    /// front.
    As(String),
    /// As three tensors, one after the other along the first axis.
    Joined([String; 3]),
    /// As a matrix with rows and columns exchanged.
    Transposed(String),
}

/// Returns the net with its weights replaced by those of a file. `stored` says for each name in the
/// net how the file has it; names that `skipped` holds for may be in the file.
///
/// # Errors
/// If the file has not exactly the tensors and shapes that `stored` asks for, told in its own
/// names.
pub fn load_stored<M: Module>(
    module: M,
    file: &State,
    stored: impl Fn(&str) -> Stored,
    skipped: impl Fn(&str) -> bool,
) -> Result<M, Mismatch> {
    let kept = file.iter().filter(|(name, _)| !skipped(name));
    let found: Outline = kept.map(|(name, array)| (name.clone(), array.shape.clone())).collect();
    let outline = outline_of(&module);
    let mut wanted = Outline::new();
    for (name, shape) in &outline {
        match stored(name) {
            Stored::As(name) => {
                let there = found.get(&name).unwrap_or(shape);
                let same = without_ones(shape) == without_ones(there) && there.len() <= shape.len();
                wanted.insert(name, if same { there.clone() } else { shape.clone() });
            }
            Stored::Joined(names) => {
                let mut part = shape.clone();
                part[0] /= names.len();
                wanted.extend(names.map(|name| (name, part.clone())));
            }
            Stored::Transposed(name) => {
                wanted.insert(name, shape.iter().rev().copied().collect());
            }
        }
    }
    let mismatch = Mismatch::between(&wanted, &found);
    if !mismatch.is_empty() {
        return Err(mismatch);
    }
    let values = |name: String| file[&name].values.as_slice();
    let mut state = State::new();
    for (name, shape) in outline {
        let values = match stored(&name) {
            Stored::As(name) => values(name).to_vec(),
            Stored::Joined(names) => names.map(values).concat(),
            Stored::Transposed(name) => transposed(values(name), shape[0]),
        };
        state.insert(name, Array { shape, values });
    }
    load_state(module, &state)
}

fn without_ones(shape: &[usize]) -> &[usize] {
    let ones = shape.iter().take_while(|length| **length == 1).count();
    &shape[ones..]
}

/// Returns the columns of a matrix, which are `columns` numbers apart, as rows.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|j| values.iter().skip(j).step_by(columns).copied()).collect()
}
