//! How a probe spends its time: what is told at once, what is not judged and played again, and what
//! disturbs what.

use crate::server::{Desk, Run, Server, bad};
use hangup::bounds::Bounds;
use hangup::run::real_time::{
    PlayLimits, Probe, ProbeOutcome, ProbeProgress, RemoteSubject, UrlRole,
};
use hangup::transport::tcp::endpoint::{Endpoint, RequestOptions};
use hangup::verdict::{Cause, Condition, Identity, Invariant};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const OPTIONS: &str = "--close-within 1s --slack 500ms --watch 0s --seed 1";

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_problem_is_printed_when_it_is_first_seen_and_again_in_the_report() {
    let server = bad("waits", "1");
    let (plain, bye) = (server.url("/"), server.url("/bye"));
    let desk = Desk::new();
    let arguments = format!("probe {plain} --bye {bye} --scripts 24 {OPTIONS}");
    let mut child = desk.command(&arguments).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("it was piped"));
    let mut line = String::new();
    let headline = "ends-in-time (should): still open";
    // On a busy machine another one may come first.
    while !(line.contains("not confirmed yet, script ") && line.contains(headline)) {
        line.clear();
        assert!(out.read_line(&mut line).expect("text") > 0, "it is never printed");
    }
    assert_eq!(child.try_wait().expect("a status"), None, "it is printed before the end");
    let mut report = String::new();
    out.read_to_string(&mut report).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{report}");
    assert!(
        report.contains(headline) && report.contains("confirmed: 2 of 2 replays show it"),
        "{report}"
    );
    // JSON stands alone on stdout.
    let run = desk.hangup(&format!("{arguments} --format json"));
    assert!(run.err.contains("not confirmed yet, script ") && !run.keys().is_empty(), "{run:?}");
}

/// A probe of `server` whose own process is late again and again, `until` that is true of how
/// long it has been going on and how far it is.
async fn late(
    server: &Server,
    until: impl Fn(Duration, &ProbeProgress<'_>) -> bool + Send + Sync,
) -> ProbeOutcome {
    let endpoint = |path: &str| {
        Endpoint::resolve(&server.url(path), &RequestOptions::default()).expect("a URL")
    };
    let bounds = Bounds::close_within(Duration::from_secs(1));
    let slack = Duration::from_millis(500);
    let horizon = Duration::from_secs(4);
    let probe = Probe {
        subject: RemoteSubject::new(endpoint("/")).with(UrlRole::Bye, endpoint("/bye")),
        limits: PlayLimits { bounds, slack, horizon, watch: horizon },
        seed: 1,
        scripts: 24,
        concurrency: 24,
        rate: 500,
        all_variants: false,
        accepted: Vec::new(),
        stop: None,
    };
    let (_stop, stops) = tokio::sync::watch::channel(false);
    let (began, is_over) = (now(), Arc::new(AtomicBool::new(false)));
    let over = Arc::clone(&is_over);
    tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            pause(Duration::from_millis(700));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    let mut look = |progress: ProbeProgress<'_>| {
        if until(began.elapsed(), &progress) {
            is_over.store(true, Ordering::Relaxed);
        }
    };
    probe.run(stops, &mut look).await.expect("it is there")
}

#[expect(clippy::disallowed_methods, reason = "a process that is late is what is tested")]
fn pause(time: Duration) {
    thread::sleep(time);
}

#[expect(clippy::disallowed_methods, reason = "for how long it is late")]
fn now() -> Instant {
    Instant::now()
}

/// Whether the hang was found, and confirmed.
fn is_found(outcome: &ProbeOutcome) -> bool {
    let hang = Identity::liveness(Invariant::EndsInTime, Cause::OwnClose, Condition::Silent);
    outcome.findings.iter().any(|found| {
        let same = found.violation.identity.variant() == hang.variant();
        same && !found.is_dismissed() && found.shown > 0
    })
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn what_was_not_judged_is_played_again_until_it_is() {
    let server = bad("waits", "0.4");
    let outcome = late(&server, |elapsed, _| elapsed > Duration::from_secs(5)).await;
    assert_eq!((outcome.scripts, outcome.unjudged), (24, 0), "{outcome:?}");
    assert!(is_found(&outcome), "{:?}", outcome.findings);
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn what_is_never_judged_is_counted_and_still_says_what_to_look_for() {
    let server = bad("waits", "0.4");
    let is_judged = |progress: &ProbeProgress<'_>| !matches!(progress, ProbeProgress::Playing(..));
    let outcome = late(&server, |_, progress| is_judged(progress)).await;
    assert!(outcome.unjudged > 0, "{outcome:?}");
    assert_eq!(outcome.scripts + outcome.unjudged, 24);
    assert!(is_found(&outcome), "{:?}", outcome.findings);
}

/// A probe with all URLs, in JSON.
fn probe(server: &Server, more: &str) -> Run {
    let [plain, bye, push] = ["/", "/bye", "/push"].map(|path| server.url(path));
    Desk::new()
        .hangup(&format!("probe {plain} --bye {bye} --push {push} {OPTIONS} --format json {more}"))
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_shows_only_beside_many_others_is_not_judged_and_no_finding() {
    let server = bad("crowded", "0.4");
    let run = probe(&server, "--scripts 60");
    let target = &run.json()["targets"][0];
    assert_eq!((run.code, run.keys().len()), (Some(0), 0), "{run:?}");
    let unjudged = target["unjudged"].as_u64().expect("a number");
    assert!(unjudged > 0, "{run:?}");
    assert_eq!(run.json()["scripts"].as_u64().expect("a number") + unjudged, 60);
    let dismissed = target["dismissed"].as_array().expect("a list");
    assert!(dismissed.iter().any(|found| found["invariant"] == "ends-in-time"), "{run:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_one_connection_in_ten_shows_is_found() {
    let server = bad("seldom", "0.4");
    let run = probe(&server, "--scripts 60");
    assert!(run.keys().iter().any(|key| key.starts_with("ends-in-time")), "{run:?}");
    let problems = run.json()["targets"][0]["problems"].clone();
    let rates = problems.as_array().expect("a list").iter().map(|problem| problem["rate"].clone());
    assert!(rates.clone().any(|rate| rate.as_f64().is_some_and(|rate| rate < 1.0)), "{rates:?}");
}
