//! From a tensor to the numbers of the CPU backend and back, with or without a graph.

use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn::backend::{Autodiff, BackendTypes, DType, Flex, TensorMetadata as _};
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

    pub(super) fn into_tensor(self) -> FlexTensor {
        self.0
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

type Tracked = <Autodiff<Flex> as BackendTypes>::FloatTensorPrimitive;

/// A tensor that our operators can take.
pub(super) enum Taken {
    /// It records no graph.
    Plain(FlexTensor),
    /// It belongs to a graph.
    Tracked(Tracked),
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

/// The tensors that an operator was called with, all of one kind.
pub(super) struct Operands<const N: usize> {
    pub(super) hosts: [Host; N],
    nodes: Option<[NodeGuard; N]>,
}

impl<const N: usize> Operands<N> {
    /// Returns the operands, if all of them were taken and none or all belong to a graph.
    pub(super) fn new(taken: [Option<Taken>; N]) -> Option<Self> {
        let mut hosts = Vec::with_capacity(N);
        let mut nodes = Vec::with_capacity(N);
        for one in taken {
            match one? {
                Taken::Plain(x) => hosts.push(Host::new(x)),
                Taken::Tracked(x) => {
                    nodes.push(x.node());
                    hosts.push(Host::new(x.primitive().clone()));
                }
            }
        }
        let nodes = match nodes.len() {
            0 => None,
            _ => Some(nodes.try_into().ok()?),
        };
        Some(Self { hosts: hosts.try_into().ok()?, nodes })
    }

    /// Returns whether a graph records the operator.
    pub(super) fn tracked(&self) -> bool {
        self.nodes.is_some()
    }

    /// Returns a result through which no gradient flows.
    pub(super) fn constant<const D: usize>(&self, out: FlexTensor) -> Tensor<D> {
        if self.tracked() {
            Tensor::from_primitive::<Autodiff<Flex>>(Tracked::new(out))
        } else {
            Tensor::from_primitive::<Flex>(out)
        }
    }

    /// Returns the result, recorded as `operator` with what it remembers if there is a graph.
    pub(super) fn output<const D: usize, Operator: Backward<Flex, N>>(
        self,
        operator: Operator,
        memory: Operator::State,
        out: FlexTensor,
    ) -> Tensor<D> {
        let Some(nodes) = self.nodes else {
            return Tensor::from_primitive::<Flex>(out);
        };
        let node = operator.prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
        Tensor::from_primitive::<Autodiff<Flex>>(match node {
            OpsKind::Tracked(prep) => prep.finish(memory, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        })
    }
}
