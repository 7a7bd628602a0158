//! Both ends of the simulated link, as plain calls that never wait.

use super::Answer;
use super::sequence::{Buffers, Side};
use hangup::exchange::{End, What};
use hangup::script::{Setting, Size};
use hangup::transport::memory::{ActorRead, Link, SubjectEnd};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

/// Rings when the task that waits is woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Somebody who polls, and may wait.
#[derive(Default)]
struct Waiter {
    bell: Arc<Bell>,
    waits: bool,
}

impl Waiter {
    fn poll<T>(&mut self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        self.bell.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.bell));
        let polled = poll(&mut Context::from_waker(&waker));
        self.waits = polled.is_pending();
        polled
    }

    fn sleeps(&self) -> bool {
        self.waits && !self.bell.0.load(Ordering::Relaxed)
    }
}

/// The simulated connection.
pub struct LinkPair {
    link: Link,
    server: Option<SubjectEnd>,
    readers: [Waiter; 2],
    writers: [Waiter; 2],
    /// How many of the server's bytes the client has taken from the link.
    client_got: usize,
    client_told: bool,
}

fn answer(error: &io::Error) -> Answer {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Answer::Reset,
        io::ErrorKind::BrokenPipe => Answer::Pipe,
        kind => panic!("the link answers {kind:?}"),
    }
}

impl LinkPair {
    pub fn new(buffers: Buffers) -> Self {
        let link = Link::new();
        let Buffers { window, send, receive } = buffers;
        for (setting, size) in [
            (Setting::Window, window),
            (Setting::SendBuffer, send),
            (Setting::ReceiveBuffer, receive),
        ] {
            link.set(setting, Size(size as u32));
        }
        let server = Some(link.subject_end());
        Self {
            link,
            server,
            readers: Default::default(),
            writers: Default::default(),
            client_got: 0,
            client_told: false,
        }
    }

    fn server(&mut self) -> Pin<&mut SubjectEnd> {
        Pin::new(self.server.as_mut().expect("the server holds its end"))
    }

    pub fn write(&mut self, side: Side, bytes: &[u8]) -> Answer {
        let mut waiter = std::mem::take(&mut self.writers[side as usize]);
        let written = waiter.poll(|cx| match side {
            Side::Client => self.link.poll_actor_write(cx, bytes),
            Side::Server => self.server().poll_write(cx, bytes),
        });
        self.writers[side as usize] = waiter;
        let answer = match written {
            Poll::Pending => Answer::Blocked,
            Poll::Ready(Ok(count)) => Answer::Took(count),
            Poll::Ready(Err(error)) => answer(&error),
        };
        self.client_told |= side == Side::Client && answer == Answer::Reset;
        answer
    }

    /// Reads once. The client has no limit: it gets all that is in its window.
    pub fn read(&mut self, side: Side, most: usize, at: usize) -> Answer {
        match side {
            Side::Client => self.client_read(at),
            Side::Server => self.server_read(most, at),
        }
    }

    fn server_read(&mut self, most: usize, at: usize) -> Answer {
        let mut space = vec![0; most];
        let mut buffer = ReadBuf::new(&mut space);
        let mut waiter = std::mem::take(&mut self.readers[Side::Server as usize]);
        let read = waiter.poll(|cx| self.server().poll_read(cx, &mut buffer));
        self.readers[Side::Server as usize] = waiter;
        match read {
            Poll::Pending => Answer::Nothing,
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Answer::End,
            Poll::Ready(Ok(())) => Answer::checked(Side::Client, at, buffer.filled()),
            Poll::Ready(Err(error)) => answer(&error),
        }
    }

    fn client_read(&mut self, at: usize) -> Answer {
        let mut waiter = std::mem::take(&mut self.readers[Side::Client as usize]);
        let read = waiter.poll(|cx| self.link.poll_actor_read(cx));
        self.readers[Side::Client as usize] = waiter;
        match read {
            Poll::Pending => Answer::Nothing,
            Poll::Ready(ActorRead::Bytes) => {
                let from = self.client_got;
                self.link.with_received(|bytes| {
                    self.client_got = bytes.len();
                    Answer::checked(Side::Server, at, &bytes[from..])
                })
            }
            // The link answers one end for both; what it records tells them apart.
            Poll::Ready(ActorRead::End) => {
                let was_reset = self.recorded(End::Actor, |what| *what == What::ReadReset);
                let got_end = self.recorded(End::Actor, |what| *what == What::ReadEnd);
                let told = std::mem::replace(&mut self.client_told, true);
                if was_reset && !got_end && !told { Answer::Reset } else { Answer::End }
            }
        }
    }

    pub fn shut(&mut self, side: Side) {
        match side {
            Side::Client => self.link.actor_fin(),
            Side::Server => {
                let shut = self.server().poll_shutdown(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(shut, Poll::Ready(Ok(()))), "{shut:?}");
            }
        }
    }

    pub fn drop_end(&mut self, side: Side) {
        match side {
            Side::Client => self.link.actor_drop(),
            Side::Server => self.server = None,
        }
    }

    pub fn reset(&self) {
        self.link.actor_reset();
    }

    fn recorded(&self, end: End, is: impl Fn(&What) -> bool) -> bool {
        self.link.with_exchange(|exchange| {
            exchange.events.iter().any(|event| event.end == end && is(&event.what))
        })
    }

    /// Whether the client's FIN or RST reached the server.
    pub fn reached_server(&self, what: &What) -> bool {
        self.recorded(End::Subject, |recorded| recorded == what)
    }

    /// Whether the task that last polled for reading waits still.
    pub fn reader_sleeps(&self, side: Side) -> bool {
        self.readers[side as usize].sleeps()
    }

    pub fn writer_sleeps(&self, side: Side) -> bool {
        self.writers[side as usize].sleeps()
    }
}
