//! A client on ezsockets that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! async-trait = "0.1"
//! enfync = "0.1"
//! ezsockets = { version = "0.7", features = ["tungstenite"] }
//! tokio = { version = "1", features = ["io-util", "macros", "rt", "sync", "time"] }
//! # The version that ezsockets is built on.
//! tokio-tungstenite-026 = { package = "tokio-tungstenite", version = "0.26" }
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use async_trait::async_trait;
use enfync::TryAdopt as _;
use enfync::builtin::native::TokioHandle;
use ezsockets::client::{ClientCloseMode, ClientConnector};
use ezsockets::{
    Bytes, Client, ClientConfig, ClientExt, CloseFrame, Error, Utf8Bytes, WSError, connect_with,
};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::time::timeout;
use tokio_tungstenite_026::tungstenite;
use tokio_tungstenite_026::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

/// The library's tasks keep the stream for as long as the server likes, and nobody can end
/// them. A relay between them and the connection is ours to end.
async fn closing_well(mut connection: Connection, application: Application) {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let relay = AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = tokio::io::copy_bidirectional(&mut connection, &mut near).await;
    }));
    let handle = TokioHandle::try_adopt().expect("a runtime");
    let connector = Connector { stream: Mutex::new(Some(far)), handle };
    let (opened, over) = (CancellationToken::new(), CancellationToken::new());
    let listener = Listener { opened: opened.clone(), over: over.clone().drop_guard() };
    let config = ClientConfig::new("ws://localhost/");
    let (client, _running) = connect_with(|_| listener, config, connector);
    let opening = async {
        tokio::select! {
            () = opened.cancelled() => true,
            () = over.cancelled() => false,
        }
    };
    let Ok(true) = timeout(CLOSE, opening).await else { return };
    tokio::select! {
        () = over.cancelled() => {}
        // Until it closes.
        () = obey(&client, &application) => {
            let _ = client.close(None);
        }
    }
    // One deadline, set once, around all that is left: the relay ends when the server has.
    let _ = timeout(CLOSE, relay).await;
}

/// Hands out its stream, once: a client that is over does not connect again.
struct Connector {
    stream: Mutex<Option<DuplexStream>>,
    handle: TokioHandle,
}

#[async_trait]
impl ClientConnector for Connector {
    type Handle = TokioHandle;
    type Message = tungstenite::Message;
    type WSError = tungstenite::Error;
    type Socket = WebSocketStream<DuplexStream>;

    fn handle(&self) -> TokioHandle {
        self.handle.clone()
    }

    async fn connect(&self, config: &ClientConfig) -> Result<Self::Socket, Self::WSError> {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = stream.ok_or(tungstenite::Error::AlreadyClosed)?;
        Ok(client_async(config.connect_http_request(), stream).await?.0)
    }
}

struct Listener {
    opened: CancellationToken,
    /// Dropped with the library's client, however that ends.
    #[expect(dead_code, reason = "its drop says it")]
    over: tokio_util::sync::DropGuard,
}

#[async_trait]
impl ClientExt for Listener {
    type Call = ();

    async fn on_text(&mut self, _: Utf8Bytes) -> Result<(), Error> {
        Ok(())
    }

    async fn on_binary(&mut self, _: Bytes) -> Result<(), Error> {
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    async fn on_connect(&mut self) -> Result<(), Error> {
        self.opened.cancel();
        Ok(())
    }

    async fn on_connect_fail(&mut self, _: WSError) -> Result<ClientCloseMode, Error> {
        Ok(ClientCloseMode::Close)
    }

    async fn on_close(&mut self, _: Option<CloseFrame>) -> Result<ClientCloseMode, Error> {
        Ok(ClientCloseMode::Close)
    }

    async fn on_disconnect(&mut self) -> Result<ClientCloseMode, Error> {
        Ok(ClientCloseMode::Close)
    }
}

/// Obeys the application until it closes.
async fn obey(client: &Client<Listener>, application: &Application) {
    loop {
        let _ = match application.command().await {
            Command::SendText(text) => client.text(text.text().into_owned()),
            Command::SendBinary(data) => client.binary(data.bytes().into_owned()),
            _ => return,
        };
    }
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("ezsockets client")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
        .handshake_within(secs(5))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime)
                .with_cause(Cause::ClientViolation)
                .with_condition(Condition::HalfSent),
            reason: "the library looks at a frame once all of it has come: one that its \
                     beginning proves illegal, and that never becomes complete, is no error yet",
            rfc: "5.1: A client MUST close a connection if it detects a masked frame.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ReleasesInTime).with_cause(Cause::ClientViolation),
            reason: "the same: the deadline begins once the frame is whole, or with the Close of \
                     the application",
            rfc: "5.1: A client MUST close a connection if it detects a masked frame.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::AnswersClose),
            reason: "the library drops the server's Close where it crosses its own",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal),
            reason: "the library fails a connection without a Close",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
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
            pattern: Pattern::of(Invariant::LetsServerCloseTcp),
            reason: "behind a Close the library reads nothing more: TCP ends as soon as both \
                     Closes are there",
            rfc: "5.5.1: the client SHOULD wait for the server to close the connection but MAY \
                  close the connection at any time after sending and receiving a Close message",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
