//! The name of a suite that was given none, and the version of what it tests: the same from run to
//! run, and another for each suite of a package.
//!
//! A test has its own name, `ws::closes_in_time`: its binary's and the function's, by the thread on
//! which every test harness runs it. Elsewhere the place stands for it, `src/main.rs:12`. Lines
//! move when a file is edited, so that a test's name has none: of several suites in one test, the
//! later ones have a number.

use std::cell::RefCell;
use std::panic::Location;
use std::path::Path;

/// Where a suite was made, and of which function of the user's.
type Origin = (&'static Location<'static>, &'static str);

thread_local! {
    /// The suites made on this thread, each with the name that it would have if it were alone.
    static MADE: RefCell<Vec<(String, Origin)>> = const { RefCell::new(Vec::new()) };
}

/// The default name of the suite that is made here and now, at `place`, of a function of the
/// type `serve`. What was made at the same place of the same type has the same name.
pub(super) fn default_name(place: &'static Location<'static>, serve: &'static str) -> String {
    let base = match (test_name(), binary()) {
        (Some(test), Some(binary)) => format!("{binary}::{test}"),
        (Some(test), None) => test,
        (None, _) => at(place),
    };
    let origin = (place, serve);
    let number = MADE.with_borrow_mut(|made| {
        let of_base = |made: &&(String, Origin)| made.0 == base;
        let before = made.iter().filter(of_base).position(|made| made.1 == origin);
        before.unwrap_or_else(|| {
            let number = made.iter().filter(of_base).count();
            made.push((base.clone(), origin));
            number
        })
    });
    if number == 0 { base } else { format!("{base}#{}", number + 1) }
}

/// The running test's name, by its thread's: Rust's test harness names threads so, also for
/// nextest and with `--test-threads=1`. Other threads' names have other characters, or are `main`.
pub(super) fn test_name() -> Option<String> {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main" && !name.is_empty())?;
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    name.chars().all(is_path).then(|| name.to_owned())
}

/// The name of the test binary without the hash that cargo adds: functions of two test files may
/// have one name.
fn binary() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(without_hash(path.file_stem()?.to_str()?).to_owned())
}

fn without_hash(stem: &str) -> &str {
    let is_hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    stem.rsplit_once('-').filter(|(_, hash)| is_hash(hash)).map_or(stem, |(name, _)| name)
}

/// A place in words that are the same on every machine: of a file elsewhere, only its name.
fn at(place: &Location<'_>) -> String {
    let file = Path::new(place.file());
    let name = file.file_name().filter(|_| file.is_absolute());
    let file = name.map_or(place.file().into(), |name| name.to_string_lossy());
    format!("{}:{}", file.replace('\\', "/"), place.line())
}

/// The package that cargo runs, with its version: `my-server 1.2.0`. Without cargo, `unknown`.
pub(super) fn package() -> String {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("CARGO_PKG_NAME"), variable("CARGO_PKG_VERSION")) {
        (Some(name), Some(version)) => format!("{name} {version}"),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn made(serve: &'static str) -> String {
        default_name(Location::caller(), serve)
    }

    fn on_a_thread(name: Option<&str>, work: impl FnOnce() -> String + Send + 'static) -> String {
        let mut builder = std::thread::Builder::new();
        if let Some(name) = name {
            builder = builder.name(name.to_owned());
        }
        builder.spawn(work).expect("a thread").join().expect("a name")
    }

    #[test]
    fn a_test_gives_its_name_and_every_other_suite_in_it_a_number() {
        let first = made("a");
        let test = "a_test_gives_its_name_and_every_other_suite_in_it_a_number";
        assert_eq!(first, format!("hangup::suite::name::tests::{test}"));
        for _ in 0..2 {
            let other_place = made("a");
            assert_eq!(other_place, format!("{first}#2"), "the same place is the same suite");
        }
        let same_place = ["a", "b"].map(|serve| made(serve));
        assert_eq!(same_place, [format!("{first}#3"), format!("{first}#4")]);
    }

    #[test]
    fn on_a_thread_of_no_test_the_place_gives_the_name() {
        for thread in [None, Some("main"), Some("tokio-rt-worker"), Some("my pool 1")] {
            let (name, line) = (on_a_thread(thread, || made("a")), line!());
            assert_eq!(name, format!("src/suite/name.rs:{line}"), "{thread:?}");
        }
    }

    #[test]
    fn the_hash_of_a_binarys_name_changes_and_is_left_out() {
        assert_eq!(without_hash("ws-99b033949f40de05"), "ws");
        assert_eq!(without_hash("close-in-time"), "close-in-time");
        assert_eq!(without_hash("ws"), "ws");
    }
}
