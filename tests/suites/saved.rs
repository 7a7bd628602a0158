//! What a red run leaves, and what the next one makes of it.

use super::red::{hangs, is_late, quick};
use super::{repros, words};
use hangup::{Connection, Suite, secs};
use std::path::Path;

/// Keeps every rule.
async fn closes_well(connection: Connection) {
    let registry = hangup::Registry::built_in();
    let server = std::sync::Arc::clone(registry.find("reference").expect("built in"));
    hangup::Target::serve(&*server, connection).await;
}

fn suite(directory: &Path, suite: Suite) -> Suite {
    quick(suite).named("mine").scripts(300).findings_in(directory)
}

fn failure(suite: &Suite) -> String {
    suite.try_check().expect_err("it fails").to_string()
}

/// The headlines of the problems in a failure, and the files behind them.
fn problems(failure: &str) -> (Vec<String>, Vec<String>) {
    let text = words(failure);
    let rules = text.match_indices(". ").filter_map(|(at, _)| {
        let number = text[..at].rsplit(' ').next()?;
        let rest = &text[at + 2..];
        let rule = rest.split(' ').next()?;
        let is_numbered = number.bytes().all(|b| b.is_ascii_digit());
        let headline = rest.split(" saved ").next()?;
        let headline = headline.split(" The ").next()?.split(" At ").next()?;
        (is_numbered && rule.contains('-')).then(|| headline.to_owned())
    });
    let files = text.split_whitespace().filter(|word| word.contains(".toml"));
    (rules.collect(), files.map(str::to_owned).collect())
}

#[test]
fn the_second_red_run_tells_the_same_problems_in_the_same_words() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = suite(directory.path(), hangup::suite(hangs));
    let first = failure(&suite);
    let again = failure(&suite.clone().seed(99));
    let count = problems(&first).0.len();
    assert!(count > 1, "{first}");
    assert_eq!(problems(&first), problems(&again), "{first}\n\n{again}");
    assert!(again.contains(&format!("mine still fails as saved: {count} problems")), "{again}");
    // The whole first problem: its sentence, its script, its timeline.
    let whole = |text: &str| {
        let from = text.find("\n1. ").expect("the first problem");
        text[from..]
            .lines()
            .take_while(|line| !line.starts_with("shown by"))
            .map(str::to_owned)
            .take(12)
            .collect::<Vec<_>>()
    };
    assert_eq!(whole(&first), whole(&again));
    assert_eq!(failure(&suite.seed(99)), again, "and the third as the second");
}

#[test]
fn what_is_mended_is_told_beside_what_is_not() {
    let directory = tempfile::tempdir().expect("a directory");
    failure(&suite(directory.path(), hangup::suite(hangs)));
    let saved = repros(directory.path());
    assert_eq!(
        suite(directory.path(), hangup::suite(closes_well)).close_within(secs(5)).try_check(),
        Ok(())
    );
    assert_eq!(repros(directory.path()), saved, "the files stay");
    // Another one, of a script that the server passes.
    let waits = directory.path().join("mine--ends-in-time--waits-to-read.toml");
    let text = std::fs::read_to_string(waits).expect("a repro");
    let mended = directory.path().join("mine--mended.toml");
    let passes = text.replace("\nupgrade\n", "\nupgrade\nclose 1000\nfin\n");
    std::fs::write(&mended, passes).expect("written");
    let text = words(&failure(&suite(directory.path(), hangup::suite(hangs))));
    let told = format!(
        "no longer broken, and played first as long as the file is there: {}",
        mended.display()
    );
    assert!(text.contains(&told), "{text}");
    assert!(text.contains("still fails as saved: "), "{text}");
}

#[test]
fn what_fails_in_another_way_than_saved_is_said_so() {
    let directory = tempfile::tempdir().expect("a directory");
    failure(&suite(directory.path(), hangup::suite(hangs)));
    let text = words(&failure(&suite(directory.path(), hangup::suite(is_late))));
    assert!(
        text.contains("1. ends-in-time (should): ends it by its own timer, too late"),
        "{text}"
    );
    let saved = directory.path().join(&repros(directory.path())[0]);
    let other =
        format!("fails in another way than that saved in {}: ends-in-time", saved.display());
    assert!(text.contains(&other), "{text}");
}

#[test]
fn a_saved_file_that_cannot_be_read_fails_by_its_name_with_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    failure(&suite(directory.path(), hangup::suite(hangs)));
    let path = directory.path().join(&repros(directory.path())[0]);
    let whole = std::fs::read_to_string(&path).expect("a repro");
    let half = &whole[..whole.len() / 2];
    for (text, says) in [
        (half.as_bytes(), "neither a script nor a whole TOML file"),
        (b"", "neither a script nor a whole TOML file: it is empty"),
        (b"\xff\xfe", "not a text file"),
        (whole.replace("format = 2", "format = 3").as_bytes(), "written in format 3"),
        (whole.replace("digest", "digests").as_bytes(), "unknown field `digests`"),
        (whole.replace("\nupgrade\n", "\nupgrades\n").as_bytes(), "its script"),
    ] {
        std::fs::write(&path, text).expect("written");
        // Also of a server that keeps every rule, and of another suite in that folder.
        for server in [hangup::suite(hangs), hangup::suite(closes_well)] {
            let failure = words(&failure(&suite(directory.path(), server)));
            assert!(failure.contains("mine could not be tested"), "{failure}");
            let named = format!("{}: ", path.display());
            assert!(failure.contains(&named) && failure.contains(says), "{failure}");
            let to_do = if says.contains("format 3") {
                "install a newer hangup; or move"
            } else {
                "restore the"
            };
            assert!(failure.contains(to_do), "{failure}");
        }
    }
    // What is no repro at all is somebody else's.
    std::fs::write(&path, "[package]\nname = \"x\"\n").expect("written");
    assert_eq!(
        suite(directory.path(), hangup::suite(closes_well)).close_within(secs(5)).try_check(),
        Ok(())
    );
}
