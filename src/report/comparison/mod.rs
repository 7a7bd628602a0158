//! What two campaigns of the same targets show, against each other: problems that are new or gone,
//! those with other variants, and those that show more or less often.
//!
//! Other seeds draw other scripts, and what is rare shows in one run and not in the other. Nothing
//! counts as a difference that chance explains ([`share`](crate::finding::share)).
//!
//! Data only: `read` reads a run from a report in JSON, `text` and `json` lay a comparison out.

mod json;
mod read;
mod text;

use crate::finding::problem::Problems;
use crate::finding::share::{CHANGED, Share};
use crate::verdict::{Identity, Level, Pattern, Problem};
pub use json::json;
pub use read::read;
use std::collections::{BTreeMap, BTreeSet};
pub use text::text;

/// A run of `hangup test` or `hangup probe`, as far as it is compared.
#[derive(Clone, Debug)]
pub struct ComparedRun {
    /// Its targets.
    pub targets: Vec<ComparedTarget>,
}

/// One target of a run.
#[derive(Clone, Debug)]
pub struct ComparedTarget {
    /// Its name, or its URL.
    pub name: String,
    /// The version of its library.
    pub version: String,
    /// How many scripts were played.
    pub scripts: u64,
    /// Everything that showed, what a baseline lists included.
    pub shown: BTreeMap<Identity, Seen>,
    /// The headline of each problem that the report has.
    pub headlines: BTreeMap<Problem, Headline>,
    /// The deviations that it accepts, in the order in which they are asked.
    pub deviations: Vec<ComparedDeviation>,
}

/// How one variant showed.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// In how many scripts.
    pub scripts: u64,
    /// How strongly the RFC asks for what it breaks.
    pub level: Level,
}

/// A problem as a report tells it.
#[derive(Clone, Debug)]
pub struct Headline {
    /// What happened.
    pub sentence: String,
    /// The simplest script that shows it.
    pub script: String,
}

/// An accepted deviation.
#[derive(Clone, Copy, Debug)]
pub struct ComparedDeviation {
    /// What it accepts.
    pub pattern: Pattern,
    /// In how many scripts it showed.
    pub fired: u64,
    /// The strongest level of what it accepted.
    pub level: Level,
}

/// Two runs against each other.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The targets that both have.
    pub targets: Vec<TargetComparison>,
    /// Those that the old run alone has.
    pub only_old: Vec<String>,
    /// Those that the new run alone has.
    pub only_new: Vec<String>,
}

/// One target in two runs.
#[derive(Clone, Debug)]
pub struct TargetComparison {
    /// Its name and version in the old run, and how many scripts that played.
    pub old: (String, String, u64),
    /// The same of the new run.
    pub new: (String, String, u64),
    /// What differs, what is worse first.
    pub changes: Vec<Change>,
}

/// One difference.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which.
    pub kind: ChangeKind,
    /// The problem; of a deviation, what it accepts.
    pub pattern: Pattern,
    /// How strongly the RFC asks for it.
    pub level: Level,
    /// In how many scripts it showed in the old run.
    pub old: Share,
    /// And in the new one.
    pub new: Share,
    /// Of [`ChangeKind::Gained`] and [`ChangeKind::Lost`]: the variants, each with how often it
    /// showed in the run that has it.
    pub variants: Vec<(Identity, Share)>,
    /// How the run that has the problem tells it.
    pub headline: Option<Headline>,
}

/// What kind of difference, what is worse first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// The new run alone shows the problem.
    New,
    /// The problem shows under causes or conditions that it did not show under.
    Gained,
    /// It shows far more often.
    Rose,
    /// An accepted deviation shows far more often.
    DeviationRose,
    /// The old run alone shows the problem.
    Gone,
    /// The problem shows no more under some causes or conditions.
    Lost,
    /// It shows far less often.
    Fell,
    /// An accepted deviation shows far less often.
    DeviationFell,
    /// One run alone shows it, and so rarely that the other one may have missed it.
    Rare,
}

impl ChangeKind {
    /// The name in output.
    pub const fn id(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gained => "gained variants",
            Self::Rose => "more often",
            Self::DeviationRose => "accepted, more often",
            Self::Gone => "gone",
            Self::Lost => "lost variants",
            Self::Fell => "less often",
            Self::DeviationFell => "accepted, less often",
            Self::Rare => "too rare to tell",
        }
    }
}

impl Change {
    /// Whether it makes the new run the worse one. An accepted deviation does so where the RFC
    /// demands the rule.
    pub fn is_worse(&self) -> bool {
        match self.kind {
            ChangeKind::New | ChangeKind::Gained | ChangeKind::Rose => true,
            ChangeKind::DeviationRose => self.level == Level::Must,
            _ => false,
        }
    }
}

impl Comparison {
    /// Compares the targets of the same name; where each run has one target, those.
    ///
    /// # Errors
    ///
    /// Where they have no target in common.
    pub fn of(old: &ComparedRun, new: &ComparedRun) -> Result<Self, String> {
        if let ([old], [new]) = (old.targets.as_slice(), new.targets.as_slice()) {
            let targets = vec![TargetComparison::of(old, new)];
            return Ok(Self { targets, only_old: Vec::new(), only_new: Vec::new() });
        }
        let find = |run: &ComparedRun, name: &str| {
            run.targets.iter().find(|target| target.name == name).cloned()
        };
        let pairs = old.targets.iter().filter_map(|old| Some((old, find(new, &old.name)?)));
        let targets: Vec<TargetComparison> =
            pairs.map(|(old, new)| TargetComparison::of(old, &new)).collect();
        let only = |run: &ComparedRun, other: &ComparedRun| {
            let alone = run.targets.iter().filter(|target| find(other, &target.name).is_none());
            alone.map(|target| target.name.clone()).collect()
        };
        if targets.is_empty() {
            return Err("the two files have no target in common".to_owned());
        }
        Ok(Self { targets, only_old: only(old, new), only_new: only(new, old) })
    }

    /// Whether something is new or worse.
    pub fn is_worse(&self) -> bool {
        self.targets.iter().flat_map(|target| &target.changes).any(Change::is_worse)
    }
}

impl TargetComparison {
    fn of(old: &ComparedTarget, new: &ComparedTarget) -> Self {
        let (before, now) = (Side::of(old, new), Side::of(new, old));
        let mut changes = alone(&now, &before, true);
        changes.extend(alone(&before, &now, false));
        let told: Vec<(bool, Pattern)> =
            changes.iter().map(|change| (change.is_of_new(), change.pattern)).collect();
        // That it shows more often, where it shows in more situations, is no other difference.
        let is_told = |change: &Change| told.contains(&(change.is_of_new(), change.pattern));
        changes.extend(rates(&before, &now).filter(|change| !is_told(change)));
        changes.extend(deviations(old, new));
        changes.sort_by_key(|change| (change.kind, change.level));
        let facts =
            |target: &ComparedTarget| (target.name.clone(), target.version.clone(), target.scripts);
        Self { old: facts(old), new: facts(new), changes }
    }
}

impl Change {
    /// Whether it is something that the new run has more of.
    const fn is_of_new(&self) -> bool {
        use ChangeKind::{DeviationRose, Gained, New, Rare, Rose};
        match self.kind {
            New | Gained | Rose | DeviationRose => true,
            Rare => self.old.shown == 0,
            _ => false,
        }
    }
}

/// What one run shows of a target, but for what the other one accepts as a deviation: that was not
/// looked at there.
struct Side<'a> {
    target: &'a ComparedTarget,
    problems: BTreeMap<Problem, BTreeMap<Identity, Seen>>,
}

impl<'a> Side<'a> {
    fn of(target: &'a ComparedTarget, other: &ComparedTarget) -> Self {
        let is_accepted = |identity: Identity| {
            other.deviations.iter().any(|accepted| accepted.pattern.matches(identity))
        };
        let mut problems: BTreeMap<Problem, BTreeMap<Identity, Seen>> = BTreeMap::new();
        for (identity, seen) in target.shown.iter().filter(|(identity, _)| !is_accepted(**identity))
        {
            problems.entry(identity.problem()).or_default().insert(*identity, *seen);
        }
        Self { target, problems }
    }

    /// In how many of its scripts these showed; a script may show two of them.
    fn share(&self, variants: impl IntoIterator<Item = Identity>) -> Share {
        let shown = variants.into_iter().filter_map(|identity| self.target.shown.get(&identity));
        let shown: u64 = shown.map(|seen| seen.scripts).sum();
        let scripts = self.target.scripts;
        Share { shown: shown.min(scripts), scripts }
    }

    fn variants(&self, problem: Problem) -> impl Iterator<Item = Identity> {
        self.problems.get(&problem).into_iter().flat_map(|variants| variants.keys().copied())
    }

    /// Whether this run would have shown what has this share in the other one, if it were there.
    fn would_show(&self, share: Share) -> bool {
        share.rose_from(Share { shown: 0, scripts: self.target.scripts }, CHANGED)
    }

    fn level(&self, variants: &[Identity]) -> Level {
        let seen = variants.iter().filter_map(|identity| self.target.shown.get(identity));
        // Must comes first.
        seen.map(|seen| seen.level).min().unwrap_or(Level::Should)
    }
}

/// The problems, and the variants of others, that one run shows and the other one does not.
fn alone(here: &Side<'_>, there: &Side<'_>, is_new: bool) -> Vec<Change> {
    let not_there = |problem: &&Problem| !there.problems.contains_key(problem);
    let (missed, rare): (BTreeSet<Problem>, BTreeSet<Problem>) = here
        .problems
        .keys()
        .filter(not_there)
        .partition(|problem| there.would_show(here.share(here.variants(**problem))));
    // Of a problem that is a mere case of another one, that one is told.
    let both = here.problems.keys().filter(|problem| there.problems.contains_key(problem));
    let problems = Problems::of(missed.iter().chain(there.problems.keys()).copied());
    let mut by_holder: BTreeMap<Problem, Vec<Identity>> = BTreeMap::new();
    for problem in both {
        let is_other = |identity: &Identity| {
            let share = here.share([*identity]);
            !there.problems[problem].contains_key(identity) && there.would_show(share)
        };
        by_holder.entry(*problem).or_default().extend(here.variants(*problem).filter(is_other));
    }
    for problem in &missed {
        let holder = by_holder.entry(problems.holds(*problem)).or_default();
        holder.extend(here.variants(*problem));
    }
    let all = Problems::of(here.problems.keys().chain(there.problems.keys()).copied());
    let rare = rare.iter().filter(|problem| all.holds(**problem) == **problem);
    let rare = rare.map(|problem| (*problem, here.variants(*problem).collect(), ChangeKind::Rare));
    let others = by_holder.into_iter().filter(|(_, variants)| !variants.is_empty());
    let others = others.map(|(problem, variants)| {
        let kind = match (missed.contains(&problem), is_new) {
            (true, true) => ChangeKind::New,
            (true, false) => ChangeKind::Gone,
            (false, true) => ChangeKind::Gained,
            (false, false) => ChangeKind::Lost,
        };
        (problem, variants, kind)
    });
    let change = |(problem, variants, kind): (Problem, Vec<Identity>, ChangeKind)| {
        let is_part = matches!(kind, ChangeKind::Gained | ChangeKind::Lost);
        // Of a problem that both have: how it showed as a whole.
        let whole = |side: &Side<'_>| {
            let own = side.variants(problem).chain(variants.iter().copied());
            side.share(own.collect::<BTreeSet<_>>())
        };
        let (mine, others) = (whole(here), whole(there));
        let (old, new) = if is_new { (others, mine) } else { (mine, others) };
        let each = variants.iter().map(|identity| (*identity, here.share([*identity])));
        Change {
            kind,
            pattern: pattern_of(problem),
            level: here.level(&variants),
            old,
            new,
            variants: if is_part { each.collect() } else { Vec::new() },
            headline: here.target.headlines.get(&problem).cloned().filter(|_| !is_part),
        }
    };
    rare.chain(others).map(change).collect()
}

/// The problems that both runs show, and one of them far more often.
fn rates(old: &Side<'_>, new: &Side<'_>) -> impl Iterator<Item = Change> {
    new.problems.keys().filter_map(|problem| {
        old.problems.contains_key(problem).then_some(())?;
        let (before, now) = (old.share(old.variants(*problem)), new.share(new.variants(*problem)));
        let kind = match () {
            () if now.rose_from(before, CHANGED) => ChangeKind::Rose,
            () if before.rose_from(now, CHANGED) => ChangeKind::Fell,
            () => return None,
        };
        let variants: Vec<Identity> = new.variants(*problem).collect();
        Some(Change {
            kind,
            pattern: pattern_of(*problem),
            level: new.level(&variants),
            old: before,
            new: now,
            variants: Vec::new(),
            headline: new.target.headlines.get(problem).cloned(),
        })
    })
}

/// The accepted deviations that both runs have, and that one shows far more often.
fn deviations(old: &ComparedTarget, new: &ComparedTarget) -> Vec<Change> {
    let changed = |now: &ComparedDeviation| {
        let before = old.deviations.iter().find(|before| before.pattern == now.pattern)?;
        let share =
            |fired, target: &ComparedTarget| Share { shown: fired, scripts: target.scripts };
        let (was, is) = (share(before.fired, old), share(now.fired, new));
        let (kind, level) = match () {
            () if is.rose_from(was, CHANGED) => (ChangeKind::DeviationRose, now.level),
            () if was.rose_from(is, CHANGED) => (ChangeKind::DeviationFell, before.level),
            () => return None,
        };
        let (variants, headline) = (Vec::new(), None);
        Some(Change { kind, pattern: now.pattern, level, old: was, new: is, variants, headline })
    };
    new.deviations.iter().filter_map(changed).collect()
}

fn pattern_of(problem: Problem) -> Pattern {
    let rule = Pattern::of(problem.invariant());
    problem.symptom().map_or(rule, |symptom| rule.with_symptom(symptom))
}
