//! A survey of many servers: a table for each kind of rule, what each rule means in a line, and of each
//! server its problems in a table, with the shortest scripts. No pictures.

use super::super::page::{Page, TargetPage};
use super::super::survey::{CellSays, Family, families, says};
use super::{RFC, anchor, sign};
use crate::verdict::{Invariant, Level};
use crate::wire::Role;
use maud::{Markup, html};

/// What stands in place of the targets' sections.
pub(super) fn survey(page: &Page) -> Markup {
    let families = families(&page.targets);
    html! {
        @for (number, family) in (1..).zip(&families) { (table(number, family, &page.targets)) }
        p class="dim" {
            b { "must" } " and " b { "should" } " say how strongly RFC 6455 asks for it. "
            "\u{2713} no script showed it broken, ? not judged. Rules that no server breaks are left out."
        }
        (rules(&families))
        section {
            h2 { "Each server, and the shortest script of each problem" }
            @for (number, target) in (1..).zip(&page.targets) { (server(number, target)) }
        }
    }
}

fn table(number: usize, family: &Family, targets: &[TargetPage]) -> Markup {
    let caption = format!("survey-{number}");
    html! {
        section {
            h2 { (family.title) }
            div class="scroll" tabindex="0" role="group" aria-labelledby=(caption) {
                table class="matrix survey" {
                    caption id=(caption) { "Servers against rules: how the connection ended, and what was seen." }
                    thead {
                        tr {
                            th scope="col" { "Server" }
                            @for rule in &family.rules { th scope="col" { a href={ "#rule-" (rule) } { (rule) } } }
                        }
                    }
                    tbody {
                        @for (number, target) in (1..).zip(targets) {
                            tr {
                                th scope="row" {
                                    a href={ "#target-" (number) } { (target.name) }
                                    span class="version" { (target.version) }
                                }
                                @for rule in &family.rules { (cell(&says(target, *rule), number)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(says: &CellSays, target: usize) -> Markup {
    match says {
        CellSays::Broken(lines) => {
            let is_must = lines.iter().any(|line| line.is_must);
            html! {
                td class=(if is_must { "broken must" } else { "broken should" }) {
                    ul {
                        @for line in lines {
                            li {
                                a href={ "#" (anchor(target, line.number)) } { (line.words) }
                                " " span class="level" { (if line.is_must { Level::Must } else { Level::Should }) }
                                @if let Some(flaky) = &line.flaky { " " em { "(" (flaky) ")" } }
                            }
                        }
                    }
                }
            }
        }
        CellSays::Sign(sign, word) => {
            let class = if *word == "kept" { "kept" } else { "unjudged" };
            html! { td class=(class) { span aria-hidden="true" { (sign) } span class="unseen" { (word) } } }
        }
    }
}

/// What each rule asks, in a line.
fn rules(families: &[Family]) -> Markup {
    let rules = families.iter().flat_map(|family| &family.rules);
    html! {
        section {
            h2 { "What each rule means" }
            dl class="rules" {
                @for rule in rules { (rule_line(*rule)) }
            }
        }
    }
}

fn rule_line(rule: Invariant) -> Markup {
    let about = rule.rule();
    html! {
        dt id={ "rule-" (rule) } { code { (rule) } }
        dd {
            (about.says(Some(Role::Server)))
            @if let Some((section, _)) = about.quote {
                " " a href={ (RFC) (section) } { "RFC 6455, section " (section) } "."
            }
        }
    }
}

fn server(number: usize, target: &TargetPage) -> Markup {
    html! {
        section id={ "target-" (number) } {
            h3 { (sign(target.verdict.0)) " " (target.name) }
            p class="dim" { (target.version) ": " (target.verdict.1) }
            @for lines in &target.remarks { p class="note" { (lines.join(" ")) } }
            @if !target.problems.is_empty() {
                div class="scroll" tabindex="0" role="group" aria-label={ "Problems of " (target.name) } {
                    table {
                        thead {
                            tr {
                                @for head in ["Rule", "What was seen", "Level", "How it ended", "Route", "Shortest script"] {
                                    th scope="col" { (head) }
                                }
                            }
                        }
                        tbody {
                            @for (index, problem) in (1..).zip(&target.problems) {
                                tr id=(anchor(number, index)) {
                                    th scope="row" { (problem.problem.invariant()) }
                                    td {
                                        (problem.name())
                                        @if let Some(flaky) = &problem.flaky { " " em { "(" (flaky) ")" } }
                                    }
                                    td { (problem.level) }
                                    td { (problem.ended.as_deref().unwrap_or_default()) }
                                    td { (problem.route.as_deref().unwrap_or_default()) }
                                    td { pre { code { (problem.script.trim_end()) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
