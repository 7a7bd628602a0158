//! `echoes-code`: the answer to a Close repeats its code.

use crate::story::{Act, PING, Story, TEXT, close, fragment, masked, plain};
use hangup::verdict::{Invariant, Level};
use hangup::wire::Opcode;

/// The client has closed with `code`, and the server has read it.
fn closed_with(code: u16) -> Story {
    Story::open().at(1000).client_closes(code).server_reads_all()
}

#[test]
fn the_answer_to_a_close_repeats_its_code() {
    for code in [1000, 1001, 3000, 4999] {
        closed_with(code).server_closes(code).server_drops().is_clean();
        let other = closed_with(code).server_closes(1012).server_drops();
        let found = other.breaks(Invariant::EchoesCode);
        assert_eq!((found.level, &found.events[..]), (Level::Should, &[5, 4][..]));
        let fact = format!("answered the client's Close with code 1012, which had code {code}");
        assert_eq!(found.fact, fact);
        let none = closed_with(code).server((Opcode::CLOSE, b"")).server_drops();
        let fact = format!("answered the client's Close with no code, which had code {code}");
        assert_eq!(none.breaks(Invariant::EchoesCode).fact, fact);
    }
}

#[test]
fn a_close_without_a_code_has_none_to_repeat_and_a_bad_one_must_not_be_repeated() {
    let empty = Story::open().client((Opcode::CLOSE, b"")).server_reads_all();
    empty.server_closes(1000).server_drops().is_clean();
    closed_with(1005).server_closes(1002).server_drops().is_clean();
    let bad = closed_with(1000).server_closes(1005).server_drops();
    bad.breaks(Invariant::LegalClose);
}

#[test]
fn closes_that_cross_may_differ() {
    let crossing = Story::open().at(1000).server_closes(1001).client_closes(1000);
    crossing.server_reads_all().server_drops().is_clean();
    // To write what was read in the same moment is to answer it: the order decides.
    let unread = Story::open().at(1000).client_closes(1000).server_closes(1001);
    unread.server_reads_all().server_drops().is_clean();
    closed_with(1000).server_closes(1001).server_drops().breaks(Invariant::EchoesCode);
    let seen = || Story::open_seen_by_client().at(1000).client_closes(1000).server_closes(1001);
    seen().later(1).server_drops().is_clean();
    seen().later(2).server_drops().breaks(Invariant::EchoesCode);
}

#[test]
fn an_answer_that_is_half_sent_or_masked_has_no_code_to_compare() {
    let bytes = plain((Opcode::CLOSE, &close(1001, b"")));
    for cut in 1..bytes.len() {
        let half = closed_with(1000).server_bytes(&bytes[..cut]).server_drops();
        half.breaks(Invariant::AnswersClose);
    }
    let masked = masked((Opcode::CLOSE, &close(1001, b"")));
    closed_with(1000).server_bytes(masked).server_drops().breaks(Invariant::SendsValidFrames);
}

#[test]
fn a_close_after_a_quiet_while_may_be_a_timers() {
    let after = |ms| Story::open().at(ms).client_closes(1000).server_reads_all();
    after(4999).server_closes(1001).server_drops().breaks(Invariant::EchoesCode);
    after(5000).server_closes(1001).server_drops().is_clean();
    let pinged = Story::open().at(4000).client(PING).at(6000).client_closes(1000);
    let pinged = pinged.server_reads_all().server_closes(1001).server_drops();
    pinged.breaks(Invariant::EchoesCode);
    // What came in the timer's own moment came too late to stop it.
    let crossed = |ping, ms| {
        let pinged = Story::open().at(ping).client(PING).at(ms).client_closes(1000);
        pinged.server_reads_all().server_closes(1001).server_drops()
    };
    crossed(6000, 6000).is_clean();
    crossed(5998, 6000).is_clean();
    crossed(5997, 6000).breaks(Invariant::EchoesCode);
    crossed(4999, 4999).breaks(Invariant::EchoesCode);
}

#[test]
fn a_close_that_the_application_wanted_or_that_had_waited_for_room_answers_nothing() {
    for wish in [Story::app_closes as Act, Story::app_returns] {
        let own = wish(Story::open().at(1000)).client_closes(1000).server_reads_all();
        own.server_closes(1001).server_drops().is_clean();
        wish(closed_with(1000)).server_closes(1001).server_drops().is_clean();
        let later = wish(closed_with(1000).server_closes(1001)).server_drops();
        later.breaks(Invariant::EchoesCode);
    }
    let waited = Story::open().blocked().at(1000).client_closes(1000).server_reads_all();
    waited.writable().server_closes(1001).server_drops().is_clean();
    let had_room = Story::open().blocked().writable().client_closes(1000).server_reads_all();
    had_room.server_closes(1001).server_drops().breaks(Invariant::EchoesCode);
    let after = closed_with(1000).blocked().writable().server_closes(1001).server_drops();
    after.breaks(Invariant::EchoesCode);
}

#[test]
fn a_complaint_about_data_is_no_answer_and_without_data_there_is_none() {
    let closed = |frame| Story::open().client(frame).client_closes(1000).server_reads_all();
    for code in [1003, 1008, 1009, 1010, 1011] {
        closed(TEXT).server_closes(code).server_drops().is_clean();
        closed(PING).server_closes(code).server_drops().breaks(Invariant::EchoesCode);
    }
    // Half a message is none for the application, and a whole one is.
    let cut = fragment((Opcode::TEXT, b"x"));
    let half = || Story::open().client_bytes(&cut).client_closes(1000).server_reads_all();
    for code in [1001, 1012, 3000, 4001] {
        closed(TEXT).server_closes(code).server_drops().is_clean();
        closed(PING).server_closes(code).server_drops().breaks(Invariant::EchoesCode);
        half().server_closes(code).server_drops().breaks(Invariant::EchoesCode);
    }
    for code in [1002, 1007] {
        closed(PING).server_closes(code).server_drops().breaks(Invariant::AcceptsLegal);
    }
}
