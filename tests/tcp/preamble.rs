//! Servers whose sessions begin with a message of their own, over TCP.

use crate::server::{Desk, Run, Server, installed};

const INIT: &str =
    "# GraphQL over WebSocket\ntext \"{\\\"type\\\":\\\"connection_init\\\"}\"\nawait message\n";

fn graphql() -> Server {
    installed("node", "graphql.js", "node_modules/graphql-ws")
}

fn probe(desk: &Desk, server: &Server, more: &str) -> Run {
    let url = server.url("/");
    desk.hangup(&format!(
        "probe {url} --subprotocol graphql-transport-ws --close-within 2s --watch 0s --seed 1 {more}"
    ))
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn graphql_without_its_first_message_is_told_and_with_it_is_tested() {
    let (desk, server) = (Desk::new(), graphql());
    let without = probe(&desk, &server, "--scripts 60 --format json");
    let json = without.json();
    let idle = &json["targets"][0]["idle_client"];
    let ended = idle["ended"].as_str().expect("it is closed");
    assert!(ended.starts_with("the server closed with 4408 \"Connection init"), "{ended}");
    let after = idle["after_seconds"].as_f64().expect("a time");
    assert!((2.5..4.5).contains(&after), "{after}");

    desk.write("init.script", INIT);
    let with = probe(&desk, &server, "--preamble init.script --scripts 60 --format json");
    assert!(matches!(with.code, Some(0 | 1)), "{with:?}");
    let json = with.json();
    assert_eq!(json["targets"][0]["idle_client"], serde_json::Value::Null);
    assert_eq!(json["targets"][0]["refused"], 0);
    // What is found is saved with it, and played again with it.
    for finding in json["targets"][0]["findings"].as_array().expect("a list") {
        let script = finding["script"].as_str().expect("a script");
        assert!(script.starts_with("# preamble, after the opening:\n#   text \"{"), "{script}");
    }
}

/// The one script that needs no seed: how a Close is answered behind the first message.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_script_is_played_behind_the_preamble_and_drawn_with_it() {
    let (desk, server) = (Desk::new(), graphql());
    desk.write("init.script", INIT);
    desk.write("close.script", "upgrade\nclose 1000\n");
    let url = server.url("/");
    let run = desk.hangup(&format!(
        "show close.script --url {url} --subprotocol graphql-transport-ws --preamble init.script"
    ));
    assert_eq!(run.code, Some(0), "{run:?}");
    let [init, ack, close] = ["s  Text, 26 bytes -", "- Text, 25 bytes", "  Close 1000 -"]
        .map(|what| run.out.find(what).unwrap_or_else(|| panic!("{what}: {}", run.out)));
    assert!(init < ack && ack < close, "{}", run.out);
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_preamble_that_the_server_does_not_answer_is_said() {
    let (desk, server) = (Desk::new(), graphql());
    desk.write("wrong.script", "text \"hello\"\nawait message\n");
    let run = probe(&desk, &server, "--preamble wrong.script --scripts 1");
    assert_eq!(run.code, Some(2), "{run:?}");
    let said = "--preamble: at `await message` the server closed with 4400 \"Invalid message";
    assert!(run.err.contains(said), "{}", run.err);
    let reference = Server::hangup("reference");
    desk.write("waits.script", "await pong\n");
    let run = desk.hangup(&format!("probe {} --preamble waits.script", reference.url("/")));
    let said = "--preamble: at `await pong` nothing like that came within 5 s";
    assert!(run.code == Some(2) && run.err.contains(said), "{run:?}");
}

#[test]
fn a_file_that_is_no_preamble_is_refused_in_one_line() {
    let desk = Desk::new();
    for (text, why) in [
        ("text \"x\"\nfin\n", "`fin`: a preamble has frames, `wait` and `await`"),
        ("# nothing\n", "it has no step"),
        ("txet\n", "line 1, column 1: found `txet`"),
    ] {
        desk.write("p", text);
        let run = desk.hangup("probe ws://127.0.0.1:1/ --preamble p");
        assert_eq!(run.code, Some(2), "{run:?}");
        let said = format!("--preamble p: {why}");
        assert!(run.err.contains(&said) && run.err.trim_end().lines().count() == 1, "{}", run.err);
    }
    let run = desk.hangup("probe ws://127.0.0.1:1/ --preamble missing");
    assert!(run.code == Some(2) && run.err.contains("--preamble missing: "), "{run:?}");
}
