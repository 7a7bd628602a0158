//! A client on sockudo-ws that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! futures-util = { version = "0.3", features = ["sink"] }
//! sockudo-ws = { version = "3.1", features = ["test-util"] }
//! tokio = { version = "1", features = ["macros", "time"] }
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::error::CloseReason;
use sockudo_ws::{Config, Error, Http1, Message};
use std::time::Duration;
use tokio::time::timeout;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection, application: Application) {
    // The library has a time of its own for its answer to a Close: 5 s, unless it is told.
    let config = Config::builder().close_timeout(CLOSE.as_secs() as u32).build();
    let client = WebSocketClient::<Http1>::new(config);
    let connecting = timeout(CLOSE, client.connect_raw(connection, "localhost", "/", None));
    let Ok(Ok((mut socket, _))) = connecting.await else { return };
    let own_close = loop {
        let message = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(_)) => continue,
                Some(Err(_)) => {
                    break Some(Message::Close(Some(CloseReason::new(1002, ""))));
                }
                None => return,
            },
            command = application.command() => match command {
                Command::SendText(text) => Message::text(text.text()),
                Command::SendBinary(data) => Message::binary(data.bytes().into_owned()),
                _ => break Some(Message::Close(None)),
            },
        };
        // A server that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, socket.send(message)).await else { return };
    };
    // One deadline, set once, around the own Close, the wait for the server's, and for its end of
    // TCP, which is the server's to close.
    let _ = timeout(CLOSE, async {
        if let Some(close) = own_close {
            socket.send(close).await?;
        }
        while socket.next().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    })
    .await;
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("sockudo-ws client")
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
            pattern: Pattern::of(Invariant::NoDataAfterClose),
            reason: "the library takes messages of the application behind its answer to a Close \
                     that waits for room",
            rfc: "5.5.1: The application MUST NOT send any more data frames after sending a \
                  Close frame.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ClosesOnce),
            reason: "the same of the application's Close, which comes behind the answer then",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal),
            reason: "after an error the library takes no message any more, a Close neither",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
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
