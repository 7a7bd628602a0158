//! A script in process, as in virtual time, while the clock runs: whether what was proven to
//! be late or never to end is so.
//!
//! It is watched up to what the server owes and the slack, and proves nothing.

use super::{
    Clock, OpenConnection, Setting, ThreadWatch, act_all, last_due, over_or, play_once,
    server_end_of, with_each_connection,
};
use crate::bounds::Bounds;
use crate::exchange::{AfterDeadline, Exchange, What};
use crate::script::Script;
use crate::target::Target;
use crate::transport::memory::Observer;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// What a deadline gets on top: real time being what it is.
pub(crate) const SLACK: Duration = Duration::from_millis(250);

/// How often somebody who waits for progress sees some.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// Plays a script for so long at most, beside the slack. A target that blocks the thread is
/// waited for, so that this belongs in a worker, or on a thread of its own.
pub(crate) fn play(
    observer: Option<&Arc<dyn Observer>>,
    target: &Arc<dyn Target>,
    bounds: &Bounds,
    script: &Script,
    seed: u64,
    limit: Duration,
) -> Exchange {
    let clock = Clock::Real(limit.saturating_add(SLACK));
    let setting = Setting { observer, target, bounds, seed, clock };
    with_each_connection(script, |scripts| play_once(&setting, scripts, ThreadWatch::default()).0)
}

/// Acts the scripts out, and watches to the deadline of what is owed, or to the limit.
pub(super) async fn watch(
    connections: &mut [OpenConnection<'_>],
    bounds: &Bounds,
    limit: Duration,
) {
    let limit = Instant::now() + limit;
    let acting = async {
        act_all(connections).await;
        while let Some(due) = last_due(connections, bounds) {
            let now = connections[0].link.now();
            let left = due.after(SLACK).since_accept().saturating_sub(now.since_accept());
            if left.is_zero() || over_or(connections, sleep(left)).await {
                return;
            }
        }
        // Nothing is owed yet.
        over_or(connections, sleep_until(limit)).await;
    };
    let heartbeat = async {
        while Instant::now() < limit {
            sleep(HEARTBEAT).await;
        }
    };
    super::either(acting, heartbeat).await;
    for connection in connections.iter().filter(|connection| !connection.link.is_over()) {
        connection.link.record(What::Became(AfterDeadline::GaveUp));
    }
    if let Some(door) = server_end_of(connections) {
        door.conclude(AfterDeadline::GaveUp);
    }
}
