//! `targets`, `rules`, `explain`: what there is.

use super::{CLEAN, Done, output};
use crate::excerpt::{excerpt, nearest};
use crate::report::{wrap, wrap_to};
use crate::target::{Registry, Target};
use crate::verdict::Invariant;
use owo_colors::OwoColorize as _;
use std::time::Duration;

/// How scripts are written.
const NOTATION: &str = include_str!("../../docs/notation.md");

pub(super) fn targets(registry: &Registry) -> u8 {
    for target in registry.iter().filter(|target| !target.is_planted()) {
        output::line(&format!("{}  ({})", target.name().bold(), target.version()));
        for line in wrap_to(target.about(), 76).lines() {
            output::line(&format!("    {line}"));
        }
        for line in wrap_to(&format!("promises: {}", promises(&**target)), 76).lines() {
            output::line(&format!("    {line}"));
        }
        for deviation in target.deviations() {
            let reason = format!(
                "accepted: {}: {} ({})",
                deviation.pattern.invariant(),
                deviation.reason,
                deviation.rfc
            );
            for line in wrap_to(&reason, 76).lines() {
                output::line(&format!("    {}", line.dimmed()));
            }
        }
    }
    let planted: Vec<_> = registry.iter().filter(|target| target.is_planted()).collect();
    if !planted.is_empty() {
        output::line("\nbroken on purpose; `hangup test` plays them only by name:");
    }
    for target in planted {
        output::line(&format!("{}", target.name().bold()));
        for line in wrap_to(target.about(), 76).lines() {
            output::line(&format!("    {line}"));
        }
    }
    CLEAN
}

/// The bounds in words. A whole server always has one for its shutdown.
fn promises(target: &dyn Target) -> String {
    let bounds = target.bounds();
    let part = |name: &str, bound: Option<Duration>| {
        bound.map(|bound| format!("{name} within {} s", bound.as_secs_f64()))
    };
    let parts = [
        part("close", Some(bounds.close)),
        part("release after a reset", Some(bounds.release)),
        part("handshake", bounds.handshake),
        part("end of idle connections", bounds.idle),
        part("shutdown", target.whole().map(|_| bounds.shutdown())),
    ];
    let memory = bounds.memory.map(|bytes| format!("at most {bytes} bytes of heap a connection"));
    parts.into_iter().flatten().chain(memory).collect::<Vec<_>>().join(", ")
}

pub(super) fn rules() -> u8 {
    for invariant in Invariant::ALL {
        let rule = invariant.rule();
        output::line(&format!("{:20} {:9} {}", invariant.bold(), rule.class, rule.basis()));
        for line in wrap_to(&rule.says(None), 76).lines() {
            output::line(&format!("    {line}"));
        }
    }
    CLEAN
}

pub(super) fn explain(id: &str) -> Done {
    if id == "notation" {
        output::print(NOTATION);
        return Ok(CLEAN);
    }
    let Some(invariant) = Invariant::from_id(id) else {
        let near = nearest(id, Invariant::ALL.iter().map(|invariant| invariant.id())).join(", ");
        return Err(format!(
            "no rule `{}`; the nearest are: {near}; the command `rules` lists all",
            excerpt(id)
        ));
    };
    let rule = invariant.rule();
    output::line(&format!("{} ({}; {})\n", invariant.bold(), rule.class, rule.basis()));
    output::line(&format!("{}\n", wrap(&rule.says(None))));
    if let Some((section, quote)) = rule.quote {
        output::line(&format!("{}\n", wrap(&format!("RFC 6455 {section}: \"{quote}\""))));
    }
    output::line(&format!("{}\n", wrap(&format!("Asked of {}.", rule.asked_of))));
    let paragraphs: Vec<String> = rule.explains(None).split("\n\n").map(wrap).collect();
    output::line(&paragraphs.join("\n\n"));
    let symptoms: Vec<String> = rule.symptoms.iter().map(|seen| format!("  {seen}")).collect();
    output::line(&format!(
        "\nWhat may be seen, each a problem of its own:\n{}",
        symptoms.join("\n")
    ));
    Ok(CLEAN)
}
