//! What a probe came to, and how far it is: plain data.

use super::finding::ProbeFinding;
use crate::exchange::{Death, Event, Exchange, HeldAfter, What};
use crate::finding::problem::Sightings;
use crate::run::real_time::{IdleEnd, ServerDeath};
use crate::verdict::{Identity, Reason};
use crate::view::View;
use std::collections::BTreeMap;
use std::time::Duration;

/// The outcome of a probe.
#[derive(Clone, Debug, Default)]
pub struct ProbeOutcome {
    /// How many scripts were played and judged.
    pub scripts: u64,
    /// The findings, by key.
    pub findings: Vec<ProbeFinding>,
    /// How often each variant of a problem was seen, those included that are dismissed, and those
    /// that are accepted.
    pub sightings: Sightings,
    /// What each identity that a campaign counted came to, once it was looked into. One that is missing
    /// had no time for that: its scripts are among `unjudged`.
    pub became: BTreeMap<Identity, Identity>,
    /// Scripts that broke a rule while our own process was late, again and again, or beside
    /// many others and never again: not judged.
    pub unjudged: u64,
    /// Scripts whose whole request was not answered with 101.
    pub refused: u64,
    /// Such requests that nothing answered, for whatever reason: the client may have left.
    pub unanswered: u64,
    /// Findings beyond the limit, neither shrunk nor confirmed.
    pub passed_over: usize,
    /// Whether the server's end of its connections was seen.
    pub sees_the_server: bool,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Of a server that died: what is known of that.
    pub deaths: DeathsFound,
    /// What became of a client that did nothing behind the opening; the default where there is a
    /// preamble, or only one connection at once.
    pub idle: IdleEnd,
    /// What the server's processes hold after each wave of connections, where that is seen.
    pub held: Vec<HeldAfter>,
    /// How each shutdown went.
    pub shutdowns: Vec<ShutdownSeen>,
    /// Why it could not go on, in one line.
    pub trouble: Option<String>,
}

impl ProbeOutcome {
    /// What it came to that this was seen, once it was looked into: `None` where nothing could be
    /// decided in time.
    pub fn came_to(&self, seen: Identity) -> Option<Identity> {
        let counted = |(key, _): &(&Identity, &Identity)| key.same_at_the_deadline(seen);
        self.became.iter().find(counted).map(|(_, became)| *became)
    }

    /// Whether something showed beside many others, and never again, of a server that can still be
    /// asked.
    pub(super) fn seems_overloaded(&self) -> bool {
        let never_again =
            |found: &ProbeFinding| matches!(found.dismissed, Some(Reason::NotRepeated { .. }));
        let goes_on = !self.stopped && self.trouble.is_none() && !self.deaths.died;
        goes_on && (self.unjudged > 0 || self.findings.iter().any(never_again))
    }
}

/// What the server's processes held after each wave.
pub(super) fn held_after(exchange: &Exchange) -> Vec<HeldAfter> {
    let held = |event: &Event| match &event.what {
        What::Held(held) => Some(**held),
        _ => None,
    };
    exchange.events.iter().filter_map(held).collect()
}

/// How one shutdown went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownSeen {
    /// After how long no process was left, and how the one that was started ended; `None` where
    /// watching ended before.
    pub exit: Option<(Duration, Death)>,
    /// The codes of the Closes that the server sent at its shutdown; 1005 for none.
    pub codes: Vec<u16>,
}

impl ShutdownSeen {
    pub(super) fn of(exchange: &Exchange, exit: Option<Death>) -> Self {
        let at = |wanted: &What| {
            exchange.events.iter().find(|event| event.what == *wanted).map(|event| event.at)
        };
        let (told, gone) = (at(&What::ToldToShutDown), at(&What::ServerReturned));
        let took = told
            .zip(gone)
            .map(|(told, gone)| gone.since_accept().saturating_sub(told.since_accept()));
        let mut codes: Vec<u16> = Vec::new();
        for connection in exchange.connections() {
            let view = View::of(exchange, connection);
            let (Some(close), Some(told)) = (view.own_close(), view.firsts.told) else { continue };
            if close.started > told {
                codes.push(close.code().map_or(1005, |code| code.0));
            }
        }
        codes.sort_unstable();
        codes.dedup();
        Self { exit: took.zip(exit), codes }
    }
}

/// What is known of a server that died. The finding that says so is one of the outcome's.
#[derive(Clone, Debug, Default)]
pub struct DeathsFound {
    /// Each death, in order; none where hangup did not start the server.
    pub seen: Vec<ServerDeath>,
    /// Whether it died, seen or not.
    pub died: bool,
    /// Whether a script was found that takes it down alone: the finding's.
    pub proven: bool,
    /// Where none was: the scripts in which the client had done something last, beside the finding's,
    /// the likeliest first.
    pub suspects: Vec<ProbeFinding>,
    /// How many scripts were not played to their end, since the server died in them, or had died
    /// too often.
    pub not_played: u64,
}

/// How far a probe is.
#[derive(Clone, Copy, Debug)]
pub enum ProbeProgress<'a> {
    /// Scripts are played: so many of so many, with so many findings.
    Playing(u64, u64, usize),
    /// The first sight of a problem. It is neither shrunk nor confirmed, and may be dismissed.
    Seen(&'a ProbeFinding),
    /// Findings are shrunk: so many of so many.
    Shrinking(usize, usize),
    /// Findings are played again, side by side: so many of so many.
    Confirming(usize, usize),
    /// Connections are watched on: so many of so many have ended, or are given up.
    Watching(usize, usize),
    /// The server died: so many scripts were played to find the one that takes it down.
    Dying(u32),
    /// A finding that is complete.
    News(&'a ProbeFinding),
}
