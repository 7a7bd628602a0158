//! Problems: what a maintainer mends once. One problem shows under several causes and
//! conditions, its variants.
//!
//! [`Problems`] says which problem a finding belongs to, [`Sightings`] how often a campaign saw
//! each variant.

use crate::script::Script;
use crate::verdict::{Class, Ending, Identity, Level, Problem, Symptom};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The problems of one target.
///
/// A problem that is a mere case of another one of the same target belongs to that one: a server
/// that answers no Close at all has one problem, not one for each kind of Close.
///
/// ```
/// use hangup::finding::problem::Problems;
/// use hangup::verdict::{Invariant, Problem, Symptom};
///
/// let any = Problem::of(Invariant::AnswersClose).with_symptom(Symptom::EmptyClose);
/// let private = any.with_symptom(Symptom::PrivateCode);
/// let problems = Problems::of([private, any]);
/// assert_eq!((problems.count(), problems.holds(private)), (1, any));
/// assert_eq!(Problems::of([private]).holds(private), private);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Problems(BTreeSet<Problem>);

impl Problems {
    /// Those of a target that shows these.
    pub fn of(shown: impl IntoIterator<Item = Problem>) -> Self {
        Self(shown.into_iter().collect())
    }

    /// The problem that takes in `problem`: itself, or a plainer one that the target has too.
    pub fn holds(&self, problem: Problem) -> Problem {
        let mut plainer = problem.case_of();
        match plainer.find(|plainer| self.0.contains(plainer)) {
            Some(plainer) => self.holds(plainer),
            None => problem,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|problem| self.holds(**problem) == **problem).count()
    }
}

/// Puts the items of one target that belong to one problem together, by their identities. The
/// problems come in the order of their rules and symptoms, the items of each in the order given.
pub fn by_problem<T>(
    items: impl IntoIterator<Item = T>,
    identity: impl Fn(&T) -> Identity,
) -> BTreeMap<Problem, Vec<T>> {
    let items: Vec<T> = items.into_iter().collect();
    let problems = Problems::of(items.iter().map(|item| identity(item).problem()));
    let mut grouped: BTreeMap<Problem, Vec<T>> = BTreeMap::new();
    for item in items {
        grouped.entry(problems.holds(identity(&item).problem())).or_default().push(item);
    }
    grouped
}

/// What orders scripts from simple to long: their steps, then their text.
pub fn simplicity(script: &Script) -> (usize, usize, String) {
    let text = script.to_string();
    (script.steps.len(), text.len(), text)
}

/// What orders the findings of one problem: its headline comes first. The script of a mere case is
/// about that, and one that was not shrunk is long by chance.
pub fn headline_order(
    problem: Problem,
    identity: Identity,
    shrunk: bool,
    script: &Script,
) -> impl Ord + use<> {
    (identity.problem() != problem, !shrunk, simplicity(script), identity)
}

/// What orders problems in a report, by their headlines: first a process that ends, and with it all
/// its connections; then what hangs, the shortest script
/// first; then what the RFC demands before what it recommends, and the shortest script first.
///
/// The level does not order hangs: the RFC sets no times, and a connection that never closes is
/// as bad where the RFC says nothing.
pub fn rank(headline: Identity, level: Level, ending: Ending, script: &Script) -> impl Ord + use<> {
    let is_liveness = headline.invariant().rule().class == Class::Liveness;
    let ends = matches!(ending, Ending::InTime | Ending::Late(_));
    let hangs = is_liveness && !ends;
    let demanded = !hangs && level == Level::Must;
    let dies = headline.symptom() == Some(Symptom::ProcessEnds);
    (Reverse(dies), Reverse(hangs), Reverse(demanded), simplicity(script), headline)
}

/// How often a campaign saw each variant of its problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sightings(BTreeMap<Identity, Sighting>);

/// How often a campaign saw one variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The index of the first script that showed it.
    pub first: u64,
    /// How many scripts showed it.
    pub scripts: u64,
    /// How strongly the RFC asks for what is broken, at its strongest.
    pub level: Level,
}

impl Sightings {
    /// Counts `scripts` more scripts that showed `identity`, of which `first` was the first.
    pub fn add(&mut self, identity: Identity, seen: Sighting) {
        let sighting = self.0.entry(identity).or_insert(Sighting { scripts: 0, ..seen });
        sighting.first = sighting.first.min(seen.first);
        sighting.scripts += seen.scripts;
        // Must comes first.
        sighting.level = sighting.level.min(seen.level);
    }

    /// What was seen as `from` is `to`.
    pub fn rename(&mut self, from: Identity, to: Identity) {
        if let Some(sighting) = self.remove(from) {
            self.add(to, sighting);
        }
    }

    /// Forgets one variant; how often it was seen.
    pub fn remove(&mut self, identity: Identity) -> Option<Sighting> {
        self.0.remove(&identity)
    }

    /// How often it was seen; `None` where it never was.
    pub fn of(&self, identity: Identity) -> Option<Sighting> {
        self.0.get(&identity).copied()
    }

    /// The variants that were seen.
    pub fn identities(&self) -> impl Iterator<Item = Identity> {
        self.0.keys().copied()
    }
}
