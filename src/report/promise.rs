//! What a bound a server over TCP could promise that is late: it ended the connection by itself
//! while it was watched on, or did not.

use super::model::FindingReport;
use crate::exchange::Time;
use crate::script::Millis;
use crate::verdict::{Cause, Ending, Invariant, Symptom};
use std::time::Duration;

/// Up to this, a bound is said in tenths of a second; beyond, in seconds.
const TENTHS_UP_TO: Duration = Duration::from_secs(5);

/// How long a server that was late took, or was watched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overdue {
    /// Since when the end was owed, to the end or to the end of watching.
    pub lasted: Duration,
    /// The option and the bound with which it would not have been late; `None` where it had
    /// not ended when watching did.
    pub accepted_with: Option<(&'static str, Millis)>,
    /// What is late.
    rule: Invariant,
}

impl Overdue {
    /// That of a finding over TCP about time, where the server ended by itself, or never.
    pub fn of(finding: &FindingReport) -> Option<Self> {
        let (at, since, _) = (finding.ending.at()?, finding.since?, finding.url.as_ref()?);
        let lasted = at.since_accept().checked_sub(since.since_accept())?;
        let identity = finding.repro.identity;
        let accepted_with = match finding.ending {
            Ending::Open(_) => None,
            Ending::Late(_)
                if matches!(
                    identity.symptom(),
                    Some(Symptom::OwnTimer | Symptom::ShutsDownLate)
                ) =>
            {
                Some((option(identity.cause()?), bound_over(lasted)))
            }
            _ => return None,
        };
        Some(Self { lasted, accepted_with, rule: identity.invariant() })
    }

    /// In one or two sentences.
    pub fn sentence(self) -> String {
        let Self { lasted, accepted_with, rule } = self;
        let lasted = Time::from(lasted);
        match (accepted_with, rule) {
            (Some((option, bound)), Invariant::ShutsDownInTime) => format!(
                "The server's process ends by itself after {lasted}. To accept that: {option} {bound}"
            ),
            (None, Invariant::ShutsDownInTime) => {
                format!("The server's process still runs after {lasted}.")
            }
            (Some((option, bound)), Invariant::ReleasesInTime) => format!(
                "The server lets go of its socket by itself after {lasted}. To accept that: {option} \
                 {bound}"
            ),
            (None, Invariant::ReleasesInTime) => {
                format!("The server still holds its socket after {lasted}.")
            }
            (Some((option, bound)), _) => format!(
                "The server closes the connection by itself after {lasted}. To accept that: {option} \
                 {bound}"
            ),
            (None, _) => format!("The connection is still open after {lasted}."),
        }
    }
}

/// The option that sets the bound for this cause.
const fn option(cause: Cause) -> &'static str {
    match cause {
        Cause::Handshake => "--handshake-within",
        Cause::Idle => "--idle-within",
        Cause::Shutdown => "--shutdown-within",
        _ => "--close-within",
    }
}

/// A bound that an end after so long keeps. A timer is not exact, and the kernel's table dates an
/// end too early: a fortieth is added.
fn bound_over(lasted: Duration) -> Millis {
    let lasted = lasted + lasted / 40;
    let step = if lasted < TENTHS_UP_TO { 100 } else { 1000 };
    let steps = lasted.as_millis() / step + 1;
    Millis(u32::try_from(steps * step).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_next_round_one_that_is_longer() {
        let bound = |millis| bound_over(Duration::from_millis(millis)).to_string();
        assert_eq!(bound(30_006), "31s");
        assert_eq!(bound(29_940), "31s");
        assert_eq!(bound(10_003), "11s");
        assert_eq!(bound(1_502), "1600ms");
        assert_eq!(bound(930), "1s");
    }
}
