//! Serves an in-process target on a real socket: `hangup serve`.
//!
//! Over TCP nobody can command an application, so a connection's path does: on
//! `/bye` it closes once it is open, on `/push` it sends unasked, and on `/?do=close%201001`, or
//! any other commands in the notation of scripts, with `&` between them, it does what they say. When serving is to
//! stop, every application is told to close with 1001 and given its bound for that.

use crate::exchange::Note;
use crate::script::{Act, Command, Content, Pace, Script, Step};
use crate::target::{AppSteps, ApplicationControl, Connection, Target};
use std::collections::VecDeque;
use std::fmt::Write as _;
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
/// What stands before the commands in a path that has them.
const DO: &str = "/?do=";
/// The pause between two messages on [`PUSH`].
pub const PUSH_EVERY: Duration = Duration::from_millis(100);

/// How much longer than the target's bound connections may take when serving stops.
const DRAIN_GRACE: Duration = Duration::from_millis(250);
/// The most commands that wait for an application that does not take them.
const MAX_QUEUED: usize = 8;
/// The longest request line that is read, in bytes.
const MAX_REQUEST_LINE: usize = 8192;
/// The pause after a failed accept, for example for want of file descriptors.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The path on which an application does what the script has it do: `/` where that is nothing.
pub fn path_of(script: &Script) -> String {
    let lines = script.steps.iter().filter(|step| matches!(step.act, Act::App(..))).map(|step| {
        let alone = Script { steps: vec![Step::from(step.act.clone())] };
        let line = alone.to_string();
        let command = line.trim_end().strip_prefix("app ").unwrap_or_default();
        command.bytes().fold(String::new(), |mut path, byte| {
            if byte.is_ascii_alphanumeric() {
                path.push(char::from(byte));
            } else {
                let _ = write!(path, "%{byte:02X}");
            }
            path
        })
    });
    let commands: Vec<String> = lines.collect();
    if commands.is_empty() { "/".to_owned() } else { format!("{DO}{}", commands.join("&")) }
}

/// The commands of such a path; none where one of them is none.
fn commands_of(path: &str) -> Option<Vec<(Command, Pace)>> {
    let command = |text: &str| {
        let script: Script = format!("app {}", unescaped(text)?).parse().ok()?;
        match script.steps.into_iter().next()?.act {
            Act::App(command, pace) => Some((command, pace)),
            _ => None,
        }
    };
    path.strip_prefix(DO)?.split('&').map(command).collect()
}

/// Text with its percent signs and what follows them as the bytes that they stand for.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        let (digits, after) = escape.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).ok()
}

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
            // The panic hook has printed the message of a panic by then.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_one(Arc::clone(&target), stream, stops.clone()));
                }
                Err(_) => sleep(ACCEPT_RETRY_PAUSE).await,
            },
        }
    }
    drop(listener);
    if target.obeys().contain(AppSteps::CLOSE) {
        let _ = stopping.send(true);
        let rest = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(target.bounds().close + DRAIN_GRACE, rest).await;
    }
    connections.shutdown().await;
}

async fn serve_one(target: Arc<dyn Target>, stream: TcpStream, stops: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let queue = Arc::new(PathCommandQueue::default());
    let (io, writes) = stream.into_split();
    let reads = RequestLineReader { io, line: Some(Vec::new()), queue: Arc::clone(&queue) };
    let connection =
        Connection::controlled(tokio::io::join(reads, writes), Arc::clone(&queue) as _);
    let obeys = target.obeys();
    // A server that upgrades returns once HTTP is over, and goes on in a task of its own: its
    // application lives as long as its transport does.
    let served = async {
        target.serve(connection).await;
        queue.let_go.notified().await;
    };
    tokio::select! {
        () = served => {}
        () = queue.issue_commands(obeys, stops) => {}
    }
}

/// The commands for one connection's application. The path of its request and the end of
/// serving put them there.
#[derive(Default)]
struct PathCommandQueue {
    state: Mutex<PathCommands>,
    path_known: Notify,
    /// The server has dropped its transport.
    let_go: Notify,
}

/// The state of a [`PathCommandQueue`], under its lock.
#[derive(Default)]
struct PathCommands {
    path: Option<String>,
    commands: VecDeque<Command>,
    waker: Option<Waker>,
}

impl PathCommandQueue {
    /// Issues the application's commands; never ready.
    async fn issue_commands(&self, obeys: AppSteps, mut stops: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = stops.wait_for(|stopping| *stopping) => {}
            () = self.issue_commands_of_path(obeys) => {}
        }
        self.push(Command::Close(Some(1001), Content::Empty));
        std::future::pending::<()>().await;
    }

    /// Issues the commands that the path stands for; never ready.
    async fn issue_commands_of_path(&self, obeys: AppSteps) {
        self.path_known.notified().await;
        let path = self.lock().path.clone().unwrap_or_default();
        if path == BYE && obeys.contain(AppSteps::CLOSE) {
            self.push(Command::Close(Some(1000), Content::Empty));
        }
        while path == PUSH && obeys.contain(AppSteps::SEND) {
            self.push(Command::SendText(Content::Text("news".to_owned())));
            sleep(PUSH_EVERY).await;
        }
        for (command, pace) in commands_of(&path).unwrap_or_default() {
            let (times, pause) = match pace {
                Pace::Times(times, pause) => (times, pause.duration()),
                Pace::Once | Pace::Pieces(..) => (1, Duration::ZERO),
            };
            for _ in 0..times {
                if obeys.contain(AppSteps::of(&command)) {
                    self.push(command.clone());
                }
                sleep(pause).await;
            }
        }
        std::future::pending::<()>().await;
    }

    fn push(&self, command: Command) {
        let mut state = self.lock();
        let closes = matches!(command, Command::Close(..));
        if closes || state.commands.len() < MAX_QUEUED {
            state.commands.push_back(command);
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, PathCommands> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ApplicationControl for PathCommandQueue {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut state = self.lock();
        if let Some(command) = state.commands.pop_front() {
            return Poll::Ready(command);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn note(&self, _: Note) {}
}

/// The client's bytes; reads the path from the request line as it passes.
struct RequestLineReader {
    io: OwnedReadHalf,
    /// The request line as far as it came; `None` once it was whole, or too long.
    line: Option<Vec<u8>>,
    queue: Arc<PathCommandQueue>,
}

impl Drop for RequestLineReader {
    fn drop(&mut self) {
        self.queue.let_go.notify_one();
    }
}

impl RequestLineReader {
    fn inspect(&mut self, bytes: &[u8]) {
        let Some(line) = &mut self.line else { return };
        line.extend_from_slice(bytes);
        let end = line.iter().position(|byte| *byte == b'\r');
        if end.is_none() && line.len() < MAX_REQUEST_LINE {
            return;
        }
        let text = String::from_utf8_lossy(&line[..end.unwrap_or(MAX_REQUEST_LINE)]).into_owned();
        let target = text.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().filter(|_| !target.starts_with(DO)).unwrap_or(target);
        self.queue.lock().path = Some(path.to_owned());
        self.queue.path_known.notify_one();
        self.line = None;
    }
}

impl AsyncRead for RequestLineReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_ready() {
            self.inspect(&buf.filled()[before..]);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_commands_of_a_script_and_nothing_else_is_one() {
        let script: Script =
            "upgrade\napp send text \"a/ü\" x 2 every 5ms\nping\napp close 1000 124B\n"
                .parse()
                .expect("a script");
        let path = path_of(&script);
        assert!(path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/?=&%".contains(&byte)));
        let acts: Vec<Act> = commands_of(&path)
            .expect(&path)
            .into_iter()
            .map(|(command, pace)| Act::App(command, pace))
            .collect();
        let of_script = script.steps.into_iter().map(|step| step.act);
        assert_eq!(acts, of_script.filter(|act| matches!(act, Act::App(..))).collect::<Vec<_>>());
        for path in
            ["/", "/?do=", "/?do=frob", "/?do=close%2", "/?do=close%zz", "/?do=close%0Aapp%20close"]
        {
            let commands = commands_of(path).unwrap_or_default();
            assert!(commands.len() < 2 && (path.contains("%0A") || commands.is_empty()), "{path}");
        }
    }
}
