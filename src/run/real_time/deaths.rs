//! A server that dies: that it did, after which scripts, and which script takes it down.
//!
//! Where hangup starts the server it is started again, and a script is proven to take it down by a
//! play alone. Else the scripts in play are all that is known. What a campaign makes of it,
//! `probe` decides.

use super::candidates::{next_candidates, size};
use super::play::OpenConnection;
use super::play_log::Suspect;
use super::player::{MAX_TRIES, Player, REMOTE_BUDGET, RemoteShrunk};
use super::remote_subject::{UrlRole, longest_script, pauses};
use super::server_process::{ServerDeath, ServerProcess};
use super::subject::Subject;
use crate::exchange::{Death, Exchange, Time, What};
use crate::script::{Act, Script};
use crate::transport::tcp::connect;
use crate::verdict::Verdict;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long after its connections the end of a process is seen.
const NOTICE: Duration = Duration::from_millis(40);
/// How long after a play the server may die of it.
const AFTERMATH: Duration = Duration::from_millis(250);
/// How often a process is looked at that may be about to die.
const LOOK: Duration = Duration::from_millis(5);
/// How long a server that accepts no connection is given before it counts as gone.
const GONE: Duration = Duration::from_millis(300);
/// How often a play is begun anew that another script's death cut off.
const MAX_REVIVALS: u32 = 8;
/// How many deaths a run sees through.
const MAX_DEATHS: usize = 40;
/// How many candidates are played at once to see whether the server dies of one of them.
const WIDTH: usize = 12;
/// What a play gets on top of the time after which the server died before.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest that shrinking one script takes.
const LONGEST: Duration = Duration::from_mins(2);

/// What is known of the deaths of a run.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    noted: Mutex<Vec<NotedDeath>>,
    /// Held by who starts the server again.
    reviving: tokio::sync::Mutex<()>,
}

/// A death, and the scripts after which the server may have died, the likeliest first.
#[derive(Clone, Debug)]
pub(super) struct NotedDeath {
    /// What was seen of it; `None` where hangup did not start the server.
    pub seen: Option<ServerDeath>,
    pub suspects: Vec<Suspect>,
}

/// A play alone of which the server died.
pub(super) struct Kill {
    pub exchange: Exchange,
    pub verdict: Verdict,
    /// The script; with the reset at its end, where the server died of that.
    pub script: Script,
    /// How long after the script's own pauses the server died.
    pub after: Duration,
}

impl Player {
    /// The process, where hangup starts the server.
    pub(super) fn process(&self) -> Option<&ServerProcess> {
        self.config.process.as_ref()
    }

    /// How often the server was started; 0 where hangup does not start it.
    pub(super) fn starts(&self) -> u64 {
        self.process().map_or(0, ServerProcess::starts)
    }

    /// How often a play is begun, at most, that comes to nothing.
    pub(super) fn most_tries(&self) -> u32 {
        if self.process().is_some() { MAX_REVIVALS } else { MAX_TRIES }
    }

    /// Whether the server has died since it had been started `starts` times.
    fn has_died_since(&self, starts: u64) -> bool {
        self.process().is_some_and(|own| own.starts() != starts || own.death().is_some())
    }

    /// The same, where a play came to nothing: a process that accepts no connection any more may
    /// take a moment to end.
    pub(super) async fn died_since(&self, starts: u64) -> bool {
        let began = Instant::now();
        while self.process().is_some() && !self.has_died_since(starts) && began.elapsed() < GONE {
            sleep(LOOK).await;
        }
        self.has_died_since(starts)
    }

    /// Refuses what was played while the server died: how its connections ended then is no doing
    /// of theirs.
    pub(super) async fn survived(
        &self,
        starts: u64,
        subject: &Subject,
        verdict: &Verdict,
    ) -> Result<(), String> {
        if self.process().is_some() && !verdict.is_clean() && !self.has_died_since(starts) {
            sleep(NOTICE).await;
        }
        if self.has_died_since(starts) {
            return Err(format!("{}: the server died meanwhile", subject.name()));
        }
        Ok(())
    }

    /// Starts the server again where it has died; what is known of the death is noted.
    ///
    /// # Errors
    ///
    /// One line: it does not start, or has died too often.
    pub(super) async fn revive(&self) -> Result<(), String> {
        let Some(process) = self.process() else { return Ok(()) };
        let _one = self.deaths.reviving.lock().await;
        let Some(death) = process.death() else { return Ok(()) };
        let suspects = self.config.log.suspects(Some(death.at));
        let count = {
            let mut noted = self.deaths.noted();
            noted.push(NotedDeath { seen: Some(death), suspects });
            noted.len()
        };
        if count > MAX_DEATHS {
            return Err(format!("the server died {count} times: given up"));
        }
        self.config.log.clear();
        process.start().await
    }

    /// Waits for a death that follows what was played before, and starts the server again then.
    ///
    /// # Errors
    ///
    /// As [`revive`](Self::revive).
    pub(super) async fn settle(&self) -> Result<(), String> {
        if self.process().is_some() {
            self.until_death(Some(AFTERMATH)).await;
        }
        self.revive().await
    }

    /// Starts the server again where it has died of what was tried.
    async fn restart(&self) -> Result<(), String> {
        let Some(process) = self.process() else { return Ok(()) };
        let _one = self.deaths.reviving.lock().await;
        if process.death().is_none() {
            return Ok(());
        }
        self.config.log.clear();
        process.start().await
    }

    /// The deaths that were noted.
    pub(super) fn deaths(&self) -> Vec<NotedDeath> {
        self.deaths.noted().clone()
    }

    /// How many deaths were noted.
    pub(super) fn death_count(&self) -> usize {
        self.deaths.noted().len()
    }

    /// Whether a server that hangup does not start accepts no connection any more.
    pub(super) async fn is_gone(&self, subject: &Subject) -> bool {
        let Some(endpoint) = subject.server() else { return false };
        if self.process().is_some() || connect(endpoint, None).await.is_ok() {
            return false;
        }
        sleep(GONE).await;
        connect(endpoint, None).await.is_err()
    }

    /// Notes that a server is gone which hangup does not start; the scripts whose connections
    /// ended with it.
    pub(super) fn note_gone(&self) -> Vec<Script> {
        let suspects = self.config.log.suspects(None);
        self.deaths.noted().push(NotedDeath { seen: None, suspects });
        self.config.log.ended_by_death()
    }

    /// Whether the server, which hangup starts, dies of `script` alone, in `limit` where there is
    /// one. It runs again then.
    ///
    /// # Errors
    ///
    /// One line: there was no connection, or the server does not start.
    pub(super) async fn kills(
        &self,
        subject: &Subject,
        script: &Script,
        limit: Option<Duration>,
    ) -> Result<Option<Kill>, String> {
        self.restart().await?;
        let mut began = Instant::now();
        let mut tries = 0;
        let mut connection = loop {
            let starts = self.starts();
            let stop = self.until_death(limit);
            match self.config.play_until(subject, script, stop).await {
                Ok(connection) => break connection,
                // It may be about to die of what was played before.
                Err(_) if tries < MAX_TRIES && self.died_since(starts).await => {
                    self.restart().await?;
                    began = Instant::now();
                    tries += 1;
                }
                Err(error) => return Err(format!("{}: {error}", subject.name())),
            }
        };
        let mut script = script.clone();
        self.until_death(Some(AFTERMATH)).await;
        if self.death().is_none() && connection.reset() {
            script.steps.push(Act::Reset.into());
            self.until_death(Some(AFTERMATH)).await;
        }
        let Some(death) = self.death() else { return Ok(None) };
        let (exchange, verdict) = self.config.killed(&connection, death.how);
        drop(connection);
        self.restart().await?;
        let after = death.at.saturating_duration_since(began).saturating_sub(pauses(&script));
        Ok(Some(Kill { exchange, verdict, script, after }))
    }

    /// As [`kills`](Self::kills), twice: of a first death what was played before may be the reason,
    /// and the second play has a server to itself that was started anew. A machine that is busy may
    /// make it die too late in the second: then it has to die twice more.
    pub(super) async fn kills_twice(
        &self,
        subject: &Subject,
        script: &Script,
        limit: Duration,
    ) -> Result<Option<Kill>, String> {
        for _ in 0..2 {
            if self.kills(subject, script, Some(limit)).await?.is_none() {
                break;
            }
            if let again @ Some(_) = self.kills(subject, script, Some(limit)).await? {
                return Ok(again);
            }
        }
        Ok(None)
    }

    fn death(&self) -> Option<ServerDeath> {
        self.process().and_then(ServerProcess::death)
    }

    /// Until the server has died, or `limit` is over.
    async fn until_death(&self, limit: Option<Duration>) {
        let began = Instant::now();
        while self.death().is_none() && limit.is_none_or(|limit| began.elapsed() < limit) {
            sleep(LOOK).await;
        }
    }

    /// Of scripts that are played all at once those after which the server may have died, the
    /// likeliest first; none where it lived. It runs again then.
    pub(super) async fn deadly(
        &self,
        scripts: Vec<(Subject, Script)>,
        limit: Option<Duration>,
    ) -> Result<Vec<Suspect>, String> {
        self.restart().await?;
        self.config.log.clear();
        let mut playing = JoinSet::new();
        for (subject, script) in scripts {
            let player = self.clone();
            playing.spawn(async move {
                let stop = player.until_death(limit);
                player.config.play_until(&subject, &script, stop).await.ok()
            });
        }
        // None is reset before the last is over: the server must not die of that.
        let kept: Vec<Option<OpenConnection>> = playing.join_all().await;
        self.until_death(Some(AFTERMATH)).await;
        let suspects =
            self.death().map(|death| self.config.log.suspects(Some(death.at))).unwrap_or_default();
        drop(kept);
        self.until_death(Some(AFTERMATH)).await;
        self.restart().await?;
        Ok(suspects)
    }

    /// Shrinks a script of which the server dies: candidates are played together, and where the
    /// server dies, one by one.
    ///
    /// # Errors
    ///
    /// As [`kills`](Self::kills).
    pub(super) async fn shrink_kill(
        &self,
        subject: &Subject,
        role: UrlRole,
        mut best: Kill,
    ) -> Result<(Kill, RemoteShrunk), String> {
        let longest = longest_script(&self.config.bounds).max(pauses(&best.script));
        let suits = |script: &Script| role.suits(script) && pauses(script) <= longest;
        let began = Instant::now();
        let mut known: BTreeMap<Script, bool> = BTreeMap::new();
        let mut plays = 0;
        let mut is_minimal = false;
        'smaller: while plays < REMOTE_BUDGET && began.elapsed() < LONGEST {
            let batch = next_candidates(&best.script, &suits, &known, WIDTH);
            if batch.is_empty() {
                is_minimal = true;
                break;
            }
            plays += batch.len() as u32;
            let limit = best.after * 2 + PATIENCE;
            let together: Vec<_> =
                batch.iter().map(|script| (subject.clone(), script.clone())).collect();
            let longest = batch.iter().map(pauses).max().unwrap_or_default();
            for suspect in self.deadly(together, Some(limit + longest)).await? {
                plays += 1;
                let alone = limit + pauses(&suspect.drawn);
                let kill = self.kills_twice(subject, &suspect.drawn, alone).await?;
                // With the reset that came at its end it may be what there was.
                let is_smaller = |kill: &Kill| {
                    let Kill { script, .. } = kill;
                    *script == suspect.drawn
                        || *script != best.script && size(script) <= size(&best.script)
                };
                let smaller = kill.filter(|kill| suits(&kill.script) && is_smaller(kill));
                known.insert(suspect.drawn.clone(), smaller.is_some());
                if let Some(smaller) = smaller {
                    best = smaller;
                    continue 'smaller;
                }
            }
            known.extend(batch.into_iter().map(|script| (script, false)));
        }
        let script = best.script.clone();
        Ok((best, RemoteShrunk { script, plays, is_minimal }))
    }

    /// The shortest script found that takes down the server, which hangup starts, as `script` does:
    /// what it showed, and how many plays that took. `None` where the server lives.
    ///
    /// # Errors
    ///
    /// One line: there was no connection, or the server does not start.
    pub async fn shrink_death(
        &self,
        subject: &Subject,
        role: UrlRole,
        script: &Script,
    ) -> Result<Option<(RemoteShrunk, Exchange, Verdict)>, String> {
        let Some(kill) = self.kills(subject, script, None).await? else { return Ok(None) };
        let (kill, shrunk) = self.shrink_kill(subject, role, kill).await?;
        Ok(Some((shrunk, kill.exchange, kill.verdict)))
    }

    /// What a play comes to after which the server is gone; `Exchange::new(false)` where nothing is
    /// left of it.
    pub(super) fn gone_after(&self, mut exchange: Exchange, how: Death) -> (Exchange, Verdict) {
        let last = exchange.events.last().map_or(Time::ZERO, |event| event.at);
        exchange.push(last, What::Died(how));
        let verdict = super::play::judge_death(&exchange, &self.config.bounds);
        (exchange, verdict)
    }
}

impl Deaths {
    fn noted(&self) -> MutexGuard<'_, Vec<NotedDeath>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
