//! A server that dies: with `--run` hangup starts it, finds the script that takes it down, and
//! stops it; without, the script is among three suspects.

use crate::server::{Desk, Run, bad, scripted};
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

/// A test that needs `interpreter` fails without it, and is not green.
fn need(interpreter: &str) {
    let here = Command::new(interpreter).arg("--version").output();
    assert!(here.is_ok_and(|output| output.status.success()), "{interpreter} is not here");
}

/// The line that starts a server of `tests/servers`.
fn line(interpreter: &str, script: &str) -> String {
    format!("{interpreter} {}/tests/servers/{script}", env!("CARGO_MANIFEST_DIR"))
}

/// `hangup COMMAND --run LINE`, with arguments that have no spaces in them.
fn run(desk: &Desk, command: &str, line: &str) -> Run {
    Run::of(desk.command(command).args(["--run", line]).output().expect("it starts"))
}

fn probe(desk: &Desk, line: &str, options: &str) -> Run {
    run(desk, &format!("probe --seed 1 --close-within 1s --watch 0s {options}"), line)
}

#[track_caller]
fn problem<'a>(json: &'a Value, rule: &str) -> &'a Value {
    let problems = json["targets"][0]["problems"].as_array().expect("a list");
    let found = problems.iter().find(|problem| problem["invariant"] == rule);
    found.unwrap_or_else(|| panic!("no {rule}: {json:#}"))
}

/// What is left of processes that have `mark` in their command line, beside the test itself.
fn left(mark: &str) -> String {
    let found = Command::new("pgrep").args(["-f", mark]).output().expect("pgrep");
    String::from_utf8(found.stdout).expect("text")
}

/// Each is found with the shortest script that takes it down, and proven twice; again by its file.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn with_run_the_script_that_takes_a_server_down_is_found_and_shrunk() {
    for (interpreter, server, bye, steps, with) in [
        ("python3", "bad.py aborts 1", true, 3, "ping"),
        ("python3", "bad.py dies-of-reset 1", false, 2, "reset"),
        ("node", "throws.js", false, 3, "upgrade"),
    ] {
        need(interpreter);
        let desk = Desk::new();
        let bye = if bye { "--bye ws://127.0.0.1:{port}/bye" } else { "" };
        let options = format!("{bye} --scripts 60 --format json");
        let found = probe(&desk, &line(interpreter, server), &options);
        assert_eq!(found.code, Some(1), "{server}: {found:?}");
        let json = found.json();
        let died = problem(&json, "no-panic");
        assert_eq!(died["symptom"], "its process ends", "{server}: {died:#}");
        let script = died["script"].as_str().expect("a script");
        let deaths = &json["targets"][0]["deaths"];
        assert_eq!(deaths["proven"], true, "{server}: {deaths:#} {script}");
        let shown = format!("{server}: {died:#} {deaths:#}");
        assert!(script.lines().count() <= steps && script.contains(with), "{shown}");
        assert_eq!(died["flaky"], false, "{shown}");
        assert!(deaths["seen"][0]["connections"].as_u64() > Some(0), "{server}: {deaths:#}");
        let file = died["repro"].as_str().expect("it is saved");
        let replay = format!("replay {file} --url {}", died["url"].as_str().expect("a URL"));
        let again = run(&desk, &replay, &line(interpreter, server));
        assert!(again.code == Some(1) && again.out.starts_with("reproduced on"), "{again:?}");
        let honest = run(&desk, &replay, &line("python3", "bad.py control 1"));
        assert!(honest.code == Some(0) && honest.out.starts_with("fixed on"), "{honest:?}");
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_leaks_until_it_is_killed_is_told_with_the_growth_of_its_memory() {
    need("python3");
    let desk = Desk::new();
    let found = probe(&desk, &line("python3", "bad.py leaks 1"), "--scripts 150 --format json");
    assert_eq!(found.code, Some(1), "{found:?}");
    let json = found.json();
    problem(&json, "no-panic");
    let deaths = &json["targets"][0]["deaths"];
    let seen = deaths["seen"].as_array().expect("a list");
    assert_eq!(deaths["proven"], false, "{deaths:#}");
    assert!((1..=3).contains(&deaths["suspects"].as_array().expect("a list").len()), "{deaths:#}");
    assert_eq!(seen[0]["how"], "had its process killed by signal 9", "{deaths:#}");
    // Some wait to be accepted.
    assert!(seen[0]["connections"].as_u64() >= Some(40), "{deaths:#}");
    // It is looked at now and then: a busy machine has it grow a good deal, and die, in between. It
    // dies several times.
    let memory = |death: &Value, name: &str| death[name].as_u64().expect("Linux shows it");
    let grew =
        seen.iter().map(|death| memory(death, "memory_most") - memory(death, "memory_first"));
    let most = grew.max().expect("a death");
    assert!((60 << 20..130 << 20).contains(&most), "{most}: {deaths:#}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn without_run_the_script_is_among_three_suspects() {
    for (fault, bye, last) in [("aborts", true, "ping"), ("dies-of-reset", false, "reset")] {
        let server = bad(fault, "1");
        let desk = Desk::new();
        let bye = if bye { format!("--bye {}", server.url("/bye")) } else { String::new() };
        let found = desk.hangup(&format!(
            "probe {} {bye} --seed 1 --close-within 1s --watch 0s --format json",
            server.url("/")
        ));
        assert_eq!(found.code, Some(1), "{fault}: {found:?}");
        assert!(found.err.contains("the server died in the middle, after"), "{fault}: {found:?}");
        let json = found.json();
        let died = problem(&json, "no-panic");
        assert_eq!(died["symptom"], "its process ends");
        let suspects = json["targets"][0]["deaths"]["suspects"].as_array().expect("a list");
        assert!((1..=3).contains(&suspects.len()), "{fault}: {suspects:?}");
        // Only one that the server dies of counts: each is played on a server of its own.
        let kills = |file: &Value| {
            let server = line("python3", &format!("bad.py {fault} 1"));
            let file = file.as_str().expect("a name");
            assert!(desk.read(file).contains("confirmed = false"), "{file}");
            let path = if bye.is_empty() { "" } else { "bye" };
            let url = format!("--url ws://127.0.0.1:{{port}}/{path}");
            let again = run(&desk, &format!("replay {file} {url}"), &server);
            again.code == Some(1) && again.out.contains("its process")
        };
        assert!(suspects.iter().any(kills), "{fault}, {last}: {json:#}");
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_script_of_ones_own_is_played_at_a_url_drawn_and_judged() {
    let server = bad("silent", "1");
    let desk = Desk::new();
    desk.write("mine", "upgrade\nclose 1000\n");
    let url = server.url("/");
    let shown = desk.hangup(&format!("show mine --url {url} --close-within 500ms"));
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains("ends-in-time") && shown.out.contains("client  "), "{shown:?}");
    let replay = desk.hangup(&format!("replay mine --url {url} --close-within 500ms"));
    assert!(replay.code == Some(1) && replay.out.contains("ends-in-time"), "{replay:?}");
    // A bound that the server keeps, and one that it was not asked for before.
    desk.write("idle", "upgrade\n");
    let idle = |options: &str| desk.hangup(&format!("replay idle --url {url} {options}"));
    assert_eq!(idle("--close-within 1s").code, Some(0));
    let held = idle("--close-within 1s --idle-within 700ms");
    assert!(held.code == Some(1) && held.out.contains("idle-in-time"), "{held:?}");
    let mut piped = desk.command(&format!("show - --url {url} --close-within 500ms"));
    let mut piped = piped
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = piped.stdin.take().expect("it was piped");
    std::io::Write::write_all(&mut stdin, b"upgrade\nclose 1000\n").expect("written");
    drop(stdin);
    let piped = Run::of(piped.wait_with_output().expect("it ends"));
    assert!(piped.code == Some(0) && piped.out.contains("ends-in-time"), "{piped:?}");
}

#[test]
fn a_server_that_does_not_start_is_one_line_and_exit_code_2() {
    for (line, options, said) in [
        (
            "exit 7",
            "",
            "the server ended its process with exit code 7 before it listened on 127.0.0.1:",
        ),
        ("echo no such thing; exit 1", "", ", last: no such thing"),
        ("sleep 60", "--start-within 200ms", "the server does not listen on 127.0.0.1:"),
    ] {
        let found = probe(&Desk::new(), line, options);
        assert_eq!(found.code, Some(2), "{line}: {found:?}");
        let last = found.err.lines().last().expect("a line");
        assert!(last.starts_with("error: --run ") && last.contains(said), "{line}: {found:?}");
    }
    let without = Desk::new().hangup("probe ws://127.0.0.1:{port}/");
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(
        without.err.contains("{port} is the port of a server that --run starts"),
        "{without:?}"
    );
    let neither = Desk::new().hangup("probe");
    assert_eq!(neither.code, Some(2), "{neither:?}");
}

/// The server and its child, at the end and at Ctrl-C.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_hangup_started_is_stopped_with_its_children() {
    need("python3");
    for interrupted in [false, true] {
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
        // Its argument is how it is told from other processes of this machine.
        let mark = format!("31{port}.5");
        let line = format!("sleep {mark} & trap '' TERM; {}", line("python3", "bad.py control 1"));
        let desk = Desk::new();
        let command = "probe --seed 1 --scripts 20 --close-within 1s --watch 0s";
        let mut command = desk.command(command);
        command.args(["--run", &line, &format!("ws://127.0.0.1:{port}/")]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.expect("it starts");
        if interrupted {
            while left(&format!("^sleep {mark}")).is_empty() {
                thread::yield_now();
            }
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
        }
        let run = Run::of(child.wait_with_output().expect("it ends"));
        assert_eq!(run.code, Some(if interrupted { 2 } else { 0 }), "{run:?}");
        assert_eq!(left(&format!("^sleep {mark}")), "", "{run:?}");
        TcpListener::bind(("127.0.0.1", port)).expect("the server is gone");
    }
}

/// Nobody starts it again: what is seen is that nothing answers any more.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_replay_that_takes_a_running_server_down_is_reproduced() {
    let server = scripted("node", "throws.js", &[]);
    let desk = Desk::new();
    desk.write("mine", "upgrade\ntext hex ff\n");
    let url = server.url("/");
    let run = desk.hangup(&format!("replay mine --url {url} --close-within 1s"));
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.out.contains("ended its process: nothing answers any more"), "{run:?}");
    let shrink = desk.hangup(&format!("shrink mine --url {url} --close-within 1s"));
    assert!(shrink.code == Some(2) && shrink.err.contains("nothing answers"), "{shrink:?}");
}
