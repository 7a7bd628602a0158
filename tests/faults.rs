//! The judge bites: every planted fault of a server or a client shows the problems that it declares, and no
//! other, and every rule and every symptom has a fault that shows it. `docs/rules.md` is made of the
//! same campaigns.

use crate::target::whole_servers;
use hangup::Target;
use hangup::finding::Finding;
use hangup::finding::problem::by_problem;
use hangup::generate::GeneratorConfig;
use hangup::run::campaign::Campaign;
use hangup::run::virtual_time::play_and_judge;
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::target::reference::server::faulty::ServerFault;
use hangup::target::reference_client::ReferenceClient;
use hangup::target::reference_client::faults::ClientFault;
use hangup::verdict::{Cause, Condition, Identity, Invariant, Problem, Symptom};
use hangup::wire::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Enough for the rarest cell of the matrix; `cargo bench --bench detection` says how
/// many it takes to catch a fault at all.
const SCRIPTS: u64 = 14_000;

/// What the long form plays where these have shown all that the fault declares, which is nearly everywhere.
/// With `HANGUP_FULL` set it plays all of them against each, which takes twice the time and looks longer for
/// what is not declared.
const MOSTLY: u64 = 5_000;

/// How many the short form plays against every fault.
const AT_LEAST: u64 = 100;

/// A planted fault of a connection's server or client.
struct Fault {
    target: Arc<dyn Target>,
    about: &'static str,
    /// The class of bugs that it stands for; a client's stands for none.
    class: Option<char>,
    shows: &'static [Problem],
}

impl Fault {
    /// Those of servers, and those of clients.
    fn all() -> Vec<Self> {
        let servers = PlantedFault::ALL.iter().map(|fault| Self {
            target: Arc::new(Reference::with(*fault)),
            about: fault.about(),
            class: Some(fault.class()),
            shows: fault.shows(),
        });
        let clients = ClientFault::ALL.iter().map(|fault| Self {
            target: Arc::new(ReferenceClient::with(*fault)),
            about: fault.about(),
            class: None,
            shows: fault.shows(),
        });
        servers.chain(clients).collect()
    }

    fn declared(&self) -> BTreeSet<Problem> {
        self.shows.iter().copied().collect()
    }

    fn breaks(&self, rule: Invariant) -> bool {
        self.shows.iter().any(|problem| problem.invariant() == rule)
    }

    fn name(&self) -> &str {
        self.target.name()
    }
}

/// The problems that a campaign finds, each with its shortest script.
type Broken = BTreeMap<Problem, String>;

fn broken(fault: &Fault) -> Broken {
    let in_full = std::env::var_os("HANGUP_FULL").is_some();
    let first = if in_full { SCRIPTS } else { MOSTLY };
    let found = found_by(&fault.target, first);
    let is_missed = |problem| !found.contains_key(problem);
    if first < SCRIPTS && fault.shows.iter().any(is_missed) {
        return found_by(&fault.target, SCRIPTS);
    }
    found
}

fn found_by(target: &Arc<dyn Target>, scripts: u64) -> Broken {
    let campaign =
        Campaign { bounds: target.bounds(), seed: 1, scripts: Some(scripts), all_variants: true };
    let mut findings = campaign.run(target, |_| ControlFlow::Continue(())).findings;
    findings.extend(campaign.look_at_work(target));
    let problems = by_problem(findings, |finding| finding.violation.identity);
    let shortest = |(problem, findings): (Problem, Vec<Finding>)| {
        let shrunk = findings.iter().filter(|finding| finding.shrunk);
        let scripts = shrunk.map(|finding| finding.script.to_string());
        let script = scripts.min_by_key(|script| script.lines().count());
        let script = script.expect("one of each problem is shrunk");
        let is_measured = problem.invariant() == Invariant::LinearWork;
        (problem, if is_measured { without_sizes(&script) } else { script })
    };
    problems.into_iter().map(shortest).collect()
}

/// The script of a finding that is measured: how many bytes show it depends on the machine.
fn without_sizes(script: &str) -> String {
    let mut out = String::new();
    for character in script.replace("MiB", "KiB").chars() {
        match character {
            digit if digit.is_ascii_digit() && out.ends_with('N') => {}
            digit if digit.is_ascii_digit() => out.push('N'),
            other => out.push(other),
        }
    }
    out
}

/// `work` on each of `items`; the results in their order.
pub fn on_all_cores<T: Sync, R: Clone + Default + Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![R::default(); items.len()]);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    let result = work(item);
                    done.lock().expect("no campaign panicked")[index] = result;
                }
            });
        }
    });
    done.into_inner().expect("no campaign panicked")
}

/// The short form of the matrix below: nothing is shrunk, and each fault is played until
/// one of its rules shows.
#[test]
fn every_fault_is_caught_and_no_problem_shows_that_it_does_not_declare() {
    let faults = Fault::all();
    let all = on_all_cores(&faults, |fault| {
        let target = &fault.target;
        let (bounds, app, subject) = (target.bounds(), target.obeys(), target.role());
        let config = GeneratorConfig { bounds, app, subject, ..GeneratorConfig::default() };
        let mut found = BTreeSet::new();
        if fault.breaks(Invariant::LinearWork) {
            let campaign = Campaign { bounds, seed: 1, scripts: Some(0), all_variants: false };
            let findings = campaign.look_at_work(target);
            found.extend(findings.iter().map(|finding| finding.violation.identity.problem()));
        }
        for index in 0..SCRIPTS {
            if index >= AT_LEAST && !found.is_empty() {
                break;
            }
            let (_, verdict) = play_and_judge(target, &bounds, &config.nth(1, index), index);
            found.extend(verdict.violations.iter().map(|violation| violation.identity.problem()));
        }
        found
    });
    for (fault, found) in faults.iter().zip(all) {
        let declared = fault.declared();
        // What is a mere case of a problem may come before it.
        let is_declared = |problem: &&Problem| {
            declared.contains(*problem)
                || problem.case_of().any(|plainer| declared.contains(&plainer))
        };
        let target = fault.name();
        assert!(!found.is_empty(), "{target}: not caught by {SCRIPTS} scripts");
        assert!(
            found.iter().all(|problem| is_declared(&problem)),
            "{target}: declared {declared:?}, found {found:?}"
        );
    }
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn every_fault_shows_the_problems_that_it_declares_and_no_other() {
    let faults = Fault::all();
    let all = on_all_cores(&faults, broken);
    let mut wrong = Vec::new();
    for (fault, found) in faults.iter().zip(&all) {
        let declared = fault.declared();
        if found.keys().copied().collect::<BTreeSet<_>>() != declared {
            wrong.push(format!("{}: declared {declared:?}, found {found:#?}", fault.name()));
        }
    }
    println!("{}", matrix(&faults, &all));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let cells: Vec<String> =
        faults.iter().zip(&all).flat_map(|(fault, found)| cells(fault, found)).collect();
    insta::assert_snapshot!(cells.concat());
    is_fresh("docs/rules.md", &document(&faults, &all));
}

/// A line for each cell of the matrix, with its script.
fn cells(fault: &Fault, found: &Broken) -> Vec<String> {
    let line = |(problem, script): (&Problem, &String)| {
        let script = script.trim_end().replace('\n', "; ");
        format!("{:38} {problem}\n{:40}{script}\n", fault.name(), "")
    };
    found.iter().map(line).collect()
}

/// The matrix as people look at it: a row a fault, a column a rule.
fn matrix(faults: &[Fault], all: &[Broken]) -> String {
    let mut out = String::new();
    for (column, invariant) in Invariant::ALL.iter().enumerate() {
        let bars = "| ".repeat(column);
        writeln!(out, "{:40}{bars}+ {invariant}", "").expect("a string");
    }
    for (fault, found) in faults.iter().zip(all) {
        let marks: Vec<&str> = Invariant::ALL
            .iter()
            .map(|rule| {
                let shown = found.keys().any(|problem| problem.invariant() == *rule);
                if shown { "#" } else { "." }
            })
            .collect();
        writeln!(out, "{:40}{}", fault.name(), marks.join(" ")).expect("a string");
    }
    out
}

/// `docs/rules.md`, whole.
fn document(faults: &[Fault], all: &[Broken]) -> String {
    let mut out = String::from(
        "# The rules\n\n\
         Made by `tests/faults.rs` from the rules, the planted faults and campaigns against them;\n\
         `HANGUP_UPDATE_DOCS=1 cargo test faults -- --ignored` makes it again. `hangup explain ID` says more of each.\n\
         A rule that is asked of servers and clients speaks of an endpoint and its peer. `reference/..` are servers,\n\
         `reference-server/..` whole ones with a listener, `reference-client/..` clients. The kind of bug is a\n\
         letter that [the last table](#the-kinds-of-bugs) explains; `-` is none of those kinds.\n",
    );
    for invariant in Invariant::ALL {
        let rule = invariant.rule();
        write!(
            out,
            "\n## `{invariant}`\n\n{} ({}; {})\n",
            rule.says(None),
            rule.class,
            rule.basis()
        )
        .expect("a string");
        write!(out, "\nAsked of {}.\n", rule.asked_of).expect("a string");
        if let Some((section, quote)) = rule.quote {
            write!(out, "\n> {quote} ({section})\n").expect("a string");
        }
        out.push_str("\n| symptom | planted faults that show it |\n|---|---|\n");
        for symptom in rule.symptoms {
            let problem = Problem::of(*invariant).with_symptom(*symptom);
            let shown = faults.iter().filter(|fault| fault.shows.contains(&problem));
            let whole = ServerFault::ALL.iter().filter(|fault| fault.shows().contains(&problem));
            let names = shown.map(Fault::name).chain(whole.map(|fault| fault.target()));
            let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
            let names =
                if names.is_empty() { elsewhere(*symptom, faults) } else { names.join(", ") };
            writeln!(out, "| {symptom} | {names} |").expect("a string");
        }
        out.push_str("\n| planted fault | kind of bug | what it gets wrong |\n|---|---|---|\n");
        for fault in faults.iter().filter(|fault| fault.breaks(*invariant)) {
            let about = fault.about.split_whitespace().collect::<Vec<_>>().join(" ");
            let class = fault.class.unwrap_or('-');
            writeln!(out, "| `{}` | {class} | {about} |", fault.name()).expect("a string");
        }
        let of_rule = |fault: &&ServerFault| {
            fault.shows().iter().any(|problem| problem.invariant() == *invariant)
        };
        for fault in ServerFault::ALL.iter().filter(of_rule) {
            let about = fault.about().split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(out, "| `{}` | - | {about} |", fault.target()).expect("a string");
        }
        let scripts = faults.iter().zip(all).flat_map(|(fault, found)| {
            let here = found.iter().filter(|(problem, _)| problem.invariant() == *invariant);
            here.map(move |(_, script)| (fault, script))
        });
        if let Some((fault, script)) =
            scripts.min_by_key(|(fault, script)| (fault.shows.len(), script.lines().count()))
        {
            let name = fault.name();
            write!(out, "\nThe shortest script that shows it, on `{name}`").expect("a string");
            if script.is_empty() {
                out.push_str(", is empty: the other end connects, and does nothing.\n");
            } else {
                write!(out, ":\n\n```text\n{script}```\n").expect("a string");
            }
        } else if let Some((fault, .., script)) =
            whole_servers::SHOWN.iter().find(|(_, rule, ..)| rule == invariant)
        {
            let (target, script) = (fault.target(), script.replace("; ", "\n"));
            write!(
                out,
                "\nThe shortest script that shows it, on `{target}`:\n\n```text\n{script}\n```\n"
            )
            .expect("a string");
        }
    }
    out.push_str(CLASSES);
    for class in 'A'..='R' {
        let of_class = faults.iter().filter(|fault| fault.class == Some(class));
        let names: Vec<String> = of_class.map(|fault| format!("`{}`", fault.name())).collect();
        writeln!(out, "| {class} | {} |", names.join(", ")).expect("a string");
    }
    out
}

/// Where a symptom is shown that no planted fault shows under this rule.
fn elsewhere(symptom: Symptom, faults: &[Fault]) -> String {
    let shown =
        |fault: &&Fault| fault.shows.iter().any(|problem| problem.symptom() == Some(symptom));
    match faults.iter().find(shown) {
        Some(_) => "none under this rule".to_owned(),
        None => match not_planted(symptom) {
            Some(why) => format!("none: {why}"),
            None => panic!("no planted fault shows `{symptom}`"),
        },
    }
}

/// Whether a whole server shows it, and no connection.
fn is_of_a_whole_server(symptom: Symptom) -> bool {
    let mut rules = Invariant::ALL.iter().filter(|rule| rule.is_of_a_whole_server());
    rules.any(|rule| rule.rule().symptoms.contains(&symptom))
}

/// Why no planted fault shows a symptom, where none can.
fn not_planted(symptom: Symptom) -> Option<&'static str> {
    Some(match symptom {
        Symptom::StillOpen => "over TCP alone",
        Symptom::ServesTopBit => "such a frame is never whole, so that its rest is waited for",
        Symptom::StandsStill => "`nasty/polls-for-ever`",
        Symptom::ProcessEnds => "`nasty/aborts`",
        Symptom::AllMemory => "`nasty/eats-memory`",
        _ if is_of_a_whole_server(symptom) => {
            "hangup has planted none that shows it in one play of a whole server"
        }
        // Those of which another one is the plainer form are shown by the faults that show it.
        _ if !symptom.case_of().is_empty() => {
            "faults show the plainer symptom, and libraries this case of it"
        }
        _ => return None,
    })
}

const CLASSES: &str = "\n## The kinds of bugs\n\n\
    Seventeen kinds of close bugs in the public trackers of WebSocket servers: A no effective\n\
    deadline; B a deadline that does not cover the write; C one re-armed by traffic; D a reply\n\
    missing, lost or late; E TCP not closed; F a busy loop; G a malformed Close taken, echoed or\n\
    sent; H a valid one refused or misread; I a panic or abort; J data or a second Close after\n\
    Close; K a deadlock, a lost wake-up, a cancelled send; L a leak; M memory without bound; N a\n\
    slow opening; O the seam of the handshake; P a control frame inside a message; Q a wrong code.\n\
    R is not of the trackers: messages that an end loses, cuts, puts out of order or sends twice.\n\n\
    | kind of bug | planted faults |\n|---|---|\n";

/// Whether the file is what it would be if it were made now; makes it where that is asked for.
fn is_fresh(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("HANGUP_UPDATE_DOCS").is_some() {
        std::fs::write(&file, text).expect("docs can be written");
    }
    let now = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        now == text,
        "{path} is stale: HANGUP_UPDATE_DOCS=1 cargo test faults -- --ignored makes it again"
    );
}

#[test]
fn an_honest_server_breaks_none_in_any_style() {
    let styles = Reference::STYLES.map(|style| Arc::new(style) as Arc<dyn Target>);
    for (style, broken) in
        styles.iter().zip(on_all_cores(&styles, |style| found_by(style, SCRIPTS)))
    {
        assert_eq!(broken, Broken::new(), "{}", style.name());
    }
}

#[test]
fn every_rule_every_symptom_and_every_class_of_bugs_has_a_fault() {
    let faults = Fault::all();
    let tripped: BTreeSet<Invariant> =
        faults.iter().flat_map(|fault| fault.shows).map(|problem| problem.invariant()).collect();
    let rules = Invariant::ALL.iter().copied();
    assert_eq!(tripped, rules.filter(|rule| !rule.is_of_a_whole_server()).collect());
    let shown: BTreeSet<Symptom> = faults
        .iter()
        .flat_map(|fault| fault.shows)
        .filter_map(|problem| problem.symptom())
        .collect();
    let unseen = Symptom::ALL.iter().filter(|symptom| !shown.contains(symptom));
    let unseen: Vec<_> = unseen.filter(|symptom| not_planted(**symptom).is_none()).collect();
    assert!(unseen.is_empty(), "no planted fault shows {unseen:?}");
    let classes: BTreeSet<char> = PlantedFault::ALL.iter().map(|fault| fault.class()).collect();
    assert_eq!(classes, ('A'..='R').collect());
}

/// The texts' quotations are those that stand at the code that decides.
#[test]
fn every_quotation_stands_at_the_code_that_decides_it() {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge");
    let mut quoted = String::new();
    let files = [judge.clone(), judge.join("rules")].into_iter().flat_map(|folder| {
        let entries = std::fs::read_dir(folder).expect("sources");
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file())
    });
    for file in files {
        let text = std::fs::read_to_string(file).expect("a source file");
        let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("//#"));
        quoted.extend(lines.flat_map(|line| [line.trim(), " "]));
    }
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let quoted = words(&quoted);
    let said = RECEIVED_AND_SENT.iter().map(|fault| (*fault).to_owned());
    let said: Vec<String> =
        said.chain([1005, 1006, 1015].map(|code| format!("code {code}"))).collect();
    for invariant in Invariant::ALL {
        let rule = invariant.rule();
        let own = rule.quote.map(|(_, quote)| quote);
        let identities = rule.symptoms.iter().flat_map(|symptom| identities(*invariant, *symptom));
        let of_findings = identities.flat_map(|identity| {
            said.iter().filter_map(move |said| hangup::report::quote(identity, said))
        });
        let quotes: BTreeSet<&str> = of_findings.map(|(_, quote)| quote).chain(own).collect();
        for quote in quotes {
            for part in quote.split(" [..] ") {
                assert!(quoted.contains(&words(part)), "{invariant}: {part}");
            }
        }
    }
}

/// What sentences say of a frame that breaks the protocol, by which its quotation is found.
const RECEIVED_AND_SENT: &[&str] = &[
    "",
    "client frame without a mask",
    "server frame with a mask",
    "reserved bits 001 set",
    "reserved opcode 3",
    "Ping without FIN",
    "Ping of more than 125 bytes",
    "length with its top bit set",
    "continuation with no message open",
    "new message inside a fragmented one",
    "Close payload of one byte",
    "text that is not UTF-8",
];

/// Everything that may be found of a symptom, of servers and of clients.
fn identities(rule: Invariant, symptom: Symptom) -> Vec<Identity> {
    let without = std::iter::once(Identity::safety(rule, None));
    let late = Cause::ALL.iter().flat_map(|cause| {
        Condition::ALL.iter().map(|condition| Identity::liveness(rule, *cause, *condition))
    });
    let all = without.chain(late).map(|identity| identity.with_symptom(symptom));
    all.flat_map(|one| [one, one.of_subject(Role::Client)]).collect()
}
