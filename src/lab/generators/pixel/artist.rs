//! A trained pixel model at work.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Pixel;
use crate::lab::diffusion::{Clipped, Denoiser, Levels, Noise, guide_stacked};
use crate::lab::generators::enlarging::{Shown, beside, condition};
use crate::lab::generators::{Draw, Order};
use crate::lab::images::{Channels, from_signed};
use crate::nets::unet::UNet;
use crate::nets::workers::among_workers;
use crate::terms::{Picture, Seed};

/// Draws pictures with a trained net.
pub struct PixelArtist<'a> {
    /// How it draws.
    pub spec: &'a Pixel,
    /// The net, on the plain device.
    pub net: UNet,
    /// Channels of the pictures the net knows.
    pub channels: Channels,
    /// Side of the pictures in pixels.
    pub size: usize,
    /// Number of classes.
    pub classes: usize,
    /// Where the net lives.
    pub device: Device,
}

impl Draw for PixelArtist<'_> {
    fn draw(&self, orders: &[Order]) -> Result<Vec<Picture>, usize> {
        self.draw_beside(orders, None)
    }
}

impl PixelArtist<'_> {
    /// Draws, seeing other pictures of the same size if the net enlarges.
    pub(in crate::lab::generators) fn draw_beside(
        &self,
        orders: &[Order],
        shown: Option<Shown>,
    ) -> Result<Vec<Picture>, usize> {
        let items: Vec<Seed> = orders.iter().map(|order| order.seed).collect();
        let (c, size) = (self.channels.count(), self.size);
        let noise = Noise::new(&items, [c, size, size], &self.device);
        let levels = self.spec.training.schedule.levels();
        let twice = shown.as_ref().map(Shown::twice);
        let teller = Teller { artist: self, orders, levels: &levels, shown, twice };
        let sampler = &self.spec.sampler;
        let x0 = among_workers(&self.device, || match self.spec.clip {
            true => sampler.draw(&Clipped(&teller), &levels, &noise),
            false => sampler.draw(&teller, &levels, &noise),
        });
        let numbers =
            x0.into_data().try_into_vec::<f32>().expect("nets compute in single precision");
        let per_picture = c * size * size;
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(at / per_picture),
            None => Ok(from_signed(&numbers, orders.len(), size, size)),
        }
    }
}

/// The net, told the classes of some orders.
struct Teller<'a> {
    artist: &'a PixelArtist<'a>,
    orders: &'a [Order],
    levels: &'a Levels,
    shown: Option<Shown>,
    /// The same for a call with both halves of guidance: the smaller picture is known in both.
    twice: Option<Shown>,
}

impl Teller<'_> {
    fn clean(
        &self,
        x: Tensor<4>,
        sigma: f64,
        (labels, shown): (Vec<i64>, Option<&Shown>),
    ) -> Tensor<4> {
        let (artist, n) = (self.artist, labels.len());
        let time = self.levels.timestep(sigma) as f32;
        let times = Tensor::<1>::full([n], time, &artist.device);
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [n]), &artist.device);
        let seen = beside(x.clone() / sigma.hypot(1.0), shown);
        let output = artist.net.forward(seen, times, &condition(labels, shown));
        artist.spec.training.prediction.clean(x, output, sigma)
    }
}

impl Denoiser for Teller<'_> {
    #[expect(clippy::float_cmp, reason = "exactly 1 means that guidance is off")]
    fn denoise(&self, x: Tensor<4>, sigma: f64) -> Tensor<4> {
        let labels = self.orders.iter().map(|order| i64::from(order.class.0));
        let guidance = self.artist.spec.guidance;
        if guidance == 1.0 {
            return self.clean(x, sigma, (labels.collect(), self.shown.as_ref()));
        }
        let none = i64::try_from(self.artist.classes).expect("class counts fit in i64");
        let both = std::iter::repeat_n(none, self.orders.len()).chain(labels).collect();
        let told = (both, self.twice.as_ref());
        guide_stacked(self.clean(Tensor::cat(vec![x.clone(), x], 0), sigma, told), guidance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::diffusion::samplers::{Ddim, Ddpm, Heun};
    use crate::lab::diffusion::{Guided, Sampler};
    use crate::lab::generators::{PixelNet, PixelTraining};
    use crate::nets::blocks::Site;
    use crate::nets::unet::Condition;
    use crate::nets::weights::{load_state, state_of};
    use crate::terms::ClassId;

    const CLASSES: usize = 3;

    fn spec(sampler: Sampler, guidance: f64) -> Pixel {
        let net = PixelNet { channels: vec![8, 8], groups: 4, ..PixelNet::default() };
        let training = PixelTraining { net, ..PixelTraining::default() };
        Pixel { training, sampler, guidance, ..Pixel::default() }
    }

    fn four_steps() -> Sampler {
        Sampler::Ddim(Ddim { steps: 4, ..Ddim::default() })
    }

    fn artist(spec: &Pixel) -> PixelArtist<'_> {
        let (channels, device) = (Channels::Rgb, Device::flex());
        let config = spec.training.net.config(channels, CLASSES);
        let net = UNet::new(&config, &Site::new(Seed::root(6), &device));
        PixelArtist { spec, net, channels, size: 8, classes: CLASSES, device }
    }

    fn orders(n: u64) -> Vec<Order> {
        let order = |i| {
            let (class, seed) = (ClassId(i as u32 % 3), Seed::root(7).index(i));
            Order { class, seed, number: i / 3 }
        };
        (0..n).map(order).collect()
    }

    /// Asserts that pictures are the same but for rounding: linear layers sum in another order
    /// in another batch, which moves a number by some 1e-6 and now and then a level by
    /// one, where that number lies between two levels.
    #[track_caller]
    fn same_but_for_rounding(got: &[Picture], want: &[Picture]) {
        let levels = |pictures: &[Picture]| -> Vec<u8> {
            pictures.iter().flat_map(|picture| picture.rgb().to_vec()).collect()
        };
        let (got, want) = (levels(got), levels(want));
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(&want).all(|(g, w)| g.abs_diff(*w) <= 1), "by more than a level");
        let moved = got.iter().zip(&want).filter(|(g, w)| g != w).count();
        assert!(moved * 200 <= got.len(), "{moved} of {} levels are others", got.len());
    }

    #[test]
    fn a_picture_is_the_same_in_any_batch() {
        let ddpm = Sampler::Ddpm(Ddpm { steps: 3, ..Ddpm::default() });
        let heun = Sampler::Heun(Heun { steps: 2, ..Heun::default() });
        for sampler in [four_steps(), ddpm, heun] {
            let spec = spec(sampler, 1.5);
            let (artist, orders) = (artist(&spec), orders(7));
            let want = artist.draw(&orders).unwrap();
            assert!(want.iter().skip(1).all(|picture| picture != &want[0]), "pictures differ");
            for batch in [1, 3] {
                let parts = orders.chunks(batch).map(|part| artist.draw(part).unwrap());
                same_but_for_rounding(&parts.collect::<Vec<_>>().concat(), &want);
            }
            let reversed: Vec<Order> = orders.iter().rev().copied().collect();
            let mut got = artist.draw(&reversed).unwrap();
            got.reverse();
            same_but_for_rounding(&got, &want);
        }
    }

    /// Draws with denoisers written out here, one call for each class and one without any.
    fn by_hand(artist: &PixelArtist<'_>, orders: &[Order], guidance: f64) -> Vec<Picture> {
        let levels = artist.spec.training.schedule.levels();
        let told = |labels: Vec<i64>| {
            let (artist, levels) = (artist, &levels);
            move |x: Tensor<4>, sigma: f64| {
                let n = labels.len();
                let labels =
                    Tensor::<1, Int>::from_data(TensorData::new(labels.clone(), [n]), &x.device());
                let condition = Condition { class_labels: Some(labels), ..Condition::default() };
                let times = Tensor::<1>::full([n], levels.timestep(sigma) as f32, &x.device());
                let output = artist.net.forward(x.clone() / sigma.hypot(1.0), times, &condition);
                artist.spec.training.prediction.clean(x, output, sigma)
            }
        };
        let conditional = told(orders.iter().map(|order| i64::from(order.class.0)).collect());
        let unconditional = told(vec![CLASSES as i64; orders.len()]);
        let guided = Guided { conditional: &conditional, unconditional: &unconditional, guidance };
        let seeds: Vec<Seed> = orders.iter().map(|order| order.seed).collect();
        let noise = Noise::new(&seeds, [3, 8, 8], &artist.device);
        let x0 = artist.spec.sampler.draw(&Clipped(&guided), &levels, &noise);
        from_signed(&x0.into_data().try_into_vec::<f32>().unwrap(), orders.len(), 8, 8)
    }

    #[test]
    fn guidance_weighs_the_class() {
        let orders = orders(3);
        let draw = |guidance| {
            let spec = spec(four_steps(), guidance);
            let artist = artist(&spec);
            let pictures = artist.draw(&orders).unwrap();
            same_but_for_rounding(&pictures, &by_hand(&artist, &orders, guidance));
            pictures
        };
        let (none, off, strong) = (draw(0.0), draw(1.0), draw(8.0));
        assert!(none != off && off != strong);
    }

    #[test]
    fn without_guidance_towards_it_the_class_does_not_matter() {
        let spec = spec(four_steps(), 0.0);
        let artist = artist(&spec);
        let other = |order: &Order| Order { class: ClassId((order.class.0 + 1) % 3), ..*order };
        let others: Vec<Order> = orders(3).iter().map(other).collect();
        assert_eq!(artist.draw(&orders(3)).unwrap(), artist.draw(&others).unwrap());
    }

    #[test]
    fn a_picture_that_is_no_number_is_named() {
        for clip in [true, false] {
            let spec = Pixel { clip, ..spec(four_steps(), 1.5) };
            let mut artist = artist(&spec);
            let mut state = state_of(&artist.net);
            let table = state.get_mut("class_embedding.weight").unwrap();
            let features = table.shape[1];
            table.values[2 * features..3 * features].fill(f32::NAN);
            artist.net = load_state(artist.net, &state).unwrap();
            assert_eq!(artist.draw(&orders(3)), Err(2), "class 2 comes third; clip {clip}");
            assert!(artist.draw(&orders(2)).is_ok());
        }
    }
}
