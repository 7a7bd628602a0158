//! What a changed server sends: its frames, of which some go on changed.
//!
//! Bytes of frames that stay as they are pass as the server writes them, so that room and
//! blocking are its own. A frame that is changed is taken from the server whole first.

use super::Change;
use crate::wire::{Decoder, FrameHead, Item, LengthForm, MASK, Opcode, Role};

/// How a server's opening begins that opens a WebSocket.
const SWITCHING: &[u8] = b"HTTP/1.1 101";

/// What becomes of the frame at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameAction {
    /// It goes on as it is.
    Pass,
    /// It is taken whole, and changed.
    Change,
}

/// How far the server's stream has got.
#[derive(Clone)]
struct Position {
    /// How many bytes of the opening there were, and the last four of them.
    opening: Option<(usize, [u8; 4])>,
    /// How an opening begins that has frames behind it.
    begins: &'static [u8],
    /// Whether this one does, as far as it says.
    opens: bool,
    decoder: Decoder,
    action: FrameAction,
    frames: usize,
    messages: usize,
    closes: usize,
}

impl Position {
    /// Moves on to the end of what is at hand, or of `bytes`: how many bytes that are, and
    /// whether a frame ended with them.
    fn advance(
        &mut self,
        bytes: &[u8],
        action: impl Fn(&Self, Opcode) -> FrameAction,
    ) -> (usize, bool) {
        if let Some((length, last)) = &mut self.opening {
            for (index, byte) in bytes.iter().enumerate() {
                self.opens &= self.begins.get(*length).is_none_or(|wanted| wanted == byte);
                *length += 1;
                *last = [last[1], last[2], last[3], *byte];
                if last == b"\r\n\r\n" && self.opens {
                    self.opening = None;
                    return (index + 1, false);
                }
            }
            return (bytes.len(), false);
        }
        let Some(first) = bytes.first() else { return (0, false) };
        if self.decoder.is_between_frames() {
            let opcode = Opcode::new(*first);
            self.action = action(self, opcode);
            self.frames += 1;
            self.messages += usize::from(is_message(opcode));
            self.closes += usize::from(opcode == Opcode::CLOSE);
        }
        let mut rest = bytes;
        while let Some(item) = self.decoder.next(&mut rest) {
            if matches!(item, Item::Frame(_)) {
                return (bytes.len() - rest.len(), true);
            }
        }
        (bytes.len(), false)
    }
}

/// Whether a message begins with a frame of this opcode. The servers that are changed send no
/// fragments.
fn is_message(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::TEXT | Opcode::BINARY)
}

/// The server's stream with its change.
pub(super) struct Output {
    change: Change,
    sender: Role,
    position: Position,
    /// The frame that is being taken, or was kept for later.
    taken: Vec<u8>,
    kept: Vec<u8>,
    /// Whether all that comes is thrown away.
    muted: bool,
    /// What is to be sent next, before anything of the server's.
    pub pending: Vec<u8>,
    /// Whether FIN is to be sent behind `pending`.
    pub ends: bool,
}

impl Output {
    pub fn new(change: Change, sender: Role) -> Self {
        let begins = match sender {
            Role::Server => SWITCHING,
            Role::Client => &[],
        };
        let position = Position {
            opening: Some((0, [0; 4])),
            begins,
            opens: true,
            decoder: Decoder::new(sender),
            action: FrameAction::Pass,
            frames: 0,
            messages: 0,
            closes: 0,
        };
        let (taken, kept, pending) = (Vec::new(), Vec::new(), Vec::new());
        Self { change, sender, position, taken, kept, muted: false, pending, ends: false }
    }

    /// How many of the server's next bytes go on as they are. `answers`: the server had read a
    /// Close of the client's.
    pub fn passing(&self, bytes: &[u8], answers: bool) -> usize {
        if self.muted {
            return 0;
        }
        let mut position = self.position.clone();
        let mut passing = 0;
        while passing < bytes.len() {
            let decide = |position: &Position, opcode| self.action(position, opcode, answers);
            let (count, _) = position.advance(&bytes[passing..], decide);
            if position.action == FrameAction::Change {
                break;
            }
            passing += count;
        }
        passing
    }

    /// These bytes of the server's went on as they are.
    pub fn passed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (count, _) = self.position.advance(bytes, |_, _| FrameAction::Pass);
            bytes = &bytes[count..];
        }
    }

    /// Takes bytes from the server, none of which pass: how many.
    pub fn take(&mut self, bytes: &[u8], answers: bool) -> usize {
        if self.muted {
            return bytes.len();
        }
        let mut position = self.position.clone();
        let decide = |position: &Position, opcode| self.action(position, opcode, answers);
        let (count, ended) = position.advance(bytes, decide);
        self.position = position;
        self.taken.extend_from_slice(&bytes[..count]);
        if ended {
            self.position.action = FrameAction::Pass;
            let frame = std::mem::take(&mut self.taken);
            self.send_changed(&frame);
        }
        count
    }

    /// What becomes of a frame that begins at `position`.
    fn action(&self, position: &Position, opcode: Opcode, answers: bool) -> FrameAction {
        let first_close = opcode == Opcode::CLOSE && position.closes == 0;
        let number = position.messages;
        let changed = match self.change {
            Change::Nothing
            | Change::EndLater(_)
            | Change::NeverEnd
            | Change::HideMessage(_)
            | Change::ServeViolations => false,
            Change::DropAnswer
            | Change::CutAnswer(_)
            | Change::RecodeAnswer(_)
            | Change::FinBeforeAnswer => first_close && answers,
            Change::FinBeforeOwnClose | Change::LeaveOutOwnClose | Change::CutOwnClose(_) => {
                first_close && !answers
            }
            Change::CloseTwice
            | Change::DataBehindClose
            | Change::BytesBehindClose
            | Change::MaskClose => first_close,
            Change::MaskFrame(masked) => position.frames == masked,
            Change::SameKey => true,
            Change::LoseMessage(lost) => is_message(opcode) && number == lost,
            Change::SwapMessages(first) => {
                is_message(opcode) && (number == first || number == first + 1)
            }
        };
        if changed { FrameAction::Change } else { FrameAction::Pass }
    }

    /// Makes what is sent instead of a frame.
    fn send_changed(&mut self, frame: &[u8]) {
        let usual = |opcode| match self.sender {
            Role::Server => FrameHead::server(opcode),
            Role::Client => FrameHead::client(opcode),
        };
        let out = &mut self.pending;
        match self.change {
            Change::Nothing
            | Change::EndLater(_)
            | Change::NeverEnd
            | Change::HideMessage(_)
            | Change::ServeViolations => out.extend(frame),
            Change::DropAnswer | Change::LeaveOutOwnClose => self.muted = true,
            Change::CutAnswer(at) | Change::CutOwnClose(at) => {
                out.extend(&frame[..at.min(frame.len() - 1)]);
                self.muted = true;
            }
            Change::RecodeAnswer(code) => {
                let payload = code.map(u16::to_be_bytes);
                let payload = payload.as_ref().map_or(&[][..], |code| &code[..]);
                usual(Opcode::CLOSE).encode(payload, out);
            }
            Change::FinBeforeAnswer | Change::FinBeforeOwnClose => {
                self.ends = true;
                self.muted = true;
            }
            Change::CloseTwice => out.extend([frame, frame].concat()),
            Change::DataBehindClose => {
                out.extend(frame);
                usual(Opcode::TEXT).encode(b"late", out);
            }
            // Its first byte, read as a frame's, has reserved bits.
            Change::BytesBehindClose => out.extend([frame, b"bye"].concat()),
            Change::MaskClose | Change::MaskFrame(_) => match self.sender {
                Role::Server => masked(frame, Some(MASK), out),
                Role::Client => masked(frame, None, out),
            },
            Change::SameKey => masked(frame, Some(MASK), out),
            Change::LoseMessage(_) => {}
            Change::SwapMessages(_) if self.kept.is_empty() => self.kept = frame.to_vec(),
            Change::SwapMessages(_) => {
                out.extend(frame);
                out.append(&mut self.kept);
            }
        }
    }
}

/// The same frame with this mask, or with none.
fn masked(frame: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let (length, header) = match frame[1] & 0x7f {
        126 => (LengthForm::Bits16, 4),
        127 => (LengthForm::Bits64, 10),
        _ => (LengthForm::Minimal, 2),
    };
    let head = FrameHead {
        fin: frame[0] & 0x80 != 0,
        rsv: frame[0] >> 4 & 7,
        opcode: Opcode::new(frame[0]),
        mask,
        length,
    };
    let mut payload = frame[header..].to_vec();
    if frame[1] & 0x80 != 0 {
        let key: Vec<u8> = payload.drain(..4).collect();
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }
    head.encode(&payload, out);
}
