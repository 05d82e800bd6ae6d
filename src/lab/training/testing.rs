//! What tests of trainings share: a keeper in memory, and the law of exact resume.

use std::cell::{Cell, RefCell};
use std::io;

use burn::tensor::Device;

use super::{Keeper, Outcome, Recipe, Task, Trained, fit};
use crate::nets::weights::state_of;

/// Keeps the checkpoint after every step, and may ask to stop after one.
#[derive(Default)]
struct Notebook {
    start: Option<Vec<u8>>,
    stop_after: Option<usize>,
    step: Cell<usize>,
    pages: RefCell<Vec<Vec<u8>>>,
}

impl Keeper for Notebook {
    fn load(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.start.clone())
    }

    fn save(&self, checkpoint: &[u8]) -> io::Result<()> {
        self.pages.borrow_mut().push(checkpoint.to_vec());
        Ok(())
    }

    fn progress(&self, step: usize, _steps: usize, _loss: f64) {
        self.step.set(step);
    }

    fn stopping(&self) -> bool {
        self.stop_after == Some(self.step.get())
    }

    fn checkpoint_due(&self, _step: usize) -> bool {
        true
    }
}

/// The result of a training, and the checkpoint after each of its steps.
pub(crate) type Course<M> = (Result<Trained<M>, Outcome>, Vec<Vec<u8>>);

/// Trains from a checkpoint, if there is one, until the end or the step after which it shall stop.
pub(crate) fn course<T: Task>(
    task: &T,
    model: T::Model,
    recipe: &Recipe,
    start: Option<&[u8]>,
    stop_after: Option<usize>,
) -> Course<T::Model> {
    let keeper = Notebook { start: start.map(<[u8]>::to_vec), stop_after, ..Notebook::default() };
    let result = fit(task, model, recipe, &keeper, &Device::flex());
    (result, keeper.pages.into_inner())
}

/// Asserts that a training goes on from any of its checkpoints to the last bit, whether it was
/// killed or asked to stop: weights, running statistics, averages, the optimiser's memory and the
/// log.
#[track_caller]
pub(crate) fn resumes_exactly<T: Task>(task: &T, fresh: impl Fn() -> T::Model, recipe: &Recipe) {
    let (whole, pages) = course(task, fresh(), recipe, None, None);
    let whole = whole.unwrap();
    assert_eq!(pages.len(), recipe.steps);
    for (i, page) in pages.iter().enumerate() {
        let step = i + 1;
        let (resumed, rest) = course(task, fresh(), recipe, Some(page), None);
        let resumed = resumed.unwrap();
        assert!(rest == pages[step..], "another course after step {step}");
        assert!(state_of(&resumed.model) == state_of(&whole.model), "other weights, step {step}");
        assert_eq!(resumed.log, whole.log);
        if step < recipe.steps {
            let (stopped, before) = course(task, fresh(), recipe, None, Some(step));
            assert!(matches!(stopped, Err(Outcome::Interrupted { step: at }) if at == step));
            assert!(before == pages[..step], "another course before step {step}");
        }
    }
}
