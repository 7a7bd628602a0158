//! Simpler sends for raw bytes: fewer of them, or the frame that they begin.

use crate::script::{Content, DeclaredLength, Frame, Kind, Length, Masking};
use crate::wire::Opcode;

/// The most of raw bytes that are read as a frame's payload.
const MAX_PAYLOAD: usize = 300;

/// `bytes` without a part of them: half, then a single byte, from either end.
pub(super) fn fewer(bytes: &[u8]) -> Vec<Content> {
    let len = bytes.len();
    if len < 2 {
        return Vec::new();
    }
    let parts = [&bytes[..len / 2], &bytes[len / 2..], &bytes[..len - 1], &bytes[1..]];
    parts.into_iter().map(|part| Content::Bytes(part.to_vec())).collect()
}

/// The frame that `bytes` begin, where a whole header is in them. What comes behind the frame
/// is left out, and so is a masking key of their own.
pub(super) fn frame(bytes: &[u8]) -> Option<Frame> {
    let [first, second, rest @ ..] = bytes else { return None };
    let (form, length, rest) = match second & 0x7f {
        127 => {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            (Length::Bits64, u64::from_be_bytes(*length), rest)
        }
        126 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (Length::Bits16, u64::from(u16::from_be_bytes(*length)), rest)
        }
        short => (Length::Minimal, u64::from(short), rest),
    };
    let masked = second & 0x80 != 0;
    let (key, rest) = if masked {
        let (key, rest) = rest.split_first_chunk::<4>()?;
        (*key, rest)
    } else {
        ([0; 4], rest)
    };
    let most = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_PAYLOAD);
    let payload = &rest[..rest.len().min(most)];
    let payload: Vec<u8> =
        payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let length_form = match (form, length) {
        (Length::Bits16, 126..) | (Length::Bits64, 0x1_0000..) => Length::Minimal,
        (form, _) => form,
    };
    let declares = (payload.len() as u64 != length).then_some(DeclaredLength(length));
    Some(Frame {
        kind: kind(Opcode::new(first & 0xf), payload),
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 7,
        mask: if masked { Masking::Usual } else { Masking::Unmasked },
        length: length_form,
        declares,
    })
}

fn kind(opcode: Opcode, payload: Vec<u8>) -> Kind {
    let content = |bytes: Vec<u8>| {
        if bytes.is_empty() { Content::Empty } else { Content::Bytes(bytes) }
    };
    match opcode {
        Opcode::TEXT => Kind::Text(content(payload)),
        Opcode::BINARY => Kind::Binary(content(payload)),
        Opcode::CONTINUATION => Kind::Continuation(content(payload)),
        Opcode::PING => Kind::Ping(content(payload)),
        Opcode::PONG => Kind::Pong(content(payload)),
        Opcode::CLOSE => match payload.split_first_chunk::<2>() {
            Some((code, reason)) => {
                Kind::Close(Some(u16::from_be_bytes(*code)), content(reason.to_vec()))
            }
            None => Kind::Close(None, content(payload)),
        },
        other => Kind::Other(other, content(payload)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Act, Script, Unit};

    #[test]
    fn the_bytes_of_a_frame_are_read_back_as_that_frame() {
        for line in [
            "binary hex 01ff",
            "unfinished text declares 2^64-1",
            "unmasked rsv 5 ping declares 126",
            "16-bit close 1000 hex 41 declares 5",
            "64-bit pong",
            "close hex 03",
            "opcode 3 declares 2^16",
            "continuation hex 00 declares 2^63",
        ] {
            let script: Script = line.parse().expect(line);
            let Act::Send(send) = &script.steps[0].act else { panic!("{line} is no send") };
            let mut bytes = Vec::new();
            send.unit.encode(&mut bytes);
            let read = frame(&bytes).map(Unit::Frame);
            assert_eq!(read.as_ref(), Some(&send.unit), "{line}");
            bytes.truncate(if matches!(bytes[1] & 0x7f, 0..126) { 5 } else { 7 });
            assert_eq!(frame(&bytes).is_some(), bytes[1] & 0x80 == 0, "{line}: half a header");
        }
        assert_eq!(frame(b"\x81"), None);
    }

    #[test]
    fn bytes_are_tried_by_halves_and_without_either_end() {
        let fewer = |bytes: &[u8]| {
            fewer(bytes).into_iter().map(|content| content.bytes().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(fewer(b"abcd"), [&b"ab"[..], b"cd", b"abc", b"bcd"]);
        assert_eq!(fewer(b"a"), [b""; 0]);
    }
}
