//! One pass over a trace: what was sent, and when what happened first.
//!
//! Facts only; what they mean is the invariants' business.

use crate::trace::{Event, Note, Time, Trace, What};
use crate::wire::{Decoder, Fault, Head, Item, Opcode, Role, handshake};

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
    /// Its header, once it is complete.
    pub head: Option<Head>,
    /// A Close frame's payload, unmasked.
    pub close: Option<Box<[u8]>>,
}

impl Seen {
    pub fn is_close(&self) -> bool {
        self.opcode == Opcode::CLOSE
    }

    /// Whether only the payload, if anything, is at fault.
    pub fn has_sound_frame(&self) -> bool {
        use Fault::{CloseCode, CloseOneByte, CloseReasonNotUtf8};
        matches!(self.fault, None | Some(CloseOneByte | CloseCode(_) | CloseReasonNotUtf8))
    }
}

/// The first event of each kind, as an index into the trace.
#[derive(Debug, Default)]
pub(super) struct Firsts {
    pub fin: Option<usize>,
    pub reset: Option<usize>,
    pub began: Option<usize>,
    pub began_to_return: Option<usize>,
    pub shut: Option<usize>,
    pub dropped: Option<usize>,
    pub got_end: Option<usize>,
    pub got_reset: Option<usize>,
    pub panicked: Option<usize>,
    pub spun: Option<usize>,
    pub became: Option<usize>,
}

/// What a trace says.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub trace: &'a Trace,
    pub firsts: Firsts,
    /// The event that completed the client's request.
    pub request: Option<usize>,
    /// The event that completed the server's 101.
    pub opened: Option<usize>,
    /// Whether the client sent bytes behind its request before the 101 (4.1 forbids it).
    pub early: bool,
    pub client: Vec<Seen>,
    pub server: Vec<Seen>,
    /// The client's first fault and the event that proved it.
    pub client_fault: Option<(usize, Fault)>,
    /// Whether the server's last wish to write was still waiting for room at the end.
    pub blocked: bool,
    /// When room came for a wish to write that had waited, and nothing was written since.
    pub unused_room: Option<Time>,
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
}

impl<'a> Stream<'a> {
    fn new(bytes: &'a [u8], head: Option<usize>, sender: Role) -> Self {
        Self { bytes, taken: 0, head, decoder: Decoder::new(sender), frames: Vec::new() }
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
                head: None,
                close: None,
            }),
            Item::Fault(Fault::LengthNotMinimal) => {}
            Item::Fault(fault) => {
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
    pub fn read(trace: &'a Trace) -> Self {
        let request_head = handshake::head_length(&trace.to_server);
        let response = handshake::response(&trace.to_client).ok().flatten();
        let response_head =
            response.filter(|response| response.status == 101).map(|response| response.length);
        let mut client = Stream::new(&trace.to_server, request_head, Role::Client);
        let mut server = Stream::new(&trace.to_client, response_head, Role::Server);
        let mut facts = Self {
            trace,
            firsts: Firsts::default(),
            request: None,
            opened: None,
            early: false,
            client: Vec::new(),
            server: Vec::new(),
            client_fault: None,
            blocked: false,
            unused_room: None,
            reads: Vec::new(),
        };
        for (index, Event { at, what }) in trace.events.iter().enumerate() {
            match what {
                What::Arrived { bytes } => facts.arrived(&mut client, *bytes, index),
                What::Wrote { bytes } => {
                    facts.unused_room = None;
                    facts.sent(&mut server, *bytes, index);
                }
                What::Got { bytes } if !trace.both_ends => facts.sent(&mut server, *bytes, index),
                What::Read { bytes } => {
                    let before = facts.reads.last().map_or(0, |(_, total)| *total);
                    facts.reads.push((index, before + *bytes as usize));
                }
                What::WriteBlocked => facts.blocked = true,
                What::Writable => {
                    facts.blocked = false;
                    facts.unused_room = Some(*at);
                }
                other => facts.firsts.note(other, index),
            }
        }
        facts.client = client.frames;
        facts.server = server.frames;
        facts
    }

    fn arrived(&mut self, client: &mut Stream<'_>, bytes: u32, index: usize) {
        let frames = client.frames.len();
        client.take(bytes, index);
        if self.request.is_none() && client.is_past_head() {
            self.request = Some(index);
        }
        self.early |= self.opened.is_none() && client.head.is_some_and(|head| client.taken > head);
        if self.client_fault.is_none() {
            // The frame at hand may have begun with an earlier segment.
            let news = &client.frames[frames.saturating_sub(1)..];
            self.client_fault =
                news.iter().find_map(|frame| frame.fault).map(|fault| (index, fault));
        }
    }

    fn sent(&mut self, server: &mut Stream<'_>, bytes: u32, index: usize) {
        server.take(bytes, index);
        if self.opened.is_none() && server.is_past_head() {
            self.opened = Some(index);
        }
    }

    /// When the event happened.
    pub fn at(&self, event: usize) -> Time {
        self.trace.events[event].at
    }

    /// The event with which the connection ended, as far as the server has to
    /// see to it: its FIN or RST, or the client's own reset.
    pub fn ended(&self) -> Option<usize> {
        let Firsts { shut, dropped, got_end, got_reset, reset, .. } = self.firsts;
        [shut, dropped, got_end, got_reset, reset].into_iter().flatten().min()
    }

    /// The event with which the server let go of its transport, where its end
    /// was observed; else the end stands for it.
    pub fn released(&self) -> Option<usize> {
        if self.trace.both_ends { self.firsts.dropped } else { self.ended() }
    }

    /// The event with which the server received the client's bytes up to `frame`'s
    /// end. To arrive is not to be received: where the server's end was observed, it
    /// counts when it read them. Elsewhere a clean end that came later shows it, since
    /// a socket that is closed with bytes unread is reset.
    pub fn received(&self, frame: &Seen) -> Option<usize> {
        if self.trace.both_ends {
            let read = self.reads.iter().find(|(_, total)| *total >= frame.end_offset);
            return read.map(|(event, _)| *event);
        }
        let arrived = frame.ended?;
        let end = self.firsts.got_end.filter(|_| self.firsts.got_reset.is_none())?;
        (self.at(end) > self.at(arrived).after(self.trace.grain)).then_some(arrived)
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
    fn note(&mut self, what: &What, index: usize) {
        let slot = match what {
            What::FinArrived => &mut self.fin,
            What::ResetArrived => &mut self.reset,
            What::Noted(Note::BeganToClose) => &mut self.began,
            What::Noted(Note::BeganToReturn) => {
                self.began.get_or_insert(index);
                &mut self.began_to_return
            }
            What::Shut => &mut self.shut,
            What::Dropped { .. } => &mut self.dropped,
            What::GotEnd => &mut self.got_end,
            What::GotReset => &mut self.got_reset,
            What::Panicked(_) => &mut self.panicked,
            What::Spun { .. } => &mut self.spun,
            What::Became(_) => &mut self.became,
            _ => return,
        };
        slot.get_or_insert(index);
    }
}
