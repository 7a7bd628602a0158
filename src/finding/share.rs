//! Shares: in how many of how many scripts something showed, and whether two of them differ by
//! far more than chance.
//!
//! The scripts of a campaign are drawn one apart from another, so that a count is binomial. Two
//! shares are compared by an exact test: if nothing had changed, each script that shows it would
//! be as likely to be of the one campaign as of the other, in proportion to their scripts. The
//! test counts, draws nothing, and gives the same answer every time.

/// A difference that chance makes less often than this is none of chance's. A run has up to some
/// hundred variants, and each of them is compared: less than one run in a thousand is called
/// different that is not.
pub const CHANCE: f64 = 1e-6;

/// A share that is this many times as high is another one, where chance does not explain it.
pub const CHANGED: f64 = 2.0;

/// What is accepted and shows this many times as often has jumped, where chance does not explain
/// it. More than [`CHANGED`]: who states a rate states it roughly.
pub const JUMPED: f64 = 3.0;

/// So many of so many scripts.
///
/// ```
/// use hangup::finding::share::{CHANGED, Share};
///
/// let before = Share { shown: 205, scripts: 100_000 };
/// let now = Share { shown: 7_484, scripts: 100_000 };
/// assert!(now.rose_from(before, CHANGED) && !before.rose_from(now, CHANGED));
///
/// let (none, once) = (Share { shown: 0, ..now }, Share { shown: 1, ..now });
/// assert!(!once.rose_from(none, CHANGED), "chance");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// In how many scripts it showed.
    pub shown: u64,
    /// Of how many that were played.
    pub scripts: u64,
}

impl Share {
    /// The share as a number.
    pub fn rate(self) -> f64 {
        self.shown as f64 / self.scripts.max(1) as f64
    }

    /// Whether it is `factor` times as high as `before`, and chance does not explain that.
    pub fn rose_from(self, before: Self, factor: f64) -> bool {
        let all = self.shown + before.shown;
        let part = self.scripts as f64 / (self.scripts + before.scripts).max(1) as f64;
        self.rate() >= factor * before.rate() && at_least(self.shown, all, part) < CHANCE
    }

    /// The same, where what it was before is known as a rate alone.
    pub fn rose_from_rate(self, before: f64, factor: f64) -> bool {
        self.rate() >= factor * before && at_least(self.shown, self.scripts, before) < CHANCE
    }
}

/// How likely so many or more of `all` are, where each of them is with this `chance`.
fn at_least(shown: u64, all: u64, chance: f64) -> f64 {
    if shown == 0 || chance >= 1.0 || shown as f64 <= all as f64 * chance {
        // Half of it at least, or nearly so: what is expected is nothing strange.
        return 1.0;
    }
    if chance <= 0.0 {
        return 0.0;
    }
    let choices = ln_factorial(all) - ln_factorial(shown) - ln_factorial(all - shown);
    let rest = (all - shown) as f64;
    let mut term = (choices + shown as f64 * chance.ln() + rest * (-chance).ln_1p()).exp();
    let mut sum = 0.0;
    for count in shown..=all {
        sum += term;
        term *= (all - count) as f64 / (count + 1) as f64 * chance / (1.0 - chance);
        if term < sum * 1e-12 {
            break;
        }
    }
    sum
}

/// The logarithm of n!, by Stirling's series where n is not small.
fn ln_factorial(n: u64) -> f64 {
    if n < 32 {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let n = n as f64;
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(shown: u64, scripts: u64) -> Share {
        Share { shown, scripts }
    }

    #[test]
    fn factorials_are_right_on_both_sides_of_where_the_series_begins() {
        for n in [0, 1, 5, 31, 32, 33, 170, 5_000] {
            let exact: f64 = (2..=n).map(|factor| (factor as f64).ln()).sum();
            assert!((ln_factorial(n) - exact).abs() < 1e-9 * exact.max(1.0), "{n}");
        }
    }

    #[test]
    fn the_chance_of_so_many_heads_is_known() {
        assert!((at_least(10, 10, 0.5) - 0.5_f64.powi(10)).abs() < 1e-12);
        let eight = (45.0 + 10.0 + 1.0) / 1024.0;
        assert!((at_least(8, 10, 0.5) - eight).abs() < 1e-12);
        // 20 heads of 20 happen to one in a million, 100 above the mean of 1,000,000 often.
        assert!(at_least(20, 20, 0.5) < CHANCE && at_least(19, 19, 0.5) > CHANCE);
        assert!(at_least(500_100, 1_000_000, 0.5) > 0.4);
        assert_eq!(
            (at_least(0, 9, 0.1), at_least(1, 9, 0.0), at_least(9, 9, 1.0)),
            (1.0, 0.0, 1.0)
        );
    }

    #[test]
    fn what_is_seen_in_one_run_alone_is_new_from_twenty_scripts_on() {
        let none = share(0, 20_000);
        assert!(!share(19, 20_000).rose_from(none, CHANGED));
        assert!(share(20, 20_000).rose_from(none, CHANGED));
        // Where so much more was played, the same number is what is to be expected.
        assert!(!share(20, 20_000).rose_from(share(0, 2_000), CHANGED));
        assert!(share(3, 20).rose_from(share(0, 20_000), CHANGED));
        assert!(!none.rose_from(none, CHANGED) && !share(0, 0).rose_from(share(0, 0), CHANGED));
    }

    #[test]
    fn a_share_that_rises_a_little_has_not_risen_however_sure_that_is() {
        assert!(!share(19_000, 1_000_000).rose_from(share(10_000, 1_000_000), CHANGED));
        assert!(share(20_000, 1_000_000).rose_from(share(10_000, 1_000_000), CHANGED));
        assert!(!share(20, 1_000).rose_from(share(10, 1_000), CHANGED), "chance");
    }

    #[test]
    fn a_stated_rate_is_exact_and_the_count_beside_it_chance() {
        let now = share(7_484, 100_000);
        assert!(now.rose_from_rate(0.002_05, JUMPED) && !now.rose_from_rate(0.05, JUMPED));
        assert!(!share(3, 1_000).rose_from_rate(0.0005, JUMPED), "chance");
        assert!(share(3, 1_000).rose_from_rate(0.0, JUMPED), "none was to be");
    }
}
