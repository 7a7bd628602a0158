//! A second decoder, written from RFC 6455 and as plainly as can be: it has the whole stream
//! in one buffer, and looks things up where they stand.

use hangup::wire::{CloseCode, Fault, Head, Item, Opcode, Role, Started};

/// Something found, with how many bytes of the stream it takes to know it, and the payload
/// of a control frame that is complete with it.
pub type Found = (usize, Item, Vec<u8>);

/// A message that has begun: where it is text, the bytes of the character at hand. Once it is
/// bad text, it counts as none.
struct Message {
    text: Option<Vec<u8>>,
}

/// All that is to be found in what `sender` sends.
pub fn decode(sender: Role, stream: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut message = None;
    let mut at = 0;
    while let Some(next) = frame(sender, stream, at, &mut message, &mut found) {
        at = next;
    }
    found
}

/// Reads the frame at `start`; where the next one begins, if this one is complete.
fn frame(
    sender: Role,
    stream: &[u8],
    start: usize,
    message: &mut Option<Message>,
    found: &mut Vec<Found>,
) -> Option<usize> {
    let bytes = &stream[start..];
    let first = *bytes.first()?;
    let opcode = Opcode::new(first);
    found.push((start + 1, Item::Started(Started { opcode }), Vec::new()));
    let mut faults = Faults { start, faulted: false, found };
    faults.first(first_byte(first, message.is_some()), 1);
    let second = *bytes.get(1)?;
    let masked = second & 0x80 != 0;
    match sender {
        Role::Client if !masked => faults.first(Some(Fault::Unmasked), 2),
        Role::Server if masked => faults.first(Some(Fault::Masked), 2),
        Role::Client | Role::Server => {}
    }
    let wide = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if wide == 8 && bytes.get(2)? & 0x80 != 0 {
        faults.first(Some(Fault::LengthTopBit), 3);
    }
    let length = match wide {
        0 => u64::from(second & 0x7f),
        _ => bytes.get(2..2 + wide)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let least = [0, 126, 0x1_0000][[0, 2, 8].iter().position(|size| *size == wide)?];
    if opcode.is_control() && length > 125 {
        faults.first(Some(Fault::LongControl(opcode)), 2 + wide);
    } else if length < least {
        faults.beside(Fault::LengthNotMinimal, 2 + wide);
    }
    let key_at = 2 + wide;
    let key = if masked { bytes.get(key_at..key_at + 4)? } else { &[0; 4] };
    let body = key_at + if masked { 4 } else { 0 };
    if opcode == Opcode::TEXT || opcode == Opcode::BINARY {
        *message = Some(Message { text: (opcode == Opcode::TEXT).then(Vec::new) });
    }
    let plain: Vec<u8> =
        bytes[body..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let here = plain.len().min(usize::try_from(length).unwrap_or(usize::MAX));
    let fin = first & 0x80 != 0;
    let whole = here as u64 == length;
    if let Some(text) = message.as_mut().filter(|_| opcode.is_data()) {
        text.take(&plain[..here], fin && whole, body, &mut faults);
    }
    if !whole {
        return None;
    }
    let kept = if opcode.is_control() { plain[..here.min(125)].to_vec() } else { Vec::new() };
    if opcode == Opcode::CLOSE {
        faults.first(close(&kept), body + here);
    }
    if opcode.is_data() && fin {
        *message = None;
    }
    let head = Head { fin, rsv: first >> 4 & 7, opcode, masked, length };
    found.push((start + body + here, Item::Frame(head), kept));
    Some(start + body + here)
}

impl Message {
    fn take(&mut self, payload: &[u8], ends: bool, body: usize, faults: &mut Faults<'_>) {
        let Some(text) = &mut self.text else { return };
        for (index, byte) in payload.iter().enumerate() {
            text.push(*byte);
            match std::str::from_utf8(text) {
                Ok(_) => text.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => {
                    faults.first(Some(Fault::TextNotUtf8), body + index + 1);
                    self.text = None;
                    return;
                }
            }
        }
        if ends && !text.is_empty() {
            faults.first(Some(Fault::TextNotUtf8), body + payload.len());
        }
    }
}

fn first_byte(first: u8, inside: bool) -> Option<Fault> {
    let (fin, rsv) = (first & 0x80 != 0, first >> 4 & 7);
    let opcode = Opcode::new(first);
    match opcode.bits() {
        _ if rsv != 0 => Some(Fault::ReservedBits(rsv)),
        3..=7 | 11.. => Some(Fault::ReservedOpcode(opcode)),
        8..=10 if !fin => Some(Fault::FragmentedControl(opcode)),
        0 if !inside => Some(Fault::LoneContinuation),
        1 | 2 if inside => Some(Fault::InterruptedMessage),
        _ => None,
    }
}

fn close(payload: &[u8]) -> Option<Fault> {
    let code = match payload.len() {
        0 => return None,
        1 => return Some(Fault::CloseOneByte),
        _ => u16::from(payload[0]) << 8 | u16::from(payload[1]),
    };
    let sendable = [1000..=1003, 1007..=1014, 3000..=4999];
    if !sendable.iter().any(|range| range.contains(&code)) {
        return Some(Fault::CloseCode(CloseCode(code)));
    }
    std::str::from_utf8(&payload[2..]).is_err().then_some(Fault::CloseReasonNotUtf8)
}

/// The faults of one frame: of those that count the first, and a wide length beside it.
struct Faults<'a> {
    start: usize,
    faulted: bool,
    found: &'a mut Vec<Found>,
}

impl Faults<'_> {
    fn first(&mut self, fault: Option<Fault>, known: usize) {
        if let Some(fault) = fault {
            self.beside(fault, known);
            self.faulted = true;
        }
    }

    fn beside(&mut self, fault: Fault, known: usize) {
        if !self.faulted {
            self.found.push((self.start + known, Item::Fault(fault), Vec::new()));
        }
    }
}
