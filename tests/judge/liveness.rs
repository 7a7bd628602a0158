//! The end, or the release, that did not come in time: deadlines, endings, conditions.

use crate::story::{
    Act, BYE, PING, Story, TEXT, UNMASKED, encoded, idling, masked, opening, owing, rule,
};
use hangup::exchange::{AfterDeadline, ConnectionId, Time, What};
use hangup::judge::next_deadline;
use hangup::verdict::{Cause, Condition, Ending, Invariant, Level};
use hangup::wire::{FrameHead, Opcode, handshake};
use std::time::Duration;

// Liveness: deadlines, causes, endings.

#[test]
fn a_connection_on_which_nothing_is_owed_may_stay_open_for_ever() {
    Story::accepted().client_bytes("GET / HT").quiet().is_clean();
    for open in [Story::open(), Story::open_seen_by_client()] {
        open.at(1000).client(TEXT).server(TEXT).client_bytes([0x88]).quiet().is_clean();
    }
}

#[test]
fn a_deadline_has_two_milliseconds_of_slack_and_no_third() {
    for &cause in Cause::ALL {
        assert_eq!(owing(cause).due(6000).0, cause);
        for in_time in [1003, 5999, 6000, 6001] {
            owing(cause).at(in_time).server_drops().is_clean();
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
    for &cause in Cause::ALL {
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
fn lateness_is_a_must_where_the_rfc_asks_for_the_end_and_a_should_where_it_is_silent() {
    for &cause in Cause::ALL {
        let must = matches!(cause, Cause::ClientClose | Cause::ClientViolation);
        let level = if must { Level::Must } else { Level::Should };
        assert_eq!(owing(cause).quiet().breaks(rule(cause)).level, level, "{cause}");
    }
    let both = owing(Cause::AppClose).server(BYE).at(2000).client(BYE).quiet();
    assert_eq!(both.breaks(Invariant::EndsInTime).level, Level::Must);
}

#[test]
fn a_violation_is_a_must_where_the_rfc_asks_the_receiver_to_fail_the_connection() {
    let text = FrameHead::client(Opcode::TEXT);
    let long = masked((Opcode::PING, &[b'p'; 126]));
    for (bytes, level) in [
        (UNMASKED, Level::Must),
        (&encoded(FrameHead { rsv: 1, ..text }, b""), Level::Must),
        (&masked((Opcode::new(7), b"")), Level::Must),
        (&masked((Opcode::TEXT, b"\xff")), Level::Must),
        (&masked((Opcode::CONTINUATION, b"")), Level::Should),
        (&long, Level::Should),
    ] {
        let late = Story::open().client_bytes(bytes).quiet().breaks(Invariant::EndsInTime);
        assert_eq!((late.identity.cause(), late.level), (Some(Cause::ClientViolation), level));
    }
}

#[test]
fn bad_text_in_half_a_message_is_a_should_until_the_message_is_whole() {
    let bytes = masked((Opcode::TEXT, b"\xffrest"));
    let late = |upto: usize| Story::open().client_bytes(&bytes[..upto]).quiet();
    let levels = [7, bytes.len()].map(|upto| late(upto).breaks(Invariant::EndsInTime).level);
    assert_eq!(levels, [Level::Should, Level::Must]);
}

#[test]
fn who_was_in_time_by_the_end_of_a_bad_frame_was_late_for_its_half() {
    let bytes = masked((Opcode::TEXT, b"\xffrest"));
    let half = Story::open().at(1000).client_bytes(&bytes[..7]);
    let late = |whole, ms| {
        let ended = half.clone().at(whole).client_bytes(&bytes[7..]).at(ms).server_drops();
        let late = ended.breaks(Invariant::EndsInTime);
        (late.identity.condition(), late.level)
    };
    for ms in [6003, 8002] {
        assert_eq!(late(3000, ms), (Some(Condition::HalfSent), Level::Should), "at {ms} ms");
    }
    assert_eq!(late(3000, 8003), (Some(Condition::Dripping), Level::Must));
    assert_eq!(late(1000, 6003).0, Some(Condition::Dripping), "in two segments, at once");
}

#[test]
fn a_reply_that_comes_after_the_deadline_does_not_make_the_lateness_a_must() {
    let late = owing(Cause::OwnClose).at(10_000).client(BYE).server_reads_all();
    assert_eq!(late.server_drops().breaks(Invariant::EndsInTime).level, Level::Should);
}

#[test]
fn a_reply_about_the_deadline_neither_moves_it_nor_counts_when_it_comes_after_it() {
    let reply = |ms| owing(Cause::OwnClose).at(ms).client(BYE).server_reads_all();
    for ms in [5999, 6000, 6001, 6002] {
        let condition = if ms <= 6000 { Condition::Replied } else { Condition::Silent };
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
    for &cause in Cause::ALL.iter().filter(|c| !matches!(c, Cause::Idle | Cause::ClientReset)) {
        for act in acts {
            let story = (2..=5).fold(owing(cause), |story, s| act(story.at(s * 1000)));
            assert_eq!(story.due(6000).0, cause);
        }
    }
}

#[test]
fn a_client_alone_sees_the_same_lateness_and_takes_the_end_for_the_release() {
    let open = || Story::open_seen_by_client().at(1000);
    for story in [open().client(BYE).server(BYE), open().server(BYE), open().fin()] {
        story.due(6000);
        story.clone().at(6002).actor(What::ReadReset).quiet().is_clean();
        story.at(6003).actor(What::ReadReset).breaks(Invariant::EndsInTime);
    }
}

/// Over TCP, where the kernel's socket table shows the server's end.
#[test]
fn a_release_that_is_seen_from_outside_is_told_from_the_end() {
    let mut story = Story::open_seen_by_client();
    story.exchange.sees_release = true;
    let ended = story.at(1000).client(BYE).server(BYE).server_drops();
    ended.clone().at(6002).then(What::Dropped { reset: false }).is_clean();
    ended.clone().quiet().breaks(Invariant::ReleasesInTime);
    ended.at(6003).then(What::Dropped { reset: false }).breaks(Invariant::ReleasesInTime);
}

#[test]
fn who_does_not_look_sees_no_end_and_the_server_is_not_blamed_for_it() {
    let open = || Story::open_seen_by_client().at(1000).client(BYE).at(2000);
    let blind: [Act; 3] = [Story::deaf, Story::cut, |story| story.deaf().client_bytes([0x89])];
    for act in blind {
        act(open()).quiet().is_clean();
        act(open()).at(6003).hears().actor(What::ReadEnd).is_clean();
        let mut table = act(open());
        table.exchange.sees_release = true;
        table.clone().at(6002).then(What::Shut).then(What::Dropped { reset: false }).is_clean();
        table.quiet().breaks(Invariant::EndsInTime);
    }
    open().deaf().at(5999).hears().quiet().breaks(Invariant::EndsInTime);
}

/// The kernel's table tells only that an end came between two looks.
#[test]
fn an_end_that_only_the_table_showed_is_no_cut_and_no_missing_answer() {
    let open = || {
        let mut story = Story::open_seen_by_client();
        (story.exchange.sees_release, story.exchange.transit) = (true, Duration::ZERO);
        story.at(1000)
    };
    let gone = |story: Story| story.then(What::Shut).then(What::Dropped { reset: false });
    gone(open().server(BYE)).at(1010).reset().is_clean();
    gone(open().client(BYE)).is_clean();
    gone(open().client(BYE)).actor(What::ReadEnd).breaks(Invariant::AnswersClose);
    gone(open().client_bytes(UNMASKED)).is_clean();
    gone(open().client_bytes(UNMASKED)).actor(What::ReadEnd).breaks(Invariant::RefusesIllegal);
}

// Liveness: what the client did meanwhile.

#[test]
fn each_condition_has_its_name_and_of_several_the_gravest_is_named() {
    let graver: [(Act, Condition); 7] = [
        (|story| story, Condition::Silent),
        (|story| story.client(PING), Condition::Dripping),
        (|story| story.client(BYE), Condition::Replied),
        (Story::fin, Condition::HalfClosed),
        (Story::deaf, Condition::Deaf),
        (Story::cut, Condition::CutOff),
        (|story| story.client_bytes([0x89]), Condition::HalfSent),
    ];
    let mut all = owing(Cause::OwnClose).at(2000);
    for (act, condition) in graver {
        all = act(all);
        for story in [act(owing(Cause::OwnClose).at(6000)), all.clone()] {
            assert_eq!(story.never(), (Cause::OwnClose, condition));
        }
        let after = act(owing(Cause::OwnClose).at(6001));
        assert_eq!(after.never(), (Cause::OwnClose, Condition::Silent));
    }
    let gone = all.reset().quiet().breaks(Invariant::ReleasesInTime).identity;
    assert_eq!((gone.cause(), gone.condition()), (Some(Cause::OwnClose), Some(Condition::Gone)));
    let hears_again = owing(Cause::OwnClose).deaf().hears();
    assert_eq!(hears_again.never(), (Cause::OwnClose, Condition::Silent));
}

#[test]
fn what_the_cause_implies_is_not_named_again_and_what_was_sent_before_it_is_no_drip() {
    for &cause in Cause::ALL {
        let half = cause == Cause::Handshake;
        let condition = if half { Condition::HalfSent } else { Condition::Silent };
        assert_eq!(owing(cause).never(), (cause, condition));
    }
    let before = Story::open().client(PING).at(1000).app_closes();
    assert_eq!(before.never(), (Cause::AppClose, Condition::Silent));
    let after = owing(Cause::AppClose).at(2000).client(BYE);
    assert_eq!(after.never(), (Cause::AppClose, Condition::Replied));
}

// Liveness: releases-in-time.

#[test]
fn a_server_that_sent_fin_and_keeps_its_transport_ended_but_did_not_release() {
    for &cause in Cause::ALL {
        let shut = owing(cause).at(3000).server_shuts();
        shut.clone().at(6002).server_drops().is_clean();
        let late = shut.clone().at(6003).server_drops().breaks(Invariant::ReleasesInTime);
        assert_eq!(
            (late.ending, late.identity.cause()),
            (Ending::Late(Time(6_003_000)), Some(cause))
        );
        assert_eq!(shut.quiet().breaks(Invariant::ReleasesInTime).ending, Ending::Never);
    }
    let kept = owing(Cause::ClientFin).server_shuts().quiet().breaks(Invariant::ReleasesInTime);
    let open = owing(Cause::ClientFin).quiet().breaks(Invariant::EndsInTime);
    assert_eq!((&*kept.fact, &*open.fact), ("kept its transport", "did not end the connection"));
    let ended_late = owing(Cause::OwnClose).at(7000).server_shuts().quiet();
    assert_eq!(ended_late.breaks(Invariant::EndsInTime).ending, Ending::Late(Time(7_000_000)));
}

#[test]
fn a_reset_is_counted_by_the_release_bound_and_excuses_nothing_after_the_deadline() {
    let reset = |story: Story, release| {
        story.promising(|bounds| bounds.release = Duration::from_secs(release)).at(1000).reset()
    };
    for release in [1, 9] {
        let found = reset(Story::open(), release).due(1000 + 1000 * release);
        assert_eq!(found, (Cause::ClientReset, Condition::Silent));
    }
    assert_eq!(reset(owing(Cause::OwnClose), 1).due(2000).0, Cause::ClientReset);
    let long = reset(owing(Cause::OwnClose), 9).quiet().breaks(Invariant::ReleasesInTime);
    assert_eq!(long.identity.cause(), Some(Cause::OwnClose));
    let late = owing(Cause::OwnClose).at(9000).reset().server_drops();
    assert_eq!(late.breaks(Invariant::EndsInTime).ending, Ending::Late(Time(9_000_000)));
}

// Liveness: handshake-in-time and idle-in-time.

#[test]
fn a_request_that_is_complete_at_the_deadline_is_complete_in_time() {
    let (most, last) = handshake::REQUEST.split_at(handshake::REQUEST.len() - 1);
    let last = |ms| opening().client_bytes(most).at(ms).client_bytes(last).server_accepts();
    last(6000).quiet().is_clean();
    assert_eq!(last(6003).never(), (Cause::Handshake, Condition::HalfSent));
    assert_eq!(opening().never(), (Cause::Handshake, Condition::Silent));
}

#[test]
fn idleness_counts_from_the_last_complete_frame_before_too_long_a_gap() {
    let twice = idling().at(4000).client(PING).at(9000).client(TEXT);
    assert_eq!(twice.due(14_000), (Cause::Idle, Condition::Silent));
    let dripping = (1..5).fold(idling(), |story, s| story.at(s * 1000).client_bytes([0x82]));
    assert_eq!(dripping.due(5000), (Cause::Idle, Condition::HalfSent));
    let pinging = (1..5).fold(idling(), |story, s| story.at(s * 1000).server(PING));
    assert_eq!(pinging.due(5000), (Cause::Idle, Condition::Silent));
    let mended = idling().at(5003).client(PING).at(6000).server_drops();
    mended.breaks(Invariant::IdleInTime);
}

#[test]
fn what_is_complete_within_the_slack_of_a_timer_is_in_time() {
    let request = opening().at(6001).client_bytes(handshake::REQUEST).server_reads_all();
    let frame = idling().at(5001).client(PING).server_reads_all().at(9000).server_drops();
    let found = [request.server_accepts().quiet().broken(), frame.broken()];
    assert_eq!(found, [vec![], vec![]]);
}
