//! A target on a real socket: accepts, serves, and says goodbye.
//!
//! Over TCP nobody can command an application, so a connection's path does: on
//! `/bye` it closes once it is open, on `/push` it sends unasked. When serving is to
//! stop, every application is told to close with 1001 and given its bound for that.

use crate::exchange::Note;
use crate::script::{Command, Content};
use crate::target::{AppSteps, Connection, Host, Target};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The path on which the application closes as soon as the connection is open.
pub const BYE: &str = "/bye";
/// The path on which the application sends a message every [`PUSH_EVERY`].
pub const PUSH: &str = "/push";
/// The pause between two messages on [`PUSH`].
pub const PUSH_EVERY: Duration = Duration::from_millis(100);

/// What a connection's last timers may lie behind its bound at the end of serving.
const GRACE: Duration = Duration::from_millis(250);
/// How many commands wait for an application that does not take them.
const TRAY: usize = 8;
/// How far a request line is looked at.
const LINE: usize = 1024;
/// The pause after the system refused to accept, for want of descriptors say.
const REFUSED: Duration = Duration::from_millis(50);

/// Serves `target` on `listener` until `stop` is ready; then tells every application
/// to close with 1001, waits for the target's bound, and drops what is left. Where
/// the target obeys no command to close, connections are dropped at once.
pub async fn serve(target: Arc<dyn Target>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let (stopping, stops) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            // What a panic says has been printed by then.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_one(Arc::clone(&target), stream, stops.clone()));
                }
                Err(_) => sleep(REFUSED).await,
            },
        }
    }
    drop(listener);
    if target.obeys().contain(AppSteps::CLOSE) {
        let _ = stopping.send(true);
        let rest = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(target.bounds().close + GRACE, rest).await;
    }
    connections.shutdown().await;
}

async fn serve_one(target: Arc<dyn Target>, stream: TcpStream, stops: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let desk = Arc::new(Desk::default());
    let (io, writes) = stream.into_split();
    let reads = Overheard { io, line: Some(Vec::new()), desk: Arc::clone(&desk) };
    let connection = Connection::commanded(tokio::io::join(reads, writes), Arc::clone(&desk) as _);
    let obeys = target.obeys();
    tokio::select! {
        () = target.serve(connection) => {}
        () = desk.direct(obeys, stops) => {}
    }
}

/// Where the application's commands come from: the path of its request, and the end
/// of serving.
#[derive(Default)]
struct Desk {
    tray: Mutex<Tray>,
    asked: Notify,
}

#[derive(Default)]
struct Tray {
    path: Option<String>,
    commands: VecDeque<Command>,
    waker: Option<Waker>,
}

impl Desk {
    /// Lays out the application's commands; never ready.
    async fn direct(&self, obeys: AppSteps, mut stops: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = stops.wait_for(|stopping| *stopping) => {}
            () = self.by_path(obeys) => {}
        }
        self.tell(Command::Close(Some(1001), Content::Empty));
        std::future::pending::<()>().await;
    }

    /// What the path asks for; never ready.
    async fn by_path(&self, obeys: AppSteps) {
        self.asked.notified().await;
        let path = self.tray().path.clone().unwrap_or_default();
        if path == BYE && obeys.contain(AppSteps::CLOSE) {
            self.tell(Command::Close(Some(1000), Content::Empty));
        }
        while path == PUSH && obeys.contain(AppSteps::SEND) {
            self.tell(Command::SendText(Content::Text("news".to_owned())));
            sleep(PUSH_EVERY).await;
        }
        std::future::pending::<()>().await;
    }

    fn tell(&self, command: Command) {
        let mut tray = self.tray();
        let closes = matches!(command, Command::Close(..));
        if closes || tray.commands.len() < TRAY {
            tray.commands.push_back(command);
        }
        if let Some(waker) = tray.waker.take() {
            waker.wake();
        }
    }

    fn tray(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Desk {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut tray = self.tray();
        if let Some(command) = tray.commands.pop_front() {
            return Poll::Ready(command);
        }
        tray.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn note(&self, _: Note) {}
}

/// What a client sends, whose request line is overheard.
struct Overheard {
    io: OwnedReadHalf,
    /// The request line as far as it came; `None` once it was whole, or too long.
    line: Option<Vec<u8>>,
    desk: Arc<Desk>,
}

impl Overheard {
    fn hear(&mut self, bytes: &[u8]) {
        let Some(line) = &mut self.line else { return };
        line.extend_from_slice(bytes);
        let end = line.iter().position(|byte| *byte == b'\r');
        if end.is_none() && line.len() < LINE {
            return;
        }
        let text = String::from_utf8_lossy(&line[..end.unwrap_or(LINE)]).into_owned();
        let target = text.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        self.desk.tray().path = Some(path.to_owned());
        self.desk.asked.notify_one();
        self.line = None;
    }
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.hear(&buf.filled()[before..]);
        }
        read
    }
}
