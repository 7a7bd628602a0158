//! `hangup test`: a campaign against each chosen target.

use super::args::{Format, Test};
use super::{CLEAN, COULD_NOT, Done, FINDINGS, out};
use crate::bounds::Bounds;
use crate::campaign::{Accepted, Campaign, Finding, Outcome, Progress};
use crate::report;
use crate::repro::Repro;
use crate::save;
use crate::target::{Registry, Target};
use crate::verdict::Ending;
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How many scripts are played against each target where nothing is said.
const SCRIPTS: u64 = 20_000;

pub(super) fn run(registry: &Registry, options: &Test) -> Done {
    let targets = registry.select(&options.targets).map_err(|name| {
        let known: Vec<&str> = registry.iter().map(|target| target.name()).collect();
        format!("no target `{name}`; there are: {}", known.join(", "))
    })?;
    if targets.is_empty() {
        return Err("there are no targets to test".to_owned());
    }
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let interrupted = catch_ctrl_c()?;
    let line = format!("seed {seed}: to play the same again, add --seed {seed}");
    match options.format {
        Format::Human => out::line(&line),
        Format::Json => out::note(&line),
    }
    let began = now();
    let mut runs = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        // What is left of the time is shared by what is left of the targets.
        let share = |lasting: Duration| {
            lasting.saturating_sub(began.elapsed()) / (targets.len() - index) as u32
        };
        let deadline = options.lasting.map(|lasting| now() + share(lasting.duration()));
        let run = Run::of(target, seed, options, deadline, &interrupted);
        if options.format == Format::Human {
            out::print(&run.text());
        }
        let stop = interrupted.load(Ordering::Relaxed);
        runs.push(run);
        if stop {
            break;
        }
    }
    let cut_short = runs.len() < targets.len() || runs.iter().any(|run| run.outcome.stopped);
    finish(&runs, seed, began.elapsed(), options, targets.len(), cut_short)
}

/// Sums up and decides the exit code.
fn finish(
    runs: &[Run],
    seed: u64,
    took: Duration,
    options: &Test,
    targets: usize,
    interrupted: bool,
) -> Done {
    let scripts: u64 = runs.iter().map(|run| run.outcome.scripts).sum();
    let findings: usize = runs.iter().map(|run| run.outcome.findings.len()).sum();
    let rate = scripts as f64 / took.as_secs_f64().max(1e-9);
    match options.format {
        Format::Human => out::line(&format!(
            "\n{} in {} of {}: {} scripts in {:.1} s, {} a second",
            out::count(findings, "finding"),
            runs.iter().filter(|run| !run.outcome.findings.is_empty()).count(),
            out::count(targets, "target"),
            out::thousands(scripts),
            took.as_secs_f64(),
            out::thousands(rate as u64),
        )),
        Format::Json => {
            let targets = runs.iter().map(Run::json).collect();
            let seconds = took.as_secs_f64();
            let json =
                Json { seed, scripts, seconds, scripts_per_second: rate, interrupted, targets };
            let text = serde_json::to_string_pretty(&json).map_err(|error| error.to_string())?;
            out::line(&text);
        }
    }
    let mut all_saved = true;
    for (repro, error) in runs
        .iter()
        .flat_map(|run| &run.saved)
        .filter_map(|(repro, saved)| Some((repro, saved.as_ref().err()?)))
    {
        out::error(&format!("not saved: {}: {error}", report::headline(repro)));
        all_saved = false;
    }
    if interrupted {
        let left = targets - runs.iter().filter(|run| !run.outcome.stopped).count();
        out::note(&format!("interrupted: {} not tested to the end", out::count(left, "target")));
    }
    Ok(match () {
        () if findings > 0 => FINDINGS,
        () if interrupted || !all_saved => COULD_NOT,
        () => CLEAN,
    })
}

/// One target's campaign and what was saved of it.
struct Run {
    target: Arc<dyn Target>,
    outcome: Outcome,
    saved: Vec<(Repro, Result<PathBuf, save::SaveError>)>,
}

impl Run {
    fn of(
        target: &Arc<dyn Target>,
        seed: u64,
        options: &Test,
        deadline: Option<Instant>,
        interrupted: &AtomicBool,
    ) -> Self {
        let bounds = options
            .close_within
            .map_or(target.bounds(), |close| Bounds { close: close.duration(), ..target.bounds() });
        let scripts = match deadline {
            Some(_) => None,
            None => Some(options.scripts.unwrap_or(SCRIPTS)),
        };
        let bar = bar(target.name(), scripts);
        let mut saved = Vec::new();
        let watch = |progress: Progress<'_>| {
            bar.set_position(progress.scripts);
            bar.set_message(out::count(progress.findings, "finding"));
            if let Some(finding) = progress.news {
                // At once: what comes later must not lose it.
                let repro = report::repro(&**target, bounds, finding);
                let path = save::repro(&options.findings, &repro);
                saved.push((repro, path));
            }
            let late = deadline.is_some_and(|deadline| now() >= deadline);
            if late || interrupted.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let mut outcome = Campaign { bounds, seed, scripts }.run(target, watch);
        outcome.stopped &= interrupted.load(Ordering::Relaxed);
        bar.finish_and_clear();
        Self { target: Arc::clone(target), outcome, saved }
    }

    /// The findings with their repros and where those were saved.
    fn findings(&self) -> impl Iterator<Item = (&Finding, &Repro, Option<&PathBuf>)> {
        self.outcome.findings.iter().filter_map(|finding| {
            let key = finding.violation.key;
            let (repro, path) = self.saved.iter().find(|(repro, _)| repro.key == key)?;
            Some((finding, repro, path.as_ref().ok()))
        })
    }

    /// The findings of one rule and cause together, whatever the client's condition.
    fn groups(&self) -> Vec<Vec<(&Finding, &Repro, Option<&PathBuf>)>> {
        let mut groups: Vec<Vec<(&Finding, &Repro, Option<&PathBuf>)>> = Vec::new();
        for entry in self.findings() {
            let of = |repro: &Repro| (repro.key.invariant, repro.key.cause);
            match groups.last_mut().filter(|group| of(group[0].1) == of(entry.1)) {
                Some(group) => group.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups
    }

    fn text(&self) -> String {
        let Outcome { scripts, findings, accepted, .. } = &self.outcome;
        let name = format!("{} ({})", self.target.name().bold(), self.target.version());
        let scripts = out::thousands(*scripts);
        let verdict = if findings.is_empty() {
            format!("{}", "clean".green())
        } else {
            format!("{}", out::count(findings.len(), "finding").red())
        };
        let mut text = format!("\n{name}: {verdict}, {scripts} scripts\n");
        for (number, group) in self.groups().iter().enumerate() {
            let Some(((finding, repro, path), others)) = group.split_first() else { continue };
            let headline = report::wrap_to(&report::headline(repro), 75);
            for (index, line) in headline.lines().enumerate() {
                let number =
                    if index == 0 { format!("\n  {}.", number + 1) } else { "    ".to_owned() };
                let _ = writeln!(text, "{number} {}", line.bold());
            }
            indented(&mut text, "     ", &report::wrap_to(&repro.sentence, 75));
            if finding.is_flaky() {
                let _ =
                    writeln!(text, "     flaky: {:.0} % of replays show it", finding.rate * 100.0);
            }
            text.push('\n');
            indented(&mut text, "         ", &repro.script.to_string());
            let paths = std::iter::once(*path).chain(others.iter().map(|(_, _, path)| *path));
            for (index, path) in paths.flatten().enumerate() {
                text.push_str(if index == 0 { "\n     more:\n" } else { "" });
                let _ = writeln!(text, "     hangup show {}", out::pasteable(path));
            }
        }
        for Accepted { deviation, fired } in accepted.iter().filter(|accepted| accepted.fired > 0) {
            let times = out::count(*fired as usize, "time");
            let head = format!("accepted, {times}: {}: {}.", deviation.invariant, deviation.reason);
            text.push('\n');
            indented(&mut text, "  ", &report::wrap_to(&head, 78));
            indented(&mut text, "  ", &report::wrap_to(&format!("RFC 6455 {}", deviation.rfc), 78));
        }
        text
    }

    fn json(&self) -> JsonTarget<'_> {
        let findings = self.findings().map(|(finding, repro, path)| JsonFinding {
            invariant: repro.key.invariant.id(),
            level: repro.level.id(),
            class: repro.key.invariant.rule().class.id(),
            cause: repro.key.cause.map(crate::verdict::Cause::id),
            condition: repro.key.condition.map(crate::verdict::Condition::id),
            ending: JsonEnding::from(finding.violation.ending),
            steps: repro.script.steps.len(),
            plays: finding.plays,
            flaky: finding.is_flaky(),
            rate: finding.rate,
            sentence: &repro.sentence,
            script: repro.script.to_string(),
            repro: path.map(|path| path.display().to_string()),
        });
        let accepted = self.outcome.accepted.iter().map(|accepted| JsonAccepted {
            invariant: accepted.deviation.invariant.id(),
            cause: accepted.deviation.cause.map(crate::verdict::Cause::id),
            condition: accepted.deviation.condition.map(crate::verdict::Condition::id),
            reason: accepted.deviation.reason,
            rfc: accepted.deviation.rfc,
            fired: accepted.fired,
        });
        JsonTarget {
            name: self.target.name(),
            version: self.target.version(),
            scripts: self.outcome.scripts,
            findings: findings.collect(),
            accepted: accepted.collect(),
        }
    }
}

fn indented(out: &mut String, by: &str, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{by}{line}");
    }
}

/// A bar where the number of scripts is known, a spinner where it is not; both on
/// stderr, and nothing where that is no terminal.
fn bar(name: &str, scripts: Option<u64>) -> ProgressBar {
    let (bar, template) = match scripts {
        Some(scripts) => (
            ProgressBar::new(scripts),
            "{prefix} {bar:20} {human_pos}/{human_len}, {per_sec}, {msg}, {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{prefix} {spinner} {human_pos}, {per_sec}, {msg}, {elapsed}",
        ),
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(name.to_owned()).with_message("0 findings")
}

/// Set by the first Ctrl-C; the second one ends the process.
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

#[expect(clippy::disallowed_methods, reason = "how long a campaign takes is a matter of real time")]
fn now() -> Instant {
    Instant::now()
}

/// A seed for a run that was given none. It is printed, so that the run can be repeated.
#[expect(clippy::disallowed_methods, reason = "the one place where chance comes from outside")]
fn fresh_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) ^ (since.as_secs() & 0xffff)
}

#[derive(Serialize)]
struct Json<'a> {
    seed: u64,
    scripts: u64,
    seconds: f64,
    scripts_per_second: f64,
    interrupted: bool,
    targets: Vec<JsonTarget<'a>>,
}

#[derive(Serialize)]
struct JsonTarget<'a> {
    name: &'a str,
    version: &'a str,
    scripts: u64,
    findings: Vec<JsonFinding<'a>>,
    accepted: Vec<JsonAccepted>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    invariant: &'static str,
    level: &'static str,
    class: &'static str,
    cause: Option<&'static str>,
    condition: Option<&'static str>,
    ending: JsonEnding,
    steps: usize,
    plays: u32,
    flaky: bool,
    rate: f64,
    sentence: &'a str,
    script: String,
    repro: Option<String>,
}

#[derive(Serialize)]
struct JsonEnding {
    kind: &'static str,
    at_seconds: Option<f64>,
}

impl From<Ending> for JsonEnding {
    fn from(ending: Ending) -> Self {
        Self { kind: ending.kind(), at_seconds: ending.at().map(crate::trace::Time::seconds) }
    }
}

#[derive(Serialize)]
struct JsonAccepted {
    invariant: &'static str,
    cause: Option<&'static str>,
    condition: Option<&'static str>,
    reason: &'static str,
    rfc: &'static str,
    fired: u64,
}
