//! Panics while a script is played: those of the target's go into the exchange, and
//! hangup's own to the hook that was there before. Where tokio says that the runtime lacks
//! something, that is no panic of the target's: the runtime is hangup's.

use crate::exchange::{Lack, What};
use crate::heap;
use crate::transport::memory::Link;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::PanicHookInfo;
use std::pin::pin;
use std::sync::Once;

/// Marks what `future` does as hangup's own, whose panics are no finding.
pub(super) async fn ours<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        OURS.set(true);
        let paused = heap::pause();
        let poll = future.as_mut().poll(cx);
        drop(paused);
        OURS.set(false);
        poll
    })
    .await
}

thread_local! {
    /// Whether hangup's own code runs on this thread, and not the target's.
    static OURS: Cell<bool> = const { Cell::new(false) };
    /// The link of the script in play on this thread, for panics of its target.
    static PLAYING: RefCell<Option<Link>> = const { RefCell::new(None) };
}

/// Looks at the link of the script in play on this thread, where there is one.
pub(super) fn with_playing(look: impl FnOnce(&Link)) {
    PLAYING.with_borrow(|playing| playing.as_ref().map(look));
}

/// While it lives, a panic on this thread is recorded in the exchange and not printed.
pub(super) struct Recording;

impl Recording {
    pub fn begin(link: &Link) -> Self {
        PLAYING.with_borrow_mut(|playing| *playing = Some(link.clone()));
        Self
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        OURS.set(false);
        PLAYING.with_borrow_mut(|playing| *playing = None);
    }
}

/// Once a process: panics outside of play go to the hook that was there before.
pub(super) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let playing =
                PLAYING.try_with(|playing| playing.try_borrow().ok()?.clone()).ok().flatten();
            match playing.filter(|_| !OURS.get()) {
                Some(link) => link.try_record(what_panicked(info)),
                None => before(info),
            }
        }));
    });
}

/// The words in which tokio 1 says that its runtime lacks something, at their shortest. A test plays
/// servers that hear them of the tokio that is locked.
const LACKS: [(&str, Lack); 3] = [
    ("but IO is disabled", Lack::Io),
    ("can call blocking only when running on the multi-threaded runtime", Lack::Threads),
    ("`spawn_local` called from outside of a `task::LocalSet`", Lack::LocalSet),
];

/// A panic as an event. A later one may repeat the words: who unwraps a task's `JoinError` does.
fn what_panicked(info: &PanicHookInfo<'_>) -> What {
    let text = info.payload_as_str().unwrap_or_default();
    let lack = LACKS.iter().find(|(words, _)| text.contains(words));
    lack.map_or_else(|| What::Panicked(message(info).into()), |(_, lack)| What::Lacked(*lack))
}

/// What a panic says, and where, without the path to it, which differs between machines.
fn message(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("a value that is no text");
    let place = info.location().map_or_else(String::new, |location| {
        let file = location.file().rsplit(['/', '\\']).next().unwrap_or_default();
        format!(" ({file}:{})", location.line())
    });
    format!("{text}{place}")
}
