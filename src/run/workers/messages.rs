//! What a supervisor and its worker say to each other: a line of JSON each.

use crate::bounds::Bounds;
use crate::exchange::{Event, Trace};
use crate::verdict::{Ending, Identity, Level, Violation};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Job {
    /// Draw, play and judge the scripts of a campaign from an index up to another.
    Stretch { target: String, bounds: Bounds, seed: u64, from: u64, to: u64 },
    /// Play one script, and tell of every event at once.
    Play { target: String, bounds: Bounds, script: String, runtime_seed: u64 },
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// It is there, under its limits.
    Ready,
    /// It cannot go on, and that is no fault of the target's.
    Broken(String),
    /// A stretch is over.
    Stretched(Stretched),
    /// Something happened in a script in play.
    Happened(Happened),
    /// The script in play has ended, and the target held so much heap for it.
    Played { peak_heap: Option<u64> },
}

/// What a stretch of scripts showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stretched {
    /// From this index.
    pub from: u64,
    /// Up to, and without, this one.
    pub to: u64,
    /// How often each of the target's deviations fired.
    pub fired: Vec<u64>,
    /// The first violation of each key.
    pub seen: Vec<Seen>,
    /// What its deaths cost, in the units of [`crate::run::campaign::toll`].
    pub toll: u32,
}

/// A violation, without what only its trace can explain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub index: u64,
    pub key: Identity,
    pub level: Level,
    pub ending: Ending,
    pub fact: String,
}

impl Seen {
    pub fn of(index: u64, violation: Violation) -> Self {
        let Violation { identity: key, level, ending, fact, .. } = violation;
        Self { index, key, level, ending, fact }
    }

    pub fn violation(self) -> Violation {
        let Self { key, level, ending, fact, .. } = self;
        Violation { identity: key, level, ending, owed: None, fact, events: Vec::new() }
    }
}

/// An event, with what bytes it added to the two streams, in base64.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Happened {
    event: Event,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    to_server: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    to_client: String,
}

/// How much of a trace was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    events: usize,
    to_server: usize,
    to_client: usize,
}

impl Told {
    /// What `trace` has beyond what was told. Bytes go with the first event.
    pub fn news(&mut self, trace: &Trace) -> Vec<Happened> {
        let since = |bytes: &[u8], told: &mut usize| {
            let news = STANDARD.encode(&bytes[(*told).min(bytes.len())..]);
            *told = bytes.len();
            news
        };
        let events = &trace.events[self.events.min(trace.events.len())..];
        self.events = trace.events.len();
        let mut news: Vec<Happened> = events
            .iter()
            .map(|event| Happened {
                event: event.clone(),
                to_server: String::new(),
                to_client: String::new(),
            })
            .collect();
        if let Some(first) = news.first_mut() {
            first.to_server = since(&trace.to_server, &mut self.to_server);
            first.to_client = since(&trace.to_client, &mut self.to_client);
        }
        news
    }
}

impl Happened {
    /// Appends it to `trace`; bytes that are no base64 are none.
    pub fn append_to(self, trace: &mut Trace) {
        let Self { event, to_server, to_client } = self;
        trace.to_server.extend(STANDARD.decode(to_server).unwrap_or_default());
        trace.to_client.extend(STANDARD.decode(to_client).unwrap_or_default());
        trace.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Death, Note, Outcome, Time, What};

    #[test]
    fn a_trace_that_is_told_piece_by_piece_arrives_whole() {
        let mut trace = Trace::new(true);
        let mut told = Told::default();
        let mut copy = Trace::new(true);
        for (time, what) in [
            What::Arrived { bytes: 3 },
            What::Panicked("two\nlines, \"quoted\"".into()),
            What::Noted(Note::ToldOfEnd { code: Some(1000) }),
            What::Wrote { bytes: 2 },
            What::Became(Outcome::Ticking { wakes: 1, lasting: u64::MAX }),
            What::Died(Death::Signal(6)),
        ]
        .into_iter()
        .enumerate()
        {
            match what {
                What::Arrived { .. } => trace.to_server.extend(b"\x00\xffa"),
                What::Wrote { .. } => trace.to_client.extend(b"\n\x80"),
                _ => {}
            }
            trace.push(Time(time as u64), what);
            if time % 2 == 0 {
                continue;
            }
            for news in told.news(&trace) {
                let line = serde_json::to_string(&news).expect("JSON");
                assert!(!line.contains('\n'));
                let back: Happened = serde_json::from_str(&line).expect("the same");
                back.append_to(&mut copy);
            }
        }
        assert_eq!(copy, trace);
    }
}
