//! A baseline: findings that are accepted, so that later runs fail on new ones only.
//!
//! An entry accepts a finding and says in how many scripts it showed. What shows far more often
//! than that has jumped.

use super::stop::Stop;
use super::{Trouble, output, output_file};
use crate::excerpt;
use crate::finding::input;
use crate::finding::problem::{Problems, Sighting, Sightings};
use crate::finding::share::{CHANGED, JUMPED, Share};
use crate::report;
use crate::report::model::{Accepted, Before, FindingReport, Jump, TargetReport};
use crate::verdict::{Identity, Level, Pattern, Problem, Variant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The format that this version reads and writes.
const FORMAT: u32 = 1;

const HEADER: &str = "\
# Findings of hangup's that are accepted: `hangup test --baseline FILE` and `hangup probe
# --baseline FILE` report and fail on other problems only. To accept one no longer, take its entry
# out; to record all anew, remove the file. An entry without a line `condition` accepts the
# finding whatever the client did, one without `cause` whatever the server owed it for, one
# without `symptom` whatever was seen, and one without `target` that of any target.
# It showed in `shown` of `scripts` scripts; in far more of them it is reported.

";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    accepted: Vec<Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Whose it is; of any target where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    variant: Variant,
    /// In how many scripts it showed. Older files do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<u64>,
    /// Of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scripts: Option<u64>,
    /// For people.
    #[serde(default)]
    sentence: String,
}

impl Entry {
    fn pattern(&self) -> Pattern {
        Identity::of(self.problem, self.variant).into()
    }

    fn share(&self) -> Option<Share> {
        Some(Share { shown: self.shown?, scripts: self.scripts? })
    }
}

/// A file of accepted findings.
pub(super) struct Baseline(Vec<Entry>);

impl Baseline {
    /// What the file that is named accepts; `None` where none is, or where it is to be written.
    pub fn open(file: Option<&Path>) -> Result<Option<Self>, Trouble> {
        let Some(file) = file else { return Ok(None) };
        let read = Self::read(file)?;
        if read.is_none() {
            output_file::check("--baseline", file)?;
        }
        Ok(read)
    }

    /// What the file accepts; `None` where there is no such file.
    fn read(file: &Path) -> Result<Option<Self>, Trouble> {
        let at = excerpt::path(file);
        let text = match input::text(file, input::BASELINE) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{at}: {error}")),
        };
        let File { format, accepted } = toml::from_str(&text).map_err(|error| {
            format!("{at}: not a baseline file: {}", excerpt::tidy(error.message()))
        })?;
        if format != FORMAT {
            return Err(format!("{at}: format {format}; this hangup reads format {FORMAT}"));
        }
        Ok(Some(Self(accepted)))
    }

    /// What it accepts of a target.
    pub fn of_target(&self, name: &str) -> Known {
        let is_its = |entry: &&Entry| entry.target.as_deref().is_none_or(|target| target == name);
        Known(self.0.iter().filter(is_its).cloned().collect())
    }
}

/// Records the findings of these targets as accepted, and says so.
pub(super) fn record(
    file: &Path,
    targets: &[TargetReport],
    named: bool,
    stop: &Stop,
) -> Result<(), Trouble> {
    output_file::write("--baseline", file, &text(targets, named)?, stop)?;
    let problems: usize = targets.iter().map(|target| target.problems().len()).sum();
    let problems = report::count(problems, "problem");
    output::note(&format!("{problems} recorded as accepted in {}", excerpt::path(file)));
    Ok(())
}

/// The file that records the findings of these targets as accepted. A server that goes by a URL
/// is not named: the next one may have another port.
fn text(targets: &[TargetReport], named: bool) -> Result<String, Trouble> {
    let entry = |target: &TargetReport, finding: &FindingReport| {
        let identity = finding.repro.identity;
        let shown = target.sightings.of(identity).map(|seen| seen.scripts);
        Entry {
            target: named.then(|| target.name.clone()),
            problem: identity.problem(),
            variant: identity.variant(),
            shown,
            scripts: shown.map(|_| target.played()),
            sentence: finding.repro.sentence.clone(),
        }
    };
    let of = |target: &TargetReport| -> Vec<Entry> {
        target.findings.iter().map(move |finding| entry(target, finding)).collect()
    };
    let content = File { format: FORMAT, accepted: targets.iter().flat_map(of).collect() };
    let body = toml::to_string_pretty(&content).map_err(|error| error.to_string())?;
    Ok(format!("{HEADER}{body}"))
}

/// What is known of one target.
#[derive(Clone, Default)]
pub(super) struct Known(Vec<Entry>);

impl Known {
    /// What it lists, as patterns.
    pub fn patterns(&self) -> Vec<Pattern> {
        self.0.iter().map(Entry::pattern).collect()
    }

    /// The first entry that accepts this very variant.
    fn listed(&self, identity: Identity) -> Option<usize> {
        self.0.iter().position(|entry| entry.pattern().matches(identity))
    }

    /// Whether other variants of its problem are listed, and this one is so rare in a campaign of
    /// so many scripts that the recorded one may have missed it.
    fn may_have_missed(&self, identity: Identity, seen: &Sightings, scripts: u64) -> bool {
        let problems = Problems::of(self.0.iter().map(|entry| entry.problem));
        let problem = problems.holds(identity.problem());
        let entries = self.0.iter().filter(|entry| problems.holds(entry.problem) == problem);
        let Some(recorded) = entries.filter_map(Entry::share).map(|share| share.scripts).max()
        else {
            return false;
        };
        // What only shrinking came upon shows in none.
        let shown = seen.of(identity).map_or(0, |seen| seen.scripts);
        let never = Share { shown: 0, scripts: recorded };
        !Share { shown, scripts }.rose_from(never, CHANGED)
    }

    /// Takes what a recorded run [may have missed](Self::may_have_missed) out of the findings of a
    /// campaign, with its sightings and scripts: of those that are `held` against the target.
    pub fn take_missed<T>(
        &self,
        findings: &mut Vec<T>,
        held: impl Fn(&T) -> Option<Identity>,
        (seen, scripts): (&Sightings, u64),
    ) -> Vec<Identity> {
        let may_have_missed = |identity| self.may_have_missed(identity, seen, scripts);
        let is_missed = |finding: &mut T| held(finding).is_some_and(may_have_missed);
        let missed: Vec<T> = findings.extract_if(.., is_missed).collect();
        missed.iter().filter_map(&held).collect()
    }

    /// What of a campaign it accepts: what it lists, and the `missed`.
    pub fn accepted(&self, seen: &Sightings, missed: &[Identity]) -> Vec<Accepted> {
        let known = self.seen(seen, missed);
        let accepted = |(identity, Sighting { scripts: fired, level, .. })| Accepted::Known {
            identity,
            fired,
            level,
            listed: self.listed(identity).is_some(),
        };
        known.map(accepted).collect()
    }

    fn seen(
        &self,
        sightings: &Sightings,
        missed: &[Identity],
    ) -> impl Iterator<Item = (Identity, Sighting)> {
        let seen = |identity| Some((identity, sightings.of(identity)?));
        let all = sightings.identities().filter_map(seen);
        all.filter(|(identity, _)| self.listed(*identity).is_some() || missed.contains(identity))
    }

    /// What of it shows far more often than was recorded, in so many scripts: problems as a whole,
    /// and of the others single entries.
    pub fn jumps(&self, sightings: &Sightings, missed: &[Identity], scripts: u64) -> Vec<Jump> {
        let mut problems: BTreeMap<Problem, Tally> = BTreeMap::new();
        let mut entries = vec![Tally::default(); self.0.len()];
        for entry in &self.0 {
            // An entry that was widened takes in what others list.
            let first = self.listed(Identity::of(entry.problem, entry.variant));
            let Some(first) = first else { continue };
            let problem = problems.entry(self.0[first].problem).or_default();
            for tally in [&mut entries[first], problem] {
                tally.record(entry.share());
            }
        }
        let listed = Problems::of(self.0.iter().map(|entry| entry.problem));
        for (identity, sighting) in self.seen(sightings, missed) {
            let index = self.listed(identity);
            let entry = index.and_then(|index| entries.get_mut(index));
            let problem = index
                .map_or_else(|| listed.holds(identity.problem()), |index| self.0[index].problem);
            for tally in entry.into_iter().chain(problems.get_mut(&problem)) {
                tally.count(sighting);
            }
        }
        let whole = problems.iter().filter_map(|(problem, tally)| {
            let rule = Pattern::of(problem.invariant());
            let pattern = problem.symptom().map_or(rule, |symptom| rule.with_symptom(symptom));
            Some((*problem, tally.jump(pattern, scripts)?))
        });
        let whole: BTreeMap<Problem, Jump> = whole.collect();
        let single = self.0.iter().zip(&entries).filter_map(|(entry, tally)| {
            let alone = !whole.contains_key(&entry.problem);
            alone.then(|| tally.jump(entry.pattern(), scripts))?
        });
        whole.values().copied().chain(single).collect()
    }
}

/// How often something showed, now and when it was recorded.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Whether it was recorded without a count.
    unknown: bool,
    recorded: Option<Share>,
    shown: u64,
    level: Option<Level>,
}

impl Tally {
    fn record(&mut self, share: Option<Share>) {
        let Some(share) = share else {
            self.unknown = true;
            return;
        };
        let recorded = self.recorded.get_or_insert(Share { shown: 0, scripts: 0 });
        recorded.shown += share.shown;
        recorded.scripts = recorded.scripts.max(share.scripts);
    }

    fn count(&mut self, seen: Sighting) {
        self.shown += seen.scripts;
        // Must comes first.
        self.level = Some(self.level.map_or(seen.level, |level| level.min(seen.level)));
    }

    fn jump(&self, pattern: Pattern, scripts: u64) -> Option<Jump> {
        let recorded = self.recorded.filter(|_| !self.unknown)?;
        let now = Share { shown: self.shown.min(scripts), scripts };
        let before = Before::Counted(recorded);
        let jumped = now.rose_from(recorded, JUMPED);
        jumped.then_some(Jump { pattern, level: self.level?, now, before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Cause, Condition, Invariant};

    fn sightings(each: u64) -> Sightings {
        let mut seen = Sightings::default();
        for condition in Condition::ALL {
            let rule = Invariant::EndsInTime;
            let identity = Identity::liveness(rule, Cause::OwnClose, *condition);
            seen.add(identity, Sighting { first: 0, scripts: each, level: Level::Must });
        }
        seen
    }

    fn known(conditions: usize) -> Known {
        let entry = |condition| Entry {
            target: None,
            problem: Problem::of(Invariant::EndsInTime),
            variant: Identity::liveness(Invariant::EndsInTime, Cause::OwnClose, condition)
                .variant(),
            shown: Some(100),
            scripts: Some(10_000),
            sentence: String::new(),
        };
        Known(Condition::ALL[..conditions].iter().copied().map(entry).collect())
    }

    #[test]
    fn entries_without_their_conditions_are_one_and_have_not_jumped() {
        let all = Condition::ALL.len();
        let mut wide = known(all);
        let open = Identity::safety(Invariant::EndsInTime, Some(Cause::OwnClose)).variant();
        for entry in &mut wide.0 {
            entry.variant = open;
        }
        assert!(all > 3 && wide.jumps(&sightings(100), &[], 10_000).is_empty());
        let jumps = wide.jumps(&sightings(500), &[], 10_000);
        assert_eq!(jumps.len(), 1, "the problem as a whole: {jumps:?}");
    }

    #[test]
    fn a_jump_is_that_of_the_problem_or_else_of_one_entry() {
        let all = Condition::ALL.len();
        let jumps = known(all).jumps(&sightings(500), &[], 10_000);
        let patterns = |jumps: &[Jump]| -> Vec<String> {
            jumps.iter().map(|jump| jump.pattern.to_string()).collect()
        };
        assert_eq!(patterns(&jumps), ["ends-in-time"]);
        let mut one = sightings(100);
        let silent = Identity::liveness(Invariant::EndsInTime, Cause::OwnClose, Condition::Silent);
        one.add(silent, Sighting { first: 0, scripts: 250, level: Level::Must });
        let jumps = known(all).jumps(&one, &[], 10_000);
        assert_eq!(patterns(&jumps), [silent.to_string()]);
    }

    #[test]
    fn a_variant_of_a_known_problem_is_new_where_the_recorded_run_would_have_shown_it() {
        let last = *Condition::ALL.last().expect("conditions");
        let identity = Identity::liveness(Invariant::EndsInTime, Cause::OwnClose, last);
        let missed = |shown: u64, known: &Known| {
            let seen = sightings(shown);
            let mut findings = vec![identity];
            !known.take_missed(&mut findings, |one| Some(*one), (&seen, 10_000)).is_empty()
        };
        let mut known = known(1);
        assert!(missed(3, &known) && !missed(30, &known));
        known.0[0].scripts = None;
        assert!(!missed(3, &known), "nobody knows how much the recorded run played");
        let other = Problem::of(Invariant::NoSpin);
        known.0[0] = Entry { problem: other, scripts: Some(10_000), ..known.0[0].clone() };
        assert!(!missed(1, &known), "another problem is new however rare it is");
    }

    #[test]
    fn an_entry_has_the_parts_of_its_pattern_as_fields_and_no_others() {
        let text =
            "invariant = \"ends-in-time\"\ncondition = \"silent\"\nsentence = \"It did not.\"\n";
        let entry: Entry = toml::from_str(text).expect(text);
        assert_eq!(entry.pattern().to_string(), "ends-in-time: silent");
        assert_eq!(toml::to_string(&entry).expect("TOML"), text);
        let unknown = format!("{text}level = \"must\"\n");
        let error = toml::from_str::<Entry>(&unknown).err().expect("an error");
        assert!(error.message().contains("unknown field `level`"), "{error}");
    }
}
