//! `wire`: our decoder against tungstenite's, on the same bytes.
//!
//! Compared are every frame (FIN, reserved bits, opcode, mask, length, a control frame's
//! payload), and the verdict: the first frame that is refused, and whether as a breach of
//! the protocol or as bad text. Our own decoder is also fed in pieces, which must not
//! matter.
//!
//! Where the two differ by design, and what is done about it:
//!
//! * Ours refuses with the byte that proves a fault, theirs a whole frame. So what follows
//!   such a byte is taken as zeros up to the frame's end: proven is what no further byte
//!   can mend. A frame that is too long for that is not compared.
//! * Ours goes on after a fault, theirs stops: frames are compared up to the first one.
//! * Ours mentions a length that is wider than it needs, theirs reads it: no verdict, since
//!   RFC 6455 asks nothing of the receiver.
//! * Theirs takes a Close with a code that no frame may carry, and tells of 1002 in its
//!   place: that counts as refused. So does 1014 with theirs, which ours takes: IANA
//!   registered it after RFC 6455, and its verdict is not compared.
//! * Of a Close with a bad code and a bad reason, ours names the code, theirs the text:
//!   for a Close, only that it is refused is compared.
//! * Theirs reads no frame after a Close: the verdict ends with the first one.

use crate::wire::{ClosePayload, Decoder, Fault, Head, Item, Opcode, Role};
use std::io::{self, Cursor, Read, Write};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameSocket};
use tokio_tungstenite::tungstenite::protocol::{self, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// The longest stream that is made whole with zeros, and so the longest frame, in bytes.
const LONGEST: usize = 70_000;

/// Theirs is to read any frame that fits into such a stream, and no other.
const LIMIT: usize = 2 * LONGEST;

/// Registered at IANA after RFC 6455 (bad gateway); theirs does not know it.
const BAD_GATEWAY: u16 = 1014;

/// The most bytes of a control frame's payload that our decoder keeps.
const CONTROL: usize = 125;

/// Reads frames with both decoders. The input's first byte says who sends (its lowest
/// bit: 0 a client, 1 a server) and, in the others, how large the pieces are that ours is
/// fed in, less one. `false` where there is no more, or too much.
///
/// # Panics
///
/// If the two do not read the same frames, or do not refuse the same one.
pub fn wire(data: &[u8]) -> bool {
    let Some((&choice, stream)) = data.split_first() else { return false };
    if stream.len() > LONGEST {
        return false;
    }
    let sender = if choice & 1 == 0 { Role::Client } else { Role::Server };
    let pieces = usize::from(choice >> 1) + 1;
    let whole = Reading::of(sender, stream, stream.len().max(1));
    let cut = Reading::of(sender, stream, pieces);
    assert_eq!(whole, cut, "in pieces of {pieces} bytes it is something else");
    compare(&whole, sender);
    !stream.is_empty()
}

/// A frame as both see it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    head: Head,
    /// A control frame's payload, unmasked, as far as our decoder keeps it.
    body: Vec<u8>,
}

impl Seen {
    fn is_close(&self) -> bool {
        self.head.opcode == Opcode::CLOSE
    }
}

/// Why a frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Protocol,
    Text,
    Close,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::CloseOneByte | Fault::CloseCode(_) | Fault::CloseReasonNotUtf8 => Self::Close,
            Fault::TextNotUtf8 => Self::Text,
            _ => Self::Protocol,
        }
    }
}

/// What our decoder made of the bytes, up to the end of the first frame that it refuses.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    /// The frames, with where each ends in `stream`.
    frames: Vec<(Seen, usize)>,
    /// Why the frame after the `good` ones is refused. It is the last in `frames`, or is
    /// too long to be there.
    refused: Option<Refused>,
    good: usize,
    /// The bytes, and zeros up to the end of a frame that is refused before it is whole.
    stream: Vec<u8>,
}

impl Reading {
    fn of(sender: Role, bytes: &[u8], step: usize) -> Self {
        let mut decoder = Decoder::new(sender);
        let stream = bytes.to_vec();
        let mut reading = Self { frames: Vec::new(), refused: None, good: 0, stream };
        let mut at = 0;
        for piece in bytes.chunks(step) {
            at += piece.len();
            if reading.feed(&mut decoder, piece, at) {
                return reading;
            }
        }
        let zeros = [0; 1024];
        while reading.refused.is_some() && reading.stream.len() < LONGEST {
            reading.stream.extend(zeros);
            if reading.feed(&mut decoder, &zeros, reading.stream.len()) {
                break;
            }
        }
        reading
    }

    /// Feeds a piece that ends at `to` in the stream; true once a refused frame has ended.
    fn feed(&mut self, decoder: &mut Decoder, mut piece: &[u8], to: usize) -> bool {
        while let Some(item) = decoder.next(&mut piece) {
            match item {
                Item::Started(_) | Item::Fault(Fault::LengthNotMinimal) => {}
                Item::Fault(fault) => {
                    self.refused.get_or_insert(Refused::from(fault));
                }
                Item::Frame(head) => {
                    let end = to - piece.len();
                    self.frames.push((Seen { head, body: decoder.body().to_vec() }, end));
                    if self.refused.is_some() {
                        self.stream.truncate(end);
                        return true;
                    }
                    self.good += 1;
                }
            }
        }
        false
    }
}

/// # Panics
///
/// Where tungstenite sees something else than `reading` in what `sender` sends.
fn compare(reading: &Reading, sender: Role) {
    let mut socket = FrameSocket::from_partially_read(Cursor::new([]), reading.stream.clone());
    for (index, (ours, _)) in reading.frames.iter().enumerate() {
        match socket.read(Some(LIMIT)) {
            Ok(Some(theirs)) => assert_eq!(*ours, Seen::from(&theirs), "frame {index}"),
            Err(Error::Protocol(ProtocolError::InvalidOpcode(_))) if index == reading.good => break,
            other => panic!("frame {index} is {ours:?}, not {other:?}"),
        }
    }
    if reading.refused.is_none() {
        let next = socket.read(Some(LIMIT));
        let end = matches!(next, Ok(None) | Err(Error::Capacity(_)));
        assert!(end, "there is no frame more, not {next:?}");
    }
    let mut other_end = OtherEnd::new(sender);
    let mut start = 0;
    for (index, (ours, end)) in reading.frames.iter().enumerate() {
        let refused = other_end.read(&reading.stream[start..*end], ours);
        let expected = reading.refused.filter(|_| index == reading.good);
        assert_eq!(expected, refused, "frame {index}, {ours:?}");
        start = *end;
        if ours.is_close() {
            return;
        }
    }
}

impl From<&Frame> for Seen {
    fn from(frame: &Frame) -> Self {
        let header = frame.header();
        let rsv = [header.rsv1, header.rsv2, header.rsv3];
        let head = Head {
            fin: header.is_final,
            rsv: rsv.iter().fold(0, |bits, bit| bits << 1 | u8::from(*bit)),
            opcode: Opcode::new(header.opcode.into()),
            masked: header.mask.is_some(),
            length: frame.payload().len() as u64,
        };
        let mut body = Vec::new();
        if matches!(header.opcode, OpCode::Control(_)) {
            let key = header.mask.unwrap_or_default();
            let plain =
                frame.payload().iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
            body.extend(plain.take(CONTROL));
        }
        Self { head, body }
    }
}

/// The other end of the connection, on tungstenite, fed a frame at a time.
struct OtherEnd {
    socket: WebSocket<Wire>,
}

impl OtherEnd {
    fn new(sender: Role) -> Self {
        let role = match sender {
            Role::Client => protocol::Role::Server,
            Role::Server => protocol::Role::Client,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(1024)
            .max_frame_size(Some(LIMIT))
            .max_message_size(Some(1 << 20));
        Self { socket: WebSocket::from_raw_socket(Wire(Cursor::default()), role, Some(config)) }
    }

    /// Reads the whole frame `bytes`, which is `seen`: why it is refused, if it is.
    fn read(&mut self, bytes: &[u8], seen: &Seen) -> Option<Refused> {
        self.socket.get_mut().0 = Cursor::new(bytes.to_vec());
        loop {
            return match self.socket.read() {
                Ok(Message::Close(close)) => {
                    let told = close.map(|close| u16::from(close.code));
                    let sent = ClosePayload::parse(&seen.body).code().map(|code| code.0);
                    let compared = told != sent && sent != Some(BAD_GATEWAY);
                    compared.then_some(Refused::Close)
                }
                Ok(_) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(Error::Utf8(_)) if seen.is_close() => Some(Refused::Close),
                Err(Error::Protocol(ProtocolError::InvalidCloseSequence)) => Some(Refused::Close),
                Err(Error::Utf8(_)) => Some(Refused::Text),
                Err(_) => Some(Refused::Protocol),
            };
        }
    }
}

/// A stream that has what it was given, then nothing yet, and takes all that is sent.
struct Wire(Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.0.read(to)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FrameHead;

    fn frame(head: FrameHead, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        head.encode(payload, &mut out);
        out
    }

    fn from_client(bytes: &[u8]) -> Reading {
        let reading = Reading::of(Role::Client, bytes, 3);
        compare(&reading, Role::Client);
        reading
    }

    #[test]
    fn both_refuse_the_same_frame_for_the_same_kind_of_reason() {
        let client = FrameHead::client;
        let ping = frame(client(Opcode::PING), b"x");
        let refused = |bad: Vec<u8>| {
            let reading = from_client(&[ping.clone(), bad, ping.clone()].concat());
            assert_eq!((reading.good, reading.frames.len()), (1, 2));
            reading.refused.expect("refused")
        };
        let close = client(Opcode::CLOSE);
        assert_eq!(refused(frame(close, &[3])), Refused::Close);
        assert_eq!(refused(frame(close, &1005_u16.to_be_bytes())), Refused::Close);
        assert_eq!(refused(frame(close, b"\x03\xe8\xff")), Refused::Close);
        assert_eq!(refused(frame(client(Opcode::TEXT), b"\xff")), Refused::Text);
        assert_eq!(refused(frame(FrameHead::server(Opcode::TEXT), b"x")), Refused::Protocol);
        assert_eq!(refused(frame(client(Opcode::new(3)), b"x")), Refused::Protocol);
        assert_eq!(refused(frame(client(Opcode::PING), &[0; 126])), Refused::Protocol);
    }

    #[test]
    fn a_byte_that_proves_a_fault_is_enough_for_both() {
        for bad in [&[0xc1][..], &[0x83], &[0x09], &[0x80], &[0x81, 0x05], &[0x89, 0xfe, 0, 126]] {
            let reading = from_client(bad);
            assert_eq!((reading.refused, reading.good), (Some(Refused::Protocol), 0), "{bad:?}");
            assert_eq!(reading.frames.len(), 1, "{bad:?} was made whole");
        }
    }

    #[test]
    fn a_frame_about_as_long_as_is_compared_is_compared_or_is_not_there() {
        for length in (LONGEST - 20..LONGEST + 2_000).step_by(7) {
            let text = frame(FrameHead::client(Opcode::TEXT), &vec![b'\xff'; length]);
            assert_eq!(from_client(&text[..20]).refused, Some(Refused::Text), "{length}");
        }
    }

    #[test]
    fn all_close_codes_have_one_verdict() {
        for code in 0..=u16::MAX {
            from_client(&frame(FrameHead::client(Opcode::CLOSE), &code.to_be_bytes()));
        }
    }

    #[test]
    #[should_panic(expected = "frame 0")]
    fn a_frame_that_one_refuses_and_the_other_reads_is_a_finding() {
        let unmasked = frame(FrameHead::server(Opcode::TEXT), b"x");
        compare(&Reading::of(Role::Server, &unmasked, 1), Role::Client);
    }

    #[test]
    #[should_panic(expected = "there is no frame more")]
    fn a_frame_that_only_the_other_reads_is_a_finding() {
        let ping = frame(FrameHead::client(Opcode::PING), b"x");
        let mut reading = Reading::of(Role::Client, &ping, 1);
        reading.frames.clear();
        compare(&reading, Role::Client);
    }
}
