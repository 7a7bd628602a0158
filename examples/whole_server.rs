//! A whole server of one's own under hangup: an accept loop on tokio-tungstenite, messages for all, and
//! a shutdown within a bound. `docs/shutdown.md` has the same on axum, hyper, warp, poem and salvo.
//!
//! ```text
//! cargo run --example whole_server -- test
//! ```

use futures_util::{SinkExt as _, StreamExt as _};
use hangup::script::Command;
use hangup::target::tungstenite::deviations;
use hangup::{AppSteps, Connection, Listener, Registry, Stop, secs};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The time of the opening, and of one send: the shutdown may come right after one began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the closing: with one of those before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);
/// The time of the whole shutdown: what is open then is dropped.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// How many messages for all may wait for one client: who is further behind is given up.
const BEHIND: usize = 16;

fn main() -> ExitCode {
    let mine = hangup::server_suite(my_server)
        .named("mine")
        .close_within(secs(5))
        .handshake_within(secs(2))
        .shutdown_within(secs(6))
        .obeying(AppSteps::BROADCAST)
        .accepting(deviations::LATE_REFUSAL)
        .accepting(deviations::CODE_1014);
    hangup::cli::main(Registry::new().with(mine.into_target()))
}

/// The server. Returning is the end of its shutdown.
async fn my_server(listener: Listener, stop: Stop) {
    let application = listener.application();
    let messages = broadcast::Sender::new(BEHIND);
    // A state, and not an event: a session that is still opening sees it later.
    let going_away = watch::Sender::new(false);
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.clone() => break,
            connection = listener.accept() => {
                let session = session(connection, messages.subscribe(), going_away.subscribe());
                sessions.spawn(session);
            }
            command = application.command() => if let Command::Broadcast(text) = command {
                // It waits for nobody.
                let _ = messages.send(Message::text(text.text().into_owned()));
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    // Who comes now is refused, and tries another server.
    drop(listener);
    going_away.send_replace(true);
    // One deadline for all.
    let ended = async { while sessions.join_next().await.is_some() {} };
    let _ = timeout(SHUTDOWN, ended).await;
    sessions.shutdown().await;
}

async fn session(
    connection: Connection,
    mut messages: broadcast::Receiver<Message>,
    mut going_away: watch::Receiver<bool>,
) {
    // The opening is the session's: the accept loop only accepts.
    let Ok(Ok(mut socket)) = timeout(SEND, accept_async(connection)).await else { return };
    let close = |code| Some(Message::Close(Some(CloseFrame { code, reason: "".into() })));
    let own_close = loop {
        let message = tokio::select! {
            biased;
            // What was said before the shutdown still goes out.
            message = messages.recv() => match message {
                Ok(message) => message,
                Err(_) => break close(CloseCode::Again),
            },
            _ = going_away.wait_for(|told| *told) => break close(CloseCode::Away),
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) => break None,
                Some(Ok(message)) if message.is_text() || message.is_binary() => message,
                Some(Ok(_)) => continue,
                Some(Err(Error::Io(_))) | None => return,
                // The Close that fails the connection is up to us.
                Some(Err(_)) => break close(CloseCode::Protocol),
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
