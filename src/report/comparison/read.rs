//! A run, read from a report in JSON. Of that it takes what a comparison needs, so that a report
//! may have more in it.

use super::{ComparedDeviation, ComparedRun, ComparedTarget, Headline, Seen};
use crate::excerpt::{escaped, escaped_lines, excerpt, tidy};
use crate::report::not_a_report;
use crate::verdict::{Identity, Level, Problem, Variant};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Report {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    version: String,
    scripts: u64,
    /// Of a run in process: how many of them were not played.
    #[serde(default)]
    passed_over: u64,
    problems: Vec<ReportedProblem>,
    findings: Vec<Finding>,
    accepted: Vec<Accepted>,
}

#[derive(Deserialize)]
struct ReportedProblem {
    #[serde(flatten)]
    problem: Problem,
    sentence: String,
    script: String,
}

#[derive(Deserialize)]
struct Finding {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    variant: Variant,
    level: Level,
    shown: u64,
}

#[derive(Deserialize)]
struct Accepted {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    variant: Variant,
    fired: u64,
    level: Option<Level>,
    /// Of a deviation only.
    reason: Option<String>,
}

/// Reads the output of `hangup test --format json` or of `hangup probe --format json`.
///
/// # Errors
///
/// What is wrong with it, in one line.
pub fn read(text: &str) -> Result<ComparedRun, String> {
    let report: Report = serde_json::from_str(text).map_err(|error| {
        let why = tidy(&error.to_string());
        not_a_report(&why)
    })?;
    let not_played = report.targets.iter().find(|target| target.scripts <= target.passed_over);
    match not_played {
        Some(target) => Err(format!("no script was played against {}", excerpt(&target.name))),
        None if report.targets.is_empty() => Err("no target was tested".to_owned()),
        None => Ok(ComparedRun { targets: report.targets.into_iter().map(Target::read).collect() }),
    }
}

impl Target {
    fn read(self) -> ComparedTarget {
        let Self { name, version, scripts, passed_over, problems, findings, accepted } = self;
        let scripts = scripts.saturating_sub(passed_over);
        let headlines = problems.into_iter().map(|reported| {
            let ReportedProblem { problem, sentence, script } = reported;
            let (sentence, script) = (escaped(&sentence), escaped_lines(&script));
            (problem, Headline { sentence, script })
        });
        let found = findings.iter().map(|finding| {
            let identity = Identity::of(finding.problem, finding.variant);
            (identity, Seen { scripts: finding.shown, level: finding.level })
        });
        let mut shown: BTreeMap<Identity, Seen> = found.collect();
        let mut deviations = Vec::new();
        for Accepted { problem, variant, fired, level, reason } in accepted {
            let identity = Identity::of(problem, variant);
            let level = level.unwrap_or(Level::Should);
            if reason.is_some() {
                deviations.push(ComparedDeviation { pattern: identity.into(), fired, level });
            } else {
                shown.insert(identity, Seen { scripts: fired, level });
            }
        }
        let (name, version) = (escaped(&name), escaped(&version));
        ComparedTarget { name, version, scripts, shown, headlines: headlines.collect(), deviations }
    }
}
