//! `accepts-legal`: who keeps to the protocol is not blamed for a violation.

use crate::story::{
    Act, BYE, PING, PONG, Story, TEXT, UNMASKED, close, fragment, has_read, masked, wide,
};
use hangup::verdict::{Invariant, Level, Symptom};
use hangup::wire::Opcode;

/// The client has sent `bytes`, and the server blames it for a violation.
fn blamed(bytes: &[u8]) -> Story {
    has_read(bytes).server_closes(1002).later(1000).server_drops()
}

#[test]
fn a_legal_close_of_any_shape_is_not_answered_as_a_violation() {
    let full = close(1000, &[b'x'; 123]);
    for payload in [&b""[..], b"\x03\xe8", b"\x0f\xa0", BYE.1, &full] {
        for code in [1002, 1007] {
            let story = has_read(&masked((Opcode::CLOSE, payload))).server_closes(code);
            let found = story.later(1000).server_drops().breaks(Invariant::AcceptsLegal);
            assert_eq!((found.level, &found.events[..]), (Level::Should, &[5, 3][..]));
            assert!(found.fact.starts_with("refused the client's legal Close"), "{}", found.fact);
            assert!(
                found.fact.ends_with(&format!(": it sent a Close with code {code}")),
                "{}",
                found.fact
            );
        }
    }
    let text = blamed(&masked(TEXT)).breaks(Invariant::AcceptsLegal);
    assert_eq!(text.fact, "refused the client's legal frames: it sent a Close with code 1002");
}

#[test]
fn a_close_that_is_split_anywhere_is_a_legal_one() {
    let bye = masked(BYE);
    for cut in 1..bye.len() {
        let split = Story::open().at(1000).client_bytes(&bye[..cut]).server_reads_all();
        let split = split.later(500).client_bytes(&bye[cut..]).server_reads_all();
        split.clone().server(BYE).server_drops().is_clean();
        split.server_closes(1002).server_drops().breaks(Invariant::AcceptsLegal);
    }
}

#[test]
fn other_codes_than_those_of_a_violation_blame_nobody() {
    for code in [1000, 1001, 1003, 1008, 1009, 1011, 3000] {
        let story = has_read(&masked(TEXT)).server_closes(code).later(1000).server_drops();
        story.is_clean();
    }
    Story::open().at(1000).server_closes(1002).later(1000).server_drops().is_clean();
}

#[test]
fn a_control_frame_inside_a_message_must_be_taken_and_one_outside_should() {
    let begun = fragment(TEXT);
    let ended = masked((Opcode::CONTINUATION, b""));
    for frame in [BYE, PING, PONG] {
        let level = |parts: &[&[u8]]| blamed(&parts.concat()).breaks(Invariant::AcceptsLegal).level;
        let frame = masked(frame);
        assert_eq!(level(&[&begun, &frame]), Level::Must);
        assert_eq!(level(&[&begun, &masked(PING), &frame]), Level::Must);
        assert_eq!(level(&[&begun, &ended, &frame]), Level::Should);
        assert_eq!(level(&[&frame]), Level::Should);
    }
    let data = blamed(&[begun.clone(), ended].concat()).breaks(Invariant::AcceptsLegal);
    assert_eq!(data.level, Level::Should);
    // What comes after the blame does not count.
    let later = has_read(&masked(PING)).server_closes(1002).client_bytes(&begun).client(PING);
    assert_eq!(
        later.later(1000).server_drops().breaks(Invariant::AcceptsLegal).level,
        Level::Should
    );
}

#[test]
fn who_was_blamed_for_what_it_did_or_what_was_asked_for_is_no_victim() {
    for bytes in [UNMASKED, &wide(PING)] {
        blamed(&[&masked(PING), bytes].concat()).is_clean();
        let later =
            has_read(&masked(PING)).server_closes(1002).client_bytes(bytes).server_reads_all();
        later.later(1000).server_drops().breaks(Invariant::AcceptsLegal);
    }
    let before: [Act; 4] =
        [Story::app_closes, Story::app_returns, Story::fin, |story| story.client_bytes([0x89])];
    for act in before {
        let story = act(has_read(&masked(PING)));
        story.server_closes(1002).later(1000).server_drops().is_clean();
        let later = act(has_read(&masked(PING)).server_closes(1002));
        later.later(1000).server_drops().breaks(Invariant::AcceptsLegal);
    }
    let asked = has_read(&masked((Opcode::CLOSE, &close(1002, b"")))).server_closes(1002);
    asked.server_drops().is_clean();
    let other = has_read(&masked((Opcode::CLOSE, &close(1007, b"")))).server_closes(1002);
    other.server_drops().breaks(Invariant::AcceptsLegal);
}

#[test]
fn a_frame_that_was_whole_when_the_server_blamed_the_client_is_not_half_sent() {
    let ping = masked(PING);
    let split = Story::open().at(1000).client_bytes(&ping[..2]).client_bytes(&ping[2..]);
    let split = split.server_reads_all().server_closes(1002);
    split.later(1000).server_drops().breaks(Invariant::AcceptsLegal);
    let late = Story::open().at(1000).client(PING).client_bytes(&ping[..2]).server_closes(1002);
    late.client_bytes(&ping[2..]).server_reads_all().later(1000).server_drops().is_clean();
}

#[test]
fn who_answers_more_than_a_close_is_not_said_to_answer_a_close() {
    let blamed = |story: Story| {
        let story = story.client(BYE).server_reads_all().server_closes(1007).server_drops();
        story.breaks(Invariant::AcceptsLegal).fact
    };
    assert_eq!(
        blamed(Story::open()),
        "refused the client's legal Close (its code is 1000): it sent a Close with code 1007"
    );
    let both = blamed(Story::open().client(TEXT));
    assert_eq!(both, "refused the client's legal frames: it sent a Close with code 1007");
}

#[test]
fn what_comes_behind_the_clients_close_is_no_reason_to_blame_it() {
    let unmasked_ping = [0x89, 0];
    let closed = || Story::open().at(1000).client_closes(1000);
    let behind: [Act; 5] = [
        |story| story.client_bytes([0x89]),
        |story| story.client_bytes(wide(PING)),
        |story| story.client_bytes(UNMASKED),
        |story| story.client(TEXT),
        Story::fin,
    ];
    for act in behind {
        let blamed = act(closed()).server_reads_all().server_closes(1002).server_drops();
        let found = blamed.breaks(Invariant::AcceptsLegal);
        assert_eq!(found.identity.symptom(), Some(Symptom::RefusesBareCode));
    }
    let pinged = closed().client_bytes(unmasked_ping).server_reads_all();
    pinged.clone().server_closes(1000).server_drops().is_clean();
    pinged.server_closes(1002).server_drops().breaks(Invariant::AcceptsLegal);
    // In front of the Close they are reasons.
    let front = Story::open().at(1000).client_bytes(unmasked_ping).client_closes(1000);
    front.server_reads_all().server_closes(1002).server_drops().is_clean();
    let half = Story::open().at(1000).client_bytes(&masked(BYE)[..3]).server_closes(1002);
    half.later(1000).server_drops().is_clean();
}
