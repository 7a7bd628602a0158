//! `ends-in-time`: how grave it is to be late.

use crate::story::{BYE, Story, UNMASKED, causes, encoded, hasty, masked, owing, rule};
use hangup::verdict::{Cause, Condition, Invariant, Level};
use hangup::wire::{FrameHead, Opcode, handshake};

#[test]
fn lateness_is_a_must_where_the_rfc_asks_for_the_end_and_a_should_where_it_is_silent() {
    for cause in causes() {
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
    assert_eq!(late(3000, 8003), (Some(Condition::StillSending), Level::Must));
    assert_eq!(late(1000, 6003).0, Some(Condition::StillSending), "in two segments, at once");
}

#[test]
fn a_reply_that_comes_after_the_deadline_does_not_make_the_lateness_a_must() {
    let late = owing(Cause::OwnClose).at(10_000).client(BYE).server_reads_all();
    assert_eq!(late.server_drops().breaks(Invariant::EndsInTime).level, Level::Should);
}

#[test]
fn bytes_before_the_101_make_a_should_of_every_lateness() {
    let level = |story: Story| story.quiet().breaks(Invariant::EndsInTime).level;
    for bytes in [masked(BYE), UNMASKED.to_vec()] {
        let early = Story::accepted().client_bytes(handshake::REQUEST).client_bytes(&bytes);
        assert_eq!(level(early.server_accepts()), Level::Should);
        assert_eq!(level(Story::open().client_bytes(&bytes)), Level::Must);
    }
    // What comes later makes it no graver.
    for (open, expected) in [(hasty(), Level::Should), (Story::open(), Level::Must)] {
        assert_eq!(level(open.clone().at(1000).client(BYE)), expected);
        assert_eq!(level(open.at(1000).server(BYE).client(BYE)), expected);
    }
}
