//! A client on web-socket that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["client", "http1"] }
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
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use web_socket::{
    CloseCode, CloseReason, DataType, Event, MessageType, Stream as Fragment, WebSocket,
};

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

/// Opens a WebSocket with hyper: the library leaves that to its user.
async fn connect(connection: Connection) -> Option<Upgraded> {
    // A write that makes no progress for so long fails, whoever made it.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let (mut sender, http) = http1::handshake(TokioIo::new(Box::pin(io))).await.ok()?;
    tokio::spawn(http.with_upgrades());
    let key = generate_key();
    let request = Request::get("/")
        .header("Host", "localhost")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", &key)
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let response = sender.send_request(request).await.ok()?;
    let accept = derive_accept_key(key.as_bytes());
    let own = response.headers().get("Sec-WebSocket-Accept");
    let opens = response.status() == StatusCode::SWITCHING_PROTOCOLS
        && own.is_some_and(|own| own == accept.as_str())
        && !response.headers().contains_key("Sec-WebSocket-Protocol");
    if opens { hyper::upgrade::on(response).await.ok() } else { None }
}

async fn closing_well(connection: Connection, application: Application) {
    let Ok(Some(upgraded)) = timeout(CLOSE, connect(connection)).await else { return };
    // A read must not be cancelled, so that it has a half and a future of its own.
    let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
    let (mut reader, mut writer) = (WebSocket::client(reader), WebSocket::client(writer));
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = pin!(async move {
        let mut text = Vec::new();
        while let Ok(event) = reader.recv_event().await {
            // To check text, and to answer pings and Closes, is up to the caller.
            let (outgoing, failed) = match event {
                Event::Data { ty, data } => {
                    if let DataType::Complete(MessageType::Text)
                    | DataType::Stream(
                        Fragment::Start(MessageType::Text)
                        | Fragment::Next(MessageType::Text)
                        | Fragment::End(MessageType::Text),
                    ) = ty
                    {
                        text.extend_from_slice(&data);
                    }
                    if let DataType::Stream(Fragment::Start(_) | Fragment::Next(_)) = ty {
                        continue;
                    }
                    match String::from_utf8(std::mem::take(&mut text)) {
                        Ok(_) => continue,
                        Err(_) => (closing(CloseCode::InvalidPayload), true),
                    }
                }
                Event::Ping(data) => (Outgoing::Pong(data), false),
                Event::Pong(..) => continue,
                // 1015 must not be sent, but is taken for a code that may be received.
                Event::Close { code, .. } if code != 1015 => (closing(code), false),
                Event::Close { .. } | Event::Error(..) => (closing(CloseCode::ProtocolError), true),
            };
            let last = matches!(outgoing, Outgoing::Close(_));
            if queue.send(outgoing).await.is_err() || failed {
                return;
            }
            if last {
                break;
            }
        }
        drop(queue);
        // The server is to close TCP.
        let _ = tokio::io::copy(&mut reader.stream, &mut tokio::io::sink()).await;
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
                _ => closing(CloseCode::Normal),
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
        // A server that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, sending).await else { return };
        if let Outgoing::Close(payload) = outgoing {
            break payload;
        }
    };
    // One deadline, set once, around the Close, the wait for the server's, and for its end of TCP.
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

fn closing(code: impl Into<u16>) -> Outgoing {
    Outgoing::Close(code.into().to_bytes().to_vec())
}

/// A Close's payload as it is; the library lets it be chosen.
struct Payload(Vec<u8>);

impl CloseReason for Payload {
    type Bytes = Vec<u8>;

    fn to_bytes(self) -> Self::Bytes {
        self.0
    }
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("web-socket client")
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
            pattern: Pattern::of(Invariant::RefusesIllegal)
                .with_symptom(Symptom::ServesOneByteClose),
            reason: "the library takes a Close of one byte for one with 1000",
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
            reason: "the library takes 1014 for a violation, behind which nothing is read",
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
