//! Findings are looked into: shrunk, all in the same rounds, played to the horizon, played again,
//! and watched on.

use super::campaign::PendingScript;
use super::finding::ProbeFinding;
use super::outcome::{ProbeOutcome, ProbeProgress};
use super::watches::Watches;
use super::{Clock, OnProgress, Probe};
use crate::run::real_time::play::{OpenConnection, Played, Watching};
use crate::run::real_time::player::{Player, RemoteShrunk};
use crate::run::real_time::rounds::Shown;
use crate::script::Script;
use crate::verdict::{Identity, Problem};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

/// A finding that is being looked into.
pub(super) struct Candidate {
    pub finding: ProbeFinding,
    /// As the campaign saw it; once it was watched on, the finding may have another symptom.
    pub key: Identity,
    pub state: CandidateState,
    /// Scripts that showed it, the shortest first.
    pub sources: Vec<PendingScript>,
    /// The indices of all scripts that showed it.
    pub scripts: BTreeSet<u64>,
    /// Whether one of them was judged.
    pub is_judged: bool,
    /// What it was seen to be once a play of it was watched on, where that is accepted.
    pub known: Arc<OnceLock<Identity>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CandidateState {
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
struct ShrinkResult {
    /// The script that was shrunk.
    source: PendingScript,
    shrunk: RemoteShrunk,
    /// The smaller script's play up to the horizon.
    last: Option<KeptPlay>,
}

/// How many scripts are being shrunk, and what each may have of the connections.
struct Shares {
    connections: usize,
    shrinking: AtomicUsize,
}

impl Shares {
    fn width(&self) -> usize {
        self.connections / self.shrinking.load(Ordering::Relaxed).max(1)
    }

    fn done(&self) {
        self.shrinking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Probe {
    /// What is shrunk: of each problem the variant with the shortest script, where not all are.
    fn to_shrink(&self, found: &[Candidate]) -> BTreeSet<Identity> {
        if self.all_variants {
            return found.iter().map(|one| one.key).collect();
        }
        let mut shortest: BTreeMap<Problem, &Candidate> = BTreeMap::new();
        let size =
            |one: &Candidate| (!one.is_judged, one.finding.script.steps.len(), one.finding.index);
        for one in found {
            let so_far = shortest.entry(one.key.problem()).or_insert(one);
            if size(one) < size(so_far) {
                *so_far = one;
            }
        }
        shortest.values().map(|one| one.key).collect()
    }

    /// Shrinks what is [to be shrunk](Self::to_shrink), all at once, and then plays everything
    /// again. What is still open at the horizon is watched on meanwhile.
    pub(super) async fn investigate(
        &self,
        player: &Player,
        found: &mut [Candidate],
        outcome: &mut ProbeOutcome,
        clock: Clock,
        on_progress: OnProgress<'_>,
    ) -> Option<String> {
        let mut watches = Watches::default();
        self.watch_what_may_be_known(player, found, &mut watches);
        let mut shrinking = self.begin_to_shrink(player, found, clock);
        let all = shrinking.len();
        let mut done = 0;
        let until = clock.looked_into();
        while let Ok(Some(Ok((place, result)))) = timeout_at(until, shrinking.join_next()).await {
            self.take_shrunk(player, place, &mut found[place].finding, result, &mut watches);
            done += 1;
            on_progress(ProbeProgress::Shrinking(done, all));
        }
        drop(shrinking);
        for one in found.iter_mut() {
            one.accept_where_known(outcome);
        }
        let watched = watches.places();
        let trouble = self.confirm_all(player, found, &watched, clock, on_progress).await;
        if trouble.is_some() {
            return trouble;
        }
        // What does not show again need not be watched.
        watches.abort(&|place| found[place].finding.is_dismissed());
        on_progress(ProbeProgress::Watching(0, watched.len()));
        while let Some((place, played)) = watches.next().await {
            if let Some(played) = played {
                found[place].finding.take_play(played);
            }
            found[place].accept_where_known(outcome);
            if !watches.is_over(place) || found[place].state != CandidateState::Pending {
                continue;
            }
            on_progress(ProbeProgress::Watching(watches.over(), watched.len()));
            let identity = found[place].finding.violation.identity;
            let reported = |other: &Candidate| {
                let is_reported = other.state == CandidateState::Reported;
                is_reported && other.finding.violation.identity == identity
            };
            if self.accepts(identity) {
                found[place].accept(identity, outcome);
            } else if found.iter().any(reported) {
                found[place].state = CandidateState::Merged;
            } else if found[place].has_shown_again() {
                found[place].report(on_progress);
            }
        }
        None
    }

    /// Takes in what shrinking came to. A connection that is still open is watched on; where the
    /// play to the horizon did not show it, another play is.
    fn take_shrunk(
        &self,
        player: &Player,
        place: usize,
        finding: &mut ProbeFinding,
        result: ShrinkResult,
        watches: &mut Watches,
    ) {
        let ShrinkResult { source, shrunk, last } = result;
        let (last, open) = last.map_or((None, None), |kept| (Some(kept.0), kept.1));
        let player = player.clone();
        if finding.take_shrunk(shrunk, last) {
            finding.index = source.index;
            self.part(source.role).name().clone_into(&mut finding.url);
            let longer = self.limits.watch > self.limits.horizon;
            if let Some(open) = open.filter(|_| longer && finding.is_open()) {
                watches.watch(place, async move { Some(player.watch_on(open).await) });
            }
        } else if finding.is_open() {
            let subject = self.part(self.role_of(finding)).clone();
            let (key, script) = (finding.violation.identity, finding.script.clone());
            watches.watch(place, async move {
                player.play_until_shown_and_watch(&subject, key, &script).await
            });
        }
    }

    /// Watches what may end in a way that is accepted.
    fn watch_what_may_be_known(
        &self,
        player: &Player,
        found: &mut [Candidate],
        watches: &mut Watches,
    ) {
        let may_be_known = |one: &Candidate| one.key.endings().any(|ending| self.accepts(ending));
        for (place, one) in found.iter_mut().enumerate().filter(|(_, one)| may_be_known(one)) {
            let (probe, player, known) = (self.clone(), player.clone(), Arc::clone(&one.known));
            let (key, source) = (one.finding.violation.identity, one.sources[0].clone());
            watches.watch(place, async move {
                let subject = probe.part(source.role);
                let played = player.play_until_shown_and_watch(subject, key, &source.script).await;
                let shown = played.as_ref().and_then(|it| it.verdict.find_at_the_deadline(key));
                if let Some(violation) = shown.filter(|shown| probe.accepts(shown.identity)) {
                    let _ = known.set(violation.identity);
                }
                // It is not the play of the minimal script.
                None
            });
        }
    }

    /// Begins to shrink what was found, all in the same rounds.
    fn begin_to_shrink(
        &self,
        player: &Player,
        found: &mut [Candidate],
        clock: Clock,
    ) -> JoinSet<(usize, ShrinkResult)> {
        let to_shrink = self.to_shrink(found);
        let shrinking = AtomicUsize::new(to_shrink.len());
        let shares = Arc::new(Shares { connections: self.concurrency, shrinking });
        let mut tasks = JoinSet::new();
        for (place, one) in found.iter_mut().enumerate() {
            one.finding.shrunk = to_shrink.contains(&one.key);
            // Until it is shrunk.
            one.finding.cut_short = one.finding.shrunk;
            let shrinks = one.finding.shrunk.then(|| Arc::clone(&shares));
            let (probe, player, known) = (self.clone(), player.clone(), Arc::clone(&one.known));
            let (key, sources) = (one.finding.violation.identity, one.sources.clone());
            tasks.spawn(async move {
                let mut shrunk = None;
                if let Some(shares) = &shrinks {
                    let has_time =
                        |script: &Script| known.get().is_none() && clock.has_time_to_shrink(script);
                    let width = || shares.width();
                    shrunk = probe.shrink_one(&player, key, &sources, &width, &has_time).await;
                    shares.done();
                }
                let (source, shrunk) = shrunk.unwrap_or_else(|| unshrunk(&sources[0]));
                (place, probe.play_to_the_horizon(&player, key, source, shrunk).await)
            });
        }
        tasks
    }

    /// Shrinks the shortest of `sources` that shows `key` again: what does not is not worth
    /// shrinking.
    async fn shrink_one(
        &self,
        player: &Player,
        key: Identity,
        sources: &[PendingScript],
        width: &(dyn Fn() -> usize + Sync),
        has_time: &(dyn Fn(&Script) -> bool + Sync),
    ) -> Option<(PendingScript, RemoteShrunk)> {
        let source = self.first_that_shows(player, key, sources).await?;
        let (subject, script) = (self.part(source.role), source.script.clone());
        let shrunk = player.shrink_within(subject, source.role, key, script, width, has_time);
        let shrunk = shrunk.await;
        Some((source, shrunk))
    }

    /// The shortest that shows `key` again; the shortest of all is played twice.
    async fn first_that_shows(
        &self,
        player: &Player,
        key: Identity,
        sources: &[PendingScript],
    ) -> Option<PendingScript> {
        let mut playing = JoinSet::new();
        let twice = std::iter::once(0).chain(0..sources.len());
        for place in twice {
            let PendingScript { role, script, .. } = sources[place].clone();
            let (player, subject) = (player.clone(), self.part(role).clone());
            playing.spawn(async move {
                let batch = vec![script];
                let shown = player.which_fail(&subject, key, batch, Watching::ToDeadline).await;
                (place, shown.iter().any(|(_, shown)| *shown == Shown::Yes))
            });
        }
        let played = playing.join_all().await;
        let shown = played.into_iter().filter(|(_, shown)| *shown).map(|(place, _)| place);
        shown.min().map(|place| sources[place].clone())
    }

    /// Plays what was shrunk to the horizon, and keeps its connection.
    async fn play_to_the_horizon(
        &self,
        player: &Player,
        key: Identity,
        source: PendingScript,
        mut shrunk: RemoteShrunk,
    ) -> ShrinkResult {
        let subject = self.part(source.role);
        let mut last = player.play_and_keep(subject, &shrunk.script, key).await.ok();
        // At the border of a buffer's size a script shows it now and then only.
        let shows = |(played, _): &KeptPlay| played.verdict.find_at_the_deadline(key).is_some();
        if shrunk.script != source.script && !last.as_ref().is_some_and(shows) {
            shrunk.script = source.script.clone();
            last = player.play_and_keep(subject, &shrunk.script, key).await.ok();
        }
        ShrinkResult { source, shrunk, last }
    }
}

/// A script as it was found.
fn unshrunk(source: &PendingScript) -> (PendingScript, RemoteShrunk) {
    let shrunk = RemoteShrunk { script: source.script.clone(), plays: 0, is_minimal: false };
    (source.clone(), shrunk)
}

impl Candidate {
    /// It is known and accepted, as what it was seen to be when it was watched on.
    fn accept(&mut self, identity: Identity, outcome: &mut ProbeOutcome) {
        outcome.sightings.rename(self.key, identity);
        self.state = CandidateState::Accepted;
    }

    fn accept_where_known(&mut self, outcome: &mut ProbeOutcome) {
        if let Some(known) = self.known.get().filter(|_| self.state == CandidateState::Pending) {
            self.accept(*known, outcome);
        }
    }

    /// Whether a play after the campaign's showed it: one with less beside it, or those of a shrinking
    /// that came to its end.
    pub(super) fn has_shown_again(&self) -> bool {
        self.finding.replays > 0 || self.finding.shrunk && !self.finding.cut_short
    }

    pub(super) fn report(&mut self, on_progress: OnProgress<'_>) {
        self.state = CandidateState::Reported;
        on_progress(ProbeProgress::News(&self.finding));
    }
}
