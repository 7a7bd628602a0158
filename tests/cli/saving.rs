//! Findings that cannot be saved: they are still told, and no file is left in part.

use crate::cli::{BUGGY, CAMPAIGN, Desk, HANG, NEW_FOLDER, QUICK, REPRO};

#[test]
fn a_finding_that_cannot_be_saved_is_still_printed_and_named_on_stderr() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path(REPRO).join("in the way")).expect("made");
    let run = desk.hangup(&format!("{CAMPAIGN} --format json"));
    let json = run.json();
    let problems = json["targets"][0]["problems"].as_array().expect("problems");
    assert_eq!((run.code, problems.len() > 2), (1, true), "{run:?}");
    let unsaved: Vec<_> = problems.iter().filter(|problem| problem["repro"].is_null()).collect();
    let named = ["invariant", "symptom"].map(|name| unsaved[0][name].as_str().expect("a word"));
    let mut lines = run.err.lines().filter(|line| line.starts_with("error: not saved: "));
    let line = lines.next().expect("a line");
    assert!(named.iter().all(|name| line.contains(name)) && line.contains(REPRO), "{run:?}");
    assert_eq!((unsaved.len(), lines.next()), (1, None), "{run:?}");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_full_disk_leaves_no_part_of_a_file_and_the_earlier_ones_untouched() {
    let desk = Desk::new();
    let full =
        |command: &str| desk.sh(&format!("trap '' XFSZ; ulimit -f 1; exec hangup {command}"));
    let first = full(QUICK);
    assert_eq!((first.code, desk.files("hangup-findings").len()), (1, 0), "{first:?}");
    desk.hangup(CAMPAIGN);
    desk.write(REPRO, "an earlier one");
    let before = desk.files("hangup-findings");
    let told = format!("error: {} problems not saved in hangup-findings: File too", before.len());
    assert_eq!(first.err.matches(&told).count(), 1, "{first:?}");
    assert!(first.out.contains(&format!(": {} problems, 200", before.len())), "{first:?}");
    assert_eq!((full(QUICK).code, desk.files("hangup-findings")), (1, before.clone()));
    desk.write("hang.script", HANG);
    let shrunk = full(&format!("shrink hang.script --target {BUGGY}"));
    assert_eq!((shrunk.out.as_str(), desk.files("hangup-findings")), (HANG, before));
    assert!(shrunk.code != 0 && shrunk.err.contains("not saved: ends-in-time"), "{shrunk:?}");
}

#[test]
fn one_file_that_cannot_be_written_does_not_keep_the_others_from_it() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.path(REPRO).join("in the way")).expect("made");
    let run = desk.hangup(CAMPAIGN);
    assert_eq!((run.code, run.err.matches("not saved: ").count()), (1, 1), "{run:?}");
    assert!(run.err.contains("; client: silent; end: never") && run.err.contains(REPRO), "{run:?}");
    let files = desk.files("hangup-findings").into_keys().collect::<Vec<_>>();
    assert!(files.len() > 2 && !files.iter().any(|name| name.starts_with('.')), "{files:?}");
}

#[test]
fn a_folder_that_is_made_for_findings_ignores_them_and_one_that_is_there_stays_as_it_is() {
    let ignored = |desk: &Desk, folder: &str| {
        std::fs::read_to_string(desk.path(folder).join(".gitignore")).ok()
    };
    let desk = Desk::new();
    let made = desk.hangup(&format!("{CAMPAIGN} --findings a/b"));
    assert_eq!(made.err, NEW_FOLDER.replace("hangup-findings", "a/b"), "{made:?}");
    assert!(ignored(&desk, "a/b").is_some_and(|text| text.ends_with("\n*\n")));
    assert_eq!(ignored(&desk, "a"), None);
    std::fs::create_dir(desk.path("mine")).expect("made");
    let there = desk.hangup(&format!("{CAMPAIGN} --findings mine"));
    assert_eq!((there.err.as_str(), ignored(&desk, "mine")), ("", None), "{there:?}");
    desk.write("hang.script", HANG);
    desk.hangup(&format!("shrink hang.script --target {BUGGY}"));
    assert!(ignored(&desk, "hangup-findings").is_some());
}

#[test]
fn a_clean_run_makes_no_folder() {
    let desk = Desk::new();
    assert_eq!(desk.hangup("test reference --scripts 200 --seed 1").code, 0);
    assert!(!desk.path("hangup-findings").exists());
}

#[test]
fn shrink_replaces_the_file_that_it_was_given_and_no_other_findings() {
    let desk = Desk::with_repro();
    let before = desk.read(REPRO).replacen("runtime-seed = ", "runtime-seed = 7", 1);
    desk.write(REPRO, &before);
    desk.write("hang.script", HANG);
    let second = REPRO.replace(".toml", "--2.toml");
    for _ in 0..2 {
        let run = desk.hangup(&format!("shrink hang.script --target {BUGGY}"));
        assert!(run.err.contains(&format!("saved as {second}")), "{run:?}");
        assert_eq!(desk.read(REPRO), before, "it is another run's");
    }
    let run = desk.hangup(&format!("shrink {REPRO}"));
    assert!(run.err.contains(&format!("saved as {REPRO}")), "{run:?}");
}
