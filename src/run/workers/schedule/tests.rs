//! Whole campaigns against servers that are made up, by workers that finish in any order.

use super::*;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::generate::GeneratorConfig;
use crate::run::workers::crash_shapes::features;
use crate::verdict::Invariant::{self, NoSpin};
use crate::verdict::{Cause, ConnectionId, Ending, Level};

fn violation(index: u64, invariant: Invariant) -> ViolationSummary {
    let identity = Identity::safety(invariant, None);
    ViolationSummary {
        index,
        identity,
        connection: ConnectionId::FIRST,
        level: Level::Should,
        strongest: Level::Should,
        ending: Ending::InTime,
        fact: String::new(),
        scripts: 1,
    }
}

fn finding(violation: ViolationSummary) -> Finding {
    Finding {
        index: violation.index,
        runtime_seed: violation.index,
        violation: violation.into_violation(),
        script: Script::default(),
        shrunk: true,
        plays: 0,
        rate: 1.0,
        exchange: Exchange::new(true),
        cut_short: false,
        dismissed: None,
    }
}

/// Looks into a violation as a worker's thread does: a headline shows under no condition.
fn investigate(schedule: &mut Schedule<'_>, violation: ViolationSummary, depth: Depth) {
    let identity = violation.identity;
    let headline = Finding {
        violation: Violation {
            identity: Identity::safety(identity.invariant(), None),
            ..violation.clone().into_violation()
        },
        ..finding(violation.clone())
    };
    let own = Finding { shrunk: false, ..finding(violation) };
    let findings = match depth {
        Depth::Headline => vec![own, headline],
        Depth::Shrink | Depth::Check => vec![own],
    };
    schedule.investigations.finish(identity, findings);
}

/// The one script in which what is broken is a MUST.
const DEMANDED: u64 = 1704;

/// The scripts of these tests: every 7th breaks one rule, on every other occasion for a
/// cause, every 50th from 30 on another, every 3rd fires the deviation.
fn play(range: Range<u64>, skip: &dyn Fn(u64) -> bool) -> RangeResult {
    let mut first = BTreeMap::new();
    let mut fired = DeviationCounts::default();
    for index in range.clone().filter(|index| !skip(*index)) {
        let cause = (index % 2 == 0).then_some(Cause::OwnClose);
        let rules = [
            (index % 7 == 3, Identity::safety(Invariant::EndsInTime, cause)),
            (index % 50 == 30, Identity::safety(Invariant::NoSpin, None)),
        ];
        for (_, identity) in rules.into_iter().filter(|(broken, _)| *broken) {
            let none = ViolationSummary { identity, scripts: 0, ..violation(index, NoSpin) };
            let level = if index == DEMANDED { Level::Must } else { Level::Should };
            first.entry(identity).or_insert(none).count(level);
        }
        fired.scripts += u64::from(index % 3 == 0);
    }
    let violations = first.into_values().collect();
    RangeResult {
        from: range.start,
        to: range.end,
        fired: vec![fired],
        violations,
        unproven: Vec::new(),
        reach: Reach::of_scripts(range.end - range.start),
        crash_cost: 0,
    }
}

/// What a campaign is played against: which scripts there are, which of them crash, and
/// what that costs.
#[derive(Clone, Copy)]
struct Server {
    draw: fn(u64) -> Script,
    crashes: fn(u64) -> bool,
    crash_cost: u32,
}

/// Every 100th script crashes, and nothing tells it from others.
const PLAIN: Server =
    Server { draw: |_| Script::default(), crashes: |index| index % 100 == 99, crash_cost: 1 };

fn script(text: &str) -> Script {
    text.parse().expect("a script")
}

/// Every third script crashes: those with a ping.
const CRASHES_ON_PING: Server = Server {
    draw: |index| script(if index % 3 == 1 { "upgrade\nping \"x\"\n" } else { "upgrade\n" }),
    crashes: |index| index % 3 == 1,
    crash_cost: 25,
};

fn death(index: u64, crash_cost: u32) -> RangeResult {
    let violations = vec![violation(index, Invariant::NoPanic)];
    RangeResult {
        from: index,
        to: index + 1,
        fired: vec![DeviationCounts::default()],
        violations,
        unproven: Vec::new(),
        reach: Reach::of_scripts(1),
        crash_cost,
    }
}

fn played(result: RangeResult) -> PlayedRange {
    PlayedRange { result, held: Vec::new(), epoch: 0 }
}

/// Plays one range, or a script by itself, as a worker's thread does. The script that crashed.
fn finish(schedule: &mut Schedule<'_>, work: Work, server: Server) -> Option<u64> {
    let crashed = match work {
        Work::PlayRange(RangeWork { range, shapes, epoch }) => {
            let held = |index: u64| {
                let steps = features(&(server.draw)(index));
                let (number, _) = shapes.iter().find(|(_, shape)| shape.is_held_by(&steps))?;
                Some((index, *number))
            };
            let mut held: Vec<_> = range.clone().filter_map(held).collect();
            let is_held = |index: u64| held.iter().any(|(held, _)| *held == index);
            let crash = range.clone().find(|index| (server.crashes)(*index) && !is_held(*index));
            let result = match crash {
                Some(index) => {
                    schedule.return_range(index + 1..range.end);
                    schedule.return_range(range.start..index);
                    held.clear();
                    death(index, server.crash_cost)
                }
                None => play(range, &is_held),
            };
            schedule.record(PlayedRange { result, held, epoch });
            crash
        }
        Work::PlayAlone(index) if (server.crashes)(index) => {
            schedule.record_alone(&death(index, server.crash_cost));
            Some(index)
        }
        Work::PlayAlone(index) => {
            schedule.record_alone(&play(index..index + 1, &|_| false));
            None
        }
        Work::Investigate(..) | Work::Wait | Work::Done => unreachable!("no range"),
    };
    schedule.finish_range();
    crashed
}

/// The outcome of a campaign.
#[derive(Debug, PartialEq)]
struct Played {
    scripts: u64,
    passed_over: u64,
    given_up: bool,
    /// The indices of the findings, and whether they are shrunk.
    findings: Vec<(u64, bool)>,
    fired: Vec<u64>,
    /// In how many scripts each variant was seen, and how strongly it is asked for at the most.
    seen: Vec<(u64, Level)>,
}

/// A campaign with so many workers that finish in an order that `mix` shuffles.
fn campaign(scripts: u64, jobs: usize, mix: u64, server: Server) -> Played {
    campaign_and_crashes(scripts, jobs, mix, server).0
}

/// A campaign, and the scripts that were seen to crash.
fn campaign_and_crashes(
    scripts: u64,
    jobs: usize,
    mix: u64,
    server: Server,
) -> (Played, BTreeSet<u64>) {
    let mut crashed = BTreeSet::new();
    let mut schedule = Schedule::new(
        Some(scripts),
        jobs,
        1,
        Investigations::new(false, &[]),
        Box::new(server.draw),
    );
    let mut in_progress: Vec<Work> = Vec::new();
    let mut random = mix;
    loop {
        let work = if in_progress.len() < jobs { schedule.next_work() } else { Work::Wait };
        match work {
            Work::PlayRange(_) | Work::PlayAlone(_) => in_progress.push(work),
            Work::Investigate(violation, depth) => investigate(&mut schedule, violation, depth),
            Work::Done => break,
            Work::Wait => {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let which = (random >> 33) as usize % in_progress.len();
                let work = in_progress.swap_remove(which);
                crashed.extend(finish(&mut schedule, work, server));
            }
        }
    }
    assert_eq!(in_progress, [], "every range was finished");
    let fired = schedule.fired.iter().map(|fired| fired.scripts).collect();
    let outcome = schedule.into_outcome(&[]);
    let sightings = &outcome.sightings;
    let scripts_of = |identity| sightings.of(identity).map(|seen| (seen.scripts, seen.level));
    let seen = sightings.identities().filter_map(scripts_of).collect();
    let CampaignOutcome { scripts, passed_over, findings, given_up, .. } = outcome;
    let findings = findings.iter().map(|finding| (finding.index, finding.shrunk)).collect();
    (Played { scripts, passed_over, given_up, findings, fired, seen }, crashed)
}

/// The outcome, which is the same for any number of workers in any order.
fn same_for_all(scripts: u64, server: Server) -> Played {
    let alone = campaign(scripts, 1, 0, server);
    for jobs in 1..6 {
        for mix in 0..10 {
            assert_eq!(campaign(scripts, jobs, mix, server), alone, "{jobs} jobs, mix {mix}");
        }
    }
    alone
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_workers_or_their_order() {
    let outcome = Played {
        scripts: 5000,
        passed_over: 0,
        given_up: false,
        findings: vec![(3, true), (10, false), (99, true), (30, true)],
        fired: vec![1650],
        // Every 7th of 5,000, by turns for no cause, but for crashes, and for one; the crashes and
        // the 50th.
        seen: vec![
            (350, Level::Should),
            (357, Level::Must),
            (50, Level::Should),
            (100, Level::Should),
        ],
    };
    assert_eq!(same_for_all(5000, PLAIN), outcome);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_crash_in_every_third_script_does_not_end_a_campaign() {
    let outcome = same_for_all(6000, CRASHES_ON_PING);
    // It learns at the 16th crash, and plays 100 more.
    assert_eq!((outcome.scripts, outcome.given_up), (6000, false));
    assert_eq!(outcome.passed_over, 2000 - 116);
    // A rule that every 50th script breaks, whether it has a ping or not.
    assert_eq!(outcome.findings, [(3, true), (24, false), (1, true), (30, true)]);
    assert_eq!(outcome.fired, [2000], "no script is counted twice");
}

#[test]
fn at_least_half_of_what_is_passed_over_would_crash() {
    fn draw(index: u64) -> Script {
        let config = GeneratorConfig::default();
        config.nth(1, index)
    }
    // A server that crashes on a ping before a Close, but for every tenth time.
    fn crashes(index: u64) -> bool {
        let text = draw(index).to_string();
        let before = text.split("\nclose").next().unwrap_or_default();
        before.starts_with("upgrade") && before.contains("\nping ") && !index.is_multiple_of(10)
    }
    let server = Server { draw, crashes, crash_cost: 25 };
    let scripts = 10_000;
    let (outcome, crashed) = campaign_and_crashes(scripts, 1, 0, server);
    assert_eq!((outcome.scripts, outcome.given_up), (scripts, false));
    let would_crash = (0..scripts).filter(|index| crashes(*index)).count() as u64;
    let passed_over_crashes = would_crash - crashed.len() as u64;
    assert!(passed_over_crashes > 200, "{passed_over_crashes} of {would_crash}");
    let most = 2 * passed_over_crashes;
    assert!(outcome.passed_over <= most, "{} of at most {most}", outcome.passed_over);
    assert_eq!(campaign(scripts, 3, 7, server), outcome);
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn too_few_scripts_that_hold_a_shape_crash_for_it_to_be_passed_over() {
    // Two of three pings crash until a shape is learned, and then one of three.
    let server = Server {
        crashes: |index| {
            index % 3 == 1 && if index < 100 { index % 9 != 1 } else { index % 9 == 1 }
        },
        ..CRASHES_ON_PING
    };
    let outcome = same_for_all(2000, server);
    assert_eq!((outcome.scripts, outcome.passed_over), (2000, 0));
    let all = Server { crash_cost: 1, ..server };
    assert_eq!(outcome.fired, same_for_all(2000, all).fired, "what survives is played");
}

#[test]
fn crashes_that_nothing_tells_apart_end_a_campaign_at_the_same_script_for_any_workers() {
    // 20,000, and 1 for every 5 scripts: the 21st crash, at script 2099, reaches the limit.
    let outcome = same_for_all(5000, Server { crash_cost: 1000, ..PLAIN });
    assert_eq!((outcome.scripts, outcome.given_up), (2100, true));
}

#[test]
fn a_crash_at_the_last_script_does_not_give_the_campaign_up() {
    let outcome = campaign(2100, 2, 1, Server { crash_cost: 1000, ..PLAIN });
    assert_eq!((outcome.scripts, outcome.given_up), (2100, false));
}

fn range_of(range: Range<u64>) -> Work {
    Work::PlayRange(RangeWork { range, shapes: Arc::default(), epoch: 0 })
}

#[test]
fn a_violation_is_investigated_once_no_earlier_one_can_come() {
    let mut schedule =
        Schedule::new(Some(4096), 1, 1, Investigations::new(false, &[]), Box::new(PLAIN.draw));
    assert_eq!([schedule.next_work(), schedule.next_work()], [0..1024, 1024..2048].map(range_of));
    schedule.record(played(play(1024..2048, &|_| false)));
    schedule.finish_range();
    assert!(
        matches!(schedule.next_work(), Work::PlayRange(_)),
        "the first range is still in progress"
    );
    schedule.record(played(play(0..1024, &|_| false)));
    let Work::Investigate(first, Depth::Headline) = schedule.next_work() else {
        panic!("no earlier one can come")
    };
    assert_eq!(first.index, 3);
}

#[test]
fn a_stopped_schedule_assigns_no_more_ranges_and_investigates_every_violation() {
    let mut schedule =
        Schedule::new(None, 2, 1, Investigations::new(false, &[]), Box::new(PLAIN.draw));
    assert_eq!([schedule.next_work(), schedule.next_work()], [0..1024, 1024..2048].map(range_of));
    schedule.stop();
    schedule.record(played(play(1024..1035, &|_| false)));
    schedule.return_range(1035..2048);
    schedule.finish_range();
    assert_eq!(schedule.next_work(), Work::Wait, "the range in progress may have an earlier one");
    schedule.record(played(play(0..0, &|_| false)));
    schedule.return_range(0..1024);
    schedule.finish_range();
    let Work::Investigate(violation, depth) = schedule.next_work() else {
        panic!("no range is in progress any more")
    };
    investigate(&mut schedule, violation, depth);
    let others = [schedule.next_work(), schedule.next_work()];
    assert_eq!(schedule.next_work(), Work::Wait, "until they were investigated");
    for other in others {
        let Work::Investigate(violation, depth) = other else { panic!("and two others") };
        investigate(&mut schedule, violation, depth);
    }
    assert_eq!(schedule.next_work(), Work::Done);
    let outcome = schedule.into_outcome(&[]);
    assert_eq!((outcome.scripts, outcome.stopped), (11, true));
}
