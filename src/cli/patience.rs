//! A line on stderr from a command that takes long: what it is at, and since when.
//!
//! A command that ends within a second says nothing. It counts no plays: the line tells that the
//! command lives, and how it is ended.

use super::clock::now;
use super::output;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// When the first line comes, and how long after each the next one does.
const FIRST: Duration = Duration::from_secs(1);
const NEXT: Duration = Duration::from_secs(10);

/// Says so until it is dropped.
pub(super) struct Patience {
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Patience {
    /// From now on: `what` is done, such as `playing a.toml`.
    pub fn with(what: String) -> Self {
        let (ended, end) = channel::<()>();
        let began = now();
        let say = move || {
            let mut wait = FIRST;
            while end.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                let seconds = began.elapsed().as_secs();
                output::note(&format!("{what}: {seconds} s so far; Ctrl-C ends it"));
                wait = NEXT;
            }
        };
        // Without a thread there is no line, and no harm.
        let thread = std::thread::Builder::new().spawn(say).ok();
        Self { ended: Some(ended), thread }
    }
}

impl Drop for Patience {
    /// No line comes once this has returned.
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
