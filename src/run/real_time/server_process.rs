//! A server that hangup starts itself, for `--run`: a command of the shell in a process group of
//! its own.
//!
//! It starts the command, waits until it listens, sees its end, measures its memory, and stops it
//! with its children. It plays nothing, and does not decide who ended the server. Unix only:
//! elsewhere starting it is an error.

use super::process_group::{Group, Seen, StopSignal, append_to, last_words, shown};
use super::process_members::{Holdings, Members};
use crate::exchange::Death;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How often is looked whether a server that is to listen does.
const LOOK: Duration = Duration::from_millis(20);
/// How often is looked whether one that was told to shut down has.
const GONE_LOOK: Duration = Duration::from_millis(10);
/// How often then for its exit code.
const EXIT_LOOKS: u32 = 20;
/// How long one attempt to connect may take then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it has to end by itself after SIGTERM, its children too.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is started anew where it ends before it listens: some cannot take their port
/// again at once.
const RESTARTS: u32 = 4;
/// How long before each of these.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// What to start, and where it has to listen then.
#[derive(Clone, Debug)]
pub struct ServerCommand {
    /// A line for `sh -c`. The environment has the port in `PORT`.
    pub line: String,
    /// The port in `PORT`.
    pub port: u16,
    /// It listens once one of these accepts a connection.
    pub addresses: Vec<SocketAddr>,
    /// What it prints is appended to this file.
    pub output: PathBuf,
    /// How long it may take until it listens.
    pub start_within: Duration,
}

/// A server that is started, and started again. Clones share it; with the last one it is stopped.
#[derive(Clone, Debug)]
pub struct ServerProcess(Arc<Shared>);

/// How a server that hangup had started ended by itself.
#[derive(Clone, Copy, Debug)]
pub struct ServerDeath {
    /// By a signal, or with an exit code.
    pub how: Death,
    /// When it was seen to have ended.
    pub(super) at: Instant,
    /// How many connections it had been asked for since its start.
    pub connections: u64,
    /// How long it had listened.
    pub after: Duration,
    /// The resident memory of the largest process of its group; `None` where that is not seen.
    pub memory: Option<MemoryGrowth>,
}

/// Resident memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryGrowth {
    /// Once it listened.
    pub first: u64,
    /// The most that was measured since.
    pub most: u64,
}

#[derive(Debug)]
struct Shared {
    command: ServerCommand,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often it was started.
    starts: u64,
    /// The process that was started last, until it has ended.
    group: Option<Group>,
    /// Since when it listens.
    listens: Option<Instant>,
    memory: Option<MemoryGrowth>,
    connections: u64,
    /// How the process that was started last ended; not where hangup stopped it.
    death: Option<ServerDeath>,
    /// How it ended after hangup had told it to.
    exit: Option<Death>,
    stopping: bool,
}

impl ServerProcess {
    /// A server that is not started yet.
    pub fn new(command: ServerCommand) -> Self {
        Self(Arc::new(Shared { command, state: Mutex::default() }))
    }

    /// What is started.
    pub fn command(&self) -> &ServerCommand {
        &self.0.command
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    ///
    /// One line: it cannot be started, ends before it listens, or does not listen in time.
    pub async fn start(&self) -> Result<(), String> {
        let is_first = self.state().starts == 0;
        let mut tries = 0;
        loop {
            tries += 1;
            self.spawn()?;
            let Err(trouble) = self.until_it_listens().await else { return Ok(()) };
            let has_ended = self.death().is_some();
            if is_first || !has_ended || tries > RESTARTS {
                let stopped = self.clone();
                let _ = tokio::task::spawn_blocking(move || stopped.stop()).await;
                return Err(trouble);
            }
            sleep(RESTART_PAUSE).await;
        }
    }

    fn spawn(&self) -> Result<(), String> {
        let ServerCommand { line, port, output, .. } = &self.0.command;
        let port = port.to_string();
        let group = Group::spawn(line, &[("PORT", port.as_ref())], append_to(output)?)
            .map_err(|error| format!("--run {}: {error}", shown(line)))?;
        let mut state = self.state();
        *state = State { starts: state.starts + 1, ..State::default() };
        state.group = Some(group);
        let (shared, start) = (Arc::downgrade(&self.0), state.starts);
        drop(state);
        std::thread::spawn(move || {
            group.watch(&mut |seen| {
                let Some(shared) = shared.upgrade() else { return true };
                shared.take(start, seen)
            });
        });
        Ok(())
    }

    async fn until_it_listens(&self) -> Result<(), String> {
        let ServerCommand { line, addresses, output, start_within, .. } = &self.0.command;
        let began = Instant::now();
        let listed = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        while began.elapsed() < *start_within {
            for address in addresses {
                let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
                if matches!(connected, Ok(Ok(_))) && self.death().is_none() {
                    self.listens();
                    return Ok(());
                }
            }
            if let Some(death) = self.death() {
                return Err(format!(
                    "--run {}: the server {} before it listened on {listed}; what it printed: {}{}",
                    shown(line),
                    death.how,
                    output.display(),
                    last_words(output),
                ));
            }
            sleep(LOOK).await;
        }
        Err(format!(
            "--run {}: the server does not listen on {listed} within {} s (--start-within); it \
                 has to listen on the port in {{port}} or $PORT; its output: {}{}",
            shown(line),
            start_within.as_secs_f64(),
            output.display(),
            last_words(output),
        ))
    }

    fn listens(&self) {
        let mut state = self.state();
        state.listens = Some(Instant::now());
        let first = state.group.and_then(|group| Members::of(group.id()).largest());
        state.memory = first.map(|first| MemoryGrowth { first, most: first });
    }

    /// How often it was started.
    pub(super) fn starts(&self) -> u64 {
        self.state().starts
    }

    /// How it ended, where it did, and was not started again since.
    pub fn death(&self) -> Option<ServerDeath> {
        self.state().death
    }

    /// It was asked for one more connection.
    pub(super) fn count_connection(&self) {
        self.state().connections += 1;
    }

    /// Whether it was started, and has neither ended nor been stopped.
    pub(super) fn runs(&self) -> bool {
        self.state().group.is_some()
    }

    /// What its processes hold; `None` where that is not seen, or it does not run.
    pub(super) fn holdings(&self) -> Option<Holdings> {
        let group = self.state().group?;
        Members::of(group.id()).holdings()
    }

    /// Whether one of them runs on a machine that lets its heap grow to gigabytes before it looks what of it
    /// is used: what such a process holds says nothing of what it keeps.
    pub(super) fn collects_late(&self) -> bool {
        self.state().group.is_some_and(|group| Members::of(group.id()).collect_late())
    }

    /// Tells it to shut down: sends its processes this signal, and nothing more.
    pub(super) fn tell_to_shut_down(&self, signal: StopSignal) {
        let mut state = self.state();
        state.stopping = true;
        if let Some(group) = state.group {
            group.signal(signal);
        }
    }

    /// Ready once none of its processes is left, after it was told to shut down; with how the
    /// process that was started ended.
    pub(super) async fn gone(&self) -> Death {
        while self.state().group.is_some_and(|group| !group.has_ended()) {
            sleep(GONE_LOOK).await;
        }
        // The thread that waits for it looks now and then.
        let mut looks = 0;
        while self.state().exit.is_none() && looks < EXIT_LOOKS {
            looks += 1;
            sleep(GONE_LOOK).await;
        }
        let mut state = self.state();
        state.group = None;
        state.exit.unwrap_or(Death::Unseen)
    }

    /// Ends it and its children: SIGTERM, and after two seconds SIGKILL. Blocks until then.
    pub fn stop(&self) {
        self.0.stop(GRACE);
    }

    /// The same, and SIGKILL after so long.
    pub fn stop_within(&self, grace: Duration) {
        self.0.stop(grace);
    }

    /// Ends it and its children at once: SIGKILL.
    pub fn kill(&self) {
        let mut state = self.state();
        state.stopping = true;
        if let Some(group) = state.group {
            group.kill();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the watching thread saw of the process of this start; whether hangup ends the
    /// server itself.
    fn take(&self, start: u64, seen: Seen) -> bool {
        let mut state = self.state();
        if state.starts != start {
            // It was told to shut down, and is started again already.
            return true;
        }
        match seen {
            Seen::Runs(memory) => {
                if let Some((growth, now)) = state.memory.as_mut().zip(memory) {
                    growth.most = growth.most.max(now);
                }
            }
            Seen::Ended(how) => {
                // Of a group that is being stopped its children may be left.
                if state.stopping {
                    state.exit = Some(how);
                } else {
                    state.group = None;
                    let at = Instant::now();
                    let after = state.listens.map_or(Duration::ZERO, |since| at - since);
                    let (connections, memory) = (state.connections, state.memory);
                    state.death = Some(ServerDeath { how, at, connections, after, memory });
                }
            }
        }
        state.stopping
    }

    fn stop(&self, grace: Duration) {
        let group = {
            let mut state = self.state();
            state.stopping = true;
            state.group
        };
        if let Some(group) = group {
            group.stop(grace);
            self.state().group = None;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop(GRACE);
    }
}
