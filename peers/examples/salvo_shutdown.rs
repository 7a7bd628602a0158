//! A whole server on salvo that shuts down within a bound, and its test: a whole
//! `tests/shutdown.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! http = "1"
//! salvo = { version = "1.1", default-features = false, features = ["affix-state", "http1", "server", "server-handle", "websocket"] }
//! tokio = { version = "1", features = ["macros", "sync", "time"] }
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Listener, Stop, Suite, secs};
use http::uri::Scheme;
use salvo::conn::addr::SocketAddr;
use salvo::conn::tcp::TcpCoupler;
use salvo::conn::{Accepted, Acceptor, ConnCtrl, Holding, StraightStream};
use salvo::fuse::{ArcFusePolicy, FuseConfig};
use salvo::http::StatusError;
use salvo::prelude::*;
use salvo::websocket::{Message, WebSocket, WebSocketUpgrade};
use salvo::{Error, affix_state};
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
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
}

/// The program's routes; stands for yours.
pub fn app(hub: Hub) -> Router {
    Router::new().hoop(affix_state::inject(hub)).goal(upgrade)
}

#[handler]
async fn upgrade(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
) -> Result<(), StatusError> {
    let hub = depot.get_typed::<Hub>().cloned();
    let hub = hub.map_err(|_| StatusError::internal_server_error())?;
    // salvo forgets a connection that it has upgraded: the session is counted from here on.
    let counted = hub.tasks.token();
    let session = |socket| async move {
        let over = hub.over.clone();
        over.run_until_cancelled(session(socket, hub)).await;
        drop(counted);
    };
    WebSocketUpgrade::new().upgrade(request, response, session).await
}

/// The whole server. Returning is the end of its shutdown.
async fn serve(listener: Listener, stop: Stop) {
    let hub = Hub::new();
    let application = listener.application();
    let server = Server::new(Accept(listener));
    let handle = server.handle();
    let ended = async {
        server.serve(app(hub.clone())).await;
        hub.tasks.close();
        hub.tasks.wait().await;
    };
    // One deadline for all: what is no WebSocket yet by then is dropped, and a session that began late, or is
    // stuck, too.
    let deadline = async {
        stop.await;
        hub.going_away.cancel();
        handle.stop_graceful(SHUTDOWN);
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
    type Coupler = TcpCoupler<Self::Stream>;
    type Stream = StraightStream<Connection>;

    fn holdings(&self) -> &[Holding] {
        &[]
    }

    async fn accept(
        &mut self,
        _: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        let connection = self.0.accept().await;
        // The opening and its answer are bounded; an upgrade lifts both bounds.
        let fuse = FuseConfig::default().with_http1_header_timeout(CLOSE);
        let (fuse_config, conn_ctrl) = (Some(fuse.with_write_stall_timeout(SEND)), ConnCtrl::new());
        Ok(Accepted {
            coupler: TcpCoupler::new(),
            stream: StraightStream::new(connection, fuse_config, conn_ctrl.clone(), None),
            fuse_config,
            conn_ctrl,
            local_addr: SocketAddr::Unknown,
            remote_addr: SocketAddr::Unknown,
            http_scheme: Scheme::HTTP,
        })
    }
}

async fn session(mut socket: WebSocket, hub: Hub) {
    let mut messages = hub.messages.subscribe();
    let own_close = loop {
        let message = tokio::select! {
            biased;
            // What was said before the shutdown still goes out.
            message = messages.recv() => match message {
                Ok(message) => message,
                Err(_) => break Some(Message::close_with(1013_u16, "")),
            },
            () = hub.going_away.cancelled() => break Some(Message::close_with(1001_u16, "")),
            message = socket.recv() => match message {
                Some(Ok(message)) if message.is_close() => break None,
                Some(Ok(message)) if message.is_text() || message.is_binary() => message,
                Some(Ok(_)) => continue,
                // Whether the client or the network did wrong, the error does not tell.
                Some(Err(_)) => break Some(Message::close_with(1008_u16, "")),
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
        .named("salvo-server")
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
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::StopsAccepting),
            reason: "salvo keeps its listener until the shutdown is over: who comes meanwhile waits, \
                     and is refused in the end",
            rfc: "The RFC is silent.",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn shuts_down_in_time() {
    suite().check();
}
