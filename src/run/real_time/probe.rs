//! A campaign over TCP: many scripts at once against a running server.
//!
//! Most of a script is waiting, so hundreds run at once: a campaign takes about as long as its
//! longest scripts, not as their sum. A script that breaks a rule is shrunk, and then played
//! again alone, at least twice, before it is reported. A connection of the minimal script that
//! is open at the horizon is watched on meanwhile: does the server end it by itself, and when?
//!
//! It prints nothing: a callback gets [`ProbeProgress`].

use super::play::{OpenConnection, Played, Watching};
use super::player::{MAX_TRIES, PlayLimits, Player, RemoteShrunk};
use super::remote_urls::{RemoteServer, UrlRole, pauses};
use crate::exchange::{ConnectionId, Exchange};
use crate::finding::problem::{Sighting, Sightings};
use crate::judge::not_repeated;
use crate::script::Script;
use crate::transport::tcp::endpoint::Endpoint;
use crate::verdict::{Ending, Identity, Pattern, Problem, Reason, Violation};
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
/// looked at with fewer. At most as many connections are watched on.
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
    /// the finding, it stays as it was first seen. Whether it was taken.
    fn take_shrunk(&mut self, shrunk: RemoteShrunk, last: Option<Played>) -> bool {
        self.plays = shrunk.plays;
        let taken = last.is_some_and(|last| self.take_play(last));
        if taken {
            self.script = shrunk.script;
        }
        taken
    }

    /// Takes what a play of its script shows, where that is the finding.
    fn take_play(&mut self, played: Played) -> bool {
        let Some(violation) = played.verdict.find_at_the_deadline(self.violation.identity) else {
            return false;
        };
        self.violation = violation.clone();
        self.exchange = played.exchange;
        true
    }

    /// Whether it says of a connection that is still open that its end is overdue.
    fn is_open(&self) -> bool {
        let Violation { owed, ending, .. } = &self.violation;
        owed.is_some() && matches!(ending, Ending::Open(_))
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
    /// How often each variant of a problem was seen, those included that are dismissed, and those
    /// that are accepted.
    pub sightings: Sightings,
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
    /// Connections are watched on: so many of so many have ended, or are given up.
    Watching(usize, usize),
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

/// A finding that is being looked into.
struct Candidate {
    finding: ProbeFinding,
    /// As the campaign saw it; once it was watched on, the finding may have another symptom.
    key: Identity,
    state: CandidateState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CandidateState {
    /// It is to be reported, or is no finding; not everything is known yet.
    Pending,
    /// It was reported.
    Reported,
    /// The connection was watched on: it is known and accepted.
    Accepted,
    /// The connection was watched on: it is the same as one that was reported.
    Merged,
}

/// A play up to the horizon, and its connection where that is still open then.
type KeptPlay = (Played, Option<OpenConnection>);

/// What shrinking a finding came to.
enum ShrinkResult {
    /// It was watched first, and turned out to be known and accepted.
    Accepted(Identity),
    /// A smaller script, and its play up to the horizon.
    Shrunk(RemoteShrunk, Option<Box<KeptPlay>>),
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
        let mut candidates: Vec<Candidate> =
            raw_findings.into_iter().map(|(key, raw)| self.candidate(key, raw)).collect();
        if !outcome.stopped && outcome.trouble.is_none() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
                trouble = self.investigate(&player, &mut candidates, &mut outcome, on_progress) => {
                    outcome.trouble = trouble;
                }
            }
        }
        for Candidate { finding, key, state } in &candidates {
            if *state != CandidateState::Accepted {
                outcome.sightings.rename(*key, finding.violation.identity);
            }
        }
        let is_left = |one: &Candidate| {
            matches!(one.state, CandidateState::Pending | CandidateState::Reported)
        };
        candidates.retain(is_left);
        for left in candidates.iter().filter(|one| one.state == CandidateState::Pending) {
            on_progress(ProbeProgress::News(&left.finding));
        }
        outcome.findings = candidates.into_iter().map(|candidate| candidate.finding).collect();
        outcome.findings.sort_by_key(|finding| finding.violation.identity);
        Ok(outcome)
    }

    fn url(&self, role: UrlRole) -> &Endpoint {
        self.server.endpoint(role).expect("scripts are drawn for parts that there are")
    }

    fn candidate(&self, key: Identity, raw: RawFinding) -> Candidate {
        let RawFinding { pending, violation, exchange } = raw;
        let url = self.url(pending.role).url.clone();
        let PendingScript { index, script, .. } = pending;
        let (plays, replays, shown, dismissed) = (0, 0, 0, None);
        let shrunk = false;
        let finding = ProbeFinding {
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
        };
        Candidate { finding, key, state: CandidateState::Pending }
    }

    fn accepts(&self, identity: Identity) -> bool {
        self.accepted.iter().any(|pattern| pattern.matches(identity))
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

    /// What is shrunk: of each problem the variant with the shortest script, where not all are.
    fn to_shrink(&self, found: &[Candidate]) -> BTreeSet<Identity> {
        if self.all_variants {
            return found.iter().map(|one| one.key).collect();
        }
        let mut shortest: BTreeMap<Problem, &Candidate> = BTreeMap::new();
        let size = |one: &Candidate| (one.finding.script.steps.len(), one.finding.index);
        for one in found {
            let so_far = shortest.entry(one.key.problem()).or_insert(one);
            if size(one) < size(so_far) {
                *so_far = one;
            }
        }
        shortest.values().map(|one| one.key).collect()
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

    /// Shrinks what is [to be shrunk](Self::to_shrink), all at once, and then plays each again,
    /// alone. What is still open at the horizon is watched on meanwhile.
    async fn investigate(
        &self,
        player: &Player,
        found: &mut [Candidate],
        outcome: &mut ProbeOutcome,
        on_progress: &mut (dyn FnMut(ProbeProgress<'_>) + Send),
    ) -> Option<String> {
        let all = found.len();
        let mut shrinking = self.begin_to_shrink(player, found);
        let mut watching = JoinSet::new();
        // Those that are not whole without that: they are watched, or did not show at the horizon.
        let mut watched = BTreeSet::new();
        let mut unseen = Vec::new();
        let mut done = 0;
        while let Some(Ok((place, result))) = shrinking.join_next().await {
            let candidate = &mut found[place];
            match result {
                ShrinkResult::Accepted(identity) => candidate.accept(identity, outcome),
                ShrinkResult::Shrunk(shrunk, last) => {
                    let finding = &mut candidate.finding;
                    let (last, open) = last.map_or((None, None), |kept| (Some(kept.0), kept.1));
                    let taken = finding.take_shrunk(shrunk, last);
                    let longer = self.limits.watch > self.limits.horizon;
                    if !taken && finding.is_open() {
                        watched.insert(place);
                        unseen.push(place);
                    } else if let Some(open) = open.filter(|_| longer && finding.is_open()) {
                        let player = player.clone();
                        watched.insert(place);
                        watching.spawn(async move { (place, Some(player.watch_on(open).await)) });
                    }
                }
            }
            done += 1;
            on_progress(ProbeProgress::Shrinking(done, all));
        }
        let trouble = self.confirm_all(player, found, &watched, on_progress).await;
        if trouble.is_some() {
            return trouble;
        }
        for place in unseen {
            let finding = &found[place].finding;
            let endpoint = self.url(self.role_of(finding)).clone();
            let (player, key) = (player.clone(), finding.violation.identity);
            let script = finding.script.clone();
            watching.spawn(async move {
                (place, player.play_until_shown_and_watch(&endpoint, key, &script).await)
            });
        }
        let mut done = 0;
        on_progress(ProbeProgress::Watching(done, watched.len()));
        while let Some(Ok((place, played))) = watching.join_next().await {
            if let Some(played) = played {
                found[place].finding.take_play(played);
            }
            let identity = found[place].finding.violation.identity;
            let reported = |other: &Candidate| {
                let is_reported = other.state == CandidateState::Reported;
                is_reported && other.finding.violation.identity == identity
            };
            if self.accepts(identity) {
                found[place].accept(identity, outcome);
            } else if found.iter().any(reported) {
                found[place].state = CandidateState::Merged;
            } else {
                found[place].report(on_progress);
            }
            done += 1;
            on_progress(ProbeProgress::Watching(done, watched.len()));
        }
        None
    }

    /// Begins to shrink what was found, all at once.
    fn begin_to_shrink(
        &self,
        player: &Player,
        found: &mut [Candidate],
    ) -> JoinSet<(usize, ShrinkResult)> {
        let to_shrink = self.to_shrink(found);
        let width = self.concurrency / to_shrink.len().max(1);
        let mut shrinking = JoinSet::new();
        for (place, Candidate { finding, key, .. }) in found.iter_mut().enumerate() {
            finding.shrunk = to_shrink.contains(key);
            let shrinks = finding.shrunk;
            let (probe, player) = (self.clone(), player.clone());
            let (key, script) = (finding.violation.identity, finding.script.clone());
            let role = self.role_of(finding);
            let endpoint = self.url(role).clone();
            shrinking.spawn(async move {
                if let Some(known) =
                    probe.known_once_watched(&player, &endpoint, key, &script).await
                {
                    return (place, ShrinkResult::Accepted(known));
                }
                // What does not show again is not worth shrinking.
                let mut shrunk = if shrinks && player.repeats(&endpoint, key, &script).await {
                    player.shrink(&endpoint, role, key, script.clone(), width).await
                } else {
                    RemoteShrunk { script: script.clone(), plays: 0 }
                };
                let mut last = player.play_and_keep(&endpoint, &shrunk.script, key).await.ok();
                // At the border of a buffer's size a script shows it now and then only.
                let shows =
                    |(played, _): &KeptPlay| played.verdict.find_at_the_deadline(key).is_some();
                if shrunk.script != script && !last.as_ref().is_some_and(shows) {
                    shrunk.script = script;
                    last = player.play_and_keep(&endpoint, &shrunk.script, key).await.ok();
                }
                (place, ShrinkResult::Shrunk(shrunk, last.map(Box::new)))
            });
        }
        shrinking
    }

    /// What a script comes to that is watched on, where it depends on that whether it is
    /// accepted, and it is.
    async fn known_once_watched(
        &self,
        player: &Player,
        endpoint: &Endpoint,
        key: Identity,
        script: &Script,
    ) -> Option<Identity> {
        if !key.endings().any(|ending| self.accepts(ending)) {
            return None;
        }
        let played = player.play_until_shown_and_watch(endpoint, key, script).await?;
        let identity = played.verdict.find_at_the_deadline(key)?.identity;
        self.accepts(identity).then_some(identity)
    }

    /// Plays what was found again: what was shrunk alone, or else the first of each problem; then
    /// the other variants, all together. Reports those that are not being watched.
    async fn confirm_all(
        &self,
        player: &Player,
        found: &mut [Candidate],
        watched: &BTreeSet<usize>,
        on_progress: &mut (dyn FnMut(ProbeProgress<'_>) + Send),
    ) -> Option<String> {
        let died = |error| format!("{error}; the server died while findings were played again");
        let pending = |place: &usize| found[*place].state == CandidateState::Pending;
        let places: Vec<usize> = (0..found.len()).filter(pending).collect();
        let all = places.len();
        let problem = |place: usize| found[place].key.problem();
        let is_first = |at: usize| at == 0 || problem(places[at - 1]) != problem(places[at]);
        let is_alone = |at: &usize| {
            if self.all_variants { is_first(*at) } else { found[places[*at]].finding.shrunk }
        };
        let (firsts, others): (Vec<usize>, Vec<usize>) = (0..all).partition(is_alone);
        let mut confirmed = 0;
        for place in firsts.into_iter().map(|at| places[at]) {
            if let Err(error) = self.confirm(player, &mut found[place].finding).await {
                return Some(died(error));
            }
            confirmed += 1;
            on_progress(ProbeProgress::Confirming(confirmed, all));
            if !watched.contains(&place) {
                found[place].report(on_progress);
            }
        }
        let mut confirming = JoinSet::new();
        for place in others.into_iter().map(|at| places[at]) {
            let (probe, player) = (self.clone(), player.clone());
            let mut one = found[place].finding.clone();
            confirming.spawn(async move {
                let confirmed = probe.confirm(&player, &mut one).await;
                (place, confirmed.map(|()| one))
            });
        }
        while let Some(Ok((place, one))) = confirming.join_next().await {
            match one {
                Ok(one) => found[place].finding = one,
                Err(error) => return Some(died(error)),
            }
            confirmed += 1;
            on_progress(ProbeProgress::Confirming(confirmed, all));
            if !watched.contains(&place) {
                found[place].report(on_progress);
            }
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
            let identity = found.violation.identity;
            let shows = player.shows(endpoint, &found.script, played, identity).await;
            shown += u32::from(shows);
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

impl Candidate {
    /// It is known and accepted, as what it was seen to be when it was watched on.
    fn accept(&mut self, identity: Identity, outcome: &mut ProbeOutcome) {
        outcome.sightings.rename(self.key, identity);
        self.state = CandidateState::Accepted;
    }

    fn report(&mut self, on_progress: &mut (dyn FnMut(ProbeProgress<'_>) + Send)) {
        self.state = CandidateState::Reported;
        on_progress(ProbeProgress::News(&self.finding));
    }
}

/// Whether the script asks for a WebSocket as it should, and waits for the answer.
fn begins_with_plain_upgrade(script: &Script) -> bool {
    let upgrade = script.steps.first().is_some_and(|step| step.to_string() == "upgrade");
    upgrade && !script.steps.get(1).is_some_and(|step| step.joined)
}
