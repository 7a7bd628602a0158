//! Files and folders that options name for output: what they may be, and what cannot be written.

#![expect(clippy::disallowed_methods, reason = "how long a command takes is a matter of real time")]

use crate::command::{Run, folder, hangup};
use crate::xml::assert_well_formed;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A campaign with findings, and a sound one.
const BUGGY: &str = "test tungstenite/no-deadline --scripts 200 --seed 1 --no-confirm";
const SOUND: &str = "test reference --scripts 20 --seed 1";

/// One that nobody waits for: what is wrong is said before it begins.
const LONG: &str = "test reference --for 10min";

/// Runs a line of the shell, in which `hangup` is the binary.
fn sh(folder: &Path, line: &str) -> Run {
    let hangup = env!("CARGO_BIN_EXE_hangup");
    let line = format!("hangup() {{ {hangup} \"$@\"; }}; {line}");
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Run::of(command.spawn().expect("it starts"))
}

#[track_caller]
fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// The only error on stderr.
#[track_caller]
fn error(run: &Run) -> &str {
    let errors: Vec<&str> = run.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((run.code, errors.len()), (Some(2), 1), "{run:?}");
    errors[0]
}

#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn a_device_is_written_through_and_stays_a_device() {
    let folder = folder();
    let is_device = |path: &str| std::fs::metadata(path).expect(path).file_type().is_char_device();
    let run = hangup(folder.path(), &format!("{SOUND} --junit /dev/full --format json"));
    assert!(error(&run).contains("--junit /dev/full: not written: No space left"), "{run:?}");
    assert!(run.json()["trouble"].as_str().is_some_and(|told| told.contains("/dev/full")));
    let run = hangup(folder.path(), &format!("{SOUND} --junit /dev/null"));
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
    symlink("/dev/null", folder.path().join("link")).expect("made");
    assert_eq!(hangup(folder.path(), &format!("{SOUND} --junit link")).code, Some(0));
    assert!(is_device("/dev/full") && is_device("/dev/null"));
    assert_eq!(names(folder.path()), ["link"]);
}

#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn a_fifo_is_written_once_somebody_reads_it_and_stays_a_fifo() {
    let folder = folder();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    // The reader comes late, and finds all of it.
    let line = format!(
        "{{ hangup {SOUND} --junit fifo; echo code $? >&2; }} & sleep 2; cat fifo >read; wait"
    );
    let run = sh(folder.path(), &line);
    assert!(run.err.ends_with("code 0\n"), "{run:?}");
    assert_well_formed(&read(&folder.path().join("read")));
    assert!(std::fs::symlink_metadata(&fifo).expect("it is there").file_type().is_fifo());
    // Whoever interrupts waits for no reader.
    let line = format!("timeout -s INT 8 \"$HANGUP\" {SOUND} --junit fifo");
    let began = Instant::now();
    let mut command = Command::new("sh");
    command.args(["-c", &line]).env("HANGUP", env!("CARGO_BIN_EXE_hangup"));
    command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = Run::of(command.spawn().expect("it starts"));
    assert!(began.elapsed() < Duration::from_secs(11), "{run:?}");
    assert!(run.err.contains("waiting for a reader of fifo"), "{run:?}");
    assert!(run.err.contains("error: --junit fifo: not written: nobody reads it"), "{run:?}");
}

#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn stdout_is_written_to_behind_the_report_whatever_it_is() {
    let folder = folder();
    for to in ["", " >out", " >out; cat out"] {
        let run = sh(folder.path(), &format!("hangup {SOUND} --junit /dev/stdout{to}"));
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
        let out = if to.is_empty() { run.out } else { read(&folder.path().join("out")) };
        // The report on the target comes before it, what sums up behind it.
        let (before, xml) = out.split_once("<?xml").expect("it is in it");
        let (xml, after) = xml.split_once("</testsuites>\n").expect("it is whole");
        assert_well_formed(&format!("<?xml{xml}</testsuites>\n"));
        assert!(before.starts_with("seed 1") && after.contains("0 problems in 0 of 1"), "{out}");
    }
    // The file that stdout goes to, by its own name.
    let run = sh(folder.path(), &format!("hangup {SOUND} --junit both --format json >both"));
    let both = read(&folder.path().join("both"));
    assert!(
        run.code == Some(0) && both.contains("<?xml") && both.contains("\"targets\""),
        "{both}"
    );
    let run = sh(folder.path(), &format!("hangup {SOUND} --junit /dev/fd/3 --format json 3>third"));
    assert_eq!(run.json()["trouble"], serde_json::Value::Null);
    assert_well_formed(&read(&folder.path().join("third")));
}

#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn a_link_to_a_file_is_followed_and_stays_a_link() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("below")).expect("made");
    std::fs::write(at("below/there"), "an earlier one").expect("written");
    std::fs::set_permissions(at("below/there"), PermissionsExt::from_mode(0o640)).expect("set");
    for name in ["there", "new"] {
        symlink(format!("below/{name}"), at(name)).expect("made");
        let run = hangup(folder.path(), &format!("{SOUND} --junit {name}"));
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(std::fs::symlink_metadata(at(name)).expect("it is there").is_symlink());
        assert_well_formed(&read(&at(&format!("below/{name}"))));
    }
    let mode = std::fs::metadata(at("below/there")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "its permissions stay");
    symlink("below/known", at("known")).expect("made");
    let run = hangup(folder.path(), &format!("{BUGGY} --baseline known"));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(std::fs::symlink_metadata(at("known")).expect("it is there").is_symlink());
    assert!(read(&at("below/known")).contains("invariant = "));
    assert_eq!(names(&at("below")), ["known", "new", "there"]);
}

/// What cannot be written is said before anything is played, in every report that can be written.
#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn what_cannot_be_written_is_an_error_at_the_start() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("file"), "mine").expect("written");
    std::fs::create_dir(at("folder")).expect("made");
    symlink("nowhere/x", at("to-nowhere")).expect("made");
    let before = names(folder.path());
    for (options, why) in [
        ("--junit none/x.xml", "the folder none does not exist"),
        ("--junit file/x.xml", "Not a directory"),
        ("--junit folder", "directory"),
        ("--junit to-nowhere", "does not exist"),
        // Even root can make nothing there.
        ("--junit /sys/x.xml", "nothing can be written in /sys: "),
        ("--baseline none/x.toml", "the folder none does not exist"),
        ("--findings file", "file is no folder"),
        ("--findings file/below", "file is no folder"),
        ("--findings to-nowhere", "No such file"),
        ("--findings /sys/x", "findings cannot be saved in /sys/x"),
        ("--findings /proc", "findings cannot be saved in /proc"),
    ] {
        for command in [LONG, "probe ws://127.0.0.1:9/"] {
            let reports = if options.starts_with("--junit") { "" } else { " --junit j.xml" };
            let began = Instant::now();
            let run = hangup(folder.path(), &format!("{command} {options}{reports} --format json"));
            assert!(began.elapsed() < Duration::from_secs(5), "{options}");
            assert!(error(&run).contains(why), "{options}: {run:?}");
            let json = run.json();
            assert!(json["trouble"].as_str().is_some_and(|told| told.contains(why)), "{json}");
            assert!(!run.err.contains(".hangup-"), "no name of hangup's own: {run:?}");
            if !reports.is_empty() {
                let xml = read(&at("j.xml"));
                assert_well_formed(&xml);
                assert!(xml.contains("<error message=") && xml.contains("errors=\"1\""), "{xml}");
                std::fs::remove_file(at("j.xml")).expect("removed");
            }
            assert_eq!(names(folder.path()), before, "{options}");
        }
    }
    assert_eq!(read(&at("file")), "mine");
    // A file that may not be written, which holds for everybody but root.
    std::fs::set_permissions(at("file"), PermissionsExt::from_mode(0o444)).expect("set");
    let is_root = std::fs::OpenOptions::new().write(true).open(at("file")).is_ok();
    let run = hangup(folder.path(), &format!("{SOUND} --junit file"));
    assert_eq!(run.code, Some(if is_root { 0 } else { 2 }), "{run:?}");
}

/// The whole file or none of it, where no more may be written than so much.
#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn a_disk_that_is_full_in_the_midst_is_one_line_and_leaves_no_half_file() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("j.xml"), "an earlier one").expect("written");
    // Nobody ignores the signal for hangup.
    let run =
        sh(folder.path(), &format!("ulimit -f 1; hangup {SOUND} --junit j.xml --format json"));
    assert!(error(&run).contains("--junit j.xml: not written: File too large"), "{run:?}");
    assert!(run.json()["trouble"].as_str().is_some_and(|told| told.contains("j.xml")));
    assert_eq!(
        (names(folder.path()), read(&at("j.xml"))),
        (vec!["j.xml".to_owned()], "an earlier one".to_owned())
    );
    let run = sh(folder.path(), &format!("ulimit -f 1; hangup {BUGGY} --format json"));
    let problems = run.json()["targets"][0]["problems"].as_array().expect("problems").len();
    let told = format!("error: {problems} problems not saved in hangup-findings: File too large");
    assert!(run.err.lines().count() == 2 && run.err.contains(&told), "{}", run.err);
    assert_eq!((run.code, names(folder.path())), (Some(1), vec!["j.xml".to_owned()]));
    // Nothing at all: that is an error at the start.
    let run = sh(folder.path(), &format!("ulimit -f 0; hangup {LONG} --format json"));
    assert!(error(&run).contains("findings cannot be saved in hangup-findings"), "{run:?}");
}

/// The fields of a report.
fn fields(run: &Run) -> Vec<String> {
    let json = run.json();
    json.as_object().expect("an object").keys().cloned().collect()
}

#[test]
#[ignore = "with the long tests: .ci/run plays it"]
fn with_exit_code_2_json_and_junit_say_why_in_the_same_schema() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("bad.toml"), "nonsense").expect("written");
    let usual = fields(&hangup(folder.path(), &format!("{SOUND} --format json")));
    for (command, why) in [
        ("test nowhere", "`nowhere`"),
        ("test reference --baseline bad.toml", "bad.toml"),
        ("probe ws://127.0.0.1:9/", "nothing answers"),
        ("probe http://127.0.0.1:9/", "http://"),
        ("probe ws://127.0.0.1:9/ --baseline bad.toml", "bad.toml"),
        ("probe ws://192.0.2.1/", "--i-may-test-this-host"),
        ("probe --run false", "before it listened"),
    ] {
        let run = hangup(folder.path(), &format!("{command} --format json --junit j.xml"));
        let told = error(&run);
        assert!(told.contains(why), "{run:?}");
        assert_eq!(fields(&run), usual, "{command}");
        let json = run.json();
        assert!(told.contains(json["trouble"].as_str().expect("a sentence")), "{json}");
        assert_eq!((&json["interrupted"], &json["scripts"]), (&false.into(), &0.into()), "{json}");
        let xml = read(&at("j.xml"));
        assert_well_formed(&xml);
        let message = xml.split("<error message=\"").nth(1).expect("an error");
        assert!(message.contains(why) && xml.contains("tests=\"1\""), "{xml}");
        std::fs::remove_file(at("j.xml")).expect("removed");
    }
}
