//! What `hangup probe` has to tell: as text for people, as JSON for machines.

use super::args::Probe as Options;
use super::finding_view::{self, JsonFinding, Saved, Told};
use super::{Trouble, output};
use crate::report;
use crate::run::real_time::{Found, Outcome, Part, Probe};
use crate::verdict::{Identity, groups};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// A campaign that has ended.
pub(super) struct Report<'a> {
    pub probe: &'a Probe,
    pub outcome: &'a Outcome,
    pub saved: &'a [Saved],
    pub took: Duration,
}

impl Report<'_> {
    pub fn text(&self, options: &Options) -> String {
        let scripts = &self.outcome.scripts;
        let findings = self.held().count();
        let verdict = match findings {
            _ if *scripts == 0 => format!("{}", "not tested".yellow()),
            0 => format!("{}", "clean".green()),
            found => format!("{}", output::count(found, "finding").red()),
        };
        let mut text = format!("\n{}: {verdict}\n", options.url.bold());
        for (number, group) in
            groups(self.held().map(|(_, told)| told), |told| told.repro.identity).iter().enumerate()
        {
            let Some(first) = group.first() else { continue };
            first.write(&mut text, number + 1, self.repeats(first).as_deref());
            finding_view::commands(&mut text, "again", group, |told, path| {
                format!("hangup replay {path} --url {}", told.url.unwrap_or_default())
            });
        }
        for remark in self.remarks() {
            finding_view::remark(&mut text, &remark);
        }
        let _ = writeln!(
            text,
            "\n{} in {} scripts in {:.1} s",
            output::count(findings, "finding"),
            output::thousands(*scripts),
            self.took.as_secs_f64(),
        );
        text
    }

    /// What showed once and is not held against the server, and why not.
    fn not_held(&self) -> impl Iterator<Item = String> {
        self.dismissed().map(|(found, told)| {
            let why = if found.unprovoked {
                "the server does the same where the client does not do that".to_owned()
            } else {
                let replays = found.replays;
                format!("none of {replays} replays alone shows it; was it too much at once? --concurrency")
            };
            let path =
                told.path.map_or_else(String::new, |path| format!(" ({})", output::pasteable(path)));
            format!("no finding: {}: {why}{path}", report::headline(told.repro))
        })
    }

    /// What is to be known about what was not found.
    fn remarks(&self) -> Vec<String> {
        let Outcome { accepted, unjudged, refused, passed_over, sees_the_server, scripts, .. } =
            self.outcome;
        let mut remarks: Vec<String> = self.not_held().collect();
        for (identity, times) in accepted {
            let times = output::count(*times as usize, "time");
            remarks.push(format!("accepted, {times}: {identity}"));
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
                output::thousands(*refused)
            ));
        }
        if *unjudged > 0 {
            remarks.push(format!(
                "{} not judged: this machine was too busy to keep the time; --concurrency, --slack",
                output::count(*unjudged as usize, "script")
            ));
        }
        if *passed_over > 0 {
            remarks
                .push(format!("{} more, not looked into", output::count(*passed_over, "finding")));
        }
        remarks
    }

    fn findings(&self) -> impl Iterator<Item = (&Found, Told<'_>)> {
        self.outcome.findings.iter().filter_map(|found| {
            let identity = found.violation.identity;
            let (repro, path) = self.saved.iter().find(|(repro, _)| repro.identity == identity)?;
            let told = Told {
                repro,
                violation: &found.violation,
                plays: found.plays,
                rate: found.rate(),
                flaky: found.is_flaky(),
                path: path.as_deref().ok(),
                url: Some(&found.url),
            };
            Some((found, told))
        })
    }

    /// What is held against the server.
    fn held(&self) -> impl Iterator<Item = (&Found, Told<'_>)> {
        self.findings().filter(|(found, _)| !found.is_dismissed())
    }

    fn dismissed(&self) -> impl Iterator<Item = (&Found, Told<'_>)> {
        self.findings().filter(|(found, _)| found.is_dismissed())
    }

    /// How often it showed when it was played again alone.
    fn repeats(&self, told: &Told<'_>) -> Option<String> {
        let mut findings = self.outcome.findings.iter();
        let Found { shown, replays, .. } =
            findings.find(|found| found.violation.identity == told.repro.identity)?;
        Some(match replays {
            0 => "not confirmed: testing ended before it was played again".to_owned(),
            _ if told.flaky => format!("flaky: {shown} of {replays} replays show it"),
            _ => format!("confirmed: played alone, {shown} of {replays} times"),
        })
    }

    pub fn json(&self) -> Result<String, Trouble> {
        let Outcome { scripts, unjudged, refused, sees_the_server, stopped, trouble, .. } =
            self.outcome;
        let accepted = self
            .outcome
            .accepted
            .iter()
            .map(|(identity, fired)| JsonAccepted { identity: *identity, fired: *fired });
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
                findings: self.held().map(JsonFound::of).collect(),
                dismissed: self.dismissed().map(JsonFound::of).collect(),
                accepted: accepted.collect(),
            }],
        };
        serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
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
    findings: Vec<JsonFound<'a>>,
    /// What showed once, and is not held against the server.
    dismissed: Vec<JsonFound<'a>>,
    accepted: Vec<JsonAccepted>,
}

#[derive(Serialize)]
struct JsonFound<'a> {
    #[serde(flatten)]
    finding: JsonFinding<'a>,
    replays: u32,
}

impl<'a> JsonFound<'a> {
    fn of((found, told): (&Found, Told<'a>)) -> Self {
        Self { finding: told.json(), replays: found.replays }
    }
}

#[derive(Serialize)]
struct JsonAccepted {
    #[serde(flatten)]
    identity: Identity,
    fired: u64,
}
