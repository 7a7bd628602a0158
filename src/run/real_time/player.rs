//! Plays scripts against one server for whoever asks: once, again until our own
//! process was on time, or many at once to shrink one.

use super::delay_monitor::Pulse;
use super::kernel_table::Table;
use super::play::{Played, Watching, World};
use super::preflight::greet;
use super::remote_urls::{Part, Server, longest_script, pauses};
use crate::bounds::Bounds;
use crate::exchange::Trace;
use crate::script::Script;
use crate::shrink::Shrinker;
use crate::transport::tcp::endpoint::Endpoint;
use crate::verdict::{Identity, Verdict};
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
        let (mut is_here, mut took) = (true, Duration::ZERO);
        for (part, endpoint) in server.parts() {
            let greeted = greet(endpoint, part, table.as_ref()).await?;
            is_here &= greeted.is_here;
            if part == Part::Bye {
                took = greeted.took;
            }
        }
        let table = table.filter(|_| is_here);
        let begins = took + slack;
        let world = World { bounds, slack, horizon, begins, table, pulse: Pulse::start() };
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

    /// Shrinks `script`, which breaks a rule with `key`. A play takes as long as a bound,
    /// so rounds are what costs: each plays the candidates that come next as long as
    /// none of them fails, at once, and goes on from the smallest that did.
    pub async fn shrink(
        &self,
        endpoint: &Endpoint,
        part: Part,
        key: Identity,
        script: Script,
        width: usize,
    ) -> Shrunk {
        let width = width.clamp(4, WIDTH);
        let longest = longest_script(&self.world.bounds).max(pauses(&script));
        let suits = |script: &Script| part.suits(script) && pauses(script) <= longest;
        let mut best = script;
        let mut known: BTreeMap<Script, bool> = BTreeMap::new();
        let mut plays = 0;
        let mut guess = None;
        loop {
            let left = (BUDGET - plays) as usize;
            let mut batch = next(&best, &suits, &known, width.min(left));
            batch.extend(guess.take().filter(|guess| left > width && !known.contains_key(guess)));
            if batch.is_empty() {
                return Shrunk { script: best, plays };
            }
            plays += batch.len() as u32;
            let played = self.fail(endpoint, key, batch, Watching::WithMargin).await;
            let failed = played.iter().filter(|(_, failed)| *failed).map(|(script, _)| script);
            guess = without_all(&best, failed.clone()).filter(&suits);
            if let Some(smallest) = failed.min_by_key(|script| size(script)) {
                best = smallest.clone();
            }
            known.extend(played);
        }
    }

    /// Whether `script` breaks the rule with `key` again, in two plays at most.
    pub(super) async fn repeats(
        &self,
        endpoint: &Endpoint,
        key: Identity,
        script: &Script,
    ) -> bool {
        let twice = vec![script.clone(), script.clone()];
        self.fail(endpoint, key, twice, Watching::ToDeadline)
            .await
            .iter()
            .any(|(_, failed)| *failed)
    }

    /// Which scripts of a batch break the rule with `key`.
    async fn fail(
        &self,
        endpoint: &Endpoint,
        key: Identity,
        batch: Vec<Script>,
        watching: Watching,
    ) -> Vec<(Script, bool)> {
        let mut playing = JoinSet::new();
        for script in batch {
            let (player, endpoint) = (self.clone(), endpoint.clone());
            playing.spawn(async move {
                let played = player.punctual(&endpoint, &script, watching).await;
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

/// The candidates that come next after `best` as long as none of them fails, `width`
/// that have not been played.
fn next(
    best: &Script,
    suits: &dyn Fn(&Script) -> bool,
    known: &BTreeMap<Script, bool>,
    width: usize,
) -> Vec<Script> {
    let mut ahead = Shrinker::new(best.clone());
    let mut batch = Vec::new();
    while batch.len() < width {
        let Some(candidate) = ahead.candidate() else { break };
        // What the URL does anyway cannot be left out of the script, nor changed; and to
        // leave a step out must not make what is left take longer than a script may.
        if suits(candidate) && !known.contains_key(candidate) {
            batch.push(candidate.clone());
        }
        ahead.tell(false);
    }
    batch
}

/// How small a script is: by steps, then by time, then by length.
fn size(script: &Script) -> (usize, Duration, usize) {
    (script.steps.len(), pauses(script), script.to_string().len())
}

/// `best` without all steps that one or another of the `smaller` scripts does without.
fn without_all<'a>(best: &Script, smaller: impl Iterator<Item = &'a Script>) -> Option<Script> {
    let mut kept = vec![true; best.steps.len()];
    for script in smaller {
        let mut rest = script.steps.iter().peekable();
        let keeps: Vec<bool> =
            best.steps.iter().map(|step| rest.next_if(|next| *next == step).is_some()).collect();
        if rest.peek().is_none() {
            kept.iter_mut().zip(keeps).for_each(|(kept, keeps)| *kept &= keeps);
        }
    }
    let steps = best.steps.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(step, _)| step);
    let script = Script { steps: steps.cloned().collect() };
    (script.steps.len() < best.steps.len()).then_some(script)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        text.parse().expect(text)
    }

    #[test]
    fn what_can_go_one_by_one_is_tried_to_go_together() {
        let best = script("upgrade\nping\nclose\nfin\n");
        let smaller = [script("upgrade\nclose\nfin\n"), script("upgrade\nping\nclose\n")];
        assert_eq!(without_all(&best, smaller.iter()), Some(script("upgrade\nclose\n")));
        assert_eq!(without_all(&best, [script("upgrade\npong\n")].iter()), None);
    }

    #[test]
    fn what_the_url_does_stays_in_every_candidate() {
        let best = script("upgrade\napp close\nping x 9 every 1s\nwait 5s\n");
        let candidates = next(&best, &|script| Part::Bye.suits(script), &BTreeMap::new(), 100);
        assert!(candidates.len() > 5);
        assert!(candidates.iter().all(|candidate| Part::Bye.suits(candidate)));
        assert!(candidates.contains(&script("upgrade\napp close\n")));
    }
}
