//! hangup as a user's tests see it: the suite, the strategy, the text of a failure.

use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern};
use hangup::{AppSteps, Connection, Script, Suite, secs};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Answers any request with the 101.
async fn opens(conn: &mut Connection) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match conn.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let accept = hangup::wire::handshake::switching_protocols(hangup::wire::handshake::ACCEPT);
    let _ = conn.write_all(accept.as_bytes()).await;
}

/// Opens, then reads until the client's FIN, and hangs.
async fn hangs_after_fin(mut conn: Connection) {
    opens(&mut conn).await;
    let mut bytes = [0; 1024];
    while conn.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    std::future::pending::<()>().await;
}

/// Closes well.
async fn closes_well(conn: Connection) {
    let registry = hangup::Registry::built_in();
    let server = std::sync::Arc::clone(registry.find("reference").expect("built in"));
    hangup::Target::serve(&*server, conn).await;
}

/// Opens, and hangs up on everybody 10 ms later, without a Close.
async fn hangs_up_once_open(mut conn: Connection) {
    opens(&mut conn).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Plays nothing in real time, which takes seconds.
fn suite_in(directory: &TempDir) -> Suite {
    let suite = hangup::suite(hangs_after_fin).named("mine").findings_in(directory.path());
    suite.scripts(500).confirm(false)
}

fn saved(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_failure_says_all_that_a_person_needs() {
    let directory = tempfile::tempdir().expect("a directory");
    let failure = suite_in(&directory).try_check().expect_err("it hangs").to_string();
    let path = directory.path().display().to_string();
    insta::assert_snapshot!(failure.replace(&path, "DIRECTORY"));
    assert!(saved(directory.path()).len() > 1, "the others are saved too");
}

#[test]
fn a_server_that_hangs_up_on_everybody_is_not_called_clean() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::suite(hangs_up_once_open).findings_in(directory.path()).confirm(false);
    let failure = suite.try_check().expect_err("nothing was tested").to_string();
    let words: Vec<&str> = failure.split_whitespace().collect();
    assert!(words.join(" ").contains("could not be tested"), "{failure}");
    assert!(
        words.join(" ").contains("ends the connection within 1 s without a Close"),
        "{failure}"
    );
    assert_eq!(saved(directory.path()), [""; 0], "nothing was found");
}

#[test]
fn a_saved_repro_is_replayed_first_on_the_next_run() {
    let directory = tempfile::tempdir().expect("a directory");
    suite_in(&directory).try_check().expect_err("it hangs");
    let again = suite_in(&directory).seed(99).try_check().expect_err("it still hangs").to_string();
    assert!(again.contains("mine still fails as saved"), "{again}");
    let fixed = hangup::suite(closes_well).named("mine").findings_in(directory.path());
    assert_eq!(fixed.scripts(500).try_check(), Ok(()));
    let other = suite_in(&directory).named("other").scripts(1).try_check();
    assert!(!other.is_err_and(|failure| failure.to_string().contains("still fails")));
}

#[test]
#[should_panic(expected = "mine fails")]
fn a_check_that_fails_panics() {
    let directory = tempfile::tempdir().expect("a directory");
    suite_in(&directory).check();
}

#[expect(clippy::disallowed_methods, reason = "a server that keeps another time")]
fn now() -> Instant {
    Instant::now()
}

/// Opens, and at the first that comes waits for so long by the system's clock before it ends.
async fn waits_in_real_time(mut conn: Connection, time: Duration) {
    opens(&mut conn).await;
    let _ = conn.read(&mut [0; 1024]).await;
    let began = now();
    while began.elapsed() < time {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn what_ends_in_real_time_is_no_hang_and_not_clean_either() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |millis, confirm| {
        let serve = move |conn| waits_in_real_time(conn, Duration::from_millis(millis));
        let suite = hangup::suite(serve).named("mine").confirm(confirm);
        let suite = suite.close_within(Duration::from_millis(700));
        let about_time = [Invariant::EndsInTime, Invariant::ReleasesInTime];
        let others = Invariant::ALL.iter().filter(|invariant| !about_time.contains(invariant));
        let suite = others.fold(suite, |suite, invariant| {
            let (reason, rfc) = ("it ends without a word", "-");
            suite.accepting(Deviation { pattern: Pattern::of(*invariant), reason, rfc, rate: None })
        });
        let failure = suite.findings_in(directory.path()).scripts(30).try_check();
        failure.expect_err("it fails either way").to_string().replace('\n', " ")
    };
    let unconfirmed = check(200, true);
    assert!(unconfirmed.contains("cannot be judged in virtual time"), "{unconfirmed}");
    assert!(
        unconfirmed.contains("the connection ended in time; the server does not use"),
        "{unconfirmed}"
    );
    assert!(unconfirmed.contains("hangup probe"), "{unconfirmed}");
    let as_virtual_time_says = check(200, false);
    assert!(as_virtual_time_says.contains("mine fails: "), "{as_virtual_time_says}");
    let late_in_real_time_too = check(3_000, true);
    assert!(late_in_real_time_too.contains("mine still fails as saved"), "what the last one saved");
    assert!(!late_in_real_time_too.contains("cannot be judged"), "{late_in_real_time_too}");
}

#[test]
fn one_script_of_a_server_that_waits_for_a_thread_is_not_said_to_be_kept() {
    let close: Script = "upgrade\nclose 1000\n".parse().expect("a script");
    let target = hangup::target::clock::OwnClock::Thread;
    let serve = move |conn| hangup::target::Target::serve(&target, conn);
    let failure = hangup::suite(serve).play(&close).expect_err("nobody knows").to_string();
    assert!(failure.contains("cannot be judged in virtual time"), "{failure}");
}

#[test]
fn an_accepted_deviation_does_not_fail() {
    let directory = tempfile::tempdir().expect("a directory");
    let everything = Invariant::ALL.iter().fold(suite_in(&directory), |suite, invariant| {
        suite.accepting(Deviation {
            pattern: Pattern::of(*invariant),
            reason: "this test",
            rfc: "-",
            rate: None,
        })
    });
    assert_eq!(everything.try_check(), Ok(()));
    let fin: Script = "upgrade\nfin\n".parse().expect("a script");
    let only_resets = suite_in(&directory).accepting(Deviation {
        pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientReset),
        reason: "this test",
        rfc: "-",
        rate: None,
    });
    assert!(only_resets.play(&fin).is_err(), "a deviation accepts what it names and no more");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_deviation_that_is_accepted_and_never_occurs_fails_where_enough_is_played() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = |scripts| {
        let accepted = Deviation {
            pattern: Pattern::of(Invariant::ClosesOnce).with_cause(Cause::ClientFin),
            reason: "this test",
            rfc: "-",
            rate: None,
        };
        let suite = hangup::suite(closes_well).named("mine").accepting(accepted);
        suite.findings_in(directory.path()).scripts(scripts).try_check()
    };
    assert_eq!(suite(19_999), Ok(()));
    let failure = suite(20_000).expect_err("it is stale").to_string().replace('\n', " ");
    assert!(
        failure.contains("`closes-once, the client's FIN` is an accepted deviation (this test)")
    );
    assert!(failure.contains("take it out"), "{failure}");
}

#[test]
fn a_suite_says_after_how_many_scripts_a_deviation_is_stale() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = |scripts| {
        let accepted = Deviation {
            pattern: Pattern::of(Invariant::ClosesOnce).with_cause(Cause::ClientFin),
            reason: "this test",
            rfc: "-",
            rate: None,
        };
        let suite = hangup::suite(closes_well).named("mine").accepting(accepted);
        suite.stale_after(50).findings_in(directory.path()).scripts(scripts).try_check()
    };
    assert_eq!(suite(49), Ok(()));
    assert!(suite(50).expect_err("it is stale").to_string().contains("take it out"));
}

/// Accepts one connection, lets go of it, and then waits for another: for ever.
async fn goes_on_accepting(conn: Connection) {
    closes_well(conn).await;
    std::future::pending::<()>().await;
}

#[test]
fn a_server_that_goes_on_accepting_is_dropped_with_its_only_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let script: Script = "upgrade\nclose 1000".parse().expect("a script");
    let play = |suite: Suite| suite.findings_in(directory.path()).play(&script);
    let failure = play(hangup::suite(goes_on_accepting)).expect_err("a task is left behind");
    assert!(failure.to_string().contains("no-leak"), "{failure}");
    let dropped = |mut conn: Connection| async {
        let dropped = conn.dropped();
        tokio::select! {
            () = goes_on_accepting(conn) => {}
            () = dropped => {}
        }
    };
    assert_eq!(play(hangup::suite(dropped)), Ok(()));
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_deviation_that_occurs_ten_times_as_often_as_it_states_fails() {
    let directory = tempfile::tempdir().expect("a directory");
    // To serve what is illegal is a must.
    let illegal = Invariant::RefusesIllegal;
    let check = |stated: Option<f64>| {
        let suite = Invariant::ALL.iter().fold(suite_in(&directory), |suite, invariant| {
            let rate = stated.filter(|_| *invariant == illegal);
            let (reason, rfc) = ("this test", "-");
            suite.accepting(Deviation { pattern: Pattern::of(*invariant), reason, rfc, rate })
        });
        suite.scripts(2_000).try_check()
    };
    assert_eq!(check(None), Ok(()));
    let failure = check(Some(0.001)).expect_err("it occurs far more often").to_string();
    let shown = failure.split_once("shows in ").and_then(|(_, rest)| rest.split_once(" of 2,000"));
    let shown: f64 =
        shown.expect("how often it shows").0.replace(',', "").parse().expect("a count");
    let tenth = shown / 2_000.0 / 10.0;
    let failure = check(Some(tenth)).expect_err("it occurs ten times as often").to_string();
    assert!(
        failure.contains("shows an accepted deviation far more often than stated"),
        "{failure}"
    );
    assert!(failure.contains("`refuses-illegal` (must) is accepted"), "{failure}");
    assert_eq!(check(Some(10.0 * tenth)), Ok(()));
}

#[test]
fn an_application_gets_only_the_commands_that_it_obeys() {
    let nosy = |mut conn: Connection| async move {
        opens(&mut conn).await;
        let application = conn.application();
        let command = application.command().await;
        panic!("was told to {command}");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let script: Script = "upgrade\napp ping\napp close\n".parse().expect("a script");
    let told = |steps| {
        let suite = hangup::suite(nosy).findings_in(directory.path()).obeying(steps);
        let failure = suite.play(&script);
        failure.err().map(|failure| failure.to_string())
    };
    assert_eq!(told(AppSteps::NONE), None);
    assert!(told(AppSteps::CLOSE).is_some_and(|text| text.contains("was told to close")));
    assert!(told(AppSteps::ALL).is_some_and(|text| text.contains("was told to ping")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_server_that_closes_well_keeps_its_promise(script in hangup::scripts()) {
        hangup::suite(closes_well).close_within(secs(5)).play(&script)?;
    }

    #[test]
    fn every_script_of_the_strategy_prints_and_parses_back(script in hangup::scripts()) {
        prop_assert_eq!(script.to_string().parse::<Script>(), Ok(script));
    }
}

/// proptest's own loop over our tree: simplify where it fails, complicate where not.
#[test]
fn the_strategy_shrinks_with_our_shrinker() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = suite_in(&directory);
    let fails = |script: &Script| suite.play(script).is_err();
    let mut runner = TestRunner::deterministic();
    let trees = std::iter::repeat_with(|| hangup::scripts().new_tree(&mut runner).expect("a tree"));
    for mut tree in trees.filter(|tree| fails(&tree.current())).take(20) {
        let mut last = tree.current();
        let mut going = tree.simplify();
        while going {
            going = if fails(&tree.current()) {
                last = tree.current();
                tree.simplify()
            } else {
                tree.complicate()
            };
        }
        assert!(last.steps.len() <= 2, "{last}");
        assert!(fails(&tree.current()), "the tree ends at a script that fails");
    }
}

#[test]
fn a_fuzzers_bytes_make_a_script() {
    use arbitrary::{Arbitrary as _, Unstructured};
    for length in [0, 1, 7, 64, 1000] {
        let bytes: Vec<u8> = (0..length).map(|at: u32| (at * 31) as u8).collect();
        let script = Script::arbitrary(&mut Unstructured::new(&bytes)).expect("never too short");
        assert_eq!(script.to_string().parse::<Script>(), Ok(script));
    }
}
