//! One target's campaign, and what is told of it, to people and to machines.

use super::args::{SCRIPTS, Test};
use super::finding_view::{self, JsonFinding, Saved, Told};
use super::output;
use super::progress::Bar;
use crate::bounds::Bounds;
use crate::finding::repro::Repro;
use crate::finding::save;
use crate::report;
use crate::run::campaign::{Accepted, Campaign, Outcome, Progress};
use crate::run::workers::Crew;
use crate::script::Millis;
use crate::target::{Deviation, Target};
use crate::verdict::{Pattern, groups};
use owo_colors::OwoColorize as _;
use serde::Serialize;
use std::ops::ControlFlow;
use std::sync::Arc;

/// One target's campaign and what was saved of it.
pub(super) struct Run {
    pub target: Arc<dyn Target>,
    pub outcome: Outcome,
    saved: Vec<Saved>,
    /// Whether the target was held to another bound than its own.
    held_otherwise: bool,
    /// How many scripts it was to be.
    scripts: Option<u64>,
}

impl Run {
    /// Plays the campaign, until its end or until `stop` says so of the scripts played.
    pub fn of(
        target: &Arc<dyn Target>,
        seed: u64,
        options: &Test,
        crew: &mut Crew,
        bar: &Bar,
        stop: &dyn Fn(u64) -> bool,
    ) -> Result<Self, String> {
        let own = target.bounds();
        let close = options.close_within.map_or(own.close, Millis::duration);
        let bounds = Bounds { close, ..own };
        let scripts = match options.lasting {
            Some(_) => None,
            None => Some(options.scripts.unwrap_or(SCRIPTS)),
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
            if stop(progress.scripts) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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
        self.outcome.stale(self.target.stale_after()).filter(move |_| counts)
    }

    /// The findings that could not be saved, and why.
    pub fn not_saved(&self) -> impl Iterator<Item = (&Repro, &save::SaveError)> {
        self.saved.iter().filter_map(|(repro, saved)| Some((repro, saved.as_ref().err()?)))
    }

    /// The findings that could be told: those with a repro.
    fn findings(&self) -> impl Iterator<Item = Told<'_>> {
        self.outcome.findings.iter().filter_map(|finding| {
            let identity = finding.violation.identity;
            let (repro, path) = self.saved.iter().find(|(repro, _)| repro.identity == identity)?;
            Some(Told {
                repro,
                violation: &finding.violation,
                plays: finding.plays,
                rate: finding.rate,
                flaky: finding.is_flaky(),
                path: path.as_deref().ok(),
                url: None,
            })
        })
    }

    /// The campaign's result, for people.
    pub fn text(&self) -> String {
        let Outcome { scripts, findings, accepted, .. } = &self.outcome;
        let name = format!("{} ({})", self.target.name().bold(), self.target.version());
        let scripts = output::thousands(*scripts);
        let verdict = if findings.is_empty() {
            format!("{}", "clean".green())
        } else {
            format!("{}", output::count(findings.len(), "finding").red())
        };
        let mut text = format!("\n{name}: {verdict}, {scripts} scripts\n");
        for (number, group) in
            groups(self.findings(), |told| told.repro.identity).iter().enumerate()
        {
            let Some(first) = group.first() else { continue };
            let flaky = || format!("flaky: {:.0} % of replays show it", first.rate * 100.0);
            first.write(&mut text, number + 1, first.flaky.then(flaky).as_deref());
            finding_view::commands(&mut text, "more", group, |_, path| {
                format!("hangup show {path}")
            });
        }
        if self.outcome.given_up {
            let of = self
                .scripts
                .map_or_else(String::new, |all| format!(" of {}", output::thousands(all)));
            let said = format!(
                "given up after {scripts}{of} scripts: too many of them took down the process that \
                 they were played in. Mend that first; then the rest can be tested."
            );
            finding_view::remark(&mut text, &said);
        }
        for Accepted { deviation, fired } in accepted.iter().filter(|accepted| accepted.fired > 0) {
            let times = output::count(*fired as usize, "time");
            let head = format!(
                "accepted, {times}: {}: {}.",
                deviation.pattern.invariant(),
                deviation.reason
            );
            finding_view::remark(&mut text, &head);
            finding_view::indented(
                &mut text,
                "  ",
                &report::wrap_to(&format!("RFC 6455 {}", deviation.rfc), 78),
            );
        }
        for deviation in self.stale() {
            let head =
                format!("{}: {}", "stale".red(), report::stale(deviation, self.outcome.scripts));
            finding_view::remark(&mut text, &head);
        }
        text
    }

    fn json(&self) -> JsonTarget<'_> {
        let accepted = self.outcome.accepted.iter().map(|accepted| JsonAccepted {
            pattern: accepted.deviation.pattern,
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
            findings: self.findings().map(|told| told.json()).collect(),
            accepted: accepted.collect(),
        }
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
struct JsonAccepted {
    #[serde(flatten)]
    pattern: Pattern,
    reason: &'static str,
    rfc: &'static str,
    fired: u64,
    stale: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Serving;
    use crate::{Connection, Registry};

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
            assert!(text.contains(&format!("`{}", deviation.pattern.invariant())), "{text}");
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

    /// A target whose deviations take rare timing.
    struct Patient;

    impl Target for Patient {
        fn name(&self) -> &'static str {
            "patient"
        }

        fn version(&self) -> &'static str {
            "-"
        }

        fn about(&self) -> &'static str {
            "-"
        }

        fn stale_after(&self) -> u64 {
            30_000
        }

        fn serve(&self, _: Connection) -> Serving {
            Box::pin(async {})
        }
    }

    #[test]
    fn a_target_may_say_that_its_deviations_are_rare() {
        for (scripts, stale) in [(29_999, false), (30_000, true)] {
            let run = Run { target: Arc::new(Patient), ..run(scripts) };
            assert_eq!(run.stale().count() > 0, stale, "{scripts}");
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
