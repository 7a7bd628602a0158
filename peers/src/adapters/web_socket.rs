//! web-socket: events and frames over any stream; the opening is the caller's.
//!
//! Its example answers pings, errors and Closes by itself: `close` consumes the socket,
//! sends a Close and does not wait. Reading must not be cancelled, so that a server that
//! also listens to its application splits the stream and has a socket over each half.

#[path = "../../examples/web_socket.rs"]
mod guide;

use crate::heard::Heard;
use crate::host;
use crate::peer::{BOUND, Peer};
use hangup::script::Command;
use hangup::{AppSteps, Application};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::pin;
use tokio::io::{AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use web_socket::{
    CloseCode, CloseReason, DataType, Event, MessageType, Stream as Fragment, WebSocket,
};

const VERSION: &str = "web-socket 0.7.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "web-socket/docs",
            VERSION,
            "echoes; answers a Close and returns; its application never acts",
            |connection| host::upgrading(connection, docs),
        )
        .obeying(AppSteps::NONE),
        Peer::new(
            "web-socket/bounded",
            VERSION,
            "both halves in one task; one timeout around the close and the reads after it",
            |connection| host::upgrading(connection, bounded),
        ),
        Peer::new(
            "web-socket/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| host::upgrading(connection, split),
        ),
        Peer::of(
            "web-socket/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

type Stream = TokioIo<Upgraded>;

/// What the writing half is to send.
pub(super) enum Outgoing {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Box<[u8]>),
    /// The last one: a Close with this payload.
    Close(Vec<u8>),
}

async fn docs(upgrading: OnUpgrade, application: Application) {
    let Ok(upgraded) = upgrading.await else { return };
    let _ = echo(WebSocket::server(TokioIo::new(upgraded)), &application).await;
}

async fn echo(mut socket: WebSocket<Stream>, application: &Application) -> io::Result<()> {
    let (mut heard, mut pieces) = (Heard::by(application), Pieces::default());
    loop {
        match socket.recv_event().await? {
            Event::Data { ty: DataType::Complete(MessageType::Text), data } => {
                heard.message(data.len());
                socket.send(&*String::from_utf8_lossy(&data)).await?;
            }
            Event::Data { ty: DataType::Complete(MessageType::Binary), data } => {
                heard.message(data.len());
                socket.send(&*data).await?;
            }
            // The pieces of a fragmented message are the caller's to put together: here they are
            // counted, and not sent back.
            Event::Data { ty: DataType::Stream(piece), data } => {
                if let Some(bytes) = pieces.came(&piece, data.len()) {
                    heard.message(bytes);
                }
            }
            Event::Pong(..) => {}
            Event::Ping(data) => socket.send_pong(data).await?,
            Event::Error(..) => return socket.close(CloseCode::ProtocolError).await,
            Event::Close { code, .. } => {
                heard.end(Some(code));
                return socket.close(()).await;
            }
        }
    }
}

/// How much of a fragmented message has come.
#[derive(Default)]
pub(super) struct Pieces(usize);

impl Pieces {
    /// A piece has come; with the last, how many bytes the message has.
    pub(super) fn came(&mut self, piece: &Fragment, bytes: usize) -> Option<usize> {
        self.0 += bytes;
        matches!(piece, Fragment::End(_)).then(|| std::mem::take(&mut self.0))
    }
}

async fn bounded(upgrading: OnUpgrade, application: Application) {
    let Ok(upgraded) = upgrading.await else { return };
    let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = pin!(read(WebSocket::server(reader), queue, Heard::by(&application)));
    let writing = write(WebSocket::server(writer), &mut queued, &application);
    let both = async {
        let mut writing = pin!(writing);
        tokio::select! {
            () = &mut reading => writing.await.map(|_| false),
            closed = &mut writing => closed,
        }
    };
    if let Ok(true) = both.await {
        queued.close();
        let _ = timeout(BOUND, reading).await;
    }
}

async fn split(upgrading: OnUpgrade, application: Application) {
    let Ok(upgraded) = upgrading.await else { return };
    let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = tokio::spawn(read(WebSocket::server(reader), queue, Heard::by(&application)));
    let mut writing = tokio::spawn(async move {
        let _ = write(WebSocket::server(writer), &mut queued, &application).await;
    });
    tokio::select! {
        // The answer to what ended reading is queued.
        _ = &mut reading => {
            let _ = writing.await;
        }
        _ = &mut writing => reading.abort(),
    }
}

/// Hands on what is to be sent until the client's Close, an error or the end.
async fn read(
    mut socket: WebSocket<ReadHalf<Stream>>,
    queue: mpsc::Sender<Outgoing>,
    mut heard: Heard,
) {
    let mut pieces = Pieces::default();
    while let Ok(event) = socket.recv_event().await {
        let outgoing = match event {
            Event::Data { ty: DataType::Complete(MessageType::Text), data } => {
                heard.message(data.len());
                Outgoing::Text(String::from_utf8_lossy(&data).into_owned())
            }
            Event::Data { ty: DataType::Complete(MessageType::Binary), data } => {
                heard.message(data.len());
                Outgoing::Binary(data.into())
            }
            Event::Data { ty: DataType::Stream(piece), data } => {
                if let Some(bytes) = pieces.came(&piece, data.len()) {
                    heard.message(bytes);
                }
                continue;
            }
            Event::Pong(..) => continue,
            Event::Ping(data) => Outgoing::Pong(data),
            Event::Error(..) => Outgoing::Close(CloseCode::ProtocolError.to_bytes().to_vec()),
            Event::Close { code, .. } => {
                heard.end(Some(code));
                Outgoing::Close(Vec::new())
            }
        };
        let last = matches!(outgoing, Outgoing::Close(_));
        let _ = queue.send(outgoing).await;
        if last {
            return;
        }
    }
}

/// Sends until a Close has been sent, the application returns, or nothing more can come;
/// true where the Close was the application's.
async fn write(
    mut socket: WebSocket<WriteHalf<Stream>>,
    queued: &mut mpsc::Receiver<Outgoing>,
    application: &Application,
) -> io::Result<bool> {
    loop {
        let (outgoing, own) = tokio::select! {
            outgoing = queued.recv() => match outgoing {
                Some(outgoing) => (outgoing, false),
                None => return Ok(false),
            },
            command = application.command() => match outgoing_of(&command) {
                Some(outgoing) => (outgoing, true),
                None => return Ok(false),
            },
        };
        match send(socket, outgoing).await? {
            Some(open) => socket = open,
            None => return Ok(own),
        }
    }
}

/// Sends it; the socket is gone once it has closed.
pub(super) async fn send<W>(
    mut socket: WebSocket<W>,
    outgoing: Outgoing,
) -> io::Result<Option<WebSocket<W>>>
where
    W: AsyncWrite + Unpin,
{
    match outgoing {
        Outgoing::Text(text) => socket.send(&*text).await?,
        Outgoing::Binary(data) => socket.send(&*data).await?,
        Outgoing::Ping(data) => socket.send_ping(data).await?,
        Outgoing::Pong(data) => socket.send_pong(data).await?,
        Outgoing::Close(payload) => {
            socket.close(Payload(payload)).await?;
            return Ok(None);
        }
    }
    Ok(Some(socket))
}

/// A Close's payload as it is; the library lets it be chosen.
struct Payload(Vec<u8>);

impl CloseReason for Payload {
    type Bytes = Vec<u8>;

    fn to_bytes(self) -> Self::Bytes {
        self.0
    }
}

/// A command in the library's words; `None` to return.
pub(super) fn outgoing_of(command: &Command) -> Option<Outgoing> {
    Some(match command {
        Command::SendText(content) => Outgoing::Text(content.text().into_owned()),
        Command::SendBinary(content) => Outgoing::Binary(content.bytes().into_owned()),
        Command::Ping(content) => Outgoing::Ping(content.bytes().into_owned()),
        Command::Close(Some(code), reason) => {
            Outgoing::Close((*code, reason.text().as_bytes()).to_bytes())
        }
        Command::Close(None, _) => Outgoing::Close(Vec::new()),
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
