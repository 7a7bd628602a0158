//! The wire protocol between the supervisor and its workers: one line of JSON a message.
//!
//! Jobs go to the worker, reports come back. This file has the messages and nothing that
//! sends or receives them.

use crate::bounds::Bounds;
use crate::exchange::Time;
use crate::run::campaign::{DeviationCounts, Reach};
use crate::target::Target;
use crate::verdict::{ConnectionId, Ending, Excuses, Identity, Level, Violation};
use crate::wire::Opening;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The server that a script is played against.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Server {
    pub target: String,
    pub bounds: Bounds,
    /// What it is sent, which need not be the target's own.
    #[serde(default, skip_serializing_if = "Opening::is_usual")]
    pub opening: Opening,
}

impl Server {
    pub fn of(target: &dyn Target, bounds: Bounds) -> Self {
        Self { target: target.name().to_owned(), bounds, opening: target.opening().clone() }
    }
}

/// A job for a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Job {
    /// Draw, play and judge the scripts of a campaign from an index up to another, but for
    /// those to `skip`, which are in order.
    PlayRange { target: String, bounds: Bounds, seed: u64, from: u64, to: u64, skip: Vec<u64> },
    /// Play one script, and have every event in the log before anything else can happen.
    PlayScript { server: Server, script: String, runtime_seed: u64 },
    /// The same while the clock runs, for so many microseconds at most.
    Confirm { server: Server, script: String, runtime_seed: u64, limit: u64 },
    /// Play one script, and say only how much of the processor's time that took.
    TimeScript { server: Server, script: String },
}

/// A worker's report.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "the large one stands for thousands of scripts")]
pub(super) enum Report {
    /// It has started and set its limits; it waits for a job.
    Ready,
    /// It cannot go on, because of hangup itself and not because of the target.
    InternalError(String),
    /// A range of scripts was played.
    RangePlayed(RangeResult),
    /// What the log of the script in play cannot take.
    Record(Vec<u8>),
    /// The script in play has ended: what an [`Exchange`](crate::exchange::Exchange) has of it beside
    /// its events. Controls are made of it.
    ScriptPlayed {
        peak_heap: Option<u64>,
        rests: u32,
        steps: Option<u32>,
        acted: Vec<Vec<Time>>,
        preamble_bytes: u32,
    },
    /// A script was timed; `None` where the system does not say.
    ScriptTimed { took: Option<Duration> },
}

/// The result of a range of scripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RangeResult {
    /// The index of its first script.
    pub from: u64,
    /// The index after its last script.
    pub to: u64,
    /// How often each of the target's deviations fired.
    pub fired: Vec<DeviationCounts>,
    /// The first violation of each key.
    pub violations: Vec<ViolationSummary>,
    /// The first of each key of what would be violations if the target's time were virtual.
    pub unproven: Vec<ViolationSummary>,
    /// How far its scripts got.
    pub reach: Reach,
    /// The cost of the crash in it, if it is one script that crashed, in the units of [`crate::run::campaign::crash_cost`].
    pub crash_cost: u32,
}

/// A violation without the events of its exchange, as a worker reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ViolationSummary {
    pub index: u64,
    pub identity: Identity,
    pub connection: ConnectionId,
    pub level: Level,
    /// The strongest level of all that showed it: that does not depend on which range was whose.
    pub strongest: Level,
    pub ending: Ending,
    pub fact: String,
    /// How many scripts of the range showed it; `index` is the first of them.
    pub scripts: u64,
}

impl ViolationSummary {
    /// One that no script is counted for yet.
    pub fn of(index: u64, violation: Violation) -> Self {
        let Violation { identity, connection, level, ending, fact, .. } = violation;
        Self { index, identity, connection, level, strongest: level, ending, fact, scripts: 0 }
    }

    /// Counts one more script that showed it, at this level.
    pub fn count(&mut self, level: Level) {
        self.scripts += 1;
        // Must comes first.
        self.strongest = self.strongest.min(level);
    }

    pub fn into_violation(self) -> Violation {
        let Self { identity, connection, level, ending, fact, .. } = self;
        let (events, doubts, refuted) = (Vec::new(), Vec::new(), Excuses::default());
        let owed = None;
        Violation { identity, connection, level, ending, owed, fact, events, doubts, refuted }
    }
}
