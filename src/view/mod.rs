//! The one reading of an exchange: a connection, seen from where it was recorded.
//!
//! A [`View`] answers the questions that rules, sentences and timelines have: what was sent
//! and when, what had been read by a moment, whether the client broke a rule before, what
//! the application said. It is made in one pass. A view of an exchange that only the
//! actor's end recorded is the same type with less in it. A view knows no bounds and no
//! rules: what the answers mean is the judge's business.

mod messages;
pub mod streams;

pub use messages::{Message, messages};
pub use streams::{Frame, Stream};

use crate::exchange::{
    AfterDeadline, Bytes, ConnectionId, Death, End, Event, Exchange, Lack, Note, OtherThreads,
    Standing, Time, What,
};
use crate::wire::handshake::{self, BadOpening, Response};
use crate::wire::{Fault, Role};

/// The client's first fault.
#[derive(Clone, Copy, Debug)]
pub struct ActorFault {
    /// The event that carried the byte that proves it.
    pub event: usize,
    /// What the client did wrong.
    pub fault: Fault,
    /// How many bytes of the whole stream came up to that byte, it included.
    pub offset: usize,
    /// The event since which a server that looks at headers knows it: that with the header's second byte, or
    /// with the last byte of a length; `None` where that has not come.
    pub known: Option<usize>,
}

/// Up to where a stream has to have come before whoever looks at headers knows a fault that the byte at
/// `offset` proves: both bytes of a header, all of a length.
pub const fn known_at(fault: Fault, offset: usize) -> usize {
    let rest = match fault {
        Fault::ReservedBits(_)
        | Fault::ReservedOpcode(_)
        | Fault::FragmentedControl(_)
        | Fault::LoneContinuation
        | Fault::InterruptedMessage => 1,
        Fault::LengthTopBit => 7,
        _ => 0,
    };
    offset + rest
}

/// The first event of each kind, as an index into the exchange.
#[derive(Debug, Default)]
pub struct Firsts {
    /// The actor's FIN arrived.
    pub fin: Option<usize>,
    /// The actor's RST arrived.
    pub reset: Option<usize>,
    /// The application began to close, or to return.
    pub began: Option<usize>,
    /// The application began to return without closing.
    pub began_to_return: Option<usize>,
    /// The subject read the end of the actor's stream.
    pub read_end: Option<usize>,
    /// The subject sent FIN.
    pub shut: Option<usize>,
    /// The subject dropped its transport.
    pub dropped: Option<usize>,
    /// The network was cut.
    pub cut: Option<usize>,
    /// The actor read the end of the subject's stream.
    pub got_end: Option<usize>,
    /// The actor was told of the subject's RST.
    pub got_reset: Option<usize>,
    /// A task of the subject panicked.
    pub panicked: Option<usize>,
    /// The subject asked for what its runtime does not have.
    pub lacked: Option<usize>,
    /// The subject polled while time stood still.
    pub spun: Option<usize>,
    /// Tasks of the subject outlived the connection.
    pub outlived: Option<usize>,
    /// What became of a connection that had not ended by its deadline.
    pub became: Option<usize>,
    /// The subject's process died.
    pub died: Option<usize>,
    /// The connection waits to be accepted. Of a whole server, as all that follow.
    pub offered: Option<usize>,
    /// The server accepted the connection.
    pub accepted: Option<usize>,
    /// The connection was refused.
    pub refused: Option<usize>,
    /// The server was told to shut down.
    pub told: Option<usize>,
    /// The server's function returned.
    pub returned: Option<usize>,
    /// What became of a server whose time to shut down has passed.
    pub server_became: Option<usize>,
    /// What was left when all connections had ended.
    pub rests: Option<usize>,
}

/// Whether `event` happened, and before `other`.
pub fn came_before(event: Option<usize>, other: usize) -> bool {
    event.is_some_and(|event| event < other)
}

/// One connection of an exchange, read.
#[derive(Debug)]
pub struct View<'a> {
    /// The exchange, with its other connections.
    pub exchange: &'a Exchange,
    connection: ConnectionId,
    /// The connection's bytes.
    pub bytes: &'a Bytes,
    /// When what happened first.
    pub firsts: Firsts,
    /// The event that completed the client's request.
    pub request: Option<usize>,
    /// The event that completed the server's 101. Of a client under test it arrived, and opens what
    /// the client had asked for, with a head of at most [`handshake::HEAD_LIMIT`] bytes: whether one
    /// takes a longer one is its own choice.
    pub opened: Option<usize>,
    /// Whether the client sent bytes behind its request before the 101 (4.1 forbids it).
    pub early: bool,
    /// The frames that the actor sent.
    pub actor_frames: Vec<Frame>,
    /// The frames that the subject sent, up to where they cannot be told apart any more.
    pub subject_frames: Vec<Frame>,
    /// The client's first fault.
    pub actor_fault: Option<ActorFault>,
    /// Whether the server's last wish to write was still waiting for room at the end.
    pub blocked: bool,
    /// When room came for a wish to write that had waited, and nothing was written since.
    pub unused_room: Option<Time>,
    /// What the subject was doing when watching ended, where it had not let go.
    pub standing: Option<Standing>,
    /// What the server's application said, and when.
    pub notes: Vec<(usize, Note)>,
    /// The events at which the server's reading had got so far: `(event, bytes in all)`.
    reads: Vec<(usize, usize)>,
    /// The server's answer to the request.
    response: Option<Response>,
    /// Of a client: how long the head is that opens its connection, where one came.
    answer: Option<usize>,
    /// The event that completed it.
    answered: Option<usize>,
    /// Of a client: how long the head is that says 101 and does not answer it, where one came.
    bad_answer: Option<(usize, BadOpening)>,
    /// The event that completed that one.
    answered_badly: Option<usize>,
}

impl<'a> View<'a> {
    /// Reads one connection of an exchange, in one pass.
    pub fn of(exchange: &'a Exchange, connection: ConnectionId) -> Self {
        let bytes = exchange.bytes(connection);
        // What opens the connection of a client under test is not whatever says 101.
        let answer = match exchange.subject {
            Role::Server => None,
            Role::Client => handshake::opens(&bytes.to_actor, &bytes.to_subject),
        };
        let bad_answer = match exchange.subject {
            Role::Client if answer.is_none() => {
                handshake::opens_badly(&bytes.to_actor, &bytes.to_subject)
            }
            _ => None,
        };
        let mut client = match exchange.subject {
            Role::Server => Stream::new(Role::Client, &bytes.to_subject),
            Role::Client => {
                let opening = answer.filter(|length| *length <= handshake::HEAD_LIMIT);
                Stream::behind(opening, Role::Server, &bytes.to_subject)
            }
        };
        let response = match exchange.subject {
            Role::Server => handshake::response(&bytes.to_actor).ok().flatten(),
            Role::Client => None,
        };
        let mut server = match exchange.subject {
            Role::Server => {
                let opened = response.filter(|response| response.status == 101);
                Stream::behind(
                    opened.map(|response| response.length),
                    Role::Server,
                    &bytes.to_actor,
                )
            }
            Role::Client => Stream::new(Role::Client, &bytes.to_actor),
        };
        let mut view = Self {
            exchange,
            connection,
            bytes,
            firsts: Firsts::default(),
            request: None,
            opened: None,
            early: false,
            actor_frames: Vec::new(),
            subject_frames: Vec::new(),
            actor_fault: None,
            blocked: false,
            unused_room: None,
            standing: None,
            notes: Vec::new(),
            reads: Vec::new(),
            response,
            answer,
            answered: None,
            bad_answer,
            answered_badly: None,
        };
        for (index, event) in exchange.events.iter().enumerate() {
            let Event { at, what, .. } = event;
            if event.connection != connection {
                if what.is_servers() {
                    view.firsts.note(event, index);
                }
                continue;
            }
            match what {
                What::Arrived { bytes } => view.arrived(&mut client, *bytes, index),
                What::Wrote { bytes } => {
                    view.unused_room = None;
                    view.sent(&mut server, *bytes, index);
                }
                What::Read { bytes } if event.end == End::Actor => {
                    if !exchange.both_ends {
                        view.sent(&mut server, *bytes, index);
                    }
                }
                What::Discarded { bytes } => server.skip(*bytes, index),
                What::Read { bytes } => {
                    let before = view.reads.last().map_or(0, |(_, total)| *total);
                    view.reads.push((index, before + *bytes as usize));
                }
                What::WriteBlocked => view.blocked = true,
                What::Writable => {
                    view.blocked = false;
                    view.unused_room = Some(*at);
                }
                What::Stands(standing) => view.standing = Some(*standing),
                What::Noted(note) => {
                    view.notes.push((index, *note));
                    view.firsts.note(event, index);
                }
                _ => view.firsts.note(event, index),
            }
        }
        view.actor_frames = client.into_frames();
        view.subject_frames = server.into_frames();
        // Once a stream is out of step, its frames are noise.
        let lost = view.subject_frames.iter().position(|frame| !frame.keeps_framing());
        view.subject_frames.truncate(lost.map_or(usize::MAX, |last| last + 1));
        view
    }

    fn arrived(&mut self, client: &mut Stream<'_>, bytes: u32, index: usize) {
        client.take(bytes, index);
        if self.subject_role() == Role::Client {
            let come = |length: usize| client.taken() >= length;
            self.answered =
                self.answered.or(self.answer.filter(|length| come(*length)).map(|_| index));
            let bad = self.bad_answer.filter(|(length, _)| come(*length));
            self.answered_badly = self.answered_badly.or(bad.map(|_| index));
            if self.opened.is_none() && client.is_past_opening() {
                self.opened = Some(index);
            }
        } else {
            if self.request.is_none() && client.is_past_opening() {
                self.request = Some(index);
            }
            let opening = client.opening();
            self.early |=
                self.opened.is_none() && opening.is_some_and(|opening| client.taken() > opening);
        }
        if self.actor_fault.is_none() {
            let at = |(fault, offset)| ActorFault { event: index, fault, offset, known: None };
            self.actor_fault = client.fault().map(at);
        }
        if let Some(fault) = self.actor_fault.as_mut().filter(|fault| fault.known.is_none())
            && client.taken() >= known_at(fault.fault, fault.offset)
        {
            fault.known = Some(index);
        }
    }

    fn sent(&mut self, server: &mut Stream<'_>, bytes: u32, index: usize) {
        server.take(bytes, index);
        let slot = match self.subject_role() {
            Role::Server => &mut self.opened,
            Role::Client => &mut self.request,
        };
        if slot.is_none() && server.is_past_opening() {
            *slot = Some(index);
        }
    }

    /// The event with which the opening was complete, as far as it is the actor's: the request of a
    /// client, or the answer of a server that opens the WebSocket.
    pub const fn actors_opening(&self) -> Option<usize> {
        match self.subject_role() {
            Role::Server => self.request,
            Role::Client => self.answered,
        }
    }

    /// Of a client: how long the answer is that opens the WebSocket; 0 where none does.
    pub fn answer_length(&self) -> usize {
        self.answer.unwrap_or_default()
    }

    /// Of a client: the event that completed a 101 on which it must not open the WebSocket, and what
    /// is wrong with that.
    pub fn bad_opening(&self) -> Option<(usize, BadOpening)> {
        Some((self.answered_badly?, self.bad_answer?.1))
    }

    /// The role of the endpoint under test.
    pub const fn subject_role(&self) -> Role {
        self.exchange.subject
    }

    /// The role of hangup's own end.
    pub const fn actor_role(&self) -> Role {
        self.exchange.subject.other()
    }

    /// The connection that this is.
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Whether the server has accepted the connection: behind a listener it need not have.
    pub const fn is_accepted(&self) -> bool {
        self.firsts.offered.is_none() || self.firsts.accepted.is_some()
    }

    /// The event from which on the server may close by its own wish: its application's, or that of
    /// a shutdown.
    pub fn wish_to_close(&self) -> Option<usize> {
        [self.firsts.began, self.firsts.told].into_iter().flatten().min()
    }

    /// Whether the subject's end was observed too.
    pub const fn sees_both_ends(&self) -> bool {
        self.exchange.both_ends
    }

    /// The events of this connection, in order.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &'a Event> + use<'a> {
        self.events_before(self.exchange.events.len())
    }

    /// The events of this connection with their indices.
    pub fn indexed_events(&self) -> impl Iterator<Item = (usize, &'a Event)> + use<'a> {
        let connection = self.connection;
        let events = self.exchange.events.iter().enumerate();
        events.filter(move |(_, event)| event.connection == connection)
    }

    /// The events of this connection before that with this index.
    pub fn events_before(
        &self,
        event: usize,
    ) -> impl DoubleEndedIterator<Item = &'a Event> + use<'a> {
        let connection = self.connection;
        self.exchange.events[..event].iter().filter(move |event| event.connection == connection)
    }

    /// When the event happened.
    pub fn at(&self, event: usize) -> Time {
        self.exchange.events[event].at
    }

    /// How the target's process ended, and the event.
    pub fn death(&self) -> Option<(usize, Death)> {
        let event = self.firsts.died?;
        match self.exchange.events[event].what {
            What::Died(death) => Some((event, death)),
            _ => None,
        }
    }

    /// The event from which on time stood still, as the server polled for ever.
    pub fn stood_still(&self) -> Option<usize> {
        let died = self.death().filter(|(_, death)| *death == Death::StoodStill);
        self.firsts.spun.or(died.map(|(event, _)| event))
    }

    /// What was seen of other threads, where that leaves open when the connection ends, or would
    /// have ended.
    pub fn other_threads(&self) -> Option<OtherThreads> {
        match self.exchange.events[self.firsts.became?].what {
            What::Became(AfterDeadline::Unproven(threads)) => Some(threads),
            _ => None,
        }
    }

    /// What the server asked for and its runtime does not have, and the event.
    pub fn lack(&self) -> Option<(usize, Lack)> {
        let event = self.firsts.lacked?;
        match self.exchange.events[event].what {
            What::Lacked(lack) => Some((event, lack)),
            _ => None,
        }
    }

    /// The event with which the connection ended, as far as the server has to
    /// see to it: its FIN or RST, or the client's own reset.
    pub fn ended(&self) -> Option<usize> {
        let Firsts { shut, dropped, got_end, got_reset, reset, .. } = self.firsts;
        [shut, dropped, got_end, got_reset, reset].into_iter().flatten().min()
    }

    /// Whether the event with which the connection ended is a reset of the server's.
    pub fn is_reset(&self, ended: usize) -> bool {
        let what = &self.exchange.events[ended].what;
        matches!(what, What::Dropped { reset: true } | What::ReadReset)
    }

    /// The end as what the server did next to it is judged by. The kernel's table tells
    /// of an end only that it came between two looks: there, what the client saw counts.
    pub fn told_end(&self) -> Option<usize> {
        let Firsts { got_end, got_reset, reset, .. } = self.firsts;
        if self.exchange.both_ends {
            self.ended()
        } else {
            [got_end, got_reset, reset].into_iter().flatten().min()
        }
    }

    /// The event with which the server let go of its transport, where that was
    /// observed; else the end stands for it.
    pub fn released(&self) -> Option<usize> {
        if self.exchange.sees_release {
            self.firsts.dropped.or(self.firsts.refused)
        } else {
            self.ended()
        }
    }

    /// The event with which the server left a client that said and did nothing since its
    /// request, as far as that is certain to the client alone: by a reset, or because the
    /// kernel's table showed it. Of one that did something, the table dates the end too
    /// roughly: what was done in between may be what the server acted on.
    pub fn left_a_silent_client(&self) -> Option<usize> {
        let Firsts { fin, reset, cut, got_reset, dropped, .. } = self.firsts;
        let dropped = dropped.filter(|_| self.exchange.sees_release);
        let end = [got_reset, dropped].into_iter().flatten().min()?;
        let said = streams::opening_length(self.actor_role(), &self.bytes.to_subject)
            .is_none_or(|request| request < self.bytes.to_subject.len());
        let left = [fin, reset, cut].into_iter().any(|event| event.is_some());
        (!said && !left).then_some(end)
    }

    /// The event with which the server received the client's bytes up to `frame`'s
    /// end. To arrive is not to be received: where the server's end was observed, it
    /// counts when it read them. Elsewhere a clean end that came later shows it, since
    /// a socket that is closed with bytes unread is reset; but not to a client that had
    /// stopped reading, which cannot tell when the end came.
    pub fn received(&self, frame: &Frame) -> Option<usize> {
        self.read_upto(frame.end_offset, frame.ended?)
    }

    /// As [`received`](Self::received), of the client's bytes up to `offset`, which
    /// the event `arrived` carried.
    pub fn read_upto(&self, offset: usize, arrived: usize) -> Option<usize> {
        if self.exchange.both_ends {
            let read = self.reads.partition_point(|(_, total)| *total < offset);
            return self.reads.get(read).map(|(event, _)| *event);
        }
        let end = self.firsts.got_end.filter(|_| self.firsts.got_reset.is_none())?;
        let stops = |event: &Event| matches!(event.what, What::StoppedReading | What::Cut);
        let was_deaf = self.events_before(end).any(stops);
        let later = end > arrived && self.at(end) >= self.at(arrived).after(self.exchange.transit);
        (later && !was_deaf).then_some(arrived)
    }

    /// As [`received`](Self::received), of a client's Close with nothing behind it, where the
    /// end was a reset: a server that resets whoever closes has either read the Close, or
    /// not waited for one, nor sent one.
    pub fn received_by_reset(&self, close: &Frame) -> Option<usize> {
        let Firsts { fin, got_end, got_reset, .. } = self.firsts;
        let (arrived, reset) = (close.ended?, got_reset?);
        let is_last = close.end_offset == self.bytes.to_subject.len() && fin.is_none();
        let later =
            reset > arrived && self.at(reset) >= self.at(arrived).after(self.exchange.transit);
        let alone = !self.exchange.both_ends && got_end.is_none() && !self.is_not_reading_at(reset);
        (alone && is_last && later).then_some(arrived)
    }

    /// Whether the server's wish to write was waiting for room when `event` happened.
    pub fn is_blocked_at(&self, event: usize) -> bool {
        let before = self.events_before(event).rev();
        let mut room = before.filter(|e| matches!(e.what, What::WriteBlocked | What::Writable));
        room.next().is_some_and(|event| event.what == What::WriteBlocked)
    }

    /// Whether the client had stopped reading when `event` happened.
    pub fn is_not_reading_at(&self, event: usize) -> bool {
        let before = self.events_before(event).rev();
        let mut reading =
            before.filter(|e| matches!(e.what, What::StoppedReading | What::ResumedReading));
        reading.next().is_some_and(|event| event.what == What::StoppedReading)
    }

    /// Whether the client did not read, or was cut off, at `time`.
    pub fn is_blind_at(&self, time: Time) -> bool {
        let (mut reads, mut cut) = (true, false);
        for event in self.events().take_while(|event| event.at <= time) {
            match event.what {
                What::StoppedReading => reads = false,
                What::ResumedReading => reads = true,
                What::Cut => cut = true,
                _ => {}
            }
        }
        !reads || cut
    }

    /// Whether the response accepts the key that the client sent; `None` where the response is
    /// no 101, or nobody knows the key: a script may open with one of its own.
    pub fn accepts_the_key(&self) -> Option<bool> {
        let response = self.response?;
        let request = &self.bytes.to_subject;
        // The usual request is known by sight: to hash its key would cost as much as all rules.
        let known = request.starts_with(self.exchange.opening_request().as_bytes()) || {
            let asked = handshake::request(request).ok().flatten();
            asked.is_some_and(|(_, accept)| accept == handshake::ACCEPT)
        };
        known.then_some(response.accepted)
    }

    /// How many bytes of the server's the client had read when `event` happened.
    pub fn got_before(&self, event: usize) -> usize {
        let got = |event: &Event| match event.what {
            What::Read { bytes } if event.end == End::Actor => bytes as usize,
            _ => 0,
        };
        self.events_before(event).map(got).sum()
    }

    /// How many bytes of the client's came before `frame`, those of its request not counted.
    pub fn sent_before(&self, frame: &Frame) -> u32 {
        let opening = streams::opening_length(self.actor_role(), &self.bytes.to_subject);
        let before = self.actor_frames.iter().take_while(|other| other.started <= frame.started);
        let start = before.map(|other| other.end_offset).filter(|end| *end < frame.end_offset);
        let opening = opening.unwrap_or_default();
        start.max().unwrap_or(opening).saturating_sub(opening) as u32
    }

    /// Whether the server's bytes are frames up to their end: the last of them is whole, or a
    /// Close. In the middle of another frame a Close could not be told.
    pub fn subject_keeps_framing(&self) -> bool {
        let keeps =
            |frame: &Frame| frame.is_close() || frame.ended.is_some() && frame.keeps_framing();
        self.subject_frames.last().is_none_or(keeps)
    }

    /// Whether a whole frame of the server's, no Close, is such that nobody can tell apart what came
    /// behind it.
    pub fn subject_lost_framing(&self) -> bool {
        let lost =
            |frame: &Frame| !frame.is_close() && frame.ended.is_some() && !frame.keeps_framing();
        self.subject_frames.last().is_some_and(lost)
    }

    /// The server's first Close, complete or not.
    pub fn own_close(&self) -> Option<&Frame> {
        self.subject_frames.iter().find(|frame| frame.is_close())
    }

    /// The client's first complete Close, unless it broke the protocol before or
    /// with the frame itself; what is wrong with a Close's payload leaves it a Close.
    pub fn actor_close(&self) -> Option<&Frame> {
        let is_close = |frame: &&Frame| frame.is_close() && frame.has_sound_frame();
        let sound = |frame: &&Frame| frame.fault.is_none() || is_close(frame);
        self.actor_frames
            .iter()
            .take_while(sound)
            .filter(is_close)
            .find(|frame| frame.ended.is_some())
    }
}

impl Firsts {
    fn note(&mut self, event: &Event, index: usize) {
        let slot = match &event.what {
            What::FinArrived => &mut self.fin,
            What::ResetArrived => &mut self.reset,
            What::Noted(Note::BeganToClose) => &mut self.began,
            What::Noted(Note::BeganToReturn) => {
                self.began.get_or_insert(index);
                &mut self.began_to_return
            }
            What::Shut => &mut self.shut,
            What::Dropped { .. } => &mut self.dropped,
            What::Cut => &mut self.cut,
            What::ReadEnd if event.end == End::Actor => &mut self.got_end,
            What::ReadEnd => &mut self.read_end,
            What::ReadReset if event.end == End::Actor => &mut self.got_reset,
            What::Panicked(_) => &mut self.panicked,
            What::Lacked(_) => &mut self.lacked,
            What::Spun { .. } => &mut self.spun,
            What::Outlived { .. } => &mut self.outlived,
            What::Became(_) => &mut self.became,
            What::Died(_) => &mut self.died,
            What::Offered => &mut self.offered,
            What::Accepted => &mut self.accepted,
            What::Refused => &mut self.refused,
            What::ToldToShutDown => &mut self.told,
            What::ServerReturned => &mut self.returned,
            What::ServerBecame(_) => &mut self.server_became,
            What::Rests { .. } => &mut self.rests,
            _ => return,
        };
        slot.get_or_insert(index);
    }
}
