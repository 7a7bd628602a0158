//! How far and how fast shrinking comes: `cargo bench --bench shrinking`.
//!
//! For each planted fault, a hundred different scripts that fail in one way are shrunk.
//! Prints a line a fault: how many different minima that gave, the plays that it took
//! (median and maximum), and the minimum. Names of faults as arguments choose among them.

use hangup::generate::GeneratorConfig;
use hangup::judge::judge;
use hangup::run::virtual_time::play;
use hangup::shrink::{BUDGET, Shrunk, shrink};
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::verdict::Identity;
use hangup::{Script, Target};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many scripts are shrunk for each fault.
const FAILING: usize = 100;
/// How many are tried to find so many that fail in one way.
const LIMIT: u64 = 40_000;

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = |fault: &&PlantedFault| {
        wanted.is_empty() || wanted.iter().any(|word| fault.target().ends_with(word.as_str()))
    };
    println!("{:36} scripts minima median maximum  minimum", "fault");
    let rows: Vec<Row> =
        PlantedFault::ALL.iter().filter(chosen).map(|fault| Row::of(*fault)).collect();
    let whole = rows.iter().filter(|row| row.shrunk.len() == FAILING);
    let canonical = whole.filter(|row| row.minima().len() == 1 && row.most() <= 200).count();
    println!(
        "one minimum from {FAILING} scripts, at most 200 plays each: {canonical} of {}",
        rows.len()
    );
}

struct Row {
    shrunk: Vec<Shrunk>,
}

impl Row {
    fn of(fault: PlantedFault) -> Self {
        let target: Arc<dyn Target> = Arc::new(Reference::with(fault));
        let bounds = target.bounds();
        let config = GeneratorConfig { bounds, app: target.obeys(), ..GeneratorConfig::default() };
        let identities = |script: &Script| -> Vec<Identity> {
            let verdict = judge(&play(&target, &bounds, script, 0), &bounds);
            verdict.violations.into_iter().map(|violation| violation.identity).collect()
        };
        let mut shrunk = Vec::new();
        let mut identity = None;
        for index in 0..LIMIT {
            let script = config.nth(42, index);
            let found = identities(&script);
            let identity = *match identity {
                None => match found.first() {
                    Some(first) => identity.insert(*first),
                    None => continue,
                },
                Some(ref identity) => identity,
            };
            if found.contains(&identity) {
                shrunk
                    .push(shrink(script, BUDGET, |script| identities(script).contains(&identity)));
                if shrunk.len() == FAILING {
                    break;
                }
            }
        }
        let row = Self { shrunk };
        row.print(fault);
        row
    }

    /// The different minima, each with how often it came out.
    fn minima(&self) -> BTreeMap<&Script, usize> {
        let mut minima = BTreeMap::new();
        for shrunk in &self.shrunk {
            *minima.entry(&shrunk.script).or_default() += 1;
        }
        minima
    }

    fn most(&self) -> u32 {
        self.shrunk.iter().map(|shrunk| shrunk.plays).max().unwrap_or_default()
    }

    fn print(&self, fault: PlantedFault) {
        let mut plays: Vec<u32> = self.shrunk.iter().map(|shrunk| shrunk.plays).collect();
        plays.sort_unstable();
        let minima = self.minima();
        let common =
            minima.iter().max_by_key(|(_, times)| **times).map(|(script, _)| script.to_string());
        println!(
            "{:36} {:>7} {:>6} {:>6} {:>7}  {}",
            fault.target(),
            self.shrunk.len(),
            minima.len(),
            plays.get(plays.len() / 2).copied().unwrap_or_default(),
            self.most(),
            common.unwrap_or_default().trim_end().replace('\n', "; "),
        );
    }
}
