//! Every target is there: it answers a polite client, and ends.

use hangup::exchange::{ConnectionId, Note, What};
use hangup::run::virtual_time::{play, play_and_judge};
use hangup::target::Role;
use hangup::verdict::Invariant;
use hangup::{Script, Target};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A client that speaks, closes, and is content with any answer.
const POLITE: &str = "upgrade\ntext \"{}\"\nawait message\nclose 1000 \"bye\"\nawait end\n";

/// A server that does the same, and closes TCP.
const POLITE_SERVER: &str =
    "accept\ntext \"{}\"\nwait 1s\nclose 1000 \"bye\"\nawait close\nfin\nawait end\n";

fn targets(role: Role) -> Vec<Arc<dyn Target>> {
    hangup_peers::registry().iter().filter(|target| target.role() == role).cloned().collect()
}

/// What a polite other side of this target does.
fn polite_to(target: &dyn Target) -> Script {
    let script = match target.role() {
        Role::Server => POLITE,
        Role::Client => POLITE_SERVER,
    };
    script.parse().expect("a script")
}

#[test]
fn every_target_opens_answers_a_message_and_ends_with_a_polite_client() {
    for target in &targets(Role::Server) {
        let bounds = target.bounds();
        let exchange = play(target, &bounds, &polite_to(&**target), 0);
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
fn every_client_opens_hears_and_ends_with_a_polite_server() {
    for target in &targets(Role::Client) {
        let bounds = target.bounds();
        let exchange = play(target, &bounds, &polite_to(&**target), 0);
        let name = target.name();
        let said = String::from_utf8_lossy(&exchange.bytes(ConnectionId::FIRST).to_actor);
        assert!(said.starts_with("GET / HTTP/1.1\r\n"), "{name} said {said:?}");
        let happened = |wanted: &dyn Fn(&What) -> bool| {
            exchange.events.iter().any(|event| wanted(&event.what))
        };
        assert!(happened(&|what| matches!(what, What::Dropped { .. })), "{name} keeps TCP");
        // The guide's report nothing, nor does one whose library tells it nothing.
        if !happened(&|what| *what == What::Noted(Note::Reports)) {
            let is_silent = name.ends_with("/closing-well") || name == "jsonrpsee-client/docs";
            assert!(is_silent, "{name} reports nothing");
            continue;
        }
        assert!(happened(&|what| *what == What::Noted(Note::Opened)), "{name} does not open");
        let told = What::Noted(Note::ToldOfEnd { code: Some(1000) });
        assert!(happened(&|what| *what == told), "{name} is not told of the Close");
    }
}

#[test]
fn the_guides_find_no_fault_with_a_polite_other_side_and_hangup_none_with_them() {
    for target in hangup_peers::registry().iter() {
        if !target.name().ends_with("/closing-well") {
            continue;
        }
        let bounds = target.bounds();
        let (_, verdict) = play_and_judge(target, &bounds, &polite_to(&**target), 0);
        let is_accepted = |identity| target.deviations().iter().any(|one| one.accepts(identity));
        let mut found = verdict.violations;
        found.retain(|violation| !is_accepted(violation.identity));
        assert!(found.is_empty(), "{}: {found:?}", target.name());
    }
}

/// A few of the many scripts that `hangup-peers matrix` plays.
#[test]
fn the_guides_servers_and_clients_come_out_clean() {
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
