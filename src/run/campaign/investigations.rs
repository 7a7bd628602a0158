//! Which violations of a campaign are looked into, how far, and what came of it: plain data.
//!
//! The first script of each problem is shrunk, under whatever cause and condition: that is its
//! headline. Every other variant is only checked, since what mends the headline mends it too.

use crate::finding::Finding;
use crate::finding::problem::Problems;
use crate::verdict::{Identity, Pattern, Problem};
use std::collections::{BTreeMap, BTreeSet};

/// How far a violation is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Shrunk to the simplest script that shows the problem, whatever its variant.
    Headline,
    /// Shrunk to the simplest script that shows this very variant.
    Shrink,
    /// Played once more.
    Check,
}

/// The investigations of one campaign.
#[derive(Debug)]
pub(crate) struct Investigations {
    /// Whether every variant is shrunk.
    all_variants: bool,
    /// What is known and not looked into.
    known: Vec<Pattern>,
    in_progress: BTreeSet<Identity>,
    findings: BTreeMap<Identity, Finding>,
}

impl Investigations {
    pub fn new(all_variants: bool, known: &[Pattern]) -> Self {
        let known = known.to_vec();
        Self { all_variants, known, in_progress: BTreeSet::new(), findings: BTreeMap::new() }
    }

    /// How far to look into a violation; `None` where that was done, or is being done, or where
    /// its problem has to have its headline first, or where it is known.
    ///
    /// Of several violations of one problem the one with the earliest script is to be asked about
    /// first: then the headline does not depend on who plays what.
    pub fn depth(&self, identity: Identity) -> Option<Depth> {
        if self.findings.contains_key(&identity) || self.in_progress.contains(&identity) {
            return None;
        }
        if self.known.iter().any(|pattern| pattern.matches(identity)) {
            return None;
        }
        let problem = identity.problem();
        if self.has_headline(problem) {
            return Some(if self.all_variants { Depth::Shrink } else { Depth::Check });
        }
        let waits = self.in_progress.iter().any(|other| other.problem() == problem);
        (!waits).then_some(Depth::Headline)
    }

    fn has_headline(&self, problem: Problem) -> bool {
        let is_one = |finding: &Finding| {
            finding.shrunk
                && !finding.is_dismissed()
                && finding.violation.identity.problem() == problem
        };
        self.findings.values().any(is_one)
    }

    /// An investigation has begun.
    pub fn begin(&mut self, identity: Identity) {
        self.in_progress.insert(identity);
    }

    /// It has ended, with these findings.
    pub fn finish(&mut self, identity: Identity, findings: Vec<Finding>) {
        self.in_progress.remove(&identity);
        for finding in findings {
            self.findings.insert(finding.violation.identity, finding);
        }
    }

    /// Whether none is in progress.
    #[cfg(all(feature = "cli", unix))]
    pub fn is_idle(&self) -> bool {
        self.in_progress.is_empty()
    }

    /// What was found, that included which is no finding.
    #[cfg(all(feature = "cli", unix))]
    pub fn finding(&self, identity: Identity) -> Option<&Finding> {
        self.findings.get(&identity)
    }

    /// How many problems the target has so far.
    pub fn problems(&self) -> usize {
        let held = self.findings.values().filter(|finding| !finding.is_dismissed());
        Problems::of(held.map(|finding| finding.violation.identity.problem())).count()
    }

    /// What is held against the target, and what is dismissed.
    pub fn into_findings(self) -> (Vec<Finding>, Vec<Finding>) {
        self.findings.into_values().partition(|finding| !finding.is_dismissed())
    }
}
