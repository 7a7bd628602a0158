//! A script of several connections, played in real time against one server, until each has been
//! watched or the server is gone.
//!
//! `app shutdown` sends the process its signal, once the clients that come first are there.

use super::merge::{OneConnection, merged};
use crate::exchange::{AfterDeadline, Death, Event, Exchange, Time, What};
use crate::judge::judge;
use crate::run::real_time::play::PlayConfig;
use crate::run::real_time::process_group::StopSignal;
use crate::run::real_time::record::Record;
use crate::run::real_time::remote_subject::pauses;
use crate::run::real_time::server_process::ServerProcess;
use crate::run::real_time::subject::Subject;
use crate::script::{Act, Command, Millis, Piece, Script, Step, Unit};
use crate::verdict::Verdict;
use crate::wire::handshake;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

/// How long the signal waits at most for clients that come first to be open.
const OPENING: Duration = Duration::from_secs(2);
/// How long `app shutdown` may take to come, beside the script's own pauses.
const WISHED: Duration = Duration::from_secs(30);
/// How long it waits then: what was sent last is to arrive.
const SETTLED: Duration = Duration::from_millis(100);
/// How long clients go on watching at least once the server is gone.
const AFTER: Duration = Duration::from_millis(200);
/// The signals that nobody sends who tells a server to shut down: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE,
/// SIGSEGV.
const CRASHES: [i32; 6] = [4, 5, 6, 7, 8, 11];
/// What a shell adds to the signal that ended what it ran.
const SHELL: i32 = 128;
/// How often is looked whether something has come.
const LOOK: Duration = Duration::from_millis(10);
/// How far beyond a deadline watching goes.
const BEYOND: Duration = Duration::from_millis(20);

/// Plays scripts of several connections.
pub(in crate::run::real_time) struct Together<'a> {
    pub config: &'a Arc<PlayConfig>,
    pub subject: &'a Subject,
    /// The process, and the signal that tells it to shut down, where scripts may say so.
    pub stop: Option<(&'a ServerProcess, StopSignal)>,
    /// How long a play without a shutdown is watched, at most.
    pub watched: Duration,
    /// How long a process that has not ended in time is watched on.
    pub beyond: Duration,
}

/// What a play came to.
pub(in crate::run::real_time) struct TogetherPlayed {
    pub exchange: Exchange,
    pub verdict: Verdict,
    /// How the process ended, where it was told to shut down and did.
    pub exit: Option<Death>,
    /// Whether our own process was so late meanwhile that the verdict is worth nothing.
    pub was_late: bool,
}

/// What all connections of a play share.
#[derive(Clone)]
struct Shared {
    start: Instant,
    /// A script says `app shutdown`.
    wish: Arc<Notify>,
    /// Those that are connected.
    records: Arc<Mutex<Vec<Connected>>>,
    /// True once the play is over.
    over: watch::Receiver<bool>,
}

/// A connection that is there from the beginning.
#[derive(Clone)]
struct Connected {
    /// Whether it asks for a WebSocket as it should.
    asks: bool,
    /// Whether it reads to the end.
    reads: bool,
    record: Record,
}

impl Together<'_> {
    /// Plays all connections of `script`, and judges what they saw together.
    pub async fn play(&self, script: &Script) -> TogetherPlayed {
        let (end, over) = watch::channel(false);
        let start = Instant::now();
        let (wish, records) = (Arc::new(Notify::new()), Arc::default());
        let shared = Shared { start, wish, records, over };
        let mut playing = JoinSet::new();
        let scripts = script.each();
        let first = scripts.iter().filter(|script| is_first(script)).count();
        for (number, script) in scripts.into_iter().enumerate() {
            let (config, subject) = (Arc::clone(self.config), self.subject.clone());
            let shared = shared.clone();
            playing.spawn(async move { (number, one(&config, &subject, &script, shared).await) });
        }
        let mut server = Vec::new();
        let exit = if tells_to_shut_down(script) {
            let most = pauses(script) + WISHED;
            self.shut_down(&shared, (first, most), &mut server).await
        } else {
            let _ = timeout(self.watched, shared.are_over(readers(script))).await;
            None
        };
        let _ = end.send(true);
        let mut connections = playing.join_all().await;
        connections.sort_by_key(|(number, _)| *number);
        let connections = connections.into_iter().map(|(_, one)| one).collect();
        let mut exchange = merged(connections, server);
        let delay = self.config.delays.worst_since(start);
        exchange.timing_slack = self.config.slack + delay + self.waited_since(start);
        let verdict = judge(&exchange, &self.config.bounds);
        TogetherPlayed { exchange, verdict, exit, was_late: delay > self.config.slack }
    }

    /// Sends the signal once it is wished for, and watches the process; how it ended, where it did.
    async fn shut_down(
        &self,
        shared: &Shared,
        (first, most): (usize, Duration),
        server: &mut Vec<Event>,
    ) -> Option<Death> {
        let (process, signal) = self.stop?;
        let now = || Time::from(shared.start.elapsed());
        // A client that says so may not be connected.
        timeout(most, shared.wish.notified()).await.ok()?;
        let _ = timeout(OPENING, shared.are_open(first)).await;
        sleep(SETTLED).await;
        let told = Instant::now();
        server.push(Event::new(now(), What::ToldToShutDown));
        process.tell_to_shut_down(signal);
        let gone = process.gone();
        let mut gone = std::pin::pin!(gone);
        loop {
            // What a busy machine takes from the server is not its fault.
            let late = self.config.delays.worst_since(told) + self.waited_since(told);
            let due = self.config.bounds.shutdown() + self.config.slack + late + BEYOND;
            tokio::select! {
                biased;
                exit = &mut gone => {
                    server.push(Event::new(now(), What::ServerReturned));
                    server.extend(crash(exit).map(|crash| Event::new(now(), What::Died(crash))));
                    // The kernel ends what the process had: who is open for longer is held by another.
                    sleep(AFTER).await;
                    let _ = timeout_at(told + due, shared.have_ended()).await;
                    return Some(exit);
                }
                () = sleep_until(told + due) => {
                    let late = self.config.delays.worst_since(told) + self.waited_since(told);
                    if told.elapsed() < self.config.bounds.shutdown() + self.config.slack + late {
                        continue;
                    }
                    // It is late: will it end by itself?
                    let exit = timeout(self.beyond, &mut gone).await.ok();
                    let ended = match exit {
                        Some(_) => What::ServerReturned,
                        None => What::ServerBecame(AfterDeadline::GaveUp),
                    };
                    server.push(Event::new(now(), ended));
                    return exit;
                }
            }
        }
    }

    fn waited_since(&self, start: Instant) -> Duration {
        let waited = self.config.table.as_ref().map(|table| table.waited_since(None, start));
        waited.unwrap_or_default().min(self.config.bounds.longest())
    }
}

impl Shared {
    /// Ready once so many connections are over.
    async fn are_over(&self, count: usize) {
        loop {
            if self.connected().iter().filter(|one| one.record.is_over()).count() >= count {
                return;
            }
            sleep(LOOK).await;
        }
    }

    /// Ready once all who read have seen the end.
    async fn have_ended(&self) {
        while !self.connected().iter().all(|one| !one.reads || one.record.is_over()) {
            sleep(LOOK).await;
        }
    }

    fn connected(&self) -> Vec<Connected> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ready once so many clients are open.
    async fn are_open(&self, first: usize) {
        loop {
            let connected = self.connected();
            let is_open = |one: &Connected| !one.asks || has_response(&one.record);
            if connected.len() >= first && connected.iter().all(is_open) {
                return;
            }
            sleep(LOOK).await;
        }
    }
}

/// How many connections of a script nobody has to wait for.
fn readers(script: &Script) -> usize {
    script.each().iter().filter(|script| !may_be_waited_for(script)).count()
}

/// Whether a server may wait for a connection, and let others wait meanwhile: it does not read, or has sent
/// part of its opening request alone.
pub(super) fn may_be_waited_for(script: &Script) -> bool {
    let first = script.steps.iter().find_map(|step| match &step.act {
        Act::Send(send) => Some(send),
        _ => None,
    });
    !reads(script)
        || first
            .is_some_and(|send| send.piece != Piece::Whole && matches!(send.unit, Unit::Upgrade(_)))
}

fn reads(script: &Script) -> bool {
    !script.steps.iter().any(|step| matches!(step.act, Act::StopReading | Act::Cut))
}

/// The signal, where the process did not end as it was told to, but crashed.
fn crash(exit: Death) -> Option<Death> {
    let signal = match exit {
        Death::Signal(signal) => signal,
        Death::Exited(code) => code.checked_sub(SHELL)?,
        _ => return None,
    };
    CRASHES.contains(&signal).then_some(Death::Signal(signal))
}

fn has_response(record: &Record) -> bool {
    let mut has = false;
    record.received(&mut |bytes, _| has = handshake::head_length(bytes).is_some());
    has
}

/// Plays one connection of a script.
async fn one(
    config: &PlayConfig,
    subject: &Subject,
    script: &Script,
    shared: Shared,
) -> OneConnection {
    let Shared { start, wish, records, mut over } = shared;
    let (after, script) = connect_after(script);
    let until = async move {
        let _ = over.wait_for(|over| *over).await;
    };
    let mut until = std::pin::pin!(until);
    if !has_a_client(&script) {
        tokio::select! {
            () = &mut until => {}
            () = act_alone(&script, &wish) => {}
        }
        return OneConnection::default();
    }
    tokio::select! {
        () = &mut until => return OneConnection::default(),
        () = sleep_until(start + after.duration()) => {}
    }
    let now = || Time::from(start.elapsed());
    let is_first = after.duration().is_zero();
    let offered = now();
    let Ok(mut connection) = config.open(subject, &script, config.slack).await else {
        return OneConnection { offered, refused: Some(now()), seen: None, is_first };
    };
    let connected = Time::from(connection.record().start() - start);
    let asks = script.steps.first().is_some_and(|step| step.to_string() == "upgrade");
    if is_first {
        let (reads, record) = (reads(&script), connection.record().clone());
        let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(Connected { asks, reads, record });
    }
    connection.on_shutdown(wish);
    let seen = config.act_until(&mut connection, &script, until).await;
    OneConnection { offered, refused: None, seen: Some((connected, seen)), is_first }
}

/// What a connection does on which no client is.
async fn act_alone(script: &Script, wish: &Notify) {
    for step in &script.steps {
        match &step.act {
            Act::Wait(time) => sleep(time.duration()).await,
            Act::App(Command::Shutdown, _) => wish.notify_one(),
            _ => {}
        }
    }
    std::future::pending::<()>().await;
}

/// Whether the client does anything; a connection that has only `app` steps and pauses is not opened.
fn has_a_client(script: &Script) -> bool {
    !script.steps.iter().all(|step| matches!(step.act, Act::App(..) | Act::Wait(_)))
}

/// How long after the beginning a connection arrives, and the rest of its steps.
fn connect_after(script: &Script) -> (Millis, Script) {
    match script.steps.first() {
        Some(Step { act: Act::Connect(after), .. }) => {
            (*after, Script { steps: script.steps[1..].to_vec() })
        }
        _ => (Millis(0), script.clone()),
    }
}

/// Whether a connection of a script is there from the beginning.
fn is_first(script: &Script) -> bool {
    let (after, script) = connect_after(script);
    after.duration().is_zero() && has_a_client(&script)
}

fn tells_to_shut_down(script: &Script) -> bool {
    script.steps.iter().any(|step| matches!(step.act, Act::App(Command::Shutdown, _)))
}
