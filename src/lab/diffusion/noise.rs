//! Noise by address: every picture has its own seed, every step its own stream.

use burn::tensor::{Device, Tensor, TensorData};

use crate::terms::Seed;

/// The noise of some pictures, one [`Seed`] each.
///
/// A picture's noise depends on its seed and the step alone: it is the same in any batch.
#[derive(Clone, Debug)]
pub struct Noise {
    items: Vec<Seed>,
    shape: [usize; 3],
    device: Device,
}

impl Noise {
    /// Prepares noise for pictures of shape `[c, h, w]`, one per seed.
    pub fn new(items: &[Seed], shape: [usize; 3], device: &Device) -> Self {
        Self { items: items.to_vec(), shape, device: device.clone() }
    }

    /// Returns the noise a picture starts from: standard normal, `[n, c, h, w]`.
    pub fn initial(&self) -> Tensor<4> {
        self.draw(|item| item.child("initial"))
    }

    /// Returns the noise that step `i` adds: standard normal, `[n, c, h, w]`.
    pub fn step(&self, i: usize) -> Tensor<4> {
        self.draw(|item| item.child("step").index(i as u64))
    }

    fn draw(&self, address: impl Fn(&Seed) -> Seed) -> Tensor<4> {
        let [c, h, w] = self.shape;
        let mut values = Vec::with_capacity(self.items.len() * c * h * w);
        for item in &self.items {
            values.extend(address(item).stream().normals(c * h * w));
        }
        Tensor::from_data(TensorData::new(values, [self.items.len(), c, h, w]), &self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_same_noise_in_any_batch() {
        let items: Vec<Seed> = (0..5).map(|i| Seed::root(0).index(i)).collect();
        let noise = |items: &[Seed]| Noise::new(items, [3, 2, 2], &Device::flex());
        let values = |x: Tensor<4>| x.into_data().try_into_vec::<f32>().unwrap();
        let all = noise(&items);
        let part = noise(&items[2..4]);
        assert_eq!(values(part.initial()), values(all.initial().narrow(0, 2, 2)));
        assert_eq!(values(part.step(7)), values(all.step(7).narrow(0, 2, 2)));
        assert_ne!(values(part.step(7)), values(part.step(8)));
        assert_ne!(values(part.initial()), values(part.step(0)));
        assert_eq!(part.initial().dims(), [2, 3, 2, 2]);
    }
}
