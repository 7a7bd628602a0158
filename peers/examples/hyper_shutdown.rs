//! A whole server on hyper, with hyper-tungstenite, that shuts down within a bound, and its test: a whole
//! `tests/shutdown.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! futures-util = { version = "0.3", features = ["sink"] }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-tungstenite = "0.30"
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! tokio = { version = "1", features = ["macros", "rt", "sync", "time"] }
//! tokio-io-timeout = "1.2"
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Listener, Stop, Suite, secs};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_tungstenite::HyperWebsocket;
use hyper_tungstenite::tungstenite::error::ProtocolError;
use hyper_tungstenite::tungstenite::protocol::CloseFrame;
use hyper_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use hyper_tungstenite::tungstenite::{Error, Message};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::{Future, ready};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The time of one send: the shutdown may come right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);
/// The time of the whole shutdown: what is open then is dropped.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// How many messages for all may wait for one client: who is further behind is given up.
const BEHIND: usize = 16;

/// What all sessions share.
#[derive(Clone)]
pub struct Hub {
    messages: broadcast::Sender<Message>,
    /// A state, and not an event: a session that begins later sees it as well.
    going_away: CancellationToken,
    /// The time of the shutdown has passed.
    over: CancellationToken,
    tasks: TaskTracker,
}

impl Hub {
    pub fn new() -> Self {
        let (going_away, over) = (CancellationToken::new(), CancellationToken::new());
        let messages = broadcast::channel(BEHIND).0;
        Self { messages, going_away, over, tasks: TaskTracker::new() }
    }

    /// Hands messages for all on, and waits for nobody; stands for what your program does.
    pub async fn broadcast(&self, application: Application) {
        loop {
            if let Command::Broadcast(text) = application.command().await {
                let _ = self.messages.send(Message::text(text.text().into_owned()));
            }
        }
    }

    /// A task that ends when all is over, at the latest.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.over.clone().run_until_cancelled_owned(task));
    }
}

/// The whole server. Returning is the end of its shutdown.
async fn serve(listener: Listener, stop: Stop) {
    let hub = Hub::new();
    let application = listener.application();
    let accepting = async {
        loop {
            let connection = listener.accept().await;
            hub.spawn(http(connection, hub.clone()));
        }
    };
    tokio::select! {
        () = stop => {}
        () = accepting => {}
        () = hub.broadcast(application) => {}
    }
    // Who comes now is refused, and tries another server.
    drop(listener);
    hub.going_away.cancel();
    hub.tasks.close();
    // One deadline for all, connections and sessions.
    if timeout(SHUTDOWN, hub.tasks.wait()).await.is_err() {
        hub.over.cancel();
        hub.tasks.wait().await;
    }
}

/// One connection on hyper's HTTP/1 server, which bounds the opening.
async fn http(connection: Connection, hub: Hub) {
    let going_away = hub.going_away.clone();
    // A write that makes no progress for so long fails, whoever made it: hyper, which
    // refuses a request, or the library, which answers a ping while it reads.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let service = service_fn(move |request| ready(answer(request, &hub)));
    // Without the timer, hyper panics where a time is given, and passes its default of
    // 30 s over where none is.
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLOSE)
        .serve_connection(TokioIo::new(Box::pin(io)), service)
        .with_upgrades();
    let mut http = pin!(http);
    tokio::select! {
        // hyper forgets a connection that it has upgraded: its session is counted by itself.
        _ = http.as_mut() => return,
        // One that waits for a request ends at once, one that has begun with its answer.
        () = going_away.cancelled() => http.as_mut().graceful_shutdown(),
    }
    let _ = http.await;
}

/// What the server answers to a request; stands for yours.
pub fn answer(
    mut request: Request<Incoming>,
    hub: &Hub,
) -> Result<Response<Full<Bytes>>, ProtocolError> {
    if !hyper_tungstenite::is_upgrade_request(&request) {
        let mut refusal = Response::new(Full::from("a WebSocket is served here"));
        *refusal.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(refusal);
    }
    let (response, upgrading) = hyper_tungstenite::upgrade(&mut request, None)?;
    // It is counted from here on.
    hub.spawn(session(upgrading, hub.clone()));
    Ok(response)
}

async fn session(websocket: HyperWebsocket, hub: Hub) {
    let Ok(mut socket) = websocket.await else { return };
    let mut messages = hub.messages.subscribe();
    let close = |code| Some(Message::Close(Some(CloseFrame { code, reason: "".into() })));
    let own_close = loop {
        let message = tokio::select! {
            biased;
            // What was said before the shutdown still goes out.
            message = messages.recv() => match message {
                Ok(message) => message,
                Err(_) => break close(CloseCode::Again),
            },
            () = hub.going_away.cancelled() => break close(CloseCode::Away),
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message)) if message.is_text() || message.is_binary() => message,
                Some(Ok(_)) => continue,
                Some(Err(Error::Io(_))) | None => return,
                // The Close that fails the connection is up to us.
                Some(Err(_)) => break close(CloseCode::Protocol),
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
        while socket.next().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::server_suite(serve)
        .named("hyper-server")
        .obeying(AppSteps::BROADCAST)
        .close_within(secs(5))
        .handshake_within(secs(5))
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
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn shuts_down_in_time() {
    suite().check();
}
