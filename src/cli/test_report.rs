//! One target's campaign, and what is to be told of it.

use super::args::{RunFormat, SCRIPTS, Test};
use super::baseline::Known;
use super::clock::now;
use super::progress::Bar;
use super::saved::Saved;
use super::{export, output, what_matters};
use crate::bounds::Bounds;
use crate::finding::Finding;
use crate::report::model::{Accepted, FindingReport, HowPlayed, Jump, TargetReport};
use crate::report::{self, StepSays};
use crate::run::campaign::{self, Campaign, CampaignOutcome, CampaignProgress, WhyUnjudged};
use crate::run::interrupt::INTERRUPTED;
use crate::run::workers::WorkerPool;
use crate::target::{Deviation, Target};
use crate::verdict::{Identity, Invariant, Level};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Plays the headlines that are about time while the clock runs, and takes out what ends in time.
/// Whether it did: not where somebody interrupts.
fn confirm(
    campaign: &Campaign,
    outcome: &mut CampaignOutcome,
    target: &Arc<dyn Target>,
    pool: &mut WorkerPool,
    bar: &Bar,
) -> Result<bool, String> {
    let questions = campaign.questions(outcome);
    if questions.is_empty() {
        return Ok(true);
    }
    bar.show_found();
    bar.aside(|| {
        output::note(&format!(
            "{}: confirming {} in real time, up to {} s: what ends late or never",
            target.name(),
            report::count(questions.len(), "problem"),
            campaign::lasting(&questions).as_secs_f64().ceil(),
        ));
    });
    match pool.play_in_real_time(target, campaign.bounds, &questions) {
        Err(interrupted) if interrupted == INTERRUPTED => Ok(false),
        answers => {
            let before = outcome.unjudged.len();
            campaign.take_answers(outcome, &questions, &answers?);
            let refuted = outcome.unjudged.len() - before;
            bar.aside(|| output::note(&confirmed(target.name(), questions.len(), refuted)));
            Ok(true)
        }
    }
}

/// What came of so many problems that were played in real time, of which so many ended in time.
fn confirmed(target: &str, played: usize, refuted: usize) -> String {
    let confirmed = played - refuted.min(played);
    match refuted {
        0 if played == 1 => format!("{target}: confirmed"),
        0 => format!("{target}: all {played} are confirmed"),
        _ if confirmed == 0 => format!("{target}: not confirmed: all connections ended in time"),
        _ => format!("{target}: {confirmed} of {played} confirmed, the others ended in time"),
    }
}

/// The longest script that is worth a line.
const SHORT: usize = 120;

/// A finding's script in a line of a terminal.
fn on_one_line(finding: &Finding) -> String {
    let script = finding.script.to_string().trim_end().replace('\n', "; ");
    if script.len() <= SHORT {
        return format!("`{script}`");
    }
    format!("a script of {}", report::count(finding.script.steps.len(), "step"))
}

/// Why a rule cannot be judged under these bounds, where it cannot: some ask for a bound that need not be set.
pub(super) fn has_no_bound(rule: Invariant, bounds: &Bounds) -> Option<&'static str> {
    let (bound, why) = match rule {
        Invariant::HandshakeInTime | Invariant::ConnectsInTime => {
            (bounds.handshake.is_some(), "no bound for the opening is set")
        }
        Invariant::IdleInTime => (bounds.idle.is_some(), "no bound for idle connections is set"),
        Invariant::BoundedMemory => (bounds.memory.is_some(), "no bound for memory is set"),
        _ => return None,
    };
    (!bound).then_some(why)
}

/// One target's campaign and what was saved of it.
pub(super) struct Run {
    pub target: Arc<dyn Target>,
    pub outcome: CampaignOutcome,
    pub saved: Saved,
    bounds: Bounds,
    /// What is known of the target.
    known: Known,
    /// What was found and is known too, although it is not listed.
    missed: Vec<Identity>,
    /// Whether the target was held to another bound than its own.
    held_otherwise: bool,
    /// How long it took to confirm problems in real time.
    pub confirming: Duration,
    /// How many scripts it was to be.
    scripts: Option<u64>,
    /// What matters in the scripts of problems, where that is to be told.
    matters: BTreeMap<Identity, Vec<StepSays>>,
}

impl Run {
    /// Plays the campaign, until its end or until `stop` says so of the scripts played.
    pub fn of(
        target: &Arc<dyn Target>,
        seed: u64,
        options: &Test,
        known: Known,
        pool: &mut WorkerPool,
        bar: &Bar,
        stop: &dyn Fn(u64) -> bool,
    ) -> Result<Self, String> {
        let bound_options = options.bound_options();
        let bounds = bound_options.hold(target.bounds());
        let scripts = match options.lasting {
            Some(_) => None,
            None => Some(options.scripts.unwrap_or(SCRIPTS)),
        };
        let mut saved = Saved::default();
        let mut shown = BTreeSet::new();
        let watch = |progress: CampaignProgress<'_>| {
            bar.tell(&progress);
            if let Some(finding) = progress.new_finding {
                let problem = finding.violation.identity.problem();
                if shown.insert(problem) {
                    bar.found(format!("{}: {problem}, by {}", target.name(), on_one_line(finding)));
                }
                let repro = report::repro(&**target, bounds, finding);
                if finding.shrunk {
                    saved.save(&options.findings, repro);
                } else {
                    saved.remember(repro);
                }
            }
            if stop(progress.scripts) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let all_variants = options.all_variants;
        let campaign = Campaign { bounds, seed, scripts, all_variants };
        let mut outcome = pool.run(&campaign, &known.patterns(), target, watch)?;
        let missed = known.take_missed(
            &mut outcome.findings,
            |finding| Some(finding.violation.identity),
            (&outcome.sightings, outcome.scripts - outcome.passed_over),
        );
        // Nobody waits for it who has interrupted the run.
        let began = now();
        if !(options.no_confirm || stop(0)) {
            outcome.stopped |= !confirm(&campaign, &mut outcome, target, pool, bar)?;
        }
        let confirming = began.elapsed();
        outcome.lost_workers = pool.take_lost();
        outcome.unjudged.retain(|unjudged| {
            let is_same = |finding: &Finding| finding.violation.identity == unjudged.identity;
            let is_known = known.patterns().iter().any(|known| known.matches(unjudged.identity));
            let is_lack = matches!(unjudged.why, WhyUnjudged::Lacks(_));
            is_lack || !is_known && !outcome.findings.iter().any(is_same)
        });
        let held_otherwise = bound_options.replace_some();
        let target = Arc::clone(target);
        let matters = BTreeMap::new();
        let mut run = Self {
            target,
            outcome,
            saved,
            bounds,
            known,
            missed,
            held_otherwise,
            confirming,
            scripts,
            matters,
        };
        let headlines = run.report().headlines();
        let findings = &run.outcome.findings;
        let is_found = |identity| findings.iter().any(|found| found.violation.identity == identity);
        run.saved
            .settle(&options.findings, &headlines, &|variant| all_variants && is_found(variant));
        let is_told = options.format == RunFormat::Json || options.html.is_some();
        if is_told && !stop(0) {
            run.matters = run.find_what_matters(&headlines, pool)?;
        }
        Ok(run)
    }

    /// What matters in the script of each problem, by plays. A text has no place for it: `show` tells it.
    fn find_what_matters(
        &self,
        headlines: &[Identity],
        pool: &mut WorkerPool,
    ) -> Result<BTreeMap<Identity, Vec<StepSays>>, String> {
        let mut all = BTreeMap::new();
        for finding in &self.outcome.findings {
            let Finding { script, runtime_seed, .. } = finding;
            let identity = finding.violation.identity;
            let is_minimal = finding.shrunk && headlines.contains(&identity);
            if !is_minimal || what_matters::takes_long(identity, script) {
                continue;
            }
            let played = (script, *runtime_seed);
            match what_matters::find(pool, &self.target, self.bounds, played, identity) {
                Err(interrupted) if interrupted == INTERRUPTED => break,
                matters => all.insert(identity, report::step_says(script, &matters?)),
            };
        }
        Ok(all)
    }

    /// Why a rule was not judged, where it was not: some are only where the target has a bound.
    pub fn has_no_bound(&self, rule: Invariant) -> Option<&'static str> {
        has_no_bound(rule, &self.bounds)
    }

    /// What is to be told of it.
    pub fn report(&self) -> TargetReport {
        let CampaignOutcome { scripts, passed_over, given_up, .. } = self.outcome;
        let findings = self.outcome.findings.iter().map(|finding| {
            let path = self.saved.path(finding.violation.identity);
            let path = path.map(Path::to_owned);
            let report = FindingReport::of(&*self.target, self.bounds, finding, path);
            let matters = self.matters.get(&finding.violation.identity).cloned();
            let matters = matters.unwrap_or_default();
            FindingReport { exports: export::can(&report.repro), matters, ..report }
        });
        let accepted = self.outcome.accepted.iter().map(|accepted| Accepted::Deviation {
            deviation: accepted.deviation,
            fired: accepted.fired,
            level: match accepted {
                campaign::Accepted { fired: 0, .. } => None,
                campaign::Accepted { must: 0, .. } => Some(Level::Should),
                _ => Some(Level::Must),
            },
            stale: self.stale().any(|stale| std::ptr::eq(stale, &raw const accepted.deviation)),
        });
        let known = self.known.accepted(&self.outcome.sightings, &self.missed);
        let played = scripts - passed_over;
        // What is known is known of the bounds that it was counted under; a stated rate, of the
        // target's own.
        let stated = self.outcome.accepted.iter().filter(|_| !self.held_otherwise);
        let jumps = stated.filter_map(|accepted| Jump::of_deviation(accepted, played));
        let jumps = jumps.chain(self.known.jumps(&self.outcome.sightings, &self.missed, played));
        TargetReport {
            name: self.target.name().to_owned(),
            version: self.target.version().to_owned(),
            scripts,
            findings: findings.collect(),
            sightings: self.outcome.sightings.clone(),
            accepted: accepted.chain(known).collect(),
            jumps: jumps.collect(),
            not_judged: Invariant::ALL
                .iter()
                .copied()
                .filter(|rule| self.has_no_bound(*rule).is_some())
                .collect(),
            played: HowPlayed::InProcess {
                given_up,
                passed_over,
                planned: self.scripts,
                unjudged: self.outcome.unjudged.clone(),
                close_option: report::close_option(&self.bounds),
                reach: self.outcome.reach.clone(),
                no_effect: self.outcome.reach.without_effect(self.target.obeys()),
                could_not_test: self.outcome.could_not_test.clone(),
                lost_workers: self.outcome.lost_workers,
            },
        }
    }

    /// The accepted deviations that never fired where they should have: not where the
    /// campaign was cut short, or the target was held to another bound than its own.
    fn stale(&self) -> impl Iterator<Item = &Deviation> {
        let CampaignOutcome { stopped, given_up, .. } = self.outcome;
        let counts = !(stopped || given_up || self.held_otherwise);
        self.outcome.stale(self.target.stale_after()).filter(move |_| counts)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Arc, BTreeMap, Bounds, CampaignOutcome, Deviation, Known, Run, Saved, Target, report,
    };
    use crate::report::Style;
    use crate::report::model::Summary;
    use crate::run::campaign::Accepted;
    use crate::target::Serving;
    use crate::verdict::{Invariant, Pattern};
    use crate::{Connection, Registry};
    use std::time::Duration;

    /// A campaign against a target with deviations, none of which fired.
    fn run(scripts: u64) -> Run {
        let registry = Registry::built_in();
        let target = Arc::clone(registry.find("tungstenite/reader-task").expect("built in"));
        let deviations = target.deviations().iter();
        let accepted =
            deviations.map(|deviation| Accepted { deviation: *deviation, fired: 0, must: 0 });
        let outcome =
            CampaignOutcome { scripts, accepted: accepted.collect(), ..CampaignOutcome::default() };
        Run {
            target,
            outcome,
            saved: Saved::default(),
            bounds: Bounds::default(),
            known: Known::default(),
            missed: Vec::new(),
            held_otherwise: false,
            confirming: Duration::ZERO,
            scripts: Some(scripts),
            matters: BTreeMap::new(),
        }
    }

    fn text(run: &Run) -> String {
        report::target(&run.report(), Style::default())
    }

    fn json(run: &Run) -> serde_json::Value {
        let targets = &[run.report()];
        let summary = Summary {
            seed: 0,
            scripts: 0,
            seconds: 0.0,
            confirming: 0.0,
            scripts_per_second: 0.0,
            interrupted: false,
            trouble: None,
            targets,
        };
        let text = report::json(&summary).expect("JSON");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json["targets"][0].clone()
    }

    fn stale_in_json(run: &Run) -> usize {
        let json = json(run);
        let accepted = json["accepted"].as_array().expect("a list").iter();
        accepted.filter(|accepted| accepted["stale"] == true).count()
    }

    #[test]
    fn a_deviation_that_never_fires_is_stale_and_says_what_to_do() {
        let run = run(20_000);
        let stale: Vec<Deviation> = run.stale().copied().collect();
        assert!(stale.len() > 1 && stale.len() == stale_in_json(&run), "{stale:?}");
        let text = text(&run).replace("\n  ", " ");
        for deviation in stale {
            assert!(text.contains(&format!("`{}", deviation.pattern.invariant())), "{text}");
        }
        assert!(text.contains("take it out of the target's deviations"), "{text}");
        let mut fired = run;
        fired.outcome.accepted[0].fired = 1;
        assert_eq!(fired.stale().count(), fired.outcome.accepted.len() - 1);
    }

    #[test]
    fn a_rare_deviation_is_stale_only_where_ten_scripts_were_to_show_it() {
        let stale = |rate: f64| {
            let mut run = run(20_000);
            run.outcome.accepted.truncate(1);
            run.outcome.accepted[0].deviation.rate = Some(rate);
            run.stale().count()
        };
        assert_eq!([stale(0.0004), stale(0.0006)], [0, 1]);
    }

    #[test]
    fn a_deviation_about_work_is_not_stale_for_want_of_scripts() {
        let mut run = run(20_000);
        let before = run.stale().count();
        run.outcome.accepted[0].deviation.pattern = Pattern::of(Invariant::LinearWork);
        assert_eq!(run.stale().count(), before - 1);
    }

    #[test]
    fn a_deviation_that_fires_far_more_often_than_it_states_has_jumped() {
        let jumps = |run: &Run| run.report().jumps.len();
        let fires = |times: f64, must: u64| {
            let mut run = run(20_000);
            let accepted = &mut run.outcome.accepted[0];
            let rate = accepted.deviation.rate.expect("it states one");
            accepted.fired = (times * rate * 20_000.0) as u64;
            accepted.must = must;
            run
        };
        assert_eq!(jumps(&fires(1.0, 1)) + jumps(&fires(2.0, 1)), 0);
        let jumped = fires(10.0, 1);
        assert!(jumps(&jumped) == 1 && jumped.report().has_jumped());
        let said = text(&jumped).replace("\n  ", " ");
        assert!(
            said.contains(
                "far more often than accepted: `legal-close` (must) is accepted, and shows in 3,6"
            ),
            "{said}"
        );
        assert!(said.contains("of 20,000 scripts (18 %); the target expects 1.8 %."), "{said}");
        assert_eq!(json(&jumped)["jumps"][0]["expected_rate"], 0.018);
        let only_should = fires(10.0, 0);
        assert!(jumps(&only_should) == 1 && !only_should.report().has_jumped());
        let other_bounds = Run { held_otherwise: true, ..jumped };
        assert_eq!(jumps(&other_bounds), 0);
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
            assert!(!text(&run).contains("stale"));
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
        let text = text(&run);
        assert!(text.contains("given up after 1,234 of 20,000 scripts"), "{text}");
        assert_eq!(json(&run)["given_up"], true);
    }

    #[test]
    fn a_report_says_how_many_scripts_were_passed_over_and_why() {
        let mut run = run(20_000);
        assert!(json(&run)["passed_over"] == 0 && !text(&run).contains("passed over"));
        run.outcome.passed_over = 1_234;
        let text = text(&run).replace("\n  ", " ");
        assert!(text.contains("passed over 1,234 of 20,000 scripts: they have steps in"), "{text}");
        assert_eq!(json(&run)["passed_over"], 1_234);
        assert_eq!(json(&run)["scripts"], 20_000, "all are accounted for");
    }
}
