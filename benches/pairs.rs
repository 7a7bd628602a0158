//! Whether both of two planted faults in one server are reported: `cargo bench --bench pairs`.
//!
//! Draws 200 pairs of faults at random, always the same, and plays a campaign against a
//! server with both until both are reported. Names of faults, or parts of them, as arguments
//! choose among the pairs. Progress goes to stderr.
//!
//! A pair is two faults that compose and that a report can tell apart: each is declared to
//! show a problem that the other is not declared to show. A fault counts as reported once a
//! finding, not a dismissed one, shows such a problem of its own. What both show says
//! nothing: either fault may have caused it.

use hangup::Target;
use hangup::finding::Finding;
use hangup::run::campaign::Campaign;
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::verdict::Problem;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Faults of `bounded-memory` show in what is counted.
#[global_allocator]
static HEAP: hangup::heap::Counting = hangup::heap::Counting;

/// Which pairs are drawn, and which scripts are played against them.
const SEED: u64 = 1;
/// So many pairs are drawn.
const PAIRS: usize = 200;
/// So many scripts without a report of both are a miss.
const LIMIT: u64 = 100_000;

/// The problems that a fault is declared to show.
fn problems(fault: PlantedFault) -> BTreeSet<Problem> {
    fault.shows().iter().copied().collect()
}

/// Whether a finding shows one of these problems, or a mere case of it.
fn shows(finding: &Finding, problems: &BTreeSet<Problem>) -> bool {
    let shown = finding.violation.identity.problem();
    problems.contains(&shown) || shown.case_of().any(|plainer| problems.contains(&plainer))
}

fn main() {
    let candidates = candidates();
    print_left_out(&candidates);
    let mut drawn = candidates.clone();
    drawn.shuffle(&mut Pcg64Mcg::seed_from_u64(SEED));
    drawn.truncate(PAIRS);
    let words: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    drawn.retain(|pair| {
        words.is_empty() || words.iter().any(|word| pair.target().name().contains(word.as_str()))
    });
    println!("{} pairs compose and can be told apart; {} are drawn", candidates.len(), drawn.len());
    let mut results = results(&drawn);
    results.sort_by_key(|result| result.scripts);
    let missed: Vec<&PairResult> =
        results.iter().filter(|result| !result.missed.is_empty()).collect();
    for result in &missed {
        let names: Vec<&str> = result.missed.iter().map(|fault| fault.target()).collect();
        println!("missed: {}: not {}", result.pair.target().name(), names.join(", "));
    }
    if let Some(median) = results.get(results.len() / 2) {
        println!("scripts until both are reported, median: {}", median.scripts);
    }
    println!("pairs reported: {} of {}", results.len() - missed.len(), results.len());
}

/// Two faults that one server can have and that a report can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair([PlantedFault; 2]);

impl Pair {
    fn target(self) -> Arc<dyn Target> {
        Arc::new(Reference::with_faults(&self.0).expect("candidates compose"))
    }

    /// The problems that each of them shows and the other does not.
    fn own_problems(self) -> [BTreeSet<Problem>; 2] {
        let [one, other] = self.0.map(problems);
        [&one - &other, &other - &one]
    }

    fn can_be_told_apart(self) -> bool {
        self.own_problems().iter().all(|own| !own.is_empty())
    }
}

/// All pairs that can be drawn.
fn candidates() -> Vec<Pair> {
    let all = PlantedFault::ALL;
    let pairs = all
        .iter()
        .enumerate()
        .flat_map(|(index, one)| all[index + 1..].iter().map(|other| Pair([*one, *other])));
    pairs.filter(|pair| composes(*pair) && pair.can_be_told_apart()).collect()
}

fn composes(pair: Pair) -> bool {
    Reference::with_faults(&pair.0).is_ok()
}

/// Says which faults are in no pair, and why.
fn print_left_out(candidates: &[Pair]) {
    let takes_part = |fault: &PlantedFault| candidates.iter().any(|pair| pair.0.contains(fault));
    let left_out: Vec<PlantedFault> =
        PlantedFault::ALL.iter().copied().filter(|fault| !takes_part(fault)).collect();
    for fault in &left_out {
        let others = PlantedFault::ALL.iter().filter(|other| *other != fault);
        let partners = others.filter(|other| composes(Pair([*fault, **other]))).count();
        let why = match partners {
            0 => format!(
                "composes with no other fault: it changes {} in a server with {}",
                fault.changes().join(", "),
                fault.style()
            ),
            count => {
                let shown: Vec<String> = problems(*fault).iter().map(ToString::to_string).collect();
                format!(
                    "cannot be told apart from any of the {count} faults that it composes with; it shows {}",
                    shown.join(", ")
                )
            }
        };
        println!("left out: {} {why}", fault.target());
    }
    println!("{} of {} faults cannot take part", left_out.len(), PlantedFault::ALL.len());
}

/// What a campaign against a pair reported.
struct PairResult {
    pair: Pair,
    /// How many scripts it played.
    scripts: u64,
    /// The faults that it did not report.
    missed: Vec<PlantedFault>,
}

/// Plays all campaigns, a thread a core: each play has a runtime and a clock of its own.
fn results(pairs: &[Pair]) -> Vec<PairResult> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = pair.target().name().to_owned();
                    eprintln!("plays {name}");
                    let result = play(*pair);
                    let mut results = results.lock().expect("no thread panicked");
                    let outcome = if result.missed.is_empty() { "both" } else { "MISSED" };
                    let done = results.len() + 1;
                    eprintln!(
                        "{done}/{} {name}: {outcome}, {} scripts",
                        pairs.len(),
                        result.scripts
                    );
                    results.push(result);
                }
            });
        }
    });
    results.into_inner().expect("no thread panicked")
}

/// A campaign against a server with both faults, until both are reported.
fn play(pair: Pair) -> PairResult {
    let target = pair.target();
    let own = pair.own_problems();
    let mut reported = [false; 2];
    let campaign =
        Campaign { bounds: target.bounds(), seed: SEED, scripts: Some(LIMIT), all_variants: false };
    let outcome = campaign.run(&target, |progress| {
        if let Some(finding) = progress.new_finding {
            for (reported, own) in reported.iter_mut().zip(&own) {
                *reported |= shows(finding, own);
            }
        }
        if reported == [true; 2] { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let faults = pair.0.into_iter().zip(reported);
    let missed = faults.filter(|(_, reported)| !reported).map(|(fault, _)| fault).collect();
    PairResult { pair, scripts: outcome.scripts, missed }
}
