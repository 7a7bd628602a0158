//! The supervisor: a thread for each worker, which hands it work from the board,
//! starts another where a target took it down, and looks into what is found.

use super::messages::{Job, Seen, Stretched};
use super::process::{Lost, Patience, Worker};
use super::schedule::{Board, Work};
use crate::bounds::Bounds;
use crate::exchange::{Death, Time, Trace, What};
use crate::finding::Finding;
use crate::run::campaign::{Campaign, Outcome, Progress, toll};
use crate::script::Script;
use crate::target::Target;
use crate::verdict::{Identity, Invariant, Violation};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a campaign's watcher is told.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Worker processes, started when they are needed.
#[derive(Debug)]
pub(crate) struct Crew {
    seats: Vec<Seat>,
}

impl Crew {
    /// So many workers, one at least, each of which may use `memory` bytes.
    pub fn new(jobs: usize, memory: u64) -> Self {
        let seat = || Seat { memory, worker: None };
        Self { seats: std::iter::repeat_with(seat).take(jobs.max(1)).collect() }
    }

    /// Plays a campaign; [`Campaign::run`] in worker processes.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn run(
        &mut self,
        campaign: &Campaign,
        target: &Arc<dyn Target>,
        mut watch: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Outcome, String> {
        let jobs = self.seats.len();
        let board = Board::new(campaign.scripts, jobs, target.deviations().len());
        let shift = Shift::new(campaign, target, board, jobs);
        std::thread::scope(|scope| {
            for seat in &mut self.seats {
                scope.spawn(|| shift.work(seat));
            }
            shift.watch(&mut watch);
        });
        let desk = shift.desk.into_inner().unwrap_or_else(PoisonError::into_inner);
        match desk.trouble {
            Some(trouble) => Err(trouble),
            None => Ok(desk.board.outcome(target.deviations())),
        }
    }

    /// Plays a script; [`play`](crate::run::virtual_time::play) in a worker process. Where the target
    /// takes that down, the trace says so.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn play(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
        runtime_seed: u64,
    ) -> Result<Trace, String> {
        self.seats[0].play(target, bounds, script, runtime_seed, Patience::Full)
    }

    /// Shrinks a script that breaks a rule, and sees whether it repeats.
    ///
    /// # Errors
    ///
    /// Where a worker cannot be started, or fails by itself.
    pub fn look_into(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: Script,
        first: Violation,
        runtime_seed: u64,
    ) -> Result<Finding, String> {
        let campaign = Campaign { bounds, seed: 0, scripts: None };
        let patience = patience_with(first.identity);
        let mut again =
            |script: &Script| self.seats[0].play(target, bounds, script, runtime_seed, patience);
        campaign.finding(script, runtime_seed, first, &mut again, &|| false)
    }
}

/// Where a worker sits, if one does.
#[derive(Debug)]
struct Seat {
    memory: u64,
    worker: Option<Worker>,
}

impl Seat {
    fn worker(&mut self) -> Result<&mut Worker, String> {
        let worker = match self.worker.take() {
            Some(worker) => worker,
            // One that is killed before it is there says nothing against the next.
            None => Worker::start(self.memory).or_else(|_| Worker::start(self.memory))?,
        };
        Ok(self.worker.insert(worker))
    }

    fn play(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
        runtime_seed: u64,
        patience: Patience,
    ) -> Result<Trace, String> {
        let target = target.name().to_owned();
        let job = Job::Play { target, bounds, script: script.to_string(), runtime_seed };
        match self.worker()?.play(&job, patience) {
            Ok((trace, death)) => {
                if death.is_some() {
                    self.worker = None;
                }
                Ok(trace)
            }
            Err(Lost::Broken(why)) => Err(failed(&why, script)),
            Err(Lost::Died(..)) => Err(failed("it died", script)),
        }
    }
}

/// One that is known to stand still is waited for less long.
fn patience_with(key: Identity) -> Patience {
    if key.invariant() == Invariant::NoSpin { Patience::Short } else { Patience::Full }
}

/// All that is known of a script that took a worker down in a stretch.
fn dead(death: Death) -> Trace {
    let mut trace = Trace::new(true);
    trace.push(Time::ZERO, What::Died(death));
    trace
}

/// What went wrong in hangup itself, on one line.
fn failed(why: &str, script: &Script) -> String {
    let steps: Vec<String> = script.to_string().lines().map(str::to_owned).collect();
    format!("a worker process failed by itself: {why}; at the script: {}", steps.join("; "))
}

/// One campaign at work.
struct Shift<'a> {
    campaign: &'a Campaign,
    target: &'a Arc<dyn Target>,
    desk: Mutex<Desk>,
    /// Somebody laid something down.
    news: Condvar,
    stopped: AtomicBool,
    /// Whether the target was seen to stand still: then it is waited for less long.
    stands_still: AtomicBool,
}

struct Desk {
    board: Board,
    /// Keys of findings that the watcher has not been told of.
    untold: Vec<Identity>,
    trouble: Option<String>,
    /// How many threads are at work.
    present: usize,
}

impl<'a> Shift<'a> {
    fn new(
        campaign: &'a Campaign,
        target: &'a Arc<dyn Target>,
        board: Board,
        present: usize,
    ) -> Self {
        Self {
            campaign,
            target,
            desk: Mutex::new(Desk { board, untold: Vec::new(), trouble: None, present }),
            news: Condvar::new(),
            stopped: AtomicBool::new(false),
            stands_still: AtomicBool::new(false),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.desk().board.stop();
        self.stopped.store(true, Ordering::Relaxed);
        self.news.notify_all();
    }

    /// Tells the watcher how things go, until all is done.
    fn watch(&self, watch: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>) {
        loop {
            let mut desk = self.desk();
            if desk.present > 0 && desk.untold.is_empty() {
                let wait = self.news.wait_timeout(desk, TELL_EVERY);
                desk = wait.unwrap_or_else(PoisonError::into_inner).0;
            }
            let (scripts, findings) = (desk.board.played(), desk.board.found_so_far());
            let untold = std::mem::take(&mut desk.untold);
            let news: Vec<Finding> =
                untold.iter().filter_map(|key| desk.board.finding(*key).cloned()).collect();
            let over = desk.present == 0;
            drop(desk);
            let mut go_on = watch(Progress { scripts, findings, news: None });
            for finding in &news {
                let told = watch(Progress { scripts, findings, news: Some(finding) });
                go_on = if told.is_break() { told } else { go_on };
            }
            if over {
                return;
            }
            if go_on.is_break() && !self.is_stopped() {
                self.stop();
            }
        }
    }

    /// A thread's work: what the board gives, until there is no more.
    fn work(&self, seat: &mut Seat) {
        let _leaves = Leaves(self);
        loop {
            let work = {
                let mut desk = self.desk();
                match desk.board.take() {
                    _ if desk.trouble.is_some() => Work::Over,
                    Work::Wait => {
                        drop(self.news.wait(desk).unwrap_or_else(PoisonError::into_inner));
                        continue;
                    }
                    work => work,
                }
            };
            let done = match work {
                Work::Stretch(range) => self.stretch(seat, range),
                Work::Finding(seen) => self.look_into(seat, seen),
                Work::Wait | Work::Over => return,
            };
            if let Err(trouble) = done {
                self.desk().trouble = Some(trouble);
                return self.stop();
            }
            self.news.notify_all();
        }
    }

    fn stretch(&self, seat: &mut Seat, range: Range<u64>) -> Result<(), String> {
        let campaign = self.campaign;
        let job = Job::Stretch {
            target: self.target.name().to_owned(),
            bounds: campaign.bounds,
            seed: campaign.seed,
            from: range.start,
            to: range.end,
        };
        let still = self.stands_still.load(Ordering::Relaxed);
        let patience = if still { Patience::Short } else { Patience::Full };
        let played = seat.worker()?.stretch(&job, patience, &|| self.is_stopped());
        let (played, rest) = match played {
            Ok(played) => {
                let rest = played.to..range.end;
                (Some(played), rest)
            }
            Err(Lost::Died(index, death)) if range.contains(&index) => {
                seat.worker = None;
                // What was played before it is played again: nobody kept the counts.
                self.desk().board.give_back(index + 1..range.end);
                let fatal = self.post_mortem(seat, index, death, patience)?;
                (Some(fatal), range.start..index)
            }
            // It was killed before it began.
            Err(Lost::Died(..)) => {
                seat.worker = None;
                (None, range)
            }
            Err(Lost::Broken(why)) => {
                let seed = campaign.seed;
                let target = self.target.name();
                return Err(format!(
                    "a worker process failed by itself: {why}; between the scripts {} and {} of \
                     seed {seed} against {target}",
                    range.start, range.end
                ));
            }
        };
        let board = &mut self.desk().board;
        if let Some(played) = played {
            board.note(played);
        }
        board.give_back(rest);
        board.laid_down();
        Ok(())
    }

    /// What the death of a worker says of the script that it was at.
    fn post_mortem(
        &self,
        seat: &mut Seat,
        index: u64,
        death: Death,
        patience: Patience,
    ) -> Result<Stretched, String> {
        let campaign = self.campaign;
        let mut trace = dead(death);
        if patience == Patience::Short && death == Death::StoodStill {
            // It was waited for less long than it takes to be sure: once more.
            let script = campaign.grammar(&**self.target).nth(campaign.seed, index);
            let again = seat.play(self.target, campaign.bounds, &script, index, patience)?;
            trace = if toll(&again) > 0 { trace } else { again };
        }
        let toll = toll(&trace);
        if toll > 0 && death == Death::StoodStill {
            self.stands_still.store(true, Ordering::Relaxed);
        }
        let deviations = self.target.deviations();
        let mut fired = vec![0; deviations.len()];
        let violations = campaign.not_accepted(&trace, deviations, &mut fired);
        let seen = violations.into_iter().map(|violation| Seen::of(index, violation)).collect();
        Ok(Stretched { from: index, to: index + 1, fired, seen, toll })
    }

    fn look_into(&self, seat: &mut Seat, seen: Seen) -> Result<(), String> {
        let campaign = self.campaign;
        let target = self.target;
        let index = seen.index;
        let script = campaign.grammar(&**target).nth(campaign.seed, index);
        let patience = patience_with(seen.key);
        let mut again =
            |script: &Script| seat.play(target, campaign.bounds, script, index, patience);
        let hurried = || self.is_stopped();
        let finding = campaign.finding(script, index, seen.violation(), &mut again, &hurried)?;
        let mut desk = self.desk();
        desk.untold.push(finding.violation.identity);
        desk.board.found(finding);
        Ok(())
    }
}

/// Tells the others that a thread has left, even by a panic.
struct Leaves<'a, 'b>(&'a Shift<'b>);

impl Drop for Leaves<'_, '_> {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        desk.present -= 1;
        if std::thread::panicking() {
            desk.trouble.get_or_insert_with(|| "hangup itself panicked".to_owned());
        }
        drop(desk);
        self.0.news.notify_all();
    }
}
