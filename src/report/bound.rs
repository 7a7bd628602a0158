//! Bounds: who set the one of a finding, and which one a server over TCP would keep that is late, as it
//! ended the connection by itself while it was watched on.

use super::model::FindingReport;
use crate::bounds::{Bounds, DEFAULT_CLOSE};
use crate::exchange::{Event, Exchange, Time, What};
use crate::finding::repro::Repro;
use crate::script::Millis;
use crate::verdict::{Cause, Ending, Invariant, Symptom, Violation};
use std::time::Duration;

/// Up to this, a bound is said in tenths of a second; beyond, in seconds.
const TENTHS_UP_TO: Duration = Duration::from_secs(5);

/// Since when the end was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The moment.
    pub at: Time,
    /// Whether nothing of the actor's came between it and the end: what begins anew with that is no time that
    /// a longer bound would accept.
    pub is_last: bool,
}

impl Since {
    /// That of a violation; `None` where no end was owed.
    pub fn of(violation: &Violation, exchange: &Exchange) -> Option<Self> {
        let at = violation.owed?.since;
        let end = violation.ending.at().unwrap_or(at);
        let came = |what: &What| {
            matches!(what, What::Arrived { .. } | What::FinArrived | What::ResetArrived | What::Cut)
        };
        let between = |event: &&Event| event.at > at && event.at < end;
        let is_last = !exchange.events.iter().filter(between).any(|event| came(&event.what));
        Some(Self { at, is_last })
    }
}

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
        let lasted = at.since_accept().checked_sub(since.at.since_accept())?;
        let identity = finding.repro.identity;
        let accepted_with = match finding.ending {
            Ending::Open(_) => None,
            Ending::Late(_)
                if since.is_last
                    && matches!(
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

    /// In two sentences; `None` of what had not ended, as the finding's own sentence says it.
    pub fn sentence(self) -> Option<String> {
        let Self { lasted, accepted_with, rule } = self;
        let lasted = Time::from(lasted);
        let (option, bound) = accepted_with?;
        let ends = match rule {
            Invariant::ShutsDownInTime => "The server's process ends",
            Invariant::ReleasesInTime => "The server lets go of its socket",
            _ => "The server closes the connection",
        };
        Some(format!("{ends} by itself after {lasted}. To accept that: {option} {bound}"))
    }
}

/// Who set the bound of a finding; `None` where it is not about time. A file does not say it: `stated` are
/// the target's own bounds, where they are known.
pub fn bound(repro: &Repro, stated: Option<&Bounds>) -> Option<String> {
    let (cause, bound) = (repro.identity.cause()?, bound_of(repro)?);
    let option = option(cause);
    let subject = repro.role.word();
    let whose = if Some(bound) == usual(cause, &repro.bounds) {
        format!("is hangup's default ({option} sets another)")
    } else {
        match stated.map(|stated| for_cause(cause, stated)) {
            Some(own) if own == Some(bound) => {
                format!("is the one that the {subject} states")
            }
            Some(_) => format!("is from {option}"),
            // Nobody else says a bound of what is not in this process.
            None if repro.is_over_tcp() => format!("is from {option}"),
            None => format!("is the one that the {subject} states, or is from {option}"),
        }
    };
    let what = match cause {
        Cause::Handshake => "the opening",
        Cause::Idle => "idle connections",
        Cause::Shutdown => "the shutdown",
        Cause::ClientReset => "releasing the socket",
        _ => "closing",
    };
    let seconds = bound.as_secs_f64();
    Some(format!("RFC 6455 sets no time: the bound of {seconds} s for {what} {whose}."))
}

/// What holds a server over TCP to the time that `bounds` give it to close, as an option behind a space; nothing
/// where that is hangup's default. Without options nothing is asked of its opening and of idle connections: a run
/// that asks for them takes as long as they do.
pub fn close_option(bounds: &Bounds) -> String {
    if bounds.close == DEFAULT_CLOSE {
        return String::new();
    }
    let millis = Millis(u32::try_from(bounds.close.as_millis()).unwrap_or(u32::MAX));
    format!(" {} {millis}", option(Cause::OwnClose))
}

/// As [`bound`], of a finding in a report.
pub fn bound_of_finding(finding: &FindingReport) -> Option<String> {
    bound(&finding.repro, Some(&finding.stated))
}

/// The bound that a finding is about; `None` where it is not about time.
pub fn bound_of(repro: &Repro) -> Option<Duration> {
    let identity = repro.identity;
    identity.condition()?;
    for_cause(identity.cause()?, &repro.bounds)
}

/// The one that an end for this cause is held to.
fn for_cause(cause: Cause, bounds: &Bounds) -> Option<Duration> {
    match cause {
        Cause::Handshake => bounds.handshake,
        Cause::Idle => bounds.idle,
        Cause::Shutdown => Some(bounds.shutdown()),
        Cause::ClientReset => Some(bounds.release),
        _ => Some(bounds.close),
    }
}

/// What it is where nobody says anything.
fn usual(cause: Cause, bounds: &Bounds) -> Option<Duration> {
    match cause {
        Cause::Shutdown if bounds.shutdown.is_some() => None,
        Cause::Shutdown => Some(bounds.shutdown()),
        _ => for_cause(cause, &Bounds::default()),
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
    fn a_bound_says_who_set_it_where_a_finding_is_about_time() {
        let said_of = |close: u64, invariant, rest: &str, stated: Option<&Bounds>| {
            let text = format!(
                "format = 2\nhangup = \"-\"\nscript = \"upgrade\"\ndigest = \"0000000000000000\"\n\
                 runtime-seed = 0\n[target]\nname = \"-\"\nversion = \"-\"\n[bounds]\nclose = {close}.0\n\
                 release = {close}.0\n[violation]\ninvariant = \"{invariant}\"\nlevel = \"should\"\n{rest}\
                 ending = \"never\"\nsentence = \"It.\"\n[seen]\ntimeline = \"-\"\nwire = \"-\"\n"
            );
            bound(&Repro::parse(&text).expect("a repro"), stated)
        };
        let said = |close, invariant, rest| said_of(close, invariant, rest, None);
        let own = "cause = \"the server's own Close\"\ncondition = \"silent\"\n";
        let usual = said(5, "ends-in-time", own).expect("a bound");
        assert_eq!(
            usual,
            "RFC 6455 sets no time: the bound of 5 s for closing is hangup's default (--close-within sets \
             another)."
        );
        let other = said(2, "ends-in-time", own).expect("a bound");
        let either =
            "2 s for closing is the one that the server states, or is from --close-within.";
        assert!(other.ends_with(either), "{other}");
        let known = |stated| said_of(2, "ends-in-time", own, Some(&stated)).expect("a bound");
        let option = known(Bounds::default());
        assert!(
            option.ends_with("the bound of 2 s for closing is from --close-within."),
            "{option}"
        );
        let target = known(Bounds::close_within(Duration::from_secs(2)));
        assert!(target.ends_with("2 s for closing is the one that the server states."), "{target}");
        let idle = "cause = \"idle client\"\ncondition = \"silent\"\n";
        assert_eq!(said(5, "idle-in-time", idle), None, "the file has no such bound");
        assert_eq!(said(5, "legal-close", "cause = \"the server's own Close\"\n"), None);
    }

    #[test]
    fn a_time_to_close_of_a_targets_own_is_said_as_an_option() {
        let idle = Some(Duration::from_secs(30));
        let own = Bounds { idle, ..Bounds::close_within(Duration::from_millis(9500)) };
        assert_eq!(close_option(&own), " --close-within 9500ms");
        assert_eq!(close_option(&Bounds { idle, ..Bounds::default() }), "");
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
