//! Findings in words and pictures, as plain text; only the command line prints.

mod sentence;
mod timeline;

pub use sentence::sentence;
pub use timeline::timeline;

use crate::bounds::Bounds;
use crate::finding::Finding;
use crate::finding::repro::{Repro, ending_fields};
use crate::target::{Deviation, Target};
use std::fmt::Write as _;

/// The repro of a finding.
pub fn repro(target: &dyn Target, bounds: Bounds, finding: &Finding) -> Repro {
    let violation = &finding.violation;
    let (ending, at_seconds) = ending_fields(violation.ending);
    Repro {
        hangup: env!("CARGO_PKG_VERSION").to_owned(),
        target: (target.name().to_owned(), target.version().to_owned()),
        bounds,
        identity: violation.identity,
        level: violation.level,
        ending,
        at_seconds,
        sentence: sentence(violation, &finding.trace),
        script: finding.script.clone(),
        runtime_seed: finding.runtime_seed,
        digest: finding.trace.digest(),
    }
}

/// What a violation is about, in a line: `ends-in-time (liveness, should): the server's own Close, silent, never`.
pub fn headline(repro: &Repro) -> String {
    let identity = repro.identity;
    let rule = identity.invariant();
    let mut line = format!("{rule} ({}, {})", rule.rule().class, repro.level);
    let words = Some(identity.words()).filter(|words| !words.is_empty());
    let ending = (repro.ending != "in time").then(|| repro.ending.clone());
    let facts: Vec<String> = [words, ending].into_iter().flatten().collect();
    if !facts.is_empty() {
        let _ = write!(line, ": {}", facts.join(", "));
    }
    line
}

/// The whole report of one finding: sentence, script, timeline.
pub fn finding(repro: &Repro, finding: &Finding) -> String {
    let mut out = saved(repro);
    if finding.is_flaky() {
        let _ = writeln!(out, "\nflaky: {:.0} % of replays show it", finding.rate * 100.0);
    }
    let _ = write!(out, "\n{}", timeline(&finding.trace, Some(&finding.violation)));
    out
}

/// What a repro tells by itself: headline, sentence, script.
pub fn saved(repro: &Repro) -> String {
    let mut out = format!("{}\n{}\n", wrap(&headline(repro)), wrap(&repro.sentence));
    let steps = repro.script.steps.len();
    let plural = if steps == 1 { "" } else { "s" };
    if steps == 0 {
        out.push_str("\nno steps: the client connects, and does nothing\n");
    } else {
        let _ = write!(out, "\nscript, {steps} step{plural}:\n\n");
    }
    for line in repro.script.to_string().lines() {
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// What is wrong with an accepted deviation that never fired in so many scripts, and what to do.
pub fn stale(deviation: &Deviation, scripts: u64) -> String {
    let Deviation { pattern, reason, .. } = deviation;
    let mut what = pattern.invariant().to_string();
    if !pattern.words().is_empty() {
        let _ = write!(what, ", {}", pattern.words());
    }
    format!(
        "`{what}` is an accepted deviation ({reason}), and {scripts} scripts did not show it: \
         take it out of the target's deviations"
    )
}

/// Breaks text at spaces into lines of at most 80 columns.
pub fn wrap(text: &str) -> String {
    wrap_to(text, 80)
}

/// Breaks text at spaces into lines of at most `columns`, where no word is longer.
/// Control characters are replaced: a file from a stranger must not steer a terminal.
pub fn wrap_to(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > columns {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.extend(word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
        column += width;
    }
    out
}
