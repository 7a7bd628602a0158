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
    /// The values with which the problem shows too, a sentence each.
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
        also: of_step(step, matters, false),
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
        let said = of_step(step, matters, tells_without);
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

/// What was found of a step, a sentence each; what shows without it, where that is to be told.
fn of_step(step: &Step, matters: &StepMatters<String>, tell_without: bool) -> Vec<String> {
    let without = matters.without.as_ref().filter(|_| tell_without);
    let without = without.map(|without| match without {
        What::Same => "can go".to_owned(),
        What::Other(words) => format!("without it {words}"),
    });
    let numbers = matters.numbers.iter().map(|range| number(range, is_wait(step)));
    let codes = matters.codes.iter().map(codes);
    without.into_iter().chain(numbers).chain(codes).collect()
}

const fn is_wait(step: &Step) -> bool {
    matches!(step.act, Act::Wait(_) | Act::Connect(_))
}

fn number(range: &NumberRange, is_wait: bool) -> String {
    let NumberRange { kind, now, least, most, has_gaps, .. } = *range;
    let value = |value: u32| match kind {
        NumberKind::Pause => Millis(value).to_string(),
        NumberKind::Times => format!("{} times", thousands(value.into())),
        _ if value == 1 => "1 byte".to_owned(),
        _ => format!("{} bytes", thousands(value.into())),
    };
    let what = match kind {
        NumberKind::Payload => "size",
        NumberKind::Part => "part",
        NumberKind::Buffer => "buffer",
        NumberKind::Piece => "pieces",
        NumberKind::Times => "how often",
        NumberKind::Pause if is_wait => "how long",
        NumberKind::Pause => "pause between",
    };
    let mut said = match (least, most) {
        (None, None) => format!("{what}: any"),
        (Some(least), None) => format!("{what}: {} or more", value(least)),
        // The least there is.
        (None, Some(most)) if most == now && now == 1 => format!("{what}: {} exactly", value(now)),
        (None, Some(most)) => format!("{what}: {} or less", value(most)),
        (Some(least), Some(most)) if least == most => format!("{what}: {} exactly", value(now)),
        (Some(least), Some(most)) => format!("{what}: {} to {}", value(least), value(most)),
    };
    if has_gaps {
        said.push_str(", but not all between");
    }
    said
}

fn codes(codes: &Codes) -> String {
    match codes {
        Codes::Any => "code: any, also illegal ones".to_owned(),
        Codes::AnySendable => "code: any legal one".to_owned(),
        Codes::These(codes) => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            format!("code: {} (of those tried)", codes.join(", "))
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
        can go
        how long: 2960ms or less
    ping 9B x 3 every 1s
        size: 9 bytes exactly
        how often: 2 times or more, but not all between
        pause between: any
    close 1000
        code: 1000, 4999 (of those tried)
    without any one of the other steps the server breaks no rule
"
        );
    }
}
