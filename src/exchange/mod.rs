//! The exchange: what happened between an actor and a subject in one play.
//!
//! An append-only list of events, each with its time, its connection and its end, and the
//! bytes of every connection. An exchange is all that the judge sees. One recorded in virtual
//! time and one recorded over real TCP have the same shape; they differ in what could be
//! observed ([`Exchange::both_ends`]). Where TLS carries the WebSocket, the bytes are those
//! above it. This module records, and neither decodes nor judges.

mod event;
mod fingerprint;
mod time;
mod work;

pub use event::{
    AfterDeadline, ConnectionId, Death, End, Event, HeldAfter, Lack, Layer, Note, OtherThreads,
    Standing, What,
};
pub use fingerprint::fingerprint;
pub use time::Time;
pub use work::{Delivery, Work, WorkPoint};

use crate::wire::Role;
use crate::wire::handshake::{self, REQUEST};
use sha1::{Digest as _, Sha1};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The bytes of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// All bytes that arrived at the subject, in order.
    pub to_subject: Vec<u8>,
    /// All bytes that the subject wrote or, where its end was not observed, that the actor got,
    /// but for those that are not kept ([`What::Discarded`]).
    pub to_actor: Vec<u8>,
}

impl Bytes {
    /// The bytes of a client under test without what it takes from the system's randomness: its
    /// key, with the hash that answers it, and its masks.
    fn without_chance(&self) -> Self {
        let Self { mut to_subject, mut to_actor } = self.clone();
        handshake::without_chance(&mut to_actor, &mut to_subject);
        Self { to_subject, to_actor }
    }

    fn with_room() -> Self {
        Self { to_subject: Vec::with_capacity(512), to_actor: Vec::with_capacity(512) }
    }
}

/// The record of one play. Append with [`push`](Self::push), and to [`bytes`](Self::bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The subject's role; the actor has the other one.
    pub subject: Role,
    /// The events of all connections, in the order in which they happened.
    pub events: Vec<Event>,
    /// The connections, in the order in which they were opened; there is at least one.
    connections: Vec<Bytes>,
    /// Whether the subject's end was observed too: its reads, writes and drop.
    pub both_ends: bool,
    /// Whether it was observed when the subject let go of its transport: where both
    /// ends were, and over TCP where the kernel's socket table could be read.
    pub sees_release: bool,
    /// Where only the actor's end was observed: how soon after it sent something the
    /// actor may still get what the subject sent before that had arrived.
    pub transit: Duration,
    /// How far a time in here may lie behind what it stands for: the judge's slack.
    pub timing_slack: Duration,
    /// The most bytes of heap that the subject held at a time; `None` where nobody counted.
    /// No part of the [`digest`](Self::digest).
    pub peak_heap: Option<u64>,
    /// How often the runtime rested while this was recorded, which it does between any two timers; 0 where
    /// nobody counted. No part of the [`digest`](Self::digest).
    pub rests: u32,
    /// How many steps of its script the actor had begun when it froze, on the first connection;
    /// `None` where it did not get so far. No part of the [`digest`](Self::digest).
    pub steps: Option<u32>,
    /// When the actor of each connection began each of its steps, in a play of several connections;
    /// empty elsewhere. No part of the [`digest`](Self::digest).
    pub acted: Vec<Vec<Time>>,
    /// The opening request that the actor was to send; `None` for the usual one. No part of the
    /// [`digest`](Self::digest), but for what was sent of it.
    pub request: Option<Arc<str>>,
    /// How many bytes of a preamble the actor was to send right behind the opening, on the first
    /// connection. No part of the [`digest`](Self::digest), but for what was sent of them.
    pub preamble_bytes: u32,
    /// What more and more bytes cost the subject, where that was measured: in this play and in
    /// others like it. No part of the [`digest`](Self::digest).
    pub work: Option<Work>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            subject: Role::Server,
            events: Vec::new(),
            connections: vec![Bytes::default()],
            both_ends: false,
            sees_release: false,
            transit: Duration::ZERO,
            timing_slack: Duration::ZERO,
            peak_heap: None,
            rests: 0,
            steps: None,
            acted: Vec::new(),
            request: None,
            preamble_bytes: 0,
            work: None,
        }
    }
}

impl Exchange {
    /// The slack of virtual time: tokio's timers round up to a millisecond, and a
    /// deadline may be counted by two of them, one after the other.
    pub const VIRTUAL_TIME_SLACK: Duration = Duration::from_millis(2);

    /// An empty exchange with a server over one connection. `both_ends` says whether the
    /// subject's end will be observed.
    pub fn new(both_ends: bool) -> Self {
        Self {
            events: Vec::with_capacity(32),
            connections: vec![Bytes::with_room()],
            both_ends,
            sees_release: both_ends,
            transit: Self::VIRTUAL_TIME_SLACK,
            timing_slack: Self::VIRTUAL_TIME_SLACK,
            ..Self::default()
        }
    }

    /// The opening request that the actor was to send, whole.
    pub fn opening_request(&self) -> &str {
        self.request.as_deref().unwrap_or(REQUEST)
    }

    /// Adds a connection; the first is there from the start.
    ///
    /// # Panics
    ///
    /// Past 65,536 connections.
    pub fn connect(&mut self) -> ConnectionId {
        let number = u16::try_from(self.connections.len()).expect("at most 65,536 connections");
        self.connections.push(Bytes::with_room());
        ConnectionId(number)
    }

    /// The connections.
    pub fn connections(&self) -> impl ExactSizeIterator<Item = ConnectionId> + use<> {
        (0..self.connections.len()).map(|number| ConnectionId(number as u16))
    }

    /// A connection's bytes.
    ///
    /// # Panics
    ///
    /// If there is no such connection.
    pub fn bytes(&self, connection: ConnectionId) -> &Bytes {
        &self.connections[usize::from(connection.0)]
    }

    /// As [`bytes`](Self::bytes), to append to.
    ///
    /// # Panics
    ///
    /// If there is no such connection.
    pub fn bytes_mut(&mut self, connection: ConnectionId) -> &mut Bytes {
        &mut self.connections[usize::from(connection.0)]
    }

    /// What it cost to record, in events: so many bytes, or rests of the runtime, cost as much as one.
    pub fn cost(&self) -> u64 {
        const BYTES: usize = 256;
        const RESTS: usize = 8;
        let bytes = |of: &Bytes| (of.to_subject.len() + of.to_actor.len()) / BYTES;
        let bytes: usize = self.connections.iter().map(bytes).sum();
        (self.events.len() + bytes + self.rests as usize / RESTS) as u64
    }

    /// Whether watching ended because a play may cost no more. In real time watching always ends.
    pub fn was_cut_short(&self) -> bool {
        let gave_up = What::Became(AfterDeadline::GaveUp);
        self.both_ends && self.events.iter().rev().take(8).any(|event| event.what == gave_up)
    }

    /// Appends what happened on the first connection, at the end at which it usually does.
    pub fn push(&mut self, at: Time, what: What) {
        self.events.push(Event::new(at, what));
    }

    /// Appends what the actor read, or was told, on the first connection.
    pub fn push_at_actor(&mut self, at: Time, what: What) {
        self.events.push(Event::new(at, what).at_actor());
    }

    /// What somebody at the actor's end alone could have recorded: what it sent, what it
    /// got, and when. Nothing of the subject's own end, application or process is left.
    pub fn seen_by_actor(&self) -> Self {
        let mut seen = Self {
            both_ends: false,
            sees_release: false,
            peak_heap: None,
            work: None,
            events: self.events.iter().filter(|event| is_seen_by_actor(event)).cloned().collect(),
            ..self.clone()
        };
        for connection in self.connections() {
            let got = |event: &Event| match event.what {
                What::Read { bytes } if event.connection == connection => bytes as usize,
                _ => 0,
            };
            let got = seen.events.iter().map(got).sum();
            seen.bytes_mut(connection).to_actor.truncate(got);
        }
        seen
    }

    /// A fingerprint of the events and the bytes: equal for equal exchanges, 16 hex digits.
    pub fn digest(&self) -> String {
        let mut hash = Sha1::new();
        for bytes in &self.connections {
            let Bytes { to_subject, to_actor } = &*match self.subject {
                Role::Server => Cow::Borrowed(bytes),
                Role::Client => Cow::Owned(bytes.without_chance()),
            };
            for stream in [to_subject, to_actor] {
                hash.update((stream.len() as u64).to_le_bytes());
                hash.update(stream);
            }
        }
        let mut line = String::new();
        for event in &self.events {
            line.clear();
            write_for_digest(&mut line, event);
            hash.update(&line);
        }
        let mut hex = String::with_capacity(16);
        for byte in &hash.finalize()[..8] {
            write!(hex, "{byte:02x}").expect("a string takes all");
        }
        hex
    }
}

/// Whether the actor did it, or saw it.
fn is_seen_by_actor(event: &Event) -> bool {
    // Whether the server accepts is not seen: so nobody says that it did not.
    let by_actor = event.end == End::Actor && event.what != What::Offered;
    let sent = matches!(event.what, What::Arrived { .. } | What::FinArrived | What::ResetArrived);
    let watch_ended = matches!(event.what, What::Became(_));
    by_actor || sent || watch_ended
}

/// An event as a line. Digests stand in repro files: the words stay as they were when there
/// was one connection, a read of the actor's had a name of its own, and nobody noted what an
/// application sends or the content of what it is given.
fn write_for_digest(line: &mut String, event: &Event) {
    let Event { at, connection, end, what, .. } = event;
    if matches!(what, What::Noted(Note::Sends { .. })) {
        return;
    }
    if *connection != ConnectionId::FIRST {
        write!(line, "{}: ", connection.0).expect("a string takes all");
    }
    let at = at.0;
    if let What::Rests { tasks, .. } = what {
        return writeln!(line, "{at} Rests {{ tasks: {tasks} }}").expect("a string takes all");
    }
    match (end, what) {
        (End::Actor, What::Read { bytes }) => writeln!(line, "{at} Got {{ bytes: {bytes} }}"),
        (End::Actor, What::ReadEnd) => writeln!(line, "{at} GotEnd"),
        (End::Actor, What::ReadReset) => writeln!(line, "{at} GotReset"),
        (_, What::Noted(Note::ReceivedContent { bytes, .. })) => {
            writeln!(line, "{at} {:?}", What::Noted(Note::Received { bytes: *bytes }))
        }
        _ => writeln!(line, "{at} {what:?}"),
    }
    .expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameHead, Opcode};

    #[test]
    fn a_digest_changes_with_any_part_of_the_exchange() {
        let mut exchange = Exchange::new(true);
        let empty = exchange.digest();
        assert_eq!(empty.len(), 16);
        exchange.push(Time(1), What::ReadEnd);
        let with_event = exchange.digest();
        exchange.events[0].at = Time(2);
        let later = exchange.digest();
        exchange.events[0].end = End::Actor;
        let other_end = exchange.digest();
        exchange.bytes_mut(ConnectionId::FIRST).to_actor.push(1);
        let with_byte = exchange.digest();
        let second = exchange.connect();
        let connected = exchange.digest();
        exchange.events[0].connection = second;
        let all = [empty, with_event, later, other_end, with_byte, connected, exchange.digest()];
        exchange.peak_heap = Some(1);
        assert_eq!(
            exchange.digest(),
            all[6],
            "what a library keeps for the next connection varies"
        );
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 7);
    }

    #[test]
    fn a_clients_key_and_masks_are_no_part_of_a_digest_and_its_frames_are() {
        let digest = |key: &str, mask: [u8; 4], text: &[u8]| {
            let mut exchange = Exchange::new(true);
            exchange.subject = Role::Client;
            let bytes = exchange.bytes_mut(ConnectionId::FIRST);
            bytes.to_actor.extend(handshake::request_with(key).bytes());
            let accept = handshake::accept_key(key.as_bytes());
            bytes.to_subject.extend(handshake::switching_protocols(&accept).bytes());
            let head = FrameHead { mask: Some(mask), ..FrameHead::server(Opcode::TEXT) };
            head.encode(text, &mut bytes.to_actor);
            exchange.digest()
        };
        let one = digest(handshake::KEY, [1, 2, 3, 4], b"hello");
        assert_eq!(one, digest("AAAAAAAAAAAAAAAAAAAAAA==", [9, 8, 7, 6], b"hello"));
        assert_ne!(one, digest(handshake::KEY, [1, 2, 3, 4], b"hellO"));
    }

    #[test]
    fn a_digest_is_what_it_was_before_messages_were_noted() {
        let digest = |notes: &[Note]| {
            let mut exchange = Exchange::new(true);
            for note in notes {
                exchange.push(Time(1), What::Noted(*note));
            }
            exchange.digest()
        };
        let given = |bytes| Note::Received { bytes };
        assert_eq!(digest(&[Note::sends(true, b"a")]), digest(&[]));
        assert_eq!(digest(&[Note::received(b"four")]), digest(&[given(4)]));
        assert_ne!(digest(&[given(4)]), digest(&[given(5)]));
    }

    #[test]
    fn the_actor_alone_sees_what_it_did_and_what_reached_it() {
        let mut exchange = Exchange::new(true);
        let bytes = exchange.bytes_mut(ConnectionId::FIRST);
        bytes.to_subject.extend(b"hello");
        bytes.to_actor.extend(b"answer");
        exchange.push(Time(1), What::Arrived { bytes: 5 });
        exchange.push(Time(2), What::Read { bytes: 5 });
        exchange.push(Time(3), What::Wrote { bytes: 6 });
        exchange.push_at_actor(Time(4), What::Read { bytes: 3 });
        exchange.push(Time(5), What::Dropped { reset: false });
        let seen = exchange.seen_by_actor();
        let times: Vec<Time> = seen.events.iter().map(|event| event.at).collect();
        assert_eq!(times, [Time(1), Time(4)]);
        assert_eq!(seen.bytes(ConnectionId::FIRST).to_actor, b"ans");
        assert!(!seen.both_ends && !seen.sees_release);
    }
}
