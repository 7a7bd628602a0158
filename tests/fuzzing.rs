//! The fuzz targets without libFuzzer: the committed seeds, what becomes of a finding,
//! and files that a fuzzer left before hangup changed.

use hangup::finding::repro::Repro;
use hangup::fuzzing::{self, Fuzz, Seed, seeds};
use hangup::target::Deviation;
use hangup::verdict::{Invariant, Pattern};
use hangup::{Connection, Registry, Script, Target, secs};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The bug of the article, in one script.
const HANG: &[u8] = b"upgrade\napp close\n";

fn target(name: &str) -> Arc<dyn Target> {
    Arc::clone(Registry::built_in().find(name).expect(name))
}

/// As a fuzzing process would have it, with its artifacts in `directory`.
fn process(name: &str, directory: &Path) -> Fuzz {
    with_artifacts(Fuzz::new(target(name)), directory)
}

fn with_artifacts(fuzz: Fuzz, directory: &Path) -> Fuzz {
    let prefix = format!("-artifact_prefix={}/", directory.display());
    fuzz.with_arguments(["fuzz".to_owned(), prefix, "-runs=1".to_owned()])
}

/// What the fuzzer is told, where it is told of a finding.
fn told(fuzz: &Fuzz, script: &[u8]) -> Option<String> {
    let text = |panic: Box<dyn Any + Send>| panic.downcast_ref::<String>().cloned();
    match catch_unwind(AssertUnwindSafe(|| fuzz.script(script))) {
        Ok(_) => None,
        Err(panic) => Some(text(panic).expect("a report")),
    }
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_seeds_are_those_that_the_command_writes() {
    let mut committed = BTreeMap::new();
    for target in files(&root().join("fuzz/seeds")) {
        let directory = root().join("fuzz/seeds").join(&target);
        for name in files(&directory) {
            let bytes = std::fs::read(directory.join(&name)).expect("a seed");
            committed.insert((target.clone(), name), bytes);
        }
    }
    let made: BTreeMap<(String, String), Vec<u8>> = seeds()
        .into_iter()
        .map(|Seed { target, name, bytes }| ((target.to_owned(), name), bytes))
        .collect();
    let differ: Vec<_> = made.keys().filter(|key| committed.get(key) != made.get(key)).collect();
    let stale: Vec<_> = committed.keys().filter(|key| !made.contains_key(key)).collect();
    assert!(
        differ.is_empty() && stale.is_empty(),
        "run cargo run --example fuzz_seeds: {differ:?} {stale:?}"
    );
}

#[test]
fn the_committed_dictionaries_are_those_that_the_command_writes() {
    let made = fuzzing::dictionaries();
    let names: Vec<String> = made.iter().map(|(target, _)| format!("{target}.dict")).collect();
    let directory = root().join("fuzz/dictionaries");
    assert_eq!(files(&directory), names);
    for (target, text) in made {
        let path = directory.join(format!("{target}.dict"));
        let committed = std::fs::read_to_string(path).expect("a dictionary");
        assert!(committed == text, "{target}: run cargo run --example fuzz_seeds");
        assert!(text.lines().count() > 40, "{text}");
    }
}

/// Every target over its committed corpus, as a fuzzer begins.
#[test]
fn every_seed_is_taken_by_its_target_and_finds_nothing_on_an_honest_server() {
    let directory = tempfile::tempdir().expect("a directory");
    let fuzz = process("reference", directory.path());
    for target in files(&root().join("fuzz/seeds")) {
        for path in files(&root().join("fuzz/seeds").join(&target)) {
            let path = root().join("fuzz/seeds").join(&target).join(path);
            let bytes = std::fs::read(&path).expect("a seed");
            let taken = match target.as_str() {
                "script" => fuzz.script(&bytes),
                "bytes" => fuzz.bytes(&bytes),
                "wire" => fuzzing::wire(&bytes),
                "notation" => fuzzing::notation(&bytes),
                "repro" => fuzzing::repro(&bytes),
                other => panic!("no target {other}"),
            };
            assert!(taken, "{} is refused", path.display());
        }
    }
    assert_eq!(files(directory.path()), [""; 0], "no finding was saved");
}

#[test]
fn a_finding_is_saved_as_a_repro_with_its_report_and_reported_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let fuzz = process("tungstenite/no-deadline", directory.path());
    let long = b"upgrade\nping\nwait 1s\napp close 1001 \"bye\"\nawait close\n";
    let report = told(&fuzz, long).expect("a finding");
    let names = files(directory.path());
    let repro = names.first().expect("a repro, and then its report");
    let saved = directory.path().join(repro);
    assert!(report.contains("never ends the connection"), "{report}");
    assert!(report.ends_with(&format!("\nagain:\n\n    fuzz {}\n", saved.display())), "{report}");
    let text = std::fs::read_to_string(saved.with_extension("txt")).expect("the report");
    assert!(report.contains(&text), "{text}");
    let repro = Repro::parse(&std::fs::read_to_string(&saved).expect("a file")).expect("a repro");
    assert_eq!(repro.script.to_string(), "upgrade\napp close\n", "it was shrunk");
    assert_eq!(told(&fuzz, long), None, "once");
    assert_eq!(told(&fuzz, HANG), None, "another script of the same finding");
    assert_eq!(files(directory.path()), names);
}

#[test]
fn a_process_reports_only_findings_that_no_other_process_has_saved() {
    let directory = tempfile::tempdir().expect("a directory");
    let (one, other) = (
        process("reference/no-deadline", directory.path()),
        process("reference/no-deadline", directory.path()),
    );
    assert!(told(&one, HANG).is_some());
    assert_eq!(told(&other, HANG), None);
    assert_eq!(told(&other, b"upgrade\napp close\nping\n"), None, "a variant of the same problem");
    let other_problem = b"window 1B\nsend buffer 1B\nupgrade\nstop reading\napp close 1000\n";
    assert!(told(&other, other_problem).is_some());
    let third = process("tungstenite/no-deadline", directory.path());
    assert!(told(&third, HANG).is_some(), "of another target it is another finding");
}

#[test]
fn a_file_that_is_tried_again_fails_again() {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(told(&process("reference/no-deadline", directory.path()), HANG).is_some());
    let artifact = directory.path().join("crash-1");
    std::fs::write(&artifact, HANG).expect("written");
    let again = process("reference/no-deadline", directory.path())
        .with_arguments(["fuzz".to_owned(), artifact.display().to_string()]);
    assert!(told(&again, HANG).is_some());
    assert!(told(&again, HANG).is_some());
}

/// cargo fuzz names any of the files in its line to paste.
#[test]
fn every_file_that_is_left_is_an_input_that_fails_again() {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(told(&process("reference/no-deadline", directory.path()), HANG).is_some());
    let names = files(directory.path());
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let path = directory.path().join(name);
        let bytes = std::fs::read(&path).expect("a file");
        let again = process("reference/no-deadline", directory.path())
            .with_arguments(["fuzz".to_owned(), path.display().to_string()]);
        assert!(told(&again, &bytes).is_some(), "{}", path.display());
        let raw = catch_unwind(AssertUnwindSafe(|| again.bytes(&bytes)));
        assert!(raw.is_err(), "{}", path.display());
        assert!(process("reference", directory.path()).script(&bytes), "played, and kept there");
    }
}

/// What nobody can judge is no finding: without -fork, it would end the night.
#[test]
fn what_cannot_be_judged_is_said_and_fails_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = hangup::target::clock::OwnClock::Thread;
    let fuzz = with_artifacts(Fuzz::new(Arc::new(clock)), directory.path());
    assert_eq!(told(&fuzz, b"upgrade\nclose 1000\n"), None);
    assert_eq!(files(directory.path()), [""; 0]);
}

#[test]
fn a_finding_that_cannot_be_saved_is_still_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    let report = told(&process("reference/no-deadline", &file), HANG).expect("a finding");
    assert!(report.contains("not saved: "), "{report}");
}

/// Opens, reads until the client's FIN, and never ends.
async fn hangs(mut conn: Connection) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bytes = [0; 1024];
    let _ = conn.read(&mut bytes).await;
    let accept = hangup::wire::handshake::switching_protocols(hangup::wire::handshake::ACCEPT);
    let _ = conn.write_all(accept.as_bytes()).await;
    while conn.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    std::future::pending::<()>().await;
}

#[test]
fn a_server_of_ones_own_is_fuzzed_by_its_suite_and_what_it_accepts_is_no_finding() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::suite(hangs).named("mine").close_within(secs(1));
    let report = told(&with_artifacts(Fuzz::from(suite.clone()), directory.path()), b"fin\n");
    assert!(report.as_ref().is_some_and(|text| text.starts_with("mine: ")), "{report:?}");
    let accepting = Invariant::ALL.iter().fold(suite, |suite, invariant| {
        suite.accepting(Deviation {
            pattern: Pattern::of(*invariant),
            reason: "this test",
            rfc: "-",
            rate: None,
        })
    });
    let other = tempfile::tempdir().expect("a directory");
    assert_eq!(told(&with_artifacts(Fuzz::from(accepting), other.path()), b"fin\n"), None);
}

#[test]
fn raw_bytes_find_the_hang_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let fuzz = process("reference/no-deadline", directory.path());
    let seed = root().join("fuzz/seeds/bytes/app-closes-and-the-client-is-silent");
    let bytes = std::fs::read(seed).expect("a seed");
    assert!(catch_unwind(AssertUnwindSafe(|| fuzz.bytes(&bytes))).is_err());
    assert_eq!(files(directory.path()).len(), 2);
    assert!(!fuzz.bytes(b""), "no bytes are no case");
}

#[test]
fn a_script_that_takes_too_long_is_refused_and_not_played() {
    let directory = tempfile::tempdir().expect("a directory");
    let fuzz = process("reference", directory.path());
    let long = "ping\n".repeat(200);
    for text in ["frobnicate", "upgrade\nping x 10000\n", "text 16MiB\n", &long] {
        assert!(!fuzz.script(text.as_bytes()), "{text}");
    }
    assert!(!fuzz.script(b"\xff"));
    assert!(fuzz.script(b"upgrade\nping x 12\n"));
}

/// The mutator alone, from nothing and with no coverage to guide it.
#[test]
fn mutations_of_nothing_find_the_planted_faults() {
    for name in ["reference/no-deadline", "reference/answers-by-fin", "tungstenite/no-deadline"] {
        let directory = tempfile::tempdir().expect("a directory");
        let fuzz = process(name, directory.path());
        let mut data = vec![0; 400];
        let mut size = 1;
        let found = (0..4_000).any(|seed| {
            size = fuzz.mutate(&mut data, size, 400, seed);
            told(&fuzz, &data[..size]).is_some()
        });
        assert!(found, "{name}");
    }
}

fn artifacts() -> Vec<(&'static str, PathBuf)> {
    let targets =
        ["tungstenite/no-deadline", "reference/no-deadline", "reference/reads-the-end-again"];
    let mut all = Vec::new();
    for target in targets {
        let directory = root().join("tests/artifacts").join(target.replace('/', "-"));
        all.extend(files(&directory).into_iter().map(|name| (target, directory.join(name))));
    }
    all
}

/// The unit tests do the same with a kind of step that these files were made before.
#[test]
fn a_crash_file_still_reproduces() {
    assert!("idle".parse::<Script>().is_err(), "the unit tests alone have this kind of step");
    let all = artifacts();
    assert!(all.len() > 3);
    for (name, path) in all {
        let directory: TempDir = tempfile::tempdir().expect("a directory");
        let bytes = std::fs::read(&path).expect("an artifact");
        let report = told(&process(name, directory.path()), &bytes);
        assert!(report.is_some(), "{} on {name}", path.display());
        let script: Script = std::str::from_utf8(&bytes).expect("text").parse().expect("a script");
        assert_eq!(script.to_string().as_bytes(), bytes, "it reads as it was written");
    }
}
