//! Opcodes: the low four bits of a frame's first byte (RFC 6455 section 5.2).

use std::fmt;

/// A frame's opcode, 0 to 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opcode(u8);

impl Opcode {
    /// Continues a fragmented message.
    pub const CONTINUATION: Self = Self(0);
    /// Starts a text message.
    pub const TEXT: Self = Self(1);
    /// Starts a binary message.
    pub const BINARY: Self = Self(2);
    /// Begins or answers the closing handshake.
    pub const CLOSE: Self = Self(8);
    /// Asks for a pong.
    pub const PING: Self = Self(9);
    /// Answers a ping, or comes unasked.
    pub const PONG: Self = Self(10);

    /// The opcode in the low four bits of `bits`; the others are ignored.
    pub const fn new(bits: u8) -> Self {
        Self(bits & 0x0f)
    }

    /// The opcode as a number from 0 to 15.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether this is a control opcode, 8 to 15, known or reserved.
    pub const fn is_control(self) -> bool {
        self.0 >= 8
    }

    /// Whether frames of this opcode carry application data: continuation, text, binary.
    pub const fn is_data(self) -> bool {
        self.0 <= 2
    }

    /// Whether RFC 6455 gives the opcode no meaning: 3 to 7 and 11 to 15.
    pub const fn is_reserved(self) -> bool {
        matches!(self.0, 3..=7 | 11..=15)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("Continuation"),
            1 => f.write_str("Text"),
            2 => f.write_str("Binary"),
            8 => f.write_str("Close"),
            9 => f.write_str("Ping"),
            10 => f.write_str("Pong"),
            other => write!(f, "Opcode {other}"),
        }
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
