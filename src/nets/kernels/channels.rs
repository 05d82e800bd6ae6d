//! Sums per channel from sums per picture and channel, in the order of the pictures.

/// Returns, of two sums per picture and channel, the totals per channel.
pub(super) fn channel_totals(sums: &[[f64; 2]], channels: usize) -> [Vec<f64>; 2] {
    let mut totals = [vec![0.0; channels], vec![0.0; channels]];
    for picture in sums.chunks(channels) {
        for (channel, sum) in picture.iter().enumerate() {
            totals[0][channel] += sum[0];
            totals[1][channel] += sum[1];
        }
    }
    totals
}

/// Returns the numbers in single precision.
pub(super) fn narrow(wide: Vec<f64>) -> Vec<f32> {
    wide.into_iter().map(|x| x as f32).collect()
}
