//! The worker's side: does what it is told, until it is told nothing more or dies.

use super::messages::{Job, Report, Seen, Stretched, Told};
use super::shared_memory::Page;
use crate::bounds::Bounds;
use crate::exchange::{Time, Trace};
use crate::run::campaign::Campaign;
use crate::run::virtual_time::play_before;
use crate::script::Script;
use crate::target::{Registry, Target};
use crate::transport::memory::Witness;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio::dup2_stdout;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Works for the supervisor at the other end of stdin, which is a socket, until that
/// has gone; then `leave` is called, from whatever thread, and whatever a target does.
///
/// # Errors
///
/// In a few words, where it cannot begin.
pub(crate) fn serve(
    registry: &Registry,
    memory: u64,
    leave: impl FnOnce() + Send + 'static,
) -> Result<(), String> {
    let is_no = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let page = page().map_err(is_no("no shared page"))?;
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(is_no("no stdin"))?;
    let socket = UnixStream::from(socket);
    let reads = socket.try_clone().map_err(is_no("no stdin"))?;
    let jobs = listen(reads, leave);
    limit_memory(memory).map_err(|error| format!("cannot limit its memory: {error}"))?;
    let mut worker = Worker { registry, line: Arc::new(Line::new(socket, page)) };
    worker.line.say(&Report::Ready);
    for job in jobs {
        match catch_unwind(AssertUnwindSafe(|| worker.work(&job))) {
            Ok(Ok(report)) => worker.line.say(&report),
            Ok(Err(trouble)) => worker.line.say(&Report::Broken(trouble)),
            // hangup's own panic: the target's are caught and recorded.
            Err(_) => worker.line.say(&Report::Broken("it panicked".to_owned())),
        }
    }
    Ok(())
}

/// The page that stdout is, which is then given up: a target that prints must not write
/// on it, and what was printed before is wiped off.
fn page() -> io::Result<Page> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(nowhere)?;
    let page = Page::of(&file)?;
    page.clear();
    Ok(page)
}

/// Hears jobs on a thread of its own, so that the supervisor's end is noticed even by
/// a worker whose target never returns.
fn listen(socket: UnixStream, leave: impl FnOnce() + Send + 'static) -> Receiver<String> {
    let (give, jobs) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(socket).lines() {
            if line.is_err() || give.send(line.unwrap_or_default()).is_err() {
                break;
            }
        }
        leave();
    });
    jobs
}

/// Limits the address space to `memory` bytes beside what is in use now. Only Linux
/// tells how much that is, and keeps to it.
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

struct Worker<'a> {
    registry: &'a Registry,
    line: Arc<Line>,
}

impl Worker<'_> {
    fn work(&mut self, job: &str) -> Result<Report, String> {
        let find = |name: &str| {
            self.registry.find(name).ok_or_else(|| format!("it does not know the target `{name}`"))
        };
        match serde_json::from_str(job).map_err(|error| error.to_string())? {
            Job::Stretch { target, bounds, seed, from, to } => {
                let campaign = Campaign { bounds, seed, scripts: None };
                Ok(Report::Stretched(self.stretch(&campaign, find(&target)?, from, to)))
            }
            Job::Play { target, bounds, script, runtime_seed } => {
                let script: Script = script.parse().map_err(|error| format!("{error}"))?;
                let trace = self.play(find(&target)?, &bounds, &script, runtime_seed);
                Ok(Report::Played { peak_heap: trace.peak_heap })
            }
        }
    }

    fn stretch(
        &self,
        campaign: &Campaign,
        target: &Arc<dyn Target>,
        from: u64,
        to: u64,
    ) -> Stretched {
        let cells = self.line.page.cells();
        let witness: Arc<dyn Witness> = Arc::new(Pulse(Arc::clone(&self.line)));
        let grammar = campaign.grammar(&**target);
        let deviations = target.deviations();
        let mut fired = vec![0; deviations.len()];
        let mut seen = BTreeMap::new();
        let mut index = from;
        while index < to && cells.stop.load(Relaxed) == 0 {
            let script = grammar.nth(campaign.seed, index);
            cells.index.store(index, Relaxed);
            cells.playing.store(1, Relaxed);
            let trace = play_before(Some(&witness), target, &campaign.bounds, &script, index);
            cells.playing.store(0, Relaxed);
            for violation in campaign.not_accepted(&trace, deviations, &mut fired) {
                seen.entry(violation.identity).or_insert_with(|| Seen::of(index, violation));
            }
            index += 1;
        }
        Stretched { from, to: index, fired, seen: seen.into_values().collect(), toll: 0 }
    }

    fn play(
        &self,
        target: &Arc<dyn Target>,
        bounds: &Bounds,
        script: &Script,
        runtime_seed: u64,
    ) -> Trace {
        let cells = self.line.page.cells();
        let teller = Arc::new(Teller { line: Arc::clone(&self.line), told: Mutex::default() });
        let witness: Arc<dyn Witness> = Arc::clone(&teller) as _;
        cells.now.store(0, Relaxed);
        cells.playing.store(1, Relaxed);
        let trace = play_before(Some(&witness), target, bounds, script, runtime_seed);
        cells.playing.store(0, Relaxed);
        teller.tell(&trace);
        trace
    }
}

/// The way to the supervisor.
#[derive(Debug)]
struct Line {
    socket: Mutex<UnixStream>,
    page: Page,
}

impl Line {
    const fn new(socket: UnixStream, page: Page) -> Self {
        Self { socket: Mutex::new(socket), page }
    }

    /// A supervisor that has gone is noticed by who listens.
    fn say(&self, report: &Report) {
        let mut line = serde_json::to_vec(report).unwrap_or_default();
        line.push(b'\n');
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = socket.write_all(&line);
    }

    fn beat(&self) {
        self.page.cells().beats.fetch_add(1, Relaxed);
    }
}

/// Shows that the script in play moves on.
#[derive(Debug)]
struct Pulse(Arc<Line>);

impl Witness for Pulse {
    fn recorded(&self, _: &Trace) {
        self.0.beat();
    }

    fn rested(&self) {
        self.0.beat();
    }

    fn moved(&self, _: &dyn Fn() -> Time) {}
}

/// Tells the supervisor of every event before anything else can happen.
#[derive(Debug)]
struct Teller {
    line: Arc<Line>,
    told: Mutex<Told>,
}

impl Teller {
    fn tell(&self, trace: &Trace) {
        let news = self.told.lock().unwrap_or_else(PoisonError::into_inner).news(trace);
        for happened in news {
            self.line.say(&Report::Happened(happened));
        }
    }
}

impl Witness for Teller {
    fn recorded(&self, trace: &Trace) {
        self.line.beat();
        self.tell(trace);
    }

    fn rested(&self) {
        self.line.beat();
    }

    fn moved(&self, now: &dyn Fn() -> Time) {
        self.line.page.cells().now.store(now().0, Relaxed);
    }
}
