//! How fast playing, judging and shrinking are: `cargo bench --bench throughput`.
//!
//! `--campaign TARGET SCRIPTS` only plays, for a profiler: `benches/where-time-goes` uses it.
//!
//! Prints a line each as `name: value`. Machines are noisy, so that what can be is
//! a ratio of two things measured in turn in one run, and every figure is a median.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use hangup::generate::GeneratorConfig;
use hangup::judge::judge;
use hangup::run::campaign::Campaign;
use hangup::run::virtual_time::{play, play_and_judge};
use hangup::shrink::{BUDGET, shrink};
use hangup::verdict::{Cause, Condition, Identity, Invariant};
use hangup::wire::handshake::REQUEST;
use hangup::wire::{CloseCode, FrameHead, Opcode};
use hangup::{AppSteps, Connection, Registry, Script, Target};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Rounds of each measurement, and plays in a round.
const ROUNDS: usize = 15;
const PLAYS: u32 = 2_000;

/// A target that asks an elapsed timer for ever.
const SPINS: &str = "reference/polls-elapsed-deadline";

fn main() {
    let registry = Registry::built_in();
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, option, name, scripts, ..] = &arguments[..]
        && option == "--campaign"
    {
        let target = registry.resolve(name).expect("a built-in target");
        campaign(&target, 5, scripts.parse().expect("a number"));
        return;
    }
    let target = |name: &str| Arc::clone(registry.find(name).expect("built in"));
    for name in ["reference", "tungstenite/read-deadline"] {
        println!("scripts per second, {name}: {:.0}", throughput(&target(name)));
    }
    let server = several(&target("reference-server"));
    for (connections, scripts) in &server {
        println!("scripts per second, reference-server, {connections} connections: {scripts:.0}");
    }
    let alone = server[0].1;
    for (connections, scripts) in &server[1..] {
        let cost = alone / (scripts * *connections as f64);
        println!("cost of a connection among {connections} / alone: {cost:.2}");
    }
    println!("scripts per second, a target that spins: {:.0}", spinning(&target(SPINS)));
    for name in ["reference", "tungstenite/read-deadline"] {
        println!("hangup / bare loop, {name}: {:.2}", ratio(&target(name)));
    }
    println!(
        "extra cost of a certified never, microseconds: {:.1}",
        never(&target("tungstenite/no-deadline"))
    );
    let mut plays = shrink_plays(&target("tungstenite/no-deadline"));
    plays.sort_unstable();
    println!("shrink plays, median of 100: {}", plays[plays.len() / 2]);
    println!("shrink plays, maximum of 100: {}", plays[plays.len() - 1]);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn seconds(mut work: impl FnMut()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// Generate + play + judge, one core.
fn throughput(target: &Arc<dyn Target>) -> f64 {
    const SCRIPTS: u64 = 20_000;
    let round = |seed| SCRIPTS as f64 / seconds(|| campaign(target, seed, SCRIPTS));
    round(0);
    median((1..=7).map(round).collect())
}

/// How many connections scripts have, and how many such scripts are played and judged in a second,
/// one core. Each of their connections does what a script of one connection does, so that a cost
/// that is linear is told by the product.
fn several(server: &Arc<dyn Target>) -> Vec<(usize, f64)> {
    const CONNECTIONS: u64 = 8_000;
    const COUNTS: [usize; 3] = [1, 2, 8];
    let config = GeneratorConfig {
        bounds: server.bounds(),
        app: AppSteps::ALL,
        ..GeneratorConfig::default()
    };
    let single: Vec<Script> = (0..CONNECTIONS).map(|index| config.nth(1, index)).collect();
    let round = |count: usize| {
        let scripts: Vec<Script> = single.chunks_exact(count).map(Script::together).collect();
        let playing = || {
            for (script, seed) in scripts.iter().zip(0..) {
                black_box(play_and_judge(server, &server.bounds(), script, seed));
            }
        };
        scripts.len() as f64 / seconds(playing)
    };
    COUNTS.map(|count| (count, median((0..5).map(|_| round(count)).collect()))).to_vec()
}

/// The same, of a target that spins in most scripts; each of its findings is shrunk, too.
fn spinning(target: &Arc<dyn Target>) -> f64 {
    const SCRIPTS: u64 = 2_000;
    SCRIPTS as f64 / seconds(|| campaign(target, 1, SCRIPTS))
}

fn campaign(target: &Arc<dyn Target>, seed: u64, scripts: u64) {
    let (bounds, scripts) = (target.bounds(), Some(scripts));
    let campaign = Campaign { bounds, seed, scripts, all_variants: false };
    black_box(campaign.run(target, |_| ControlFlow::Continue(())));
}

/// One script, played by hangup and by hand on the same target, in turn.
fn ratio(target: &Arc<dyn Target>) -> f64 {
    let script: Script =
        "upgrade\ntext \"hello\"\nping \"x\"\nclose 1000\nfin\n".parse().expect("a script");
    let bounds = target.bounds();
    let hangup = || {
        for _ in 0..PLAYS {
            black_box(judge(&play(target, &bounds, &script, 0), &bounds));
        }
    };
    let by_hand = || {
        for _ in 0..PLAYS {
            bare_loop(target);
        }
    };
    median((0..ROUNDS).map(|_| seconds(hangup) / seconds(by_hand)).collect())
}

/// The same script as a hand-written client in virtual time: it sends, reads what
/// comes back, and sees the end within its bound or panics.
fn bare_loop(target: &Arc<dyn Target>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(16 * 1024);
        let target = Arc::clone(target);
        let server = tokio::spawn(async move { target.serve(Connection::over(server)).await });
        let mut buffer = [0; 1024];
        client.write_all(REQUEST.as_bytes()).await.expect("to send the request");
        let count = client.read(&mut buffer).await.expect("the response");
        assert!(buffer[..count].starts_with(b"HTTP/1.1 101"));
        let mut frames = Vec::new();
        FrameHead::client(Opcode::TEXT).encode(b"hello", &mut frames);
        client.write_all(&frames).await.expect("to send text");
        tokio::task::yield_now().await;
        frames.clear();
        FrameHead::client(Opcode::PING).encode(b"x", &mut frames);
        client.write_all(&frames).await.expect("to ping");
        let count = client.read(&mut buffer).await.expect("the pong");
        assert_eq!(buffer[0], 0x8a, "{count} bytes");
        frames.clear();
        FrameHead::client(Opcode::CLOSE).encode(&CloseCode::NORMAL.0.to_be_bytes(), &mut frames);
        client.write_all(&frames).await.expect("to close");
        let count = client.read(&mut buffer).await.expect("the Close");
        assert_eq!(buffer[0], 0x88, "{count} bytes");
        let _ = client.shutdown().await;
        let end = tokio::time::timeout(Duration::from_secs(5), client.read(&mut buffer)).await;
        assert_eq!(end.expect("in time").expect("a clean end"), 0);
        server.await.expect("no panic");
    });
}

/// A hang that is proven, against the same server ending in time, in turn.
fn never(target: &Arc<dyn Target>) -> f64 {
    let hangs: Script = "upgrade\napp close\n".parse().expect("a script");
    let ends: Script = "upgrade\napp close\nclose\n".parse().expect("a script");
    let bounds = target.bounds();
    let time = |script: &Script, clean: bool| {
        seconds(|| {
            for _ in 0..PLAYS {
                let verdict = judge(&play(target, &bounds, script, 0), &bounds);
                assert_eq!(verdict.is_clean(), clean);
            }
        })
    };
    let extra = || (time(&hangs, false) - time(&ends, true)) / f64::from(PLAYS) * 1e6;
    median((0..ROUNDS).map(|_| extra()).collect())
}

/// Plays to the minimum, from 100 different failing scripts of one bug.
fn shrink_plays(target: &Arc<dyn Target>) -> Vec<u32> {
    let identity = Identity::liveness(Invariant::EndsInTime, Cause::OwnClose, Condition::Silent);
    let bounds = target.bounds();
    let fails = |script: &Script| {
        judge(&play(target, &bounds, script, 0), &bounds).find(identity).is_some()
    };
    let config = GeneratorConfig { bounds, app: target.obeys(), ..GeneratorConfig::default() };
    let failing = (0..).map(|index| config.nth(42, index)).filter(fails).take(100);
    let results: Vec<_> = failing.map(|script| shrink(script, BUDGET, fails)).collect();
    let first = &results[0].script;
    assert!(results.iter().all(|shrunk| shrunk.script == *first), "one minimum");
    results.iter().map(|shrunk| shrunk.plays).collect()
}
