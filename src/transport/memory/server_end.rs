//! The server's end of the link, as a target has it: a byte stream.

use super::Link;
use crate::exchange::What;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The server's end: what a target serves. Dropping it releases the transport.
#[derive(Debug)]
pub struct ServerEnd(pub(super) Link);

impl AsyncRead for ServerEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.polled() { Poll::Pending } else { state.poll_read(cx, buf) }
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock();
        if state.polled() { Poll::Pending } else { state.poll_write(cx, bytes) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.polled() {
            return Poll::Pending;
        }
        let written = state.trace_written();
        if state.server.flushed < written {
            state.server.flushed = written;
            state.progressed();
            state.record(What::Flushed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        if state.polled() {
            return Poll::Pending;
        }
        state.shut();
        Poll::Ready(Ok(()))
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.0.lock().drop_server();
    }
}
