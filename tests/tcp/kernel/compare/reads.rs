//! Reads on both, and what they answer.

use super::super::{Answer, Explained};
use super::{CHUNK, EndState, Play, Queues, Same, Side, differ, within};

impl Play {
    /// Reads once at the link, and as much at the kernel.
    pub(super) fn read(&mut self, side: Side, most: usize) -> Same<Answer> {
        let EndState { reset, loses, unclear, .. } = self.ends[side as usize];
        let queues = self.way(side.other()).queues;
        if loses || (reset || unclear) && queues != Queues::Same {
            return self.read_what_a_reset_left(side);
        }
        let at = self.way(side.other()).link.read;
        let answer = self.link.read(side, most, at);
        match answer {
            Answer::Data(count) => self.way(side.other()).link.read += count,
            _ if queues != Queues::Same => return differ("a read", answer, "has bytes"),
            end => {
                let kernel =
                    self.kernel.read(side, most, self.ways[side.other() as usize].kernel.read);
                self.same_end(side, end, kernel)?;
                return Ok(end);
            }
        }
        if queues == Queues::Same {
            let Answer::Data(count) = answer else { return Ok(answer) };
            // All has come, as the kernel was asked how much it holds: one read gets it.
            let most = if side == Side::Client { count } else { most };
            let at = self.way(side.other()).kernel.read;
            let kernel = self.kernel.read(side, most, at);
            if kernel != answer {
                return differ("a read", answer, kernel);
            }
            self.way(side.other()).kernel.read += count;
        } else {
            self.kernel_reads(side, most)?;
            let way = self.way(side.other());
            way.queues = Queues::Unknown;
            if way.link.left() == 0 || way.kernel.left() == 0 {
                self.drain_both(side)?;
            }
        }
        Ok(answer)
    }

    fn same_end(&mut self, side: Side, link: Answer, kernel: Answer) -> Same {
        let alike = |answer| matches!(answer, Answer::Reset | Answer::End);
        if link == kernel && link != Answer::WrongBytes {
            return Ok(());
        }
        if self.ends[side as usize].unclear && alike(link) && alike(kernel) {
            self.explained.insert(Explained::FinInFlight);
            return Ok(());
        }
        differ("a read", link, kernel)
    }

    /// Bytes are on their way: the kernel reads some of them.
    fn kernel_reads(&mut self, side: Side, most: usize) -> Same {
        let way = &mut self.ways[side.other() as usize];
        let read = within(self.patience, || {
            let read = self.kernel.read(side, most, way.kernel.read);
            (read != Answer::Nothing).then_some(read)
        });
        match read {
            Some(Answer::Data(count)) => way.kernel.read += count,
            other => return differ("a read", "has bytes", other),
        }
        Ok(())
    }

    fn drain_both(&mut self, side: Side) -> Same {
        while self.way(side.other()).link.left() > 0 {
            let at = self.way(side.other()).link.read;
            match self.link.read(side, CHUNK, at) {
                Answer::Data(count) => self.way(side.other()).link.read += count,
                other => return differ("a read", other, "has bytes"),
            }
        }
        while self.way(side.other()).kernel.left() > 0 {
            self.kernel_reads(side, CHUNK)?;
        }
        self.way(side.other()).queues = Queues::Same;
        Ok(())
    }

    /// After a reset that lost bytes on one of the two: reads what is left, to the end.
    fn read_what_a_reset_left(&mut self, side: Side) -> Same<Answer> {
        let Self { link, kernel, ways, .. } = self;
        let way = &mut ways[side.other() as usize];
        let (link_left, kernel_left) = (way.link.left(), way.kernel.left());
        let link_end = loop {
            match link.read(side, CHUNK, way.link.read) {
                Answer::Data(count) => way.link.read += count,
                end => break end,
            }
        };
        let kernel_end = within(self.patience, || {
            loop {
                match kernel.read(side, CHUNK, way.kernel.read) {
                    Answer::Data(count) => way.kernel.read += count,
                    Answer::Nothing if way.kernel.left() > 0 => return None,
                    end => return Some(end),
                }
            }
        });
        let Some(kernel_end) = kernel_end else { return differ("a read", link_end, "waits") };
        let (link_lost, kernel_lost) = (way.link.left(), way.kernel.left());
        let queues = std::mem::replace(&mut way.queues, Queues::Same);
        way.link.read = way.link.written;
        way.kernel.read = way.kernel.written;
        let loses = std::mem::take(&mut self.end(side).loses);
        // In the link the client loses all and the server nothing; the kernel keeps what has arrived.
        let right = match side {
            Side::Client if loses => link_lost == link_left,
            Side::Client => true,
            Side::Server => link_lost == 0,
        };
        if !right || queues == Queues::Same && kernel_lost > 0 {
            let link_got = link_left - link_lost;
            return differ("after the reset", link_got, kernel_left - kernel_lost);
        }
        if loses && kernel_left > kernel_lost {
            self.explained.insert(Explained::ResetLosesUnread);
            let loses_fin = self.ends[side as usize].loses_fin;
            if loses_fin && (link_end, kernel_end) == (Answer::Reset, Answer::End) {
                return Ok(link_end);
            }
        }
        self.same_end(side, link_end, kernel_end)?;
        Ok(link_end)
    }
}
