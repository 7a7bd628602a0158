//! What a campaign of the command line takes from outside: real time, for how long it
//! lasts, the date, for certificates, and a seed, where none is given. None of them reaches what is played.

use std::time::{Instant, SystemTime};

/// Now, in real time.
#[expect(clippy::disallowed_methods, reason = "how long a campaign takes is a matter of real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The date, in which a certificate has to be valid.
#[expect(clippy::disallowed_methods, reason = "clients hold a certificate against their clocks")]
pub(super) fn date() -> SystemTime {
    SystemTime::now()
}

/// A seed for a run that was given none. It is printed, so that the run can be repeated.
#[expect(clippy::disallowed_methods, reason = "the one place where chance comes from outside")]
pub(super) fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (since.as_secs() & 0xffff)
}
