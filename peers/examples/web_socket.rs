//! A server on web-socket that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! tokio = { version = "1", features = ["io-util", "macros", "rt", "sync", "time"] }
//! tokio-io-timeout = "1.2"
//! tungstenite = "0.30"
//! web-socket = "0.7"
//! ```

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
use std::future::ready;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tungstenite::handshake::derive_accept_key;
use web_socket::{
    CloseCode, CloseReason, DataType, Event, MessageType, Stream as Fragment, WebSocket,
};

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

async fn closing_well(upgrading: OnUpgrade, application: Application) {
    let Ok(upgraded) = upgrading.await else { return };
    // A read must not be cancelled, so that it has a half and a future of its own.
    let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
    let (mut reader, mut writer) = (WebSocket::server(reader), WebSocket::server(writer));
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = pin!(async move {
        let mut message = Vec::new();
        while let Ok(event) = reader.recv_event().await {
            // To join fragments, check text, and answer pings and Closes is up to the caller.
            let outgoing = match event {
                Event::Data { ty, data } => {
                    message.extend_from_slice(&data);
                    match ty {
                        DataType::Stream(Fragment::Start(_) | Fragment::Next(_)) => continue,
                        DataType::Complete(MessageType::Text)
                        | DataType::Stream(Fragment::End(MessageType::Text)) => {
                            match String::from_utf8(std::mem::take(&mut message)) {
                                Ok(text) => Outgoing::Text(text),
                                Err(_) => {
                                    Outgoing::Close(CloseCode::InvalidPayload.to_bytes().to_vec())
                                }
                            }
                        }
                        _ => Outgoing::Binary(std::mem::take(&mut message)),
                    }
                }
                Event::Ping(data) => Outgoing::Pong(data),
                Event::Pong(..) => continue,
                // 1015 must not be sent, but is taken for a code that may be received.
                Event::Close { code, .. } if code != 1015 => {
                    Outgoing::Close(code.to_bytes().to_vec())
                }
                Event::Close { .. } | Event::Error(..) => {
                    Outgoing::Close(CloseCode::ProtocolError.to_bytes().to_vec())
                }
            };
            let last = matches!(outgoing, Outgoing::Close(_));
            if queue.send(outgoing).await.is_err() || last {
                return;
            }
        }
    });
    let mut reads = true;
    let close = loop {
        let outgoing = tokio::select! {
            () = &mut reading, if reads => {
                reads = false;
                continue;
            }
            // What was queued when reading ended is sent before the end.
            outgoing = queued.recv() => match outgoing {
                Some(outgoing) => outgoing,
                None => return,
            },
            command = application.command() => match command {
                Command::SendText(text) => Outgoing::Text(text.text().into_owned()),
                Command::SendBinary(data) => Outgoing::Binary(data.bytes().into_owned()),
                _ => break CloseCode::Normal.to_bytes().to_vec(),
            },
        };
        let sending = async {
            match &outgoing {
                Outgoing::Pong(data) => writer.send_pong(data).await,
                Outgoing::Text(text) => writer.send(&**text).await,
                Outgoing::Binary(data) => writer.send(&**data).await,
                Outgoing::Close(_) => Ok(()),
            }
        };
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, sending).await else { return };
        if let Outgoing::Close(payload) = outgoing {
            break payload;
        }
    };
    // One deadline, set once, around the own Close, the wait for the client's and the end.
    let _ = timeout(CLOSE, async {
        writer.close(Payload(close)).await?;
        if reads {
            let discarding = async { while queued.recv().await.is_some() {} };
            tokio::join!(reading, discarding);
        }
        io::Result::Ok(())
    })
    .await;
}

/// What the writing half is to send.
enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
    Pong(Box<[u8]>),
    /// The last one: a Close with this payload.
    Close(Vec<u8>),
}

/// A Close's payload as it is; the library lets it be chosen.
struct Payload(Vec<u8>);

impl CloseReason for Payload {
    type Bytes = Vec<u8>;

    fn to_bytes(self) -> Self::Bytes {
        self.0
    }
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("web-socket")
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
            pattern: Pattern::of(Invariant::RefusesIllegal)
                .with_symptom(Symptom::ServesOneByteClose),
            reason: "the library reports a Close payload of one byte as a Close with code 1000",
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
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
