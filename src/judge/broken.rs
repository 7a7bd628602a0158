//! A rule broken, before it is known what made the server act.

use super::facts::Facts;
use super::liveness;
use super::owed::cause_of;
use crate::bounds::Bounds;
use crate::verdict::{Ending, Identity, Invariant, Level, Owed, Violation};

/// What a family of rules finds. The deadlines' own rules make their violations themselves.
#[derive(Debug)]
pub(super) struct Broken {
    pub invariant: Invariant,
    pub level: Level,
    /// What the server did: `sent Text after its Close`.
    pub fact: String,
    /// The events that prove it, the one with which it happened first; none where it
    /// is a matter of the whole connection.
    pub events: Vec<usize>,
}

impl Broken {
    /// With its cause and the connection's ending. Safety has no condition: one bug is
    /// one finding.
    pub fn violation(self, facts: &Facts<'_>, owed: Option<Owed>, bounds: &Bounds) -> Violation {
        let Self { invariant, level, fact, events } = self;
        let first = events.first().copied().unwrap_or(facts.trace.events.len());
        // A process that dies is one finding, whatever led to it: of one that did not repeat
        // nothing else is known, and it is to be told by the same words.
        let is_death = facts.firsts.died.is_some_and(|died| events.contains(&died))
            || facts.firsts.died.is_some() && invariant == Invariant::NoPanic;
        let cause = if is_death { None } else { cause_of(facts, bounds, first) };
        let ending = match invariant {
            Invariant::NoSpin => Ending::Spinning(facts.at(first)),
            _ => liveness::ending(facts, owed),
        };
        let identity = Identity::safety(invariant, cause);
        Violation { identity, level, ending, owed: None, fact, events }
    }
}
