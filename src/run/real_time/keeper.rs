//! Which of the bytes that a server sent are kept, so that a flood costs little memory.
//!
//! The first bytes are kept as they are, and so is everything that a rule or a drawing needs:
//! the opening, headers, control frames, all from the server's Close on, and all from its first
//! fault on. Of what is left, messages that came whole, and pieces of messages' payload, nothing is
//! needed but their length. They were decoded first: nothing is wrong with what is not kept.
//! It keeps no bytes itself; [`record`](super::record) does.

use crate::view::streams::opening_length;
use crate::wire::{Decoder, Fault, Head, Item, Opcode, Role};
use std::ops::Range;

/// So many bytes are kept, whatever they are.
const WHOLE: usize = 16 << 10;
/// So many reads are kept one by one.
const READS: usize = 512;
/// A piece of a payload that is shorter is not worth a record of its own.
const WORTH: usize = 256;

/// Sorts what one server sends, in order.
#[derive(Debug)]
pub(super) struct Keeper {
    decoder: Decoder,
    /// Whether its opening is complete.
    open: bool,
    /// From here on everything is kept.
    keeps_all: bool,
    /// Of the message at hand, the last that began: text or binary.
    message: Opcode,
    /// Whether a rule was broken by the frame at hand.
    at_fault: bool,
}

impl Default for Keeper {
    fn default() -> Self {
        let decoder = Decoder::new(Role::Server);
        Self { decoder, open: false, keeps_all: false, message: Opcode::BINARY, at_fault: false }
    }
}

impl Keeper {
    /// Which runs of the next `bytes` are not kept, in order. So far `kept` is, of as many `reads`.
    pub fn sort(&mut self, kept: &[u8], reads: usize, bytes: &[u8]) -> Vec<Range<usize>> {
        if self.keeps_all {
            return Vec::new();
        }
        let mut from = 0;
        if !self.open {
            let all = [kept, bytes].concat();
            let Some(opening) = opening_length(Role::Server, &all) else {
                // What is no WebSocket, or very slow to be one, is not looked through again.
                self.keeps_all = all.len() > WHOLE;
                return Vec::new();
            };
            self.open = true;
            from = opening - kept.len();
        }
        let discarded = self.walk(bytes, from);
        if kept.len() < WHOLE && reads < READS { Vec::new() } else { discarded }
    }

    /// Decodes `bytes` from `from` on; which runs of them nobody needs.
    fn walk(&mut self, bytes: &[u8], mut from: usize) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut frame = None;
        while from < bytes.len() && !self.keeps_all {
            let payload = self.decoder.awaited();
            let length = match payload {
                // A header is taken byte by byte.
                None => 1,
                Some(_) => self.decoder.left().min((bytes.len() - from) as u64) as usize,
            };
            let piece = &bytes[from..from + length];
            if self.decoder.is_between_frames() {
                frame = Some(from);
                self.at_fault = false;
            }
            let ended = self.decode(piece);
            let run = from;
            from += length;
            match (ended, frame) {
                (Some(head), Some(start)) if self.is_message(head) => {
                    runs.retain(|run| run.start < start);
                    match runs.last_mut().filter(|last| last.end == start) {
                        Some(last) => last.end = from,
                        None => runs.push(start..from),
                    }
                }
                // What proves a fault has to stay.
                _ if !self.keeps_all && payload.is_some_and(|head| head.opcode.is_data()) => {
                    let idle = self.needless(piece);
                    if idle.len() >= WORTH {
                        runs.push(run + idle.start..run + idle.end);
                    }
                }
                _ => {}
            }
        }
        runs
    }

    /// The frame that `piece` completes.
    fn decode(&mut self, mut piece: &[u8]) -> Option<Head> {
        let mut ended = None;
        while let Some(item) = self.decoder.next(&mut piece) {
            match item {
                Item::Started(started) => match started.opcode {
                    Opcode::CLOSE => self.keeps_all = true,
                    Opcode::TEXT | Opcode::BINARY => self.message = started.opcode,
                    _ => {}
                },
                Item::Fault(fault) => {
                    self.at_fault = true;
                    self.keeps_all |= fault != Fault::LengthNotMinimal;
                }
                Item::Frame(head) => ended = Some(head),
            }
        }
        ended
    }

    /// Whether the frame is a message, whole and faultless.
    fn is_message(&self, head: Head) -> bool {
        head.fin && matches!(head.opcode, Opcode::TEXT | Opcode::BINARY) && !self.at_fault
    }

    /// Which part of a payload's piece nobody needs: of a text it begins and ends between two
    /// characters, so that who passes over it can still tell what is no text behind it.
    fn needless(&self, piece: &[u8]) -> Range<usize> {
        if self.message != Opcode::TEXT {
            return 0..piece.len();
        }
        let rest = piece.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
        let valid = match str::from_utf8(&piece[rest..]) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        rest..rest + valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Stream;
    use crate::wire::{FrameHead, handshake};
    use rand::{RngExt as _, SeedableRng as _};
    use rand_pcg::Pcg64;

    /// What is kept of a stream that comes in pieces: the bytes, and in order how many of them,
    /// or how many that are not kept.
    fn kept(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Result<u32, u64>>) {
        let (mut keeper, mut bytes, mut reads) = (Keeper::default(), Vec::new(), Vec::new());
        for piece in pieces {
            let mut from = 0;
            for run in keeper.sort(&bytes, reads.len(), piece) {
                assert!(from <= run.start && run.start < run.end && run.end <= piece.len());
                bytes.extend(&piece[from..run.start]);
                reads.push(Ok((run.start - from) as u32));
                reads.push(Err(run.len() as u64));
                from = run.end;
            }
            bytes.extend(&piece[from..]);
            reads.push(Ok((piece.len() - from) as u32));
        }
        (bytes, reads)
    }

    /// A frame: its opcode, whether it is complete, its header, its faults, a Close's payload.
    type SeenFrame = (Opcode, bool, Option<Head>, Vec<Fault>, Option<Box<[u8]>>);

    /// What matters of a stream: what is no whole and faultless message.
    #[derive(Debug, PartialEq)]
    struct Seen {
        frames: Vec<SeenFrame>,
        is_inside_frame: bool,
    }

    fn seen(bytes: &[u8], reads: impl IntoIterator<Item = Result<u32, u64>>) -> Seen {
        let mut stream = Stream::new(Role::Server, bytes);
        for read in reads {
            match read {
                Ok(count) => stream.take(count, 0),
                Err(count) => stream.skip(count, 0),
            }
        }
        assert_eq!(stream.taken(), bytes.len());
        let is_inside_frame = stream.is_inside_frame();
        let frames = stream.into_frames().into_iter();
        let matters = frames.filter(|frame| {
            let is_message = matches!(frame.opcode, Opcode::TEXT | Opcode::BINARY)
                && frame.head.is_some_and(|head| head.fin);
            !is_message || !frame.faults.is_empty()
        });
        let of = |frame: crate::view::Frame| {
            let faults = frame.faults.into_iter().map(|(fault, _)| fault).collect();
            (frame.opcode, frame.ended.is_some(), frame.head, faults, frame.close)
        };
        Seen { frames: matters.map(of).collect(), is_inside_frame }
    }

    fn opening() -> Vec<u8> {
        handshake::switching_protocols(handshake::ACCEPT).into_bytes()
    }

    fn frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8]) {
        FrameHead { fin, ..FrameHead::server(opcode) }.encode(payload, out);
    }

    /// A server that sends a lot, perhaps with faults, and perhaps a Close in the end.
    fn flood(rng: &mut Pcg64) -> Vec<u8> {
        let mut bytes = opening();
        let (faults, mut message) = (rng.random_bool(0.3), false);
        for _ in 0..rng.random_range(20..120) {
            let length = [3, 200, 3000, 70_000][rng.random_range(0..4)] / rng.random_range(1..4);
            let text: String =
                (0..length / 3).map(|_| ['a', 'é', '語'][rng.random_range(0..3)]).collect();
            let fin = rng.random_bool(0.8);
            match rng.random_range(0..10) {
                0 => frame(&mut bytes, Opcode::PING, true, b"p"),
                1 => frame(&mut bytes, Opcode::PONG, true, b""),
                _ if faults && rng.random_bool(0.02) => {
                    bytes.extend([0x81, 3, b'a', 0xff, b'b'].iter().chain(text.as_bytes()));
                }
                _ => {
                    let opcode = if message { Opcode::CONTINUATION } else { Opcode::TEXT };
                    message = !fin;
                    let bad = faults && rng.random_bool(0.02);
                    let mut payload = text.into_bytes();
                    if bad && let Some(last) = payload.last_mut() {
                        *last = 0xc3;
                    }
                    frame(&mut bytes, opcode, fin, &payload);
                }
            }
        }
        if rng.random_bool(0.5) {
            frame(&mut bytes, Opcode::CLOSE, true, b"\x03\xe8");
            frame(&mut bytes, Opcode::TEXT, true, &[b'x'; 9000]);
        } else {
            bytes.truncate(bytes.len() - rng.random_range(0..50));
        }
        bytes
    }

    /// The first of the two guards of its truth: whatever is left out, all that rules ask for
    /// is read the same.
    #[test]
    fn what_is_not_kept_changes_nothing_of_what_rules_ask_for() {
        let mut left_out = 0;
        for seed in 0..300 {
            let mut rng = Pcg64::seed_from_u64(seed);
            let bytes = flood(&mut rng);
            let (mut pieces, mut rest) = (Vec::new(), &bytes[..]);
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rng.random_range(1..=16 << 10).min(rest.len()));
                pieces.push(piece);
                rest = more;
            }
            let (kept, reads) = kept(&pieces);
            let all = seen(&bytes, [Ok(bytes.len() as u32)]);
            assert_eq!(seen(&kept, reads), all, "seed {seed}");
            left_out += bytes.len() - kept.len();
        }
        assert!(left_out > 20 << 20, "{left_out}");
    }

    #[test]
    fn of_messages_that_come_whole_nothing_is_kept_beyond_the_first() {
        let (opening, mut few) = (opening(), Vec::new());
        frame(&mut few, Opcode::TEXT, true, b"news");
        let pieces = few.repeat(100);
        let all: Vec<&[u8]> = [&opening[..]].into_iter().chain([&pieces[..]; 1000]).collect();
        let (kept, _) = kept(&all);
        assert!(kept.len() < WHOLE + 2000, "{}", kept.len());
    }

    #[test]
    fn of_one_message_without_an_end_only_its_beginning_is_kept() {
        for (opcode, byte) in [(Opcode::BINARY, 0xff), (Opcode::TEXT, b'x')] {
            let mut bytes = opening();
            bytes.extend([0x80 | opcode.bits(), 127, 0, 0, 0, 1, 0, 0, 0, 0]);
            bytes.resize(8 << 20, byte);
            let (kept, _) = kept(&bytes.chunks(16 << 10).collect::<Vec<_>>());
            assert!(kept.len() < WHOLE * 2, "{}", kept.len());
        }
    }

    #[test]
    fn all_is_kept_of_what_opens_no_websocket_and_behind_a_close_or_a_fault() {
        let long = [b'x'; 100];
        let mut close = opening();
        frame(&mut close, Opcode::CLOSE, true, b"");
        let mut lone = opening();
        frame(&mut lone, Opcode::CONTINUATION, true, b"");
        for mut bytes in [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), close, lone] {
            (0..2000).for_each(|_| frame(&mut bytes, Opcode::TEXT, true, &long));
            let (kept, _) = kept(&bytes.chunks(1000).collect::<Vec<_>>());
            assert_eq!(kept, bytes);
        }
    }
}
