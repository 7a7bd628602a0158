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
    for (name, check) in CHECKS {
        println!("check {name}");
        check(tempfile::tempdir().expect("a directory").path());
    }
    ExitCode::SUCCESS
}

type Check = fn(&Path);

const CHECKS: [(&str, Check); 5] = [
    ("what opens nothing could not be tested", opens_nothing),
    ("what is asked rightly is tested, and the repro has its request", is_found),
    ("counts are the same for any number of workers", counts),
    ("a command that is never taken is warned of", warns),
    ("a repro whose request opens nothing is not called fixed", not_fixed),
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
    let line = format!("reached: {} of 700 scripts opened, {}", count("opened"), count("closed"));
    assert!(text(&output.stdout).contains(&line), "{}", text(&output.stdout));
}

fn warns(directory: &Path) {
    let output = run(directory, "test deaf/wspath --scripts 700 --seed 2 --no-confirm");
    let said = text(&output.stdout);
    assert!(!said.contains("warning:"), "it takes what it is sent: {said}");
}
