//! Plays scripts against one server: once, again until our own process was on time, or many at
//! once to shrink one.
//!
//! Which scripts a campaign plays, `probe` decides.

use super::client_check::check_client;
use super::deaths::Deaths;
use super::delay_monitor::DelayMonitor;
use super::kernel_table::KernelTable;
use super::play::{OpenConnection, PlayConfig, Played, Watching};
use super::play_log::PlayLog;
use super::preflight::check_url;
use super::remote_subject::{RemoteSubject, UrlRole, longest_script, pauses};
use super::rounds::{Rounds, Shown};
use super::subject::Subject;
use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Death, Exchange};
use crate::judge::{Decided, Decision};
use crate::run::control_play::{control_of, is_open};
use crate::run::preflight::{SENT_AWAY, is_sent_away, polite};
use crate::script::Script;
use crate::verdict::{Control, Identity, Problem, Prompt, Verdict, Violation};
use crate::wire::Role;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The most plays of one script when our own process was late, or the server accepted no
/// further connection.
pub(super) const MAX_TRIES: u32 = 3;
/// The most plays that shrinking one script takes.
pub const REMOTE_BUDGET: u32 = 250;
/// In how many scripts of a campaign, at most, controls decide on a problem that may be excused:
/// each costs a play in real time.
const MAX_ASKED: u32 = 4;
/// How long the check takes at most whether polite clients are sent away: the first second counts.
const POLITE_WITHIN: Duration = Duration::from_secs(3);

/// The limits of every play.
#[derive(Clone, Copy, Debug)]
pub struct PlayLimits {
    /// What the server is held to.
    pub bounds: Bounds,
    /// What a deadline gets on top. The measured delay of our own process is added.
    pub slack: Duration,
    /// How long after what obliges the server a late end is waited for.
    pub horizon: Duration,
    /// The same of a connection that is watched on while other scripts are played. Less than
    /// the horizon is as much as the horizon.
    pub watch: Duration,
}

/// Plays scripts; clones share the delay monitor and the kernel's table. Needs a tokio runtime.
#[derive(Clone)]
pub struct Player {
    pub(super) config: Arc<PlayConfig>,
    /// How many connections there may be at once.
    connections: Arc<Semaphore>,
    /// In how many scripts controls were played for a problem.
    asked: Arc<Mutex<BTreeMap<Problem, u32>>>,
    pub(super) deaths: Arc<Deaths>,
}

/// A script shrunk over TCP.
#[derive(Clone, Debug)]
pub struct RemoteShrunk {
    /// The smallest script found that still failed.
    pub script: Script,
    /// How many candidates were played.
    pub plays: u32,
    /// Whether nothing smaller was left to be tried: neither the time nor the plays were used up.
    pub is_minimal: bool,
}

impl PlayConfig {
    /// Checks one part of a subject: whether the kernel's table shows its end of a connection, and how
    /// long after the opening its application acted.
    async fn check(&self, subject: &Subject, role: UrlRole) -> Result<(bool, Duration), String> {
        let Some(endpoint) = subject.server() else {
            let checked = check_client(self, subject, role).await?;
            return Ok((checked.in_kernel_table, checked.application_delay));
        };
        let checked = check_url(endpoint, role, self.table.as_ref()).await?;
        self.log.note_check(&endpoint.url);
        Ok((checked.in_kernel_table, checked.application_delay))
    }
}

impl Player {
    /// Checks every URL of a server, or every command of a client, and whether the kernel's table shows
    /// its end of a connection.
    ///
    /// # Errors
    ///
    /// One line: why it cannot be tested.
    pub async fn preflight(
        server: &RemoteSubject,
        limits: PlayLimits,
        concurrency: usize,
    ) -> Result<Self, String> {
        let PlayLimits { bounds, slack, horizon, watch } = limits;
        let process = server.process().cloned();
        if let Some(process) = process.as_ref().filter(|process| process.starts() == 0) {
            process.start().await?;
        }
        let (table, log, delays) =
            (KernelTable::start(), PlayLog::default(), DelayMonitor::start());
        let begins = Duration::ZERO;
        let mut config =
            PlayConfig { bounds, slack, horizon, watch, begins, table, delays, log, process };
        let (mut in_kernel_table, mut application_delay) = (true, Duration::ZERO);
        for (role, subject) in server.parts() {
            let (is_seen, delay) = config.check(subject, role).await?;
            in_kernel_table &= is_seen;
            if role == UrlRole::Bye {
                application_delay = delay;
            }
        }
        config.table = config.table.filter(|_| in_kernel_table);
        config.begins = application_delay + slack;
        let connections = Arc::new(Semaphore::new(concurrency));
        let player = Self {
            config: Arc::new(config),
            connections,
            asked: Arc::default(),
            deaths: Arc::default(),
        };
        match server.part(UrlRole::Plain).and_then(Subject::server) {
            Some(endpoint) if player.is_everybody_sent_away(&endpoint.clone().into()).await => {
                Err(format!("{}: {SENT_AWAY}", endpoint.url))
            }
            _ => {
                player.settle().await?;
                Ok(player)
            }
        }
    }

    /// Whether the server ends the connections of polite clients as soon as they are open.
    async fn is_everybody_sent_away(&self, subject: &Subject) -> bool {
        for script in polite(Role::Server) {
            let playing = self.play_until_on_time(subject, &script, Watching::ToDeadline);
            let played = timeout(POLITE_WITHIN, playing).await;
            if !played.is_ok_and(|played| played.is_ok_and(|it| is_sent_away(&it.exchange))) {
                return false;
            }
        }
        true
    }

    /// Whether the server's end of its connections is seen: it is on this machine.
    pub fn sees_the_server(&self) -> bool {
        self.config.table.is_some()
    }

    /// Plays `script` to the horizon, again where our own process was late, and then the
    /// controls that the verdict needs: what it convicts of is certain. A server that dies of it is
    /// convicted of that alone.
    ///
    /// # Errors
    ///
    /// One line, where there was no connection.
    pub async fn play(
        &self,
        subject: &Subject,
        script: &Script,
    ) -> Result<(Exchange, Verdict), String> {
        let mut was_slow_to_die = false;
        let played = loop {
            if self.process().is_some()
                && let Some(kill) = self.kills(subject, script, None).await?
            {
                return Ok((kill.exchange, kill.verdict));
            }
            let played = self.play_until_on_time(subject, script, Watching::ToHorizon).await;
            // Where the machine is busy, a death may come later than was waited for.
            if was_slow_to_die || played.is_ok() || self.process().is_none() {
                break played;
            }
            was_slow_to_die = true;
        };
        if self.is_gone(subject).await {
            let exchange = played.map_or_else(|_| Exchange::new(false), |played| played.exchange);
            return Ok(self.gone_after(exchange, Death::Unseen));
        }
        let mut played = played?;
        let violations = std::mem::take(&mut played.verdict.violations);
        for violation in violations {
            let decided = self.decide(subject, script, violation, &played.exchange).await?;
            decided.add_to(&mut played.verdict);
        }
        self.settle_doubts(subject, script, &mut played, &|_| true).await;
        Ok((played.exchange, played.verdict))
    }

    /// Decides, playing controls, on what was dismissed and `wanted` for excuses that only may
    /// hold. Where a control has no connection, the excuse holds.
    pub(super) async fn settle_doubts(
        &self,
        subject: &Subject,
        script: &Script,
        played: &mut Played,
        wanted: &(dyn Fn(Identity) -> bool + Sync),
    ) {
        let Played { exchange, verdict, .. } = played;
        for dismissal in std::mem::take(&mut verdict.dismissals) {
            let asks = is_open(&dismissal, verdict) && wanted(dismissal.violation.identity);
            let decided = if asks {
                self.decide(subject, script, dismissal.violation.clone(), exchange).await.ok()
            } else {
                None
            };
            decided.unwrap_or(Decided::Dismissed(dismissal)).add_to(verdict);
        }
        verdict.violations.sort_by_key(|violation| violation.identity);
    }

    /// As [`settle_doubts`](Self::settle_doubts), of each problem in a few scripts of a campaign.
    pub(super) async fn settle_first_doubts(
        &self,
        subject: &Subject,
        script: &Script,
        played: &mut Played,
    ) {
        let is_new = |identity: Identity| {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let times = asked.entry(identity.problem()).or_insert(0);
            *times += 1;
            *times <= MAX_ASKED
        };
        self.settle_doubts(subject, script, played, &is_new).await;
    }

    /// Decides on a violation that `script` showed in `exchange`, playing its controls.
    ///
    /// # Errors
    ///
    /// One line, where there was no connection.
    pub(super) async fn decide(
        &self,
        subject: &Subject,
        script: &Script,
        violation: Violation,
        exchange: &Exchange,
    ) -> Result<Decided, String> {
        let bounds = &self.config.bounds;
        let mut decision = Decision::on(violation, exchange, ConnectionId::FIRST, bounds);
        while let Some(control) = decision.control() {
            // What the server's application does at this URL, it does in every script.
            let unasked =
                matches!(control, Control::Unprompted { prompt: Prompt::Application, .. });
            let control = control_of(control, script, exchange, ConnectionId::FIRST);
            match control.filter(|_| !unasked) {
                Some(script) => {
                    let played =
                        self.play_until_on_time(subject, &script, Watching::ToDeadline).await?;
                    decision.tell(&played.exchange);
                }
                None => decision.cannot_play(),
            }
        }
        Ok(decision.made())
    }

    /// Shrinks `script`, which breaks a rule with `key`, `width` candidates at once.
    pub async fn shrink(
        &self,
        subject: &Subject,
        role: UrlRole,
        key: Identity,
        script: Script,
        width: usize,
    ) -> RemoteShrunk {
        self.shrink_within(subject, role, key, script, &|| width, &|_| true).await
    }

    /// As [`shrink`](Self::shrink): each round has its own width, and plays only candidates for
    /// which there is time.
    pub(super) async fn shrink_within(
        &self,
        subject: &Subject,
        role: UrlRole,
        key: Identity,
        script: Script,
        width: &(dyn Fn() -> usize + Sync),
        has_time: &(dyn Fn(&Script) -> bool + Sync),
    ) -> RemoteShrunk {
        let longest = longest_script(&self.config.bounds).max(pauses(&script));
        let suits = |script: &Script| role.suits(script) && pauses(script) <= longest;
        let mut rounds = Rounds::new(script, REMOTE_BUDGET);
        loop {
            let batch = rounds.next(width(), &suits, has_time);
            if batch.is_empty() {
                let (script, plays, is_minimal) = rounds.into_result();
                return RemoteShrunk { script, plays, is_minimal };
            }
            let played = self.which_fail(subject, key, batch, Watching::WithMargin).await;
            rounds.tell(played, &suits);
        }
    }

    /// Which scripts of a batch break the rule with `key`, each played once.
    pub(super) async fn which_fail(
        &self,
        subject: &Subject,
        key: Identity,
        batch: Vec<Script>,
        watching: Watching,
    ) -> Vec<(Script, Shown)> {
        let mut playing = JoinSet::new();
        for script in batch {
            let (player, subject) = (self.clone(), subject.clone());
            playing.spawn(async move {
                let shown = player.play_and_tell(&subject, key, &script, watching).await;
                (script, shown)
            });
        }
        playing.join_all().await
    }

    /// What one play of `script` says about `key`.
    async fn play_and_tell(
        &self,
        subject: &Subject,
        key: Identity,
        script: &Script,
        watching: Watching,
    ) -> Shown {
        let permit = self.connections.acquire().await;
        if self.revive().await.is_err() {
            return Shown::NotJudged;
        }
        let played = self.play_once(subject, script, watching).await;
        drop(permit);
        match played {
            Ok(played) if !played.was_late => {
                let shows = self.shows(subject, script, played, key).await;
                if shows { Shown::Yes } else { Shown::No }
            }
            _ => Shown::NotJudged,
        }
    }

    /// Whether a play of `script` shows `key`, with the controls that this needs.
    pub(super) async fn shows(
        &self,
        subject: &Subject,
        script: &Script,
        mut played: Played,
        key: Identity,
    ) -> bool {
        if played.verdict.find_at_the_deadline(key).is_none() {
            let same = |identity: Identity| key.same_at_the_deadline(identity);
            self.settle_doubts(subject, script, &mut played, &same).await;
        }
        played.verdict.find_at_the_deadline(key).is_some()
    }

    /// Plays until our own process was on time, or a rule was kept all the same.
    pub(super) async fn play_until_on_time(
        &self,
        subject: &Subject,
        script: &Script,
        watching: Watching,
    ) -> Result<Played, String> {
        let _permit = self.connections.acquire().await;
        let mut tries = 0;
        loop {
            tries += 1;
            self.revive().await?;
            let starts = self.starts();
            match self.play_once(subject, script, watching).await {
                Ok(played) if played.was_late && tries < MAX_TRIES => {}
                Err(_) if tries < self.most_tries() => {
                    self.died_since(starts).await;
                }
                played => return played,
            }
        }
    }

    /// Plays to the horizon until our own process was on time, with the controls that `key`
    /// needs, and keeps a connection that is still open then.
    pub(super) async fn play_and_keep(
        &self,
        subject: &Subject,
        script: &Script,
        key: Identity,
    ) -> Result<(Played, Option<OpenConnection>), String> {
        let (mut played, open) = self.play_to_the_horizon(subject, script, key).await?;
        if played.verdict.find_at_the_deadline(key).is_none() {
            let same = |identity: Identity| key.same_at_the_deadline(identity);
            self.settle_doubts(subject, script, &mut played, &same).await;
        }
        Ok((played, open))
    }

    /// Where it shows although our own process was late, it is not played for longer: it is
    /// played again later.
    async fn play_to_the_horizon(
        &self,
        subject: &Subject,
        script: &Script,
        key: Identity,
    ) -> Result<(Played, Option<OpenConnection>), String> {
        let _permit = self.connections.acquire().await;
        let mut tries = 0;
        loop {
            tries += 1;
            self.revive().await?;
            let starts = self.starts();
            let played = self.config.play_and_keep(subject, script).await;
            let played = played.map_err(|error| format!("{}: {error}", subject.name()));
            let survived = match &played {
                Ok((played, _)) => self.survived(starts, subject, &played.verdict).await,
                Err(_) => Ok(()),
            };
            match survived.and(played) {
                Ok((played, _))
                    if played.was_late
                        && tries < MAX_TRIES
                        && played.verdict.find_at_the_deadline(key).is_none() => {}
                Err(_) if tries < self.most_tries() => {
                    self.died_since(starts).await;
                }
                played => return played,
            }
        }
    }

    /// Watches a connection on that was kept: what its play came to in the end.
    pub(super) async fn watch_on(&self, connection: OpenConnection) -> Played {
        self.config.watch_on(connection).await
    }

    /// Plays until it shows `key`, a few times at most, and watches that on; `None` where it did
    /// not show.
    pub(super) async fn play_until_shown_and_watch(
        &self,
        subject: &Subject,
        key: Identity,
        script: &Script,
    ) -> Option<Played> {
        for _ in 0..MAX_TRIES {
            let Ok((played, open)) = self.play_and_keep(subject, script, key).await else {
                continue;
            };
            if played.verdict.find_at_the_deadline(key).is_some() {
                return Some(match open {
                    Some(open) => self.watch_on(open).await,
                    None => played,
                });
            }
        }
        None
    }

    /// Plays once.
    pub(super) async fn play_once(
        &self,
        subject: &Subject,
        script: &Script,
        watching: Watching,
    ) -> Result<Played, String> {
        let starts = self.starts();
        let played = self.config.play(subject, script, watching).await;
        let played = played.map_err(|error| format!("{}: {error}", subject.name()))?;
        self.survived(starts, subject, &played.verdict).await?;
        Ok(played)
    }
}
