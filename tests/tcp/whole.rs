//! Whole servers over TCP: their shutdown, what they hold when connections have ended, and whether
//! one client makes others wait.

use crate::busy_cores::BusyCores;
use crate::server::{Desk, Run};
use std::path::Path;

const IDLE: &str = "upgrade\napp shutdown\n2: upgrade\n3: upgrade\n";

/// A client whose opening request is complete when the server shuts down already.
const LATE_OPENING: &str = "\
upgrade
app shutdown
2: first 9 bytes of upgrade
2: wait 1s
2: rest after 9 bytes of upgrade
";

/// A server of `tests/servers/whole.py` as a line for `--run`.
fn whole(fault: &str) -> String {
    format!("exec python3 {}/tests/servers/whole.py {fault}", env!("CARGO_MANIFEST_DIR"))
}

fn node(mode: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
    let modules = root.join(".installed/node_modules");
    assert!(modules.join("ws").exists(), "run tests/servers/install");
    format!("NODE_PATH={} exec node {}/shutdown.js {mode}", modules.display(), root.display())
}

/// Go's `net/http` with this library, built by `tests/servers/install`.
fn go(library: &str, mode: &str) -> String {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/.installed");
    let server = servers.join(library);
    assert!(server.exists(), "run tests/servers/install where Debian's Go and {library} are");
    format!("exec {} {mode}", server.display())
}

/// `hangup` with a server to start.
fn run(desk: &Desk, line: &str, more: &str) -> Run {
    let mut command = desk.command(more);
    Run::of(command.args(["--run", line, "--close-within", "500ms"]).output().expect("it runs"))
}

/// A play of a script.
fn replay(script: &str, line: &str, more: &str) -> Run {
    let desk = Desk::new();
    desk.write("one.script", script);
    run(&desk, line, &format!("replay one.script {more}"))
}

#[track_caller]
fn shows(run: &Run, rule: &str, what: &str) {
    let out = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(out.contains(rule) && out.contains(what), "{rule}: {what}: {run:?}");
}

#[track_caller]
fn is_clean(run: &Run) {
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_waits_for_idle_clients_is_found_with_one_and_the_file_replays() {
    let desk = Desk::new();
    let probe = "probe --stop TERM --shutdown-within 1s --seed 1 --format json";
    let found = run(&desk, &whole("waits 0.2"), probe);
    assert_eq!(found.code, Some(1), "{found:?}");
    let json = found.json();
    let finding = &json["targets"][0]["findings"][0];
    assert_eq!(finding["invariant"], "shuts-down-in-time", "{finding}");
    assert_eq!(finding["script"], "upgrade\napp shutdown\n", "the simplest clients");
    let sentence = finding["sentence"].as_str().expect("a sentence");
    assert!(sentence.contains("does not shut down while 1 connection is open"), "{sentence}");
    assert_eq!(json["targets"][0]["findings"].as_array().map(Vec::len), Some(1));
    let shutdowns = json["targets"][0]["shutdowns"].as_array().expect("a list").clone();
    assert_eq!(shutdowns.len(), 6);
    assert_eq!(shutdowns[0]["codes"], serde_json::json!([1001]), "polite clients are no matter");
    assert!(shutdowns[0]["seconds"].is_number(), "{shutdowns:?}");
    let for_ever = shutdowns.iter().filter(|round| round["seconds"].is_null()).count();
    assert_eq!(json["targets"][0]["problems"][0]["shown"], for_ever, "each round that never ended");
    assert_eq!(shutdowns[1]["seconds"], serde_json::Value::Null, "nor is it by itself");
    let file = finding["repro"].as_str().expect("a file");
    let again = format!("replay {file} --stop TERM");
    shows(&run(&desk, &whole("waits 0.2"), &again), "reproduced", "shuts-down-in-time");
    is_clean(&run(&desk, &whole("well 0.2"), &again));
    let without = run(&desk, &whole("waits 0.2"), &format!("replay {file}"));
    assert!(without.code == Some(2) && without.err.contains("--stop TERM"), "{without:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn each_way_to_shut_down_badly_shows_its_rule() {
    // What is late is late by seconds, and what is not has as many to spare: a busy machine takes some.
    let late = "--stop TERM --shutdown-within 1s";
    for (fault, script, rule, what) in [
        ("holds-idle", IDLE, "shuts-down-in-time", "while 3 connections are open"),
        ("in-turn 1.5", IDLE, "shuts-down-in-time", "connection"),
        ("late 1.5", "upgrade\napp shutdown\n", "shuts-down-in-time", "late, at"),
        ("deaf", "app shutdown\n", "shuts-down-in-time", "although no connection is open"),
        ("forgets", IDLE, "closes-all-at-shutdown", "without a Close"),
        ("crashes", "upgrade\napp shutdown\n", "no-panic", "killed by signal 11"),
        ("closes-1006", IDLE, "legal-close", "sent a Close with code 1006"),
        ("sends-behind", IDLE, "no-data-after-close", "sent Text after its Close"),
        // The process ends as it should; another one holds the connections.
        ("detached", IDLE, "closes-all-at-shutdown", "sends this connection no Close in time"),
        ("forgets-openings", LATE_OPENING, "closes-all-at-shutdown", "no Close in time"),
        (
            "accepts 2",
            "upgrade\napp shutdown\n2: connect after 500ms\n2: upgrade\n",
            "stops-accepting",
            "serves a connection that comes during its shutdown",
        ),
    ] {
        let late = match fault {
            "accepts 2" => "--stop TERM --shutdown-within 5s",
            // It is watched until it ends by itself.
            "late 1.5" => "--stop TERM --shutdown-within 1s --horizon 6s",
            _ => late,
        };
        shows(&replay(script, &whole(fault), late), rule, what);
    }
    is_clean(&replay(IDLE, &whole("well 0.2"), "--stop TERM --shutdown-within 4s"));
    is_clean(&replay(LATE_OPENING, &whole("well 3"), "--stop TERM --shutdown-within 8s"));
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn node_behind_an_http_server_does_not_shut_down_unless_it_terminates_clients() {
    let usual = replay(IDLE, &node("usual"), "--stop TERM --shutdown-within 2s");
    shows(&usual, "shuts-down-in-time", "does not shut down while 3 connections are open");
    is_clean(&replay(IDLE, &node("terminates"), "--stop TERM --shutdown-within 6s"));
}

/// To `Shutdown`, a hijacked connection is the application's own.
#[test]
#[ignore = "real time, and needs Debian's Go: by hand"]
fn go_closes_nobody_at_its_shutdown_unless_the_program_does() {
    let within = "--stop TERM --shutdown-within 6s";
    for library in ["gorilla", "nhooyr"] {
        shows(&replay(IDLE, &go(library, ""), within), "closes-all-at-shutdown", "without a Close");
    }
    is_clean(&replay(IDLE, &go("gorilla", "closes"), within));
    let waits = replay(IDLE, &go("gorilla", "waits"), within);
    shows(&waits, "shuts-down-in-time", "does not shut down while 3 connections are open");
}

/// The script's connections are the kinds of clients of a wave.
fn leak(fault: &str) -> Run {
    let desk = Desk::new();
    let leaks = include_str!("../artifacts/frees-resources.toml");
    desk.write("leak.toml", leaks);
    run(&desk, &whole(fault), "replay leak.toml")
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_descriptor_a_connection_is_found_within_five_waves_and_a_cache_that_fills_once_is_not() {
    let leaks = leak("leaks");
    shows(&leaks, "frees-resources", "keeps 1.0 descriptors for each connection that has ended");
    assert_eq!(leaks.out.matches("40 have ended").count(), 5, "{leaks:?}");
    let threads = leak("leaks-threads");
    shows(&threads, "different", "keeps 1.0 threads for each connection that has ended");
    is_clean(&leak("cache"));
    is_clean(&leak("well"));
}

const ISOLATION: &str = "\
upgrade
wait 2s
ping \"hangup\"
await pong
close 1000
2: upgrade
2: text 64KiB x 96
2: close 1000
3: upgrade
3: stop reading
";

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_lock_held_across_a_send_is_found_and_its_fix_is_clean() {
    let hub = replay(ISOLATION, &whole("hub"), "");
    shows(&hub, "isolates-clients", "that it gets at once when it is alone");
    is_clean(&replay(ISOLATION, &whole("hub-apart"), ""));
}

const OPENING: &str = "\
first 9 bytes of upgrade
2: first 9 bytes of upgrade
3: connect after 1s
3: upgrade
3: ping \"hangup\"
3: await pong
3: close 1000
";

#[test]
#[ignore = "real time: .ci/run plays it"]
fn an_opening_inside_the_accept_loop_is_found_and_its_fix_is_clean() {
    let in_turn = replay(OPENING, &whole("opens-in-turn"), "");
    shows(&in_turn, "isolates-clients", "wait for its opening that it gets at once");
    is_clean(&replay(OPENING, &whole("well"), ""));
}

/// The rules that a probe of such a server finds broken.
fn hub_of(fault: &str, seed: u32) -> Vec<String> {
    let desk = Desk::new();
    let probe = format!("probe --stop TERM --shutdown-within 5s --seed {seed} --format json");
    let run = run(&desk, &whole(fault), &probe);
    let json = run.json();
    let findings = json["targets"][0]["findings"].as_array().expect("a list");
    let rules = findings.iter().map(|found| found["invariant"].as_str().expect("a name"));
    rules.map(str::to_owned).collect()
}

#[test]
#[ignore = "real time: by hand"]
fn a_lock_held_across_a_send_is_found_in_ten_of_ten_probes_while_every_core_is_busy() {
    let _busy = BusyCores::new();
    for seed in 1..=10 {
        let found = hub_of("hub", seed);
        assert!(found.contains(&"isolates-clients".to_owned()), "{seed}: {found:?}");
        assert_eq!(hub_of("hub-apart", seed), [""; 0], "{seed}");
    }
}

#[test]
fn what_cannot_be_told_to_shut_down_is_an_error_in_one_line() {
    let desk = Desk::new();
    desk.write("one.script", IDLE);
    for (arguments, said) in [
        ("probe ws://127.0.0.1:1/ --stop TERM", "--run <COMMAND>"),
        ("probe --run true --stop KILL", "invalid value 'KILL'"),
        ("replay one.script --url ws://127.0.0.1:1/", "add --run 'COMMAND' --stop TERM"),
    ] {
        let run = desk.hangup(arguments);
        assert!(run.code == Some(2) && run.err.contains(said), "{arguments}: {run:?}");
    }
    let shrunk = run(&desk, "true", "shrink one.script --stop TERM --start-within 1s");
    assert!(shrunk.code == Some(2) && shrunk.err.contains("are not shrunk"), "{shrunk:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn uvicorn_closes_everybody_and_exits_at_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
    let python = root.join(".installed/python/bin/python");
    let has_it = root.join(".installed/python/bin/uvicorn");
    assert!(has_it.exists(), "run tests/servers/install");
    let python = python.display();
    let line = format!(
        "cd {} && exec {python} -m uvicorn asgi:application --log-level warning --port $PORT",
        root.display()
    );
    is_clean(&replay(IDLE, &line, "--stop TERM --shutdown-within 2s"));
}
