//! The length that a frame's header declares, where that is not its payload's, and how scripts
//! write it. It encodes nothing: `encode` does.

use std::fmt::{self, Display, Formatter};

/// A number of bytes that a header declares, whatever stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclaredLength(pub u64);

/// The smallest exponent that is written: below it, a number says more than its power.
const LEAST_EXPONENT: u32 = 16;

impl DeclaredLength {
    /// Where servers go wrong, in ascending order: each border of a form of the length, of the
    /// integers that it may be kept in, and of what may be declared at all (2^63 and above may
    /// not).
    pub const EDGES: [Self; 13] = [
        Self(1),
        Self(125),
        Self(126),
        Self(127),
        Self(u16::MAX as u64),
        Self(1 << 16),
        Self((1 << 31) - 1),
        Self(1 << 31),
        Self(u32::MAX as u64),
        Self(1 << 32),
        Self((1 << 63) - 1),
        Self(1 << 63),
        Self(u64::MAX),
    ];

    /// Its place among the [edges](Self::EDGES), where it is one.
    pub fn edge(self) -> Option<usize> {
        Self::EDGES.iter().position(|edge| *edge == self)
    }

    /// The number of `word`: in decimal without a leading zero, as `2^K` or as `2^K-1`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let Some(power) = word.strip_prefix("2^") else {
            return canonical(word).map(Self);
        };
        let (exponent, below) = match power.strip_suffix("-1") {
            Some(exponent) => (exponent, true),
            None => (power, false),
        };
        let exponent = u32::try_from(canonical(exponent)?).ok()?;
        let power = 1_u128.checked_shl(exponent)?;
        u64::try_from(power - u128::from(below)).ok().map(Self)
    }
}

/// A decimal number in its one spelling.
fn canonical(word: &str) -> Option<u64> {
    let digits = word.chars().all(|digit| digit.is_ascii_digit());
    if digits && (word == "0" || !word.starts_with('0')) { word.parse().ok() } else { None }
}

impl Display for DeclaredLength {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let above = u128::from(self.0) + 1;
        match self.0 {
            power if power.is_power_of_two() && power.ilog2() >= LEAST_EXPONENT => {
                write!(f, "2^{}", power.ilog2())
            }
            _ if above.is_power_of_two() && above.ilog2() >= LEAST_EXPONENT => {
                write!(f, "2^{}-1", above.ilog2())
            }
            other => write!(f, "{other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_written_as_such_and_every_number_reads_back() {
        let written = DeclaredLength::EDGES.map(|edge| edge.to_string());
        let expected = [
            "1", "125", "126", "127", "2^16-1", "2^16", "2^31-1", "2^31", "2^32-1", "2^32",
            "2^63-1", "2^63", "2^64-1",
        ];
        assert_eq!(written, expected);
        assert!(DeclaredLength::EDGES.is_sorted());
        let others = [0, 2, 65_534, 65_537, u64::MAX - 1, (1 << 63) + 1].map(DeclaredLength);
        for length in DeclaredLength::EDGES.into_iter().chain(others) {
            assert_eq!(DeclaredLength::parse(&length.to_string()), Some(length));
        }
        assert_eq!(DeclaredLength::parse("2^0"), Some(DeclaredLength(1)));
        assert_eq!(DeclaredLength::parse("18446744073709551615"), Some(DeclaredLength(u64::MAX)));
        for word in ["", "-1", "+1", "01", "2^", "2^64", "2^65-1", "2^999", "2^-1", "2^1-2", "x"] {
            assert_eq!(DeclaredLength::parse(word), None, "{word}");
        }
    }
}
