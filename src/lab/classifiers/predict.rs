//! What a trained net says about pictures.

use burn::module::Module as _;
use burn::tensor::{Tensor, TensorData};

use crate::lab::images::{Channels, Normalisation, View, planes};
use crate::nets::blocks::Mode;
use crate::nets::classifier::Classifier;
use crate::nets::workers::among_workers;
use crate::terms::Picture;

/// Pictures per forward pass. Evaluation has no batch statistics, so it decides nothing.
const BATCH: usize = 256;

/// How a net sees pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sight {
    /// How grey levels become numbers.
    pub normalisation: Normalisation,
    /// How many planes a picture becomes.
    pub channels: Channels,
    /// At which size.
    pub view: View,
}

impl Sight {
    /// Returns pictures of one size as planes, `[n, c, h, w]`, and that shape.
    fn of(self, pictures: &[&Picture]) -> (Vec<f32>, [usize; 4]) {
        let seen: Vec<_> = pictures.iter().map(|picture| self.view.shown(picture)).collect();
        let seen: Vec<&Picture> = seen.iter().map(AsRef::as_ref).collect();
        let shape = [seen.len(), self.channels.count(), seen[0].height(), seen[0].width()];
        (planes(&seen, self.normalisation, self.channels), shape)
    }
}

/// Logits and features, one row per picture, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predicted {
    /// Numbers per row of `logits`.
    pub classes: usize,
    /// `[n, classes]`.
    pub logits: Vec<f32>,
    /// Numbers per row of `features`.
    pub width: usize,
    /// `[n, width]`: what the last linear layer sees.
    pub features: Vec<f32>,
}

/// Asks a net, in evaluation mode, about pictures of one size.
pub fn predict(model: &Classifier, pictures: &[&Picture], sight: Sight) -> Predicted {
    let model = model.valid();
    let device = model.devices().into_iter().next().unwrap_or_default();
    among_workers(&device.clone(), move || {
        let mut predicted = Predicted::default();
        for part in pictures.chunks(BATCH) {
            let (values, shape) = sight.of(part);
            let x = Tensor::<4>::from_data(TensorData::new(values, shape), &device);
            let features = model.features(x, Mode::Evaluate);
            let logits = model.head(features.clone());
            (predicted.width, predicted.classes) = (features.dims()[1], logits.dims()[1]);
            predicted.features.extend(numbers(features));
            predicted.logits.extend(numbers(logits));
        }
        predicted
    })
}

fn numbers(x: Tensor<2>) -> Vec<f32> {
    x.into_data().try_into_vec::<f32>().expect("nets compute in single precision")
}
