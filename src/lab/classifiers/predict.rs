//! What a trained net says about pictures.

use burn::module::Module as _;
use burn::tensor::{Tensor, TensorData};

use crate::lab::images::{Channels, Normalisation, planes};
use crate::nets::blocks::Mode;
use crate::nets::classifier::Classifier;
use crate::terms::Picture;

/// Pictures per forward pass. Evaluation has no batch statistics, so it decides nothing.
const BATCH: usize = 256;

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
pub fn predict(
    model: &Classifier,
    pictures: &[&Picture],
    normalisation: Normalisation,
    channels: Channels,
) -> Predicted {
    let model = model.valid();
    let device = model.devices().into_iter().next().unwrap_or_default();
    let mut predicted = Predicted::default();
    for part in pictures.chunks(BATCH) {
        let shape = [part.len(), channels.count(), part[0].height(), part[0].width()];
        let data = TensorData::new(planes(part, normalisation, channels), shape);
        let x = Tensor::<4>::from_data(data, &device);
        let features = model.features(x, Mode::Evaluate);
        let logits = model.head(features.clone());
        (predicted.width, predicted.classes) = (features.dims()[1], logits.dims()[1]);
        predicted.features.extend(numbers(features));
        predicted.logits.extend(numbers(logits));
    }
    predicted
}

fn numbers(x: Tensor<2>) -> Vec<f32> {
    x.into_data().try_into_vec::<f32>().expect("nets compute in single precision")
}
