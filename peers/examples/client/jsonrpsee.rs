//! A client on jsonrpsee that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! jsonrpsee-ws-client = { version = "0.26", default-features = false }
//! tokio = { version = "1", features = ["macros", "time"] }
//! tokio-io-timeout = "1.2"
//! ```

use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use jsonrpsee_ws_client::WsClientBuilder;
use std::time::Duration;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection, application: Application) {
    // The library closes without waiting for the server's Close: what is left to bound are
    // its writes. One that makes no progress for so long fails.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    let builder = WsClientBuilder::default();
    let connecting = builder.build_with_stream("ws://localhost/", Box::pin(io));
    let Ok(Ok(client)) = timeout(CLOSE, connecting).await else { return };
    // What closes is the drop of the client.
    tokio::select! {
        _ = client.on_disconnect() => {}
        () = async { while !matches!(application.command().await, Command::Close(..)) {} } => {}
    }
}

/// The client's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::client_suite(closing_well)
        .named("jsonrpsee client")
        .obeying(AppSteps::CLOSE)
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
            pattern: Pattern::of(Invariant::ClosesOnce),
            reason: "a client whose write failed closes, while its answer to the server's Close \
                     waits for room",
            rfc: "5.5.1: After both sending and receiving a Close message, an endpoint \
                  considers the WebSocket connection closed",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal),
            reason: "the library closes with 1000 whatever the server did, and reads frames \
                     with a mask",
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
            reason: "a client that is dropped closes without waiting for the server",
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
