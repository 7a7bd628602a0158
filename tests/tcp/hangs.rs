//! What a server that is late was doing, as the kernel's table shows it, and whether it ends the
//! connection by itself when it is watched on.

use crate::server::{Desk, Run, Server, bad};
use hangup::Script;
use hangup::bounds::Bounds;
use hangup::run::real_time::{PlayLimits, Player, RemoteSubject, Subject};
use hangup::transport::tcp::endpoint::{Endpoint, RequestOptions};
use hangup::verdict::{Ending, Invariant, Symptom};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const BOUND: Duration = Duration::from_millis(300);
const SLACK: Duration = Duration::from_millis(400);
/// Longer than the slack after the client's last act, which may come when the bound and the slack
/// have passed; and before the horizon.
const OWN_TIMER: Duration = Duration::from_millis(1600);
const HORIZON: Duration = Duration::from_secs(2);

/// What a server does once the connection is open and its Close is sent.
#[derive(Clone, Copy)]
enum Hang {
    /// It reads, and closes after [`OWN_TIMER`].
    ClosesByItself,
    /// It reads, and never closes.
    NeverCloses,
    /// It sends FIN, and keeps the socket.
    KeepsHalf,
    /// It reads nothing more.
    ReadsNothing,
    /// It writes until nobody takes it any more, and waits for that.
    Writes,
}

/// A server that hangs like that; its URL.
fn hanging(hang: Hang) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, hang));
        }
    });
    format!("ws://{address}/")
}

#[expect(clippy::disallowed_methods, reason = "a server that is late in real time is what it is")]
fn serve(mut stream: TcpStream, hang: Hang) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let opening = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    stream.write_all(opening.as_bytes()).ok()?;
    if matches!(hang, Hang::Writes) {
        // Binary frames of 16 KiB.
        let mut frame = vec![0x82, 126, 0x40, 0x00];
        frame.resize(4 + (16 << 10), 0);
        while stream.write_all(&frame).is_ok() {}
        return Some(());
    }
    stream.write_all(b"\x88\x02\x03\xe8").ok()?;
    match hang {
        Hang::ClosesByItself => {
            let reader = stream.try_clone().ok()?;
            thread::spawn(move || drain(reader));
            thread::sleep(OWN_TIMER);
            stream.shutdown(Shutdown::Both).ok()?;
        }
        Hang::KeepsHalf => {
            stream.shutdown(Shutdown::Write).ok()?;
            drain(stream.try_clone().ok()?);
        }
        Hang::NeverCloses => drain(stream.try_clone().ok()?),
        Hang::ReadsNothing | Hang::Writes => {}
    }
    // Kept beyond the test.
    thread::sleep(Duration::from_mins(1));
    drop(stream);
    Some(())
}

/// Reads to the end.
fn drain(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
}

/// The liveness violation that `script` shows there.
async fn violation(hang: Hang, script: &str) -> (Invariant, Option<Symptom>, Ending) {
    let endpoint = Endpoint::resolve(&hanging(hang), &RequestOptions::default()).expect("a URL");
    let bounds = Bounds::close_within(BOUND);
    let limits = PlayLimits { bounds, slack: SLACK, horizon: HORIZON, watch: HORIZON };
    let subject = Subject::from(endpoint);
    let server = RemoteSubject::new(subject.clone());
    let player = Player::preflight(&server, limits, 1).await.expect("it is there");
    let script: Script = script.parse().expect(script);
    let (_, verdict) = player.play(&subject, &script).await.expect("it is there");
    let late = verdict.violations.iter().find(|violation| violation.owed.is_some());
    let late = late.unwrap_or_else(|| panic!("{verdict:?}"));
    (late.identity.invariant(), late.identity.symptom(), late.ending)
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_server_that_closes_by_itself_before_the_horizon_has_a_timer() {
    for script in ["upgrade\nawait close\n", "upgrade\nping x 40 every 50ms\n"] {
        let (rule, symptom, ending) = violation(Hang::ClosesByItself, script).await;
        assert_eq!((rule, symptom), (Invariant::EndsInTime, Some(Symptom::OwnTimer)), "{script}");
        assert!(matches!(ending, Ending::Late(_)), "{ending:?}");
    }
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_server_that_reads_and_never_closes_is_still_open() {
    for script in ["upgrade\nawait close\n", "upgrade\nping x 40 every 50ms\n", "upgrade\nfin\n"] {
        let (rule, symptom, ending) = violation(Hang::NeverCloses, script).await;
        assert_eq!((rule, symptom), (Invariant::EndsInTime, Some(Symptom::StillOpen)), "{script}");
        assert!(matches!(ending, Ending::Open(_)), "{ending:?}");
    }
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
#[cfg(target_os = "linux")]
async fn a_server_that_keeps_its_half_closed_socket_is_seen_to() {
    for script in ["upgrade\nclose 1000\n", "upgrade\nawait close\nfin\n"] {
        let (rule, symptom, _) = violation(Hang::KeepsHalf, script).await;
        let seen = (rule, symptom);
        assert_eq!(seen, (Invariant::ReleasesInTime, Some(Symptom::KeepsSocket)), "{script}");
    }
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
#[cfg(target_os = "linux")]
async fn a_server_that_does_not_read_has_input() {
    for script in ["upgrade\nclose 1000\n", "upgrade\nawait close\nfin\n"] {
        let (rule, symptom, _) = violation(Hang::ReadsNothing, script).await;
        let seen = (rule, symptom);
        assert_eq!(seen, (Invariant::EndsInTime, Some(Symptom::IgnoresInput)), "{script}");
    }
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
#[cfg(target_os = "linux")]
async fn a_server_that_is_stuck_in_a_write_waits_for_room() {
    let script = "upgrade\nstop reading\nclose 1000\n";
    let (rule, symptom, _) = violation(Hang::Writes, script).await;
    assert_eq!((rule, symptom), (Invariant::EndsInTime, Some(Symptom::WaitsForRoom)));
}

/// A probe that watches for three seconds, of URLs on which the application closes.
fn probe(desk: &Desk, server: &Server, more: &str) -> Run {
    let (plain, bye) = (server.url("/"), server.url("/bye"));
    desk.hangup(&format!(
        "probe {plain} --bye {bye} --seed 1 --scripts 2 --close-within 300ms --slack 500ms \
         --horizon 600ms --watch 3s {more}"
    ))
}

/// Of the findings about the server's own Close: the symptom, and how long it lasted.
fn own_close(run: &Run) -> Vec<(String, f64)> {
    let findings = run.json()["targets"][0]["findings"].as_array().expect("a list").clone();
    let own = findings.iter().filter(|found| {
        found["invariant"] == "ends-in-time" && found["cause"] == "the server's own Close"
    });
    own.map(|found| {
        let time = |name: &str| found["ending"][name].as_f64().expect("a time");
        let symptom = found["symptom"].as_str().expect("a symptom").to_owned();
        (symptom, time("at_seconds") - time("since_seconds"))
    })
    .collect()
}

/// Long after the horizon: a version that never closes and one that does so late are two
/// problems.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_connection_that_is_open_at_the_horizon_is_watched_on() {
    let (never, late) = (bad("waits", "1.5"), bad("control", "1.5"));
    let never = probe(&Desk::new(), &never, "--format json");
    let desk = Desk::new();
    let run = probe(&desk, &late, "--format json");
    let (open, closed) = (own_close(&never), own_close(&run));
    assert!(!open.is_empty() && !closed.is_empty(), "{never:?} {run:?}");
    for (symptom, lasted) in &open {
        assert_eq!(symptom, "still open when hangup stopped watching");
        // Not for the minute that is the default; a busy machine looks a little late.
        assert!((2.9..30.0).contains(lasted), "watched for {lasted} s");
    }
    for (symptom, lasted) in &closed {
        assert_eq!(symptom, "ends it by its own timer, too late");
        assert!((1.4..2.5).contains(lasted), "closed after {lasted} s");
    }
    // It says which bound would do.
    let accepted = run.json()["targets"][0]["findings"][0]["ending"]["accepted_with"].clone();
    let accepted = accepted.as_str().expect("an option").to_owned();
    assert!(accepted.starts_with("--close-within ") && accepted.ends_with("ms"), "{accepted}");
    let saved = std::fs::read_dir(desk.path("hangup-findings")).expect("findings");
    let names: BTreeSet<String> = saved
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name != ".gitignore")
        .collect();
    assert!(names.iter().all(|name| name.contains("ends-it-by-its-own-timer")), "{names:?}");
    // A replay watches for as long as it takes.
    let name = names.iter().find(|name| name.contains("ends-in-time")).expect("a finding");
    let replay = |server: &Server| {
        let url = server.url("/bye");
        desk.hangup(&format!("replay hangup-findings/{name} --slack 500ms --url {url}"))
    };
    let again = replay(&late);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.out.starts_with("reproduced on ws://"), "{again:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_closes_by_itself_after_the_horizon_is_known_to_a_baseline_that_has_it() {
    let late = bad("control", "1.5");
    let desk = Desk::new();
    let first = probe(&desk, &late, "--baseline known.toml");
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.out.contains("The server closes the connection by itself after 1."), "{first:?}");
    assert!(first.out.contains("--close-within 1"), "{first:?}");
    assert!(desk.read("known.toml").contains("ends it by its own timer, too late"));
    let wide = desk.read("known.toml");
    let wide: Vec<&str> = wide.lines().filter(|line| !line.starts_with("condition")).collect();
    desk.write("known.toml", &wide.join("\n"));
    let second = probe(&desk, &late, "--baseline known.toml");
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.out.contains("accepted: "), "{second:?}");
    // One that never closes is another problem.
    let never = bad("waits", "1.5");
    let other = probe(&desk, &never, "--baseline known.toml --format json");
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(!own_close(&other).is_empty(), "{other:?}");
}
