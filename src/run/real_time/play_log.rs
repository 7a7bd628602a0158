//! Which scripts are in play, and when the client did something last in each: so that the script
//! can be named after which a server died.
//!
//! It plays nothing. Who ended the server is a guess here, the likeliest first; a play alone proves
//! it (`deaths`).

use super::record::Record;
use crate::exchange::{End, Event, Exchange, Time, What};
use crate::script::{Act, Content, Frame, Kind, Pace, Piece, Script, Send, Step, Unit};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a play that is over is remembered: a server may die of it a little later.
const REMEMBERED: Duration = Duration::from_secs(10);
/// How many plays that are over are remembered at most.
const MOST: usize = 4096;
/// After how many plays old ones are forgotten.
const FORGET: u64 = 64;
/// The kernel ends the connections of a process that dies within so long.
const BURST: Duration = Duration::from_millis(100);
/// So many scripts that were not answered are likelier than any that was.
const UNANSWERED: usize = 2;
/// Two clocks are read, one after the other.
const GRAIN: Duration = Duration::from_millis(1);

/// The plays of one run; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct PlayLog(Arc<Mutex<Plays>>);

#[derive(Debug, Default)]
struct Plays {
    next: u64,
    /// Since when no connection is accepted.
    refused: Option<Instant>,
    plays: VecDeque<Play>,
}

#[derive(Debug)]
struct Play {
    number: u64,
    url: String,
    script: Script,
    start: Instant,
    state: PlayState,
}

#[derive(Debug)]
enum PlayState {
    Runs(Record),
    /// Since when it is over.
    Over(Activity, Instant),
}

/// What the two ends did, as far as it says who ended the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Activity {
    /// When the client did something that the server could see.
    acts: Vec<Time>,
    /// The last of these to which the server sent something.
    answered: Option<Time>,
    /// When the server's end of the connection came.
    ended: Option<Time>,
    /// When hangup reset a connection that was still open once the script was over.
    reset: Option<Time>,
}

/// A script after which the server may have died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The URL that it was played on.
    pub url: String,
    /// The script; with the reset at its end, where that came last.
    pub script: Script,
    /// The script as it was drawn.
    pub drawn: Script,
    /// How long after the play's start the server died.
    pub lived: Duration,
}

impl Activity {
    fn of(exchange: &Exchange) -> Self {
        let mut activity = Self { acts: vec![Time::ZERO], ..Self::default() };
        for event @ Event { at, what, .. } in &exchange.events {
            match what {
                What::Arrived { .. } | What::FinArrived | What::ResetArrived => {
                    activity.acts.push(*at);
                }
                What::Read { .. } if event.end == End::Actor => {
                    activity.answered = activity.acts.last().copied();
                }
                _ if event.shows_actor_the_end() => {
                    activity.ended.get_or_insert(*at);
                }
                _ => {}
            }
        }
        activity
    }

    /// That of a play that is over at `now`: a connection that is open then is reset.
    fn over(exchange: &Exchange, now: Time) -> Self {
        Self { reset: is_open(exchange).then_some(now), ..Self::of(exchange) }
    }

    /// The last that the client did by `until`, and whether that was the reset at the end.
    fn last_act(&self, until: Time) -> Option<(Time, bool)> {
        let act = self.acts.iter().rev().find(|at| **at <= until).map(|at| (*at, false));
        let reset = self.reset.filter(|at| *at <= until).map(|at| (at, true));
        reset.or(act)
    }
}

/// Whether a connection is open on either side, so that a reset reaches the server.
pub(super) fn is_open(exchange: &Exchange) -> bool {
    let has = |wanted: fn(&What) -> bool| exchange.events.iter().any(|event| wanted(&event.what));
    let is_reset = has(|what| matches!(what, What::ReadReset | What::ResetArrived));
    let is_over = has(|what| *what == What::ReadEnd) && has(|what| *what == What::FinArrived);
    !is_reset && !is_over
}

impl Play {
    /// A time of the play on the clock of all.
    fn at(&self, time: Time) -> Option<Instant> {
        self.start.checked_add(time.since_accept())
    }

    fn activity(&self) -> Activity {
        match &self.state {
            PlayState::Runs(record) => record.look(Activity::of),
            PlayState::Over(activity, _) => activity.clone(),
        }
    }
}

impl PlayLog {
    /// A play begins; its number.
    pub fn begin(&self, url: &str, script: &Script, record: &Record) -> u64 {
        let mut log = self.log();
        let (number, start) = (log.next, record.start());
        log.next += 1;
        log.refused = None;
        if number % FORGET == 0 {
            log.forget();
        }
        let (url, script, state) =
            (url.to_owned(), script.clone(), PlayState::Runs(record.clone()));
        log.plays.push_back(Play { number, url, script, start, state });
        number
    }

    /// A URL was checked: a WebSocket was opened there, and closed as it should be.
    pub fn note_check(&self, url: &str) {
        let send = |unit| Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once });
        let close = Unit::Frame(Frame::new(Kind::Close(Some(1000), Content::Empty)));
        let steps = [send(Unit::Upgrade(None)), send(close)].map(Step::from);
        let script = Script { steps: steps.to_vec() };
        let now = Instant::now();
        let activity = Activity { acts: vec![Time::ZERO], ..Activity::default() };
        let mut log = self.log();
        let (number, url) = (log.next, url.to_owned());
        log.next += 1;
        let state = PlayState::Over(activity, now);
        log.plays.push_back(Play { number, url, script, start: now, state });
    }

    /// No connection was accepted; of several times the first counts.
    pub fn refused(&self) {
        self.log().refused.get_or_insert_with(Instant::now);
    }

    /// A play is over, and comes to this.
    pub fn finish(&self, number: u64, exchange: &Exchange) {
        let mut log = self.log();
        let Some(play) = log.plays.iter_mut().rev().find(|play| play.number == number) else {
            return;
        };
        let now = Instant::now();
        let activity = Activity::over(exchange, (now - play.start).into());
        play.state = PlayState::Over(activity, now);
    }

    /// The scripts after which the server may have died, the likeliest first. It was seen to be dead
    /// at `seen`, or accepts no connection.
    ///
    /// A server deals with what comes about in the order in which it comes. What was sent before
    /// something that it answered is behind it; what was sent right after that it died of, or
    /// never saw.
    pub fn suspects(&self, seen: Option<Instant>) -> Vec<Suspect> {
        let log = self.log();
        let plays = log.activities();
        let died = log.died_at(&plays, seen);
        let answered = |(play, activity): &(&Play, Activity)| play.at(activity.answered?);
        let answered = plays.iter().filter_map(answered).filter(|at| *at <= died).max();
        let mut unanswered = Vec::new();
        let mut others = Vec::new();
        for (play, activity) in &plays {
            let Some(until) = (died + GRAIN).checked_duration_since(play.start) else { continue };
            let Some((act, was_reset)) = activity.last_act(until.into()) else { continue };
            let Some(at) = play.at(act) else { continue };
            let mut script = play.script.clone();
            if was_reset {
                script.steps.push(Act::Reset.into());
            }
            let (url, drawn) = (play.url.clone(), play.script.clone());
            let lived = died.saturating_duration_since(play.start);
            let suspect = Suspect { url, script, drawn, lived };
            let last = answered.unwrap_or(at);
            if activity.answered == Some(act) || at + GRAIN < last {
                others.push((last.saturating_duration_since(at), suspect));
            } else {
                unanswered.push((at.saturating_duration_since(last), suspect));
            }
        }
        // Of those that did something in the same moment the one with fewer steps is first.
        for suspects in [&mut unanswered, &mut others] {
            suspects.sort_by_key(|(apart, suspect)| (*apart, suspect.script.steps.len()));
        }
        // It may have answered, and died then.
        let rest = unanswered.split_off(unanswered.len().min(UNANSWERED));
        let first_other = others.drain(..others.len().min(1));
        let all = unanswered.into_iter().chain(first_other).chain(rest);
        let mut suspects: Vec<Suspect> = all.map(|(_, suspect)| suspect).collect();
        suspects.extend(others.into_iter().map(|(_, suspect)| suspect));
        suspects
    }

    /// The scripts whose connections ended with a server that accepts none any more: what they seem
    /// to show is its death.
    pub fn ended_by_death(&self) -> Vec<Script> {
        let log = self.log();
        let plays = log.activities();
        let died = log.died_at(&plays, None);
        let by_death = |(play, activity): &&(&Play, Activity)| {
            let ended = activity.ended.map(|ended| play.start + ended.since_accept());
            ended.is_some_and(|ended| ended + BURST >= died)
        };
        plays.iter().filter(by_death).map(|(play, _)| play.script.clone()).collect()
    }

    /// Forgets all plays: another process serves from now on.
    pub fn clear(&self) {
        self.log().plays.clear();
    }

    fn log(&self) -> MutexGuard<'_, Plays> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plays {
    fn activities(&self) -> Vec<(&Play, Activity)> {
        self.plays.iter().map(|play| (play, play.activity())).collect()
    }

    /// When the server died, which was `seen`, or noticed since no connection is accepted: the kernel
    /// ends all connections of a process that dies. Of those that ended before, the end says
    /// nothing.
    fn died_at(&self, plays: &[(&Play, Activity)], seen: Option<Instant>) -> Instant {
        let noticed = seen.or(self.refused);
        let by = noticed.unwrap_or_else(Instant::now);
        let end = |(play, activity): &(&Play, Activity)| {
            Some(play.start + activity.ended?.since_accept())
        };
        let last = plays.iter().filter_map(end).filter(|end| *end <= by).max();
        last.filter(|end| noticed.is_none() || *end + BURST >= by).unwrap_or(by)
    }

    fn forget(&mut self) {
        let is_recent = |play: &Play| match &play.state {
            PlayState::Runs(_) => true,
            PlayState::Over(_, since) => since.elapsed() < REMEMBERED,
        };
        self.plays.retain(is_recent);
        while self.plays.len() > MOST {
            self.plays.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, sleep};

    fn script(text: &str) -> Script {
        text.parse().expect(text)
    }

    /// A play of `text` that sends something now.
    fn sends(log: &PlayLog, text: &str) -> (u64, Record) {
        let record = Record::begin(Exchange::new(false));
        let number = log.begin("ws://127.0.0.1:1/", &script(text), &record);
        record.sent(b"a frame");
        (number, record)
    }

    async fn later(milliseconds: u64) {
        advance(Duration::from_millis(milliseconds)).await;
    }

    fn named(log: &PlayLog, seen: Option<Instant>) -> Vec<String> {
        log.suspects(seen).iter().map(|one| one.script.to_string().replace('\n', ";")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_right_behind_what_was_answered_is_likeliest() {
        let log = PlayLog::default();
        let (_, old) = sends(&log, "close 1000\n");
        later(20).await;
        let (_, answered) = sends(&log, "ping\n");
        later(5).await;
        let (_, killer) = sends(&log, "pong\n");
        later(5).await;
        answered.got(b"a pong");
        let (_, behind) = sends(&log, "text\n");
        later(5).await;
        let (_, last) = sends(&log, "binary\n");
        later(5).await;
        for record in [&old, &answered, &killer, &behind, &last] {
            record.push_at_actor(What::ReadEnd);
        }
        later(5).await;
        let expected = ["pong;", "text;", "ping;", "binary;", "close 1000;"];
        assert_eq!(named(&log, Some(Instant::now())), expected);
        // What is sent once it is dead is no reason for it.
        later(200).await;
        last.sent(b"a frame");
        assert_eq!(named(&log, None), expected);
        let first = log.suspects(None).swap_remove(0);
        assert_eq!((first.lived, first.drawn), (Duration::from_millis(15), script("pong\n")));
        log.clear();
        assert_eq!(named(&log, None), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_reset_at_the_end_of_a_play_is_a_step_of_the_suspect() {
        let log = PlayLog::default();
        let (open, record) = sends(&log, "upgrade\n");
        later(5).await;
        log.finish(open, &record.take());
        let (ended, record) = sends(&log, "upgrade\nfin\n");
        record.push(What::FinArrived);
        record.push_at_actor(What::ReadEnd);
        later(1).await;
        log.finish(ended, &record.take());
        assert_eq!(named(&log, Some(Instant::now())), ["upgrade;reset;", "upgrade;fin;"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_ended_with_the_server_is_told_from_what_had_ended_before() {
        let log = PlayLog::default();
        let (_, before) = sends(&log, "ping\n");
        before.push_at_actor(What::ReadEnd);
        later(500).await;
        let (_, with) = sends(&log, "pong\n");
        later(5).await;
        with.push_at_actor(What::ReadReset);
        later(5).await;
        log.refused();
        assert_eq!(log.ended_by_death(), [script("pong\n")]);
        // A connection that is accepted again was a passing trouble.
        later(500).await;
        let (_, after) = sends(&log, "text\n");
        after.push_at_actor(What::ReadReset);
        assert_eq!(log.ended_by_death(), [script("text\n")]);
        sleep(Duration::ZERO).await;
    }
}
