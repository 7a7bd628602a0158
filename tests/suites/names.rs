//! Which suite is which, and what the environment sets.

use super::red::hangs;
use super::{repros, run_red, run_red_with};
use hangup::target::Target;
use tempfile::TempDir;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn two_unnamed_suites_fail_twice_each_with_its_own_finding_and_repro() {
    let directory = directory();
    let hanging = "lib::suites::red::unnamed::hanging";
    let late = "lib::suites::red::unnamed::late";
    let first = run_red("unnamed::", directory.path(), &[]);
    assert!(first.failed);
    assert!(first.says(&format!("seed 0: {hanging} fails: ")), "{}", first.text);
    assert!(first.says(&format!("seed 0: {late} fails: ")), "{}", first.text);
    let found = repros(&directory.path().join("hangup-findings"));
    let of_hanging = "lib-suites-red-unnamed-hanging--ends-in-time--waits-to-read.toml";
    let of_late = "lib-suites-red-unnamed-late--ends-in-time--ends-it-by-its-own-timer.toml";
    for file in [of_hanging, of_late] {
        assert!(found.iter().any(|found| found == file), "{found:?}");
        assert!(first.says(&format!("saved as hangup-findings/{file}")), "{}", first.text);
    }
    // In any order, on any number of threads.
    for arguments in [&[][..], &["--test-threads=1"]] {
        let again = run_red_with("unnamed::", directory.path(), &[], arguments);
        assert!(again.failed);
        for (name, file) in [(hanging, of_hanging), (late, of_late)] {
            let told = format!("{name} still fails as saved: ");
            assert!(again.says(&told), "{}", again.text);
            assert!(again.says(&format!("saved in hangup-findings/{file}")), "{}", again.text);
        }
    }
    assert_eq!(repros(&directory.path().join("hangup-findings")), found);
}

#[test]
fn two_suites_in_one_test_share_no_name() {
    let directory = directory();
    let name = "lib::suites::red::two_suites_in_one_test";
    let first = run_red("two_suites", directory.path(), &[]);
    assert!(first.says(&format!("{name} fails: ")), "{}", first.text);
    assert!(first.says(&format!("{name}#2 fails: ")), "{}", first.text);
    let again = run_red("two_suites", directory.path(), &[]);
    assert!(again.says(&format!("{name} still fails as saved")), "{}", again.text);
    assert!(again.says(&format!("{name}#2 still fails as saved")), "{}", again.text);
    let found = repros(&directory.path().join("hangup-findings"));
    for file in ["test--ends-in-time--ends-it-by", "test-2--ends-in-time--waits-to-read"] {
        assert!(found.iter().any(|found| found.contains(file)), "{found:?}");
    }
}

#[test]
fn a_failure_points_at_the_callers_line_and_ends_with_how_to_play_it_again() {
    let directory = directory();
    let source = include_str!("red.rs");
    let lines = source.lines().enumerate();
    let of_tokio = lines.skip_while(|(_, line)| !line.contains("fn within_tokio")).nth(1);
    let line = of_tokio.expect("its one line").0 + 1;
    let ran = run_red("within_tokio", directory.path(), &[]);
    assert!(ran.failed && ran.says("within_tokio fails: "), "{}", ran.text);
    assert!(ran.text.contains(&format!("panicked at tests/suites/red.rs:{line}:")), "{}", ran.text);
    assert!(ran.says("again: cargo test -p hangup suites::red::within_tokio"), "{}", ran.text);
}

#[test]
fn the_environment_sets_what_the_code_does_not() {
    let directory = directory();
    let outside = [("HANGUP_SCRIPTS", "250"), ("HANGUP_SEED", "9"), ("HANGUP_FINDINGS", "there")];
    let ran = run_red("defaults", directory.path(), &outside);
    assert!(ran.says("seed 9: lib::suites::red::defaults fails"), "{}", ran.text);
    assert!(ran.says("of 250 scripts"), "{}", ran.text);
    let again =
        "again: HANGUP_SEED=9 HANGUP_SCRIPTS=250 cargo test -p hangup suites::red::defaults";
    assert!(ran.says(again), "{}", ran.text);
    assert!(!repros(&directory.path().join("there")).is_empty());
    let own = run_red("own_settings", directory.path(), &outside);
    assert!(own.says("seed 3: lib::suites::red::own_settings fails"), "{}", own.text);
    assert!(own.says("of 200 scripts"), "{}", own.text);
    assert!(own.says("again: cargo test -p hangup suites::red::own_settings"), "{}", own.text);
    assert!(!repros(&directory.path().join("own")).is_empty());
    assert_eq!(repros(&directory.path().join("hangup-findings")), [""; 0]);
}

#[test]
fn a_bad_value_in_the_environment_is_a_failure_that_names_the_variable() {
    let directory = directory();
    for (filter, line) in [("defaults", "could not be tested"), ("property", "could not be tested")]
    {
        let ran = run_red(filter, directory.path(), &[("HANGUP_SEED", "soon")]);
        assert!(ran.failed && ran.says(line), "{}", ran.text);
        let wrong =
            "the environment variable HANGUP_SEED is `soon`: it takes a whole number from 0";
        assert!(ran.says(wrong), "{}", ran.text);
    }
    assert_eq!(repros(&directory.path().join("hangup-findings")), [""; 0]);
}

#[test]
fn a_version_is_the_packages_or_its_own() {
    let default = hangup::suite(hangs).into_target();
    // A process that cargo did not start has none.
    let packages = ["hangup 0.1.0", "unknown"];
    assert!(packages.contains(&default.version()), "{}", default.version());
    assert_eq!(
        hangup::suite(hangs).version("my crate 1.2").into_target().version(),
        "my crate 1.2"
    );
    let directory = directory();
    for (variables, version) in [
        (&[("CARGO_PKG_NAME", "ws"), ("CARGO_PKG_VERSION", "1.2.0")][..], "ws 1.2.0"),
        (&[("CARGO_PKG_NAME", "")], "unknown"),
    ] {
        run_red("unnamed::hanging", directory.path(), variables);
        let findings = directory.path().join("hangup-findings");
        let file = findings.join(&repros(&findings)[0]);
        let repro = std::fs::read_to_string(&file).expect("a repro");
        assert!(repro.contains(&format!("version = \"{version}\"")), "{repro}");
        std::fs::remove_dir_all(findings).expect("it is there");
    }
}
