//! Where a layer is built, and the law its weights are drawn from.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use crate::terms::{Precision, Seed};

/// A place in a net under construction: the device and the random address of the parameters there.
#[derive(Clone, Debug)]
pub struct Site {
    /// Absent where all weights will come from a file.
    seed: Option<Seed>,
    device: Device,
    precision: Precision,
}

impl Site {
    /// Starts a net whose weights are decided by `seed`.
    pub fn new(seed: Seed, device: &Device) -> Self {
        Self { seed: Some(seed), device: device.clone(), precision: Precision::F32 }
    }

    /// Starts a net whose weights come from a file: until then all of them are 0.
    pub fn blank(device: &Device) -> Self {
        Self { seed: None, device: device.clone(), precision: Precision::F32 }
    }

    /// Returns the site of a part, by the name it has in a state dict.
    #[must_use]
    pub fn at(&self, name: &str) -> Self {
        let seed = self.seed.as_ref().map(|seed| seed.child(name));
        Self { seed, ..self.clone() }
    }

    /// Returns the site of a numbered part.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.at(&index.to_string())
    }

    /// Sets how exact the products of all layers are; otherwise they are in single precision.
    #[must_use]
    pub fn products(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Returns how exact products are.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Returns the device the parameters live on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Draws the parameter `name` of this site.
    pub fn draw<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        init: Init,
    ) -> Param<Tensor<D>> {
        let n = shape.iter().product();
        let values = match &self.seed {
            Some(seed) => init.values(n, seed.child(name)),
            None => vec![0.0; n],
        };
        self.parameter(values, shape)
    }

    /// Makes a parameter of given values.
    pub fn parameter<const D: usize>(
        &self,
        values: Vec<f32>,
        shape: [usize; D],
    ) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }
}

/// The law from which a parameter's numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every number is this one.
    Constant(f64),
    /// Uniform in (-bound, bound).
    Uniform(f64),
    /// Normal with mean 0 and this deviation.
    Normal(f64),
    /// Normal with mean 0 and this deviation, redrawn outside of two absolute units, as timm's
    /// `trunc_normal_(std=..., a=-2, b=2)`.
    TruncatedNormal(f64),
}

impl Init {
    /// PyTorch's default for linear and convolution weights and biases, U(-1/sqrt(fan),
    /// 1/sqrt(fan)) with the fan-in of the weight: `kaiming_uniform_(a=sqrt(5))`.
    pub fn pytorch(fan_in: usize) -> Self {
        Self::Uniform(1.0 / (fan_in as f64).sqrt())
    }

    /// He et al. 2015 (arXiv:1502.01852), Eq. 14: N(0, 2 / `fan_out`).
    pub fn he_fan_out(fan_out: usize) -> Self {
        Self::Normal((2.0 / fan_out as f64).sqrt())
    }

    fn values(self, n: usize, seed: Seed) -> Vec<f32> {
        let mut stream = seed.stream();
        match self {
            Self::Constant(value) => vec![value as f32; n],
            Self::Uniform(bound) => (0..n).map(|_| stream.between(-bound, bound) as f32).collect(),
            Self::Normal(deviation) => {
                stream.normals(n).into_iter().map(|x| (f64::from(x) * deviation) as f32).collect()
            }
            Self::TruncatedNormal(deviation) => (0..n)
                .map(|_| {
                    loop {
                        let x = stream.normal() * deviation;
                        if x.abs() <= 2.0 {
                            return x as f32;
                        }
                    }
                })
                .collect(),
        }
    }
}
