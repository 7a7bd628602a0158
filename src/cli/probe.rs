//! `hangup probe`: a campaign over real TCP against a running server.

use super::args::{Probe as Options, RunFormat};
use super::baseline::{self, Baseline};
use super::clock::{fresh_seed, now};
use super::probe_progress::ProbeBar;
use super::probe_report::repro;
use super::remote::{allow, asking, endpoint, runtime, seconds};
use super::saved::Saved;
use super::start::{Started, ToStart};
use super::stop::Stop;
use super::test_report::is_promised;
use super::{CLEAN, COULD_NOT, Done, FINDINGS, Trouble, output, output_file, pages, probe_report};
use crate::bounds::Bounds;
use crate::report;
use crate::report::ServerDeaths;
use crate::report::model::{Summary, TargetReport};
use crate::run::interrupt::INTERRUPTED;
use crate::run::real_time::{
    PlayLimits, Probe, ProbeFinding, ProbeOutcome, ProbeProgress, RemoteServer, SHUTDOWN_ROUNDS,
    UrlRole, longest_script,
};
use crate::verdict::Invariant;
use std::path::Path;
use std::time::Duration;

pub(super) fn run(options: &Options, stop: &Stop) -> Done {
    let seed = options.seed.unwrap_or_else(fresh_seed);
    let began = now();
    let checked =
        options.junit.as_deref().map_or(Ok(()), |file| output_file::check("--junit", file));
    let junit = options.junit.as_deref().filter(|_| checked.is_ok());
    let checked = checked.and_then(|()| pages::check(options.html.as_deref()));
    let reporting = Reporting { options, stop, junit, seed };
    match checked.and_then(|()| test(&reporting)) {
        Err(trouble) => reporting.could_not(trouble, began.elapsed()),
        done => done,
    }
}

/// Tests, and reports; an error where nothing could be tested.
fn test(reporting: &Reporting<'_>) -> Done {
    let Reporting { options, stop, seed, .. } = *reporting;
    let baseline = Baseline::open(options.baseline.as_deref())?;
    let known = baseline.as_ref().map(|baseline| baseline.of_target(options.url()));
    let known = known.unwrap_or_default();
    output_file::check_directory(&options.findings)?;
    let (server, started) = server(options, stop)?;
    let concurrency = options.concurrency as usize;
    allow(concurrency, Some("--concurrency"))?;
    let probe = Probe {
        server,
        limits: limits(options),
        seed,
        scripts: options.scripts,
        concurrency,
        rate: options.rate,
        all_variants: options.all_variants,
        accepted: known.patterns(),
        stop: options.start.stop.map(Into::into),
    };
    announce(&probe, options);
    let began = now();
    let mut bar = ProbeBar::new(options.scripts);
    let mut saved = Saved::default();
    let bounds = probe.limits.bounds;
    let opening = probe.server.urls().next().map(|(_, endpoint)| endpoint.opening_to_save());
    let opening = &opening.unwrap_or_default();
    let mut watch = |progress: ProbeProgress<'_>| {
        bar.tell(&progress);
        if let ProbeProgress::Seen(found) = progress {
            let (violation, style) = (&found.violation, output::style());
            let line = report::first_seen(violation, found.index, began.elapsed(), style);
            bar.aside(|| say(&line, options.format));
            saved.save_unconfirmed(&options.findings, repro(found, bounds, opening));
        }
        if let ProbeProgress::News(found) = progress {
            let repro = repro(found, bounds, opening);
            if found.is_dismissed() {
                saved.dismiss(repro);
            } else if found.shrunk && found.replays > 0 {
                saved.save(&options.findings, repro);
            } else {
                saved.remember(repro);
            }
        }
    };
    let runtime = runtime()?;
    let outcome = runtime.block_on(probe.run(stop.asked(), &mut watch));
    // Nobody waits for what was asked of the system.
    runtime.shutdown_background();
    bar.finish();
    let is_named = match &outcome {
        Ok(outcome) => outcome.deaths.died,
        // The server did not start: the error names it.
        Err(_) => started.is_some(),
    };
    let output_file = started.as_ref().filter(|_| is_named).map(|it| it.tell_output().to_owned());
    drop(started);
    let mut outcome = outcome?;
    outcome.stopped |= stop.is_asked();
    let seen = (&outcome.sightings, outcome.scripts);
    let held = |found: &ProbeFinding| (!found.is_dismissed()).then_some(found.violation.identity);
    let missed = known.take_missed(&mut outcome.findings, held, seen);
    let known = (&known, missed.as_slice());
    let seconds = began.elapsed().as_secs_f64();
    let mut asked = options.reach.words();
    asked.extend(options.promises.words());
    asked.extend(options.start.words());
    let report = |saved: &Saved, deaths: &ServerDeaths| {
        let saved = (saved, asked.as_slice());
        probe_report::report(options.url(), &probe, &outcome, known, saved, deaths, seconds)
    };
    let held = |identity| {
        let mut findings = outcome.findings.iter().filter(|found| !found.is_dismissed());
        options.all_variants && findings.any(|found| found.violation.identity == identity)
    };
    let headlines = report(&saved, &ServerDeaths::default()).headlines();
    saved.settle(&options.findings, &headlines, &held);
    let death = outcome.findings.iter().find(|found| probe_report::is_death(found));
    let likeliest = death.and_then(|found| Some((found, saved.path(found.violation.identity)?)));
    let deaths = probe_report::deaths(
        &outcome,
        (bounds, opening),
        likeliest,
        &asked,
        output_file.as_deref(),
    );
    let target = report(&saved, &deaths);
    Ok(reporting.finish(&probe, &outcome, &saved, &target, baseline.is_some()))
}

/// Where the report goes.
struct Reporting<'a> {
    options: &'a Options,
    stop: &'a Stop,
    /// The file for JUnit, where it can be written.
    junit: Option<&'a Path>,
    seed: u64,
}

impl Reporting<'_> {
    /// Writes what is to be written, says what went wrong, and decides the exit code.
    fn finish(
        &self,
        probe: &Probe,
        outcome: &ProbeOutcome,
        saved: &Saved,
        target: &TargetReport,
        has_baseline: bool,
    ) -> u8 {
        let ProbeOutcome { trouble, stopped, findings, .. } = outcome;
        let is_held = findings.iter().any(|found| !found.is_dismissed());
        let mut unwritten: Vec<Trouble> = Vec::new();
        let whole = trouble.is_none() && !stopped && saved.is_whole();
        let judged = |rule| can_be_told(rule, probe, outcome);
        let seconds = target.seconds();
        let suite = report::Suite {
            server: self.options.url(),
            problems: target.problems(),
            scripts: outcome.scripts,
            judged: Some(&judged),
            failures: target.jumps.iter().map(report::jump).collect(),
            trouble: trouble.clone().or_else(|| stopped.then(|| INTERRUPTED.to_owned())),
            seconds: Some(seconds),
        };
        unwritten.extend(self.write_junit(&[suite], seconds).err());
        let new_baseline = self.options.baseline.as_ref().filter(|_| !has_baseline && whole);
        let recorded = new_baseline
            .map(|file| baseline::record(file, std::slice::from_ref(target), false, self.stop));
        let is_recorded = matches!(recorded, Some(Ok(())));
        unwritten.extend(recorded.and_then(Result::err));
        let targets = std::slice::from_ref(target);
        let told = trouble.clone();
        let page = || {
            let played = (outcome.scripts, seconds);
            let summary = self.summary(targets, played, *stopped, told.as_deref());
            report::page::of_run(&summary, output::program())
        };
        unwritten.extend(pages::html(self.options.html.as_deref(), page, self.stop).err());
        let troubles: Vec<&str> = trouble.iter().chain(&unwritten).map(String::as_str).collect();
        match self.options.format {
            RunFormat::Human | RunFormat::Github => {
                pages::print(&report::target(target, output::style()), self.options.format);
            }
            RunFormat::Json => {
                let printed =
                    self.print_json(targets, (outcome.scripts, seconds), *stopped, &troubles);
                unwritten.extend(printed.err());
            }
        }
        unwritten.extend(pages::tell_ci(self.options.format, page).err());
        saved.tell();
        for trouble in trouble.iter().chain(&unwritten) {
            output::error(trouble);
        }
        if *stopped {
            output::note("not tested to the end");
        }
        match () {
            () if !unwritten.is_empty() => COULD_NOT,
            () if trouble.is_some() => {
                if outcome.deaths.died {
                    FINDINGS
                } else {
                    COULD_NOT
                }
            }
            () if is_recorded => CLEAN,
            () if is_held || outcome.deaths.died || target.has_jumped() => FINDINGS,
            () if !whole => COULD_NOT,
            () => CLEAN,
        }
    }

    /// Reports that nothing could be tested, and why.
    fn could_not(&self, trouble: Trouble, took: Duration) -> Done {
        let seconds = took.as_secs_f64();
        let suite = report::Suite {
            server: self.options.url(),
            ..report::Suite::of_trouble(trouble.clone())
        };
        let unwritten = self.write_junit(&[suite], seconds).err();
        let troubles: Vec<&str> =
            std::iter::once(&trouble).chain(&unwritten).map(String::as_str).collect();
        if self.options.format == RunFormat::Json {
            self.print_json(&[], (0, seconds), self.stop.is_asked(), &troubles)?;
        }
        if let Some(unwritten) = &unwritten {
            output::error(unwritten);
        }
        Err(trouble)
    }

    fn write_junit(&self, suites: &[report::Suite<'_>], seconds: f64) -> Result<(), Trouble> {
        let Some(file) = self.junit else { return Ok(()) };
        output_file::write("--junit", file, &report::junit(suites, seconds), self.stop)
    }

    fn print_json(
        &self,
        targets: &[TargetReport],
        (scripts, seconds): (u64, f64),
        interrupted: bool,
        troubles: &[&str],
    ) -> Result<(), Trouble> {
        let trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        let played = (scripts, seconds);
        let summary = self.summary(targets, played, interrupted, trouble.as_deref());
        output::line(&report::json(&summary)?);
        Ok(())
    }

    fn summary<'a>(
        &self,
        targets: &'a [TargetReport],
        (scripts, seconds): (u64, f64),
        interrupted: bool,
        trouble: Option<&'a str>,
    ) -> Summary<'a> {
        Summary {
            seed: self.seed,
            scripts,
            seconds,
            scripts_per_second: scripts as f64 / seconds.max(1e-9),
            interrupted,
            trouble,
            targets,
        }
    }
}

/// The rules that such a probe cannot judge.
pub(super) fn not_judged(probe: &Probe, outcome: &ProbeOutcome) -> Vec<Invariant> {
    let rules = Invariant::ALL.iter().copied();
    rules.filter(|rule| !can_be_told(*rule, probe, outcome)).collect()
}

/// Whether a rule can be judged over TCP, of this server and by what it was said to promise.
fn can_be_told(rule: Invariant, probe: &Probe, outcome: &ProbeOutcome) -> bool {
    use Invariant::{
        BoundedMemory, HandsOnEveryMessage, NoLeak, NoPanic, NoSpin, QuietApplication,
        ReleasesInTime, ReturnsToRest, SendsEveryMessage, WorkInProportion,
    };
    if probe.stop.is_some() {
        let is_seen = rule != ReturnsToRest || !outcome.held.is_empty();
        return rule.is_of_a_whole_server() && is_seen;
    }
    match rule {
        NoPanic | NoSpin | NoLeak | BoundedMemory | WorkInProportion => false,
        rule if rule.is_of_a_whole_server() => false,
        // Over TCP no application says anything.
        QuietApplication | SendsEveryMessage | HandsOnEveryMessage => false,
        ReleasesInTime => outcome.sees_the_server,
        _ => is_promised(rule, &probe.limits.bounds),
    }
}

/// The server, and its process where hangup starts it.
fn server(options: &Options, stop: &Stop) -> Result<(RemoteServer, Option<Started>), Trouble> {
    let parts = [
        (UrlRole::Bye, &options.bye),
        (UrlRole::Echo, &options.echo),
        (UrlRole::Push, &options.push),
    ];
    let plain = options.url();
    let others = parts.iter().filter_map(|(part, url)| Some((*part, url.as_deref()?)));
    let urls: Vec<&str> =
        std::iter::once(plain).chain(others.clone().map(|(_, url)| url)).collect();
    let asking = asking(&options.reach, &urls)?;
    let to_start = ToStart::new(&options.start, plain)?;
    let endpoint = |url: &str| endpoint(url, &asking, &options.reach, to_start.as_ref());
    let plain = endpoint(plain)?;
    let mut server = RemoteServer::new(plain.clone());
    for (part, url) in others {
        server = server.with(part, endpoint(url)?);
    }
    let started = to_start.map(|to_start| to_start.at(&plain, stop)).transpose()?;
    if let Some(started) = &started {
        server = server.started_by(started.process.clone());
    }
    Ok((server, started))
}

fn limits(options: &Options) -> PlayLimits {
    let bounds = options.promises.hold(Bounds::default());
    options.promises.limits(bounds, Duration::ZERO, options.watch.duration())
}

/// Says what is going to be done, before it is.
fn announce(probe: &Probe, options: &Options) {
    let say = |line: &str| say(line, options.format);
    let seed = probe.seed;
    say(&format!("seed {seed}: to play the same again, add --seed {seed}"));
    let bounds = &probe.limits.bounds;
    if let Some(signal) = probe.stop {
        say(&report::wrap(&format!(
            "{signal} to {}, in {} of clients: the server has {} to shut down and {} of slack",
            options.url(),
            report::count(SHUTDOWN_ROUNDS, "round"),
            seconds(bounds.shutdown()),
            seconds(probe.limits.slack),
        )));
        return;
    }
    say(&report::wrap(&format!(
        "{} against {}: at most {} at once, {} new connections per second. Pauses in a script: at \
             most {}. Bound for closing: {}, plus {} slack",
        report::count(probe.scripts as usize, "script"),
        options.url(),
        report::count(probe.concurrency, "connection"),
        probe.rate,
        seconds(longest_script(bounds)),
        seconds(bounds.close),
        seconds(probe.limits.slack),
    )));
}

/// Says something before the report, beside which JSON stands alone on stdout.
fn say(line: &str, format: RunFormat) {
    match format {
        RunFormat::Human | RunFormat::Github => output::line(line),
        RunFormat::Json => output::note(line),
    }
}
