//! A worker as its supervisor has it: a process that is asked, waited for, found dead
//! or found standing still.

use super::messages::{Job, Report, Stretched};
use super::shared_memory::Page;
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

/// How often a worker that does not answer is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// So many looks in a row without a sign of life, two seconds, and it stands still.
/// Looks are counted, and not time: a machine that was suspended has not been looking.
const STILL: u32 = 80;

/// After so many, a quarter of a second, it stands still where that is no news.
const STILL_AGAIN: u32 = 10;

/// How many looks a worker has to start: twenty seconds.
const START: u32 = 800;

/// How long a process whose socket has gone may take to end, and its last words to come.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How much of what a worker printed on stderr is kept, in bytes.
const TAIL: usize = 4096;

/// What the standard library prints before it aborts because an allocation failed.
const NO_MEMORY: &str = "memory allocation of ";

/// A worker process that waits for a job.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    socket: BufReader<UnixStream>,
    page: Page,
    stderr: Receiver<String>,
    line: Vec<u8>,
}

/// Why a worker does not answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The target took it down while the script of this index was played.
    Died(u64, Death),
    /// It failed by itself, for this reason.
    Broken(String),
}

/// When a worker that gives no sign of life stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// For what is news: two seconds.
    Full,
    /// For a target that is known for it: a quarter of a second. What stands still for
    /// so long and comes to its end when it is played again was slow, and no more.
    Short,
}

impl Worker {
    /// Starts a worker that may use `memory` bytes beside what it starts with.
    ///
    /// # Errors
    ///
    /// Why it does not start, on one line.
    pub fn start(memory: u64) -> Result<Self, String> {
        let trouble = |error: io::Error| format!("no worker process can be started: {error}");
        let (page, file) = Page::create().map_err(trouble)?;
        let (ours, theirs) = UnixStream::pair().map_err(trouble)?;
        ours.set_read_timeout(Some(LOOK)).map_err(trouble)?;
        let mut child = Command::new(program().map_err(trouble)?)
            .arg(super::COMMAND)
            .arg(memory.to_string())
            .stdin(OwnedFd::from(theirs))
            // It maps this, and then closes it: what the target prints goes nowhere.
            .stdout(file)
            .stderr(Stdio::piped())
            // Ctrl-C is for the supervisor, which sees to its workers.
            .process_group(0)
            .spawn()
            .map_err(trouble)?;
        let stderr = tail(child.stderr.take());
        let line = Vec::new();
        let mut worker = Self { child, socket: BufReader::new(ours), page, stderr, line };
        let mut looks = 0;
        let mut give_up = |_: &Self| {
            looks += 1;
            (looks > START).then(|| Lost::Broken("it does not answer".to_owned()))
        };
        match worker.hear(&mut give_up) {
            Ok(Report::Ready) => Ok(worker),
            Ok(report) => Err(format!("no worker process can be started: it said {report:?}")),
            Err(Lost::Broken(why)) => Err(format!("no worker process can be started: {why}")),
            Err(Lost::Died(..)) => Err("no worker process can be started: it died".to_owned()),
        }
    }

    /// Has a stretch of scripts played. Once `stopped`, it ends before its end.
    pub fn stretch(
        &mut self,
        job: &Job,
        patience: Patience,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Stretched, Lost> {
        self.page.cells().stop.store(0, Relaxed);
        self.tell(job);
        let mut pulse = Pulse::default();
        let mut look = |worker: &Self| {
            if stopped() {
                worker.page.cells().stop.store(1, Relaxed);
            }
            let still = pulse.looks_without_a_beat(&worker.page) >= patience.looks();
            still.then(|| Lost::Died(worker.index(), Death::StoodStill))
        };
        match self.hear(&mut look)? {
            Report::Stretched(stretched) => Ok(stretched),
            report => Err(Self::unexpected(&report)),
        }
    }

    /// Has a script played. Where the target takes the worker down, the trace goes up
    /// to that, and says so.
    pub fn play(
        &mut self,
        job: &Job,
        patience: Patience,
    ) -> Result<(Exchange, Option<Death>), Lost> {
        self.tell(job);
        let mut trace = Exchange::new(true);
        loop {
            let mut pulse = Pulse::default();
            let mut look = |worker: &Self| {
                let still = pulse.looks_without_a_beat(&worker.page) >= patience.looks();
                still.then_some(Lost::Died(0, Death::StoodStill))
            };
            match self.hear(&mut look) {
                Ok(Report::Happened(happened)) => happened.append_to(&mut trace),
                Ok(Report::Played { peak_heap }) => {
                    trace.peak_heap = peak_heap;
                    return Ok((trace, None));
                }
                Ok(report) => return Err(Self::unexpected(&report)),
                Err(Lost::Died(_, death)) => {
                    return Ok((self.with_death(trace, death), Some(death)));
                }
                Err(broken) => return Err(broken),
            }
        }
    }

    /// The trace up to the death of its process.
    fn with_death(&self, mut trace: Exchange, death: Death) -> Exchange {
        let last = trace.events.last().map_or(Time::ZERO, |event| event.at);
        let now = Time(self.page.cells().now.load(Relaxed)).max(last);
        trace.push(now, What::Died(death));
        trace
    }

    fn index(&self) -> u64 {
        self.page.cells().index.load(Relaxed)
    }

    fn unexpected(report: &Report) -> Lost {
        Lost::Broken(match report {
            Report::Broken(why) => why.clone(),
            report => format!("it said {report:?}"),
        })
    }

    /// One that cannot be told anything is found dead when it is heard.
    fn tell(&mut self, job: &Job) {
        let mut line = serde_json::to_vec(job).unwrap_or_default();
        line.push(b'\n');
        let _ = self.socket.get_mut().write_all(&line);
    }

    /// The next report. Where none comes, `look` is asked now and then; what it says
    /// ends the worker.
    fn hear(&mut self, look: &mut dyn FnMut(&Self) -> Option<Lost>) -> Result<Report, Lost> {
        self.line.clear();
        loop {
            match self.socket.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    let report = serde_json::from_slice(&self.line);
                    return report.map_err(|error| Lost::Broken(error.to_string()));
                }
                Ok(_) => return Err(self.found_dead()),
                Err(error) if is_timeout(&error) => {
                    if let Some(lost) = look(self) {
                        self.end();
                        return Err(lost);
                    }
                }
                Err(_) => return Err(self.found_dead()),
            }
        }
    }

    /// The other end of the socket has gone: what became of the process?
    fn found_dead(&mut self) -> Lost {
        let words = self.stderr.recv_timeout(LAST_WORDS).unwrap_or_default();
        let mut status = self.child.try_wait().ok().flatten();
        let mut pause = Duration::from_millis(1);
        while status.is_none() && pause < LAST_WORDS {
            std::thread::park_timeout(pause);
            pause *= 2;
            status = self.child.try_wait().ok().flatten();
        }
        self.end();
        let Some(status) = status else { return Lost::Broken("it closed its socket".to_owned()) };
        if status.signal().is_none() && self.page.cells().playing.load(Relaxed) == 0 {
            let line = words.lines().last().unwrap_or("it said nothing");
            return Lost::Broken(format!("{status}: {line}"));
        }
        Lost::Died(self.index(), death(status, &words))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

impl Patience {
    const fn looks(self) -> u32 {
        match self {
            Self::Full => STILL,
            Self::Short => STILL_AGAIN,
        }
    }
}

/// Looks for signs of life.
#[derive(Default)]
struct Pulse {
    last: (u64, u64),
    looks: u32,
}

impl Pulse {
    /// How many looks in a row have found the target running, and nothing moved.
    fn looks_without_a_beat(&mut self, page: &Page) -> u32 {
        let cells = page.cells();
        let now = (cells.index.load(Relaxed), cells.beats.load(Relaxed));
        let still = now == self.last && cells.playing.load(Relaxed) == 1;
        self.last = now;
        self.looks = if still { self.looks + 1 } else { 0 };
        self.looks
    }
}

fn death(status: ExitStatus, words: &str) -> Death {
    match (status.signal(), status.code()) {
        (Some(_), _) if words.contains(NO_MEMORY) => Death::OutOfMemory,
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

/// Reads to the end on a thread of its own, and then gives the last of it.
fn tail(stderr: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (give, words) = channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut chunk = [0; TAIL];
        if let Some(mut stderr) = stderr {
            while let Ok(count @ 1..) = stderr.read(&mut chunk) {
                kept.extend_from_slice(&chunk[..count]);
                kept.drain(..kept.len().saturating_sub(TAIL));
            }
        }
        let _ = give.send(String::from_utf8_lossy(&kept).into_owned());
    });
    words
}
