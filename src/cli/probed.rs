//! What `hangup probe` has to tell: as text for people, as JSON for machines.

use super::args::Probe as Options;
use super::probe::Saved;
use super::{Trouble, out};
use crate::report;
use crate::repro::Repro;
use crate::tcp::{Found, Outcome, Part, Probe};
use crate::trace::Time;
use crate::verdict::{Cause, Condition};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// A campaign that has ended.
pub(super) struct Report<'a> {
    pub probe: &'a Probe,
    pub outcome: &'a Outcome,
    pub saved: &'a [Saved],
    pub took: Duration,
}

/// A finding with its repro and where that was saved.
type Told<'a> = (&'a Found, &'a Repro, Option<&'a PathBuf>);

impl Report<'_> {
    pub fn text(&self, options: &Options) -> String {
        let Outcome { scripts, findings, .. } = self.outcome;
        let verdict = match findings.len() {
            _ if *scripts == 0 => format!("{}", "not tested".yellow()),
            0 => format!("{}", "clean".green()),
            found => format!("{}", out::count(found, "finding").red()),
        };
        let mut text = format!("\n{}: {verdict}\n", options.url.bold());
        for (number, group) in self.groups().iter().enumerate() {
            told(&mut text, number + 1, group);
        }
        for remark in self.remarks() {
            text.push('\n');
            indented(&mut text, "  ", &report::wrap_to(&remark, 78));
        }
        let _ = writeln!(
            text,
            "\n{} in {} scripts in {:.1} s",
            out::count(findings.len(), "finding"),
            out::thousands(*scripts),
            self.took.as_secs_f64(),
        );
        text
    }

    /// What is to be known about what was not found.
    fn remarks(&self) -> Vec<String> {
        let Outcome { accepted, unjudged, refused, passed_over, sees_the_server, scripts, .. } =
            self.outcome;
        let mut remarks = Vec::new();
        for (key, times) in accepted {
            let facts = [key.cause.map(Cause::id), key.condition.map(Condition::id)];
            let facts: Vec<&str> = facts.into_iter().flatten().collect();
            let times = out::count(*times as usize, "time");
            remarks.push(format!("accepted, {times}: {}: {}", key.invariant, facts.join(", ")));
        }
        let lacks: Vec<&str> = self.probe.server.lacks().map(Part::lack).collect();
        if !lacks.is_empty() {
            remarks.push(format!("not tested: {}", lacks.join("; ")));
        }
        if !sees_the_server && *scripts > 0 {
            remarks.push(
                "not observed: when the server lets go of its sockets, since it is not on this \
                 machine: releases-in-time, and ends-in-time for clients that do not read or are \
                 cut off"
                    .to_owned(),
            );
        }
        if *refused > 0 {
            remarks.push(format!(
                "{} of the opening requests were not answered with 101: too many at once, or too \
                 fast? --concurrency, --rate",
                out::thousands(*refused)
            ));
        }
        if *unjudged > 0 {
            remarks.push(format!(
                "{} not judged: this machine was too busy to keep the time; --concurrency, --slack",
                out::count(*unjudged as usize, "script")
            ));
        }
        if *passed_over > 0 {
            remarks.push(format!("{} more, not looked into", out::count(*passed_over, "finding")));
        }
        remarks
    }

    fn findings(&self) -> impl Iterator<Item = Told<'_>> {
        self.outcome.findings.iter().filter_map(|found| {
            let key = found.violation.key;
            let (repro, path) = self.saved.iter().find(|(repro, _)| repro.key == key)?;
            Some((found, repro, path.as_ref().ok()))
        })
    }

    /// The findings of one rule and cause together, whatever the client's condition.
    fn groups(&self) -> Vec<Vec<Told<'_>>> {
        let mut groups: Vec<Vec<Told<'_>>> = Vec::new();
        for entry in self.findings() {
            let of = |repro: &Repro| (repro.key.invariant, repro.key.cause);
            match groups.last_mut().filter(|group| of(group[0].1) == of(entry.1)) {
                Some(group) => group.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups
    }

    pub fn json(&self) -> Result<String, Trouble> {
        let findings = self.findings().map(|(found, repro, path)| JsonFinding {
            invariant: repro.key.invariant.id(),
            level: repro.level.id(),
            class: repro.key.invariant.rule().class.id(),
            cause: repro.key.cause.map(Cause::id),
            condition: repro.key.condition.map(Condition::id),
            ending: JsonEnding {
                kind: found.violation.ending.kind(),
                at_seconds: found.violation.ending.at().map(Time::seconds),
                since_seconds: found.violation.owed.map(|owed| owed.since.seconds()),
            },
            steps: repro.script.steps.len(),
            plays: found.plays,
            flaky: found.is_flaky(),
            rate: found.rate(),
            replays: found.replays,
            sentence: &repro.sentence,
            script: repro.script.to_string(),
            url: &found.url,
            repro: path.map(|path| path.display().to_string()),
        });
        let Outcome { scripts, unjudged, refused, sees_the_server, stopped, trouble, .. } =
            self.outcome;
        let accepted = self.outcome.accepted.iter().map(|(key, fired)| JsonAccepted {
            invariant: key.invariant.id(),
            cause: key.cause.map(Cause::id),
            condition: key.condition.map(Condition::id),
            fired: *fired,
        });
        let url = self.probe.server.parts().next().map_or("", |(_, endpoint)| &endpoint.url);
        let seconds = self.took.as_secs_f64();
        let json = Json {
            seed: self.probe.seed,
            scripts: *scripts,
            seconds,
            scripts_per_second: *scripts as f64 / seconds.max(1e-9),
            interrupted: *stopped,
            trouble: trouble.as_deref(),
            targets: [JsonTarget {
                name: url,
                version: "over TCP",
                scripts: *scripts,
                unjudged: *unjudged,
                refused: *refused,
                sees_the_server: *sees_the_server,
                not_tested: self.probe.server.lacks().map(Part::lack).collect(),
                findings: findings.collect(),
                accepted: accepted.collect(),
            }],
        };
        serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
    }
}

/// The findings of one rule and cause: the first in full.
fn told(text: &mut String, number: usize, group: &[Told<'_>]) {
    let Some((found, repro, _)) = group.first() else { return };
    let headline = report::wrap_to(&report::headline(repro), 75);
    for (index, line) in headline.lines().enumerate() {
        let number = if index == 0 { format!("\n  {number}.") } else { "    ".to_owned() };
        let _ = writeln!(text, "{number} {}", line.bold());
    }
    indented(text, "     ", &report::wrap_to(&repro.sentence, 75));
    let Found { shown, replays, .. } = found;
    let _ = match replays {
        0 => writeln!(text, "     not confirmed: testing ended before it was played again"),
        _ if found.is_flaky() => {
            writeln!(text, "     flaky: {shown} of {replays} replays show it")
        }
        _ => writeln!(text, "     confirmed: played alone, {shown} of {replays} times"),
    };
    text.push('\n');
    indented(text, "         ", &repro.script.to_string());
    for (index, (found, _, path)) in group.iter().enumerate() {
        let Some(path) = path else { continue };
        text.push_str(if index == 0 { "\n     again:\n" } else { "" });
        let _ = writeln!(text, "     hangup replay {} --url {}", out::pasteable(path), found.url);
    }
}

fn indented(out: &mut String, by: &str, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{by}{line}");
    }
}

/// As `hangup test` reports, with one target.
#[derive(Serialize)]
struct Json<'a> {
    seed: u64,
    scripts: u64,
    seconds: f64,
    scripts_per_second: f64,
    interrupted: bool,
    trouble: Option<&'a str>,
    targets: [JsonTarget<'a>; 1],
}

#[derive(Serialize)]
struct JsonTarget<'a> {
    name: &'a str,
    version: &'static str,
    scripts: u64,
    unjudged: u64,
    refused: u64,
    sees_the_server: bool,
    not_tested: Vec<&'static str>,
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
    replays: u32,
    sentence: &'a str,
    script: String,
    url: &'a str,
    repro: Option<String>,
}

#[derive(Serialize)]
struct JsonEnding {
    kind: &'static str,
    at_seconds: Option<f64>,
    /// Since when the end was owed.
    since_seconds: Option<f64>,
}

#[derive(Serialize)]
struct JsonAccepted {
    invariant: &'static str,
    cause: Option<&'static str>,
    condition: Option<&'static str>,
    fired: u64,
}
