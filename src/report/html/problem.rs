//! A problem on a page: the sentence, the picture, how each variant ended, the script, the RFC, what to
//! do, the bytes, and what to paste.

use super::super::Scene;
use super::super::StepSays;
use super::super::drawing::{self, Picture};
use super::super::page::{ProblemPage, VariantPage};
use super::super::quotes;
use super::super::table::ALSO;
use super::super::text::{count, nothing};
use super::super::timeline::{connection_number, short};
use super::super::wire_log::WireLine;
use super::Place;
use crate::verdict::{Cause, Condition, Identity, Symptom, name_ends};
use crate::wire::Role;
use maud::{Markup, html};

/// Where the RFC is read, a section behind it.
pub(in super::super) const RFC: &str = "https://www.rfc-editor.org/rfc/rfc6455#section-";

pub(super) fn problem(problem: &ProblemPage, place: &Place, pictures: &mut usize) -> Markup {
    let Place { anchor, number, told_at } = place;
    let rule = problem.problem.invariant().rule();
    let name = problem.name();
    let picture = scene(&problem.scene, &name, &problem.sentence, true, pictures);
    let subject = subject(&problem.variants);
    let steps = problem.script.lines().filter(|line| !line.starts_with('#')).count();
    html! {
        article id=(anchor) {
            h3 {
                span class="number" { (number) "." } " " (name)
            }
            p class="rule" {
                span class={ "level " (problem.level) } { (problem.level) } " "
                code { (rule.invariant) } ": " (rule.says(Some(subject)))
            }
            @if !problem.sentence.is_empty() { p class="sentence" { (problem.sentence) } }
            @for note in &problem.notes { p class="note" { (note) } }
            div class="story" {
                (picture)
                div {
                    h4 { @if steps == 0 { "Script: " (nothing(subject)) } @else { "Script, " (count(steps, "step")) } }
                    @if steps > 0 { pre tabindex="0" aria-label="Script" { code { (problem.script) } } }
                    @if !problem.matters.is_empty() { (matters(&problem.matters)) }
                    h4 { "What RFC 6455 says" }
                    @match quote(problem) {
                        Some((section, quote)) => {
                            blockquote cite={ (RFC) (section) } { p { (quote) } }
                            p { a href={ (RFC) (section) } { "RFC 6455, section " (section) } }
                        },
                        None => p { (quotes::without_quote(problem.problem.invariant().rule(), problem.level, subject)) },
                    }
                    h4 { "What it means, and what to do" }
                    @match told_at {
                        Some(first) => p { "See " a href={ "#" (first.0) } { "problem " (first.1) } "." },
                        None => @for paragraph in rule.explains(Some(subject)).split("\n\n") { p { (paragraph) } },
                    }
                }
            }
            (variants(problem))
            @if !problem.scene.wire.is_empty() { (wire(&problem.scene)) }
            @if !problem.commands.is_empty() {
                h4 { "Commands" }
                @if let Some(before) = &problem.before { p class="note" { (before) } }
                dl class="commands" {
                    @for (what, line) in &problem.commands {
                        dt { (what) }
                        dd { pre tabindex="0" aria-label=(what) { code { (line) } } }
                    }
                }
            }
        }
    }
}

/// The RFC's sentence. Of a problem of which the headline's variant is not known it is that of the only one.
fn quote(problem: &ProblemPage) -> Option<(&'static str, &'static str)> {
    let only = match &problem.variants[..] {
        [one] => Some(one.variant),
        _ => None,
    };
    match problem.headline.or(only) {
        Some(variant) => quotes::quote(Identity::of(problem.problem, variant), &problem.sentence),
        None => problem.problem.invariant().rule().quote,
    }
}

/// What matters in the script, a row a step.
fn matters(steps: &[StepSays]) -> Markup {
    html! {
        h4 { "What matters in it" }
        div class="scroll" tabindex="0" role="group" aria-label="What matters in the script" {
            table {
                thead { tr {
                    th scope="col" { "step" }
                    th scope="col" { "without it" }
                    th scope="col" { "the same problem shows with" }
                } }
                tbody { @for step in steps { tr {
                    th scope="row" { code { (step.step) } }
                    td { @match &step.without { Some(words) => (words), None => "not played" } }
                    td { @for (index, also) in step.also.iter().enumerate() { @if index > 0 { br; } (also) } }
                } } }
            }
        }
    }
}

/// What happened, drawn; nothing where that is not known.
pub(super) fn scene(
    scene: &Scene,
    title: &str,
    about: &str,
    broken: bool,
    pictures: &mut usize,
) -> Markup {
    if scene.items.is_empty() {
        return html! {};
    }
    *pictures += 1;
    let picture = Picture { subject: scene.subject, items: &scene.items, title, about, broken };
    html! { figure { (drawing::inline(&picture, *pictures)) } }
}

/// How each variant ended: causes down, the client's conditions across, a table for each symptom. Of what is
/// not about time there is no table.
fn variants(problem: &ProblemPage) -> Markup {
    let mut symptoms: Vec<Option<Symptom>> =
        problem.variants.iter().map(|variant| variant.symptom).collect();
    symptoms.sort();
    symptoms.dedup();
    let is_timed = |one: &&VariantPage| one.variant.condition().is_some();
    let heading = if problem.variants.iter().any(|one| is_timed(&one)) {
        Some("How each variant ended")
    } else {
        problem.shown.as_ref().map(|_| "How often it shows")
    };
    html! {
        @if let Some(heading) = heading { h4 { (heading) } }
        @if let Some(shown) = &problem.shown { p { (shown) } }
        @for symptom in symptoms {
            @let of: Vec<&VariantPage> = problem.variants.iter().filter(|variant| variant.symptom == symptom).filter(is_timed).collect();
            @match (of.is_empty(), symptom) {
                (false, _) => (table(&of, symptom, subject(&problem.variants))),
                (true, Some(symptom)) => p { (ALSO) " " (symptom) "." },
                (true, None) => {},
            }
        }
    }
}

/// The role of a problem's subject; its variants' words have it.
pub(super) fn subject(variants: &[VariantPage]) -> Role {
    variants.first().map_or(Role::Server, |one| one.variant.subject())
}

fn table(variants: &[&VariantPage], symptom: Option<Symptom>, subject: Role) -> Markup {
    let mut causes: Vec<Option<Cause>> = variants.iter().map(|one| one.variant.cause()).collect();
    causes.sort();
    causes.dedup();
    let mut conditions: Vec<Option<Condition>> =
        variants.iter().map(|one| one.variant.condition()).collect();
    conditions.sort();
    conditions.dedup();
    let ended = |cause: Option<Cause>, condition: Option<Condition>| {
        let is_here = |one: &&&VariantPage| {
            (one.variant.cause(), one.variant.condition()) == (cause, condition)
        };
        variants.iter().find(is_here).map(|one| one.ended.as_str())
    };
    let named = |condition: &Option<Condition>| condition.map_or("-", Condition::id);
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="How each variant ended" {
            table {
                caption {
                    @if let Some(symptom) = symptom { (ALSO) " " (symptom) ". " }
                    (name_ends("What obliged the server, against what the client did", Some(subject)))
                }
                thead { tr { th scope="col" { "cause" } @for condition in &conditions { th scope="col" { (named(condition)) } } } }
                tbody {
                    @for cause in &causes {
                        tr {
                            th scope="row" { (cause.map_or("any".into(), |cause| cause.named(subject))) }
                            @for condition in &conditions {
                                @match ended(*cause, *condition) {
                                    Some(ended) => td { (ended) },
                                    None => td class="dim" { span aria-hidden="true" { "-" } span class="unseen" { "not seen" } },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The bytes of both directions, decoded.
fn wire(scene: &Scene) -> Markup {
    let mut last = None;
    let rows: Vec<(String, &WireLine)> = scene
        .wire
        .iter()
        .map(|line| {
            let time = if last == Some(line.at) { String::new() } else { short(line.at) };
            last = Some(line.at);
            (time, line)
        })
        .collect();
    let several = scene.wire.iter().any(|line| line.connection != scene.wire[0].connection);
    html! {
        details class="wire" {
            summary { "On the wire, " (count(scene.wire.len(), "line")) }
            div class="scroll" tabindex="0" role="group" aria-label="On the wire" {
                table {
                    thead { tr { th scope="col" { "time" } @if several { th scope="col" { "connection" } } th scope="col" { "from" } th scope="col" { "what" } th scope="col" { "bytes" } } }
                    tbody {
                        @for (index, (time, line)) in rows.iter().enumerate() {
                            @if let Some((behind, lines)) = scene.left_out {
                                @if behind == index { tr { td colspan=(if several { 5 } else { 4 }) { (count(lines, "line")) " left out" } } }
                            }
                            tr class=[(!line.from_client).then_some("server")] {
                                td { (time) }
                                @if several { td { (connection_number(line.connection)) } }
                                td { (if line.from_client { "client \u{2192}" } else { "\u{2190} server" }) }
                                td { (line.what) }
                                td { (line.bytes) }
                            }
                        }
                    }
                }
            }
        }
    }
}
