//! Properties of proptest's: what `play` saves, what proptest prints, and where its seeds land.

use super::red::{hangs, quick};
use super::{repros, run_red, words};
use hangup::Script;
use hangup::finding::save;
use std::path::Path;

/// proptest draws by this, so that these tests do the same every time.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

/// A package's folder with the source file of the property, where it is looked for.
fn package(files: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for file in files {
        let file = directory.path().join(file);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(file, "").expect("written");
    }
    directory
}

#[test]
fn a_property_saves_the_minimal_script_alone_and_names_the_file() {
    let package = package(&["tests/suites/red.rs"]);
    let ran = run_red("property::", package.path(), &[SEED]);
    assert!(ran.failed);
    let findings = package.path().join("hangup-findings");
    let file = "lib-suites-red-property-closes-in-time--ends-in-time--waits-to-read.toml";
    assert_eq!(repros(&findings), [file], "{}", ran.text);
    assert!(ran.text.contains(&format!("saved as hangup-findings/{file}")), "{}", ran.text);
    let saved = save::saved(&findings).remove(0).1.expect("a whole file");
    assert_eq!(saved.script.to_string(), "upgrade\n", "the minimal one");
    let input = "minimal failing input: script = \n";
    let mut lines = ran.text.split_once(input).expect("proptest says it").1.lines();
    assert_eq!(lines.next().map(str::trim), Some("upgrade"), "{}", ran.text);
}

/// As `docs/testing.md` says.
#[test]
fn proptests_seeds_land_beside_the_test_file_or_in_a_folder_of_the_package() {
    for (files, lands) in [
        // A file of `tests/` that is a binary by itself.
        (&["tests/suites/red.rs"][..], "tests/suites/red.proptest-regressions"),
        // A module below a `lib.rs` or `main.rs`.
        (&["tests/suites/red.rs", "tests/lib.rs"], "proptest-regressions/suites/red.txt"),
    ] {
        let package = package(files);
        run_red("property::", package.path(), &[SEED]);
        let seeds = std::fs::read_to_string(package.path().join(lands)).expect(lands);
        assert!(seeds.contains("shrinks to script =  upgrade "), "{seeds}");
        // The next run plays it first; this one draws nothing itself.
        let none = [("PROPTEST_CASES", "0"), ("PROPTEST_MAX_SHRINK_ITERS", "1024")];
        let again = run_red("property::", package.path(), &none);
        assert!(again.failed && again.says("script = upgrade successes: 0"), "{}", again.text);
    }
}

fn saved_script(directory: &Path) -> String {
    let mut saved = save::saved(directory);
    assert_eq!(saved.len(), 1);
    saved.remove(0).1.expect("a whole file").script.to_string()
}

#[test]
fn of_several_scripts_the_simplest_stays_and_a_file_of_before_is_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    let play = |text: &str| {
        let script: Script = text.parse().expect("a script");
        let suite = quick(hangup::suite(hangs)).named("mine");
        let failure = suite.findings_in(directory.path()).play(&script).expect_err("it hangs");
        assert!(words(&failure.to_string()).contains("saved as"), "{failure}");
    };
    // An earlier process's: what it says may be true no longer.
    play("upgrade\n");
    let path = save::saved(directory.path()).remove(0).0;
    let earlier = std::fs::read_to_string(&path).expect("a repro");
    std::fs::remove_file(&path).expect("it is there");
    play("upgrade\ntext \"x\"\nwait 1s\n");
    assert_eq!(saved_script(directory.path()), "upgrade\ntext \"x\"\nwait 1s\n");
    play("upgrade\ntext \"x\"\n");
    assert_eq!(saved_script(directory.path()), "upgrade\ntext \"x\"\n");
    play("upgrade\ntext \"x\"\nwait 1s\n");
    assert_eq!(saved_script(directory.path()), "upgrade\ntext \"x\"\n", "the simplest stays");
    std::fs::write(&path, earlier).expect("written");
    play("upgrade\n");
    assert_eq!(saved_script(directory.path()), "upgrade\n");
}
