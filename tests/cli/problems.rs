//! Problems: what a maintainer mends once, with a table of where it shows.

use crate::cli::{BUGGY, CAMPAIGN, Desk, REPRO, assert_fits};
use hangup::finding::repro::Repro;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn problems(json: &Value) -> &Vec<Value> {
    json["targets"][0]["problems"].as_array().expect("problems")
}

#[test]
fn the_bug_of_the_article_comes_first_of_at_most_seven_problems_those_about_time_with_tables() {
    for seed in [1, 3] {
        let desk = Desk::new();
        let run = desk.hangup(&format!("test {BUGGY} --seed {seed}"));
        assert_eq!(run.code, 1, "{run:?}");
        assert_fits(&run.out);
        let numbered = |number: usize| run.out.contains(&format!("\n  {number}. "));
        let count = (1..100).take_while(|number| numbered(*number)).count();
        assert!((2..=7).contains(&count), "{run:?}");
        assert!(run.out.contains(&format!("\n{count} problems in 1 of 1 target: ")), "{run:?}");
        let tables = run.out.lines().filter(|line| line.starts_with("     cause  ")).count();
        let is_timed = |line: &str| line.starts_with("     cause  ");
        let timed = run.out.split("\n  2. ").next().map(|first| first.lines().any(is_timed));
        assert!(tables >= 2 && timed == Some(true), "{run:?}");
        // Of what the server sends it says nothing how the connection ended.
        let sent = run.out.split(". legal-close (must)").nth(1).expect("one about a Close");
        let sent = sent.split("     more:").next().unwrap_or_default();
        assert!(!sent.lines().any(is_timed) && !sent.contains("by cause"), "{run:?}");
        let first = run.out.split("\n  2. ").next().expect("the first");
        for said in [
            "\n  1. ends-in-time (should): waits to read, with no timer running\n",
            "\n     The server never ends the connection: it waits to read, ",
            "\n         upgrade\n         app close\n\n     seen in ",
        ] {
            assert!(first.contains(said), "{said}: {first}");
        }
        // More conditions than fit side by side stand below, behind the cause again.
        let rows = first.lines().filter(|line| line.starts_with("     the server's own Close "));
        assert_eq!(rows.map(|row| row.matches("never").count()).sum::<usize>(), 5, "{first}");
        assert_eq!(first.matches("hangup show ").count(), 1, "{first}");
        assert_eq!(desk.files("hangup-findings").len(), count);
    }
}

#[test]
fn a_problem_in_json_is_its_headline_with_all_its_variants() {
    let desk = Desk::new();
    let run = desk.hangup(&format!("{CAMPAIGN} --format json"));
    let json = run.json();
    let findings = json["targets"][0]["findings"].as_array().expect("findings");
    let mut variants = 0;
    for problem in problems(&json) {
        let path = problem["repro"].as_str().expect("a path");
        let repro = Repro::parse(&desk.read(path)).expect("a repro");
        let first = problem["first_script"].as_u64().expect("an index");
        let rate = problem["rate"].as_f64().expect("a rate");
        assert!(first < 200 && (1.0 / 200.0..=1.0).contains(&rate), "{problem}");
        let since = problem["ending"]["since_seconds"].as_f64();
        let level = if problem["level"] == "must" { "must" } else { "should" };
        let expected = json!({
            "invariant": repro.identity.invariant(),
            "symptom": repro.identity.symptom(),
            "level": level,
            "class": repro.identity.invariant().rule().class,
            "sentence": repro.sentence,
            "script": repro.script.to_string(),
            "steps": repro.script.steps.len(),
            "ending": {
                "kind": repro.ending, "at_seconds": repro.at_seconds, "since_seconds": since
            },
            "repro": path,
            "flaky": false,
            "shown": (rate * 200.0).round() as u64,
            "rate": rate,
            "first_script": first,
            "variants": problem["variants"],
            "matters": problem["matters"],
        });
        assert_eq!(problem, &expected);
        for variant in problem["variants"].as_array().expect("variants") {
            let symptom = variant.get("symptom").unwrap_or(&problem["symptom"]);
            let is_it = |finding: &&Value| {
                let parts = ["cause", "condition", "ending"];
                finding["invariant"] == problem["invariant"]
                    && finding["symptom"] == *symptom
                    && parts.iter().all(|part| finding[part] == variant[part])
            };
            assert_eq!(findings.iter().filter(is_it).count(), 1, "{variant}");
            variants += 1;
        }
    }
    assert_eq!(variants, findings.len(), "each finding is a variant of one problem");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn problems_do_not_depend_on_the_number_of_jobs() {
    for options in ["", "--all-variants"] {
        let with = |jobs: u32| {
            let desk = Desk::new();
            let campaign = format!("test {BUGGY} --scripts 3000 --seed 2 --format json");
            let run = desk.hangup(&format!("{campaign} --jobs {jobs} {options}"));
            (run.without_times(), desk.files("hangup-findings"))
        };
        let alone = with(1);
        assert_eq!(with(2), alone, "{options}");
        assert_eq!(with(5), alone, "{options}");
    }
}

#[test]
fn every_variant_is_shrunk_and_saved_only_where_that_is_asked_for() {
    let saved = |options: &str| {
        let desk = Desk::new();
        let json = desk.hangup(&format!("{CAMPAIGN} --format json {options}")).json();
        let findings = json["targets"][0]["findings"].as_array().expect("findings").clone();
        let files: BTreeSet<String> = desk.files("hangup-findings").into_keys().collect();
        (problems(&json).len(), findings, files)
    };
    let (few, variants, files) = saved("");
    assert_eq!(files.len(), few);
    assert!(variants.len() > few && files.contains(REPRO.split_once('/').expect("a file").1));
    let (same, all, more) = saved("--all-variants");
    assert_eq!((same, more.len()), (few, all.len()));
    assert!(more.is_superset(&files), "{files:?} {more:?}");
    let long = |findings: &[Value]| {
        findings.iter().filter_map(|finding| finding["steps"].as_u64()).max().expect("some")
    };
    assert!(long(&all) < long(&variants), "{all:?}");
    for finding in &all {
        assert!(finding["repro"].is_string(), "{finding}");
    }
}
