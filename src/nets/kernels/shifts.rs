//! The numbers of a picture as the products of a convolution want them: shifted planes.
//!
//! For every column `kx` of the kernel and every channel there is one plane: the picture with its
//! zero border, shifted by `kx`, only the columns that outputs look at. Rows of a plane are sorted
//! by their remainder at division by the stride, so that for every row `ky` of the kernel the
//! numbers that all outputs look at lie side by side, row after row: a window of the plane. A
//! picture is copied once per column where patches ("im2col") would copy it once per weight.

use crate::terms::Precision;

/// All sizes of a convolution. Kernel and padding are those of height and of width.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) n: usize,
    pub(super) inputs: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) outputs: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    pub(super) padding: [usize; 2],
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    /// Of the factors of products.
    pub(super) precision: Precision,
}

impl Shape {
    /// Numbers of an input picture.
    pub(super) fn input(&self) -> usize {
        self.inputs * self.h * self.w
    }

    /// Output pixels of a picture.
    pub(super) fn pixels(&self) -> usize {
        self.out_h * self.out_w
    }

    /// Numbers of an output picture.
    pub(super) fn output(&self) -> usize {
        self.outputs * self.pixels()
    }

    /// The same with the channels in pairs.
    pub(super) fn paired(&self) -> Self {
        Self { inputs: self.inputs.div_ceil(2), ..*self }
    }

    /// Planes of a picture.
    pub(super) fn planes(&self) -> usize {
        self.kernel[1] * self.inputs
    }

    /// Numbers of a plane.
    pub(super) fn plane(&self) -> usize {
        self.kernel[0].min(self.stride) * self.phase_rows() * self.out_w
    }

    /// Rows of a plane with the same remainder.
    fn phase_rows(&self) -> usize {
        self.out_h + (self.kernel[0] - 1) / self.stride
    }

    /// Returns where in every plane the window of the kernel's row `ky` begins.
    pub(super) fn window(&self, ky: usize) -> usize {
        (ky % self.stride * self.phase_rows() + ky / self.stride) * self.out_w
    }

    /// Returns whether one channel becomes one channel.
    pub(super) fn is_single(&self) -> bool {
        self.inputs == 1 && self.outputs == 1
    }

    /// Returns whether the only plane of a channel is the channel itself.
    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.padding == [0, 0]
    }

    /// Returns whether a plane is the picture moved sideways between rows of zeros.
    fn keeps_size(&self) -> bool {
        self.stride == 1 && self.out_w == self.w && self.out_h == self.h
    }

    /// Returns the output columns whose input column `o * stride + kx - padding` is in the picture.
    fn inside(&self, kx: usize) -> std::ops::Range<usize> {
        let first = self.padding[1].saturating_sub(kx).div_ceil(self.stride);
        let last = (self.w + self.padding[1]).saturating_sub(kx).div_ceil(self.stride);
        let last = last.min(self.out_w);
        first.min(last)..last
    }

    /// Returns the row of the picture that stands in row `row` of a plane, if it is no border.
    fn source(&self, row: usize) -> Option<usize> {
        let (phase, index) = (row / self.phase_rows(), row % self.phase_rows());
        let y = (index * self.stride + phase).checked_sub(self.padding[0])?;
        (y < self.h).then_some(y)
    }
}

/// Writes the planes of a picture: `[kernel_w * inputs, plane]`.
pub(super) fn gather(x: &[f32], s: &Shape, planes: &mut [f32]) {
    let mut targets = planes.chunks_exact_mut(s.plane());
    for kx in 0..s.kernel[1] {
        let inside = s.inside(kx);
        for channel in x.chunks_exact(s.h * s.w) {
            let plane = targets.next().expect("a plane for every channel and column");
            if s.keeps_size() {
                move_sideways(channel, kx, s, plane);
            } else {
                gather_rows(channel, kx, inside.clone(), s, plane);
            }
        }
    }
}

/// Copies the whole channel at once and then clears what came around the edge.
#[inline]
fn move_sideways(channel: &[f32], kx: usize, s: &Shape, plane: &mut [f32]) {
    let (top, size) = (s.padding[0] * s.w, s.h * s.w);
    plane[..top].fill(0.0);
    plane[top + size..].fill(0.0);
    let target = &mut plane[top..top + size];
    if kx < s.padding[1] {
        let shift = (s.padding[1] - kx).min(s.w);
        target[..shift].fill(0.0);
        target[shift..].copy_from_slice(&channel[..size - shift]);
        target.chunks_exact_mut(s.w).for_each(|row| row[..shift].fill(0.0));
    } else {
        let shift = (kx - s.padding[1]).min(s.w);
        target[..size - shift].copy_from_slice(&channel[shift..]);
        if shift > 0 {
            target.chunks_exact_mut(s.w).for_each(|row| row[s.w - shift..].fill(0.0));
        }
    }
}

fn gather_rows(
    channel: &[f32],
    kx: usize,
    inside: std::ops::Range<usize>,
    s: &Shape,
    plane: &mut [f32],
) {
    for (row, target) in plane.chunks_exact_mut(s.out_w).enumerate() {
        let Some(y) = s.source(row).filter(|_| !inside.is_empty()) else {
            target.fill(0.0);
            continue;
        };
        target[..inside.start].fill(0.0);
        target[inside.end..].fill(0.0);
        let from = &channel[y * s.w + inside.start * s.stride + kx - s.padding[1]..(y + 1) * s.w];
        let numbers = from.iter().step_by(s.stride);
        target[inside.clone()].iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
    }
}

/// Adds what every place of the kernel saw, `[inputs, kh * kw, pixels]`, to the picture.
pub(super) fn scatter(seen: &[f32], s: &Shape, x: &mut [f32]) {
    let mut sources = seen.chunks_exact(s.pixels());
    for channel in x.chunks_exact_mut(s.h * s.w) {
        for ky in 0..s.kernel[0] {
            for kx in 0..s.kernel[1] {
                let source = sources.next().expect("a row for every channel and place");
                let inside = s.inside(kx);
                for (i, source) in source.chunks_exact(s.out_w).enumerate() {
                    let Some(y) = (i * s.stride + ky).checked_sub(s.padding[0]) else { continue };
                    if y >= s.h || inside.is_empty() {
                        continue;
                    }
                    let start = y * s.w + inside.start * s.stride + kx - s.padding[1];
                    let to = channel[start..(y + 1) * s.w].iter_mut().step_by(s.stride);
                    to.zip(&source[inside.clone()]).for_each(|(to, from)| *to += from);
                }
            }
        }
    }
}
