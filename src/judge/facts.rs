//! One pass over an exchange: what was sent, and when what happened first.
//!
//! Facts only; what they mean is the invariants' business.

use crate::exchange::{Bytes, ConnectionId, Death, End, Event, Exchange, Note, Time, What};
use crate::wire::{CloseCode, ClosePayload, Decoder, Fault, Head, Item, Opcode, Role, handshake};
use std::time::Duration;

/// What a server may take for idleness: few have less patience.
const QUIET: Duration = Duration::from_secs(5);

/// A frame of one direction.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub opcode: Opcode,
    /// The event that carried its first byte.
    pub started: usize,
    /// The event that carried its last byte; `None` where it never came.
    pub ended: Option<usize>,
    /// How many bytes of the whole stream came before its end.
    pub end_offset: usize,
    /// The first rule of the wire that it broke, but for the length's form: section
    /// 5.2 asks the sender for the shortest, and nothing of a receiver of another.
    pub fault: Option<Fault>,
    /// Whether its length is written in more bits than it needs.
    pub wide: bool,
    /// Its header, once it is complete.
    pub head: Option<Head>,
    /// A Close frame's payload, unmasked.
    pub close: Option<Box<[u8]>>,
}

impl Seen {
    /// Whether it is a Close, be it an illegal one. With reserved bits set it could be
    /// anything: the middle of a text, say.
    pub fn is_close(&self) -> bool {
        self.opcode == Opcode::CLOSE && !matches!(self.fault, Some(Fault::ReservedBits(_)))
    }

    /// Whether what comes behind it can still be told apart into frames.
    fn keeps_framing(&self) -> bool {
        let closes =
            matches!(self.fault, Some(Fault::FragmentedControl(_) | Fault::LongControl(_)));
        self.has_sound_frame() || self.fault == Some(Fault::Masked) || (closes && self.is_close())
    }

    /// Whether the event `at` came in the middle of it.
    pub fn is_half_sent_at(&self, at: usize) -> bool {
        self.started < at && self.ended.is_none_or(|ended| ended > at)
    }

    /// The code of a Close that is complete, where it has one.
    pub fn code(&self) -> Option<CloseCode> {
        ClosePayload::parse(self.close.as_deref()?).code()
    }

    /// Whether it is a Close whose reason is not UTF-8, whatever its code.
    pub fn has_bad_reason(&self) -> bool {
        let payload = self.close.as_deref().map(ClosePayload::parse);
        matches!(payload, Some(ClosePayload::Code(_, reason)) if str::from_utf8(reason).is_err())
    }

    /// Whether it is a Close that blames the client for a violation of the protocol.
    pub fn blames(&self) -> bool {
        matches!(self.code(), Some(CloseCode::PROTOCOL_ERROR | CloseCode::INVALID_DATA))
    }

    /// Whether it is surely a frame, if perhaps one that none may be: not text of another
    /// protocol, say, whose first bytes, read as a frame's, break the rules.
    pub fn is_recognised(&self) -> bool {
        use Fault::{FragmentedControl, LongControl, Masked};
        self.has_sound_frame()
            || matches!(self.fault, Some(Masked | LongControl(_) | FragmentedControl(_)))
    }

    /// Whether only the payload, if anything, is at fault.
    pub fn has_sound_frame(&self) -> bool {
        use Fault::{CloseCode, CloseOneByte, CloseReasonNotUtf8};
        matches!(self.fault, None | Some(CloseOneByte | CloseCode(_) | CloseReasonNotUtf8))
    }
}

/// The client's first fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientFault {
    /// The event that carried the byte that proves it.
    pub event: usize,
    pub fault: Fault,
    /// How many bytes of the whole stream came up to that byte, it included.
    pub offset: usize,
}

/// The first event of each kind, as an index into the exchange.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    pub fin: Option<usize>,
    pub reset: Option<usize>,
    pub began: Option<usize>,
    pub began_to_return: Option<usize>,
    pub shut: Option<usize>,
    pub dropped: Option<usize>,
    pub cut: Option<usize>,
    pub got_end: Option<usize>,
    pub got_reset: Option<usize>,
    pub panicked: Option<usize>,
    pub spun: Option<usize>,
    pub outlived: Option<usize>,
    pub became: Option<usize>,
    pub died: Option<usize>,
}

/// Whether `event` happened, and before `other`.
pub(super) fn came_before(event: Option<usize>, other: usize) -> bool {
    event.is_some_and(|event| event < other)
}

/// What an exchange says.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub exchange: &'a Exchange,
    connection: ConnectionId,
    /// The connection's bytes.
    pub bytes: &'a Bytes,
    pub firsts: Firsts,
    /// The event that completed the client's request.
    pub request: Option<usize>,
    /// The event that completed the server's 101.
    pub opened: Option<usize>,
    /// Whether the client sent bytes behind its request before the 101 (4.1 forbids it).
    pub early: bool,
    pub client: Vec<Seen>,
    pub server: Vec<Seen>,
    /// The client's first fault.
    pub client_fault: Option<ClientFault>,
    /// Whether the server's last wish to write was still waiting for room at the end.
    pub blocked: bool,
    /// When room came for a wish to write that had waited, and nothing was written since.
    pub unused_room: Option<Time>,
    /// What the server's application said, and when.
    pub notes: Vec<(usize, Note)>,
    /// The events at which the server's reading had got so far: `(event, bytes in all)`.
    reads: Vec<(usize, usize)>,
}

/// One direction as it is read.
struct Stream<'a> {
    bytes: &'a [u8],
    taken: usize,
    /// Where frames begin; `None` where they never do.
    head: Option<usize>,
    decoder: Decoder,
    frames: Vec<Seen>,
    /// The first fault, and how many bytes came up to the one that proves it.
    fault: Option<(Fault, usize)>,
}

impl<'a> Stream<'a> {
    fn new(bytes: &'a [u8], head: Option<usize>, sender: Role) -> Self {
        let decoder = Decoder::new(sender);
        Self { bytes, taken: 0, head, decoder, frames: Vec::new(), fault: None }
    }

    /// Takes the next `count` bytes, which `event` carried.
    fn take(&mut self, count: u32, event: usize) {
        let from = self.taken;
        self.taken = (from + count as usize).min(self.bytes.len());
        let Some(head) = self.head.filter(|head| *head < self.taken) else { return };
        let mut rest = &self.bytes[from.max(head)..self.taken];
        while let Some(item) = self.decoder.next(&mut rest) {
            let offset = self.taken - rest.len();
            self.found(item, event, offset);
        }
    }

    fn found(&mut self, item: Item, event: usize, offset: usize) {
        match item {
            Item::Started(started) => self.frames.push(Seen {
                opcode: started.opcode,
                started: event,
                ended: None,
                end_offset: usize::MAX,
                fault: None,
                wide: false,
                head: None,
                close: None,
            }),
            Item::Fault(Fault::LengthNotMinimal) => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.wide = true;
                }
            }
            Item::Fault(fault) => {
                self.fault.get_or_insert((fault, offset));
                if let Some(frame) = self.frames.last_mut() {
                    frame.fault = Some(fault);
                }
            }
            Item::Frame(head) => {
                let opcode = head.opcode;
                let body = self.decoder.body();
                if let Some(frame) = self.frames.last_mut() {
                    frame.ended = Some(event);
                    frame.head = Some(head);
                    frame.end_offset = offset;
                    frame.close = (opcode == Opcode::CLOSE).then(|| body.into());
                }
            }
        }
    }

    /// Whether its head is complete with what was taken so far.
    fn is_past_head(&self) -> bool {
        self.head.is_some_and(|head| self.taken >= head)
    }
}

impl<'a> Facts<'a> {
    pub fn read(exchange: &'a Exchange, connection: ConnectionId) -> Self {
        let bytes = exchange.bytes(connection);
        let request_head = handshake::request_length(&bytes.to_subject);
        let response = handshake::response(&bytes.to_actor).ok().flatten();
        let response_head =
            response.filter(|response| response.status == 101).map(|response| response.length);
        let mut client = Stream::new(&bytes.to_subject, request_head, exchange.subject.other());
        let mut server = Stream::new(&bytes.to_actor, response_head, exchange.subject);
        let mut facts = Self {
            exchange,
            connection,
            bytes,
            firsts: Firsts::default(),
            request: None,
            opened: None,
            early: false,
            client: Vec::new(),
            server: Vec::new(),
            client_fault: None,
            blocked: false,
            unused_room: None,
            notes: Vec::new(),
            reads: Vec::new(),
        };
        for (index, event) in exchange.events.iter().enumerate() {
            let Event { at, what, .. } = event;
            if event.connection != connection {
                continue;
            }
            match what {
                What::Arrived { bytes } => facts.arrived(&mut client, *bytes, index),
                What::Wrote { bytes } => {
                    facts.unused_room = None;
                    facts.sent(&mut server, *bytes, index);
                }
                What::Read { bytes } if event.end == End::Actor => {
                    if !exchange.both_ends {
                        facts.sent(&mut server, *bytes, index);
                    }
                }
                What::Read { bytes } => {
                    let before = facts.reads.last().map_or(0, |(_, total)| *total);
                    facts.reads.push((index, before + *bytes as usize));
                }
                What::WriteBlocked => facts.blocked = true,
                What::Writable => {
                    facts.blocked = false;
                    facts.unused_room = Some(*at);
                }
                What::Noted(note) => {
                    facts.notes.push((index, *note));
                    facts.firsts.note(event, index);
                }
                _ => facts.firsts.note(event, index),
            }
        }
        facts.client = client.frames;
        facts.server = server.frames;
        // Once a stream is out of step, its frames are noise.
        let lost = facts.server.iter().position(|frame| !frame.keeps_framing());
        facts.server.truncate(lost.map_or(usize::MAX, |last| last + 1));
        facts
    }

    fn arrived(&mut self, client: &mut Stream<'_>, bytes: u32, index: usize) {
        client.take(bytes, index);
        if self.request.is_none() && client.is_past_head() {
            self.request = Some(index);
        }
        self.early |= self.opened.is_none() && client.head.is_some_and(|head| client.taken > head);
        if self.client_fault.is_none() {
            let at = |(fault, offset)| ClientFault { event: index, fault, offset };
            self.client_fault = client.fault.map(at);
        }
    }

    fn sent(&mut self, server: &mut Stream<'_>, bytes: u32, index: usize) {
        server.take(bytes, index);
        if self.opened.is_none() && server.is_past_head() {
            self.opened = Some(index);
        }
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

    /// Whether the client had sent, when the event `at` happened, what a server may refuse
    /// though no rule is broken yet: a length in more bits than it needs, or half a frame.
    /// Who looks at a header may know what the rest of the frame will only show.
    pub fn is_refusable_at(&self, at: usize) -> bool {
        self.client
            .iter()
            .any(|frame| frame.wide && frame.started < at || frame.is_half_sent_at(at))
    }

    /// The event with which the connection ended, as far as the server has to
    /// see to it: its FIN or RST, or the client's own reset.
    pub fn ended(&self) -> Option<usize> {
        let Firsts { shut, dropped, got_end, got_reset, reset, .. } = self.firsts;
        [shut, dropped, got_end, got_reset, reset].into_iter().flatten().min()
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
        if self.exchange.sees_release { self.firsts.dropped } else { self.ended() }
    }

    /// The event with which the server left a client that said and did nothing since its
    /// request, as far as that is certain to the client alone: by a reset, or because the
    /// kernel's table showed it. Of one that did something, the table dates the end too
    /// roughly: what was done in between may be what the server acted on.
    pub fn left_a_silent_client(&self) -> Option<usize> {
        let Firsts { fin, reset, cut, got_reset, dropped, .. } = self.firsts;
        let dropped = dropped.filter(|_| self.exchange.sees_release);
        let end = [got_reset, dropped].into_iter().flatten().min()?;
        let said = handshake::request_length(&self.bytes.to_subject)
            .is_none_or(|request| request < self.bytes.to_subject.len());
        let left = [fin, reset, cut].into_iter().any(|event| event.is_some());
        (!said && !left).then_some(end)
    }

    /// The event with which the server received the client's bytes up to `frame`'s
    /// end. To arrive is not to be received: where the server's end was observed, it
    /// counts when it read them. Elsewhere a clean end that came later shows it, since
    /// a socket that is closed with bytes unread is reset; but not to a client that had
    /// stopped reading, which cannot tell when the end came.
    pub fn received(&self, frame: &Seen) -> Option<usize> {
        self.read_upto(frame.end_offset, frame.ended?)
    }

    /// As [`received`](Self::received), of the client's bytes up to `offset`, which
    /// the event `arrived` carried.
    pub fn read_upto(&self, offset: usize, arrived: usize) -> Option<usize> {
        if self.exchange.both_ends {
            let read = self.reads.iter().find(|(_, total)| *total >= offset);
            return read.map(|(event, _)| *event);
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
    pub fn received_by_reset(&self, close: &Seen) -> Option<usize> {
        let Firsts { fin, got_end, got_reset, .. } = self.firsts;
        let (arrived, reset) = (close.ended?, got_reset?);
        let is_last = close.end_offset == self.bytes.to_subject.len() && fin.is_none();
        let later =
            reset > arrived && self.at(reset) >= self.at(arrived).after(self.exchange.transit);
        let alone = !self.exchange.both_ends && got_end.is_none() && !self.is_deaf_at(reset);
        (alone && is_last && later).then_some(arrived)
    }

    /// Whether something excuses a server that said nothing more before it ended with
    /// the event `ended`: it had crashed, it had nobody to talk to any more, or there
    /// was no room up to the end. What came after the end does not excuse.
    pub fn is_mute_at(&self, ended: usize) -> bool {
        let Firsts { panicked, spun, reset, .. } = self.firsts;
        let before_end = |event: Option<usize>| event.is_some_and(|event| event <= ended);
        // Room that came in the very moment of the end, and was not used, came too late.
        let too_late = |room: Time| room.after(self.exchange.timing_slack) >= self.at(ended);
        let no_room = self.blocked || self.unused_room.is_some_and(too_late);
        before_end(panicked) || before_end(spun) || before_end(reset) || no_room
    }

    /// Whether the application had left by itself when `event` happened, or in the same
    /// moment: of what came then, nobody could be told.
    pub fn app_left_by(&self, event: usize) -> bool {
        let by = self.at(event).after(self.exchange.timing_slack);
        self.firsts.began_to_return.is_some_and(|left| self.at(left) <= by)
    }

    /// Whether a Close of the server's that came after `frame` of the client's may have a
    /// reason of its own, and answer nothing: a whole message had come before, of which an
    /// application may think what it likes, or nothing complete had come for a while, so
    /// that a timer of the server's may have run out in the very moment. What came in that
    /// moment too, before `frame`, stopped no timer.
    pub fn may_be_unasked(&self, frame: &Seen) -> bool {
        let own = self.own_close().map(|own| self.at(own.started));
        let before = self.client.iter().take_while(|other| other.end_offset < frame.end_offset);
        let (mut had_message, mut last) = (false, self.opened);
        for other in before {
            had_message |= other.opcode.is_data() && other.head.is_some_and(|head| head.fin);
            let in_time = |ended: &usize| {
                own.is_none_or(|own| self.at(*ended).after(self.exchange.timing_slack) < own)
            };
            last = last.max(other.ended.filter(in_time));
        }
        let was_quiet = last.zip(own).is_some_and(|(last, own)| own >= self.at(last).after(QUIET));
        had_message || was_quiet
    }

    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    //# Note that in all cases, the minimal number of bytes MUST be used to
    //# encode the length
    /// Whether the client wrote a length in more bits than that, up to `frame`'s end.
    /// Hardly any server minds, but one may refuse the frame.
    pub fn is_wide_upto(&self, frame: &Seen) -> bool {
        self.client.iter().any(|other| other.wide && other.end_offset <= frame.end_offset)
    }

    /// Whether the server's wish to write was waiting for room when `event` happened.
    pub fn is_blocked_at(&self, event: usize) -> bool {
        let before = self.events_before(event).rev();
        let mut room = before.filter(|e| matches!(e.what, What::WriteBlocked | What::Writable));
        room.next().is_some_and(|event| event.what == What::WriteBlocked)
    }

    /// Whether the client had stopped reading when `event` happened.
    pub fn is_deaf_at(&self, event: usize) -> bool {
        let before = self.events_before(event).rev();
        let mut reading =
            before.filter(|e| matches!(e.what, What::StoppedReading | What::ResumedReading));
        reading.next().is_some_and(|event| event.what == What::StoppedReading)
    }

    /// How many bytes of the server's the client had read when `event` happened.
    pub fn got_before(&self, event: usize) -> usize {
        let got = |event: &Event| match event.what {
            What::Read { bytes } if event.end == End::Actor => bytes as usize,
            _ => 0,
        };
        self.events_before(event).map(got).sum()
    }

    /// The server's first Close, complete or not.
    pub fn own_close(&self) -> Option<&Seen> {
        self.server.iter().find(|frame| frame.is_close())
    }

    /// The client's first complete Close, unless it broke the protocol before or
    /// with the frame itself; what is wrong with a Close's payload leaves it a Close.
    pub fn client_close(&self) -> Option<&Seen> {
        let is_close = |frame: &&Seen| frame.is_close() && frame.has_sound_frame();
        let sound = |frame: &&Seen| frame.fault.is_none() || is_close(frame);
        self.client.iter().take_while(sound).filter(is_close).find(|frame| frame.ended.is_some())
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
            What::ReadReset if event.end == End::Actor => &mut self.got_reset,
            What::Panicked(_) => &mut self.panicked,
            What::Spun { .. } => &mut self.spun,
            What::Outlived { .. } => &mut self.outlived,
            What::Became(_) => &mut self.became,
            What::Died(_) => &mut self.died,
            _ => return,
        };
        slot.get_or_insert(index);
    }
}
