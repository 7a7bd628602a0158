//! The command line, as somebody at a shell meets it: exit codes, what is printed
//! where, files that are saved, and files that are wrong.
//!
//! Every test runs the binary in a directory of its own, a [`Desk`]. A campaign
//! is `--scripts 200 --seed 1`, which finds the bug of `tungstenite/no-deadline` and
//! nothing in the others. Signals, `/proc` and `/dev/full` are Linux's.

use hangup::bounds::Bounds;
use hangup::finding::repro::Repro;
use hangup::verdict::{Class, Invariant};
use hangup::{Registry, Script, suite};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The target with the bug, a correct one, and a fixed one.
const BUGGY: &str = "tungstenite/no-deadline";
const CLEAN: &str = "reference";
const FIXED: &str = "tungstenite/read-deadline";
const ALL: [&str; 6] = [
    CLEAN,
    "reference/split-tasks",
    "reference/cancelled-sends",
    BUGGY,
    FIXED,
    "tungstenite/reader-task",
];
/// The campaign that finds the bug.
const CAMPAIGN: &str = "test tungstenite/no-deadline --scripts 200 --seed 1";
/// The shortest script of the bug, and where its repro is saved.
const HANG: &str = "upgrade\napp close\n";
const REPRO: &str =
    "hangup-findings/tungstenite-no-deadline--ends-in-time--the-servers-own-close--silent.toml";
const COMMANDS: [&str; 10] = [
    "test",
    "replay",
    "shrink",
    "show",
    "probe",
    "export",
    "serve",
    "targets",
    "invariants",
    "explain",
];

/// What one run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("only UTF-8 is printed");
        let code = output.status.code().expect("no signal ends it");
        let run = Self { code, out: text(output.stdout), err: text(output.stderr) };
        assert!(!run.err.contains("panicked"), "{run:?}");
        run
    }

    /// Why nothing could be done: exit code 2, and one line on stderr alone.
    #[track_caller]
    pub fn refusal(&self) -> &str {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        self.err.strip_prefix("error: ").expect("it is called an error")
    }

    /// The only thing on stdout: one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Stdout without the lines that tell how long it took.
    pub fn without_times(&self) -> String {
        let times = ["\"seconds\":", "\"scripts_per_second\":", " a second"];
        let lines = self.out.lines().filter(|line| !times.iter().any(|time| line.contains(time)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Nothing is wider than a terminal of 80 columns but what is there to be pasted:
/// steps and commands, which are indented so and begin with a word.
#[track_caller]
pub(crate) fn assert_fits(text: &str) {
    let is_pasted = |line: &str| {
        let word = line.trim_start();
        [4, 5, 9].contains(&(line.len() - word.len()))
            && word.starts_with(|c: char| c.is_ascii_lowercase() || c == '+')
    };
    let is_wide = |line: &&str| line.chars().count() > 80 && !is_pasted(line);
    let wide: Vec<&str> = text.lines().filter(is_wide).collect();
    assert!(wide.is_empty(), "{wide:#?} in\n{text}");
}

/// A fresh working directory.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    /// A desk with the repro of the bug at [`REPRO`].
    fn with_repro() -> Self {
        let desk = Self::new();
        desk.write("hang.script", HANG);
        let run = desk.hangup("shrink hang.script --target tungstenite/no-deadline");
        assert!(desk.path(REPRO).is_file(), "{run:?}");
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("written");
    }

    /// [`REPRO`] with `from` replaced, as `edited.toml`.
    #[track_caller]
    fn edit(&self, from: &str, to: &str) {
        let text = self.read(REPRO);
        assert!(text.contains(from), "no {from:?} in\n{text}");
        self.write("edited.toml", text.replacen(from, to, 1));
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the binary with arguments that have no spaces in them.
    pub fn hangup(&self, arguments: &str) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_hangup"));
        Run::of(command.args(arguments.split_whitespace()).output().expect("it starts"))
    }

    /// Runs a line in a shell that has `hangup` in its path.
    pub fn sh(&self, line: &str) -> Run {
        let bin = Path::new(env!("CARGO_BIN_EXE_hangup")).parent().expect("it is in a directory");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
        let mut command = self.command("sh");
        Run::of(command.args(["-c", line]).env("PATH", path).output().expect("it starts"))
    }

    /// Starts the binary and interrupts it, as Ctrl-C does, once it listens to that
    /// and `ready` says so.
    fn interrupt(&self, arguments: &str, ready: impl Fn() -> bool) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_hangup"));
        command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        while !(listens(&child) && ready()) {
            assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
            std::thread::yield_now();
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
        Run::of(child.wait_with_output().expect("it ends"))
    }

    /// The files of a directory with what is in them; none where it is not there.
    pub fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.path(directory)) else { return BTreeMap::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let name = |path: &Path| path.file_name().expect("a name").display().to_string();
        paths.map(|path| (name(&path), std::fs::read(path).unwrap_or_default())).collect()
    }
}

/// Whether a process catches SIGINT, which is the second bit.
pub(crate) fn listens(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let caught = status.unwrap_or_default();
    let caught = caught.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).expect("a mask") & 2 != 0
}

#[test]
fn a_clean_target_exits_with_0_and_saves_nothing() {
    let desk = Desk::new();
    let run = desk.hangup("test reference --scripts 200 --seed 1");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert!(run.out.contains("0 findings in 0 of 1 target: 200 scripts"), "{run:?}");
    assert!(desk.files("").is_empty());
}

#[test]
fn findings_exit_with_1_and_the_first_of_a_kind_is_told_in_full() {
    let run = Desk::new().hangup(CAMPAIGN);
    assert_eq!((run.code, run.err.as_str()), (1, ""), "{run:?}");
    assert!(run.out.contains("(liveness, should): the server's own Close, silent, never"));
    assert!(run.out.contains("\n         upgrade\n         app close\n"), "{run:?}");
}

#[test]
fn bad_arguments_exit_with_2_and_name_what_is_wrong_on_stderr_alone() {
    for (arguments, named) in [
        ("", "Usage: hangup"),
        ("frobnicate", "'frobnicate'"),
        ("--frobnicate", "'--frobnicate'"),
        ("test --scripts 0", "'0'"),
        ("test --scripts many", "'many'"),
        ("test --scripts 10 --for 1s", "'--for <TIME>'"),
        ("test --for soon", "soon"),
        ("test --seed -1", "'-1'"),
        ("test --seed 18446744073709551616", "18446744073709551616"),
        ("test --close-within 5", "a time up to 1193h, such as 10ms, 2s, 5min or 12h"),
        ("test --close-within -5s", "'-5'"),
        ("test --close-within 9999h", "9999h"),
        ("test --format xml", "human, json"),
        ("replay", "<FILE>"),
        ("replay a b", "'b'"),
        ("explain", "<ID>"),
    ] {
        let run = Desk::new().hangup(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments}: {run:?}");
        assert!(run.err.contains(named), "{arguments}: {run:?}");
    }
}

#[test]
fn an_unknown_target_is_refused_with_the_names_of_the_known_ones() {
    let desk = Desk::with_repro();
    for arguments in [
        "test reference nowhere",
        "test nowhere --format json",
        "show hang.script --target nowhere",
        &format!("replay {REPRO} --target nowhere"),
    ] {
        let run = desk.hangup(arguments);
        assert!(run.refusal().contains("`nowhere`"), "{run:?}");
        assert!(ALL.iter().all(|name| run.err.contains(name)), "{run:?}");
    }
}

/// The targets that are broken on purpose.
fn planted() -> Vec<String> {
    let registry = Registry::built_in();
    let planted = registry.iter().filter(|target| target.is_planted());
    planted.map(|target| target.name().to_owned()).collect()
}

#[test]
fn targets_are_tested_once_each_and_in_the_registrys_order() {
    let names = |arguments: &str| -> Vec<String> {
        let run = Desk::new().hangup(&format!("test {arguments} --scripts 5 --format json"));
        let json = run.json();
        let targets = json["targets"].as_array().expect("targets").iter();
        targets.map(|target| target["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(""), ALL);
    assert_eq!(names("tungstenite"), ALL[3..]);
    let both = [&ALL[..1], &ALL[3..]].concat();
    assert_eq!(names("tungstenite/no-deadline tungstenite tungstenite reference"), both);
    assert_eq!(names("tungstenite/read-deadline reference reference"), [CLEAN, FIXED]);
    let faults = planted().into_iter().filter(|name| name.starts_with("reference/"));
    let styles = ALL[1..3].iter().map(|name| (*name).to_owned());
    assert_eq!(names("reference/"), styles.chain(faults).collect::<Vec<_>>());
}

#[test]
fn the_seed_is_printed_first_and_pasted_back_gives_the_same_findings() {
    let desk = Desk::new();
    let first = desk.hangup("test tungstenite --scripts 200");
    let line = first.out.lines().next().expect("a line");
    assert!(line.starts_with("seed "), "{line}");
    let (_, pasted) = line.split_once("add ").expect("what to add");
    let files = desk.files("hangup-findings");
    let again = Desk::new();
    let second = again.hangup(&format!("test tungstenite --scripts 200 {pasted}"));
    assert_eq!(first.without_times(), second.without_times());
    assert_eq!((first.code, files), (second.code, again.files("hangup-findings")));
    let other = desk.hangup("test tungstenite --scripts 200 --seed 18446744073709551615");
    assert!(other.out.starts_with("seed 18446744073709551615:"), "{other:?}");
    assert_ne!(first.without_times(), other.without_times());
}

#[test]
fn json_is_one_object_that_agrees_with_the_files_in_every_field() {
    let desk = Desk::new();
    let run = desk.hangup(&format!("{CAMPAIGN} reference --close-within 1ms --format json"));
    let json = run.json();
    assert_eq!((run.code, &json["seed"], &json["scripts"]), (1, &json!(1), &json!(400)));
    let rate = json["scripts_per_second"].as_f64();
    assert!(json["seconds"].as_f64() > Some(0.0) && rate > Some(0.0), "{json}");
    let mut endings = Vec::new();
    for target in json["targets"].as_array().expect("targets") {
        assert_eq!(target["scripts"], 200, "{target}");
        for finding in target["findings"].as_array().expect("findings") {
            let path = finding["repro"].as_str().expect("a path");
            assert!(Path::new(path).is_relative(), "{path}");
            let repro = Repro::parse(&desk.read(path)).expect("a repro");
            assert_eq!(target["name"], repro.target.0);
            let since = finding["ending"]["since_seconds"].as_f64();
            assert_eq!(since.is_some(), repro.identity.invariant().rule().class == Class::Liveness);
            let expected = json!({
                "invariant": repro.identity.invariant(),
                "level": repro.level,
                "class": repro.identity.invariant().rule().class,
                "cause": repro.identity.cause(),
                "condition": repro.identity.condition(),
                "ending": {
                    "kind": repro.ending,
                    "at_seconds": repro.at_seconds,
                    "since_seconds": since,
                },
                "steps": repro.script.steps.len(),
                "plays": finding["plays"].as_u64().filter(|plays| *plays > 0),
                "flaky": false,
                "rate": 1.0,
                "sentence": repro.sentence,
                "script": repro.script.to_string(),
                "repro": path,
            });
            assert_eq!(finding, &expected);
            endings.push(repro.ending);
        }
    }
    endings.sort();
    endings.dedup();
    assert_eq!(endings, ["in time", "late", "never"]);
}

#[test]
fn two_processes_with_one_seed_print_the_same_json_and_save_the_same_files() {
    let once = || {
        let desk = Desk::new();
        let run = desk.hangup("test --scripts 200 --seed 7 --format json");
        assert_eq!(run.out.lines().count(), run.without_times().lines().count() + 2);
        (run.without_times(), desk.files("hangup-findings"))
    };
    assert_eq!(once(), once());
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_campaign_for_300_ms_ends_with_scripts_for_every_target() {
    let json = Desk::new().hangup("test --for 300ms --format json").json();
    assert!(json["seconds"].as_f64() >= Some(0.3), "{json}");
    let targets = json["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), ALL.len());
    assert!(targets.iter().all(|target| target["scripts"].as_u64() > Some(0)), "{json}");
}

#[test]
fn close_within_replaces_the_targets_own_bound() {
    let desk = Desk::new();
    let strict = desk.hangup("test reference --scripts 200 --seed 1 --close-within 1ms");
    assert_eq!(strict.code, 1, "{strict:?}");
    let lax = desk.hangup(&format!("{CAMPAIGN} --close-within 90min"));
    assert_eq!(lax.code, 1, "{lax:?}");
    let repro = Repro::parse(&desk.read(REPRO)).expect("a repro");
    assert_eq!(repro.bounds.close.as_secs(), 90 * 60);
}

#[test]
fn close_within_has_one_meaning_it_sets_the_bound_of_close_and_of_release() {
    let desk = Desk::new();
    let held_to = |repro: &str, seconds: u64| {
        let Bounds { close, release, .. } = Repro::parse(&desk.read(repro)).expect(repro).bounds;
        assert_eq!([close, release].map(|bound| bound.as_secs()), [seconds; 2], "{repro}");
    };
    desk.hangup(&format!("{CAMPAIGN} --close-within 7s"));
    held_to(REPRO, 7);
    desk.hangup(&format!("shrink {REPRO} --close-within 9s"));
    held_to(REPRO, 9);
    // This server keeps its connection for ever: the sentence has the bound.
    desk.write("reset.hangup", "upgrade\nfin\nreset\n");
    for command in ["replay", "show"] {
        let options = "reset.hangup --target reference/fin-is-no-end --close-within 2s";
        let run = desk.hangup(&format!("{command} {options}"));
        let text = run.out.replace('\n', " ");
        assert!(text.contains("releases-in-time"), "{run:?}");
        assert!(
            text.contains("by 2.000 s the server's hold on its transport had to end"),
            "{run:?}"
        );
    }
}

#[test]
fn a_replay_is_reproduced_fixed_or_different() {
    let desk = Desk::with_repro();
    desk.edit("\"the server's own Close\"", "\"idle client\"");
    desk.write("condition.toml", desk.read(REPRO).replace("\"silent\"", "\"deaf\""));
    for (arguments, code, said) in [
        (REPRO, 1, "reproduced on tungstenite/no-deadline\n"),
        (&format!("{REPRO} --close-within 12h"), 1, "reproduced on tungstenite/no-deadline\n"),
        (&format!("{REPRO} --target {FIXED}"), 0, "fixed on tungstenite/read-deadline\n"),
        (&format!("{REPRO} --target {CLEAN}"), 0, "fixed on reference\n"),
        ("edited.toml", 1, "different on tungstenite/no-deadline\n"),
        ("condition.toml", 1, "different on tungstenite/no-deadline\n"),
    ] {
        let run = desk.hangup(&format!("replay {arguments}"));
        assert_eq!((run.code, run.err.as_str()), (code, ""), "{arguments}: {run:?}");
        assert!(run.out.starts_with(said), "{arguments}: {run:?}");
        assert!(run.out.contains("It never does"), "{arguments}: {run:?}");
        assert_fits(&run.out);
    }
}

#[test]
fn a_file_that_is_no_repro_is_refused_by_what_it_is() {
    let desk = Desk::with_repro();
    let ours = desk.read(REPRO);
    for (name, bytes, why) in [
        ("missing.toml", None, "No such file"),
        (".", None, "Is a directory"),
        ("latin1.toml", Some(b"format = 1\nhangup = \"\xe9\"\n".to_vec()), "not a text file"),
        ("empty.toml", Some(Vec::new()), "has no steps"),
        ("blank.toml", Some(b"\n \n# nothing\n".to_vec()), "has no steps"),
        ("Cargo.toml", Some(b"[package]\nname = \"x\"\n".to_vec()), "not a hangup repro"),
        ("story.txt", Some(b"Dear reader,\n".to_vec()), "line 1, column 1: found `Dear`"),
        ("hang.script", Some(HANG.into()), "--target"),
        ("twice.toml", Some(ours.repeat(2).into()), "not a whole TOML file"),
    ] {
        if let Some(bytes) = bytes {
            desk.write(name, bytes);
        }
        let run = desk.hangup(&format!("replay {name}"));
        assert!(run.refusal().contains(why) && run.err.contains(name), "{name}: {run:?}");
    }
    for (command, why) in [("show hang.script", "--target"), ("shrink hang.script", "--target")] {
        assert!(desk.hangup(command).refusal().contains(why), "{command}");
    }
}

/// An artifact of a fuzzer, in a file with a fuzzer's name for it.
#[test]
fn a_fuzzers_script_is_replayed_shrunk_and_shown_as_it_is() {
    let desk = Desk::new();
    desk.write("crash-07005e48", "upgrade\nping \"x\" x 3\napp close 1001\nawait close\n");
    let on = |command: &str, target: &str| {
        let run = desk.hangup(&format!("{command} crash-07005e48 --target {target}"));
        (run.code, run.out)
    };
    let (code, out) = on("replay", BUGGY);
    assert!(code == 1 && out.starts_with(&format!("reproduced on {BUGGY}\n")), "{out}");
    assert!(out.contains("It never does"), "{out}");
    let kept = (0, format!("fixed on {CLEAN}\nevery rule is kept\n"));
    assert_eq!(on("replay", CLEAN), kept);
    assert_eq!(on("shrink", BUGGY), (1, HANG.to_owned()));
    let (code, out) = on("show", BUGGY);
    assert!(code == 0 && out.contains("ends-in-time"), "{out}");
}

#[test]
fn a_replayed_script_is_not_blamed_for_what_its_target_accepts() {
    let desk = Desk::new();
    desk.write("crash-1", "upgrade\napp close 1005\n");
    let run = desk.hangup(&format!("replay crash-1 --target {FIXED}"));
    assert_eq!((run.code, run.out), (0, format!("fixed on {FIXED}\nevery rule is kept\n")));
}

#[test]
fn a_repro_with_a_wrong_field_is_refused_by_its_name() {
    let desk = Desk::with_repro();
    for (from, to, why) in [
        ("format = 1", "format = 2", "written in format 2; this hangup reads format 1"),
        ("format = 1", "format = 0", "`format`"),
        ("format = 1", "format = \"1\"", "`format`"),
        ("format = 1", "format = 1\nmood = 1", "`mood`"),
        ("[violation]", "[violation]\nmood = 1", "`mood`"),
        ("[target]", "[target]\nmood = 1", "`mood`"),
        ("[bounds]", "[bounds]\nmood = 1", "`mood`"),
        ("[bounds]", "[mood]\n[bounds]", "`mood`"),
        ("digest = ", "# ", "`digest`"),
        ("close = ", "# ", "`close`"),
        ("\"ends-in-time\"", "\"ends-on-time\"", "`ends-on-time`"),
        ("\"silent\"", "\"asleep\"", "`asleep`"),
        ("\"should\"", "\"may\"", "`may`"),
        ("close = 5.0", "close = -1.0", "-1 is no number of seconds"),
        ("close = 5.0", "close = nan", "NaN is no number of seconds"),
        ("close = 5.0", "close = 2e9", "2000000000 is no number of seconds"),
        ("app close", "app clsoe", "line 2, column 5: found `clsoe`, expected one of: send, ping"),
        ("app close", "text 16MiB x 10000", "256 MiB"),
    ] {
        desk.edit(from, to);
        for command in ["replay", "shrink", "show"] {
            let run = desk.hangup(&format!("{command} edited.toml"));
            assert!(run.refusal().contains(why), "{to}: {run:?}");
        }
    }
}

#[test]
fn a_repro_of_a_server_that_is_known_elsewhere_is_shown_and_not_played() {
    let desk = Desk::with_repro();
    desk.edit("\"tungstenite/no-deadline\"", "\"mine\"");
    for command in ["replay", "shrink"] {
        let run = desk.hangup(&format!("{command} edited.toml"));
        assert!(run.refusal().contains("`mine`"), "{run:?}");
    }
    let run = desk.hangup("show edited.toml");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("mine (") && run.out.contains("app close"), "{run:?}");
    assert!(run.err.contains("does not know the server"), "{run:?}");
}

#[test]
fn half_of_a_repro_is_never_played() {
    let desk = Desk::with_repro();
    let text = desk.read(REPRO);
    // Behind its last `=` is a number whose first digit makes the file whole.
    let last = text.rfind('=').expect("a field");
    let ends_of_lines = text.match_indices('\n').map(|(at, _)| at + 1);
    for cut in (0..=last).step_by(19).chain(ends_of_lines).filter(|cut| *cut <= last) {
        desk.write("half.toml", &text[..cut]);
        for command in ["replay half.toml", "show half.toml --target tungstenite/no-deadline"] {
            let run = desk.hangup(command);
            assert!(run.refusal().starts_with("half.toml: "), "{cut}: {run:?}");
        }
    }
}

#[test]
fn a_repro_without_its_last_lines_is_never_played() {
    let desk = Desk::new();
    desk.write("slow.script", "upgrade in pieces of 1 byte every 1s\n");
    let run = desk.hangup("shrink slow.script --target reference/byte-restarts-handshake");
    let path = run.err.trim().rsplit("saved as ").next().expect("a path");
    let lines: Vec<String> = desk.read(path).lines().map(str::to_owned).collect();
    for count in 0..lines.len() {
        desk.write("half.toml", lines[..count].join("\n"));
        let run = desk.hangup("replay half.toml");
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{count} of {} lines", lines.len());
    }
}

/// What `show` draws of a script.
fn shown(script: &str, options: &str) -> String {
    let desk = Desk::new();
    desk.write("story", script);
    let run = desk.hangup(&format!("show story {options}"));
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{script}: {run:?}");
    run.out
}

#[test]
fn show_draws_the_connection_and_marks_what_breaks_the_rule() {
    let desk = Desk::with_repro();
    let out = desk.hangup(&format!("show {REPRO}")).out;
    assert_eq!(out, shown(HANG, &format!("--target {BUGGY}")));
    let marked: Vec<&str> = out.lines().filter(|line| line.starts_with('!')).collect();
    for (line, part) in marked.iter().zip(["- Close", "5.000 s  ===", "for ever  ==="]) {
        assert!(line.contains(part), "{out}");
    }
    assert_eq!(marked.len(), 3, "{out}");
    let fixed = desk.hangup(&format!("show {REPRO} --target {FIXED}")).out;
    assert!(fixed.contains("Not broken any more: The server sent its own Close"), "{fixed}");
    assert!(fixed.contains("\nevery rule is kept\n") && !fixed.contains('!'), "{fixed}");
}

#[test]
fn a_drawing_is_at_most_80_columns_wide() {
    let reason = "r".repeat(123);
    for script in [
        "stop reading\nwindow 64B\nupgrade\napp send text 16MiB x 8\napp close 1000 \"bye\"\n",
        "upgrade\nstop reading\nwindow 1B\nsend buffer 1B\napp send binary 1MiB\napp close\nwait 9s\n",
        "upgrade\napp close\nping \"still here\" x 300 every 1s\n",
        "upgrade\napp close\nbinary 64KiB in pieces of 1 byte every 1ms\n",
        "upgrade\napp close 1000 200B\nwait 1h\nclose 1000 200B\n",
        &format!("upgrade\napp close 1000 \"{reason}\"\nclose 1000 \"{reason}\"\n"),
        "upgrade\nunmasked unfinished rsv 7 64-bit opcode 15 10B\nwait 1s\nreset\n",
        "upgrade with 16MiB header\nupgrade with 1MiB header\n",
        "first 1 byte of upgrade\nwait 1s\ncut\nwait 2s\ndrop\n",
        "segment 1B\nupgrade\n+ text 1KiB\napp return\nawait end\nfin\n",
        "upgrade\nfirst 2 bytes of unmasked text 9B\n",
        "upgrade\nclose hex 03\n",
        "upgrade\nping\nfin\n",
        "upgrade\napp close\nwait 278h\nclose 1000\n",
    ] {
        let (panics, spins) = ("reference/reads-code-of-one-byte", "reference/reads-the-end-again");
        for target in [CLEAN, BUGGY, panics, spins] {
            for bound in ["5s", "1ms"] {
                assert_fits(&shown(script, &format!("--target {target} --close-within {bound}")));
            }
        }
    }
}

#[test]
fn a_panic_is_drawn_within_80_columns() {
    let script: Script = HANG.parse().expect("a script");
    for message in ["a word and another ".repeat(20), "x\ny".repeat(40)] {
        let suite = suite(move |_| {
            let message = message.clone();
            async move { assert!(message.is_empty(), "{message}") }
        });
        let report = suite.play(&script).expect_err("it panics").to_string();
        assert!(report.contains("no-panic") && report.contains("panicked: "), "{report}");
        assert_fits(&report);
        let timeline = report.split_once("client ").expect("a timeline").1;
        for line in timeline.lines().skip(1) {
            assert!(line.starts_with([' ', '!']), "{line:?} in\n{report}");
        }
    }
}

#[test]
fn shrinking_a_long_script_prints_the_minimum_and_saves_what_replay_reproduces() {
    let desk = Desk::new();
    let script = "# A long story.\nwindow 64KiB\nupgrade\nbinary 4KiB x 3 every 1s\n".to_owned()
        + &"ping \"still here\"\nwait 10ms\nunfinished text \"a\"\ncontinuation\n".repeat(20)
        + "app send text 64KiB\nawait message\napp close 1001 \"bye\"\nawait close\nwait 1h\n";
    desk.write("long.script", script);
    let run = desk.hangup(&format!("shrink long.script --target {BUGGY}"));
    assert_eq!((run.code, run.out.as_str()), (1, HANG), "{run:?}");
    assert!(run.err.contains(" to 2 steps in ") && run.err.contains(REPRO), "{run:?}");
    assert_eq!(desk.hangup(&format!("replay {REPRO}")).code, 1);
    let before = desk.files("hangup-findings");
    let again = desk.hangup(&format!("shrink {REPRO}"));
    assert_eq!((again.out, desk.files("hangup-findings")), (run.out, before));
}

#[test]
fn shrinking_what_breaks_no_rule_says_so_and_saves_nothing() {
    let desk = Desk::new();
    desk.write("hang.script", HANG);
    let run = desk.hangup("shrink hang.script --target reference");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert!(run.out.starts_with("nothing to shrink: reference keeps every rule"), "{run:?}");
    assert!(!desk.path("hangup-findings").exists());
}

#[test]
fn every_command_printed_works_when_pasted() {
    for options in ["", "--findings 'my findings'"] {
        let desk = Desk::new();
        let run = desk.sh(&format!("hangup {CAMPAIGN} {options}"));
        let lines = run.out.lines().map(str::trim).filter(|line| line.starts_with("hangup "));
        for line in lines.clone() {
            let pasted = desk.sh(line);
            assert_eq!((pasted.code, pasted.err.as_str()), (0, ""), "{line}: {pasted:?}");
            assert!(pasted.out.lines().any(|line| line.starts_with('!')), "{pasted:?}");
        }
        assert!(lines.count() > 2, "{run:?}");
    }
}

#[test]
fn targets_lists_every_target_with_its_promises() {
    let run = Desk::new().hangup("targets");
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let lines = run.out.lines().filter(|line| line.contains('/') || line.contains("  ("));
    let names =
        lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    assert_eq!(names.collect::<Vec<_>>(), [ALL.map(str::to_owned).to_vec(), planted()].concat());
    assert_eq!(run.out.matches("promises: close within 5 s").count(), ALL.len(), "{run:?}");
}

#[test]
fn every_rule_is_listed_and_explained() {
    let desk = Desk::new();
    let run = desk.hangup("invariants");
    let lines = run.out.lines().filter(|line| !line.starts_with(' '));
    let ids: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids, Invariant::ALL.iter().map(|invariant| invariant.id()).collect::<Vec<_>>());
    for id in &ids {
        let run = desk.hangup(&format!("explain {id}"));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
        assert!(run.out.starts_with(id) && run.out.lines().count() > 4, "{run:?}");
    }
    let unknown = desk.hangup("explain ends-on-time");
    for id in ids {
        assert!(unknown.refusal().contains(id), "{id}: {unknown:?}");
    }
}

#[test]
fn a_campaign_prints_at_most_80_columns() {
    let command = "test reference/keeps-transport reference --scripts 300 --seed 1";
    for options in ["", " --close-within 1ms"] {
        assert_fits(&Desk::new().hangup(&format!("{command}{options}")).out);
    }
}

#[test]
fn every_list_is_at_most_80_columns_wide() {
    let desk = Desk::new();
    let explained = Invariant::ALL.iter().map(|invariant| format!("explain {invariant}"));
    for list in explained.chain(["targets".to_owned(), "invariants".to_owned()]) {
        let out = desk.hangup(&list).out;
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{list}:\n{out}");
    }
}

#[test]
fn a_finding_that_cannot_be_saved_is_still_printed_and_named_on_stderr() {
    for directory in ["a-file", "a-file/below"] {
        let desk = Desk::new();
        desk.write("a-file", "mine");
        let run = desk.hangup(&format!("{CAMPAIGN} --findings {directory} --format json"));
        let json = run.json();
        let findings = json["targets"][0]["findings"].as_array().expect("findings");
        assert_eq!((run.code, findings.len() > 2), (1, true), "{run:?}");
        for finding in findings {
            assert!(finding["repro"].is_null(), "{finding}");
            let named = ["invariant", "cause", "condition"].map(|name| finding[name].as_str());
            let told = |line: &str| named.iter().flatten().all(|name| line.contains(name));
            let mut lines = run.err.lines().filter(|line| line.contains("not saved: "));
            assert!(lines.any(|line| told(line) && line.contains(directory)), "{run:?}");
        }
        assert_eq!(run.err.matches("not saved: ").count(), findings.len(), "{run:?}");
        assert_eq!(desk.read("a-file"), "mine");
    }
}

#[test]
fn a_full_disk_leaves_no_part_of_a_file_and_the_earlier_ones_untouched() {
    let desk = Desk::new();
    let full =
        |command: &str| desk.sh(&format!("trap '' XFSZ; ulimit -f 1; exec hangup {command}"));
    let first = full(CAMPAIGN);
    assert_eq!((first.code, desk.files("hangup-findings").len()), (1, 0), "{first:?}");
    desk.hangup(CAMPAIGN);
    desk.write(REPRO, "an earlier one");
    let before = desk.files("hangup-findings");
    assert_eq!(first.err.matches("error: not saved: ").count(), before.len(), "{first:?}");
    assert!(first.out.contains(&format!(": {} findings, 200", before.len())), "{first:?}");
    assert_eq!((full(CAMPAIGN).code, desk.files("hangup-findings")), (1, before.clone()));
    desk.write("hang.script", HANG);
    let shrunk = full(&format!("shrink hang.script --target {BUGGY}"));
    assert_eq!((shrunk.out.as_str(), desk.files("hangup-findings")), (HANG, before));
    assert!(shrunk.code != 0 && shrunk.err.contains("not saved: ends-in-time"), "{shrunk:?}");
}

#[test]
fn one_file_that_cannot_be_written_does_not_keep_the_others_from_it() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path(REPRO).join("in the way")).expect("made");
    let run = desk.hangup(CAMPAIGN);
    assert_eq!((run.code, run.err.matches("not saved: ").count()), (1, 1), "{run:?}");
    assert!(run.err.contains(", silent, ") && run.err.contains(REPRO), "{run:?}");
    let files = desk.files("hangup-findings").into_keys().collect::<Vec<_>>();
    assert!(files.len() > 2 && !files.iter().any(|name| name.starts_with('.')), "{files:?}");
}

#[test]
fn more_is_promised_only_where_a_command_follows() {
    let run = Desk::new().hangup(&format!("{CAMPAIGN} --findings /dev/null/below"));
    let mut promised = run.out.split("more:\n").skip(1);
    assert!(promised.all(|rest| rest.trim_start().starts_with("hangup ")), "{}", run.out);
}

#[test]
fn an_interrupted_campaign_prints_and_saves_what_it_has_found() {
    for (target, code) in [(BUGGY, 1), (CLEAN, 2)] {
        for format in ["human", "json"] {
            let desk = Desk::new();
            let found = || target == CLEAN || desk.path(REPRO).is_file();
            let run = desk.interrupt(&format!("test {target} --for 30s --format {format}"), found);
            assert_eq!(run.code, code, "{run:?}");
            assert!(run.err.contains("interrupted: 1 target not tested to the end"), "{run:?}");
            let saved = desk.files("hangup-findings");
            assert_eq!(saved.is_empty(), target == CLEAN);
            assert!(saved.keys().all(|name| run.out.contains(name)), "{run:?}");
            if format == "json" {
                let json = run.json();
                let findings = json["targets"][0]["findings"].as_array().map(Vec::len);
                assert_eq!((findings, &json["interrupted"]), (Some(saved.len()), &json!(true)));
            }
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic_and_changes_no_exit_code() {
    let desk = Desk::with_repro();
    for (command, code) in [
        (CAMPAIGN, 1),
        (&format!("{CAMPAIGN} --format json"), 1),
        (&format!("show {REPRO}"), 0),
        ("targets", 0),
        ("explain no-spin", 0),
        ("test --help", 0),
    ] {
        for reader in ["head -n 1", "true"] {
            let run = desk.sh(&format!("{{ hangup {command}; echo code $? >&2; }} | {reader}"));
            assert!(run.err.ends_with(&format!("code {code}\n")), "{run:?}");
        }
    }
}

#[test]
fn results_that_a_full_disk_swallows_are_no_success() {
    for command in ["targets", "test reference --scripts 5 --format json"] {
        let run = Desk::new().sh(&format!("hangup {command} > /dev/full"));
        assert_eq!(run.code, 2, "{run:?}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_those_who_do_not_refuse_them() {
    let desk = Desk::with_repro();
    for command in [CAMPAIGN, "targets", "invariants", &format!("replay {REPRO}"), "test nowhere"] {
        let coloured = |variables: &str| {
            let run = desk.sh(&format!("{variables} hangup {command}"));
            run.out.contains('\x1b') || run.err.contains('\x1b')
        };
        assert!(!coloured(""), "{command}");
        assert!(coloured("CLICOLOR_FORCE=1"), "{command}");
        assert!(!coloured("CLICOLOR_FORCE=1 NO_COLOR=1"), "{command}");
    }
    let json = desk.sh(&format!("CLICOLOR_FORCE=1 hangup {CAMPAIGN} --format json"));
    assert!(!json.out.contains('\x1b'), "{json:?}");
}

#[test]
fn a_strangers_repro_sends_no_escape_sequence_to_the_terminal() {
    let desk = Desk::with_repro();
    desk.edit("sentence = \"", "sentence = \"\\u001b[2J");
    for command in ["replay", "show"] {
        let line = format!("CLICOLOR_FORCE=1 hangup {command} edited.toml --target reference");
        let run = desk.sh(&line);
        assert!(run.code == 0 && !run.out.contains("\x1b[2J"), "{run:?}");
    }
}

#[test]
fn every_command_has_a_help_of_at_most_80_columns() {
    let desk = Desk::new();
    let helps = COMMANDS.iter().flat_map(|name| [format!("{name} --help"), format!("help {name}")]);
    for help in helps.chain(["--help".to_owned(), "-h".to_owned(), "help".to_owned()]) {
        let run = desk.sh(&format!("COLUMNS=200 hangup {help}"));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{help}: {run:?}");
        assert!(run.out.contains("Usage: hangup"), "{help}: {run:?}");
        assert!(run.out.lines().all(|line| line.chars().count() <= 80), "{help}: {run:?}");
    }
    let help = desk.hangup("--help").out;
    assert!(COMMANDS.iter().all(|name| help.contains(&format!("\n  {name} "))), "{help}");
}
