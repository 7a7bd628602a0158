//! `hangup test`: a campaign against each chosen target, in worker processes.

use super::args::{RunFormat, Test};
use super::baseline::{self, Baseline};
use super::clock::{fresh_seed, now};
use super::progress::Bar;
use super::stop::Stop;
use super::test_report::Run;
use super::{CLEAN, COULD_NOT, Done, FINDINGS, Trouble, output, output_file, pages};
use crate::finding::problem::by_problem;
use crate::report::model::{Summary, TargetReport};
use crate::report::{self, Style};
use crate::run::workers::WorkerPool;
use crate::target::{Registry, Target};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn run(registry: &Registry, options: &Test, stop: &Stop) -> Done {
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let mut outcome =
        Outcome { options, stop, seed, targets: 0, runs: Vec::new(), troubles: Vec::new() };
    let junit = options.junit.as_deref().map(|file| output_file::check("--junit", file));
    let junit = junit.transpose().map_err(|trouble| outcome.troubles.push(trouble)).is_ok();
    let ready = if junit { Ready::new(registry, options) } else { Err(None) };
    let began = now();
    let mut is_recorded_now = false;
    match ready {
        Ok(Ready { targets, baseline }) => {
            outcome.targets = targets.len();
            let line = format!("seed {seed}: to play the same again, add --seed {seed}");
            match options.format {
                RunFormat::Human | RunFormat::Github => output::line(&line),
                RunFormat::Json => output::note(&line),
            }
            let (runs, trouble) = campaigns(&targets, seed, options, baseline.as_ref(), stop);
            (outcome.runs, outcome.troubles) = (runs, trouble.into_iter().collect());
            is_recorded_now = baseline.is_none() && outcome.record_baseline();
        }
        Err(trouble) => outcome.troubles.extend(trouble),
    }
    outcome.finish(began.elapsed(), options.junit.as_deref().filter(|_| junit), is_recorded_now)
}

/// What a run needs, checked.
struct Ready {
    targets: Vec<Arc<dyn Target>>,
    baseline: Option<Baseline>,
}

impl Ready {
    fn new(registry: &Registry, options: &Test) -> Result<Self, Option<Trouble>> {
        let targets = registry.select(&options.targets).map_err(|error| Some(error.to_string()))?;
        if targets.is_empty() {
            return Err(Some("there are no targets to test".to_owned()));
        }
        let baseline = Baseline::open(options.baseline.as_deref())?;
        output_file::check_directory(&options.findings)?;
        pages::check(options.html.as_deref())?;
        Ok(Self { targets, baseline })
    }
}

/// A run for each target, until one could not be or somebody interrupts.
fn campaigns(
    targets: &[Arc<dyn Target>],
    seed: u64,
    options: &Test,
    baseline: Option<&Baseline>,
    stop: &Stop,
) -> (Vec<Run>, Option<String>) {
    let mut pool = WorkerPool::new(jobs(options), u64::from(options.memory) << 20, &stop.interrupt);
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
        let ends = |scripts: u64| {
            scripts > 0 && deadline.is_some_and(|deadline| now() >= deadline) || stop.is_asked()
        };
        bar.target(target.name(), index);
        let known = baseline.map(|baseline| baseline.of_target(target.name()));
        match Run::of(target, seed, options, known.unwrap_or_default(), &mut pool, &bar, &ends) {
            Ok(mut run) => {
                run.outcome.stopped &= stop.is_asked();
                let findings = run.outcome.findings.iter();
                bar.ended(by_problem(findings, |finding| finding.violation.identity).len());
                if options.format != RunFormat::Json {
                    let style = Style { verbose: options.verbose, ..output::style() };
                    let text = report::target(&run.report(), style);
                    bar.aside(|| pages::print(&text, options.format));
                }
                runs.push(run);
            }
            Err(trouble) => return (runs, Some(trouble)),
        }
        if stop.is_asked() {
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

/// What was done, and how it went wrong where it did.
struct Outcome<'a> {
    options: &'a Test,
    stop: &'a Stop,
    seed: u64,
    /// How many targets there were to test.
    targets: usize,
    runs: Vec<Run>,
    /// Each on one line.
    troubles: Vec<Trouble>,
}

impl Outcome<'_> {
    /// How many targets were not fully tested.
    fn left(&self) -> usize {
        self.targets - self.runs.iter().filter(|run| !run.outcome.stopped).count()
    }

    fn is_interrupted(&self) -> bool {
        self.stop.is_asked() || self.runs.iter().any(|run| run.outcome.stopped)
    }

    /// Records what was found as known, where a file is named for that and everything was tested;
    /// whether it did.
    fn record_baseline(&mut self) -> bool {
        let whole = !self.is_interrupted()
            && self.troubles.is_empty()
            && self.left() == 0
            && self.runs.iter().all(|run| run.saved.is_whole());
        let Some(file) = self.options.baseline.as_deref().filter(|_| whole) else { return false };
        let reports: Vec<TargetReport> = self.runs.iter().map(Run::report).collect();
        let recorded = baseline::record(file, &reports, true, self.stop);
        recorded.map_err(|trouble| self.troubles.push(trouble)).is_ok()
    }

    /// Reports, and decides the exit code.
    fn finish(mut self, took: Duration, junit: Option<&Path>, is_recorded_now: bool) -> Done {
        let reports: Vec<TargetReport> = self.runs.iter().map(Run::report).collect();
        let interrupted = self.is_interrupted();
        if let Some(file) = junit {
            let text = self.in_junit(&reports, took, interrupted);
            let written = output_file::write("--junit", file, &text, self.stop);
            self.troubles.extend(written.err());
        }
        let scripts: u64 = self.runs.iter().map(|run| run.outcome.scripts).sum();
        let summary = Summary {
            seed: self.seed,
            scripts,
            seconds: took.as_secs_f64(),
            confirming: self.runs.iter().map(|run| run.confirming.as_secs_f64()).sum(),
            scripts_per_second: scripts as f64 / took.as_secs_f64().max(1e-9),
            interrupted,
            trouble: None,
            targets: &reports,
        };
        let format = self.options.format;
        let page = || report::page::of_run(&summary, output::program());
        if !self.runs.is_empty() {
            let written = pages::html(self.options.html.as_deref(), page, self.stop);
            self.troubles.extend(written.err());
        }
        let trouble = (!self.troubles.is_empty()).then(|| self.troubles.join("; "));
        let summary = Summary { trouble: trouble.as_deref(), ..summary };
        match format {
            // Then the error alone says everything.
            RunFormat::Human | RunFormat::Github if self.runs.is_empty() && trouble.is_some() => {}
            RunFormat::Human | RunFormat::Github => {
                let style = output::style();
                pages::print(&report::recapitulation(&summary, style), format);
                output::line(&report::summary(&summary, self.targets, style));
            }
            RunFormat::Json => output::line(&report::json(&summary)?),
        }
        let page = || report::page::of_run(&summary, output::program());
        self.troubles.extend(pages::tell_ci(format, page).err());
        for run in &self.runs {
            run.saved.tell();
        }
        for target in &reports {
            for deviation in target.stale() {
                let stale = report::stale(deviation, target.scripts);
                output::error(&format!("stale: {}: {stale}", target.name));
            }
        }
        if interrupted && self.left() > 0 {
            let left = report::count(self.left(), "target");
            output::note(&format!("{left} not fully tested"));
        }
        for trouble in &self.troubles {
            output::error(trouble);
        }
        Ok(self.code(interrupted, is_recorded_now))
    }

    /// A suite for each target that was begun, and one for what kept the run from going on.
    fn in_junit(&self, reports: &[TargetReport], took: Duration, interrupted: bool) -> String {
        let skipped: Vec<_> = self.runs.iter().map(|run| |rule| run.has_no_bound(rule)).collect();
        let suites = reports.iter().zip(&self.runs).zip(&skipped);
        let suites = suites.map(|((target, run), skipped)| {
            let stale = target.stale().map(|deviation| report::stale(deviation, target.scripts));
            let unjudged = target.unjudged().iter();
            let unjudged =
                unjudged.map(|what| report::cannot_judge(what, &target.name, run.target.role()));
            let interrupted = run.outcome.stopped.then(|| "interrupted".to_owned());
            let could_not = target.could_not_test().map(ToString::to_string);
            report::Suite {
                server: &target.name,
                subject: run.target.role(),
                problems: target.problems(),
                scripts: target.scripts,
                skipped: Some(skipped),
                accepted: report::accepted(target),
                failures: stale.chain(target.jumps.iter().map(report::jump)).collect(),
                trouble: could_not.into_iter().chain(unjudged).chain(interrupted).next(),
                seconds: None,
            }
        });
        let mut suites: Vec<report::Suite<'_>> = suites.collect();
        let is_told = self.runs.iter().any(|run| run.outcome.stopped);
        let interrupted = (interrupted && !is_told).then(|| "interrupted".to_owned());
        let troubles = self.troubles.iter().cloned().chain(interrupted);
        suites.extend(troubles.map(report::Suite::of_trouble));
        report::junit(&suites, took.as_secs_f64())
    }

    /// What was recorded as known just now is no finding.
    fn code(&self, interrupted: bool, is_recorded_now: bool) -> u8 {
        let broken = |run: &Run| {
            let report = run.report();
            let found = !is_recorded_now && !run.outcome.findings.is_empty();
            found || report.stale().next().is_some() || report.has_jumped()
        };
        let untested = |run: &Run| {
            let outcome = &run.outcome;
            !outcome.unjudged.is_empty()
                || outcome.could_not_test.is_some()
                || !run.saved.is_whole()
        };
        if !self.troubles.is_empty() {
            COULD_NOT
        } else if self.runs.iter().any(broken) {
            FINDINGS
        } else if interrupted || self.left() > 0 || self.runs.iter().any(untested) {
            COULD_NOT
        } else {
            CLEAN
        }
    }
}
