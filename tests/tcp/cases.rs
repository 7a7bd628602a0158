//! Servers over TCP that were once judged wrongly, one by one.

use hangup::Script;
use hangup::bounds::Bounds;
use hangup::run::real_time::{PlayLimits, Player, RemoteSubject, Subject};
use hangup::transport::tcp::endpoint::{Endpoint, RequestOptions};
use hangup::verdict::{Invariant, Level, Symptom, Verdict};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_millis(500);

/// What a server does once the connection is open.
#[derive(Clone, Copy)]
enum Does {
    /// It reads whatever comes, says nothing, and ends on FIN: a tunnel.
    EndsOnFin,
    /// It answers a Close with FIN behind it, and keeps its half of the socket.
    AnswersAndLingers,
    /// It answers what comes after the opening; what came with the request it throws away.
    ThrowsEarlyBytesAway,
    /// It hangs up on everybody, 10 ms later.
    HangsUp,
}

async fn player(does: Does) -> (Subject, Result<Player, String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, does));
        }
    });
    let endpoint = Endpoint::resolve(&url, &RequestOptions::default()).expect("a URL");
    let bounds = Bounds::close_within(BOUND);
    let limits = PlayLimits { bounds, slack: SLACK, horizon: BOUND * 2, watch: BOUND * 2 };
    let player = Player::preflight(&RemoteSubject::new(endpoint.clone()), limits, 2).await;
    (endpoint.into(), player)
}

async fn verdict(does: Does, script: &str) -> Verdict {
    let (endpoint, player) = player(does).await;
    let script: Script = script.parse().expect(script);
    let (_, verdict) =
        player.expect("it can be tested").play(&endpoint, &script).await.expect("it is there");
    verdict
}

#[expect(clippy::disallowed_methods, reason = "a server that waits in real time")]
fn serve(mut stream: TcpStream, does: Does) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
    }
    let opening = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    stream.write_all(opening.as_bytes()).ok()?;
    if matches!(does, Does::HangsUp) {
        thread::sleep(Duration::from_millis(10));
        return Some(());
    }
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        let is_close = buffer[..count].first() == Some(&0x88);
        if is_close && matches!(does, Does::AnswersAndLingers) {
            stream.write_all(b"\x88\x02\x03\xe8").ok()?;
            stream.shutdown(Shutdown::Write).ok()?;
            thread::sleep(Duration::from_mins(1));
        }
    }
}

/// That it ends on FIN is no reason not to answer: without the Close and the FIN it does not end.
#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_server_that_ends_on_fin_is_not_excused_for_the_answer_that_it_owes() {
    let verdict = verdict(Does::EndsOnFin, "upgrade\nclose 1000\nfin\n").await;
    let found = verdict.violations.iter().map(|found| (found.identity.invariant(), found.level));
    assert_eq!(found.collect::<Vec<_>>(), [(Invariant::AnswersClose, Level::Must)], "{verdict:?}");
    assert!(verdict.violations[0].doubts.is_empty(), "a control has decided");
}

/// What RFC 6455 7.1.1 recommends, but for ever.
#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
#[cfg(target_os = "linux")]
async fn a_lingering_close_that_is_too_long_is_a_should() {
    let verdict = verdict(Does::AnswersAndLingers, "upgrade\nclose 1000\n").await;
    let [found] = &verdict.violations[..] else { panic!("{verdict:?}") };
    let identity = found.identity;
    let seen = (identity.invariant(), identity.symptom(), found.level);
    let expected = (Invariant::ReleasesInTime, Some(Symptom::KeepsSocket), Level::Should);
    assert_eq!(seen, expected);
}

/// The client's own violation (4.1).
#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_close_that_came_with_the_request_may_be_lost() {
    let verdict = verdict(Does::ThrowsEarlyBytesAway, "upgrade\n+ close\n").await;
    let [found] = &verdict.violations[..] else { panic!("{verdict:?}") };
    let seen = (found.identity.invariant(), found.level);
    assert_eq!(seen, (Invariant::EndsInTime, Level::Should));
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_server_that_hangs_up_on_everybody_cannot_be_tested() {
    let (_, player) = player(Does::HangsUp).await;
    let error = player.err().expect("it is not tested");
    assert!(error.contains("ends the connection within 1 s without a Close"), "{error}");
}
