//! Waves of connections, and what the server's processes hold after each: is it at rest again?
//!
//! What grows is decided by the judge (`frees-resources`): here is what was measured.

use crate::exchange::{Event, Exchange, HeldAfter, Time, What};
use crate::run::real_time::play::{PlayConfig, Watching};
use crate::run::real_time::process_members::Holdings;
use crate::run::real_time::server_process::ServerProcess;
use crate::run::real_time::subject::Subject;
use crate::script::Script;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// What the clients of a wave do: all of them leave the server nothing to wait for.
const CLIENTS: [&str; 4] = [
    "upgrade\nclose 1000\n",
    "upgrade\ntext \"hangup\"\nclose 1000\n",
    "upgrade\nreset\n",
    "upgrade\nping\ndrop\n",
];
/// How many of each.
const EACH: usize = 10;
/// How many connections a wave has.
pub(in crate::run::real_time) const CONNECTIONS: u32 = (CLIENTS.len() * EACH) as u32;
/// How many waves there are, and how many where the memory goes on growing: a heap takes long until it
/// has all that it needs.
pub(in crate::run::real_time) const WAVES: usize = 5;
const WAVES_OF_MEMORY: usize = 20;
/// How long a server may keep something for a client that may come back: where the memory alone grows, one
/// more wave comes so much later.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// A page of memory: a server that keeps less of each connection is not looked at for longer.
const PAGE: u64 = 4096;
/// How often is looked whether the server is at rest.
const LOOK: Duration = Duration::from_millis(50);

/// The script of a wave, as a file has it: its four kinds of clients.
pub(in crate::run::real_time) fn script() -> Script {
    let lines = CLIENTS.iter().enumerate().flat_map(|(index, script)| {
        script.lines().map(move |line| format!("{}: {line}\n", index + 1))
    });
    lines.collect::<String>().parse().expect("a script")
}

/// Plays waves against a server that hangup started; `None` where what it holds is not seen.
pub(in crate::run::real_time) async fn play(
    config: &Arc<PlayConfig>,
    subject: &Subject,
    process: &ServerProcess,
) -> Option<Exchange> {
    let start = Instant::now();
    let mut exchange = Exchange::new(false);
    exchange.timing_slack = config.slack;
    let mut last = process.holdings()?;
    let mut waves: Vec<Holdings> = Vec::new();
    for wave in 1..=WAVES_OF_MEMORY {
        if wave == WAVES_OF_MEMORY {
            sleep(KEPT_FOR).await;
        }
        one(config, subject).await;
        last = at_rest(config, process, last).await?;
        waves.push(last);
        let Holdings { descriptors, threads, memory: resident } = last;
        let held = HeldAfter { connections: CONNECTIONS, descriptors, threads, memory: resident };
        let held = What::Held(Box::new(held));
        exchange.events.push(Event::new(Time::from(start.elapsed()), held));
        // A heap that is collected late grows with what it no longer keeps.
        let tells = || may_be_memory_alone(&waves) && !process.collects_late();
        if wave >= WAVES && !tells() {
            break;
        }
    }
    Some(exchange)
}

/// Whether only the memory grew, with every wave: then more of them tell.
fn may_be_memory_alone(waves: &[Holdings]) -> bool {
    let grows = |of: fn(&Holdings) -> u64, least: u64| {
        waves.windows(2).all(|pair| of(&pair[1]) >= of(&pair[0]) + least)
    };
    let least = PAGE * u64::from(CONNECTIONS);
    grows(|held| held.memory, least)
        && !grows(|held| held.descriptors, 1)
        && !grows(|held| held.threads, 1)
}

/// One wave: all its connections have ended, or were given up, when it is over.
async fn one(config: &Arc<PlayConfig>, subject: &Subject) {
    let mut playing = JoinSet::new();
    for text in CLIENTS.iter().cycle().take(CONNECTIONS as usize) {
        let (config, subject) = (Arc::clone(config), subject.clone());
        let script: Script = text.parse().expect("a script");
        playing.spawn(async move {
            // Who is not accepted leaves nothing behind.
            let _ = config.play(&subject, &script, Watching::ToDeadline).await;
        });
    }
    playing.join_all().await;
}

/// What the server holds once it holds no more than after the wave before, or once the time to let
/// go of connections has passed.
async fn at_rest(config: &PlayConfig, process: &ServerProcess, last: Holdings) -> Option<Holdings> {
    let start = Instant::now();
    let patience = config.bounds.close.max(config.bounds.release) + config.slack;
    loop {
        let now = process.holdings()?;
        let rests = now.descriptors <= last.descriptors && now.threads <= last.threads;
        if rests || start.elapsed() > patience + config.delays.worst_since(start) {
            return Some(now);
        }
        sleep(LOOK).await;
    }
}
