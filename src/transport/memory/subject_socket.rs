//! The subject's end of the link, as a target has it: a byte stream.

use super::Link;
use crate::exchange::What;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The subject's end: what a target serves. Dropping it releases the transport.
#[derive(Debug)]
pub struct SubjectEnd(pub(super) Link);

impl AsyncRead for SubjectEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut locked = self.0.lock();
        let mut state = locked.link();
        if state.polled() { Poll::Pending } else { state.poll_read(cx, buf) }
    }
}

impl AsyncWrite for SubjectEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut locked = self.0.lock();
        let mut state = locked.link();
        if state.polled() { Poll::Pending } else { state.poll_write(cx, bytes) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut locked = self.0.lock();
        let mut state = locked.link();
        if state.polled() {
            return Poll::Pending;
        }
        let written = state.written();
        if state.subject.flushed < written {
            state.subject.flushed = written;
            state.progressed();
            state.record(What::Flushed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut locked = self.0.lock();
        let mut state = locked.link();
        if state.polled() {
            return Poll::Pending;
        }
        state.shut();
        Poll::Ready(Ok(()))
    }
}

impl Drop for SubjectEnd {
    fn drop(&mut self) {
        self.0.lock().link().drop_subject();
    }
}
