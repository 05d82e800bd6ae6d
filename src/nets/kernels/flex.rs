//! From a tensor to the numbers of the CPU backend and back.

use burn::backend::{Autodiff, DType, Flex, TensorMetadata};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

/// A tensor of the CPU backend, contiguous and in single precision.
#[derive(Clone, Debug)]
pub(super) struct Host(FlexTensor);

impl Host {
    pub(super) fn new(tensor: FlexTensor) -> Self {
        Self(if tensor.is_contiguous() && tensor.layout().start_offset() == 0 {
            tensor
        } else {
            tensor.to_contiguous()
        })
    }

    pub(super) fn numbers(&self) -> &[f32] {
        &self.0.storage::<f32>()[..self.0.layout().num_elements()]
    }

    pub(super) fn dims<const D: usize>(&self) -> [usize; D] {
        self.0.shape().dims()
    }
}

/// Makes a tensor of the CPU backend.
pub(super) fn flex_tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(burn::tensor::TensorData::new(values, shape))
}

/// A tensor that our operators can take.
pub(super) enum Taken {
    /// It records no graph.
    Plain(FlexTensor),
    /// It belongs to a graph.
    Tracked(<Autodiff<Flex> as burn::backend::BackendTypes>::FloatTensorPrimitive),
}

/// Takes a tensor apart, if it lives on the CPU in single precision.
pub(super) fn take<const D: usize>(x: &Tensor<D>) -> Option<Taken> {
    if x.dtype() != DType::F32 {
        return None;
    }
    if x.is_autodiff() {
        x.clone().try_into_primitive::<Autodiff<Flex>>().ok().map(Taken::Tracked)
    } else {
        x.clone().try_into_primitive::<Flex>().ok().map(Taken::Plain)
    }
}
