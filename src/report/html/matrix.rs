//! Targets against rules, side by side: how a connection ended where a rule is broken.

use super::super::page::{ProblemPage, TargetPage, Tone};
use super::{anchor, numbers, sign};
use crate::verdict::{Invariant, Level};
use maud::{Markup, html};

/// What a target does about a rule.
#[derive(Debug)]
pub(in crate::report) enum Cell<'a> {
    /// It breaks it: the problems, each with its number, from 1 on.
    Broken(Vec<(usize, &'a ProblemPage)>),
    /// It breaks it, and that is accepted.
    Accepted,
    /// No script showed it broken.
    Kept,
    /// Nobody could tell.
    NotJudged,
}

/// The rules that some target breaks, in their order.
pub(in crate::report) fn columns(targets: &[TargetPage]) -> Vec<Invariant> {
    let broken = |rule: &Invariant| {
        let breaks = |problem: &ProblemPage| problem.problem.invariant() == *rule;
        targets
            .iter()
            .any(|target| target.problems.iter().any(breaks) || target.accepted.contains(rule))
    };
    Invariant::ALL.iter().copied().filter(broken).collect()
}

/// What a target does about a rule.
pub(in crate::report) fn cell(target: &TargetPage, rule: Invariant) -> Cell<'_> {
    let numbered = (1..).zip(&target.problems);
    let broken: Vec<_> =
        numbered.filter(|(_, problem)| problem.problem.invariant() == rule).collect();
    match () {
        () if !broken.is_empty() => Cell::Broken(broken),
        () if target.accepted.contains(&rule) => Cell::Accepted,
        () if target.not_judged.contains(&rule) || target.verdict.0 == Tone::Unsure => {
            Cell::NotJudged
        }
        () => Cell::Kept,
    }
}

/// The matrix of several targets; nothing of one.
pub(super) fn matrix(targets: &[TargetPage]) -> Markup {
    if targets.len() < 2 {
        return html! {};
    }
    let rules = columns(targets);
    html! {
        section id="matrix" {
            h2 { "All targets" }
            div class="scroll" tabindex="0" role="group" aria-labelledby="matrix-caption" {
                table class="matrix" {
                    caption id="matrix-caption" {
                        "How connections ended where a rule is broken. "
                        @if rules.len() < Invariant::ALL.len() {
                            "Rules that no target breaks are left out."
                        }
                    }
                    thead {
                        tr {
                            th scope="col" { "Target" }
                            th scope="col" { "Scripts" }
                            @for rule in &rules { th scope="col" { (rule) } }
                        }
                    }
                    tbody {
                        @for (number, target) in (1..).zip(targets) {
                            tr {
                                th scope="row" {
                                    (sign(target.verdict.0)) " "
                                    a href={ "#target-" (number) } { (target.name) }
                                    span class="version" { (target.version) }
                                }
                                td class="number" { (numbers(target.scripts)) }
                                @for rule in &rules { (shown(&cell(target, *rule), number)) }
                            }
                        }
                    }
                }
            }
            p class="dim" {
                b { "must" } " and " b { "should" } " say how strongly RFC 6455 asks for it. "
                "\u{2713} kept, (\u{2717}) broken and accepted, ? not judged."
            }
        }
    }
}

fn shown(cell: &Cell<'_>, target: usize) -> Markup {
    match cell {
        Cell::Broken(problems) => {
            let is_must = problems.iter().any(|(_, problem)| problem.level == Level::Must);
            html! {
                td class=(if is_must { "broken must" } else { "broken should" }) {
                    ul {
                        @for (number, problem) in problems {
                            li {
                                a href={ "#" (anchor(target, *number)) } title=(problem.name()) {
                                    (problem.ended.as_deref().unwrap_or("broken"))
                                }
                                " " span class="level" { (problem.level) }
                                @if let Some(route) = &problem.route { " " span class="dim" { (route) } }
                                @if let Some(flaky) = &problem.flaky { " " em { "(" (flaky) ")" } }
                            }
                        }
                    }
                }
            }
        }
        Cell::Accepted => {
            html! { td class="accepted" { span aria-hidden="true" { "(\u{2717})" } span class="unseen" { "accepted" } } }
        }
        Cell::Kept => {
            html! { td class="kept" { span aria-hidden="true" { "\u{2713}" } span class="unseen" { "kept" } } }
        }
        Cell::NotJudged => {
            html! { td class="unjudged" { span aria-hidden="true" { "?" } span class="unseen" { "not judged" } } }
        }
    }
}
