//! Bounds: whose promise one is, and which a server over TCP could promise that is late, as it ended the
//! connection by itself while it was watched on.

use super::model::FindingReport;
use crate::bounds::Bounds;
use crate::exchange::Time;
use crate::finding::repro::Repro;
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

/// Whose promise the deadline of a finding is; `None` where it is not about time. A file does not say whether
/// the target or an option set its bound.
pub fn bound(repro: &Repro) -> Option<String> {
    let identity = repro.identity;
    identity.condition()?;
    let (cause, bounds) = (identity.cause()?, &repro.bounds);
    let usual = Bounds::default();
    let (bound, usual) = match cause {
        Cause::Handshake => (bounds.handshake?, None),
        Cause::Idle => (bounds.idle?, None),
        Cause::Shutdown => {
            let own = bounds.shutdown.is_none().then(|| bounds.shutdown());
            (bounds.shutdown(), own)
        }
        Cause::ClientReset => (bounds.release, Some(usual.release)),
        _ => (bounds.close, Some(usual.close)),
    };
    let option = option(cause);
    let whose = if usual == Some(bound) {
        format!("hangup's default ({option} sets another)")
    } else {
        format!("the {}'s own promise, or what {option} asked for", repro.role.word())
    };
    Some(format!("RFC 6455 sets no time: the bound of {} s is {whose}.", bound.as_secs_f64()))
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
    fn a_bound_says_whose_promise_it_is_where_a_finding_is_about_time() {
        let said = |close: u64, invariant, rest: &str| {
            let text = format!(
                "format = 2\nhangup = \"-\"\nscript = \"upgrade\"\ndigest = \"0000000000000000\"\n\
                 runtime-seed = 0\n[target]\nname = \"-\"\nversion = \"-\"\n[bounds]\nclose = {close}.0\n\
                 release = {close}.0\n[violation]\ninvariant = \"{invariant}\"\nlevel = \"should\"\n{rest}\
                 ending = \"never\"\nsentence = \"It.\"\n[seen]\ntimeline = \"-\"\nwire = \"-\"\n"
            );
            bound(&Repro::parse(&text).expect("a repro"))
        };
        let own = "cause = \"the server's own Close\"\ncondition = \"silent\"\n";
        let usual = said(5, "ends-in-time", own).expect("a bound");
        assert_eq!(
            usual,
            "RFC 6455 sets no time: the bound of 5 s is hangup's default (--close-within sets another)."
        );
        let other = said(2, "ends-in-time", own).expect("a bound");
        assert!(
            other.contains("2 s is the server's own promise, or what --close-within"),
            "{other}"
        );
        let idle = "cause = \"idle client\"\ncondition = \"silent\"\n";
        assert_eq!(said(5, "idle-in-time", idle), None, "the file has no such bound");
        assert_eq!(said(5, "legal-close", "cause = \"the server's own Close\"\n"), None);
    }

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
