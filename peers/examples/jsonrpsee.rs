//! A server on jsonrpsee that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! jsonrpsee-server = "0.26"
//! tokio = { version = "1", features = ["macros", "time"] }
//! tokio-io-timeout = "1.2"
//! ```

use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use jsonrpsee_server::{Methods, RpcModule, Server, serve_with_graceful_shutdown, stop_channel};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

async fn closing_well(connection: Connection) {
    let application = connection.application();
    // The server closes without waiting for the client's Close: what is left to bound
    // are its writes. One that makes no progress for so long fails.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    // Before the opening there is nothing that it could stop: then it is dropped.
    serve(Box::pin(io), application, CLOSE).await;
}

/// As the documentation of `to_service_builder` shows it, for one connection.
pub async fn serve<S>(io: S, application: Application, bound: Duration)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stop, handle) = stop_channel();
    let service = Server::builder().to_service_builder().build(methods(), stop.clone());
    let over = handle.clone().stopped();
    let mut stopping = pin!(async {
        while !matches!(application.command().await, Command::Close(..)) {}
        let _ = handle.stop();
    });
    {
        let mut http = pin!(serve_with_graceful_shutdown(io, service, stop.shutdown()));
        tokio::select! {
            () = &mut stopping => return drop(timeout(bound, http).await),
            _ = &mut http => {}
        }
    }
    // An upgraded connection lives on in a task of its own.
    tokio::select! {
        () = stopping => {}
        () = over => {}
    }
}

fn methods() -> Methods {
    let mut module = RpcModule::new(());
    module.register_method("say_hello", |_, (), _| "lo").expect("the name is new");
    module.into()
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    let unseen = Deviation {
        pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
        reason: "what the library does not take for a violation it does not answer as one",
        rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
        rate: None,
    };
    let late = Deviation {
        pattern: Pattern::of(Invariant::ClosesOnce),
        reason: "the library takes an own Close, or sends one, while its answer to the \
                 client's waits for room",
        rfc: "5.5.1: After both sending and receiving a Close message, an endpoint \
              considers the WebSocket connection closed",
        rate: None,
    };
    let stuck = Deviation {
        pattern: Pattern::of(Invariant::EndsInTime),
        reason: "frames without a mask are served; a server that is stopped while an answer \
                 waits for room no longer polls the reader, which holds the writer's lock, \
                 and waits for the writer; a writer that failed closes, and nobody tells \
                 the reader, which reads on",
        rfc: "5.5.1: After both sending and receiving a Close message, an endpoint \
              considers the WebSocket connection closed and MUST close the underlying TCP \
              connection.",
        rate: None,
    };
    hangup::suite(closing_well)
        .named("jsonrpsee")
        .obeying(AppSteps::CLOSE)
        .close_within(secs(5))
        // What the server is given for the first request, and what it is given to stop.
        .handshake_within(secs(34))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::LegalClose),
            reason: "the library answers a Close by itself, 1015 with 1015",
            rfc: "7.4.1: 1015 is a reserved value and MUST NOT be set as a status code in a \
                  Close control frame by an endpoint.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientClose),
            reason: "the library takes a Close payload of one byte for an empty one",
            ..unseen
        })
        .accepting(unseen)
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientFin),
            ..unseen
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::AppClose),
            reason: "a stopped server closes with 1000, whatever the client did meanwhile",
            ..unseen
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::SendsClose),
            reason: "a writer that failed leaves its Close in a buffer, and nothing sends that \
                     when the server is stopped",
            ..late
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesUnmasked),
            reason: "the library reads frames without a mask like any other, and does not let \
                     its user see whether there was one",
            ..unseen
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_symptom(Symptom::ServesBadText),
            ..unseen
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
            pattern: Pattern::of(Invariant::WaitsForAnswer),
            reason: "a server that is stopped closes its connections without waiting for the \
                     clients' Closes",
            rfc: "7.1.2: Once an endpoint has both sent and received a Close control frame, \
                  that endpoint SHOULD _Close the WebSocket Connection_ as defined in Section \
                  7.1.1.",
            rate: None,
        })
        .accepting(late)
        .accepting(Deviation { pattern: Pattern::of(Invariant::EchoesCode), ..late })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::NoDataAfterClose),
            reason: "what a call is answered goes out whatever was sent before, a Close that \
                     waited for room too",
            rfc: "5.5.1: The application MUST NOT send any more data frames after sending a \
                  Close frame.",
            rate: None,
        })
        .accepting(stuck)
        .accepting(Deviation { pattern: Pattern::of(Invariant::ReleasesInTime), ..stuck })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
