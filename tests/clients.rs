//! Clients under test: the reference client, its planted faults, and clients of users.

use futures_util::StreamExt as _;
use hangup::exchange::Note;
use hangup::generate::GeneratorConfig;
use hangup::run::virtual_time::{play, play_and_judge};
use hangup::script::{Command, Script};
use hangup::target::reference_client::ReferenceClient;
use hangup::target::reference_client::faults::ClientFault;
use hangup::target::tungstenite::deviations;
use hangup::verdict::{Ending, Invariant, Level, Pattern, Problem, Symptom};
use hangup::wire::Role;
use hangup::{AppSteps, Application, Connection, Target, secs};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::client_async;

/// How many scripts each fault is played by, and the honest client.
const SCRIPTS: u64 = 3_000;

fn problems(client: ReferenceClient, seed: u64) -> BTreeSet<Problem> {
    let target: Arc<dyn Target> = Arc::new(client);
    let (bounds, app) = (target.bounds(), target.obeys());
    let subject = Role::Client;
    let config = GeneratorConfig { bounds, app, subject, ..GeneratorConfig::default() };
    let mut found = BTreeSet::new();
    for index in 0..SCRIPTS {
        let (_, verdict) = play_and_judge(&target, &bounds, &config.nth(seed, index), index);
        found.extend(verdict.violations.iter().map(|violation| violation.identity.problem()));
    }
    found
}

#[test]
fn the_honest_client_keeps_every_rule() {
    assert_eq!(problems(ReferenceClient::HONEST, 7), BTreeSet::new());
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn every_fault_of_a_client_is_caught_and_shows_nothing_that_it_does_not_declare() {
    let mut wrong = Vec::new();
    for fault in ClientFault::ALL {
        let mut found = problems(ReferenceClient::with(*fault), 1);
        let declared: BTreeSet<Problem> = fault.shows().iter().copied().collect();
        // What is a mere case of a problem is counted with it.
        found.retain(|problem| !problem.case_of().any(|plainer| declared.contains(&plainer)));
        // That each problem shows takes more scripts (`faults`).
        if found.is_empty() || !found.is_subset(&declared) {
            wrong.push(format!("{}: declared {declared:?}, found {found:?}", fault.target()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_for_clients_has_a_fault() {
    let shown: BTreeSet<Invariant> = ClientFault::ALL
        .iter()
        .flat_map(|fault| fault.shows())
        .map(|problem| problem.invariant())
        .collect();
    let missing =
        Invariant::ALL.iter().filter(|rule| rule.is_of_clients() && !shown.contains(rule));
    assert_eq!(missing.count(), 0, "{shown:?}");
    assert!(ClientFault::ALL.len() >= 20);
}

#[test]
fn two_plays_of_a_client_have_one_digest_although_keys_and_masks_are_drawn() {
    let target: Arc<dyn Target> = Arc::new(ReferenceClient::HONEST);
    let script: Script =
        "accept\napp send text \"hello\"\nping\napp close 1000 \"bye\"\nclose 1000\nfin\n"
            .parse()
            .expect("a script");
    let play = || play(&target, &target.bounds(), &script, 0);
    let (one, other) = (play(), play());
    assert_eq!(one.digest(), other.digest());
    let bytes = |of: &hangup::exchange::Exchange| {
        of.bytes(hangup::exchange::ConnectionId::FIRST).to_actor.clone()
    };
    assert_ne!(bytes(&one), bytes(&other), "nothing is drawn");
    let has = |wanted: Note| {
        one.events.iter().any(|event| event.what == hangup::exchange::What::Noted(wanted))
    };
    assert!(has(Note::Opened) && has(Note::CloseReturned { code: Some(1000) }));
    assert!(has(Note::ToldOfEnd { code: Some(1000) }));
}

#[test]
fn the_ends_are_named_by_their_roles() {
    let target: Arc<dyn Target> = Arc::new(ReferenceClient::with(ClientFault::NeverAnswers));
    let bounds = target.bounds();
    let script: Script = "accept\nclose\n".parse().expect("a script");
    let (exchange, verdict) = play_and_judge(&target, &bounds, &script, 0);
    let violation = &verdict.violations[0];
    let sentence = hangup::report::sentence(violation, &exchange);
    assert!(
        sentence.contains(
            "the client got the server's Close, and ended the connection without answering it"
        ),
        "{sentence}"
    );
    let timeline = hangup::report::timeline(&exchange, Some(violation));
    let row = |text: &str| timeline.lines().find(|line| line.contains(text)).expect("a row");
    assert!(row("upgrade request").ends_with("->"), "{timeline}");
    assert!(row("101 Switching Protocols").contains("<-"), "{timeline}");
}

#[test]
fn a_masked_frame_that_a_client_serves_is_against_a_must() {
    let target: Arc<dyn Target> = Arc::new(ReferenceClient::with(ClientFault::TakesMasked));
    let script: Script = "accept\nmasked ping\n".parse().expect("a script");
    let (_, verdict) = play_and_judge(&target, &target.bounds(), &script, 0);
    let of_masks = |rule: Invariant| {
        verdict.violations.iter().find(|found| found.identity.invariant() == rule)
    };
    let found = of_masks(Invariant::RefusesIllegal).expect("it is served");
    assert_eq!(found.level, Level::Must, "5.1: a client MUST close a connection");
}

/// Answers the first frame with this Close, and is gone.
async fn closes_with(mut io: Connection, code: u16) {
    let _ = io.write_all(hangup::wire::handshake::REQUEST.as_bytes()).await;
    let mut came = Vec::new();
    while !came.windows(4).any(|bytes| bytes == b"\r\n\r\n") || came.ends_with(b"\n") {
        if !matches!(io.read_buf(&mut came).await, Ok(1..)) {
            return;
        }
    }
    let [high, low] = code.to_be_bytes();
    let _ = io.write_all(&[0x88, 0x82, 1, 2, 3, 4, high ^ 1, low ^ 2]).await;
}

#[test]
fn a_client_that_fails_the_connection_need_not_wait_for_the_server() {
    let ends_first = |code: u16, script: &str| {
        let suite = hangup::client_suite(move |io, _| closes_with(io, code)).named("closes-with");
        let target: Arc<dyn Target> = Arc::new(suite.into_target());
        let script: Script = script.parse().expect("a script");
        let (_, verdict) = play_and_judge(&target, &target.bounds(), &script, 0);
        let found = verdict.violations.iter().map(|found| found.identity);
        let found = found.filter(|it| it.invariant() == Invariant::LetsServerCloseTcp);
        found.map(|it| it.symptom().expect("it has one")).collect::<Vec<_>>()
    };
    let answers = "accept\n16-bit close\n";
    assert_eq!(ends_first(1000, answers), [Symptom::EndsTcpFirst]);
    assert_eq!(ends_first(1002, answers), [], "7.1.7");
    // The server has sent no Close, and cannot any more.
    assert_eq!(ends_first(1000, "accept\nping\n"), [Symptom::EndsWithClose]);
    assert_eq!(ends_first(1000, "accept\nping\nwait 1s\nclose\n"), [Symptom::EndsWithClose]);
    assert_eq!(
        ends_first(1000, "accept\nping\n+ close\n"),
        [Symptom::EndsTcpFirst],
        "it was there"
    );
    assert_eq!(ends_first(1000, "accept\nping\n+ fin\n"), [], "the server ended TCP");
    for failed in [1002, 1011] {
        assert_eq!(ends_first(failed, "accept\nping\n"), [], "7.1.7");
    }
}

#[test]
fn the_words_of_a_clients_identity_are_of_a_client_and_old_ones_are_read() {
    let target: Arc<dyn Target> = Arc::new(ReferenceClient::with(ClientFault::CloseWaitsForEver));
    let bounds = target.bounds();
    for (script, text) in [
        ("accept\nclose\n", "ends-in-time: the server's Close, silent"),
        ("accept\nwait 25s\n", "ends-in-time: the client's own Close, silent"),
        ("accept\nfin\nstop reading\n", ""),
    ] {
        let script: Script = script.parse().expect(script);
        let (_, verdict) = play_and_judge(&target, &bounds, &script, 0);
        for violation in &verdict.violations {
            let found = violation.identity.to_string();
            for other in ["the client's Close", "the server's own", "the client's FIN"] {
                assert!(!found.contains(other), "{found}");
            }
        }
        let pattern: Pattern = if text.is_empty() { continue } else { text.parse().expect(text) };
        let old = text
            .replace("server's Close", "client's Close")
            .replace("client's own", "server's own");
        let old: Pattern = old.parse().expect("what a user wrote down before");
        let found = |pattern: Pattern| {
            verdict.violations.iter().any(|violation| pattern.matches(violation.identity))
        };
        assert!(found(pattern) && found(old), "{text}: {:?}", verdict.violations);
    }
}

#[test]
fn the_words_of_a_panic_are_the_programs_own() {
    let client = |io: Connection, _app: Application| async move {
        let Ok((mut ws, _)) = client_async("ws://localhost/", io).await else { return };
        while let Some(Ok(message)) = ws.next().await {
            assert!(!message.is_text(), "the server lied to the client");
        }
    };
    let directory = tempfile::tempdir().expect("a directory");
    let suite = hangup::client_suite(client).findings_in(directory.path());
    let script: Script = "accept\ntext \"x\"\n".parse().expect("a script");
    let failure = suite.play(&script).expect_err("it panics").to_string();
    assert!(failure.contains("the client panicked: the server lied to the client"), "{failure}");
}

#[test]
fn an_end_without_an_answer_is_told_as_1006() {
    for (fault, script, code) in [
        (ClientFault::TellsOwnCode, "accept\napp close 1000\nwait 1s\nfin\n", 1000),
        (ClientFault::TellsLossAsNone, "accept\nreset\n", 1005),
    ] {
        let target: Arc<dyn Target> = Arc::new(ReferenceClient::with(fault));
        let script: Script = script.parse().expect(script);
        let (exchange, verdict) = play_and_judge(&target, &target.bounds(), &script, 0);
        let [violation] = &verdict.violations[..] else { panic!("{:?}", verdict.violations) };
        let said = hangup::report::sentence(violation, &exchange);
        let fact = format!("ended with {code}, where no Close of the server's came");
        assert!(said.contains(&fact), "{said}");
    }
}

/// The client of the issue: its close waits for the server's, for ever.
async fn waits_for_ever(io: Connection, app: Application) {
    let Ok((mut ws, _)) = client_async("ws://localhost/", io).await else { return };
    loop {
        tokio::select! {
            message = ws.next() => match message {
                Some(Ok(message)) if !message.is_close() => {}
                _ => return,
            },
            command = app.command() => if let Command::Close(..) = command {
                let _ = ws.close(None).await;
                while let Some(Ok(_)) = ws.next().await {}
                return;
            },
        }
    }
}

/// The same with a deadline around the close, and one around every wait that a server can draw out.
async fn waits_for_three_seconds(io: Connection, app: Application) {
    let opening = client_async("ws://localhost/", io);
    let Ok(Ok((mut ws, _))) = tokio::time::timeout(secs(3), opening).await else { return };
    loop {
        tokio::select! {
            message = ws.next() => match message {
                Some(Ok(message)) if !message.is_close() => {}
                Some(Ok(_)) => break,
                _ => return,
            },
            command = app.command() => if let Command::Close(..) = command { break },
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(3), async {
        let _ = ws.close(None).await;
        while let Some(Ok(_)) = ws.next().await {}
    })
    .await;
}

#[test]
fn a_close_that_waits_for_ever_is_found_as_never_in_two_steps() {
    is_found_as_never_in_two_steps_by(0..2);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_close_that_waits_for_ever_is_found_as_never_in_two_steps_by_every_seed() {
    is_found_as_never_in_two_steps_by(2..20);
}

fn is_found_as_never_in_two_steps_by(seeds: std::ops::Range<u64>) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut scripts = BTreeSet::new();
    for seed in seeds {
        let suite = hangup::client_suite(waits_for_ever).named("mine").obeying(AppSteps::CLOSE);
        let suite = suite.findings_in(directory.path().join(seed.to_string())).seed(seed);
        let failure =
            suite.scripts(300).try_check().expect_err("nothing ends the wait").to_string();
        assert!(failure.contains("The client never ends the connection"), "{failure}");
        let files = std::fs::read_dir(directory.path().join(seed.to_string())).expect("a folder");
        let mut paths = files.map(|file| file.expect("a file").path());
        let is_it =
            |path: &std::path::PathBuf| path.to_string_lossy().contains("mine--ends-in-time--");
        let text = std::fs::read_to_string(paths.find(is_it).expect(&failure)).expect("a file");
        let repro = hangup::finding::repro::Repro::parse(&text).expect("a repro");
        assert_eq!(repro.ending, Ending::Never.kind(), "{text}");
        scripts.insert(repro.script.to_string());
    }
    assert_eq!(scripts, BTreeSet::from(["accept\napp close\n".to_owned()]));
}

#[test]
fn its_fix_is_clean() {
    let directory = tempfile::tempdir().expect("a directory");
    let accepted = [deviations::LATE_REFUSAL, deviations::SILENT_REFUSAL, deviations::CODE_1014];
    let suite = hangup::client_suite(waits_for_three_seconds).obeying(AppSteps::CLOSE);
    let suite = accepted.into_iter().fold(suite, hangup::Suite::accepting);
    suite.findings_in(directory.path()).scripts(2_000).check();
}

#[test]
fn a_client_that_sends_no_request_cannot_be_tested() {
    let client = |io: Connection, _app: Application| async move {
        let _io = io;
        std::future::pending::<()>().await;
    };
    let failure = hangup::client_suite(client).scripts(1).try_check().expect_err("no request");
    assert!(failure.to_string().contains("the client sends no whole opening request"), "{failure}");
}
