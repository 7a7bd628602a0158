//! A sequence of operations on both ends of a connection: drawn, printed, read back, made smaller.
//! It plays nothing.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use std::fmt;
use std::str::FromStr;

/// One end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The link's actor; the socket that connects.
    Client,
    /// The link's subject; the socket that is accepted.
    Server,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What an end does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Writes once, so many bytes.
    Write(usize),
    /// Writes until no more is taken.
    Fill,
    /// Reads once, at most so many bytes.
    Read(usize),
    /// Reads until nothing comes.
    Drain,
    /// Shuts the writing side down.
    Shut,
    /// Closes the socket.
    Drop,
    /// Closes the socket with `SO_LINGER` 0. Only the client can: targets have no such call.
    Reset,
}

/// The sizes of the link's buffers. Those of the kernel are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffers {
    pub window: usize,
    pub send: usize,
    pub receive: usize,
}

/// What is played on both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    pub buffers: Buffers,
    pub ops: Vec<(Side, Act)>,
}

/// The link's own size, one that every third write exceeds, and the smallest.
const SIZES: [usize; 6] = [4096, 4096, 4096, 1000, 16, 1];

impl Sequence {
    /// The sequence of this index; the same one whenever it is asked for.
    pub fn draw(index: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(index);
        let mut size = || SIZES[rng.random_range(0..SIZES.len())];
        let buffers = Buffers { window: size(), send: size(), receive: size() };
        let mut drawing = Drawing { rng, buffers, alive: Side::BOTH.to_vec(), ops: Vec::new() };
        for _ in 0..drawing.rng.random_range(2..16) {
            drawing.push();
        }
        // Whatever came before is looked at from both ends.
        for _ in 0..6 {
            if let Some(side) = drawing.side() {
                let looks = [Act::Drain, Act::Write(1), Act::Read(1), Act::Shut];
                let act = looks[drawing.rng.random_range(0..looks.len())];
                drawing.ops.push((side, act));
            }
        }
        for side in drawing.alive.clone() {
            drawing.ops.extend([Act::Drain, Act::Write(1), Act::Drain].map(|act| (side, act)));
        }
        Self { buffers, ops: drawing.ops }
    }

    /// Those that are smaller by one step, the smallest first.
    pub fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for length in [8, 4, 2, 1] {
            for at in (0..self.ops.len()).step_by(length) {
                let mut ops = self.ops.clone();
                ops.drain(at..(at + length).min(ops.len()));
                all.push(Self { ops, ..self.clone() });
            }
        }
        let usual = Buffers { window: 4096, send: 4096, receive: 4096 };
        if self.buffers != usual {
            all.push(Self { buffers: usual, ..self.clone() });
        }
        for at in 0..self.ops.len() {
            let (side, act) = self.ops[at];
            let simpler = match act {
                Act::Write(size @ 2..) => [Act::Write(1), Act::Write(size / 2)],
                Act::Read(size @ 2..) => [Act::Read(1), Act::Read(size / 2)],
                Act::Fill => [Act::Write(1), Act::Write(4097)],
                _ => continue,
            };
            all.extend(simpler.map(|act| {
                let mut ops = self.ops.clone();
                ops[at] = (side, act);
                Self { ops, ..self.clone() }
            }));
        }
        all
    }
}

struct Drawing {
    rng: Pcg64Mcg,
    buffers: Buffers,
    alive: Vec<Side>,
    ops: Vec<(Side, Act)>,
}

impl Drawing {
    fn side(&mut self) -> Option<Side> {
        let count = self.alive.len();
        (count > 0).then(|| self.alive[self.rng.random_range(0..count)])
    }

    fn push(&mut self) {
        let Some(side) = self.side() else { return };
        let act = match self.rng.random_range(0..100) {
            0..30 => Act::Write(self.size(side)),
            30..40 => Act::Fill,
            40..62 => Act::Read(self.size(side.other())),
            62..76 => Act::Drain,
            76..86 => Act::Shut,
            86..95 => Act::Drop,
            _ if side == Side::Client => Act::Reset,
            _ => Act::Write(0),
        };
        if matches!(act, Act::Drop | Act::Reset) {
            self.alive.retain(|alive| *alive != side);
        }
        self.ops.push((side, act));
    }

    /// A size about those of the buffers that `writer`'s bytes go through.
    fn size(&mut self, writer: Side) -> usize {
        let Buffers { window, send, receive } = self.buffers;
        let edges = match writer {
            Side::Client => [receive, receive],
            Side::Server => [window, window + send],
        };
        let edge = edges[self.rng.random_range(0..2)];
        match self.rng.random_range(0..8) {
            0..3 => self.rng.random_range(1..20),
            3 => self.rng.random_range(1..5000),
            4 => (edge - 1).max(1),
            5 => edge,
            6 => edge + 1,
            _ => edge.div_ceil(2),
        }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Buffers { window, send, receive } = self.buffers;
        write!(f, "buffers {window} {send} {receive}")?;
        for (side, act) in &self.ops {
            let side = format!("{side:?}").to_lowercase();
            match act {
                Act::Write(size) => write!(f, "; {side} write {size}")?,
                Act::Read(size) => write!(f, "; {side} read {size}")?,
                act => write!(f, "; {side} {}", format!("{act:?}").to_lowercase())?,
            }
        }
        Ok(())
    }
}

impl FromStr for Sequence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut buffers = Buffers { window: 4096, send: 4096, receive: 4096 };
        let mut ops = Vec::new();
        for part in text.split("; ") {
            let words: Vec<_> = part.split(' ').collect();
            let number = |at: usize| words[at].parse().map_err(|_| format!("no number: {part}"));
            let side = if words[0] == "client" { Side::Client } else { Side::Server };
            let act = match words[..] {
                ["buffers", ..] if words.len() == 4 => {
                    buffers = Buffers { window: number(1)?, send: number(2)?, receive: number(3)? };
                    continue;
                }
                ["client" | "server", "write", _] => Act::Write(number(2)?),
                ["client" | "server", "read", _] => Act::Read(number(2)?),
                ["client" | "server", "fill"] => Act::Fill,
                ["client" | "server", "drain"] => Act::Drain,
                ["client" | "server", "shut"] => Act::Shut,
                ["client" | "server", "drop"] => Act::Drop,
                ["client", "reset"] => Act::Reset,
                _ => return Err(format!("no operation: {part}")),
            };
            ops.push((side, act));
        }
        Ok(Self { buffers, ops })
    }
}
