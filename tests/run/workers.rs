//! Campaigns in worker processes, at the command line: what targets that take their
//! process down do to them, and what does not depend on who plays what.

use crate::cli::{Desk, NEW_FOLDER, Run, assert_fits, listens};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Each nasty target: the rule that it breaks, what is said of it, and how its shortest
/// script begins.
const NASTY: [(&str, &str, &str, &str); 4] = [
    ("nasty/aborts", "no-panic", "aborted its process (signal 6)", "upgrade\nclose 1B\n"),
    (
        "nasty/polls-for-ever",
        "no-spin",
        "stood still: it neither makes progress nor sleeps",
        "upgrade\nfirst 1 byte of close\nfin\n",
    ),
    (
        "nasty/eats-memory",
        "bounded-memory",
        "asked for more memory than its process may have",
        "upgrade\nclose 64KiB\n",
    ),
    ("nasty/exits", "no-panic", "ended its process with exit code 3", "upgrade\nclose 1000 hex "),
];

/// The process ids of the children of a process.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    // A thread starts each: they are the children of that thread.
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect(&path);
    let lists = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill").success(), "kill {name} {pid}");
}

/// Looks until it is so, for half a minute at most.
#[track_caller]
fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{what}: not within half a minute");
}

fn start(desk: &Desk, arguments: &str) -> Child {
    let mut command = desk.command(env!("CARGO_BIN_EXE_hangup"));
    command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

fn finish(child: Child) -> Run {
    Run::of(child.wait_with_output().expect("it ends"))
}

/// A worker of this process, once it plays.
fn a_worker(supervisor: &Child) -> u32 {
    soon("a worker", || {
        let pid = children(supervisor.id()).into_iter().next()?;
        // It has mapped its page.
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        maps.lines().any(|line| line.contains("/memfd:hangup")).then_some(pid)
    })
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_campaign_over_targets_that_kill_their_process_ends_with_a_finding_for_each() {
    let [aborts, _, eats_memory, exits] = NASTY;
    finds_each(&[aborts, eats_memory, exits], 1);
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_campaign_over_a_target_that_stalls_ends_within_a_minute() {
    let [_, polls_for_ever, ..] = NASTY;
    // One script in a thousand leaves half a Close before FIN: this seed's first is early.
    let json = finds_each(&[polls_for_ever], 2);
    assert!(json["seconds"].as_f64() < Some(60.0), "{}", json["seconds"]);
}

/// One finding for each of these nasty targets, and none for an honest one; the report.
fn finds_each(nasty: &[(&str, &str, &str, &str)], seed: u64) -> Value {
    let desk = Desk::new();
    let names: Vec<&str> = nasty.iter().map(|(name, ..)| *name).collect();
    let names = names.join(" ");
    let run =
        desk.hangup(&format!("test {names} reference --scripts 2000 --seed {seed} --format json"));
    let json = run.json();
    assert_eq!(run.code, 1, "{run:?}");
    let said = format!("seed {seed}: to play the same again, add --seed {seed}\n{NEW_FOLDER}");
    // On a busy machine it lasts longer than the ten seconds between lines of progress.
    let is_progress = |line: &&str| line.contains(" scripts, ") || line.contains(", by `");
    let err: String = run.err.split_inclusive('\n').filter(|line| !is_progress(line)).collect();
    assert_eq!(err, said, "nothing else is said");
    let targets = json["targets"].as_array().expect("targets");
    assert!(targets.len() > nasty.len(), "and an honest one");
    for target in targets {
        assert_eq!((&target["scripts"], &target["given_up"]), (&json!(2000), &json!(false)));
        let findings = target["findings"].as_array().expect("findings");
        let Some(nasty) = nasty.iter().find(|(name, ..)| target["name"] == *name) else {
            continue;
        };
        let (name, invariant, says, script) = nasty;
        let [finding] = &findings[..] else { panic!("one finding: {target}") };
        assert_eq!(finding["invariant"], *invariant, "{name}");
        let shortest = finding["script"].as_str().expect("a script");
        assert!(shortest.starts_with(script), "{name}: {shortest}");
        assert_eq!(finding["flaky"], false, "{name}");
        assert!(finding["sentence"].as_str().is_some_and(|sentence| sentence.contains(says)));
        is_replayed_drawn_and_shrunk_again(&desk, finding, says);
    }
    json
}

/// A repro of such a target does to nobody what it does to its process.
fn is_replayed_drawn_and_shrunk_again(desk: &Desk, finding: &Value, says: &str) {
    let path = finding["repro"].as_str().expect("it is saved");
    let replay = desk.hangup(&format!("replay {path}"));
    assert_eq!((replay.code, replay.err.as_str()), (1, ""), "{replay:?}");
    let unwrapped = replay.out.replace('\n', " ");
    assert!(unwrapped.starts_with("reproduced on ") && unwrapped.contains(says), "{replay:?}");
    let show = desk.hangup(&format!("show {path}"));
    assert_eq!((show.code, show.err.as_str()), (0, ""), "{show:?}");
    let marked = show.out.lines().find(|line| line.starts_with('!'));
    assert!(marked.is_some_and(|line| line.ends_with(says)), "{show:?}");
    assert!(show.out.contains("101 Switching Protocols"), "what led to it is drawn: {show:?}");
    assert_fits(&show.out);
    let shrink = desk.hangup(&format!("shrink {path}"));
    assert_eq!((shrink.code, Some(shrink.out.as_str())), (1, finding["script"].as_str()));
    let fixed = desk.hangup(&format!("replay {path} --target reference"));
    assert_eq!(fixed.code, 0, "{fixed:?}");
}

#[test]
fn the_time_and_the_trace_of_a_death_are_those_of_the_script() {
    let desk = Desk::new();
    desk.write("late.script", "upgrade\napp send text \"news\"\nwait 3s\nclose 1B\n");
    let run = desk.hangup("show late.script --target nasty/aborts");
    assert!(run.out.contains("At 3.000 s the server aborted"), "{run:?}");
    assert!(run.out.contains("- text, 4 bytes") || run.out.contains("- Text, 4 bytes"), "{run:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_time_of_a_stall_is_that_of_the_script() {
    let desk = Desk::new();
    desk.write("waits.script", "upgrade\nfirst 1 byte of close\nwait 2s\nfin\n");
    let run = desk.hangup("show waits.script --target nasty/polls-for-ever");
    assert!(run.out.contains("At 2.000 s the server stood still"), "{run:?}");
}

/// What a campaign of so many scripts reports of a target, played by so many workers.
fn report_of(target: &str, scripts: u64, jobs: u32) -> (Run, Value) {
    let desk = Desk::new();
    let line = format!("test {target} --scripts {scripts} --seed 1 --jobs {jobs} --format json");
    let run = desk.hangup(&line);
    let target = run.json()["targets"][0].clone();
    (run, target)
}

/// The rules that are broken.
fn broken(target: &Value) -> BTreeSet<&str> {
    let findings = target["findings"].as_array().expect("findings").iter();
    findings.filter_map(|finding| finding["invariant"].as_str()).collect()
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_server_that_aborts_in_one_of_ten_scripts_is_tested_to_the_end() {
    let (two, target) = report_of("nasty/aborts-on-ping", 10_000, 2);
    assert_eq!((&target["scripts"], &target["given_up"]), (&json!(10_000), &json!(false)));
    let passed_over = target["passed_over"].as_u64().expect("a count");
    // One of ten crashes; passed over may be twice that. Of the first 6,000, none is.
    assert!((100..800).contains(&passed_over), "{passed_over}");
    let broken = broken(&target);
    assert!(broken.contains("no-panic") && broken.contains("ends-in-time"), "{broken:?}");
    let (three, _) = report_of("nasty/aborts-on-ping", 10_000, 3);
    assert_eq!(three.without_times(), two.without_times(), "whoever played them");
}

#[test]
#[ignore = "half a minute: .ci/run plays it"]
fn both_problems_of_a_server_that_aborts_in_one_of_ten_scripts_and_hangs_in_another_are_found() {
    let (_, target) = report_of("nasty/aborts-on-ping", 100_000, 2);
    assert_eq!((&target["scripts"], &target["given_up"]), (&json!(100_000), &json!(false)));
    let broken = broken(&target);
    assert!(broken.contains("no-panic") && broken.contains("ends-in-time"), "{broken:?}");
    assert!(target["passed_over"].as_u64() < Some(20_000), "{}", target["passed_over"]);
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_stalls_in_one_of_ten_scripts_is_tested_on() {
    let (run, target) = report_of("nasty/spins-on-ping", 5_000, 2);
    assert_eq!((&target["scripts"], &target["given_up"]), (&json!(5_000), &json!(false)));
    assert!(target["passed_over"].as_u64() > Some(100), "{}", target["passed_over"]);
    assert_eq!(broken(&target), BTreeSet::from(["no-spin"]), "{target}");
    assert!(run.json()["seconds"].as_f64() < Some(240.0), "{}", run.json()["seconds"]);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn any_number_of_workers_prints_the_same_json_and_saves_the_same_files() {
    let targets = "reference tungstenite nasty/aborts nasty/exits";
    let with = |jobs: u32| {
        let desk = Desk::new();
        let line = format!("test {targets} --scripts 1500 --seed 7 --jobs {jobs} --format json");
        let run = desk.hangup(&line);
        assert_eq!(run.code, 1, "{run:?}");
        (run.without_times(), desk.files("hangup-findings"))
    };
    let one: (String, BTreeMap<String, Vec<u8>>) = with(1);
    assert!(one.1.len() > 4, "{:?}", one.1.keys());
    assert_eq!(with(2), one);
    assert_eq!(with(3), one);
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_worker_that_something_kills_is_counted_and_is_no_finding() {
    let desk = Desk::new();
    let child =
        start(&desk, "test tungstenite/reader-task --for 60s --jobs 1 --seed 1 --format json");
    for _ in 0..4 {
        let worker = a_worker(&child);
        signal(worker, "-KILL");
        soon("another worker", || children(child.id()).into_iter().find(|pid| *pid != worker));
        let is_over = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
        assert!(is_over.is_ok_and(|stat| !stat.contains(") Z ")), "the campaign goes on");
        std::thread::park_timeout(Duration::from_millis(500));
    }
    // On a busy machine a worker needs some time until it has played anything.
    std::thread::park_timeout(Duration::from_secs(3));
    let next = a_worker(&child);
    signal(child.id(), "-INT");
    let run = finish(child);
    assert!(!lives(next), "the crew leaves with its supervisor");
    let json = run.json();
    let target = &json["targets"][0];
    assert!(target["scripts"].as_u64() > Some(0), "{json}");
    assert_eq!((run.code, &target["findings"]), (2, &json!([])), "{run:?}");
    let lost = &target["lost_workers"];
    assert_eq!((&lost["killed"], &lost["stopped"]), (&json!(4), &json!(0)), "{json}");
    assert!(lost["worker_bytes"].is_u64() && lost["machine_bytes_left"].is_u64(), "{json}");
    assert!(desk.files("hangup-findings").is_empty(), "nothing is saved");
}

#[test]
fn a_server_that_is_killed_every_time_is_blamed_for_it() {
    let desk = Desk::new();
    let run = desk.hangup("test nasty/is-killed --scripts 2000 --seed 1 --jobs 2 --format json");
    let json = run.json();
    let target = &json["targets"][0];
    let findings = target["findings"].as_array().expect("findings");
    let [finding] = &findings[..] else { panic!("one finding: {target}") };
    assert_eq!((run.code, &finding["flaky"]), (1, &json!(false)), "{target}");
    let sentence = finding["sentence"].as_str().expect("a sentence");
    assert!(sentence.ends_with("he server had its process killed by signal 9."), "{sentence}");
    assert_eq!(finding["script"], "upgrade\nclose 1B\n");
    assert!(target["lost_workers"].is_null(), "{target}");
}

#[test]
fn a_finding_that_does_not_repeat_every_time_is_reported_with_its_rate() {
    let desk = Desk::new();
    let run = desk.hangup("test flaky/forgets --scripts 300 --seed 1 --jobs 2 --format json");
    let json = run.json();
    let problems = json["targets"][0]["problems"].as_array().expect("problems");
    assert!(run.code == 1 && !problems.is_empty(), "{run:?}");
    for problem in problems {
        assert_eq!(problem["flaky"], true, "{problem}");
        assert!(desk.path(problem["repro"].as_str().expect("saved")).is_file());
    }
    let findings = json["targets"][0]["findings"].as_array().expect("findings");
    for shrunk in findings.iter().filter(|finding| finding["repro"].is_string()) {
        assert!(shrunk["rate"].as_f64() < Some(0.7), "{shrunk}");
        let file = std::fs::read_to_string(desk.path(shrunk["repro"].as_str().expect("a file")));
        assert!(file.expect("it is saved").contains(" Not each time: "), "{shrunk}");
    }
    let run = desk.hangup("test flaky/forgets --scripts 300 --seed 1 --jobs 2");
    assert!(run.out.contains("flaky: ") && run.out.contains(" % of replays show it"), "{run:?}");
}

#[test]
fn ctrl_c_ends_the_workers_too() {
    ctrl_c_ends_the_workers_of("tungstenite/reader-task");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn ctrl_c_ends_a_worker_that_stalls() {
    ctrl_c_ends_the_workers_of("nasty/polls-for-ever");
}

fn ctrl_c_ends_the_workers_of(target: &str) {
    let desk = Desk::new();
    let child = start(&desk, &format!("test {target} --for 60s --jobs 2 --seed 1"));
    soon("it listens", || listens(&child).then_some(()));
    a_worker(&child);
    let found = || !desk.files("hangup-findings").is_empty();
    soon("a finding", || (!target.starts_with("nasty") || found()).then_some(()));
    let workers = children(child.id());
    signal(child.id(), "-INT");
    let run = finish(child);
    assert!(run.err.contains("interrupted (SIGINT): "), "{run:?}");
    assert!(run.err.ends_with("1 target not fully tested\n"), "{run:?}");
    assert_eq!(run.code, if found() { 1 } else { 2 }, "{run:?}");
    assert!(!workers.into_iter().any(lives), "{run:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_worker_does_not_outlive_a_supervisor_that_is_killed() {
    let desk = Desk::new();
    desk.write("still.script", "upgrade\nfirst 1 byte of close\nfin\n");
    let mut child = start(&desk, "show still.script --target nasty/polls-for-ever");
    let worker = a_worker(&child);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    soon("the worker leaves", || (!lives(worker)).then_some(()));
}

#[test]
fn a_worker_that_cannot_be_started_is_an_error_on_one_line() {
    let desk = Desk::new();
    desk.write("hang.script", "upgrade\n");
    let show = "show hang.script --target reference";
    for command in ["test reference --scripts 5 --format json", show] {
        // Not even the shared page may be that large. `test` tries its folder for findings before that.
        let run = desk.sh(&format!("trap '' XFSZ; ulimit -f 0; exec hangup {command}"));
        let error = run.err.lines().last().expect("an error");
        assert_eq!((run.code, run.err.matches("error: ").count()), (2, 1), "{run:?}");
        let why = if command == show { "no worker process can be started: " } else { "findings " };
        assert!(error.starts_with(&format!("error: {why}")), "{run:?}");
    }
}

#[test]
fn a_campaign_takes_no_more_memory_the_longer_it_lasts() {
    let desk = Desk::new();
    for target in ["reference/split-tasks", "tungstenite/no-deadline"] {
        let command = format!("test {target} --scripts 4000 --seed 1 --jobs 1 --memory 16");
        let json = desk.hangup(&format!("{command} --format json")).json();
        let findings = json["targets"][0]["findings"].as_array().expect("findings").iter();
        let exhausted = findings.filter(|finding| finding["invariant"] == "bounded-memory");
        assert_eq!(exhausted.count(), 0, "4 KiB a script are too much: {json}");
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_worker_that_has_just_started_has_the_memory_that_it_was_promised() {
    let desk = Desk::new();
    for seed in 1..=6 {
        // Each abort starts another worker.
        let command = format!("test nasty/aborts --scripts 4000 --seed {seed} --memory 16");
        let json = desk.hangup(&format!("{command} --format json")).json();
        let findings = json["targets"][0]["findings"].as_array().expect("findings");
        let flaky: Vec<_> = findings.iter().filter(|finding| finding["flaky"] == true).collect();
        assert!(flaky.is_empty(), "it was short of memory: {flaky:?}");
    }
}
