//! Changes of grey levels by a table, one channel at a time: Pillow's `ImageOps` (13.0.0), and
//! `SolarizeAdd` of timm's `auto_augment.py` (1.0.31).

use crate::terms::Picture;

/// Returns the picture with every level replaced.
pub(super) fn remap(picture: &Picture, change: impl Fn(u8) -> u8) -> Picture {
    let table: [u8; 256] = std::array::from_fn(|level| change(level as u8));
    by_tables(picture, &[table; 3])
}

fn by_tables(picture: &Picture, tables: &[[u8; 256]; 3]) -> Picture {
    let mut out = picture.clone();
    for colour in out.rgb_mut().chunks_exact_mut(3) {
        for (level, table) in colour.iter_mut().zip(tables) {
            *level = table[usize::from(*level)];
        }
    }
    out
}

/// Returns how many pixels have each level, for each channel.
fn histograms(picture: &Picture) -> [[usize; 256]; 3] {
    let mut counts = [[0; 256]; 3];
    for colour in picture.rgb().chunks_exact(3) {
        for (level, counts) in colour.iter().zip(&mut counts) {
            counts[usize::from(*level)] += 1;
        }
    }
    counts
}

fn identity() -> [u8; 256] {
    std::array::from_fn(|level| level as u8)
}

/// `ImageOps.autocontrast`, with no cutoff.
pub(super) fn auto_contrast(picture: &Picture) -> Picture {
    let table = |counts: [usize; 256]| {
        let low = counts.iter().position(|n| *n > 0).expect("a picture has a pixel");
        let high = counts.iter().rposition(|n| *n > 0).expect("a picture has a pixel");
        if high <= low {
            return identity();
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        std::array::from_fn(|level| (level as f64 * scale + offset) as u8) // `as` saturates.
    };
    by_tables(picture, &histograms(picture).map(table))
}

/// `ImageOps.equalize`.
pub(super) fn equalize(picture: &Picture) -> Picture {
    let table = |counts: [usize; 256]| {
        let last = counts.iter().rfind(|n| **n > 0).expect("a picture has a pixel");
        let step = (counts.iter().sum::<usize>() - last) / 255;
        if step == 0 {
            return identity(); // A single level, or fewer pixels than levels.
        }
        let mut below = step / 2;
        std::array::from_fn(|level| {
            let mapped = (below / step).min(255) as u8;
            below += counts[level];
            mapped
        })
    };
    by_tables(picture, &histograms(picture).map(table))
}

/// `ImageOps.posterize`.
// DIFFERS: timm's increasing scale asks for 0 bits from magnitude 10 on, which Pillow since 12
// refuses; before, and here, the picture becomes black.
pub(super) fn posterize(picture: &Picture, bits: u32) -> Picture {
    let dropped = 8_u32.saturating_sub(bits);
    remap(picture, |level| (u32::from(level) >> dropped << dropped) as u8)
}

/// `ImageOps.solarize`.
pub(super) fn solarize(picture: &Picture, threshold: u32) -> Picture {
    remap(picture, |level| if u32::from(level) < threshold { level } else { 255 - level })
}

/// timm's `solarize_add`, with its threshold of 128.
pub(super) fn solarize_add(picture: &Picture, add: u32) -> Picture {
    let brighter = |level: u8| (u32::from(level) + add).min(255) as u8;
    remap(picture, |level| if level < 128 { brighter(level) } else { level })
}
