//! A server on sockudo-ws that ends every connection in time, and its test: a whole
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
use hangup::{AppSteps, Connection, Suite, secs};
use sockudo_ws::error::CloseReason;
use sockudo_ws::server::WebSocketServer;
use sockudo_ws::{Config, Error, Http1, Message};
use std::time::Duration;
use tokio::time::timeout;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection) {
    let application = connection.application();
    // The library has a time of its own for its answer to a Close: 5 s, unless it is told.
    let config = Config::builder().close_timeout(CLOSE.as_secs() as u32).build();
    let server = WebSocketServer::<Http1>::new(config);
    let accepting = timeout(CLOSE, server.accept_raw(connection));
    let Ok(Ok((mut socket, _))) = accepting.await else { return };
    let own_close = loop {
        let message = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
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
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, socket.send(message)).await else { return };
    };
    // One deadline, set once, around the own Close, the wait for the client's and the end.
    let _ = timeout(CLOSE, async {
        if let Some(close) = own_close {
            socket.send(close).await?;
        }
        while socket.next().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(closing_well)
        .named("sockudo")
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
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
            reason: "after an error the library takes no message any more, a Close neither",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientClose),
            reason: "after an error the library takes no message any more, a Close neither",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientFin),
            reason: "after an error the library takes no message any more, a Close neither",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::WaitsForAnswer),
            reason: "a client that did not answer a ping for ten seconds is presumed dead: the \
                     Close that says so is not waited for",
            rfc: "7.1.2: Once an endpoint has both sent and received a Close control frame, \
                  that endpoint SHOULD _Close the WebSocket Connection_ as defined in Section \
                  7.1.1.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ClosesOnce).with_cause(Cause::ClientClose),
            reason: "the library takes an own Close, or sends one, while its answer to the \
                     client's waits for room",
            rfc: "5.5.1: After both sending and receiving a Close message, an endpoint \
                  considers the WebSocket connection closed",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::NoDataAfterClose).with_cause(Cause::ClientClose),
            reason: "while its answer to the client's Close waits for room, the library takes a \
                     message and sends it behind",
            rfc: "5.5.1: The application MUST NOT send any more data frames after sending a \
                  Close frame.",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
