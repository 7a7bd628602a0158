//! What keeps a server from being tested is said in one line, with exit code 2.

use crate::server::{Desk, Run, Server};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// A server that answers everything with `response`, at most `times` times, and is gone then.
fn answers(response: &'static [u8], times: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let mut stream = stream.expect("a client");
            // A client that sends nothing keeps nobody waiting.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(response);
        }
    });
    address
}

#[track_caller]
fn refused(run: &Run, named: &str) {
    assert_eq!(run.code, Some(2), "{run:?}");
    let last = run.err.lines().last().expect("a line");
    assert!(last.starts_with("error: ") && last.contains(named), "{named}: {run:?}");
    assert_eq!(run.err.matches("error: ").count(), 1, "{run:?}");
}

fn probe(url: &str) -> Run {
    Desk::new().hangup(&format!("probe {url} --scripts 5"))
}

#[test]
fn a_server_that_does_not_answer_101_is_not_tested() {
    for (response, named) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "answers 200 instead of 101 to the opening request. A web server",
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "answers 404 instead of 101 to the opening request. The path does not exist",
        ),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", "Cookie header: --header"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: ws://elsewhere/\r\n\r\n",
            "It redirects to ws://elsewhere/: probe that URL",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n", "does not answer in HTTP. If the server uses TLS, use wss://"),
        ("", "ended the connection without an answer"),
    ] {
        let url = format!("ws://{}/", answers(response.as_bytes(), 1));
        refused(&probe(&url), named);
    }
}

fn bad(fault: &str) -> String {
    format!("exec python3 {}/tests/servers/bad.py {fault}", env!("CARGO_MANIFEST_DIR"))
}

/// It opens for ten clients, and answers no other.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_opens_no_more_websockets_is_not_called_clean() {
    let desk = Desk::new();
    let mut command = desk.command("probe --close-within 1s --scripts 40 --seed 1");
    let run = Run::of(command.args(["--run", &bad("opens-ten 1")]).output().expect("it runs"));
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("after 40 it opens none, also to a client that is alone"), "{run:?}");
    assert!(run.out.contains(": not fully tested"), "{run:?}");
}

/// Behind its own FIN a client cannot send: the server has not reset anything. And one that resets a client
/// that leaves everything unread could not have sent a Close.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_a_client_brings_upon_itself_is_not_the_servers() {
    for (fault, script, path) in [
        ("control 1", "upgrade\nfin\nping\n", "/"),
        ("gives-up 2", "upgrade\nstop reading\ntext 64KiB x 96\nwait 4s\nping\n", "/echo"),
    ] {
        let desk = Desk::new();
        desk.write("one.script", script);
        let mut command = desk.command("show one.script --close-within 8s");
        let url = format!("ws://127.0.0.1:{{port}}{path}");
        let command = command.args(["--run", &bad(fault), "--url", &url]);
        let run = Run::of(command.output().expect("it runs"));
        assert!(run.code == Some(0) && run.out.contains("breaks no rule"), "{run:?}");
        // The other one does reset it.
        assert_eq!(run.out.contains("RST"), path == "/echo", "{run:?}");
    }
}

#[test]
fn an_address_without_a_server_is_an_error() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    refused(&probe(&format!("ws://{address}/")), &format!("nothing answers at {address}: "));
    refused(&probe("ws://no-such-host.invalid/"), "host no-such-host.invalid is not known");
}

#[test]
fn a_strangers_host_is_not_tested_unasked() {
    // An address for documentation: nobody is there, and nobody is asked.
    let run = probe("ws://192.0.2.1/");
    refused(&run, "ws://192.0.2.1/ is at 192.0.2.1, neither on this machine nor in a private");
    assert!(run.err.contains("--i-may-test-this-host"), "{run:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn an_application_that_does_not_act_as_its_option_says_is_an_error() {
    let server = Server::hangup("reference");
    let plain = server.url("/");
    for (option, named) in
        [("--bye", "no Close"), ("--push", "no message"), ("--echo", "did not echo")]
    {
        let run = Desk::new().hangup(&format!("probe {plain} {option} {plain} --scripts 5"));
        refused(&run, named);
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_dies_in_the_middle_ends_the_test_with_what_was_found_so_far() {
    // It says why it ends each connection: one that says nothing could not be tested.
    let opening = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\
        \x88\x02\x03\xe9";
    let url = format!("ws://{}/", answers(opening, 9));
    let run = Desk::new()
        .hangup(&format!("probe {url} --scripts 100 --concurrency 4 --seed 1 --format json"));
    assert_eq!(run.code, Some(1), "{run:?}");
    let last = run.err.lines().last().expect("a line");
    assert!(last.starts_with("error: the server died in the middle, after "), "{run:?}");
    let problems = &run.json()["targets"][0]["problems"];
    assert_eq!(problems[0]["symptom"], "its process ends", "{problems:#}");
    assert!(run.json()["trouble"].as_str().is_some_and(|trouble| trouble.contains("died")));
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn ctrl_c_ends_it_and_closes_what_it_opened() {
    let server = Server::hangup("reference");
    let desk = Desk::new();
    let mut command = desk.command(&format!("probe {} --scripts 300 --seed 1", server.url("/")));
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let port = server.address.rsplit(':').next().expect("a port");
    let port: u16 = port.parse().expect("a number");
    while open_connections(port) < 20 {
        assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
        thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let run = Run::of(child.wait_with_output().expect("it ends"));
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.err.contains("interrupted (SIGINT): ") && run.err.ends_with("not fully tested\n"),
        "{run:?}"
    );
    assert_eq!(open_connections(port), 0);
}

/// How many clients of this port have their socket open, by the kernel's table.
fn open_connections(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    let server = format!(":{port:04X} ");
    let is_open = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        format!("{} ", fields[2]).ends_with(&server) && fields[3] == "01"
    };
    table.lines().skip(1).filter(is_open).count()
}

#[test]
fn more_connections_than_the_system_allows_are_not_tried() {
    let hangup = env!("CARGO_BIN_EXE_hangup");
    let line = format!("ulimit -n 200; {hangup} probe ws://127.0.0.1:9/ --concurrency 1000");
    let run = Run::of(Command::new("sh").args(["-c", &line]).output().expect("it starts"));
    refused(
        &run,
        "the system allows 200: raise that (ulimit -n), or take --concurrency 168, the most",
    );
}
