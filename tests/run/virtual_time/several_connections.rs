//! Several connections in one exchange.

use hangup::bounds::Bounds;
use hangup::exchange::{Bytes, ConnectionId, End, Exchange, Time, What};
use hangup::judge::{judge, judge_connection};
use hangup::run::virtual_time;
use hangup::verdict::Verdict;
use hangup::{Registry, Script};

/// The events of one connection, and its bytes.
fn part(exchange: &Exchange, connection: ConnectionId) -> (Vec<(Time, End, What)>, Bytes) {
    let own = exchange.events.iter().filter(|event| event.connection == connection);
    let events = own.map(|event| (event.at, event.end, event.what.clone())).collect();
    (events, exchange.bytes(connection).clone())
}

#[test]
fn two_connections_of_one_exchange_are_each_judged_as_they_would_be_alone() {
    let registry = Registry::built_in();
    let bounds = Bounds::default();
    let scripts = [
        "upgrade\napp close",
        "upgrade\nclose 1000\nfin",
        "upgrade\nstop reading\napp send text 64KiB\nclose 1001",
        "upgrade\nunmasked ping \"x\"",
        "upgrade\nping x 5 every 1s\napp close 1001\nclose 1002",
    ]
    .map(|script| script.parse::<Script>().expect(script));
    for name in ["reference", "reference/no-deadline", "tungstenite/no-deadline"] {
        let target = registry.find(name).expect("built in");
        for (one, other) in scripts.iter().flat_map(|one| scripts.iter().map(move |b| (one, b))) {
            let both = [one.clone(), other.clone()];
            let together = virtual_time::play_together(target, &bounds, &both, 7);
            for (connection, script) in together.connections().zip(&both) {
                let alone = virtual_time::play(target, &bounds, script, 7);
                let facts = |verdict: Verdict| -> Vec<_> {
                    let violations = verdict.violations.into_iter();
                    violations.map(|violation| (violation.identity, violation.fact)).collect()
                };
                let in_company = facts(judge_connection(&together, connection, &bounds));
                let by_itself = facts(judge(&alone, &bounds));
                assert_eq!(in_company, by_itself, "{name}:\n{script}\nbeside:\n{one}{other}");
                let (events, bytes) = part(&together, connection);
                assert!(!events.is_empty());
                assert_eq!(bytes, *alone.bytes(ConnectionId::FIRST), "{name}:\n{script}");
            }
        }
    }
}
