//! The notation, and the generator's scripts in it.

use crate::vocabulary::{Scale, bounds, check, script, script_of_several};
use hangup::generate::GeneratorConfig;
use hangup::script::{Act, MAX_ACTS, MAX_BYTES, MAX_TIMES, Pace, Script, Send};
use hangup::target::AppSteps;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseResult;

/// Reads `text`: as a script that prints and reads back, or with an error that stands in it.
pub fn reads(text: &str) -> TestCaseResult {
    // An editor does not count the mark of byte order either.
    let seen = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.parse::<Script>() {
        Ok(script) => {
            let printed = script.to_string();
            prop_assert_eq!(printed.parse::<Script>(), Ok(script.clone()));
            prop_assert_eq!(printed.lines().count(), script.steps.len());
        }
        Err(error) => {
            let line = seen.lines().nth(error.line - 1).expect("a line of the text");
            let columns = line.chars().count();
            prop_assert!((1..=columns + 1).contains(&error.column), "{} in {:?}", error, line);
            if let Some(found) = &error.found {
                let place = line.chars().skip(error.column - 1).collect::<String>();
                prop_assert!(place.starts_with(found), "{} in {:?}", error, line);
            }
            prop_assert!(!error.expected.is_empty());
        }
    }
    Ok(())
}

#[test]
fn a_script_reads_back_as_it_was_printed() {
    check(1000, script(Scale::Any), |script| {
        let text = script.to_string();
        prop_assert_eq!(text.parse::<Script>(), Ok(script));
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "it is one line a step");
        Ok(())
    });
}

#[test]
fn a_script_of_several_connections_reads_back_whatever_the_order_of_its_lines() {
    let scripts = (script_of_several(Scale::Any), vec(any::<Index>(), 0..6));
    check(600, scripts, |(script, moves)| {
        let text = script.to_string();
        prop_assert_eq!(text.parse::<Script>(), Ok(script.clone()));
        prop_assert_eq!(text.lines().count(), script.steps.len());
        prop_assert_eq!(Script::together(&script.each()), script.clone());
        // Lines of different connections may change places.
        let mut lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(1);
        for at in moves.iter().filter(|_| last > 0).map(|at| at.index(last)) {
            if connection(lines[at]) != connection(lines[at + 1]) {
                lines.swap(at, at + 1);
            }
        }
        prop_assert_eq!(lines.join("\n").parse::<Script>(), Ok(script));
        Ok(())
    });
}

/// The number that a line begins with.
fn connection(line: &str) -> Option<&str> {
    line.split_once(": ").map(|(number, _)| number).filter(|number| number.len() == 1)
}

#[test]
fn a_text_is_a_script_or_its_error_has_a_place_in_it() {
    let odd = prop_oneof![
        any::<char>().prop_map(String::from),
        select(vec!["\"", "\\u{", "}", "hex ", "99999999999", " x ", "+ ", "\n", "\u{feff}", " "])
            .prop_map(str::to_owned),
        select(vec!["2: ", "\n3: ", "\n9: ", "\n2: connect after 1s\n", "connect after 2s\n"])
            .prop_map(str::to_owned),
    ];
    let edits = vec((any::<Index>(), any::<bool>(), odd), 0..4);
    let texts = (script(Scale::Any), edits).prop_map(|(script, edits)| {
        let mut text: Vec<char> = script.to_string().chars().take(2000).collect();
        for (place, replaces, odd) in edits {
            let at = place.index(text.len() + 1);
            let end = (at + usize::from(replaces)).min(text.len());
            text.splice(at..end, odd.chars());
        }
        text.into_iter().collect::<String>()
    });
    check(1500, texts, |text| reads(&text));
}

#[test]
fn a_drawn_script_keeps_the_notations_limits_and_commands_what_is_obeyed() {
    let apps = select(vec![
        AppSteps::NONE,
        AppSteps::CLOSE,
        AppSteps::SEND | AppSteps::RETURN,
        AppSteps::ALL,
    ]);
    check(1500, (bounds(), apps, any::<u64>(), any::<u64>()), |(bounds, app, seed, index)| {
        let script = GeneratorConfig { bounds, app, ..GeneratorConfig::default() }.nth(seed, index);
        prop_assert_eq!(script.to_string().parse::<Script>(), Ok(script.clone()));
        prop_assert!(script.max_bytes_sent() <= MAX_BYTES);
        prop_assert!(script.acts() <= MAX_ACTS);
        for step in &script.steps {
            let pace = match &step.act {
                Act::App(command, pace) => {
                    prop_assert!(app.contain(AppSteps::of(command)), "{} is not obeyed", step);
                    *pace
                }
                Act::Send(Send { pace, .. }) => *pace,
                _ => Pace::Once,
            };
            if let Pace::Times(times, _) = pace {
                prop_assert!((1..=MAX_TIMES).contains(&times), "{}", step);
            }
        }
        Ok(())
    });
}
