//! Targets of one name as runs of one target: a problem that not every run shows is flaky.

use super::{ProblemPage, TargetPage, Tone};
use crate::report::text::count;

/// What runs of the same targets say together, in the order in which the targets come first. How each
/// problem ended, and its script, are those of the first run that shows it.
pub fn merge(targets: Vec<TargetPage>) -> Vec<TargetPage> {
    let mut groups: Vec<Vec<TargetPage>> = Vec::new();
    for target in targets {
        match groups.iter_mut().find(|group| group[0].name == target.name) {
            Some(group) => group.push(target),
            None => groups.push(vec![target]),
        }
    }
    groups.into_iter().filter_map(of_group).collect()
}

fn of_group(runs: Vec<TargetPage>) -> Option<TargetPage> {
    let all = runs.len();
    if all == 1 {
        return runs.into_iter().next();
    }
    // What could not be tested neither shows a problem nor keeps a rule.
    let (tested, untested): (Vec<_>, Vec<_>) =
        runs.into_iter().partition(|run| run.verdict.0 != Tone::Unsure);
    let mut remarks: Vec<Vec<String>> = untested
        .iter()
        .flat_map(|run| {
            std::iter::once(vec![format!("1 of {all} runs: {}.", run.verdict.1)])
                .chain(run.remarks.clone())
        })
        .collect();
    let played = tested.len();
    let mut tested = tested.into_iter();
    let Some(mut merged) = tested.next() else {
        let mut first = untested.into_iter().next()?;
        first.remarks = remarks;
        return Some(first);
    };
    let mut shown: Vec<(ProblemPage, usize)> =
        merged.problems.drain(..).map(|problem| (problem, 1)).collect();
    for run in tested {
        merged.scripts =
            merged.scripts.zip(run.scripts).map(|(one, other)| one.saturating_add(other));
        merged.not_judged.retain(|rule| run.not_judged.contains(rule));
        merged.accepted.extend(run.accepted);
        merged.failures.extend(run.failures);
        for problem in run.problems {
            let is_same = |(known, _): &&mut (ProblemPage, usize)| known.problem == problem.problem;
            match shown.iter_mut().find(is_same) {
                Some((known, runs)) => {
                    *runs += 1;
                    known.level = known.level.min(problem.level);
                    known.flaky = known.flaky.take().or(problem.flaky);
                }
                None => shown.push((problem, 1)),
            }
        }
    }
    for (problem, runs) in &mut shown {
        // Of how many scripts, is said of one run.
        problem.shown = None;
        if *runs < played {
            problem.flaky = Some(format!("flaky, in {runs} of {played} runs"));
        }
    }
    merged.problems = shown.into_iter().map(|(problem, _)| problem).collect();
    merged.verdict = match merged.problems.len() {
        0 => (Tone::Good, "clean".to_owned()),
        found => (Tone::Bad, count(found, "problem")),
    };
    merged.remarks.append(&mut remarks);
    Some(merged)
}
