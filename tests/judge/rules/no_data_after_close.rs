//! `no-data-after-close`: behind the own Close comes nothing but control frames.

use crate::story::{BYE, PING, PONG, Story, TEXT, both_closes, encoded, owing, own_closes, plain};
use hangup::verdict::{Cause, Invariant, Level};
use hangup::wire::{FrameHead, Opcode};
use std::time::Duration;

#[test]
fn data_after_the_own_close_is_forbidden_whole_or_begun() {
    Story::open().server(TEXT).server(BYE).later(1000).server_drops().is_clean();
    for opcode in [0, 1, 2, 3, 11].map(Opcode::new) {
        for (story, bytes) in own_closes().into_iter().flat_map(|s| [(s.clone(), 1), (s, 2)]) {
            let story = story.server_bytes(&plain((opcode, b""))[..bytes]);
            let found = story.later(1000).server_drops().breaks(Invariant::NoDataAfterClose);
            assert_eq!((found.level, found.events.len()), (Level::Must, 2));
        }
    }
}

#[test]
fn bytes_that_are_no_frame_are_not_silence() {
    let story = owing(Cause::OwnClose).server_bytes("HTTP/1.1 500 Oops\r\n\r\n");
    story.later(1000).server_drops().breaks(Invariant::NoDataAfterClose);
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
        let found = chatter.server_drops().breaks(Invariant::NoDataAfterClose);
        assert_eq!(found.level, Level::Should);
    }
}

#[test]
fn an_earlier_pong_unasked_for_does_not_use_up_the_answer_to_a_ping() {
    let story = Story::open().server(PONG).at(1000).server(BYE).client(PING).client(BYE);
    story.server_reads_all().server(PONG).server_drops().is_clean();
}

#[test]
fn a_long_pong_after_the_close_is_a_frame() {
    let long = encoded(FrameHead::server(Opcode::PONG), &[b'x'; 126]);
    Story::open().server(BYE).server_bytes(long).breaks(Invariant::SendsValidFrames);
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
    pinged(open().client(BYE).server(BYE)).breaks(Invariant::NoDataAfterClose);
    pinged(open().server(BYE).client(BYE).later(250)).is_clean();
    pinged(open().server(BYE).client(BYE).later(251)).breaks(Invariant::NoDataAfterClose);
}
