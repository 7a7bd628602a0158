//! How many scripts it takes to catch each planted fault: `cargo bench --bench detection`.
//!
//! Prints a line a fault: the scripts to the first detection over 20 seeds (median,
//! maximum, missed) and the steps of the minimal script; then one line for the sum.
//! Names of faults, or parts of them, as arguments choose among them. Progress goes to stderr.

use hangup::generate::GeneratorConfig;
use hangup::run::virtual_time::play_and_judge;
use hangup::shrink::{BUDGET, shrink};
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::target::reference_client::ReferenceClient;
use hangup::target::reference_client::faults::ClientFault;
use hangup::verdict::{Identity, Problem};
use hangup::{Script, Target};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Faults of `bounded-memory` show in what is counted.
#[global_allocator]
static HEAP: hangup::heap::Counting = hangup::heap::Counting;

/// Which scripts are tried.
const SEEDS: u64 = 20;
/// So many scripts without a detection are a miss.
const LIMIT: u64 = 40_000;

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |fault: &Fault| {
        wanted.is_empty() || wanted.iter().any(|word| fault.target.name().contains(word.as_str()))
    };
    let servers = PlantedFault::ALL.iter().map(|fault| Fault {
        target: Arc::new(Reference::with(*fault)),
        class: fault.class(),
        shows: fault.shows(),
    });
    let clients = ClientFault::ALL.iter().map(|fault| Fault {
        target: Arc::new(ReferenceClient::with(*fault)),
        class: '-',
        shows: fault.shows(),
    });
    let faults: Vec<Fault> = servers.chain(clients).filter(chosen).collect();
    println!("{:40} class  median  maximum  missed  steps", "fault");
    let rows = rows(&faults);
    for row in &rows {
        row.print();
    }
    let mut medians: Vec<u64> = rows.iter().map(Row::median).collect();
    medians.sort_unstable();
    let caught = rows.iter().filter(|row| row.missed == 0).count();
    println!(
        "caught {caught} of {}, median of medians {}, worst {}",
        rows.len(),
        medians.get(medians.len() / 2).copied().unwrap_or_default(),
        medians.last().copied().unwrap_or_default(),
    );
    assert_eq!(caught, rows.len(), "every fault is caught from every seed");
}

/// A planted fault, of a server or a client.
#[derive(Clone)]
struct Fault {
    target: Arc<dyn Target>,
    /// The class of bugs that it stands for; a client's stands for none.
    class: char,
    shows: &'static [Problem],
}

/// What it took to catch one fault.
struct Row {
    fault: Fault,
    /// Scripts to the first detection, sorted; a miss counts as [`LIMIT`].
    scripts: Vec<u64>,
    missed: usize,
    /// The steps of the minimal script of the first seed that caught it.
    steps: usize,
}

impl Row {
    fn median(&self) -> u64 {
        self.scripts[self.scripts.len() / 2]
    }

    fn print(&self) {
        println!(
            "{:40} {:>5} {:>7} {:>8} {:>7} {:>6}",
            self.fault.target.name(),
            self.fault.class,
            self.median(),
            self.scripts.last().copied().unwrap_or_default(),
            self.missed,
            self.steps,
        );
    }
}

/// Measures all of them, a thread a core: each play has a runtime and a clock of its own.
fn rows(faults: &[Fault]) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let row = row(fault);
                    eprintln!("{}", fault.target.name());
                    rows.lock().expect("no thread panicked").push(row);
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("no thread panicked");
    let place =
        |row: &Row| faults.iter().position(|fault| fault.target.name() == row.fault.target.name());
    rows.sort_by_key(place);
    rows
}

fn row(fault: &Fault) -> Row {
    let found: Vec<Option<u64>> = (0..SEEDS).map(|seed| first(fault, seed)).collect();
    let missed = found.iter().filter(|found| found.is_none()).count();
    let steps = found.iter().zip(0..).find_map(|(found, seed)| {
        let index = (*found)? - 1;
        Some(minimal(fault, seed, index))
    });
    let mut scripts: Vec<u64> = found.into_iter().map(|found| found.unwrap_or(LIMIT)).collect();
    scripts.sort_unstable();
    Row { fault: fault.clone(), scripts, missed, steps: steps.unwrap_or_default() }
}

/// How many scripts it takes from `seed`.
fn first(fault: &Fault, seed: u64) -> Option<u64> {
    let config = config(&*fault.target);
    let caught = |index: &u64| identity(fault, &config.nth(seed, *index), *index).is_some();
    (0..LIMIT).find(caught).map(|index| index + 1)
}

/// The steps of the minimal script of a finding.
fn minimal(fault: &Fault, seed: u64, index: u64) -> usize {
    let script = config(&*fault.target).nth(seed, index);
    let found = identity(fault, &script, index);
    let fails = |script: &Script| identity(fault, script, index) == found;
    shrink(script, BUDGET, fails).script.steps.len()
}

fn config(target: &dyn Target) -> GeneratorConfig {
    GeneratorConfig {
        bounds: target.bounds(),
        app: target.obeys(),
        subject: target.role(),
        ..GeneratorConfig::default()
    }
}

/// The first violation of a rule that the fault is declared to break.
fn identity(fault: &Fault, script: &Script, seed: u64) -> Option<Identity> {
    let bounds = fault.target.bounds();
    let (_, verdict) = play_and_judge(&fault.target, &bounds, script, seed);
    let mut found = verdict.violations.into_iter().map(|violation| violation.identity);
    let declared = |identity: &Identity| {
        fault.shows.iter().any(|problem| problem.invariant() == identity.invariant())
    };
    found.find(declared)
}
