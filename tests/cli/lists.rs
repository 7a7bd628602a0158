//! `targets`, `rules`, `explain` and the helps: complete, and within 80 columns.

use crate::cli::{ALL, Desk, planted};
use hangup::verdict::Invariant;

const COMMANDS: [&str; 13] = [
    "test", "report", "replay", "shrink", "show", "probe", "listen", "connect", "export", "serve",
    "targets", "rules", "explain",
];

#[test]
fn targets_lists_every_target_with_its_bounds() {
    let run = Desk::new().hangup("targets");
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let lines = run.out.lines().filter(|line| line.contains('/') || line.contains("  ("));
    let names =
        lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    let names: Vec<&str> = names.collect();
    let (clients, servers): (Vec<&str>, Vec<&str>) =
        names.iter().partition(|name| **name == "reference-client");
    assert_eq!(servers, [ALL.map(str::to_owned).to_vec(), planted()].concat());
    assert_eq!(clients.len(), 1, "the honest client is listed, and not tested by default");
    let bounds = run.out.matches("bounds: close within 5 s").count();
    assert_eq!(bounds, ALL.len() + 1, "{run:?}");
}

#[test]
fn every_rule_is_listed_and_explained() {
    let desk = Desk::new();
    let run = desk.hangup("rules");
    let lines = run.out.lines().filter(|line| !line.starts_with(' '));
    let ids: Vec<&str> = lines.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids, Invariant::ALL.iter().map(|invariant| invariant.id()).collect::<Vec<_>>());
    for id in &ids {
        let run = desk.hangup(&format!("explain {id}"));
        let rule = Invariant::from_id(id).expect("a rule").rule();
        for symptom in rule.symptoms {
            assert!(run.out.contains(&format!("\n  {symptom}\n")), "{run:?}");
        }
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
        assert!(run.out.starts_with(id) && run.out.lines().count() > 4, "{run:?}");
    }
    let older = desk.hangup("explain lets-the-polite-finish");
    assert_eq!(older.out, desk.hangup("explain waits-for-answer").out);
    assert_eq!(desk.hangup("invariants").out, run.out, "its older name");
    let unknown = desk.hangup("explain ends-on-time");
    let said = unknown.refusal().trim_end();
    assert!(said.contains("the nearest are: `ends-in-time`, "), "{said}");
    assert!(said.ends_with("the command `explain` lists all"), "{said}");
}

#[test]
fn explain_lists_what_it_knows_and_explains_words_and_symptoms() {
    let desk = Desk::new();
    let list = desk.hangup("explain");
    assert_eq!((list.code, list.err.as_str()), (0, ""), "{list:?}");
    for known in ["notation", "glossary", "ends-in-time", "not reading", "horizon"] {
        assert!(list.out.contains(known), "{known}: {list:?}");
        let run = desk.sh(&format!("hangup explain '{known}'"));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    }
    let word = desk.hangup("explain SLACK").out;
    assert!(word.starts_with("slack (Time)\n\nover TCP, time added"), "{word}");
    // By an older name.
    assert!(
        desk.hangup("explain deaf")
            .out
            .starts_with("not reading (Conditions: what the other end does")
    );
    assert!(desk.hangup("explain frames-well").out.starts_with("sends-valid-frames ("));
    let symptom = desk.sh("hangup explain 'sends a second Close'").out;
    assert!(symptom.contains("The server sends a Close after its Close"), "{symptom}");
    assert!(symptom.contains("A symptom of closes-once;"), "{symptom}");
    let of_a_client = desk.sh("hangup explain \"the client's own Close\"").out;
    assert!(of_a_client.starts_with("the client's own Close: of a client under test;"));
    assert!(of_a_client.contains("the server's own Close (Causes: what obliges"), "{of_a_client}");
    let symptom = desk.sh("hangup explain 'waits to red, with no timer running'");
    assert!(
        symptom.refusal().contains("are: `waits to read, with no timer running`"),
        "{symptom:?}"
    );
    let part = desk.hangup("explain up");
    assert!(part.refusal().starts_with("no rule, word or symptom `up`"), "{part:?}");
}

#[test]
fn every_list_is_at_most_80_columns_wide() {
    let desk = Desk::new();
    let explained = Invariant::ALL.iter().map(|invariant| format!("explain {invariant}"));
    for list in explained.chain(["targets".to_owned(), "rules".to_owned(), "explain".to_owned()]) {
        let out = desk.hangup(&list).out;
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{list}:\n{out}");
    }
}

#[test]
fn every_command_has_a_help_of_at_most_80_columns() {
    let desk = Desk::new();
    let helps = COMMANDS.iter().flat_map(|name| [format!("{name} --help"), format!("help {name}")]);
    for help in helps.chain(["--help".to_owned(), "-h".to_owned(), "help".to_owned()]) {
        let run = desk.sh(&format!("COLUMNS=200 hangup {help}"));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{help}: {run:?}");
        assert!(run.out.contains("Usage: hangup"), "{help}: {run:?}");
        assert!(run.out.lines().all(|line| line.chars().count() <= 80), "{help}: {run:?}");
    }
    let help = desk.hangup("--help").out;
    assert!(COMMANDS.iter().all(|name| help.contains(&format!("\n  {name} "))), "{help}");
}

#[test]
fn the_help_of_a_campaign_over_tcp_speaks_of_no_file_and_that_of_a_client_of_no_shutdown() {
    let desk = Desk::new();
    for command in ["probe", "listen"] {
        let run = desk.hangup(&format!("{command} --help"));
        let said = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("[default: 5s]") && !said.contains("of the file"), "{said}");
        assert!(!said.contains("a finding of `listen`") && !said.contains("need it for files"));
        assert_eq!(said.contains("--shutdown-within <TIME>"), command == "probe", "{said}");
    }
}
