//! `hangup shrink`: the minimum on stdout, the repro in a file.

use crate::cli::{BUGGY, Desk, HANG, REPRO};

#[test]
fn shrinking_a_long_script_prints_the_minimum_and_saves_what_replay_reproduces() {
    let desk = Desk::new();
    let script = "# A long story.\nwindow 64KiB\nupgrade\nbinary 4KiB x 3 every 1s\n".to_owned()
        + &"ping \"still here\"\nwait 10ms\nunfinished text \"a\"\ncontinuation\n".repeat(20)
        + "app send text 64KiB\nawait message\napp close 1001 \"bye\"\nawait close\nwait 1h\n";
    desk.write("long.script", script);
    let run = desk.hangup(&format!("shrink long.script --target {BUGGY}"));
    assert_eq!((run.code, run.out.as_str()), (1, HANG), "{run:?}");
    assert!(run.err.contains(" to 2 steps in ") && run.err.contains(REPRO), "{run:?}");
    assert_eq!(desk.hangup(&format!("replay {REPRO}")).code, 1);
    let before = desk.files("hangup-findings");
    let again = desk.hangup(&format!("shrink {REPRO}"));
    assert_eq!((again.out, desk.files("hangup-findings")), (run.out, before));
}

#[test]
fn shrinking_what_breaks_no_rule_says_so_and_saves_nothing() {
    let desk = Desk::new();
    desk.write("hang.script", HANG);
    let run = desk.hangup("shrink hang.script --target reference");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert!(run.out.starts_with("nothing to shrink: reference breaks no rule"), "{run:?}");
    assert!(!desk.path("hangup-findings").exists());
}
