//! The judge, and the timeline, over arbitrary exchanges.

use crate::vocabulary::{bounds, check, exchange, happenings, open_trace, tell};
use hangup::bounds::Bounds;
use hangup::exchange::{AfterDeadline, ConnectionId, Exchange, Time, What};
use hangup::judge::{judge, next_deadline};
use hangup::report::{sentence, timeline};
use hangup::verdict::{Class, Identity, Invariant, Violation};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use std::collections::BTreeSet;
use std::time::Duration;

fn keys(exchange: &Exchange, bounds: &Bounds) -> BTreeSet<Identity> {
    judge(exchange, bounds).violations.iter().map(|violation| violation.identity).collect()
}

/// The rules about time that were broken. Who had not refused a violation when the end was due
/// that it calls for had accepted it: that belongs to another rule, and was a matter of time.
fn late(exchange: &Exchange, bounds: &Bounds) -> BTreeSet<Invariant> {
    let violations = judge(exchange, bounds).violations;
    let rule = |violation: &Violation| match violation.identity.invariant() {
        Invariant::RefusesIllegal if violation.fact.starts_with("accepted") => {
            Invariant::EndsInTime
        }
        rule => rule,
    };
    let rules = violations.iter().map(rule);
    rules.filter(|rule| rule.rule().class == Class::Liveness && is_timed(*rule)).collect()
}

fn is_timed(rule: Invariant) -> bool {
    use Invariant::{
        ConnectsInTime, EndsInTime, HandshakeInTime, IdleInTime, ReleasesInTime, ShutsDownInTime,
    };
    let opening = matches!(rule, HandshakeInTime | ConnectsInTime);
    opening || matches!(rule, EndsInTime | ReleasesInTime | IdleInTime | ShutsDownInTime)
}

/// `exchange` as somebody would have it who watched for `longer`, and saw nothing more.
fn watched(exchange: &Exchange, longer: Duration, outcome: Option<AfterDeadline>) -> Exchange {
    let mut exchange = exchange.clone();
    let last = exchange.events.last().map_or(Time::ZERO, |event| event.at);
    let what = outcome.map_or(What::Froze, What::Became);
    exchange.push(last.after(longer), what);
    exchange
}

#[test]
fn any_trace_has_a_verdict_in_order_and_always_the_same() {
    check(1500, (exchange(), bounds()), |(exchange, bounds)| {
        let verdict = judge(&exchange, &bounds);
        prop_assert_eq!(&judge(&exchange.clone(), &bounds), &verdict);
        prop_assert!(verdict.violations.is_sorted_by_key(|violation| violation.identity));
        for violation in &verdict.violations {
            let in_trace = violation.events.iter().all(|event| *event < exchange.events.len());
            prop_assert!(in_trace, "{:?}", violation);
            prop_assert_eq!(violation.owed.is_some(), is_timed(violation.identity.invariant()));
        }
        prop_assert_eq!(
            next_deadline(&exchange, ConnectionId::FIRST, &bounds),
            next_deadline(&exchange, ConnectionId::FIRST, &bounds)
        );
        Ok(())
    });
}

#[test]
fn who_watches_longer_and_sees_nothing_more_acquits_nobody() {
    let longer = (0..20_000_u64).prop_map(Duration::from_millis);
    check(1500, (exchange(), bounds(), longer), |(mut exchange, bounds, longer)| {
        // How watching ended is replaced by how it ended later.
        exchange.events.retain(|event| !matches!(event.what, What::Became(_)));
        let gave_up = watched(&exchange, Duration::ZERO, Some(AfterDeadline::GaveUp));
        let convicted = keys(&gave_up, &bounds);
        for outcome in [None, Some(AfterDeadline::GaveUp), Some(AfterDeadline::Quiet)] {
            let later = keys(&watched(&exchange, longer, outcome), &bounds);
            prop_assert!(convicted.is_subset(&later), "{:?} became {:?}", convicted, later);
        }
        Ok(())
    });
}

#[test]
fn who_was_late_stays_late_whatever_comes_afterwards() {
    check(1500, (exchange(), bounds(), happenings(8)), |(exchange, bounds, more)| {
        let convicted = late(&exchange, &bounds);
        // From when on time stands still nobody is late: that is `no-spin`.
        let mut more = more;
        more.retain(|(_, event)| !matches!(event.what, What::Spun { .. } | What::Died(_)));
        let mut later = exchange.clone();
        tell(&mut later, &more);
        let still = late(&later, &bounds);
        prop_assert!(convicted.is_subset(&still), "{:?} became {:?}", convicted, still);
        Ok(())
    });
}

#[test]
fn a_larger_bound_calls_nobody_late_whom_a_smaller_one_acquits() {
    let more = (0..9_000_000_u64).prop_map(Duration::from_micros);
    check(1500, (exchange(), bounds(), more), |(mut exchange, bounds, more)| {
        // To a client alone, which may be blind at one deadline and not at another, it does.
        exchange.sees_release = true;
        let larger = Bounds { close: bounds.close + more, ..bounds };
        if late(&exchange, &bounds).is_empty() {
            prop_assert_eq!(late(&exchange, &larger), BTreeSet::new());
        }
        Ok(())
    });
}

/// `exchange` of a client that sent `lines` before anything else, in the same segment.
fn after(lines: &[u8], mut exchange: Exchange) -> Option<Exchange> {
    let arrived = exchange.events.iter_mut().find_map(|event| match &mut event.what {
        What::Arrived { bytes } => Some(bytes),
        _ => None,
    });
    *arrived? += lines.len() as u32;
    let read = exchange.events.iter_mut().find_map(|event| match &mut event.what {
        What::Read { bytes } => Some(bytes),
        _ => None,
    });
    *read? += lines.len() as u32;
    exchange.bytes_mut(ConnectionId::FIRST).to_subject.splice(0..0, lines.iter().copied());
    Some(exchange)
}

/// What a server of RFC 9112 ignores (2.2), the judge ignores too.
#[test]
fn empty_lines_before_the_request_change_no_verdict() {
    let lines = select(vec![&b"\n"[..], b"\r\n", b"\r\n\r\n", b"\n\n\n"]);
    check(1000, (open_trace(), bounds(), lines), |(exchange, bounds, lines)| {
        let with_lines = after(lines, exchange.clone()).expect("an open connection");
        prop_assert_eq!(keys(&with_lines, &bounds), keys(&exchange, &bounds));
        Ok(())
    });
}

/// Every line fits a terminal, and nothing in it steers one.
pub fn fits_a_terminal(exchange: &Exchange, bounds: &Bounds) -> TestCaseResult {
    let verdict = judge(exchange, bounds);
    for violation in verdict.violations.iter().map(Some).chain([None]) {
        let drawn = timeline(exchange, violation);
        for line in drawn.lines() {
            prop_assert!(line.chars().count() <= 80, "{} columns: {}", line.chars().count(), line);
        }
        prop_assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", drawn);
        prop_assert!(
            violation.is_none_or(|violation| sentence(violation, exchange).ends_with('.'))
        );
    }
    Ok(())
}

#[test]
fn any_timeline_fits_into_80_columns_and_steers_no_terminal() {
    check(800, (exchange(), bounds()), |(exchange, bounds)| fits_a_terminal(&exchange, &bounds));
}
