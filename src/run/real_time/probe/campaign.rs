//! The campaign: many scripts at once, and what each showed.
//!
//! It shrinks nothing and confirms nothing.

use super::outcome::{ProbeOutcome, ProbeProgress};
use super::{OnProgress, Probe};
use crate::exchange::{ConnectionId, Exchange};
use crate::finding::problem::Sighting;
use crate::run::real_time::play::{Played, Watching};
use crate::run::real_time::player::{MAX_TRIES, Player};
use crate::run::real_time::preflight::check_url;
use crate::run::real_time::remote_urls::{UrlRole, pauses};
use crate::script::Script;
use crate::verdict::{Identity, Violation};
use crate::wire::handshake;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// A script that waits for its turn, or is in play.
#[derive(Clone, Debug)]
pub(super) struct PendingScript {
    pub index: u64,
    pub role: UrlRole,
    pub script: Script,
    /// How often it was played and not judged.
    pub tries: u32,
}

/// A violation that was neither shrunk nor confirmed yet.
pub(super) struct RawFinding {
    pub pending: PendingScript,
    pub violation: Violation,
    pub exchange: Exchange,
}

impl Probe {
    /// The scripts, those with the longest pauses first: then the last to be played
    /// are short.
    fn pending_scripts(&self) -> VecDeque<PendingScript> {
        let draw = |index| {
            let (role, script) = self.server.nth(&self.limits.bounds, self.seed, index);
            PendingScript { index, role, script, tries: 0 }
        };
        let mut pending: Vec<PendingScript> = (0..self.scripts).map(draw).collect();
        pending.sort_by_cached_key(|pending| std::cmp::Reverse(pauses(&pending.script)));
        pending.into()
    }

    /// Plays all scripts, as many at once as there may be.
    pub(super) async fn play_all(
        &self,
        player: &Player,
        outcome: &mut ProbeOutcome,
        raw_findings: &mut BTreeMap<Identity, RawFinding>,
        on_progress: OnProgress<'_>,
    ) {
        let mut waiting = self.pending_scripts();
        let mut playing = JoinSet::new();
        let mut next_connection = interval(Duration::from_secs(1) / self.rate.clamp(1, 1000));
        next_connection.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(waiting.is_empty() && playing.is_empty()) {
            let may_begin = playing.len() < self.concurrency && !waiting.is_empty();
            tokio::select! {
                biased;
                Some(done) = playing.join_next() => {
                    let (pending, played): (PendingScript, Result<Played, String>) = match done {
                        Ok(done) => done,
                        Err(error) => std::panic::resume_unwind(error.into_panic()),
                    };
                    match played {
                        Ok(played) => self.record_played(pending, played, outcome, raw_findings, &mut waiting),
                        Err(error) => {
                            outcome.trouble = self.retry_or_stop(pending, error, outcome, &mut waiting).await;
                            if outcome.trouble.is_some() {
                                return;
                            }
                        }
                    }
                    on_progress(ProbeProgress::Playing(outcome.scripts, self.scripts, raw_findings.len()));
                }
                _ = next_connection.tick(), if may_begin => {
                    let Some(pending) = waiting.pop_front() else { continue };
                    let (player, endpoint) = (player.clone(), self.url(pending.role).clone());
                    playing.spawn(async move {
                        let script = &pending.script;
                        let played = player.play_once(&endpoint, script, Watching::ToDeadline);
                        let mut played = played.await;
                        if let Ok(played) = &mut played {
                            player.settle_first_doubts(&endpoint, script, played).await;
                        }
                        (pending, played)
                    });
                }
            }
        }
    }

    /// Takes in what a script showed; one that was played while our own process was
    /// late, and broke a rule, is played again.
    fn record_played(
        &self,
        mut pending: PendingScript,
        played: Played,
        outcome: &mut ProbeOutcome,
        raw_findings: &mut BTreeMap<Identity, RawFinding>,
        waiting: &mut VecDeque<PendingScript>,
    ) {
        if played.was_late && !played.verdict.is_clean() {
            pending.tries += 1;
            if pending.tries < MAX_TRIES {
                waiting.push_back(pending);
            } else {
                outcome.unjudged += 1;
            }
            return;
        }
        outcome.scripts += 1;
        let response = handshake::response(&played.exchange.bytes(ConnectionId::FIRST).to_actor)
            .ok()
            .flatten();
        let refused = response.is_some_and(|response| response.status != 101);
        outcome.refused += u64::from(refused && begins_with_plain_upgrade(&pending.script));
        let mut violations = played.verdict.violations;
        violations.sort_by_key(|violation| violation.identity);
        violations.dedup_by_key(|violation| violation.identity);
        for violation in violations {
            let (seen, level) = (violation.identity, violation.level);
            let sighting = Sighting { first: pending.index, scripts: 1, level };
            // What may still end in another way is known once it was watched.
            if seen.endings().all(|ending| self.accepts(ending)) {
                outcome.sightings.add(seen, sighting);
                continue;
            }
            let same = |key: &&Identity| key.same_at_the_deadline(seen);
            let key = raw_findings.keys().find(same).copied().unwrap_or(seen);
            outcome.sightings.add(key, sighting);
            // Of several scripts the shortest is shrunk.
            let size = |pending: &PendingScript| (pending.script.steps.len(), pending.index);
            if raw_findings.get(&key).is_none_or(|raw| size(&pending) < size(&raw.pending)) {
                let (pending, exchange) = (pending.clone(), played.exchange.clone());
                raw_findings.insert(key, RawFinding { pending, violation, exchange });
            }
        }
    }

    /// There was no connection. Is the server gone, or was it only busy?
    async fn retry_or_stop(
        &self,
        mut pending: PendingScript,
        error: String,
        outcome: &ProbeOutcome,
        waiting: &mut VecDeque<PendingScript>,
    ) -> Option<String> {
        pending.tries += 1;
        let died =
            format!("{error}; the server died in the middle, after {} scripts", outcome.scripts);
        if pending.tries >= MAX_TRIES {
            return Some(died);
        }
        let plain = self.url(UrlRole::Plain);
        let alive = check_url(plain, UrlRole::Plain, None).await;
        waiting.push_back(pending);
        alive.err().map(|_| died)
    }
}

/// Whether the script asks for a WebSocket as it should, and waits for the answer.
fn begins_with_plain_upgrade(script: &Script) -> bool {
    let upgrade = script.steps.first().is_some_and(|step| step.to_string() == "upgrade");
    upgrade && !script.steps.get(1).is_some_and(|step| step.joined)
}
