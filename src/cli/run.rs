//! One target's campaign, and what is told of it, to people and to machines.

use super::args::Test;
use super::progress::Bar;
use super::{out, test};
use crate::bounds::Bounds;
use crate::campaign::{Accepted, Campaign, Finding, Outcome, Progress};
use crate::report;
use crate::repro::Repro;
use crate::save;
use crate::script::Millis;
use crate::target::{Deviation, Target};
use crate::verdict::{Cause, Condition, Ending};
use crate::workers::Crew;
use owo_colors::OwoColorize as _;
use serde::Serialize;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// One target's campaign and what was saved of it.
pub(super) struct Run {
    pub target: Arc<dyn Target>,
    pub outcome: Outcome,
    saved: Vec<(Repro, Result<PathBuf, save::SaveError>)>,
    /// Whether the target was held to another bound than its own.
    held_otherwise: bool,
    /// How many scripts it was to be.
    scripts: Option<u64>,
}

impl Run {
    /// Plays the campaign, until its end or until `stop` says so.
    pub fn of(
        target: &Arc<dyn Target>,
        seed: u64,
        options: &Test,
        crew: &mut Crew,
        bar: &Bar,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, String> {
        let own = target.bounds();
        let close = options.close_within.map_or(own.close, Millis::duration);
        let bounds = Bounds { close, ..own };
        let scripts = match options.lasting {
            Some(_) => None,
            None => Some(options.scripts.unwrap_or(test::SCRIPTS)),
        };
        let mut saved = Vec::new();
        let watch = |progress: Progress<'_>| {
            bar.tell(&progress);
            if let Some(finding) = progress.news {
                // At once: what comes later must not lose it.
                let repro = report::repro(&**target, bounds, finding);
                let path = save::repro(&options.findings, &repro);
                saved.push((repro, path));
            }
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let outcome = crew.run(&Campaign { bounds, seed, scripts }, target, watch)?;
        let held_otherwise = options.close_within.is_some();
        Ok(Self { target: Arc::clone(target), outcome, saved, held_otherwise, scripts })
    }

    /// The accepted deviations that never fired where they should have: not where the
    /// campaign was cut short, or the target was held to another bound than its own.
    pub fn stale(&self) -> impl Iterator<Item = &Deviation> {
        let Outcome { stopped, given_up, .. } = self.outcome;
        let counts = !(stopped || given_up || self.held_otherwise);
        self.outcome.stale().filter(move |_| counts)
    }

    /// The findings that could not be saved, and why.
    pub fn not_saved(&self) -> impl Iterator<Item = (&Repro, &save::SaveError)> {
        self.saved.iter().filter_map(|(repro, saved)| Some((repro, saved.as_ref().err()?)))
    }

    /// The findings with their repros and where those were saved.
    fn findings(&self) -> impl Iterator<Item = (&Finding, &Repro, Option<&PathBuf>)> {
        self.outcome.findings.iter().filter_map(|finding| {
            let key = finding.violation.key;
            let (repro, path) = self.saved.iter().find(|(repro, _)| repro.key == key)?;
            Some((finding, repro, path.as_ref().ok()))
        })
    }

    /// The findings of one rule and cause together, whatever the client's condition.
    fn groups(&self) -> Vec<Vec<(&Finding, &Repro, Option<&PathBuf>)>> {
        let mut groups: Vec<Vec<(&Finding, &Repro, Option<&PathBuf>)>> = Vec::new();
        for entry in self.findings() {
            let of = |repro: &Repro| (repro.key.invariant, repro.key.cause);
            match groups.last_mut().filter(|group| of(group[0].1) == of(entry.1)) {
                Some(group) => group.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups
    }

    /// The campaign's result, for people.
    pub fn text(&self) -> String {
        let Outcome { scripts, findings, accepted, .. } = &self.outcome;
        let name = format!("{} ({})", self.target.name().bold(), self.target.version());
        let scripts = out::thousands(*scripts);
        let verdict = if findings.is_empty() {
            format!("{}", "clean".green())
        } else {
            format!("{}", out::count(findings.len(), "finding").red())
        };
        let mut text = format!("\n{name}: {verdict}, {scripts} scripts\n");
        for (number, group) in self.groups().iter().enumerate() {
            let Some(((finding, repro, path), others)) = group.split_first() else { continue };
            let headline = report::wrap_to(&report::headline(repro), 75);
            for (index, line) in headline.lines().enumerate() {
                let number =
                    if index == 0 { format!("\n  {}.", number + 1) } else { "    ".to_owned() };
                let _ = writeln!(text, "{number} {}", line.bold());
            }
            indented(&mut text, "     ", &report::wrap_to(&repro.sentence, 75));
            if finding.is_flaky() {
                let _ =
                    writeln!(text, "     flaky: {:.0} % of replays show it", finding.rate * 100.0);
            }
            text.push('\n');
            indented(&mut text, "         ", &repro.script.to_string());
            let paths = std::iter::once(*path).chain(others.iter().map(|(_, _, path)| *path));
            for (index, path) in paths.flatten().enumerate() {
                text.push_str(if index == 0 { "\n     more:\n" } else { "" });
                let _ = writeln!(text, "     hangup show {}", out::pasteable(path));
            }
        }
        if self.outcome.given_up {
            text.push('\n');
            let of =
                self.scripts.map_or_else(String::new, |all| format!(" of {}", out::thousands(all)));
            let said = format!(
                "given up after {scripts}{of} scripts: too many of them took down the process that \
                 they were played in. Mend that first; then the rest can be tested."
            );
            indented(&mut text, "  ", &report::wrap_to(&said, 78));
        }
        for Accepted { deviation, fired } in accepted.iter().filter(|accepted| accepted.fired > 0) {
            let times = out::count(*fired as usize, "time");
            let head = format!("accepted, {times}: {}: {}.", deviation.invariant, deviation.reason);
            text.push('\n');
            indented(&mut text, "  ", &report::wrap_to(&head, 78));
            indented(&mut text, "  ", &report::wrap_to(&format!("RFC 6455 {}", deviation.rfc), 78));
        }
        for deviation in self.stale() {
            let head = format!("{}: {}", "stale".red(), report::stale(deviation));
            text.push('\n');
            indented(&mut text, "  ", &report::wrap_to(&head, 78));
        }
        text
    }

    fn json(&self) -> JsonTarget<'_> {
        let findings = self.findings().map(|(finding, repro, path)| JsonFinding {
            invariant: repro.key.invariant.id(),
            level: repro.level.id(),
            class: repro.key.invariant.rule().class.id(),
            cause: repro.key.cause.map(Cause::id),
            condition: repro.key.condition.map(Condition::id),
            ending: JsonEnding::from(finding.violation.ending),
            steps: repro.script.steps.len(),
            plays: finding.plays,
            flaky: finding.is_flaky(),
            rate: finding.rate,
            sentence: &repro.sentence,
            script: repro.script.to_string(),
            repro: path.map(|path| path.display().to_string()),
        });
        let accepted = self.outcome.accepted.iter().map(|accepted| JsonAccepted {
            invariant: accepted.deviation.invariant.id(),
            cause: accepted.deviation.cause.map(Cause::id),
            condition: accepted.deviation.condition.map(Condition::id),
            reason: accepted.deviation.reason,
            rfc: accepted.deviation.rfc,
            fired: accepted.fired,
            stale: self.stale().any(|stale| std::ptr::eq(stale, &raw const accepted.deviation)),
        });
        JsonTarget {
            name: self.target.name(),
            version: self.target.version(),
            scripts: self.outcome.scripts,
            given_up: self.outcome.given_up,
            findings: findings.collect(),
            accepted: accepted.collect(),
        }
    }
}

fn indented(out: &mut String, by: &str, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{by}{line}");
    }
}

/// The results of all runs as one JSON object.
pub(super) fn json(
    runs: &[Run],
    seed: u64,
    scripts: u64,
    seconds: f64,
    scripts_per_second: f64,
    interrupted: bool,
) -> Result<String, String> {
    let targets = runs.iter().map(Run::json).collect();
    let json = Json { seed, scripts, seconds, scripts_per_second, interrupted, targets };
    serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Json<'a> {
    seed: u64,
    scripts: u64,
    seconds: f64,
    scripts_per_second: f64,
    interrupted: bool,
    targets: Vec<JsonTarget<'a>>,
}

#[derive(Serialize)]
struct JsonTarget<'a> {
    name: &'a str,
    version: &'a str,
    scripts: u64,
    given_up: bool,
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
    sentence: &'a str,
    script: String,
    repro: Option<String>,
}

#[derive(Serialize)]
struct JsonEnding {
    kind: &'static str,
    at_seconds: Option<f64>,
}

impl From<Ending> for JsonEnding {
    fn from(ending: Ending) -> Self {
        Self { kind: ending.kind(), at_seconds: ending.at().map(crate::trace::Time::seconds) }
    }
}

#[derive(Serialize)]
struct JsonAccepted {
    invariant: &'static str,
    cause: Option<&'static str>,
    condition: Option<&'static str>,
    reason: &'static str,
    rfc: &'static str,
    fired: u64,
    stale: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;

    /// A campaign against a target with deviations, none of which fired.
    fn run(scripts: u64) -> Run {
        let registry = Registry::built_in();
        let target = Arc::clone(registry.find("tungstenite/reader-task").expect("built in"));
        let deviations = target.deviations().iter();
        let accepted = deviations.map(|deviation| Accepted { deviation: *deviation, fired: 0 });
        let outcome = Outcome { scripts, accepted: accepted.collect(), ..Outcome::default() };
        Run { target, outcome, saved: Vec::new(), held_otherwise: false, scripts: Some(scripts) }
    }

    fn stale_in_json(run: &Run) -> usize {
        let json = serde_json::to_value(run.json()).expect("JSON");
        let accepted = json["accepted"].as_array().expect("a list").iter();
        accepted.filter(|accepted| accepted["stale"] == true).count()
    }

    #[test]
    fn a_deviation_that_never_fires_is_stale_and_says_what_to_do() {
        let run = run(20_000);
        let stale: Vec<Deviation> = run.stale().copied().collect();
        assert!(stale.len() > 1 && stale.len() == stale_in_json(&run), "{stale:?}");
        let text = run.text().replace("\n  ", " ");
        for deviation in stale {
            assert!(text.contains(&format!("`{}", deviation.invariant)), "{text}");
        }
        assert!(text.contains("take it out of the target's deviations"), "{text}");
        let mut fired = run;
        fired.outcome.accepted[0].fired = 1;
        assert_eq!(fired.stale().count(), fired.outcome.accepted.len() - 1);
    }

    #[test]
    fn nothing_is_stale_where_too_little_was_seen_or_something_else_was_asked() {
        let cases: [fn(&mut Run); 4] = [
            |run| run.outcome.scripts = 19_999,
            |run| run.outcome.stopped = true,
            |run| run.outcome.given_up = true,
            |run| run.held_otherwise = true,
        ];
        for change in cases {
            let mut run = run(20_000);
            change(&mut run);
            assert_eq!((run.stale().count(), stale_in_json(&run)), (0, 0));
            assert!(!run.text().contains("stale"));
        }
    }

    #[test]
    fn a_campaign_that_is_given_up_says_how_far_it_came() {
        let mut run = run(20_000);
        run.outcome.scripts = 1_234;
        run.outcome.given_up = true;
        let text = run.text();
        assert!(text.contains("given up after 1,234 of 20,000 scripts"), "{text}");
        let json = serde_json::to_value(run.json()).expect("JSON");
        assert_eq!(json["given_up"], true);
    }
}
