//! Every line that is printed as a command does what it says when it is pasted into a shell, in the
//! same directory, however the program was started.

use crate::cli::{Desk, Run};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, Stdio};

/// A line that all outputs are searched for: those of `program`, in lines and between backticks.
fn commands(text: &str, program: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let ticked = text.split('`').skip(1).step_by(2);
    let is_command =
        |line: &&str| line.strip_prefix(program).is_some_and(|rest| rest.starts_with(' '));
    let mut commands: Vec<String> =
        lines.chain(ticked).filter(is_command).map(str::to_owned).collect();
    commands.sort();
    commands.dedup();
    commands
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A desk on which the program is started by a name with a space in it, as a user's binary may be.
fn desk_with_own_binary() -> (Desk, &'static str) {
    let desk = Desk::new();
    symlink(env!("CARGO_BIN_EXE_hangup"), desk.path("my server")).expect("a link");
    (desk, "'./my server'")
}

#[test]
fn what_test_prints_is_pasted_and_draws_what_was_found() {
    let (desk, own) = desk_with_own_binary();
    for (program, findings) in [("hangup", "found"), (own, "what is 'found'")] {
        let findings = hangup::report::quoted(findings);
        let line = "test tungstenite/no-deadline reference/drops-at-close --scripts 200 --seed 1";
        let run = desk.sh(&format!("{program} {line} --no-confirm --findings {findings}"));
        assert_eq!(run.code, 1, "{run:?}");
        let printed = commands(&run.out, program);
        assert_eq!(printed.len(), run.out.matches("     more:\n").count(), "{run:?}");
        assert!(printed.len() > 3, "{printed:#?}");
        for command in printed {
            let shown = desk.sh(&command);
            assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{command}: {shown:?}");
            let rule = shown.out.lines().nth(1).and_then(|line| line.split(' ').next());
            let rule = rule.expect("a rule");
            assert!(run.out.contains(rule) && command.contains(rule), "{command}: {shown:?}");
            assert!(shown.out.contains("  client  "), "{command}: {shown:?}");
        }
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_is_said_of_a_server_that_cannot_be_judged_is_pasted_into_two_shells() {
    let (desk, own) = desk_with_own_binary();
    desk.write("close.script", "upgrade\nclose 1000\n");
    let on = "clock/waits-for-a-thread";
    let replay = desk.sh(&format!("{own} replay close.script --target {on}"));
    let test = desk.sh(&format!("{own} test {on} --scripts 60 --seed 1"));
    assert_eq!((replay.code, test.code), (2, 2), "{replay:?} {test:?}");
    let printed = commands(&test.out, own);
    assert_eq!(printed, commands(&replay.out, own), "{test:?} {replay:?}");
    let [probe, serve] = &printed[..] else { panic!("{printed:#?}") };
    let mut shell = desk.command("sh");
    shell.args(["-c", &format!("exec {serve}")]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running(shell.spawn().expect("it starts"));
    let mut line = String::new();
    let stdout = server.0.stdout.take().expect("it was piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert!(line.contains("listens on ws://"), "{serve}: {line:?}");
    // Two scripts, where the line alone plays five hundred.
    assert!(probe.ends_with(" --close-within 9s"), "{probe}: the target's own bound");
    let probe = probe.replace("within 9s", "within 1s");
    let probed = desk.sh(&format!("{probe} --scripts 2"));
    assert!(probed.code != 2 && probed.out.contains(" 2 scripts "), "{probe}: {probed:?}");
}

/// Errors name what to do instead.
#[test]
fn what_errors_say_is_pasted() {
    let (desk, own) = desk_with_own_binary();
    desk.write("a b.script", "upgrade\nclose 1000\n");
    desk.sh(&format!(
        "{own} test reference/reads-code-of-one-byte --scripts 200 --seed 1 --no-confirm"
    ));
    let files = desk.files("hangup-findings");
    let panic = files.keys().find(|name| name.contains("no-panic")).expect("a panic was found");
    let url = "ws://127.0.0.1:1/?a=1&b=2";
    let said = |line: String| -> Vec<String> {
        let run: Run = desk.sh(&line);
        commands(run.refusal(), own)
    };
    let export = said(format!("{own} export hangup-findings/{panic}"));
    assert_eq!(export.len(), 1, "{export:?}");
    let replayed = desk.sh(&export[0]);
    assert!(replayed.code == 1 && replayed.out.starts_with("reproduced on"), "{replayed:?}");
    let replay =
        format!("{own} replay 'a b.script' --url '{url}' --header 'X-Key: a b' --insecure");
    // Nobody listens there, and that is all that is wrong.
    assert!(desk.sh(&replay).refusal().contains("127.0.0.1:1"), "{replay}");
}

/// Every finding of a running server names what plays it again there.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_probe_prints_is_pasted_and_shows_what_was_found() {
    let (desk, own) = desk_with_own_binary();
    let mut serve = desk.command("sh");
    let line = format!("exec {own} serve tungstenite/no-deadline");
    serve.args(["-c", &line]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running(serve.spawn().expect("it starts"));
    let mut line = String::new();
    let stdout = server.0.stdout.take().expect("it was piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let url = line.split_whitespace().find(|word| word.starts_with("ws://")).expect("a URL");
    let probe = format!(
        "{own} probe {url} --seed 408772642 --scripts 60 --close-within 1s --watch 3s --findings 'what is found'"
    );
    let run = desk.sh(&probe);
    assert_eq!(run.code, 1, "{run:?}");
    let printed = commands(&run.out, own);
    let is_replay = |command: &String| command.starts_with(&format!("{own} replay "));
    assert_eq!(
        printed.len(),
        run.out.matches("     again:\n").count(),
        "{printed:#?}\n{}",
        run.out
    );
    assert!(printed.len() > 1 && printed.iter().all(is_replay), "{printed:#?}");
    for command in printed {
        let pasted = desk.sh(&command);
        assert!(pasted.code == 1 && pasted.out.starts_with("reproduced"), "{command}: {pasted:?}");
    }
}
