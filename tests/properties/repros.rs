//! Repro files: what is written reads back, and no part of it is taken for the whole.

use crate::vocabulary::{Scale, bounds, check, script, text};
use hangup::bounds::Bounds;
use hangup::finding::repro::{Repro, ReproError, Seen};
use hangup::report::{Style, as_seen, saved};
use hangup::script::{Act, Script, Send, Step, Unit};
use hangup::target::Opening;
use hangup::verdict::{Cause, Condition, Ending, Identity, Invariant, Level};
use hangup::wire::Role;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseResult;

fn key() -> impl Strategy<Value = Identity> {
    let cause = proptest::option::of(select(Cause::ALL));
    let condition = proptest::option::of(select(Condition::ALL));
    (select(Invariant::ALL), cause, condition).prop_map(|(invariant, cause, condition)| {
        match (cause, condition) {
            (Some(cause), Some(condition)) => Identity::liveness(invariant, cause, condition),
            (cause, _) => Identity::safety(invariant, cause),
        }
    })
}

/// The usual opening request, or another.
fn opening() -> impl Strategy<Value = Opening> {
    let headers = proptest::collection::vec(("[a-z]{1,8}-x", "[^\\p{Cc}]{0,20}"), 0..3);
    let other = ("/[!-\"$-~]{0,20}", headers, proptest::option::of("[a-z0-9.]{1,9}"));
    proptest::option::of(other).prop_map(|other| {
        let Some((path, headers, subprotocol)) = other else { return Opening::new() };
        let opening = Opening::new().with_path(path).expect("legal");
        let opening = headers.into_iter().fold(opening, |opening, (name, value)| {
            opening.with_header(name, value).expect("legal")
        });
        let offer = |opening: Opening, name| opening.with_subprotocol(name).expect("legal");
        subprotocol.into_iter().fold(opening, offer)
    })
}

/// The script without the openings of the other role than its first.
fn of_one_role(mut script: Script) -> Script {
    let opens = |step: &Step| match &step.act {
        Act::Send(Send { unit: Unit::Upgrade(_), .. }) => Some(Role::Server),
        Act::Send(Send { unit: Unit::Accept(_), .. }) => Some(Role::Client),
        _ => None,
    };
    let first = script.steps.iter().find_map(opens);
    script.steps.retain(|step| opens(step).is_none_or(|role| Some(role) == first));
    Script::of_steps(script.steps)
}

/// A finding in any words.
fn repro() -> impl Strategy<Value = Repro> {
    let words = text;
    let about = (words(), words(), words(), "[0-9a-f]{16}");
    let ended = (select(&Ending::KINDS[..]), proptest::option::of(0.0..1e9));
    // A TOML file has no integer beyond i64.
    let seed = 0..=i64::MAX.unsigned_abs();
    let found = (key(), select(Level::ALL), ended, seed);
    let line = || text().prop_map(|line| format!("{line}\n"));
    let lines = (line(), line());
    let seen = proptest::option::of(lines.prop_map(|(timeline, wire)| Seen { timeline, wire }));
    let opened = (opening(), bounds());
    (about, opened, found, words(), script(Scale::Any), seen).prop_map(
        |(about, (opening, bounds), (key, level, ended, runtime_seed), sentence, script, seen)| {
            let script = of_one_role(script);
            // One that opens nothing is of either.
            let role = match script.is_not_against(Role::Server) {
                Some(_) => Role::Client,
                None if script.is_not_against(Role::Client).is_some() => Role::Server,
                None if runtime_seed % 3 == 0 => Role::Client,
                None => Role::Server,
            };
            Repro {
                hangup: about.0,
                target: (about.1, about.2),
                role,
                opening,
                bounds,
                identity: key,
                level,
                ending: ended.0.to_owned(),
                at_seconds: ended.1,
                // As every sentence of a report does.
                sentence: format!("The server {sentence}."),
                script,
                runtime_seed,
                digest: about.3,
                confirmed: runtime_seed % 2 == 0,
                seen,
            }
        },
    )
}

/// The repro in `text` is refused once a part of it is cut off.
pub fn is_whole_or_refused(text: &str) -> TestCaseResult {
    prop_assert!(Repro::parse(text).is_ok());
    for (end, _) in text.trim_end().char_indices() {
        prop_assert!(Repro::parse(&text[..end]).is_err(), "whole:\n{}", &text[..end]);
    }
    Ok(())
}

/// What is said of the repro in `text` moves no cursor and clears no screen.
pub fn steers_no_terminal(text: &str) -> TestCaseResult {
    let Ok(repro) = Repro::parse(text) else { return Ok(()) };
    let seen = as_seen(&repro).unwrap_or_default();
    let said = saved(&repro, None, Style::default()) + &seen;
    prop_assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", said);
    Ok(())
}

/// The file of a finding of the target `name` is one in the directory, and no option.
pub fn has_a_safe_name(name: String, key: Identity) -> TestCaseResult {
    let repro = Repro { target: (name, String::new()), identity: key, ..plain() };
    let name = repro.file_name();
    let stem = name.strip_suffix(".toml").expect("a TOML file");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    prop_assert!(stem.chars().all(plain), "{}", name);
    prop_assert!(!stem.starts_with('-'), "{} would be an option", name);
    Ok(())
}

#[test]
fn a_repro_reads_back_as_it_was_written() {
    check(500, repro(), |repro| {
        let text = repro.to_text();
        let again = Repro::parse(&text);
        prop_assert_eq!(again.as_ref(), Ok(&repro));
        prop_assert_eq!(again.map(|again| again.to_text()), Ok(text));
        Ok(())
    });
}

#[test]
fn a_repro_that_was_cut_is_refused() {
    // All cuts of the last lines, where alone a cut file can be whole TOML and have all fields.
    check(60, (repro(), any::<Index>()), |(repro, cut)| {
        let text = repro.to_text();
        let whole = text.trim_end();
        let tail = whole.rfind("[violation]").expect("a table");
        let ends = whole[tail..].char_indices().map(|(at, _)| tail + at);
        let some = whole.char_indices().nth(cut.index(whole.chars().count())).map(|(at, _)| at);
        for end in ends.chain(some) {
            prop_assert!(Repro::parse(&text[..end]).is_err(), "whole:\n{}", &text[..end]);
        }
        Ok(())
    });
}

#[test]
fn a_field_that_nobody_knows_is_refused_wherever_it_stands() {
    let tables = select(vec!["", "[target]\n", "[bounds]\n", "[violation]\n", "[seen]\n"]);
    check(200, (repro(), tables, "[a-z]{8}"), |(repro, table, field)| {
        let text = repro.to_text();
        let at = if table.is_empty() { text.find("format = ") } else { text.find(table) };
        // What an older version saved has no such table.
        let Some(at) = at.map(|at| at + table.len()) else { return Ok(()) };
        let (before, after) = text.split_at(at);
        let more = format!("{before}{field}x = 1\n{after}");
        prop_assert!(matches!(Repro::parse(&more), Err(ReproError::Field(_))), "{}", more);
        Ok(())
    });
}

#[test]
fn a_repros_file_name_is_safe_whatever_its_target_is_called() {
    let names = prop_oneof![text(), "[./\\\\a-c'-]{0,8}", "\\PC{0,60}"];
    check(500, (names, key()), |(name, key)| has_a_safe_name(name, key));
}

#[test]
fn what_is_said_of_a_strangers_repro_steers_no_terminal() {
    check(300, repro(), |repro| steers_no_terminal(&repro.to_text()));
}

pub fn plain() -> Repro {
    Repro {
        hangup: "0.1.0".to_owned(),
        target: Default::default(),
        role: Role::Server,
        opening: Opening::new(),
        bounds: Bounds::default(),
        identity: Identity::safety(Invariant::NoPanic, None),
        level: Level::Must,
        ending: "never".to_owned(),
        at_seconds: None,
        sentence: "The server panicked.".to_owned(),
        script: Script::default(),
        runtime_seed: 0,
        digest: String::new(),
        confirmed: true,
        seen: None,
    }
}
