//! Builds one random script: the shape of each kind of step, with its odds.

use super::profile::{Profile, StepKind};
use super::{FLOODS_WITHOUT_BOUND, SCRIPTS_PER_CONJUNCTION, SCRIPTS_PER_FLOOD};
use crate::bounds::Bounds;
use crate::script::AppSteps;
use crate::script::{
    Act, Awaited, Command, Content, Frame, Kind, Length, Millis, Pace, Piece, Send, Setting, Size,
    Step, Unit,
};
use crate::wire::{Opcode, Role};
use rand::{Rng, RngExt as _};
use std::time::Duration;

/// More than all buffers on the way to the client hold, in bytes.
const MORE_THAN_BUFFERS: u32 = 10_000;

/// The size of a message or fragment of a flood.
const FLOOD_SIZE: Size = Size(60 << 10);
/// How many of them a flood has where the server has no bound, and at most.
const FLOOD_TIMES: (u32, u32) = (24, 100);

/// In milliseconds, at most a year: a script need not wait longer.
fn millis(duration: Duration) -> u32 {
    duration.min(Duration::from_hours(24 * 365)).as_millis() as u32
}

/// The close codes of the matrix: each border of each class.
const CLOSE_CODES: [u16; 23] = [
    0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1014,
    1015, 1016, 2999, 3000, 4999, 5000, 65535,
];

/// Bytes that are no UTF-8: cut short, a surrogate, never legal, overlong.
const NOT_UTF8: [&[u8]; 4] = [b"\xe2\x82", b"\xed\xa0\x80", b"\xff", b"\xc0\x80"];

/// A script while it is drawn.
pub(super) struct ScriptBuilder<'a, R: ?Sized> {
    pub rng: &'a mut R,
    pub bounds: Bounds,
    pub app: AppSteps,
    /// The role of the target.
    pub subject: Role,
    /// Below which number of bytes the opening request is cut.
    pub cuts: u32,
    pub profile: Profile,
    /// The size of the smallest buffer set so far; 0 for none.
    pub smallest_buffer: u32,
    /// Between "stop reading" and "resume reading" of one pause in reading.
    pub in_reading_pause: bool,
    pub steps: Vec<Step>,
}

impl<R: Rng + ?Sized> ScriptBuilder<'_, R> {
    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.random_range(0..n) == 0
    }

    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.random_range(0..choices.len())]
    }

    pub(super) fn add(&mut self, act: Act) {
        let joined = !self.steps.is_empty() && self.one_in(6);
        self.steps.push(Step { joined, ..Step::from(act) });
    }

    pub(super) fn send(&mut self, unit: Unit) {
        self.add(Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once }));
    }

    pub(super) fn frame(&mut self, kind: Kind) {
        self.send(Unit::Frame(Frame::new(kind)));
    }

    /// All that a client does on a connection.
    pub(super) fn add_connection(&mut self) {
        self.add_opening();
        if self.one_in(SCRIPTS_PER_CONJUNCTION) {
            return self.add_conjunction();
        }
        let steps = self.draw_step_count();
        // Early, while the connection is open.
        let floods = self.one_in(SCRIPTS_PER_FLOOD) && self.may_flood();
        let flood = floods.then(|| self.rng.random_range(0..steps.min(2)));
        for step in 0..steps {
            if flood == Some(step) {
                self.add_flood();
            }
            self.add_random_step();
        }
    }

    /// Mostly short, sometimes long: a bug that needs five steps must be reachable.
    pub fn draw_step_count(&mut self) -> u32 {
        match self.rng.random_range(0..8) {
            0 => 1,
            1..=3 => self.rng.random_range(1..=3),
            4..=6 => self.rng.random_range(2..=6),
            _ => self.rng.random_range(4..=14),
        }
    }

    /// Mostly the plain request; sometimes the opening itself goes wrong.
    pub fn add_opening(&mut self) {
        if self.subject == Role::Client {
            return self.add_answer();
        }
        let whole = Unit::Upgrade(None);
        let (piece, unit, pace) = match self.rng.random_range(0..32) {
            0 => return,
            1 => (Piece::First(self.rng.random_range(0..self.cuts)), whole, Pace::Once),
            2 => {
                let size = self.one_of(&[9, 20, 50]);
                (Piece::Whole, whole, Pace::Pieces(size, self.pause()))
            }
            3 => {
                let header = self.one_of(&[100, 4000, 15_000, 70_000]);
                (Piece::Whole, Unit::Upgrade(Some(Size(header))), Pace::Once)
            }
            4 => (Piece::Whole, Unit::Raw(self.junk()), Pace::Once),
            5 if self.app.contain(AppSteps::CLOSE) => return self.shutdown_while_opening(),
            _ => (Piece::Whole, whole, Pace::Once),
        };
        self.add(Act::Send(Send { piece, unit, pace }));
    }

    /// The application closes between the parts of the request.
    fn shutdown_while_opening(&mut self) {
        let cut = self.rng.random_range(0..self.cuts);
        let part = |piece| Act::Send(Send { piece, unit: Unit::Upgrade(None), pace: Pace::Once });
        self.add(part(Piece::First(cut)));
        self.app_close();
        self.add(part(Piece::After(cut)));
    }

    fn junk(&mut self) -> Content {
        match self.rng.random_range(0..4) {
            0 => Content::Text("GET / HTTP/1.1\r\n\r\n".to_owned()),
            1 => Content::Bytes(vec![0x16, 3, 1, 0, 5]),
            2 => Content::Bytes(self.random_bytes()),
            _ => Content::Text("\r\n".to_owned()),
        }
    }

    pub fn add_random_step(&mut self) {
        match self.profile.pick(self.rng) {
            StepKind::Data => {
                let kind = self.data();
                self.frame(kind);
            }
            StepKind::Ping => {
                let content = self.content(125);
                let kind = if self.one_in(4) { Kind::Pong(content) } else { Kind::Ping(content) };
                self.frame(kind);
            }
            StepKind::Close => {
                let close = self.close();
                self.frame(close);
            }
            StepKind::OddClose => {
                let close = self.odd_close();
                self.frame(close);
            }
            StepKind::Fragments => self.fragments(),
            StepKind::Illegal => self.illegal(),
            StepKind::Partial => self.partial(),
            StepKind::Drip => self.drip(),
            StepKind::Burst => self.burst(),
            StepKind::Wait => {
                let time = self.duration();
                self.add(Act::Wait(time));
            }
            StepKind::Await => {
                let awaited = self.one_of(&[
                    Awaited::Close,
                    Awaited::Close,
                    Awaited::End,
                    Awaited::Message,
                    Awaited::Ping,
                    Awaited::Pong,
                ]);
                self.add(Act::Await(awaited));
            }
            StepKind::Reading => self.reading(),
            StepKind::Fin => self.add(Act::Fin),
            StepKind::ResetOrDrop => {
                let act = if self.one_in(3) { Act::Drop } else { Act::Reset };
                self.add(act);
            }
            StepKind::Cut => self.add(Act::Cut),
            StepKind::Buffers => self.buffers(),
            StepKind::AppSend => {
                let command = self.app_send();
                self.add(Act::App(command, Pace::Once));
            }
            StepKind::AppPing => {
                let content = self.content(125);
                self.add(Act::App(Command::Ping(content), Pace::Once));
            }
            StepKind::AppClose => self.app_close(),
            StepKind::AppReturn => self.add(Act::App(Command::Return, Pace::Once)),
            StepKind::AppKeep => self.add(Act::App(Command::Keep, Pace::Once)),
            StepKind::AppShutdown => self.add(Act::App(Command::Shutdown, Pace::Once)),
            StepKind::AppBroadcast => {
                let command = self.broadcast();
                self.add(Act::App(command, Pace::Once));
            }
            StepKind::AppRepeat => {
                let ping = self.profile.has(StepKind::AppPing) && self.one_in(2);
                let command = if ping { Command::Ping(Content::Empty) } else { self.app_send() };
                let pace = self.pace();
                self.add(Act::App(command, pace));
            }
        }
    }

    /// The client stops reading: for good, or for a pause in which
    /// buffers fill, other things happen, and time passes.
    fn reading(&mut self) {
        match self.rng.random_range(0..6) {
            0 => return self.add(Act::ResumeReading),
            1 | 2 => return self.add(Act::StopReading),
            _ => self.add(Act::StopReading),
        }
        if self.in_reading_pause {
            return;
        }
        self.in_reading_pause = true;
        if self.one_in(3) {
            // So small that not even a Close fits: the write of it waits.
            for setting in [Setting::Window, Setting::SendBuffer] {
                let size = self.rng.random_range(1..4);
                self.smallest_buffer = size;
                self.add(Act::Set(setting, Size(size)));
            }
        } else if self.profile.has(StepKind::AppSend) && !self.has_tiny_buffer() {
            let command = Command::SendText(Content::Fill(Size(MORE_THAN_BUFFERS)));
            self.add(Act::App(command, Pace::Once));
        }
        for _ in 0..self.rng.random_range(1..4) {
            self.add_random_step();
        }
        if !self.one_in(3) {
            let time = self.duration();
            self.add(Act::Wait(time));
        }
        self.add(Act::ResumeReading);
        self.in_reading_pause = false;
    }

    pub(super) fn data(&mut self) -> Kind {
        let content = self.content(70_000);
        match self.rng.random_range(0..8) {
            0 => Kind::Text(Content::Bytes(self.one_of(&NOT_UTF8).to_vec())),
            1..=3 => Kind::Binary(content),
            _ => Kind::Text(content),
        }
    }

    /// Payloads around every border of the wire and of the buffers in play.
    fn content(&mut self, most: u32) -> Content {
        let size = match self.rng.random_range(0..32) {
            0..=7 => return Content::Empty,
            8..=15 => {
                return Content::Text(self.one_of(&["x", "hello", "\u{e9}\u{20ac}"]).to_owned());
            }
            16..=19 => self.one_of(&[1, 2, 124, 125]),
            20..=22 => self.one_of(&[126, 127, 1000, 4000]),
            23..=29 if self.smallest_buffer > 0 => {
                (self.smallest_buffer + 2).saturating_sub(self.rng.random_range(0..8))
            }
            23..=29 => self.rng.random_range(0..300),
            30 => self.one_of(&[4096, 16_384]),
            _ => self.one_of(&[65_535, 65_536, 70_000]),
        };
        Content::Fill(Size(size.min(most).min(self.most_bytes())))
    }

    /// Through tiny buffers every byte costs a turn: a little is as good as a lot.
    const fn most_bytes(&self) -> u32 {
        if self.has_tiny_buffer() { 300 } else { u32::MAX }
    }

    /// Whether some buffer is so small that large contents would only cost time.
    const fn has_tiny_buffer(&self) -> bool {
        self.smallest_buffer > 0 && self.smallest_buffer < 64
    }

    /// Whether a flood that was drawn may stay.
    pub(super) fn may_flood(&mut self) -> bool {
        self.bounds.memory.is_some() || self.one_in(FLOODS_WITHOUT_BOUND)
    }

    /// More than a server can want to hold: messages that are not read, or the fragments
    /// of one that never ends.
    pub fn add_flood(&mut self) {
        if self.has_tiny_buffer() {
            return;
        }
        let (usual, most) = FLOOD_TIMES;
        // A little more than a server that bounds its memory will hold: each costs time.
        let times = self.bounds.memory.map_or(usual, |memory| {
            u32::try_from(memory / u64::from(FLOOD_SIZE.0))
                .map_or(most, |times| most.min(times + 1))
        });
        let pace = Pace::Times(times, Millis(0));
        let content = Content::Fill(FLOOD_SIZE);
        // The client's fragments are played one read at a time, and cost the more.
        if self.app.contain(AppSteps::SEND) && !self.one_in(3) {
            self.add(Act::StopReading);
            self.add(Act::App(Command::SendBinary(content), pace));
            return;
        }
        let fragment = |kind| Unit::Frame(Frame { fin: false, ..Frame::new(kind) });
        self.send(fragment(Kind::Binary(Content::Empty)));
        let unit = fragment(Kind::Continuation(content));
        self.add(Act::Send(Send { piece: Piece::Whole, unit, pace }));
    }

    /// A legal Close.
    pub(super) fn close(&mut self) -> Kind {
        match self.rng.random_range(0..6) {
            0 | 1 => Kind::Close(None, Content::Empty),
            2 => Kind::Close(Some(1000), Content::Empty),
            3 => Kind::Close(Some(self.one_of(&[1001, 1011, 3000, 4999])), Content::Empty),
            _ => {
                let reason = match self.rng.random_range(0..3) {
                    0 => Content::Fill(Size(123)),
                    1 => Content::Text("\u{20ac}".to_owned()),
                    _ => Content::Text("bye".to_owned()),
                };
                Kind::Close(Some(1000), reason)
            }
        }
    }

    /// A Close from the matrix of illegal and borderline payloads.
    pub(super) fn odd_close(&mut self) -> Kind {
        match self.rng.random_range(0..6) {
            0..=2 => Kind::Close(Some(self.one_of(&CLOSE_CODES)), Content::Empty),
            3 => Kind::Close(None, Content::Bytes(vec![3])),
            4 => Kind::Close(Some(1000), Content::Bytes(self.one_of(&NOT_UTF8).to_vec())),
            _ => {
                let size = self.one_of(&[122, 123, 124, 198, 70_000]);
                Kind::Close(Some(1000), Content::Fill(Size(size.min(self.most_bytes()))))
            }
        }
    }

    /// A fragmented message, often with something in its middle that may or may not stand there.
    pub(super) fn fragments(&mut self) {
        let content = self.content(1000);
        let kind = if self.one_in(2) { Kind::Text(content) } else { Kind::Binary(content) };
        self.send(Unit::Frame(Frame { fin: false, ..Frame::new(kind) }));
        match self.rng.random_range(0..5) {
            0 => {
                let close = self.close();
                self.frame(close);
            }
            1 => self.frame(Kind::Ping(Content::Empty)),
            2 => self.frame(Kind::Text(Content::Empty)),
            3 => self.send(Unit::Frame(Frame {
                fin: false,
                ..Frame::new(Kind::Continuation(Content::Empty))
            })),
            _ => {}
        }
        if !self.one_in(3) {
            let content = self.content(1000);
            self.frame(Kind::Continuation(content));
        }
    }

    pub(super) fn illegal(&mut self) {
        let kind = match self.rng.random_range(0..4) {
            0 => Kind::Close(Some(1000), Content::Empty),
            1 => Kind::Ping(Content::Empty),
            _ => Kind::Text(Content::Text("x".to_owned())),
        };
        let legal = Frame::new(kind);
        let frame = match self.rng.random_range(0..8) {
            // Against the rule of the actor's role.
            0 | 1 => Frame { mask: self.wrong_mask(), ..legal },
            2 => Frame { rsv: self.rng.random_range(1..8), ..legal },
            3 => Frame { fin: false, kind: Kind::Ping(Content::Empty), ..legal },
            4 => match self.rng.random_range(0..3) {
                0 => Frame { length: Length::Bits16, ..legal },
                1 => Frame { length: Length::Bits64, ..legal },
                _ => return self.add_declared_frame(),
            },
            5 => Frame::new(Kind::Continuation(Content::Empty)),
            6 => Frame::new(Kind::Ping(Content::Fill(Size(126)))),
            _ => Frame::new(Kind::Other(Opcode::new(self.one_of(&[3, 7, 11, 15])), Content::Empty)),
        };
        self.send(Unit::Frame(frame));
    }

    fn any_frame(&mut self) -> Unit {
        let kind = match self.rng.random_range(0..4) {
            0 => self.data(),
            1 => Kind::Ping(Content::Text("x".to_owned())),
            2 => self.odd_close(),
            _ => self.close(),
        };
        Unit::Frame(Frame::new(kind))
    }

    /// A frame cut in two, its second part after something else or never.
    pub(super) fn partial(&mut self) {
        let unit = self.any_frame();
        let cut = match self.rng.random_range(0..4) {
            0 => 1,
            1 => self.rng.random_range(2..7),
            _ => self.rng.random_range(1..20),
        };
        let part = |piece, unit| Act::Send(Send { piece, unit, pace: Pace::Once });
        self.add(part(Piece::First(cut), unit.clone()));
        if self.one_in(2) {
            return;
        }
        if self.one_in(2) {
            let time = self.duration();
            self.add(Act::Wait(time));
        }
        self.add(part(Piece::After(cut), unit));
    }

    /// A frame in small pieces, with pauses.
    fn drip(&mut self) {
        let unit = self.any_frame();
        let pace = Pace::Pieces(self.one_of(&[1, 1, 2, 5]), self.pause());
        // Beyond its header, one byte of a frame is as good as another.
        let piece = Piece::First(14);
        self.add(Act::Send(Send { piece, unit, pace }));
    }

    /// The same frame again and again.
    fn burst(&mut self) {
        let unit = match self.rng.random_range(0..4) {
            0 => Unit::Frame(Frame::new(Kind::Ping(Content::Empty))),
            1 => Unit::Frame(Frame::new(Kind::Pong(Content::Empty))),
            2 => self.any_frame(),
            _ => Unit::Frame(Frame::new(Kind::Text(Content::Text("x".to_owned())))),
        };
        let pace = self.pace();
        self.add(Act::Send(Send { piece: Piece::Whole, unit, pace }));
    }

    fn pace(&mut self) -> Pace {
        let times = self.one_of(&[2, 3, 12]);
        Pace::Times(times, self.pause())
    }

    /// A pause between repetitions: none, or one below the bound so that ten of
    /// them are well beyond it.
    pub(super) fn pause(&mut self) -> Millis {
        let close = millis(self.bounds.close);
        match self.rng.random_range(0..4) {
            0 => Millis(0),
            1 => Millis(1),
            2 => Millis(close / 5),
            _ => Millis(close.saturating_sub(1)),
        }
    }

    /// A pause of which two are beyond the bound, or six.
    pub(super) fn long_pause(&mut self) -> Millis {
        let close = millis(self.bounds.close);
        let fifth = (close / 5).max(1);
        Millis(self.one_of(&[
            fifth,
            close / 2 + 1,
            close.saturating_sub(1),
            close.saturating_sub(1),
        ]))
    }

    /// A duration, often just before or after a bound.
    pub(super) fn duration(&mut self) -> Millis {
        let bounds = [Some(self.bounds.close), self.bounds.idle, self.bounds.handshake];
        let bound = match self.rng.random_range(0..6) {
            0 => bounds[1].unwrap_or(self.bounds.close),
            1 => bounds[2].unwrap_or(self.bounds.close),
            _ => self.bounds.close,
        };
        let bound = millis(bound);
        Millis(match self.rng.random_range(0..8) {
            0 => 1,
            1 => 100,
            2 => 1000,
            3 => bound.saturating_sub(1),
            4 => bound + 1,
            5 => bound.saturating_mul(2),
            6 => bound / 2,
            _ => self.rng.random_range(0..=bound.saturating_mul(2)),
        })
    }

    /// A buffer of a few bytes, or of a frame's size, or one off.
    fn buffers(&mut self) {
        let size = match self.rng.random_range(0..4) {
            0 => self.rng.random_range(1..8),
            1 => self.one_of(&[64, 125, 128, 256]),
            2 => self.one_of(&[1024, 4096]),
            _ => self.rng.random_range(1..300),
        };
        let setting = self.one_of(&[
            Setting::Window,
            Setting::SendBuffer,
            Setting::SendBuffer,
            Setting::ReceiveBuffer,
            Setting::Segment,
        ]);
        self.note_buffer(size);
        self.add(Act::Set(setting, Size(size)));
    }

    /// Takes note of a buffer of this size.
    pub(super) fn note_buffer(&mut self, size: u32) {
        self.smallest_buffer =
            if self.smallest_buffer == 0 { size } else { self.smallest_buffer.min(size) };
    }

    pub(super) fn app_send(&mut self) -> Command {
        // Mostly what fits; sometimes more than all buffers on the way hold.
        let content = if self.one_in(8) && !self.has_tiny_buffer() {
            Content::Fill(Size(MORE_THAN_BUFFERS))
        } else {
            self.content(70_000)
        };
        if self.one_in(3) { Command::SendBinary(content) } else { Command::SendText(content) }
    }

    /// A message to all, as one to this connection would be.
    pub(super) fn broadcast(&mut self) -> Command {
        match self.app_send() {
            Command::SendText(content) | Command::SendBinary(content) => {
                Command::Broadcast(content)
            }
            other => other,
        }
    }

    pub(super) fn app_close(&mut self) {
        let (code, reason) = match self.rng.random_range(0..8) {
            0 => (None, Content::Empty),
            1 => (Some(self.one_of(&CLOSE_CODES)), Content::Empty),
            2 => {
                // The longest, one more, and one whose 123rd byte is inside a character.
                let reason = if self.one_in(3) {
                    Content::Text("\u{e9}".repeat(62))
                } else {
                    Content::Fill(Size(self.one_of(&[123, 124, 198])))
                };
                (Some(1000), reason)
            }
            3 => (Some(1001), Content::Text("bye".to_owned())),
            _ => (Some(1000), Content::Empty),
        };
        self.add(Act::App(Command::Close(code, reason), Pace::Once));
    }
}
