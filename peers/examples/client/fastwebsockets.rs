//! A client on fastwebsockets that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! fastwebsockets = { version = "0.10", features = ["unstable-split", "upgrade"] }
//! http-body-util = "0.1"
//! hyper = "1"
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! tokio = { version = "1", features = ["io-util", "macros", "rt", "sync", "time"] }
//! tokio-io-timeout = "1.2"
//! tungstenite = "0.30"
//! ```

use fastwebsockets::handshake::{client, generate_key};
use fastwebsockets::{FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioExecutor;
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

async fn closing_well(connection: Connection, application: Application) {
    // A write that makes no progress for so long fails, whoever made it.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let key = generate_key();
    let request = Request::get("/")
        .header("Host", "localhost")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", &key)
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let executor = TokioExecutor::new();
    let connecting = timeout(CLOSE, client(&executor, request, Box::pin(io)));
    let Ok(Ok((mut socket, response))) = connecting.await else { return };
    // The library does not look at the answer to its key, nor at a protocol.
    let headers = response.headers();
    let accept = derive_accept_key(key.as_bytes());
    if headers.get("Sec-WebSocket-Accept").is_none_or(|own| own != accept.as_str())
        || headers.contains_key("Sec-WebSocket-Protocol")
    {
        return;
    }
    // Answering by itself, the library sends back whatever a Close carries.
    socket.set_auto_close(false);
    // A read must not be cancelled, so that it has a half and a future of its own.
    let (reader, mut writer) = socket.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    let (queue, mut queued) = mpsc::channel::<Frame<'static>>(32);
    let mut reading = pin!(async move {
        // The pongs that the library owes are sent by the writer.
        loop {
            let outgoing = match reader.read_frame(&mut |owed| queue.send(owed)).await {
                Ok(frame) if frame.opcode == OpCode::Close => {
                    Frame::close_raw(Payload::Owned(close_answer(&frame.payload)))
                }
                Ok(_) => continue,
                Err(WebSocketError::InvalidUTF8) => Frame::close(1007, b""),
                Err(WebSocketError::UnexpectedEOF | WebSocketError::IoError(_)) => return,
                Err(_) => Frame::close(1002, b""),
            };
            let _ = queue.send(outgoing).await;
            return;
        }
    });
    let mut reads = true;
    let close = loop {
        let frame = tokio::select! {
            () = &mut reading, if reads => {
                reads = false;
                continue;
            }
            // What was queued when reading ended is sent before the end.
            frame = queued.recv() => match frame {
                Some(frame) => frame,
                None => return,
            },
            command = application.command() => match command {
                Command::SendText(text) => {
                    Frame::text(Payload::Owned(text.text().as_bytes().to_vec()))
                }
                Command::SendBinary(data) => Frame::binary(Payload::Owned(data.bytes().to_vec())),
                _ => Frame::close(1000, b""),
            },
        };
        if frame.opcode == OpCode::Close {
            break frame;
        }
        // A server that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, writer.write_frame(frame)).await else { return };
    };
    // One deadline, set once, around the Close, own or owed, and the wait for the server's.
    let _ = timeout(CLOSE, async {
        writer.write_frame(close).await?;
        if reads {
            let discarding = async { while queued.recv().await.is_some() {} };
            tokio::join!(reading, discarding);
        }
        Ok::<(), WebSocketError>(())
    })
    .await;
}

/// The payload of the answer to a Close with this payload.
fn close_answer(payload: &[u8]) -> Vec<u8> {
    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
    match (payload.len(), code) {
        (0, _) => Vec::new(),
        (2..=125, Some(1000..=1003 | 1007..=1014 | 3000..=4999))
            if str::from_utf8(&payload[2..]).is_ok() =>
        {
            payload[..2].to_vec()
        }
        _ => 1002_u16.to_be_bytes().to_vec(),
    }
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("fastwebsockets client")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
        .handshake_within(secs(5))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientViolation),
            reason: "the library reads frames with a mask like any other, and looks at a frame \
                     once all of it has come",
            rfc: "5.1: A client MUST close a connection if it detects a masked frame.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal),
            reason: "the library reads frames with a mask like any other, and does not let its \
                     user see whether there was one: what it then answers is about what follows",
            rfc: "5.1: A client MUST close a connection if it detects a masked frame.",
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
