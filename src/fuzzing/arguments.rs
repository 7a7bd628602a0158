//! libFuzzer's arguments: the flags that a fuzz target runs with where the user set none, and the
//! seeds that it begins with where its corpus is empty.
//!
//! A program cannot change its own arguments, so it starts itself again with more of them. What
//! is no search (a file to try again, a merge, a part of a search that libFuzzer started itself) is left alone.

use super::seeds::seeds;
use crate::report;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// What `script` is best run with: its mutations are whole scripts, and what a script takes
/// differs a thousandfold.
const SCRIPT_FLAGS: &[&str] = &["-max_len=1000", "-entropic_scale_per_exec_time=1", "-timeout=20"];
const BYTES_FLAGS: &[&str] = &["-max_len=1000", "-timeout=20"];

/// Flags of what is no search.
const NO_SEARCH: &[&str] = &[
    "cleanse_crash",
    "help",
    "merge",
    "merge_control_file",
    "merge_inner",
    "minimize_crash",
    "minimize_crash_internal_step",
    "seed_inputs",
    "set_cover_merge",
    "set_cover_merge_inner",
    "stop_file",
];

/// Prepares a fuzz target before libFuzzer begins, by its name, which says what its input is (`script`,
/// `bytes`, `wire`, `notation` or `repro`), and the program's arguments, its own name first. Sets the flags that it is best run with, where the
/// user set none, by starting the program again in its place (on Unix), and writes seeds into its corpus,
/// where that is an empty folder. It says so in one line on stderr, once.
///
/// The macros [`fuzz_scripts!`](crate::fuzz_scripts) and [`fuzz_bytes!`](crate::fuzz_bytes) call it.
pub fn begin(target: &str, arguments: impl IntoIterator<Item = String>) {
    let arguments: Vec<String> = arguments.into_iter().collect();
    let Some((program, arguments)) = arguments.split_first() else { return };
    if !is_search(arguments) {
        return;
    }
    let flags = missing(flags_of(target), arguments);
    let mut done = Vec::new();
    if !flags.is_empty() {
        done.push(format!("runs with {}", flags.join(" ")));
    }
    if let Some(corpus) = empty_corpus(arguments) {
        match plant(target, corpus) {
            Ok(count) => done.push(format!("{count} seeds are in {}", corpus.display())),
            Err(error) => done.push(format!("no seeds are in {}: {error}", corpus.display())),
        }
    }
    if !done.is_empty() {
        let _ = writeln!(io::stderr(), "hangup: {}", done.join("; "));
    }
    if !flags.is_empty() {
        start_again(program, arguments, &flags);
    }
}

fn flags_of(target: &str) -> &'static [&'static str] {
    match target {
        "script" => SCRIPT_FLAGS,
        "bytes" => BYTES_FLAGS,
        _ => &[],
    }
}

/// The flag's name.
fn name(argument: &str) -> Option<&str> {
    let flag = argument.strip_prefix('-')?;
    Some(flag.split_once('=').map_or(flag, |(name, _)| name))
}

fn is_search(arguments: &[String]) -> bool {
    arguments.iter().all(|argument| match name(argument) {
        Some(name) => !NO_SEARCH.contains(&name),
        None => !Path::new(argument).is_file(),
    })
}

/// Those of the `flags` that the user did not set.
fn missing(flags: &[&'static str], arguments: &[String]) -> Vec<&'static str> {
    let is_set = |flag: &&&str| arguments.iter().any(|argument| name(argument) == name(flag));
    flags.iter().filter(|flag| !is_set(flag)).copied().collect()
}

/// The folder that libFuzzer writes what it keeps to, where it begins with nothing.
fn empty_corpus(arguments: &[String]) -> Option<&Path> {
    let mut folders = arguments.iter().filter(|argument| name(argument).is_none()).map(Path::new);
    let first = folders.next()?;
    let is_empty =
        |folder: &Path| fs::read_dir(folder).is_ok_and(|mut files| files.next().is_none());
    (is_empty(first) && folders.all(is_empty)).then_some(first)
}

/// Writes the target's seeds into a folder, and says how many.
fn plant(target: &str, folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for seed in seeds().into_iter().filter(|seed| seed.target == target) {
        fs::write(folder.join(seed.name), seed.bytes)?;
        count += 1;
    }
    Ok(count)
}

/// Does not return, unless it fails; then it says so, and the target runs as it is.
#[cfg(unix)]
fn start_again(program: &str, arguments: &[String], flags: &[&str]) {
    use std::os::unix::process::CommandExt as _;
    let error = std::env::current_exe().map_or_else(
        |error| error,
        |path| std::process::Command::new(path).arg0(program).args(arguments).args(flags).exec(),
    );
    let line = format!("hangup: could not start again with these flags: {error}");
    let _ = writeln!(io::stderr(), "{}", report::wrap(&line));
}

#[cfg(not(unix))]
fn start_again(_: &str, _: &[String], flags: &[&str]) {
    let line = format!("hangup: a program cannot be replaced here: add {}", flags.join(" "));
    let _ = writeln!(io::stderr(), "{}", report::wrap(&line));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_that_the_user_set_are_left_as_they_are() {
        let missing = |line: &str| missing(SCRIPT_FLAGS, &arguments(line)).join(" ");
        assert_eq!(missing("-artifact_prefix=a/ corpus"), SCRIPT_FLAGS.join(" "));
        let set = "-max_len=9 -timeout=1 corpus -entropic_scale_per_exec_time=0";
        assert_eq!(missing(set), "");
        assert_eq!(missing("-max_len=9 -timeout=1"), "-entropic_scale_per_exec_time=1");
        // So that the program starts itself again once.
        assert_eq!(missing(&SCRIPT_FLAGS.join(" ")), "");
    }

    #[test]
    fn these_are_the_flags_that_oss_fuzz_is_told() {
        for (flags, options) in [
            (SCRIPT_FLAGS, include_str!("../../fuzz/options/script.options")),
            (BYTES_FLAGS, include_str!("../../fuzz/options/bytes.options")),
        ] {
            let lines = options.lines().filter(|line| line.contains('='));
            let told: Vec<String> =
                lines.map(|line| format!("-{}", line.replace(' ', ""))).collect();
            assert_eq!(flags, told);
        }
    }

    #[test]
    fn what_is_no_search_is_left_alone() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().display();
        assert!(is_search(&arguments(&format!("-fork=2 -runs=3 {folder}"))));
        for no in ["-merge=1", "-minimize_crash=1", "-help=1", "-seed_inputs=@x"] {
            assert!(!is_search(&arguments(&format!("{no} {folder}"))), "{no}");
        }
        assert!(!is_search(&arguments(&file.path().display().to_string())));
    }

    #[test]
    fn an_empty_corpus_begins_with_the_seeds_and_another_stays_as_it_is() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let [one, two] = folders.each_ref().map(tempfile::TempDir::path);
        let line = arguments(&format!("-runs=1 {} {}", one.display(), two.display()));
        assert_eq!(empty_corpus(&line), Some(one));
        let count = plant("script", one).expect("seeds");
        let files = fs::read_dir(one).expect("a folder").count();
        assert!(count > 20 && files == count, "{count} {files}");
        assert_eq!(empty_corpus(&line), None);
        let other_way = arguments(&format!("{} {}", two.display(), one.display()));
        assert_eq!(empty_corpus(&other_way), None, "it begins with what the other has");
        assert_eq!(empty_corpus(&arguments("-runs=1")), None);
    }
}
