//! `hangup test`: a campaign against each chosen target, in worker processes.

use super::args::{Format, Test};
use super::baseline::{self, Baseline};
use super::clock::{fresh_seed, now};
use super::progress::Bar;
use super::test_report::Run;
use super::{CLEAN, COULD_NOT, Done, FINDINGS, output};
use crate::report::model::{Summary, TargetReport};
use crate::report::{self, Style};
use crate::run::workers::WorkerPool;
use crate::target::{Registry, Target};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(super) fn run(registry: &Registry, options: &Test) -> Done {
    let targets = registry.select(&options.targets).map_err(|error| error.to_string())?;
    if targets.is_empty() {
        return Err("there are no targets to test".to_owned());
    }
    let baseline = options.baseline.as_deref().map(Baseline::read).transpose()?.flatten();
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let interrupted = catch_ctrl_c()?;
    let line = format!("seed {seed}: to play the same again, add --seed {seed}");
    match options.format {
        Format::Human => output::line(&line),
        Format::Json => output::note(&line),
    }
    let began = now();
    let (runs, trouble) = campaigns(&targets, seed, options, baseline.as_ref(), &interrupted);
    finish(&runs, seed, began.elapsed(), options, targets.len())?;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    let whole = left(&runs, targets.len()) == 0 && runs.iter().all(|run| run.saved.is_whole());
    let recorded = options.baseline.as_ref().filter(|_| baseline.is_none() && whole);
    if let Some(file) = recorded {
        let reports: Vec<TargetReport> = runs.iter().map(Run::report).collect();
        baseline::record(file, &reports, true)?;
    }
    Ok(code(&runs, targets.len(), recorded.is_some()))
}

/// A run for each target, until one could not be or somebody interrupts.
fn campaigns(
    targets: &[Arc<dyn Target>],
    seed: u64,
    options: &Test,
    baseline: Option<&Baseline>,
    interrupted: &AtomicBool,
) -> (Vec<Run>, Option<String>) {
    let mut pool = WorkerPool::new(jobs(options), u64::from(options.memory) << 20);
    let bar = Bar::new(targets.len(), options);
    let began = now();
    let mut runs = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        // What is left of the time is shared by what is left of the targets.
        let share = |lasting: Duration| {
            lasting.saturating_sub(began.elapsed()) / (targets.len() - index) as u32
        };
        let deadline = options.lasting.map(|lasting| now() + share(lasting.duration()));
        // Nothing is called clean that was not played at all.
        let stop = |scripts: u64| {
            scripts > 0 && deadline.is_some_and(|deadline| now() >= deadline)
                || interrupted.load(Ordering::Relaxed)
        };
        bar.target(target.name(), index);
        let known = baseline.map(|baseline| baseline.of_target(target.name()));
        match Run::of(target, seed, options, known.unwrap_or_default(), &mut pool, &bar, &stop) {
            Ok(mut run) => {
                run.outcome.stopped &= interrupted.load(Ordering::Relaxed);
                if options.format == Format::Human {
                    let style = Style { verbose: options.verbose, ..output::style() };
                    bar.aside(|| output::print(&report::target(&run.report(), style)));
                }
                runs.push(run);
            }
            Err(trouble) => return (runs, Some(trouble)),
        }
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    (runs, None)
}

/// How many worker processes: as asked for, or one for each core.
fn jobs(options: &Test) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    options.jobs.map_or_else(cores, usize::from)
}

/// Sums up.
fn finish(
    runs: &[Run],
    seed: u64,
    took: Duration,
    options: &Test,
    targets: usize,
) -> Result<(), String> {
    let scripts: u64 = runs.iter().map(|run| run.outcome.scripts).sum();
    let reports: Vec<TargetReport> = runs.iter().map(Run::report).collect();
    let interrupted = left(runs, targets) > 0;
    let summary = Summary {
        seed,
        scripts,
        seconds: took.as_secs_f64(),
        scripts_per_second: scripts as f64 / took.as_secs_f64().max(1e-9),
        interrupted,
        trouble: None,
        targets: &reports,
    };
    match options.format {
        Format::Human => {
            let style = output::style();
            output::print(&report::recapitulation(&summary, style));
            output::line(&report::summary(&summary, targets, style));
        }
        Format::Json => output::line(&report::json(&summary)?),
    }
    if let Some(file) = &options.junit {
        output::write_file(file, &in_junit(runs, &reports, took))?;
    }
    for run in runs {
        run.saved.tell();
    }
    for target in &reports {
        for deviation in target.stale() {
            let stale = report::stale(deviation, target.scripts);
            output::error(&format!("stale: {}: {stale}", target.name));
        }
    }
    if interrupted {
        let left = report::count(left(runs, targets), "target");
        output::note(&format!("interrupted: {left} not tested to the end"));
    }
    Ok(())
}

/// A suite for each target; those that were not begun are not in it.
fn in_junit(runs: &[Run], reports: &[TargetReport], took: Duration) -> String {
    let promised: Vec<_> = runs.iter().map(|run| |rule| run.promises(rule)).collect();
    let suites = reports.iter().zip(runs).zip(&promised).map(|((target, run), promised)| {
        let stale = target.stale().map(|deviation| report::stale(deviation, target.scripts));
        let unjudged = target.unjudged().iter();
        let unjudged = unjudged.map(|what| report::cannot_judge(what, &target.name));
        let interrupted = run.outcome.stopped.then(|| "interrupted".to_owned());
        let could_not = target.could_not_test().map(ToString::to_string);
        report::Suite {
            server: &target.name,
            problems: target.problems(),
            scripts: target.scripts,
            judged: promised,
            failures: stale.chain(target.jumps.iter().map(report::jump)).collect(),
            trouble: could_not.into_iter().chain(unjudged).chain(interrupted).next(),
            seconds: None,
        }
    });
    report::junit(&suites.collect::<Vec<_>>(), took.as_secs_f64())
}

/// How many targets were not tested to the end.
fn left(runs: &[Run], targets: usize) -> usize {
    targets - runs.iter().filter(|run| !run.outcome.stopped).count()
}

/// What was `recorded` as known is no finding.
fn code(runs: &[Run], targets: usize, recorded: bool) -> u8 {
    let broken = |run: &Run| {
        let report = run.report();
        let found = !recorded && !run.outcome.findings.is_empty();
        found || report.stale().next().is_some() || report.has_jumped()
    };
    if runs.iter().any(broken) {
        FINDINGS
    } else if runs
        .iter()
        .any(|run| !run.outcome.unjudged.is_empty() || run.outcome.could_not_test.is_some())
        || left(runs, targets) > 0
        || !runs.iter().all(|run| run.saved.is_whole())
    {
        COULD_NOT
    } else {
        CLEAN
    }
}

/// Set by the first Ctrl-C; the second one ends the process, and the workers with it.
fn catch_ctrl_c() -> Result<Arc<AtomicBool>, String> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    Ok(interrupted)
}
