//! A finding as `hangup test` and `hangup probe` tell it: in lines, and in JSON.

use super::output;
use crate::exchange::Time;
use crate::finding::repro::Repro;
use crate::finding::save::SaveError;
use crate::report;
use crate::verdict::{Problem, Variant, Violation};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A finding's repro, and where it was saved.
pub(super) type Saved = (Repro, Result<PathBuf, SaveError>);

/// A finding, as much of it as is told.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub repro: &'a Repro,
    pub violation: &'a Violation,
    /// How many plays shrinking took.
    pub plays: u32,
    /// How many of the replays showed it, from 0 to 1.
    pub rate: f64,
    pub flaky: bool,
    /// Where it was saved, if it was.
    pub path: Option<&'a Path>,
    /// Where it was played, if that was over TCP.
    pub url: Option<&'a str>,
}

impl<'a> Told<'a> {
    pub fn json(&self) -> JsonFinding<'a> {
        let Self { repro, violation, .. } = *self;
        JsonFinding {
            problem: repro.identity.problem(),
            level: repro.level.id(),
            class: repro.identity.invariant().rule().class.id(),
            variant: repro.identity.variant(),
            ending: JsonEnding {
                kind: violation.ending.kind(),
                at_seconds: violation.ending.at().map(Time::seconds),
                since_seconds: violation.owed.map(|owed| owed.since.seconds()),
            },
            steps: repro.script.steps.len(),
            plays: self.plays,
            flaky: self.flaky,
            rate: self.rate,
            sentence: &repro.sentence,
            script: repro.script.to_string(),
            url: self.url,
            repro: self.path.map(|path| path.display().to_string()),
        }
    }

    /// Its lines up to the script, behind its number; `repeats` says how surely it does.
    pub fn write(&self, out: &mut String, number: usize, repeats: Option<&str>) {
        let headline = report::wrap_to(&report::headline(self.repro), 75);
        for (index, line) in headline.lines().enumerate() {
            let number = if index == 0 { format!("\n  {number}.") } else { "    ".to_owned() };
            let _ = writeln!(out, "{number} {}", line.bold());
        }
        indented(out, "     ", &report::wrap_to(&self.repro.sentence, 75));
        if let Some(repeats) = repeats {
            indented(out, "     ", repeats);
        }
        out.push('\n');
        indented(out, "         ", &self.repro.script.to_string());
    }
}

/// What to do with the saved files of a group: a heading, then a line to paste for each.
pub(super) fn commands(
    out: &mut String,
    heading: &str,
    group: &[Told<'_>],
    line: impl Fn(&Told<'_>, &str) -> String,
) {
    let saved = group.iter().filter_map(|told| Some((told, output::pasteable(told.path?))));
    for (index, (told, path)) in saved.enumerate() {
        if index == 0 {
            let _ = writeln!(out, "\n     {heading}:");
        }
        let _ = writeln!(out, "     {}", line(told, &path));
    }
}

/// A remark below the findings.
pub(super) fn remark(out: &mut String, text: &str) {
    out.push('\n');
    indented(out, "  ", &report::wrap_to(text, 78));
}

pub(super) fn indented(out: &mut String, by: &str, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{by}{line}");
    }
}

#[derive(Serialize)]
pub(super) struct JsonFinding<'a> {
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
    rate: f64,
    sentence: &'a str,
    script: String,
    /// Over TCP only.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    repro: Option<String>,
}

#[derive(Serialize)]
struct JsonEnding {
    kind: &'static str,
    at_seconds: Option<f64>,
    /// Since when the end was owed, if it was.
    since_seconds: Option<f64>,
}
