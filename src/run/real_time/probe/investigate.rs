//! Findings are looked into: shrunk, all at once, played again, and watched on.

use super::finding::ProbeFinding;
use super::outcome::{ProbeOutcome, ProbeProgress};
use super::{OnProgress, Probe};
use crate::run::real_time::play::{OpenConnection, Played};
use crate::run::real_time::player::{Player, RemoteShrunk};
use crate::script::Script;
use crate::transport::tcp::endpoint::Endpoint;
use crate::verdict::{Identity, Problem};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// A finding that is being looked into.
pub(super) struct Candidate {
    pub finding: ProbeFinding,
    /// As the campaign saw it; once it was watched on, the finding may have another symptom.
    pub key: Identity,
    pub state: CandidateState,
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
enum ShrinkResult {
    /// It was watched first, and turned out to be known and accepted.
    Accepted(Identity),
    /// A smaller script, and its play up to the horizon.
    Shrunk(RemoteShrunk, Option<Box<KeptPlay>>),
}

impl Probe {
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

    /// Shrinks what is [to be shrunk](Self::to_shrink), all at once, and then plays each again,
    /// alone. What is still open at the horizon is watched on meanwhile.
    pub(super) async fn investigate(
        &self,
        player: &Player,
        found: &mut [Candidate],
        outcome: &mut ProbeOutcome,
        on_progress: OnProgress<'_>,
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
}

impl Candidate {
    /// It is known and accepted, as what it was seen to be when it was watched on.
    fn accept(&mut self, identity: Identity, outcome: &mut ProbeOutcome) {
        outcome.sightings.rename(self.key, identity);
        self.state = CandidateState::Accepted;
    }

    pub(super) fn report(&mut self, on_progress: OnProgress<'_>) {
        self.state = CandidateState::Reported;
        on_progress(ProbeProgress::News(&self.finding));
    }
}
