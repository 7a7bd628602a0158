//! A server on ratchet that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! bytes = "1"
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! ratchet_rs = { version = "1.2", features = ["split"] }
//! tokio = { version = "1", features = ["macros", "rt", "sync", "time"] }
//! tokio-io-timeout = "1.2"
//! tungstenite = "0.30"
//! ```

use bytes::BytesMut;
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ratchet_rs::{
    CloseCode, CloseReason, Message, NoExt, PayloadType, Role, WebSocket, WebSocketConfig,
};
use std::future::ready;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tungstenite::handshake::derive_accept_key;

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

/// Answers the upgrade, and serves what follows in a task of its own.
fn answer(
    mut request: Request<Incoming>,
    application: Application,
) -> Result<Response<Empty<Bytes>>, hyper::http::Error> {
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        return Response::builder().status(StatusCode::BAD_REQUEST).body(Empty::new());
    };
    let accept = derive_accept_key(key.as_bytes());
    tokio::spawn(closing_well(hyper::upgrade::on(&mut request), application));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header(SEC_WEBSOCKET_ACCEPT, accept)
        .body(Empty::new())
}

/// The library's own opening drops what follows the request in the same segment.
async fn closing_well(upgrading: OnUpgrade, application: Application) {
    let Ok(upgraded) = upgrading.await else { return };
    let (config, io) = (WebSocketConfig::default(), TokioIo::new(upgraded));
    let none = None::<NoExt>;
    let socket = WebSocket::from_upgraded(config, io, none, BytesMut::new(), Role::Server);
    // A read must not be cancelled, so that it has a half and a future of its own.
    let Ok((mut sender, mut receiver)) = socket.split() else { return };
    let (queue, mut queued) = mpsc::channel(1);
    let mut reading = pin!(async move {
        let mut buf = BytesMut::new();
        loop {
            match receiver.read(&mut buf).await {
                // What comes as text is for the caller to check.
                Ok(Message::Text) if str::from_utf8(&buf).is_err() => {
                    let reason = CloseReason::new(CloseCode::Invalid, None);
                    return receiver.close(reason).await.is_ok();
                }
                Ok(Message::Text) => {
                    let _ = queue.send((PayloadType::Text, buf.split())).await;
                }
                Ok(Message::Binary) => {
                    let _ = queue.send((PayloadType::Binary, buf.split())).await;
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                // It has been answered.
                Ok(Message::Close(_)) => return false,
                // Or has not, since the own Close is on its way.
                Err(error) => return error.is_close(),
            }
        }
    });
    let closes = tokio::select! {
        _ = &mut reading => return,
        closes = async {
            loop {
                let (kind, message) = tokio::select! {
                    message = queued.recv() => message?,
                    command = application.command() => match command {
                        Command::SendText(text) => {
                            (PayloadType::Text, BytesMut::from(&*text.text()))
                        }
                        Command::SendBinary(data) => {
                            (PayloadType::Binary, BytesMut::from(&*data.bytes()))
                        }
                        _ => return Some(()),
                    },
                };
                let sent = timeout(SEND, sender.write(message, kind)).await.ok()?;
                if let Err(error) = sent {
                    // Refused where the reader closes: then that is waited for. Who failed half way
                    // through a frame can send nothing more.
                    return error.is_close().then_some(());
                }
            }
        } => closes,
    };
    if closes.is_some() {
        // One deadline, set once, around the own Close and the wait for the client's. They
        // share a lock, so that both are polled; who fails half way through a frame ends it.
        queued.close();
        let reason = CloseReason::new(CloseCode::Normal, None);
        let closing = async { sender.close(reason).await.is_ok() };
        let _ = timeout(CLOSE, async {
            tokio::select! {
                false = reading => {}
                false = closing => {}
                else => {}
            }
        })
        .await;
    }
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("ratchet")
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
