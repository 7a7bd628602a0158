//! Ctrl-C, SIGTERM, SIGHUP: what was found is printed and saved. `tests/endures/signals.rs` has the rest.

use crate::cli::{BUGGY, CLEAN, Desk, REPRO, Run, listens};
use serde_json::json;
use std::process::{Command, Stdio};

impl Desk {
    /// Starts the binary and stops it by a signal, once it listens to that and `ready` says so.
    fn stop(&self, by: &str, arguments: &str, ready: impl Fn() -> bool) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_hangup"));
        command.args(arguments.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        while !(listens(&child) && ready()) {
            assert_eq!(child.try_wait().expect("a status"), None, "it ended by itself");
            std::thread::yield_now();
        }
        let pid = child.id().to_string();
        assert!(
            Command::new("kill").args([&format!("-{by}"), &pid]).status().expect("kill").success()
        );
        Run::of(child.wait_with_output().expect("it ends"))
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn an_interrupted_campaign_prints_and_saves_what_it_has_found() {
    for (target, code) in [(BUGGY, 1), (CLEAN, 2)] {
        for (by, format) in [("INT", "human"), ("TERM", "json"), ("HUP", "json")] {
            if by == "HUP" && is_hangup_ignored() {
                eprintln!("skipped: SIGHUP, which this process ignores, as under nohup");
                continue;
            }
            let desk = Desk::new();
            let found = || target == CLEAN || desk.path(REPRO).is_file();
            let run = desk.stop(by, &format!("test {target} --for 30s --format {format}"), found);
            assert_eq!(run.code, code, "{run:?}");
            assert!(run.err.contains(&format!("interrupted (SIG{by}): ")), "{run:?}");
            assert!(run.err.contains("1 target not fully tested"), "{run:?}");
            let saved = desk.files("hangup-findings");
            assert_eq!(saved.is_empty(), target == CLEAN);
            assert!(saved.keys().all(|name| run.out.contains(name)), "{run:?}");
            if format == "json" {
                let json = run.json();
                let problems = json["targets"][0]["problems"].as_array().map(Vec::len);
                assert_eq!((problems, &json["interrupted"]), (Some(saved.len()), &json!(true)));
            }
        }
    }
}

/// Whether whoever started the tests has them ignore SIGHUP: the command does so too, then.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 != 0))
}
