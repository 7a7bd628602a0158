//! What bytes cost: found by the shape of its growth, whatever else the machine does.

use crate::busy_cores::BusyCores;
use hangup::finding::Finding;
use hangup::run::campaign::Campaign;
use hangup::run::virtual_time::play;
use hangup::target::Serving;
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::verdict::{Invariant, Symptom};
use hangup::wire::handshake;
use hangup::{Connection, Registry, Suite, Target};
use std::hint::black_box;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn look(target: &Arc<dyn Target>, seed: u64) -> Vec<Finding> {
    let bounds = target.bounds();
    Campaign { bounds, seed, scripts: Some(0), all_variants: false }.look_at_work(target)
}

fn symptoms(findings: &[Finding]) -> Vec<Symptom> {
    findings.iter().filter_map(|finding| finding.violation.identity.symptom()).collect()
}

/// Burns about so many nanoseconds of a processor's time for each of so many bytes.
fn burn(bytes: usize, nanos: usize) {
    for step in 0..bytes * nanos {
        black_box(step);
    }
}

/// What a [`Costly`] server does with bytes that come, beside reading them.
#[derive(Clone, Copy)]
enum Cost {
    /// 20 microseconds a byte, or a little less.
    Slow,
    /// Goes through the head so far with every piece of it.
    Head,
    /// Goes through all frames so far with every piece of one.
    Frames,
}

/// Answers the opening, and reads.
struct Costly(Cost);

impl Target for Costly {
    fn name(&self) -> &'static str {
        "costly"
    }

    fn version(&self) -> &'static str {
        "-"
    }

    fn about(&self) -> &'static str {
        "does more than it has to"
    }

    fn serve(&self, mut io: Connection) -> Serving {
        let cost = self.0;
        Box::pin(async move {
            let (mut all, mut buffer, mut open) = (Vec::new(), [0; 4096], false);
            while let Ok(count @ 1..) = io.read(&mut buffer).await {
                all.extend_from_slice(&buffer[..count]);
                match cost {
                    Cost::Slow => burn(count, 20_000),
                    Cost::Head if open => {}
                    Cost::Frames if !open => {}
                    Cost::Head | Cost::Frames => burn(all.len(), 1),
                }
                let search = all.len().saturating_sub(count + 3);
                if !open && handshake::head_length(&all[search..]).is_some() {
                    open = true;
                    all.clear();
                    let response = handshake::switching_protocols(handshake::ACCEPT);
                    let _ = io.write_all(response.as_bytes()).await;
                }
            }
        })
    }
}

fn costly(cost: Cost) -> Arc<dyn Target> {
    Arc::new(Costly(cost))
}

/// The planted faults of this kind.
fn planted() -> impl Iterator<Item = PlantedFault> {
    let is_about_work = |fault: &PlantedFault| fault.breaks().contains(&Invariant::LinearWork);
    PlantedFault::ALL.iter().copied().filter(is_about_work)
}

fn honest() -> Vec<Arc<dyn Target>> {
    let registry = Registry::built_in();
    let chosen = registry
        .iter()
        .filter(|target| !target.is_planted() || target.name().starts_with("tungstenite/"));
    chosen.cloned().collect()
}

/// Every seed has pieces of other sizes.
fn three_are_told_apart_with(seed: u64) {
    let slow = look(&costly(Cost::Slow), seed);
    assert!(slow.is_empty(), "seed {seed}: {:?}", slow[0].violation.fact);
    let head = look(&costly(Cost::Head), seed);
    assert_eq!(symptoms(&head), [Symptom::HeadInPieces], "seed {seed}");
    let frames = look(&costly(Cost::Frames), seed);
    let declared = [Symptom::MessageInPieces, Symptom::MessageInFragments, Symptom::ManyMessages];
    assert_eq!(symptoms(&frames), declared, "seed {seed}");
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn work_out_of_proportion_is_found_and_a_server_that_is_merely_slow_is_not() {
    three_are_told_apart_with(1);
    for target in honest() {
        let found = look(&target, 1);
        assert!(found.is_empty(), "{}: {:?}", target.name(), symptoms(&found));
    }
    for fault in planted() {
        let declared: Vec<_> =
            fault.shows().iter().filter_map(|problem| problem.symptom()).collect();
        let found = look(&(Arc::new(Reference::with(fault)) as Arc<dyn Target>), 1);
        assert_eq!(symptoms(&found), declared, "{}", fault.target());
    }
}

#[test]
#[ignore = "real time: by hand"]
#[expect(clippy::disallowed_methods, reason = "how long a seed takes is said, not judged")]
fn the_same_holds_from_twenty_seeds_while_every_core_is_busy() {
    let _busy = BusyCores::new();
    for seed in 0..20 {
        let start = std::time::Instant::now();
        three_are_told_apart_with(seed);
        eprintln!("{seed} {:?}", start.elapsed());
    }
}

#[test]
fn a_finding_says_how_the_work_grew_and_its_script_is_the_simplest_there_is() {
    let found = look(&costly(Cost::Head), 0);
    let [finding] = &found[..] else { panic!("{:?}", symptoms(&found)) };
    let script = finding.script.to_string();
    assert_eq!(script, "upgrade with 64KiB header in pieces of 64 bytes\n", "on every machine");
    let fact = &finding.violation.fact;
    assert!(fact.contains(" times the processor time for four times the bytes"), "{fact}");
    let work = finding.exchange.work.as_ref().expect("it was measured");
    assert!(work.growth().product::<f64>() >= 9.0, "{work:?}");
    assert!(work.at_once * 3 < work.points[2].took, "{work:?}");
    let played = play(&costly(Cost::Head), &costly(Cost::Head).bounds(), &finding.script, 0);
    assert_eq!(played.digest(), finding.exchange.digest(), "what was measured is no part of it");
}

/// `serve` of a [`Costly`] server, as a suite has it.
async fn searches_again(io: Connection) {
    Costly(Cost::Head).serve(io).await;
}

#[test]
#[ignore = "long: .ci/run plays it"]
fn a_suite_fails_for_it_and_plays_the_saved_file_first() {
    let directory = tempfile::tempdir().expect("a directory");
    let suite = || -> Suite {
        hangup::suite(searches_again).named("mine").scripts(0).findings_in(directory.path())
    };
    let failure = suite().try_check().expect_err("its work is out of proportion").to_string();
    let text = failure.replace('\n', " ");
    assert!(text.contains("work per byte grows for an opening request in pieces"), "{failure}");
    let again = suite().try_check().expect_err("it still is").to_string();
    assert!(again.contains("mine still fails as saved: 1 problem"), "{again}");
    assert!(again.contains("times the processor time for four times the bytes"), "{again}");
}
