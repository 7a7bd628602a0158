//! A campaign over TCP: many scripts at once against a running server.
//!
//! Most of a script is waiting, so hundreds run at once: a campaign takes about as long as its
//! longest scripts, not as their sum. A script that breaks a rule is shrunk, and then played
//! again alone, at least twice, before it is reported.
//!
//! It prints nothing: a callback gets [`ProbeProgress`].

use super::play::{Played, Watching};
use super::player::{MAX_TRIES, PlayLimits, Player, RemoteShrunk};
use super::remote_urls::{RemoteServer, UrlRole, pauses};
use crate::exchange::{ConnectionId, Exchange};
use crate::finding::problem::{Sighting, Sightings};
use crate::judge::not_repeated;
use crate::script::Script;
use crate::transport::tcp::endpoint::Endpoint;
use crate::verdict::{Identity, Pattern, Problem, Reason, Violation};
use crate::wire::handshake;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// How often a finding is played again.
const REPLAYS: u32 = 2;
/// How often one that did not show every time.
const MORE_REPLAYS: u32 = 5;
/// How many findings are shrunk and confirmed; a server that breaks more is better
/// looked at with fewer.
const FINDINGS: usize = 48;

/// The settings of a probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The server under test.
    pub server: RemoteServer,
    /// Bounds, slack and horizon.
    pub limits: PlayLimits,
    /// Names the scripts, together with their index.
    pub seed: u64,
    /// How many scripts to play.
    pub scripts: u64,
    /// How many connections at once.
    pub concurrency: usize,
    /// How many new connections a second, at most 1,000.
    pub rate: u32,
    /// Whether every variant of a problem is shrunk, and not its shortest script alone.
    pub all_variants: bool,
    /// What is known and accepted, as patterns ([`Pattern::matches`]): it is counted, and neither
    /// shrunk nor reported.
    pub accepted: Vec<Pattern>,
}

/// A finding over TCP.
#[derive(Clone, Debug)]
pub struct ProbeFinding {
    /// The violation, as the script shows it.
    pub violation: Violation,
    /// The minimal script, where it is shrunk; else the shortest that was found.
    pub script: Script,
    /// Whether the script is shrunk.
    pub shrunk: bool,
    /// The URL that it was played on.
    pub url: String,
    /// The index in the campaign of the script that it was shrunk from.
    pub index: u64,
    /// How many plays shrinking took.
    pub plays: u32,
    /// How often it was played again alone; 0 where the campaign was cut short.
    pub replays: u32,
    /// How many of these showed it.
    pub shown: u32,
    /// Why it is not held against the server, where it is not: a control acquitted it, or it
    /// never showed again alone.
    pub dismissed: Option<Reason>,
    /// The minimal script's exchange.
    pub exchange: Exchange,
}

impl ProbeFinding {
    /// Whether it is not held against the server: it never showed again alone, or is no
    /// answer to what the client did.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.is_some()
    }

    /// Whether it did not show every time that it was played again.
    pub fn is_flaky(&self) -> bool {
        self.shown < self.replays
    }

    /// Takes a smaller script, and what it shows up to the horizon; where that is not
    /// the finding, it stays as it was first seen.
    fn take_shrunk(&mut self, shrunk: RemoteShrunk, last: Option<Played>) {
        self.plays = shrunk.plays;
        let Some(last) = last else { return };
        if let Some(violation) = last.verdict.find(self.violation.identity) {
            self.violation = violation.clone();
            self.script = shrunk.script;
            self.exchange = last.exchange;
        }
    }

    /// Of the replays, the share that showed it; 1 where there were none.
    pub fn rate(&self) -> f64 {
        if self.replays == 0 { 1.0 } else { f64::from(self.shown) / f64::from(self.replays) }
    }
}

/// The outcome of a probe.
#[derive(Clone, Debug, Default)]
pub struct ProbeOutcome {
    /// How many scripts were played and judged.
    pub scripts: u64,
    /// The findings, by key.
    pub findings: Vec<ProbeFinding>,
    /// How often each variant of a problem was seen, those that are dismissed included.
    pub sightings: Sightings,
    /// What of the accepted was seen, and in how many scripts.
    pub accepted: BTreeMap<Identity, u64>,
    /// Scripts that broke a rule while our own process was late, again and again: not judged.
    pub unjudged: u64,
    /// Scripts whose whole request was not answered with 101.
    pub refused: u64,
    /// Findings beyond the limit, neither shrunk nor confirmed.
    pub passed_over: usize,
    /// Whether the server's end of its connections was seen.
    pub sees_the_server: bool,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Why it could not go on, in one line.
    pub trouble: Option<String>,
}

/// How far a probe is.
#[derive(Clone, Copy, Debug)]
pub enum ProbeProgress<'a> {
    /// Scripts are played: so many of so many, with so many findings.
    Playing(u64, u64, usize),
    /// Findings are shrunk: so many of so many.
    Shrinking(usize, usize),
    /// Findings are played again alone: so many of so many.
    Confirming(usize, usize),
    /// A finding that is complete.
    News(&'a ProbeFinding),
}

/// A script that waits for its turn, or is in play.
#[derive(Clone, Debug)]
struct PendingScript {
    index: u64,
    role: UrlRole,
    script: Script,
    /// How often it was played and not judged.
    tries: u32,
}

/// A violation that was neither shrunk nor confirmed yet.
struct RawFinding {
    pending: PendingScript,
    violation: Violation,
    exchange: Exchange,
}

impl Probe {
    /// Plays the campaign until its end, or until `stop` says true.
    ///
    /// # Errors
    ///
    /// One line: why the server cannot be tested at all.
    pub async fn run(
        &self,
        mut stop: watch::Receiver<bool>,
        on_progress: &mut (dyn FnMut(ProbeProgress<'_>) + Send),
    ) -> Result<ProbeOutcome, String> {
        let player = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {
                return Ok(ProbeOutcome { stopped: true, ..ProbeOutcome::default() });
            }
            player = Player::preflight(&self.server, self.limits, self.concurrency) => player?,
        };
        let sees_the_server = player.sees_the_server();
        let mut outcome = ProbeOutcome { sees_the_server, ..ProbeOutcome::default() };
        let mut raw_findings = BTreeMap::new();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
            () = self.play_all(&player, &mut outcome, &mut raw_findings, on_progress) => {}
        }
        while raw_findings.len() > FINDINGS {
            raw_findings.pop_last();
            outcome.passed_over += 1;
        }
        let mut found: Vec<ProbeFinding> =
            raw_findings.into_values().map(|raw| self.unconfirmed(raw)).collect();
        if !outcome.stopped && outcome.trouble.is_none() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
                trouble = self.shrink_and_confirm(&player, &mut found, on_progress) => outcome.trouble = trouble,
            }
        }
        for unconfirmed in found.iter().filter(|found| found.replays == 0) {
            on_progress(ProbeProgress::News(unconfirmed));
        }
        outcome.findings = found;
        Ok(outcome)
    }

    fn url(&self, role: UrlRole) -> &Endpoint {
        self.server.endpoint(role).expect("scripts are drawn for parts that there are")
    }

    fn unconfirmed(&self, RawFinding { pending, violation, exchange }: RawFinding) -> ProbeFinding {
        let url = self.url(pending.role).url.clone();
        let PendingScript { index, script, .. } = pending;
        let (plays, replays, shown, dismissed) = (0, 0, 0, None);
        let shrunk = false;
        ProbeFinding {
            violation,
            script,
            shrunk,
            url,
            index,
            plays,
            replays,
            shown,
            dismissed,
            exchange,
        }
    }

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
    async fn play_all(
        &self,
        player: &Player,
        outcome: &mut ProbeOutcome,
        raw_findings: &mut BTreeMap<Identity, RawFinding>,
        on_progress: &mut (dyn FnMut(ProbeProgress<'_>) + Send),
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
                        let played = player.play_once(&endpoint, &pending.script, Watching::ToDeadline);
                        let played = played.await;
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
            let key = violation.identity;
            if self.accepted.iter().any(|pattern| pattern.matches(key)) {
                *outcome.accepted.entry(key).or_default() += 1;
                continue;
            }
            outcome.sightings.add(key, Sighting { first: pending.index, scripts: 1 });
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
        let alive = super::preflight::check_url(plain, UrlRole::Plain, None).await;
        waiting.push_back(pending);
        alive.err().map(|_| died)
    }

    /// What is shrunk: of each problem the variant with the shortest script, where not all are.
    fn to_shrink(&self, found: &[ProbeFinding]) -> BTreeSet<Identity> {
        if self.all_variants {
            return found.iter().map(|found| found.violation.identity).collect();
        }
        let mut shortest: BTreeMap<Problem, &ProbeFinding> = BTreeMap::new();
        let size = |found: &ProbeFinding| (found.script.steps.len(), found.index);
        for found in found {
            let problem = found.violation.identity.problem();
            let so_far = shortest.entry(problem).or_insert(found);
            if size(found) < size(so_far) {
                *so_far = found;
            }
        }
        shortest.values().map(|found| found.violation.identity).collect()
    }

    /// Shrinks what is [to be shrunk](Self::to_shrink), all at once, and then plays each again, alone.
    async fn shrink_and_confirm(
        &self,
        player: &Player,
        found: &mut [ProbeFinding],
        on_progress: &mut (dyn FnMut(ProbeProgress<'_>) + Send),
    ) -> Option<String> {
        let all = found.len();
        let to_shrink = self.to_shrink(found);
        let width = self.concurrency / to_shrink.len().max(1);
        let mut shrinking = JoinSet::new();
        for (place, found) in found.iter_mut().enumerate() {
            found.shrunk = to_shrink.contains(&found.violation.identity);
            let shrinks = found.shrunk;
            let (player, key, script) =
                (player.clone(), found.violation.identity, found.script.clone());
            let role = self.role_of(found);
            let endpoint = self.url(role).clone();
            shrinking.spawn(async move {
                // What does not show again is not worth shrinking.
                let shrunk = if shrinks && player.repeats(&endpoint, key, &script).await {
                    player.shrink(&endpoint, role, key, script, width).await
                } else {
                    RemoteShrunk { script, plays: 0 }
                };
                let last =
                    player.play_until_on_time(&endpoint, &shrunk.script, Watching::ToHorizon).await;
                (place, shrunk, last.ok())
            });
        }
        let mut done = 0;
        while let Some(Ok((place, shrunk, last))) = shrinking.join_next().await {
            found[place].take_shrunk(shrunk, last);
            done += 1;
            on_progress(ProbeProgress::Shrinking(done, all));
        }
        // What was shrunk alone, or else the first of each problem; then the other variants, all
        // together.
        let of = |found: &ProbeFinding| found.violation.identity.problem();
        let is_first = |place: usize| place == 0 || of(&found[place - 1]) != of(&found[place]);
        let is_alone = |place: &usize| {
            if self.all_variants { is_first(*place) } else { found[*place].shrunk }
        };
        let (firsts, others): (Vec<usize>, Vec<usize>) = (0..all).partition(is_alone);
        for (number, place) in firsts.iter().enumerate() {
            if let Err(error) = self.confirm(player, &mut found[*place]).await {
                return Some(format!("{error}; the server died while findings were played again"));
            }
            on_progress(ProbeProgress::Confirming(number + 1, all));
            on_progress(ProbeProgress::News(&found[*place]));
        }
        let mut confirming = JoinSet::new();
        for place in others {
            let (probe, player, mut one) = (self.clone(), player.clone(), found[place].clone());
            confirming.spawn(async move {
                let confirmed = probe.confirm(&player, &mut one).await;
                (place, confirmed.map(|()| one))
            });
        }
        let mut confirmed = firsts.len();
        while let Some(Ok((place, one))) = confirming.join_next().await {
            match one {
                Ok(one) => found[place] = one,
                Err(error) => {
                    return Some(format!(
                        "{error}; the server died while findings were played again"
                    ));
                }
            }
            confirmed += 1;
            on_progress(ProbeProgress::Confirming(confirmed, all));
            on_progress(ProbeProgress::News(&found[place]));
        }
        None
    }

    /// Plays the minimal script again.
    async fn confirm(&self, player: &Player, found: &mut ProbeFinding) -> Result<(), String> {
        let endpoint = self.url(self.role_of(found));
        let decided = player
            .decide(endpoint, &found.script, found.violation.clone(), &found.exchange)
            .await?;
        (found.violation, found.dismissed) = decided.into_parts();
        let (mut replays, mut shown) = (0, 0);
        while replays < if shown == replays { REPLAYS } else { MORE_REPLAYS } {
            let played =
                player.play_until_on_time(endpoint, &found.script, Watching::ToDeadline).await?;
            replays += 1;
            shown += u32::from(played.verdict.find(found.violation.identity).is_some());
        }
        (found.replays, found.shown) = (replays, shown);
        found.dismissed = found.dismissed.or(not_repeated(shown, replays));
        Ok(())
    }

    fn role_of(&self, found: &ProbeFinding) -> UrlRole {
        let own = self.server.urls().find(|(_, endpoint)| endpoint.url == found.url);
        own.map_or(UrlRole::Plain, |(role, _)| role)
    }
}

/// Whether the script asks for a WebSocket as it should, and waits for the answer.
fn begins_with_plain_upgrade(script: &Script) -> bool {
    let upgrade = script.steps.first().is_some_and(|step| step.to_string() == "upgrade");
    upgrade && !script.steps.get(1).is_some_and(|step| step.joined)
}
