//! `hangup probe`: a campaign over real TCP against a running server.

use super::args::{Format, Probe as Options};
use super::baseline::{self, Baseline};
use super::clock::{fresh_seed, now};
use super::probe_progress::ProbeBar;
use super::probe_report::repro;
use super::remote::{allow, asking, endpoint, runtime, seconds};
use super::saved::Saved;
use super::start::{Started, ToStart};
use super::test_report::is_promised;
use super::{CLEAN, COULD_NOT, Done, FINDINGS, Trouble, output, probe_report};
use crate::bounds::Bounds;
use crate::report;
use crate::report::ServerDeaths;
use crate::report::model::{Summary, TargetReport};
use crate::run::real_time::{
    PlayLimits, Probe, ProbeFinding, ProbeOutcome, ProbeProgress, RemoteServer, UrlRole,
    longest_script,
};
use crate::verdict::Invariant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

pub(super) fn run(options: &Options) -> Done {
    let baseline = options.baseline.as_deref().map(Baseline::read).transpose()?.flatten();
    let known = baseline.as_ref().map(|baseline| baseline.of_target(options.url()));
    let known = known.unwrap_or_default();
    let (server, started) = server(options)?;
    let concurrency = options.concurrency as usize;
    allow(concurrency)?;
    let probe = Probe {
        server,
        limits: limits(options),
        seed: options.seed.unwrap_or_else(fresh_seed),
        scripts: options.scripts,
        concurrency,
        rate: options.rate,
        all_variants: options.all_variants,
        accepted: known.patterns(),
    };
    announce(&probe, options);
    let stop = catch_ctrl_c(started.as_ref())?;
    let began = now();
    let mut bar = ProbeBar::new(options.scripts);
    let mut saved = Saved::default();
    let mut watch = |progress: ProbeProgress<'_>| {
        bar.tell(&progress);
        if let ProbeProgress::Seen(violation, script) = progress {
            let line = report::first_seen(violation, script, began.elapsed(), output::style());
            bar.aside(|| say(&line, options.format));
        }
        if let ProbeProgress::News(found) = progress {
            let repro = repro(found, probe.limits.bounds);
            if found.is_dismissed() || !found.shrunk {
                saved.remember(repro);
            } else {
                saved.save(&options.findings, repro);
            }
        }
    };
    let mut outcome = runtime()?.block_on(probe.run(stop, &mut watch))?;
    let output_file = started.as_ref().map(|started| started.output().to_owned());
    drop(started);
    let seen = (&outcome.sightings, outcome.scripts);
    let held = |found: &ProbeFinding| (!found.is_dismissed()).then_some(found.violation.identity);
    let missed = known.take_missed(&mut outcome.findings, held, seen);
    let known = (&known, missed.as_slice());
    bar.finish();
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
    let (bounds, printed) = (probe.limits.bounds, output_file.as_deref());
    let deaths = probe_report::deaths(&outcome, bounds, likeliest, &asked, printed);
    let target = report(&saved, &deaths);
    match options.format {
        Format::Human => output::print(&report::target(&target, output::style())),
        Format::Json => output::line(&report::json(&Summary {
            seed: probe.seed,
            scripts: outcome.scripts,
            seconds,
            scripts_per_second: outcome.scripts as f64 / seconds.max(1e-9),
            interrupted: outcome.stopped,
            trouble: outcome.trouble.as_deref(),
            targets: std::slice::from_ref(&target),
        })?),
    }
    finish(options, &probe, &outcome, &saved, &target, baseline.is_some())
}

/// Writes what is to be written, says what went wrong, and decides the exit code.
fn finish(
    options: &Options,
    probe: &Probe,
    outcome: &ProbeOutcome,
    saved: &Saved,
    target: &TargetReport,
    has_baseline: bool,
) -> Done {
    let ProbeOutcome { trouble, stopped, findings, .. } = outcome;
    let is_held = findings.iter().any(|found| !found.is_dismissed());
    if let Some(file) = &options.junit {
        let interrupted = stopped.then_some("interrupted");
        let trouble = trouble.as_deref().or(interrupted);
        let judged =
            |rule| can_be_told_over_tcp(rule, &probe.limits.bounds, outcome.sees_the_server);
        let problems = target.problems();
        let seconds = target.seconds();
        let suite = report::Suite {
            server: options.url(),
            problems,
            scripts: outcome.scripts,
            judged: &judged,
            failures: target.jumps.iter().map(report::jump).collect(),
            trouble: trouble.map(str::to_owned),
            seconds: Some(seconds),
        };
        let text = report::junit(&[suite], seconds);
        output::write_file(file, &text)?;
    }
    saved.tell();
    let whole = trouble.is_none() && !stopped && saved.is_whole();
    if let Some(trouble) = trouble {
        output::error(trouble);
        return Ok(if outcome.deaths.died { FINDINGS } else { COULD_NOT });
    }
    if *stopped {
        output::note("interrupted: not tested to the end");
    }
    if let Some(file) = options.baseline.as_ref().filter(|_| !has_baseline && whole) {
        baseline::record(file, std::slice::from_ref(target), false)?;
        return Ok(CLEAN);
    }
    Ok(match () {
        () if is_held || outcome.deaths.died || target.has_jumped() => FINDINGS,
        () if !whole => COULD_NOT,
        () => CLEAN,
    })
}

/// Whether a rule can be judged over TCP, of this server and by what it was said to promise.
fn can_be_told_over_tcp(rule: Invariant, bounds: &Bounds, sees_the_server: bool) -> bool {
    use Invariant::{
        BoundedMemory, HandsOnEveryMessage, NoLeak, NoPanic, NoSpin, QuietApplication,
        ReleasesInTime, SendsEveryMessage, WorkInProportion,
    };
    match rule {
        NoPanic | NoSpin | NoLeak | BoundedMemory | WorkInProportion => false,
        // Over TCP no application says anything.
        QuietApplication | SendsEveryMessage | HandsOnEveryMessage => false,
        ReleasesInTime => sees_the_server,
        _ => is_promised(rule, bounds),
    }
}

/// The server, and its process where hangup starts it.
fn server(options: &Options) -> Result<(RemoteServer, Option<Started>), Trouble> {
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
    let started = to_start.map(|to_start| to_start.at(&plain)).transpose()?;
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
    say(&report::wrap(&format!(
        "{} against {}: {} at once, {} new a second; each pauses for {} at most, and the server has \
         {} to close and {} of slack",
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
fn say(line: &str, format: Format) {
    match format {
        Format::Human => output::line(line),
        Format::Json => output::note(line),
    }
}

/// Told of the first Ctrl-C; the second one ends the process, and a server that hangup started.
fn catch_ctrl_c(started: Option<&Started>) -> Result<watch::Receiver<bool>, Trouble> {
    let (stop, stopped) = watch::channel(false);
    let again = AtomicBool::new(false);
    let process = started.map(|started| started.process.clone());
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            if let Some(process) = &process {
                process.kill();
            }
            std::process::exit(130);
        }
        let _ = stop.send(true);
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    Ok(stopped)
}
