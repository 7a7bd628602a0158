//! How each variant of a problem ended, as a table: causes down, the client's conditions across.

use super::model::FindingReport;
use super::text::{indented, not_minimal, wrap_to};
use crate::exchange::Time;
use crate::verdict::{Cause, Condition, Ending, Invariant, Problem};
use crate::wire::Role;
use std::fmt::Write as _;

/// What stands where the target showed nothing.
const NOT_SEEN: &str = "-";

/// Whether a variant is about time: only of such a one it is the ending that breaks the rule, and the
/// cause and the client's condition that tell it from others.
pub(super) fn is_about_time(finding: &FindingReport) -> bool {
    finding.repro.identity.condition().is_some()
}

/// The table of those variants that are about time, in lines of at most `width` columns where a cause and
/// a condition fit into that; more conditions come below. Variants of plainer problems' mere cases have a
/// part of their own, below their symptom and, where it was shrunk, their script.
pub(super) fn table(problem: Problem, variants: &[&FindingReport], width: usize) -> String {
    let mut parts: Vec<(Problem, Vec<&FindingReport>)> = Vec::new();
    for finding in variants {
        let own = finding.repro.identity.problem();
        match parts.iter_mut().find(|(problem, _)| *problem == own) {
            Some((_, part)) => part.push(finding),
            None => parts.push((own, vec![finding])),
        }
    }
    parts.sort_by_key(|(own, _)| (*own != problem, *own));
    let mut out = String::new();
    let told = levels(variants);
    let mut heading =
        variants.first().map(|one| heading(problem.invariant(), one.repro.role.other().word()));
    for (own, part) in parts {
        if let Some(symptom) = own.symptom().filter(|_| own != problem) {
            let _ = writeln!(out, "{}", wrap_to(&format!("{ALSO} {symptom}"), width));
            if let Some(shrunk) = part.iter().find(|finding| finding.shrunk) {
                if let Some(why) = not_minimal(shrunk) {
                    let _ = writeln!(out, "{}", wrap_to(&format!("Its script is {why}"), width));
                }
                out.push('\n');
                indented(&mut out, "    ", &shrunk.repro.script_text());
                out.push('\n');
            }
        }
        let timed: Vec<&FindingReport> =
            part.into_iter().filter(|finding| is_about_time(finding)).collect();
        if !timed.is_empty() {
            let part = part_of_table(&timed, told, width);
            if let Some(heading) = heading.take() {
                let has_gaps = part.split_whitespace().any(|word| word == NOT_SEEN);
                let has_times = part.split_whitespace().any(|word| word == "at");
                let times = if has_times {
                    "; a time is that of one such script, from its start"
                } else {
                    ""
                };
                let end = format!("{times}{}", if has_gaps { "; -: not seen:" } else { ":" });
                let _ = writeln!(out, "{}", wrap_to(&(heading + &end), width));
            }
            out.push_str(&part);
        }
    }
    out
}

fn heading(rule: Invariant, actor: &str) -> String {
    let what = match rule {
        Invariant::ShutsDownInTime => "How the shutdown ended",
        Invariant::ReleasesInTime => "When the socket was released",
        _ => "How the connection ended",
    };
    format!("{what}, by cause (rows) and by what the {actor} did (columns)")
}

/// Before a symptom that is a mere case of a problem's.
pub(super) const ALSO: &str = "The same problem also shows as:";

/// Whether the variants' endings stand with their levels: where they have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TellLevels(bool);

/// Whether these have several levels.
pub(super) fn levels(variants: &[&FindingReport]) -> TellLevels {
    let mut levels = variants.iter().map(|finding| finding.repro.level);
    let first = levels.next();
    TellLevels(levels.any(|level| Some(level) != first))
}

/// How a variant ended: `never`; where levels are told, `never (must)`.
pub(super) fn ended_at(finding: &FindingReport, levels: TellLevels) -> String {
    let ended = ended(finding.ending);
    if levels.0 { format!("{ended} ({})", finding.repro.level) } else { ended }
}

fn part_of_table(variants: &[&FindingReport], levels: TellLevels, width: usize) -> String {
    let variant = |finding: &&FindingReport| finding.repro.identity.variant();
    let mut causes: Vec<Option<Cause>> = variants.iter().map(|one| variant(one).cause()).collect();
    causes.sort();
    causes.dedup();
    let mut conditions: Vec<Option<Condition>> =
        variants.iter().map(|one| variant(one).condition()).collect();
    conditions.sort();
    conditions.dedup();
    let cell = |cause: Option<Cause>, condition: Option<Condition>| {
        let is_here = |finding: &&&FindingReport| {
            let variant = variant(finding);
            (variant.cause(), variant.condition()) == (cause, condition)
        };
        let here = variants.iter().find(is_here);
        here.map_or_else(|| NOT_SEEN.to_owned(), |one| ended_at(one, levels))
    };
    let subject = variants.first().map_or(Role::Server, |one| one.repro.role);
    let name = |cause: Option<Cause>| {
        cause.map_or_else(|| "any".to_owned(), |cause| cause.named(subject).into_owned())
    };
    let first: Vec<String> = std::iter::once("cause".to_owned())
        .chain(causes.iter().map(|cause| name(*cause)))
        .collect();
    let columns: Vec<Vec<String>> = conditions
        .iter()
        .map(|condition| {
            let heading = condition.map_or(NOT_SEEN, Condition::id).to_owned();
            let cells = causes.iter().map(|cause| cell(*cause, *condition));
            std::iter::once(heading).chain(cells).collect()
        })
        .collect();
    lay_out(&first, &columns, width)
}

/// How a connection ended, in a word or two.
pub(super) fn ended(ending: Ending) -> String {
    match ending {
        Ending::Late(at) | Ending::Open(at) => at_time(at, ending.kind()),
        Ending::InTime
        | Ending::Never
        | Ending::Ticking(_)
        | Ending::Spinning(_)
        | Ending::Unproven(_) => ending.kind().to_owned(),
    }
}

/// How a connection ended, and when: `at 30.000 s, late`.
pub(super) fn at_time(at: Time, kind: &str) -> String {
    match kind {
        "open" => format!("open at {at}"),
        _ => format!("at {at}, {kind}"),
    }
}

/// Columns side by side, behind the first one; those that do not fit come below, behind the first
/// one again.
fn lay_out(first: &[String], columns: &[Vec<String>], width: usize) -> String {
    let mut out = String::new();
    let mut rest = columns;
    while !rest.is_empty() {
        let mut used = wide(first);
        let fits = |column: &&Vec<String>| {
            used += 2 + wide(column);
            used <= width
        };
        let some = rest.iter().take_while(fits).count().max(1);
        let (here, later) = rest.split_at(some);
        for (row, cell) in first.iter().enumerate() {
            let mut line = format!("{cell:0$}", wide(first));
            for column in here {
                let _ = write!(line, "  {:1$}", column[row], wide(column));
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        rest = later;
    }
    out
}

fn wide(column: &[String]) -> usize {
    column.iter().map(|cell| cell.chars().count()).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_come_below() {
        let column = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let first = column(["cause", "FIN"]);
        let columns =
            [column(["silent", "never"]), column(["deaf", "-"]), column(["gone", "late"])];
        let wide = lay_out(&first, &columns, 80);
        assert_eq!(wide, "cause  silent  deaf  gone\nFIN    never   -     late\n");
        let narrow = lay_out(&first, &columns, 19);
        let below = "cause  silent  deaf\nFIN    never   -\ncause  gone\nFIN    late\n";
        assert_eq!(narrow, below);
        assert_eq!(lay_out(&first, &columns, 3).lines().count(), 6, "one at least");
    }
}
