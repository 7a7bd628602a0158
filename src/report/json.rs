//! A report for machines: one JSON object.

use super::StepSays;
use super::bound::Overdue;
use super::deaths::JsonDeaths;
use super::lost_workers::JsonLostWorkers;
use super::model::{
    Accepted, FindingReport, HowPlayed, Jump, ProblemReport, Repeats, Shutdown, Summary,
    TargetReport,
};
use super::reach::no_effect;
use crate::exchange::{HeldAfter, Time};
use crate::run::campaign::{Unjudged, WhyUnjudged};
use crate::verdict::{Invariant, Level, Pattern, Problem, Symptom, Variant};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The results of a command.
///
/// # Errors
///
/// What `serde_json` says; numbers and strings make JSON.
pub fn json(summary: &Summary<'_>) -> Result<String, String> {
    let json = Json {
        seed: summary.seed,
        scripts: summary.scripts,
        seconds: summary.seconds,
        scripts_per_second: summary.scripts_per_second,
        interrupted: summary.interrupted,
        trouble: summary.trouble,
        targets: summary.targets.iter().map(JsonTarget::of).collect(),
    };
    serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Json<'a> {
    seed: u64,
    scripts: u64,
    seconds: f64,
    scripts_per_second: f64,
    interrupted: bool,
    /// What kept it from going on, or from reporting; `null` where nothing did.
    trouble: Option<&'a str>,
    targets: Vec<JsonTarget<'a>>,
}

#[derive(Serialize)]
struct JsonTarget<'a> {
    name: &'a str,
    version: &'a str,
    scripts: u64,
    /// In process only.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up: Option<bool>,
    /// In process only: how many of the scripts were not played.
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<u64>,
    #[serde(flatten)]
    tcp: Option<JsonOverTcp<'a>>,
    /// In process only: how far the scripts got.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<JsonReach>,
    problems: Vec<JsonProblem<'a>>,
    findings: Vec<JsonFinding<'a>>,
    /// Over TCP only: what showed once, and is not held against the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    dismissed: Option<Vec<JsonFinding<'a>>>,
    accepted: Vec<JsonAccepted>,
    jumps: Vec<JsonJump>,
    /// The rules that it was not judged by.
    not_judged: &'a [Invariant],
    /// Why the target could not be tested, where it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    could_not_test: Option<&'a str>,
    /// In process only: what was seen and cannot be judged in virtual time.
    #[serde(skip_serializing_if = "Option::is_none")]
    unproven: Option<Vec<JsonUnproven>>,
    /// In process only, and only where workers were lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_workers: Option<JsonLostWorkers>,
}

/// How far the scripts got.
#[derive(Serialize)]
struct JsonReach {
    /// In how many of those that were played a WebSocket was open.
    opened: u64,
    /// In how many a Close was sent, by either end.
    closed: u64,
    /// In how many the connection ended, by what obliged the server to.
    ended: BTreeMap<Cow<'static, str>, u64>,
    /// In how many it ended with nothing owed.
    ended_unowed: u64,
    /// What of the grammar had no effect, in words.
    warnings: Vec<String>,
}

impl JsonReach {
    fn of(report: &TargetReport) -> Option<Self> {
        let HowPlayed::InProcess { reach, no_effect: warnings, .. } = &report.played else {
            return None;
        };
        let ended = reach.ended().map(|(cause, scripts)| (cause.named(reach.subject), scripts));
        Some(Self {
            opened: reach.opened,
            closed: reach.closed,
            ended: ended.collect(),
            ended_unowed: reach.ended_unowed,
            warnings: warnings.iter().map(|what| no_effect(*what, reach.subject)).collect(),
        })
    }
}

/// What would be a finding if the target's time were virtual.
#[derive(Serialize)]
struct JsonUnproven {
    #[serde(flatten)]
    problem: Problem,
    level: &'static str,
    #[serde(flatten)]
    variant: Variant,
    /// What was seen of other threads, where that is how it is known.
    threads: Option<String>,
    /// What the server needs and virtual time does not have, where that is how it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    lacks: Option<String>,
    /// Whether it is known from a play with a clock that runs, in which the connection ended in time.
    ended_in_real_time: bool,
    first_script: u64,
    /// How many scripts showed it.
    shown: u64,
}

impl JsonUnproven {
    fn of(unjudged: &Unjudged) -> Self {
        let Unjudged { identity, level, why, first, scripts } = *unjudged;
        let (mut threads, mut lacks) = (None, None);
        match why {
            WhyUnjudged::Threads(seen) => threads = Some(seen.to_string()),
            WhyUnjudged::Lacks(lack) => lacks = Some(lack.to_string()),
            WhyUnjudged::EndedInRealTime => {}
        }
        Self {
            problem: identity.problem(),
            level: level.id(),
            variant: identity.variant(),
            threads,
            lacks,
            ended_in_real_time: why == WhyUnjudged::EndedInRealTime,
            first_script: first,
            shown: scripts,
        }
    }
}

#[derive(Serialize)]
struct JsonOverTcp<'a> {
    unjudged: u64,
    refused: u64,
    sees_the_server: bool,
    not_tested: &'a [&'static str],
    /// Only where a server that hangup started was looked at wave after wave.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    held: &'a [HeldAfter],
    /// Only with `--stop`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    shutdowns: &'a [Shutdown],
    /// Only where sessions may begin with a message of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_client: Option<JsonIdle<'a>>,
    /// Only where the server died.
    #[serde(skip_serializing_if = "Option::is_none")]
    deaths: Option<JsonDeaths<'a>>,
}

/// What became of a client that opened, and did nothing more.
#[derive(Serialize)]
struct JsonIdle<'a> {
    speaks_first: bool,
    ended: Option<&'a str>,
    after_seconds: Option<f64>,
}

impl<'a> JsonTarget<'a> {
    fn of(report: &'a TargetReport) -> Self {
        let (name, in_process, tcp, dismissed) = match &report.played {
            HowPlayed::InProcess { given_up, passed_over, .. } => {
                (&report.name, Some((*given_up, *passed_over)), None, None)
            }
            HowPlayed::OverTcp(tcp) => {
                let facts = JsonOverTcp {
                    unjudged: tcp.unjudged,
                    refused: tcp.refused,
                    sees_the_server: tcp.sees_the_server,
                    not_tested: &tcp.not_tested,
                    held: &tcp.held,
                    shutdowns: &tcp.shutdowns,
                    idle_client: tcp.idle.as_ref().map(|idle| JsonIdle {
                        speaks_first: idle.speaks_first,
                        ended: idle.ended.as_ref().map(|(_, how)| how.as_str()),
                        after_seconds: idle.ended.as_ref().map(|(after, _)| *after),
                    }),
                    deaths: JsonDeaths::of(&tcp.deaths),
                };
                let dismissed = tcp.dismissed.iter().map(|(found, _)| JsonFinding::of(found));
                (&tcp.url, None, Some(facts), Some(dismissed.collect()))
            }
        };
        let shown = |finding: &FindingReport| {
            report.sightings.of(finding.repro.identity).map_or(0, |seen| seen.scripts)
        };
        let findings = report
            .findings
            .iter()
            .map(|finding| JsonFinding { shown: Some(shown(finding)), ..JsonFinding::of(finding) });
        Self {
            name,
            version: &report.version,
            scripts: report.scripts,
            given_up: in_process.map(|(given_up, _)| given_up),
            passed_over: in_process.map(|(_, passed_over)| passed_over),
            tcp,
            reached: JsonReach::of(report),
            problems: report.problems().iter().map(JsonProblem::of).collect(),
            findings: findings.collect(),
            dismissed,
            accepted: report.accepted.iter().map(JsonAccepted::of).collect(),
            jumps: report.jumps.iter().map(JsonJump::of).collect(),
            not_judged: &report.not_judged,
            could_not_test: report.could_not_test(),
            unproven: in_process.map(|_| report.unjudged().iter().map(JsonUnproven::of).collect()),
            lost_workers: match &report.played {
                HowPlayed::InProcess { lost_workers, .. } => JsonLostWorkers::of(lost_workers),
                HowPlayed::OverTcp(_) => None,
            },
        }
    }
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    #[serde(flatten)]
    problem: Problem,
    /// That of its strongest variant.
    level: &'static str,
    class: &'static str,
    sentence: &'a str,
    script: String,
    steps: usize,
    /// Which of several connections the problem is seen on.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u32>,
    ending: JsonEnding,
    /// Over TCP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    repro: Option<String>,
    flaky: bool,
    /// How many scripts showed it.
    shown: u64,
    /// The share of the scripts that did.
    rate: f64,
    first_script: Option<u64>,
    variants: Vec<JsonVariant>,
    /// What matters in the script, step by step; in process only.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    matters: &'a [StepSays],
}

#[derive(Serialize)]
struct JsonVariant {
    #[serde(flatten)]
    variant: Variant,
    /// Where it is another one than that of the problem, which takes it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    symptom: Option<Symptom>,
    ending: JsonEnding,
}

impl<'a> JsonProblem<'a> {
    fn of(report: &ProblemReport<'a>) -> Self {
        let ProblemReport { problem, level, headline, variants, first_script, shown, rate } =
            report;
        let variant = |finding: &&FindingReport| {
            let identity = finding.repro.identity;
            JsonVariant {
                variant: identity.variant(),
                symptom: identity.symptom().filter(|_| identity.problem() != *problem),
                ending: JsonEnding::of(finding),
            }
        };
        Self {
            problem: *problem,
            level: level.id(),
            class: problem.invariant().rule().class.id(),
            sentence: &headline.repro.sentence,
            script: headline.repro.script_text(),
            steps: headline.repro.script.steps.len(),
            connection: headline.scene.connection,
            ending: JsonEnding::of(headline),
            url: headline.url.as_deref(),
            repro: headline.path.as_ref().map(|path| path.display().to_string()),
            flaky: headline.repeats.is_flaky(),
            shown: *shown,
            rate: *rate,
            first_script: *first_script,
            variants: variants.iter().map(variant).collect(),
            matters: &headline.matters,
        }
    }
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    #[serde(flatten)]
    problem: Problem,
    level: &'static str,
    class: &'static str,
    #[serde(flatten)]
    variant: Variant,
    ending: JsonEnding,
    steps: usize,
    plays: u32,
    flaky: bool,
    /// The share of its replays that show it.
    rate: f64,
    /// How many of the campaign's scripts showed it. Not of what is dismissed.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<u64>,
    sentence: &'a str,
    script: String,
    /// Over TCP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    repro: Option<String>,
    /// Over TCP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    replays: Option<u32>,
    /// Over TCP only: whether shrinking ended before nothing smaller was left to be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_short: Option<bool>,
}

#[derive(Serialize)]
struct JsonEnding {
    kind: &'static str,
    at_seconds: Option<f64>,
    /// Since when the end was owed, if it was.
    since_seconds: Option<f64>,
    /// Over TCP only: the option with which a server that was late by itself would have been in
    /// time.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_with: Option<String>,
}

impl JsonEnding {
    fn of(finding: &FindingReport) -> Self {
        Self {
            kind: finding.ending.kind(),
            at_seconds: finding.ending.at().map(Time::seconds),
            since_seconds: finding.since.map(|since| since.at.seconds()),
            accepted_with: Overdue::of(finding)
                .and_then(|overdue| overdue.accepted_with)
                .map(|(option, bound)| format!("{option} {bound}")),
        }
    }
}

impl<'a> JsonFinding<'a> {
    fn of(finding: &'a FindingReport) -> Self {
        let repro = &finding.repro;
        Self {
            problem: repro.identity.problem(),
            level: repro.level.id(),
            class: repro.identity.invariant().rule().class.id(),
            variant: repro.identity.variant(),
            ending: JsonEnding::of(finding),
            steps: repro.script.steps.len(),
            plays: finding.plays,
            flaky: finding.repeats.is_flaky(),
            rate: finding.repeats.rate(),
            shown: None,
            sentence: &repro.sentence,
            script: repro.script_text(),
            url: finding.url.as_deref(),
            repro: finding.path.as_ref().map(|path| path.display().to_string()),
            replays: match finding.repeats {
                Repeats::Share(_) => None,
                Repeats::Counted { replays, .. } => Some(replays),
                Repeats::Suspected => Some(0),
            },
            cut_short: finding.url.is_some().then_some(finding.cut_short),
        }
    }
}

#[derive(Serialize)]
struct JsonAccepted {
    #[serde(flatten)]
    pattern: Pattern,
    #[serde(flatten)]
    why: Option<JsonReason>,
    /// In how many scripts it showed.
    fired: u64,
    /// The strongest level of what it accepted, if it accepted anything.
    level: Option<&'static str>,
    /// Of a deviation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    /// Of a baseline only: whether this very variant is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed: Option<bool>,
}

/// Of a deviation only.
#[derive(Serialize)]
struct JsonReason {
    reason: &'static str,
    rfc: &'static str,
    /// The rate that it states.
    expected_rate: Option<f64>,
}

impl JsonAccepted {
    fn of(accepted: &Accepted) -> Self {
        match *accepted {
            Accepted::Deviation { deviation, fired, level, stale } => Self {
                pattern: deviation.pattern,
                why: Some(JsonReason {
                    reason: deviation.reason,
                    rfc: deviation.rfc,
                    expected_rate: deviation.rate,
                }),
                fired,
                level: level.map(Level::id),
                stale: Some(stale),
                listed: None,
            },
            Accepted::Known { identity, fired, level, listed } => Self {
                pattern: identity.into(),
                why: None,
                fired,
                level: Some(level.id()),
                stale: None,
                listed: Some(listed),
            },
        }
    }
}

/// Something accepted that shows far more often than it is known to.
#[derive(Serialize)]
struct JsonJump {
    #[serde(flatten)]
    pattern: Pattern,
    level: &'static str,
    /// In how many scripts it showed.
    shown: u64,
    rate: f64,
    expected_rate: f64,
}

impl JsonJump {
    fn of(jump: &Jump) -> Self {
        Self {
            pattern: jump.pattern,
            level: jump.level.id(),
            shown: jump.now.shown,
            rate: jump.now.rate(),
            expected_rate: jump.before.rate(),
        }
    }
}
