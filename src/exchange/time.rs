//! Points in time of an exchange, in microseconds.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A point in time: microseconds since the server accepted the connection.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// The moment at which the server accepted the connection.
    pub const ZERO: Self = Self(0);

    /// The time since accept as a duration.
    pub const fn since_accept(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// This time and `duration` later, or the last time there is.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Seconds since accept, for reports.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl From<Duration> for Time {
    fn from(duration: Duration) -> Self {
        Self::ZERO.after(duration)
    }
}

/// Prints seconds with three decimals, a millisecond being the step of virtual time: `5.000 s`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.div_ceil(1000);
        write!(f, "{}.{:03} s", millis / 1000, millis % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_prints_as_seconds_rounded_up_to_the_millisecond() {
        assert_eq!(Time(5_000_000).to_string(), "5.000 s");
        assert_eq!(Time(1).to_string(), "0.001 s");
        assert_eq!(Time::ZERO.to_string(), "0.000 s");
    }
}
