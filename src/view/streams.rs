//! The one decoder of an exchange: bytes of one direction become an opening and frames.
//!
//! Everything that reads an exchange reads frames from here, so that all readings agree:
//! where the opening ends, what is half sent, which fault came first. It knows RFC 6455's
//! framing, and not what any frame means.

use crate::wire::{CloseCode, ClosePayload, Decoder, Fault, Head, Item, Opcode, Role, handshake};

/// A frame of one direction.
#[derive(Clone, Debug)]
pub struct Frame {
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
    /// All rules of the wire that it broke, the length's form too, each with the event that
    /// carried the byte that proves it.
    pub faults: Vec<(Fault, usize)>,
}

impl Frame {
    /// Whether it is a Close, be it an illegal one. With reserved bits set it could be
    /// anything: the middle of a text, say.
    pub fn is_close(&self) -> bool {
        self.opcode == Opcode::CLOSE && !matches!(self.fault, Some(Fault::ReservedBits(_)))
    }

    /// Whether it is complete, and has this opcode.
    pub fn is_whole(&self, opcode: Opcode) -> bool {
        self.ended.is_some() && self.opcode == opcode
    }

    /// Whether what comes behind it can still be told apart into frames.
    pub(super) fn keeps_framing(&self) -> bool {
        let closes =
            matches!(self.fault, Some(Fault::FragmentedControl(_) | Fault::LongControl(_)));
        self.has_sound_frame()
            || matches!(self.fault, Some(Fault::Masked | Fault::Unmasked))
            || (closes && self.is_close())
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
        use Fault::{FragmentedControl, LongControl, Masked, Unmasked};
        self.has_sound_frame()
            || matches!(self.fault, Some(Masked | Unmasked | LongControl(_) | FragmentedControl(_)))
    }

    /// Whether only the payload, if anything, is at fault.
    pub fn has_sound_frame(&self) -> bool {
        use Fault::{CloseCode, CloseOneByte, CloseReasonNotUtf8};
        matches!(self.fault, None | Some(CloseOneByte | CloseCode(_) | CloseReasonNotUtf8))
    }
}

/// The length of the opening that `sender` sends, in bytes: a client's request, a server's
/// response with status 101. `None` while it is not complete, and where it never will be.
///
/// Empty lines before a request are part of it (RFC 9112 section 2.2).
pub fn opening_length(sender: Role, bytes: &[u8]) -> Option<usize> {
    match sender {
        // The usual request is known by sight.
        Role::Client if bytes.starts_with(handshake::REQUEST.as_bytes()) => {
            Some(handshake::REQUEST.len())
        }
        Role::Client => handshake::request_length(bytes),
        Role::Server => {
            let response = handshake::response(bytes).ok().flatten();
            response.filter(|response| response.status == 101).map(|response| response.length)
        }
    }
}

/// Behind so many frames that break a rule, what comes is not frames but noise, such as the
/// payload of a frame whose header was cut off. Each of its bytes would become a frame.
const MOST_BROKEN: usize = 1_000;

/// One direction as it is read.
#[derive(Debug)]
pub struct Stream<'a> {
    bytes: &'a [u8],
    /// How many of them were taken so far.
    taken: usize,
    /// Where frames begin; `None` where they never do.
    opening: Option<usize>,
    decoder: Decoder,
    frames: Vec<Frame>,
    /// The first fault, and how many bytes came up to the one that proves it.
    fault: Option<(Fault, usize)>,
    /// How many frames broke a rule.
    broken: usize,
    /// What comes now is not read any more.
    lost: bool,
}

impl<'a> Stream<'a> {
    /// All that `sender` ever sent, of which nothing is taken yet.
    pub fn new(sender: Role, bytes: &'a [u8]) -> Self {
        Self::behind(opening_length(sender, bytes), sender, bytes)
    }

    /// The same, where it is known how long the opening is.
    pub(super) const fn behind(opening: Option<usize>, sender: Role, bytes: &'a [u8]) -> Self {
        let decoder = Decoder::new(sender);
        let frames = Vec::new();
        Self { bytes, taken: 0, opening, decoder, frames, fault: None, broken: 0, lost: false }
    }

    /// The frames begun so far.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// As [`frames`](Self::frames), taken out.
    pub fn into_frames(self) -> Vec<Frame> {
        self.frames
    }

    /// The first fault, and how many bytes came up to the one that proves it, it included.
    pub const fn fault(&self) -> Option<(Fault, usize)> {
        self.fault
    }

    /// How many bytes were taken so far.
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Where frames begin; `None` where they never do.
    pub const fn opening(&self) -> Option<usize> {
        self.opening
    }

    /// Whether what was taken ends in the middle of a frame.
    pub const fn is_inside_frame(&self) -> bool {
        !self.decoder.is_between_frames()
    }

    /// Whether what was taken ends in the middle of a frame, or of the opening.
    pub fn is_half_sent(&self) -> bool {
        match self.opening {
            Some(opening) if self.taken >= opening => !self.decoder.is_between_frames(),
            _ => self.taken > 0,
        }
    }

    /// Takes the next `count` bytes, which `event` carried.
    pub fn take(&mut self, count: u32, event: usize) {
        let from = self.taken;
        self.taken = (from + count as usize).min(self.bytes.len());
        let Some(opening) = self.opening.filter(|opening| *opening < self.taken) else { return };
        self.decode(&self.bytes[from.max(opening)..self.taken], event);
    }

    /// Passes over the `count` bytes that `event` carried and that are not kept.
    pub fn skip(&mut self, count: u64, event: usize) {
        self.decoder.skip(count);
        self.decode(&[], event);
    }

    fn decode(&mut self, mut rest: &[u8], event: usize) {
        while !self.lost
            && let Some(item) = self.decoder.next(&mut rest)
        {
            let offset = self.taken - rest.len();
            self.found(item, event, offset);
        }
    }

    fn found(&mut self, item: Item, event: usize, offset: usize) {
        match item {
            Item::Started(started) => self.frames.push(Frame {
                opcode: started.opcode,
                started: event,
                ended: None,
                end_offset: usize::MAX,
                fault: None,
                wide: false,
                head: None,
                close: None,
                faults: Vec::new(),
            }),
            Item::Fault(fault @ Fault::LengthNotMinimal) => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.wide = true;
                    frame.faults.push((fault, event));
                }
            }
            Item::Fault(fault) => {
                self.fault.get_or_insert((fault, offset));
                self.broken += 1;
                if let Some(frame) = self.frames.last_mut() {
                    frame.fault = Some(fault);
                    frame.faults.push((fault, event));
                }
            }
            Item::Frame(head) => {
                self.lost = self.broken >= MOST_BROKEN;
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

    /// Whether its opening is complete with what was taken so far.
    pub fn is_past_opening(&self) -> bool {
        self.opening.is_some_and(|opening| self.taken >= opening)
    }
}
