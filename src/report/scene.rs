//! What happened on a finding's connection, as much of it as a report shows: its timeline, and its bytes.

use super::timeline::{Item, Timeline};
use super::wire_log::{WireLine, wire_lines};
use super::{TIMELINE_LINES, WIRE_LINES};
use crate::exchange::{ConnectionId, Exchange};
use crate::verdict::Violation;

/// What happened on one connection. The middle of a long story is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// The timeline.
    pub items: Vec<Item>,
    /// The bytes of both directions: the first ones and the last.
    pub wire: Vec<WireLine>,
    /// How many lines of bytes are left out, behind so many that are shown.
    pub left_out: Option<(usize, usize)>,
}

impl Scene {
    /// That of an exchange's first connection, with a violation marked.
    pub fn of(exchange: &Exchange, violation: Option<&Violation>) -> Self {
        let timeline = Timeline::of(exchange, ConnectionId::FIRST, violation);
        let items = timeline.bounded_items(TIMELINE_LINES);
        let mut wire = wire_lines(exchange, ConnectionId::FIRST);
        let (first, last) = WIRE_LINES;
        let left_out = wire.len().checked_sub(first + last).filter(|left| *left > 0);
        if let Some(left) = left_out {
            wire.drain(first..first + left);
        }
        Self { items, wire, left_out: left_out.map(|left| (first, left)) }
    }

    /// That of a finding's file; empty where the file says nothing of it.
    #[cfg(feature = "cli")]
    pub fn saved(seen: Option<&crate::finding::repro::Seen>) -> Self {
        let Some(seen) = seen else { return Self::default() };
        let items = super::timeline::items_of_text(&seen.timeline);
        let (wire, left_out) = super::wire_saved::lines_of_text(&seen.wire);
        Self { items, wire, left_out }
    }
}
