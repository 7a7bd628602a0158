//! `--html`, `--svg`, `hangup report`, and what CI is shown: what is in the files, that every command in
//! them works when it is pasted, and that nothing that is found changes by them.

use crate::cli::{BUGGY, CAMPAIGN, Desk, HANG, REPRO};

/// The commands of a page, as they are pasted from it.
fn commands(html: &str) -> Vec<String> {
    let blocks = html.split("<pre tabindex=\"0\" aria-label=\"").skip(1);
    let code = blocks.filter(|block| !block.starts_with("Script"));
    let code = code.filter_map(|block| block.split("<code>").nth(1)?.split("</code>").next());
    let plain = |code: &str| {
        code.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    };
    code.map(plain).collect()
}

#[test]
fn a_page_has_every_problem_and_its_commands_work_when_they_are_pasted() {
    let desk = Desk::new();
    let run = desk.sh(&format!(
        "hangup {CAMPAIGN} reference reference/drops-at-close --no-confirm --findings \"what's found\" --html page.html --format json"
    ));
    assert_eq!(run.code, 1, "{run:?}");
    let html = desk.read("page.html");
    let targets = run.json()["targets"].as_array().expect("targets").clone();
    let problems =
        targets.iter().flat_map(|target| target["problems"].as_array().expect("problems"));
    let mut count = 0;
    for problem in problems {
        count += 1;
        let sentence = problem["sentence"].as_str().expect("a sentence");
        assert!(html.contains(&sentence.replace('"', "&quot;")), "{sentence}");
    }
    assert_eq!(html.matches("<article ").count(), count);
    assert_eq!(
        html.matches("<svg class=\"d\" viewBox=\"0 0 680").count(),
        count,
        "each with its picture"
    );
    let commands = commands(&html);
    assert!(commands.len() >= 3 * count, "{commands:#?}");
    for command in commands {
        let pasted = desk.sh(&command);
        let expected = i32::from(command.starts_with("hangup replay"));
        assert_eq!((pasted.code, pasted.err.as_str()), (expected, ""), "{command}: {pasted:?}");
    }
    assert!(desk.read("finding.svg").contains("<svg class=\"d\" xmlns="), "an export of a picture");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn nothing_that_is_found_or_saved_changes_by_a_page() {
    let (plain, with) = (Desk::new(), Desk::new());
    let options = "reference/drops-at-close --format json";
    let json = plain.hangup(&format!("{CAMPAIGN} {options}")).without_times();
    let again = with.hangup(&format!("{CAMPAIGN} {options} --html page.html"));
    assert_eq!(json, again.without_times());
    assert_eq!(plain.files("hangup-findings"), with.files("hangup-findings"));
}

#[test]
fn show_and_replay_write_a_page_and_a_picture() {
    let desk = Desk::with_repro();
    let run = desk.hangup(&format!("show {REPRO} --svg it.svg --html show.html"));
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert_eq!(desk.hangup(&format!("replay {REPRO} --html replay.html")).code, 1);
    assert!(desk.read("replay.html").contains("reproduced"), "what it comes to");
    assert!(desk.read("show.html").contains("waits to read, with no timer running"), "the problem");
    let fixed = desk.hangup(&format!("replay {REPRO} --target reference --html fixed.html"));
    assert_eq!(fixed.code, 0, "{fixed:?}");
    let fixed = desk.read("fixed.html");
    assert!(
        fixed.contains("reference: not shown here")
            && fixed.contains("The saved finding: ")
            && fixed.contains("<svg "),
        "{fixed}"
    );
    desk.write("kept.script", "upgrade\nclose 1000\n");
    let kept = desk.hangup("show kept.script --target reference --svg kept.svg --html kept.html");
    assert_eq!(kept.code, 0, "{kept:?}");
    assert!(desk.read("kept.html").contains("The server breaks no rule"), "no problem");
}

#[test]
fn what_cannot_be_judged_is_not_called_kept() {
    let desk = Desk::new();
    desk.write("close.script", "upgrade\nclose 1000\n");
    let on = "--target clock/waits-for-a-thread";
    let show = desk.hangup(&format!("show close.script {on} --html show.html"));
    let replay = desk.hangup(&format!("replay close.script {on} --html replay.html"));
    assert_eq!((show.code, replay.code), (2, 2), "{show:?} {replay:?}");
    for page in ["show.html", "replay.html"] {
        let html = desk.read(page);
        assert!(
            html.contains("not judged") && !html.contains("the server breaks no rule"),
            "{html}"
        );
        let picture = html.split("<figure>").nth(1).expect("a picture");
        assert!(
            !picture.split("</figure>").next().expect("its end").contains("class=\"fine\""),
            "{html}"
        );
    }
}

#[test]
fn a_file_of_a_server_that_is_not_here_is_drawn_the_same() {
    let desk = Desk::with_repro();
    assert_eq!(desk.hangup(&format!("show {REPRO} --svg here.svg")).code, 0);
    desk.edit(&format!("name = \"{BUGGY}\""), "name = \"somebody-else\"");
    let run = desk.hangup("show edited.toml --svg saved.svg --html saved.html");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert_eq!(desk.read("saved.svg"), desk.read("here.svg"));
    let html = desk.read("saved.html");
    assert!(
        html.contains("as it was seen when it was saved") && html.contains("GET / HTTP/1.1"),
        "{html}"
    );
    let commands = commands(&html);
    assert!(commands.iter().all(|command| !command.contains(" replay ")), "{commands:?}");
    for command in commands {
        let pasted = desk.sh(&command.replacen(env!("CARGO_BIN_EXE_hangup"), "hangup", 1));
        assert_eq!(pasted.code, 0, "{command}: {pasted:?}");
    }
}

#[test]
fn several_runs_stand_side_by_side_with_the_pictures_of_their_files() {
    let desk = Desk::new();
    for (name, targets) in
        [("a", "reference/drops-at-close reference"), ("b", "reference tungstenite/no-deadline")]
    {
        let run = desk.hangup(&format!(
            "test {targets} --scripts 200 --seed 1 --findings {name} --format json"
        ));
        desk.write(&format!("{name}.json"), run.out);
    }
    let run = desk.hangup("report a.json b.json --html all.html --markdown all.md");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert!(run.out.contains("problems in 2 of 3 targets"), "{run:?}");
    let (html, markdown) = (desk.read("all.html"), desk.read("all.md"));
    let matrix = html.split("<table class=\"matrix\">").nth(1).expect("a matrix");
    let matrix = matrix.split("</table>").next().expect("its end");
    for part in
        ["reference (a.json)", "reference (b.json)", ">never</a>", ">broken</a>", "unseen\">kept"]
    {
        assert!(matrix.contains(part), "{part} in {matrix}");
    }
    assert_eq!(
        html.matches("<article ").count(),
        html.matches("<svg class=\"d\" viewBox=\"0 0 680").count()
    );
    assert!(markdown.contains("| reference (a.json) | 200 | \u{2713} clean |"), "{markdown}");
    // Without the files it says less, and is a page all the same; a file that was written anew since
    // is about something else.
    std::fs::remove_dir_all(desk.path("a")).expect("removed");
    for (file, text) in desk.files("b") {
        let text =
            String::from_utf8(text).expect("text").replacen("upgrade\n", "upgrade\nping\n", 1);
        desk.write(&format!("b/{file}"), text);
    }
    assert_eq!(desk.hangup("report a.json b.json --html less.html").code, 0);
    let less = desk.read("less.html");
    assert!(
        !less.contains("<svg class=\"d\" viewBox=\"0 0 680") && less.contains("<article "),
        "{less}"
    );
}

#[test]
fn a_survey_takes_targets_of_one_name_for_runs_of_one_server() {
    let desk = Desk::new();
    let run = desk.hangup(&format!("{CAMPAIGN} reference reference/drops-at-close --format json"));
    desk.write("one.json", &run.out);
    let mut other = run.json();
    let targets = other["targets"].as_array_mut().expect("targets");
    let buggy = targets.iter_mut().find(|target| target["name"] == BUGGY).expect("it");
    let problems = buggy["problems"].as_array_mut().expect("problems");
    let gone = problems.remove(0);
    problems[0]["url"] = "ws://127.0.0.1:1234/bye".into();
    desk.write("two.json", other.to_string());
    desk.write("about.txt", "A first\nparagraph.\n\n\nAnd | a second.\n");
    let line = "report two.json one.json --survey --title Closing --about about.txt --fact Date=today --fact a=b=c";
    let run = desk.hangup(&format!("{line} --html it.html --markdown it.md"));
    assert_eq!((run.code, run.err.as_str(), run.out.as_str()), (0, "", "Closing\n"), "{run:?}");
    let (html, markdown) = (desk.read("it.html"), desk.read("it.md"));
    assert_eq!(html.matches("(flaky, in 1 of 2 runs)").count(), 2, "its cell, and its row: {html}");
    assert_eq!(markdown.matches("*(flaky, in 1 of 2 runs)*").count(), 1, "{markdown}");
    let symptom = gone["symptom"].as_str().expect("a symptom");
    assert!(
        html.contains(&format!("<td>{symptom} <em>(flaky, in 1 of 2 runs)</em></td>")),
        "{html}"
    );
    assert!(html.contains("<td>/bye</td>"), "its route");
    for part in [
        "<p>A first paragraph.</p>",
        "<p>And | a second.</p>",
        "<dt>Date</dt><dd>today</dd>",
        "<dd>b=c</dd>",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(!html.contains("<svg") && !html.contains("<dt>Scripts</dt>"), "{html}");
    for part in [
        "# Closing\n\nA first paragraph.\n\nAnd \\| a second.\n",
        "* Date: today\n",
        "* `ends-in-time`: ",
        "| reference |",
    ] {
        assert!(markdown.contains(part), "{part} in {markdown}");
    }
    let width = |line: &str| line.replace("\\|", "").matches('|').count();
    let tables = markdown.split("\n\n").filter(|part| part.starts_with("| server"));
    for table in tables {
        assert!(
            table.lines().all(|row| width(row) == width(table.lines().next().unwrap_or(row))),
            "{table}"
        );
    }
    let bad = desk.hangup("report one.json --html a.html --survey --fact Date");
    assert!(bad.code == 2 && bad.err.contains("expected NAME=TEXT"), "{bad:?}");
    let alone = desk.hangup("report one.json --html a.html --title x");
    assert!(alone.code == 2 && alone.err.contains("--survey"), "{alone:?}");
}

#[test]
fn what_is_no_report_is_refused_and_no_page_is_left() {
    let desk = Desk::new();
    desk.write("bad.json", "{\"targets\": []}");
    desk.write("none.json", "{\"seed\": 1, \"scripts\": 0, \"targets\": []}");
    let refusal = |line: &str| desk.hangup(line).refusal().to_owned();
    assert!(
        refusal("report bad.json --html a.html")
            .starts_with("bad.json: not a report of `hangup test")
    );
    assert_eq!(refusal("report none.json --html a.html").trim(), "none.json: no target was tested");
    assert!(refusal("report absent.json --html a.html").starts_with("absent.json: "), "named");
    let nowhere = desk.hangup("report none.json");
    assert!(nowhere.code == 2 && nowhere.err.contains("--html <FILE>"), "{nowhere:?}");
    desk.write("hang.script", HANG);
    let run = desk.hangup(&format!("show hang.script --target {BUGGY} --svg ."));
    assert!(run.code == 2 && run.err.contains("error: --svg .: "), "{run:?}");
    assert!(desk.files("").keys().all(|file| !file.ends_with("html")), "{:?}", desk.files(""));
}

#[test]
fn ci_is_told_by_annotations_and_by_its_jobs_summary() {
    let desk = Desk::new();
    desk.write("summary.md", "before\n");
    let line = format!("GITHUB_STEP_SUMMARY=summary.md hangup {CAMPAIGN} --no-confirm");
    let run = desk.sh(&format!("{line} --format github"));
    assert_eq!(run.code, 1, "{run:?}");
    let annotations: Vec<&str> = run.out.lines().filter(|line| line.starts_with("::")).collect();
    let problems =
        run.out.lines().filter(|line| line.starts_with("  ") && line.contains(". ends-in-time"));
    assert!(annotations.len() >= problems.count() && annotations.len() > 1, "{run:?}");
    let title = "::error title=tungstenite/no-deadline%3A ends-in-time (should)%3A waits to read%2C with no timer running::";
    let first = annotations[0].strip_prefix(title).unwrap_or_else(|| panic!("{annotations:?}"));
    assert!(first.contains("%0A%0Aupgrade%0Aapp close%0A%0Ahangup show "), "{first}");
    assert!(run.out.contains("\n  1. ends-in-time (should)"), "people read it too: {run:?}");
    let once = desk.read("summary.md");
    assert!(once.starts_with("before\n## hangup: "), "{once}");
    for part in
        ["| tungstenite/no-deadline | 200 |", "```text\nupgrade\napp close\n```", "hangup show "]
    {
        assert!(once.contains(part), "{part} in {once}");
    }
    assert_eq!(desk.sh(&line).code, 1);
    assert_eq!(desk.read("summary.md").matches("## hangup: ").count(), 2);
    let nowhere = desk.sh(&format!("GITHUB_STEP_SUMMARY=. hangup {CAMPAIGN} --no-confirm"));
    assert!(nowhere.code == 2 && nowhere.err.contains("GITHUB_STEP_SUMMARY, .: "), "{nowhere:?}");
}

#[test]
fn junit_has_the_sentence_and_the_script() {
    let desk = Desk::new();
    let run = desk.hangup(&format!("{CAMPAIGN} --junit junit.xml --format json"));
    let junit = desk.read("junit.xml");
    for problem in run.json()["targets"][0]["problems"].as_array().expect("problems") {
        for part in ["sentence", "script"] {
            let text =
                problem[part].as_str().expect(part).replace('&', "&amp;").replace('"', "&quot;");
            assert!(junit.contains(&text), "{text} in {junit}");
        }
    }
}
