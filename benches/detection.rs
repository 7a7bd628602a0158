//! How many scripts it takes to catch each planted fault, those of whole servers too: `cargo bench --bench
//! detection`.
//!
//! Prints a line a fault: the scripts to the first detection over 20 seeds (median,
//! maximum, missed) and the steps of the minimal script, with its connections where it has several;
//! then one line for the sum. Faults that cost work out of proportion are left out: no script catches them.
//! Names of faults, or parts of them, as arguments choose among them. Progress goes to stderr.

use hangup::generate::GeneratorConfig;
use hangup::run::virtual_time::play_and_judge;
use hangup::script::ConnectionNumber;
use hangup::shrink::{BUDGET, shrink};
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::target::reference::server::ReferenceServer;
use hangup::target::reference::server::faulty::ServerFault;
use hangup::target::reference_client::ReferenceClient;
use hangup::target::reference_client::faults::ClientFault;
use hangup::verdict::{Identity, Invariant, Problem};
use hangup::{Script, Target};
use std::collections::BTreeSet;
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
        let name = fault.target.name();
        let is_wanted = wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str()));
        // Work is measured once a campaign, whatever the scripts: the tests of the faults do.
        is_wanted && !fault.breaks.contains(&Invariant::LinearWork)
    };
    let faults: Vec<Fault> = faults().filter(chosen).collect();
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

/// A planted fault, whatever it is planted in.
struct Fault {
    target: Arc<dyn Target>,
    /// The class of bugs that it stands for; those of whole servers and of clients have none.
    class: char,
    breaks: BTreeSet<Invariant>,
    /// How many connections scripts may have.
    connections: u8,
}

/// All of them.
fn faults() -> impl Iterator<Item = Fault> {
    let connection = |fault: &PlantedFault| Fault {
        target: Arc::new(Reference::with(*fault)),
        class: fault.class(),
        breaks: fault.breaks(),
        connections: ConnectionNumber::FIRST.get(),
    };
    let rules = |shows: &[Problem]| shows.iter().map(|problem| problem.invariant()).collect();
    let server = move |fault: &ServerFault| Fault {
        target: Arc::new(ReferenceServer::with(*fault)),
        class: '-',
        breaks: rules(fault.shows()),
        connections: ConnectionNumber::MOST,
    };
    let client = move |fault: &ClientFault| Fault {
        target: Arc::new(ReferenceClient::with(*fault)),
        class: '-',
        breaks: rules(fault.shows()),
        connections: ConnectionNumber::FIRST.get(),
    };
    let servers =
        PlantedFault::ALL.iter().map(connection).chain(ServerFault::ALL.iter().map(server));
    servers.chain(ClientFault::ALL.iter().map(client))
}

/// What it took to catch one fault.
struct Row<'a> {
    fault: &'a Fault,
    /// Scripts to the first detection, sorted; a miss counts as [`LIMIT`].
    scripts: Vec<u64>,
    missed: usize,
    /// The minimal script of the first seed that caught it.
    minimal: Script,
}

impl Row<'_> {
    fn median(&self) -> u64 {
        self.scripts[self.scripts.len() / 2]
    }

    fn print(&self) {
        let connections = match self.minimal.connections() {
            1 => String::new(),
            several => format!("  on {several} connections"),
        };
        println!(
            "{:40} {:>5} {:>7} {:>8} {:>7} {:>6}{connections}",
            self.fault.target.name(),
            self.fault.class,
            self.median(),
            self.scripts.last().copied().unwrap_or_default(),
            self.missed,
            self.minimal.steps.len(),
        );
    }
}

/// Measures all of them, a thread a core: each play has a runtime and a clock of its own.
fn rows(faults: &[Fault]) -> Vec<Row<'_>> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(fault) = faults.get(index) else { return };
                    let row = fault.row();
                    eprintln!("{}", fault.target.name());
                    rows.lock().expect("no thread panicked").push((index, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().expect("no thread panicked");
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

impl Fault {
    fn row(&self) -> Row<'_> {
        let found: Vec<Option<u64>> = (0..SEEDS).map(|seed| self.first(seed)).collect();
        let missed = found.iter().filter(|found| found.is_none()).count();
        let first = found.iter().zip(0..).find_map(|(found, seed)| Some((seed, (*found)?)));
        let minimal = first.map(|(seed, found)| self.minimal(seed, found - 1));
        let mut scripts: Vec<u64> = found.into_iter().map(|found| found.unwrap_or(LIMIT)).collect();
        scripts.sort_unstable();
        Row { fault: self, scripts, missed, minimal: minimal.unwrap_or_default() }
    }

    fn config(&self) -> GeneratorConfig {
        GeneratorConfig {
            bounds: self.target.bounds(),
            app: self.target.obeys(),
            subject: self.target.role(),
            connections: self.connections,
            ..GeneratorConfig::default()
        }
    }

    /// How many scripts it takes from `seed`.
    fn first(&self, seed: u64) -> Option<u64> {
        let config = self.config();
        let caught = |index: &u64| self.identity(&config.nth(seed, *index), *index).is_some();
        (0..LIMIT).find(caught).map(|index| index + 1)
    }

    /// The minimal script of a finding.
    fn minimal(&self, seed: u64, index: u64) -> Script {
        let script = self.config().nth(seed, index);
        let found = self.identity(&script, index);
        shrink(script, BUDGET, |script: &Script| self.identity(script, index) == found).script
    }

    /// The first violation of a rule that the fault is declared to break.
    fn identity(&self, script: &Script, seed: u64) -> Option<Identity> {
        let (_, verdict) = play_and_judge(&self.target, &self.target.bounds(), script, seed);
        let mut found = verdict.violations.into_iter().map(|violation| violation.identity);
        found.find(|identity| self.breaks.contains(&identity.invariant()))
    }
}
