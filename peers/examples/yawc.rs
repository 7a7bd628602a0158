//! A server on yawc that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! futures-util = { version = "0.3", features = ["sink"] }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! tokio = { version = "1", features = ["macros", "rt", "time"] }
//! tokio-io-timeout = "1.2"
//! yawc = { version = "0.5", default-features = false }
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::ready;
use std::time::Duration;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use yawc::close::CloseCode;
use yawc::frame::{Frame, OpCode};
use yawc::{Options, UpgradeFut, WebSocket, WebSocketError};

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
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    // Without `with_utf8` text may be anything.
    let options = Options::default().with_utf8();
    let (response, upgrading) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(closing_well(upgrading, application));
    Ok(response)
}

async fn closing_well(upgrading: UpgradeFut, application: Application) {
    let Ok(mut socket) = upgrading.await else { return };
    let own_close = loop {
        let frame = tokio::select! {
            // Not `next()`, which ends alike on the end and on an error.
            frame = socket.next_frame() => match frame {
                Ok(frame) if frame.opcode() == OpCode::Close => break None,
                Ok(frame) if !frame.opcode().is_control() => frame,
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
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, socket.send(frame)).await else { return };
    };
    // One deadline, set once, around the own Close, the wait for the client's and the end.
    let _ = timeout(CLOSE, async {
        if let Some(close) = own_close {
            socket.send(close).await?;
        }
        while socket.next().await.is_some() {}
        yawc::Result::Ok(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("yawc")
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
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal)
                .with_symptom(Symptom::ServesReservedBits),
            reason: "the library lets RSV1 pass on control frames, compression or not",
            rfc: "5.2: If a nonzero value is received and none of the negotiated extensions \
                  defines the meaning of such a nonzero value, the receiving endpoint MUST \
                  _Fail the WebSocket Connection_.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ClosesOnce),
            reason: "the library answers the client's Close by itself, after an own Close too",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::LegalClose),
            reason: "the library sends back the payload of a Close, however long it is",
            rfc: "5.5: All control frames MUST have a payload length of 125 bytes or less and \
                  MUST NOT be fragmented.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
            reason: "what the library does not take for a violation it does not answer as one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientFin),
            reason: "what the library does not take for a violation it does not answer as one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
