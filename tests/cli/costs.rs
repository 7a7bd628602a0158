//! Files that cost much: the bound that was met is said, and a command that takes long says so.

use crate::cli::{BUGGY, Desk, PATIENCE};
use std::process::{Command, Stdio};

#[test]
fn a_play_that_is_cut_short_says_by_which_bound_and_is_not_called_clean() {
    let desk = Desk::new();
    desk.write("slow.script", "window 1B\nupgrade\napp send text 1MiB\n");
    let why = "after 300,000 events, the most that are recorded";
    let shown = desk.hangup(&format!("show slow.script --target {BUGGY}"));
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.err.contains(why) && shown.out.contains("more of it"), "{shown:?}");
    let replayed = desk.hangup(&format!("replay slow.script --target {BUGGY}"));
    assert_eq!((replayed.code, replayed.out.as_str()), (2, ""), "{replayed:?}");
    assert!(replayed.err.contains("slow.script: watched no further than to "), "{replayed:?}");
    assert!(replayed.err.contains(why), "{replayed:?}");
}

/// The server ticks for all of the wait, and does nothing that is recorded.
#[test]
fn what_matters_is_not_looked_for_at_any_cost() {
    let desk = Desk::new();
    let tried = |wait: &str| {
        desk.write("ticks.script", format!("upgrade\napp close 1005\nwait {wait}\n"));
        let run = desk.hangup("show ticks.script --target reference/detached-ticker");
        assert!(run.out.contains("what matters"), "{run:?}");
        !run.out.contains("    not all of it was tried: that would take too long\n")
    };
    assert!(tried("11h") && !tried("1193h"));
}

/// A target that stands still is waited for, for two seconds.
#[test]
fn a_command_that_takes_long_says_so_after_a_second_and_ctrl_c_ends_it() {
    let desk = Desk::new();
    desk.write("hang.script", "upgrade\nping \"x\"\n");
    let said = |target: &str| {
        let mut command = desk.command(env!("CARGO_BIN_EXE_hangup"));
        let output = command.args(["show", "hang.script", "--target", target]).output();
        String::from_utf8(output.expect("it starts").stderr).expect("text")
    };
    let line = "playing hang.script against nasty/spins-on-ping: 1 s so far; Ctrl-C ends it\n";
    assert_eq!(said("nasty/spins-on-ping").split_inclusive('\n').next(), Some(line));
    let mut command = desk.command(env!("CARGO_BIN_EXE_hangup"));
    command.args(["shrink", "hang.script", "--target", "nasty/spins-on-ping"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
    let mut stderr = child.stderr.take().expect("piped");
    let mut said = String::new();
    while !said.contains(PATIENCE) {
        let mut bytes = [0; 256];
        let count = std::io::Read::read(&mut stderr, &mut bytes).expect("readable");
        assert!(count > 0, "it ended by itself: {said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let status = child.wait().expect("it ends");
    std::io::Read::read_to_string(&mut stderr, &mut said).expect("text");
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("\ninterrupted (SIGINT): stopping"), "{said}");
    assert!(!desk.path("hangup-findings").exists(), "nothing is saved of what was not shrunk");
}
