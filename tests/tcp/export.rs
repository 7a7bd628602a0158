//! The exported file reproduces with Python alone, and tells a fixed server.

use crate::server::{Desk, Server, bad};
use hangup::bounds::Bounds;
use hangup::finding::repro::Repro;
use hangup::target::Opening;
use hangup::verdict::{Cause, Identity, Invariant, Level};
use std::io::Read as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A finding as hangup would save it, with a bound of one second.
fn repro(invariant: Invariant, cause: Cause, script: &str) -> String {
    let repro = Repro {
        hangup: "0.1.0".to_owned(),
        target: ("ws://127.0.0.1:1/".to_owned(), "over TCP".to_owned()),
        opening: Opening::new(),
        bounds: Bounds::close_within(Duration::from_secs(1)),
        identity: Identity::safety(invariant, Some(cause)),
        level: Level::Should,
        ending: "open".to_owned(),
        at_seconds: Some(2.0),
        sentence: "It did not end.".to_owned(),
        script: script.parse().expect(script),
        runtime_seed: 0,
        digest: String::new(),
        confirmed: true,
    };
    repro.to_text()
}

fn run(desk: &Desk, server: &Server, path: &str) -> Output {
    let (host, port) = server.address.rsplit_once(':').expect("an address");
    let file = desk.path("finding.py");
    let mut command = Command::new("python3");
    // Without site packages: the standard library alone.
    command.arg("-I").arg("-S").arg(file).args([host, port, path]);
    command.output().expect("it starts")
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_exported_file_exits_with_1_on_the_bad_server_and_with_0_on_the_fixed_one() {
    use Cause::{ClientClose, ClientFin, ClientViolation, OwnClose};
    use Invariant::{AnswersClose, EndsInTime};
    for (fault, path, rule, cause, script) in [
        ("waits", "/bye", EndsInTime, OwnClose, "upgrade\napp close\n"),
        ("waits", "/bye", EndsInTime, OwnClose, "upgrade\napp close\nstop reading\n"),
        ("waits", "/bye", EndsInTime, OwnClose, "upgrade\napp close\ncut\n"),
        ("drip", "/bye", EndsInTime, OwnClose, "upgrade\napp close\nping x 3 every 600ms\n"),
        ("keeps-tcp", "/", EndsInTime, ClientClose, "upgrade\nclose 1000\n"),
        ("keeps-tcp", "/", EndsInTime, ClientViolation, "upgrade\nunmasked text \"x\"\n"),
        (
            "silent",
            "/",
            EndsInTime,
            ClientClose,
            "upgrade\ntext 70000B\nclose 1000 in pieces of 3 bytes\n",
        ),
        ("cuts", "/", AnswersClose, ClientClose, "upgrade\nclose\n"),
    ] {
        let (Some(broken), Some(fixed)) = (bad(fault, "1"), bad("control", "0.4")) else { return };
        let desk = Desk::new();
        desk.write("finding.toml", &repro(rule, cause, script));
        let exported = desk.hangup("export finding.toml --as python");
        assert_eq!(exported.code, Some(0), "{exported:?}");
        desk.write("finding.py", &exported.out);
        let codes = [run(&desk, &broken, path), run(&desk, &fixed, path)];
        let text = format!("{fault}:\n{script}{codes:#?}");
        assert_eq!(codes.map(|output| output.status.code()), [Some(1), Some(0)], "{text}");
    }
    // The client's FIN is told from a reset by nothing but its time.
    let Some(fixed) = bad("control", "0.4") else { return };
    let desk = Desk::new();
    desk.write("finding.toml", &repro(EndsInTime, ClientFin, "upgrade\nfin\n"));
    desk.write("finding.py", &desk.hangup("export finding.toml").out);
    assert_eq!(run(&desk, &fixed, "/").status.code(), Some(0));
}

#[test]
fn a_file_that_cannot_be_played_exits_with_2() {
    let desk = Desk::new();
    desk.write("finding.toml", &repro(Invariant::EndsInTime, Cause::OwnClose, "upgrade\n"));
    desk.write("finding.py", &desk.hangup("export finding.toml").out);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port().to_string();
    drop(closed);
    let mut python = Command::new("python3");
    let Ok(output) = python.arg(desk.path("finding.py")).args(["127.0.0.1", &port]).output() else {
        eprintln!("SKIPPED: no python3 here");
        return;
    };
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_exported_file_sends_the_opening_request_that_the_server_demands() {
    let desk = Desk::new();
    let opening = "\n[opening]\npath = \"/ws?room=1\"\nheaders = [\"X-Key: a\\\\b'c\"]\n\
                   subprotocols = [\"chat\"]\n\n[bounds]\n";
    let repro = repro(Invariant::EndsInTime, Cause::OwnClose, "upgrade\n");
    desk.write("finding.toml", &repro.replace("\n[bounds]\n", opening));
    let exported = desk.hangup("export finding.toml --as python").out;
    desk.write("finding.py", &exported);
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port().to_string();
    let mut python = Command::new("python3");
    python.arg(desk.path("finding.py")).args(["127.0.0.1", &port]).stdout(Stdio::null());
    let Ok(mut playing) = python.stderr(Stdio::null()).spawn() else {
        eprintln!("SKIPPED: no python3 here");
        return;
    };
    let (mut socket, _) = server.accept().expect("it connects");
    let mut head = [0; 4096];
    let count = socket.read(&mut head).expect("a request");
    playing.kill().expect("it plays");
    let _ = playing.wait();
    let head = String::from_utf8_lossy(&head[..count]).into_owned();
    assert!(head.starts_with("GET /ws?room=1 HTTP/1.1\r\n"), "{head}");
    let end = "\r\nSec-WebSocket-Protocol: chat\r\nX-Key: a\\b'c\r\n\r\n";
    assert!(head.ends_with(end), "{head}");
}

#[test]
fn a_finding_that_a_client_cannot_see_is_not_exported() {
    let desk = Desk::new();
    let script = "upgrade\nclose\n";
    desk.write("finding.toml", &repro(Invariant::ReleasesInTime, Cause::ClientClose, script));
    let run = desk.hangup("export finding.toml --as python");
    assert_eq!((run.code, run.out.as_str(), run.err.lines().count()), (Some(2), "", 1), "{run:?}");
    assert!(run.err.contains("releases-in-time cannot be told by a client alone"), "{run:?}");
}
