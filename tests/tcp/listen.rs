//! `hangup listen`: clients over real TCP, each a program that is started for every script.

use crate::server::{Desk, Run};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The line that starts `tests/servers/closing_client.py`.
fn client(how: &str) -> String {
    format!("python3 {}/tests/servers/closing_client.py {how} {{url}}", env!("CARGO_MANIFEST_DIR"))
}

/// The line that starts a client of hangup's own.
fn target(name: &str) -> String {
    format!("{} connect {name} {{url}}", env!("CARGO_BIN_EXE_hangup"))
}

/// `hangup ARGUMENTS OPTION LINE`, with arguments that have no spaces in them.
pub fn run(desk: &Desk, arguments: &str, option: &str, line: &str) -> Run {
    Run::of(desk.command(arguments).args([option, line]).output().expect("it starts"))
}

/// A campaign against a client that closes once it is open.
fn listen(desk: &Desk, how: &str, options: &str) -> Run {
    let options = format!("listen --seed 1 --scripts 24 --close-within 1s --watch 3s {options}");
    run(desk, &options, "--closes", &client(how))
}

pub fn problems(json: &Value) -> Vec<(&str, &str, &str)> {
    let word = |problem: &Value, name: &str| problem[name].as_str().map(str::to_owned);
    let problems = json["targets"][0]["problems"].as_array().expect("a list");
    let told = problems.iter().map(|problem| {
        ["invariant", "symptom", "script"].map(|name| word(problem, name).unwrap_or_default())
    });
    told.map(|[rule, symptom, script]| {
        let leak = |text: String| -> &'static str { text.leak() };
        (leak(rule), leak(symptom), leak(script))
    })
    .collect()
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_client_whose_close_waits_for_ever_is_found_in_two_steps_and_its_fix_is_clean() {
    let desk = Desk::new();
    let found = listen(&desk, "for-ever", "--format json");
    assert_eq!(found.code, Some(1), "{found:?}");
    let json = found.json();
    let problems = problems(&json);
    let two_steps = "accept\napp close\n";
    let hang = problems.iter().find(|(rule, ..)| *rule == "ends-in-time").expect("a hang");
    assert_eq!((hang.1, hang.2), ("still open when hangup stopped watching", two_steps));
    let fixed = listen(&desk, "deadline", "--format json");
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    // By its file the hang shows again, and is gone in what was fixed.
    let file = &json["targets"][0]["problems"][0]["repro"];
    let replay = format!("replay {}", file.as_str().expect("it is saved"));
    let again = run(&desk, &replay, "--run", &client("for-ever"));
    assert!(again.code == Some(1) && again.out.starts_with("reproduced on"), "{again:?}");
    let gone = run(&desk, &replay, "--run", &client("deadline"));
    assert!(gone.code == Some(0) && gone.out.starts_with("not shown by"), "{gone:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_program_that_runs_on_when_its_connection_has_ended_has_not_returned_from_its_close() {
    let desk = Desk::new();
    let found = listen(&desk, "stays", "--format json");
    let json = found.json();
    let problems = problems(&json);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].0, problems[0].2), ("close-returns", "accept\napp close\n"));
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_program_that_a_signal_ends_is_found_and_an_exit_code_is_not_judged() {
    let desk = Desk::new();
    let found = listen(&desk, "aborts", "--format json");
    let json = found.json();
    let problems = problems(&json);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].0, problems[0].1), ("no-panic", "its process ends"));
    let line = format!("{}; exit 3", client("deadline"));
    let options = "listen --seed 1 --scripts 8 --close-within 1s --watch 0s";
    let exits = run(&desk, options, "--closes", &line);
    assert_eq!(exits.code, Some(0), "{exits:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_command_that_cannot_be_tested_is_an_error_of_one_line() {
    let desk = Desk::new();
    for (option, line, named) in [
        ("--run", "true", "ended its process with exit code 0 before it connected"),
        ("--run", "sleep 9", "no client connects within 1 s"),
        ("--run", &client("deadline"), "give it as --closes"),
        ("--closes", &target("reference-client"), "the client sent no Close of its own"),
        ("--echoes", &target("reference-client"), "the client did not echo"),
    ] {
        let within = if line.contains("sleep") { "1s" } else { "30s" };
        let options = format!("listen --close-within 1s --start-within {within}");
        let refused = run(&desk, &options, option, line);
        assert_eq!(refused.code, Some(2), "{line}: {refused:?}");
        let errors: Vec<&str> =
            refused.err.lines().filter(|line| line.starts_with("error:")).collect();
        assert!(errors.len() == 1 && errors[0].contains(named), "{line}: {refused:?}");
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn an_interrupted_campaign_leaves_no_program_behind() {
    let desk = Desk::new();
    let mark = format!("hangup-listen-{}", std::process::id());
    let line = format!("{} # {mark}", client("for-ever"));
    let mut campaign = desk.command("listen --seed 1 --close-within 1s");
    campaign.args(["--closes", &line]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut campaign = campaign.spawn().expect("it starts");
    let left = || {
        let found = Command::new("pgrep").args(["-f", &mark]).output().expect("pgrep");
        let found = String::from_utf8(found.stdout).expect("text");
        found.lines().filter(|id| *id != campaign_id(&campaign)).count()
    };
    for _ in 0..400 {
        if left() >= 2 {
            break;
        }
        pause();
    }
    assert!(left() >= 2, "programs run");
    let id = campaign_id(&campaign);
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    // What was found by then is reported; mostly that is nothing yet.
    let code = campaign.wait().expect("it ends").code();
    assert!(matches!(code, Some(1 | 2)), "{code:?}");
    let found = Command::new("pgrep").args(["-f", &mark]).output().expect("pgrep");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{mark}");
}

fn campaign_id(child: &std::process::Child) -> String {
    child.id().to_string()
}

#[expect(clippy::disallowed_methods, reason = "a process that works is waited for")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// The faults of the reference client that a wire shows; one that is honest is clean. Its own deadline
/// is five seconds.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_reference_client_is_clean_and_its_faults_are_found_over_tcp() {
    let rules = &|fault: &str| {
        let desk = Desk::new();
        let line = target(&format!("reference-client{fault}"));
        let mut command = desk.command("listen --seed 3 --scripts 60 --watch 0s --format json");
        command.args(["--run", &line, "--closes", &format!("{line} --closes")]);
        let found = Run::of(command.output().expect("it starts"));
        let json = found.json();
        problems(&json).into_iter().map(|(rule, ..)| rule.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(rules(""), [""; 0]);
    let faults = [
        ("/close-waits-for-ever", "ends-in-time"),
        ("/waits-for-fin-for-ever", "ends-in-time"),
        ("/close-hangs", "close-returns"),
        ("/same-mask", "fresh-masking-key"),
        ("/no-mask", "sends-valid-frames"),
        ("/never-answers", "answers-close"),
        ("/answers-normal", "echoes-code"),
        ("/ends-tcp-first", "lets-server-close-tcp"),
        ("/drops-behind-close", "lets-server-close-tcp"),
        ("/takes-any-answer", "refuses-bad-opening"),
    ];
    // They wait for deadlines to pass, three at once.
    for some in faults.chunks(3) {
        std::thread::scope(|scope| {
            for (fault, rule) in some {
                scope.spawn(move || {
                    let found = rules(fault);
                    assert!(found.iter().any(|found| found == rule), "{fault}: {found:?}");
                });
            }
        });
    }
}
