//! What happened when a finding's script was played, as much of it as a report shows: the timeline, and the
//! bytes of all connections.

use super::timeline::{Item, Timeline};
use super::wire_log::{WireLine, wire_lines};
use super::{TIMELINE_LINES, WIRE_LINES, connection_of};
use crate::exchange::Exchange;
use crate::verdict::Violation;

/// What happened in one play. The middle of a long story is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// Which of several connections the violation is about, by its number in the script.
    pub connection: Option<u32>,
    /// The timeline.
    pub items: Vec<Item>,
    /// The bytes of both directions: the first ones and the last.
    pub wire: Vec<WireLine>,
    /// How many lines of bytes are left out, behind so many that are shown.
    pub left_out: Option<(usize, usize)>,
}

impl Scene {
    /// That of an exchange, with a violation marked.
    pub fn of(exchange: &Exchange, violation: Option<&Violation>) -> Self {
        let timeline = Timeline::of(exchange, violation);
        let items = timeline.bounded_items(TIMELINE_LINES);
        let mut wire = wire_lines(exchange);
        let (first, last) = WIRE_LINES;
        let left_out = wire.len().checked_sub(first + last).filter(|left| *left > 0);
        if let Some(left) = left_out {
            wire.drain(first..first + left);
        }
        let connection = violation.and_then(|violation| connection_of(violation, exchange));
        Self { connection, items, wire, left_out: left_out.map(|left| (first, left)) }
    }

    /// That of a finding's file; empty where the file says nothing of it.
    #[cfg(feature = "cli")]
    pub fn saved(seen: Option<&crate::finding::repro::Seen>) -> Self {
        let Some(seen) = seen else { return Self::default() };
        let items = super::timeline::items_of_text(&seen.timeline);
        let (wire, left_out) = super::wire_saved::lines_of_text(&seen.wire);
        Self { connection: None, items, wire, left_out }
    }
}
