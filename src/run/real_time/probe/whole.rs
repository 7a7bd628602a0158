//! A whole server under a probe: waves of connections, whether one client makes others wait, and the
//! rounds of its shutdown (`--stop`). What a round shows is made as simple as it can be, and played
//! again.

use super::finding::ProbeFinding;
use super::outcome::{ProbeOutcome, ProbeProgress, ShutdownSeen, held_after};
use super::{OnProgress, Probe};
use crate::exchange::Exchange;
use crate::finding::problem::Sighting;
use crate::judge::judge;
use crate::run::real_time::player::Player;
use crate::run::real_time::process_group::StopSignal;
use crate::run::real_time::remote_subject::UrlRole;
use crate::run::real_time::subject::Subject;
use crate::run::real_time::whole_server::{Round, isolation, waves};
use crate::script::Script;
use crate::verdict::{Invariant, Violation};
use tokio::sync::watch;

/// How often the simplest script is played again.
const REPLAYS: u32 = 2;

/// What a round showed.
struct Seen {
    round: Round,
    /// Its place among the rounds.
    index: u64,
    violation: Violation,
    exchange: Exchange,
}

impl Probe {
    /// Looks at the whole server in place of a campaign, until `stop` says true.
    pub(super) async fn run_rounds(
        &self,
        player: &Player,
        signal: StopSignal,
        mut stop: watch::Receiver<bool>,
        on_progress: OnProgress<'_>,
    ) -> ProbeOutcome {
        let sees_the_server = player.sees_the_server();
        let mut outcome = ProbeOutcome { sees_the_server, ..ProbeOutcome::default() };
        let (stopped, trouble) = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => (true, None),
            done = self.play_rounds(player, signal, &mut outcome, on_progress) => (false, done.err()),
        };
        (outcome.stopped, outcome.trouble) = (stopped, trouble);
        outcome.findings.sort_by_key(|finding| finding.violation.identity);
        outcome
    }

    async fn play_rounds(
        &self,
        player: &Player,
        signal: StopSignal,
        outcome: &mut ProbeOutcome,
        on_progress: OnProgress<'_>,
    ) -> Result<(), String> {
        let rounds = Round::all();
        let total = rounds.len() as u64;
        on_progress(ProbeProgress::Playing(0, total, 0));
        self.look_at_rest(player, outcome, on_progress).await;
        self.look_at_isolation(player, outcome, on_progress).await;
        let mut found: Vec<Seen> = Vec::new();
        for (index, round) in rounds.into_iter().enumerate() {
            let index = index as u64;
            let script = round.script();
            let played = player.play_shutdown(self.plain(), signal, &script, false).await?;
            outcome.scripts += 1;
            outcome.shutdowns.push(ShutdownSeen::of(&played.exchange, played.exit));
            for violation in played.verdict.violations.into_iter().filter(is_certain) {
                if !self.is_news(&violation, index, outcome, &found) {
                    continue;
                }
                let (round, exchange) = (round.clone(), played.exchange.clone());
                let seen = Seen { round, index, violation, exchange };
                on_progress(ProbeProgress::Seen(&self.finding(&seen, seen.round.script())));
                found.push(seen);
            }
            on_progress(ProbeProgress::Playing(outcome.scripts, total, found.len()));
        }
        let all = found.len();
        for (done, seen) in found.into_iter().enumerate() {
            on_progress(ProbeProgress::Shrinking(done, all));
            let as_seen = seen.violation.identity;
            let finding = self.simplest(player, signal, seen).await?;
            let identity = finding.violation.identity;
            outcome.sightings.rename(as_seen, identity);
            if outcome.findings.iter().all(|other| other.violation.identity != identity) {
                on_progress(ProbeProgress::News(&finding));
                outcome.findings.push(finding);
            }
        }
        Ok(())
    }

    /// Counts what a round showed; whether it is to be looked into. One that does not shut down is
    /// looked into once, whichever of its clients it waits for.
    fn is_news(
        &self,
        violation: &Violation,
        index: u64,
        outcome: &mut ProbeOutcome,
        found: &[Seen],
    ) -> bool {
        let (identity, level) = (violation.identity, violation.level);
        let is_shutdown = identity.invariant() == Invariant::ShutsDownInTime;
        let looked_into = found.iter().map(|one| one.violation.identity).find(|one| {
            is_shutdown && one.invariant() == identity.invariant() && !self.accepts(identity)
        });
        let counted = looked_into.unwrap_or(identity);
        outcome.sightings.add(counted, Sighting { first: index, scripts: 1, level });
        let same = |one: &Seen| {
            let other = one.violation.identity;
            other.problem() == identity.problem()
                || is_shutdown && other.invariant() == identity.invariant()
        };
        !self.accepts(identity) && !found.iter().any(same)
    }

    /// What the simplest clients show of the same rule, played again.
    async fn simplest(
        &self,
        player: &Player,
        signal: StopSignal,
        mut seen: Seen,
    ) -> Result<ProbeFinding, String> {
        let rule = seen.violation.identity.invariant();
        let same = |found: &Violation| found.identity.invariant() == rule && is_certain(found);
        let mut plays = 0;
        for simpler in seen.round.simpler(rule) {
            plays += 1;
            let script = simpler.script();
            let played = player.play_shutdown(self.plain(), signal, &script, false).await?;
            let shown = played.verdict.violations.into_iter().find(same);
            if let Some(violation) = shown {
                seen = Seen { round: simpler, violation, exchange: played.exchange, ..seen };
                break;
            }
        }
        let script = seen.round.script();
        let mut shown = 0;
        for replay in 0..REPLAYS {
            // Once to the horizon: does it end by itself?
            let watch = replay == 0;
            let played = player.play_shutdown(self.plain(), signal, &script, watch).await?;
            let Some(violation) = played.verdict.violations.into_iter().find(same) else {
                continue;
            };
            shown += 1;
            if watch {
                seen = Seen { violation, exchange: played.exchange, ..seen };
            }
        }
        let finding = self.finding(&seen, script);
        Ok(ProbeFinding { shrunk: true, plays, replays: REPLAYS, shown, ..finding })
    }

    fn finding(&self, seen: &Seen, script: Script) -> ProbeFinding {
        let Seen { violation, exchange, index, .. } = seen;
        let url = self.plain().name().to_owned();
        let finding = ProbeFinding::seen(violation.clone(), exchange.clone(), script, url);
        ProbeFinding { index: *index, ..finding }
    }

    fn plain(&self) -> &Subject {
        self.part(UrlRole::Plain)
    }

    /// Plays waves of connections, where the process is hangup's: what grows with each of them.
    pub(super) async fn look_at_rest(
        &self,
        player: &Player,
        outcome: &mut ProbeOutcome,
        on_progress: OnProgress<'_>,
    ) {
        let Some(exchange) = player.play_waves(self.plain()).await else { return };
        outcome.held = held_after(&exchange);
        let waves = outcome.held.len() as u32;
        for violation in judge(&exchange, &player.config.bounds).violations {
            if violation.identity.invariant() == Invariant::FreesResources {
                // Every wave has shown it again.
                let found = (violation, exchange.clone(), waves::script());
                self.take_in(found, waves, outcome, on_progress);
            }
        }
    }

    /// Plays clients beside one that does not read, or is opening, twice: do they wait because of it?
    pub(super) async fn look_at_isolation(
        &self,
        player: &Player,
        outcome: &mut ProbeOutcome,
        on_progress: OnProgress<'_>,
    ) {
        let held_up = |found: &Violation| {
            found.identity.invariant() == Invariant::IsolatesClients && is_certain(found)
        };
        for script in isolation::scripts() {
            let (exchange, verdict) = player.play_apart(self.plain(), &script).await;
            let Some(violation) = verdict.violations.into_iter().find(held_up) else { continue };
            let (_, again) = player.play_apart(self.plain(), &script).await;
            if again.violations.iter().any(held_up) {
                self.take_in((violation, exchange, script), 1, outcome, on_progress);
                return;
            }
        }
    }

    /// A finding that needs no more plays: so many have shown it again.
    fn take_in(
        &self,
        (violation, exchange, script): (Violation, Exchange, Script),
        replays: u32,
        outcome: &mut ProbeOutcome,
        on_progress: OnProgress<'_>,
    ) {
        let (identity, level) = (violation.identity, violation.level);
        outcome.sightings.add(identity, Sighting { first: 0, scripts: 1, level });
        if self.accepts(identity) {
            return;
        }
        let url = self.plain().name().to_owned();
        let finding = ProbeFinding::seen(violation, exchange, script, url);
        let finding = ProbeFinding { shrunk: true, replays, shown: replays, ..finding };
        on_progress(ProbeProgress::News(&finding));
        outcome.findings.push(finding);
    }
}

/// Whether nothing excuses it that a control would have to refute.
fn is_certain(violation: &Violation) -> bool {
    violation.doubts.is_empty()
}
