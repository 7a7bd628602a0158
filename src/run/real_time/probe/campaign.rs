//! The campaign: many scripts at once, and what each showed.
//!
//! A script that broke a rule while our own process was late is not judged: it is played again,
//! fewer at once, until it is judged or the time for that is used up. Nothing is shrunk or
//! confirmed here.

use super::finding::ProbeFinding;
use super::outcome::{ProbeOutcome, ProbeProgress};
use super::replay::is_light;
use super::{Clock, OnProgress, Probe};
use crate::exchange::{ConnectionId, Exchange};
use crate::finding::problem::{Problems, Sighting};
use crate::run::real_time::deaths::NotedDeath;
use crate::run::real_time::play::{Played, Watching};
use crate::run::real_time::player::{MAX_TRIES, Player};
use crate::run::real_time::preflight::check_url;
use crate::run::real_time::remote_subject::{UrlRole, pauses};
use crate::script::Script;
use crate::verdict::{Identity, Violation};
use crate::wire::handshake;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// How many of the scripts that showed one thing are kept, the shortest: one that showed it because
/// too much went on at once need not hide another.
const KEPT: usize = 6;
/// By how much fewer scripts are in play when they are played again.
const FEWER: usize = 2;

/// After how many deaths of the server a campaign plays no more scripts.
const MOST_DEATHS: usize = 12;
/// How many scripts of such a server are in play at least.
const LEAST: usize = 4;

/// A script that waits for its turn, or is in play.
#[derive(Clone, Debug)]
pub(super) struct PendingScript {
    pub index: u64,
    pub role: UrlRole,
    pub script: Script,
    /// How often there was no connection for it.
    tries: u32,
}

/// A violation that was neither shrunk nor confirmed yet.
pub(super) struct RawFinding {
    pub violation: Violation,
    pub exchange: Exchange,
    /// Scripts that showed it, the shortest first; the violation and the exchange are the first's.
    pub sources: Vec<PendingScript>,
    /// The indices of all that showed it.
    pub scripts: BTreeSet<u64>,
    /// Whether one of them was judged.
    pub is_judged: bool,
}

/// What was played and judged so far.
pub(super) struct Campaign<'a> {
    probe: &'a Probe,
    pub outcome: ProbeOutcome,
    pub findings: BTreeMap<Identity, RawFinding>,
    /// Scripts that were not judged, and what they showed.
    late: BTreeMap<u64, (PendingScript, Vec<Violation>)>,
    /// What was told of.
    told: Vec<Identity>,
    /// Whether the server died too often to go on.
    is_given_up: bool,
}

impl<'a> Campaign<'a> {
    pub fn new(probe: &'a Probe, sees_the_server: bool) -> Self {
        let outcome = ProbeOutcome { sees_the_server, ..ProbeOutcome::default() };
        let (findings, late, told) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { probe, outcome, findings, late, told, is_given_up: false }
    }

    /// Plays all scripts, as many at once as there may be, and again, fewer at once, those that
    /// were not judged.
    pub async fn play(&mut self, player: &Player, clock: Clock, on_progress: OnProgress<'_>) {
        let mut at_once = self.probe.concurrency;
        let waiting = self.pending_scripts();
        self.play_round(player, waiting, at_once, on_progress).await;
        let until = clock.judged();
        let goes_on = |own: &Self| own.outcome.trouble.is_none() && !own.is_given_up;
        while !self.late.is_empty() && goes_on(self) && Instant::now() < until {
            at_once = fewer(at_once, self.late.len());
            let again = self.late.values().map(|(pending, _)| pending.clone()).collect();
            let _ = timeout_at(until, self.play_round(player, again, at_once, on_progress)).await;
        }
        self.give_up_late();
    }

    /// The scripts: the most usual first, so that the most usual problems show soon; then those
    /// with the longest pauses, so that the last to be played are short.
    fn pending_scripts(&self) -> VecDeque<PendingScript> {
        let Probe { subject, limits, seed, .. } = self.probe;
        let draw = |index| {
            let (role, script) = subject.nth(&limits.bounds, *seed, index);
            PendingScript { index, role, script, tries: 0 }
        };
        let mut pending: Vec<PendingScript> = (0..self.probe.scripts).map(draw).collect();
        pending.sort_by_cached_key(|pending| {
            // What sends much would keep the server from answering the others.
            let is_usual =
                subject.is_usual(&limits.bounds, pending.index) && is_light(&pending.script);
            Reverse((is_usual, pauses(&pending.script)))
        });
        pending.into()
    }

    /// Plays scripts, so many at once.
    async fn play_round(
        &mut self,
        player: &Player,
        mut waiting: VecDeque<PendingScript>,
        at_once: usize,
        on_progress: OnProgress<'_>,
    ) {
        let probe = self.probe;
        let mut playing = JoinSet::new();
        let mut next_connection = interval(Duration::from_secs(1) / probe.rate.clamp(1, 1000));
        next_connection.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(waiting.is_empty() && playing.is_empty()) {
            // A death cuts off all that is in play: the more there were, the fewer are.
            let at_once =
                (at_once >> player.death_count().min(MOST_DEATHS)).max(at_once.min(LEAST));
            let may_begin = playing.len() < at_once && !waiting.is_empty();
            tokio::select! {
                biased;
                Some(done) = playing.join_next() => {
                    let (pending, starts, played): (PendingScript, u64, Result<Played, String>) = match done {
                        Ok(done) => done,
                        Err(error) => std::panic::resume_unwind(error.into_panic()),
                    };
                    match played {
                        Ok(played) => self.record_played(pending, played, on_progress),
                        Err(_) if player.died_since(starts).await => {
                            if !self.after_death(player, pending, &mut waiting).await {
                                self.is_given_up = true;
                                let left = waiting.len() + playing.len();
                                self.outcome.deaths.not_played += left as u64;
                                return;
                            }
                        }
                        Err(error) => {
                            self.outcome.trouble = self.retry_or_stop(pending, error, &mut waiting).await;
                            if self.outcome.trouble.is_some() {
                                return;
                            }
                        }
                    }
                    let suspects = self.findings.len();
                    on_progress(ProbeProgress::Playing(self.outcome.scripts, probe.scripts, suspects));
                }
                _ = next_connection.tick(), if may_begin => {
                    let Some(pending) = waiting.pop_front() else { continue };
                    let (player, subject) = (player.clone(), probe.part(pending.role).clone());
                    let starts = player.starts();
                    playing.spawn(async move {
                        let script = &pending.script;
                        let played = player.play_once(&subject, script, Watching::ToDeadline);
                        let mut played = played.await;
                        if let Ok(played) = &mut played {
                            player.settle_first_doubts(&subject, script, played).await;
                        }
                        (pending, starts, played)
                    });
                }
            }
        }
    }

    /// Takes in what a script showed, unless it broke a rule while our own process was late.
    fn record_played(
        &mut self,
        pending: PendingScript,
        played: Played,
        on_progress: OnProgress<'_>,
    ) {
        let mut violations = played.verdict.violations;
        violations.sort_by_key(|violation| violation.identity);
        violations.dedup_by_key(|violation| violation.identity);
        if played.was_late && !violations.is_empty() {
            self.late.insert(pending.index, (pending, violations));
            return;
        }
        self.late.remove(&pending.index);
        self.outcome.scripts += 1;
        let response = handshake::response(&played.exchange.bytes(ConnectionId::FIRST).to_actor)
            .ok()
            .flatten();
        if begins_with_plain_upgrade(&pending.script) {
            match response {
                Some(response) => self.outcome.refused += u64::from(response.status != 101),
                None => self.outcome.unanswered += 1,
            }
        }
        for violation in violations {
            let (seen, level) = (violation.identity, violation.level);
            let sighting = Sighting { first: pending.index, scripts: 1, level };
            // What may still end in another way is known once it was watched.
            if seen.endings().all(|ending| self.probe.accepts(ending)) {
                self.outcome.sightings.add(seen, sighting);
                continue;
            }
            if self.is_news(seen) {
                self.told.push(seen);
                let (script, url) =
                    (pending.script.clone(), self.probe.part(pending.role).name().to_owned());
                let (violation, exchange) = (violation.clone(), played.exchange.clone());
                let first = ProbeFinding::seen(violation, exchange, script, url);
                on_progress(ProbeProgress::Seen(&ProbeFinding { index: pending.index, ..first }));
            }
            let key = self.key_of(seen);
            self.outcome.sightings.add(key, sighting);
            match self.findings.get_mut(&key) {
                Some(raw) => raw.add(&pending, violation, &played.exchange),
                None => {
                    let raw = RawFinding::of(pending.clone(), violation, played.exchange.clone());
                    self.findings.insert(key, raw);
                }
            }
        }
    }

    /// The identity under which something is counted that shows the same up to the deadline.
    fn key_of(&self, seen: Identity) -> Identity {
        let same = |key: &&Identity| key.same_at_the_deadline(seen);
        self.findings.keys().find(same).copied().unwrap_or(seen)
    }

    /// Whether it belongs to none of the problems that were told of.
    fn is_news(&self, seen: Identity) -> bool {
        let all = Problems::of(self.told.iter().chain([&seen]).map(|told| told.problem()));
        let is_case = all.holds(seen.problem()) != seen.problem();
        let same = |told: &Identity| told.same_problem_at_the_deadline(seen);
        !is_case && !self.told.iter().any(same)
    }

    /// What was never judged is counted. It still says what to look for, where nothing else does.
    fn give_up_late(&mut self) {
        self.outcome.unjudged = self.late.len() as u64;
        for (pending, violations) in std::mem::take(&mut self.late).into_values() {
            for violation in violations {
                let key = self.key_of(violation.identity);
                let is_known =
                    violation.identity.endings().any(|ending| self.probe.accepts(ending));
                if is_known || self.findings.get(&key).is_some_and(|raw| raw.is_judged) {
                    continue;
                }
                let exchange = Exchange::new(false);
                match self.findings.get_mut(&key) {
                    Some(raw) => raw.add(&pending, violation, &exchange),
                    None => {
                        let raw = RawFinding::of(pending.clone(), violation, exchange);
                        self.findings.insert(key, RawFinding { is_judged: false, ..raw });
                    }
                }
            }
        }
    }

    /// The server died, and hangup starts it again: what was in play is played again, but for
    /// the script that is likely to have done it. Whether the campaign goes on.
    async fn after_death(
        &mut self,
        player: &Player,
        pending: PendingScript,
        waiting: &mut VecDeque<PendingScript>,
    ) -> bool {
        if let Err(trouble) = player.revive().await {
            self.outcome.trouble = Some(trouble);
        }
        let is_likely = |death: &NotedDeath| {
            death.suspects.first().is_some_and(|first| first.drawn == pending.script)
        };
        if player.deaths().iter().any(is_likely) {
            self.outcome.deaths.not_played += 1;
        } else {
            waiting.push_back(pending);
        }
        self.outcome.trouble.is_none() && player.death_count() < MOST_DEATHS
    }

    /// There was no connection. Is the server gone, or was it only busy?
    async fn retry_or_stop(
        &self,
        mut pending: PendingScript,
        error: String,
        waiting: &mut VecDeque<PendingScript>,
    ) -> Option<String> {
        pending.tries += 1;
        let (is_last, scripts) = (pending.tries >= MAX_TRIES, self.outcome.scripts);
        let Some(server) = self.probe.subject.first().server() else {
            waiting.push_back(pending);
            return is_last.then(|| format!("{error}; so it went after {scripts} scripts"));
        };
        let died = format!("{error}; the server died in the middle, after {scripts} scripts");
        if is_last {
            return Some(died);
        }
        let alive = check_url(server, UrlRole::Plain, None).await;
        waiting.push_back(pending);
        alive.err().map(|_| died)
    }
}

impl RawFinding {
    fn of(pending: PendingScript, violation: Violation, exchange: Exchange) -> Self {
        let scripts = BTreeSet::from([pending.index]);
        Self { violation, exchange, sources: vec![pending], scripts, is_judged: true }
    }

    /// Another script showed it. The shortest is shrunk.
    fn add(&mut self, pending: &PendingScript, violation: Violation, exchange: &Exchange) {
        let size = |pending: &PendingScript| (pending.script.steps.len(), pending.index);
        self.scripts.insert(pending.index);
        let place = self.sources.partition_point(|source| size(source) < size(pending));
        if place == 0 {
            (self.violation, self.exchange) = (violation, exchange.clone());
        }
        self.sources.insert(place, pending.clone());
        self.sources.truncate(KEPT);
    }
}

/// How many scripts are played again at once, of so many that were played with so many at once.
fn fewer(at_once: usize, scripts: usize) -> usize {
    (at_once.min(scripts) / FEWER).max(1)
}

/// Whether the script asks for a WebSocket as it should, and waits for the answer.
fn begins_with_plain_upgrade(script: &Script) -> bool {
    let upgrade = script.steps.first().is_some_and(|step| step.to_string() == "upgrade");
    upgrade && !script.steps.get(1).is_some_and(|step| step.joined)
}
