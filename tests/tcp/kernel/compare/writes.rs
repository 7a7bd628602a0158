//! Writes on both, and what they answer.

use super::super::{Answer, Explained, bytes_of};
use super::{CHUNK, EndState, Play, Queues, Same, Side, differ, within};

impl Play {
    pub(super) fn write(&mut self, side: Side, size: usize) -> Same {
        let bytes = bytes_of(side, self.way(side).link.written, size);
        if !self.ends[side.other() as usize].open && size > 0 {
            self.mark_unclear();
        }
        let answer = self.link.write(side, bytes);
        let queues = self.way(side).queues;
        match answer {
            Answer::Took(count) => {
                self.way(side).link.written += count;
                if queues == Queues::Same {
                    self.kernel_takes(side, count)?;
                } else {
                    self.kernel_tries(side, count)?;
                    self.way(side).queues = Queues::Unknown;
                }
                self.took(side, count)
            }
            Answer::Blocked if queues == Queues::Same => {
                self.explained.insert(Explained::BlocksSooner);
                Ok(())
            }
            Answer::Blocked if queues == Queues::Full => self.kernel_fills(side),
            Answer::Blocked => self.kernel_tries(side, size),
            refused => {
                let kernel = self.kernel.write(side, bytes);
                self.same_refusal(side, refused, kernel)
            }
        }
    }

    fn same_refusal(&mut self, side: Side, link: Answer, kernel: Answer) -> Same {
        let EndState { unclear, loses_fin, .. } = self.ends[side as usize];
        if link == kernel {
            Ok(())
        } else if loses_fin && (link, kernel) == (Answer::Reset, Answer::Pipe) {
            self.explained.insert(Explained::ResetLosesUnread);
            Ok(())
        } else if unclear && matches!(kernel, Answer::Reset | Answer::Pipe) {
            self.explained.insert(Explained::FinInFlight);
            Ok(())
        } else {
            differ("a write", link, kernel)
        }
    }

    /// What follows from a write that took something.
    fn took(&mut self, side: Side, count: usize) -> Same {
        let open = self.ends[side.other() as usize].open;
        if side == Side::Client && !open && count > 0 {
            self.end(side).reset = true;
        }
        if side == Side::Server && open && self.way(side).queues == Queues::Same {
            // Bytes in the link's send buffer: the kernel must have some there too.
            if self.way(side).link.left() > self.window {
                return self.fill(side);
            }
        }
        Ok(())
    }

    fn kernel_takes(&mut self, side: Side, count: usize) -> Same {
        let way = &mut self.ways[side as usize];
        let bytes = bytes_of(side, way.kernel.written, count);
        let mut taken = 0;
        let written = within(self.patience, || {
            match self.kernel.write(side, &bytes[taken..]) {
                Answer::Took(some) => taken += some,
                Answer::Blocked => return None,
                refused => return Some(refused),
            }
            (taken == count).then_some(Answer::Took(count))
        });
        way.kernel.written += taken;
        if written == Some(Answer::Took(count)) {
            Ok(())
        } else {
            differ("a write", Answer::Took(count), written)
        }
    }

    /// The kernel takes some of it, or none.
    fn kernel_tries(&mut self, side: Side, count: usize) -> Same {
        let way = &mut self.ways[side as usize];
        match self.kernel.write(side, bytes_of(side, way.kernel.written, count)) {
            Answer::Took(some) => way.kernel.written += some,
            Answer::Blocked => {}
            refused => return differ("a write", "takes or blocks", refused),
        }
        Ok(())
    }

    fn kernel_fills(&mut self, side: Side) -> Same {
        loop {
            let way = &mut self.ways[side as usize];
            match self.kernel.write(side, bytes_of(side, way.kernel.written, CHUNK)) {
                Answer::Took(some) => way.kernel.written += some,
                Answer::Blocked => return Ok(()),
                refused => return differ("a write", "blocks", refused),
            }
        }
    }

    /// Writes until both block; one byte where nobody would take more than that.
    pub(super) fn fill(&mut self, side: Side) -> Same {
        let EndState { shut, reset, .. } = self.ends[side as usize];
        if shut || reset || !self.ends[side.other() as usize].open {
            return self.write(side, 1);
        }
        loop {
            let written = self.way(side).link.written;
            match self.link.write(side, bytes_of(side, written, CHUNK)) {
                Answer::Took(some) => self.way(side).link.written += some,
                Answer::Blocked => break,
                refused => return differ("a write", refused, "is open"),
            }
        }
        self.way(side).queues = Queues::Full;
        self.kernel_fills(side)
    }
}
