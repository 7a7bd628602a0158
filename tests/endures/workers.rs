//! Workers that are killed and stopped from outside are no fault of the target, and what is found does not
//! depend on how many workers there are, or on what else the machine does.

use crate::busy_cores::BusyCores;
use crate::command::{Draws, Run, children, folder, hangup, is_full, seed, signal, start};
use hangup::Registry;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So many workers play.
const JOBS: [u32; 4] = [1, 2, 7, 16];

/// A report without what is of one run alone: times, and the workers that were lost.
fn without_times(mut report: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for name in ["seconds", "scripts_per_second", "lost_workers"] {
                    fields.remove(name);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut report);
    report
}

/// Whether a worker has started: it is no copy of its supervisor any more, and has mapped its shared
/// memory.
fn plays(pid: u32) -> bool {
    let read = |what: &str| std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let has = |what: &str, part: &[u8]| read(what).windows(part.len()).any(|seen| seen == part);
    has("cmdline", b"\0worker\0") && has("maps", b"/memfd:hangup")
}

/// Runs a campaign, and sends its workers so many SIGKILL and SIGSTOP at random moments. The run,
/// and whether all signals were sent before it ended.
fn disturbed(arguments: &str, mut kills: u32, mut stops: u32, draws: &mut Draws) -> (Run, bool) {
    let folder = folder();
    let mut child = start(folder.path(), arguments);
    let mut signalled = BTreeSet::new();
    while kills + stops > 0 && child.try_wait().expect("a status").is_none() {
        std::thread::park_timeout(Duration::from_millis(draws.below(200)));
        // One that was stopped is left alone, and so is one that is dying.
        let is_new = |worker: &u32| !signalled.contains(worker) && plays(*worker);
        let workers: Vec<u32> = children(child.id()).into_iter().filter(is_new).collect();
        let Some(at) = workers.len().checked_sub(1).map(|last| draws.below(last as u64 + 1)) else {
            continue;
        };
        let worker = workers[at as usize];
        let stop = draws.below(u64::from(kills + stops)) < u64::from(stops);
        if signal(worker, if stop { "-STOP" } else { "-KILL" }) {
            signalled.insert(worker);
            let left = if stop { &mut stops } else { &mut kills };
            *left -= 1;
        }
    }
    (Run::of(child), kills + stops == 0)
}

/// The same campaign undisturbed and disturbed: the same report, and the workers are counted. On a
/// fast machine it has more scripts: it is to last until every signal was sent.
fn is_the_same_as_undisturbed(target: &str, scripts: u64, kills: u32, stops: u32) {
    let seed = seed();
    let doubled = (0..6).find_map(|times| {
        let scripts = scripts << times;
        let line = format!(
            "test {target} --scripts {scripts} --seed {seed} --jobs 2 --no-confirm --format json"
        );
        let (run, all_sent) = disturbed(&line, kills, stops, &mut Draws(seed));
        all_sent.then_some((line, run))
    });
    let Some((line, run)) = doubled else {
        panic!("32 times {scripts} scripts are too few for {kills} kills and {stops} stops");
    };
    let quiet = hangup(folder().path(), &line);
    let lost = run.json()["targets"][0]["lost_workers"].clone();
    eprintln!("{target}: {lost}");
    assert_eq!(run.code, quiet.code, "{run:?}");
    assert_eq!(without_times(run.json()), without_times(quiet.json()), "{lost}");
    // One that had nothing to do any more when its signal came is not missed by anybody.
    let all_but_one_each = |what: &str, sent: u32| {
        let counted = lost[what].as_u64().expect("a count");
        assert!((u64::from(sent) - 2..=u64::from(sent)).contains(&counted), "{what}: {lost}");
    };
    all_but_one_each("killed", kills);
    all_but_one_each("stopped", stops);
    assert!(lost["worker_bytes"].as_u64() > Some(1 << 20), "{lost}");
    assert!(lost["machine_bytes_left"].as_u64() > Some(1 << 20), "{lost}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn workers_that_are_killed_and_stopped_are_no_fault_of_a_server_that_closes_well() {
    let (scripts, kills, stops) = if is_full() { (400_000, 100, 20) } else { (60_000, 15, 3) };
    is_the_same_as_undisturbed("reference", scripts, kills, stops);
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn workers_that_are_killed_and_stopped_change_nothing_of_what_is_found() {
    let (scripts, kills, stops) = if is_full() { (200_000, 100, 20) } else { (30_000, 15, 3) };
    is_the_same_as_undisturbed("tungstenite/no-deadline", scripts, kills, stops);
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_aborts_or_is_killed_every_time_is_found_every_time() {
    let seeds = if is_full() { 20 } else { 3 };
    for seed in seed()..seed() + seeds {
        for target in ["nasty/aborts", "nasty/exits", "nasty/is-killed"] {
            let line = format!("test {target} --scripts 2000 --seed {seed} --format json");
            let run = hangup(folder().path(), &line);
            let report = &run.json()["targets"][0];
            let problems = report["problems"].as_array().expect("a list");
            assert_eq!((run.code, problems.len()), (Some(1), 1), "{target}, seed {seed}: {run:?}");
            let problem = &problems[0];
            assert_eq!(
                (&problem["invariant"], &problem["flaky"]),
                (&"no-panic".into(), &false.into())
            );
            assert!(report["lost_workers"].is_null(), "{target}, seed {seed}: {report}");
        }
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn where_every_worker_is_stopped_at_once_that_is_said_and_no_server_is_blamed() {
    let folder = folder();
    let line = "test reference --scripts 100 --jobs 1 --seed 1 --format json";
    let mut child = start(folder.path(), line);
    while child.try_wait().expect("a status").is_none() {
        // One that is stopped before it is a program of its own stops whoever starts it.
        for worker in children(child.id()).into_iter().filter(|worker| plays(*worker)) {
            signal(worker, "-STOP");
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    let run = Run::of(child);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("something stops it (SIGSTOP or a debugger)"), "{run:?}");
    assert!(!run.err.contains("stood still"), "{run:?}");
}

/// The targets of a run, by name.
fn reports(targets: &str, scripts: u64, jobs: u32) -> BTreeMap<String, Value> {
    let seed = seed();
    let line = format!(
        "test {targets} --scripts {scripts} --seed {seed} --jobs {jobs} --no-confirm --format json"
    );
    let run = hangup(folder().path(), &line);
    let report = without_times(run.json());
    let targets = report["targets"].as_array().expect("a list");
    let name = |target: &Value| target["name"].as_str().expect("a name").to_owned();
    let same = |target: &Value| {
        let mut target = target.clone();
        // A thread of this server's works for 10 ms of real time: how a play ends that waits for a
        // processor meanwhile, and what of it nobody can judge, is the machine's. What is found is not.
        if target["name"] == "clock/waits-for-a-thread" {
            let target = target.as_object_mut().expect("an object");
            target.retain(|field, _| !["unproven", "reached"].contains(&field.as_str()));
        }
        target
    };
    targets.iter().map(|target| (name(target), same(target))).collect()
}

/// A stall costs processor time, and more of it is short where more workers play.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_stall_is_one_for_any_number_of_workers_and_a_slow_script_is_none() {
    let _busy = BusyCores::new();
    let one = reports("nasty/spins-on-ping", 40, 1);
    assert_eq!(reports("nasty/spins-on-ping", 40, 16), one);
    let slow = "reference/polls-elapsed-deadline";
    assert_eq!(reports(slow, 400, 16), reports(slow, 400, 1));
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn any_number_of_workers_reports_the_same_on_a_busy_machine() {
    // Timers that have elapsed, work that is measured, deaths, other threads.
    let few = "reference reference/polls-elapsed-deadline reference/searches-head-again \
               tungstenite/no-deadline nasty/aborts clock/waits-for-a-thread";
    let registry = Registry::built_in();
    let names = registry.iter().map(|target| target.name());
    let all: Vec<&str> = names.filter(|name| !name.starts_with("flaky/")).collect();
    let all = all.join(" ");
    let (targets, scripts, rounds) = if is_full() { (&*all, 1000, 2) } else { (few, 300, 1) };
    let _busy = BusyCores::new();
    let first = reports(targets, scripts, JOBS[0]);
    let mut differ = Vec::new();
    for jobs in JOBS.into_iter().cycle().take(JOBS.len() * rounds).skip(1) {
        let again = reports(targets, scripts, jobs);
        assert_eq!(again.len(), first.len());
        let changed = first.iter().filter(|(name, report)| again[*name] != **report);
        differ.extend(changed.map(|(name, report)| {
            format!("{name} with --jobs {jobs}:\n{report}\n{}", again[name])
        }));
        eprintln!("--jobs {jobs}: {} targets, {} differ so far", first.len(), differ.len());
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
