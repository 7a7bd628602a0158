//! A campaign over real TCP, from its options to its reports: what `probe` and `listen` have in
//! common.
//!
//! Whom it plays against, its caller says.

use super::args::{Campaign as Options, RunFormat};
use super::baseline::{self, Baseline};
use super::clock::{fresh_seed, now};
use super::probe_progress::ProbeBar;
use super::probe_report::repro;
use super::remote::{allow, runtime};
use super::saved::Saved;
use super::start::Started;
use super::stop::Stop;
use super::test_report::has_no_bound;
use super::{CLEAN, COULD_NOT, Done, FINDINGS, Trouble, output, output_file, pages, probe_report};
use crate::bounds::Bounds;
use crate::finding::problem::Problems;
use crate::report;
use crate::report::ServerDeaths;
use crate::report::model::{Summary, TargetReport};
use crate::run::interrupt::INTERRUPTED;
use crate::run::real_time::{
    PlayLimits, Probe, ProbeFinding, ProbeOutcome, ProbeProgress, RemoteSubject, StopSignal,
};
use crate::verdict::{Identity, Invariant, Problem};
use crate::wire::Role;
use std::path::Path;
use std::time::Duration;

/// What one command tests.
pub(super) struct TcpCampaign<'a> {
    /// The URL, or the command, as it was given.
    pub name: &'a str,
    pub options: &'a Options,
    pub scripts: u64,
    pub concurrency: u32,
    /// How many new connections a second.
    pub rate: u32,
    /// The signal that tells a server to shut down, where that is looked at.
    pub signal: Option<StopSignal>,
    /// What a finding's file does not say, as words of a command.
    pub words: Vec<String>,
    /// Whom it plays against, and what hangup starts of it.
    pub subject: &'a dyn Fn() -> Result<(RemoteSubject, Option<Started>), Trouble>,
    /// Says what is going to be done, before it is, by [`say`].
    pub announce: &'a dyn Fn(&Probe),
}

impl TcpCampaign<'_> {
    /// Plays it, and reports.
    pub fn run(&self, stop: &Stop) -> Done {
        let options = self.options;
        let seed = options.seed.unwrap_or_else(fresh_seed);
        let began = now();
        let checked =
            options.junit.as_deref().map_or(Ok(()), |file| output_file::check("--junit", file));
        let junit = options.junit.as_deref().filter(|_| checked.is_ok());
        let checked = checked.and_then(|()| pages::check(options.html.as_deref()));
        let reporting = Reporting { campaign: self, stop, junit, seed };
        match checked.and_then(|()| test(&reporting)) {
            Err(trouble) => reporting.could_not(trouble, began.elapsed()),
            done => done,
        }
    }
}

/// Tests, and reports; an error where nothing could be tested.
fn test(reporting: &Reporting<'_>) -> Done {
    let Reporting { campaign, stop, seed, .. } = *reporting;
    let TcpCampaign { name, options, .. } = *campaign;
    let baseline = Baseline::open(options.baseline.as_deref())?;
    let known = baseline.as_ref().map(|baseline| baseline.of_target(name));
    let known = known.unwrap_or_default();
    output_file::check_directory(&options.findings)?;
    let (subject, started) = (campaign.subject)()?;
    let concurrency = campaign.concurrency as usize;
    allow(concurrency, Some("--concurrency"))?;
    let probe = Probe {
        subject,
        limits: limits(options),
        seed,
        scripts: campaign.scripts,
        concurrency,
        rate: campaign.rate,
        all_variants: options.all_variants,
        accepted: known.patterns(),
        stop: campaign.signal,
    };
    say(&format!("seed {seed}: to play the same again, add --seed {seed}"), options.format);
    (campaign.announce)(&probe);
    if let Some(short) = options.bound_options.horizon_is_short(&probe.limits.bounds) {
        output::note(&short);
    }
    let began = now();
    let mut bar = ProbeBar::new(campaign.scripts);
    let mut saved = Saved::default();
    let mut seen = Vec::new();
    let bounds = probe.limits.bounds;
    let opening = &probe.subject.first().opening_to_save();
    let mut watch = |progress: ProbeProgress<'_>| {
        bar.tell(&progress);
        if let ProbeProgress::Seen(found) = progress {
            seen.push((found.violation.identity, found.index));
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
    let sightings = (&outcome.sightings, outcome.scripts);
    let held = |found: &ProbeFinding| (!found.is_dismissed()).then_some(found.violation.identity);
    let missed = known.take_missed(&mut outcome.findings, held, sightings);
    let known = (&known, missed.as_slice());
    let seconds = began.elapsed().as_secs_f64();
    let asked = &campaign.words;
    let report = |saved: &Saved, deaths: &ServerDeaths| {
        let saved = (saved, asked.as_slice());
        probe_report::report(name, &probe, &outcome, known, saved, deaths, seconds)
    };
    let held = |identity| {
        let mut findings = outcome.findings.iter().filter(|found| !found.is_dismissed());
        options.all_variants && findings.any(|found| found.violation.identity == identity)
    };
    let headlines = report(&saved, &ServerDeaths::default()).headlines();
    saved.settle(&options.findings, &headlines, &held);
    let death = outcome.findings.iter().find(|found| probe_report::is_death(found));
    let likeliest = death.and_then(|found| Some((found, saved.path(found.violation.identity)?)));
    let deaths =
        probe_report::deaths(&outcome, (bounds, opening), likeliest, asked, output_file.as_deref());
    let target = report(&saved, &deaths);
    // Of a shutdown everything is looked into.
    for (identity, script) in seen.into_iter().filter(|_| probe.stop.is_none()) {
        if let Some(what) = what_became_of(identity, &outcome, &target) {
            let was = identity.problem();
            output::note(&format!("script {script}: the first report was {was}; {what}"));
        }
    }
    Ok(reporting.finish(&probe, &outcome, &saved, &target, baseline.is_some()))
}

/// What is to be said of a problem that was printed when it was first seen, and that the report does not
/// name.
fn what_became_of(seen: Identity, outcome: &ProbeOutcome, target: &TargetReport) -> Option<String> {
    if target.problems().iter().any(|report| report.problem == seen.problem()) {
        return None;
    }
    let Some(identity) = outcome.came_to(seen) else {
        return Some("there was no time to decide, and its scripts count as not judged".to_owned());
    };
    let problem = reported_as(seen, target).or_else(|| reported_as(identity, target))?;
    Some(format!(
        "the shortest script that was found for it, played again and watched to the end, shows {problem}"
    ))
}

/// The problem that took in what was seen as another one: what a connection comes to is known once it was
/// watched to its end, and which problem is a mere case of another once all are known.
fn reported_as(seen: Identity, target: &TargetReport) -> Option<Problem> {
    let problems = target.problems();
    let took_in = problems.iter().find(|report| {
        let own = Problems::of([report.problem, seen.problem()]);
        let mut variants = report.variants.iter().map(|variant| variant.repro.identity);
        own.holds(seen.problem()) == report.problem
            || variants.any(|variant| seen.same_problem_at_the_deadline(variant))
    });
    took_in.map(|report| report.problem)
}

/// Where the report goes.
struct Reporting<'a> {
    campaign: &'a TcpCampaign<'a>,
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
        let skipped = |rule| cannot_be_told(rule, probe, outcome);
        let seconds = target.seconds();
        let suite = report::Suite {
            server: self.campaign.name,
            subject: probe.subject.role(),
            problems: target.problems(),
            scripts: outcome.scripts,
            skipped: Some(&skipped),
            accepted: report::accepted(target),
            failures: target.jumps.iter().map(report::jump).collect(),
            trouble: trouble.clone().or_else(|| stopped.then(|| INTERRUPTED.to_owned())),
            seconds: Some(seconds),
        };
        unwritten.extend(self.write_junit(&[suite], seconds).err());
        let new_baseline =
            self.campaign.options.baseline.as_ref().filter(|_| !has_baseline && whole);
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
        unwritten.extend(pages::html(self.campaign.options.html.as_deref(), page, self.stop).err());
        let troubles: Vec<&str> = trouble.iter().chain(&unwritten).map(String::as_str).collect();
        match self.campaign.options.format {
            RunFormat::Human | RunFormat::Github => {
                pages::print(
                    &report::target(target, output::style()),
                    self.campaign.options.format,
                );
            }
            RunFormat::Json => {
                let printed =
                    self.print_json(targets, (outcome.scripts, seconds), *stopped, &troubles);
                unwritten.extend(printed.err());
            }
        }
        unwritten.extend(pages::tell_ci(self.campaign.options.format, page).err());
        saved.tell();
        for trouble in trouble.iter().chain(&unwritten) {
            output::error(trouble);
        }
        if *stopped {
            output::note("not fully tested");
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
            server: self.campaign.name,
            ..report::Suite::of_trouble(trouble.clone())
        };
        let unwritten = self.write_junit(&[suite], seconds).err();
        let troubles: Vec<&str> =
            std::iter::once(&trouble).chain(&unwritten).map(String::as_str).collect();
        if self.campaign.options.format == RunFormat::Json {
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
            confirming: 0.0,
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
    rules.filter(|rule| cannot_be_told(*rule, probe, outcome).is_some()).collect()
}

/// Why a rule cannot be judged over TCP, of this server and under its bounds, where it cannot.
fn cannot_be_told(rule: Invariant, probe: &Probe, outcome: &ProbeOutcome) -> Option<&'static str> {
    if can_be_told(rule, probe, outcome) {
        return None;
    }
    let why = match probe.stop {
        Some(_) if !rule.is_of_a_whole_server() => "a probe with --stop tests the shutdown alone",
        _ if rule == Invariant::BoundedMemory => "memory is counted in process alone",
        _ if rule == Invariant::NoPanic => {
            "hangup sees only the death of a server that it starts: --run"
        }
        _ => "over TCP this cannot be seen of this subject",
    };
    let no_bound = has_no_bound(rule, &probe.limits.bounds);
    no_bound.filter(|_| rule != Invariant::BoundedMemory).or(Some(why))
}

/// Whether a rule can be judged over TCP, of this server and under its bounds.
fn can_be_told(rule: Invariant, probe: &Probe, outcome: &ProbeOutcome) -> bool {
    use Invariant::{
        BoundedMemory, CloseReturns, ConnectsInTime, DeliversEveryMessage, FreesResources,
        LegalClose, LinearWork, NoDataAfterClose, NoLeak, NoPanic, NoSpin, ReleasesInTime,
        ReportsEndCorrectly, SendsEveryMessage, SendsValidFrames,
    };
    let role = probe.subject.role();
    if role == Role::Client && !rule.rule().asked_of.includes(role) {
        return false;
    }
    if probe.stop.is_some() {
        let is_seen = rule != FreesResources || !outcome.held.is_empty();
        let what_is_sent =
            matches!(rule, LegalClose | NoDataAfterClose | SendsValidFrames | NoPanic);
        return what_is_sent || rule.is_of_a_whole_server() && is_seen;
    }
    match rule {
        // Whether a signal ends a program that hangup started is seen, and none is to.
        NoPanic if role == Role::Client || probe.subject.is_started() => true,
        CloseReturns => probe.subject.closes_by_itself(),
        ConnectsInTime => probe.limits.bounds.handshake.is_some(),
        NoPanic | NoSpin | NoLeak | BoundedMemory | LinearWork => false,
        rule if rule.is_of_a_whole_server() => false,
        // A browser's page says what it is told. Over TCP no other application says anything.
        ReportsEndCorrectly => probe.subject.first().reports(),
        SendsEveryMessage | DeliversEveryMessage => false,
        ReleasesInTime => outcome.sees_the_server,
        _ => has_no_bound(rule, &probe.limits.bounds).is_none(),
    }
}

/// How a subject that is held to these bounds is played.
fn limits(options: &Options) -> PlayLimits {
    let bounds = options.bound_options.hold(Bounds::default());
    options.bound_options.limits(bounds, Duration::ZERO, options.watch.duration())
}

/// Says something before the report, beside which JSON stands alone on stdout.
pub(super) fn say(line: &str, format: RunFormat) {
    match format {
        RunFormat::Human | RunFormat::Github => output::line(line),
        RunFormat::Json => output::note(line),
    }
}
