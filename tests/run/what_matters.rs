//! What is said to matter in a script, held against plays of planted faults: at each end of a range the
//! problem shows, one beyond it does not, and inside it does.

use hangup::Target;
use hangup::finding::Finding;
use hangup::run::campaign::Campaign;
use hangup::run::virtual_time::play_and_judge;
use hangup::script::Script;
use hangup::shrink::{
    Codes, MOST_BYTES, PLAYS, What, WhatMatters, what_matters, with_code, with_value,
};
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::verdict::Invariant;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many scripts a campaign may play to find a fault.
const SCRIPTS: u64 = 3000;

/// A problem of a server, by its shortest script.
struct Problem {
    target: Arc<dyn Target>,
    finding: Finding,
}

impl Problem {
    /// The first problem of a server whose script has a number or a code in it.
    fn of(fault: PlantedFault) -> Option<Self> {
        let target: Arc<dyn Target> = Arc::new(Reference::with(fault));
        let bounds = target.bounds();
        let campaign = Campaign { bounds, seed: 1, scripts: Some(SCRIPTS), all_variants: false };
        let findings = campaign.run(&target, |_| ControlFlow::Continue(())).findings;
        let finding = findings.into_iter().find(|finding| {
            // Those take long to play, and nothing is said of them.
            let takes_long = matches!(
                finding.violation.identity.invariant(),
                Invariant::NoSpin | Invariant::LinearWork
            ) || finding.script.max_bytes_sent() > MOST_BYTES;
            let text = finding.script.to_string();
            finding.shrunk && !takes_long && text.bytes().any(|byte| byte.is_ascii_digit())
        })?;
        Some(Self { target, finding })
    }

    fn shows(&self, script: &Script) -> bool {
        let problem = self.finding.violation.identity.problem();
        let seed = self.finding.runtime_seed;
        let (_, verdict) = play_and_judge(&self.target, &self.target.bounds(), script, seed);
        verdict.violations.iter().any(|violation| violation.identity.problem() == problem)
    }

    fn matters(&self) -> WhatMatters<()> {
        what_matters(&self.finding.script, PLAYS, |script| {
            Some(if self.shows(script) { What::Same } else { What::Other(()) })
        })
    }

    /// What is wrong with what is said of the script, where so many random values of each range are
    /// played; and how many values were.
    fn wrong(&self, samples: usize) -> (Vec<String>, usize) {
        let script = &self.finding.script;
        let matters = self.matters();
        let mut rng = Pcg64Mcg::seed_from_u64(7);
        let (mut wrong, mut played) = (Vec::new(), 0);
        let mut expect = |what: &str, script: &Script, shows: bool| {
            played += 1;
            if self.shows(script) != shows {
                let text = script.to_string().replace('\n', "; ");
                wrong.push(format!("{}: {what}: {text}", self.target.name()));
            }
        };
        let ranges: Vec<_> = matters
            .steps
            .iter()
            .enumerate()
            .flat_map(|(step, matters)| {
                matters
                    .numbers
                    .iter()
                    .enumerate()
                    .map(move |(number, range)| (step, number, *range))
            })
            .collect();
        for (step, number, range) in &ranges {
            let with = |value| with_value(script, *step, *number, value);
            let (low, high) =
                (range.least.unwrap_or(range.tried.0), range.most.unwrap_or(range.tried.1));
            expect("the least", &with(low), true);
            expect("the greatest", &with(high), true);
            if let Some(least) = range.least {
                expect("one below the least", &with(least - 1), false);
            }
            if let Some(most) = range.most {
                expect("one above the greatest", &with(most + 1), false);
            }
        }
        let inside: Vec<_> = ranges.iter().filter(|(_, _, range)| !range.has_gaps).collect();
        for sample in 0..samples.min(samples * inside.len()) {
            let (step, number, range) = inside[sample % inside.len()];
            let (low, high) =
                (range.least.unwrap_or(range.tried.0), range.most.unwrap_or(range.tried.1));
            // As many small values as great ones.
            let most = if rng.random_bool(0.5) {
                high
            } else {
                low.saturating_add(rng.random_range(1..=64)).min(high)
            };
            let value = rng.random_range(low..=most);
            expect("inside", &with_value(script, *step, *number, value), true);
        }
        for (step, matters) in matters.steps.iter().enumerate() {
            match &matters.codes {
                Some(Codes::Any | Codes::AnySendable) => {
                    for _ in 0..samples / 10 {
                        let code = match rng.random_range(0..3) {
                            0 => rng.random_range(1007..=1011),
                            1 => rng.random_range(3000..=3999),
                            _ => rng.random_range(4000..=4999),
                        };
                        expect("any code", &with_code(script, step, code), true);
                    }
                }
                Some(Codes::These(codes)) => {
                    for code in codes {
                        expect("this code", &with_code(script, step, *code), true);
                    }
                }
                None => {}
            }
        }
        (wrong, played)
    }
}

/// Holds what is said of so many faults against plays.
fn check(faults: usize, samples: usize) {
    let problems: Vec<Problem> =
        PlantedFault::ALL.iter().filter_map(|fault| Problem::of(*fault)).take(faults).collect();
    assert_eq!(problems.len(), faults);
    let mut wrong = Vec::new();
    for problem in &problems {
        let (said, played) = problem.wrong(samples);
        assert!(played > 0, "{}: nothing is said of it", problem.target.name());
        wrong.extend(said);
    }
    assert!(wrong.is_empty(), "{} of {faults} faults:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_said_to_matter_of_two_planted_faults_holds_in_plays() {
    check(2, 20);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn what_is_said_to_matter_of_twenty_planted_faults_holds_in_plays() {
    check(20, 100);
}
