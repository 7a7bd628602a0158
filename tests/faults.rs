//! The judge bites: every planted fault breaks the rules that it declares, and no
//! other, and every rule has a fault that breaks it.

use hangup::Target;
use hangup::campaign::Campaign;
use hangup::target::reference::Reference;
use hangup::target::reference::faults::Fault;
use hangup::verdict::Invariant;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Enough for the rarest of them; `cargo bench --bench detection` is to say how many.
const SCRIPTS: u64 = 8_000;

/// The rules that a campaign finds broken, each with its shortest script.
fn broken(server: Reference) -> BTreeMap<Invariant, String> {
    let target: Arc<dyn Target> = Arc::new(server);
    let campaign = Campaign { bounds: target.bounds(), seed: 1, scripts: Some(SCRIPTS) };
    let outcome = campaign.run(&target, |_| ControlFlow::Continue(()));
    let mut broken = BTreeMap::new();
    for finding in outcome.findings {
        let script = finding.script.to_string();
        let shortest =
            broken.entry(finding.violation.key.invariant).or_insert_with(|| script.clone());
        if script.lines().count() < shortest.lines().count() {
            *shortest = script;
        }
    }
    broken
}

#[test]
fn every_fault_breaks_the_rules_that_it_declares_and_no_other() {
    let mut matrix = String::new();
    let mut wrong = Vec::new();
    for fault in Fault::ALL {
        let found = broken(Reference::with(*fault));
        let declared: BTreeSet<Invariant> = fault.breaks().iter().copied().collect();
        if found.keys().copied().collect::<BTreeSet<_>>() != declared {
            wrong.push(format!("{}: declared {declared:?}, found {found:#?}", fault.target()));
        }
        for (invariant, script) in found {
            let script = script.trim_end().replace('\n', "; ");
            writeln!(matrix, "{:34} {invariant:18} {script}", fault.target()).expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!(matrix);
}

#[test]
fn an_honest_server_breaks_none_in_any_style() {
    for style in Reference::STYLES {
        assert_eq!(broken(style), BTreeMap::new(), "{}", style.name());
    }
}

/// A server that uses up all memory is among the targets `nasty/...`.
#[test]
fn every_rule_has_a_fault_that_breaks_it() {
    let mut tripped: BTreeSet<Invariant> =
        Fault::ALL.iter().flat_map(|fault| fault.breaks()).copied().collect();
    tripped.insert(Invariant::BoundedMemory);
    assert_eq!(tripped, Invariant::ALL.iter().copied().collect());
}
