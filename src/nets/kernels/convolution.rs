//! Two-dimensional convolution by patches and matrix products ("im2col").
//!
//! Pictures are taken in chunks of about [`COLUMNS`] output pixels. The patches of a chunk become the
//! columns of a matrix `[k, columns]` with `k = inputs * kernel * kernel`; then forward is `W * patches`,
//! the weight gradient `dY * patches^T`, and the input gradient `W^T * dY` scattered back. burn-flex
//! 0.22.1 computes the weight gradient as a convolution with the output gradient as its kernel, which
//! costs several times more.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;
use rayon::prelude::*;

use super::flex::{Host, Operands, flex_tensor, take};
use super::gemm::{Matrix, Target, multiply};

/// Output pixels per chunk: wide enough for a matrix product, small enough for the cache.
const COLUMNS: usize = 512;

/// Independent partial sums of a weight gradient, whatever the number of threads.
const LANES: usize = 8;

/// Step, border and groups of a square convolution.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Pixels between two outputs.
    pub stride: usize,
    /// Zeros around the picture.
    pub padding: usize,
    /// Groups of channels.
    pub groups: usize,
}

/// Returns the cross-correlation of `x` `[n, c, h, w]` with `weight` `[o, c / groups, k, k]`.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    if geometry.groups != 1 {
        return plain(x, weight, bias, geometry);
    }
    let done = match &bias {
        None => Operands::new([take(&x), take(&weight)]).map(|it| run(it, geometry)),
        Some(b) => Operands::new([take(&x), take(&weight), take(b)]).map(|it| run(it, geometry)),
    };
    done.unwrap_or_else(|| plain(x, weight, bias, geometry))
}

fn run<const N: usize>(operands: Operands<N>, geometry: Geometry) -> Tensor<4> {
    let [x, weight] = [0, 1].map(|i| operands.hosts[i].clone());
    let out = forward(&x, &weight, operands.hosts.get(2), geometry);
    operands.output(Convolution, (x, weight, geometry), out)
}

/// The same by burn's own operator.
fn plain(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
) -> Tensor<4> {
    let Geometry { stride, padding, groups } = geometry;
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], groups);
    burn::tensor::module::conv2d(x, weight, bias, options)
}

type State = (Host, Host, Geometry);
#[derive(Debug)]
struct Convolution;

/// Parents are `x`, `weight` and, if `N` is 3, `bias`.
impl<const N: usize> Backward<Flex, N> for Convolution {
    type State = State;

    fn backward(self, ops: Ops<State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Host::new(grads.consume::<Flex>(&ops.node));
        let (x, weight, geometry) = &ops.state;
        let shape = Shape::new(x, weight, *geometry);
        if let Some(Some(node)) = ops.parents.first() {
            let dx = input_gradient(weight.numbers(), dy.numbers(), &shape);
            grads.register::<Flex>(node.id, flex_tensor(dx, x.dims::<4>()));
        }
        if let Some(Some(node)) = ops.parents.get(1) {
            let dw = weight_gradient(x.numbers(), dy.numbers(), &shape);
            grads.register::<Flex>(node.id, flex_tensor(dw, weight.dims::<4>()));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let db = bias_gradient(dy.numbers(), &shape);
            grads.register::<Flex>(node.id, flex_tensor(db, [shape.outputs]));
        }
    }
}

/// All sizes of one convolution.
#[derive(Clone, Copy, Debug)]
struct Shape {
    n: usize,
    inputs: usize,
    h: usize,
    w: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    out_h: usize,
    out_w: usize,
}

impl Shape {
    fn new(x: &Host, weight: &Host, geometry: Geometry) -> Self {
        let [n, inputs, h, w] = x.dims();
        let [outputs, fan, kernel, kernel_w] = weight.dims();
        assert!(fan == inputs && kernel == kernel_w, "a square kernel over all channels");
        let Geometry { stride, padding, .. } = geometry;
        let side = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        let (out_h, out_w) = (side(h), side(w));
        Self { n, inputs, h, w, outputs, kernel, stride, padding, out_h, out_w }
    }

    /// Numbers of a patch.
    fn k(&self) -> usize {
        self.inputs * self.kernel * self.kernel
    }

    /// Numbers of an input picture.
    fn input(&self) -> usize {
        self.inputs * self.h * self.w
    }

    /// Output pixels of a picture.
    fn pixels(&self) -> usize {
        self.out_h * self.out_w
    }

    /// Pictures of a chunk.
    fn chunk(&self) -> usize {
        (COLUMNS / self.pixels()).clamp(1, self.n)
    }

    /// For each output column: the range of outputs whose input column `o * stride + tap - padding`
    /// lies inside `0..size`.
    fn inside(&self, tap: usize, size: usize, outs: usize) -> std::ops::Range<usize> {
        let first = self.padding.saturating_sub(tap).div_ceil(self.stride);
        let last = (size + self.padding).saturating_sub(tap).div_ceil(self.stride).min(outs);
        first.min(last)..last
    }
}

fn forward(
    x: &Host,
    weight: &Host,
    bias: Option<&Host>,
    geometry: Geometry,
) -> burn_flex::FlexTensor {
    let s = Shape::new(x, weight, geometry);
    let (pixels, chunk) = (s.pixels(), s.chunk());
    let mut out = vec![0.0_f32; s.n * s.outputs * pixels];
    out.par_chunks_mut(chunk * s.outputs * pixels)
        .zip(x.numbers().par_chunks(chunk * s.input()))
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(patches, product), (out, x)| {
                let columns = gather_patches(x, &s, patches);
                product.resize(s.outputs * columns, 0.0);
                let a = Matrix::new(weight.numbers(), s.outputs, s.k());
                multiply(a, Matrix::new(patches, s.k(), columns), product, Target::Replace);
                scatter_rows(product, bias.map(Host::numbers), &s, out);
            },
        );
    flex_tensor(out, [s.n, s.outputs, s.out_h, s.out_w])
}

fn weight_gradient(x: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let size = s.outputs * s.k();
    let (x_chunk, dy_chunk) = (s.chunk() * s.input(), s.chunk() * s.outputs * s.pixels());
    let chunks = s.n.div_ceil(s.chunk());
    let per_lane = chunks.div_ceil(LANES);
    let lanes: Vec<Vec<f32>> = (0..chunks.div_ceil(per_lane))
        .into_par_iter()
        .map(|lane| {
            let mut sum = vec![0.0_f32; size];
            let (mut patches, mut rows) = (Vec::new(), Vec::new());
            let part = |all: usize, step: usize| {
                (lane * per_lane * step).min(all)..((lane + 1) * per_lane * step).min(all)
            };
            let xs = x[part(x.len(), x_chunk)].chunks(x_chunk);
            let dys = dy[part(dy.len(), dy_chunk)].chunks(dy_chunk);
            for (x, dy) in xs.zip(dys) {
                let columns = gather_patches(x, s, &mut patches);
                gather_rows(dy, s, &mut rows);
                let a = Matrix::new(&rows, s.outputs, columns);
                let b = Matrix::new(&patches, s.k(), columns).transposed();
                multiply(a, b, &mut sum, Target::Add);
            }
            sum
        })
        .collect();
    add_in_order(lanes, size)
}

fn add_in_order(lanes: Vec<Vec<f32>>, size: usize) -> Vec<f32> {
    let mut lanes = lanes.into_iter();
    let mut total = lanes.next().unwrap_or_else(|| vec![0.0; size]);
    for lane in lanes {
        total.iter_mut().zip(&lane).for_each(|(t, l)| *t += l);
    }
    total
}

fn input_gradient(weight: &[f32], dy: &[f32], s: &Shape) -> Vec<f32> {
    let mut dx = vec![0.0_f32; s.n * s.input()];
    dx.par_chunks_mut(s.chunk() * s.input())
        .zip(dy.par_chunks(s.chunk() * s.outputs * s.pixels()))
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(rows, patches), (dx, dy)| {
                let columns = gather_rows(dy, s, rows);
                patches.resize(s.k() * columns, 0.0);
                let a = Matrix::new(weight, s.outputs, s.k()).transposed();
                multiply(a, Matrix::new(rows, s.outputs, columns), patches, Target::Replace);
                scatter_patches(patches, s, dx);
            },
        );
    dx
}

fn bias_gradient(dy: &[f32], s: &Shape) -> Vec<f32> {
    let mut sums = vec![0.0_f64; s.outputs];
    for picture in dy.chunks(s.outputs * s.pixels()) {
        for (sum, row) in sums.iter_mut().zip(picture.chunks(s.pixels())) {
            *sum += f64::from(row.iter().sum::<f32>());
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// Writes the patches of some pictures as columns `[k, pictures * pixels]`; returns how many.
fn gather_patches(x: &[f32], s: &Shape, patches: &mut Vec<f32>) -> usize {
    let pictures = x.len() / s.input();
    let columns = pictures * s.pixels();
    patches.resize(s.k() * columns, 0.0);
    visit_rows(s, pictures, |from, at, cols, length| {
        let row = &mut patches[at..at + s.out_w];
        row[..cols.start].fill(0.0);
        row[cols.end..].fill(0.0);
        match from {
            None => row.fill(0.0),
            Some(from) if s.stride == 1 => {
                row[cols].copy_from_slice(&x[from..from + length]);
            }
            Some(from) => {
                let taken = x[from..].iter().step_by(s.stride);
                row[cols].iter_mut().zip(taken).for_each(|(to, value)| *to = *value);
            }
        }
    });
    columns
}

/// Adds columns back to the pictures they were taken from.
fn scatter_patches(patches: &[f32], s: &Shape, dx: &mut [f32]) {
    let pictures = dx.len() / s.input();
    visit_rows(s, pictures, |from, at, cols, _| {
        let Some(from) = from else { return };
        let row = &patches[at..at + s.out_w][cols];
        let targets = dx[from..].iter_mut().step_by(s.stride);
        targets.zip(row).for_each(|(to, value)| *to += value);
    });
}

/// Calls `visit(first input or none, position of the row among the patches, outputs inside, count)` for
/// every row of every patch plane.
fn visit_rows(
    s: &Shape,
    pictures: usize,
    mut visit: impl FnMut(Option<usize>, usize, std::ops::Range<usize>, usize),
) {
    let columns = pictures * s.pixels();
    for channel in 0..s.inputs {
        for tap in 0..s.kernel * s.kernel {
            let (ky, kx) = (tap / s.kernel, tap % s.kernel);
            let (rows, cols) = (s.inside(ky, s.h, s.out_h), s.inside(kx, s.w, s.out_w));
            let plane = (channel * s.kernel * s.kernel + tap) * columns;
            for picture in 0..pictures {
                let source = (picture * s.inputs + channel) * s.h * s.w;
                for oy in 0..s.out_h {
                    let at = plane + picture * s.pixels() + oy * s.out_w;
                    let from = (rows.contains(&oy) && !cols.is_empty()).then(|| {
                        let y = oy * s.stride + ky - s.padding;
                        let x = cols.start * s.stride + kx - s.padding;
                        source + y * s.w + x
                    });
                    visit(from, at, cols.clone(), cols.len());
                }
            }
        }
    }
}

/// Brings `[pictures, outputs, pixels]` into `[outputs, pictures * pixels]`; returns the columns.
fn gather_rows(dy: &[f32], s: &Shape, rows: &mut Vec<f32>) -> usize {
    let (pixels, pictures) = (s.pixels(), dy.len() / (s.outputs * s.pixels()));
    let columns = pictures * pixels;
    rows.resize(s.outputs * columns, 0.0);
    for (picture, part) in dy.chunks(s.outputs * pixels).enumerate() {
        for (channel, row) in part.chunks(pixels).enumerate() {
            let at = channel * columns + picture * pixels;
            rows[at..at + pixels].copy_from_slice(row);
        }
    }
    columns
}

/// Brings `[outputs, pictures * pixels]` into `[pictures, outputs, pixels]` and adds the bias.
fn scatter_rows(product: &[f32], bias: Option<&[f32]>, s: &Shape, out: &mut [f32]) {
    let pixels = s.pixels();
    let columns = product.len() / s.outputs;
    for (picture, part) in out.chunks_mut(s.outputs * pixels).enumerate() {
        for (channel, row) in part.chunks_mut(pixels).enumerate() {
            let at = channel * columns + picture * pixels;
            let shift = bias.map_or(0.0, |b| b[channel]);
            row.iter_mut().zip(&product[at..at + pixels]).for_each(|(to, v)| *to = v + shift);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Seed;
    use crate::testing::{Tol, close_f32};
    use burn::tensor::{Device, TensorData};

    fn draw<const D: usize>(shape: [usize; D], seed: Seed, device: &Device) -> Tensor<D> {
        let values = seed.stream().normals(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), device).require_grad()
    }

    fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_to_vec::<f32>().unwrap()
    }

    /// `[n, inputs, h, w, outputs, kernel, stride, padding]`.
    const CASES: [[usize; 8]; 9] = [
        [1, 1, 1, 1, 1, 1, 1, 0],
        [2, 3, 5, 7, 4, 3, 1, 1],
        [3, 4, 8, 8, 5, 3, 2, 1],
        [2, 3, 9, 11, 4, 7, 2, 3],
        [5, 2, 6, 6, 3, 1, 2, 0],
        [70, 2, 4, 4, 3, 3, 1, 1],
        [2, 2, 3, 3, 2, 3, 1, 0],
        [1, 2, 2, 5, 3, 5, 1, 2],
        [2, 1, 33, 31, 2, 3, 1, 1],
    ];

    #[test]
    fn equals_the_plain_operator_forward_and_backward() {
        let device = Device::flex().autodiff();
        for (i, case) in CASES.into_iter().enumerate() {
            let [n, c, h, w, o, kernel, stride, padding] = case;
            let geometry = Geometry { stride, padding, groups: 1 };
            let seed = Seed::root(1).index(i as u64);
            let x = draw([n, c, h, w], seed.child("x"), &device);
            let weight = draw([o, c, kernel, kernel], seed.child("w"), &device);
            let bias = (i % 2 == 0).then(|| draw([o], seed.child("b"), &device));
            let run = |conv: fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, Geometry) -> Tensor<4>| {
                let out = conv(x.clone(), weight.clone(), bias.clone(), geometry);
                let pull = draw(out.dims(), seed.child("dy"), &device).detach();
                let grads = (out.clone() * pull).sum().backward();
                let mut parts = vec![numbers(out.detach())];
                parts.push(numbers(x.grad(&grads).unwrap()));
                parts.push(numbers(weight.grad(&grads).unwrap()));
                parts.extend(bias.iter().map(|b| numbers(b.grad(&grads).unwrap())));
                parts
            };
            // Sums of up to 1,100 products of standard normals in another order: their rounding is
            // some 1e-7 of sqrt(1100) ~ 33.
            for (ours, theirs) in run(conv2d).iter().zip(run(plain)) {
                close_f32(ours, &theirs, Tol::absolute(5e-5).or_relative(1e-5));
            }
        }
    }

    #[test]
    fn numbers_do_not_depend_on_threads() {
        let device = Device::flex().autodiff();
        let geometry = Geometry { stride: 1, padding: 1, groups: 1 };
        let run = || {
            let x = draw([40, 3, 8, 8], Seed::root(2).child("x"), &device);
            let weight = draw([6, 3, 3, 3], Seed::root(2).child("w"), &device);
            let grads = conv2d(x, weight.clone(), None, geometry).powi_scalar(2).sum().backward();
            numbers(weight.grad(&grads).unwrap())
        };
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        assert_eq!(pool(1).install(run), pool(3).install(run));
    }
}
