//! `--format json`: one object, which agrees with the files and is always the same.

use crate::cli::{CAMPAIGN, Desk};
use hangup::finding::repro::Repro;
use hangup::verdict::Class;
use serde_json::json;
use std::path::Path;

#[test]
fn json_is_one_object_that_agrees_with_the_files_in_every_field() {
    let desk = Desk::new();
    let run = desk.hangup(&format!("{CAMPAIGN} reference --close-within 1ms --format json"));
    let json = run.json();
    assert_eq!((run.code, &json["seed"], &json["scripts"]), (1, &json!(1), &json!(400)));
    let rate = json["scripts_per_second"].as_f64();
    assert!(json["seconds"].as_f64() > Some(0.0) && rate > Some(0.0), "{json}");
    let mut endings = Vec::new();
    for target in json["targets"].as_array().expect("targets") {
        assert_eq!(target["scripts"], 200, "{target}");
        let findings = target["findings"].as_array().expect("findings").iter();
        for finding in findings.filter(|finding| finding["repro"].is_string()) {
            let path = finding["repro"].as_str().expect("a path");
            assert!(Path::new(path).is_relative(), "{path}");
            let repro = Repro::parse(&desk.read(path)).expect("a repro");
            assert_eq!(target["name"], repro.target.0);
            let since = finding["ending"]["since_seconds"].as_f64();
            assert_eq!(since.is_some(), repro.identity.invariant().rule().class == Class::Liveness);
            let expected = json!({
                "invariant": repro.identity.invariant(),
                "symptom": repro.identity.symptom(),
                "level": repro.level,
                "class": repro.identity.invariant().rule().class,
                "cause": repro.identity.cause(),
                "condition": repro.identity.condition(),
                "ending": {
                    "kind": repro.ending,
                    "at_seconds": repro.at_seconds,
                    "since_seconds": since,
                },
                "steps": repro.script.steps.len(),
                "plays": finding["plays"].as_u64().filter(|plays| *plays > 0),
                "flaky": false,
                "rate": 1.0,
                "shown": finding["shown"].as_u64(),
                "sentence": repro.sentence,
                "script": repro.script.to_string(),
                "repro": path,
            });
            assert_eq!(finding, &expected);
            endings.push(repro.ending);
        }
    }
    endings.sort();
    endings.dedup();
    assert_eq!(endings, ["in time", "late", "never"]);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn two_processes_with_one_seed_print_the_same_json_and_save_the_same_files() {
    let once = || {
        let desk = Desk::new();
        let run = desk.hangup("test --scripts 200 --seed 7 --format json");
        assert_eq!(run.out.lines().count(), run.without_times().lines().count() + 2);
        (run.without_times(), desk.files("hangup-findings"))
    };
    assert_eq!(once(), once());
}

#[test]
fn json_and_html_say_what_matters_in_the_script_of_each_problem() {
    let desk = Desk::new();
    let run = desk.hangup(
        "test tungstenite/no-deadline --scripts 200 --seed 1 --format json --html page.html",
    );
    let problems = run.json()["targets"][0]["problems"].as_array().expect("a list").clone();
    let html = desk.read("page.html");
    assert_eq!(html.matches("<h4>What matters in it</h4>").count(), problems.len());
    for problem in problems {
        let steps = problem["matters"].as_array().expect("a list");
        let said = steps.iter().map(|step| step["step"].as_str().expect("a step"));
        let script = problem["script"].as_str().expect("a script");
        assert_eq!(said.collect::<Vec<_>>(), script.lines().collect::<Vec<_>>());
        for step in steps {
            // It is minimal: without any of its steps something else happens.
            let without = step["without"].as_str().expect("it was played");
            assert_ne!(without, "the same problem shows", "{problem}");
            for also in step["also"].as_array().expect("a list") {
                let also = also.as_str().expect("words");
                assert!(html.contains(also), "{also}");
            }
        }
    }
    assert!(html.contains("any code, also illegal ones"), "{html}");
}
