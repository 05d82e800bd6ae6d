//! Numbers for an axis: round ones, few enough to read, all with the same number of digits.

/// A range and the numbers on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ticks {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) marks: Vec<(f64, String)>,
}

impl Ticks {
    /// Returns a range with some air around all values, and about `count` round numbers on it.
    /// The air does not lead out of `limits`, unless a value lies outside.
    pub(super) fn around(values: &[f64], count: usize, limits: Option<(f64, f64)>) -> Self {
        let (low, high) = airy(values, limits);
        Self { low, high, marks: round_marks(low, high, count) }
    }

    /// Returns a range with air on which the values themselves are marked, if they are few and not
    /// crowded; else round numbers.
    pub(super) fn at(values: &[f64], count: usize) -> Self {
        let (low, high) = airy(values, None);
        let mut own: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        own.sort_by(f64::total_cmp);
        own.dedup();
        let crowded = own.windows(2).any(|pair| pair[1] - pair[0] < (high - low) * 0.055);
        let long = own.iter().any(|value| format!("{value}").len() > 5);
        if own.is_empty() || own.len() > count || crowded || long {
            return Self { low, high, marks: round_marks(low, high, count) };
        }
        Self { low, high, marks: own.into_iter().map(|v| (v, format!("{v}"))).collect() }
    }

    /// Returns a range from exactly `low`, or with air below it if values lie there, for bars.
    pub(super) fn from_zero(values: &[f64], count: usize) -> Self {
        let with_zero: Vec<f64> = values.iter().copied().chain([0.0]).collect();
        let (low, high) = airy(&with_zero, None);
        let low =
            if values.iter().all(|value| !value.is_finite() || *value >= 0.0) { 0.0 } else { low };
        let high = if values.iter().any(|value| *value > 0.0) || low >= 0.0 { high } else { 0.0 };
        Self { low, high, marks: round_marks(low, high, count) }
    }
}

fn airy(values: &[f64], limits: Option<(f64, f64)>) -> (f64, f64) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let Some(low) = finite().min_by(f64::total_cmp) else { return (0.0, 1.0) };
    let high = finite().max_by(f64::total_cmp).unwrap_or(low);
    let spread = high - low;
    // A single value gets a tenth of its size around it.
    let air = if spread > 0.0 { spread * 0.06 } else { (low.abs() * 0.1).max(1e-3) };
    let (mut airy_low, mut airy_high) = (low - air, high + air);
    if let Some((bottom, top)) = limits {
        if low >= bottom {
            airy_low = airy_low.max(bottom);
        }
        if high <= top {
            airy_high = airy_high.min(top);
        }
    }
    (airy_low, airy_high)
}

/// Returns multiples of 1, 2, 2.5 or 5 times a power of ten, at most about `count`.
fn round_marks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let raw = (high - low) / count.max(1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= raw * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    let (divisor, suffix) = match high.abs().max(low.abs()) {
        big if big >= 2e6 => (1e6, "M"),
        big if big >= 2e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let decimals = decimals(step / divisor);
    let first = (low / step - 1e-9).ceil();
    let steps = ((high / step + 1e-9).floor() - first).max(0.0);
    let mut marks = Vec::new();
    let mut i = 0.0;
    while i <= steps {
        let value = (first + i) * step;
        let text = super::super::printed::round(value / divisor, decimals).replace('-', "−");
        marks.push((value, format!("{text}{suffix}")));
        i += 1.0;
    }
    marks
}

/// Returns the digits behind the point that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (0..12)
        .find(|decimals| {
            let scaled = step * 10_f64.powi(*decimals);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .and_then(|decimals| usize::try_from(decimals).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: &Ticks) -> Vec<&str> {
        ticks.marks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn numbers_are_round_and_even() {
        type Row = (&'static [f64], Option<(f64, f64)>, &'static [&'static str]);
        let rows: [Row; 6] = [
            (&[61.0, 79.0], None, &["60", "65", "70", "75", "80"]),
            (&[0.0, 1.0], None, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
            (&[90.0, 99.9], Some((0.0, 100.0)), &["90", "92", "94", "96", "98", "100"]),
            (&[-1.0, 1.0], None, &["−1.0", "−0.5", "0.0", "0.5", "1.0"]),
            (&[0.0, 12e6], None, &["0.0M", "2.5M", "5.0M", "7.5M", "10.0M", "12.5M"]),
            (&[f64::NAN], None, &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ];
        for (values, limits, want) in rows {
            assert_eq!(texts(&Ticks::around(values, 6, limits)), want, "{values:?}");
        }
    }

    #[test]
    fn few_values_mark_themselves() {
        let guidance = Ticks::at(&[1.0, 1.25, 2.0, 1.5, 1.25], 8);
        assert_eq!(texts(&guidance), ["1", "1.25", "1.5", "2"]);
        // Too near to each other.
        assert_eq!(texts(&Ticks::at(&[0.0, 0.01, 1.0], 4)), ["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn bars_start_at_zero() {
        let positive = Ticks::from_zero(&[70.0, 80.0], 5);
        assert_eq!(texts(&positive), ["0", "20", "40", "60", "80"]);
        assert!(positive.low.abs() < 1e-12 && positive.high > 80.0);
        let negative = Ticks::from_zero(&[-3.0, -1.0], 5);
        assert!(negative.low < -3.0 && negative.high.abs() < 1e-12);
    }

    #[test]
    fn one_value_has_room_around_it() {
        let one = Ticks::around(&[5.0], 5, None);
        assert!(one.low < 5.0 && one.high > 5.0 && one.marks.len() > 1);
    }
}
