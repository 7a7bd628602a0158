//! A server on soketto that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! soketto = { version = "0.8", features = ["http"] }
//! tokio = { version = "1", features = ["macros", "rt", "sync", "time"] }
//! tokio-io-timeout = "1.2"
//! tokio-util = { version = "0.7", features = ["compat"] }
//! ```

use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use http_body_util::Empty;
use hyper::body::{self, Bytes};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use soketto::Incoming;
use soketto::handshake::http;
use std::future::pending;
use std::future::ready;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

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
    mut request: Request<body::Incoming>,
    application: Application,
) -> Result<Response<Empty<Bytes>>, http::Error> {
    let mut server = http::Server::new();
    let response = server.receive_request(&request)?;
    tokio::spawn(closing_well(server, hyper::upgrade::on(&mut request), application));
    Ok(response.map(|()| Empty::new()))
}

/// The library's own opening drops what follows the request in the same segment.
async fn closing_well(server: http::Server, upgrading: OnUpgrade, application: Application) {
    let Ok(upgraded) = upgrading.await else { return };
    let io = TokioIo::new(upgraded).compat();
    let (mut sender, mut receiver) = server.into_builder(io).finish();
    // A receive must not be cancelled, so that it has a future of its own.
    let (queue, mut queued) = mpsc::channel(1);
    let mut receiving = pin!(async move {
        let mut message = Vec::new();
        loop {
            match receiver.receive(&mut message).await {
                Ok(Incoming::Data(kind)) => {
                    let _ = queue.send((kind.is_text(), std::mem::take(&mut message))).await;
                }
                Ok(Incoming::Pong(_)) => {}
                Ok(Incoming::Closed(_)) | Err(_) => return,
            }
        }
    });
    let closes = tokio::select! {
        () = &mut receiving => return,
        closes = async {
            loop {
                let (is_text, message) = tokio::select! {
                    message = queued.recv() => message?,
                    command = application.command() => match command {
                        Command::SendText(text) => (true, text.text().into_owned().into()),
                        Command::SendBinary(data) => (false, data.bytes().into_owned()),
                        _ => return Some(()),
                    },
                };
                let sending = async {
                    if is_text {
                        // What comes as text is for the caller to check.
                        sender.send_text(str::from_utf8(&message)?).await?;
                    } else {
                        sender.send_binary(&message).await?;
                    }
                    sender.flush().await
                };
                timeout(SEND, sending).await.ok()?.ok()?;
            }
        } => closes,
    };
    if closes.is_some() {
        // One deadline, set once, around the own Close and the wait for the client's. They
        // share a lock, so that both are polled; who fails half way through a frame ends it.
        queued.close();
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

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("soketto")
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
            pattern: Pattern::of(Invariant::ReleasesInTime).with_cause(Cause::ClientViolation),
            reason: "the library reads frames without a mask like any other, and does not let \
                     its user see whether there was one",
            rfc: "5.1: The server MUST close the connection upon receiving a frame that is not \
                  masked.",
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
                     sends 1000 and no other code; it reads frames without a mask, and takes a \
                     Close of one byte for an empty one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::NoSilentEnd),
            reason: "a pong between the fragments of a message ends the library's call to \
                     receive it, and with it the memory of its first fragment: the next one is \
                     an error",
            rfc: "5.4: Control frames (see Section 5.5) MAY be injected in the middle of a \
                  fragmented message.",
            rate: Some(3e-6),
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
            reason: "the library's `close()` ends its sending side at once: a ping that comes \
                     before the client's Close cannot be answered, and ends receiving with an \
                     error",
            rfc: "5.5.2: Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in \
                  response, unless it already received a Close frame.",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
