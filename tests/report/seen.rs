//! What a repro file keeps of what was seen: whole, bounded, the same every time.

use hangup::finding::Finding;
use hangup::finding::repro::Repro;
use hangup::report::{as_seen, repro, timeline};
use hangup::run::virtual_time::play_and_judge;
use hangup::{Registry, Script};
use std::sync::Arc;

/// The repro of what a script shows on the server that waits for ever.
fn saved(script: &str) -> (Finding, Repro) {
    let registry = Registry::built_in();
    let target = Arc::clone(registry.find("reference/no-deadline").expect("a target"));
    let script: Script = script.parse().expect(script);
    let (exchange, verdict) = play_and_judge(&target, &target.bounds(), &script, 0);
    let violation = verdict.violations.first().expect("a hang").clone();
    let finding = Finding {
        violation,
        script,
        shrunk: true,
        index: 0,
        runtime_seed: 0,
        plays: 0,
        rate: 1.0,
        exchange,
        cut_short: false,
        dismissed: None,
    };
    let repro = repro(&*target, target.bounds(), &finding);
    (finding, repro)
}

#[test]
fn odd_bytes_are_whole_in_the_file_and_seen_there() {
    let script = "upgrade\ntext \"'''\\\"\\\"\\\"\\\\ \\u{7}\\u{202e}\"\nraw hex 81850000000022220a2700\n\
                  binary hex c080 in pieces of 1 byte\napp close 1000 \"\\\"\\\"\\\"\\\\\"\n";
    let (finding, repro) = saved(script);
    let text = repro.to_text();
    let again = Repro::parse(&text).expect("a repro");
    assert_eq!((&again, &again.script), (&repro, &finding.script), "{text}");
    let seen = again.seen.expect("what was seen");
    assert_eq!(seen.timeline, timeline(&finding.exchange, Some(&finding.violation)));
    assert!(seen.timeline.contains("Close 1000 \"\\\"\\\"\\\"\\\\\""), "{text}");
    // As a reader without hangup sees it, with no escape but of what is odd.
    assert!(text.contains("\n      0.000 s > GET / HTTP/1.1\n"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert_eq!(text, saved(script).1.to_text(), "the same every time");
}

#[test]
fn a_long_story_is_cut_in_its_middle_and_says_so() {
    let (_, repro) = saved("upgrade\napp close\nping x 300 every 7ms\n");
    let seen = repro.seen.as_ref().expect("what was seen");
    assert!(seen.wire.contains(" lines left out ..."), "{}", seen.wire);
    assert!(seen.timeline.lines().count() <= 81 && seen.wire.lines().count() <= 121);
    let text = as_seen(&repro).expect("what was seen");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
