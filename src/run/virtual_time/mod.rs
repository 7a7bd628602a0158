//! Playing a script in virtual time. The sole owner of the clock.
//!
//! Every script gets a fresh single-threaded tokio runtime whose clock is paused:
//! time starts at zero and jumps to the next timer when nothing can run. Play has
//! two phases:
//!
//! * **A**: the script; then the client freezes, keeping its socket and its reading
//!   policy, and time runs to the deadline. Most scripts end here.
//! * **B**, only where the deadline passed: one far timer is set, and the polls of
//!   tasks and of the server's transport are counted until it fires.
//!   If nothing else woke, no task can run, no timer is pending and no event is
//!   left: the connection stays open for ever, and that is proven, not timed out.
//!
//! A target with a clock of its own (`std::time`, threads) cannot be judged here.

mod idle_detector;
mod panics;
mod stage;

use self::idle_detector::Parking;
use self::panics::{Recording, install_panic_hook, ours};
use self::stage::SimStage;
use crate::actor::Client;
use crate::bounds::Bounds;
use crate::exchange::{Outcome, Time, Trace, What};
use crate::heap;
use crate::judge;
use crate::script::Script;
use crate::target::{Connection, Target};
use crate::transport::memory::{Link, Witness};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
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

/// Plays `script` against `target` and returns what happened.
///
/// `bounds` say how long to watch. `seed` fixes the runtime's own random choices
/// (the order of an unbiased `select!`); it has an effect only under
/// `--cfg tokio_unstable`. The same arguments give the same trace.
///
/// # Panics
///
/// If called from within a tokio runtime. A panic of the target's is recorded.
pub fn play(target: &Arc<dyn Target>, bounds: &Bounds, script: &Script, seed: u64) -> Trace {
    play_before(None, target, bounds, script, seed)
}

/// As [`play`]; the witness is told of everything as it happens, for a target that
/// the process may not survive.
pub fn play_before(
    witness: Option<&Arc<dyn Witness>>,
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    script: &Script,
    seed: u64,
) -> Trace {
    install_panic_hook();
    let parking = Arc::new(Parking::new(witness.cloned()));
    let runtime = runtime(&parking, seed);
    let measure = heap::measure();
    let (mut trace, recording) = runtime.block_on(ours(async {
        let link = Link::with_turns(Some(Arc::clone(&parking.turns)));
        if let Some(witness) = witness {
            link.witnessed_by(Arc::clone(witness));
        }
        link.expect(script.max_bytes_sent());
        let recording = Recording::begin(&link);
        let stage = SimStage::new(&link, &parking, target.obeys());
        let desk = Arc::clone(&stage.desk);
        let connection = Connection::in_memory(link.server_end(), Arc::clone(&desk) as _);
        let task = tokio::spawn(serve(Arc::clone(target), connection, link.clone()));
        let patience = SETTLE.max(bounds.longest().saturating_mul(2));
        let mut client = Client::new(stage, patience);
        parking.watch_for_spins(&link);
        let play = async {
            client.act(script).await;
            link.record(What::Froze);
            watch(&mut client, &link, &parking, bounds).await;
            see_off(&link, bounds).await;
        };
        either(play, poll_fn(|cx| parking.poll_spun(cx))).await;
        let lost_panic = task.is_finished() && task.await.is_err_and(|error| error.is_panic());
        let mut trace = link.take_trace();
        desk.clear();
        if lost_panic && !trace.events.iter().any(|event| matches!(event.what, What::Panicked(_))) {
            // Another panic hook was set after ours, so that the message went there.
            let at = trace.events.last().map_or(Time::ZERO, |event| event.at);
            trace.push(at, What::Panicked("a message that another panic hook took".into()));
        }
        (trace, recording)
    }));
    trace.peak_heap = measure.as_ref().map(heap::Measure::peak);
    drop(measure);
    // Tears the target's tasks down: what panics in that is not printed either.
    drop(runtime);
    drop(recording);
    // The runtime owns its park hook, the hook shares this, and a waker keeps the
    // runtime alive: left in place, every play would leak its runtime.
    *parking.waker() = None;
    // The link has wakers of the runtime's too.
    parking.forget_link();
    trace
}

async fn serve(target: Arc<dyn Target>, connection: Connection, link: Link) {
    target.serve(connection).await;
    link.record(What::Returned);
}

fn runtime(parking: &Arc<Parking>, seed: u64) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let on_park = Arc::clone(parking);
    builder.enable_time().start_paused(true).on_thread_park(move || on_park.parks());
    if let Some(witness) = parking.witness.clone() {
        builder
            .on_thread_unpark(move || panics::with_playing(|link| witness.moved(&|| link.now())));
    }
    #[cfg(tokio_unstable)]
    {
        let on_poll = Arc::clone(parking);
        builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
        builder.on_before_task_poll(move |_| on_poll.woken());
    }
    #[cfg(not(tokio_unstable))]
    let _ = seed;
    builder.build().expect("a runtime without I/O takes nothing from the system")
}

/// After the script: runs to the deadline and, where that passed, to the proof.
async fn watch(client: &mut Client<SimStage>, link: &Link, parking: &Parking, bounds: &Bounds) {
    if link.is_over() {
        return;
    }
    // Whatever is owed by now is due within the longest bound.
    if run_to(client, link, link.now().after(bounds.longest().saturating_add(Trace::VIRTUAL_GRAIN)))
        .await
    {
        return;
    }
    let mut settled = false;
    for _ in 0..ROUNDS {
        let now = link.now();
        let due = link.with_trace(|trace| judge::next_deadline(trace, bounds));
        match due.map(|deadline| deadline.after(Trace::VIRTUAL_GRAIN)) {
            None if settled => return,
            None => {
                settled = true;
                if run_to(client, link, now.after(SETTLE)).await {
                    return;
                }
            }
            Some(deadline) if now <= deadline => {
                if run_to(client, link, deadline.after(Duration::from_millis(1))).await {
                    return;
                }
            }
            Some(_) => break,
        }
    }
    prove(client, link, parking).await;
}

/// Lets time pass up to `time`; true where the connection was over before.
async fn run_to(client: &mut Client<SimStage>, link: &Link, time: Time) -> bool {
    let at = Instant::now() + time.since_accept().saturating_sub(link.now().since_accept());
    client.read_until(over_or(link, sleep_until(at))).await
}

/// Phase B: finds out whether anything is left that could end the connection.
async fn prove(client: &mut Client<SimStage>, link: &Link, parking: &Parking) {
    let began = link.now();
    let polls = link.polls();
    parking.count_to(WAKES);
    let sentinel = sleep_until(far_ahead(began));
    let exhausted = poll_fn(|cx| parking.poll_exhausted(cx));
    let over = client.read_until(over_or(link, either(sentinel, exhausted))).await;
    if over {
        return;
    }
    let wakes = parking.count();
    let carries = if cfg!(tokio_unstable) { 0 } else { CARRIES };
    let outcome = if wakes <= carries && link.polls() == polls {
        Outcome::Quiet
    } else {
        Outcome::Ticking { wakes, lasting: link.now().0 - began.0 }
    };
    link.record(What::Became(outcome));
}

/// After the transport was dropped: whether tasks of the target's outlive it by more than
/// the time to close.
async fn see_off(link: &Link, bounds: &Bounds) {
    let metrics = tokio::runtime::Handle::current().metrics();
    if metrics.num_alive_tasks() == 0 || !link.is_dropped() {
        return;
    }
    // Most are only about to end.
    tokio::time::sleep(Trace::VIRTUAL_GRAIN).await;
    if metrics.num_alive_tasks() > 0 {
        tokio::time::sleep(bounds.close).await;
    }
    let tasks = metrics.num_alive_tasks();
    if tasks > 0 {
        link.record(What::Outlived { tasks: u32::try_from(tasks).unwrap_or(u32::MAX) });
    }
}

/// When the sentinel fires: a slot's start, ten years or more after `now`.
fn far_ahead(now: Time) -> Instant {
    let slots = now.since_accept().as_millis() as u64 / SLOT.as_millis() as u64 + FAR_SLOTS;
    let from_start = SLOT.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX));
    Instant::now() + from_start.saturating_sub(now.since_accept())
}

/// True once the connection is over, false once `other` is ready.
async fn over_or(link: &Link, other: impl Future<Output = ()>) -> bool {
    let mut other = pin!(other);
    poll_fn(|cx| match link.poll_over(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => other.as_mut().poll(cx).map(|()| false),
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
