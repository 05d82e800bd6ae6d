//! MD5, as the authors of data sets publish it: to see that a file came over whole, not to guard
//! against anyone. Rivest 1992, RFC 1321.

/// Shifts of the four rounds.
const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// RFC 1321, 3.4: the integer part of 4294967296 |sin(i + 1)|.
const SINES: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];

/// A digest under way.
pub(super) struct Md5 {
    state: [u32; 4],
    length: u64,
    /// Bytes that do not fill a block yet.
    rest: Vec<u8>,
}

impl Md5 {
    pub(super) fn new() -> Self {
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        Self { state, length: 0, rest: Vec::new() }
    }

    /// Goes on with more bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.rest.extend(bytes);
        let whole = self.rest.len() / 64 * 64;
        let blocks: Vec<u8> = self.rest.drain(..whole).collect();
        blocks.chunks_exact(64).for_each(|block| self.block(block));
    }

    /// Returns the digest in lower-case hexadecimal.
    pub(super) fn hex(mut self) -> String {
        let bits = self.length.wrapping_mul(8);
        let zeros = (119 - self.rest.len() % 64) % 64;
        self.update(&[[0x80].as_slice(), &vec![0; zeros]].concat());
        self.update(&bits.to_le_bytes());
        let bytes = self.state.iter().flat_map(|word| word.to_le_bytes());
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    fn block(&mut self, block: &[u8]) {
        let word = |i: usize| {
            u32::from_le_bytes(block[4 * i..4 * i + 4].try_into().expect("a word has 4 bytes"))
        };
        let [mut a, mut b, mut c, mut d] = self.state;
        for i in 0..64 {
            let (mixed, from) = match i / 16 {
                0 => ((b & c) | (!b & d), i),
                1 => ((d & b) | (!d & c), 5 * i + 1),
                2 => (b ^ c ^ d, 3 * i + 5),
                _ => (c ^ (b | !d), 7 * i),
            };
            let sum = a.wrapping_add(mixed).wrapping_add(SINES[i]).wrapping_add(word(from % 16));
            let turned = sum.rotate_left(SHIFTS[i / 16][i % 4]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
        for (held, new) in self.state.iter_mut().zip([a, b, c, d]) {
            *held = held.wrapping_add(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_sines() {
        let sines = (1..=64).map(|i| (f64::from(i).sin().abs() * 4_294_967_296.0) as u32);
        assert_eq!(sines.collect::<Vec<_>>(), SINES);
    }

    /// RFC 1321, A.5.
    #[test]
    fn agrees_with_the_memo() {
        for (text, want) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            for pieces in [1, 7, 64, 100] {
                let mut md5 = Md5::new();
                text.as_bytes().chunks(pieces).for_each(|piece| md5.update(piece));
                assert_eq!(md5.hex(), want, "{text} in pieces of {pieces}");
            }
        }
    }
}
