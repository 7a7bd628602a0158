//! The worker's side: receives jobs, plays them, and reports, until the supervisor closes
//! the socket or the target takes the process down.
//!
//! It decides nothing about the campaign.

use super::event_log::EventWriter;
use super::messages::{Job, RangeResult, Report, Server, ViolationSummary};
use super::shared_memory::SharedMemory;
use crate::bounds::Bounds;
use crate::exchange::{Exchange, Time};
use crate::run::campaign::{Campaign, DeviationCounts, Reach};
use crate::run::virtual_time::{in_real_time, play_observed, this_process_only_plays};
use crate::run::work::timed;
use crate::script::Script;
use crate::target::{Registry, Target, with_opening};
use crate::transport::memory::Observer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio::dup2_stdout;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Plays jobs for the supervisor, whose socket is stdin, until the supervisor closes it. Then
/// `exit` is called, even while a target spins, on a thread of its own.
///
/// # Errors
///
/// In a few words: why it cannot begin.
pub(crate) fn serve(
    registry: &Registry,
    memory: u64,
    exit: impl FnOnce() + Send + 'static,
) -> Result<(), String> {
    let failed = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let (shared, log) = take_shared_memory().map_err(failed("no shared page"))?;
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(failed("no stdin"))?;
    let socket = UnixStream::from(socket);
    let reads = socket.try_clone().map_err(failed("no stdin"))?;
    let jobs = receive_jobs(reads, exit);
    limit_memory(memory).map_err(|error| format!("cannot limit its memory: {error}"))?;
    this_process_only_plays();
    let supervisor = Arc::new(Supervisor::new(socket, shared));
    let mut worker = JobRunner { registry, supervisor, log };
    worker.supervisor.send(&Report::Ready);
    for job in jobs {
        match catch_unwind(AssertUnwindSafe(|| worker.run(&job))) {
            Ok(Ok(report)) => worker.supervisor.send(&report),
            Ok(Err(trouble)) => worker.supervisor.send(&Report::InternalError(trouble)),
            // hangup's own panic: the target's are caught and recorded.
            Err(_) => worker.supervisor.send(&Report::InternalError("it panicked".to_owned())),
        }
    }
    Ok(())
}

/// Maps the shared memory that stdout is, and redirects stdout to `/dev/null`: a target that
/// prints must not write into it. Earlier output is overwritten.
fn take_shared_memory() -> io::Result<(SharedMemory, File)> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(nowhere)?;
    let shared = SharedMemory::map(&file)?;
    shared.reset();
    Ok((shared, file))
}

/// Receives jobs on a thread of its own, which notices the closed socket even while a target
/// never returns. It returns once that thread has its buffer, and so its share of the address
/// space: with glibc a thread's first allocation reserves 64 MiB, more than a small limit
/// leaves, and [`limit_memory`] has to count them in.
fn receive_jobs(socket: UnixStream, exit: impl FnOnce() + Send + 'static) -> Receiver<String> {
    let (give, jobs) = channel();
    let (allocated, wait) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(socket).lines();
        let _ = allocated.send(());
        for line in lines {
            if line.is_err() || give.send(line.unwrap_or_default()).is_err() {
                break;
            }
        }
        exit();
    });
    // An error means that the thread has ended: then no job comes.
    let _ = wait.recv();
    jobs
}

/// Limits the address space to `memory` bytes beside those in use now. Linux only: other
/// systems do not say how much that is, or do not keep to it.
fn limit_memory(memory: u64) -> io::Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmSize:")?.split_whitespace().next());
    let kib: u64 = kib.and_then(|kib| kib.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let limit = (kib * 1024).saturating_add(memory);
    let maximum = getrlimit(Resource::As).maximum;
    let current = Some(maximum.map_or(limit, |maximum| maximum.min(limit)));
    setrlimit(Resource::As, Rlimit { current, maximum })?;
    // An abort that is expected leaves no core behind.
    setrlimit(
        Resource::Core,
        Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum },
    )?;
    Ok(())
}

/// Plays the jobs of one supervisor.
struct JobRunner<'a> {
    registry: &'a Registry,
    supervisor: Arc<Supervisor>,
    /// The file that events are written to.
    log: File,
}

impl JobRunner<'_> {
    fn run(&mut self, job: &str) -> Result<Report, String> {
        let find = |name: &str| {
            let target = self.registry.resolve(name);
            target.map_err(|_| format!("it does not know the target `{name}`"))
        };
        let sent = |server: Server| -> Result<_, String> {
            let target = with_opening(find(&server.target)?, &server.opening);
            Ok((target, server.bounds))
        };
        match serde_json::from_str(job).map_err(|error| error.to_string())? {
            Job::PlayRange { target, bounds, seed, from, to, skip } => {
                let campaign = Campaign { bounds, seed, scripts: None, all_variants: false };
                let played = self.play_range(&campaign, &find(&target)?, from..to, &skip);
                Ok(Report::RangePlayed(played))
            }
            Job::PlayScript { server, script, runtime_seed } => {
                let script = Script::parse_own(&script).map_err(|error| error.to_string())?;
                let (target, bounds) = sent(server)?;
                let exchange = self.play_reporting(&|observer| {
                    play_observed(Some(observer), &target, &bounds, &script, runtime_seed)
                })?;
                let Exchange { peak_heap, rests, steps, acted, preamble_bytes, .. } = exchange;
                Ok(Report::ScriptPlayed { peak_heap, rests, steps, acted, preamble_bytes })
            }
            Job::Confirm { server, script, runtime_seed, limit } => {
                let script = Script::parse_own(&script).map_err(|error| error.to_string())?;
                let ((target, bounds), limit) = (sent(server)?, Duration::from_micros(limit));
                self.play_reporting(&|observer| {
                    let observer = Some(observer);
                    in_real_time::play(observer, &target, &bounds, &script, runtime_seed, limit)
                })?;
                Ok(Report::ScriptPlayed {
                    peak_heap: None,
                    rests: 0,
                    steps: None,
                    acted: Vec::new(),
                    preamble_bytes: 0,
                })
            }
            Job::TimeScript { server, script } => {
                let script = Script::parse_own(&script).map_err(|error| error.to_string())?;
                let (target, bounds) = sent(server)?;
                let took = self.time_script(&target, &bounds, &script);
                Ok(Report::ScriptTimed { took })
            }
        }
    }

    fn play_range(
        &self,
        campaign: &Campaign,
        target: &Arc<dyn Target>,
        range: Range<u64>,
        skip: &[u64],
    ) -> RangeResult {
        let Range { start: from, end: to } = range;
        let state = self.supervisor.shared.state();
        let observer: Arc<dyn Observer> = Arc::new(ProgressObserver(Arc::clone(&self.supervisor)));
        let config = campaign.generator_config(&**target);
        let deviations = target.deviations();
        let mut fired = vec![DeviationCounts::default(); deviations.len()];
        let (mut violations, mut unproven) = (BTreeMap::new(), BTreeMap::new());
        let mut reach = Reach::default();
        let mut index = from;
        while index < to && state.stop_requested.load(Relaxed) == 0 {
            if skip.binary_search(&index).is_ok() {
                index += 1;
                continue;
            }
            let script = config.nth(campaign.seed, index);
            state.script_index.store(index, Relaxed);
            let mut play = |script: &Script| {
                state.target_running.store(1, Relaxed);
                let bounds = &campaign.bounds;
                let exchange = play_observed(Some(&observer), target, bounds, script, index);
                state.target_running.store(0, Relaxed);
                exchange
            };
            let judged = campaign.play_and_judge(&script, &mut play, deviations, &mut fired);
            reach.add(&judged.reach);
            let found = [(judged.violations, &mut violations), (judged.unproven, &mut unproven)];
            for (found, firsts) in found {
                for violation in found {
                    let (identity, level) = (violation.identity, violation.level);
                    let first = || ViolationSummary::of(index, violation);
                    firsts.entry(identity).or_insert_with(first).count(level);
                }
            }
            index += 1;
        }
        RangeResult {
            from,
            to: index,
            fired,
            violations: violations.into_values().collect(),
            unproven: unproven.into_values().collect(),
            reach,
            crash_cost: 0,
        }
    }

    fn time_script(
        &self,
        target: &Arc<dyn Target>,
        bounds: &Bounds,
        script: &Script,
    ) -> Option<Duration> {
        let state = self.supervisor.shared.state();
        let observer: Arc<dyn Observer> = Arc::new(ProgressObserver(Arc::clone(&self.supervisor)));
        state.target_running.store(1, Relaxed);
        let (_, took) = timed(|| play_observed(Some(&observer), target, bounds, script, 0));
        state.target_running.store(0, Relaxed);
        took
    }

    /// Plays one script, and writes every event to the log as it happens.
    fn play_reporting(
        &self,
        play: &dyn Fn(&Arc<dyn Observer>) -> Exchange,
    ) -> Result<Exchange, String> {
        let state = self.supervisor.shared.state();
        let failed = |error: io::Error| format!("events cannot be recorded: {error}");
        let log = EventWriter::of(&self.log).map_err(failed)?;
        let supervisor = Arc::clone(&self.supervisor);
        let writer = Arc::new(EventObserver { supervisor, log: Mutex::new(log) });
        let observer: Arc<dyn Observer> = Arc::clone(&writer) as _;
        state.now_micros.store(0, Relaxed);
        state.target_running.store(1, Relaxed);
        let exchange = play(&observer);
        state.target_running.store(0, Relaxed);
        writer.record(&exchange);
        Ok(exchange)
    }
}

/// The channels to the supervisor: the socket for reports, and the shared memory.
#[derive(Debug)]
struct Supervisor {
    socket: Mutex<UnixStream>,
    shared: SharedMemory,
}

impl Supervisor {
    const fn new(socket: UnixStream, shared: SharedMemory) -> Self {
        Self { socket: Mutex::new(socket), shared }
    }

    /// Errors are ignored: the thread that receives jobs notices a closed socket.
    fn send(&self, report: &Report) {
        let mut line = serde_json::to_vec(report).unwrap_or_default();
        line.push(b'\n');
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = socket.write_all(&line);
    }

    fn progress(&self) {
        self.shared.state().progress.fetch_add(1, Relaxed);
    }
}

/// Shows in the shared memory that the script in play makes progress.
#[derive(Debug)]
struct ProgressObserver(Arc<Supervisor>);

impl Observer for ProgressObserver {
    fn recorded(&self, _: &Exchange) {
        self.0.progress();
    }

    fn rested(&self) {
        self.0.progress();
    }

    fn moved(&self, _: &dyn Fn() -> Time) {}
}

/// Writes every event to the log before anything else can happen.
#[derive(Debug)]
struct EventObserver {
    supervisor: Arc<Supervisor>,
    log: Mutex<EventWriter>,
}

impl EventObserver {
    fn record(&self, exchange: &Exchange) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = log.append(exchange) {
            self.supervisor.send(&Report::Record(record.to_vec()));
        }
    }
}

impl Observer for EventObserver {
    /// What the supervisor was sent stays sent.
    fn may_begin_anew(&self) -> bool {
        false
    }

    fn recorded(&self, exchange: &Exchange) {
        self.supervisor.progress();
        self.record(exchange);
    }

    fn rested(&self) {
        self.supervisor.progress();
    }

    fn moved(&self, now: &dyn Fn() -> Time) {
        self.supervisor.shared.state().now_micros.store(now().0, Relaxed);
    }
}
