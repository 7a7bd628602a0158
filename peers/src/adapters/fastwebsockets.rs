//! fastwebsockets: frames, by calls that must not be cancelled.
//!
//! Its echo server reads and writes in turn and returns on a Close, which the library
//! has answered by then. Reading may not be dropped half way, so that a server that
//! also listens to its application splits the socket: the reading half then hands on
//! what the library owes (a pong, the answer to a Close) for the writing half to send.

#[path = "../../examples/fastwebsockets.rs"]
mod guide;

use crate::heard::Heard;
use crate::host;
use crate::peer::{BOUND, Peer};
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
    WebSocketRead, WebSocketWrite,
};
use hangup::script::Command;
use hangup::{AppSteps, Application};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::pin;
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

const VERSION: &str = "fastwebsockets 0.10.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "fastwebsockets/docs",
            VERSION,
            "echoes; returns on a Close; its application never acts",
            |connection| host::hyper(connection, |request| answer(request, docs)),
        )
        .obeying(AppSteps::NONE),
        Peer::new(
            "fastwebsockets/bounded",
            VERSION,
            "both halves in one task; one timeout around the close and the reads after it",
            |connection| host::hyper(connection, |request| answer(request, bounded)),
        ),
        Peer::new(
            "fastwebsockets/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| host::hyper(connection, |request| answer(request, split)),
        ),
        Peer::of(
            "fastwebsockets/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

#[expect(clippy::unused_async, reason = "what hyper serves is asynchronous")]
async fn answer<F>(
    mut request: Request<Incoming>,
    serve: fn(UpgradeFut, Application) -> F,
) -> Result<Response<Empty<Bytes>>, WebSocketError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let application = host::application(&request);
    let (response, upgrading) = upgrade(&mut request)?;
    tokio::spawn(serve(upgrading, application));
    Ok(response)
}

async fn docs(upgrading: UpgradeFut, application: Application) {
    let Ok(socket) = upgrading.await else { return };
    let mut socket = FragmentCollector::new(socket);
    let mut heard = Heard::by(&application);
    while let Ok(frame) = socket.read_frame().await {
        match frame.opcode {
            OpCode::Close => return heard.end(code(&frame)),
            OpCode::Text | OpCode::Binary => {
                heard.message(frame.payload.len());
                if socket.write_frame(frame).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

pub(super) type Stream = TokioIo<Upgraded>;
pub(super) type Owned = Frame<'static>;

async fn bounded(upgrading: UpgradeFut, application: Application) {
    let Ok(socket) = upgrading.await else { return };
    let (reader, mut writer) = socket.split(tokio::io::split);
    let (queue, mut queued) = mpsc::channel(32);
    let mut reading = pin!(read(reader, queue, Heard::by(&application)));
    let mut reads = true;
    let closes;
    {
        let mut writing = pin!(write(&mut writer, &mut queued, &application));
        loop {
            tokio::select! {
                () = &mut reading, if reads => reads = false,
                own = &mut writing => {
                    closes = own;
                    break;
                }
            }
        }
    }
    if closes && reads {
        let drain = drain(&mut writer, &mut queued);
        let _ = timeout(BOUND, async { tokio::join!(reading, drain) }).await;
    }
}

async fn split(upgrading: UpgradeFut, application: Application) {
    let Ok(socket) = upgrading.await else { return };
    let (reader, mut writer) = socket.split(tokio::io::split);
    let (queue, mut queued) = mpsc::channel(32);
    let mut reader = tokio::spawn(read(reader, queue, Heard::by(&application)));
    let mut writer = tokio::spawn(async move {
        if write(&mut writer, &mut queued, &application).await {
            let _ = drain(&mut writer, &mut queued).await;
        }
    });
    tokio::select! {
        _ = &mut reader => {
            let _ = writer.await;
        }
        _ = &mut writer => reader.abort(),
    }
}

/// Hands on what is to be sent until the client's Close, an error or the end.
async fn read(reader: WebSocketRead<ReadHalf<Stream>>, queue: Sender<Owned>, mut heard: Heard) {
    let mut reader = FragmentCollectorRead::new(reader);
    while let Ok(frame) = reader.read_frame(&mut |owed: Owned| queue.send(owed)).await {
        match frame.opcode {
            OpCode::Close => return heard.end(code(&frame)),
            OpCode::Text | OpCode::Binary => {
                heard.message(frame.payload.len());
                if queue.send(frame).await.is_err() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Sends until the application ends it (true where it closes) or nothing more comes.
async fn write(
    writer: &mut WebSocketWrite<WriteHalf<Stream>>,
    queued: &mut Receiver<Owned>,
    application: &Application,
) -> bool {
    loop {
        let frame = tokio::select! {
            frame = queued.recv() => match frame {
                Some(frame) => frame,
                None => return true,
            },
            command = application.command() => match frame_of(&command) {
                Some(frame) => frame,
                None => return false,
            },
        };
        let last = frame.opcode == OpCode::Close;
        if writer.write_frame(frame).await.is_err() {
            return false;
        }
        if last {
            return true;
        }
    }
}

/// Sends what is still owed; of a second Close nothing.
async fn drain(
    writer: &mut WebSocketWrite<WriteHalf<Stream>>,
    queued: &mut Receiver<Owned>,
) -> Result<(), WebSocketError> {
    while let Some(frame) = queued.recv().await {
        if !writer.is_closed() {
            writer.write_frame(frame).await?;
        }
    }
    Ok(())
}

pub(super) fn code(frame: &Frame<'_>) -> Option<u16> {
    frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}

/// A command in the library's words; `None` to return.
pub(super) fn frame_of(command: &Command) -> Option<Owned> {
    let owned = |bytes: &[u8]| Payload::Owned(bytes.to_vec());
    Some(match command {
        Command::SendText(content) => Frame::text(owned(content.text().as_bytes())),
        Command::SendBinary(content) => Frame::binary(owned(&content.bytes())),
        Command::Ping(content) => Frame::new(true, OpCode::Ping, None, owned(&content.bytes())),
        Command::Close(Some(code), reason) => Frame::close(*code, reason.text().as_bytes()),
        Command::Close(None, _) => Frame::close_raw(owned(&[])),
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
