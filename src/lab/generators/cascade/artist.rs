//! A trained model that enlarges, at work.

use burn::tensor::{Tensor, TensorData};

use crate::lab::diffusion::Noise;
use crate::lab::generators::enlarging::{Enlarging, Shown};
use crate::lab::generators::{Order, PixelArtist};
use crate::terms::{Picture, Seed};

/// Enlarges pictures with a trained net.
pub struct UpscalingArtist<'a> {
    /// The net, its sampler, and the size it draws.
    pub pixel: PixelArtist<'a>,
    /// How smaller pictures are shown to it.
    pub enlarging: Enlarging,
    /// The level of noise put on them.
    pub noise_level: f64,
}

impl UpscalingArtist<'_> {
    /// Returns an enlarged picture for each order from the smaller one at the same place, or the
    /// position of the first that did not become one (a number that is not finite).
    ///
    /// # Errors
    /// If a picture is not made of numbers.
    ///
    /// # Panics
    /// If there is not one smaller picture for each order.
    pub fn draw(&self, orders: &[Order], smaller: &[&Picture]) -> Result<Vec<Picture>, usize> {
        let n = orders.len();
        assert_eq!(n, smaller.len(), "one smaller picture for each order");
        let artist = &self.pixel;
        let (c, size, device) = (artist.channels.count(), artist.size, &artist.device);
        let planes = self.enlarging.planes(smaller, size, artist.channels);
        let low = Tensor::<4>::from_data(TensorData::new(planes, [n, c, size, size]), device);
        let places: Vec<Seed> = orders.iter().map(|order| order.seed.child("low")).collect();
        let eps = Noise::new(&places, [c, size, size], device).initial();
        let schedule = artist.spec.training.schedule.levels();
        let shown = Shown::new(low, eps, &vec![self.noise_level; n], &schedule);
        artist.draw_beside(orders, Some(shown))
    }
}
