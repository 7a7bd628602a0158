//! `hangup probe`: a campaign over real TCP against a running server.

use super::args::{Format, Probe as Options};
use super::clock::{fresh_seed, now};
use super::finding_view::Saved;
use super::probe_report::Report;
use super::remote::{allow, asking, endpoint, repro, runtime, seconds};
use super::{CLEAN, COULD_NOT, Done, FINDINGS, Trouble, baseline, junit, output};
use crate::bounds::Bounds;
use crate::finding::repro::Repro;
use crate::finding::save;
use crate::report;
use crate::run::real_time::{
    Found, Measures, Outcome, Part, Probe, Progress, Server, longest_script,
};
use crate::script::Millis;
use crate::verdict::Invariant;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

pub(super) fn run(options: &Options) -> Done {
    let known = match &options.baseline {
        None => None,
        Some(file) => baseline::read(file)?,
    };
    let server = server(options)?;
    let concurrency = options.concurrency as usize;
    allow(concurrency)?;
    let probe = Probe {
        server,
        measures: measures(options),
        seed: options.seed.unwrap_or_else(fresh_seed),
        scripts: options.scripts,
        concurrency,
        rate: options.rate,
        accepted: known.clone().unwrap_or_default(),
    };
    announce(&probe, options);
    let stop = catch_ctrl_c()?;
    let began = now();
    let bar = bar(options.scripts);
    let mut saved: Vec<Saved> = Vec::new();
    let mut watch = |progress: Progress<'_>| {
        show(&bar, progress);
        if let Progress::News(found) = progress {
            // At once: what comes later must not lose it.
            let repro = repro(found, probe.measures.bounds);
            let path = save::repro(&options.findings, &repro);
            saved.push((repro, path));
        }
    };
    let outcome = runtime()?.block_on(probe.run(stop, &mut watch))?;
    bar.finish_and_clear();
    let report = Report { probe: &probe, outcome: &outcome, saved: &saved, took: began.elapsed() };
    match options.format {
        Format::Human => output::print(&report.text(options)),
        Format::Json => output::line(&report.json()?),
    }
    finish(options, &report, known.is_some())
}

/// Writes what is to be written, says what went wrong, and decides the exit code.
fn finish(options: &Options, report: &Report<'_>, has_baseline: bool) -> Done {
    let Outcome { trouble, stopped, findings, .. } = report.outcome;
    let held: Vec<&Found> = findings.iter().filter(|found| !found.is_dismissed()).collect();
    let is_held =
        |repro: &Repro| held.iter().any(|found| found.violation.identity == repro.identity);
    let repros: Vec<Repro> = report
        .saved
        .iter()
        .map(|(repro, _)| repro)
        .filter(|repro| is_held(repro))
        .cloned()
        .collect();
    if let Some(file) = &options.junit {
        let interrupted = stopped.then_some("interrupted");
        let trouble = trouble.as_deref().or(interrupted);
        let judged = |rule| is_judged(rule, report);
        junit::write(file, &options.url, &repros, &judged, trouble, report.took)?;
    }
    let mut whole = trouble.is_none() && !stopped;
    for (repro, error) in
        report.saved.iter().filter_map(|(r, path)| Some((r, path.as_ref().err()?)))
    {
        output::error(&format!("not saved: {}: {error}", report::headline(repro)));
        whole = false;
    }
    if let Some(trouble) = trouble {
        output::error(trouble);
        return Ok(COULD_NOT);
    }
    if *stopped {
        output::note("interrupted: not tested to the end");
    }
    if let Some(file) = options.baseline.as_ref().filter(|_| !has_baseline && whole) {
        baseline::write(file, &repros)?;
        let findings = output::count(held.len(), "finding");
        output::note(&format!("{findings} recorded as accepted in {}", file.display()));
        return Ok(CLEAN);
    }
    Ok(match () {
        () if !held.is_empty() => FINDINGS,
        () if !whole => COULD_NOT,
        () => CLEAN,
    })
}

/// Whether a rule can be judged over TCP, of this server and by what it was said to promise.
fn is_judged(rule: Invariant, report: &Report<'_>) -> bool {
    use Invariant::{
        BoundedMemory, HandshakeInTime, IdleInTime, NoLeak, NoPanic, NoSpin, QuietApplication,
        ReleasesInTime,
    };
    let bounds = &report.probe.measures.bounds;
    match rule {
        NoPanic | NoSpin | NoLeak | BoundedMemory | QuietApplication => false,
        HandshakeInTime => bounds.handshake.is_some(),
        IdleInTime => bounds.idle.is_some(),
        ReleasesInTime => report.outcome.sees_the_server,
        _ => true,
    }
}

fn server(options: &Options) -> Result<Server, Trouble> {
    let parts =
        [(Part::Bye, &options.bye), (Part::Echo, &options.echo), (Part::Push, &options.push)];
    let others = parts.iter().filter_map(|(part, url)| Some((*part, url.as_deref()?)));
    let urls: Vec<&str> =
        std::iter::once(options.url.as_str()).chain(others.clone().map(|(_, url)| url)).collect();
    let asking = asking(&options.reach, &urls)?;
    let endpoint = |url: &str| endpoint(url, &asking, &options.reach);
    let mut server = Server::new(endpoint(&options.url)?);
    for (part, url) in others {
        server = server.with(part, endpoint(url)?);
    }
    Ok(server)
}

fn measures(options: &Options) -> Measures {
    let bounds = Bounds {
        handshake: options.handshake_within.map(Millis::duration),
        idle: options.idle_within.map(Millis::duration),
        ..Bounds::close_within(options.close_within.duration())
    };
    let twice = bounds.longest() * 2;
    let horizon = options.horizon.map_or(twice, Millis::duration);
    Measures { bounds, slack: options.reach.slack.duration(), horizon }
}

/// Says what is going to be done, before it is.
fn announce(probe: &Probe, options: &Options) {
    let say = |line: &str| match options.format {
        Format::Human => output::line(line),
        Format::Json => output::note(line),
    };
    let seed = probe.seed;
    say(&format!("seed {seed}: to play the same again, add --seed {seed}"));
    let bounds = &probe.measures.bounds;
    say(&report::wrap(&format!(
        "{} against {}: {} at once, {} new a second; each pauses for {} at most, and the server has \
         {} to close and {} of slack",
        output::count(probe.scripts as usize, "script"),
        options.url,
        output::count(probe.concurrency, "connection"),
        probe.rate,
        seconds(longest_script(bounds)),
        seconds(bounds.close),
        seconds(probe.measures.slack),
    )));
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    let (at, of, message) = match progress {
        Progress::Playing(at, of, found) => (at, of, output::count(found, "suspect")),
        Progress::Shrinking(at, of) => (at as u64, of as u64, "shrunk".to_owned()),
        Progress::Confirming(at, of) => (at as u64, of as u64, "played again alone".to_owned()),
        Progress::News(_) => return,
    };
    bar.set_length(of);
    bar.set_position(at);
    bar.set_message(message);
}

fn bar(scripts: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:20} {human_pos}/{human_len}, {msg}, {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(scripts).with_style(style).with_message("connecting")
}

/// Told of the first Ctrl-C; the second one ends the process.
fn catch_ctrl_c() -> Result<watch::Receiver<bool>, Trouble> {
    let (stop, stopped) = watch::channel(false);
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        let _ = stop.send(true);
    })
    .map_err(|error| format!("cannot listen for Ctrl-C: {error}"))?;
    Ok(stopped)
}
