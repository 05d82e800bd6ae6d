//! The weights of a net as arrays by name, and back.
//!
//! A name is the dotted path of a tensor in its module, as in a PyTorch state dict:
//! `layer1.0.conv1.weight`. The variants of an enum leave no trace in it.

use std::collections::BTreeMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::terms::nearest;

/// All float tensors of a net by name: parameters and running statistics.
pub type State = BTreeMap<String, Array>;

/// Numbers in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of the axes, outermost first; empty for a single number.
    pub shape: Vec<usize>,
    /// As many numbers as the shape says.
    pub values: Vec<f32>,
}

/// Last path segments that state dicts hold and nets here do not need: PyTorch counts the batches
/// that its normalisation has seen, but uses the count only where no momentum is set.
const IGNORED: [&str; 1] = ["num_batches_tracked"];

/// Last path segments of tensors that are measured, not trained.
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// Returns the weights of a net.
pub fn state_of<M: Module>(module: &M) -> State {
    let mut reader = Reader { path: Path::default(), state: State::new() };
    module.valid().visit(&mut reader); // `valid` settles running statistics that are under way.
    reader.state
}

/// Returns the number of trainable numbers of a net; running statistics are not counted.
pub fn parameter_count<M: Module>(module: &M) -> usize {
    let outline = outline_of(module);
    let trained = outline.iter().filter(|(name, _)| !STATISTICS.contains(&last(name)));
    trained.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// Returns the net with its weights replaced. It shares nothing with clones made before, and tracks
/// gradients if it did before.
///
/// # Errors
/// If the names and shapes in `state` are not exactly those of the net. PyTorch's count of seen
/// batches is passed over.
pub fn load_state<M: Module>(module: M, state: &State) -> Result<M, Mismatch> {
    let survey = Survey::of(&module);
    let found = state.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
    let mismatch = Mismatch::between(&survey.shapes, &found);
    if !mismatch.is_empty() {
        return Err(mismatch);
    }
    // Clones of a net share their running statistics; `valid` gives this one its own, so that
    // loading does not reach into the others.
    let loaded = module.valid().map(&mut Writer { path: Path::default(), state });
    Ok(if survey.tracked { loaded.train() } else { loaded })
}

/// How a state differs from what a net needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Names that the net has and the state lacks.
    pub missing: Vec<String>,
    /// Names that the state has and the net lacks.
    pub unused: Vec<String>,
    /// Names that both have, with different shapes.
    pub shapes: Vec<WrongShape>,
}

/// One tensor of another shape than the net's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongShape {
    /// The name of the tensor.
    pub name: String,
    /// The shape in the state.
    pub found: Vec<usize>,
    /// The shape in the net.
    pub expected: Vec<usize>,
}

impl Mismatch {
    pub(super) fn between(net: &Outline, state: &Outline) -> Self {
        let wanted = |name: &&String| !IGNORED.contains(&last(name));
        Self {
            missing: net.keys().filter(|name| !state.contains_key(*name)).cloned().collect(),
            unused: state
                .keys()
                .filter(wanted)
                .filter(|name| !net.contains_key(*name))
                .cloned()
                .collect(),
            shapes: net
                .iter()
                .filter_map(|(name, expected)| {
                    let found = state.get(name)?;
                    (found != expected).then(|| WrongShape {
                        name: name.clone(),
                        found: found.clone(),
                        expected: expected.clone(),
                    })
                })
                .collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.shapes.is_empty()
    }
}

/// Names shown per kind of mismatch: a net of another family differs in hundreds.
const SHOWN: usize = 20;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (missing, unused, shapes) = (self.missing.len(), self.unused.len(), self.shapes.len());
        write!(
            f,
            "the weights do not fit the net: {missing} missing, {unused} unused, \
             {shapes} of another shape"
        )?;
        for name in self.missing.iter().take(SHOWN) {
            write!(f, "\n  missing `{name}`")?;
            if let Some(near) = nearest(name, self.unused.iter().map(String::as_str)) {
                write!(f, " (the weights have `{near}`)")?;
            }
        }
        more(f, missing, "missing")?;
        for name in self.unused.iter().take(SHOWN) {
            write!(f, "\n  unused `{name}`")?;
        }
        more(f, unused, "unused")?;
        for WrongShape { name, found, expected } in self.shapes.iter().take(SHOWN) {
            write!(f, "\n  `{name}` has shape {found:?}, expected {expected:?}")?;
        }
        more(f, shapes, "of another shape")
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize, kind: &str) -> fmt::Result {
    if count > SHOWN { write!(f, "\n  and {} more {kind}", count - SHOWN) } else { Ok(()) }
}

impl std::error::Error for Mismatch {}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Where a walk through a module stands.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_owned());
        }
    }

    fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}

/// Names and shapes.
pub(in crate::nets) type Outline = BTreeMap<String, Vec<usize>>;

/// Returns the names and shapes of a net.
pub(in crate::nets) fn outline_of<M: Module>(module: &M) -> Outline {
    Survey::of(module).shapes
}

/// The names and shapes of a net, and whether any of it tracks gradients.
#[derive(Default)]
struct Survey {
    path: Path,
    shapes: Outline,
    tracked: bool,
}

impl Survey {
    fn of<M: Module>(module: &M) -> Self {
        let mut survey = Self::default();
        module.visit(&mut survey);
        survey
    }
}

impl ModuleVisitor for Survey {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.tracked |= param.val().is_autodiff();
        self.shapes.insert(self.path.name(), param.val().dims().to_vec());
    }
}

struct Reader {
    path: Path,
    state: State,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values =
            tensor.into_data().try_into_vec_as().expect("float tensors can be read as f32");
        self.state.insert(self.path.name(), Array { shape, values });
    }
}

struct Writer<'a> {
    path: Path,
    state: &'a State,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let array = &self.state[&self.path.name()];
        let data = TensorData::new(array.values.clone(), array.shape.clone());
        param.map(|old| Tensor::from_data(data, &old.device()))
    }
}
