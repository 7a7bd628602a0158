//! Suites as the tests of a user's crate: names, settings from outside, what a red run leaves for
//! the next, properties, and what virtual time does not have. `red` has tests that fail; others
//! play them in processes of their own.

mod limits;
mod names;
mod properties;
mod red;
mod saved;

use std::path::Path;
use std::process::Command;

/// What a test of [`red`] printed, in a process and a folder of its own.
struct Ran {
    failed: bool,
    text: String,
}

impl Ran {
    /// Whether it says this, wherever its lines are broken.
    fn says(&self, what: &str) -> bool {
        words(&self.text).contains(&words(what))
    }
}

/// The words of a text, a space apart.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Plays the tests of [`red`] whose names contain `filter`, in `directory`.
fn run_red(filter: &str, directory: &Path, environment: &[(&str, &str)]) -> Ran {
    run_red_with(filter, directory, environment, &[])
}

fn run_red_with(
    filter: &str,
    directory: &Path,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Ran {
    let exe = std::env::current_exe().expect("the test binary has a path");
    let mut command = Command::new(exe);
    command.args(["--ignored", "--nocapture"]).arg(format!("suites::red::{filter}"));
    command.args(arguments).current_dir(directory);
    for name in ["HANGUP_SEED", "HANGUP_SCRIPTS", "HANGUP_FINDINGS", "PROPTEST_CASES"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let output = command.output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    Ran { failed: !output.status.success(), text: String::from_utf8_lossy(&text).into_owned() }
}

/// The names of the repro files in `directory`, in order.
fn repros(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
