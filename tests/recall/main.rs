//! The changes of `benches/recall`: each takes effect, counts, and convicts by the right rule.

#[path = "../../benches/recall/changes.rs"]
mod changes;
#[path = "../../benches/recall/criteria.rs"]
mod criteria;
#[path = "../../benches/recall/facts.rs"]
mod facts;
#[path = "../../benches/recall/measure.rs"]
mod measure;
mod wrapper;

use changes::{KINDS, Kind};
use criteria::Honest;
use hangup::exchange::ConnectionId;
use hangup::run::virtual_time::play;
use hangup::target::changed::{Change, Changed};
use hangup::target::reference::Reference;
use hangup::target::reference_client::ReferenceClient;
use hangup::verdict::Level::{self, Must, Should};
use hangup::view::View;
use hangup::{Registry, Script, Target};
use measure::{Bench, Case, Outcome, Tally};
use std::sync::Arc;

/// For each kind a script with an index that shows it on `reference`, and how strongly it is
/// forbidden.
const SHOWN: &[(&str, &str, usize, Level)] = &[
    ("answer dropped", "upgrade; close 1000", 0, Must),
    ("answer cut", "upgrade; close 1000", 0, Must),
    ("FIN before the answer", "upgrade; close 1000", 0, Must),
    ("answer with another code", "upgrade; close 1000", 0, Should),
    ("answer that blames", "upgrade; close 1000", 0, Should),
    ("second Close", "upgrade; close 1000", 0, Should),
    ("data behind the Close", "upgrade; app close 1000", 0, Must),
    ("bytes behind the Close", "upgrade; close", 0, Must),
    ("masked Close", "upgrade; close", 0, Must),
    ("masked frame", "upgrade; app send text \"a\"; ping", 1, Must),
    ("own Close left out", "upgrade; app close 1000", 0, Must),
    ("own Close left out", "upgrade; wait 25s", 0, Should),
    ("own Close cut", "upgrade; app close 1000", 2, Must),
    ("FIN before the own Close", "upgrade; app close 1000", 0, Must),
    (
        "message lost",
        "upgrade; app send text \"a\"; app send text \"b\"; app close 1000; close; fin",
        1,
        Should,
    ),
    (
        "messages swapped",
        "upgrade; app send text \"a\"; app send text \"b\"; app close 1000; close; fin",
        0,
        Should,
    ),
    ("client's message lost", "upgrade; text \"a\"; close 1000", 0, Should),
    ("late end", "upgrade; close", 0, Must),
    ("late end", "upgrade; app close", 1, Should),
    ("no end", "upgrade; close", 0, Must),
    ("no end", "upgrade; fin", 0, Should),
    ("violation served", "upgrade; unmasked ping", 0, Must),
    ("violation served", "upgrade; text hex ff; wait 1s; close 1000", 0, Must),
    ("violation served", "upgrade; continuation \"a\"", 0, Should),
    ("violation served", "upgrade; close 1005", 0, Should),
];

/// The same on `reference-client`.
const SHOWN_ON_CLIENTS: &[(&str, &str, usize, Level)] = &[
    ("answer dropped", "accept; close 1000", 0, Must),
    ("answer cut", "accept; close 1000", 0, Must),
    ("FIN before the answer", "accept; close 1000", 0, Must),
    ("answer with another code", "accept; close 1000", 0, Should),
    ("answer that blames", "accept; close 1000", 0, Should),
    ("second Close", "accept; close 1000", 0, Should),
    ("data behind the Close", "accept; app close 1000", 0, Must),
    ("bytes behind the Close", "accept; close", 0, Must),
    ("masked Close", "accept; close", 0, Must),
    ("masked frame", "accept; app send text \"a\"; ping", 1, Must),
    ("same key", "accept; app send text \"a\"; ping", 0, Must),
    ("own Close left out", "accept; app close 1000", 0, Must),
    ("own Close cut", "accept; app close 1000", 2, Must),
    ("FIN before the own Close", "accept; app close 1000", 0, Must),
    (
        "message lost",
        "accept; app send text \"a\"; app send text \"b\"; app close 1000; close; fin",
        1,
        Should,
    ),
    (
        "messages swapped",
        "accept; app send text \"a\"; app send text \"b\"; app close 1000; close; fin",
        0,
        Should,
    ),
    ("client's message lost", "accept; text \"a\"; close 1000", 0, Should),
    ("late end", "accept; close", 0, Must),
    ("no end", "accept; close", 0, Must),
    ("no end", "accept; fin", 0, Should),
    ("violation served", "accept; masked ping", 0, Must),
    ("violation served", "accept; continuation \"a\"", 0, Should),
    ("violation served", "accept; close 1005", 0, Should),
];

fn script(line: &str) -> Script {
    line.replace("; ", "\n").parse().expect("a script")
}

fn reference() -> Arc<dyn Target> {
    Arc::new(Reference::HONEST)
}

fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).expect("a kind of this name")
}

/// The case that a script of [`SHOWN`] is, and the accusations of the honest play.
fn shown(name: &str, line: &str, index: usize) -> (usize, Option<Case>) {
    shown_on(&reference(), name, line, index)
}

fn shown_on(
    target: &Arc<dyn Target>,
    name: &str,
    line: &str,
    index: usize,
) -> (usize, Option<Case>) {
    let kinds = [kind(name)];
    let bench = Bench { target, kinds: &kinds };
    let (accused, mut cases) = bench.measure(&script(line), index);
    (accused.len(), cases.pop())
}

#[test]
fn every_change_counts_and_is_convicted_by_the_right_rule_where_there_is_one() {
    let client: Arc<dyn Target> = Arc::new(ReferenceClient::HONEST);
    let on_server = SHOWN.iter().map(|case| (reference(), case));
    let on_client = SHOWN_ON_CLIENTS.iter().map(|case| (Arc::clone(&client), case));
    for (target, (name, line, index, level)) in on_server.chain(on_client) {
        let (accused, case) = shown_on(&target, name, line, *index);
        assert_eq!(accused, 0, "the honest server is clean: {line}");
        let case = case.unwrap_or_else(|| panic!("{name} does not count: {line}"));
        assert_eq!(case.level, *level, "{name}: {line}");
        let convicted = case.outcome == Outcome::Convicted;
        assert!(convicted, "{name}: {line}: {:?}", case.outcome);
    }
}

#[test]
fn every_kind_is_shown_and_has_a_name_of_its_own() {
    for kind in KINDS {
        let mut shown = SHOWN.iter().chain(SHOWN_ON_CLIENTS);
        assert!(shown.any(|(name, ..)| *name == kind.name), "{} is not shown", kind.name);
        assert_eq!(KINDS.iter().filter(|other| other.name == kind.name).count(), 1);
        assert!(kind.counts.ends_with(['.', ')']), "{}: {}", kind.name, kind.counts);
    }
}

/// Where the same is seen for a reason of the client's, or is no fault, it does not count.
#[test]
fn what_breaks_no_rule_for_certain_does_not_count() {
    let not_counted = [
        // The Close is no legal one: an answer is a should.
        ("answer dropped", "upgrade; close 1005"),
        ("answer dropped", "upgrade; unmasked ping; close 1000"),
        // The application wanted to close first: the code may be its own.
        ("answer with another code", "upgrade; app close 1001; close 1000"),
        // A Close without a code has none to repeat.
        ("answer with another code", "upgrade; close"),
        // The idle timer runs out in that moment.
        ("answer with another code", "upgrade; wait 25s; close 1001"),
        ("answer that blames", "upgrade; close 1000; + unmasked ping"),
        // The client reads nothing: whatever is lost, it would have been.
        ("message lost", "upgrade; stop reading; app send text \"a\"; app close 1000"),
        // Alike messages cannot be told apart.
        (
            "messages swapped",
            "upgrade; app send text \"a\"; app send text \"a\"; app close; close; fin",
        ),
        ("own Close left out", "upgrade; close 1000"),
        // The client is gone before the server ends, or it sent FIN in that moment.
        ("own Close left out", "upgrade; app close 1000; wait 1s; reset"),
        ("own Close left out", "upgrade; app close 1000; + fin"),
        // Nobody was to end the connection.
        ("late end", "upgrade; reset"),
        // Half a frame may still be waited for; and behind a Close everything is discarded.
        ("violation served", "upgrade; first 3 bytes of unmasked ping \"abc\""),
        ("violation served", "upgrade; close 1000; unmasked ping"),
        // The server may be about to refuse it when the client leaves.
        ("violation served", "upgrade; unmasked ping; wait 1s; reset"),
    ];
    for (name, line) in not_counted {
        let (_, case) = shown(name, line, 0);
        assert!(case.is_none(), "{name} counts: {line}: {case:?}");
    }
}

fn honest_targets() -> Vec<Arc<dyn Target>> {
    let names = ["reference", "tungstenite"].map(str::to_owned);
    let targets = Registry::built_in().select(&names).expect("built in");
    let rest = [
        "reference/split-tasks",
        "reference/cancelled-sends",
        "reference-client",
        "reference-server",
    ];
    let rest = rest.map(str::to_owned);
    let rest = Registry::built_in().select(&rest).expect("built in");
    let is_honest = |target: &Arc<dyn Target>| target.name() != "tungstenite/no-deadline";
    targets.into_iter().chain(rest).filter(is_honest).collect()
}

#[test]
fn without_a_change_nothing_is_different() {
    for target in honest_targets() {
        let wrapped: Arc<dyn Target> = Arc::new(Changed::new(Arc::clone(&target), Change::Nothing));
        let bench = Bench { target: &target, kinds: &[] };
        for index in 0..200 {
            let script = bench.script(index);
            let played = |target| play(target, &bench.target.bounds(), &script, 0);
            let (plain, wrapped) = (played(&target), played(&wrapped));
            assert_eq!(plain.events, wrapped.events, "{}: {script}", target.name());
            // A client's keys and masks, which are drawn, are no part of it.
            assert_eq!(plain.digest(), wrapped.digest(), "{}: {script}", target.name());
        }
    }
}

/// A criterion that the honest play meets would count plays in which nothing is wrong.
#[test]
fn no_criterion_is_met_by_the_honest_play_itself() {
    for target in honest_targets() {
        let bench = Bench { target: &target, kinds: &[] };
        let bounds = target.bounds();
        for index in 0..300 {
            let script = bench.script(index);
            let exchange = play(&target, &bounds, &script, index as u64);
            let view = || View::of(&exchange, ConnectionId::FIRST);
            let honest = Honest { view: view(), bounds };
            for kind in KINDS {
                let level = (kind.breaks)(&honest, &view());
                assert_eq!(level, None, "{}: {}: {script}", kind.name, target.name());
            }
        }
    }
}

#[test]
fn few_scripts_show_the_recall_and_no_honest_server_is_accused() {
    let kinds: Vec<&Kind> = KINDS.iter().collect();
    let mut tally = Tally::default();
    for (place, target) in honest_targets().iter().enumerate() {
        let mut one = Tally::default();
        one.add(&Bench { target, kinds: &kinds }, place, 0..300);
        tally.merge(one);
    }
    assert_eq!(tally.accusations, []);
    let (must, should) = (tally.recall(Must), tally.recall(Should));
    assert!(must >= 0.99, "recall, must: {must}");
    assert!(should >= 0.95, "recall, should: {should}");
}
