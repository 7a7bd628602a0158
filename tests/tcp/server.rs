//! A server as a process of its own, on a free port of this machine.

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use tempfile::TempDir;

/// Ends with the test that started it.
pub struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Server {
    /// `hangup serve TARGET`.
    pub fn hangup(target: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
        command.args(["serve", target, "--listen", "127.0.0.1:0"]);
        Self::start(command)
    }

    /// Starts a server whose first line on stdout has its address in it.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let address = line.trim().rsplit("ws://").next().expect("a word").to_owned();
        assert!(address.contains(':'), "{command:?} printed {line:?}");
        Self { child, stdout, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    }

    /// Waits for its end; its exit code and the rest of what it printed.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        (code, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script of `tests/servers` under an interpreter. A test cannot say while it runs that it was
/// skipped: whoever asks for one that needs what is not here is told so, by its failure.
pub fn scripted(interpreter: &str, script: &str, arguments: &[&str]) -> Server {
    let probe = Command::new(interpreter).arg("--version").output();
    let is_here = probe.is_ok_and(|output| output.status.success());
    assert!(is_here, "tests/servers/{script} needs {interpreter}, which is not on this machine");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/");
    let mut command = Command::new(interpreter);
    command.arg(format!("{root}{script}")).args(arguments);
    command.env("NODE_PATH", format!("{root}.installed/node_modules"));
    Server::start(command)
}

/// A server of `tests/servers` that is installed; where it is not, the test that asks for it fails.
pub fn installed(interpreter: &str, script: &str, needs: &str) -> Server {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/.installed");
    let is_here = root.join(needs).exists();
    assert!(
        is_here,
        "what tests/servers/{script} needs is not installed: run tests/servers/install"
    );
    let own = root.join(interpreter);
    let interpreter = if own.exists() { own.display().to_string() } else { interpreter.to_owned() };
    scripted(&interpreter, script, &[])
}

/// `tests/servers/bad.py` with a fault, and its promise in seconds.
pub fn bad(fault: &str, seconds: &str) -> Server {
    scripted("python3", "bad.py", &[fault, seconds])
}

/// What one run of the command came to.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("only UTF-8 is printed");
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(!err.contains("panicked"), "{err}");
        Self { code: output.status.code(), out, err }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The findings in JSON as `invariant: cause: condition`.
    #[track_caller]
    pub fn keys(&self) -> BTreeSet<String> {
        let json = self.json();
        let findings = json["targets"][0]["findings"].as_array().expect("a list").clone();
        let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or("-").to_owned();
        findings
            .iter()
            .map(|f| [word(f, "invariant"), word(f, "cause"), word(f, "condition")].join(": "))
            .collect()
    }
}

/// A fresh working directory.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// The command, with arguments that have no spaces in them.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
        command.current_dir(self.0.path()).stdin(Stdio::null()).env_remove("NO_COLOR");
        command.args(arguments.split_whitespace());
        command
    }

    pub fn hangup(&self, arguments: &str) -> Run {
        Run::of(self.command(arguments).output().expect("it starts"))
    }

    /// The one repro that was saved.
    pub fn repro(&self) -> String {
        let entries = std::fs::read_dir(self.path("hangup-findings")).expect("something was saved");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names = names.filter(|name| name != ".gitignore");
        let name = names.next().expect("a file").into_string().expect("a name");
        format!("hangup-findings/{name}")
    }
}
