//! `handshake-in-time` and `idle-in-time`.

use crate::story::{PING, TEXT, idling, opening};
use hangup::verdict::{Cause, Condition, Invariant};
use hangup::wire::handshake;

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
    let mended = idling().at(5003).client(PING).at(6000).server_closes(1001);
    mended.later(5).server_drops().breaks(Invariant::IdleInTime);
}

#[test]
fn what_is_complete_within_the_slack_of_a_timer_is_in_time() {
    let request = opening().at(6001).client_bytes(handshake::REQUEST).server_reads_all();
    let frame = idling().at(5001).client(PING).server_reads_all().at(9000);
    let frame = frame.server_closes(1001).later(5).server_drops();
    let found = [request.server_accepts().quiet().broken(), frame.broken()];
    assert_eq!(found, [vec![], vec![]]);
}
