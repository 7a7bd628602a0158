//! Connects an in-process client to a URL: `hangup connect`, what [`listen`](super::listen) is for
//! servers.
//!
//! Over TCP nobody can command an application. It keeps its connection, or closes once it is open.

use crate::exchange::Note;
use crate::script::{Command, Content};
use crate::target::{ApplicationControl, Connection, Target};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::net::TcpStream;

/// Connects `target` to this address, and runs it until it returns. Where it `closes`, its application
/// is told to close with 1000 once it says that the connection is open.
///
/// # Errors
///
/// The system's: nothing listens there, say.
pub async fn connect(target: &dyn Target, address: SocketAddr, closes: bool) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let control = Arc::new(OnceOpen { closes, state: Mutex::default() });
    target.serve(Connection::controlled(stream, control)).await;
    Ok(())
}

/// Has an application close once it is open, where it is to.
struct OnceOpen {
    closes: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    command: Option<Command>,
    waker: Option<Waker>,
}

impl OnceOpen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ApplicationControl for OnceOpen {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut state = self.state();
        if let Some(command) = state.command.take() {
            return Poll::Ready(command);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn note(&self, note: Note) {
        if note != Note::Opened || !self.closes {
            return;
        }
        let mut state = self.state();
        state.command = Some(Command::Close(Some(1000), Content::Empty));
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}
