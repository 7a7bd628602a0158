//! A server on `axum::serve` that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! axum = { version = "0.8", default-features = false, features = ["http1", "tokio", "ws"] }
//! tokio = { version = "1", features = ["macros", "time"] }
//! ```

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::routing::any;
use axum::serve::Listener;
use axum::{Error, Router};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use std::future::pending;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

/// The program's routes; stands for yours.
fn app(application: Application) -> Router {
    let upgrade = |upgrade: WebSocketUpgrade, State(application): State<Application>| async {
        upgrade.on_upgrade(|socket| closing_well(socket, application))
    };
    Router::new().route("/", any(upgrade)).with_state(application)
}

/// A listener that yields one connection, and then waits for ever.
pub struct Once(pub Option<Connection>);

impl Listener for Once {
    type Io = Connection;
    type Addr = ();

    async fn accept(&mut self) -> (Connection, ()) {
        match self.0.take() {
            Some(connection) => (connection, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// One connection on `axum::serve`, which bounds no opening: a client that never completes its
/// request stays.
async fn serve(mut connection: Connection) {
    let app = app(connection.application());
    // `axum::serve` goes on accepting: it is dropped when its one connection is over.
    let dropped = connection.dropped();
    tokio::select! {
        _ = axum::serve(Once(Some(connection)), app) => {}
        () = dropped => {}
    }
}

async fn closing_well(mut socket: WebSocket, application: Application) {
    let own_close = loop {
        let message = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => message,
                Some(Ok(_)) => continue,
                // Whether the client or the network did wrong, the error does not tell.
                Some(Err(_)) => break Some(Message::Close(Some(CloseFrame {
                    code: close_code::POLICY,
                    reason: "".into(),
                }))),
                None => return,
            },
            command = application.command() => match command {
                Command::SendText(text) => Message::text(text.text().into_owned()),
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
        while socket.recv().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("axum-serve")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
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
            pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientFin),
            reason: "the host has no time for writing an answer, and sees no FIN while one \
                     waits for room",
            rfc: "7.1.1: An endpoint MAY close the connection via any means available when \
                  necessary, such as when under attack.",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
