//! Deadlines, their slack, and the ways not to end by one.

use crate::story::{Act, BYE, PING, Story, TEXT, UNMASKED, causes, owing, rule};
use hangup::exchange::{AfterDeadline, ConnectionId, Time, What};
use hangup::judge::{judge, next_deadline};
use hangup::verdict::{Cause, Condition, Ending, Invariant};
use std::time::Duration;

#[test]
fn a_connection_on_which_nothing_is_owed_may_stay_open_for_ever() {
    Story::accepted().client_bytes("GET / HT").quiet().is_clean();
    for open in [Story::open(), Story::open_seen_by_client()] {
        open.at(1000).client(TEXT).server(TEXT).client_bytes([0x88]).quiet().is_clean();
    }
}

#[test]
fn a_deadline_has_two_milliseconds_of_slack_and_no_third() {
    for cause in causes() {
        assert_eq!(owing(cause).due(6000).0, cause);
        for in_time in [1003, 5999, 6000, 6001] {
            owing(cause).at(in_time).says_why(cause).server_drops().is_clean();
        }
        let next =
            |story: &Story| next_deadline(&story.exchange, ConnectionId::FIRST, &story.bounds);
        assert_eq!(next(&owing(cause).server_shuts()), Some(Time(6_000_000)));
        assert_eq!(next(&owing(cause).server_drops()), None);
    }
    let mut story = owing(Cause::ClientClose);
    story.exchange.timing_slack = Duration::from_millis(50);
    story.clone().at(6050).server_drops().is_clean();
    story.at(6051).server_drops().breaks(Invariant::EndsInTime);
}

#[test]
fn each_way_not_to_end_has_its_name_and_what_was_not_watched_is_none() {
    let ticking = |wakes, lasting| AfterDeadline::Ticking { wakes, lasting };
    for cause in causes() {
        for (outcome, ending) in [
            (AfterDeadline::Quiet, Ending::Never),
            (AfterDeadline::GaveUp, Ending::Open(Time(60_000_000))),
            (ticking(4, 40_000_000), Ending::Ticking(10_000_000)),
            (ticking(0, 7), Ending::Ticking(7)),
        ] {
            let story = owing(cause).at(60_000).then(What::Became(outcome));
            assert_eq!(story.breaks(rule(cause)).ending, ending);
        }
        owing(cause).at(6002).watched().is_clean();
        let open = owing(cause).at(6003).watched().breaks(rule(cause)).ending;
        assert_eq!(open, Ending::Open(Time(6_003_000)));
    }
}

#[test]
fn a_reply_about_the_deadline_neither_moves_it_nor_counts_when_it_comes_after_it() {
    let reply = |ms| owing(Cause::OwnClose).at(ms).client(BYE).server_reads_all();
    for ms in [5999, 6000, 6001, 6002] {
        let condition = if ms <= 6000 { Condition::Answered } else { Condition::Silent };
        assert_eq!(reply(ms).due(6000), (Cause::OwnClose, condition), "at {ms} ms");
        assert_eq!(reply(ms).never(), (Cause::OwnClose, condition), "at {ms} ms");
    }
    reply(6003).server_drops().breaks(Invariant::EndsInTime);
}

#[test]
fn nothing_that_comes_later_moves_an_armed_deadline() {
    let acts: [Act; 8] = [
        |story| story.client_bytes([0x89]),
        |story| story.client(PING),
        |story| story.client(TEXT),
        |story| story.client(BYE),
        |story| story.client_bytes(UNMASKED),
        Story::fin,
        Story::app_closes,
        Story::deaf,
    ];
    for cause in causes().filter(|c| !matches!(c, Cause::Idle | Cause::ClientReset)) {
        for act in acts {
            let story = (2..=5).fold(owing(cause), |story, s| act(story.at(s * 1000)));
            assert_eq!(story.due(6000).0, cause);
        }
    }
}

#[test]
fn a_violation_that_is_not_about_time_says_how_the_connection_ended_all_the_same() {
    let ending = |story: Story| {
        judge(&story.exchange, &story.bounds).violations.last().map(|violation| violation.ending)
    };
    let late = Some(Ending::Late(Time(20_000_000)));
    let data = || owing(Cause::OwnClose).server(TEXT);
    let panic = owing(Cause::ClientClose).panics().at(20_000).server_drops();
    let found = [ending(data().at(20_000).server_drops()), ending(panic), ending(data().quiet())];
    assert_eq!(found, [late, late, Some(Ending::Never)]);
}
