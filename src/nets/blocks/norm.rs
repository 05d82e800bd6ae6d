//! Normalisation over the batch, over groups of channels, over features.

use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;

use super::{Init, Mode, Site};
use crate::nets::kernels::{
    Activation, Affine, Finish, Grouping, KnownNorm, NormWeights, batch_norm, batch_norm_train,
    group_norm, layer_norm,
};

/// Batch normalisation, as `torch.nn.BatchNorm2d`: momentum 0.1, running variance unbiased.
// DIFFERS: burn's own layer accumulates the biased variance and takes its mode from the device.
#[derive(Module, Debug)]
pub struct BatchNorm2d {
    /// `[channels]`, the scale.
    pub weight: Param<Tensor<1>>,
    /// `[channels]`, the shift.
    pub bias: Param<Tensor<1>>,
    /// `[channels]`, the mean seen in training.
    pub running_mean: RunningState<Tensor<1>>,
    /// `[channels]`, the unbiased variance seen in training.
    pub running_var: RunningState<Tensor<1>>,
    epsilon: f64,
}

impl BatchNorm2d {
    const MOMENTUM: f64 = 0.1;

    /// Builds the layer: scale 1, shift 0, epsilon 1e-5, which is PyTorch's.
    pub fn new(channels: usize, site: &Site) -> Self {
        let device = site.device();
        Self {
            weight: site.draw("weight", [channels], Init::Constant(1.0)),
            bias: site.draw("bias", [channels], Init::Constant(0.0)),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            epsilon: 1e-5,
        }
    }

    /// Sets what is added to the variance.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Returns the normalised `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        self.run(x, mode, Finish::Identity)
    }

    /// Returns the ReLU of the normalised `[n, channels, h, w]`.
    pub fn forward_relu(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        self.run(x, mode, Finish::Relu)
    }

    /// Returns the ReLU of the normalised `[n, channels, h, w]` plus a shortcut of the same shape.
    pub fn forward_add_relu(&self, x: Tensor<4>, shortcut: Tensor<4>, mode: Mode) -> Tensor<4> {
        self.run(x, mode, Finish::AddRelu(shortcut))
    }

    /// Returns the norm by running statistics.
    pub(super) fn known(&self) -> KnownNorm {
        let (weight, bias, epsilon) = (self.weight.val(), self.bias.val(), self.epsilon);
        let [mean, variance] = [&self.running_mean, &self.running_var].map(|it| it.value_sync());
        KnownNorm { mean, variance, affine: Affine { weight, bias, epsilon } }
    }

    fn run(&self, x: Tensor<4>, mode: Mode, finish: Finish) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let affine = Affine { weight, bias, epsilon: self.epsilon };
        if mode == Mode::Evaluate {
            let known = [self.running_mean.value_sync(), self.running_var.value_sync()];
            return batch_norm(x, known, affine, finish);
        }
        let [n, _, h, w] = x.dims();
        let count = (n * h * w) as f64;
        let out = batch_norm_train(x, affine, finish);
        let unbiased = out.variance * (count / (count - 1.0).max(1.0));
        move_towards(&self.running_mean, out.mean, Self::MOMENTUM);
        move_towards(&self.running_var, unbiased, Self::MOMENTUM);
        out.output
    }
}

fn move_towards(state: &RunningState<Tensor<1>>, batch: Tensor<1>, momentum: f64) {
    let moved = state.value_sync() * (1.0 - momentum) + batch * momentum;
    state.update(moved.detach());
    state.value_sync(); // Else the update waits for the next pass on this very thread.
}

/// Group normalisation (Wu & He 2018, arXiv:1803.08494), as `torch.nn.GroupNorm`.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// `[channels]`, the scale.
    pub weight: Param<Tensor<1>>,
    /// `[channels]`, the shift.
    pub bias: Param<Tensor<1>>,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// Builds the layer: scale 1, shift 0.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    pub fn new(groups: usize, channels: usize, epsilon: f64, site: &Site) -> Self {
        assert_eq!(channels % groups, 0, "groups divide channels");
        Self {
            weight: site.draw("weight", [channels], Init::Constant(1.0)),
            bias: site.draw("bias", [channels], Init::Constant(0.0)),
            groups,
            epsilon,
        }
    }

    /// Returns the normalised `[n, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::Identity)
    }

    /// Returns the SiLU of the normalised `[n, channels, h, w]`.
    pub fn forward_silu(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::Silu)
    }

    fn run(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let grouping = Grouping { groups: self.groups, epsilon: self.epsilon, activation };
        group_norm(x, self.weight.val(), self.bias.val(), grouping)
    }
}

/// Layer normalisation over the last axis (Ba et al. 2016, arXiv:1607.06450), as
/// `torch.nn.LayerNorm`.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[features]`, the scale.
    pub weight: Param<Tensor<1>>,
    /// `[features]`, the shift.
    pub bias: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    /// Builds the layer: scale 1, shift 0. PyTorch's epsilon is 1e-5, timm's ViT uses 1e-6.
    pub fn new(features: usize, epsilon: f64, site: &Site) -> Self {
        Self {
            weight: site.draw("weight", [features], Init::Constant(1.0)),
            bias: site.draw("bias", [features], Init::Constant(0.0)),
            epsilon,
        }
    }

    /// Returns the normalised `[..., features]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }

    /// Returns the weights for the operators that take whole layers.
    pub(super) fn weights(&self) -> NormWeights {
        let Self { weight, bias, epsilon } = self;
        NormWeights { weight: weight.val(), bias: bias.val(), epsilon: *epsilon }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Seed;
    use burn::tensor::Device;

    #[test]
    fn statistics_move_for_every_thread() {
        let device = Device::flex();
        let layer = BatchNorm2d::new(1, &Site::new(Seed::root(0), &device));
        let x = Tensor::from_data([[[[3.0, 5.0]]]], &device);
        layer.forward(x, Mode::Train(Seed::root(0)));
        let seen = std::thread::scope(|scope| {
            let mean = scope.spawn(|| layer.running_mean.value_sync().into_scalar::<f32>());
            mean.join().expect("the thread only reads")
        });
        assert!((seen - 0.4).abs() < 1e-6, "a tenth of the way from 0 to 4, not {seen}");
    }
}
