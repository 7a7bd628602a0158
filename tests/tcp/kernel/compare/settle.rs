//! What is ready at each end between two operations: bytes, FIN, RST, room, and who is woken for it.

use super::{EndState, Play, Queues, Same, Side, differ, within};
use hangup::exchange::What;
use rustix::event::PollFlags;

impl Play {
    /// Waits until the kernel shows at each open end what the link has delivered there.
    pub(super) fn settle(&mut self) -> Same {
        self.ends[Side::Server as usize].reset = self.link.reached_server(&What::ResetArrived);
        for side in Side::BOTH {
            if self.ends[side as usize].open {
                self.settle_end(side)?;
            }
        }
        Ok(())
    }

    fn settle_end(&mut self, side: Side) -> Same {
        let EndState { shut, reset, unclear, .. } = self.ends[side as usize];
        let writer = side.other();
        let fin = match side {
            Side::Server => self.link.reached_server(&What::FinArrived),
            Side::Client => {
                self.ends[writer as usize].shut
                    || self.link.reached_server(&What::Dropped { reset: false })
            }
        };
        let way = &self.ways[writer as usize];
        let same = way.queues == Queues::Same;
        let left = way.kernel.left();
        // A FIN that follows bytes in a send buffer is not seen yet.
        let ended = if unclear || !same && !reset {
            None
        } else {
            Some((reset || fin, reset || fin && shut))
        };
        let mut seen = (PollFlags::empty(), 0);
        let settled = within(self.patience, || {
            seen = (self.kernel.poll(side), self.kernel.unread(side));
            let (flags, unread) = seen;
            let shows = (flags.contains(PollFlags::RDHUP), flags.contains(PollFlags::HUP));
            let queued = if same { unread == left } else { reset || unread > 0 };
            (queued && ended.is_none_or(|ended| ended == shows)).then_some(flags)
        });
        let Some(flags) = settled else {
            let at = format!("at the {side:?}, (unread, (ended, closed))");
            return differ(&at, (left, ended), seen);
        };
        self.no_lost_wakeup(side, flags)
    }

    /// Whoever waits at the link must have been woken where the kernel is ready.
    fn no_lost_wakeup(&self, side: Side, flags: PollFlags) -> Same {
        if self.link.reader_sleeps(side) && flags.contains(PollFlags::IN) {
            return differ(&format!("at the {side:?}"), "does not wake its reader", flags);
        }
        let way = &self.ways[side as usize];
        let room = way.queues == Queues::Same && way.link.left() == 0;
        let told = room || self.ends[side as usize].shut;
        let ready = flags.contains(PollFlags::HUP) || told && flags.contains(PollFlags::OUT);
        if self.link.writer_sleeps(side) && ready {
            return differ(&format!("at the {side:?}"), "does not wake its writer", flags);
        }
        Ok(())
    }
}
