//! What a changed subject reads: whether the actor's Close was among it, and the actor's stream
//! without what the subject is not to see of it.

use super::Change;
use crate::wire::{
    CloseCode, ClosePayload, Decoder, Fault, FrameHead, Head, Item, LengthForm, MASK, Opcode, Role,
    handshake,
};

/// An opening that is longer is no business of anybody here.
const LONGEST_OPENING: usize = 64 << 10;

/// The actor's stream, as far as the subject has got.
pub(super) struct Input {
    /// The role of the actor.
    sender: Role,
    /// The request, or the answer to it, until it is whole.
    opening: Option<Vec<u8>>,
    decoder: Decoder,
    /// Whether the client had broken a rule of the wire.
    broken: bool,
    /// Whether the client's Close was read, and nothing was wrong with it or before it.
    pub closed: bool,
    change: Change,
    /// Where something is hidden: the frame at hand and its first fault, and how many messages
    /// there were before.
    frame: Vec<u8>,
    fault: Option<Fault>,
    messages: usize,
    /// What the server may read.
    pub ready: Vec<u8>,
}

impl Input {
    pub const fn new(change: Change, subject: Role) -> Self {
        let sender = subject.other();
        Self {
            change,
            sender,
            opening: Some(Vec::new()),
            decoder: Decoder::new(sender),
            broken: false,
            closed: false,
            frame: Vec::new(),
            fault: None,
            messages: 0,
            ready: Vec::new(),
        }
    }

    /// The server reads these bytes as they are.
    pub fn read(&mut self, bytes: &[u8]) {
        let mut frames = self.frames_in(bytes);
        while let Some(item) = self.decoder.next(&mut frames) {
            match item {
                Item::Started(_) | Item::Fault(Fault::LengthNotMinimal) => {}
                Item::Fault(_) => self.broken = true,
                Item::Frame(head) => self.closed |= head.opcode == Opcode::CLOSE && !self.broken,
            }
        }
    }

    /// Whether something of the client's is hidden from the server.
    pub const fn hides(&self) -> bool {
        matches!(self.change, Change::ServeViolations | Change::HideMessage(_))
    }

    /// The server gets these bytes without what is hidden.
    pub fn read_hiding(&mut self, bytes: &[u8]) {
        let mut rest = self.frames_in(bytes);
        self.ready.extend(&bytes[..bytes.len() - rest.len()]);
        loop {
            let before = rest;
            let item = self.decoder.next(&mut rest);
            self.frame.extend(&before[..before.len() - rest.len()]);
            match item {
                None => return,
                Some(Item::Started(_) | Item::Fault(Fault::LengthNotMinimal)) => {}
                Some(Item::Fault(fault)) => {
                    self.fault.get_or_insert(fault);
                }
                Some(Item::Frame(head)) => self.frame_ended(head),
            }
        }
    }

    /// A frame came: the server gets all of it, what is legal of it, or nothing.
    fn frame_ended(&mut self, head: Head) {
        let frame = std::mem::take(&mut self.frame);
        if let Change::HideMessage(hidden) = self.change {
            let is_message = head.fin && matches!(head.opcode, Opcode::TEXT | Opcode::BINARY);
            let number = self.messages;
            self.messages += usize::from(is_message);
            if !is_message || number != hidden {
                self.ready.extend(frame);
            }
            return;
        }
        let payload = ClosePayload::parse(self.decoder.body());
        let mask = (self.sender == Role::Client).then_some(MASK);
        let close = FrameHead { mask, ..FrameHead::server(Opcode::CLOSE) };
        match self.fault.take() {
            None if head.opcode.is_data() => self.ready.extend(plain(head, &frame, mask)),
            None => self.ready.extend(frame),
            Some(Fault::TextNotUtf8) => self.ready.extend(plain(head, &frame, mask)),
            Some(Fault::CloseOneByte) => close.encode(&[], &mut self.ready),
            Some(Fault::CloseCode(_)) => {
                close.encode(&CloseCode::NORMAL.0.to_be_bytes(), &mut self.ready);
            }
            Some(Fault::CloseReasonNotUtf8) => {
                let code = payload.code().map(|code| code.0.to_be_bytes());
                close.encode(code.as_ref().map_or(&[][..], |code| &code[..]), &mut self.ready);
            }
            Some(_) => {}
        }
    }

    /// What of `bytes` is behind the opening.
    fn frames_in<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(opening) = &mut self.opening else { return bytes };
        let before = opening.len();
        if before > LONGEST_OPENING {
            return &[];
        }
        opening.extend(bytes);
        let length = match self.sender {
            Role::Client => handshake::request_length(opening),
            Role::Server => handshake::head_length(opening),
        };
        let Some(length) = length else { return &[] };
        self.opening = None;
        &bytes[length.saturating_sub(before)..]
    }
}

/// A data frame of the same size whose text is ASCII: where one fragment had bad UTF-8, and the
/// next has the rest of a character, that would be another violation.
fn plain(head: Head, frame: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let length = match frame[1] & 0x7f {
        126 => LengthForm::Bits16,
        127 => LengthForm::Bits64,
        _ => LengthForm::Minimal,
    };
    let payload = vec![b'x'; usize::try_from(head.length).unwrap_or_default()];
    let head = FrameHead { fin: head.fin, rsv: 0, opcode: head.opcode, mask, length };
    let mut out = Vec::new();
    head.encode(&payload, &mut out);
    out
}
