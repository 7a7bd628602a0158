//! A finding over TCP, and what a play of its script adds to it.

use crate::exchange::Exchange;
use crate::run::real_time::play::Played;
use crate::run::real_time::player::RemoteShrunk;
use crate::script::Script;
use crate::verdict::{Ending, Reason, Violation};

/// A finding over TCP.
#[derive(Clone, Debug)]
pub struct ProbeFinding {
    /// The violation, as the script shows it.
    pub violation: Violation,
    /// The minimal script, where it is shrunk; else the shortest that was found.
    pub script: Script,
    /// Whether the script is shrunk.
    pub shrunk: bool,
    /// Whether shrinking ended before nothing smaller was left to be tried: the time that the
    /// bounds give it, or its plays, were used up.
    pub cut_short: bool,
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
    /// Why it is not held against the server, where it is not: a control acquitted it, or it
    /// never showed again alone.
    pub dismissed: Option<Reason>,
    /// The minimal script's exchange.
    pub exchange: Exchange,
}

impl ProbeFinding {
    /// A finding as a play of `script` showed it: neither shrunk nor played again.
    pub fn seen(violation: Violation, exchange: Exchange, script: Script, url: String) -> Self {
        Self {
            violation,
            script,
            shrunk: false,
            cut_short: false,
            url,
            index: 0,
            plays: 0,
            replays: 0,
            shown: 0,
            dismissed: None,
            exchange,
        }
    }

    /// Whether it is not held against the server: it never showed again alone, or is no
    /// answer to what the client did.
    pub fn is_dismissed(&self) -> bool {
        self.dismissed.is_some()
    }

    /// Whether it did not show every time that it was played again.
    pub fn is_flaky(&self) -> bool {
        self.shown < self.replays
    }

    /// Takes a smaller script, and what it shows up to the horizon; where that is not
    /// the finding, it stays as it was first seen. Whether it was taken.
    pub(super) fn take_shrunk(&mut self, shrunk: RemoteShrunk, last: Option<Played>) -> bool {
        self.plays = shrunk.plays;
        self.cut_short = self.shrunk && !shrunk.is_minimal;
        let taken = last.is_some_and(|last| self.take_play(last));
        if taken {
            self.script = shrunk.script;
        }
        taken
    }

    /// Takes what a play of its script shows, where that is the finding.
    pub(super) fn take_play(&mut self, played: Played) -> bool {
        let Some(violation) = played.verdict.find_at_the_deadline(self.violation.identity) else {
            return false;
        };
        self.violation = violation.clone();
        self.exchange = played.exchange;
        true
    }

    /// Whether it says of a connection that is still open that its end is overdue.
    pub(super) fn is_open(&self) -> bool {
        let Violation { owed, ending, .. } = &self.violation;
        owed.is_some() && matches!(ending, Ending::Open(_))
    }

    /// Of the replays, the share that showed it; 1 where there were none.
    pub fn rate(&self) -> f64 {
        if self.replays == 0 { 1.0 } else { f64::from(self.shown) / f64::from(self.replays) }
    }
}
