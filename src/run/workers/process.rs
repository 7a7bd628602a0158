//! The supervisor's side of a worker: starts the process, sends it jobs, receives its
//! reports, and notices when it dies or stalls.
//!
//! It knows nothing of campaigns: [`super::pool`] decides what is played.

use super::event_log::{EventLog, read_records};
use super::messages::{Job, RangeResult, Report};
use super::shared_memory::SharedMemory;
use super::stall::{POLL_INTERVAL, ProcessState, Progress, StallReason, StallTimeout, StallWatch};
use crate::exchange::{Death, Exchange, Time, What};
use crate::run::campaign::MemoryLeft;
use crate::run::interrupt::{INTERRUPTED, Interrupt};
use rustix::process::Signal;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How many polls a worker has to start: 20 s, and longer where it gets no processor.
const START_POLLS: u32 = 800;

/// How long the stderr of a process whose socket is closed may take to arrive, and the process to
/// exit: on a busy machine not at once.
const STDERR_WAIT: Duration = Duration::from_millis(500);
const EXIT_WAIT: Duration = Duration::from_secs(4);

/// How long the supervisor may hear later than a worker of a signal that goes to every process.
const STOP_WAIT: Duration = Duration::from_millis(50);

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
    log: EventLog,
    stderr: Receiver<String>,
    line: Vec<u8>,
    /// Its memory, when that was last looked at.
    memory: Option<MemoryLeft>,
    interrupt: Interrupt,
}

/// Why a worker has no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WorkerFailure {
    /// Its process died, or stalled and was killed, while the script of this index was played.
    Died(u64, Death),
    /// Its process was stopped, and was killed, at the script of this index.
    Stopped(u64),
    /// It made no progress in hangup's own code, and was killed, at the script of this index.
    Hung(u64),
    /// hangup itself failed, for this reason.
    Internal(String),
    /// The run was interrupted, and the play cut off: the worker was killed.
    Interrupted,
}

impl fmt::Display for WorkerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died(_, death) => write!(f, "it {death}"),
            Self::Stopped(_) => f.write_str(
                "something stops it (SIGSTOP or a debugger), each time that it is started",
            ),
            Self::Hung(_) => f.write_str("it makes no progress in hangup's own code"),
            Self::Internal(why) => f.write_str(why),
            Self::Interrupted => f.write_str(INTERRUPTED),
        }
    }
}

/// What a process that can be asked to end itself is sent: by an administrator, an OOM killer, a job's
/// time limit. A program's own faults raise other signals.
const SENT_BY_OTHERS: [Signal; 5] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::KILL, Signal::TERM];

/// Whether something else than the target may have ended the process: then that has to repeat.
pub(super) fn may_be_from_outside(death: Death) -> bool {
    let is = |signal: &Signal| death == Death::Signal(signal.as_raw());
    SENT_BY_OTHERS.iter().any(is)
}

impl WorkerProcess {
    /// Starts a worker that may use `memory` bytes beside what it starts with.
    ///
    /// # Errors
    ///
    /// Why it does not start.
    pub fn start(memory: u64, interrupt: &Interrupt) -> Result<Self, WorkerFailure> {
        let cannot_start = |error: io::Error| WorkerFailure::Internal(error.to_string());
        let (shared, file) = SharedMemory::create().map_err(cannot_start)?;
        let log = EventLog::of(&file).map_err(cannot_start)?;
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
        let socket = BufReader::new(ours);
        let (memory, interrupt) = (None, interrupt.clone());
        let mut worker = Self { child, socket, shared, log, stderr, line, memory, interrupt };
        let (mut polls, mut watch) = (0, StallWatch::default());
        let mut give_up = |worker: &Self| {
            polls += u32::from(!worker.state().is_some_and(|process| process.runs));
            let late = || WorkerFailure::Internal("it does not answer".to_owned());
            let late = (polls > START_POLLS).then(late);
            late.or_else(|| worker.halt(&mut watch, StallTimeout::Full))
        };
        match worker.receive(&mut give_up) {
            Ok(Report::Ready) => {
                worker.memory = worker.look_at_memory();
                Ok(worker)
            }
            Ok(report) => Err(Self::unexpected(&report)),
            Err(failure) => Err(failure),
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
        self.memory = self.look_at_memory();
        self.send(job);
        let mut watch = StallWatch::default();
        let mut on_poll = |worker: &Self| {
            if stopped() {
                worker.shared.state().stop_requested.store(1, Relaxed);
            }
            worker.halt(&mut watch, timeout)
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
        let lost = |error: io::Error| WorkerFailure::Internal(format!("its events: {error}"));
        self.log.clear().map_err(lost)?;
        self.send(job);
        let (mut exchange, mut records) = (Exchange::new(true), Vec::new());
        let mut watch = StallWatch::default();
        let mut on_poll = |worker: &Self| worker.halt(&mut watch, timeout);
        let mut report = self.receive(&mut on_poll);
        while let Ok(Report::Record(record)) = report {
            records.extend(record);
            report = self.receive(&mut on_poll);
        }
        if let Ok(Report::ScriptPlayed { .. }) | Err(WorkerFailure::Died(..)) = report {
            self.log.read_into(&mut exchange).map_err(lost)?;
            read_records(&records[..], &mut exchange).map_err(lost)?;
        }
        match report {
            Ok(Report::ScriptPlayed { peak_heap, rests, steps, acted, preamble_bytes }) => {
                exchange.peak_heap = peak_heap;
                exchange.rests = rests;
                exchange.steps = steps;
                exchange.acted = acted;
                exchange.preamble_bytes = preamble_bytes;
                Ok((exchange, None))
            }
            Ok(report) => Err(Self::unexpected(&report)),
            Err(WorkerFailure::Died(_, death)) => {
                Ok((self.with_death(exchange, death), Some(death)))
            }
            Err(broken) => Err(broken),
        }
    }

    /// Has one script timed; `None` where the worker cannot say.
    pub fn time_script(&mut self, job: &Job) -> Result<Option<Duration>, WorkerFailure> {
        self.send(job);
        let mut watch = StallWatch::default();
        let mut on_poll = |worker: &Self| worker.halt(&mut watch, StallTimeout::Full);
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

    /// Whether the target runs, or ran when the process ended.
    pub fn target_runs(&self) -> bool {
        Progress::of(&self.shared).target_runs
    }

    /// What the system says of its process.
    fn state(&self) -> Option<ProcessState> {
        ProcessState::of(self.child.id())
    }

    /// Why it is not waited for any longer, at a poll.
    fn halt(&self, watch: &mut StallWatch, timeout: StallTimeout) -> Option<WorkerFailure> {
        let index = self.script_index();
        let halt = watch.poll(Progress::of(&self.shared), self.state(), timeout)?;
        Some(match halt {
            StallReason::StandsStill => WorkerFailure::Died(index, Death::StoodStill),
            StallReason::IsStopped => WorkerFailure::Stopped(index),
            StallReason::IsHung => WorkerFailure::Hung(index),
        })
    }

    /// Its memory and the machine's, when it was last looked at: the system forgets that of a
    /// process that has died.
    pub const fn memory(&self) -> Option<MemoryLeft> {
        self.memory
    }

    fn look_at_memory(&self) -> Option<MemoryLeft> {
        let kib = |path: &str, name: &str| {
            let text = std::fs::read_to_string(path).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        };
        let machine = kib("/proc/meminfo", "MemAvailable:")?;
        let worker = kib(&format!("/proc/{}/status", self.child.id()), "VmRSS:")?;
        Some(MemoryLeft { machine, worker })
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
            if self.interrupt.is_cut() {
                self.kill();
                return Err(WorkerFailure::Interrupted);
            }
            match self.socket.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    let report = serde_json::from_slice(&self.line);
                    return report.map_err(|error| WorkerFailure::Internal(error.to_string()));
                }
                Ok(_) => return Err(self.exit_failure()),
                Err(error) if is_timeout(&error) => {
                    self.memory = self.look_at_memory().or(self.memory);
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
        let stderr = self.stderr.recv_timeout(STDERR_WAIT).unwrap_or_default();
        let mut status = self.child.try_wait().ok().flatten();
        let mut pause = Duration::from_millis(1);
        while status.is_none() && pause < EXIT_WAIT {
            std::thread::park_timeout(pause);
            pause *= 2;
            status = self.child.try_wait().ok().flatten();
        }
        self.kill();
        if status.and_then(|status| status.signal()).is_some_and(is_stop) && self.is_stopped_too() {
            self.interrupt.cut();
            return WorkerFailure::Interrupted;
        }
        let Some(status) = status else {
            return WorkerFailure::Internal("it closed its socket".to_owned());
        };
        if status.signal().is_none() && self.shared.state().target_running.load(Relaxed) == 0 {
            let line = stderr.lines().last().unwrap_or("it said nothing");
            return WorkerFailure::Internal(format!("{status}: {line}"));
        }
        WorkerFailure::Died(self.script_index(), death(status, &stderr))
    }

    /// Whether the supervisor was sent such a signal too, as by a service manager or a container that
    /// stops every process.
    fn is_stopped_too(&self) -> bool {
        let mut pause = Duration::from_millis(1);
        while !self.interrupt.is_asked() && pause < STOP_WAIT {
            std::thread::park_timeout(pause);
            pause *= 2;
        }
        self.interrupt.is_asked()
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

fn death(status: ExitStatus, stderr: &str) -> Death {
    match (status.signal(), status.code()) {
        (Some(_), _) if stderr.contains(ALLOCATION_FAILED) => Death::OutOfMemory,
        (Some(signal), _) => Death::Signal(signal),
        (None, code) => Death::Exited(code.unwrap_or_default()),
    }
}

/// Whether a signal is one of those by which people and supervisors stop a run.
fn is_stop(signal: i32) -> bool {
    [Signal::HUP, Signal::INT, Signal::TERM].map(Signal::as_raw).contains(&signal)
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
