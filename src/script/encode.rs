//! Encodes the units of a script as the bytes on the wire.

use super::{Act, Command, ConnectionNumber, Send};
use super::{Content, Frame, Kind, Pace, Piece, Script, Size, Step, Unit};
use crate::wire::{FrameHead, MASK, Opcode, Role, handshake};
use std::borrow::Cow;

/// A header line that fills a request up: name, colon, space and line end.
const FILLER: &str = "X-Filler: ";

/// What the bytes of a script depend on beside it: who sends them, and what the two openings have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding<'a> {
    /// The role of the actor, who sends.
    pub sender: Role,
    /// The opening request: a server elsewhere has a host and a path of its own.
    pub request: &'a str,
    /// What answers the key of the request that the actor got, as `Sec-WebSocket-Accept`.
    pub accept: &'a str,
}

impl Encoding<'static> {
    /// A client, with the usual openings.
    pub const USUAL: Self =
        Self { sender: Role::Client, request: handshake::REQUEST, accept: handshake::ACCEPT };
}

/// Puts a filler header of this size into the head that ends `out` and begins at `start`.
pub(super) fn append_filler(size: Size, start: usize, out: &mut Vec<u8>) {
    debug_assert!(out[start..].ends_with(b"\r\n\r\n"), "a whole head");
    out.truncate(out.len() - 2);
    out.extend_from_slice(FILLER.as_bytes());
    out.resize(out.len() + size.0 as usize, b'x');
    out.extend_from_slice(b"\r\n\r\n");
}

/// The least bytes that an opening request is counted for, the filler's header line included.
const LEAST_REQUEST: u64 = 256;

impl Content {
    /// The bytes.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Empty => Cow::Borrowed(&[]),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Fill(size) => Cow::Owned(vec![b'x'; size.0 as usize]),
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Appends the bytes to `out`.
    fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Fill(size) => out.resize(out.len() + size.0 as usize, b'x'),
            other => out.extend_from_slice(&other.bytes()),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Text(text) => text.len(),
            Self::Fill(size) => size.0 as usize,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Fill(size) => Cow::Owned("x".repeat(size.0 as usize)),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes),
        }
    }
}

impl Kind {
    /// The opcode.
    pub const fn opcode(&self) -> Opcode {
        match self {
            Self::Text(_) => Opcode::TEXT,
            Self::Binary(_) => Opcode::BINARY,
            Self::Continuation(_) => Opcode::CONTINUATION,
            Self::Ping(_) => Opcode::PING,
            Self::Pong(_) => Opcode::PONG,
            Self::Close(..) => Opcode::CLOSE,
            Self::Other(opcode, _) => *opcode,
        }
    }

    /// The payload, but for a close code.
    pub const fn content(&self) -> &Content {
        match self {
            Self::Text(content)
            | Self::Binary(content)
            | Self::Continuation(content)
            | Self::Ping(content)
            | Self::Pong(content)
            | Self::Close(_, content)
            | Self::Other(_, content) => content,
        }
    }
}

impl Frame {
    /// Appends the frame's bytes to `out`, as `sender` sends it.
    pub fn encode(&self, sender: Role, out: &mut Vec<u8>) {
        let head = FrameHead {
            fin: self.fin,
            rsv: self.rsv,
            opcode: self.kind.opcode(),
            mask: self.mask.is_masked(sender).then_some(MASK),
            length: self.length.into(),
        };
        let code = match self.kind {
            Kind::Close(code, _) => code,
            _ => None,
        };
        let content = self.kind.content();
        let bytes = content.len() + if code.is_some() { 2 } else { 0 };
        let length = self.declares.map_or(bytes as u64, |length| length.0);
        head.encode_with(length, bytes, out, |out| {
            if let Some(code) = code {
                out.extend_from_slice(&code.to_be_bytes());
            }
            content.append_to(out);
        });
    }
}

impl Unit {
    /// Appends the unit's bytes to `out`, as a client sends it with the usual openings.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_with(&Encoding::USUAL, out);
    }

    /// Appends the unit's bytes to `out`.
    pub fn encode_with(&self, encoding: &Encoding<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Upgrade(filler) => {
                let start = out.len();
                out.extend_from_slice(encoding.request.as_bytes());
                if let Some(size) = filler {
                    append_filler(*size, start, out);
                }
            }
            Self::Raw(content) => out.extend_from_slice(&content.bytes()),
            Self::Frame(frame) => frame.encode(encoding.sender, out),
            Self::Accept(accept) => accept.encode(encoding.accept, out),
        }
    }
}

impl Piece {
    /// This part of `bytes`.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        match self {
            Self::Whole => bytes,
            Self::First(count) => &bytes[..bytes.len().min(count as usize)],
            Self::After(count) => &bytes[bytes.len().min(count as usize)..],
        }
    }
}

impl Pace {
    /// How many times the act's bytes are sent in all.
    const fn times(self) -> u64 {
        match self {
            Self::Once | Self::Pieces(..) => 1,
            Self::Times(times, _) => times as u64,
        }
    }
}

impl Send {
    /// An upper bound of the bytes that the step sends, where `request` opens.
    fn max_bytes_sent(&self, request: &str) -> u64 {
        let unit = match &self.unit {
            Unit::Upgrade(size) => {
                let whole = LEAST_REQUEST.max((request.len() + FILLER.len() + 2) as u64);
                whole + size.map_or(0, |size| u64::from(size.0))
            }
            Unit::Raw(content) => content.len() as u64,
            Unit::Frame(frame) => 16 + frame.kind.content().len() as u64,
            Unit::Accept(accept) => {
                LEAST_REQUEST + accept.filler.map_or(0, |size| u64::from(size.0))
            }
        };
        let sent = match self.piece {
            Piece::Whole | Piece::After(_) => unit,
            Piece::First(count) => unit.min(u64::from(count)),
        };
        sent * self.pace.times()
    }

    /// How many pieces or repetitions the step has.
    fn acts(&self) -> u64 {
        match self.pace {
            Pace::Pieces(size, _) => {
                self.max_bytes_sent(handshake::REQUEST).div_ceil(u64::from(size.max(1))).max(1)
            }
            Pace::Once | Pace::Times(..) => self.pace.times(),
        }
    }
}

impl Step {
    /// How often the client or the application acts in the step, at most: once, or as often as it
    /// repeats, or in so many pieces.
    pub fn acts(&self) -> u64 {
        match &self.act {
            Act::Send(send) => send.acts(),
            Act::App(_, pace) => pace.times(),
            _ => 1,
        }
    }

    /// An upper bound of the bytes that the step sends, the client's or the application's.
    pub fn max_bytes_sent(&self) -> u64 {
        self.max_bytes_sent_with(handshake::REQUEST)
    }

    /// The same, where `request` opens.
    fn max_bytes_sent_with(&self, request: &str) -> u64 {
        match &self.act {
            Act::Send(send) => send.max_bytes_sent(request),
            Act::App(
                Command::SendText(content)
                | Command::SendBinary(content)
                | Command::Ping(content)
                | Command::Close(_, content),
                pace,
            ) => (16 + content.len() as u64) * pace.times(),
            // To as many as there may be.
            Act::App(Command::Broadcast(content), pace) => {
                (16 + content.len() as u64) * pace.times() * u64::from(ConnectionNumber::MOST)
            }
            _ => 0,
        }
    }
}

impl Script {
    /// How often the client or the application acts in all steps together, at most.
    pub fn acts(&self) -> u64 {
        self.steps.iter().map(Step::acts).sum()
    }

    /// An upper bound of the bytes that the script sends, the client's and the application's.
    pub fn max_bytes_sent(&self) -> u64 {
        self.max_bytes_sent_with(handshake::REQUEST)
    }

    /// The same, where `request` opens.
    pub fn max_bytes_sent_with(&self, request: &str) -> u64 {
        self.steps.iter().map(|step| step.max_bytes_sent_with(request)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_no_longer_than_the_bound_of_its_script() {
        for line in [
            "upgrade",
            "upgrade with 3KiB header",
            "raw \"GET\"",
            "close 1000 \"bye\"",
            "unmasked 64-bit text 70000B",
            "text \"x\" declares 2^64-1",
        ] {
            let script: Script = line.parse().expect(line);
            let Act::Send(send) = &script.steps[0].act else { panic!("{line} is no send") };
            let mut bytes = Vec::new();
            send.unit.encode(&mut bytes);
            assert!(bytes.len() as u64 <= script.max_bytes_sent(), "{line}: {}", bytes.len());
        }
    }

    #[test]
    fn a_header_declares_what_the_script_says_in_the_form_that_it_says() {
        for (line, header) in [
            (
                "unmasked text \"x\" declares 2^64-1",
                &b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xffx"[..],
            ),
            ("unmasked ping declares 126", b"\x89\x7e\0\x7e"),
            ("unmasked 16-bit close 1000 declares 5", b"\x88\x7e\0\x05\x03\xe8"),
            ("unmasked 64-bit pong declares 0", b"\x8a\x7f\0\0\0\0\0\0\0\0"),
            ("unmasked 16-bit opcode 3 declares 2^16", b"\x83\x7f\0\0\0\0\0\x01\0\0"),
            ("unmasked binary 3B declares 1", b"\x82\x01xxx"),
            ("continuation declares 2", b"\x80\x82\x37\xfa\x21\x3d"),
        ] {
            let script: Script = line.parse().expect(line);
            let Act::Send(send) = &script.steps[0].act else { panic!("{line} is no send") };
            let mut bytes = Vec::new();
            send.unit.encode(&mut bytes);
            assert_eq!(bytes, header, "{line}");
            assert_eq!(script.to_string(), format!("{line}\n"));
        }
    }

    #[test]
    fn the_two_pieces_of_a_cut_make_the_whole() {
        let bytes = b"abcdef";
        for cut in 0..9 {
            let parts = [Piece::First(cut).of(bytes), Piece::After(cut).of(bytes)].concat();
            assert_eq!(parts, Piece::Whole.of(bytes));
        }
    }

    #[test]
    fn a_request_with_a_filler_header_is_still_a_request() {
        let mut bytes = Vec::new();
        Unit::Upgrade(Some(super::super::Size(2000))).encode(&mut bytes);
        let (length, _) = handshake::request(&bytes).expect("legal").expect("whole");
        assert_eq!(length, bytes.len());
    }
}
