//! `hangup probe`: clean servers are clean, and each bad one is found by its rule.

use crate::server::{Desk, Run, Server, bad, scripted};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A probe of all of a server's URLs, which watches to the horizon.
fn probe(desk: &Desk, server: &Server, more: &str) -> Run {
    probe_from(1, desk, server, more)
}

/// The same with the scripts of another seed.
fn probe_from(seed: u64, desk: &Desk, server: &Server, more: &str) -> Run {
    let [plain, bye, push] = ["/", "/bye", "/push"].map(|path| server.url(path));
    desk.hangup(&format!(
        "probe {plain} --bye {bye} --push {push} --seed {seed} --watch 0s --format json {more}"
    ))
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_reference_is_clean_over_tcp_and_a_campaign_takes_two_bounds_and_not_their_sum() {
    let server = Server::hangup("reference");
    let began = now();
    let run = probe(&Desk::new(), &server, "--scripts 200 --slack 500ms");
    assert_eq!((run.code, run.keys().len()), (Some(0), 0), "{run:?}");
    assert_eq!(run.json()["scripts"], 200);
    assert_eq!(run.json()["targets"][0]["sees_the_server"], cfg!(target_os = "linux"));
    // Two polite clients before it, and the controls of its last scripts behind it.
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

/// The same rule, cause and condition, and the same script.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_hang_is_found_over_tcp_as_it_is_in_virtual_time() {
    let desk = Desk::new();
    let here = desk.hangup("test tungstenite/no-deadline --scripts 500 --seed 1 --format json");
    let server = Server::hangup("tungstenite/no-deadline");
    let there = probe(&desk, &server, "--scripts 60 --close-within 1s");
    assert_eq!((here.code, there.code), (Some(1), Some(1)));
    let hang = "ends-in-time: the server's own Close: silent";
    assert!(here.keys().contains(hang) && there.keys().contains(hang), "{here:?} {there:?}");
    let script = |run: &Run| {
        let json = run.json();
        let findings = json["targets"][0]["findings"].as_array().expect("a list").clone();
        let hang = findings.into_iter().find(|f| f["condition"] == "silent").expect("the hang");
        (hang["script"].clone(), hang["flaky"].clone())
    };
    assert_eq!(script(&here), script(&there));
    assert_eq!(script(&there), ("upgrade\napp close\n".into(), false.into()));
}

/// Each bad server breaks its rule; what else it breaks follows from that.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn every_bad_server_is_found_by_its_rule() {
    for (fault, scripts, key) in [
        ("waits", 60, "ends-in-time: the server's own Close: silent"),
        ("keeps-tcp", 60, "ends-in-time: the client's Close: silent"),
        ("silent", 60, "ends-in-time: the client's Close: silent"),
        ("drip", 60, "ends-in-time: the server's own Close: still sending"),
        ("cuts", 60, "answers-close: the client's Close: -"),
        ("resets", 60, "answers-close: the client's Close: -"),
        ("hangs-up", 60, "waits-for-answer: "),
    ] {
        let server = bad(fault, "1");
        let options = format!("--scripts {scripts} --close-within 1s --slack 800ms");
        // On a busy machine a campaign may be late, or miss what needs a pause to be kept: it is played
        // again. Ten times the bound and the horizon, and ten seconds; and what ends it.
        let mut seen = Vec::new();
        let is_found = (1..=3).any(|_| {
            let run = probe(&Desk::new(), &server, &options);
            let seconds = run.json()["seconds"].as_f64().expect("seconds");
            let shows = run.keys().iter().any(|own| own.starts_with(key));
            seen.push((run.code, seconds, run.keys()));
            run.code == Some(1) && shows && seconds < 45.0
        });
        assert!(is_found, "{fault}: {seen:#?}");
    }
}

/// Its Close comes after the client's, and answers it only by the look of it.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn an_application_that_closes_by_itself_and_reads_late_is_not_blamed_for_its_answers() {
    let server = bad("reads-late", "0.8");
    let desk = Desk::new();
    let run = desk.hangup(&format!(
        "probe {} --seed 1 --scripts 60 --close-within 1s --slack 800ms --format json",
        server.url("/")
    ));
    let target = &run.json()["targets"][0];
    let dismissed = target["dismissed"].as_array().expect("a list");
    // Each of them shows in every replay: it is the control that clears the server.
    assert!(!dismissed.is_empty(), "{run:?}");
    let cleared = dismissed.iter().find(|found| found["rate"] == 1.0).expect("one at least");
    assert!(run.keys().is_empty(), "{run:?}");
    assert_eq!(run.code, Some(0), "{run:?}");
    // No file is kept of what is no finding, and whoever has one hears the same from `replay`.
    assert!(dismissed.iter().all(|found| found["repro"].is_null()), "{run:?}");
    let url = server.url("/");
    desk.write("dismissed.toml", &repro_of(cleared, &url));
    let replay = desk.hangup(&format!("replay dismissed.toml --slack 800ms --url {url}"));
    assert_eq!(replay.code, Some(0), "{replay:?}");
    assert!(replay.out.starts_with("no finding on ws://"), "{replay:?}");
}

/// A finding of a report's JSON as a repro file, which an older hangup would have saved.
fn repro_of(found: &serde_json::Value, url: &str) -> String {
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    let cause = found["cause"].as_str().map(|cause| format!("cause = \"{cause}\"\n"));
    format!(
        "format = 1\nhangup = \"0.1.0\"\nscript = \"\"\"\n{}\"\"\"\ndigest = \"0\"\n\
         [target]\nname = \"{url}\"\nversion = \"over TCP\"\n\
         [bounds]\nclose = 1.0\nrelease = 1.0\n\
         [violation]\ninvariant = \"{}\"\nlevel = \"{}\"\n{}ending = \"in time\"\n\
         sentence = \"It was saved.\"\n",
        text("script"),
        text("invariant"),
        text("level"),
        cause.unwrap_or_default(),
    )
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_same_server_without_a_fault_is_clean() {
    let server = bad("control", "0.6");
    let [plain, bye, push, echo] = ["/", "/bye", "/push", "/echo"].map(|path| server.url(path));
    let run = Desk::new().hangup(&format!(
        "probe {plain} --bye {bye} --push {push} --echo {echo} --seed 1 --scripts 200 \
         --close-within 1s --slack 800ms"
    ));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.out.contains("not tested"), "{run:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_violation_in_the_baseline_is_no_finding_and_a_new_one_is() {
    let desk = Desk::new();
    let server = bad("waits", "1");
    let options =
        "--scripts 24 --close-within 1s --slack 800ms --baseline known.toml --junit j.xml";
    // No script of these is late by less than the slack, once more and once less.
    let seed = 2;
    let first = probe_from(seed, &desk, &server, options);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.err.contains("recorded as accepted in known.toml"), "{first:?}");
    let failures = first.json()["targets"][0]["problems"].as_array().expect("a list").len();
    assert!(failures > 0 && desk.read("j.xml").contains(&format!("failures=\"{failures}\"")));
    // A busy machine shows one bug in other conditions.
    let exact = desk.read("known.toml");
    let wide: Vec<&str> = exact.lines().filter(|line| !line.starts_with("condition")).collect();
    desk.write("known.toml", &wide.join("\n"));
    assert_ne!(desk.read("known.toml"), exact);
    let second = probe_from(seed, &desk, &server, options);
    assert_eq!((second.code, second.keys().len()), (Some(0), 0), "{second:?}");
    assert!(!second.json()["targets"][0]["accepted"].as_array().expect("a list").is_empty());
    assert!(desk.read("j.xml").contains("failures=\"0\""));
    desk.write("known.toml", "format = 1\n");
    assert_eq!(probe_from(seed, &desk, &server, options).code, Some(1));
    desk.write("known.toml", "format = 1\n[[accepted]]\ninvariant = \"frobs\"\n");
    let broken = probe_from(seed, &desk, &server, options);
    assert_eq!((broken.code, broken.err.lines().count()), (Some(2), 1), "{broken:?}");
    assert!(broken.err.starts_with("error: known.toml: not a baseline file: "), "{broken:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_repro_is_replayed_and_shrunk_on_a_url() {
    let desk = Desk::new();
    let (waits, fixed) = (bad("waits", "1"), bad("control", "0.6"));
    desk.write("long.script", "upgrade\napp close\nping\nwait 200ms\ntext \"x\"\n");
    let options = "--close-within 1s --slack 800ms";
    let run = desk.hangup(&format!("shrink long.script --url {} {options}", waits.url("/bye")));
    assert_eq!((run.code, run.out.as_str()), (Some(1), "upgrade\napp close\nping\n"), "{run:?}");
    let repro = desk.repro();
    let replay = |server: &Server, path: &str| {
        desk.hangup(&format!("replay {repro} --slack 800ms --url {}", server.url(path)))
    };
    let again = replay(&waits, "/bye");
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.out.starts_with("reproduced on ws://"), "{again:?}");
    assert!(again.out.contains("latest allowed end: "), "with a timeline: {again:?}");
    let gone = replay(&fixed, "/bye");
    assert_eq!(gone.code, Some(0), "{gone:?}");
    // At another port, as a server that was mended and started again.
    assert!(gone.out.starts_with("fixed on ws://"), "{gone:?}");
    // A URL that does not do what the script says is no proof of anything.
    let other = replay(&fixed, "/");
    assert_eq!((other.code, other.out.as_str()), (Some(2), ""), "{other:?}");
    assert!(other.err.contains("no Close within 3 s"), "{other:?}");
    let nowhere = desk.hangup(&format!("replay {repro}"));
    assert!(nowhere.err.contains("is about a running server: add --url ws://"), "{nowhere:?}");
}

#[expect(clippy::disallowed_methods, reason = "how long a campaign takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}

/// The most memory that a process has had resident so far, in KiB.
#[cfg(target_os = "linux")]
fn most_resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// However it fares with so many at once on this machine, 256 connections of it cost no more than
/// a quarter of a gigabyte.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "real time: .ci/run plays it"]
#[expect(clippy::disallowed_methods, reason = "how much a process holds is asked while it runs")]
fn a_server_that_floods_costs_little_memory() {
    for size in ["65536", "4000"] {
        let server = scripted("python3", "bad.py", &["floods", "1", size]);
        let [plain, bye] = ["/", "/bye"].map(|path| server.url(path));
        let desk = Desk::new();
        let mut command = desk.command(&format!(
            "probe {plain} --bye {bye} --seed 1 --scripts 256 --concurrency 256 \
             --close-within 3s --horizon 3s --slack 3s --watch 0s"
        ));
        let out = std::fs::File::create(desk.path("report")).expect("a file");
        let mut probe = command.stdout(out).stderr(Stdio::null()).spawn().expect("it starts");
        let mut most = 0;
        let code = loop {
            most = most_resident(probe.id()).unwrap_or_default().max(most);
            match probe.try_wait().expect("a child") {
                Some(status) => break status.code(),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(most > 0 && most < 256 << 10, "{size}: {most} KiB");
        assert!(matches!(code, Some(0 | 1)), "{size}: {code:?} {}", desk.read("report"));
    }
}
