//! What a probe came to, and how far it is: plain data.

use super::finding::ProbeFinding;
use crate::finding::problem::Sightings;
use crate::verdict::Violation;

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
    /// Why it could not go on, in one line.
    pub trouble: Option<String>,
}

/// How far a probe is.
#[derive(Clone, Copy, Debug)]
pub enum ProbeProgress<'a> {
    /// Scripts are played: so many of so many, with so many findings.
    Playing(u64, u64, usize),
    /// A problem that was not seen before, in the script with this index. It is neither shrunk nor
    /// confirmed.
    Seen(&'a Violation, u64),
    /// Findings are shrunk: so many of so many.
    Shrinking(usize, usize),
    /// Findings are played again, side by side: so many of so many.
    Confirming(usize, usize),
    /// Connections are watched on: so many of so many have ended, or are given up.
    Watching(usize, usize),
    /// A finding that is complete.
    News(&'a ProbeFinding),
}
