//! `hangup show`: what is drawn and marked, within 80 columns.

use crate::cli::{BUGGY, CLEAN, Desk, FIXED, HANG, REPRO, assert_fits};
use hangup::{Script, suite};

/// What `show` draws of a script.
fn shown(script: &str, options: &str) -> String {
    let desk = Desk::new();
    desk.write("story", script);
    let run = desk.hangup(&format!("show story {options}"));
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{script}: {run:?}");
    run.out
}

#[test]
fn show_draws_the_connection_and_marks_what_breaks_the_rule() {
    let desk = Desk::with_repro();
    let out = desk.hangup(&format!("show {REPRO}")).out;
    assert_eq!(out, shown(HANG, &format!("--target {BUGGY}")));
    let marked: Vec<&str> = out.lines().filter(|line| line.starts_with('!')).collect();
    for (line, part) in marked.iter().zip(["- Close", "5.000 s  ===", "for ever  ==="]) {
        assert!(line.contains(part), "{out}");
    }
    assert_eq!(marked.len(), 3, "{out}");
    let fixed = desk.hangup(&format!("show {REPRO} --target {FIXED}")).out;
    assert!(fixed.contains("Not broken any more: The server never ends"), "{fixed}");
    assert!(fixed.contains("\nthe server breaks no rule\n") && !fixed.contains('!'), "{fixed}");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_drawing_is_at_most_80_columns_wide() {
    let reason = "r".repeat(123);
    for script in [
        "stop reading\nwindow 64B\nupgrade\napp send text 16MiB\napp close 1000 \"bye\"\n",
        "upgrade\nstop reading\nwindow 1B\nsend buffer 1B\napp send binary 1MiB\napp close\nwait 9s\n",
        "upgrade\napp close\nping \"still here\" x 300 every 1s\n",
        "upgrade\napp close\nbinary 64KiB in pieces of 1 byte every 1ms\n",
        "upgrade\napp close 1000 200B\nwait 1h\nclose 1000 200B\n",
        &format!("upgrade\napp close 1000 \"{reason}\"\nclose 1000 \"{reason}\"\n"),
        "upgrade\nunmasked unfinished rsv 7 64-bit opcode 15 10B\nwait 1s\nreset\n",
        "upgrade with 16MiB header\nupgrade with 1MiB header\n",
        "first 1 byte of upgrade\nwait 1s\ncut\nwait 2s\ndrop\n",
        "segment 1B\nupgrade\n+ text 1KiB\napp return\nawait end\nfin\n",
        "upgrade\nfirst 2 bytes of unmasked text 9B\n",
        "upgrade\nclose hex 03\n",
        "upgrade\nping\nfin\n",
        "upgrade\napp close\nwait 278h\nclose 1000\n",
    ] {
        let (panics, spins) = ("reference/reads-code-of-one-byte", "reference/reads-the-end-again");
        for target in [CLEAN, BUGGY, panics, spins] {
            for bound in ["5s", "1ms"] {
                assert_fits(&shown(script, &format!("--target {target} --close-within {bound}")));
            }
        }
    }
}

#[test]
fn a_panic_is_drawn_within_80_columns() {
    let script: Script = HANG.parse().expect("a script");
    let directory = tempfile::tempdir().expect("a directory");
    for message in ["a word and another ".repeat(20), "x\ny".repeat(40)] {
        let suite = suite(move |_| {
            let message = message.clone();
            async move { assert!(message.is_empty(), "{message}") }
        });
        let suite = suite.named("mine").findings_in(directory.path());
        let report = suite.play(&script).expect_err("it panics").to_string();
        assert!(report.contains("no-panic") && report.contains("panicked: "), "{report}");
        assert_fits(&report);
        let timeline = report.split_once("client ").expect("a timeline").1;
        // Behind it stands where it was saved.
        for line in timeline.lines().skip(1).take_while(|line| !line.is_empty()) {
            assert!(line.starts_with([' ', '!']), "{line:?} in\n{report}");
        }
    }
}

#[test]
fn a_command_that_the_target_does_not_obey_is_said_to_be_skipped() {
    let desk = Desk::new();
    desk.write("down.script", "upgrade\napp shutdown\n");
    let run = desk.hangup(&format!("show down.script --target {CLEAN}"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("skipped: `app shutdown` (reference does not obey it)"), "{run:?}");
}
