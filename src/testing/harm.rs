//! Harm to a binary file, for the tests of what reads it: it is cut, flipped in some bits,
//! overwritten with large and negative numbers where sizes stand, or lengthened.

use proptest::prelude::*;

/// What happens to a file.
#[derive(Clone, Debug)]
pub(crate) enum Harm {
    /// Only this share of it is left.
    Cut(f64),
    /// Bits change at these places, as shares of its length.
    Flips(Vec<(f64, u8)>),
    /// A number is written at this place, little-endian.
    Number(f64, u32),
    /// Bytes are put in at this place.
    More(f64, Vec<u8>),
}

impl Harm {
    /// Does it.
    pub(crate) fn apply(&self, file: &mut Vec<u8>) {
        let at = |share: f64, length: usize| ((length as f64 * share) as usize).min(length);
        match self {
            Self::Cut(share) => file.truncate(at(*share, file.len())),
            Self::Flips(flips) => {
                for (share, bit) in flips {
                    let place = at(*share, file.len() - 1);
                    file[place] ^= 1 << bit;
                }
            }
            Self::Number(share, number) => {
                let place = at(*share, file.len().saturating_sub(4));
                for (byte, new) in file[place..].iter_mut().zip(number.to_le_bytes()) {
                    *byte = new;
                }
            }
            Self::More(share, bytes) => {
                let place = at(*share, file.len());
                file.splice(place..place, bytes.iter().copied());
            }
        }
    }
}

/// Returns any harm; most headers stand in front, and half of it is done there.
pub(crate) fn harm() -> impl Strategy<Value = Harm> {
    let place = prop_oneof![0.0..0.02_f64, 0.0..1.0_f64];
    let flip = (place.clone(), 0..8_u8);
    let numbers = prop_oneof![
        Just(u32::MAX),
        Just(0x7fff_ffff),
        Just(0xffff_ff7f),
        Just(0x8000_0000),
        Just(0),
        any::<u32>()
    ];
    prop_oneof![
        (0.0..1.0_f64).prop_map(Harm::Cut),
        proptest::collection::vec(flip, 1..6).prop_map(Harm::Flips),
        (place.clone(), numbers).prop_map(|(place, number)| Harm::Number(place, number)),
        (place, proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(place, bytes)| Harm::More(place, bytes)),
    ]
}
