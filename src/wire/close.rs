//! Close codes and Close payloads (RFC 6455 sections 5.5.1 and 7.4).

use std::fmt;

/// A close code: the first two bytes of a Close frame's payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

/// What RFC 6455 section 7.4 and the IANA registry say of a close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseClass {
    /// Given a meaning by RFC 6455 section 7.4.1: 1000-1003, 1007-1011.
    Defined,
    /// Given a meaning in IANA's registry after RFC 6455: 1012-1014.
    Registered,
    /// 1004: "Reserved. The specific meaning might be defined in the future."
    Reserved,
    /// 1005, 1006 and 1015: local reports that no endpoint may put into a frame.
    NeverSent,
    /// 1016-2999: kept for the protocol's own future and its extensions.
    Unassigned,
    /// 3000-3999: libraries, frameworks and applications, by registration.
    Library,
    /// 4000-4999: private use.
    Private,
    /// 0-999, "not used", and 5000 and above, of which the RFC says nothing.
    OutOfRange,
}

impl CloseCode {
    /// 1000, the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001, the endpoint is going away.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002, protocol error.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003, data of a type that the endpoint cannot accept.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007, data not consistent with the type of the message.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008, policy violation.
    pub const POLICY: Self = Self(1008);
    /// 1009, message too big.
    pub const TOO_BIG: Self = Self(1009);

    /// The class of this code. Total: every `u16` has exactly one.
    pub const fn class(self) -> CloseClass {
        match self.0 {
            0..=999 | 5000..=u16::MAX => CloseClass::OutOfRange,
            1000..=1003 | 1007..=1011 => CloseClass::Defined,
            1004 => CloseClass::Reserved,
            1005 | 1006 | 1015 => CloseClass::NeverSent,
            1012..=1014 => CloseClass::Registered,
            1016..=2999 => CloseClass::Unassigned,
            3000..=3999 => CloseClass::Library,
            4000..=4999 => CloseClass::Private,
        }
    }

    /// Whether an endpoint may put this code into a Close frame today.
    pub const fn is_sendable(self) -> bool {
        match self.class() {
            CloseClass::Defined
            | CloseClass::Registered
            | CloseClass::Library
            | CloseClass::Private => true,
            CloseClass::Reserved
            | CloseClass::NeverSent
            | CloseClass::Unassigned
            | CloseClass::OutOfRange => false,
        }
    }
}

impl CloseCode {
    /// Whether an endpoint may send it, and a library need not know it: registered after RFC 6455,
    /// a library's or a private one.
    pub(crate) const fn is_unusual(self) -> bool {
        self.is_sendable() && !matches!(self.class(), CloseClass::Defined)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

/// A Close frame's payload, taken apart (RFC 6455 section 5.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosePayload<'a> {
    /// No payload: no code, no reason.
    Empty,
    /// One byte, which no code fits into: illegal.
    OneByte(u8),
    /// A code and the bytes of a reason, which may be empty and may be bad UTF-8.
    Code(CloseCode, &'a [u8]),
}

impl<'a> ClosePayload<'a> {
    /// Takes `payload`, already unmasked, apart. Never fails.
    pub const fn parse(payload: &'a [u8]) -> Self {
        match payload {
            [] => Self::Empty,
            [one] => Self::OneByte(*one),
            [high, low, reason @ ..] => {
                Self::Code(CloseCode(u16::from_be_bytes([*high, *low])), reason)
            }
        }
    }

    /// The code, where there is one.
    pub const fn code(&self) -> Option<CloseCode> {
        match self {
            Self::Empty | Self::OneByte(_) => None,
            Self::Code(code, _) => Some(*code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_a_frame_may_carry_are_exactly_these() {
        let sendable: Vec<u16> =
            (0..=u16::MAX).filter(|&code| CloseCode(code).is_sendable()).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(sendable, expected);
    }

    #[test]
    fn a_payload_of_one_byte_has_no_code() {
        assert_eq!(ClosePayload::parse(&[3]), ClosePayload::OneByte(3));
        assert_eq!(ClosePayload::parse(&[3]).code(), None);
        assert_eq!(ClosePayload::parse(&[0x03, 0xe8]).code(), Some(CloseCode::NORMAL));
    }
}
