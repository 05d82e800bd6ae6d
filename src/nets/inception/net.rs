//! The network and what is taken from it.
#![expect(non_snake_case, reason = "parameters bear the names they have in the files of weights")]

use burn::module::Module;
use burn::tensor::Tensor;

use super::blocks::{MixedA, MixedB, MixedC, MixedD, MixedE};
use super::unit::{Around, Unit, pointwise, same, shrink, valid};
use crate::nets::blocks::{Linear, Site};

/// Channels of `mixed_6/conv` that the spatial features hold: 7 of 192, so that 17 x 17 of them
/// are about as many numbers as pool3 has (ADM, `evaluations/evaluator.py`).
const SPATIAL_CHANNELS: usize = 7;

/// The Inception of FID. It is never trained here: its norms use running statistics.
#[derive(Module, Debug)]
pub struct Inception {
    Conv2d_1a_3x3: Unit,
    Conv2d_2a_3x3: Unit,
    Conv2d_2b_3x3: Unit,
    Conv2d_3b_1x1: Unit,
    Conv2d_4a_3x3: Unit,
    Mixed_5b: MixedA,
    Mixed_5c: MixedA,
    Mixed_5d: MixedA,
    Mixed_6a: MixedB,
    Mixed_6b: MixedC,
    Mixed_6c: MixedC,
    Mixed_6d: MixedC,
    Mixed_6e: MixedC,
    Mixed_7a: MixedD,
    Mixed_7b: MixedE,
    Mixed_7c: MixedE,
    fc: Linear,
}

/// What one pass says about `n` pictures.
#[derive(Clone, Debug)]
pub struct InceptionTaps {
    /// `[n, 2048]`: TensorFlow's `pool_3:0`, the means of the last maps. FID and KID.
    pub pool3: Tensor<2>,
    /// `[n, 1008]`: `pool3` times the last matrix, without its bias; torch-fidelity's
    /// `logits_unbiased`. Inception scores, as in the code of the score and in ADM's.
    pub logits: Tensor<2>,
    /// `[n, 2023]`: sFID's features, TensorFlow's `mixed_6/conv:0` (after norm and ReLU, which in
    /// PyTorch is `Mixed_6d.branch1x1`), its first 7 channels at 17 x 17 places. The channel runs
    /// fastest, then the column, as in ADM's statistics.
    // DIFFERS: ports of sFID to PyTorch that count the mixed layers from 1 take `Mixed_6e`.
    pub spatial: Tensor<2>,
}

/// A place before the end whose maps pytorch-fid offers the means of. Their distance is no FID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 64 features, after the first pool.
    D64,
    /// 192 features, after the second pool.
    D192,
    /// 768 features, after the last layer of 17 x 17 pixels.
    D768,
}

impl Inception {
    /// Builds the net for colour pictures of 299 x 299 pixels.
    pub fn new(site: &Site) -> Self {
        let at = |name: &str| site.at(name);
        Self {
            Conv2d_1a_3x3: valid([3, 32], 2, &at("Conv2d_1a_3x3")),
            Conv2d_2a_3x3: valid([32, 32], 1, &at("Conv2d_2a_3x3")),
            Conv2d_2b_3x3: same([32, 64], [3, 3], &at("Conv2d_2b_3x3")),
            Conv2d_3b_1x1: pointwise([64, 80], &at("Conv2d_3b_1x1")),
            Conv2d_4a_3x3: valid([80, 192], 1, &at("Conv2d_4a_3x3")),
            Mixed_5b: MixedA::new(192, 32, &at("Mixed_5b")),
            Mixed_5c: MixedA::new(256, 64, &at("Mixed_5c")),
            Mixed_5d: MixedA::new(288, 64, &at("Mixed_5d")),
            Mixed_6a: MixedB::new(288, &at("Mixed_6a")),
            Mixed_6b: MixedC::new(768, 128, &at("Mixed_6b")),
            Mixed_6c: MixedC::new(768, 160, &at("Mixed_6c")),
            Mixed_6d: MixedC::new(768, 160, &at("Mixed_6d")),
            Mixed_6e: MixedC::new(768, 192, &at("Mixed_6e")),
            Mixed_7a: MixedD::new(768, &at("Mixed_7a")),
            Mixed_7b: MixedE::new(1280, &at("Mixed_7b")),
            Mixed_7c: MixedE::new(2048, &at("Mixed_7c")),
            fc: Linear::new(2048, 1008, &at("fc")),
        }
    }

    /// Returns all taps of pictures, `[n, 3, 299, 299]`, about -1 to 1.
    pub fn taps(&self, x: Tensor<4>) -> InceptionTaps {
        let x = self.second_pool(self.first_pool(x));
        let (x, spatial) = self.middle(x);
        let x = self.Mixed_7a.forward(x); // [n, 1280, 8, 8]
        let x = self.Mixed_7b.forward(x, Around::Mean); // [n, 2048, 8, 8]
        let pool3 = means(self.Mixed_7c.forward(x, Around::Largest));
        let logits = pool3.clone().matmul(self.fc.weight.val().transpose());
        InceptionTaps { pool3, logits, spatial: Self::cut(spatial) }
    }

    /// Returns the logits with the bias of the last layer, torch-fidelity's `logits`.
    pub fn biased(&self, logits: Tensor<2>) -> Tensor<2> {
        match &self.fc.bias {
            Some(bias) => logits + bias.val().unsqueeze(),
            None => logits,
        }
    }

    /// Returns the means of the maps at a place before the end, `[n, 64]`, `[n, 192]` or
    /// `[n, 768]`, for pictures, `[n, 3, 299, 299]`, about -1 to 1.
    pub fn features_at(&self, depth: Depth, x: Tensor<4>) -> Tensor<2> {
        let first = self.first_pool(x);
        means(match depth {
            Depth::D64 => first,
            Depth::D192 => self.second_pool(first),
            Depth::D768 => self.middle(self.second_pool(first)).0,
        })
    }

    fn first_pool(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.Conv2d_1a_3x3.forward(x); // [n, 32, 149, 149]
        let x = self.Conv2d_2a_3x3.forward(x); // [n, 32, 147, 147]
        shrink(self.Conv2d_2b_3x3.forward(x)) // [n, 64, 73, 73]
    }

    fn second_pool(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.Conv2d_3b_1x1.forward(x); // [n, 80, 73, 73]
        shrink(self.Conv2d_4a_3x3.forward(x)) // [n, 192, 35, 35]
    }

    /// Returns `[n, 768, 17, 17]`, and the maps of `mixed_6/conv`, `[n, 192, 17, 17]`.
    fn middle(&self, x: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let x = self.Mixed_5b.forward(x); // [n, 256, 35, 35]
        let x = self.Mixed_5d.forward(self.Mixed_5c.forward(x)); // [n, 288, 35, 35]
        let x = self.Mixed_6b.forward(self.Mixed_6a.forward(x)); // [n, 768, 17, 17]
        let x = self.Mixed_6c.forward(x);
        let spatial = self.Mixed_6d.first(x.clone());
        let x = self.Mixed_6d.forward_after(spatial.clone(), x);
        (self.Mixed_6e.forward(x), spatial)
    }

    /// Returns the spatial features in the order of TensorFlow, `[n, y, x, channel]`.
    fn cut(maps: Tensor<4>) -> Tensor<2> {
        let [n, _, h, w] = maps.dims();
        let maps = maps.narrow(1, 0, SPATIAL_CHANNELS).permute([0, 2, 3, 1]);
        maps.reshape([n, h * w * SPATIAL_CHANNELS])
    }
}

/// Returns the mean of every map.
fn means(maps: Tensor<4>) -> Tensor<2> {
    let [n, d, _, _] = maps.dims();
    maps.mean_dims(&[2, 3]).reshape([n, d])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Slice, TensorData};

    use super::*;
    use crate::nets::golden::{formula_file, near, numbers};
    use crate::nets::weights::{load_state, state_of};
    use crate::testing::golden_json;

    fn pictures() -> Tensor<4> {
        let squares = numbers("pictures", 2 * 3 * 13 * 13);
        let level = |i: usize| {
            let (plane, y, x) = (i / (299 * 299), i / 299 % 299, i % 299);
            let square = squares[(plane * 13 + y / 23) * 13 + x / 23];
            (((square + 1.0) * 128.0).floor() - 128.0) / 128.0
        };
        let values: Vec<f32> = (0..2 * 3 * 299 * 299).map(level).collect();
        Tensor::from_data(TensorData::new(values, [2, 3, 299, 299]), &Device::flex())
    }

    #[test]
    fn agrees_with_torch_fidelity_and_pytorch_fid() {
        let mut wanted = formula_file(&golden_json("nets/inception/names.json"), 2.0);
        let net = load_state(Inception::new(&Site::blank(&Device::flex())), &wanted).unwrap();
        wanted.retain(|name, _| !name.ends_with("num_batches_tracked"));
        assert_eq!(state_of(&net), wanted);

        let case = &golden_json("nets/inception/cases.json")["inception"];
        let taps = net.taps(pictures());
        assert_eq!(taps.spatial.dims(), [2, 2023]);
        let [d64, d192, d768] =
            [Depth::D64, Depth::D192, Depth::D768].map(|depth| net.features_at(depth, pictures()));
        for (name, found) in [
            ("pool3", taps.pool3),
            ("logits", net.biased(taps.logits.clone())),
            ("logits_unbiased", taps.logits),
            ("spatial", taps.spatial),
            ("d64", d64),
            ("d192", d192),
            ("d768", d768),
        ] {
            // The wanted numbers are exact; the case says how much torch loses of them in f32,
            // some 1e-7, and we may lose ten times that: a hundredth of the 1e-4 that torch-fidelity
            // declares for pool3.
            let lost = case["f32"][name].as_f64().unwrap();
            assert!(lost < 2e-6, "{name}: {lost}");
            let step = Slice::new(0, None, case["steps"][name].as_i64().unwrap() as isize);
            near(found.slice([Slice::full(), step]), &case[name], 10.0 * lost);
        }
    }
}
