//! A server that opens no WebSocket is not called clean, and is tested once it is asked rightly.

mod counts;
mod preamble;

use crate::vacuous::Demands;
use hangup::fuzzing::Fuzz;
use hangup::{Suite, Target as _};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use std::cell::Cell;
use std::panic::AssertUnwindSafe;

/// The text in one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn names_the_reason(failure: &str, demands: Demands) {
    let failure = flat(failure);
    assert!(failure.contains("could not be tested"), "{failure}");
    for reason in demands.reason() {
        assert!(failure.contains(reason), "{demands:?}: {reason}: {failure}");
    }
    for way in [".path(..)", ".header(..)", ".subprotocol(..)", "`Target::opening`"] {
        assert!(failure.contains(way), "{demands:?}: {failure}");
    }
}

#[test]
fn a_suite_fails_with_the_reason_and_finds_the_hang_once_the_request_is_right() {
    let directory = tempfile::tempdir().expect("a directory");
    let settled = |suite: Suite| suite.findings_in(directory.path()).scripts(300).confirm(false);
    for demands in Demands::ALL {
        let failure = settled(demands.suite()).try_check().expect_err("nothing opens");
        names_the_reason(&failure.to_string(), demands);
        let found = settled(demands.met()).try_check().expect_err("it hangs").to_string();
        assert!(found.contains("ends-in-time"), "{demands:?}: {found}");
        let again = settled(demands.met()).try_check().expect_err("it still hangs").to_string();
        assert!(again.contains("still fails as saved"), "{demands:?}: {again}");
    }
}

#[test]
fn a_fuzz_target_says_the_reason_and_finds_the_hang_once_the_request_is_right() {
    let hang = b"upgrade\napp close\n";
    let directory = tempfile::tempdir().expect("a directory");
    let saved_there =
        || ["fuzz".to_owned(), format!("-artifact_prefix={}/", directory.path().display())];
    for demands in Demands::ALL {
        let fuzz = Fuzz::from(demands.suite()).with_arguments(saved_there());
        let failure = fuzz.opens().expect_err("nothing opens");
        names_the_reason(&failure, demands);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| fuzz.script(hang)));
        let failure = played.expect_err("nothing opens");
        names_the_reason(failure.downcast_ref::<String>().expect("a text"), demands);
        let met = Fuzz::from(demands.met()).with_arguments(saved_there());
        assert_eq!(met.opens(), Ok(()), "{demands:?}");
        let found =
            std::panic::catch_unwind(AssertUnwindSafe(|| met.script(hang))).expect_err("it hangs");
        let found = found.downcast_ref::<String>().expect("a text");
        assert!(found.contains("ends-in-time"), "{demands:?}: {found}");
    }
}

#[test]
fn a_property_fails_with_the_reason_soon_and_finds_the_hang_once_the_request_is_right() {
    let property = |suite: &Suite, played: &Cell<u32>| {
        let mut runner = TestRunner::new_with_rng(
            Config { failure_persistence: None, ..Config::with_cases(400) },
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        );
        let scripts = hangup::scripts().for_config(suite.generator_config());
        let failed = runner.run(&scripts, |script| {
            played.set(played.get() + 1);
            suite.play(&script).map_err(|failure| TestCaseError::fail(failure.to_string()))
        });
        match failed.expect_err("it fails") {
            TestError::Fail(reason, script) => (reason.message().to_owned(), script),
            TestError::Abort(reason) => panic!("{reason}"),
        }
    };
    for demands in Demands::ALL {
        let played = Cell::new(0);
        let (failure, script) = property(&demands.suite(), &played);
        names_the_reason(&failure, demands);
        assert!(played.get() < 30, "{demands:?}: {} plays to no end, {script}", played.get());
        let (found, _) = property(&demands.met(), &played);
        assert!(found.contains("ends-in-time"), "{demands:?}: {found}");
    }
}

#[test]
fn what_is_sent_is_whole_or_cut_wherever_the_script_says() {
    let target: std::sync::Arc<dyn hangup::Target> =
        std::sync::Arc::new(Demands::Subprotocol.met().into_target());
    let request = target.opening().request().to_owned();
    let bounds = target.bounds();
    let sent = |script: &str| {
        let script = script.parse().expect(script);
        let exchange = hangup::run::virtual_time::play(&target, &bounds, &script, 0);
        let bytes = exchange.bytes(hangup::exchange::ConnectionId::FIRST);
        let opened = bytes.to_actor.starts_with(b"HTTP/1.1 101");
        (String::from_utf8(bytes.to_subject.clone()).expect("text"), opened)
    };
    assert!(request.len() >= 190, "{}", request.len());
    assert_eq!(sent("upgrade\n"), (request.clone(), true));
    assert_eq!(sent("upgrade in pieces of 7 bytes\n"), (request.clone(), true));
    assert_eq!(sent("first 180 bytes of upgrade\n"), (request[..180].to_owned(), false));
    let whole = "first 180 bytes of upgrade\nrest after 180 bytes of upgrade\n";
    assert_eq!(sent(whole), (request.clone(), true));
    let (long, opened) = sent("upgrade with 300B header\n");
    assert!(opened && long.len() > request.len() + 300 && long.ends_with("xx\r\n\r\n"));
}

/// Of a request of any length: cuts are drawn up to its end, and a little beyond.
#[test]
fn cuts_are_drawn_over_the_whole_request() {
    use hangup::script::{Act, Piece, Send, Unit};
    let suite = Demands::Subprotocol.met().header("X-Long", "x".repeat(700));
    let config = suite.generator_config();
    let length = suite.into_target().opening().request().len() as u32;
    let cuts = |config: hangup::generate::GeneratorConfig| {
        let scripts = (0..20_000).map(move |index| config.nth(0, index));
        let cut = |script: hangup::Script| match script.steps.first()?.act {
            Act::Send(Send { piece: Piece::First(cut), unit: Unit::Upgrade(None), .. }) => {
                Some(cut)
            }
            _ => None,
        };
        scripts.filter_map(cut).collect::<Vec<u32>>()
    };
    let drawn = cuts(config);
    assert!(drawn.iter().any(|cut| *cut > 600 && *cut < length), "{length}: {drawn:?}");
    assert!(drawn.iter().any(|cut| *cut > length), "{length}: {drawn:?}");
    let usual = cuts(hangup::suite(|_| async {}).generator_config());
    assert!(usual.iter().max() > Some(&190) && usual.iter().max() < Some(&200), "{usual:?}");
}

#[test]
fn a_suite_refuses_what_would_break_the_opening() {
    let suite = || hangup::suite(|_| async {});
    for (refused, named) in [
        (std::panic::catch_unwind(|| drop(suite().path("ws"))), "begin with `/`"),
        (std::panic::catch_unwind(|| drop(suite().header("Upgrade", "x"))), "header `Upgrade`"),
        (std::panic::catch_unwind(|| drop(suite().header("A", "b\r\nC: d"))), "a line break"),
        (std::panic::catch_unwind(|| drop(suite().subprotocol("a b"))), "subprotocol \"a b\""),
        (std::panic::catch_unwind(|| drop(suite().host(""))), "host \"\""),
        (std::panic::catch_unwind(|| drop(suite().preamble("fin"))), "preamble: `fin`"),
    ] {
        let message = refused.expect_err(named);
        let message = message.downcast_ref::<String>().expect("a text");
        assert!(message.contains(named) && !message.contains('\n'), "{message}");
    }
}
