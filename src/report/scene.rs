//! What happened when a finding's script was played, as much of it as a report shows: the timeline, and the
//! bytes of all connections.

use super::timeline::{Item, Timeline};
use super::wire_log::{WireLine, wire_lines};
use super::{TIMELINE_LINES, WIRE_LINES, connection_of};
use crate::exchange::Exchange;
use crate::verdict::Violation;
use crate::wire::Role;

/// What happened in one play. The middle of a long story is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// Which end was tested.
    pub subject: Role,
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
        let left_out = left_out.map(|left| (first, left));
        Self { subject: exchange.subject, connection, items, wire, left_out }
    }

    /// That of a finding's file; empty where the file says nothing of it.
    #[cfg(feature = "cli")]
    pub fn saved(repro: &crate::finding::repro::Repro) -> Self {
        let Some(seen) = &repro.seen else { return Self::default() };
        let mut items = super::timeline::items_of_text(&seen.timeline);
        if repro.role == Role::Client {
            super::timeline::name_as_of_a_client(&mut items);
        }
        let (wire, left_out) = super::wire_saved::lines_of_text(&seen.wire);
        Self { subject: repro.role, connection: None, items, wire, left_out }
    }
}
