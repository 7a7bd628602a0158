//! `answers-close`, `closes-once`, `silent-after-close`, `legal-close`.

use crate::story::{
    BYE, Frame, PING, PONG, Story, TEXT, UNMASKED, asked, close, encoded, masked, owing, plain,
    wide,
};
use hangup::exchange::{ConnectionId, What};
use hangup::judge::{judge, next_deadline};
use hangup::verdict::{Cause, Condition, Invariant, Level};
use hangup::wire::{FrameHead, Opcode, handshake};
use std::time::Duration;

#[test]
fn a_length_wider_than_it_needs_obliges_to_nothing_and_hides_nothing() {
    let wide = |frame| Story::open().at(1000).client_bytes(wide(frame));
    wide(TEXT).quiet().is_clean();
    let latin = wide((Opcode::TEXT, b"caf\xe9 noir"));
    let stories = [wide(TEXT).client(BYE), wide(TEXT).client_bytes(UNMASKED), latin, wide(BYE)];
    let obliges = stories
        .map(|story| next_deadline(&story.exchange, ConnectionId::FIRST, &story.bounds).is_some());
    assert_eq!(obliges, [true; 4], "behind it: a Close, no mask; in it: Latin-1, a Close");
}

#[test]
fn a_server_that_refuses_a_length_wider_than_it_needs_owes_that_client_no_answer() {
    let begun = |frame| Story::open().client_bytes(wide(frame));
    for story in [begun(BYE), begun(TEXT).client(BYE)] {
        story.server_reads_all().server_drops().is_clean();
    }
    let refused = Story::open().client(BYE).server_reads_all().server_drops();
    refused.breaks(Invariant::AnswersClose);
    let later = Story::open().client(BYE).client_bytes(wide((Opcode::TEXT, b"")));
    later.server_reads_all().server_drops().breaks(Invariant::AnswersClose);
}

// Safety: answers-close.

#[test]
fn a_close_that_was_read_gets_a_whole_close_before_the_end() {
    asked().server(BYE).server_drops().is_clean();
    let missing = asked().server_drops().breaks(Invariant::AnswersClose);
    assert_eq!((missing.level, missing.identity.cause()), (Level::Must, Some(Cause::ClientClose)));
    asked().server_shuts().server_drops().breaks(Invariant::AnswersClose);
    asked().server(TEXT).server_drops().breaks(Invariant::AnswersClose);
    asked().fin().server_drops().breaks(Invariant::AnswersClose);
    for cut in 1..plain(BYE).len() {
        let half = asked().server_bytes(&plain(BYE)[..cut]);
        half.server_drops().breaks(Invariant::AnswersClose);
    }
    let crossing = Story::open().at(1000).app_closes().server(BYE).client(BYE);
    crossing.server_reads_all().server_drops().is_clean();
}

#[test]
fn a_close_that_the_server_never_read_to_its_end_is_not_received() {
    let read = |bytes| Story::open().at(1000).client(BYE).then(What::Read { bytes });
    let size = masked(BYE).len() as u32;
    read(0).server_drops().is_clean();
    read(size - 1).server_drops().is_clean();
    read(size).server_drops().breaks(Invariant::AnswersClose);
    // From the client's side alone nobody knows where the end could have been on its
    // way, or came while the client did not read.
    let open = || Story::open_seen_by_client().at(1000).client(BYE);
    open().server_drops().is_clean();
    open().at(1001).server_drops().is_clean();
    open().at(1002).server_drops().breaks(Invariant::AnswersClose);
    open().deaf().at(1500).hears().server_drops().is_clean();
    open().at(1002).server(BYE).server_drops().is_clean();
    let mut at_once = open();
    at_once.exchange.transit = Duration::ZERO;
    at_once.server_drops().breaks(Invariant::AnswersClose);
}

#[test]
fn a_server_that_had_ended_or_whose_application_had_returned_before_owes_no_answer() {
    for before in [Story::open().server_shuts(), Story::open().app_returns()] {
        before.at(2000).client(BYE).server_reads_all().server_drops().is_clean();
    }
    // Who leaves in the moment in which the Close is read may not have been told of it.
    let returns = |ms| asked().at(ms).app_returns().server_drops();
    returns(1002).is_clean();
    returns(1003).breaks(Invariant::AnswersClose);
}

#[test]
fn a_reset_and_a_buffer_that_is_full_to_the_end_excuse_a_missing_answer() {
    asked().reset().server_drops().is_clean();
    asked().server(BYE).client_gets_all().resets().told_of_reset().is_clean();
    let full = asked().blocked();
    full.clone().at(6000).server_drops().is_clean();
    full.writable().at(6000).server_drops().breaks(Invariant::AnswersClose);
}

#[test]
fn a_reset_or_a_panic_after_the_end_does_not_excuse() {
    let ended = asked().server_shuts().at(2000);
    for story in [ended.clone().reset().server_drops(), ended.panics().server_drops()] {
        assert!(story.broken().contains(&Invariant::AnswersClose), "{:?}", story.broken());
    }
}

#[test]
fn a_malformed_close_is_refused_and_a_legal_one_of_any_shape_answered() {
    let end = |payload: &[u8]| {
        Story::open().client((Opcode::CLOSE, payload)).server_reads_all().server_drops()
    };
    // What is wrong with a payload leaves it a Close; what is wrong with a frame does not.
    for (bad, cause) in [
        (b"x".to_vec(), Cause::ClientClose),
        (close(1005, b""), Cause::ClientClose),
        (close(1000, b"\xff"), Cause::ClientClose),
        (close(1000, &[b'x'; 124]), Cause::ClientViolation),
    ] {
        assert_eq!(end(&bad).breaks(Invariant::RefusesIllegal).level, Level::Should);
        let story = Story::open().at(1000).client((Opcode::CLOSE, &bad));
        assert_eq!(story.due(6000), (cause, Condition::Silent));
    }
    for legal in [Vec::new(), close(4999, b""), close(3000, &[b'x'; 123])] {
        end(&legal).breaks(Invariant::AnswersClose);
    }
}

#[test]
fn of_bytes_before_the_101_only_liveness_is_judged() {
    let early = Story::accepted().client_bytes(handshake::REQUEST).client(BYE).server_reads_all();
    early.clone().server_bytes("HTTP/1.1 400 No\r\n\r\n").quiet().is_clean();
    let open = early.at(2000).server_accepts();
    assert_eq!(open.due(7000), (Cause::ClientClose, Condition::Silent));
    let bad = close(1005, b"");
    open.server((Opcode::CLOSE, &bad)).server(TEXT).server(BYE).server_drops().is_clean();
}

// Safety: closes-once, silent-after-close.

/// Both Closes are through, the own one first; `before` came before the client's.
fn both_closes(before: &[Frame<'_>]) -> Story {
    let own = owing(Cause::OwnClose).at(1500);
    before.iter().fold(own, |story, frame| story.client(*frame)).client(BYE).server_reads_all()
}

/// Only the own Close, both, and the own as the client sees it.
fn closed() -> [Story; 3] {
    [owing(Cause::OwnClose), both_closes(&[]), Story::open_seen_by_client().server(BYE)]
}

#[test]
fn a_second_close_is_one_too_many_and_of_two_illegal_ones_the_worse_is_reported() {
    for story in closed() {
        story.clone().later(1000).server_drops().is_clean();
        story.clone().server_bytes(&plain(BYE)[..4]).later(1000).server_drops().is_clean();
        let twice = story.server(BYE).later(1000).server_drops().breaks(Invariant::ClosesOnce);
        assert_eq!((twice.level, twice.events.len()), (Level::Should, 2));
    }
    let [odd, worse] = [2000, 1006].map(|code| close(code, b""));
    let story = Story::open().server((Opcode::CLOSE, &odd)).server((Opcode::CLOSE, &worse));
    assert_eq!(story.broken(), [Invariant::ClosesOnce, Invariant::LegalClose]);
    assert_eq!(judge(&story.exchange, &story.bounds).violations[1].level, Level::Must);
}

#[test]
fn data_after_the_own_close_is_forbidden_whole_or_begun() {
    Story::open().server(TEXT).server(BYE).later(1000).server_drops().is_clean();
    for opcode in [0, 1, 2, 3, 11].map(Opcode::new) {
        for (story, bytes) in closed().into_iter().flat_map(|s| [(s.clone(), 1), (s, 2)]) {
            let story = story.server_bytes(&plain((opcode, b""))[..bytes]);
            let found = story.later(1000).server_drops().breaks(Invariant::SilentAfterClose);
            assert_eq!((found.level, found.events.len()), (Level::Must, 2));
        }
    }
}

#[test]
fn bytes_that_are_no_frame_are_not_silence() {
    let story = owing(Cause::OwnClose).server_bytes("HTTP/1.1 500 Oops\r\n\r\n");
    story.later(1000).server_drops().breaks(Invariant::SilentAfterClose);
}

#[test]
fn control_frames_are_welcome_until_the_clients_close_was_received() {
    let own = || owing(Cause::OwnClose);
    let chat = own().client(PING).server_reads_all().server(PONG).server(PING);
    chat.later(1000).server_drops().is_clean();
    own().client(BYE).server(PING).server_reads_all().server_drops().is_clean();
    both_closes(&[PING]).server(PONG).server_drops().is_clean();
    for chatter in [
        both_closes(&[]).server(PING),
        both_closes(&[]).server(PONG),
        both_closes(&[PING]).server(PONG).server(PONG),
        both_closes(&[]).client(PING).server_reads_all().server(PONG),
    ] {
        let found = chatter.server_drops().breaks(Invariant::SilentAfterClose);
        assert_eq!(found.level, Level::Should);
    }
}

#[test]
fn an_earlier_pong_unasked_for_does_not_use_up_the_answer_to_a_ping() {
    let story = Story::open().server(PONG).at(1000).server(BYE).client(PING).client(BYE);
    story.server_reads_all().server(PONG).server_drops().is_clean();
}

// Safety: legal-close.

/// The level of the broken legal-close, the same from either vantage, where that is broken.
#[track_caller]
fn illegal(frame: &[u8]) -> Option<Level> {
    let [here, there] = [Story::open(), Story::open_seen_by_client()].map(|open| {
        let story = open.at(1000).server_bytes(frame).later(1000).server_drops();
        let broken = story.broken().first().map(|_| story.breaks(Invariant::LegalClose));
        broken.map(|violation| violation.level)
    });
    assert_eq!(here, there);
    here
}

#[test]
fn a_code_is_legal_up_to_the_border_of_its_class() {
    let must = [1005, 1006, 1015];
    let should = [0, 999, 1004, 1016, 2999, 5000, u16::MAX];
    let legal = [1000, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999];
    let all = [(&must[..], Some(Level::Must)), (&should, Some(Level::Should)), (&legal, None)];
    for (codes, expected) in all {
        for &code in codes {
            assert_eq!(illegal(&plain((Opcode::CLOSE, &close(code, b"")))), expected, "{code}");
        }
    }
}

#[test]
fn a_close_is_whole_and_empty_or_has_a_code_and_at_most_123_bytes_of_text() {
    let of = |payload: &[u8]| illegal(&plain((Opcode::CLOSE, payload)));
    let reason = |reason: &[u8]| of(&close(1000, reason));
    let euros = "€".repeat(41);
    assert_eq!([of(b""), of(b"x")], [None, Some(Level::Must)]);
    assert_eq!([reason(&[b'x'; 123]), reason(&[b'x'; 124])], [None, Some(Level::Must)]);
    let cut = &euros.as_bytes()[..122];
    assert_eq!([reason(euros.as_bytes()), reason(cut)], [None, Some(Level::Must)]);
    assert_eq!(reason(b"\xff"), Some(Level::Must));
    let head = FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) };
    assert_eq!(illegal(&encoded(head, BYE.1)), Some(Level::Must));
}

#[test]
fn of_two_faults_of_one_close_the_worse_is_reported() {
    let head = FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) };
    let long = close(1000, &[b'x'; 124]);
    let found = [
        illegal(&plain((Opcode::CLOSE, &close(2000, b"\xff")))),
        illegal(&encoded(head, &close(2000, b""))),
    ];
    assert_eq!(found, [Some(Level::Must); 2]);
    let masked = Story::open().server_bytes(masked((Opcode::CLOSE, &long))).later(1000);
    assert_eq!(masked.server_drops().broken(), [Invariant::LegalClose, Invariant::FramesWell]);
}

#[test]
fn a_reset_that_is_all_the_answer_there_is_answers_no_close() {
    let closed = || Story::open_seen_by_client().at(1000).client(BYE).later(2);
    closed().actor(What::ReadReset).breaks(Invariant::AnswersClose);
    closed().server(BYE).actor(What::ReadReset).is_clean();
    // What lies unread makes a reset of any end.
    let behind = Story::open_seen_by_client().at(1000).client(BYE).client(PING).later(2);
    behind.actor(What::ReadReset).is_clean();
    closed().then(What::FinArrived).actor(What::ReadReset).is_clean();
    closed().actor(What::ReadEnd).actor(What::ReadReset).is_clean();
    // Too soon to be about the Close, or to a client that did not look.
    let soon = Story::open_seen_by_client().at(1000).client(BYE).later(1);
    soon.actor(What::ReadReset).is_clean();
    Story::open_seen_by_client().actor(What::ReadReset).at(1000).client(BYE).later(2).is_clean();
    Story::open_seen_by_client().deaf().client(BYE).later(2).actor(What::ReadReset).is_clean();
    // Who saw the server's end knows what was read.
    Story::open().client(BYE).later(2).resets().told_of_reset().is_clean();
}

#[test]
fn a_long_pong_after_the_close_is_a_frame() {
    let long = encoded(FrameHead::server(Opcode::PONG), &[b'x'; 126]);
    Story::open().server(BYE).server_bytes(long).breaks(Invariant::FramesWell);
}

#[test]
fn a_client_alone_knows_that_its_close_was_received_from_the_answer_or_after_a_while() {
    let open = || {
        let mut story = Story::open_seen_by_client();
        (story.exchange.timing_slack, story.exchange.transit) =
            (Duration::from_millis(250), Duration::ZERO);
        story.at(1000)
    };
    let pinged = |story: Story| story.server(PING).later(1).server_drops();
    pinged(open().client(BYE).server(BYE)).breaks(Invariant::SilentAfterClose);
    pinged(open().server(BYE).client(BYE).later(250)).is_clean();
    pinged(open().server(BYE).client(BYE).later(251)).breaks(Invariant::SilentAfterClose);
}
