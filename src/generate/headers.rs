//! Headers that promise what does not come: declared lengths at each edge, and bytes at random.

use super::script_builder::ScriptBuilder;
use crate::script::{
    Act, Content, DeclaredLength, Frame, Kind, Length, Pace, Piece, Send, Size, Unit,
};
use crate::wire::Opcode;
use rand::{Rng, RngExt as _};

/// The most bytes that are drawn at random in one send.
const MAX_RANDOM_BYTES: usize = 40;

impl<R: Rng + ?Sized> ScriptBuilder<'_, R> {
    /// A frame whose header declares a length at an edge: mostly more than ever comes. Now and
    /// then in pieces, so that a server sees a part of the length.
    pub(super) fn add_declared_frame(&mut self) {
        let declares = self.declared_length();
        let kind = self.kind_of_any_opcode();
        if matches!(kind, Kind::Continuation(_)) && !self.one_in(4) {
            let start = Frame { fin: false, ..Frame::new(Kind::Binary(Content::Empty)) };
            self.send(Unit::Frame(start));
        }
        let length = match self.rng.random_range(0..8) {
            0 => Length::Bits16,
            1 => Length::Bits64,
            _ => Length::Minimal,
        };
        let fin = !self.one_in(8);
        let unit = Unit::Frame(Frame { fin, length, declares: Some(declares), ..Frame::new(kind) });
        let (piece, pace) = match self.rng.random_range(0..8) {
            0 => (Piece::First(self.rng.random_range(2..14)), Pace::Once),
            1 => {
                let size = self.one_of(&[1, 3, 10]);
                (Piece::Whole, Pace::Pieces(size, self.pause()))
            }
            _ => (Piece::Whole, Pace::Once),
        };
        self.add(Act::Send(Send { piece, unit, pace }));
    }

    /// The longest of all in one of three: sums with it overflow.
    fn declared_length(&mut self) -> DeclaredLength {
        if self.one_in(3) { DeclaredLength(u64::MAX) } else { self.one_of(&DeclaredLength::EDGES) }
    }

    /// Mostly data: that is what servers gather.
    fn kind_of_any_opcode(&mut self) -> Kind {
        let content = match self.rng.random_range(0..4) {
            0 => Content::Fill(Size(self.rng.random_range(1..9))),
            _ => Content::Empty,
        };
        match self.rng.random_range(0..12) {
            0..=2 => Kind::Text(content),
            3..=5 => Kind::Binary(content),
            6 | 7 => Kind::Continuation(content),
            8 => Kind::Ping(content),
            9 => Kind::Pong(content),
            10 => Kind::Close(None, content),
            _ => Kind::Other(Opcode::new(self.one_of(&[3, 7, 11, 15])), content),
        }
    }

    /// A header of random bits, or bytes that are nothing at all.
    pub(super) fn add_random_bytes(&mut self) {
        let bytes = if self.one_in(3) { self.random_bytes() } else { self.random_header() };
        self.send(Unit::Raw(Content::Bytes(bytes)));
    }

    pub(super) fn random_bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.random_range(1..=MAX_RANDOM_BYTES)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// FIN, reserved bits, opcode, mask and length, each legal more often than not; a key, and
    /// a few bytes of payload.
    fn random_header(&mut self) -> Vec<u8> {
        let mut bytes = self.random_bytes();
        let legal = self.one_of(&[0, 1, 2, 8, 9, 10]);
        let first = bytes[0];
        let opcode = if self.one_in(4) { first & 0xf } else { legal };
        let reserved = if self.one_in(8) { first & 0x70 } else { 0 };
        let fin = if self.one_in(4) { 0 } else { 0x80 };
        let mask = if self.one_in(8) { 0 } else { 0x80 };
        let length = self.one_of(&[0, 1, 125, 126, 127, 127, first & 0x7f]);
        bytes.splice(0..1, [fin | reserved | opcode, mask | length]);
        bytes
    }
}
