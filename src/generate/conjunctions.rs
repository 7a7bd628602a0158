//! Conjunctions: steps that show a bug only together, and that single draws hardly ever bring
//! together.
//!
//! | conjunction | classes of bugs |
//! |---|---|
//! | buffers filled to the byte, then a close or a frame, then room | B D K M |
//! | the server's Close crosses messages of the client's, which then answers it | C H J K |
//! | a header that promises what does not come | I M |
//!
//! Which step of one goes wrong is left to chance: sizes are off by one, acts come in any order.

use super::script_builder::ScriptBuilder;
use crate::script::{
    Act, AppSteps, Awaited, Command, Content, Frame, Kind, Millis, Pace, Piece, Send, Setting,
    Size, Step, Unit,
};
use rand::{Rng, RngExt as _};

/// What a buffer of the link holds where a script does not say otherwise.
const DEFAULT_BUFFER: u32 = 4096;

/// The sizes of buffers that are filled to the byte: small, since a message of their size comes
/// byte for byte.
const FILLED_BUFFERS: [u32; 8] = [8, 64, 100, 125, 128, 256, 300, 1024];

/// How many bytes more than there is room for, or less: none as often as not; a Close has 2
/// bytes, with a code 4.
const OFF_BY: [i64; 12] = [0, 0, 0, 0, 0, 0, -4, -2, -1, 1, 2, 4];

impl<R: Rng + ?Sized> ScriptBuilder<'_, R> {
    /// One of the conjunctions, with random steps before and behind it now and then.
    pub(super) fn add_conjunction(&mut self) {
        if self.one_in(4) {
            self.add_random_step();
        }
        match self.rng.random_range(0..8) {
            0..=2 => self.fill_to_the_byte(),
            3 | 4 => self.close_crosses_messages(),
            5 | 6 => self.add_declared_frame(),
            _ => self.add_random_bytes(),
        }
        if self.one_in(3) {
            self.add_random_step();
        }
    }

    /// The client stops reading, the application fills the buffers on the way to the byte, and
    /// something happens before there is room again.
    pub(super) fn fill_to_the_byte(&mut self) {
        let send_buffer = self.filled_buffer(Setting::SendBuffer);
        let window = self.filled_buffer(Setting::Window);
        self.put(Act::StopReading);
        let room = i64::from(send_buffer + window) + self.one_of(&OFF_BY);
        self.fill(u32::try_from(room).unwrap_or(0));
        if self.app.contain(AppSteps::CLOSE) && self.one_in(2) {
            self.app_close();
            self.client_act();
        } else {
            for _ in 0..self.rng.random_range(1..4) {
                self.act_while_full();
            }
        }
        if self.one_in(2) {
            let time = self.duration();
            self.put(Act::Wait(time));
        }
        match self.rng.random_range(0..8) {
            0 => {}
            // Room for a part of what waits.
            1 => {
                let more = self.rng.random_range(1..8);
                self.put(Act::Set(Setting::Window, Size(window + more)));
            }
            _ => self.put(Act::ResumeReading),
        }
        if self.one_in(4) {
            self.client_act();
        }
    }

    /// Sets one of the buffers now and then. Gives what it holds.
    fn filled_buffer(&mut self, setting: Setting) -> u32 {
        if self.one_in(3) {
            return DEFAULT_BUFFER;
        }
        let size = match self.rng.random_range(0..4) {
            0 => self.rng.random_range(8..300),
            _ => self.one_of(&FILLED_BUFFERS),
        };
        self.note_buffer(size);
        self.put(Act::Set(setting, Size(size)));
        size
    }

    /// The server sends so many bytes, headers included: by its application, or as pongs.
    fn fill(&mut self, bytes: u32) {
        if !self.app.contain(AppSteps::SEND) {
            let pong = Size(bytes.saturating_sub(2).min(125));
            return self.frame(Kind::Ping(Content::Fill(pong)));
        }
        let header = if bytes <= 127 { 2 } else { 4 };
        let payload = bytes.saturating_sub(header);
        let sends = if payload > 8 && self.one_in(4) {
            // In two messages; the second may fit the first's room, or not.
            let first = payload / 2;
            [Some(first), Some((payload - first).saturating_sub(header))]
        } else {
            [Some(payload), None]
        };
        for size in sends.into_iter().flatten() {
            let command = Command::SendText(Content::Fill(Size(size)));
            self.put(Act::App(command, Pace::Once));
        }
    }

    /// What either end does while there is no room.
    fn act_while_full(&mut self) {
        match self.rng.random_range(0..8) {
            0 | 1 if self.app.contain(AppSteps::CLOSE) => self.app_close(),
            2 if self.app.contain(AppSteps::PING) => {
                self.add(Act::App(Command::Ping(Content::Empty), Pace::Once));
            }
            3 if self.app.contain(AppSteps::SEND) => {
                let command = self.app_send();
                self.add(Act::App(command, Pace::Once));
            }
            4 => {
                let time = self.duration();
                self.add(Act::Wait(time));
            }
            _ => self.client_act(),
        }
    }

    /// A frame of the client's that makes a reader run.
    fn client_act(&mut self) {
        let kind = match self.rng.random_range(0..8) {
            0 | 1 => Kind::Ping(Content::Empty),
            2 => Kind::Pong(Content::Empty),
            3 | 4 => Kind::Text(Content::Text("x".to_owned())),
            5 => return self.illegal(),
            6 => return self.partial(),
            _ => self.close(),
        };
        self.frame(kind);
    }

    /// The application closes; messages of the client's are under way, and it answers.
    pub(super) fn close_crosses_messages(&mut self) {
        if self.app.contain(AppSteps::CLOSE) {
            self.app_close();
        }
        if self.one_in(2) {
            self.drip_of_messages();
        } else {
            for _ in 0..self.rng.random_range(1..3) {
                self.crossing_message();
            }
        }
        if !self.one_in(4) {
            let close = if self.one_in(4) { self.odd_close() } else { self.close() };
            self.frame(close);
        }
        match self.rng.random_range(0..8) {
            0 => self.add(Act::Await(Awaited::End)),
            1 => self.add(Act::Fin),
            2 => {
                let time = self.duration();
                self.add(Act::Wait(time));
            }
            _ => {}
        }
    }

    /// A message, or a part of one, that was sent when the server's Close had not come yet:
    /// it arrives a little later.
    fn crossing_message(&mut self) {
        if self.one_in(3) {
            let time = self.one_of(&[1, 10, 50]);
            self.put(Act::Wait(Millis(time)));
        }
        match self.rng.random_range(0..8) {
            0 => self.fragments(),
            1 => self.frame(Kind::Ping(Content::Empty)),
            2 => self.send(Unit::Frame(Frame {
                fin: false,
                ..Frame::new(Kind::Text(Content::Text("x".to_owned())))
            })),
            _ => {
                let kind = self.data();
                self.frame(kind);
            }
        }
    }

    /// Whole frames, one after the other, each well within the bound.
    fn drip_of_messages(&mut self) {
        let frame = match self.rng.random_range(0..8) {
            0..=2 => Frame::new(Kind::Text(Content::Empty)),
            3 | 4 => Frame::new(Kind::Pong(Content::Empty)),
            5 | 6 => Frame::new(Kind::Ping(Content::Empty)),
            _ => {
                let start = Frame::new(Kind::Binary(Content::Empty));
                self.send(Unit::Frame(Frame { fin: false, ..start }));
                Frame { fin: false, ..Frame::new(Kind::Continuation(Content::Empty)) }
            }
        };
        let times = self.one_of(&[2, 3, 7]);
        let pause = self.long_pause();
        let (piece, unit) = (Piece::Whole, Unit::Frame(frame));
        self.add(Act::Send(Send { piece, unit, pace: Pace::Times(times, pause) }));
    }

    /// Adds an act that is not joined to the one before.
    pub(super) fn put(&mut self, act: Act) {
        self.steps.push(Step::from(act));
    }
}
