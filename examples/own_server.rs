//! A server of one's own under hangup, and the whole command line for it.
//!
//! The server below is on tokio-tungstenite. It closes when its application is told
//! to, and gives the client two seconds for all of it. What the library does by itself
//! is accepted by name; README.md has what such an acceptance says.
//!
//! ```text
//! cargo run --example own_server -- test
//! ```

use futures_util::StreamExt as _;
use hangup::script::Command;
use hangup::target::tungstenite::deviations;
use hangup::{AppSteps, Application, Connection, Registry, secs};
use std::process::ExitCode;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::{WebSocketStream, accept_async};

fn main() -> ExitCode {
    let mine = hangup::suite(my_server)
        .named("mine")
        .close_within(secs(2))
        .handshake_within(secs(2))
        .obeying(AppSteps::CLOSE)
        .accepting(deviations::LATE_REFUSAL)
        .accepting(deviations::SILENT_REFUSAL)
        .accepting(deviations::CODE_1014);
    hangup::cli::main(Registry::new().with(mine.into_target()))
}

async fn my_server(connection: Connection) {
    let application = connection.application();
    let Ok(Ok(mut socket)) = timeout(secs(2), accept_async(connection)).await else { return };
    let own = talk(&mut socket, &application).await;
    // One deadline, set once, around all that could wait for the client.
    let _ = timeout(secs(2), close(&mut socket, own)).await;
}

/// Discards what comes, until the client (`false`) or the application (`true`) ends it.
async fn talk(socket: &mut WebSocketStream<Connection>, application: &Application) -> bool {
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) if !message.is_close() => {}
                _ => return false,
            },
            command = application.command() => {
                if matches!(command, Command::Close(..)) { return true }
            }
        }
    }
}

/// Sends the own Close where that is due, and reads on until there is nothing more.
/// The answer to the client's Close is queued already, and reading sends it; to call
/// `close()` then returns an error at once, and drops the answer. hangup found that.
async fn close(socket: &mut WebSocketStream<Connection>, own: bool) -> Result<(), Error> {
    if own {
        socket.close(None).await?;
    }
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}
