//! The wrapper between a changed server and its transport. It moves bytes and ends; what is
//! changed about them, `output` and `input` say.

use super::Change;
use super::input::Input;
use super::output::Output;
use crate::target::{Connection, Role};
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// The transport of a changed server.
pub(super) struct ChangedStream {
    /// `None` once it was given to the task that holds it beyond its end.
    io: Option<Connection>,
    change: Change,
    output: Output,
    input: Input,
}

impl ChangedStream {
    /// Between `io` and a subject in this role.
    pub fn new(io: Connection, change: Change, subject: Role) -> Self {
        let (output, input) = (Output::new(change, subject), Input::new(change, subject));
        Self { io: Some(io), change, output, input }
    }

    fn io(&mut self) -> Pin<&mut Connection> {
        Pin::new(self.io.as_mut().expect("it is taken when this is dropped"))
    }

    /// Whether the end comes later than the server wants it.
    const fn holds(&self) -> bool {
        matches!(self.change, Change::EndLater(_) | Change::NeverEnd)
    }

    /// Sends what is to be sent before anything of the server's; ready once that is gone.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.pending.is_empty() {
            let bytes = std::mem::take(&mut self.output.pending);
            let sent = self.io().poll_write(cx, &bytes);
            let count = if let Poll::Ready(Ok(count)) = sent { count } else { 0 };
            self.output.pending = bytes[count..].to_vec();
            ready!(sent)?;
        }
        if std::mem::take(&mut self.output.ends) {
            ready!(self.io().poll_shutdown(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ChangedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.output.pending.is_empty() {
            // A server that has nothing more to write may only read; errors show on its writes.
            let _ = self.poll_pending(cx);
        }
        if !self.input.hides() {
            let before = buf.filled().len();
            ready!(self.io().poll_read(cx, buf))?;
            self.input.read(&buf.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        while self.input.ready.is_empty() {
            let mut bytes = [0; 1024];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(self.io().poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.input.read_hiding(read.filled());
        }
        let count = buf.remaining().min(self.input.ready.len());
        buf.put_slice(&self.input.ready[..count]);
        self.input.ready.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChangedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        let answers = self.input.closed;
        let passing = self.output.passing(bytes, answers);
        if passing > 0 {
            let count = ready!(self.io().poll_write(cx, &bytes[..passing]))?;
            self.output.passed(&bytes[..count]);
            return Poll::Ready(Ok(count));
        }
        if bytes.is_empty() {
            return self.io().poll_write(cx, bytes);
        }
        let count = self.output.take(bytes, answers);
        // What there is no room for stays: it is sent before anything else.
        let _ = self.poll_pending(cx)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        if self.holds() {
            return Poll::Ready(Ok(()));
        }
        self.io().poll_shutdown(cx)
    }
}

/// A server that lets go of its transport: with some changes, the transport is held longer.
impl Drop for ChangedStream {
    fn drop(&mut self) {
        let (Some(io), Ok(runtime)) = (self.io.take(), Handle::try_current()) else { return };
        match self.change {
            Change::EndLater(time) => {
                runtime.spawn(async move {
                    sleep(time).await;
                    drop(io);
                });
            }
            Change::NeverEnd => {
                runtime.spawn(async move {
                    let _held = io;
                    pending::<()>().await;
                });
            }
            _ => drop(io),
        }
    }
}
