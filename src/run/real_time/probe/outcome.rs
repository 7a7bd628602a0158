//! What a probe came to, and how far it is: plain data.

use super::finding::ProbeFinding;
use crate::finding::problem::Sightings;
use crate::run::real_time::{IdleEnd, ServerDeath};

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
    /// Scripts that broke a rule while our own process was late, again and again, or beside
    /// many others and never again: not judged.
    pub unjudged: u64,
    /// Scripts whose whole request was not answered with 101.
    pub refused: u64,
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
    /// Why it could not go on, in one line.
    pub trouble: Option<String>,
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
