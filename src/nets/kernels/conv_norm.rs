//! Convolution, a norm by known statistics and ReLU in one go, outside of a graph.
//!
//! Panels of up to 48 output pixels are copied out of the shifted planes
//! ([`shifts`](super::shifts)), all that the kernel sees of them below each other. A tile then
//! multiplies 8 outputs with a panel over the whole kernel while its sums stay in registers, and
//! norms and rectifies them before they are written, once. It is written for AVX-512; elsewhere,
//! within a graph and for grouped convolutions the operators one after the other serve.

use burn::tensor::Tensor;

use super::batch_norm::{Affine, Finish, batch_norm};
use super::convolution::{Geometry, conv2d};

/// A norm by known statistics.
#[derive(Clone, Debug)]
pub struct KnownNorm {
    /// `[c]`.
    pub mean: Tensor<1>,
    /// `[c]`.
    pub variance: Tensor<1>,
    /// Scale, shift and epsilon.
    pub affine: Affine,
}

/// Returns the ReLU of the norm of the cross-correlation of `x` `[n, c, h, w]` with `weight`
/// `[o, c / groups, kh, kw]`.
pub fn conv_norm_relu(
    x: Tensor<4>,
    weight: Tensor<4>,
    geometry: Geometry,
    norm: KnownNorm,
) -> Tensor<4> {
    #[cfg(target_arch = "x86_64")]
    if let Some(out) = tiles::run(&x, &weight, geometry, &norm) {
        return out;
    }
    let KnownNorm { mean, variance, affine } = norm;
    let out = conv2d(x, weight, None, geometry);
    batch_norm(out, [mean, variance], affine, Finish::Relu)
}

#[cfg(target_arch = "x86_64")]
mod tiles {
    use std::arch::x86_64::{
        __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
        _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_sub_ps,
    };

    use burn::tensor::Tensor;
    use rayon::prelude::*;

    use super::super::batch_norm::known_channels;
    use super::super::convolution::shape;
    use super::super::flex::{Operands, flex_tensor, take};
    use super::super::scratch::Scratch;
    use super::super::shifts::{Shape, gather};
    use super::{Geometry, KnownNorm};

    /// Outputs of a tile.
    const ROWS: usize = 8;

    /// Numbers of a vector.
    const LANES: usize = 16;

    /// Vectors of a tile, at most: 8 x 3 sums, 3 numbers and a weight are 28 of 32 registers.
    const VECTORS: usize = 3;

    /// Numbers of panels that stay in the second cache together.
    const NEAR: usize = 1 << 16;

    pub(super) fn run(
        x: &Tensor<4>,
        weight: &Tensor<4>,
        geometry: Geometry,
        norm: &KnownNorm,
    ) -> Option<Tensor<4>> {
        if geometry.groups != 1 || !is_x86_feature_detected!("avx512f") {
            return None;
        }
        let maps = Operands::new([take(x), take(weight)]).filter(|it| !it.tracked())?;
        let channels = [&norm.mean, &norm.variance, &norm.affine.weight, &norm.affine.bias];
        let channels = Operands::new(channels.map(take)).filter(|it| !it.tracked())?;
        let channels = channels.hosts.each_ref().map(|host| host.numbers());
        let channels = known_channels(channels, norm.affine.epsilon);
        let [x, weight] = &maps.hosts;
        let s = shape(x, weight, geometry);
        let weights = packed(weight.numbers(), &s);
        let mut out = vec![0.0_f32; s.n * s.output()];
        let pictures = out.par_chunks_mut(s.output()).zip(x.numbers().par_chunks(s.input()));
        pictures.for_each_init(<[Scratch; 2]>::default, |[planes, panels], (out, x)| {
            let planes: &[f32] = if s.is_pointwise() {
                x
            } else {
                let planes = planes.numbers(s.planes() * s.plane());
                gather(x, &s, planes);
                planes
            };
            picture(planes, &weights, panels, out, (&s, &channels));
        });
        Some(maps.constant(flex_tensor(out, [s.n, s.outputs, s.out_h, s.out_w])))
    }

    /// Weights that an output sees.
    fn depth(s: &Shape) -> usize {
        s.kernel[0] * s.planes()
    }

    /// Returns the weights tile by tile, `[tiles, depth, ROWS]`; rows that are no outputs are 0.
    fn packed(weight: &[f32], s: &Shape) -> Vec<f32> {
        let ([kernel_h, kernel_w], inputs, depth) = (s.kernel, s.inputs, depth(s));
        let mut out = vec![0.0; s.outputs.div_ceil(ROWS) * depth * ROWS];
        let tiles = out.par_chunks_mut(depth * ROWS).zip(weight.par_chunks(depth * ROWS));
        tiles.for_each(|(tile, outputs)| {
            for (row, output) in outputs.chunks_exact(depth).enumerate() {
                for (input, taps) in output.chunks_exact(kernel_h * kernel_w).enumerate() {
                    for (tap, number) in taps.iter().enumerate() {
                        tile[(tap * inputs + input) * ROWS + row] = *number;
                    }
                }
            }
        });
        out
    }

    /// Output pixels from `start` on, in `vectors` vectors.
    #[derive(Clone, Copy)]
    struct Panel {
        start: usize,
        vectors: usize,
    }

    /// Cuts output pixels into panels of nearly the same size.
    fn panels(pixels: usize) -> Vec<Panel> {
        let vectors = pixels.div_ceil(LANES);
        let count = vectors.div_ceil(VECTORS);
        let bound = |i: usize| i * vectors / count;
        let panel = |i| Panel { start: bound(i) * LANES, vectors: bound(i + 1) - bound(i) };
        (0..count).map(panel).collect()
    }

    fn picture(
        planes: &[f32],
        weights: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
        (s, channels): (&Shape, &[[f32; 3]]),
    ) {
        let depth = depth(s);
        let room = depth * VECTORS * LANES; // Of one panel.
        let together = (NEAR / room).max(1);
        let numbers = scratch.numbers(together * room);
        for chunk in panels(s.pixels()).chunks(together) {
            for (panel, numbers) in chunk.iter().zip(numbers.chunks_exact_mut(room)) {
                fill(*panel, planes, s, numbers);
            }
            let tiles = weights.chunks_exact(depth * ROWS).zip(channels.chunks(ROWS));
            for (i, (weights, channels)) in tiles.enumerate() {
                let out = &mut out[i * ROWS * s.pixels()..];
                for (panel, numbers) in chunk.iter().zip(numbers.chunks_exact(room)) {
                    let place = (panel.start, s.pixels());
                    // SAFETY: `run` found the instructions.
                    unsafe {
                        match panel.vectors {
                            1 => tile::<1>(weights, numbers, channels, out, place),
                            2 => tile::<2>(weights, numbers, channels, out, place),
                            _ => tile::<VECTORS>(weights, numbers, channels, out, place),
                        }
                    }
                }
            }
        }
    }

    /// Copies what a panel sees: `[depth, vectors * LANES]`.
    fn fill(panel: Panel, planes: &[f32], s: &Shape, numbers: &mut [f32]) {
        let width = panel.vectors * LANES;
        let there = width.min(s.pixels() - panel.start);
        let mut rows = numbers.chunks_exact_mut(width);
        for ky in 0..s.kernel[0] {
            for plane in planes.chunks_exact(s.plane()) {
                let row = rows.next().expect("the buffer has room for a panel");
                let from = s.window(ky) + panel.start;
                row[..there].copy_from_slice(&plane[from..from + there]);
                row[there..].fill(0.0);
            }
        }
    }

    /// Computes the outputs of `channels` at the pixels of a panel, from `start` on. `weights` is
    /// `[depth, ROWS]`, `numbers` begins with `[depth, V * LANES]`, `out` with the rows of
    /// `channels`, `pixels` numbers each.
    ///
    /// # Safety
    /// The processor has AVX-512F.
    #[target_feature(enable = "avx512f")]
    #[expect(clippy::needless_range_loop, reason = "as loops over items they cost a tenth more")]
    fn tile<const V: usize>(
        weights: &[f32],
        numbers: &[f32],
        channels: &[[f32; 3]],
        out: &mut [f32],
        (start, pixels): (usize, usize),
    ) {
        let depth = weights.len() / ROWS;
        assert!(numbers.len() >= depth * V * LANES, "the panel is as deep as the weights");
        let mut sums = [[_mm512_setzero_ps(); V]; ROWS];
        for k in 0..depth {
            // Loops, not closures: those would not be compiled for these instructions.
            let mut right = [_mm512_setzero_ps(); V];
            for v in 0..V {
                // SAFETY: `k < depth`, and the panel has `depth` rows of `V` vectors.
                right[v] = unsafe { _mm512_loadu_ps(numbers.as_ptr().add((k * V + v) * LANES)) };
            }
            for row in 0..ROWS {
                // SAFETY: `weights` has `depth` times `ROWS` numbers.
                let weight = _mm512_set1_ps(unsafe { *weights.get_unchecked(k * ROWS + row) });
                for v in 0..V {
                    sums[row][v] = _mm512_fmadd_ps(weight, right[v], sums[row][v]);
                }
            }
        }
        for (row, (sums, channel)) in sums.iter().zip(channels).enumerate() {
            let row = &mut out[row * pixels..(row + 1) * pixels];
            for (v, sum) in sums.iter().enumerate() {
                let at = start + v * LANES;
                let there = pixels.saturating_sub(at).min(LANES);
                let mask = ((1_u32 << there) - 1) as u16;
                let y = finished(*sum, channel);
                // SAFETY: the mask lets through `there` numbers, which lie in the row.
                unsafe { _mm512_mask_storeu_ps(row.as_mut_ptr().add(at), mask, y) };
            }
        }
    }

    /// Returns the norm and its ReLU; what is not a number stays.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn finished(x: __m512, [mean, factor, shift]: &[f32; 3]) -> __m512 {
        let centred = _mm512_sub_ps(x, _mm512_set1_ps(*mean));
        let scaled = _mm512_mul_ps(centred, _mm512_set1_ps(*factor));
        // The second operand is returned where one is not a number.
        _mm512_max_ps(_mm512_setzero_ps(), _mm512_add_ps(scaled, _mm512_set1_ps(*shift)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::laws::{draw, numbers, on_threads};
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};

    /// `[n, inputs, h, w, outputs]`, then height and width of the kernel, stride, and padding in
    /// both directions.
    const CASES: [[usize; 10]; 9] = [
        [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
        [2, 3, 5, 7, 4, 3, 3, 1, 1, 1],
        [2, 9, 17, 17, 11, 1, 7, 1, 0, 3],
        [2, 8, 17, 17, 16, 7, 1, 1, 3, 0],
        [3, 4, 9, 8, 21, 3, 3, 2, 0, 0],
        [2, 5, 8, 8, 8, 1, 1, 1, 0, 0],
        [1, 2, 41, 40, 3, 5, 5, 1, 2, 2],
        [2, 30, 35, 33, 9, 1, 1, 1, 0, 0],
        [1, 300, 13, 13, 24, 3, 3, 1, 1, 1],
    ];

    fn parts(i: usize) -> (Tensor<4>, Tensor<4>, Geometry, KnownNorm) {
        let [n, c, h, w, o, kernel_h, kernel_w, stride, above, left] = CASES[i];
        let seed = |name: &str| Seed::root(8).index(i as u64).child(name);
        let affine =
            Affine { weight: draw([o], seed("scale")), bias: draw([o], seed("b")), epsilon: 1e-3 };
        let variance = draw([o], seed("variance")).abs() + 0.5;
        let norm = KnownNorm { mean: draw([o], seed("mean")), variance, affine };
        let scale = 1.0 / ((c * kernel_h * kernel_w) as f64).sqrt();
        let weight = draw([o, c, kernel_h, kernel_w], seed("w")) * scale;
        let geometry = Geometry { stride, padding: [above, left], groups: 1 };
        (draw([n, c, h, w], seed("x")), weight, geometry, norm)
    }

    #[test]
    fn equals_the_operators_one_after_the_other() {
        for i in 0..CASES.len() {
            let (x, weight, geometry, norm) = parts(i);
            let ours = conv_norm_relu(x.clone(), weight.clone(), geometry, norm.clone());
            let plain = conv2d(x, weight, None, geometry);
            let KnownNorm { mean, variance, affine } = norm;
            let plain = batch_norm(plain, [mean, variance], affine, Finish::Relu);
            assert_eq!(ours.dims(), plain.dims());
            // Sums of up to 2,700 products with a deviation of about 1, in another order.
            let tol = Tol::absolute(1e-5).or_relative(1e-5);
            close_f32(&numbers(ours), &numbers(plain), tol);
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        on_threads(|| {
            let (x, weight, geometry, norm) = parts(2);
            numbers(conv_norm_relu(x, weight, geometry, norm))
        });
    }
}
