//! Every target is there: it answers a polite client, and ends.

use hangup::Script;
use hangup::exchange::ConnectionId;
use hangup::exchange::What;
use hangup::run::virtual_time::{play, play_and_judge};
use hangup::verdict::Invariant;
use std::ops::ControlFlow;

/// Speaks, closes, and is content with any answer.
const POLITE: &str = "upgrade\ntext \"{}\"\nawait message\nclose 1000 \"bye\"\nawait end\n";

#[test]
fn every_target_opens_answers_a_message_and_ends_with_a_polite_client() {
    let script: Script = POLITE.parse().expect("a script");
    for target in hangup_peers::registry().iter() {
        let bounds = target.bounds();
        let exchange = play(target, &bounds, &script, 0);
        let name = target.name();
        let said = String::from_utf8_lossy(&exchange.bytes(ConnectionId::FIRST).to_actor);
        assert!(said.starts_with("HTTP/1.1 101 "), "{name} said {said:?}");
        // Behind the response: a message that is an echo, or an error in JSON.
        let head = said.find("\r\n\r\n").expect("a response's end") + 4;
        let first = exchange.bytes(ConnectionId::FIRST).to_actor.get(head);
        assert!(matches!(first, Some(0x81 | 0x82)), "{name} sent no message: {first:?}");
        let dropped =
            exchange.events.iter().any(|event| matches!(event.what, What::Dropped { .. }));
        assert!(dropped, "{name} keeps the connection");
    }
}

#[test]
fn the_guides_servers_find_no_fault_with_a_polite_client_and_hangup_none_with_them() {
    let script: Script = POLITE.parse().expect("a script");
    for target in hangup_peers::registry().iter() {
        if !target.name().ends_with("/closing-well") {
            continue;
        }
        let bounds = target.bounds();
        let (_, verdict) = play_and_judge(target, &bounds, &script, 0);
        assert!(verdict.is_clean(), "{}: {:?}", target.name(), verdict.violations);
    }
}

/// A few of the many scripts that `hangup-peers matrix` plays.
#[test]
fn the_guides_servers_come_out_clean() {
    for target in hangup_peers::registry().iter() {
        if !target.name().ends_with("/closing-well") {
            continue;
        }
        let bounds = target.bounds();
        let campaign = hangup::run::campaign::Campaign {
            bounds,
            seed: 3,
            scripts: Some(1_000),
            all_variants: true,
        };
        let outcome = campaign.run(target, |_| ControlFlow::Continue(()));
        let found: Vec<(Invariant, String)> = outcome
            .findings
            .iter()
            .map(|finding| (finding.violation.identity.invariant(), finding.script.to_string()))
            .collect();
        assert_eq!(found, [], "{}", target.name());
    }
}
