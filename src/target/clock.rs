//! `clock/...`: servers whose time is not, or not only, tokio's. They prove that hangup does not
//! take an end that virtual time cannot see for one that never comes.
//!
//! Each is the correct `reference` server, which lets go of its connection a little later where the
//! client has sent a Close.

use super::reference::Reference;
use super::{AppSteps, Connection, Serving, Target};
use crate::bounds::Bounds;
use crate::wire::{Decoder, Item, Opcode, Role, handshake};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// How long a thread of its own works: a fifth of what a play gives another thread to wake somebody, since
/// on a busy machine both take longer.
const THREADS_WORK: Duration = Duration::from_millis(10);
/// How long work in tokio's pool takes, for which a play waits.
const POOLS_WORK: Duration = Duration::from_millis(30);
/// Their bounds.
const CLOSE: Duration = Duration::from_secs(9);
/// How long it waits by the system's clock, and how often it looks.
const WAIT: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What it waits for before it lets go of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnClock {
    /// A thread that works for 10 ms.
    Thread,
    /// The system's clock, at which it looks ten times a second, for 3 s.
    SystemTime,
    /// Work of 30 ms in tokio's blocking pool: virtual time waits for that.
    BlockingPool,
}

impl OwnClock {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Thread, Self::SystemTime, Self::BlockingPool];

    async fn wait(self) {
        match self {
            Self::Thread => {
                let (done, wait) = oneshot::channel();
                std::thread::spawn(move || {
                    work(THREADS_WORK);
                    let _ = done.send(());
                });
                let _ = wait.await;
            }
            Self::SystemTime => {
                let began = now();
                while now().duration_since(began) < WAIT {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            Self::BlockingPool => {
                let _ = tokio::task::spawn_blocking(|| work(POOLS_WORK)).await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server that keeps another time is what this is")]
fn work(time: Duration) {
    std::thread::sleep(time);
}

#[expect(clippy::disallowed_methods, reason = "a server that keeps another time is what this is")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

impl Target for OwnClock {
    fn name(&self) -> &'static str {
        match self {
            Self::Thread => "clock/waits-for-a-thread",
            Self::SystemTime => "clock/reads-the-systems",
            Self::BlockingPool => "clock/waits-for-the-pool",
        }
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Thread => "waits for a thread of its own, 10 ms, before it ends a connection",
            Self::SystemTime => "waits 3 s by the system's clock before it ends a connection",
            Self::BlockingPool => {
                "waits for tokio's blocking pool, 30 ms, before it ends a connection"
            }
        }
    }

    fn bounds(&self) -> Bounds {
        // Each keeps it, after all that the reference server may wait for. What was read is kept
        // too, to be looked at in the end.
        Bounds { memory: None, ..Reference::HONEST.bounds().held_to(Some(CLOSE)) }
    }

    fn obeys(&self) -> AppSteps {
        Reference::HONEST.obeys()
    }

    fn is_planted(&self) -> bool {
        true
    }

    fn serve(&self, connection: Connection) -> Serving {
        let clock = *self;
        let kept = Arc::new(Mutex::new(Held::default()));
        let keeping = Kept(Arc::clone(&kept));
        let wrapped = connection.wrapped(|connection| {
            keeping.held().connection = Some(connection);
            keeping
        });
        let serving = Reference::HONEST.serve(wrapped);
        Box::pin(async move {
            serving.await;
            let kept = Kept(kept);
            let closed = kept.held().has_close();
            if closed {
                clock.wait().await;
            }
            drop(kept.held().connection.take());
        })
    }
}

/// A connection, and what was read from it.
#[derive(Default)]
struct Held {
    connection: Option<Connection>,
    read: Vec<u8>,
}

impl Held {
    /// Whether the client has sent a whole Close.
    fn has_close(&self) -> bool {
        let Some(length) = handshake::head_length(&self.read) else { return false };
        let mut rest = &self.read[length..];
        let mut decoder = Decoder::new(Role::Client);
        while let Some(item) = decoder.next(&mut rest) {
            if matches!(item, Item::Frame(head) if head.opcode == Opcode::CLOSE) {
                return true;
            }
        }
        false
    }
}

/// A connection that outlives this end of it, and is not shut down.
struct Kept(Arc<Mutex<Held>>);

impl Kept {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll<T>(
        &self,
        poll: impl FnOnce(Pin<&mut Connection>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.held().connection {
            Some(connection) => poll(Pin::new(connection)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Kept {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = self.poll(|connection| connection.poll_read(cx, buf));
        self.held().read.extend_from_slice(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Kept {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(|connection| connection.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|connection| connection.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
