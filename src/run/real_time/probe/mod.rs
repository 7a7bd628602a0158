//! A campaign over TCP: many scripts at once against a running server, or a client that is started for each.
//!
//! Most of a script is waiting, so hundreds run at once: a campaign takes about as long as its
//! longest scripts, not as their sum. Scripts that break rules are shrunk in the same rounds, and
//! then played again, at least twice, side by side, before they are reported: how long a probe takes
//! follows from the bounds ([`schedule`]), whatever is wrong with the server. A connection of a
//! minimal script that is open at the horizon is watched on meanwhile: does the server end it by
//! itself, and when?
//!
//! It prints nothing: a callback gets [`ProbeProgress`].

mod campaign;
mod clock;
mod confirm;
mod deaths;
mod finding;
mod groups;
mod investigate;
mod outcome;
mod replay;
mod schedule;
mod watches;
mod whole;

pub use finding::ProbeFinding;
pub use outcome::{DeathsFound, ProbeOutcome, ProbeProgress, ShutdownSeen};

use super::idle_client::{IdleClient, IdleEnd};
use super::player::{PlayLimits, Player};
use super::preflight::check_url;
use super::process_group::StopSignal;
use super::remote_subject::{RemoteSubject, UrlRole};
use super::subject::Subject;
use crate::verdict::{Identity, Pattern, Problem, Reason};
use crate::wire::Role;
use campaign::{Campaign, PendingScript, RawFinding};
use clock::Clock;
use investigate::{Candidate, CandidateState};
use schedule::Schedule;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// How many findings are shrunk and confirmed; a server that breaks more is better
/// looked at with fewer. At most as many connections are watched on.
const FINDINGS: usize = 48;

/// How often a server is asked for one more WebSocket behind the campaign, before it is said to open none.
const OPENINGS: u32 = 3;

/// The settings of a probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The server or client under test.
    pub subject: RemoteSubject,
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
    /// The signal that tells the server to shut down, where that is looked at in place of a campaign.
    pub stop: Option<StopSignal>,
}

/// Told of every step forward.
type OnProgress<'a> = &'a mut (dyn FnMut(ProbeProgress<'_>) + Send);

impl Probe {
    /// Plays the campaign until its end, or until `stop` says true.
    ///
    /// # Errors
    ///
    /// One line: why the server cannot be tested at all.
    pub async fn run(
        &self,
        mut stop: watch::Receiver<bool>,
        on_progress: OnProgress<'_>,
    ) -> Result<ProbeOutcome, String> {
        let Self { limits, scripts, concurrency, rate, .. } = *self;
        let schedule = Schedule::new(limits, scripts, concurrency, rate);
        let clock = Clock { schedule, began: Instant::now() };
        let player = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {
                return Ok(ProbeOutcome { stopped: true, ..ProbeOutcome::default() });
            }
            player = Player::preflight(&self.subject, self.limits, self.concurrency) => player?,
        };
        if let Some(signal) = self.stop {
            return Ok(self.run_rounds(&player, signal, stop, on_progress).await);
        }
        // Of a client nobody has to know what becomes of it beside a server that does nothing.
        let server = self.subject.first().server();
        let plain = server.filter(|plain| concurrency > 1 && plain.opening.preamble().is_empty());
        let idle = plain.map(|plain| IdleClient::start(plain.clone()));
        let mut campaign = Campaign::new(self, player.sees_the_server());
        let stopped = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => true,
            () = campaign.play(&player, clock, on_progress) => false,
        };
        let Campaign { mut outcome, findings: mut raw_findings, .. } = campaign;
        outcome.stopped = stopped;
        if !stopped && player.is_gone(self.subject.first()).await {
            outcome.trouble = Some(Self::take_gone(&player, &mut outcome, &mut raw_findings));
        }
        if !stopped && outcome.trouble.is_none() {
            let asking = self.opens_no_more(&outcome);
            (outcome.stopped, outcome.trouble) = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => (true, None),
                trouble = asking => (false, trouble),
            };
        }
        while raw_findings.len() > FINDINGS {
            raw_findings.pop_last();
            outcome.passed_over += 1;
        }
        let mut candidates: Vec<Candidate> =
            raw_findings.into_iter().map(|(key, raw)| self.candidate(key, raw)).collect();
        if !outcome.stopped && outcome.trouble.is_none() {
            let looking =
                self.investigate(&player, &mut candidates, &mut outcome, clock, on_progress);
            let (stopped, trouble) = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => (true, None),
                trouble = looking => (false, trouble),
            };
            (outcome.stopped, outcome.trouble) = (stopped, trouble);
        }
        count_unjudged(&mut outcome, &mut candidates);
        let looking = self.look_into_deaths(&player, &mut outcome, on_progress);
        let killer = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => None,
            killer = looking => killer,
        };
        let dead = self.tell_deaths(&player, &mut outcome, killer);
        // A death ends it as well.
        outcome.idle =
            idle.filter(|_| !outcome.deaths.died).map_or_else(IdleEnd::default, |it| it.seen());
        for Candidate { finding, key, state, .. } in &candidates {
            let identity = finding.violation.identity;
            outcome.became.insert(*key, identity);
            if *state != CandidateState::Accepted {
                outcome.sightings.rename(*key, identity);
            }
        }
        let is_left = |one: &Candidate| {
            matches!(one.state, CandidateState::Pending | CandidateState::Reported)
        };
        candidates.retain(is_left);
        for left in candidates.iter().filter(|one| one.state == CandidateState::Pending) {
            on_progress(ProbeProgress::News(&left.finding));
        }
        if let Some(dead) = &dead {
            on_progress(ProbeProgress::News(dead));
        }
        let found = candidates.into_iter().map(|candidate| candidate.finding);
        outcome.findings = dead.into_iter().chain(found).collect();
        if outcome.seems_overloaded() && self.subject.role() == Role::Server {
            // Was it too much at once, or does one client make others wait?
            let looking = self.look_at_isolation(&player, &mut outcome, on_progress);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => {}
                _ = timeout_at(clock.told_apart(), looking) => {}
            }
        }
        outcome.findings.sort_by_key(|finding| finding.violation.identity);
        Ok(outcome)
    }

    /// Whether the server, which opened a WebSocket before the first script, opens none after the last: why
    /// nothing more can be tested. What it was too busy for it has time for meanwhile.
    async fn opens_no_more(&self, outcome: &ProbeOutcome) -> Option<String> {
        let server = self.subject.first().server()?;
        let mut why = String::new();
        for _ in 0..OPENINGS {
            match check_url(server, UrlRole::Plain, None).await {
                Ok(_) => return None,
                Err(error) => why = error,
            }
            sleep(self.limits.bounds.close).await;
        }
        Some(format!(
            "{why}. Before the first script the server opened a WebSocket, and after {} it opens none, also to a \
             client that is alone: {} of the openings in them were not answered",
            outcome.scripts, outcome.unanswered
        ))
    }

    /// The URL, or the command, where the application has this role.
    fn part(&self, role: UrlRole) -> &Subject {
        self.subject.part(role).expect("scripts are drawn for parts that there are")
    }

    fn candidate(&self, key: Identity, raw: RawFinding) -> Candidate {
        let RawFinding { violation, exchange, sources, scripts, is_judged } = raw;
        let PendingScript { index, role, script, .. } = sources[0].clone();
        let url = self.part(role).name().to_owned();
        let finding =
            ProbeFinding { index, ..ProbeFinding::seen(violation, exchange, script, url) };
        let state = CandidateState::Pending;
        let known = Arc::default();
        Candidate { finding, key, state, sources, scripts, is_judged, known }
    }

    fn accepts(&self, identity: Identity) -> bool {
        self.accepted.iter().any(|pattern| pattern.matches(identity))
    }

    fn role_of(&self, found: &ProbeFinding) -> UrlRole {
        let own = self.subject.parts().find(|(_, subject)| subject.name() == found.url);
        own.map_or(UrlRole::Plain, |(role, _)| role)
    }
}

/// Scripts that showed something that none of the plays again does were not judged, unless they
/// showed something else that was. What only such scripts showed that were never judged is no
/// finding where there was no time to play it again, and neither is a problem of which nothing
/// was: a machine that has no time for that had none for the first play either. Where testing was
/// ended from outside, it stays.
fn count_unjudged(outcome: &mut ProbeOutcome, candidates: &mut Vec<Candidate>) {
    candidates.retain(|one| one.is_judged || one.finding.shown > 0);
    let shown_again: BTreeSet<Problem> = {
        let shown = candidates.iter().filter(|one| one.has_shown_again());
        let shown = shown.filter(|one| !one.finding.is_dismissed());
        shown.map(|one| one.finding.violation.identity.problem()).collect()
    };
    let is_cut_short = outcome.stopped || outcome.trouble.is_some();
    let had_no_time = |one: &Candidate| {
        let problem = one.finding.violation.identity.problem();
        !is_cut_short
            && one.state == CandidateState::Pending
            && !one.has_shown_again()
            && !one.finding.is_dismissed()
            && !shown_again.contains(&problem)
    };
    let is_unjudged = |one: &&Candidate| {
        let never_again = matches!(one.finding.dismissed, Some(Reason::NotRepeated { .. }));
        one.is_judged && (never_again || had_no_time(one))
    };
    let scripts = |of: &dyn Fn(&&Candidate) -> bool| -> BTreeSet<u64> {
        candidates.iter().filter(of).flat_map(|one| one.scripts.iter().copied()).collect()
    };
    let judged = scripts(&|one| !is_unjudged(one));
    let unjudged = scripts(&is_unjudged).difference(&judged).count() as u64;
    outcome.unjudged += unjudged;
    outcome.scripts -= unjudged.min(outcome.scripts);
    candidates.retain(|one| !had_no_time(one));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{ConnectionId, Exchange};
    use crate::script::Script;
    use crate::verdict::{Cause, Condition, Ending, Excuses, Invariant, Level, Symptom, Violation};

    /// What the script with this index showed, before it was played again.
    fn candidate(identity: Identity, index: u64) -> Candidate {
        let violation = Violation {
            identity,
            connection: ConnectionId::FIRST,
            level: Level::Must,
            ending: Ending::Never,
            owed: None,
            fact: String::new(),
            events: Vec::new(),
            doubts: Vec::new(),
            refuted: Excuses::default(),
        };
        let script = Script::default();
        let url = "ws://127.0.0.1:1/".to_owned();
        Candidate {
            finding: ProbeFinding::seen(violation, Exchange::new(false), script, url),
            key: identity,
            state: CandidateState::Pending,
            sources: Vec::new(),
            scripts: [index].into(),
            is_judged: true,
            known: Arc::default(),
        }
    }

    fn left(outcome: &mut ProbeOutcome, mut candidates: Vec<Candidate>) -> Vec<u64> {
        count_unjudged(outcome, &mut candidates);
        candidates.iter().flat_map(|one| one.scripts.iter().copied()).collect()
    }

    #[test]
    fn a_problem_that_nobody_had_time_to_play_again_is_not_judged_and_no_finding() {
        let silent = |cause| Identity::liveness(Invariant::EndsInTime, cause, Condition::Silent);
        let (close, ping) = (silent(Cause::OwnClose), silent(Cause::ClientFin));
        let other = ping.with_symptom(Symptom::WaitsForRoom);
        let outcome = || ProbeOutcome { scripts: 9, ..ProbeOutcome::default() };

        let mut busy = outcome();
        assert_eq!(left(&mut busy, vec![candidate(close, 1), candidate(ping, 2)]), [0_u64; 0]);
        assert_eq!((busy.scripts, busy.unjudged), (7, 2));

        // Of a problem that showed again, the other variants stay.
        let mut shown = candidate(close, 1);
        (shown.finding.replays, shown.finding.shown) = (2, 2);
        shown.state = CandidateState::Reported;
        let mut some = outcome();
        let all = vec![shown, candidate(ping, 2), candidate(other, 3)];
        assert_eq!(left(&mut some, all), [1, 2]);
        assert_eq!((some.scripts, some.unjudged), (8, 1));

        // What was shrunk to its end showed again and again.
        let mut shrunk = candidate(close, 1);
        (shrunk.finding.shrunk, shrunk.finding.cut_short) = (true, false);
        let mut one = outcome();
        assert_eq!(left(&mut one, vec![shrunk]), [1]);
        assert_eq!((one.scripts, one.unjudged), (9, 0));

        // Whoever ends it wants to see what there is.
        let mut stopped = ProbeOutcome { stopped: true, ..outcome() };
        assert_eq!(left(&mut stopped, vec![candidate(close, 1)]), [1]);
        assert_eq!((stopped.scripts, stopped.unjudged), (9, 0));
    }
}
