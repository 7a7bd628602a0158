//! A client on soketto that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! soketto = "0.8"
//! tokio = { version = "1", features = ["macros", "time"] }
//! tokio-io-timeout = "1.2"
//! tokio-util = { version = "0.7", features = ["compat"] }
//! ```

use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use soketto::Incoming;
use soketto::handshake::{Client, ServerResponse};
use std::future::pending;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection, application: Application) {
    // A write that makes no progress for so long fails, whoever made it: the library
    // answers a ping while it receives.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let mut client = Client::new(Box::pin(io).compat(), "localhost", "/");
    let Ok(Ok(ServerResponse::Accepted { .. })) = timeout(CLOSE, client.handshake()).await else {
        return;
    };
    let (mut sender, mut receiver) = client.into_builder().finish();
    // A receive must not be cancelled, so that it has a future of its own.
    let mut receiving = pin!(async move {
        let mut message = Vec::new();
        while let Ok(Incoming::Data(_) | Incoming::Pong(_)) = receiver.receive(&mut message).await {
            message.clear();
        }
    });
    let closes = tokio::select! {
        () = &mut receiving => return,
        closes = async {
            loop {
                let command = application.command().await;
                let sending = async {
                    match &command {
                        Command::SendText(text) => sender.send_text(text.text()).await?,
                        Command::SendBinary(data) => sender.send_binary(data.bytes()).await?,
                        _ => return Ok(false),
                    }
                    sender.flush().await.map(|()| true)
                };
                // A server that does not read is given up.
                if !timeout(SEND, sending).await.ok()?.ok()? {
                    return Some(());
                }
            }
        } => closes,
    };
    if closes.is_some() {
        // One deadline, set once, around the own Close and the wait for the server's. They
        // share a lock, so that both are polled; who fails half way through a frame ends it.
        let closing = async {
            if sender.close().await.is_ok() {
                pending::<()>().await;
            }
        };
        let _ = timeout(CLOSE, async {
            tokio::select! {
                () = receiving => {}
                () = closing => {}
            }
        })
        .await;
    }
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("soketto client")
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
            pattern: Pattern::of(Invariant::LegalClose),
            reason: "the library answers a Close by itself, 1015 with 1015",
            rfc: "7.4.1: 1015 is a reserved value and MUST NOT be set as a status code in a \
                  Close control frame by an endpoint.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal),
            reason: "the library fails a connection without a Close, and its own `close()` \
                     sends 1000 and no other code; it reads frames with a mask, takes a Close \
                     of one byte for an empty one, and leaves text to be checked",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ReleasesInTime).with_cause(Cause::ClientViolation),
            reason: "the library looks at a frame once all of it has come, and reads frames \
                     with a mask",
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
            reason: "the library ends its sending side with its Close, an answer too",
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
