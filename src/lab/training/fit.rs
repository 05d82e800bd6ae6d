//! The training loop.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::checkpoint::{Checkpoint, Header, LogLine};
use super::ema::average;
use super::optimizer::{Memory, Moment, Moving};
use super::prefetch::Prefetch;
use super::{Keep, Keeper, Recipe, Task};
use crate::nets::weights::{Array, State, load_state, state_of};
use crate::nets::workers::among_workers;

/// Threads that prepare batches. Never decides a result.
const PREPARING: usize = 1;

/// A finished training.
#[derive(Debug)]
pub struct Trained<M> {
    /// The net, on the plain device.
    pub model: M,
    /// Loss and validation over time.
    pub log: Vec<LogLine>,
}

/// Why a training did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Outcome {
    /// It was asked to stop; its checkpoint is saved.
    #[error("training was interrupted after step {step}")]
    Interrupted {
        /// Steps done.
        step: usize,
    },
    /// The loss is not a number any more.
    #[error("the loss became {loss} in step {step}: lower the learning rate or clip the gradient")]
    Diverged {
        /// The step, from 0.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// A checkpoint could not be read or written.
    #[error("the checkpoint could not be kept: {0}")]
    Disk(#[from] std::io::Error),
}

/// Trains `model` (on the plain `device`) by `recipe`, from the last checkpoint if there is one.
///
/// # Errors
/// If it was interrupted, diverged, or could not keep its checkpoint.
pub fn fit<T: Task>(
    task: &T,
    model: T::Model,
    recipe: &Recipe,
    keeper: &dyn Keeper,
    device: &Device,
) -> Result<Trained<T::Model>, Outcome> {
    let mut run = Run::start(model, recipe, keeper.load()?);
    std::thread::scope(|scope| {
        let batches =
            Prefetch::start(scope, PREPARING, run.header.step..recipe.steps, |s| task.batch(s));
        for (step, batch) in batches {
            let loss = among_workers(device, || run.step(task, batch, device));
            if !loss.is_finite() {
                return Err(Outcome::Diverged { step, loss });
            }
            run.note(task, loss);
            keeper.progress(run.header.step, recipe.steps, loss);
            keeper.look(run.header.step, &|| state_of(&run.current()))?;
            if keeper.stopping() && run.header.step < recipe.steps {
                keeper.save(&run.checkpoint().to_bytes())?;
                return Err(Outcome::Interrupted { step: run.header.step });
            }
            if keeper.checkpoint_due(run.header.step) {
                keeper.save(&run.checkpoint().to_bytes())?;
            }
        }
        Ok(())
    })?;
    let steps = run.header.step;
    let trained = run.finish();
    // The loss of a step is that of the weights before it; the last update shows only in the
    // weights.
    let finite = |array: &Array| array.values.iter().all(|x| x.is_finite());
    match state_of(&trained.model).values().all(finite) {
        true => Ok(trained),
        false => Err(Outcome::Diverged { step: steps, loss: f64::NAN }),
    }
}

/// A training under way.
struct Run<'a, M> {
    recipe: &'a Recipe,
    /// On the device that records gradients; absent only while it moves.
    model: Option<M>,
    memories: Vec<Memory>,
    /// Empty without EMA.
    averages: Vec<Vec<f32>>,
    best: State,
    header: Header,
}

impl<'a, M: Module + Clone> Run<'a, M> {
    fn start(model: M, recipe: &'a Recipe, saved: Option<Vec<u8>>) -> Self {
        let fresh = |model: M| Self {
            recipe,
            model: Some(model.train()),
            memories: Vec::new(),
            averages: Vec::new(),
            best: State::new(),
            header: Header::default(),
        };
        // A checkpoint that does not fit is one of another version of this program: start again.
        let Some(saved) = saved
            .as_deref()
            .and_then(Checkpoint::from_bytes)
            .filter(|saved| saved.header.step <= recipe.steps)
        else {
            return fresh(model);
        };
        match load_state(model.clone(), &saved.model) {
            Err(_) => fresh(model),
            Ok(model) => Self {
                recipe,
                model: Some(model.train()),
                memories: saved.memories,
                averages: saved.averages,
                best: saved.best,
                header: saved.header,
            },
        }
    }

    fn model(&self) -> &M {
        self.model.as_ref().expect("a run has a model between steps")
    }

    /// Moves the weights once; returns the loss before.
    fn step<T: Task<Model = M>>(&mut self, task: &T, batch: T::Batch, device: &Device) -> f64 {
        let loss = task.loss(self.model(), batch, &device.clone().autodiff());
        let value = f64::from(numbers(loss.clone().detach().without_autodiff())[0]);
        if !value.is_finite() {
            return value;
        }
        let mut gradients =
            Collect::from(GradientsParams::from_grads(loss.backward(), self.model()));
        drop(loss);
        self.model().visit(&mut gradients);
        let step = self.header.step;
        let moment = Moment {
            step,
            rate: self.recipe.learning_rate.at(step, self.recipe.steps),
            gradient_scale: self.recipe.clip_norm.map_or(1.0, |limit| gradients.scale(limit)),
        };
        let ema_share = self.recipe.ema.map(|ema| ema.share(step));
        // The one owner of its numbers: they move where they lie.
        let model = self.model.take().expect("a run has a model between steps");
        let mut update = Update {
            run: (self.recipe, moment),
            ema_share,
            gradients: gradients.all,
            at: 0,
            memories: &mut self.memories,
            averages: &mut self.averages,
        };
        self.model = Some(model.map(&mut update));
        self.header.step += 1;
        value
    }

    /// Writes the record, and looks at validation data when it is time.
    fn note<T: Task<Model = M>>(&mut self, task: &T, loss: f64) {
        let step = self.header.step;
        self.header.pending.0 += loss;
        self.header.pending.1 += 1;
        if !step.is_multiple_of(self.recipe.validate_every) && step != self.recipe.steps {
            return;
        }
        let current = self.current();
        let validation = task.validate(&current);
        let (sum, count) = std::mem::take(&mut self.header.pending);
        self.header.log.push(LogLine { step, loss: sum / count as f64, validation });
        if self.recipe.keep == Keep::BestValidation
            && validation.is_some_and(|v| self.header.best.is_none_or(|best| v > best))
        {
            self.header.best = validation;
            self.best = state_of(&current);
        }
    }

    /// Returns the net as it would be returned now: averaged, on the plain device.
    fn current(&self) -> M {
        let model = self.model().valid();
        if self.averages.is_empty() {
            return model;
        }
        model.map(&mut Replace { averages: &self.averages, at: 0 })
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            header: self.header.clone(),
            model: state_of(self.model()),
            best: self.best.clone(),
            memories: self.memories.clone(),
            averages: self.averages.clone(),
        }
    }

    fn finish(self) -> Trained<M> {
        let model = self.current();
        let model = if self.best.is_empty() {
            model
        } else {
            load_state(model, &self.best).expect("the best weights are those of this net")
        };
        Trained { model, log: self.header.log }
    }
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec::<f32>().expect("weights are in single precision")
}

/// Brings the gradients to the host, in the order of the module; `None` for running statistics.
struct Collect {
    gradients: GradientsParams,
    all: Vec<Option<Vec<f32>>>,
}

impl From<GradientsParams> for Collect {
    fn from(gradients: GradientsParams) -> Self {
        Self { gradients, all: Vec::new() }
    }
}

impl Collect {
    /// Returns what brings the norm of all gradients together down to `limit` (Pascanu et al. 2013,
    /// arXiv:1211.5063, Algorithm 1), as `torch.nn.utils.clip_grad_norm_` with its 1e-6.
    fn scale(&self, limit: f64) -> f32 {
        let squares = |g: &Vec<f32>| g.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let norm = self.all.iter().flatten().map(squares).sum::<f64>().sqrt();
        (limit / (norm + 1e-6)).min(1.0) as f32
    }
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient: Option<Tensor<D>> = self.gradients.remove(param.id);
        self.all.push(gradient.map(numbers));
    }
}

/// Moves every parameter, in the order of the module.
struct Update<'a> {
    run: (&'a Recipe, Moment),
    ema_share: Option<f64>,
    gradients: Vec<Option<Vec<f32>>>,
    at: usize,
    memories: &'a mut Vec<Memory>,
    averages: &'a mut Vec<Vec<f32>>,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let at = self.at;
        self.at += 1;
        if self.memories.len() == at {
            self.memories.push(Memory::default());
        }
        let (id, tensor, mapper): (ParamId, Tensor<D>, _) = param.consume();
        let device = tensor.device().without_autodiff();
        let shape = tensor.dims();
        let trained = tensor.is_require_grad();
        let mut values = numbers(tensor.without_autodiff());
        let gradient = self.gradients[at].take();
        if self.ema_share.is_some() && self.averages.len() == at {
            self.averages.push(values.clone());
        }
        let held = self.ema_share.map(|share| (self.averages[at].as_mut_slice(), share));
        match (gradient, held) {
            (Some(gradient), average) => {
                let (recipe, moment) = self.run;
                let (values, memory) = (&mut values, &mut self.memories[at]);
                let moving = Moving { axes: D, values, gradient: &gradient, memory, average };
                recipe.optimizer.update(moment, moving);
            }
            // A running statistic.
            (None, Some((held, share))) => average(held, &values, share),
            (None, None) => {}
        }
        let tensor = Tensor::from_inner(Tensor::from_data(TensorData::new(values, shape), &device));
        Param::from_mapped_value(id, tensor.set_require_grad(trained), mapper)
    }
}

/// Puts averages in the place of weights.
struct Replace<'a> {
    averages: &'a [Vec<f32>],
    at: usize,
}

impl ModuleMapper for Replace<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.averages[self.at].clone();
        self.at += 1;
        param.map(|tensor| {
            Tensor::from_data(TensorData::new(values, tensor.dims()), &tensor.device())
        })
    }
}
