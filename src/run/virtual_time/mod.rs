//! Playing a script in virtual time. The sole owner of the clock.
//!
//! Every script gets a fresh single-threaded tokio runtime whose clock is paused:
//! time starts at zero and jumps to the next timer when nothing can run. Play has
//! two phases:
//!
//! * **A**: the script, up to its end or to the first deadline that the server misses; then
//!   the client freezes, keeping its socket and its reading policy, and time runs to the
//!   deadline. Most scripts end here.
//! * **B**, only where the deadline passed: one far timer is set, and the polls of
//!   tasks and of the server's transport are counted until it fires.
//!   If nothing else woke, no task can run, no timer is pending and no event is
//!   left: the connection stays open for ever, and that is proven, not timed out. At last
//!   whoever waits on the transport is woken for nothing: what is tried then tells what the
//!   server was waiting for.
//!
//! A target with a clock of its own (`std::time`, threads) cannot be judged here. Where other
//! threads are seen at work the ending is unproven (`thread_watch`); `in_real_time` plays a
//! script with a clock that runs, to see whether what was proven is so.

mod idle_detector;
pub(crate) mod in_real_time;
mod outside;
mod panics;
mod simulated_end;
mod thread_watch;
mod whole;

#[cfg(all(feature = "cli", unix))]
pub(crate) use self::thread_watch::this_process_only_plays;

pub(crate) use self::outside::outside_of_runtimes;

#[cfg(feature = "cli")]
pub(crate) use self::idle_detector::PARKS;

use self::idle_detector::IdleDetector;
use self::panics::{Recording, install_panic_hook, ours};
use self::simulated_end::{CommandQueue, SimulatedEnd};
use self::thread_watch::{Seen, ThreadWatch, wakes_from_outside};
use self::whole::{ServerEnd, ServerInPlay};
use crate::actor::Actor;
use crate::bounds::Bounds;
use crate::exchange::{AfterDeadline, Event, Exchange, OtherThreads, Time, What};
use crate::heap;
use crate::judge;
use crate::run::control_play::judge_and_decide;
use crate::script::{Preamble, Script, WithPreamble};
use crate::target::{Connection, Target};
use crate::transport::memory::{Link, Observer};
use crate::verdict::Verdict;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// How long a connection on which nothing is owed is watched after the script:
/// long enough for keepalives and idle time-outs to begin a close of their own.
const SETTLE: Duration = Duration::from_mins(1);

/// The sentinel of phase B lies this many slots of [`SLOT`] ahead: ten years.
const FAR_SLOTS: u64 = 294;

/// A slot of the top level of tokio's timer wheel, 2^30 ms. A timer that is due at a
/// slot's very start is carried from slot to slot and never re-sorted into finer ones.
const SLOT: Duration = Duration::from_millis(1 << 30);

/// How many times the runtime may wake in phase B before the server counts as
/// ticking: a keepalive of 10 s for half a day.
const WAKES: u32 = 5_000;

/// Without `tokio_unstable`, polls of tasks cannot be counted, and parks stand for
/// them. The sentinel alone takes six: the wheel's top level has 64 slots, so that a
/// timer 294 slots ahead comes by its slot that often. Another timer that is never due,
/// such as `sleep(Duration::MAX)`, adds a few. A server that wakes a dozen times in ten
/// years, and does nothing with its connection, is then taken for one that never does.
const CARRIES: u32 = 16;

/// How many obligations in a row may come due after the script; each later one
/// begins after the one before was met, so that a server would have to keep
/// finding new ones.
const ROUNDS: usize = 16;

/// Plays `script` against `target` and returns what happened. All connections of the script are
/// played at once; connection 1 is [`ConnectionId`](crate::exchange::ConnectionId) 0.
///
/// `bounds` say how long to watch. `seed` fixes the runtime's own random choices
/// (the order of an unbiased `select!`); it has an effect only under
/// `--cfg tokio_unstable`. The same arguments give the same exchange.
///
/// # Panics
///
/// If called from within a tokio runtime. A panic of the target's is recorded.
pub fn play(target: &Arc<dyn Target>, bounds: &Bounds, script: &Script, seed: u64) -> Exchange {
    play_observed(None, target, bounds, script, seed)
}

/// Plays `script`, judges what happened, and plays the controls that the verdict needs. What it
/// convicts of is certain.
///
/// # Panics
///
/// As [`play`].
pub fn play_and_judge(
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    script: &Script,
    seed: u64,
) -> (Exchange, Verdict) {
    let exchange = play(target, bounds, script, seed);
    let mut again = |script: &Script| Ok::<_, Infallible>(play(target, bounds, script, seed));
    let Ok(verdict) = judge_and_decide(&exchange, bounds, script, &mut again);
    (exchange, verdict)
}

/// As [`play`]; the observer is told of everything as it happens, for a target that
/// the process may not survive.
pub fn play_observed(
    observer: Option<&Arc<dyn Observer>>,
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    script: &Script,
    seed: u64,
) -> Exchange {
    with_each_connection(script, |scripts| {
        play_connections(observer, target, bounds, scripts, seed)
    })
}

/// Calls `play` with the scripts of all connections of `script`.
fn with_each_connection<T>(script: &Script, play: impl FnOnce(&[&Script]) -> T) -> T {
    if script.connections() == 1 {
        return play(&[script]);
    }
    let each = script.each();
    play(&each.iter().collect::<Vec<_>>())
}

/// Plays several scripts at once, each on a connection of its own, in one exchange: the
/// first script is [`ConnectionId`](crate::exchange::ConnectionId) 0. All connections are accepted at time zero.
///
/// # Panics
///
/// As [`play`]; and if there is no script.
pub fn play_together(
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    scripts: &[Script],
    seed: u64,
) -> Exchange {
    assert!(!scripts.is_empty(), "there is no script to play");
    let scripts: Vec<&Script> = scripts.iter().collect();
    play_connections(None, target, bounds, &scripts, seed)
}

/// How often, and how long each time, a task is given to be woken by another thread, where others
/// than the target's run in this process: 50 ms in all.
const MOMENTS: u32 = 10;
const MOMENT: Duration = Duration::from_millis(5);

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// It stands still while anything can run.
    Paused,
    /// It runs: plays may take so long.
    Real(Duration),
}

/// How scripts are played.
struct Setting<'a> {
    observer: Option<&'a Arc<dyn Observer>>,
    target: &'a Arc<dyn Target>,
    bounds: &'a Bounds,
    seed: u64,
    clock: Clock,
}

fn play_connections(
    observer: Option<&Arc<dyn Observer>>,
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    scripts: &[&Script],
    seed: u64,
) -> Exchange {
    let setting = Setting { observer, target, bounds, seed, clock: Clock::Paused };
    if observer.is_some_and(|observer| !observer.may_begin_anew()) {
        return play_once(&setting, scripts, ThreadWatch::from_now()).0;
    }
    let (exchange, unsure) = play_once(&setting, scripts, ThreadWatch::default());
    if !unsure {
        return exchange;
    }
    let (again, _) = play_once(&setting, scripts, ThreadWatch::from_now());
    // A proof is one where it can be drawn again: a server that waits for a thread of its own may end
    // in time when the play waits for a processor, and would have ended in the first play too.
    if again.digest() == exchange.digest() {
        return exchange;
    }
    thread_watch::let_some_end();
    again
}

/// Plays, and says whether that has to be done once more, since nobody knows whose threads run.
fn play_once(setting: &Setting<'_>, scripts: &[&Script], threads: ThreadWatch) -> (Exchange, bool) {
    install_panic_hook();
    let Setting { observer, target, bounds, clock, .. } = *setting;
    let idle = Arc::new(IdleDetector::new(observer.cloned(), threads, scripts.len() == 1));
    let runtime = runtime(&idle, setting);
    let measure = heap::measure();
    let play = async {
        let first = Link::with_turns(Some(Arc::clone(&idle.turns)));
        first.set_subject(target.role());
        if let Some(observer) = observer {
            first.observed_by(Arc::clone(observer));
        }
        let recording = Recording::begin(&first);
        let links: Vec<Link> = scripts
            .iter()
            .enumerate()
            .map(|(number, _)| if number == 0 { first.clone() } else { first.connect() })
            .collect();
        let mut server = ServerInPlay::begin(target, &links);
        let server_end = server.as_ref().map(|server| &server.server_end);
        let mut connections: Vec<OpenConnection<'_>> = Vec::with_capacity(scripts.len());
        for (link, script) in links.into_iter().zip(scripts) {
            let mut connection =
                OpenConnection::begin(link, script, target, &idle, bounds, server_end);
            if scripts.len() > 1 {
                connection.actor.keep_times();
            }
            connections.push(connection);
        }
        idle.watch_for_spins(&first);
        let play = async {
            if let Clock::Real(limit) = clock {
                first.set_timing_slack(in_real_time::SLACK);
                return in_real_time::watch(&mut connections, bounds, limit).await;
            }
            act_all(&mut connections).await;
            watch(&mut connections, &idle, bounds).await;
            check_leftover_tasks(&connections, bounds, measure.is_some()).await;
        };
        either(play, poll_fn(|cx| idle.poll_spun(cx))).await;
        // Nothing can be late before: most plays end here.
        if clock == Clock::Paused && first.now().since_accept() >= bounds.shortest() {
            doubt_what_came(&connections, &idle);
        }
        let mut lost_panic = false;
        for connection in &mut connections {
            lost_panic |= has_panicked(connection.task.as_mut()).await;
        }
        lost_panic |= has_panicked(server.as_mut().map(|server| &mut server.task)).await;
        let acted = times_of_steps(&connections, first.now());
        let mut exchange = first.take_exchange();
        let OpenConnection { actor, preamble, .. } = &connections[0];
        let begun = actor.steps();
        exchange.steps = Some(preamble.as_ref().map_or(begun, |with| with.own_steps(begun)));
        exchange.preamble_bytes = preamble.as_ref().map_or(0, WithPreamble::bytes);
        exchange.acted = acted;
        exchange.request = target.opening().unusual_request();
        for connection in &connections {
            connection.commands.clear();
        }
        if let Some(server) = &server {
            server.server_end.clear();
        }
        let is_panic = |event: &Event| matches!(event.what, What::Panicked(_) | What::Lacked(_));
        if lost_panic && !exchange.events.iter().any(is_panic) {
            // Another panic hook was set after ours, so that the message went there.
            let at = exchange.events.last().map_or(Time::ZERO, |event| event.at);
            exchange.push(at, What::Panicked("a message that another panic hook took".into()));
        }
        (exchange, recording)
    };
    let (mut exchange, recording) = {
        // By its place: the runtime would move all of its kilobytes twice.
        let played = pin!(ours(play));
        runtime.block_on(played)
    };
    exchange.peak_heap = measure.as_ref().map(heap::Measure::peak);
    exchange.rests = idle.turns.parks.load(Ordering::Relaxed);
    drop(measure);
    // Tears the target's tasks down: what panics in that is not printed either.
    match clock {
        Clock::Paused => drop(runtime),
        // What blocks a thread of the pool may do so for longer than anybody waits.
        Clock::Real(_) => runtime.shutdown_background(),
    }
    drop(recording);
    // The runtime owns its park hook, the hook shares this, and a waker keeps the
    // runtime alive: left in place, every play would leak its runtime.
    *idle.waker() = None;
    // The link has wakers of the runtime's too.
    idle.forget_link();
    (exchange, idle.threads.is_unsure())
}

/// One connection in play.
struct OpenConnection<'a> {
    link: Link,
    script: &'a Script,
    /// The script with the target's preamble, where both are there.
    preamble: Option<WithPreamble>,
    actor: Actor<SimulatedEnd>,
    commands: Arc<CommandQueue>,
    /// The target's function; `None` where one server serves all connections.
    task: Option<JoinHandle<()>>,
    /// Where one server serves all of them: the way in.
    server_end: Option<Arc<ServerEnd>>,
}

impl<'a> OpenConnection<'a> {
    /// Accepts a connection: the target serves it from now on.
    fn begin(
        link: Link,
        script: &'a Script,
        target: &Arc<dyn Target>,
        idle: &Arc<IdleDetector>,
        bounds: &Bounds,
        server_end: Option<&Arc<ServerEnd>>,
    ) -> Self {
        let patience = SETTLE.max(bounds.longest().saturating_mul(2));
        link.expect(script.max_bytes_sent_with(target.opening().request()));
        let end = SimulatedEnd::new(&link, idle, target, bounds, server_end.cloned());
        let commands = Arc::clone(&end.commands);
        let task = server_end.is_none().then(|| {
            let connection = Connection::in_memory(link.subject_end(), Arc::clone(&commands) as _);
            tokio::spawn(serve(Arc::clone(target), connection, link.clone()))
        });
        let preamble = Preamble::of(target.opening()).and_then(|own| own.in_script(script));
        let (actor, server_end) = (Actor::new(end, patience), server_end.cloned());
        Self { link, script, preamble, actor, commands, task, server_end }
    }

    async fn act(&mut self) {
        let script = self.preamble.as_ref().map_or(self.script, |with| &with.script);
        self.actor.act(script).await;
        self.link.record(What::Froze);
    }
}

/// Whether a function of the target's has ended by a panic.
async fn has_panicked(task: Option<&mut JoinHandle<()>>) -> bool {
    match task {
        Some(task) if task.is_finished() => task.await.is_err_and(|error| error.is_panic()),
        _ => false,
    }
}

/// When the actors began their steps, where they keep that.
fn times_of_steps(connections: &[OpenConnection<'_>], now: Time) -> Vec<Vec<Time>> {
    if connections.len() == 1 {
        return Vec::new();
    }
    let here = Instant::now();
    let time = |instant: &Instant| {
        Time::from(now.since_accept().saturating_sub(here.saturating_duration_since(*instant)))
    };
    let times = |connection: &OpenConnection<'_>| {
        let mut times: Vec<Time> = connection.actor.begun().iter().map(time).collect();
        if let Some(WithPreamble { at, steps, .. }) = &connection.preamble {
            // Those of the script itself.
            let end = times.len().min(at + steps);
            times.drain(end.min(*at)..end);
        }
        times
    };
    connections.iter().map(times).collect()
}

async fn serve(target: Arc<dyn Target>, connection: Connection, link: Link) {
    target.serve(connection).await;
    link.record(What::Returned);
}

/// Acts all scripts out, at the same time; each actor then freezes.
async fn act_all(connections: &mut [OpenConnection<'_>]) {
    if let [only] = connections {
        return only.act().await;
    }
    let mut acting: Vec<_> =
        connections.iter_mut().map(|connection| Box::pin(connection.act())).collect();
    poll_fn(|cx| {
        acting.retain_mut(|acting| acting.as_mut().poll(cx).is_pending());
        if acting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn runtime(idle: &Arc<IdleDetector>, setting: &Setting<'_>) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let on_park = Arc::clone(idle);
    builder.enable_time().start_paused(setting.clock == Clock::Paused);
    builder.on_thread_park(move || on_park.parks());
    // The only threads that this runtime starts are those of its blocking pool.
    let in_pool = Arc::downgrade(idle);
    builder.on_thread_start(move || {
        if let Some(idle) = in_pool.upgrade() {
            idle.threads.joins_pool();
        }
    });
    if let Some(observer) = idle.observer.clone() {
        builder
            .on_thread_unpark(move || panics::with_playing(|link| observer.moved(&|| link.now())));
    }
    #[cfg(tokio_unstable)]
    {
        let on_poll = Arc::clone(idle);
        builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&setting.seed.to_le_bytes()));
        let on_polled = Arc::clone(idle);
        builder.on_before_task_poll(move |_| on_poll.woken());
        builder.on_after_task_poll(move |_| on_polled.polled());
    }
    #[cfg(not(tokio_unstable))]
    let _ = setting.seed;
    builder.build().expect("a runtime without I/O takes nothing from the system")
}

/// After the scripts: runs to the deadline and, where that passed, to the proof.
async fn watch(connections: &mut [OpenConnection<'_>], idle: &IdleDetector, bounds: &Bounds) {
    if is_over(connections) {
        return;
    }
    // Whatever is owed by now is due within the longest bound.
    let longest = match server_end_of(connections) {
        Some(server_end) if server_end.owes_shutdown() => bounds.longest().max(bounds.shutdown()),
        _ => bounds.longest(),
    };
    let longest = longest.saturating_add(Exchange::VIRTUAL_TIME_SLACK);
    if run_to(connections, connections[0].link.now().after(longest)).await {
        return;
    }
    let mut settled = false;
    for _ in 0..ROUNDS {
        let now = connections[0].link.now();
        let due = last_due(connections, bounds);
        match due.map(|deadline| deadline.after(Exchange::VIRTUAL_TIME_SLACK)) {
            None if settled => return,
            None => {
                settled = true;
                if run_to(connections, now.after(SETTLE)).await {
                    return;
                }
            }
            Some(deadline) if now <= deadline => {
                if run_to(connections, deadline.after(Duration::from_millis(1))).await {
                    return;
                }
            }
            Some(_) => break,
        }
    }
    prove(connections, idle).await;
}

/// By when everything is due that servers owe on connections that are not over.
fn last_due(connections: &[OpenConnection<'_>], bounds: &Bounds) -> Option<Time> {
    let open = connections.iter().filter(|connection| !connection.link.is_over());
    let shutdown = server_end_of(connections).and_then(|server_end| server_end.due(bounds));
    let due = |connection: &OpenConnection<'_>| {
        let id = connection.link.connection();
        connection.link.with_exchange(|exchange| judge::next_deadline(exchange, id, bounds))
    };
    open.filter_map(due).chain(shutdown).max()
}

/// Where one server serves all connections: the way to that.
fn server_end_of<'a>(connections: &'a [OpenConnection<'_>]) -> Option<&'a Arc<ServerEnd>> {
    connections[0].server_end.as_ref()
}

fn is_over(connections: &[OpenConnection<'_>]) -> bool {
    connections.iter().all(|connection| connection.link.is_over())
        && server_end_of(connections).is_none_or(|server_end| !server_end.owes_shutdown())
}

/// Lets time pass up to `time`; true where all connections were over before.
async fn run_to(connections: &mut [OpenConnection<'_>], time: Time) -> bool {
    let now = connections[0].link.now();
    let at = Instant::now() + time.since_accept().saturating_sub(now.since_accept());
    over_or(connections, sleep_until(at)).await
}

/// Phase B: finds out whether anything is left that could end the connections.
async fn prove(connections: &mut [OpenConnection<'_>], idle: &IdleDetector) {
    let began = connections[0].link.now();
    let polls = |connections: &[OpenConnection<'_>]| -> u64 {
        connections.iter().map(|connection| connection.link.polls()).sum()
    };
    let polls_before = polls(connections);
    idle.count_to(WAKES);
    let sentinel = sleep_until(far_ahead(began));
    let exhausted = poll_fn(|cx| idle.poll_exhausted(cx));
    if over_or(connections, either(sentinel, exhausted)).await {
        return;
    }
    let wakes = idle.count();
    let lasting = connections[0].link.now().0 - began.0;
    let fired_once = cfg!(tokio_unstable) && wakes == 1;
    let carries = if cfg!(tokio_unstable) { 0 } else { CARRIES };
    // A timer that fired once in ten years, and did not end it, does so no more.
    let became = if fired_once || wakes <= carries && polls(connections) == polls_before {
        AfterDeadline::Quiet
    } else {
        AfterDeadline::Ticking { wakes, lasting }
    };
    let became = match doubt(connections, idle).await {
        Some(threads) => AfterDeadline::Unproven(threads),
        None => became,
    };
    let open: Vec<&Link> = connections
        .iter()
        .map(|connection| &connection.link)
        .filter(|link| !link.is_over())
        .collect();
    for link in &open {
        link.wake_for_nothing();
    }
    let asked = idle.ask();
    poll_fn(|cx| idle.poll_answered(asked, cx)).await;
    for link in open {
        link.conclude(became);
    }
    if let Some(server_end) = server_end_of(connections) {
        server_end.conclude(became);
    }
}

/// What is seen of other threads, where a proof is about to be drawn.
async fn doubt(connections: &[OpenConnection<'_>], idle: &IdleDetector) -> Option<OtherThreads> {
    if let Some(threads) = used_or_woken(connections, idle) {
        return Some(threads);
    }
    let seen = idle.threads.look();
    if seen == Seen::Nothing {
        // One that ended since the first look is in no list any more, and has woken whom it would.
        return used_or_woken(connections, idle);
    }
    if let Some(threads) = seen.for_certain() {
        return Some(threads);
    }
    // They may be anybody's: those that wake a task within a moment are the target's.
    let metrics = tokio::runtime::Handle::current().metrics();
    let state = || {
        let links = connections.iter().map(|connection| &connection.link);
        let links = links.map(|link| (link.polls(), link.is_dropped())).collect::<Vec<_>>();
        (links, wakes_from_outside(&metrics))
    };
    let before = state();
    for _ in 0..MOMENTS {
        std::thread::park_timeout(MOMENT);
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        if state() != before {
            return Some(OtherThreads::WokeTask);
        }
    }
    None
}

fn used_or_woken(connections: &[OpenConnection<'_>], idle: &IdleDetector) -> Option<OtherThreads> {
    let metrics = tokio::runtime::Handle::current().metrics();
    let is_used = |connection: &OpenConnection<'_>| connection.link.is_used_elsewhere();
    match () {
        () if connections.iter().any(is_used) => Some(OtherThreads::UsedTransport),
        () if idle.threads.woke_task(&metrics) => Some(OtherThreads::WokeTask),
        () => None,
    }
}

/// Notes on connections that ended that other threads were at work: time may have jumped while
/// they were, so that nobody knows when the end would have come.
fn doubt_what_came(connections: &[OpenConnection<'_>], idle: &IdleDetector) {
    let Some(threads) = used_or_woken(connections, idle) else { return };
    for connection in connections {
        // Where watching ended by a proof, or by its limit, recording is over.
        connection.link.record(What::Became(AfterDeadline::Unproven(threads)));
    }
}

/// After all transports were dropped: whether tasks of the target's outlive them by more than
/// the time to close. Of several connections nobody knows whose a task is: it is recorded
/// on the first.
async fn check_leftover_tasks(
    connections: &[OpenConnection<'_>],
    bounds: &Bounds,
    is_measured: bool,
) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let server_end = server_end_of(connections);
    // The task of a whole server's own function stays, until it has shut down.
    let own = usize::from(server_end.is_some_and(|server_end| !server_end.has_returned()));
    let left = || metrics.num_alive_tasks().saturating_sub(own);
    let dropped = connections.iter().all(|connection| connection.link.is_dropped());
    let shuts_down = server_end.is_some_and(|server_end| server_end.owes_shutdown());
    if !dropped || shuts_down || server_end.is_none() && left() == 0 {
        return;
    }
    if left() > 0 || is_measured {
        // Most are only about to end.
        tokio::time::sleep(Exchange::VIRTUAL_TIME_SLACK).await;
    }
    if left() > 0 {
        tokio::time::sleep(bounds.close).await;
    }
    let tasks = u32::try_from(left()).unwrap_or(u32::MAX);
    if server_end.is_some() {
        // What the script had the application keep is no leak of the server's.
        let mut was_kept = false;
        for connection in connections {
            let _counted = heap::resume();
            was_kept |= connection.commands.clear();
        }
        if was_kept {
            tokio::time::sleep(Exchange::VIRTUAL_TIME_SLACK).await;
        }
        if is_measured {
            // A waker holds the memory of a task that has ended; that is the server's.
            let _counted = heap::resume();
            for connection in connections {
                connection.link.forget_wakers();
                connection.commands.forget_waker();
            }
        }
        let heap = is_measured.then(heap::held);
        connections[0].link.record(What::Rests { tasks, heap });
    } else if tasks > 0 {
        connections[0].link.record(What::Outlived { tasks });
    }
}

/// When the sentinel fires: a slot's start, ten years or more after `now`.
fn far_ahead(now: Time) -> Instant {
    let slots = now.since_accept().as_millis() as u64 / SLOT.as_millis() as u64 + FAR_SLOTS;
    let from_start = SLOT.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX));
    Instant::now() + from_start.saturating_sub(now.since_accept())
}

/// True once all connections are over, false once `other` is ready. Meanwhile every actor
/// reads, where it reads.
async fn over_or(connections: &mut [OpenConnection<'_>], other: impl Future<Output = ()>) -> bool {
    let mut other = pin!(other);
    poll_fn(|cx| {
        let mut over = true;
        for connection in connections.iter_mut() {
            connection.actor.poll_reads(cx);
            over &= connection.link.poll_over(cx).is_ready();
        }
        if let Some(server_end) = server_end_of(connections) {
            over &= server_end.poll_shut_down(cx).is_ready();
        }
        if over { Poll::Ready(true) } else { other.as_mut().poll(cx).map(|()| false) }
    })
    .await
}

async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        if one.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { other.as_mut().poll(cx) }
    })
    .await;
}
