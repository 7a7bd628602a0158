//! One script on one target: played as it is and with every change, judged, and counted.

use super::changes::Kind;
use super::criteria::Honest;
use hangup::exchange::ConnectionId;
use hangup::generate::GeneratorConfig;
use hangup::run::virtual_time::play_and_judge;
use hangup::script::ConnectionNumber;
use hangup::target::changed::Changed;
use hangup::verdict::{Level, Reason, Verdict, Violation};
use hangup::view::View;
use hangup::{Script, Target};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The campaign whose scripts are played.
const SEED: u64 = 15;

/// What the judge made of a changed play.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It convicts, by a rule that is right to.
    Convicted,
    /// It does not, and this is why.
    Missed(String),
}

/// A changed play that counts.
#[derive(Clone, Debug)]
pub struct Case {
    /// The place of its kind among the kinds that are measured.
    pub kind: usize,
    pub level: Level,
    pub outcome: Outcome,
}

/// A target on which scripts are played.
pub struct Bench<'a> {
    pub target: &'a Arc<dyn Target>,
    pub kinds: &'a [&'a Kind],
}

impl Bench<'_> {
    /// The script of this index.
    pub fn script(&self, index: usize) -> Script {
        let config = GeneratorConfig {
            bounds: self.target.bounds(),
            app: self.target.obeys(),
            subject: self.target.role(),
            connections: if self.target.whole().is_some() { ConnectionNumber::MOST } else { 1 },
            ..GeneratorConfig::default()
        };
        config.nth(SEED, index as u64)
    }

    /// Plays `script` without a change and with each: the accusations against the honest
    /// server, and the changed plays that count.
    pub fn measure(&self, script: &Script, index: usize) -> (Vec<Violation>, Vec<Case>) {
        let bounds = self.target.bounds();
        let (exchange, verdict) = play_and_judge(self.target, &bounds, script, index as u64);
        let honest = Honest { view: View::of(&exchange, ConnectionId::FIRST), bounds };
        let case = |kind: usize| self.case(kind, script, index, &honest, &verdict);
        let cases = (0..self.kinds.len()).filter_map(case).collect();
        let accepted = |violation: &Violation| {
            self.target.deviations().iter().any(|deviation| deviation.accepts(violation.identity))
        };
        let accused = verdict.violations.into_iter().filter(|found| !accepted(found)).collect();
        (accused, cases)
    }

    /// Plays `script` with one change, where that has an effect; `None` where it does not count.
    pub fn case(
        &self,
        number: usize,
        script: &Script,
        index: usize,
        honest: &Honest<'_>,
        verdict: &Verdict,
    ) -> Option<Case> {
        let kind = self.kinds[number];
        let change = (kind.change)(honest, index)?;
        let target: Arc<dyn Target> = Arc::new(Changed::new(Arc::clone(self.target), change));
        let (exchange, decided) = play_and_judge(&target, &honest.bounds, script, index as u64);
        let changed = View::of(&exchange, ConnectionId::FIRST);
        let level = (kind.breaks)(honest, &changed)?;
        Some(Case { kind: number, level, outcome: outcome(kind, verdict, &decided) })
    }
}

/// What came of a changed play, beside what the honest play shows already.
fn outcome(kind: &Kind, honest: &Verdict, changed: &Verdict) -> Outcome {
    let is_new = |violation: &&Violation| {
        honest.violations.iter().all(|known| known.identity != violation.identity)
    };
    let fits = |violation: &Violation| {
        kind.rules.is_empty() || kind.rules.contains(&violation.identity.invariant())
    };
    let mut found = changed.violations.iter().filter(is_new);
    if found.clone().any(fits) {
        return Outcome::Convicted;
    }
    // Of a kind that any rule may convict, what the honest play has as well says nothing.
    let excused = changed.dismissals.iter().filter(|dismissal| {
        let known = honest.dismissals.iter().any(|known| {
            known.violation.identity == dismissal.violation.identity
                && known.reason == dismissal.reason
        });
        fits(&dismissal.violation) && !(known && kind.rules.is_empty())
    });
    let mut excused = excused.map(|dismissal| {
        format!("{}: {}", dismissal.violation.identity.invariant(), reason(dismissal.reason))
    });
    let other = found
        .next()
        .map(|violation| format!("convicted of {} instead", violation.identity.invariant()));
    Outcome::Missed(excused.next().or(other).unwrap_or_else(|| "no suspicion".to_owned()))
}

fn reason(reason: Reason) -> String {
    match reason {
        Reason::Excuse(excuse) => excuse.id().to_owned(),
        Reason::Control(_) => "a control shows the same".to_owned(),
        Reason::NotRepeated { .. } => "not seen again".to_owned(),
    }
}

/// How many scripts are kept of each reason: some shrink to the same.
const KEPT: usize = 24;

/// The shortest scripts of one reason, each with its target and its index.
type Shortest = BTreeMap<(usize, usize, String), (usize, usize)>;

/// What came of the plays of one kind and level.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub counts: BTreeMap<Outcome, u64>,
    pub shortest: BTreeMap<String, Shortest>,
}

impl Row {
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    pub fn convicted(&self) -> u64 {
        self.counts.get(&Outcome::Convicted).copied().unwrap_or_default()
    }

    /// Counts a case that the script of this index showed on the target of this place.
    fn add(&mut self, case: &Case, script: &Script, place: (usize, usize)) {
        *self.counts.entry(case.outcome.clone()).or_default() += 1;
        let Outcome::Missed(why) = &case.outcome else { return };
        let shortest = self.shortest.entry(why.clone()).or_default();
        let steps = script.steps.len();
        if shortest.len() < KEPT || shortest.last_key_value().is_some_and(|last| steps <= last.0.0)
        {
            let text = script.to_string();
            shortest.entry((steps, text.len(), text)).or_insert(place);
            while shortest.len() > KEPT {
                shortest.pop_last();
            }
        }
    }

    fn merge(&mut self, other: Self) {
        for (outcome, count) in other.counts {
            *self.counts.entry(outcome).or_default() += count;
        }
        for (why, scripts) in other.shortest {
            let shortest = self.shortest.entry(why).or_default();
            for (script, place) in scripts {
                let kept = shortest.entry(script).or_insert(place);
                *kept = place.min(*kept);
            }
            while shortest.len() > KEPT {
                shortest.pop_last();
            }
        }
    }
}

/// All that was counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By the kind's place and the level.
    pub rows: BTreeMap<(usize, Level), Row>,
    /// What an honest server was accused of, with the target's place and the script's index.
    pub accusations: Vec<(usize, usize, String)>,
}

impl Tally {
    /// Plays the scripts of these indices on the target of this place.
    pub fn add(&mut self, bench: &Bench<'_>, place: usize, indices: std::ops::Range<usize>) {
        for index in indices {
            let script = bench.script(index);
            let (accused, cases) = bench.measure(&script, index);
            for case in &cases {
                let row = self.rows.entry((case.kind, case.level)).or_default();
                row.add(case, &script, (place, index));
            }
            let accused = accused.iter().map(|violation| violation.identity.to_string());
            self.accusations.extend(accused.map(|identity| (place, index, identity)));
        }
    }

    /// Takes in what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (key, row) in other.rows {
            self.rows.entry(key).or_default().merge(row);
        }
        self.accusations.extend(other.accusations);
        self.accusations.sort();
    }

    /// The share of the plays of a level that are convicted, of one.
    pub fn recall(&self, level: Level) -> f64 {
        let rows = || self.rows.iter().filter(|((_, of), _)| *of == level).map(|(_, row)| row);
        let total: u64 = rows().map(Row::total).sum();
        let convicted: u64 = rows().map(Row::convicted).sum();
        if total == 0 { 1.0 } else { convicted as f64 / total as f64 }
    }
}
