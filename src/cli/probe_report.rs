//! What is to be told of a campaign over TCP.

use super::baseline::Known;
use super::saved::Saved;
use super::tcp_campaign::not_judged;
use super::{export, output};
use crate::bounds::Bounds;
use crate::exchange::Death;
use crate::finding::repro::{OVER_TCP, Repro};
use crate::finding::save;
use crate::report::model::{
    FindingReport, HowPlayed, IdleClient, OverTcp, Repeats, Shutdown, TargetReport,
};
use crate::report::{DeathSeen, Scene, ServerDeaths, Shown, Since, SuspectFile};
use crate::run::real_time::{
    BROWSER, DeathsFound, IdleEnd, Probe, ProbeFinding, ProbeOutcome, ShutdownSeen,
};
use crate::verdict::{Identity, Symptom};
use crate::wire::{Opening, Role};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The repro of something found over TCP. The `opening` is what a file may say of it
/// ([`opening_to_save`](crate::transport::tcp::endpoint::Endpoint::opening_to_save)).
pub(super) fn repro(found: &ProbeFinding, bounds: Bounds, opening: &Opening) -> Repro {
    let ProbeFinding { violation, script, exchange, url, .. } = found;
    let shown = Shown { violation, script, exchange, runtime_seed: 0 };
    let repro = shown.repro((url, OVER_TCP), opening, bounds);
    Repro { confirmed: repro.confirmed && found.replays > 0, ..repro }
}

/// The campaign's report; the server goes by the `url` that it was given as.
pub(super) fn report(
    url: &str,
    probe: &Probe,
    outcome: &ProbeOutcome,
    (known, missed): (&Known, &[Identity]),
    (saved, options): (&Saved, &[String]),
    deaths: &ServerDeaths,
    seconds: f64,
) -> TargetReport {
    let first = probe.subject.first();
    let opening = first.opening_to_save();
    let role = probe.subject.role();
    let held = (probe.limits.bounds, &opening);
    let mut findings = Vec::new();
    let mut dismissed = Vec::new();
    for found in &outcome.findings {
        let mut report = finding(found, held, saved, options);
        if is_death(found) && deaths.died && !deaths.proven {
            report.repeats = Repeats::Suspected;
        }
        match found.dismissed {
            Some(reason) => dismissed.push((report, reason)),
            None => findings.push(report),
        }
    }
    TargetReport {
        name: url.to_owned(),
        version: OVER_TCP.to_owned(),
        scripts: outcome.scripts,
        findings,
        sightings: outcome.sightings.clone(),
        accepted: known.accepted(&outcome.sightings, missed),
        jumps: known.jumps(&outcome.sightings, missed, outcome.scripts),
        not_judged: not_judged(probe, outcome),
        played: HowPlayed::OverTcp(OverTcp {
            subject: role,
            url: first.name().to_owned(),
            dismissed,
            not_tested: match probe.stop {
                Some(_) => vec!["single connections (a probe without --stop)"],
                None => {
                    let missing = probe.subject.missing_roles();
                    missing.filter_map(|missing| missing.untested_without(role)).collect()
                }
            },
            sees_the_server: outcome.sees_the_server,
            held: outcome.held.clone(),
            shutdowns: outcome.shutdowns.iter().map(shutdown).collect(),
            idle: idle(&outcome.idle),
            refused: outcome.refused,
            unjudged: outcome.unjudged,
            passed_over: outcome.passed_over,
            deaths: deaths.clone(),
            has_trouble: outcome.trouble.is_some() || outcome.deaths.died,
            seconds,
        }),
    }
}

fn shutdown(seen: &ShutdownSeen) -> Shutdown {
    Shutdown {
        seconds: seen.exit.map(|(took, _)| took.as_secs_f64()),
        // By the signal itself a shell ends that waits for the server.
        exit: seen
            .exit
            .filter(|(_, how)| matches!(how, Death::Exited(_)))
            .map(|(_, how)| how.to_string()),
        codes: seen.codes.clone(),
    }
}

/// An end that comes later is an idle time-out of the server's.
const SOON: Duration = Duration::from_secs(30);

/// What became of a client that did nothing, where sessions may begin with a message of their own.
fn idle(seen: &IdleEnd) -> Option<IdleClient> {
    let ended = seen.ended.as_ref().filter(|(after, _)| *after < SOON);
    let ended = ended.map(|(after, how)| (after.as_secs_f64(), how.clone()));
    let is_told = seen.speaks_first || ended.is_some();
    is_told.then_some(IdleClient { speaks_first: seen.speaks_first, ended })
}

/// Whether it says that the server died.
pub(super) fn is_death(found: &ProbeFinding) -> bool {
    found.violation.identity.symptom() == Some(Symptom::ProcessEnds)
}

/// What is known of the server's deaths; the suspects that the findings have no file of are saved
/// beside the `likeliest`.
pub(super) fn deaths(
    outcome: &ProbeOutcome,
    (bounds, opening): (Bounds, &Opening),
    likeliest: Option<(&ProbeFinding, &Path)>,
    options: &[String],
    output: Option<&Path>,
) -> ServerDeaths {
    let DeathsFound { seen, died, proven, suspects: others, not_played } = &outcome.deaths;
    let mut suspects = Vec::new();
    if let Some((found, path)) = likeliest.filter(|_| *died && !proven) {
        let file = |found: &ProbeFinding, path: PathBuf| SuspectFile {
            path,
            url: found.url.clone(),
            options: options.to_vec(),
        };
        suspects.push(file(found, path.to_owned()));
        let directory = path.parent().unwrap_or_else(|| Path::new("."));
        for (index, other) in others.iter().enumerate() {
            let repro = repro(other, bounds, opening);
            let name = repro.file_name();
            let name = format!("{}--suspect-{}.toml", name.trim_end_matches(".toml"), index + 2);
            match save::repro_as(directory, &name, &repro) {
                Ok(path) => suspects.push(file(other, path)),
                Err(error) => output::error(&format!("not saved: {error}")),
            }
        }
    }
    let seen = seen.iter().map(|seen| DeathSeen {
        how: seen.how.to_string(),
        connections: seen.connections,
        after_seconds: seen.after.as_secs_f64(),
        memory_first: seen.memory.map(|memory| memory.first),
        memory_most: seen.memory.map(|memory| memory.most),
    });
    ServerDeaths {
        seen: seen.collect(),
        died: *died,
        proven: *proven,
        suspects,
        not_played: *not_played,
        started: output.is_some(),
        output: output.map(Path::to_owned),
    }
}

fn finding(
    found: &ProbeFinding,
    (bounds, opening): (Bounds, &Opening),
    saved: &Saved,
    options: &[String],
) -> FindingReport {
    let path = saved.path(found.violation.identity);
    let repro = repro(found, bounds, opening);
    let exports = export::can(&repro);
    let is_server = found.exchange.subject == Role::Server;
    // A client goes by its command.
    let run = match found.url.as_str() {
        _ if is_server => Vec::new(),
        BROWSER => vec!["--browser".to_owned()],
        line => vec!["--run".to_owned(), line.to_owned()],
    };
    let options = run.into_iter().chain(options.iter().cloned()).collect();
    FindingReport {
        repro,
        // A server over TCP states none.
        stated: Bounds::default(),
        ending: found.violation.ending,
        since: Since::of(&found.violation, &found.exchange),
        shrunk: found.shrunk,
        cut_short: found.cut_short,
        plays: found.plays,
        repeats: Repeats::Counted { shown: found.shown, replays: found.replays },
        measured: None,
        path: path.map(Path::to_owned),
        url: is_server.then(|| found.url.clone()),
        options,
        scene: Scene::of(&found.exchange, Some(&found.violation)),
        exports,
        matters: Vec::new(),
    }
}
