//! A server on fastwebsockets that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! fastwebsockets = { version = "0.10", features = ["unstable-split", "upgrade"] }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! tokio = { version = "1", features = ["io-util", "macros", "rt", "sync", "time"] }
//! tokio-io-timeout = "1.2"
//! ```

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::ready;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
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

/// Answers the upgrade, and serves what follows in a task of its own.
fn answer(
    mut request: Request<Incoming>,
    application: Application,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgrading) = upgrade(&mut request)?;
    tokio::spawn(closing_well(upgrading, application));
    Ok(response)
}

async fn closing_well(upgrading: UpgradeFut, application: Application) {
    let Ok(mut socket) = upgrading.await else { return };
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
                Ok(frame) => match frame.opcode {
                    OpCode::Close => Frame::close_raw(Payload::Owned(close_answer(&frame.payload))),
                    OpCode::Text | OpCode::Binary => frame,
                    _ => continue,
                },
                Err(WebSocketError::InvalidUTF8) => Frame::close(1007, b""),
                Err(WebSocketError::UnexpectedEOF | WebSocketError::IoError(_)) => return,
                Err(_) => Frame::close(1002, b""),
            };
            let last = outgoing.opcode == OpCode::Close;
            if queue.send(outgoing).await.is_err() || last {
                return;
            }
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
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, writer.write_frame(frame)).await else { return };
    };
    // One deadline, set once, around the Close, own or owed, and the wait for the client's.
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

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("fastwebsockets")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
        .handshake_within(secs(5))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientViolation),
            reason: "the library reads frames without a mask like any other, and does not let \
                     its user see whether there was one",
            rfc: "5.1: The server MUST close the connection upon receiving a frame that is not \
                  masked.",
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
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesUnmasked),
            reason: "the library reads frames without a mask like any other, and does not let \
                     its user see whether there was one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal)
                .with_symptom(Symptom::ServesInterruptedMessage),
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
