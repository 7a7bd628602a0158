//! `hangup compare`, and `hangup test --baseline`.

use super::{Desk, Run, assert_fits};
use serde_json::{Value, json};

const BUGGY: &str = "reference/no-deadline";
const BUGGIER: &str = "reference/no-deadline+answers-by-fin";

/// A report in JSON, as a file.
#[track_caller]
fn record(desk: &Desk, target: &str, seed: u64, scripts: u64, file: &str) {
    let run =
        desk.hangup(&format!("test {target} --seed {seed} --scripts {scripts} --format json"));
    assert!(run.code < 2, "{run:?}");
    desk.write(file, run.out);
}

/// What `compare` tells, but for what is too rare to tell: its kinds and rules.
#[track_caller]
fn changes(run: &Run) -> Vec<(String, String)> {
    let json = run.json();
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let changes = json["targets"][0]["changes"].as_array().expect("changes").clone();
    let told = changes.iter().filter(|change| change["change"] != "too rare to tell");
    told.map(|change| (text(&change["change"]), text(&change["invariant"]))).collect()
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn two_versions_that_differ_by_one_bug_differ_by_that_bug_alone() {
    let desk = Desk::new();
    record(&desk, BUGGIER, 1, 5000, "old.json");
    record(&desk, BUGGY, 2, 5000, "new.json");
    let fixed = desk.hangup("compare old.json new.json --format json");
    assert_eq!((fixed.code, &fixed.json()["worse"]), (0, &json!(false)));
    let one = |kind: &str| vec![(kind.to_owned(), "answers-close".to_owned())];
    assert_eq!(changes(&fixed), one("gone"));
    let broken = desk.hangup("compare new.json old.json --format json");
    assert_eq!((broken.code, &broken.json()["worse"]), (1, &json!(true)));
    assert_eq!(changes(&broken), one("new"));
    let change = &broken.json()["targets"][0]["changes"][0];
    assert_eq!((&change["level"], &change["old"]["shown"]), (&json!("must"), &json!(0)));
    assert_eq!(change["script"], "upgrade\nclose\n");
    let text = desk.hangup("compare new.json old.json");
    assert_eq!(text.code, 1);
    assert_fits(&text.out);
    insta::assert_snapshot!(text.out);
}

#[test]
fn the_help_says_what_counts_as_worse() {
    let run = Desk::new().hangup("compare --help");
    assert_fits(&run.out);
    insta::assert_snapshot!(run.out);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn two_runs_with_other_seeds_do_not_differ() {
    for target in ["tungstenite/no-deadline", "tungstenite/read-deadline", BUGGIER] {
        let desk = Desk::new();
        for seed in 1..=4 {
            record(&desk, target, seed, 20_000, &format!("{seed}.json"));
        }
        for (old, new) in [(1, 2), (2, 1), (2, 3), (3, 4), (4, 1)] {
            let run = desk.hangup(&format!("compare {old}.json {new}.json --format json"));
            assert_eq!((run.code, changes(&run)), (0, Vec::new()), "{target}, {old} and {new}");
        }
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn targets_are_compared_by_name_and_those_of_one_run_alone_are_named() {
    let desk = Desk::new();
    let all = "reference reference/split-tasks tungstenite/no-deadline";
    record(&desk, all, 1, 1000, "old.json");
    record(&desk, "reference/cancelled-sends tungstenite/no-deadline", 2, 1000, "new.json");
    let run = desk.hangup("compare old.json new.json");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("tungstenite/no-deadline (tokio-tungstenite 0.30)\nno difference, "));
    let old = "in the old run alone: reference, reference/split-tasks\n";
    assert!(run.out.contains(old), "{run:?}");
    assert!(run.out.contains("in the new run alone: reference/cancelled-sends\n"), "{run:?}");
    record(&desk, "reference", 1, 1000, "alone.json");
    assert_eq!(
        desk.hangup("compare alone.json new.json").refusal(),
        "the two files have no target in common\n"
    );
}

#[test]
fn files_that_are_no_reports_are_refused_in_one_line() {
    let desk = Desk::new();
    record(&desk, "reference", 1, 1, "good.json");
    desk.write("text.json", "3 problems\n");
    desk.write("other.json", "{\"targets\": [{\"name\": \"x\"}]}");
    desk.write("empty.json", "{\"targets\": []}");
    desk.write("none.json", desk.read("good.json").replace("\"scripts\": 1", "\"scripts\": 0"));
    for (file, why) in [
        ("missing.json", "No such file"),
        ("text.json", "not a report of `hangup test`, `probe` or `listen` with `--format json`: "),
        ("other.json", "missing field"),
        ("empty.json", "no target was tested"),
        ("none.json", "no script was played against reference"),
    ] {
        for files in [format!("{file} good.json"), format!("good.json {file}")] {
            let run = desk.hangup(&format!("compare {files}"));
            let refusal = run.refusal();
            assert!(
                refusal.starts_with(&format!("{file}: ")) && refusal.contains(why),
                "{refusal}"
            );
        }
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn what_a_baseline_lists_is_accepted_and_anything_else_is_new() {
    let desk = Desk::new();
    let first = desk.hangup(&format!("test {BUGGY} --scripts 4000 --seed 1 --baseline known.toml"));
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.err.contains("problems recorded as accepted in known.toml"), "{first:?}");
    let baseline = desk.read("known.toml");
    assert!(baseline.contains("\nshown = ") && baseline.contains("\nscripts = 4000\n"));
    // Variants that are too rare for the first run are no news.
    let second =
        desk.hangup(&format!("test {BUGGY} --scripts 4000 --seed 3 --baseline known.toml"));
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.out.contains("accepted: "), "{second:?}");
    assert_eq!(desk.read("known.toml"), baseline, "it is written once");
    // A baseline is that of its targets.
    let renamed = baseline.replace(BUGGY, BUGGIER);
    desk.write("other.toml", &renamed);
    let other = desk.hangup(&format!("test {BUGGY} --scripts 4000 --seed 1 --baseline other.toml"));
    assert_eq!(other.code, 1, "{other:?}");
    let new = desk.hangup(&format!(
        "test {BUGGIER} --scripts 4000 --seed 1 --baseline other.toml --format json"
    ));
    let problems = new.json()["targets"][0]["problems"].clone();
    assert_eq!((new.code, problems.as_array().map(Vec::len)), (1, Some(1)), "{new:?}");
    assert_eq!(problems[0]["invariant"], "answers-close");
}

#[test]
fn a_baseline_of_before_there_were_symptoms_and_rates_accepts_whatever_was_seen() {
    let desk = Desk::new();
    record(&desk, BUGGY, 1, 4000, "run.json");
    let report: Value = serde_json::from_str(&desk.read("run.json")).expect("JSON");
    let findings = report["targets"][0]["findings"].as_array().expect("findings");
    let entry = |finding: &Value| {
        let rule = finding["invariant"].as_str().expect("a rule");
        format!("[[accepted]]\ninvariant = {rule:?}\nsentence = \"It hangs.\"\n")
    };
    let entries: Vec<String> = findings.iter().map(entry).collect();
    desk.write("known.toml", format!("format = 1\n{}", entries.concat()));
    let run = desk.hangup(&format!(
        "test {BUGGY} --scripts 4000 --seed 1 --baseline known.toml --format json"
    ));
    assert_eq!((run.code, &run.json()["targets"][0]["jumps"]), (0, &json!([])), "{run:?}");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_baseline_that_is_seen_ten_times_as_often_as_recorded_is_reported() {
    let desk = Desk::new();
    let target = "reference/answers-by-fin";
    let first = desk.hangup(&format!("test {target} --seed 1 --baseline known.toml"));
    assert_eq!(first.code, 0, "{first:?}");
    let tenth = |line: &str| match line.strip_prefix("shown = ") {
        Some(shown) => format!("shown = {}", shown.parse::<u64>().expect("a count") / 10),
        None => line.to_owned(),
    };
    let lines: Vec<String> = desk.read("known.toml").lines().map(tenth).collect();
    desk.write("known.toml", lines.join("\n"));
    let run = desk.hangup(&format!("test {target} --seed 2 --baseline known.toml"));
    assert_eq!(run.code, 1, "it is a must: {run:?}");
    assert_fits(&run.out);
    let text = run.out.replace("\n  ", " ");
    assert!(text.contains(
        "far more often than accepted: `answers-close (does not answer an empty Close)` (must)"
    ));
    assert!(text.contains("; in the baseline it was "), "{text}");
    let json = desk.hangup(&format!("test {target} --seed 2 --baseline known.toml --format json"));
    let jumps = json.json()["targets"][0]["jumps"].clone();
    assert_eq!((json.code, &jumps[0]["level"]), (1, &json!("must")), "{jumps}");
}

/// The two counts of the case behind this: an accepted deviation hid that every Close with a code
/// failed.
#[test]
fn an_accepted_deviation_that_shows_more_often_is_reported() {
    let desk = Desk::new();
    let report = |fired: u64, level: &str| {
        json!({"targets": [{
            "name": "mine", "version": "-", "scripts": 100_000, "problems": [], "findings": [],
            "accepted": [{
                "invariant": "answers-close", "cause": "the client's Close", "condition": null,
                "fired": fired, "level": level, "reason": "one odd code", "rfc": "-",
            }],
        }]})
        .to_string()
    };
    desk.write("old.json", report(205, "must"));
    desk.write("new.json", report(7_484, "must"));
    let run = desk.hangup("compare old.json new.json");
    assert_eq!(run.code, 1);
    let line = "accepted, more often: answers-close: the client's Close (must)\n     \
                old: 205 of 100,000 scripts (0.21 %); new: 7,484 of 100,000 scripts (7.5 %)\n";
    assert!(run.out.contains(line), "{run:?}");
    assert_eq!(desk.hangup("compare new.json old.json").code, 0, "fewer is no harm");
    desk.write("new.json", report(7_484, "should"));
    let run = desk.hangup("compare old.json new.json");
    assert_eq!(run.code, 0, "no must");
    assert!(run.out.contains("accepted, more often"), "{run:?}");
    desk.write("new.json", report(300, "must"));
    let run = desk.hangup("compare old.json new.json --format json");
    assert_eq!((run.code, changes(&run)), (0, Vec::new()), "not far more often");
}
