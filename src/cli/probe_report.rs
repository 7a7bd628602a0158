//! What is to be told of a campaign over TCP.

use super::baseline::Known;
use super::saved::Saved;
use crate::bounds::Bounds;
use crate::finding::repro::Repro;
use crate::report::Shown;
use crate::report::model::{FindingReport, HowPlayed, OverTcp, Repeats, TargetReport};
use crate::run::real_time::{Probe, ProbeFinding, ProbeOutcome, UrlRole};
use crate::verdict::Identity;
use crate::wire::Opening;
use std::path::Path;

/// What takes the place of a library's version.
const VERSION: &str = "over TCP";

/// The repro of something found over TCP.
pub(super) fn repro(found: &ProbeFinding, bounds: Bounds) -> Repro {
    let ProbeFinding { violation, script, exchange, url, .. } = found;
    let shown = Shown { violation, script, exchange, runtime_seed: 0 };
    // The URL has the path. Headers that were given for a running server may be secrets.
    let repro = shown.repro((url, VERSION), Opening::usual(), bounds);
    Repro { confirmed: repro.confirmed && found.replays > 0, ..repro }
}

/// Whether it was found over TCP.
pub(super) fn is_over_tcp(repro: &Repro) -> bool {
    repro.target.1 == VERSION
}

/// The campaign's report; the server goes by the `url` that it was given as.
pub(super) fn report(
    url: &str,
    probe: &Probe,
    outcome: &ProbeOutcome,
    (known, missed): (&Known, &[Identity]),
    (saved, options): (&Saved, &[String]),
    seconds: f64,
) -> TargetReport {
    let mut findings = Vec::new();
    let mut dismissed = Vec::new();
    for found in &outcome.findings {
        let report = finding(found, probe.limits.bounds, saved, options);
        match found.dismissed {
            Some(reason) => dismissed.push((report, reason)),
            None => findings.push(report),
        }
    }
    let first = probe.server.urls().next();
    TargetReport {
        name: url.to_owned(),
        version: VERSION.to_owned(),
        scripts: outcome.scripts,
        findings,
        sightings: outcome.sightings.clone(),
        accepted: known.accepted(&outcome.sightings, missed),
        jumps: known.jumps(&outcome.sightings, missed, outcome.scripts),
        played: HowPlayed::OverTcp(OverTcp {
            url: first.map_or_else(String::new, |(_, endpoint)| endpoint.url.clone()),
            dismissed,
            not_tested: probe.server.missing_roles().map(UrlRole::untested_without).collect(),
            sees_the_server: outcome.sees_the_server,
            refused: outcome.refused,
            unjudged: outcome.unjudged,
            passed_over: outcome.passed_over,
            seconds,
        }),
    }
}

fn finding(
    found: &ProbeFinding,
    bounds: Bounds,
    saved: &Saved,
    options: &[String],
) -> FindingReport {
    let path = saved.path(found.violation.identity);
    FindingReport {
        repro: repro(found, bounds),
        ending: found.violation.ending,
        since: found.violation.owed.map(|owed| owed.since),
        shrunk: found.shrunk,
        cut_short: found.cut_short,
        plays: found.plays,
        repeats: Repeats::Counted { shown: found.shown, replays: found.replays },
        path: path.map(Path::to_owned),
        url: Some(found.url.clone()),
        options: options.to_vec(),
    }
}
