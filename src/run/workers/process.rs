//! The supervisor's side of a worker: starts the process, sends it jobs, receives its
//! reports, and notices when it dies or stalls.
//!
//! It knows nothing of campaigns: [`super::pool`] decides what is played.

use super::messages::{Job, RangeResult, Report};
use super::shared_memory::SharedMemory;
use crate::exchange::{Death, Exchange, Time, What};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How often a worker that does not answer is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// After so many polls in a row without progress, two seconds, a worker counts as stalled.
/// Polls are counted, and not time: a machine that was suspended has not polled.
const FULL_STALL_POLLS: u32 = 80;

/// The same for a target that is known to stall: a quarter of a second.
const SHORT_STALL_POLLS: u32 = 10;

/// The same for a script that is played again before it counts: an eighth of a second.
const SUSPICION_POLLS: u32 = 5;

/// How many polls a worker has to start: 20 s.
const START_POLLS: u32 = 800;

/// How long a process whose socket is closed may take to exit, and its stderr to arrive.
const EXIT_WAIT: Duration = Duration::from_millis(500);

/// How much of what a worker printed on stderr is kept, in bytes.
const STDERR_TAIL: usize = 4096;

/// What the standard library prints before it aborts because an allocation failed.
const ALLOCATION_FAILED: &str = "memory allocation of ";

/// A worker process that waits for a job.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    socket: BufReader<UnixStream>,
    shared: SharedMemory,
    stderr: Receiver<String>,
    line: Vec<u8>,
}

/// Why a worker has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkerFailure {
    /// Its process died, or stalled and was killed, while the script of this index was played.
    Died(u64, Death),
    /// hangup itself failed, for this reason.
    Internal(String),
}

/// How long a worker may make no progress before it counts as stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StallTimeout {
    /// 2 s: for a target that was not seen to stall.
    Full,
    /// 250 ms: for a target that is known to stall.
    Short,
    /// 125 ms: for scripts of a target that is known to stall. One that stalls is played again
    /// with [`Self::Short`], and if it ends then, it was only slow.
    Suspicion,
}

impl WorkerProcess {
    /// Starts a worker that may use `memory` bytes beside what it starts with.
    ///
    /// # Errors
    ///
    /// Why it does not start, on one line.
    pub fn start(memory: u64) -> Result<Self, String> {
        let cannot_start = |error: io::Error| format!("no worker process can be started: {error}");
        let (shared, file) = SharedMemory::create().map_err(cannot_start)?;
        let (ours, theirs) = UnixStream::pair().map_err(cannot_start)?;
        ours.set_read_timeout(Some(POLL_INTERVAL)).map_err(cannot_start)?;
        let mut child = Command::new(program().map_err(cannot_start)?)
            .arg(super::COMMAND)
            .arg(memory.to_string())
            .stdin(OwnedFd::from(theirs))
            // The worker maps it, then redirects its stdout to /dev/null.
            .stdout(file)
            .stderr(Stdio::piped())
            // Ctrl-C goes to the supervisor alone, which ends its workers.
            .process_group(0)
            .spawn()
            .map_err(cannot_start)?;
        let stderr = read_tail(child.stderr.take());
        let line = Vec::new();
        let mut worker = Self { child, socket: BufReader::new(ours), shared, stderr, line };
        let mut polls = 0;
        let mut give_up = |_: &Self| {
            polls += 1;
            (polls > START_POLLS).then(|| WorkerFailure::Internal("it does not answer".to_owned()))
        };
        match worker.receive(&mut give_up) {
            Ok(Report::Ready) => Ok(worker),
            Ok(report) => Err(format!("no worker process can be started: it said {report:?}")),
            Err(WorkerFailure::Internal(why)) => {
                Err(format!("no worker process can be started: {why}"))
            }
            Err(WorkerFailure::Died(..)) => {
                Err("no worker process can be started: it died".to_owned())
            }
        }
    }

    /// Has a range of scripts played. Once `stopped`, the worker begins no further script.
    pub fn play_range(
        &mut self,
        job: &Job,
        timeout: StallTimeout,
        stopped: &dyn Fn() -> bool,
    ) -> Result<RangeResult, WorkerFailure> {
        self.shared.state().stop_requested.store(0, Relaxed);
        self.send(job);
        let mut stall = StallDetector::default();
        let mut on_poll = |worker: &Self| {
            if stopped() {
                worker.shared.state().stop_requested.store(1, Relaxed);
            }
            let still = stall.polls_without_progress(&worker.shared) >= timeout.polls();
            still.then(|| WorkerFailure::Died(worker.script_index(), Death::StoodStill))
        };
        match self.receive(&mut on_poll)? {
            Report::RangePlayed(result) => Ok(result),
            report => Err(Self::unexpected(&report)),
        }
    }

    /// Has one script played. If the worker dies, the exchange ends with that.
    pub fn play_script(
        &mut self,
        job: &Job,
        timeout: StallTimeout,
    ) -> Result<(Exchange, Option<Death>), WorkerFailure> {
        self.send(job);
        let mut exchange = Exchange::new(true);
        loop {
            let mut stall = StallDetector::default();
            let mut on_poll = |worker: &Self| {
                let still = stall.polls_without_progress(&worker.shared) >= timeout.polls();
                still.then_some(WorkerFailure::Died(0, Death::StoodStill))
            };
            match self.receive(&mut on_poll) {
                Ok(Report::Event(happened)) => happened.append_to(&mut exchange),
                Ok(Report::ScriptPlayed { peak_heap, steps }) => {
                    exchange.peak_heap = peak_heap;
                    exchange.steps = steps;
                    return Ok((exchange, None));
                }
                Ok(report) => return Err(Self::unexpected(&report)),
                Err(WorkerFailure::Died(_, death)) => {
                    return Ok((self.with_death(exchange, death), Some(death)));
                }
                Err(broken) => return Err(broken),
            }
        }
    }

    /// Has one script timed; `None` where the worker cannot say.
    pub fn time_script(&mut self, job: &Job) -> Result<Option<Duration>, WorkerFailure> {
        self.send(job);
        let mut stall = StallDetector::default();
        let mut on_poll = |worker: &Self| {
            let still = stall.polls_without_progress(&worker.shared) >= FULL_STALL_POLLS;
            still.then_some(WorkerFailure::Died(0, Death::StoodStill))
        };
        match self.receive(&mut on_poll)? {
            Report::ScriptTimed { took } => Ok(took),
            report => Err(Self::unexpected(&report)),
        }
    }

    /// The exchange so far, ended by the death of the process.
    fn with_death(&self, mut exchange: Exchange, death: Death) -> Exchange {
        let last = exchange.events.last().map_or(Time::ZERO, |event| event.at);
        let now = Time(self.shared.state().now_micros.load(Relaxed)).max(last);
        exchange.push(now, What::Died(death));
        exchange
    }

    fn script_index(&self) -> u64 {
        self.shared.state().script_index.load(Relaxed)
    }

    fn unexpected(report: &Report) -> WorkerFailure {
        WorkerFailure::Internal(match report {
            Report::InternalError(why) => why.clone(),
            report => format!("it said {report:?}"),
        })
    }

    /// A failure to send is ignored: `receive` then finds the process dead.
    fn send(&mut self, job: &Job) {
        let mut line = serde_json::to_vec(job).unwrap_or_default();
        line.push(b'\n');
        let _ = self.socket.get_mut().write_all(&line);
    }

    /// The next report. While none comes, `on_poll` is called every [`POLL_INTERVAL`]; a
    /// failure that it returns kills the worker.
    fn receive(
        &mut self,
        on_poll: &mut dyn FnMut(&Self) -> Option<WorkerFailure>,
    ) -> Result<Report, WorkerFailure> {
        self.line.clear();
        loop {
            match self.socket.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    let report = serde_json::from_slice(&self.line);
                    return report.map_err(|error| WorkerFailure::Internal(error.to_string()));
                }
                Ok(_) => return Err(self.exit_failure()),
                Err(error) if is_timeout(&error) => {
                    if let Some(lost) = on_poll(self) {
                        self.kill();
                        return Err(lost);
                    }
                }
                Err(_) => return Err(self.exit_failure()),
            }
        }
    }

    /// The process closed its socket: finds out how it ended.
    fn exit_failure(&mut self) -> WorkerFailure {
        let stderr = self.stderr.recv_timeout(EXIT_WAIT).unwrap_or_default();
        let mut status = self.child.try_wait().ok().flatten();
        let mut pause = Duration::from_millis(1);
        while status.is_none() && pause < EXIT_WAIT {
            std::thread::park_timeout(pause);
            pause *= 2;
            status = self.child.try_wait().ok().flatten();
        }
        self.kill();
        let Some(status) = status else {
            return WorkerFailure::Internal("it closed its socket".to_owned());
        };
        if status.signal().is_none() && self.shared.state().target_running.load(Relaxed) == 0 {
            let line = stderr.lines().last().unwrap_or("it said nothing");
            return WorkerFailure::Internal(format!("{status}: {line}"));
        }
        WorkerFailure::Died(self.script_index(), death(status, &stderr))
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl StallTimeout {
    const fn polls(self) -> u32 {
        match self {
            Self::Full => FULL_STALL_POLLS,
            Self::Short => SHORT_STALL_POLLS,
            Self::Suspicion => SUSPICION_POLLS,
        }
    }
}

/// Counts the polls in which a running target made no progress.
#[derive(Default)]
struct StallDetector {
    last: (u64, u64),
    polls: u32,
}

impl StallDetector {
    /// How many polls in a row found the target running and its progress unchanged.
    fn polls_without_progress(&mut self, shared: &SharedMemory) -> u32 {
        let state = shared.state();
        let now = (state.script_index.load(Relaxed), state.progress.load(Relaxed));
        let still = now == self.last && state.target_running.load(Relaxed) == 1;
        self.last = now;
        self.polls = if still { self.polls + 1 } else { 0 };
        self.polls
    }
}

fn death(status: ExitStatus, stderr: &str) -> Death {
    match (status.signal(), status.code()) {
        (Some(_), _) if stderr.contains(ALLOCATION_FAILED) => Death::OutOfMemory,
        (Some(signal), _) => Death::Signal(signal),
        (None, code) => Death::Exited(code.unwrap_or_default()),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// This program. On Linux it is the one that runs even if a new one was built since.
fn program() -> io::Result<PathBuf> {
    let own = PathBuf::from("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() { Ok(own) } else { std::env::current_exe() }
}

/// Reads stderr to its end on a thread of its own, and then gives the last [`STDERR_TAIL`] bytes.
fn read_tail(stderr: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (sender, tail) = channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0; STDERR_TAIL];
        if let Some(mut stderr) = stderr {
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                kept.extend_from_slice(&chunk[..count]);
                kept.drain(..kept.len().saturating_sub(STDERR_TAIL));
            }
        }
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    tail
}
