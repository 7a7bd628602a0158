//! A whole server on actix-web that shuts down within a bound: a whole `src/main.rs`.
//!
//! `HttpServer` makes its listener and its threads itself, so that it cannot be judged in virtual time: have
//! `hangup probe --run 'exec target/debug/my-server {port}' --stop TERM --shutdown-within 6s` test it.
//!
//! ```toml
//! [dependencies]
//! actix-web = { version = "4", default-features = false }
//! actix-ws = "0.4"
//! futures-util = { version = "0.3", features = ["sink"] }
//! tokio = { version = "1", features = ["macros", "signal", "time"] }
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use actix_ws::{
    AggregatedMessage, CloseCode, Closed, Message, MessageStream, ProtocolError, Session,
};
use futures_util::SinkExt as _;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The time of one send: the shutdown may come right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);
/// The time of the whole shutdown, in seconds: what is open then is dropped.
const SHUTDOWN: u64 = 5;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(9001);
    rt::System::new().block_on(serve(port))
}

/// Serves until SIGTERM. Returning is the end of the shutdown.
async fn serve(port: u16) -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    // A state, and not an event: a session that begins later sees it as well.
    let going_away = CancellationToken::new();
    let told = going_away.clone();
    let app = move || {
        let going_away = web::Data::new(going_away.clone());
        App::new().app_data(going_away).route("/", web::get().to(upgrade))
    };
    // It waits for all responses, and to it a WebSocket is one; the sessions are told here.
    HttpServer::new(app)
        .client_request_timeout(CLOSE)
        .shutdown_timeout(SHUTDOWN)
        .shutdown_signal(async move {
            terminated.recv().await;
            told.cancel();
        })
        .bind(("127.0.0.1", port))?
        .run()
        .await
}

/// A session, counted by the framework.
pub(crate) async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
    going_away: web::Data<CancellationToken>,
) -> actix_web::Result<HttpResponse> {
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    rt::spawn(closing_well(session, stream, CancellationToken::clone(&going_away)));
    Ok(response)
}

async fn closing_well(mut session: Session, stream: MessageStream, going_away: CancellationToken) {
    let mut stream = stream.aggregate_continuations();
    let reason = loop {
        let sending = tokio::select! {
            () = going_away.cancelled() => break Some(CloseCode::Away.into()),
            message = stream.recv() => match message {
                Some(Ok(AggregatedMessage::Close(reason))) => break reason,
                Some(Ok(message)) => match message {
                    AggregatedMessage::Text(text) => Message::Text(text),
                    AggregatedMessage::Binary(data) => Message::Binary(data),
                    AggregatedMessage::Ping(data) => Message::Pong(data),
                    _ => continue,
                },
                // FIN, reported before a Close that came with it.
                Some(Err(ProtocolError::Io(_))) => break None,
                None => return,
                Some(Err(_)) => break Some(CloseCode::Protocol.into()),
            },
        };
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, session.send(sending)).await else { return };
    };
    // One deadline, set once, around the own Close and the wait for the client's.
    let _ = timeout(CLOSE, async {
        session.close(reason).await?;
        while let Some(Ok(_)) = stream.recv().await {}
        Ok::<(), Closed>(())
    })
    .await;
}
