//! The frame encoder. It builds any frame, legal or not (RFC 6455 section 5.2).

use super::{Opcode, Role};

/// The masking key of every frame that hangup sends: the one of RFC 6455's own
/// examples (section 5.7). A fixed key keeps exchanges reproducible, and one that is
/// not zero shows a server that forgets to unmask.
pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How a frame's payload length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthForm {
    /// The shortest form that fits, as section 5.2 demands.
    Minimal,
    /// 16 bits, even where 7 would do (a longer payload still takes 64).
    Bits16,
    /// 64 bits, even where fewer would do.
    Bits64,
}

/// All that a frame's header says but for the length, which is the payload's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2, RSV3 as the bits 4, 2, 1.
    pub rsv: u8,
    /// The opcode.
    pub opcode: Opcode,
    /// The masking key, or `None` for a frame without a mask.
    pub mask: Option<[u8; 4]>,
    /// How to write the length.
    pub length: LengthForm,
}

impl FrameHead {
    /// A legal, final, unmasked frame, as a server sends it.
    pub const fn server(opcode: Opcode) -> Self {
        Self { fin: true, rsv: 0, opcode, mask: None, length: LengthForm::Minimal }
    }

    /// A legal, final frame with the mask [`MASK`], as a client sends it.
    pub const fn client(opcode: Opcode) -> Self {
        Self { mask: Some(MASK), ..Self::server(opcode) }
    }

    /// A legal, final frame, with the mask or without, as `sender` sends it (section 5.1).
    pub const fn sent_by(sender: Role, opcode: Opcode) -> Self {
        match sender {
            Role::Client => Self::client(opcode),
            Role::Server => Self::server(opcode),
        }
    }

    /// Appends the frame with `payload` to `out`, masking it where there is a key.
    pub fn encode(&self, payload: &[u8], out: &mut Vec<u8>) {
        self.encode_declaring(payload.len() as u64, payload, out);
    }

    /// As [`encode`](Self::encode), with a header that says `length`, whatever comes behind it.
    pub fn encode_declaring(&self, length: u64, payload: &[u8], out: &mut Vec<u8>) {
        self.encode_with(length, payload.len(), out, |out| out.extend_from_slice(payload));
    }

    /// The same, with a payload of so many `bytes` that `append` appends.
    pub(crate) fn encode_with(
        &self,
        length: u64,
        bytes: usize,
        out: &mut Vec<u8>,
        append: impl FnOnce(&mut Vec<u8>),
    ) {
        out.reserve(bytes + 14);
        out.push(u8::from(self.fin) << 7 | (self.rsv & 7) << 4 | self.opcode.bits());
        let masked = u8::from(self.mask.is_some()) << 7;
        match (self.length, length) {
            (LengthForm::Minimal, len @ 0..=125) => out.push(masked | len as u8),
            (LengthForm::Minimal | LengthForm::Bits16, len @ 0..=0xffff) => {
                out.push(masked | 0x7e);
                out.extend_from_slice(&(len as u16).to_be_bytes());
            }
            (_, len) => {
                out.push(masked | 0x7f);
                out.extend_from_slice(&len.to_be_bytes());
            }
        }
        let Some(key) = self.mask else { return append(out) };
        out.extend_from_slice(&key);
        let start = out.len();
        append(out);
        apply_mask(&mut out[start..], key, 0);
    }
}

/// Frames without what a client draws anew for each: the keys become zero, and what they masked is
/// plain. Of a key that is cut off, what there is becomes zero too.
pub(super) fn without_masks(mut frames: &mut [u8]) {
    loop {
        let [_, second, rest @ ..] = &*frames else { return };
        let (extended, length) = match second & 0x7f {
            126 => {
                (2, rest.first_chunk::<2>().map(|length| u64::from(u16::from_be_bytes(*length))))
            }
            127 => (8, rest.first_chunk::<8>().map(|length| u64::from_be_bytes(*length))),
            short => (0, Some(u64::from(short))),
        };
        let Some(length) = length else { return };
        let is_masked = second & 0x80 != 0;
        let header = 2 + extended + if is_masked { 4 } else { 0 };
        if frames.len() < header {
            if is_masked {
                frames[2 + extended..].fill(0);
            }
            return;
        }
        let (head, rest) = frames.split_at_mut(header);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        let (payload, next) = rest.split_at_mut(length);
        if is_masked && let Some(key) = head.last_chunk_mut::<4>() {
            apply_mask(payload, *key, 0);
            *key = [0; 4];
        }
        frames = next;
    }
}

/// XORs `bytes` with `key`, of which `offset` bytes have been used before.
pub(super) fn apply_mask(bytes: &mut [u8], mut key: [u8; 4], offset: usize) {
    key.rotate_left(offset % 4);
    // By words: a build for tests does not find them by itself, and a fifth of its time went here.
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (index, byte) in rest.iter_mut().enumerate() {
        *byte ^= key[index % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(head: FrameHead, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        head.encode(payload, &mut out);
        out
    }

    #[test]
    fn frames_without_masks_are_the_same_whatever_their_keys() {
        let stream = |key: [u8; 4]| {
            let mut out = Vec::new();
            for (opcode, length) in
                [(Opcode::TEXT, 5), (Opcode::BINARY, 300), (Opcode::BINARY, 70_000)]
            {
                let head = FrameHead { mask: Some(key), ..FrameHead::server(opcode) };
                head.encode(&vec![b'x'; length], &mut out);
            }
            FrameHead { mask: Some(key), ..FrameHead::server(Opcode::CLOSE) }
                .encode(b"bye", &mut out);
            out
        };
        for cut in [0, 1, 2, 5, 6, 9, 13, 20, 400, 70_000] {
            let without = |key| {
                let mut bytes = stream(key);
                bytes.truncate(bytes.len() - cut);
                without_masks(&mut bytes);
                bytes
            };
            assert_eq!(without([1, 2, 3, 4]), without([0; 4]), "{cut} bytes are missing");
        }
        let mut plain = stream([9, 8, 7, 6]);
        without_masks(&mut plain);
        assert_eq!(plain, stream([0; 4]));
    }

    #[test]
    fn the_examples_of_section_5_7_come_out_byte_for_byte() {
        let text = Opcode::TEXT;
        assert_eq!(
            encoded(FrameHead::server(text), b"Hello"),
            [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]
        );
        assert_eq!(
            encoded(FrameHead::client(text), b"Hello"),
            [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        );
        assert_eq!(
            encoded(FrameHead::server(Opcode::BINARY), &[0; 256])[..4],
            [0x82, 0x7e, 0x01, 0x00]
        );
        assert_eq!(
            encoded(FrameHead::server(Opcode::BINARY), &vec![0; 65536])[..10],
            [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    #[test]
    fn each_role_masks_as_the_other_end_demands() {
        for (sender, masked) in [(Role::Client, true), (Role::Server, false)] {
            let bytes = encoded(FrameHead::sent_by(sender, Opcode::TEXT), b"Hello");
            assert_eq!(bytes[1] & 0x80 != 0, masked, "{sender:?}");
            for (receiver_expects, is_legal) in [(sender, true), (sender.other(), false)] {
                let mut decoder = crate::wire::Decoder::new(receiver_expects);
                let mut rest = bytes.as_slice();
                let items = std::iter::from_fn(|| decoder.next(&mut rest));
                let faults =
                    items.filter(|item| matches!(item, crate::wire::Item::Fault(_))).count();
                assert_eq!(faults == 0, is_legal, "{sender:?} read as {receiver_expects:?}");
            }
        }
    }

    #[test]
    fn a_length_can_be_wider_than_it_needs() {
        let wide = |length| encoded(FrameHead { length, ..FrameHead::server(Opcode::PING) }, b"x");
        assert_eq!(wide(LengthForm::Bits16), [0x89, 126, 0, 1, b'x']);
        assert_eq!(wide(LengthForm::Bits64), [0x89, 127, 0, 0, 0, 0, 0, 0, 0, 1, b'x']);
    }

    #[test]
    fn every_bit_of_the_first_byte_can_be_set() {
        for bits in 0..=u8::MAX {
            let head = FrameHead {
                fin: bits & 0x80 != 0,
                rsv: bits >> 4 & 7,
                ..FrameHead::server(Opcode::new(bits))
            };
            assert_eq!(encoded(head, b""), [bits, 0]);
        }
    }
}
