//! A client on ratchet that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! bytes = "1"
//! ratchet_rs = { version = "1.2", features = ["split"] }
//! tokio = { version = "1", features = ["macros", "time"] }
//! tokio-io-timeout = "1.2"
//! ```

use bytes::BytesMut;
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use ratchet_rs::{CloseCode, CloseReason, Message, PayloadType, WebSocketConfig, subscribe};
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection, application: Application) {
    // A write that makes no progress for so long fails, whoever made it: the library
    // answers a ping while it reads.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let connecting = subscribe(WebSocketConfig::default(), Box::pin(io), "ws://localhost/");
    let Ok(Ok(upgraded)) = timeout(CLOSE, connecting).await else { return };
    // A read must not be cancelled, so that it has a half and a future of its own.
    let Ok((mut sender, mut receiver)) = upgraded.into_websocket().split() else { return };
    let mut reading = pin!(async move {
        let mut buf = BytesMut::new();
        loop {
            match receiver.read(&mut buf).await {
                // What comes as text is for the caller to check.
                Ok(Message::Text) if str::from_utf8(&buf).is_err() => {
                    let reason = CloseReason::new(CloseCode::Invalid, None);
                    return receiver.close(reason).await.is_ok();
                }
                Ok(Message::Text | Message::Binary) => buf.clear(),
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
                let (kind, message) = match application.command().await {
                    Command::SendText(text) => (PayloadType::Text, BytesMut::from(&*text.text())),
                    Command::SendBinary(data) => {
                        (PayloadType::Binary, BytesMut::from(&*data.bytes()))
                    }
                    _ => return Some(()),
                };
                // A server that does not read is given up.
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
        // One deadline, set once, around the own Close and the wait for the server's. They
        // share a lock, so that both are polled; who fails half way through a frame ends it.
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

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("ratchet client")
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
