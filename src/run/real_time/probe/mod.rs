//! A campaign over TCP: many scripts at once against a running server.
//!
//! Most of a script is waiting, so hundreds run at once: a campaign takes about as long as its
//! longest scripts, not as their sum. A script that breaks a rule is shrunk, and then played
//! again alone, at least twice, before it is reported. A connection of the minimal script that
//! is open at the horizon is watched on meanwhile: does the server end it by itself, and when?
//!
//! It prints nothing: a callback gets [`ProbeProgress`].

mod campaign;
mod confirm;
mod finding;
mod investigate;
mod outcome;

pub use finding::ProbeFinding;
pub use outcome::{ProbeOutcome, ProbeProgress};

use super::player::{PlayLimits, Player};
use super::remote_urls::{RemoteServer, UrlRole};
use crate::transport::tcp::endpoint::Endpoint;
use crate::verdict::{Identity, Pattern};
use campaign::{PendingScript, RawFinding};
use investigate::{Candidate, CandidateState};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// How many findings are shrunk and confirmed; a server that breaks more is better
/// looked at with fewer. At most as many connections are watched on.
const FINDINGS: usize = 48;

/// The settings of a probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The server under test.
    pub server: RemoteServer,
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
        let player = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {
                return Ok(ProbeOutcome { stopped: true, ..ProbeOutcome::default() });
            }
            player = Player::preflight(&self.server, self.limits, self.concurrency) => player?,
        };
        let sees_the_server = player.sees_the_server();
        let mut outcome = ProbeOutcome { sees_the_server, ..ProbeOutcome::default() };
        let mut raw_findings = BTreeMap::new();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
            () = self.play_all(&player, &mut outcome, &mut raw_findings, on_progress) => {}
        }
        while raw_findings.len() > FINDINGS {
            raw_findings.pop_last();
            outcome.passed_over += 1;
        }
        let mut candidates: Vec<Candidate> =
            raw_findings.into_iter().map(|(key, raw)| self.candidate(key, raw)).collect();
        if !outcome.stopped && outcome.trouble.is_none() {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => outcome.stopped = true,
                trouble = self.investigate(&player, &mut candidates, &mut outcome, on_progress) => {
                    outcome.trouble = trouble;
                }
            }
        }
        for Candidate { finding, key, state } in &candidates {
            if *state != CandidateState::Accepted {
                outcome.sightings.rename(*key, finding.violation.identity);
            }
        }
        let is_left = |one: &Candidate| {
            matches!(one.state, CandidateState::Pending | CandidateState::Reported)
        };
        candidates.retain(is_left);
        for left in candidates.iter().filter(|one| one.state == CandidateState::Pending) {
            on_progress(ProbeProgress::News(&left.finding));
        }
        outcome.findings = candidates.into_iter().map(|candidate| candidate.finding).collect();
        outcome.findings.sort_by_key(|finding| finding.violation.identity);
        Ok(outcome)
    }

    fn url(&self, role: UrlRole) -> &Endpoint {
        self.server.endpoint(role).expect("scripts are drawn for parts that there are")
    }

    fn candidate(&self, key: Identity, raw: RawFinding) -> Candidate {
        let RawFinding { pending, violation, exchange } = raw;
        let url = self.url(pending.role).url.clone();
        let PendingScript { index, script, .. } = pending;
        let (plays, replays, shown, dismissed) = (0, 0, 0, None);
        let shrunk = false;
        let finding = ProbeFinding {
            violation,
            script,
            shrunk,
            url,
            index,
            plays,
            replays,
            shown,
            dismissed,
            exchange,
        };
        Candidate { finding, key, state: CandidateState::Pending }
    }

    fn accepts(&self, identity: Identity) -> bool {
        self.accepted.iter().any(|pattern| pattern.matches(identity))
    }

    fn role_of(&self, found: &ProbeFinding) -> UrlRole {
        let own = self.server.urls().find(|(_, endpoint)| endpoint.url == found.url);
        own.map_or(UrlRole::Plain, |(role, _)| role)
    }
}
