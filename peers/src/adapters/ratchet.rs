//! ratchet: reads and writes into buffers, by calls that must not be cancelled.
//!
//! Its echo server writes back what it reads and returns on a Close, which the library
//! has answered by then. The split example does the same with two halves.

#[path = "../../examples/ratchet.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use bytes::BytesMut;
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection};
use ratchet_rs::{
    CloseCode, CloseReason, Error, Message, NoExt, NoExtDecoder, NoExtEncoder, NoExtProvider,
    PayloadType, Receiver, Sender, SubprotocolRegistry, WebSocket, WebSocketConfig, accept_with,
};
use std::pin::pin;
use tokio::sync::mpsc;
use tokio::time::timeout;

const VERSION: &str = "ratchet_rs 1.2.1";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "ratchet/docs",
            VERSION,
            "echoes; returns on a Close; its application never acts",
            docs,
        )
        .obeying(AppSteps::NONE),
        Peer::new(
            "ratchet/bounded",
            VERSION,
            "both halves in one task; one timeout around the close and the reads after it",
            bounded,
        ),
        Peer::new(
            "ratchet/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            split,
        ),
        Peer::of(
            "ratchet/closing-well",
            VERSION,
            "the guide's server behind hyper: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

async fn accept<S>(io: S) -> Result<WebSocket<S, NoExt>, Error>
where
    S: ratchet_rs::WebSocketStream,
{
    let config = WebSocketConfig::default();
    let upgrader = accept_with(io, config, NoExtProvider, SubprotocolRegistry::default()).await?;
    Ok(upgrader.upgrade().await?.websocket)
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let Ok(mut websocket) = accept(connection).await else { return };
    let mut buf = BytesMut::new();
    let mut heard = Heard::by(&application);
    loop {
        let Ok(message) = websocket.read(&mut buf).await else { return };
        let payload = match message {
            Message::Text => PayloadType::Text,
            Message::Binary => PayloadType::Binary,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(reason) => return heard.end(code(reason)),
        };
        heard.message(buf.len());
        if websocket.write(&mut buf, payload).await.is_err() {
            return;
        }
        buf.clear();
    }
}

async fn bounded(connection: Connection) {
    let application = connection.application();
    let Some((mut sender, receiver)) = halves(connection).await else { return };
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = pin!(read(receiver, queue, Heard::by(&application)));
    let closing = tokio::select! {
        () = &mut reading => None,
        closing = write(&mut sender, &mut queued, &application) => closing,
    };
    if let Some(reason) = closing {
        let _ = timeout(BOUND, async {
            tokio::join!(sender.close(reason), async {
                queued.close();
                reading.await;
            })
        })
        .await;
    }
}

async fn split(connection: Connection) {
    let application = connection.application();
    let Some((mut sender, receiver)) = halves(connection).await else { return };
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = tokio::spawn(read(receiver, queue, Heard::by(&application)));
    let mut writing = tokio::spawn(async move {
        if let Some(reason) = write(&mut sender, &mut queued, &application).await {
            let _ = sender.close(reason).await;
        }
    });
    tokio::select! {
        _ = &mut reading => writing.abort(),
        _ = &mut writing => reading.abort(),
    }
}

type Halves = (Sender<Connection, NoExtEncoder>, Receiver<Connection, NoExtDecoder>);

async fn halves(connection: Connection) -> Option<Halves> {
    accept(connection).await.ok()?.split().ok()
}

/// Hands on what is to be sent back until the client's Close, an error or the end.
async fn read(
    mut receiver: Receiver<Connection, NoExtDecoder>,
    queue: mpsc::Sender<(BytesMut, PayloadType)>,
    mut heard: Heard,
) {
    let mut buf = BytesMut::new();
    loop {
        let Ok(message) = receiver.read(&mut buf).await else { return };
        let payload = match message {
            Message::Text => PayloadType::Text,
            Message::Binary => PayloadType::Binary,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(reason) => return heard.end(code(reason)),
        };
        heard.message(buf.len());
        let _ = queue.send((buf.split(), payload)).await;
    }
}

/// Sends until the application ends it; a reason where it closes.
async fn write(
    sender: &mut Sender<Connection, NoExtEncoder>,
    queued: &mut mpsc::Receiver<(BytesMut, PayloadType)>,
    application: &Application,
) -> Option<CloseReason> {
    loop {
        let (bytes, payload) = tokio::select! {
            message = queued.recv() => message?,
            command = application.command() => match outgoing_of(&command) {
                Some(Outgoing::Frame(bytes, payload)) => (bytes, payload),
                Some(Outgoing::Close(reason)) => return Some(reason),
                None if matches!(command, Command::Ping(_)) => continue,
                None => return None,
            },
        };
        sender.write(bytes, payload).await.ok()?;
    }
}

/// What an application says, in the library's words.
pub(super) enum Outgoing {
    Frame(BytesMut, PayloadType),
    Close(CloseReason),
}

/// A command as something to send; `None` for a ping that is too long, and to return.
pub(super) fn outgoing_of(command: &Command) -> Option<Outgoing> {
    let frame = |bytes: &[u8], payload| Outgoing::Frame(BytesMut::from(bytes), payload);
    Some(match command {
        Command::SendText(content) => frame(content.text().as_bytes(), PayloadType::Text),
        Command::SendBinary(content) => frame(&content.bytes(), PayloadType::Binary),
        // The library takes no more than fits into a ping.
        Command::Ping(content) if content.bytes().len() > 125 => return None,
        Command::Ping(content) => frame(&content.bytes(), PayloadType::Ping),
        Command::Close(code, reason) => {
            // The library cannot send a Close without a code, nor an unknown one.
            let code = code.and_then(|code| CloseCode::try_from(code.to_be_bytes()).ok());
            let code = code.unwrap_or(CloseCode::Normal);
            Outgoing::Close(CloseReason::new(code, Some(reason.text().into_owned())))
        }
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}

pub(super) fn code(reason: Option<CloseReason>) -> Option<u16> {
    reason.map(|reason| reason.code.into())
}
