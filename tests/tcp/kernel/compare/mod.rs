//! Plays a sequence on the link and on sockets of the kernel's, and compares what each end observes.
//!
//! The link's buffers are smaller: it says how much is written, and the kernel must take as much. A
//! `fill` fills each to its own brim; until it is drained again, both must have bytes to read and
//! must not take more, and how many is not compared. Everything else must be the same.

mod reads;
mod settle;
mod writes;

use super::link_pair::LinkPair;
use super::sequence::{Act, Sequence, Side};
use super::socket_pair::{Listener, SocketPair};
use super::{Answer, Difference, Explained};
use hangup::exchange::What;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// So much is written or read at once where all is.
const CHUNK: usize = 4096;

/// What went one way on one of the two.
#[derive(Default)]
struct Count {
    written: usize,
    read: usize,
}

impl Count {
    const fn left(&self) -> usize {
        self.written - self.read
    }
}

/// How the queues of one way compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queues {
    /// The same bytes are in both, and all have reached the reader's receive buffer.
    Same,
    /// Both are full, and each holds bytes in the writer's send buffer.
    Full,
    /// They were full, and some was read since: whether all has reached the reader is unknown.
    Unknown,
}

/// One way, by its writer.
struct Way {
    link: Count,
    kernel: Count,
    queues: Queues,
}

/// What one end did, and what reached it.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "what happened at an end, each on its own")]
struct EndState {
    open: bool,
    shut: bool,
    /// The other's RST reached it, as the link has it.
    reset: bool,
    /// By that reset it lost, in the link, what it had not read.
    loses: bool,
    /// A FIN is lost with that, which the kernel keeps: to a write it makes another error.
    loses_fin: bool,
    /// Whether a FIN or the RST came first may differ.
    unclear: bool,
}

/// A sequence in play on both.
pub struct Play {
    link: LinkPair,
    kernel: SocketPair,
    window: usize,
    patience: Duration,
    ways: [Way; 2],
    ends: [EndState; 2],
    pub explained: BTreeSet<Explained>,
}

type Same<T = ()> = Result<T, Difference>;

fn differ<T>(at: &str, link: impl Debug, kernel: impl Debug) -> Same<T> {
    Err(Difference(format!("{at}: the link {link:?}, the kernel {kernel:?}")))
}

/// Asks until there is an answer, since loopback may deliver late on a busy machine.
#[expect(clippy::disallowed_methods, reason = "the kernel delivers in real time")]
fn within<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    if let Some(answer) = ask() {
        return Some(answer);
    }
    let start = Instant::now();
    loop {
        let over = start.elapsed() > patience;
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if over {
            return None;
        }
        thread::sleep(Duration::from_micros(100));
    }
}

impl Play {
    /// Plays the whole sequence. `patience` is how long the kernel is given for what the link does at once.
    pub fn of(
        sequence: &Sequence,
        listener: &Listener,
        patience: Duration,
    ) -> Same<BTreeSet<Explained>> {
        let way = || Way { link: Count::default(), kernel: Count::default(), queues: Queues::Same };
        let end = || EndState { open: true, ..EndState::default() };
        let mut play = Self {
            link: LinkPair::new(sequence.buffers),
            kernel: SocketPair::new(listener),
            window: sequence.buffers.window,
            patience,
            ways: [way(), way()],
            ends: [end(), end()],
            explained: BTreeSet::new(),
        };
        for (index, (side, act)) in sequence.ops.iter().enumerate() {
            if play.ends[*side as usize].open {
                let place = |Difference(text)| {
                    Difference(format!("operation {}, {side:?} {act:?}: {text}", index + 1))
                };
                play.act(*side, *act).and_then(|()| play.settle()).map_err(place)?;
            }
        }
        Ok(play.explained)
    }

    fn act(&mut self, side: Side, act: Act) -> Same {
        match act {
            Act::Write(size) => self.write(side, size),
            Act::Fill => self.fill(side),
            Act::Read(most) => self.read(side, most).map(drop),
            Act::Drain => {
                while let Answer::Data(_) = self.read(side, CHUNK)? {}
                Ok(())
            }
            Act::Shut => {
                self.link.shut(side);
                self.kernel.shut(side);
                self.ends[side as usize].shut = true;
                Ok(())
            }
            Act::Drop | Act::Reset => {
                self.close(side, act == Act::Reset);
                Ok(())
            }
        }
    }

    fn end(&mut self, side: Side) -> &mut EndState {
        &mut self.ends[side as usize]
    }

    fn way(&mut self, writer: Side) -> &mut Way {
        &mut self.ways[writer as usize]
    }

    fn close(&mut self, side: Side, reset: bool) {
        self.mark_unclear();
        if reset {
            self.link.reset();
            self.kernel.reset(side);
        } else {
            self.link.drop_end(side);
            self.kernel.drop_end(side);
        }
        self.end(side).open = false;
        if self.link.reached_server(&What::Dropped { reset: true }) {
            let behind_bytes = self.way(Side::Server).link.left() > 0;
            let loses_fin = self.ends[Side::Server as usize].shut && behind_bytes;
            let client = self.end(Side::Client);
            (client.reset, client.loses, client.loses_fin) = (true, true, loses_fin);
        }
    }

    /// A reset may follow: whether it comes before a FIN is unclear where that may be on its way.
    fn mark_unclear(&mut self) {
        let [client, server] = &self.ways;
        let fin_waits = client.queues != Queues::Same
            && (self.ends[0].shut || self.link.reached_server(&What::FinArrived));
        if fin_waits || client.queues == Queues::Unknown || server.queues == Queues::Unknown {
            self.ends.iter_mut().for_each(|end| end.unclear = true);
        }
    }
}
