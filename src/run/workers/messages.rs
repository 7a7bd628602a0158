//! The wire protocol between the supervisor and its workers: one line of JSON a message.
//!
//! Jobs go to the worker, reports come back. This file has the messages and nothing that
//! sends or receives them.

use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Event, Exchange};
use crate::run::campaign::{Fired, Reach};
use crate::target::Target;
use crate::verdict::{Ending, Excuses, Identity, Level, Violation};
use crate::wire::Opening;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
    /// Play one script, and report every event before anything else can happen.
    PlayScript { server: Server, script: String, runtime_seed: u64 },
    /// The same while the clock runs, for so many microseconds at most.
    Confirm { server: Server, script: String, runtime_seed: u64, limit: u64 },
    /// Play one script, and say only how much of the processor's time that took.
    TimeScript { server: Server, script: String },
}

/// A worker's report.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It has started and set its limits; it waits for a job.
    Ready,
    /// It cannot go on, because of hangup itself and not because of the target.
    InternalError(String),
    /// A range of scripts was played.
    RangePlayed(RangeResult),
    /// An event of the script in play.
    Event(EventMessage),
    /// The script in play has ended; the most heap that the target held for it, in bytes, and how
    /// many steps were begun.
    ScriptPlayed { peak_heap: Option<u64>, steps: Option<u32> },
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
    pub fired: Vec<Fired>,
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
        let Violation { identity, level, ending, fact, .. } = violation;
        Self { index, identity, level, strongest: level, ending, fact, scripts: 0 }
    }

    /// Counts one more script that showed it, at this level.
    pub fn count(&mut self, level: Level) {
        self.scripts += 1;
        // Must comes first.
        self.strongest = self.strongest.min(level);
    }

    pub fn into_violation(self) -> Violation {
        let Self { identity, level, ending, fact, .. } = self;
        let (events, doubts, refuted) = (Vec::new(), Vec::new(), Excuses::default());
        Violation { identity, level, ending, owed: None, fact, events, doubts, refuted }
    }
}

/// An event, with the bytes that it added to the two streams, in base64.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct EventMessage {
    event: Event,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    to_server: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    to_client: String,
}

/// Finds the part of a growing exchange that was not sent yet.
#[derive(Debug, Default)]
pub(super) struct UnsentEvents {
    events: usize,
    to_server: usize,
    to_client: usize,
}

impl UnsentEvents {
    /// The events and bytes that `exchange` has gained since the last call. The bytes go with the
    /// first event.
    pub fn take(&mut self, exchange: &Exchange) -> Vec<EventMessage> {
        let since = |bytes: &[u8], sent: &mut usize| {
            let unsent = STANDARD.encode(&bytes[(*sent).min(bytes.len())..]);
            *sent = bytes.len();
            unsent
        };
        let events = &exchange.events[self.events.min(exchange.events.len())..];
        self.events = exchange.events.len();
        let mut messages: Vec<EventMessage> = events
            .iter()
            .map(|event| EventMessage {
                event: event.clone(),
                to_server: String::new(),
                to_client: String::new(),
            })
            .collect();
        if let Some(first) = messages.first_mut() {
            first.to_server =
                since(&exchange.bytes(ConnectionId::FIRST).to_subject, &mut self.to_server);
            first.to_client =
                since(&exchange.bytes(ConnectionId::FIRST).to_actor, &mut self.to_client);
        }
        messages
    }
}

impl EventMessage {
    /// Appends it to `exchange`; bytes that are not base64 are ignored.
    pub fn append_to(self, exchange: &mut Exchange) {
        let Self { event, to_server, to_client } = self;
        exchange
            .bytes_mut(ConnectionId::FIRST)
            .to_subject
            .extend(STANDARD.decode(to_server).unwrap_or_default());
        exchange
            .bytes_mut(ConnectionId::FIRST)
            .to_actor
            .extend(STANDARD.decode(to_client).unwrap_or_default());
        exchange.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{AfterDeadline, Death, Note, Time, What};

    #[test]
    fn a_trace_that_is_sent_piece_by_piece_arrives_whole() {
        let mut exchange = Exchange::new(true);
        let mut unsent = UnsentEvents::default();
        let mut copy = Exchange::new(true);
        for (time, what) in [
            What::Arrived { bytes: 3 },
            What::Panicked("two\nlines, \"quoted\"".into()),
            What::Noted(Note::ToldOfEnd { code: Some(1000) }),
            What::Wrote { bytes: 2 },
            What::Became(AfterDeadline::Ticking { wakes: 1, lasting: u64::MAX }),
            What::Died(Death::Signal(6)),
        ]
        .into_iter()
        .enumerate()
        {
            match what {
                What::Arrived { .. } => {
                    exchange.bytes_mut(ConnectionId::FIRST).to_subject.extend(b"\x00\xffa");
                }
                What::Wrote { .. } => {
                    exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend(b"\n\x80");
                }
                _ => {}
            }
            exchange.push(Time(time as u64), what);
            if time % 2 == 0 {
                continue;
            }
            for message in unsent.take(&exchange) {
                let line = serde_json::to_string(&message).expect("JSON");
                assert!(!line.contains('\n'));
                let back: EventMessage = serde_json::from_str(&line).expect("the same");
                back.append_to(&mut copy);
            }
        }
        assert_eq!(copy, exchange);
    }
}
