//! Plays scripts against one server for whoever asks: once, again until our own
//! process was on time, or many at once to shrink one.

use super::endpoint::Endpoint;
use super::greet::greet;
use super::play::{Played, Watching, World};
use super::pulse::Pulse;
use super::server::{Part, Server};
use super::sockets::Table;
use crate::bounds::Bounds;
use crate::script::Script;
use crate::shrink::Shrinker;
use crate::trace::Trace;
use crate::verdict::{Key, Verdict};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How often a play is repeated because our own process was late, or because the
/// server had no room for another connection.
pub(super) const AGAIN: u32 = 3;
/// The most plays that shrinking one script takes.
pub const BUDGET: u32 = 250;
/// The most candidates of one script in play at once.
const WIDTH: usize = 32;

/// What plays are measured by.
#[derive(Clone, Copy, Debug)]
pub struct Measures {
    /// What the server is held to.
    pub bounds: Bounds,
    /// What a deadline gets on top. The measured delay of our own process is added.
    pub slack: Duration,
    /// How long after what obliges the server a late end is waited for.
    pub horizon: Duration,
}

/// A player; clones share the clock and the table. Lives inside a tokio runtime.
#[derive(Clone)]
pub struct Player {
    world: Arc<World>,
    /// How many connections there may be at once.
    room: Arc<Semaphore>,
}

/// A script shrunk over TCP.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest script found that still failed.
    pub script: Script,
    /// How many candidates were played.
    pub plays: u32,
}

impl Player {
    /// Looks at every URL of `server`, and at whether its end of a connection can be
    /// seen from here.
    ///
    /// # Errors
    ///
    /// One line: why the server cannot be tested.
    pub async fn meet(
        server: &Server,
        measures: Measures,
        concurrency: usize,
    ) -> Result<Self, String> {
        let Measures { bounds, slack, horizon } = measures;
        let table = Table::start();
        let mut is_here = true;
        for (part, endpoint) in server.parts() {
            is_here &= greet(endpoint, part, table.as_ref()).await?.is_here;
        }
        let table = table.filter(|_| is_here);
        let world = World { bounds, slack, horizon, table, pulse: Pulse::start() };
        Ok(Self { world: Arc::new(world), room: Arc::new(Semaphore::new(concurrency)) })
    }

    /// Whether the server's end of its connections is seen: it is on this machine.
    pub fn sees_the_server(&self) -> bool {
        self.world.table.is_some()
    }

    /// Plays `script` to the horizon, again where our own process was late.
    ///
    /// # Errors
    ///
    /// One line, where there was no connection.
    pub async fn play(
        &self,
        endpoint: &Endpoint,
        script: &Script,
    ) -> Result<(Trace, Verdict), String> {
        let played = self.punctual(endpoint, script, Watching::ToHorizon).await?;
        Ok((played.trace, played.verdict))
    }

    /// Shrinks `script`, which breaks a rule with `key`, with many candidates in play
    /// at once: those that come next as long as none of them fails.
    pub async fn shrink(
        &self,
        endpoint: &Endpoint,
        part: Part,
        key: Key,
        script: Script,
        width: usize,
    ) -> Shrunk {
        let mut shrinker = Shrinker::new(script);
        let mut known: BTreeMap<Script, bool> = BTreeMap::new();
        let mut plays = 0;
        loop {
            while let Some(candidate) = shrinker.candidate() {
                // What the URL does anyway cannot be left out of the script, nor changed.
                let failed =
                    if part.suits(candidate) { known.get(candidate) } else { Some(&false) };
                let Some(failed) = failed.copied() else { break };
                shrinker.tell(failed);
            }
            let width = width.clamp(1, WIDTH).min((BUDGET - plays) as usize);
            let batch = next(shrinker.clone(), part, &known, width);
            if batch.is_empty() {
                return Shrunk { script: shrinker.into_best(), plays };
            }
            plays += batch.len() as u32;
            known.extend(self.fail(endpoint, key, batch).await);
        }
    }

    /// Whether `script` breaks the rule with `key` again, in two plays at most.
    pub(super) async fn repeats(&self, endpoint: &Endpoint, key: Key, script: &Script) -> bool {
        let twice = vec![script.clone(), script.clone()];
        self.fail(endpoint, key, twice).await.iter().any(|(_, failed)| *failed)
    }

    /// Which scripts of a batch break the rule with `key`.
    async fn fail(&self, endpoint: &Endpoint, key: Key, batch: Vec<Script>) -> Vec<(Script, bool)> {
        let mut playing = JoinSet::new();
        for script in batch {
            let (player, endpoint) = (self.clone(), endpoint.clone());
            playing.spawn(async move {
                let played = player.punctual(&endpoint, &script, Watching::ToDeadline).await;
                let failed = played.is_ok_and(|played| played.verdict.find(key).is_some());
                (script, failed)
            });
        }
        playing.join_all().await
    }

    /// Plays until our own process was on time, or a rule was kept all the same.
    pub(super) async fn punctual(
        &self,
        endpoint: &Endpoint,
        script: &Script,
        watching: Watching,
    ) -> Result<Played, String> {
        let _room = self.room.acquire().await;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(endpoint, script, watching).await {
                Ok(played) if played.was_late && tries < AGAIN => {}
                Err(_) if tries < AGAIN => {}
                played => return played,
            }
        }
    }

    /// Plays once.
    pub(super) async fn once(
        &self,
        endpoint: &Endpoint,
        script: &Script,
        watching: Watching,
    ) -> Result<Played, String> {
        let played = self.world.play(endpoint, script, watching).await;
        played.map_err(|error| format!("{}: {error}", endpoint.url))
    }
}

/// The candidates that come next as long as none of them fails, `width` that have not
/// been played.
fn next(
    mut ahead: Shrinker,
    part: Part,
    known: &BTreeMap<Script, bool>,
    width: usize,
) -> Vec<Script> {
    let mut batch = Vec::new();
    while batch.len() < width {
        let Some(candidate) = ahead.candidate().cloned() else { break };
        let failed = known.get(&candidate).copied().filter(|_| part.suits(&candidate));
        if failed.is_none() && part.suits(&candidate) {
            batch.push(candidate);
        }
        ahead.tell(failed.unwrap_or(false));
    }
    batch
}
