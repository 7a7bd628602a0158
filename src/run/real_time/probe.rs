//! A campaign over TCP: many scripts at once against a running server.
//!
//! Most of a script is waiting, so hundreds run at once, and a campaign takes about as
//! long as its longest scripts, not as their sum. What breaks a rule is shrunk, and
//! then played again alone, twice at least, before it is believed.

use super::control;
use super::play::{Played, Watching};
use super::player::{AGAIN, Measures, Player, Shrunk};
use super::remote_urls::{Part, Server, pauses};
use crate::exchange::Trace;
use crate::script::Script;
use crate::transport::tcp::endpoint::Endpoint;
use crate::verdict::{Identity, Pattern, Violation};
use crate::wire::handshake;
use std::collections::{BTreeMap, VecDeque};
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

/// What to do.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The server under test.
    pub server: Server,
    /// Bounds, slack and horizon.
    pub measures: Measures,
    /// Names the scripts, together with their index.
    pub seed: u64,
    /// How many scripts to play.
    pub scripts: u64,
    /// How many connections at once.
    pub concurrency: usize,
    /// How many new connections a second, at most 1,000.
    pub rate: u32,
    /// What is known and accepted, as patterns ([`Pattern::matches`]): it is counted, and neither
    /// shrunk nor reported.
    pub accepted: Vec<Pattern>,
}

/// Something found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The violation, as the minimal script shows it.
    pub violation: Violation,
    /// The minimal script.
    pub script: Script,
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
    /// Whether the server did the same where the client did not do what it seemed to be
    /// about: then it is no answer to that, and no finding.
    pub unprovoked: bool,
    /// The minimal script's trace.
    pub trace: Trace,
}

impl Found {
    /// Whether it is not held against the server: it never showed again alone, or is no
    /// answer to what the client did.
    pub fn is_dismissed(&self) -> bool {
        self.unprovoked || (self.replays > 0 && self.shown == 0)
    }

    /// Whether it did not show every time that it was played again.
    pub fn is_flaky(&self) -> bool {
        self.shown < self.replays
    }

    /// Takes a smaller script, and what it shows up to the horizon; where that is not
    /// the finding, it stays as it was first seen.
    fn is_shown_by(&mut self, shrunk: Shrunk, last: Option<Played>) {
        self.plays = shrunk.plays;
        let Some(last) = last else { return };
        if let Some(violation) = last.verdict.find(self.violation.identity) {
            self.violation = violation.clone();
            self.script = shrunk.script;
            self.trace = last.trace;
        }
    }

    /// Of the replays, the share that showed it; 1 where there were none.
    pub fn rate(&self) -> f64 {
        if self.replays == 0 { 1.0 } else { f64::from(self.shown) / f64::from(self.replays) }
    }
}

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many scripts were played and judged.
    pub scripts: u64,
    /// What was found, by key.
    pub findings: Vec<Found>,
    /// What of the accepted was seen, and in how many scripts.
    pub accepted: BTreeMap<Identity, u64>,
    /// Scripts that broke a rule while our own process was late, again and again: not judged.
    pub unjudged: u64,
    /// Scripts whose whole request was not answered with 101.
    pub refused: u64,
    /// Findings beyond those that were looked into.
    pub passed_over: usize,
    /// Whether the server's end of its connections was seen.
    pub sees_the_server: bool,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Why it could not go on, in one line.
    pub trouble: Option<String>,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Scripts are played: so many of so many, with so many findings.
    Playing(u64, u64, usize),
    /// Findings are shrunk: so many of so many.
    Shrinking(usize, usize),
    /// Findings are played again alone: so many of so many.
    Confirming(usize, usize),
    /// A finding that is complete.
    News(&'a Found),
}

/// One script to play.
#[derive(Clone, Debug)]
struct Case {
    index: u64,
    part: Part,
    script: Script,
    /// How often it was played and not judged.
    tries: u32,
}

/// The first sight of a finding.
struct Sight {
    case: Case,
    violation: Violation,
    trace: Trace,
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
        tell: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Outcome, String> {
        let player = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {
                return Ok(Outcome { stopped: true, ..Outcome::default() });
            }
            player = Player::meet(&self.server, self.measures, self.concurrency) => player?,
        };
        let sees_the_server = player.sees_the_server();
        let mut outcome = Outcome { sees_the_server, ..Outcome::default() };
        let mut sights = BTreeMap::new();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
            () = self.play_all(&player, &mut outcome, &mut sights, tell) => {}
        }
        while sights.len() > FINDINGS {
            sights.pop_last();
            outcome.passed_over += 1;
        }
        let mut found: Vec<Found> =
            sights.into_values().map(|sight| self.unconfirmed(sight)).collect();
        if !outcome.stopped && outcome.trouble.is_none() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
                trouble = self.look_into(&player, &mut found, tell) => outcome.trouble = trouble,
            }
        }
        for unconfirmed in found.iter().filter(|found| found.replays == 0) {
            tell(Progress::News(unconfirmed));
        }
        outcome.findings = found;
        Ok(outcome)
    }

    fn url(&self, part: Part) -> &Endpoint {
        self.server.endpoint(part).expect("scripts are drawn for parts that there are")
    }

    fn unconfirmed(&self, Sight { case, violation, trace }: Sight) -> Found {
        let url = self.url(case.part).url.clone();
        let Case { index, script, .. } = case;
        let (plays, replays, shown, unprovoked) = (0, 0, 0, false);
        Found { violation, script, url, index, plays, replays, shown, unprovoked, trace }
    }

    /// The scripts, those with the longest pauses first: then the last to be played
    /// are short.
    fn cases(&self) -> VecDeque<Case> {
        let draw = |index| {
            let (part, script) = self.server.nth(&self.measures.bounds, self.seed, index);
            Case { index, part, script, tries: 0 }
        };
        let mut cases: Vec<Case> = (0..self.scripts).map(draw).collect();
        cases.sort_by_cached_key(|case| std::cmp::Reverse(pauses(&case.script)));
        cases.into()
    }

    /// Plays all scripts, as many at once as there may be.
    async fn play_all(
        &self,
        player: &Player,
        outcome: &mut Outcome,
        sights: &mut BTreeMap<Identity, Sight>,
        tell: &mut (dyn FnMut(Progress<'_>) + Send),
    ) {
        let mut waiting = self.cases();
        let mut playing = JoinSet::new();
        let mut ticket = interval(Duration::from_secs(1) / self.rate.clamp(1, 1000));
        ticket.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(waiting.is_empty() && playing.is_empty()) {
            let may_begin = playing.len() < self.concurrency && !waiting.is_empty();
            tokio::select! {
                biased;
                Some(done) = playing.join_next() => {
                    let (case, played): (Case, Result<Played, String>) = match done {
                        Ok(done) => done,
                        Err(error) => std::panic::resume_unwind(error.into_panic()),
                    };
                    match played {
                        Ok(played) => self.judged(case, played, outcome, sights, &mut waiting),
                        Err(error) => {
                            outcome.trouble = self.lost(case, error, outcome, &mut waiting).await;
                            if outcome.trouble.is_some() {
                                return;
                            }
                        }
                    }
                    tell(Progress::Playing(outcome.scripts, self.scripts, sights.len()));
                }
                _ = ticket.tick(), if may_begin => {
                    let Some(case) = waiting.pop_front() else { continue };
                    let (player, endpoint) = (player.clone(), self.url(case.part).clone());
                    playing.spawn(async move {
                        let played = player.once(&endpoint, &case.script, Watching::ToDeadline);
                        let played = played.await;
                        (case, played)
                    });
                }
            }
        }
    }

    /// Takes in what a script showed; one that was played while our own process was
    /// late, and broke a rule, is played again.
    fn judged(
        &self,
        mut case: Case,
        played: Played,
        outcome: &mut Outcome,
        sights: &mut BTreeMap<Identity, Sight>,
        waiting: &mut VecDeque<Case>,
    ) {
        if played.was_late && !played.verdict.is_clean() {
            case.tries += 1;
            if case.tries < AGAIN {
                waiting.push_back(case);
            } else {
                outcome.unjudged += 1;
            }
            return;
        }
        outcome.scripts += 1;
        let response = handshake::response(&played.trace.to_client).ok().flatten();
        let refused = response.is_some_and(|response| response.status != 101);
        outcome.refused += u64::from(refused && asks_well(&case.script));
        for violation in played.verdict.violations {
            let key = violation.identity;
            if self.accepted.iter().any(|pattern| pattern.matches(key)) {
                *outcome.accepted.entry(key).or_default() += 1;
                continue;
            }
            // Of several scripts the shortest is shrunk.
            let size = |case: &Case| (case.script.steps.len(), case.index);
            if sights.get(&key).is_none_or(|sight| size(&case) < size(&sight.case)) {
                let (case, trace) = (case.clone(), played.trace.clone());
                sights.insert(key, Sight { case, violation, trace });
            }
        }
    }

    /// There was no connection. Is the server gone, or was it only busy?
    async fn lost(
        &self,
        mut case: Case,
        error: String,
        outcome: &Outcome,
        waiting: &mut VecDeque<Case>,
    ) -> Option<String> {
        case.tries += 1;
        let died =
            format!("{error}; the server died in the middle, after {} scripts", outcome.scripts);
        if case.tries >= AGAIN {
            return Some(died);
        }
        let plain = self.url(Part::Plain);
        let alive = super::preflight::greet(plain, Part::Plain, None).await;
        waiting.push_back(case);
        alive.err().map(|_| died)
    }

    /// Shrinks what was found, all at once, and then plays each again, alone.
    async fn look_into(
        &self,
        player: &Player,
        found: &mut [Found],
        tell: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Option<String> {
        let all = found.len();
        let width = self.concurrency / all.max(1);
        let mut shrinking = JoinSet::new();
        for (place, found) in found.iter().enumerate() {
            let (player, key, script) =
                (player.clone(), found.violation.identity, found.script.clone());
            let part = self.part_of(found);
            let endpoint = self.url(part).clone();
            shrinking.spawn(async move {
                // What does not show again is not worth shrinking.
                let shrunk = if player.repeats(&endpoint, key, &script).await {
                    player.shrink(&endpoint, part, key, script, width).await
                } else {
                    Shrunk { script, plays: 0 }
                };
                let last = player.punctual(&endpoint, &shrunk.script, Watching::ToHorizon).await;
                (place, shrunk, last.ok())
            });
        }
        let mut done = 0;
        while let Some(Ok((place, shrunk, last))) = shrinking.join_next().await {
            found[place].is_shown_by(shrunk, last);
            done += 1;
            tell(Progress::Shrinking(done, all));
        }
        // The first of each rule and cause alone; then its others, which differ in what
        // the client did, all together.
        let of = |found: &Found| found.violation.identity.group();
        let is_first = |place: usize| place == 0 || of(&found[place - 1]) != of(&found[place]);
        let (firsts, others): (Vec<usize>, Vec<usize>) = (0..all).partition(|p| is_first(*p));
        for (number, place) in firsts.iter().enumerate() {
            if let Err(error) = self.confirm(player, &mut found[*place]).await {
                return Some(format!("{error}; the server died while findings were played again"));
            }
            tell(Progress::Confirming(number + 1, all));
            tell(Progress::News(&found[*place]));
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
            tell(Progress::Confirming(confirmed, all));
            tell(Progress::News(&found[place]));
        }
        None
    }

    /// Plays the minimal script again.
    async fn confirm(&self, player: &Player, found: &mut Found) -> Result<(), String> {
        let endpoint = self.url(self.part_of(found));
        if let Some(control) = control::script(found) {
            let played = player.punctual(endpoint, &control, Watching::ToDeadline).await?;
            found.unprovoked = control::said(&played.trace) == control::said(&found.trace);
        }
        let (mut replays, mut shown) = (0, 0);
        while replays < if shown == replays { REPLAYS } else { MORE_REPLAYS } {
            let played = player.punctual(endpoint, &found.script, Watching::ToDeadline).await?;
            replays += 1;
            shown += u32::from(played.verdict.find(found.violation.identity).is_some());
        }
        (found.replays, found.shown) = (replays, shown);
        Ok(())
    }

    fn part_of(&self, found: &Found) -> Part {
        let own = self.server.parts().find(|(_, endpoint)| endpoint.url == found.url);
        own.map_or(Part::Plain, |(part, _)| part)
    }
}

/// Whether the script asks for a WebSocket as it should, and waits for the answer.
fn asks_well(script: &Script) -> bool {
    let upgrade = script.steps.first().is_some_and(|step| step.to_string() == "upgrade");
    upgrade && !script.steps.get(1).is_some_and(|step| step.joined)
}
