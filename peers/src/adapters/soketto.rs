//! soketto: a sender and a receiver, by calls that must not be cancelled.
//!
//! Its examples receive, send back, and `close`, which sends a Close and ends the
//! sending side. Both halves share a lock, so that a server that also listens to its
//! application polls receiving and sending side by side.

#[path = "../../examples/soketto.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection};
use soketto::connection::{Error, Receiver, Sender};
use soketto::data::ByteSlice125;
use soketto::handshake::{Server, server};
use soketto::{Data, Incoming};
use std::pin::pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

const VERSION: &str = "soketto 0.8.1";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "soketto/docs",
            VERSION,
            "echoes; returns on a Close; its application never acts",
            docs,
        )
        .obeying(AppSteps::NONE),
        Peer::new(
            "soketto/bounded",
            VERSION,
            "both halves in one task; one timeout around the close and the receives after it",
            bounded,
        ),
        Peer::new(
            "soketto/split",
            VERSION,
            "echoes from a receiving task to a sending task; the first to end stops the other",
            split,
        ),
        Peer::of(
            "soketto/closing-well",
            VERSION,
            "the guide's server behind hyper: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

/// As the library's first page shows it.
async fn accept<S>(
    io: S,
) -> Result<(Sender<Compat<S>>, Receiver<Compat<S>>), soketto::handshake::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = Server::new(io.compat());
    let key = server.receive_request().await?.key();
    server.send_response(&server::Response::Accept { key, protocol: None }).await?;
    Ok(server.into_builder().finish())
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let Ok((mut sender, mut receiver)) = accept(connection).await else { return };
    let mut heard = Heard::by(&application);
    loop {
        let mut message = Vec::new();
        let Ok(incoming) = receiver.receive(&mut message).await else { return };
        let sent = match incoming {
            Incoming::Data(data) => {
                heard.message(message.len());
                echo(&mut sender, data, message).await
            }
            Incoming::Pong(_) => Ok(()),
            Incoming::Closed(reason) => return heard.end(Some(reason.code)),
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn bounded(connection: Connection) {
    let application = connection.application();
    let Ok((mut sender, receiver)) = accept(connection).await else { return };
    let (queue, mut queued) = mpsc::channel(32);
    let mut receiving = pin!(receive(receiver, queue, Heard::by(&application)));
    let closes = tokio::select! {
        () = &mut receiving => false,
        closes = send(&mut sender, &mut queued, &application) => closes,
    };
    if closes {
        let _ = timeout(BOUND, async {
            tokio::join!(sender.close(), async {
                queued.close();
                receiving.await;
            })
        })
        .await;
    }
}

async fn split(connection: Connection) {
    let application = connection.application();
    let Ok((mut sender, receiver)) = accept(connection).await else { return };
    let (queue, mut queued) = mpsc::channel(32);
    let mut receiving = tokio::spawn(receive(receiver, queue, Heard::by(&application)));
    let mut sending = tokio::spawn(async move {
        if send(&mut sender, &mut queued, &application).await {
            let _ = sender.close().await;
        }
    });
    tokio::select! {
        _ = &mut receiving => sending.abort(),
        _ = &mut sending => receiving.abort(),
    }
}

/// Hands on what is to be sent back until the client's Close, an error or the end.
async fn receive(
    mut receiver: Receiver<Compat<Connection>>,
    queue: mpsc::Sender<(Data, Vec<u8>)>,
    mut heard: Heard,
) {
    loop {
        let mut message = Vec::new();
        match receiver.receive(&mut message).await {
            Ok(Incoming::Data(data)) => {
                heard.message(message.len());
                let _ = queue.send((data, message)).await;
            }
            Ok(Incoming::Pong(_)) => {}
            Ok(Incoming::Closed(reason)) => return heard.end(Some(reason.code)),
            Err(_) => return,
        }
    }
}

/// Sends until the application ends it; true where it closes.
async fn send(
    sender: &mut Sender<Compat<Connection>>,
    queued: &mut mpsc::Receiver<(Data, Vec<u8>)>,
    application: &Application,
) -> bool {
    loop {
        let sent = tokio::select! {
            message = queued.recv() => match message {
                Some((data, message)) => echo(sender, data, message).await,
                None => return false,
            },
            command = application.command() => match command {
                Command::Close(..) => return true,
                Command::Return => return false,
                command => push(sender, &command).await,
            },
        };
        if sent.is_err() {
            return false;
        }
    }
}

async fn echo<S>(
    sender: &mut Sender<Compat<S>>,
    data: Data,
    mut message: Vec<u8>,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if data.is_text() {
        // As the example: what is no text ends the connection.
        sender.send_text(str::from_utf8(&message)?).await?;
    } else {
        sender.send_binary_mut(&mut message).await?;
    }
    sender.flush().await
}

/// Sends what the application says, but for a Close.
pub(super) async fn push(
    sender: &mut Sender<Compat<Connection>>,
    command: &Command,
) -> Result<(), Error> {
    match command {
        Command::SendText(content) => sender.send_text(content.text()).await?,
        Command::SendBinary(content) => sender.send_binary(content.bytes()).await?,
        Command::Ping(content) => {
            // The library takes no more than fits into a ping.
            if let Ok(payload) = ByteSlice125::try_from(&*content.bytes()) {
                sender.send_ping(payload).await?;
            }
        }
        // Those to a whole server are not a connection's.
        Command::Close(..)
        | Command::Return
        | Command::Keep
        | Command::Shutdown
        | Command::Broadcast(_) => {}
    }
    sender.flush().await
}
