//! Arguments and files that are wrong: exit code 2, and one line that names what is wrong.

use crate::cli::{BUGGY, Desk, HANG, REPRO};
use std::fmt::Write as _;

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
        ("test --close-within 5", "a time has a unit: 5s for seconds, 5ms for milliseconds"),
        (
            "test --for 25025025025025025025025025025025025025025025025025025",
            "a time has a unit: 2502502502502502502502502502502502502...s for seconds",
        ),
        (
            "probe http://127.0.0.1 --slack 5x",
            "expected a time up to 1193h, such as 10ms, 2s, 5min or 12h",
        ),
        ("test --close-within -5s", "'-5'"),
        ("test --close-within 9999h", "9999h"),
        ("test --format xml", "human, json"),
        ("replay", "<FILE>"),
        ("replay a b", "'b'"),
    ] {
        let run = Desk::new().hangup(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments}: {run:?}");
        assert!(run.err.contains(named), "{arguments}: {run:?}");
    }
}

#[test]
fn an_unknown_target_is_refused_with_the_nearest_names_and_the_command_that_lists_all() {
    let desk = Desk::with_repro();
    for arguments in [
        "test reference tungstenite/no-dedline",
        "show hang.script --target tungstenite/no-dedline",
        &format!("replay {REPRO} --target tungstenite/no-dedline"),
    ] {
        let run = desk.hangup(arguments);
        let said = run.refusal();
        assert!(said.contains("no target `tungstenite/no-dedline`; the nearest are: "), "{said}");
        assert!(said.contains(BUGGY) && said.contains("the command `targets` lists all"), "{said}");
        assert!(said.len() < 300, "five names are not long: {said}");
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
        ("twice.toml", Some(ours.repeat(2).into()), "neither a script nor a whole TOML file"),
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
        (
            "\napp close",
            "\napp clsoe",
            "line 2, column 5: found `clsoe`, expected one of: close, send, ping",
        ),
        ("\napp close", "\ntext 16MiB x 10000", "32 MiB"),
    ] {
        desk.edit(from, to);
        for command in ["replay", "shrink", "show"] {
            let run = desk.hangup(&format!("{command} edited.toml"));
            assert!(run.refusal().contains(why), "{to}: {run:?}");
        }
    }
}

/// Files and devices that are too large, by the command that reads them.
#[test]
fn no_file_is_read_beyond_its_bound_and_no_device_without_end() {
    let desk = Desk::new();
    desk.write("large.script", "wait 1s\n".repeat(200_000));
    desk.write("large.json", vec![b' '; 33 << 20]);
    desk.write("large.toml", "x = 1\n".repeat(800_000));
    for (command, most) in [
        ("show large.script --target reference", "1 MiB"),
        ("shrink large.script --target reference", "1 MiB"),
        ("export large.script", "1 MiB"),
        ("compare large.json large.json", "32 MiB"),
        ("report large.json --html page.html", "32 MiB"),
        ("test reference --scripts 1 --baseline large.toml", "4 MiB"),
        ("replay /dev/zero", "1 MiB"),
        ("show /dev/zero --target reference", "1 MiB"),
        ("compare /dev/zero /dev/zero", "32 MiB"),
        ("test reference --scripts 1 --baseline /dev/zero", "4 MiB"),
        ("probe ws://127.0.0.1:1/ --baseline /dev/zero", "4 MiB"),
        ("probe wss://127.0.0.1:1/ --ca /dev/zero", "4 MiB"),
    ] {
        let run = desk.hangup(command);
        let said = format!("it has more than {most}, which is the most that hangup reads");
        assert!(run.refusal().contains(&said), "{command}: {run:?}");
    }
    let run = desk.sh("hangup show - --target reference < /dev/zero");
    assert!(run.refusal().starts_with("standard input: it has more than 1 MiB"), "{run:?}");
}

#[test]
fn an_error_repeats_at_most_forty_characters_of_a_file_and_none_that_a_terminal_obeys() {
    let desk = Desk::with_repro();
    desk.write("zeros.script", vec![0; 1 << 20]);
    desk.write("moves.script", "upgrade\n\u{202e}\u{1b}[31m\u{2066}text\n");
    desk.write("long.script", format!("upgrade\ntext {}\n", "y".repeat(100_000)));
    desk.write("long.toml", format!("format = 2\n{} = 1\n", "k".repeat(9000)));
    desk.edit("\"ends-in-time\"", &format!("\"{}\"", "v\u{202e}".repeat(500)));
    let long = "n".repeat(500);
    desk.write("names.json", "{\"targets\": [{\"name\": 7}]}");
    for arguments in [
        "show zeros.script --target reference",
        "show moves.script --target reference",
        "replay long.script --target reference",
        "replay long.toml",
        "replay edited.toml",
        "compare names.json names.json",
        "report names.json --html page.html",
        &format!("test {long}"),
        &format!("explain {long}"),
        &format!("replay {long}"),
        &format!("probe ws://127.0.0.1:1/{long}/\u{202e}"),
        &format!("probe ws://127.0.0.1:1/ --host {long}@"),
        &format!("probe ws://127.0.0.1:1/ --header {long}"),
        &format!("probe ws://127.0.0.1:1/ --subprotocol {long}\u{202e}"),
    ] {
        let run = desk.hangup(arguments);
        let said = run.refusal().trim_end();
        let shown = said.split(|c: char| "ynkv".contains(c)).filter(|part| part.is_empty()).count();
        assert!(said.chars().count() < 400 && shown < 130, "{said}");
        let is_obeyed = |c: char| c.is_control() || "\u{202e}\u{2066}".contains(c);
        assert!(!said.contains(is_obeyed), "{said:?}");
    }
    for arguments in [
        format!("test --scripts {long}"),
        format!("test --for \u{202e}{long}"),
        format!("--{long}"),
        format!("{long}\u{202e}"),
    ] {
        let run = desk.hangup(&arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.lines().all(|line| line.chars().count() < 300), "{run:?}");
        assert!(!run.err.contains(['\u{202e}', '\u{1b}']), "{run:?}");
    }
}

#[test]
fn a_report_of_a_stranger_makes_no_sum_overflow_no_wait_and_no_title_that_a_terminal_obeys() {
    let desk = Desk::new();
    let target = format!(
        r#"{{"name": "a\u001b[31m{}", "version": "1", "scripts": {}, "problems": [], "accepted": []}}"#,
        "n".repeat(500),
        u64::MAX
    );
    let report = |targets: &str| {
        format!(r#"{{"seed": 1, "scripts": {}, "targets": [{targets}]}}"#, u64::MAX)
    };
    desk.write("one.json", report(&target));
    desk.write("two.json", report(&format!("{target}, {target}")));
    let target = target.replace("scripts", "unknown");
    desk.write("each.json", report(&format!("{target}, {target}")));
    let run = desk.hangup("report one.json --html page.html");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.chars().count() < 130 && run.out.starts_with("a\\u{1b}[31mn"), "{run:?}");
    for file in ["two.json", "each.json"] {
        let run = desk.hangup(&format!("report {file} {file} --markdown page.md"));
        assert_eq!(run.code, 0, "{run:?}");
    }
}

#[test]
fn a_list_has_at_most_five_names() {
    let desk = Desk::with_repro();
    desk.write("wrong.script", "upgrade\ntxet\n");
    desk.edit("ending = \"never\"", "ending = \"nevre\"");
    for (arguments, nearest, lists) in [
        ("show wrong.script --target reference", "text", "`hangup explain notation` lists all"),
        ("explain ends-on-time", "ends-in-time", "the command `explain` lists all"),
        ("replay edited.toml", "never", "no ending `nevre`"),
    ] {
        let run = desk.hangup(arguments);
        let said = run.refusal();
        let (_, names) = said.split_once(": ").expect("names");
        let names = names.rsplit(" of").next().unwrap_or_default();
        assert!(names.contains(nearest) && said.contains(lists), "{said}");
        assert!(names.matches(", ").count() <= 6, "{said}");
    }
    assert!(desk.hangup("explain notation").out.contains("| `wait 2s` |"));
}

#[test]
fn a_script_that_would_cost_too_much_is_refused_by_its_bound() {
    let desk = Desk::new();
    let mut steps = String::new();
    for _ in 0..11 {
        let _ = writeln!(steps, "ping x 10000");
    }
    for (text, bound) in [
        ("upgrade\ntext 1MiB x 200\n", "a script of at most 32 MiB in all"),
        (&steps, "a script of at most 100000 steps, repetitions and pieces in all"),
        ("upgrade in pieces of 0 bytes\n", "a number of bytes, 1 or more"),
    ] {
        desk.write("much.script", text);
        for command in ["show", "replay", "shrink"] {
            let run = desk.hangup(&format!("{command} much.script --target reference"));
            assert!(run.refusal().contains(bound), "{run:?}");
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

#[test]
fn a_script_that_commands_an_application_over_tcp_is_refused_by_what_it_commands() {
    let desk = Desk::new();
    for (script, why) in [
        ("upgrade\napp close 1000\n", "`app close 1000` is more than a plain `app close` or"),
        ("upgrade\nping\napp close\n", "`app close` has to come right after a whole `upgrade`"),
        ("upgrade\napp send text\napp close\n", "its script has 2 `app` steps"),
    ] {
        desk.write("commands", script);
        let run = desk.hangup("show commands --url ws://127.0.0.1:9/");
        assert!(run.refusal().contains(why), "{run:?}");
    }
}

#[test]
fn an_error_names_what_was_given_and_what_could_be() {
    let desk = Desk::with_repro();
    desk.edit("invariant = \"ends-in-time\"", "invariant = \"foo\"");
    desk.write("time.txt", "# a comment\nupgrade\nwait 3\n");
    desk.write("ok.txt", "upgrade\n");
    for (line, says) in [
        ("replay edited.toml", "edited.toml: line "),
        ("replay edited.toml", ": no rule `foo` (`hangup rules` lists all)"),
        ("show time.txt --target reference", "time.txt, line 3, column 6: found `3`, expected"),
        ("show ok.txt", "say with --target, --url or --run what to play it against"),
        ("test nasty", "the group `nasty/` is broken on purpose: name it with its slash"),
    ] {
        let run = desk.hangup(line);
        assert!(run.refusal().contains(says), "{run:?}");
    }
    let bound = desk.hangup("test reference --close-within 0s");
    assert!(bound.code == 2 && bound.err.contains("a bound is longer than 0s"), "{bound:?}");
    let report = desk.hangup("report a.json");
    assert!(report.code == 2 && report.err.contains("--markdown <FILE>"), "{report:?}");
}
