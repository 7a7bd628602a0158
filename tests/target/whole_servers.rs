//! Whole servers: the honest one, and each planted fault with a script that shows it.

use crate::faults::on_all_cores;
use hangup::Target;
use hangup::exchange::{Event, Exchange, What};
use hangup::finding::Finding;
use hangup::finding::problem::by_problem;
use hangup::generate::GeneratorConfig;
use hangup::run::campaign::Campaign;
use hangup::run::virtual_time::{play, play_and_judge};
use hangup::script::{ConnectionNumber, Script};
use hangup::target::reference::server::ReferenceServer;
use hangup::target::reference::server::faulty::ServerFault;
use hangup::verdict::{Ending, Invariant, Problem, Symptom, Verdict};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

fn script(text: &str) -> Script {
    let lines = text.split("; ").collect::<Vec<_>>().join("\n");
    lines.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn judged(server: ReferenceServer, text: &str) -> (Exchange, Verdict) {
    let target: Arc<dyn Target> = Arc::new(server);
    play_and_judge(&target, &target.bounds(), &script(text), 0)
}

/// A script for each problem that a fault declares: what is found, by whom, with what.
pub const SHOWN: &[(ServerFault, Invariant, Symptom, &str)] = {
    use Invariant::{
        ClosesAllAtShutdown, EndsInTime, FreesResources, IsolatesClients, ReleasesInTime,
        ReportsEndCorrectly, ShutsDownInTime, StopsAccepting, WaitsForAnswer,
    };
    use ServerFault as F;
    use Symptom as S;
    &[
        (F::WaitsForClients, ShutsDownInTime, S::WaitsForClients, "upgrade; app shutdown"),
        (F::WaitsForClients, ClosesAllAtShutdown, S::ForgottenAtShutdown, "upgrade; app shutdown"),
        (
            F::ClosesInTurn,
            ShutsDownInTime,
            S::ShutsDownLate,
            "upgrade; wait 1s; app shutdown; 2: upgrade",
        ),
        (
            F::ClosesInTurn,
            IsolatesClients,
            S::CloseHeldUp,
            "upgrade; wait 1s; app shutdown; 2: upgrade; 2: await close; 2: close 1001",
        ),
        (F::TwoStages, ShutsDownInTime, S::ShutsDownLate, "upgrade; app shutdown"),
        (
            F::DeadlineForEach,
            ShutsDownInTime,
            S::ShutsDownLate,
            "upgrade; wait 1s; app shutdown; 2: upgrade",
        ),
        (F::DeadlineForEach, EndsInTime, S::OwnTimer, "upgrade; wait 1s; app shutdown; 2: upgrade"),
        (F::JoinsWithoutDeadline, ShutsDownInTime, S::WaitsForClients, "upgrade; app shutdown"),
        (F::JoinsWithoutDeadline, EndsInTime, S::WaitsToRead, "upgrade; app shutdown"),
        (
            F::BroadcastAwaits,
            IsolatesClients,
            S::BroadcastHeldUp,
            "upgrade; stop reading; wait 1s; app broadcast text 64KiB x 4; 2: upgrade",
        ),
        (
            F::LockAcrossSend,
            IsolatesClients,
            S::OpeningHeldUp,
            "upgrade; stop reading; app broadcast text 64KiB x 4; 2: connect after 10ms; 2: upgrade",
        ),
        (
            F::ListenerLast,
            StopsAccepting,
            S::HoldsNewcomers,
            "upgrade; app shutdown; 2: connect after 1s; 2: upgrade",
        ),
        (
            F::AcceptsOn,
            StopsAccepting,
            S::ServesNewcomers,
            "upgrade; app shutdown; 2: connect after 1s; 2: upgrade",
        ),
        (F::AcceptsOn, FreesResources, S::TasksAfterShutdown, "upgrade; app shutdown; close 1001"),
        (
            F::OpeningsForgotten,
            ClosesAllAtShutdown,
            S::DroppedAtShutdown,
            "first 9 bytes of upgrade; app shutdown; rest after 9 bytes of upgrade",
        ),
        (F::AbortsEveryone, ClosesAllAtShutdown, S::DroppedAtShutdown, "upgrade; app shutdown"),
        (
            F::SkipsEverySecond,
            ClosesAllAtShutdown,
            S::DroppedAtShutdown,
            "upgrade; wait 1s; app shutdown; 2: upgrade",
        ),
        (F::StopSeenAtAccept, ShutsDownInTime, S::WaitsForClients, "upgrade; app shutdown"),
        (F::StopSeenAtAccept, ShutsDownInTime, S::WaitsForNobody, "reset; app shutdown"),
        (F::OpeningInAcceptLoop, IsolatesClients, S::OpeningHeldUp, "wait 1s; 2: upgrade"),
        (F::CounterNotLowered, ShutsDownInTime, S::WaitsForNobody, "reset; app shutdown"),
        (F::PermitLost, IsolatesClients, S::OpeningHeldUp, "fin; 2: fin; 3: upgrade; 3: wait 1s"),
        (
            F::SessionKept,
            FreesResources,
            S::KeepsTasks,
            "upgrade; close 1000; 2: upgrade; 2: close 1000",
        ),
        (
            F::HistoryKept,
            FreesResources,
            S::KeepsMemory,
            "upgrade; close 1000; 2: upgrade; 2: close 1000",
        ),
        (
            F::WaitsForClients,
            ShutsDownInTime,
            S::ShutsDownLate,
            "upgrade; app shutdown; wait 8s; close 1000",
        ),
        (
            F::ClosesInTurn,
            ShutsDownInTime,
            S::WaitsForClients,
            "upgrade; app keep; app shutdown; 2: upgrade",
        ),
        (F::ClosesInTurn, ShutsDownInTime, S::WaitsForNobody, "upgrade; app keep; app shutdown"),
        (
            F::ClosesInTurn,
            ClosesAllAtShutdown,
            S::ForgottenAtShutdown,
            "upgrade; app keep; app shutdown; 2: upgrade",
        ),
        (F::DeadlineForEach, EndsInTime, S::WaitsToRead, "upgrade; app close"),
        (
            F::DeadlineForEach,
            EndsInTime,
            S::WaitsForRoom,
            "window 1B; upgrade; stop reading; app send text 4090B",
        ),
        (
            F::DeadlineForEach,
            ReleasesInTime,
            S::OwnTimer,
            "upgrade; wait 10s; app shutdown; 2: connect after 10s; 2: upgrade; 2: close",
        ),
        (F::DeadlineForEach, ReleasesInTime, S::KeepsSocket, "upgrade; app close; close"),
        (F::DeadlineForEach, ReportsEndCorrectly, S::NeverTold, "upgrade; app shutdown"),
        (
            F::JoinsWithoutDeadline,
            EndsInTime,
            S::WaitsForRoom,
            "window 1B; upgrade; stop reading; app send text 4090B",
        ),
        (F::JoinsWithoutDeadline, ReleasesInTime, S::KeepsSocket, "upgrade; app close; close"),
        (
            F::BroadcastAwaits,
            ShutsDownInTime,
            S::WaitsForClients,
            "upgrade; app keep; close; app broadcast text x 3; app shutdown; 2: upgrade",
        ),
        (
            F::BroadcastAwaits,
            ClosesAllAtShutdown,
            S::ForgottenAtShutdown,
            "upgrade; app keep; close; app broadcast text x 3; app shutdown; 2: upgrade",
        ),
        (
            F::BroadcastAwaits,
            IsolatesClients,
            S::OpeningHeldUp,
            "upgrade; stop reading; wait 1s; app broadcast text 64KiB x 4; 2: connect after 1010ms; 2: upgrade",
        ),
        (
            F::BroadcastAwaits,
            IsolatesClients,
            S::CloseHeldUp,
            "upgrade; close; app broadcast text x 3; wait 100ms; app shutdown; 2: upgrade; 2: await close; 2: close 1001",
        ),
        (
            F::BroadcastAwaits,
            ShutsDownInTime,
            S::ShutsDownLate,
            "upgrade; close; app broadcast text x 3; app shutdown; 2: upgrade",
        ),
        (
            F::BroadcastAwaits,
            StopsAccepting,
            S::HoldsNewcomers,
            "upgrade; close; app broadcast text x 3; app shutdown; 2: connect after 1ms",
        ),
        // The session has ended, and the queue into it is kept.
        (
            F::BroadcastAwaits,
            ShutsDownInTime,
            S::WaitsForNobody,
            "upgrade; app keep; close; app broadcast text x 2; app shutdown",
        ),
        (
            F::LockAcrossSend,
            ShutsDownInTime,
            S::WaitsForNobody,
            "upgrade; app keep; close; app broadcast text x 2; app shutdown",
        ),
        (
            F::LockAcrossSend,
            ShutsDownInTime,
            S::WaitsForClients,
            "upgrade; app keep; close; app broadcast text x 3; app shutdown; 2: upgrade",
        ),
        (
            F::LockAcrossSend,
            ClosesAllAtShutdown,
            S::ForgottenAtShutdown,
            "upgrade; app keep; close; app broadcast text x 3; app shutdown; 2: upgrade",
        ),
        (
            F::LockAcrossSend,
            IsolatesClients,
            S::BroadcastHeldUp,
            "upgrade; stop reading; wait 1s; app broadcast text 64KiB x 4; 2: upgrade",
        ),
        (
            F::LockAcrossSend,
            IsolatesClients,
            S::CloseHeldUp,
            "upgrade; close; app broadcast text x 3; wait 100ms; app shutdown; 2: upgrade; 2: await close; 2: close 1001",
        ),
        (
            F::LockAcrossSend,
            ShutsDownInTime,
            S::ShutsDownLate,
            "upgrade; close; app broadcast text x 3; app shutdown; 2: upgrade",
        ),
        (
            F::LockAcrossSend,
            FreesResources,
            S::KeepsTasks,
            "upgrade; close 1000; 2: upgrade; 2: app keep; 2: close; 2: app broadcast text x 3",
        ),
        (
            F::AcceptsOn,
            ClosesAllAtShutdown,
            S::ForgottenAtShutdown,
            "upgrade; await end; 2: app shutdown",
        ),
        (
            F::OpeningsForgotten,
            ReportsEndCorrectly,
            S::NeverTold,
            "wait 10s; app shutdown; 2: connect after 10s; 2: upgrade",
        ),
        (
            F::LockAcrossSend,
            Invariant::HandshakeInTime,
            S::OwnTimer,
            "ping; app broadcast text; app broadcast text; 2: upgrade; 2: close; 3: connect after 1ms",
        ),
        (F::AbortsEveryone, WaitsForAnswer, S::EndsWithClose, "upgrade; app close; app shutdown"),
        (F::AbortsEveryone, ReportsEndCorrectly, S::NeverTold, "upgrade; app shutdown"),
        (
            F::SkipsEverySecond,
            IsolatesClients,
            S::CloseHeldUp,
            "upgrade; wait 1s; app shutdown; 2: upgrade; 2: await close; 2: close 1001",
        ),
        (
            F::SkipsEverySecond,
            ReportsEndCorrectly,
            S::NeverTold,
            "upgrade; wait 1s; app shutdown; 2: upgrade",
        ),
        (
            F::StopSeenAtAccept,
            ShutsDownInTime,
            S::ShutsDownLate,
            "upgrade; app shutdown; 2: connect after 8s",
        ),
        (F::StopSeenAtAccept, ClosesAllAtShutdown, S::ForgottenAtShutdown, "upgrade; app shutdown"),
    ]
};

#[test]
fn each_fault_is_shown_and_the_honest_server_shows_nothing_there() {
    let mut wrong = Vec::new();
    for (fault, invariant, symptom, text) in SHOWN {
        let problem = Problem::of(*invariant).with_symptom(*symptom);
        let (exchange, verdict) = judged(ReferenceServer::with(*fault), text);
        let found: Vec<Problem> =
            verdict.violations.iter().map(|found| found.identity.problem()).collect();
        if !found.contains(&problem) {
            let seen = story(&exchange);
            wrong.push(format!(
                "{}: {text}: shows {found:?}, not {problem}\n{seen}",
                fault.target()
            ));
        }
        let (exchange, verdict) = judged(ReferenceServer::HONEST, text);
        if !verdict.violations.is_empty() {
            let seen = story(&exchange);
            wrong.push(format!("{text}: {:#?}\n{seen}", verdict.violations));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_problem_that_a_fault_declares_has_a_script_that_shows_it() {
    for fault in ServerFault::ALL {
        let of_fault = SHOWN.iter().filter(|(of, ..)| of == fault);
        let shown: BTreeSet<Problem> = of_fault
            .map(|(_, invariant, symptom, _)| Problem::of(*invariant).with_symptom(*symptom))
            .collect();
        let declared: BTreeSet<Problem> = fault.shows().iter().copied().collect();
        assert_eq!(shown, declared, "{}", fault.target());
    }
}

/// Its session has a timer of 136 years.
#[test]
fn a_server_that_waits_for_its_client_for_ever_is_never_and_not_ticking() {
    let fault = ReferenceServer::with(ServerFault::WaitsForClients);
    let (exchange, verdict) = judged(fault, "upgrade; app shutdown");
    let ending = |invariant| {
        verdict
            .violations
            .iter()
            .find(|found| found.identity.invariant() == invariant)
            .map(|found| found.ending)
    };
    let story = story(&exchange);
    assert_eq!(ending(Invariant::ShutsDownInTime), Some(Ending::Never), "{story}");
}

/// The events, a line each.
fn story(exchange: &Exchange) -> String {
    let line = |event: &Event| {
        let connection = event.connection.0 + 1;
        format!("    {} {connection}: {:?} {:?}\n", event.at, event.end, event.what)
    };
    exchange.events.iter().map(line).collect()
}

#[test]
fn a_server_is_told_sees_its_clients_come_and_refuses_those_that_come_late() {
    let target: Arc<dyn Target> = Arc::new(ReferenceServer::HONEST);
    let text = "upgrade; app shutdown; await close; close 1001; 2: connect after 1s; 2: upgrade";
    let exchange = play(&target, &target.bounds(), &script(text), 0);
    let servers = |what: &What| {
        let is_connections = matches!(what, What::Offered | What::Accepted | What::Refused);
        match what {
            What::Rests { tasks, .. } => Some(format!("{tasks} tasks are left")),
            _ => (is_connections || what.is_servers()).then(|| format!("{what:?}")),
        }
    };
    let seen: Vec<String> =
        exchange.events.iter().filter_map(|event| servers(&event.what)).collect();
    let expected = [
        "Offered",
        "Accepted",
        "ToldToShutDown",
        "StoppedListening",
        "Offered",
        "Refused",
        "ServerReturned",
        "0 tasks are left",
    ];
    assert_eq!(seen, expected);
    assert_eq!(exchange.digest(), play(&target, &target.bounds(), &script(text), 0).digest());
}

/// A task that has ended is freed when nobody can wake it any more: not by hangup either, which would
/// take its own wakers for the server's memory.
#[test]
fn the_honest_server_keeps_nothing_of_clients_that_have_ended() {
    let target: Arc<dyn Target> = Arc::new(ReferenceServer::HONEST);
    let of_8 = |steps: &str| {
        let lines = (2..=8)
            .flat_map(|client| steps.split("; ").map(move |step| format!("; {client}: {step}")));
        format!("{steps}{}", lines.collect::<String>())
    };
    for text in [
        "app send text; 2: ping".to_owned(),
        "app send text; 2: ping; 3: ping; 4: ping; 5: ping; 6: ping; 7: ping; 8: ping".to_owned(),
        // A command wakes a task for the last time, that has ended or is about to.
        of_8("app close; fin"),
        of_8("fin; app close"),
        of_8("upgrade; app close; fin"),
        of_8("app close; reset"),
        of_8("upgrade; app send text; app close; close 1000"),
        // The script had it kept.
        of_8("upgrade; app keep; app send text 16KiB; close 1000"),
    ] {
        let (exchange, verdict) = play_and_judge(&target, &target.bounds(), &script(&text), 0);
        assert!(verdict.violations.is_empty(), "{text}: {:#?}", verdict.violations);
        let held = exchange.events.iter().find_map(|event| match event.what {
            What::Rests { heap, .. } => heap,
            _ => None,
        });
        let held = held.expect("it is measured");
        // A task takes more than two hundred bytes, and 2 KiB in a release build.
        assert!(held < 1_000, "{text}: {held} bytes");
    }
}

/// The most scripts that it may take to catch a fault.
const SCRIPTS: u64 = 100_000;

/// How many are played of each fault at least, to see what else they show.
const AT_LEAST: u64 = 150;

/// As campaigns draw for whole servers.
fn config(target: &dyn Target) -> GeneratorConfig {
    let (bounds, app) = (target.bounds(), target.obeys());
    GeneratorConfig {
        bounds,
        app,
        connections: ConnectionNumber::MOST,
        ..GeneratorConfig::default()
    }
}

/// What a server shows in the scripts of a seed, until it shows something declared, and the number
/// of scripts that took.
fn shown(server: ReferenceServer, declared: &[Problem], seed: u64) -> (BTreeSet<Problem>, u64) {
    let target: Arc<dyn Target> = Arc::new(server);
    let bounds = target.bounds();
    let config = config(&*target);
    let (mut found, mut caught) = (BTreeSet::new(), SCRIPTS);
    for index in 0..SCRIPTS {
        if index >= AT_LEAST && index > caught {
            break;
        }
        let (_, verdict) = play_and_judge(&target, &bounds, &config.nth(seed, index), index);
        found.extend(verdict.violations.iter().map(|found| found.identity.problem()));
        if caught == SCRIPTS && declared.iter().any(|problem| found.contains(problem)) {
            caught = index;
        }
    }
    (found, caught)
}

/// Every fault is caught by the scripts of these seeds, and shows nothing that it does not declare.
fn all_are_caught(seeds: std::ops::Range<u64>) {
    let mut wrong = Vec::new();
    for fault in ServerFault::ALL {
        for seed in seeds.clone() {
            let declared = fault.shows();
            let (found, caught) = shown(ReferenceServer::with(*fault), declared, seed);
            let is_declared = |problem: &Problem| {
                declared.contains(problem)
                    || problem.case_of().any(|plainer| declared.contains(&plainer))
            };
            let others: Vec<String> = found
                .iter()
                .filter(|problem| !is_declared(problem))
                .map(|problem| format!("{problem}"))
                .collect();
            println!("{}, seed {seed}: caught by script {caught}", fault.target());
            if caught == SCRIPTS || !others.is_empty() {
                wrong.push(format!("{}, seed {seed}: {caught}, {others:?}", fault.target()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_is_caught_and_shows_no_problem_that_it_does_not_declare() {
    all_are_caught(1..2);
}

#[test]
#[ignore = "long: by hand"]
fn every_fault_is_caught_in_twenty_of_twenty_seeds() {
    all_are_caught(1..21);
}

/// How many scripts a campaign plays of each fault, and from which seeds.
const CAMPAIGN: u64 = 100_000;
const SEEDS: std::ops::Range<u64> = 1..3;

/// A campaign looks further than the test above: it goes on where something is found. That what is
/// declared does show, the scripts of [`SHOWN`] say: some of it is rarer than so many scripts.
#[test]
#[ignore = "long: by hand"]
fn no_fault_shows_a_problem_in_campaigns_that_it_does_not_declare() {
    let campaigns: Vec<(ServerFault, u64)> =
        ServerFault::ALL.iter().flat_map(|fault| SEEDS.map(move |seed| (*fault, seed))).collect();
    let all = on_all_cores(&campaigns, |(fault, seed)| {
        let target: Arc<dyn Target> = Arc::new(ReferenceServer::with(*fault));
        let (bounds, scripts) = (target.bounds(), Some(CAMPAIGN));
        let campaign = Campaign { bounds, seed: *seed, scripts, all_variants: false };
        let outcome = campaign.run(&target, |_| ControlFlow::Continue(()));
        let problems = by_problem(outcome.findings, |finding| finding.violation.identity);
        problems.into_keys().collect::<BTreeSet<Problem>>()
    });
    let mut wrong = Vec::new();
    for fault in ServerFault::ALL {
        let declared: BTreeSet<Problem> = fault.shows().iter().copied().collect();
        let own = campaigns.iter().zip(&all).filter(|((of, _), _)| of == fault);
        let found: BTreeSet<Problem> = own.flat_map(|(_, found)| found).copied().collect();
        assert!(!found.is_empty(), "{}: not caught", fault.target());
        let name = |problem: &Problem| format!("{problem}");
        let others: Vec<String> = found.difference(&declared).map(name).collect();
        let unseen: Vec<String> = declared.difference(&found).map(name).collect();
        println!("{}: undeclared {others:?}, not seen {unseen:?}", fault.target());
        if !others.is_empty() {
            wrong.push(format!("{}: {others:?}", fault.target()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_honest_server_breaks_no_rule() {
    let target: Arc<dyn Target> = Arc::new(ReferenceServer::HONEST);
    let config = config(&*target);
    for index in 0..3_000 {
        let script = config.nth(3, index);
        let (exchange, verdict) = play_and_judge(&target, &target.bounds(), &script, index);
        assert_eq!(verdict.violations, [], "{script}\n{}", story(&exchange));
    }
}

/// The server is honest to each client alone: it takes two to see that a broadcast is awaited.
#[test]
fn a_broadcast_that_is_awaited_is_shown_by_two_clients_and_by_no_less() {
    let target: Arc<dyn Target> = Arc::new(ReferenceServer::with(ServerFault::BroadcastAwaits));
    let campaign =
        Campaign { bounds: target.bounds(), seed: 1, scripts: Some(3_000), all_variants: false };
    let outcome = campaign.run(&target, |_| ControlFlow::Continue(()));
    let about = |finding: &&Finding| {
        finding.violation.identity.symptom() == Some(Symptom::BroadcastHeldUp) && finding.shrunk
    };
    let finding = outcome.findings.iter().find(about).expect("it is found and shrunk");
    assert_eq!(finding.script.connections(), 2, "{}", finding.script);
    let alone = finding.script.each();
    for script in &alone {
        let (_, verdict) = play_and_judge(&target, &target.bounds(), script, 0);
        assert_eq!(verdict.violations, [], "{script}");
    }
    let honest: Arc<dyn Target> = Arc::new(ReferenceServer::HONEST);
    let (_, verdict) = play_and_judge(&honest, &honest.bounds(), &finding.script, 0);
    assert_eq!(verdict.violations, []);
}
