//! Buffers that begin at a cache line: loads of whole vectors then touch one line each.

/// Numbers of a cache line.
const LINE: usize = 16;

/// A buffer that is used again for one picture after the other.
#[derive(Default)]
pub(super) struct Scratch(Vec<f32>);

impl Scratch {
    /// Returns `length` numbers: those of the last use, and zeros where it had none.
    pub(super) fn numbers(&mut self, length: usize) -> &mut [f32] {
        self.0.resize(self.0.len().max(length + LINE), 0.0);
        let start = self.0.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        &mut self.0[start..start + length]
    }
}
