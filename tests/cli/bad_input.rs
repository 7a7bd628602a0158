//! Arguments and files that are wrong: exit code 2, and one line that names what is wrong.

use crate::cli::{ALL, Desk, HANG, REPRO};

#[test]
fn bad_arguments_exit_with_2_and_name_what_is_wrong_on_stderr_alone() {
    for (arguments, named) in [
        ("", "Usage: hangup"),
        ("frobnicate", "'frobnicate'"),
        ("--frobnicate", "'--frobnicate'"),
        ("test --scripts 0", "'0'"),
        ("test --scripts many", "'many'"),
        ("test --scripts 10 --for 1s", "'--for <TIME>'"),
        ("test --for soon", "soon"),
        ("test --seed -1", "'-1'"),
        ("test --seed 18446744073709551616", "18446744073709551616"),
        ("test --close-within 5", "a time up to 1193h, such as 10ms, 2s, 5min or 12h"),
        ("test --close-within -5s", "'-5'"),
        ("test --close-within 9999h", "9999h"),
        ("test --format xml", "human, json"),
        ("replay", "<FILE>"),
        ("replay a b", "'b'"),
        ("explain", "<ID>"),
    ] {
        let run = Desk::new().hangup(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments}: {run:?}");
        assert!(run.err.contains(named), "{arguments}: {run:?}");
    }
}

#[test]
fn an_unknown_target_is_refused_with_the_names_of_the_known_ones() {
    let desk = Desk::with_repro();
    for arguments in [
        "test reference nowhere",
        "show hang.script --target nowhere",
        &format!("replay {REPRO} --target nowhere"),
    ] {
        let run = desk.hangup(arguments);
        assert!(run.refusal().contains("`nowhere`"), "{run:?}");
        assert!(ALL.iter().all(|name| run.err.contains(name)), "{run:?}");
    }
}

#[test]
fn faults_that_do_not_compose_are_refused_with_the_reason() {
    let desk = Desk::new();
    desk.write("hang.script", HANG);
    for (name, why) in [
        ("answers-by-fin+always-answers-1000", "both change `answer`"),
        ("detached-ticker+no-deadline", "in a server with one loop"),
        ("no-deadline+no-deadline", "named twice"),
        ("no-deadline+split-tasks", "`reference/split-tasks` is no planted fault"),
        ("no-deadline+nowhere", "no target `reference/nowhere`"),
    ] {
        for command in ["test", "show hang.script --target", "serve"] {
            let run = desk.hangup(&format!("{command} reference/{name}"));
            assert!(run.refusal().contains(why), "{command} {name}: {run:?}");
        }
    }
}

#[test]
fn a_file_that_is_no_repro_is_refused_by_what_it_is() {
    let desk = Desk::with_repro();
    let ours = desk.read(REPRO);
    for (name, bytes, why) in [
        ("missing.toml", None, "No such file"),
        (".", None, "Is a directory"),
        ("latin1.toml", Some(b"format = 1\nhangup = \"\xe9\"\n".to_vec()), "not a text file"),
        ("empty.toml", Some(Vec::new()), "has no steps"),
        ("blank.toml", Some(b"\n \n# nothing\n".to_vec()), "has no steps"),
        ("Cargo.toml", Some(b"[package]\nname = \"x\"\n".to_vec()), "not a hangup repro"),
        ("story.txt", Some(b"Dear reader,\n".to_vec()), "line 1, column 1: found `Dear`"),
        ("hang.script", Some(HANG.into()), "--target"),
        ("twice.toml", Some(ours.repeat(2).into()), "not a whole TOML file"),
    ] {
        if let Some(bytes) = bytes {
            desk.write(name, bytes);
        }
        let run = desk.hangup(&format!("replay {name}"));
        assert!(run.refusal().contains(why) && run.err.contains(name), "{name}: {run:?}");
    }
    for (command, why) in [("show hang.script", "--target"), ("shrink hang.script", "--target")] {
        assert!(desk.hangup(command).refusal().contains(why), "{command}");
    }
}

#[test]
fn a_repro_with_a_wrong_field_is_refused_by_its_name() {
    let desk = Desk::with_repro();
    for (from, to, why) in [
        ("format = 2", "format = 3", "written in format 3; this hangup reads format 2"),
        ("format = 2", "format = 0", "`format`"),
        ("format = 2", "format = \"1\"", "`format`"),
        ("format = 2", "format = 2\nmood = 1", "`mood`"),
        ("[violation]", "[violation]\nmood = 1", "`mood`"),
        ("[target]", "[target]\nmood = 1", "`mood`"),
        ("[bounds]", "[bounds]\nmood = 1", "`mood`"),
        ("[bounds]", "[mood]\n[bounds]", "`mood`"),
        ("digest = ", "# ", "`digest`"),
        ("close = ", "# ", "`close`"),
        ("\"ends-in-time\"", "\"ends-on-time\"", "`ends-on-time`"),
        ("\"silent\"", "\"asleep\"", "`asleep`"),
        ("\"should\"", "\"may\"", "`may`"),
        ("close = 5.0", "close = -1.0", "-1 is no number of seconds"),
        ("close = 5.0", "close = nan", "NaN is no number of seconds"),
        ("close = 5.0", "close = 2e9", "2000000000 is no number of seconds"),
        ("app close", "app clsoe", "line 2, column 5: found `clsoe`, expected one of: send, ping"),
        ("app close", "text 16MiB x 10000", "256 MiB"),
    ] {
        desk.edit(from, to);
        for command in ["replay", "shrink", "show"] {
            let run = desk.hangup(&format!("{command} edited.toml"));
            assert!(run.refusal().contains(why), "{to}: {run:?}");
        }
    }
}

#[test]
fn half_of_a_repro_is_never_played() {
    let desk = Desk::with_repro();
    let text = desk.read(REPRO);
    // Behind its last `=` is a number whose first digit makes the file whole.
    let last = text.rfind('=').expect("a field");
    let ends_of_lines = text.match_indices('\n').map(|(at, _)| at + 1);
    for cut in (0..=last).step_by(19).chain(ends_of_lines).filter(|cut| *cut <= last) {
        desk.write("half.toml", &text[..cut]);
        for command in ["replay half.toml", "show half.toml --target tungstenite/no-deadline"] {
            let run = desk.hangup(command);
            assert!(run.refusal().starts_with("half.toml: "), "{cut}: {run:?}");
        }
    }
}

#[test]
fn a_repro_without_its_last_lines_is_never_played() {
    let desk = Desk::new();
    desk.write("slow.script", "upgrade in pieces of 1 byte every 1s\n");
    let run = desk.hangup("shrink slow.script --target reference/byte-restarts-handshake");
    let path = run.err.trim().rsplit("saved as ").next().expect("a path");
    let lines: Vec<String> = desk.read(path).lines().map(str::to_owned).collect();
    for count in 0..lines.len() {
        desk.write("half.toml", lines[..count].join("\n"));
        let run = desk.hangup("replay half.toml");
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{count} of {} lines", lines.len());
    }
}
