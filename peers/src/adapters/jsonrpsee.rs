//! jsonrpsee: a JSON-RPC server; what it is sent that is no call, it answers with an error.
//!
//! Its application closes by `ServerHandle::stop`, and has no other say in closing:
//! which code is sent and how long is waited is the server's. Its documentation
//! promises to end a connection without a request in 30 s. Its pings (`enable_ws_ping`)
//! are left out: who missed them is found by the real clock.

use crate::known;
use crate::peer::{CLOSE, Peer, SEND};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern};
use hangup::{AppSteps, Application, Connection, secs};
use jsonrpsee_server::{Methods, RpcModule, Server, serve_with_graceful_shutdown, stop_channel};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

const VERSION: &str = "jsonrpsee-server 0.26.1";

const CUTS: Deviation = Deviation {
    pattern: Pattern::of(Invariant::LetsThePoliteFinish),
    reason: "a server that is stopped closes its connections without waiting for the clients' \
             Closes",
    rfc: "7.1.2: Once an endpoint has both sent and received a Close control frame, that \
          endpoint SHOULD _Close the WebSocket Connection_ as defined in Section 7.1.1.",
    rate: None,
};

const DOES_NOT_END: Deviation = Deviation {
    pattern: Pattern::of(Invariant::EndsInTime),
    reason: "frames without a mask are served (findings/jsonrpsee-serves-a-frame-without-a-mask.toml); \
             a server that is stopped while an answer waits for room no longer polls the reader, \
             which holds the writer's lock, and waits for the writer \
             (findings/jsonrpsee-stop-deadlocks-behind-a-blocked-answer.toml); a writer that failed \
             closes, and nobody tells the reader, which reads on \
             (findings/jsonrpsee-reads-on-behind-a-writer-that-failed.toml)",
    rfc: "5.5.1: After both sending and receiving a Close message, an endpoint considers the \
          WebSocket connection closed and MUST close the underlying TCP connection.",
    rate: None,
};

const CALL_BEHIND_CLOSE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::SilentAfterClose),
    reason: "what a call is answered goes out whatever was sent before, a Close that waited for \
             room too (findings/jsonrpsee-answers-a-call-behind-its-close.toml)",
    rfc: "5.5.1: The application MUST NOT send any more data frames after sending a Close frame.",
    rate: None,
};

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "jsonrpsee/docs",
            VERSION,
            "answers calls; its application stops the server",
            docs,
        )
        .obeying(AppSteps::CLOSE)
        .handshake_within(secs(30)),
        Peer::new(
            "jsonrpsee/closing-well",
            VERSION,
            "the guide's server: a write that makes no progress fails",
            closing_well,
        )
        .obeying(AppSteps::CLOSE)
        .accepting(Deviation { pattern: Pattern::of(Invariant::LegalClose), ..known::ECHOES_1015 })
        .accepting(known::MALFORMED_CLOSE)
        .accepting(known::UNSEEN_VIOLATION)
        .accepting(Deviation {
            pattern: known::UNSEEN_VIOLATION.pattern.with_cause(Cause::ClientFin),
            ..known::UNSEEN_VIOLATION
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::SendsClose),
            reason: "a writer that failed leaves its Close in a buffer, and nothing sends that when \
                     the server is stopped",
            ..known::SECOND_CLOSE
        })
        .accepting(known::EARLY_UNMASKED)
        .accepting(known::EARLY_BAD_TEXT)
        .accepting(known::CODE_1014)
        .accepting(CUTS)
        .accepting(Deviation { pattern: Pattern::of(Invariant::ClosesOnce), ..known::SECOND_CLOSE })
        .accepting(Deviation { pattern: Pattern::of(Invariant::EchoesCode), ..known::SECOND_CLOSE })
        .accepting(CALL_BEHIND_CLOSE)
        .accepting(DOES_NOT_END)
        .accepting(Deviation { pattern: Pattern::of(Invariant::ReleasesInTime), ..DOES_NOT_END })
        // What the server is given for the first request, and what it is given to stop.
        .handshake_within(secs(34)),
    ]
}

async fn docs(connection: Connection) {
    let application = connection.application();
    serve(connection, application, Duration::MAX).await;
}

/// As the documentation of `to_service_builder` shows it, for one connection.
async fn serve<S>(io: S, application: Application, bound: Duration)
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

// docs/closing-well.md: begin
async fn closing_well(connection: Connection) {
    let application = connection.application();
    // The server closes without waiting for the client's Close: what is left to bound
    // are its writes. One that makes no progress for so long fails.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    // Before the opening there is nothing that it could stop: then it is dropped.
    serve(Box::pin(io), application, CLOSE).await;
}
// docs/closing-well.md: end
