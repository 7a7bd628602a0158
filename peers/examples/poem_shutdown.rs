//! A whole server on poem that shuts down within a bound, and its test: a whole
//! `tests/shutdown.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! futures-util = { version = "0.3", features = ["sink"] }
//! http = "1"
//! poem = { version = "3.1", default-features = false, features = ["server", "websocket"] }
//! tokio = { version = "1", features = ["macros", "sync", "time"] }
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Listener, Stop, Suite, secs};
use http::uri::Scheme;
use poem::http::StatusCode;
use poem::listener::Acceptor;
use poem::web::websocket::{CloseCode, Message, WebSocket, WebSocketStream};
use poem::web::{Data, LocalAddr, RemoteAddr};
use poem::{EndpointExt as _, IntoEndpoint, IntoResponse, Route, Server, get, handler};
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The time of one send: the shutdown may come right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the closing: with a send before it, five seconds are kept.
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
                let _ = self.messages.send(Message::text(text.text()));
            }
        }
    }
}

/// The program's routes; stands for yours.
pub fn app(hub: Hub) -> impl IntoEndpoint<Endpoint: 'static> {
    Route::new().at("/", get(upgrade)).data(hub)
}

#[handler]
fn upgrade(
    upgrade: WebSocket,
    Data(hub): Data<&Hub>,
) -> Result<impl IntoResponse + use<>, StatusCode> {
    // Who opens during the shutdown may have no time left for a Close and its answer.
    if hub.going_away.is_cancelled() {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let hub = hub.clone();
    // poem forgets a connection that it has upgraded: the session is counted from here on.
    let counted = hub.tasks.token();
    Ok(upgrade.on_upgrade(|socket| async move {
        let over = hub.over.clone();
        over.run_until_cancelled(session(socket, hub)).await;
        drop(counted);
    }))
}

/// The whole server. Returning is the end of its shutdown.
async fn serve(listener: Listener, stop: Stop) {
    let hub = Hub::new();
    let application = listener.application();
    let told = {
        let (stop, going_away) = (stop.clone(), hub.going_away.clone());
        async move {
            stop.await;
            going_away.cancel();
        }
    };
    // What is no WebSocket yet by then is dropped.
    let server = Server::new_with_acceptor(Accept(listener)).run_with_graceful_shutdown(
        app(hub.clone()),
        told,
        Some(SHUTDOWN),
    );
    let ended = async {
        let _ = server.await;
        hub.tasks.close();
        hub.tasks.wait().await;
    };
    // The same deadline for the sessions: one that began late, or is stuck, is dropped, too.
    let deadline = async {
        stop.await;
        sleep(SHUTDOWN).await;
        hub.over.cancel();
        pending::<()>().await;
    };
    tokio::select! {
        () = ended => {}
        () = deadline => {}
        () = hub.broadcast(application) => {}
    }
}

/// Stands for your `TcpListener`.
pub struct Accept(pub Listener);

impl Acceptor for Accept {
    type Io = Connection;

    fn local_addr(&self) -> Vec<LocalAddr> {
        Vec::new()
    }

    async fn accept(&mut self) -> io::Result<(Connection, LocalAddr, RemoteAddr, Scheme)> {
        let connection = self.0.accept().await;
        Ok((connection, LocalAddr::default(), RemoteAddr::default(), Scheme::HTTP))
    }
}

async fn session(mut socket: WebSocketStream, hub: Hub) {
    let mut messages = hub.messages.subscribe();
    let close = |code| Some(Message::close_with(code, ""));
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
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
                Some(Ok(_)) => continue,
                // An error of tungstenite's, not of the transport's.
                Some(Err(error)) if error.kind() == io::ErrorKind::Other => {
                    break close(CloseCode::Protocol);
                }
                Some(Err(_)) | None => return,
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
        io::Result::Ok(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::server_suite(serve)
        .named("poem-server")
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
