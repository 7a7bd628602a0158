//! Every control decides: of two servers that look alike in one play, it convicts the one whose
//! excuse does not hold, and acquits the one whose does.

mod rows;
mod server;

use self::rows::{PERMANENT, ROWS, Row};
use self::server::{Seen, Server, serve, server, well};
use hangup::bounds::Bounds;
use hangup::exchange::Exchange;
use hangup::judge::judge;
use hangup::run::virtual_time;
use hangup::script::Script;
use hangup::target::{AppSteps, Target};
use hangup::verdict::{Dismissal, Excuse, Excuses, Invariant, Reason, Verdict, Violation};
use std::sync::Arc;

fn target(server: Server) -> Arc<dyn Target> {
    let obeys = AppSteps::CLOSE | AppSteps::SEND | AppSteps::RETURN;
    let suite = hangup::suite(move |connection| serve(server, connection));
    Arc::new(suite.obeying(obeys).into_target())
}

fn script(text: &str) -> Script {
    text.parse().expect("a script")
}

fn play(server: Server, text: &str) -> Exchange {
    virtual_time::play(&target(server), &Bounds::default(), &script(text), 0)
}

fn with_controls(server: Server, text: &str) -> Verdict {
    virtual_time::play_and_judge(&target(server), &Bounds::default(), &script(text), 0).1
}

fn violation(verdict: &Verdict, rule: Invariant) -> Option<&Violation> {
    verdict.violations.iter().find(|violation| violation.identity.invariant() == rule)
}

fn dismissal(verdict: &Verdict, rule: Invariant) -> Option<&Dismissal> {
    let same = |it: &&Dismissal| it.violation.identity.invariant() == rule;
    verdict.dismissals.iter().find(same)
}

fn only(excuse: Excuse) -> Excuses {
    Excuses::default().and(excuse)
}

impl Row {
    /// One play alone tells the two servers apart in nothing: the excuse may hold of both.
    fn looks_excused(&self, server: Server) {
        let Self { excuse, rule, script, .. } = *self;
        let verdict = judge(&play(server, script), &Bounds::default());
        let suspected = if excuse == Excuse::ActedByItself {
            violation(&verdict, rule).expect("it is suspected")
        } else {
            assert_eq!(violation(&verdict, rule), None, "{excuse}, {rule}");
            let dismissal = dismissal(&verdict, rule);
            let dismissal = dismissal.unwrap_or_else(|| panic!("{excuse}, {rule}: {verdict:#?}"));
            assert_eq!(dismissal.reason, Reason::Excuse(excuse), "{rule}");
            &dismissal.violation
        };
        let doubted: Vec<Excuses> = suspected.doubts.iter().map(|doubt| doubt.excuses).collect();
        assert_eq!(doubted, [only(excuse)], "{excuse}, {rule}");
    }

    fn is_convicted(&self) {
        let Self { excuse, rule, script, faulty, .. } = *self;
        let verdict = with_controls(faulty, script);
        let convicted = violation(&verdict, rule);
        let convicted = convicted.unwrap_or_else(|| panic!("{excuse}, {rule}: {verdict:#?}"));
        assert_eq!(convicted.refuted, only(excuse), "{rule}");
    }

    fn is_acquitted(&self) {
        let Self { excuse, rule, script, honest, .. } = *self;
        let verdict = with_controls(honest, script);
        assert_eq!(violation(&verdict, rule), None, "{excuse}, {rule}");
        let acquitted = dismissal(&verdict, rule).expect("it is suspected").reason;
        let Reason::Control(doubt) = acquitted else { panic!("{excuse}, {rule}: {acquitted:?}") };
        assert_eq!(doubt.excuses, only(excuse), "{rule}");
    }
}

#[test]
fn one_play_does_not_tell_the_faulty_from_the_honest() {
    for row in ROWS {
        row.looks_excused(row.faulty);
        row.looks_excused(row.honest);
    }
}

#[test]
fn a_control_convicts_the_faulty() {
    ROWS.iter().for_each(Row::is_convicted);
}

#[test]
fn a_control_acquits_the_honest() {
    ROWS.iter().for_each(Row::is_acquitted);
}

#[test]
fn every_excuse_has_a_control_that_is_tried_here_or_needs_none() {
    // Of these, the test below, `virtual_time::other_threads` and `suites::limits` have a play, and
    // `whole_server` of the judge's tests has both verdicts.
    let elsewhere =
        [Excuse::NobodyCouldSee, Excuse::OtherThreads, Excuse::RuntimeLacks, Excuse::SameAlone];
    let permanent: Excuses =
        PERMANENT.iter().map(|(excuse, ..)| *excuse).chain(elsewhere).collect();
    let tried: Excuses = ROWS.iter().map(|row| row.excuse).collect();
    for excuse in Excuse::ALL {
        assert_ne!(tried.contain(*excuse), permanent.contain(*excuse), "{excuse}");
    }
}

#[test]
fn what_needs_no_control_excuses_at_once() {
    for (excuse, rule, script, server) in PERMANENT {
        let verdict = with_controls(*server, script);
        let dismissal = dismissal(&verdict, *rule);
        let dismissal = dismissal.unwrap_or_else(|| panic!("{excuse}: {verdict:#?}"));
        assert_eq!(dismissal.reason, Reason::Excuse(*excuse), "{rule}");
        assert_eq!(violation(&verdict, *rule), None, "{excuse}");
    }
}

#[test]
fn an_end_that_nobody_could_see_is_not_said_to_be_missing() {
    let never_ends = server(|session, seen| match seen {
        Seen::Close(_) => {}
        seen => well(session, seen),
    });
    let played = play(never_ends, "upgrade\nstop reading\nclose 1000");
    let rule = Invariant::EndsInTime;
    let seen = judge(&played, &Bounds::default());
    assert!(violation(&seen, rule).is_some(), "both ends show it: {seen:#?}");
    let unseen = judge(&played.seen_by_actor(), &Bounds::default());
    assert_eq!(violation(&unseen, rule), None);
    let dismissal = dismissal(&unseen, rule).expect("it is suspected");
    assert_eq!(dismissal.reason, Reason::Excuse(Excuse::NobodyCouldSee));
}
