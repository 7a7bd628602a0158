//! A user's binary with a registry of its own: this one, run again with a command line. It has no
//! test harness, since its workers are it as well.

#[path = "servers/vacuous.rs"]
mod vacuous;

use std::path::Path;
use std::process::{Command, ExitCode, Output};
use vacuous::Demands;

/// Set for a run as the user's binary.
const AS_BINARY: &str = "HANGUP_TEST_AS_BINARY";

fn main() -> ExitCode {
    if std::env::var_os(AS_BINARY).is_some() {
        let registry =
            Demands::ALL.into_iter().fold(hangup::Registry::new(), |registry, demands| {
                let met = demands.met().named(format!("met/{}", demands.name()));
                let deaf = demands.met().obeying(hangup::AppSteps::SEND);
                let deaf = deaf.named(format!("deaf/{}", demands.name()));
                let registry = registry.with(demands.suite().into_target());
                registry.with(met.into_target()).with(deaf.into_target())
            });
        return hangup::cli::main(registry);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for (name, check) in chosen(&arguments) {
        if arguments.iter().any(|argument| argument == "--list") {
            println!("{name}: test");
        } else {
            println!("check {name}");
            check(tempfile::tempdir().expect("a directory").path());
        }
    }
    ExitCode::SUCCESS
}

/// The checks that `cargo test` and `cargo nextest` ask for: by names or parts of them, and none of
/// those that are ignored, since none is.
fn chosen(arguments: &[String]) -> impl Iterator<Item = (&'static str, Check)> {
    let is_flag = |argument: &&String| argument.starts_with("--");
    let (flags, rest): (Vec<_>, Vec<_>) = arguments.iter().partition(is_flag);
    let has = |flag: &str| flags.iter().any(|argument| *argument == flag);
    let (ignored, exact) = (has("--ignored"), has("--exact"));
    // The values of options, such as `--format terse` and `--skip NAME`.
    let values: Vec<&String> = arguments
        .windows(2)
        .filter(|pair| ["--format", "--skip", "--test-threads"].contains(&pair[0].as_str()))
        .map(|pair| &pair[1])
        .collect();
    let names: Vec<String> =
        rest.into_iter().filter(|name| !values.contains(name)).cloned().collect();
    CHECKS.into_iter().filter(move |(name, _)| {
        let fits = |wanted: &String| if exact { name == wanted } else { name.contains(wanted) };
        !ignored && (names.is_empty() || names.iter().any(fits))
    })
}

type Check = fn(&Path);

const CHECKS: [(&str, Check); 5] = [
    ("what_opens_nothing_could_not_be_tested", opens_nothing),
    ("what_is_asked_rightly_is_tested_and_the_repro_has_its_request", is_found),
    ("counts_are_the_same_for_any_number_of_workers", counts),
    ("a_command_that_is_never_taken_is_warned_of", warns),
    ("a_repro_whose_request_opens_nothing_is_not_called_fixed", not_fixed),
];

fn run(directory: &Path, line: &str) -> Output {
    let own = std::env::current_exe().expect("this test");
    let mut command = Command::new(own);
    command.args(line.split(' ')).current_dir(directory).env(AS_BINARY, "1").env("NO_COLOR", "1");
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn opens_nothing(directory: &Path) {
    for demands in Demands::ALL {
        let name = demands.name();
        let output = run(directory, &format!("test {name} --scripts 50 --seed 1 --no-confirm"));
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("could not test: no WebSocket opens: the server"), "{said}");
        for reason in demands.reason() {
            assert!(said.contains(reason), "{demands:?}: {reason}: {said}");
        }
        let line = format!("test {name} --scripts 50 --seed 1 --format json --no-confirm");
        let output = run(directory, &line);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let why = json["targets"][0]["could_not_test"].as_str().expect("a reason").to_owned();
        assert!(output.status.code() == Some(2) && why.contains(demands.reason()[0]), "{why}");
    }
}

/// The only file that was saved for this target and rule.
fn saved(directory: &Path, target: &str, rule: &str) -> String {
    let files = std::fs::read_dir(directory.join("hangup-findings")).expect("findings");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    let mut own = names.filter(|name| name.starts_with(target) && name.contains(rule));
    format!("hangup-findings/{}", own.next().expect("a finding"))
}

fn is_found(directory: &Path) {
    for demands in Demands::ALL {
        let name = demands.name();
        let line = format!("test met/{name} --scripts 300 --seed 1 --no-confirm");
        let output = run(directory, &line);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let file = saved(directory, &format!("met-{name}"), "ends-in-time");
        let repro = std::fs::read_to_string(directory.join(&file)).expect("a repro");
        assert!(repro.contains("\n[opening]\n"), "{repro}");
        let replayed = run(directory, &format!("replay {file}"));
        assert_eq!(replayed.status.code(), Some(1), "{}", text(&replayed.stderr));
        assert!(text(&replayed.stdout).starts_with("reproduced on met/"));
        // Its request is the file's, whoever plays it.
        let elsewhere = run(directory, &format!("replay {file} --target {name}"));
        assert_eq!(elsewhere.status.code(), Some(1), "{}", text(&elsewhere.stderr));
        assert!(run(directory, &format!("show {file}")).status.success());
    }
}

fn not_fixed(directory: &Path) {
    run(directory, "test met/wspath --scripts 300 --seed 1 --no-confirm");
    let file = saved(directory, "met-wspath", "ends-in-time");
    let path = directory.join(&file);
    let repro = std::fs::read_to_string(&path).expect("a repro");
    std::fs::write(&path, repro.replace("\"/ws\"", "\"/moved\"")).expect("written");
    for command in ["replay", "shrink"] {
        let output = run(directory, &format!("{command} {file}"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("met/wspath could not be tested: no WebSocket opens"), "{said}");
        assert!(said.contains("`GET /moved`"), "{said}");
    }
    std::fs::write(&path, repro.replace("path = \"/ws\"", "headers = [\"Upgrade: x\"]"))
        .expect("written");
    let output = run(directory, &format!("replay {file}"));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("header `Upgrade`: the opening handshake has it"), "{said}");
}

fn counts(directory: &Path) {
    let of = |jobs: u32| {
        let line = "test met/wspath --scripts 700 --seed 2 --format json --no-confirm --jobs";
        let output = run(directory, &format!("{line} {jobs}"));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        json["targets"][0]["reached"].clone()
    };
    let reached = of(1);
    assert_eq!(reached, of(3));
    let count = |name: &str| reached[name].as_u64().expect(name);
    assert!((400..700).contains(&count("opened")) && count("closed") > 100, "{reached}");
    assert!(reached["ended"]["the client's FIN"].as_u64() > Some(10), "{reached}");
    assert_eq!(reached["warnings"], serde_json::json!([]));
    let output = run(directory, "test met/wspath --scripts 700 --seed 2 --no-confirm");
    let line = format!(
        "reached: {} of 700 scripts opened a WebSocket, {}",
        count("opened"),
        count("closed")
    );
    assert!(text(&output.stdout).contains(&line), "{}", text(&output.stdout));
}

fn warns(directory: &Path) {
    let output = run(directory, "test deaf/wspath --scripts 700 --seed 2 --no-confirm");
    let said = text(&output.stdout);
    assert!(!said.contains("warning:"), "it takes what it is sent: {said}");
}
