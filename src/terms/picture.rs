//! A picture on the host.

/// A picture of `width` x `height` pixels, RGB, 8 bits each.
///
/// Rows run from top to bottom, pixels from left to right, channels are interleaved: the byte of
/// channel `c` at `(x, y)` is `rgb[(y * width + x) * 3 + c]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// Wraps interleaved RGB bytes.
    ///
    /// # Panics
    /// If a side is 0, or the number of bytes is not `width * height * 3`.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a picture has at least one pixel");
        assert_eq!(rgb.len(), width * height * 3, "three bytes per pixel");
        Self { width, height, rgb }
    }

    /// Returns a picture of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self::new(width, height, colour.repeat(width * height))
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the interleaved bytes, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Returns the interleaved bytes for writing.
    pub fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.rgb
    }

    /// Returns the colour at column `x`, row `y`.
    ///
    /// # Panics
    /// If the position lies outside.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width && y < self.height, "pixel outside of the picture");
        let at = (y * self.width + x) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}
