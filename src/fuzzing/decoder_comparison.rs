//! The fuzz target `wire`: compares our decoder with tungstenite's on the same bytes.
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
const MAX_STREAM: usize = 70_000;

/// Theirs is to read any frame that fits into such a stream, and no other.
const TUNGSTENITE_LIMIT: usize = 2 * MAX_STREAM;

/// Registered at IANA after RFC 6455 (bad gateway); theirs does not know it.
const BAD_GATEWAY: u16 = 1014;

/// The most bytes of a control frame's payload that our decoder keeps.
const MAX_CONTROL_PAYLOAD: usize = 125;

/// Reads frames with both decoders. The input's first byte says who sends (its lowest
/// bit: 0 a client, 1 a server) and, in the others, how large the pieces are that ours is
/// fed in, less one. `false` where there is no more, or too much.
///
/// # Panics
///
/// If the two do not read the same frames, or do not refuse the same one.
pub fn wire(data: &[u8]) -> bool {
    let Some((&choice, stream)) = data.split_first() else { return false };
    if stream.len() > MAX_STREAM {
        return false;
    }
    let sender = if choice & 1 == 0 { Role::Client } else { Role::Server };
    let pieces = usize::from(choice >> 1) + 1;
    let whole = DecodedStream::of(sender, stream, stream.len().max(1));
    let cut = DecodedStream::of(sender, stream, pieces);
    assert_eq!(whole, cut, "in pieces of {pieces} bytes it is something else");
    compare(&whole, sender);
    !stream.is_empty()
}

/// A frame, as far as both decoders report it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ComparedFrame {
    head: Head,
    /// A control frame's payload, unmasked, as far as our decoder keeps it.
    body: Vec<u8>,
}

impl ComparedFrame {
    fn is_close(&self) -> bool {
        self.head.opcode == Opcode::CLOSE
    }
}

/// Why a frame is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RefusalKind {
    Protocol,
    Text,
    Close,
}

impl From<Fault> for RefusalKind {
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
struct DecodedStream {
    /// The frames, with where each ends in `stream`.
    frames: Vec<(ComparedFrame, usize)>,
    /// Why the frame after the `accepted` ones is refused. It is the last in `frames`, or is
    /// too long to be there.
    refused: Option<RefusalKind>,
    accepted: usize,
    /// The bytes, and zeros up to the end of a frame that is refused before it is whole.
    stream: Vec<u8>,
}

impl DecodedStream {
    fn of(sender: Role, bytes: &[u8], step: usize) -> Self {
        let mut decoder = Decoder::new(sender);
        let stream = bytes.to_vec();
        let mut decoded = Self { frames: Vec::new(), refused: None, accepted: 0, stream };
        let mut at = 0;
        for piece in bytes.chunks(step) {
            at += piece.len();
            if decoded.feed(&mut decoder, piece, at) {
                return decoded;
            }
        }
        let zeros = [0; 1024];
        while decoded.refused.is_some() && decoded.stream.len() < MAX_STREAM {
            decoded.stream.extend(zeros);
            if decoded.feed(&mut decoder, &zeros, decoded.stream.len()) {
                break;
            }
        }
        decoded
    }

    /// Feeds a piece that ends at `to` in the stream; true once a refused frame has ended.
    fn feed(&mut self, decoder: &mut Decoder, mut piece: &[u8], to: usize) -> bool {
        while let Some(item) = decoder.next(&mut piece) {
            match item {
                Item::Started(_) | Item::Fault(Fault::LengthNotMinimal) => {}
                Item::Fault(fault) => {
                    self.refused.get_or_insert(RefusalKind::from(fault));
                }
                Item::Frame(head) => {
                    let end = to - piece.len();
                    self.frames.push((ComparedFrame { head, body: decoder.body().to_vec() }, end));
                    if self.refused.is_some() {
                        self.stream.truncate(end);
                        return true;
                    }
                    self.accepted += 1;
                }
            }
        }
        false
    }
}

/// # Panics
///
/// Where tungstenite sees something else than `decoded` in what `sender` sends.
fn compare(decoded: &DecodedStream, sender: Role) {
    let mut socket = FrameSocket::from_partially_read(Cursor::new([]), decoded.stream.clone());
    for (index, (ours, _)) in decoded.frames.iter().enumerate() {
        match socket.read(Some(TUNGSTENITE_LIMIT)) {
            Ok(Some(theirs)) => assert_eq!(*ours, ComparedFrame::from(&theirs), "frame {index}"),
            Err(Error::Protocol(ProtocolError::InvalidOpcode(_))) if index == decoded.accepted => {
                break;
            }
            other => panic!("frame {index} is {ours:?}, not {other:?}"),
        }
    }
    if decoded.refused.is_none() {
        let next = socket.read(Some(TUNGSTENITE_LIMIT));
        let end = matches!(next, Ok(None) | Err(Error::Capacity(_)));
        assert!(end, "there is no frame more, not {next:?}");
    }
    let mut tungstenite = TungsteniteEnd::new(sender);
    let mut start = 0;
    for (index, (ours, end)) in decoded.frames.iter().enumerate() {
        let refused = tungstenite.read(&decoded.stream[start..*end], ours);
        let expected = decoded.refused.filter(|_| index == decoded.accepted);
        assert_eq!(expected, refused, "frame {index}, {ours:?}");
        start = *end;
        if ours.is_close() {
            return;
        }
    }
}

impl From<&Frame> for ComparedFrame {
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
            body.extend(plain.take(MAX_CONTROL_PAYLOAD));
        }
        Self { head, body }
    }
}

/// The other end of the connection, on tungstenite, fed a frame at a time.
struct TungsteniteEnd {
    socket: WebSocket<MemoryStream>,
}

impl TungsteniteEnd {
    fn new(sender: Role) -> Self {
        let role = match sender {
            Role::Client => protocol::Role::Server,
            Role::Server => protocol::Role::Client,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(1024)
            .max_frame_size(Some(TUNGSTENITE_LIMIT))
            .max_message_size(Some(1 << 20));
        Self {
            socket: WebSocket::from_raw_socket(MemoryStream(Cursor::default()), role, Some(config)),
        }
    }

    /// Reads the whole frame `bytes`, which is `frame`: why it is refused, if it is.
    fn read(&mut self, bytes: &[u8], frame: &ComparedFrame) -> Option<RefusalKind> {
        self.socket.get_mut().0 = Cursor::new(bytes.to_vec());
        loop {
            return match self.socket.read() {
                Ok(Message::Close(close)) => {
                    let reported = close.map(|close| u16::from(close.code));
                    let sent = ClosePayload::parse(&frame.body).code().map(|code| code.0);
                    let compared = reported != sent && sent != Some(BAD_GATEWAY);
                    compared.then_some(RefusalKind::Close)
                }
                Ok(_) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(Error::Utf8(_)) if frame.is_close() => Some(RefusalKind::Close),
                Err(Error::Protocol(ProtocolError::InvalidCloseSequence)) => {
                    Some(RefusalKind::Close)
                }
                Err(Error::Utf8(_)) => Some(RefusalKind::Text),
                Err(_) => Some(RefusalKind::Protocol),
            };
        }
    }
}

/// A stream that has what it was given, then nothing yet, and takes all that is sent.
struct MemoryStream(Cursor<Vec<u8>>);

impl Read for MemoryStream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.0.read(to)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for MemoryStream {
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

    fn from_client(bytes: &[u8]) -> DecodedStream {
        let decoded = DecodedStream::of(Role::Client, bytes, 3);
        compare(&decoded, Role::Client);
        decoded
    }

    #[test]
    fn both_decoders_refuse_the_same_frame_for_the_same_kind_of_reason() {
        let client = FrameHead::client;
        let ping = frame(client(Opcode::PING), b"x");
        let refused = |bad: Vec<u8>| {
            let decoded = from_client(&[ping.clone(), bad, ping.clone()].concat());
            assert_eq!((decoded.accepted, decoded.frames.len()), (1, 2));
            decoded.refused.expect("refused")
        };
        let close = client(Opcode::CLOSE);
        assert_eq!(refused(frame(close, &[3])), RefusalKind::Close);
        assert_eq!(refused(frame(close, &1005_u16.to_be_bytes())), RefusalKind::Close);
        assert_eq!(refused(frame(close, b"\x03\xe8\xff")), RefusalKind::Close);
        assert_eq!(refused(frame(client(Opcode::TEXT), b"\xff")), RefusalKind::Text);
        assert_eq!(refused(frame(FrameHead::server(Opcode::TEXT), b"x")), RefusalKind::Protocol);
        assert_eq!(refused(frame(client(Opcode::new(3)), b"x")), RefusalKind::Protocol);
        assert_eq!(refused(frame(client(Opcode::PING), &[0; 126])), RefusalKind::Protocol);
    }

    #[test]
    fn both_decoders_refuse_a_frame_once_a_byte_proves_its_fault() {
        for bad in [&[0xc1][..], &[0x83], &[0x09], &[0x80], &[0x81, 0x05], &[0x89, 0xfe, 0, 126]] {
            let decoded = from_client(bad);
            assert_eq!(
                (decoded.refused, decoded.accepted),
                (Some(RefusalKind::Protocol), 0),
                "{bad:?}"
            );
            assert_eq!(decoded.frames.len(), 1, "{bad:?} was made whole");
        }
    }

    #[test]
    fn a_frame_close_to_the_longest_compared_length_has_one_verdict() {
        for length in (MAX_STREAM - 20..MAX_STREAM + 2_000).step_by(7) {
            let text = frame(FrameHead::client(Opcode::TEXT), &vec![b'\xff'; length]);
            assert_eq!(from_client(&text[..20]).refused, Some(RefusalKind::Text), "{length}");
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
    fn a_frame_that_only_one_decoder_refuses_panics() {
        let unmasked = frame(FrameHead::server(Opcode::TEXT), b"x");
        compare(&DecodedStream::of(Role::Server, &unmasked, 1), Role::Client);
    }

    #[test]
    #[should_panic(expected = "there is no frame more")]
    fn a_frame_that_only_tungstenite_reads_panics() {
        let ping = frame(FrameHead::client(Opcode::PING), b"x");
        let mut decoded = DecodedStream::of(Role::Client, &ping, 1);
        decoded.frames.clear();
        compare(&decoded, Role::Client);
    }
}
