//! The strict incremental decoder: bytes of one direction in, frames and faults out.
//!
//! Bytes may be cut anywhere. A fault is reported with the byte that proves it,
//! not at the frame's end, since that byte is what a server's time to react is
//! counted from. After a fault the decoder goes on: who stops is the caller's choice.

use super::frame::apply_mask;
use super::{CloseCode, ClosePayload, Opcode, Role, Utf8};
use std::fmt;

/// A frame's header as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2, RSV3 as the bits 4, 2, 1.
    pub rsv: u8,
    /// The opcode.
    pub opcode: Opcode,
    /// Whether the payload is masked.
    pub masked: bool,
    /// The payload's declared length in bytes.
    pub length: u64,
}

/// A rule of RFC 6455 that a frame broke, with the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reserved bits set without an extension (5.2).
    ReservedBits(u8),
    /// A reserved opcode (5.2).
    ReservedOpcode(Opcode),
    /// A control frame without FIN (5.5).
    FragmentedControl(Opcode),
    /// A control frame of more than 125 bytes (5.5).
    LongControl(Opcode),
    /// A client's frame without a mask (5.1).
    Unmasked,
    /// A server's frame with a mask (5.1).
    Masked,
    /// A length written in more bits than it needs (5.2).
    LengthNotMinimal,
    /// A 64-bit length with its most significant bit set (5.2).
    LengthTopBit,
    /// A continuation with nothing to continue (5.4).
    LoneContinuation,
    /// A new message inside a fragmented one (5.4).
    InterruptedMessage,
    /// Text that is not UTF-8 (8.1).
    TextNotUtf8,
    /// A Close payload of one byte (5.5.1).
    CloseOneByte,
    /// A Close with a code that no frame may carry (7.4).
    CloseCode(CloseCode),
    /// A Close whose reason is not UTF-8 (5.5.1).
    CloseReasonNotUtf8,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits(bits) => write!(f, "reserved bits {bits:03b} set"),
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {}", opcode.bits()),
            Self::FragmentedControl(opcode) => write!(f, "{opcode} without FIN"),
            Self::LongControl(opcode) => write!(f, "{opcode} of more than 125 bytes"),
            Self::Unmasked => f.write_str("client frame without a mask"),
            Self::Masked => f.write_str("server frame with a mask"),
            Self::LengthNotMinimal => f.write_str("length not in its shortest form"),
            Self::LengthTopBit => f.write_str("length with its top bit set"),
            Self::LoneContinuation => f.write_str("continuation with no message open"),
            Self::InterruptedMessage => f.write_str("new message inside a fragmented one"),
            Self::TextNotUtf8 => f.write_str("text that is not UTF-8"),
            Self::CloseOneByte => f.write_str("Close payload of one byte"),
            Self::CloseCode(code) => write!(f, "illegal close code {code}"),
            Self::CloseReasonNotUtf8 => f.write_str("close reason that is not UTF-8"),
        }
    }
}

/// A frame's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The opcode in it.
    pub opcode: Opcode,
}

/// One thing that the decoder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A frame's first byte came.
    Started(Started),
    /// A frame broke a rule. Of a frame the first one proven is reported, and
    /// [`Fault::LengthNotMinimal`], which no receiver is asked to mind, beside it.
    Fault(Fault),
    /// A frame is complete; [`Decoder::body`] has a control frame's payload.
    Frame(Head),
}

/// The most bytes that a frame's header can have.
const MAX_HEADER: usize = 14;
/// The most bytes that a control frame may carry.
const MAX_CONTROL_PAYLOAD: usize = 125;

/// Decodes one direction of one connection, from its first frame on.
#[derive(Clone, Debug)]
pub struct Decoder {
    sender: Role,
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// The header's full size, known from its second byte on.
    header_size: u8,
    /// The header, once complete, with the payload bytes already taken.
    open: Option<(Head, u64)>,
    /// Whether the frame at hand has already had a fault reported.
    fault_reported: bool,
    /// A fault that the first byte proved, to be reported next.
    pending_fault: Option<Fault>,
    /// Inside a fragmented message: whether it is text.
    message: Option<bool>,
    text: Utf8,
    body: [u8; MAX_CONTROL_PAYLOAD],
    body_len: u8,
}

impl Decoder {
    /// A decoder for the frames that `sender` sends.
    pub const fn new(sender: Role) -> Self {
        Self {
            sender,
            header: [0; MAX_HEADER],
            header_len: 0,
            header_size: 2,
            open: None,
            fault_reported: false,
            pending_fault: None,
            message: None,
            text: Utf8::EMPTY,
            body: [0; MAX_CONTROL_PAYLOAD],
            body_len: 0,
        }
    }

    /// The next thing found in `bytes`, which is moved past what was taken.
    /// `None` once all of it is taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Item> {
        if let Some(fault) = self.pending_fault.take() {
            return Some(Item::Fault(fault));
        }
        loop {
            if let Some((head, taken)) = self.open {
                let wanted = (head.length - taken).min(bytes.len() as u64) as usize;
                let (payload, rest) = bytes.split_at(wanted);
                *bytes = rest;
                self.open = Some((head, taken + wanted as u64));
                if let Some(fault) = self.payload(head, taken, payload) {
                    return Some(Item::Fault(fault));
                }
                if taken + (wanted as u64) < head.length {
                    return None;
                }
                if let Some(fault) = self.ending(head) {
                    return Some(Item::Fault(fault));
                }
                self.finish(head);
                return Some(Item::Frame(head));
            }
            if self.header_len >= 2 && self.header[1] & 0x7f < 126 {
                self.key(bytes)?;
                continue;
            }
            let (&byte, rest) = bytes.split_first()?;
            *bytes = rest;
            if let Some(item) = self.header_byte(byte) {
                return Some(item);
            }
        }
    }

    /// The payload of the control frame that [`next`](Self::next) just completed,
    /// unmasked and cut off after 125 bytes; empty for data frames.
    pub fn body(&self) -> &[u8] {
        &self.body[..usize::from(self.body_len)]
    }

    /// The header of the frame at hand, where it is complete and its payload is not.
    pub fn awaited(&self) -> Option<Head> {
        self.open.map(|(head, _)| head)
    }

    /// How many bytes of the payload of the frame at hand are to come.
    #[cfg(feature = "tcp")]
    pub(crate) fn left(&self) -> u64 {
        self.open.map_or(0, |(head, taken)| head.length - taken)
    }

    /// Passes over bytes that nobody kept: of the payload of the data frame at hand, from one
    /// character to another where it is text, or else whole messages.
    pub(crate) fn skip(&mut self, bytes: u64) {
        if let Some((head, taken)) = &mut self.open {
            *taken += bytes.min(head.length - *taken);
        }
    }

    /// Whether the stream stands between two frames.
    pub const fn is_between_frames(&self) -> bool {
        self.header_len == 0
    }

    /// Whether a fragmented message has begun and not ended.
    pub const fn is_inside_message(&self) -> bool {
        self.message.is_some()
    }

    /// Reports `fault` unless this frame has had one.
    fn first_fault(&mut self, fault: Option<Fault>) -> Option<Fault> {
        let fault = fault.filter(|_| !self.fault_reported);
        self.fault_reported |= fault.is_some_and(|fault| fault != Fault::LengthNotMinimal);
        fault
    }

    /// Takes what came of a mask's key behind a short length: no byte of it breaks a rule.
    fn key(&mut self, bytes: &mut &[u8]) -> Option<()> {
        let from = usize::from(self.header_len);
        let count = bytes.len().min(usize::from(self.header_size) - from);
        let (key, rest) = bytes.split_at(count);
        *bytes = rest;
        self.header[from..from + count].copy_from_slice(key);
        self.header_len += count as u8;
        self.open_when_complete();
        (count > 0).then_some(())
    }

    fn header_byte(&mut self, byte: u8) -> Option<Item> {
        self.header[usize::from(self.header_len)] = byte;
        self.header_len += 1;
        match self.header_len {
            1 => {
                self.body_len = 0;
                let fault = self.first_byte_fault();
                self.pending_fault = self.first_fault(fault);
                Some(Item::Started(Started { opcode: Opcode::new(byte) }))
            }
            2 => {
                let extended = match byte & 0x7f {
                    126 => 2,
                    127 => 8,
                    _ => 0,
                };
                self.header_size = 2 + extended + if byte & 0x80 == 0 { 0 } else { 4 };
                let fault = self.second_byte_fault();
                let fault = self.first_fault(fault);
                self.open_when_complete();
                fault.map(Item::Fault)
            }
            _ => {
                let fault = self.length_fault();
                let fault = self.first_fault(fault);
                self.open_when_complete();
                fault.map(Item::Fault)
            }
        }
    }

    /// The rules that the first byte alone can break.
    fn first_byte_fault(&self) -> Option<Fault> {
        let first = self.header[0];
        let opcode = Opcode::new(first);
        let fin = first & 0x80 != 0;
        match () {
            () if first & 0x70 != 0 => Some(Fault::ReservedBits(first >> 4 & 7)),
            () if opcode.is_reserved() => Some(Fault::ReservedOpcode(opcode)),
            () if opcode.is_control() && !fin => Some(Fault::FragmentedControl(opcode)),
            () if opcode == Opcode::CONTINUATION && self.message.is_none() => {
                Some(Fault::LoneContinuation)
            }
            () if opcode.is_data() && opcode != Opcode::CONTINUATION && self.message.is_some() => {
                Some(Fault::InterruptedMessage)
            }
            () => None,
        }
    }

    fn second_byte_fault(&self) -> Option<Fault> {
        let masked = self.header[1] & 0x80 != 0;
        match self.sender {
            Role::Client if !masked => return Some(Fault::Unmasked),
            Role::Server if masked => return Some(Fault::Masked),
            Role::Client | Role::Server => {}
        }
        None
    }

    /// The payload's length, once all of its bytes are here.
    fn length(&self) -> Option<u64> {
        let [_, second, extended @ ..] = self.header;
        match second & 0x7f {
            126 => {
                let length = u16::from_be_bytes([extended[0], extended[1]]);
                (self.header_len >= 4).then_some(u64::from(length))
            }
            127 => {
                let length = u64::from_be_bytes(extended[..8].try_into().expect("eight bytes"));
                (self.header_len >= 10).then_some(length)
            }
            short => (self.header_len >= 2).then_some(u64::from(short)),
        }
    }

    /// What a length in 16 or 64 bits can have wrong.
    fn length_fault(&self) -> Option<Fault> {
        let wide = self.header[1] & 0x7f;
        if wide == 127 && self.header[2] >> 7 == 1 {
            return Some(Fault::LengthTopBit);
        }
        if self.header_len != (if wide == 127 { 10 } else { 4 }) {
            return None;
        }
        let length = self.length()?;
        let opcode = Opcode::new(self.header[0]);
        match wide {
            _ if opcode.is_control() && length > 125 => Some(Fault::LongControl(opcode)),
            126 if length <= 125 => Some(Fault::LengthNotMinimal),
            127 if length <= 0xffff => Some(Fault::LengthNotMinimal),
            _ => None,
        }
    }

    fn open_when_complete(&mut self) {
        if self.header_len < self.header_size {
            return;
        }
        let [first, second, ..] = self.header;
        let Some(length) = self.length() else { return };
        let opcode = Opcode::new(first);
        let head = Head {
            fin: first & 0x80 != 0,
            rsv: first >> 4 & 7,
            opcode,
            masked: second & 0x80 != 0,
            length,
        };
        if matches!(opcode, Opcode::TEXT | Opcode::BINARY) {
            self.text = Utf8::EMPTY;
            self.message = Some(opcode == Opcode::TEXT);
        }
        self.open = Some((head, 0));
    }

    fn mask_key(&self) -> [u8; 4] {
        let end = usize::from(self.header_size);
        self.header[end - 4..end].try_into().expect("four bytes")
    }

    fn payload(&mut self, head: Head, taken: u64, payload: &[u8]) -> Option<Fault> {
        if head.opcode.is_control() {
            self.control_payload(head, taken, payload);
            return None;
        }
        if !head.opcode.is_data() || self.message != Some(true) {
            return None;
        }
        let result = if head.masked {
            let mut plain = payload.to_vec();
            apply_mask(&mut plain, self.mask_key(), (taken % 4) as usize);
            self.text.feed(&plain)
        } else {
            self.text.feed(payload)
        };
        // One fault a message: what follows bad text in it is not looked at.
        if result.is_err() {
            self.message = Some(false);
        }
        self.first_fault(result.is_err().then_some(Fault::TextNotUtf8))
    }

    fn control_payload(&mut self, head: Head, taken: u64, payload: &[u8]) {
        let from = usize::try_from(taken)
            .map_or(MAX_CONTROL_PAYLOAD, |taken| taken.min(MAX_CONTROL_PAYLOAD));
        let to = (from + payload.len()).min(MAX_CONTROL_PAYLOAD);
        self.body[from..to].copy_from_slice(&payload[..to - from]);
        if head.masked {
            let key = self.mask_key();
            apply_mask(&mut self.body[from..to], key, from);
        }
        self.body_len = to as u8;
    }

    /// What only the end of a frame can prove.
    fn ending(&mut self, head: Head) -> Option<Fault> {
        let fault = if head.opcode == Opcode::CLOSE {
            match ClosePayload::parse(self.body()) {
                ClosePayload::Empty => None,
                ClosePayload::OneByte(_) => Some(Fault::CloseOneByte),
                ClosePayload::Code(code, _) if !code.is_sendable() => Some(Fault::CloseCode(code)),
                ClosePayload::Code(_, reason) => {
                    std::str::from_utf8(reason).is_err().then_some(Fault::CloseReasonNotUtf8)
                }
            }
        } else {
            let cut = head.opcode.is_data()
                && head.fin
                && self.message == Some(true)
                && !self.text.is_complete();
            cut.then_some(Fault::TextNotUtf8)
        };
        self.first_fault(fault)
    }

    fn finish(&mut self, head: Head) {
        if head.opcode.is_data() && head.fin {
            self.message = None;
        }
        self.open = None;
        self.header_len = 0;
        self.header_size = 2;
        self.fault_reported = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FrameHead, LengthForm};
    use super::*;

    /// All that a decoder finds in `bytes`, given in pieces of `step`.
    fn items(sender: Role, bytes: &[u8], step: usize) -> Vec<(Item, Vec<u8>)> {
        let mut decoder = Decoder::new(sender);
        let mut found = Vec::new();
        for mut piece in bytes.chunks(step) {
            while let Some(item) = decoder.next(&mut piece) {
                found.push((item, decoder.body().to_vec()));
            }
        }
        found
    }

    fn faults(sender: Role, bytes: &[u8]) -> Vec<Fault> {
        let of = |step| {
            items(sender, bytes, step)
                .into_iter()
                .filter_map(|(item, _)| match item {
                    Item::Fault(fault) => Some(fault),
                    Item::Started(_) | Item::Frame(_) => None,
                })
                .collect::<Vec<_>>()
        };
        let whole = of(usize::MAX);
        assert_eq!(whole, of(1), "the cut must not matter");
        whole
    }

    fn frame(head: FrameHead, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        head.encode(payload, &mut out);
        out
    }

    #[test]
    fn frames_come_out_the_same_however_they_are_cut() {
        let mut stream = Vec::new();
        for len in [0, 1, 125] {
            FrameHead::client(Opcode::PING).encode(&vec![b'p'; len], &mut stream);
        }
        for len in [0, 125, 126, 65535, 65536] {
            FrameHead::client(Opcode::TEXT).encode(&vec![b't'; len], &mut stream);
        }
        FrameHead::client(Opcode::CLOSE).encode(b"\x03\xe8bye", &mut stream);
        let whole = items(Role::Client, &stream, usize::MAX);
        assert_eq!(whole.len(), 18);
        assert_eq!(whole.last().expect("items").1, b"\x03\xe8bye");
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(items(Role::Client, &stream, step), whole);
        }
    }

    #[test]
    fn each_rule_has_a_frame_that_breaks_only_it() {
        let client = FrameHead::client;
        let cases = [
            (frame(FrameHead { rsv: 5, ..client(Opcode::TEXT) }, b""), Fault::ReservedBits(5)),
            (frame(client(Opcode::new(3)), b""), Fault::ReservedOpcode(Opcode::new(3))),
            (frame(client(Opcode::new(11)), b""), Fault::ReservedOpcode(Opcode::new(11))),
            (
                frame(FrameHead { fin: false, ..client(Opcode::CLOSE) }, b""),
                Fault::FragmentedControl(Opcode::CLOSE),
            ),
            (frame(client(Opcode::PING), &[0; 126]), Fault::LongControl(Opcode::PING)),
            (
                frame(FrameHead { length: LengthForm::Bits16, ..client(Opcode::PING) }, b"x"),
                Fault::LengthNotMinimal,
            ),
            (frame(FrameHead { mask: None, ..client(Opcode::TEXT) }, b""), Fault::Unmasked),
            (
                frame(FrameHead { length: LengthForm::Bits16, ..client(Opcode::TEXT) }, &[b'x'; 9]),
                Fault::LengthNotMinimal,
            ),
            (
                frame(
                    FrameHead { length: LengthForm::Bits64, ..client(Opcode::TEXT) },
                    &[b'x'; 126],
                ),
                Fault::LengthNotMinimal,
            ),
            (frame(client(Opcode::CONTINUATION), b""), Fault::LoneContinuation),
            (frame(client(Opcode::TEXT), b"\xff"), Fault::TextNotUtf8),
            (frame(client(Opcode::TEXT), b"\xe2\x82"), Fault::TextNotUtf8),
            (frame(client(Opcode::CLOSE), b"\x03"), Fault::CloseOneByte),
            (frame(client(Opcode::CLOSE), b"\x03\xed"), Fault::CloseCode(CloseCode(1005))),
            (frame(client(Opcode::CLOSE), b"\x03\xe8\xff"), Fault::CloseReasonNotUtf8),
        ];
        for (bytes, fault) in cases {
            assert_eq!(faults(Role::Client, &bytes), [fault]);
        }
        let masked = frame(client(Opcode::TEXT), b"");
        assert_eq!(faults(Role::Server, &masked), [Fault::Masked]);
    }

    #[test]
    fn a_length_with_its_top_bit_set_is_a_fault_before_any_payload() {
        let bytes = [0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(faults(Role::Server, &bytes), [Fault::LengthTopBit]);
    }

    #[test]
    fn a_control_frame_may_stand_inside_a_fragmented_message_and_data_may_not() {
        let begin = frame(FrameHead { fin: false, ..FrameHead::server(Opcode::TEXT) }, b"a");
        let ping = frame(FrameHead::server(Opcode::PING), b"");
        let end = frame(FrameHead::server(Opcode::CONTINUATION), b"b");
        assert_eq!(faults(Role::Server, &[begin.clone(), ping, end].concat()), []);
        let other = frame(FrameHead::server(Opcode::BINARY), b"");
        assert_eq!(faults(Role::Server, &[begin, other].concat()), [Fault::InterruptedMessage]);
    }

    #[test]
    fn a_character_may_be_cut_between_two_frames_of_a_message() {
        let begin = frame(FrameHead { fin: false, ..FrameHead::client(Opcode::TEXT) }, b"\xe2\x82");
        let end = frame(FrameHead::client(Opcode::CONTINUATION), b"\xac");
        assert_eq!(faults(Role::Client, &[begin, end].concat()), []);
    }

    #[test]
    fn a_fault_of_the_first_byte_is_reported_at_the_first_byte() {
        for first in [0xc1, 0x83, 0x08, 0x80] {
            let mut decoder = Decoder::new(Role::Client);
            let mut byte = &[first][..];
            assert!(matches!(decoder.next(&mut byte), Some(Item::Started(_))));
            assert!(matches!(decoder.next(&mut byte), Some(Item::Fault(_))), "{first:#x}");
        }
    }

    #[test]
    fn a_wide_length_does_not_hide_another_fault() {
        let wide = FrameHead { length: LengthForm::Bits16, ..FrameHead::client(Opcode::TEXT) };
        let both = [Fault::LengthNotMinimal, Fault::TextNotUtf8];
        assert_eq!(faults(Role::Client, &frame(wide, b"\xff")), both);
    }

    #[test]
    fn bad_text_is_proven_by_its_byte_and_not_at_the_frames_end() {
        let bytes = frame(FrameHead::client(Opcode::TEXT), b"\xffrest");
        let mut decoder = Decoder::new(Role::Client);
        let mut upto = &bytes[..7];
        let mut found = Vec::new();
        while let Some(item) = decoder.next(&mut upto) {
            found.push(item);
        }
        assert_eq!(found.last(), Some(&Item::Fault(Fault::TextNotUtf8)));
    }
}
