//! `hangup test`: exit codes, which targets are played, the seed and the bounds.

use crate::cli::{
    ALL, CAMPAIGN, CLEAN, Desk, FIXED, NEW_FOLDER, QUICK, REPRO, assert_fits, planted,
};
use hangup::bounds::Bounds;
use hangup::finding::repro::Repro;
use std::time::Duration;

#[test]
fn a_clean_target_exits_with_0_and_saves_nothing() {
    let desk = Desk::new();
    let run = desk.hangup("test reference --scripts 200 --seed 1");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert!(run.out.contains("0 problems in 0 of 1 target: 200 scripts"), "{run:?}");
    assert!(desk.files("").is_empty());
}

#[test]
fn problems_exit_with_1_and_each_is_told_with_its_shortest_script() {
    let run = Desk::new().hangup(CAMPAIGN);
    assert_eq!((run.code, run.err.as_str()), (1, NEW_FOLDER), "{run:?}");
    let headline = "\n  1. ends-in-time (should): waits to read, with no timer running\n";
    assert!(run.out.contains(headline), "{run:?}");
    assert!(run.out.contains("\n         upgrade\n         app close\n"), "{run:?}");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn targets_are_tested_once_each_and_in_the_registrys_order() {
    let names = |arguments: &str| -> Vec<String> {
        let run = Desk::new().hangup(&format!("test {arguments} --scripts 5 --format json"));
        let json = run.json();
        let targets = json["targets"].as_array().expect("targets").iter();
        targets.map(|target| target["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(""), ALL);
    assert_eq!(names("tungstenite"), ALL[4..]);
    let both = [&ALL[..1], &ALL[4..]].concat();
    assert_eq!(names("tungstenite/no-deadline tungstenite tungstenite reference"), both);
    assert_eq!(names("tungstenite/read-deadline reference reference"), [CLEAN, FIXED]);
    let flaky = planted().into_iter().filter(|name| name.starts_with("flaky/"));
    assert_eq!(names("flaky/"), flaky.collect::<Vec<_>>());
}

#[test]
fn faults_compose_on_the_command_line_and_their_repros_replay() {
    let desk = Desk::new();
    let run = desk.hangup(
        "test reference/answers-by-fin+no-deadline reference/no-deadline+answers-by-fin reference \
         --scripts 100 --seed 1 --format json",
    );
    assert_eq!(run.code, 1, "{run:?}");
    let json = run.json();
    let names = json["targets"].as_array().expect("targets").iter();
    let names: Vec<&str> = names.map(|target| target["name"].as_str().expect("a name")).collect();
    assert_eq!(names, [CLEAN, "reference/no-deadline+answers-by-fin"]);
    let files = desk.files("hangup-findings");
    for rule in ["ends-in-time", "answers-close"] {
        let file = files.keys().find(|file| file.contains(rule)).expect("a repro");
        let replay = desk.hangup(&format!("replay hangup-findings/{file}"));
        assert_eq!(replay.code, 1, "{replay:?}");
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn the_seed_is_printed_first_and_pasted_back_gives_the_same_findings() {
    let desk = Desk::new();
    let first = desk.hangup("test tungstenite --scripts 200");
    let line = first.out.lines().next().expect("a line");
    assert!(line.starts_with("seed "), "{line}");
    let (_, pasted) = line.split_once("add ").expect("what to add");
    let files = desk.files("hangup-findings");
    let again = Desk::new();
    let second = again.hangup(&format!("test tungstenite --scripts 200 {pasted}"));
    assert_eq!(first.without_times(), second.without_times());
    assert_eq!((first.code, files), (second.code, again.files("hangup-findings")));
    let other = desk.hangup("test tungstenite --scripts 200 --seed 18446744073709551615");
    assert!(other.out.starts_with("seed 18446744073709551615:"), "{other:?}");
    assert_ne!(first.without_times(), other.without_times());
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_campaign_for_300_ms_ends_with_scripts_for_every_target() {
    let json = Desk::new().hangup("test --for 300ms --format json").json();
    assert!(json["seconds"].as_f64() >= Some(0.3), "{json}");
    let targets = json["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), ALL.len());
    assert!(targets.iter().all(|target| target["scripts"].as_u64() > Some(0)), "{json}");
}

#[test]
fn close_within_replaces_the_targets_own_bound() {
    let desk = Desk::new();
    let strict = desk.hangup("test reference --scripts 200 --seed 1 --close-within 1ms");
    assert_eq!(strict.code, 1, "{strict:?}");
    let lax = desk.hangup(&format!("{CAMPAIGN} --close-within 90min"));
    assert_eq!(lax.code, 1, "{lax:?}");
    let repro = Repro::parse(&desk.read(REPRO)).expect("a repro");
    assert_eq!(repro.bounds.close.as_secs(), 90 * 60);
}

#[test]
fn a_whole_server_is_tested_and_its_repro_is_played_shown_and_shrunk() {
    let desk = Desk::new();
    let run = desk.hangup("test reference-server/opening-in-accept-loop --scripts 400 --seed 1");
    assert_eq!(run.code, 1, "{run:?}");
    let files = desk.files("hangup-findings");
    let file = files.keys().find(|file| file.contains("isolates-clients")).expect("a repro");
    let repro = Repro::parse(&desk.read(&format!("hangup-findings/{file}"))).expect("a repro");
    assert_eq!(repro.script.connections(), 2, "{}", repro.script);
    let replayed = desk.hangup(&format!("replay hangup-findings/{file}"));
    assert!(replayed.code == 1 && replayed.out.starts_with("reproduced"), "{replayed:?}");
    let fixed = desk.hangup(&format!("replay hangup-findings/{file} --target reference-server"));
    assert!(fixed.code == 0 && fixed.out.starts_with("not shown by"), "{fixed:?}");
    let shown = desk.hangup(&format!("show hangup-findings/{file}"));
    assert!(shown.code == 0 && shown.out.contains("isolates-clients"), "{shown:?}");
    let shrunk = desk.hangup(&format!("shrink hangup-findings/{file}"));
    assert_eq!((shrunk.code, shrunk.out), (1, repro.script.to_string()), "{}", shrunk.err);
}

#[test]
fn shutdown_within_replaces_the_bound_of_a_whole_server() {
    let desk = Desk::new();
    let line = "test reference-server/two-stages --scripts 200 --seed 1";
    let own = desk.hangup(line);
    assert_eq!(own.code, 1, "{own:?}");
    let lax = desk.hangup(&format!("{line} --shutdown-within 11s"));
    assert_eq!(lax.code, 0, "{lax:?}");
    let strict = desk.hangup(&format!("{line} --shutdown-within 7s"));
    let text = strict.out.replace('\n', " ");
    assert!(strict.code == 1 && text.contains("7.000 s"), "{strict:?}");
    let file = desk.files("hangup-findings").into_keys().next().expect("a repro");
    let repro = Repro::parse(&desk.read(&format!("hangup-findings/{file}"))).expect("a repro");
    assert_eq!(repro.bounds.shutdown, Some(Duration::from_secs(7)));
}

#[test]
fn close_within_has_one_meaning_it_sets_the_bound_of_close_and_of_release() {
    let desk = Desk::new();
    let held_to = |repro: &str, seconds: u64| {
        let Bounds { close, release, .. } = Repro::parse(&desk.read(repro)).expect(repro).bounds;
        assert_eq!([close, release].map(|bound| bound.as_secs()), [seconds; 2], "{repro}");
    };
    desk.hangup(&format!("{CAMPAIGN} --close-within 7s"));
    held_to(REPRO, 7);
    desk.hangup(&format!("shrink {REPRO} --close-within 9s"));
    held_to(REPRO, 9);
    // This server keeps its connection for ever: the sentence has the bound.
    desk.write("reset.hangup", "upgrade\nfin\nreset\n");
    for command in ["replay", "show"] {
        let options = "reset.hangup --target reference/fin-is-no-end --close-within 2s";
        let run = desk.hangup(&format!("{command} {options}"));
        let text = run.out.replace('\n', " ");
        assert!(text.contains("releases-in-time"), "{run:?}");
        assert!(text.contains("the server has to release the socket by 2.000 s"), "{run:?}");
    }
}

#[test]
fn a_campaign_prints_at_most_80_columns() {
    let command = "test reference/keeps-transport reference --scripts 300 --seed 1";
    for options in ["", " --close-within 1ms"] {
        assert_fits(&Desk::new().hangup(&format!("{command}{options}")).out);
    }
}

#[test]
fn every_command_printed_works_when_pasted() {
    for options in ["", "--findings 'my findings'"] {
        let desk = Desk::new();
        let run = desk.sh(&format!("hangup {QUICK} {options}"));
        let lines = run.out.lines().map(str::trim).filter(|line| line.starts_with("hangup "));
        for line in lines.clone() {
            let pasted = desk.sh(line);
            assert_eq!((pasted.code, pasted.err.as_str()), (0, ""), "{line}: {pasted:?}");
            assert!(pasted.out.lines().any(|line| line.starts_with('!')), "{pasted:?}");
        }
        assert!(lines.count() > 2, "{run:?}");
    }
}

#[test]
fn more_is_promised_only_where_a_command_follows() {
    let run = Desk::new().hangup(&format!("{CAMPAIGN} --findings /dev/null/below"));
    let mut promised = run.out.split("more:\n").skip(1);
    assert!(promised.all(|rest| rest.trim_start().starts_with("hangup ")), "{}", run.out);
}
