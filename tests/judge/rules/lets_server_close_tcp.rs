//! `lets-server-close-tcp`: a client leaves the end of TCP to its server.

use crate::story::{Story, close, masked};
use hangup::verdict::{Invariant, Symptom};
use hangup::wire::{Opcode, Role, handshake};
use std::time::Duration;

/// A client that ends TCP with its own Close, as its server sees it.
fn ends_with_its_close() -> Story {
    let mut story = Story::accepted();
    story.exchange.subject = Role::Client;
    (story.exchange.both_ends, story.exchange.sees_release) = (false, false);
    story.exchange.timing_slack = Duration::from_millis(250);
    let opened = story
        .server_bytes(handshake::REQUEST)
        .client_bytes(handshake::switching_protocols(handshake::ACCEPT));
    let going_away = masked((Opcode::CLOSE, &close(1001, b"")));
    opened.later(1000).server_bytes(going_away).later(1).server_drops()
}

#[test]
fn who_ends_tcp_beside_the_servers_reset_may_have_been_told_of_it_first() {
    let alone = ends_with_its_close().later(5000);
    let broken = alone.breaks(Invariant::LetsServerCloseTcp);
    assert_eq!(broken.identity.symptom(), Some(Symptom::EndsWithClose));
    ends_with_its_close().later(9).reset().is_clean();
    ends_with_its_close().later(251).reset().breaks(Invariant::LetsServerCloseTcp);
}
