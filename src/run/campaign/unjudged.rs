//! What a campaign saw and cannot judge, since the target's time is not tokio's or its runtime lacks
//! something: plain data.

use crate::exchange::{Lack, OtherThreads};
use crate::verdict::{Ending, Identity, Level, Violation, WhyUnproven};
use std::collections::BTreeMap;

/// What would be a finding if the target's time were virtual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unjudged {
    /// What it would be.
    pub identity: Identity,
    /// How strongly the RFC asks for it.
    pub level: Level,
    /// How it is known that virtual time is not the target's.
    pub why: WhyUnjudged,
    /// The first script that showed it.
    pub first: u64,
    /// How many scripts showed it.
    pub scripts: u64,
}

impl Unjudged {
    /// One script's, the one of this index; `None` where the violation's ending is not unproven.
    pub(crate) fn of(violation: &Violation, index: u64) -> Option<Self> {
        let Ending::Unproven(why) = violation.ending else { return None };
        let (identity, level) = (violation.identity, violation.level);
        let why = match why {
            WhyUnproven::Threads(threads) => WhyUnjudged::Threads(threads),
            WhyUnproven::Lack(lack) => WhyUnjudged::Lacks(lack),
        };
        Some(Self { identity, level, why, first: index, scripts: 1 })
    }
}

/// How it is known that virtual time is not for the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyUnjudged {
    /// Other threads were at work.
    Threads(OtherThreads),
    /// The server asked for what its runtime does not have there.
    Lacks(Lack),
    /// The same script, played while the clock runs, ended in time. When, differs from run to run.
    EndedInRealTime,
}

/// What is to be said of several: one for each rule and way to know, with all their scripts.
pub fn by_rule(unjudged: &[Unjudged]) -> Vec<Unjudged> {
    let mut grouped: Vec<Unjudged> = Vec::new();
    for one in unjudged {
        let is_same = |other: &&mut Unjudged| {
            let same_way = match (other.why, one.why) {
                (WhyUnjudged::Lacks(lack), WhyUnjudged::Lacks(other)) => lack == other,
                (why, other) => std::mem::discriminant(&why) == std::mem::discriminant(&other),
            };
            same_way && other.identity.invariant() == one.identity.invariant()
        };
        match grouped.iter_mut().find(is_same) {
            Some(other) => other.scripts += one.scripts,
            None => grouped.push(*one),
        }
    }
    grouped
}

/// Those of one campaign, by what they would be.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnjudgedScripts(BTreeMap<Identity, Unjudged>);

impl UnjudgedScripts {
    /// Counts `scripts` more scripts, of which `first` was the first, that showed what would be
    /// `violation` if anything were proven.
    pub fn add(&mut self, violation: &Violation, first: u64, scripts: u64) {
        let Some(new) = Unjudged::of(violation, first) else { return };
        let seen = self.0.entry(new.identity).or_insert(Unjudged { scripts: 0, ..new });
        if first < seen.first {
            (seen.first, seen.why) = (first, new.why);
        }
        seen.scripts += scripts;
        // Must comes first.
        seen.level = seen.level.min(new.level);
    }

    /// All of them, in the order of their identities.
    pub fn into_list(self) -> Vec<Unjudged> {
        self.0.into_values().collect()
    }
}
