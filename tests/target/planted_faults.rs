//! Planted faults compose: a server with two of them shows both.

use hangup::judge::judge;
use hangup::run::virtual_time::play;
use hangup::target::reference::faults::PlantedFault;
use hangup::target::reference::{CannotCompose, Reference};
use hangup::verdict::Invariant;
use hangup::{Registry, Script, Target};
use std::sync::Arc;

fn server(faults: &[PlantedFault]) -> Arc<dyn Target> {
    Arc::new(Reference::with_faults(faults).expect("they compose"))
}

/// The rules that `target` breaks when it is played `script`.
fn broken(target: &Arc<dyn Target>, script: &str) -> Vec<Invariant> {
    let script: Script = script.replace("; ", "\n").parse().expect("a script");
    let bounds = target.bounds();
    let verdict = judge(&play(target, &bounds, &script, 1), &bounds);
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
    let both = [Invariant::AnswersClose, Invariant::QuietApplication];
    assert_eq!(broken(&target, "upgrade; close"), both);
}

/// The correct habit of room in the queue asks for the limit, which is another habit.
#[test]
fn a_correct_habit_asks_the_faulty_ones_of_the_same_server() {
    let target = server(&[PlantedFault::QueuesWithoutLimit, PlantedFault::AnswersByFin]);
    let script = "upgrade; stop reading; app send text 31605B x 17";
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
