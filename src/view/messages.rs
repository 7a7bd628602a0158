//! Messages of one direction: fragments put together, as an application knows them.
//!
//! It ends where frames cannot be trusted any more, and judges none of them.

use super::Frame;
use crate::exchange::fingerprint;
use crate::wire::Opcode;
use std::ops::Range;

/// A text or binary message, whole or as far as it came.
#[derive(Clone, Debug)]
pub struct Message {
    /// Text, or else binary.
    pub text: bool,
    /// The event that carried its first byte.
    pub started: usize,
    /// The event that carried its last byte; `None` where it never came.
    pub ended: Option<usize>,
    /// Which of the direction's frames is its last so far.
    pub last_frame: usize,
    /// Its payload's length in bytes; of one that is not whole, that of its whole frames.
    pub bytes: usize,
    /// Where its payload is in the stream, frame by frame, each with its masking key.
    pieces: Vec<(Range<usize>, Option<[u8; 4]>)>,
}

impl Message {
    /// The fingerprint of its payload.
    pub fn fingerprint(&self, stream: &[u8]) -> u64 {
        if let [(range, None)] = &self.pieces[..] {
            return fingerprint(&stream[range.clone()]);
        }
        let mut payload = Vec::with_capacity(self.bytes);
        for (range, key) in &self.pieces {
            let key = key.unwrap_or_default();
            let plain = stream[range.clone()].iter().zip(key.iter().cycle());
            payload.extend(plain.map(|(byte, key)| byte ^ key));
        }
        fingerprint(&payload)
    }

    /// Takes one of its frames, which stands in `stream` up to its end.
    fn take(&mut self, frame: &Frame, index: usize, stream: &[u8]) {
        self.last_frame = index;
        let Some(head) = frame.head.filter(|_| frame.ended.is_some()) else { return };
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        let Some(begin) = frame.end_offset.checked_sub(length) else { return };
        let key = begin.checked_sub(4).and_then(|at| stream.get(at..begin)?.try_into().ok());
        self.bytes += length;
        self.pieces.push((begin..frame.end_offset, key.filter(|_| head.masked)));
        self.ended = frame.ended.filter(|_| head.fin);
    }
}

/// The messages in `frames`, which `stream` holds, up to the first frame that breaks a rule of
/// the wire; a Close's payload may.
pub fn messages(frames: &[Frame], stream: &[u8]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        if frame.fault.is_some() && !(frame.is_close() && frame.has_sound_frame()) {
            break;
        }
        if !frame.opcode.is_data() {
            continue;
        }
        if frame.opcode != Opcode::CONTINUATION {
            messages.push(Message {
                text: frame.opcode == Opcode::TEXT,
                started: frame.started,
                ended: None,
                last_frame: index,
                bytes: 0,
                pieces: Vec::new(),
            });
        }
        if let Some(message) = messages.last_mut() {
            message.take(frame, index, stream);
        }
    }
    messages
}
