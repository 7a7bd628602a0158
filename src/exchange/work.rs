//! What bytes cost: the processor time of the subject for more and more of them.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How the bytes of a measurement come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// The opening request, in pieces.
    Head,
    /// One message of one frame, in pieces.
    Message,
    /// One message of many fragments, one at a time.
    Fragments,
    /// Many messages, one at a time.
    Messages,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Head, Self::Message, Self::Fragments, Self::Messages];
}

/// So many bytes, and the processor time that a play with them took, hangup's own included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkPoint {
    /// The bytes, without the frames' heads.
    pub bytes: u32,
    /// The least of several plays.
    pub took: Duration,
}

/// What several plays took that differ in nothing but in how many bytes there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// How the bytes came.
    pub delivery: Delivery,
    /// How many came at a time.
    pub piece: u32,
    /// Each with twice the bytes of the one before.
    pub points: Vec<WorkPoint>,
    /// The bytes of the last point, all at once.
    pub at_once: Duration,
}

impl Work {
    /// How many times the processor time twice the bytes took, from each point to the next.
    pub fn growth(&self) -> impl DoubleEndedIterator<Item = f64> {
        let seconds = |point: &WorkPoint| point.took.as_secs_f64().max(1e-9);
        self.points.windows(2).map(move |pair| seconds(&pair[1]) / seconds(&pair[0]))
    }
}
