//! A page as one file of HTML: no script, nothing that is loaded, light and dark, for a screen of any
//! width and for paper. What is said is in [`Page`]; the pictures are [`drawing`](super::drawing)'s.

mod matrix;
mod problem;
mod survey;

pub(super) use matrix::{Cell, cell, columns};
pub(super) use problem::RFC;

use super::drawing;
use super::glossary::Word;
use super::page::{Page, ProblemPage, TargetPage, Tone};
use super::text::{LEVELS, count, thousands};
use crate::wire::Role;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// The browser is told, too, that nothing may be loaded and nothing may run.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page as a file.
pub fn html(page: &Page) -> String {
    let mut pictures = 0;
    let targets: Vec<Markup> = page
        .targets
        .iter()
        .enumerate()
        .map(|(number, target)| self::target(target, number + 1, page, &mut pictures))
        .collect();
    let is_one = page.targets.len() == 1;
    let tone = match page.targets.as_slice() {
        [target] => target.verdict.0,
        targets if targets.iter().any(|target| target.verdict.0 == Tone::Bad) => Tone::Bad,
        targets if targets.iter().all(|target| target.verdict.0 == Tone::Good) => Tone::Good,
        _ => Tone::Unsure,
    };
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("hangup ", env!("CARGO_PKG_VERSION")));
                title { (page.title) " - hangup" }
                style { (PreEscaped(STYLE)) (PreEscaped(drawing::STYLE)) }
            }
            body {
                a class="skip" href="#results" { "Skip to the results" }
                header {
                    p class="brand" { "hangup " (env!("CARGO_PKG_VERSION")) ": does the server hang up?" }
                    h1 { @if !page.is_survey { (sign(tone)) " " } (page.title) }
                    @for paragraph in &page.about { p { (paragraph) } }
                    @if !page.facts.is_empty() {
                        dl class="facts" {
                            @for (name, fact) in &page.facts { div { dt { (name) } dd { (fact) } } }
                        }
                    }
                    @if page.targets.iter().any(|target| !target.problems.is_empty()) { p class="note" { (LEVELS) } }
                    @for trouble in &page.troubles { p class="trouble" { strong { (trouble) } } }
                }
                main id="results" tabindex="-1" {
                    @if page.is_survey { (survey::survey(page)) } @else {
                        (matrix::matrix(&page.targets))
                        @if is_one { (contents(&page.targets[0])) }
                        @for target in &targets { (target) }
                        @if pictures > 0 { (key(subject(&page.targets))) }
                        (words(page))
                    }
                }
                footer {
                    p { "Rules: " a href="https://www.rfc-editor.org/rfc/rfc6455" { "RFC 6455, The WebSocket Protocol" }
                        ". " code { "hangup explain RULE" } " explains one, and " code { "hangup explain glossary" } " all words." }
                }
            }
        }
    };
    harmless(&text.into_string()) + "\n"
}

/// A text without what could steer a terminal, a parser of XML, or the direction in which a line is
/// read: whatever a server or a file brought.
pub(super) fn harmless(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.replace(is_odd, "\u{fffd}")
}

fn sign(tone: Tone) -> Markup {
    let (class, sign) = match tone {
        Tone::Good => ("good", "\u{2713}"),
        Tone::Bad => ("bad", "\u{2717}"),
        Tone::Unsure => ("unsure", "?"),
    };
    html! { span class={ "sign " (class) } aria-hidden="true" { (sign) } }
}

/// The name of a section, as links have it.
fn anchor(target: usize, problem: usize) -> String {
    format!("target-{target}-problem-{problem}")
}

/// Where a problem stands.
struct Place {
    /// The name that links have for it.
    anchor: String,
    /// Its number, from 1 on.
    number: usize,
    /// Its target's first problem of the same rule, where it is another one: its anchor and its number.
    told_at: Option<(String, usize)>,
}

/// The problems of the only target, as links.
fn contents(target: &TargetPage) -> Markup {
    html! {
        @if target.problems.len() > 1 {
            nav aria-label="Problems" {
                ol {
                    @for (index, problem) in target.problems.iter().enumerate() {
                        li {
                            a href={ "#" (anchor(1, index + 1)) } { (problem.name()) }
                            " " span class="dim" { (problem.problem.invariant()) ", " (problem.level) }
                        }
                    }
                }
            }
        }
    }
}

fn target(target: &TargetPage, number: usize, page: &Page, pictures: &mut usize) -> Markup {
    let problems: Vec<Markup> = target
        .problems
        .iter()
        .enumerate()
        .map(|(index, found)| {
            let rule = found.problem.invariant();
            let of_rule = |other: &ProblemPage| other.problem.invariant() == rule;
            let before = target.problems[..index].iter().position(of_rule);
            let place = Place {
                anchor: anchor(number, index + 1),
                number: index + 1,
                told_at: before.map(|before| (anchor(number, before + 1), before + 1)),
            };
            problem::problem(found, &place, pictures)
        })
        .collect();
    let scene = target.scene.as_ref().map(|scene| {
        let (tone, verdict) = &target.verdict;
        problem::scene(scene, &target.name, verdict, *tone != Tone::Good, pictures)
    });
    let is_one = page.targets.len() == 1;
    let heading = html! {
        (sign(target.verdict.0)) " " (target.name) " " span class="version" { (target.version) }
    };
    let (_, verdict) = &target.verdict;
    html! {
        section class="target" id={ "target-" (number) } {
            h2 { (heading) }
            p {
                (verdict)
                @if let Some(scripts) = target.scripts { " in " (count(usize::try_from(scripts).unwrap_or(usize::MAX), "script")) }
                "."
                @if !is_one { " " a href="#matrix" { "Back to all targets" } }
            }
            @for problem in &problems { (problem) }
            @if let Some(scene) = scene { (scene) }
            @if !target.remarks.is_empty() {
                div class="remarks" {
                    h3 { "What else is known" }
                    @for lines in &target.remarks {
                        p { @for (index, line) in lines.iter().enumerate() { @if index > 0 { br; } (line) } }
                    }
                }
            }
        }
    }
}

/// The role that all subjects of a page have, as their problems say; `None` where they differ.
fn subject(targets: &[TargetPage]) -> Option<Role> {
    let problems = targets.iter().flat_map(|target| &target.problems);
    let mut roles = problems.map(|found| problem::subject(&found.variants));
    let first = roles.next().unwrap_or_default();
    roles.all(|role| role == first).then_some(first)
}

/// How pictures are read.
fn key(subject: Option<Role>) -> Markup {
    html! {
        section class="key" {
            h2 { "How to read the pictures" }
            dl {
                @for (sign, meaning) in drawing::key(subject) {
                    div { dt { (sign) } dd { (meaning) } }
                }
            }
        }
    }
}

/// What the words of the tables mean: those of causes, conditions, endings and levels that this page has.
fn words(page: &Page) -> Markup {
    let problems = || page.targets.iter().flat_map(|target| &target.problems);
    let variants = || problems().flat_map(|problem| &problem.variants);
    let is_there = |word: &Word| {
        word.each().any(|name| {
            variants().any(|one| one.variant.text().split(", ").any(|own| own == name))
                || variants().any(|one| is_ending(&one.ended, name))
                || problems().any(|problem| problem.level.id() == name)
        })
    };
    let words: Vec<Word> = Word::all().filter(is_there).collect();
    html! {
        @if !words.is_empty() {
            section class="words" {
                h2 { "What the words mean" }
                dl { @for word in words { dt { (word.names) } dd { (word.meaning) } } }
            }
        }
    }
}

/// Whether a variant ended so: `never`, or in `open at 7.000 s`, `at 7.000 s, late`, with the level behind.
fn is_ending(ended: &str, name: &str) -> bool {
    ended.starts_with(name) || ended.contains(&format!(", {name}"))
}

/// `1,234 of 20,000`, for a table.
fn numbers(scripts: Option<u64>) -> String {
    scripts.map_or_else(String::new, thousands)
}
