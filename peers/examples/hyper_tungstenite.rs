//! A server on hyper, with hyper-tungstenite that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! futures-util = { version = "0.3", features = ["sink"] }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-tungstenite = "0.30"
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! tokio = { version = "1", features = ["macros", "rt", "time"] }
//! tokio-io-timeout = "1.2"
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
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
use std::future::ready;
use std::time::Duration;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

/// One connection, from its first byte to its last.
async fn serve(connection: Connection) {
    let application = connection.application();
    // A write that makes no progress for so long fails, whoever made it: hyper, which
    // refuses a request, or the library, which answers a ping while it reads.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let service = service_fn(move |request| ready(answer(request, application.clone())));
    // Without the timer, hyper panics where a time is given, and passes its default of
    // 30 s over where none is.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLOSE)
        .serve_connection(TokioIo::new(Box::pin(io)), service)
        .with_upgrades()
        .await;
}

/// What the server answers to a request; stands for yours.
fn answer(
    mut request: Request<Incoming>,
    application: Application,
) -> Result<Response<Full<Bytes>>, ProtocolError> {
    if !hyper_tungstenite::is_upgrade_request(&request) {
        let mut refusal = Response::new(Full::from("a WebSocket is served here"));
        *refusal.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(refusal);
    }
    let (response, upgrading) = hyper_tungstenite::upgrade(&mut request, None)?;
    tokio::spawn(closing_well(upgrading, application));
    Ok(response)
}

async fn closing_well(websocket: HyperWebsocket, application: Application) {
    let Ok(mut socket) = websocket.await else { return };
    let own_close = loop {
        let message = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message)) if message.is_text() || message.is_binary() => message,
                Some(Ok(_)) => continue,
                Some(Err(Error::Io(_))) | None => return,
                // The Close that fails the connection is up to us.
                Some(Err(_)) => break Some(Message::Close(Some(CloseFrame {
                    code: CloseCode::Protocol,
                    reason: "".into(),
                }))),
            },
            command = application.command() => match command {
                Command::SendText(text) => Message::text(text.text().into_owned()),
                Command::SendBinary(data) => Message::binary(data.bytes().into_owned()),
                _ => break Some(Message::Close(None)),
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
    hangup::suite(serve)
        .named("hyper-tungstenite")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
        .handshake_within(secs(5))
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
fn closes_in_time() {
    suite().check();
}
