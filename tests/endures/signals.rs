//! Signals at random moments: whoever stops a run, and however, gets what was found by then.

#![expect(clippy::disallowed_methods, reason = "signals come at moments of real time")]

use crate::command::{Draws, Run, children, folder, is_full, seed, signal, start};
use crate::xml::assert_well_formed;
use hangup::finding::repro::Repro;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Those that ask a run to end.
///
/// # Panics
///
/// Where SIGHUP is ignored, as under `nohup`: hangup keeps it so.
fn signals() -> [&'static str; 3] {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    assert!(ignored & 1 == 0, "SIGHUP is ignored here: start these tests without nohup");
    ["-INT", "-TERM", "-HUP"]
}

/// How long a run may take to end.
const LIMIT: Duration = Duration::from_secs(2);

/// What is tested in process: a server with a hang, one that stands still, sound ones, one whose
/// findings are asked about in real time.
const TARGETS: [&str; 5] = [
    "tungstenite/no-deadline",
    "nasty/polls-for-ever",
    "nasty/",
    "reference reference/split-tasks",
    "clock/reads-the-systems",
];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `test` with all its reports.
fn test_command(targets: &str) -> Vec<String> {
    let line = format!("test {targets} --for 60s --seed 1 --jobs 2 --format json --junit j.xml");
    line.split_whitespace().map(str::to_owned).collect()
}

/// `probe` of a server with hangs, which has a child and takes no notice of SIGTERM.
fn probe_command() -> Vec<String> {
    let hangup = env!("CARGO_BIN_EXE_hangup");
    let server = format!(
        "sleep 600 & trap '' TERM; {hangup} serve reference/no-deadline --listen 127.0.0.1:$PORT; true"
    );
    let line =
        "probe --scripts 300 --seed 1 --close-within 2s --watch 60s --format json --junit j.xml";
    let words = line.split_whitespace().map(str::to_owned);
    words.chain(["--run".to_owned(), server]).collect()
}

/// A run in a folder of its own, in which temporary files are made too.
fn begin(folder: &Path, program: &[&str], arguments: &[String]) -> Child {
    std::fs::create_dir(folder.join("tmp")).expect("made");
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).args(arguments);
    command.current_dir(folder).env("TMPDIR", folder.join("tmp"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// Waits until a process listens to SIGINT.
fn until_it_listens(child: &mut Child) {
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        if u64::from_str_radix(caught.trim(), 16).expect("a mask") & 2 != 0 {
            return;
        }
        assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
        sleep(millis(1));
    }
}

/// The processes that work in a folder: all that a run starts do.
fn processes_in(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().expect("a folder");
    let all = std::fs::read_dir("/proc").expect("Linux has it").flatten();
    let works_there = |process: &std::fs::DirEntry| {
        std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    };
    let name = |process: std::fs::DirEntry| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ")
    };
    all.filter(works_there).map(name).collect()
}

/// Everything that must hold of a run that was stopped: the reports are whole and say so, each problem
/// has its file, and nothing else is left.
#[track_caller]
fn assert_stopped_well(folder: &Path, run: &Run, code: Option<i32>) {
    let json = run.json();
    assert_eq!(json["interrupted"], true, "{run:?}");
    assert_eq!(run.err.matches("interrupted (SIG").count(), 1, "{run:?}");
    let xml = std::fs::read_to_string(folder.join("j.xml")).expect("a report");
    assert_well_formed(&xml);
    assert!(xml.contains("interrupted"), "{xml}");
    let targets = json["targets"].as_array().expect("targets");
    let problems = targets.iter().flat_map(|target| target["problems"].as_array().expect("a list"));
    let file = |problem: &serde_json::Value| problem["repro"].as_str().expect("a file").to_owned();
    let told: BTreeSet<String> = problems.map(file).collect();
    for file in &told {
        let text = std::fs::read_to_string(folder.join(file)).expect(file);
        Repro::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}\n{text}"));
    }
    assert_eq!(run.code, code.or(Some(if told.is_empty() { 2 } else { 1 })), "{run:?}");
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect()
    };
    let mut saved = names(&folder.join("hangup-findings"));
    assert_eq!(saved.remove(".gitignore"), !told.is_empty(), "{run:?}");
    let saved: BTreeSet<String> =
        saved.into_iter().map(|name| format!("hangup-findings/{name}")).collect();
    assert_eq!(saved, told, "{run:?}");
    assert_eq!(names(&folder.join("tmp")), BTreeSet::new(), "temporary files are left");
    let known = ["hangup-findings", "j.xml", "tmp"];
    assert!(names(folder).iter().all(|name| known.contains(&name.as_str())), "{run:?}");
    assert_eq!(processes_in(folder), Vec::<String>::new(), "processes are left");
}

/// Sends a signal after a while, and looks at what comes of it.
fn stop_after(wait: Duration, by: &str, arguments: &[String]) {
    let folder = folder();
    let mut child = begin(folder.path(), &[env!("CARGO_BIN_EXE_hangup")], arguments);
    until_it_listens(&mut child);
    sleep(wait);
    assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
    let at = Instant::now();
    assert!(signal(child.id(), by));
    let run = Run::of(child);
    let took = at.elapsed();
    println!("{by} after {wait:?}: {took:?}, code {:?}: {}", run.code, arguments[1]);
    assert!(took < LIMIT, "{by} after {wait:?}: {took:?}: {run:?}");
    assert_stopped_well(folder.path(), &run, None);
}

/// How often something is done for each signal.
fn moments() -> u64 {
    if is_full() { 30 } else { 3 }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_campaign_that_is_stopped_reports_and_saves_what_it_has_found() {
    let mut draws = Draws(seed());
    for by in signals() {
        for _ in 0..moments() {
            let targets = TARGETS[draws.below(TARGETS.len() as u64) as usize];
            // The first moments are those in which workers start.
            let longest = if draws.below(3) == 0 { 150 } else { 4000 };
            stop_after(millis(draws.below(longest)), by, &test_command(targets));
        }
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_probe_that_is_stopped_reports_and_saves_what_it_has_found() {
    let mut draws = Draws(seed() + 1);
    for by in signals() {
        for _ in 0..moments() {
            let longest = if draws.below(3) == 0 { 500 } else { 9000 };
            stop_after(millis(draws.below(longest)), by, &probe_command());
        }
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_time_limit_by_gnu_timeout_is_one_wish_although_it_sends_two_signals() {
    let mut draws = Draws(seed() + 2);
    for by in ["--signal=INT", "--signal=TERM", "--verbose"] {
        for _ in 0..if is_full() { 20 } else { 2 } {
            let after = format!("{}", 0.5 + draws.below(3000) as f64 / 1000.0);
            let targets = TARGETS[draws.below(TARGETS.len() as u64) as usize];
            let is_test = draws.below(2) == 0;
            let arguments = if is_test { test_command(targets) } else { probe_command() };
            let folder = folder();
            let program = ["timeout", by, after.as_str(), env!("CARGO_BIN_EXE_hangup")];
            let run = Run::of(begin(folder.path(), &program, &arguments));
            println!("timeout {by} {after}: {}", arguments[1]);
            assert_stopped_well(folder.path(), &run, Some(124));
        }
    }
}

/// A service manager, or a container that ends, signals every process.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_stop_of_every_process_is_no_death_of_the_target() {
    let mut draws = Draws(seed() + 3);
    for round in 0..moments() {
        let folder = folder();
        let targets = ["reference", "reference/split-tasks", "nasty/polls-for-ever"];
        let arguments = test_command(targets[round as usize % targets.len()]);
        let mut child = begin(folder.path(), &[env!("CARGO_BIN_EXE_hangup")], &arguments);
        until_it_listens(&mut child);
        sleep(millis(150 + draws.below(300)));
        // The workers first: the supervisor hears of it after they are gone.
        let all: Vec<String> =
            children(child.id()).into_iter().chain([child.id()]).map(|id| id.to_string()).collect();
        assert!(all.len() > 1, "there are workers");
        let by = signals()[round as usize % 3];
        let mut kill = Command::new("kill");
        kill.arg(by).args(&all).stderr(Stdio::null()).status().expect("kill");
        let run = Run::of(child);
        assert_stopped_well(folder.path(), &run, Some(2));
    }
}

/// A run that cannot print its report: its stdout is full, and nobody reads.
fn with_full_stdout(folder: &Path) -> (Child, std::io::PipeReader) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // Just what a pipe of Linux takes.
    writer.write_all(&vec![b' '; 1 << 16]).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
    command.args(test_command("reference")).current_dir(folder).env("TMPDIR", folder);
    let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()).spawn();
    let mut child = child.expect("it starts");
    until_it_listens(&mut child);
    sleep(millis(200));
    assert!(signal(child.id(), "-INT"));
    (child, reader)
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_second_signal_half_a_second_later_ends_it_at_once_and_an_earlier_one_does_not() {
    for (by, code) in signals().into_iter().zip([130, 143, 129]) {
        let folder = folder();
        let (mut child, mut reader) = with_full_stdout(folder.path());
        sleep(millis(1500));
        assert_eq!(child.try_wait().expect("a status"), None, "it waits for its reader");
        let at = Instant::now();
        assert!(signal(child.id(), by));
        assert_eq!(child.wait().expect("a status").code(), Some(code));
        assert!(at.elapsed() < millis(1000), "{:?}", at.elapsed());
        assert_eq!(processes_in(folder.path()), Vec::<String>::new());
        let mut out = String::new();
        reader.read_to_string(&mut out).expect("text");
        assert_eq!(out.trim(), "");

        let (mut child, mut reader) = with_full_stdout(folder.path());
        sleep(millis(200));
        assert!(signal(child.id(), by));
        sleep(millis(1000));
        assert_eq!(child.try_wait().expect("a status"), None, "{by} is the same wish");
        out.clear();
        reader.read_to_string(&mut out).expect("text");
        assert_eq!(child.wait().expect("a status").code(), Some(2));
        let json: serde_json::Value = serde_json::from_str(out.trim()).expect("JSON");
        assert_eq!(json["interrupted"], true);
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_a_probe_sees_is_in_a_file_before_it_is_confirmed() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
    command.args(probe_command()).current_dir(folder.path()).process_group(0);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.expect("it starts");
    let findings = folder.path().join("hangup-findings");
    let first = loop {
        let entries = std::fs::read_dir(&findings).into_iter().flatten().flatten();
        let mut files = entries.map(|entry| entry.path());
        if let Some(file) = files.find(|file| file.extension().is_some_and(|it| it == "toml")) {
            break file;
        }
        assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
        sleep(millis(5));
    };
    let seen = Repro::parse(&std::fs::read_to_string(&first).expect("a file")).expect("whole");
    let server = children(child.id());
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    for process in server {
        // The server is a group of its own.
        signal_group(process);
    }
    assert!(!seen.confirmed && first.display().to_string().ends_with("--unconfirmed.toml"));
}

fn signal_group(leader: u32) {
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &format!("-{leader}")]).stderr(Stdio::null());
    let _ = kill.status();
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn shrinking_that_is_stopped_saves_the_smallest_script_so_far() {
    let folder = folder();
    let script = "upgrade\ntext \"a\"\nping\nwait 1s\nfirst 1 byte of close\nwait 2s\nfin\n";
    std::fs::write(folder.path().join("long.script"), script).expect("written");
    let stopped_after = |wait| {
        let mut child = start(folder.path(), "shrink long.script --target nasty/polls-for-ever");
        until_it_listens(&mut child);
        sleep(wait);
        assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
        let at = Instant::now();
        assert!(signal(child.id(), "-TERM"));
        let run = Run::of(child);
        assert!(at.elapsed() < LIMIT, "{:?}: {run:?}", at.elapsed());
        run
    };
    let mut run = stopped_after(millis(3000));
    if run.code == Some(2) {
        // A busy machine had not even played the script itself.
        run = stopped_after(millis(10_000));
    }
    assert!(run.code == Some(1) && run.err.contains("interrupted (SIGTERM)"), "{run:?}");
    let saved = run.err.trim().rsplit("saved as ").next().expect("a path");
    let text = std::fs::read_to_string(folder.path().join(saved)).expect("a file");
    assert_eq!(Repro::parse(&text).expect("a repro").script.to_string(), run.out);
    assert_eq!(processes_in(folder.path()), Vec::<String>::new());
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_replay_that_is_stopped_says_so_and_nothing_else() {
    let folder = folder();
    let script = "upgrade\nfirst 1 byte of close\nfin\n";
    std::fs::write(folder.path().join("still.script"), script).expect("written");
    let mut child = start(folder.path(), "replay still.script --target nasty/polls-for-ever");
    until_it_listens(&mut child);
    sleep(millis(200));
    let [.., hang_up] = signals();
    assert!(signal(child.id(), hang_up));
    let run = Run::of(child);
    assert_eq!((run.code, run.out.as_str(), run.err.lines().count()), (Some(2), "", 1), "{run:?}");
    assert!(run.err.starts_with("interrupted (SIGHUP)"), "{run:?}");
    assert_eq!(processes_in(folder.path()), Vec::<String>::new());
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_run_under_nohup_outlives_its_terminal() {
    let folder = folder();
    let line = "test reference --scripts 20000 --seed 1 --no-confirm";
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let program = ["nohup", env!("CARGO_BIN_EXE_hangup")];
    let mut child = begin(folder.path(), &program, &arguments);
    until_it_listens(&mut child);
    assert!(signal(child.id(), "-HUP"));
    let run = Run::of(child);
    assert!(run.code == Some(0) && !run.err.contains("interrupted"), "{run:?}");
}
