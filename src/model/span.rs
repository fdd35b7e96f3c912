//! Durations for people.

use std::fmt;
use std::time::Duration;

/// A duration in its two largest units: `2d 3h`, `4m 10s`, `12s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

/// Each unit with its length in seconds.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_secs();
        let first = UNITS.iter().position(|(_, length)| left >= *length).unwrap_or(UNITS.len() - 1);
        for (position, (unit, length)) in UNITS.iter().enumerate().skip(first).take(2) {
            let count = left / length;
            left %= length;
            if position == first {
                write!(f, "{count}{unit}")?;
            } else if count > 0 {
                write!(f, " {count}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough() {
        let written = |seconds| Span(Duration::from_secs(seconds)).to_string();
        assert_eq!(written(0), "0s");
        assert_eq!(written(59), "59s");
        assert_eq!(written(60), "1m");
        assert_eq!(written(3_725), "1h 2m");
        assert_eq!(written(86_400 + 5), "1d");
        assert_eq!(written(50 * 3600), "2d 2h");
    }
}
