//! Servers of other languages with their default settings, as `tests/servers/install`
//! installs them: how long each waits for the reply to its Close.

use crate::server::{Server, installed};
use hangup::Script;
use hangup::bounds::Bounds;
use hangup::run::real_time::{PlayLimits, Player, UrlRole};
use hangup::transport::tcp::endpoint::{Endpoint, RequestOptions};
use hangup::verdict::{Condition, Ending, Invariant};
use std::time::Duration;

fn ws() -> Server {
    installed("node", "ws.js", "node_modules/ws")
}

fn websockets() -> Server {
    installed("python/bin/python", "websockets_server.py", "python/bin/python")
}

fn aiohttp() -> Server {
    installed("python/bin/python", "aiohttp_server.py", "python/bin/python")
}

/// How it ends for a client that reads and never replies, held to `bound`: late, and
/// when since it was owed, or in time.
async fn ending(server: &Server, bound: Duration) -> Option<Duration> {
    let bye = Endpoint::resolve(&server.url("/bye"), &RequestOptions::default()).expect("a URL");
    let bounds = Bounds::close_within(bound);
    let horizon = bound + Duration::from_secs(5);
    let limits = PlayLimits { bounds, slack: Duration::from_millis(250), horizon, watch: horizon };
    let target =
        hangup::run::real_time::RemoteSubject::new(bye.clone()).with(UrlRole::Bye, bye.clone());
    let player = Player::preflight(&target, limits, 1).await.expect("it is there");
    let script: Script = "upgrade\napp close\n".parse().expect("a script");
    let (_, verdict) = player.play(&bye.into(), &script).await.expect("it is there");
    let late = |violation: &hangup::verdict::Violation| {
        let identity = violation.identity;
        let is_it = (identity.invariant(), identity.condition())
            == (Invariant::EndsInTime, Some(Condition::Silent));
        let (Ending::Late(at), Some(owed), true) = (violation.ending, violation.owed, is_it) else {
            panic!("{violation:?}");
        };
        Duration::from_micros(at.0 - owed.since.0)
    };
    verdict.violations.first().map(late)
}

/// Its close time-out is what it documents: found with a bound below, not with one above.
async fn waits_for(server: Server, documented: u64) {
    let documented = Duration::from_secs(documented);
    let second = Duration::from_secs(1);
    let (below, above) = tokio::join!(
        ending(&server, documented.saturating_sub(second)),
        ending(&server, documented + second)
    );
    let late = below.expect("it is late for a bound below its own");
    assert!(late.abs_diff(documented) < Duration::from_millis(500), "{late:?}");
    assert_eq!(above, None, "it is in time for a bound above its own");
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn ws_waits_thirty_seconds_for_the_reply_to_its_close() {
    waits_for(ws(), 30).await;
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn websockets_waits_ten_seconds_for_the_reply_to_its_close() {
    waits_for(websockets(), 10).await;
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn aiohttp_waits_ten_seconds_for_the_reply_to_its_close() {
    waits_for(aiohttp(), 10).await;
}
