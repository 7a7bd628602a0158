//! Before a campaign reports that a connection ends late, or never: the headline of each such
//! problem is played once while the clock runs. One that ends in time then is no finding.
//!
//! Here is what is asked, and what the answers mean. Who plays is the caller's business: all at
//! once, in workers or on threads.

use super::unjudged::{Unjudged, WhyUnjudged};
use super::{Campaign, CampaignOutcome};
use crate::bounds::Bounds;
use crate::exchange::{Exchange, Time};
use crate::finding::Finding;
use crate::finding::problem::{by_problem, headline_order};
use crate::judge::{judge, next_deadline};
use crate::run::virtual_time::in_real_time::{self, SLACK};
use crate::script::Script;
use crate::target::Target;
use crate::verdict::{Ending, Identity, Invariant};
use crate::view::View;
use std::sync::Arc;
use std::time::Duration;

/// A script to be played while the clock runs.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub script: Script,
    pub runtime_seed: u64,
    /// How long it lasts at most, beside the slack: the script and the bound.
    pub limit: Duration,
    /// The headline that it is about.
    pub headline: Identity,
    /// All variants of its problem.
    variants: Vec<Identity>,
}

/// How long it takes to ask all these at once.
#[cfg(feature = "cli")]
pub(crate) fn lasting(questions: &[Question]) -> Duration {
    let longest = questions.iter().map(|question| question.limit).max();
    longest.map_or(Duration::ZERO, |longest| longest.saturating_add(SLACK))
}

/// Plays all of them in this process, each on a thread of its own.
pub(crate) fn play_on_threads(
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    questions: &[Question],
) -> Vec<Option<Exchange>> {
    let play = |Question { script, runtime_seed, limit, .. }: &Question| {
        in_real_time::play(None, target, bounds, script, *runtime_seed, *limit)
    };
    std::thread::scope(|scope| {
        let playing: Vec<_> =
            questions.iter().map(|question| scope.spawn(move || play(question))).collect();
        playing.into_iter().map(|played| played.join().ok()).collect()
    })
}

impl Campaign {
    /// What to play before the findings are reported: the headline of each problem that is about
    /// time.
    pub(crate) fn questions(&self, outcome: &CampaignOutcome) -> Vec<Question> {
        let grouped = by_problem(&outcome.findings, |finding| finding.violation.identity);
        let question = |(problem, variants): (_, Vec<&Finding>)| {
            let order = |finding: &&&Finding| {
                let identity = finding.violation.identity;
                headline_order(problem, identity, finding.shrunk, &finding.script)
            };
            let headline = *variants.iter().min_by_key(order)?;
            Some(Question {
                limit: self.limit(headline)?,
                script: headline.script.clone(),
                runtime_seed: headline.runtime_seed,
                headline: headline.violation.identity,
                variants: variants.iter().map(|finding| finding.violation.identity).collect(),
            })
        };
        grouped.into_iter().filter_map(question).collect()
    }

    /// By when the connection of a finding had to end; `None` where it is not about that, or was
    /// late by so little that real time cannot tell.
    fn limit(&self, finding: &Finding) -> Option<Duration> {
        let violation = &finding.violation;
        let served = violation.identity.invariant() == Invariant::RefusesIllegal;
        let is_about_time = violation.owed.is_some() || served;
        let due = || {
            let owed = violation.owed.map(|owed| owed.deadline);
            owed.or_else(|| next_deadline(&finding.exchange, violation.connection, &self.bounds))
        };
        let limit = match violation.ending {
            _ if !is_about_time => None,
            Ending::Late(at) if due().is_some_and(|due| at <= due.after(SLACK)) => None,
            Ending::Late(at) => Some(due().unwrap_or(at)),
            Ending::Never | Ending::Ticking(_) => due(),
            Ending::InTime | Ending::Spinning(_) | Ending::Open(_) | Ending::Unproven(_) => None,
        };
        limit.map(Time::since_accept)
    }

    /// Takes the findings out that the plays in real time do not confirm, each problem with its
    /// headline. Where nobody could play, a finding stays.
    pub(crate) fn take_answers(
        &self,
        outcome: &mut CampaignOutcome,
        questions: &[Question],
        answers: &[Option<Exchange>],
    ) {
        for (Question { headline, variants, .. }, answer) in questions.iter().zip(answers) {
            let rule = headline.invariant();
            let is_refuted =
                answer.as_ref().is_some_and(|played| ended_in_time(rule, played, &self.bounds));
            if !is_refuted {
                continue;
            }
            let is_theirs = |finding: &Finding| variants.contains(&finding.violation.identity);
            let gone = outcome.findings.extract_if(.., |finding| is_theirs(finding));
            let level = gone.map(|finding| finding.violation.level).min();
            let sightings = &outcome.sightings;
            let seen = variants.iter().filter_map(|variant| sightings.of(*variant));
            let first = seen.clone().map(|seen| seen.first).min();
            outcome.unjudged.extend(level.map(|level| Unjudged {
                identity: *headline,
                level,
                why: WhyUnjudged::EndedInRealTime,
                first: first.unwrap_or_default(),
                scripts: seen.map(|seen| seen.scripts).sum(),
            }));
        }
    }
}

/// Whether it is certain that all connections ended in time, or were let go of where the rule is about
/// that; of a shutdown, that it was over.
fn ended_in_time(rule: Invariant, played: &Exchange, bounds: &Bounds) -> bool {
    let views = played.connections().map(|connection| View::of(played, connection));
    let views: Vec<View<'_>> = views.collect();
    if views.iter().any(|view| view.firsts.died.is_some() || view.firsts.spun.is_some()) {
        return false;
    }
    let verdict = judge(played, bounds);
    let is_late = verdict
        .violations
        .iter()
        .any(|violation| violation.owed.is_some() || violation.identity.invariant() == rule);
    let has_ended = |view: &View<'_>| match rule {
        Invariant::ShutsDownInTime => view.firsts.returned.is_some(),
        Invariant::ReleasesInTime => view.released().is_some(),
        _ => view.ended().is_some() || !view.is_accepted(),
    };
    views.iter().all(has_ended) && !is_late
}
