//! One finding, played again: the controls that decide whether it is one, and how often it shows.
//!
//! Beside it a [`Witness`] opens connections. What shows only while the server keeps the witness
//! waiting, something else may be the reason for.

use super::Probe;
use super::campaign::PendingScript;
use super::finding::ProbeFinding;
use crate::judge::not_repeated;
use crate::run::real_time::play::Watching;
use crate::run::real_time::player::Player;
use crate::run::real_time::rounds::at_once_by_weight;
use crate::run::real_time::witness::Witness;
use crate::script::Script;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How often a finding is played again.
const REPLAYS: u32 = 2;
/// How often one that did not show every time.
const MORE_REPLAYS: u32 = 5;
/// How often one that none of those showed: of what shows in one play of ten, five see nothing in
/// three cases of five, and all together in one of eight.
const MANY_REPLAYS: u32 = 30;
/// So many of those have to show it: what was seen once among so many may be the machine's.
const SHOWN_OFTEN: u32 = 2;
/// The same of one that sends much: those are played one after another.
const FEW_REPLAYS: u32 = 3;
/// A script of which as many may be played at once is light.
const LIGHT: usize = 64;

/// Plays findings again; clones share the witness.
#[derive(Clone)]
pub(super) struct Replays {
    probe: Probe,
    player: Player,
    /// Of a client, which serves nobody else, there is none.
    witness: Option<Arc<Witness>>,
}

/// A finding that was played again.
pub(super) struct Again {
    pub finding: ProbeFinding,
    /// Whether it showed only while the server was busy.
    pub was_busy: bool,
}

/// What one play came to.
struct Replay {
    shows: bool,
    was_busy: bool,
}

impl Replays {
    pub fn new(probe: &Probe, player: &Player) -> Self {
        let server = probe.subject.first().server().cloned();
        let witness = server.map(|server| Arc::new(Witness::start(server)));
        Self { probe: probe.clone(), player: player.clone(), witness }
    }

    /// Plays the controls and then the script again.
    pub async fn decide_and_play(&self, mut finding: ProbeFinding) -> Result<Again, String> {
        let ProbeFinding { script, violation, exchange, .. } = &finding;
        let subject = self.probe.part(self.probe.role_of(&finding));
        let decided = self.player.decide(subject, script, violation.clone(), exchange).await?;
        (finding.violation, finding.dismissed) = decided.into_parts();
        let mut again = self.play(finding).await?;
        if again.finding.shown < REPLAYS {
            // What shows at a border, or of a server that is busy, now shows and now does not.
            let more = self.times(&again.finding, MORE_REPLAYS, Watching::WithMargin).await?;
            let shown = more.iter().filter(|replay| replay.shows && !replay.was_busy).count();
            again = again.shown(shown as u32, more.len() as u32, false);
        }
        Ok(again)
    }

    /// Plays the script again.
    pub async fn play(&self, finding: ProbeFinding) -> Result<Again, String> {
        let replays = self.times(&finding, REPLAYS, Watching::ToDeadline).await?;
        let shown: Vec<&Replay> = replays.iter().filter(|replay| replay.shows).collect();
        let was_busy = !shown.is_empty() && shown.iter().all(|replay| replay.was_busy);
        let again = Again { finding, was_busy };
        Ok(again.shown(shown.len() as u32, REPLAYS, was_busy))
    }

    /// Plays the script of a finding that never showed again so often that what is rare shows.
    pub async fn play_often(&self, mut finding: ProbeFinding) -> Result<Again, String> {
        let plays = self.times(&finding, MANY_REPLAYS, Watching::WithMargin).await?;
        let shown = plays.iter().filter(|replay| replay.shows && !replay.was_busy).count() as u32;
        if shown < SHOWN_OFTEN {
            if shown == 0 {
                finding.dismissed = not_repeated(shown, plays.len() as u32);
            }
            return Ok(Again { finding, was_busy: false });
        }
        finding.dismissed = None;
        Ok(Again { finding, was_busy: false }.shown(shown, plays.len() as u32, false))
    }

    /// Where the script did not show it again: the shortest of the others that once showed it and
    /// does so now, played again.
    pub async fn play_another(
        &self,
        finding: &ProbeFinding,
        sources: &[PendingScript],
    ) -> Result<Option<Again>, String> {
        let mut playing = JoinSet::new();
        for source in sources.iter().filter(|source| source.script != finding.script).cloned() {
            let (player, subject) = (self.player.clone(), self.probe.part(source.role).clone());
            let mut other = finding.clone();
            playing.spawn(async move {
                let watching = Watching::ToDeadline;
                let played = player.play_until_on_time(&subject, &source.script, watching).await;
                let shows = played.is_ok_and(|played| other.take_play(played));
                (other.index, other.url) = (source.index, subject.name().to_owned());
                (other.script, other.dismissed) = (source.script, None);
                other.cut_short = other.shrunk;
                shows.then_some(other)
            });
        }
        let shown = playing.join_all().await.into_iter().flatten();
        match shown.min_by_key(|other| (other.script.steps.len(), other.index)) {
            Some(other) => self.decide_and_play(other).await.map(Some),
            None => Ok(None),
        }
    }

    /// Plays a finding so many times, all at once.
    async fn times(
        &self,
        finding: &ProbeFinding,
        times: u32,
        watching: Watching,
    ) -> Result<Vec<Replay>, String> {
        let identity = finding.violation.identity;
        let patience = self.patience();
        // One that sends much is disturbed by another play of itself.
        let is_light = is_light(&finding.script);
        let times = if is_light { times } else { times.min(FEW_REPLAYS) };
        let mut replays = Vec::new();
        let mut playing = JoinSet::new();
        for _ in 0..times {
            let (player, script) = (self.player.clone(), finding.script.clone());
            let subject = self.probe.part(self.probe.role_of(finding)).clone();
            let witness = self.witness.clone();
            playing.spawn(async move {
                let began = Instant::now();
                let played = player.play_until_on_time(&subject, &script, watching).await?;
                let shows = player.shows(&subject, &script, played, identity).await;
                let is_busy = |witness: &Arc<Witness>| witness.waited_since(began, patience);
                Ok(Replay { shows, was_busy: witness.as_ref().is_some_and(is_busy) })
            });
            if !is_light {
                replays.extend(std::mem::take(&mut playing).join_all().await);
            }
        }
        replays.extend(playing.join_all().await);
        replays.into_iter().collect()
    }

    /// Waits until the server is not busy with what was played before, for a bound at most.
    pub async fn at_leisure(&self) {
        if let Some(witness) = &self.witness {
            witness.at_leisure(self.patience(), self.probe.limits.bounds.longest()).await;
        }
    }

    /// How long the witness waits for an answer of a server that is not busy: as long, less the
    /// pause between two openings, as no deadline's slack is used up.
    fn patience(&self) -> Duration {
        self.probe.limits.slack * 3 / 4
    }
}

/// Whether a script does not send so much that it disturbs others.
pub(super) fn is_light(script: &Script) -> bool {
    at_once_by_weight(script) >= LIGHT
}

impl Again {
    /// It showed in so many of so many plays.
    fn shown(mut self, shown: u32, replays: u32, was_busy: bool) -> Self {
        (self.finding.replays, self.finding.shown) = (replays, shown);
        self.finding.dismissed = self.finding.dismissed.or(not_repeated(shown, replays));
        Self { was_busy, ..self }
    }
}
