//! How many certain violations the judge convicts: `cargo bench --bench recall`.
//!
//! Plays scripts on the honest targets, servers and a client, as they are and with changes between the target and its
//! transport ([`changes::KINDS`]), and prints for each change the share that is convicted, with
//! what acquits the rest; then the recall of changes against a MUST and a SHOULD, and the
//! accusations on unchanged plays. The same every time. Arguments choose among the changes and
//! the targets by their names, or parts of them; `--criteria` says which plays count, `--scripts`
//! adds the smallest scripts of every reason, `--count=N` plays so many scripts on each target.
//! Progress goes to stderr.

mod changes;
mod criteria;
mod facts;
mod measure;

use changes::{KINDS, Kind};
use hangup::shrink::{BUDGET, shrink};
use hangup::verdict::Level;
use hangup::{Registry, Script, Target};
use measure::{Bench, Case, Outcome, Row, Tally};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The targets that keep every rule, but for what is accepted of them.
const HONEST: [&str; 7] = [
    "reference",
    "reference/split-tasks",
    "reference/cancelled-sends",
    "reference-server",
    "tungstenite/read-deadline",
    "tungstenite/reader-task",
    "reference-client",
];

/// How many scripts are played on each target.
const SCRIPTS: usize = 20_000;
/// How many a thread plays at a time.
const CHUNK: usize = 500;
/// How many scripts are shown of a reason.
const SHOWN: usize = 4;
/// A reason with a smaller share of its row shows no scripts.
const RARE: f64 = 0.003;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let count = arguments.iter().find_map(|word| word.strip_prefix("--count="));
    let count = count.map_or(SCRIPTS, |count| count.parse().expect("--count=N, a number"));
    let registry = Registry::built_in();
    let targets: Vec<Arc<dyn Target>> = chosen(&HONEST, &words, |name| name)
        .map(|name| registry.resolve(name).expect("built in"))
        .collect();
    let kinds: Vec<&Kind> = chosen(KINDS, &words, |kind| kind.name).collect();
    if arguments.iter().any(|word| word == "--criteria") {
        return kinds.iter().for_each(|kind| println!("{}: {}\n", kind.name, kind.counts));
    }
    let tally = tally(&targets, &kinds, count);
    let with_scripts = arguments.iter().any(|word| word == "--scripts");
    print(&tally, &targets, &kinds, with_scripts);
}

/// Those whose name a word is part of, or all where there is none.
fn chosen<'a, T>(
    all: &'a [T],
    words: &[&str],
    name: impl Fn(&'a T) -> &'a str + Copy,
) -> impl Iterator<Item = &'a T> {
    let named =
        move |item: &'a T, words: &[&str]| words.iter().any(|word| name(item).contains(word));
    let any = all.iter().any(|item| named(item, words));
    let words = words.to_vec();
    all.iter().filter(move |item| !any || named(item, &words))
}

/// Measures all of it, a thread a core.
fn tally(targets: &[Arc<dyn Target>], kinds: &[&Kind], count: usize) -> Tally {
    let chunks = count.div_ceil(CHUNK);
    let next = AtomicUsize::new(0);
    let sum = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(target) = targets.get(job / chunks) else { return };
                    let from = job % chunks * CHUNK;
                    let mut tally = Tally::default();
                    let bench = Bench { target, kinds };
                    tally.add(&bench, job / chunks, from..(from + CHUNK).min(count));
                    sum.lock().expect("no thread panicked").merge(tally);
                    if job % 10 == 9 {
                        eprintln!("{} of {} on {}", from + CHUNK, count, target.name());
                    }
                }
            });
        }
    });
    sum.into_inner().expect("no thread panicked")
}

fn print(tally: &Tally, targets: &[Arc<dyn Target>], kinds: &[&Kind], with_scripts: bool) {
    println!("{:28} {:6} {:>8} {:>10}", "change", "level", "plays", "convicted");
    for ((kind, level), row) in &tally.rows {
        let share = percent(row.convicted(), row.total());
        println!("{:28} {:6} {:>8} {share:>10}", kinds[*kind].name, level.id(), row.total());
        let mut missed: Vec<(u64, &str)> = row
            .counts
            .iter()
            .filter_map(|(outcome, count)| match outcome {
                Outcome::Convicted => None,
                Outcome::Missed(why) => Some((*count, why.as_str())),
            })
            .collect();
        missed.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        for (count, why) in missed {
            println!("{:>45} {:>8}  {why}", count, percent(count, row.total()));
            if with_scripts && count as f64 >= RARE * row.total() as f64 {
                let outcome = Outcome::Missed(why.to_owned());
                print_scripts(row, &Case { kind: *kind, level: *level, outcome }, targets, kinds);
            }
        }
    }
    for (place, index, identity) in &tally.accusations {
        println!("accused: {}, script {index}: {identity}", targets[*place].name());
    }
    println!("recall, must: {:.2} %", tally.recall(Level::Must) * 100.0);
    println!("recall, should: {:.2} %", tally.recall(Level::Should) * 100.0);
    println!("accusations on honest traces: {}", tally.accusations.len());
}

/// Some of the shortest scripts of a reason, made smaller as long as they show it.
fn print_scripts(row: &Row, case: &Case, targets: &[Arc<dyn Target>], kinds: &[&Kind]) {
    let Outcome::Missed(why) = &case.outcome else { return };
    let mut seen: Vec<String> = Vec::new();
    for ((_, _, text), (place, index)) in row.shortest.get(why).into_iter().flatten() {
        let target = &targets[*place];
        let only = [kinds[case.kind]];
        let bench = Bench { target, kinds: &only };
        let case = Case { kind: 0, ..case.clone() };
        let script: Script = text.parse().expect("it was printed by hangup");
        let small = shrink(script, BUDGET, |script| shows(&bench, script, *index, &case)).script;
        let line = small.to_string().trim_end().replace('\n', "; ");
        if !seen.contains(&line) && seen.len() < SHOWN {
            println!("{:>46}{}, {index}: {line}", "", target.name());
            seen.push(line);
        }
    }
}

/// Whether `script` shows a case of this kind with this outcome.
fn shows(bench: &Bench<'_>, script: &Script, index: usize, wanted: &Case) -> bool {
    let (_, cases) = bench.measure(script, index);
    let same = |case: &Case| {
        case.kind == wanted.kind && case.level == wanted.level && case.outcome == wanted.outcome
    };
    cases.iter().any(same)
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2} %", part as f64 * 100.0 / whole.max(1) as f64)
}
