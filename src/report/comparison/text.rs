//! A comparison for people.

use super::{Change, ChangeKind, Comparison, Headline, TargetComparison};
use crate::finding::share::Share;
use crate::report::text::{Paint, Style, indented, of_scripts};
use crate::report::{count, thousands};
use crate::verdict::Identity;
use std::fmt::Write as _;

/// What differs between two runs.
pub fn text(comparison: &Comparison, style: Style) -> String {
    let mut out = String::new();
    for target in &comparison.targets {
        self::target(&mut out, target, style);
    }
    for (names, which) in [(&comparison.only_old, "old"), (&comparison.only_new, "new")] {
        if !names.is_empty() {
            let line = format!("not compared, in the {which} run alone: {}", names.join(", "));
            let _ = writeln!(out, "\n{}", style.wrap(&line, 0));
        }
    }
    let worse = comparison.targets.iter().flat_map(|target| &target.changes);
    let worse = worse.filter(|change| change.is_worse()).count();
    let verdict = match worse {
        0 => "nothing is new or worse".to_owned(),
        1 => "1 difference is new or worse".to_owned(),
        many => format!("{} differences are new or worse", thousands(many as u64)),
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}

fn target(out: &mut String, target: &TargetComparison, style: Style) {
    let TargetComparison { old, new, changes } = target;
    let name = if old.0 == new.0 { new.0.clone() } else { format!("{} -> {}", old.0, new.0) };
    let version = if old.1 == new.1 { new.1.clone() } else { format!("{} -> {}", old.1, new.1) };
    let (rare, told): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.kind == ChangeKind::Rare);
    let verdict = match told.len() {
        0 => style.paint(Paint::Green, "no difference"),
        many if told.iter().any(|change| change.is_worse()) => {
            style.paint(Paint::Red, &count(many, "difference"))
        }
        many => style.paint(Paint::Yellow, &count(many, "difference")),
    };
    let scripts = if old.2 == new.2 {
        format!("{} each", count(new.2 as usize, "script"))
    } else {
        format!("{} and {} scripts", thousands(old.2), thousands(new.2))
    };
    out.push('\n');
    for line in style.wrap(&format!("{name} ({version})"), 0).lines() {
        let _ = writeln!(out, "{}", style.paint(Paint::Bold, line));
    }
    let _ = writeln!(out, "{verdict}, {scripts}");
    for change in told {
        self::change(out, change, style);
    }
    if !rare.is_empty() {
        let one = |change: &&Change| {
            let (shown, run) = match change.old.shown {
                0 => (change.new.shown, "new"),
                shown => (shown, "old"),
            };
            let shown = count(shown as usize, "script");
            format!("\n  {}: {shown} of the {run} run alone", change.pattern)
        };
        out.push('\n');
        let heading = "too rare to tell; more scripts would (--scripts):";
        indented(out, "  ", &style.wrap(heading, 2));
        for line in rare.iter().map(one) {
            indented(out, "    ", &style.wrap(&line, 4));
        }
    }
}

fn change(out: &mut String, change: &Change, style: Style) {
    let Change { kind, pattern, level, old, new, variants, headline } = change;
    let line = style.wrap(&format!("{}: {pattern} ({level})", kind.id()), 2);
    let paint = if change.is_worse() { Paint::Red } else { Paint::Green };
    let line = line.replacen(kind.id(), &style.paint(paint, kind.id()), 1);
    out.push('\n');
    indented(out, "  ", &line);
    let share = |share: &Share| match share.shown {
        0 => format!("none of {}", count(share.scripts as usize, "script")),
        _ => of_scripts(*share),
    };
    let shares = format!("old: {}; new: {}", share(old), share(new));
    indented(out, "     ", &style.wrap(&shares, 5));
    for (identity, share) in variants {
        let line = format!("{}: {}", variant(*identity, change), of_scripts(*share));
        indented(out, "     ", &style.wrap(&line, 5));
    }
    if let Some(Headline { sentence, script }) = headline {
        indented(out, "     ", &style.wrap(sentence, 5));
        out.push('\n');
        indented(out, "         ", script);
    }
}

/// A variant without what its problem says already.
fn variant(identity: Identity, change: &Change) -> String {
    let is_case = change.pattern.problem() != identity.problem();
    let words = Some(identity.words()).filter(|words| !words.is_empty());
    match (is_case, words) {
        (false, Some(words)) => words,
        (false, None) => "whatever the cause".to_owned(),
        (true, _) => identity.to_string(),
    }
}
