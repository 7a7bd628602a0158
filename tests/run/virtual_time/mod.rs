//! Playing in virtual time: the endings and their proofs, panics, the script's steps,
//! determinism and memory. Small hand-written servers are played and judged.

mod costs;
mod endings;
mod other_threads;
mod panics;
mod repeatability;
mod script_steps;
mod several_connections;
mod spins;

use hangup::bounds::Bounds;
use hangup::exchange::{Exchange, Time, What};
use hangup::judge::judge;
use hangup::run::virtual_time;
use hangup::target::{AppSteps, Connection, Serving, Target};
use hangup::verdict::{Ending, Invariant};
use std::future::pending;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// A server that is one async closure, and the commands that it obeys.
struct Acting<F>(AppSteps, F);

impl<F, S> Target for Acting<F>
where
    F: Fn(Connection) -> S + Send + Sync,
    S: Future<Output = ()> + Send + 'static,
{
    fn name(&self) -> &'static str {
        "acting"
    }

    fn version(&self) -> &'static str {
        "test"
    }

    fn about(&self) -> &'static str {
        "does what its closure does"
    }

    fn obeys(&self) -> AppSteps {
        self.0
    }

    fn serve(&self, connection: Connection) -> Serving {
        Box::pin((self.1)(connection))
    }
}

fn server<F, S>(serve: F) -> Arc<dyn Target>
where
    F: Fn(Connection) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    Arc::new(Acting(AppSteps::ALL, serve))
}

/// A server that reads nothing and drops the connection after `time`.
fn dropping_after(time: Duration) -> Arc<dyn Target> {
    server(move |io| async move {
        sleep(time).await;
        drop(io);
    })
}

/// A server that keeps the connection and waits for what never comes.
fn holding() -> Arc<dyn Target> {
    server(|io| async move {
        pending::<()>().await;
        drop(io);
    })
}

/// A server that writes a byte every `period`, `times` times, and then drops the connection.
fn ticking(period: Duration, times: u32) -> Arc<dyn Target> {
    server(move |mut io| async move {
        for _ in 0..times {
            sleep(period).await;
            io.write_all(b"x").await.expect("a client that only sent FIN");
        }
    })
}

/// What came of a script, played within the default bound of 5 s.
struct Played {
    exchange: Exchange,
    ending: Ending,
    broken: Vec<Invariant>,
}

fn play_seeded(target: &Arc<dyn Target>, script: &str, seed: u64) -> Played {
    let script = script.parse().expect("a script");
    let exchange = virtual_time::play(target, &Bounds::default(), &script, seed);
    let violations = judge(&exchange, &Bounds::default()).violations;
    Played {
        exchange,
        ending: violations.first().map_or(Ending::InTime, |violation| violation.ending),
        broken: violations.iter().map(|violation| violation.identity.invariant()).collect(),
    }
}

fn play(target: &Arc<dyn Target>, script: &str) -> Played {
    play_seeded(target, script, 0)
}

impl Played {
    /// The events that `pick` picks, with their times.
    fn all<T>(&self, pick: impl Fn(&What) -> Option<T>) -> Vec<(Time, T)> {
        let events = self.exchange.events.iter();
        events.filter_map(|event| Some((event.at, pick(&event.what)?))).collect()
    }

    fn time_of(&self, what: &What) -> Option<Time> {
        self.exchange.events.iter().find(|event| event.what == *what).map(|event| event.at)
    }

    /// When the actor read so many bytes.
    fn actor_read(&self, bytes: u32) -> Option<Time> {
        let read = What::Read { bytes };
        self.exchange.events.iter().find(|event| event.is_actors(&read)).map(|event| event.at)
    }

    /// The sizes of the segments that arrived at the server.
    fn arrived(&self) -> Vec<u32> {
        let bytes = |what: &What| match what {
            What::Arrived { bytes } => Some(*bytes),
            _ => None,
        };
        self.all(bytes).into_iter().map(|(_, bytes)| bytes).collect()
    }

    fn panics(&self) -> Vec<String> {
        let message = |what: &What| match what {
            What::Panicked(message) => Some(message.to_string()),
            _ => None,
        };
        self.all(message).into_iter().map(|(_, message)| message).collect()
    }
}

/// Runs an ignored test of a module in a process of its own; returns what that printed.
fn alone(module: &str, test: &str) -> String {
    let (_, module) = module.split_once("::").expect("a module of the test binary");
    let exe = std::env::current_exe().expect("the test binary has a path");
    let path = format!("{module}::{test}");
    let output = Command::new(exe)
        .args(["--exact", &path, "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the test binary starts");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    printed
}
