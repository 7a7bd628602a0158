//! Planted faults: what each serves or leaves undone alone, and servers with several of them.

use hangup::exchange::{ConnectionId, Exchange};
use hangup::finding::Finding;
use hangup::finding::problem::by_problem;
use hangup::judge::judge;
use hangup::run::campaign::Campaign;
use hangup::run::virtual_time::play;
use hangup::target::reference::faults::PlantedFault;
use hangup::target::reference::{CannotCompose, Reference};
use hangup::verdict::{Invariant, Problem, Symptom};
use hangup::view::View;
use hangup::{Registry, Script, Target};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

fn server(faults: &[PlantedFault]) -> Arc<dyn Target> {
    Arc::new(Reference::with_faults(faults).expect("they compose"))
}

/// What happens when `target` is played `script`.
fn exchange(target: &Arc<dyn Target>, script: &str) -> Exchange {
    let script: Script = script.replace("; ", "\n").parse().expect("a script");
    play(target, &target.bounds(), &script, 1)
}

/// The rules that `target` breaks then.
fn broken(target: &Arc<dyn Target>, script: &str) -> Vec<Invariant> {
    let verdict = judge(&exchange(target, script), &target.bounds());
    verdict.violations.iter().map(|violation| violation.identity.invariant()).collect()
}

#[test]
fn a_server_with_two_faults_shows_each_of_them_alone() {
    let target = server(&[PlantedFault::NoDeadline, PlantedFault::AnswersByFin]);
    assert_eq!(broken(&target, "upgrade; app close"), [Invariant::EndsInTime]);
    assert_eq!(broken(&target, "upgrade; close"), [Invariant::AnswersClose]);
    assert_eq!(broken(&target, "upgrade; ping; fin"), []);
    let target = server(&[PlantedFault::DetachedTicker, PlantedFault::KeptHandleHoldsTransport]);
    assert_eq!(broken(&target, "upgrade"), [Invariant::NoLeak]);
    assert!(broken(&target, "upgrade; app keep").contains(&Invariant::EndsInTime));
}

#[test]
fn three_faults_compose_as_two_do() {
    let target =
        server(&[PlantedFault::TellsTwice, PlantedFault::NoDeadline, PlantedFault::AnswersByFin]);
    assert_eq!(target.name(), "reference/no-deadline+answers-by-fin+tells-twice");
    let both = [Invariant::AnswersClose, Invariant::ReportsEndCorrectly];
    assert_eq!(broken(&target, "upgrade; close"), both);
}

/// The correct habit of room in the queue asks for the limit, which is another habit.
#[test]
fn a_correct_habit_asks_the_faulty_ones_of_the_same_server() {
    let target = server(&[PlantedFault::QueuesWithoutLimit, PlantedFault::AnswersByFin]);
    let script = "upgrade; stop reading; app send text 36000B x 17";
    assert_eq!(broken(&target, script), [Invariant::BoundedMemory]);
}

#[test]
fn the_order_of_faults_does_not_matter_and_a_composed_server_has_one_name() {
    let [one, other] = [PlantedFault::AnswersByFin, PlantedFault::NoDeadline];
    for faults in [[one, other], [other, one]] {
        let target = server(&faults);
        assert_eq!(target.name(), "reference/no-deadline+answers-by-fin");
        assert!(target.is_planted());
        for fault in faults {
            assert!(target.about().contains(fault.about()), "{}", target.about());
        }
    }
}

#[test]
fn each_pair_of_faults_composes_or_says_why_it_does_not() {
    let registry = Registry::built_in();
    for (index, one) in PlantedFault::ALL.iter().enumerate() {
        for other in &PlantedFault::ALL[index..] {
            let shared = one.changes().iter().find(|habit| other.changes().contains(habit));
            let expected = if one == other {
                Some(CannotCompose::Twice(*one))
            } else if one.style() != other.style() {
                Some(CannotCompose::Styles(*one, *other))
            } else {
                shared.map(|habit| CannotCompose::Habit(*one, *other, habit))
            };
            let composed = Reference::with_faults(&[*other, *one]);
            assert_eq!(composed.as_ref().err(), expected.as_ref());
            let name = format!("{}+{}", one.target(), &other.target()["reference/".len()..]);
            let resolved = registry.resolve(&name);
            assert_eq!(resolved.is_ok(), composed.is_ok(), "{name}");
            if let Ok(target) = resolved {
                assert_eq!(target.name(), name);
            }
        }
    }
}

#[test]
fn every_fault_says_what_it_changes() {
    for fault in PlantedFault::ALL {
        assert!(!fault.changes().is_empty(), "{}", fault.target());
    }
}

/// The frames that stand for the kinds of violations, each served by one fault alone.
#[test]
fn a_server_that_serves_one_kind_of_violation_refuses_the_others() {
    let kinds = [
        (PlantedFault::TakesUnmasked, "unmasked ping"),
        (PlantedFault::TakesReservedBits, "rsv 4 ping"),
        (PlantedFault::TakesReservedOpcodes, "opcode 11"),
        (PlantedFault::TakesFragmentedControl, "unfinished ping"),
        (PlantedFault::TakesLongControl, "ping 126B"),
        (PlantedFault::TakesAnyLength, "raw hex 82ff80000000000000000000000078"),
        (PlantedFault::TakesLoneContinuation, "continuation"),
        (PlantedFault::TakesMessageInMessage, "unfinished text; text"),
        (PlantedFault::TakesAnyText, "text hex ff"),
    ];
    for (fault, _) in kinds {
        let target = server(&[fault]);
        for (kind, frame) in kinds {
            let found = broken(&target, &format!("upgrade; {frame}"));
            let continued = fault == PlantedFault::TakesMessageInMessage
                && kind == PlantedFault::TakesLoneContinuation;
            assert_eq!(
                !found.is_empty(),
                kind == fault || continued,
                "{fault:?} {frame}: {found:?}"
            );
        }
    }
}

/// The kinds of Closes, each unanswered by one fault alone.
#[test]
fn a_server_that_leaves_one_kind_of_close_unanswered_answers_the_others() {
    let kinds = [
        (PlantedFault::AnswersNoEmptyClose, "close"),
        (PlantedFault::AnswersNoDefinedCode, "close 1001"),
        (PlantedFault::AnswersNoRegisteredCode, "close 1014"),
        (PlantedFault::AnswersNoPrivateCode, "close 4999"),
        (PlantedFault::AnswersNoReason, "close 3000 \"bye\""),
    ];
    for (fault, _) in kinds {
        let target = server(&[fault]);
        for (kind, close) in kinds {
            let found = broken(&target, &format!("upgrade; {close}"));
            let private = fault == PlantedFault::AnswersNoPrivateCode
                && kind == PlantedFault::AnswersNoReason;
            let expected = (kind == fault || private).then_some(Invariant::AnswersClose);
            assert_eq!(found, Vec::from_iter(expected), "{fault:?} {close}");
        }
    }
}

/// The server of two hangs, both after `app close` to a silent client: one has no deadline
/// for the client's answer, the other is not woken by the room that its Close waits for.
#[test]
fn one_server_can_have_two_hangs_after_its_applications_close() {
    let close = "upgrade; app close";
    let room = "upgrade; stop reading; app send text 8189B; app close; resume reading";
    let [no_deadline, room_wakes_nobody] =
        [PlantedFault::NoDeadline, PlantedFault::RoomWakesNobody];
    // With each script: whether the server hangs, and whether its Close is on its way.
    for (faults, expected) in [
        (&[no_deadline][..], [(true, true), (true, true)]),
        (&[room_wakes_nobody], [(false, true), (true, false)]),
        (&[no_deadline, room_wakes_nobody], [(true, true), (true, false)]),
    ] {
        let target = server(faults);
        let seen = [close, room].map(|script| {
            let hangs = broken(&target, script).contains(&Invariant::EndsInTime);
            let exchange = exchange(&target, script);
            (hangs, View::of(&exchange, ConnectionId::FIRST).own_close().is_some())
        });
        assert_eq!(seen, expected, "{}", target.name());
    }
}

/// The problems that a campaign reports, each with its headline.
fn problems(target: &Arc<dyn Target>, seed: u64, scripts: u64) -> BTreeMap<Problem, Finding> {
    let campaign =
        Campaign { bounds: target.bounds(), seed, scripts: Some(scripts), all_variants: false };
    let outcome = campaign.run(target, |_| ControlFlow::Continue(()));
    let problems = by_problem(outcome.findings, |finding| finding.violation.identity);
    let headline = |(problem, findings): (Problem, Vec<Finding>)| {
        let its = findings
            .into_iter()
            .filter(|finding| finding.shrunk && finding.violation.identity.problem() == problem);
        let headline = its.min_by_key(|finding| finding.script.steps.len());
        (problem, headline.expect("a problem has a headline"))
    };
    problems.into_iter().map(headline).collect()
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn two_hangs_after_one_cause_are_two_problems_from_every_seed_and_neither_becomes_the_other() {
    let target = server(&[PlantedFault::NoDeadline, PlantedFault::RoomWakesNobody]);
    let ends = Problem::of(Invariant::EndsInTime);
    for seed in 0..20 {
        let found = problems(&target, seed, 3_000);
        for symptom in [Symptom::WaitsToRead, Symptom::IgnoresRoom] {
            let headline = found.get(&ends.with_symptom(symptom));
            let headline = headline.unwrap_or_else(|| panic!("seed {seed}: no `{symptom}`"));
            let script = headline.script.to_string();
            let again = judge(&exchange(&target, &script), &target.bounds());
            let shown: Vec<_> =
                again.violations.iter().filter_map(|found| found.identity.symptom()).collect();
            assert!(shown.contains(&symptom), "seed {seed}: {shown:?}");
            assert!(headline.script.steps.len() <= 6, "seed {seed}: {script}");
            for step in 0..headline.script.steps.len() {
                let mut steps = headline.script.steps.clone();
                steps.remove(step);
                let less =
                    play(&target, &target.bounds(), &Script { steps }, headline.runtime_seed);
                let less = judge(&less, &target.bounds()).violations;
                let same = less.iter().any(|found| found.identity == headline.violation.identity);
                assert!(!same, "seed {seed}: step {step} is not needed in\n{script}");
            }
        }
    }
}

/// A server that looks away from what is wrong with a frame makes five mistakes, and waits in
/// none of them.
#[test]
fn each_kind_of_illegal_frame_that_is_served_is_one_problem_and_no_hang() {
    let target = server(&[PlantedFault::LooksAway]);
    for seed in 0..3 {
        let found: Vec<Problem> = problems(&target, seed, 10_000).into_keys().collect();
        let of = |rule| found.iter().filter(move |problem| problem.invariant() == rule);
        let kinds: Vec<Symptom> =
            of(Invariant::RefusesIllegal).filter_map(|problem| problem.symptom()).collect();
        let expected = [
            Symptom::ServesReservedBits,
            Symptom::ServesReservedOpcode,
            Symptom::ServesUnmasked,
            Symptom::ServesInterruptedMessage,
            Symptom::ServesBadText,
        ];
        assert_eq!(kinds, expected, "seed {seed}");
        assert_eq!(of(Invariant::EndsInTime).count(), 0, "seed {seed}: {found:?}");
    }
}
