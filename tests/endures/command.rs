//! The binary, as a child whose output is kept. It judges nothing.

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Whether the full numbers are to be played, which takes minutes: `HANGUP_FULL=1`.
pub(crate) fn is_full() -> bool {
    std::env::var_os("HANGUP_FULL").is_some()
}

/// The seed of these tests: `HANGUP_SEED`, or 1.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("HANGUP_SEED").ok();
    seed.map_or(1, |seed| seed.parse().expect("HANGUP_SEED is a number"))
}

/// Numbers that follow from a seed (splitmix64).
pub(crate) struct Draws(pub u64);

impl Draws {
    /// The next one, below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

/// A folder to work in.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Starts the binary in a folder, with arguments that have no spaces in them.
pub(crate) fn start(folder: &Path, arguments: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
    command.args(arguments.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// What one run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The run of a child, to its end.
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8(bytes).expect("only UTF-8 is printed");
        let run =
            Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        assert!(!run.err.contains("panicked"), "{run:?}");
        run
    }

    /// The only thing on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs the binary in a folder, to its end.
pub(crate) fn hangup(folder: &Path, arguments: &str) -> Run {
    Run::of(start(folder, arguments))
}

/// The process ids of the children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    // A thread starts each: they are the children of that thread.
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let list = |thread: std::fs::DirEntry| {
        std::fs::read_to_string(thread.path().join("children")).unwrap_or_default()
    };
    let ids = threads.filter_map(Result::ok).map(list).collect::<Vec<_>>();
    ids.iter().flat_map(|ids| ids.split_whitespace()).filter_map(|id| id.parse().ok()).collect()
}

/// Sends a signal; whether there was a process to take it.
pub(crate) fn signal(pid: u32, name: &str) -> bool {
    let status = Command::new("kill").args([name, &pid.to_string()]).stderr(Stdio::null()).status();
    status.expect("there is a kill").success()
}
