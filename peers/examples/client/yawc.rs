//! A client on yawc that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! futures-util = { version = "0.3", features = ["sink"] }
//! tokio = { version = "1", features = ["macros", "rt", "time"] }
//! tokio-io-timeout = "1.2"
//! yawc = { version = "0.5", default-features = false }
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use std::time::Duration;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use yawc::close::CloseCode;
use yawc::frame::{Frame, OpCode};
use yawc::{Options, WebSocket, WebSocketError};

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection, application: Application) {
    // A write that makes no progress for so long fails, whoever made it: the library
    // answers a ping while it reads.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    // Without `with_utf8` text may be anything.
    let options = Options::default().with_utf8();
    let url = "ws://localhost/".parse().expect("a URL");
    let connecting = timeout(CLOSE, WebSocket::handshake(url, Box::pin(io), options));
    let Ok(Ok(mut socket)) = connecting.await else { return };
    let own_close = loop {
        let frame = tokio::select! {
            // Not `next()`, which ends alike on the end and on an error.
            frame = socket.next_frame() => match frame {
                Ok(frame) if frame.opcode() == OpCode::Close => break None,
                Ok(_) => continue,
                Err(WebSocketError::ConnectionClosed | WebSocketError::IoError(_)) => return,
                // The Close that fails the connection is queued; for text that is not UTF-8 there
                // is none.
                Err(_) => break None,
            },
            command = application.command() => match command {
                Command::SendText(text) => Frame::text(text.text().into_owned()),
                Command::SendBinary(data) => Frame::binary(data.bytes().into_owned()),
                _ => break Some(Frame::close(CloseCode::Normal, "")),
            },
        };
        // A server that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, socket.send(frame)).await else { return };
    };
    // One deadline, set once, around the own Close, the wait for the server's, and for its end of
    // TCP, which is the server's to close.
    let _ = timeout(CLOSE, async {
        if let Some(close) = own_close {
            socket.send(close).await?;
        }
        while socket.next().await.is_some() {}
        yawc::Result::Ok(())
    })
    .await;
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("yawc client")
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
            pattern: Pattern::of(Invariant::ClosesOnce),
            reason: "the library answers the server's Close by itself, after an own Close too",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::LegalClose),
            reason: "the library sends back whatever a Close carries",
            rfc: "5.5: All control frames MUST have a payload length of 125 bytes or less",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal),
            reason: "what the library does not take for a violation it does not answer as one: \
                     a mask, a message inside another; for text that is not UTF-8 there is no \
                     Close",
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
            pattern: Pattern::of(Invariant::RefusesBadOpening),
            reason: "the library does not look at a subprotocol that nobody asked for, and \
                     hands out no response",
            rfc: "4.1: the client MUST _Fail the WebSocket Connection_",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ConnectsInTime),
            reason: "the same, where nothing is sent that shows that it is open",
            rfc: "4.1: the client MUST _Fail the WebSocket Connection_",
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
