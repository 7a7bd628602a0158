//! A whole server on `axum::serve` that shuts down within a bound, and its test: a whole
//! `tests/shutdown.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! axum = { version = "0.8", default-features = false, features = ["http1", "tokio", "ws"] }
//! tokio = { version = "1", features = ["macros", "sync", "time"] }
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::any;
use axum::{Error, Router};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Listener, Stop, Suite, secs};
use std::future::{Future as _, pending};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;

/// The time of one send: the shutdown may come right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);
/// The time of the whole shutdown: what is open then is cut.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// How many messages for all may wait for one client: who is further behind is given up.
const BEHIND: usize = 16;

/// What all sessions share.
#[derive(Clone)]
pub struct Hub {
    messages: broadcast::Sender<Message>,
    /// A state, and not an event: a session that begins later sees it as well.
    going_away: CancellationToken,
    sessions: TaskTracker,
}

impl Hub {
    pub fn new() -> Self {
        let (going_away, sessions) = (CancellationToken::new(), TaskTracker::new());
        Self { messages: broadcast::channel(BEHIND).0, going_away, sessions }
    }

    /// Hands messages for all on, and waits for nobody; stands for what your program does.
    pub async fn broadcast(&self, application: Application) {
        loop {
            if let Command::Broadcast(text) = application.command().await {
                let _ = self.messages.send(Message::text(text.text().into_owned()));
            }
        }
    }
}

/// The program's routes; stands for yours.
pub fn app(hub: Hub) -> Router {
    let upgrade = |upgrade: WebSocketUpgrade, State(hub): State<Hub>| async move {
        // Who opens during the shutdown may have no time left for a Close and its answer.
        if hub.going_away.is_cancelled() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        // axum forgets a connection that it has upgraded: the session is counted from here on.
        let counted = hub.sessions.token();
        upgrade.on_upgrade(|socket| async move {
            session(socket, hub).await;
            drop(counted);
        })
    };
    Router::new().route("/", any(upgrade)).with_state(hub)
}

/// The whole server. Returning is the end of its shutdown.
async fn serve(listener: Listener, stop: Stop) {
    let (hub, over) = (Hub::new(), CancellationToken::new());
    let application = listener.application();
    let listener = Accept { listener, over: over.clone() };
    let server = axum::serve(listener, app(hub.clone())).with_graceful_shutdown(stop.clone());
    let ended = async {
        let _ = server.await;
        hub.sessions.close();
        hub.sessions.wait().await;
    };
    // One deadline for all: also for those that never complete their opening, which `axum::serve`
    // waits for.
    let deadline = async {
        stop.await;
        hub.going_away.cancel();
        sleep(SHUTDOWN).await;
        over.cancel();
        pending::<()>().await;
    };
    tokio::select! {
        () = ended => {}
        () = deadline => {}
        () = hub.broadcast(application) => {}
    }
}

/// Stands for your `TcpListener`.
pub struct Accept {
    pub listener: Listener,
    /// Cuts every connection.
    pub over: CancellationToken,
}

impl axum::serve::Listener for Accept {
    type Io = Until<Connection>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        let io = self.listener.accept().await;
        (Until { io, over: Box::pin(self.over.clone().cancelled_owned()) }, ())
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A transport that fails once all is over, whoever holds it.
pub struct Until<Io> {
    io: Io,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<Io: Unpin> Until<Io> {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut Io>> {
        match self.over.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(Pin::new(&mut self.io)),
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Until<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?.poll_read(cx, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Until<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?.poll_shutdown(cx)
    }
}

async fn session(mut socket: WebSocket, hub: Hub) {
    let mut messages = hub.messages.subscribe();
    let close = |code| Some(Message::Close(Some(CloseFrame { code, reason: "".into() })));
    let own_close = loop {
        let message = tokio::select! {
            biased;
            // What was said before the shutdown still goes out.
            message = messages.recv() => match message {
                Ok(message) => message,
                Err(_) => break close(close_code::AGAIN),
            },
            () = hub.going_away.cancelled() => break close(close_code::AWAY),
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
                Some(Ok(_)) => continue,
                // Whether the client or the network did wrong, the error does not tell.
                Some(Err(_)) => break close(close_code::POLICY),
                None => return,
            },
        };
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, socket.send(message)).await else { return };
    };
    // One deadline, set once, around the own Close, the wait for the client's and the end.
    let _ = timeout(CLOSE, async {
        if let Some(close) = own_close {
            socket.send(close).await?;
        }
        while socket.recv().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::server_suite(serve)
        .named("axum-server")
        .obeying(AppSteps::BROADCAST)
        .close_within(secs(5))
        .shutdown_within(secs(6))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime)
                .with_cause(Cause::ClientViolation)
                .with_condition(Condition::HalfSent),
            reason: "the library looks at a frame once all of it has come: one that its \
                     beginning proves illegal, and that never becomes complete, is no error yet",
            rfc: "5.1: The server MUST close the connection upon receiving a frame that is not \
                  masked.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::AcceptsLegal)
                .with_symptom(Symptom::RefusesRegisteredCode),
            reason: "the library does not know 1014 (Bad Gateway), registered since, and \
                     answers it with 1002",
            rfc: "7.4.2: Status codes in the range 1000-2999 are reserved for definition by \
                  this protocol, its future revisions, and extensions specified in a permanent \
                  and readily available public specification.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientFin),
            reason: "the host has no time for writing an answer, and sees no FIN while one \
                     waits for room",
            rfc: "7.1.1: An endpoint MAY close the connection via any means available when \
                  necessary, such as when under attack.",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn shuts_down_in_time() {
    suite().check();
}
