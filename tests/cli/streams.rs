//! What becomes of stdout: readers that go away, full disks, colours, escape sequences.

use crate::cli::{Desk, QUICK, REPRO};

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_reader_that_goes_away_is_no_panic_and_changes_no_exit_code() {
    let desk = Desk::with_repro();
    for (command, code) in [
        (QUICK, 1),
        (&format!("{QUICK} --format json"), 1),
        (&format!("show {REPRO}"), 0),
        ("targets", 0),
        ("explain no-spin", 0),
        ("test --help", 0),
    ] {
        for reader in ["head -n 1", "true"] {
            let run = desk.sh(&format!("{{ hangup {command}; echo code $? >&2; }} | {reader}"));
            assert!(run.err.ends_with(&format!("code {code}\n")), "{run:?}");
        }
    }
}

#[test]
fn results_that_a_full_disk_swallows_are_no_success() {
    for command in ["targets", "test reference --scripts 5 --format json"] {
        let run = Desk::new().sh(&format!("hangup {command} > /dev/full"));
        assert_eq!(run.code, 2, "{run:?}");
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn colours_are_for_terminals_and_for_those_who_do_not_refuse_them() {
    let desk = Desk::with_repro();
    for command in [QUICK, "targets", "rules", &format!("replay {REPRO}"), "test nowhere"] {
        let coloured = |variables: &str| {
            let run = desk.sh(&format!("{variables} hangup {command}"));
            run.out.contains('\x1b') || run.err.contains('\x1b')
        };
        assert!(!coloured(""), "{command}");
        assert!(coloured("CLICOLOR_FORCE=1"), "{command}");
        assert!(!coloured("CLICOLOR_FORCE=1 NO_COLOR=1"), "{command}");
    }
    let json = desk.sh(&format!("CLICOLOR_FORCE=1 hangup {QUICK} --format json"));
    assert!(!json.out.contains('\x1b'), "{json:?}");
}

#[test]
fn a_strangers_repro_sends_no_escape_sequence_to_the_terminal() {
    let desk = Desk::with_repro();
    desk.edit("sentence = \"", "sentence = \"\\u001b[2J");
    for command in ["replay", "show"] {
        let line = format!("CLICOLOR_FORCE=1 hangup {command} edited.toml --target reference");
        let run = desk.sh(&line);
        assert!(run.code == 0 && !run.out.contains("\x1b[2J"), "{run:?}");
    }
}
