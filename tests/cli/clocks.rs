//! Servers whose time is not tokio's at the command line: nothing is called a finding that virtual
//! time cannot tell, nor is anything called clean.

use crate::cli::{Desk, NEW_FOLDER, assert_fits};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The words of a text, however they are wrapped.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_server_that_waits_for_threads_cannot_be_judged_and_is_not_clean() {
    let desk = Desk::new();
    let run = desk.confirming("test clock/waits-for-a-thread --scripts 60 --seed 1");
    assert_eq!((run.code, run.err.as_str()), (2, ""), "nothing is left to confirm: {run:?}");
    assert!(run.out.contains(": not judged, 60 scripts"), "{run:?}");
    assert_fits(&run.out);
    let said = words(&run.out);
    assert!(said.contains("cannot be judged in virtual time: ends-in-time"), "{said}");
    assert!(said.contains("a thread that the server started still runs"), "{said}");
    for command in ["serve clock/waits-for-a-thread --listen 127.0.0.1:", "probe ws://127.0.0.1:"] {
        assert!(said.contains(&format!("hangup {command}")), "{said}");
    }
    assert!(said.contains("0 problems in 0 of 1 target, 1 not judged: 60 scripts"), "{said}");
    assert!(desk.files("hangup-findings").is_empty());
}

#[test]
fn what_cannot_be_judged_is_in_the_report_for_machines_for_any_number_of_workers() {
    let unproven = |jobs: u32| -> Vec<Value> {
        let line = "test clock/waits-for-a-thread --scripts 60 --seed 1 --format json";
        let run = Desk::new().confirming(&format!("{line} --jobs {jobs}"));
        assert_eq!(run.code, 2, "{run:?}");
        let json = run.json();
        assert_eq!(json["targets"][0]["problems"], json!([]));
        json["targets"][0]["unproven"].as_array().expect("a list").clone()
    };
    let one = unproven(1);
    // In how many scripts depends on the threads that the server starts, and so on the machine.
    let rules = |found: &[Value]| -> BTreeSet<String> {
        found.iter().map(|what| what["invariant"].to_string()).collect()
    };
    assert_eq!(rules(&one), rules(&unproven(3)));
    let ends = one.iter().find(|what| what["invariant"] == "ends-in-time").expect("one about that");
    assert_eq!(ends["threads"], "a thread that the server started still runs");
    assert!(ends["ended_in_real_time"] == false && ends["shown"].as_u64() > Some(0), "{ends}");
}

#[test]
fn a_replay_and_a_picture_of_what_cannot_be_judged_say_so() {
    let desk = Desk::new();
    desk.write("close.script", "upgrade\nclose 1000\n");
    for command in ["replay", "show", "shrink"] {
        let run = desk.hangup(&format!("{command} close.script --target clock/waits-for-a-thread"));
        assert_eq!(run.code, 2, "{run:?}");
        let said = words(&run.out);
        assert!(said.contains("not judged on clock/waits-for-a-thread"), "{said}");
        assert!(
            said.contains("`hangup probe`") && !said.contains("the server breaks no rule"),
            "{said}"
        );
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_server_that_waits_by_the_systems_clock_is_found_out_in_real_time() {
    let desk = Desk::new();
    let line = "test clock/reads-the-systems --scripts 40 --seed 1";
    let run = desk.confirming(line);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("in real time, up to 10 s"), "{run:?}");
    let said = words(&run.out);
    assert!(said.contains("the connection ended in time; the server does not use"), "{said}");
    assert!(said.contains("not judged, 40 scripts") && !said.contains("clean"), "{said}");
    assert!(desk.files("hangup-findings").is_empty(), "what was saved before is gone");
    let without = desk.hangup(line);
    assert_eq!((without.code, without.err.as_str()), (1, NEW_FOLDER), "{without:?}");
}

#[test]
fn what_waits_for_the_blocking_pool_is_judged() {
    let run = Desk::new().confirming("test clock/waits-for-the-pool --scripts 20 --seed 1");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert!(run.out.contains(": clean, 20 scripts"), "{run:?}");
}

#[test]
fn a_true_hang_is_confirmed_in_real_time() {
    let desk = Desk::new();
    let line = "test tungstenite/no-deadline --scripts 200 --seed 1 --close-within 500ms";
    let confirmed = desk.confirming(line);
    assert_eq!(confirmed.code, 1, "{confirmed:?}");
    let (told, rest) =
        confirmed.err.split_once("tungstenite/no-deadline: confirming ").expect("it says");
    assert!(!rest.contains(" by `"), "{confirmed:?}");
    let found = "tungstenite/no-deadline: ends-in-time (waits to read, with no timer running), by \
                 `upgrade; app close`\n";
    assert_eq!(told.matches(found).count(), 1, "{confirmed:?}");
    assert_eq!(confirmed.without_times(), desk.hangup(line).without_times());
}
