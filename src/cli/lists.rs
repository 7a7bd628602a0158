//! `targets` and `rules`: lists.

use super::{CLEAN, output};
use crate::report::{percent, wrap_to};
use crate::target::{Registry, Target};
use crate::verdict::Invariant;
use owo_colors::OwoColorize as _;
use std::time::Duration;

pub(super) fn targets(registry: &Registry) -> u8 {
    for target in registry.iter().filter(|target| !target.is_planted()) {
        output::line(&format!("{}  ({})", target.name().bold(), target.version()));
        for line in wrap_to(target.about(), 76).lines() {
            output::line(&format!("    {line}"));
        }
        for line in wrap_to(&format!("bounds: {}", bounds(&**target)), 76).lines() {
            output::line(&format!("    {line}"));
        }
        for deviation in target.deviations() {
            let rate = deviation
                .rate
                .map(|rate| format!(". The target expects it in {} of the scripts", percent(rate)));
            let reason = format!(
                "accepted: {}: {} ({}){}",
                deviation.pattern.invariant(),
                deviation.reason,
                deviation.rfc,
                rate.unwrap_or_default()
            );
            for line in wrap_to(&reason, 76).lines() {
                output::line(&format!("    {}", line.dimmed()));
            }
        }
    }
    let planted: Vec<_> = registry.iter().filter(|target| target.is_planted()).collect();
    if !planted.is_empty() {
        output::line(
            "\nbroken on purpose, or with another clock; `hangup test` plays them by name:",
        );
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
fn bounds(target: &dyn Target) -> String {
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
