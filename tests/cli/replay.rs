//! `hangup replay`: reproduced, fixed or different; scripts of a fuzzer; servers known elsewhere.

use crate::cli::{BUGGY, CLEAN, Desk, FIXED, HANG, REPRO, assert_fits};

#[test]
fn a_replay_is_reproduced_fixed_or_different() {
    let desk = Desk::with_repro();
    desk.edit("\"the server's own Close\"", "\"idle client\"");
    desk.write("condition.toml", desk.read(REPRO).replace("\"silent\"", "\"deaf\""));
    for (arguments, code, said) in [
        (REPRO, 1, "reproduced on tungstenite/no-deadline\n"),
        (&format!("{REPRO} --close-within 12h"), 1, "reproduced on tungstenite/no-deadline\n"),
        (&format!("{REPRO} --target {FIXED}"), 0, "not shown by tungstenite/read-deadline\n"),
        (&format!("{REPRO} --target {CLEAN}"), 0, "not shown by reference\n"),
        ("edited.toml", 1, "different on tungstenite/no-deadline\n"),
        ("condition.toml", 1, "different on tungstenite/no-deadline\n"),
    ] {
        let run = desk.hangup(&format!("replay {arguments}"));
        assert_eq!((run.code, run.err.as_str()), (code, ""), "{arguments}: {run:?}");
        assert!(run.out.starts_with(said), "{arguments}: {run:?}");
        assert!(run.out.contains("never ends the connection"), "{arguments}: {run:?}");
        assert_fits(&run.out);
    }
}

/// Files of before there were symptoms stay what they were.
#[test]
fn a_repro_without_a_symptom_still_replays() {
    let desk = Desk::with_repro();
    desk.edit("symptom = \"waits to read, with no timer running\"\n", "");
    let old = desk.hangup("replay edited.toml");
    assert!(old.code == 1 && old.out.starts_with("reproduced on"), "{old:?}");
    assert_eq!(desk.hangup(&format!("replay edited.toml --target {FIXED}")).code, 0);
    desk.edit(
        "waits to read, with no timer running",
        "waits for room to write, with no timer running",
    );
    let other = desk.hangup("replay edited.toml");
    assert!(other.code == 1 && other.out.starts_with("different on"), "{other:?}");
}

/// An artifact of a fuzzer, in a file with a fuzzer's name for it.
#[test]
fn a_fuzzers_script_is_replayed_shrunk_and_shown_as_it_is() {
    let desk = Desk::new();
    desk.write("crash-07005e48", "upgrade\nping \"x\" x 3\napp close 1001\nawait close\n");
    let on = |command: &str, target: &str| {
        let run = desk.hangup(&format!("{command} crash-07005e48 --target {target}"));
        (run.code, run.out)
    };
    let (code, out) = on("replay", BUGGY);
    assert!(code == 1 && out.starts_with(&format!("breaks a rule on {BUGGY}\n")), "{out}");
    assert!(out.contains("never ends the connection"), "{out}");
    let kept = (0, format!("breaks no rule on {CLEAN}\n"));
    assert_eq!(on("replay", CLEAN), kept);
    assert_eq!(on("shrink", BUGGY), (1, HANG.to_owned()));
    let (code, out) = on("show", BUGGY);
    assert!(code == 0 && out.contains("ends-in-time"), "{out}");
}

#[test]
fn a_replayed_script_is_not_blamed_for_what_its_target_accepts() {
    let desk = Desk::new();
    desk.write("crash-1", "upgrade\napp close 1005\n");
    let run = desk.hangup(&format!("replay crash-1 --target {FIXED}"));
    assert_eq!((run.code, run.out), (0, format!("breaks no rule on {FIXED}\n")));
}

#[test]
fn a_repro_of_a_server_that_is_known_elsewhere_is_shown_and_not_played() {
    let desk = Desk::with_repro();
    desk.edit("\"tungstenite/no-deadline\"", "\"mine\"");
    for command in ["replay", "shrink"] {
        let run = desk.hangup(&format!("{command} edited.toml"));
        assert!(run.refusal().contains("`mine`"), "{run:?}");
    }
    let run = desk.hangup("show edited.toml");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.starts_with("mine (tokio-tungstenite 0.30), as it was seen when"), "{run:?}");
    let known = desk.hangup(&format!("show {REPRO}")).out;
    let timeline = known.split_once("         time  client").expect("a timeline").1;
    let timeline = timeline.split_once("\nwhat matters,").expect("it was played").0;
    assert!(run.out.contains("app close") && run.out.contains(timeline), "{run:?}");
    let frame = "\n              < Close                               88 00\n";
    assert!(run.out.contains(frame) && run.err.is_empty(), "{run:?}");
    assert_fits(&run.out);
}

/// An older version kept no timeline.
#[test]
fn a_repro_of_format_1_of_an_unknown_server_is_shown_without_a_timeline() {
    let desk = Desk::with_repro();
    let text = desk.read(REPRO).replace("\"tungstenite/no-deadline\"", "\"mine\"");
    let old = text.split("\n[seen]\n").next().expect("a part");
    desk.write("cut.toml", old);
    let cut = desk.hangup("show cut.toml");
    assert!(cut.refusal().contains("`seen` is missing"), "{cut:?}");
    desk.write("old.toml", old.replace("format = 2", "format = 1"));
    let run = desk.hangup("show old.toml");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("never ends the connection") && !run.out.contains("wire"), "{run:?}");
    assert!(run.err.contains("an older hangup wrote the file"), "{run:?}");
}

/// What bytes cost is no part of one play: a replay measures it again.
#[test]
#[ignore = "long: .ci/run plays it"]
fn a_finding_about_work_is_measured_again_and_is_in_its_simplest_form() {
    let desk = Desk::new();
    let run = desk.hangup("test reference/searches-head-again --scripts 1 --seed 1");
    assert!(run.code == 1 && run.out.contains("linear-work"), "{run:?}");
    let file = "hangup-findings/reference-searches-head-again--linear-work--work-per-byte-grows-\
                for-an-opening-request-in-pieces.toml";
    let again = desk.hangup(&format!("replay {file}"));
    assert!(again.code == 1 && again.out.starts_with("reproduced on"), "{again:?}");
    assert!(again.out.contains("times the processor time"), "{again:?}");
    let honest = desk.hangup(&format!("replay {file} --target {CLEAN}"));
    assert!(honest.code == 0 && honest.out.starts_with("not shown by reference"), "{honest:?}");
    let shown = desk.hangup(&format!("show {file}"));
    assert!(shown.code == 0 && shown.out.contains("times the processor"), "{shown:?}");
    assert!(run.out.contains(" Measured: ") && shown.out.contains("\nMeasured: "), "the figures");
    let shrunk = desk.hangup(&format!("shrink {file}"));
    assert!(
        shrunk.code == 1 && shrunk.out.starts_with("nothing to shrink: a script"),
        "{shrunk:?}"
    );
    let over_tcp = desk.hangup(&format!("replay {file} --url ws://127.0.0.1:1/"));
    assert!(over_tcp.code == 2 && over_tcp.err.contains("not over TCP"), "{over_tcp:?}");
}
