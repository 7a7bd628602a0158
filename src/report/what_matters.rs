//! What matters in a script, in words: below each step what shows without it, and with which other
//! values of its numbers and codes the problem shows too.

use super::{thousands, wrap_to};
use crate::script::{Act, Millis, Script, Step};
use crate::shrink::{Codes, NumberKind, NumberRange, StepMatters, What, WhatMatters};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// How far what is said of a step is indented.
const INDENT: usize = 8;

/// What is known of a step, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSays {
    /// The step, as scripts write it.
    pub step: String,
    /// What the script shows without it; `None` where that was not played.
    #[serde(default)]
    pub without: Option<String>,
    /// The values with which the problem shows too, a phrase each: `a size of 124 bytes or more`.
    #[serde(default)]
    pub also: Vec<String>,
}

/// What is known of every step of a script, in words.
pub fn step_says(script: &Script, matters: &WhatMatters<String>) -> Vec<StepSays> {
    let steps = script.steps.iter().zip(&matters.steps);
    let said = steps.map(|(step, matters)| StepSays {
        step: line(step).trim_end().to_owned(),
        without: matters.without.as_ref().map(|without| match without {
            What::Same => "the same problem shows".to_owned(),
            What::Other(words) => words.clone(),
        }),
        also: of_step(step, matters, false, false),
    });
    said.collect()
}

/// The steps of which there is something to say, each with that below it, and why no other can go. What
/// a script without a step shows is said in the caller's words.
pub fn what_matters(script: &Script, matters: &WhatMatters<String>, width: usize) -> String {
    let mut out = String::new();
    let usual = usual(&matters.steps);
    let mut told = 0;
    for (step, matters) in script.steps.iter().zip(&matters.steps) {
        let tells_without = usual.is_none() || words(matters) != usual;
        told += usize::from(tells_without);
        let said = of_step(step, matters, tells_without, true);
        if said.is_empty() {
            continue;
        }
        let _ = write!(out, "    {}", line(step));
        for said in said {
            for part in wrap_to(&said, width.saturating_sub(INDENT)).lines() {
                let _ = writeln!(out, "{:INDENT$}{part}", "");
            }
        }
    }
    if let Some(words) = usual {
        let steps = match (script.steps.len() - told, told) {
            (1, 0) => "it",
            (_, 0) => "any one of its steps",
            (1, _) => "the other step",
            _ => "any one of the other steps",
        };
        let _ = writeln!(out, "    without {steps} {words}");
    }
    if matters.steps.iter().any(|step| step.without.is_none()) {
        let _ = writeln!(out, "    not all of it was tried: that would take too long");
    }
    out
}

/// What is shown without most of the steps.
fn usual(steps: &[StepMatters<String>]) -> Option<&str> {
    let count = |wanted| steps.iter().filter(|step| words(step) == Some(wanted)).count();
    let mut all: Vec<&str> = steps.iter().filter_map(words).collect();
    all.sort_by_key(|wanted| std::cmp::Reverse(count(wanted)));
    all.first().copied()
}

fn words(step: &StepMatters<String>) -> Option<&str> {
    match &step.without {
        Some(What::Other(words)) => Some(words),
        _ => None,
    }
}

fn line(step: &Step) -> String {
    Script { steps: vec![step.clone()] }.to_string()
}

/// What was found of a step, a sentence each; what shows without it, where that is to be told. In text the
/// values have a verb; a table has it in its heading.
fn of_step(
    step: &Step,
    matters: &StepMatters<String>,
    tell_without: bool,
    in_text: bool,
) -> Vec<String> {
    let without = matters.without.as_ref().filter(|_| tell_without);
    let without = without.map(|without| match without {
        What::Same => "the problem shows without it too".to_owned(),
        What::Other(words) => format!("without it {words}"),
    });
    let shows = if in_text { "shows with " } else { "" };
    let numbers = matters.numbers.iter().map(|range| number(range, is_wait(step)));
    let codes = matters.codes.iter().map(codes);
    let values = numbers.chain(codes).map(|value| format!("{shows}{value}"));
    without.into_iter().chain(values).collect()
}

const fn is_wait(step: &Step) -> bool {
    matches!(step.act, Act::Wait(_) | Act::Connect(_))
}

/// Behind "the problem also shows with": `a size of 124 bytes or more`.
fn number(range: &NumberRange, is_wait: bool) -> String {
    let NumberRange { kind, now, least, most, has_gaps, .. } = *range;
    let value = |value: u32| match kind {
        NumberKind::Pause => Millis(value).to_string(),
        NumberKind::Times if value == 1 => "1 repetition".to_owned(),
        NumberKind::Times => format!("{} repetitions", thousands(value.into())),
        _ if value == 1 => "1 byte".to_owned(),
        _ => format!("{} bytes", thousands(value.into())),
    };
    let (what, any) = match kind {
        NumberKind::Payload => ("a payload of ", "a payload of 1 byte or more"),
        NumberKind::Part => ("a split after ", "a split anywhere"),
        NumberKind::Buffer => ("a buffer of ", "a buffer of any size"),
        NumberKind::Piece => ("pieces of ", "pieces of any size"),
        NumberKind::Times => ("", "any number of repetitions"),
        NumberKind::Pause if is_wait => ("a wait of ", "a wait of any length"),
        NumberKind::Pause => ("pauses of ", "pauses of any length"),
    };
    let mut said = match (least, most) {
        (None, None) => any.to_owned(),
        (Some(least), None) => format!("{what}{} or more", value(least)),
        // The least there is.
        (None, Some(most)) if most == now && now == 1 => format!("{what}exactly {}", value(now)),
        (None, Some(most)) => format!("{what}{} or less", value(most)),
        (Some(least), Some(most)) if least == most => format!("{what}exactly {}", value(now)),
        (Some(least), Some(most)) => format!("{what}{} to {}", value(least), value(most)),
    };
    if has_gaps {
        said.push_str(", but not with every value between");
    }
    said
}

fn codes(codes: &Codes) -> String {
    let listed =
        |codes: &[u16]| codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match codes {
        Codes::Any => "any code, also illegal ones".to_owned(),
        Codes::AnySendable => "any legal code".to_owned(),
        Codes::These(codes) => {
            let tried = Codes::TRIED.iter().filter(|code| !codes.contains(code));
            let others: Vec<u16> = tried.copied().collect();
            let not = if others.is_empty() {
                String::new()
            } else {
                format!(" (and not with {})", listed(&others))
            };
            format!("code {}{not}", listed(codes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_followed_by_what_was_found_of_it() {
        let script: Script =
            "upgrade\nwait 2950ms\nping 9B x 3 every 1s\nclose 1000\n".parse().expect("one");
        let tried = (0, 1 << 20);
        let range = |kind, now, least, most, has_gaps| NumberRange {
            kind,
            now,
            tried,
            least,
            most,
            has_gaps,
        };
        let step = |without, numbers, codes| StepMatters { without, numbers, codes };
        let kept = || Some(What::Other("the server breaks no rule".to_owned()));
        let matters = WhatMatters {
            steps: vec![
                step(kept(), vec![], None),
                step(
                    Some(What::Same),
                    vec![range(NumberKind::Pause, 2950, None, Some(2960), false)],
                    None,
                ),
                step(
                    None,
                    vec![
                        range(NumberKind::Payload, 9, Some(9), Some(9), false),
                        range(NumberKind::Times, 3, Some(2), None, true),
                        range(NumberKind::Pause, 1000, None, None, false),
                    ],
                    None,
                ),
                step(kept(), vec![], Some(Codes::These(vec![1000, 4999]))),
            ],
            plays: 9,
        };
        assert_eq!(
            what_matters(&script, &matters, 80),
            "    wait 2950ms
        the problem shows without it too
        shows with a wait of 2960ms or less
    ping 9B x 3 every 1s
        shows with a payload of exactly 9 bytes
        shows with 2 repetitions or more, but not with every value between
        shows with pauses of any length
    close 1000
        shows with code 1000, 4999 (and not with 1001, 1002, 1003, 1007, 1008,
        1009, 1011, 1012, 3000, 4000, 1005, 999)
    without any one of the other steps the server breaks no rule
    not all of it was tried: that would take too long
"
        );
    }
}
