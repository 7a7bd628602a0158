//! `answers-close`: a Close that was received gets a Close.

use crate::story::{BYE, PING, Story, TEXT, asked, close, masked, plain, wide};
use hangup::exchange::What;
use hangup::verdict::{Cause, Condition, Invariant, Level};
use hangup::wire::Opcode;
use std::time::Duration;

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
fn an_answer_behind_a_fragment_out_of_place_is_not_missed() {
    let lone = [0x80, 1, b'x'];
    let answered = asked().server_bytes(lone).server(BYE).server_drops();
    assert_eq!(answered.broken(), [Invariant::SendsValidFrames]);
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
    let closes = |story: Story| story.at(2000).client(BYE).server_reads_all().server_drops();
    closes(Story::open().server_shuts()).breaks(Invariant::NoSilentEnd);
    closes(Story::open().fin().server_shuts()).is_clean();
    closes(Story::open().app_returns()).is_clean();
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
    let before = Story::open_seen_by_client().actor(What::ReadReset).at(1000).client(BYE);
    before.later(2).breaks(Invariant::NoSilentEnd);
    Story::open_seen_by_client().deaf().client(BYE).later(2).actor(What::ReadReset).is_clean();
    // Who saw the server's end knows what was read.
    Story::open().client(BYE).later(2).resets().told_of_reset().is_clean();
}
