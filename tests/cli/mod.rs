//! The command line, as somebody at a shell meets it: exit codes, what is printed
//! where, files that are saved, and files that are wrong.
//!
//! Every test runs the binary in a directory of its own, a [`Desk`]. A campaign
//! is `--scripts 200 --seed 1`, which finds the bug of `tungstenite/no-deadline` and
//! nothing in the others. Signals, `/proc` and `/dev/full` are Linux's.

mod bad_input;
mod clocks;
mod compare;
mod costs;
mod exports;
mod interrupt;
mod json;
mod lists;
mod pages;
mod pasted;
mod problems;
mod replay;
mod roles;
mod saving;
mod show;
mod shrink;
mod streams;
mod test_command;
#[cfg(not(feature = "tls"))]
mod tls;

use hangup::Registry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The target with the bug, a correct one, and a fixed one.
const BUGGY: &str = "tungstenite/no-deadline";
const CLEAN: &str = "reference";
const FIXED: &str = "tungstenite/read-deadline";
const ALL: [&str; 7] = [
    CLEAN,
    "reference/split-tasks",
    "reference/cancelled-sends",
    "reference-server",
    BUGGY,
    FIXED,
    "tungstenite/reader-task",
];
/// The campaign that finds the bug. In a shell it is [`QUICK`].
const CAMPAIGN: &str = "test tungstenite/no-deadline --scripts 200 --seed 1";
/// The same where nothing is played in real time, which takes seconds.
const QUICK: &str = "test tungstenite/no-deadline --scripts 200 --seed 1 --no-confirm";
/// The shortest script of the bug, and where its repro is saved.
const HANG: &str = "upgrade\napp close\n";
const REPRO: &str = "hangup-findings/tungstenite-no-deadline--ends-in-time--waits-to-read.toml";

/// What a command says on stderr that takes long, and has no other word for that.
const PATIENCE: &str = " s so far; Ctrl-C ends it";

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
        let err = text(output.stderr);
        // A busy machine makes any play long enough to be told of: `costs` looks at that.
        let lines = err.split_inclusive('\n').filter(|line| !line.contains(PATIENCE));
        let run = Self { code, out: text(output.stdout), err: lines.collect() };
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
        let times = ["\"seconds\":", "\"scripts_per_second\":", " a second", " in real time"];
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
            && word.starts_with(|c: char| c.is_ascii_lowercase() || "+/".contains(c))
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
        let names = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "GITHUB_STEP_SUMMARY"];
        for name in names {
            command.env_remove(name);
        }
        command
    }

    /// Runs the binary with arguments that have no spaces in them. What `test` finds is not played
    /// in real time, which takes seconds.
    pub fn hangup(&self, arguments: &str) -> Run {
        let is_test = arguments.starts_with("test ");
        self.confirming(&format!("{arguments}{}", if is_test { " --no-confirm" } else { "" }))
    }

    /// The same, and `test` plays in real time what it finds about time.
    pub fn confirming(&self, arguments: &str) -> Run {
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

    /// The files of a directory with what is in them; none where it is not there.
    pub fn files(&self, directory: &str) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = std::fs::read_dir(self.path(directory)) else { return BTreeMap::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        // In every folder for findings that hangup makes.
        let paths = paths.filter(|path| !path.ends_with(".gitignore"));
        let name = |path: &Path| path.file_name().expect("a name").display().to_string();
        paths.map(|path| (name(&path), std::fs::read(path).unwrap_or_default())).collect()
    }
}

/// What is said on stderr of the folder for findings that a run makes.
pub(crate) const NEW_FOLDER: &str =
    "new folder for findings: hangup-findings (with a .gitignore)\n";

/// Whether a process catches SIGINT, which is the second bit.
pub(crate) fn listens(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let caught = status.unwrap_or_default();
    let caught = caught.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).expect("a mask") & 2 != 0
}

/// The targets that are broken on purpose.
fn planted() -> Vec<String> {
    let registry = Registry::built_in();
    let planted = registry.iter().filter(|target| target.is_planted());
    planted.map(|target| target.name().to_owned()).collect()
}
