//! yawc: a `Stream` of frames and a `Sink`, behind a request that hyper upgrades.
//!
//! Its example reads frames until the stream ends and sends text and binary back;
//! pongs and the answer to a Close are the library's.

#[path = "../../examples/yawc.rs"]
mod guide;

use crate::heard::Heard;
use crate::host;
use crate::peer::{BOUND, Peer};
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::Application;
use hangup::script::Command;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use std::future::Future;
use tokio::sync::mpsc;
use tokio::time::timeout;
use yawc::close::CloseCode;
use yawc::frame::{Frame, OpCode};
use yawc::{HttpWebSocket, Options, UpgradeFut, WebSocket, WebSocketError};

const VERSION: &str = "yawc 0.5.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new("yawc/docs", VERSION, "echoes; reads on after a Close", |connection| {
            host::hyper(connection, |request| answer(request, Options::default(), docs))
        }),
        Peer::new(
            "yawc/bounded",
            VERSION,
            "echoes; one timeout around the close and the reads after it",
            |connection| {
                host::hyper(connection, |request| answer(request, Options::default(), bounded))
            },
        ),
        Peer::new(
            "yawc/split",
            VERSION,
            "echoes from a reading task to a writing task; the first to end stops the other",
            |connection| {
                host::hyper(connection, |request| answer(request, Options::default(), split))
            },
        ),
        Peer::of(
            "yawc/closing-well",
            VERSION,
            "the guide's server: every wait for the client is bounded",
            guide::suite(),
        ),
    ]
}

#[expect(clippy::unused_async, reason = "what hyper serves is asynchronous")]
async fn answer<F>(
    mut request: Request<Incoming>,
    options: Options,
    serve: fn(UpgradeFut, Application) -> F,
) -> Result<Response<Empty<Bytes>>, WebSocketError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let application = host::application(&request);
    let (response, upgrading) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(serve(upgrading, application));
    Ok(response)
}

async fn docs(upgrading: UpgradeFut, application: Application) {
    let Ok(mut socket) = upgrading.await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = close(&mut socket, closing).await;
    }
}

async fn bounded(upgrading: UpgradeFut, application: Application) {
    let Ok(mut socket) = upgrading.await else { return };
    if let Some(closing) = echo(&mut socket, &application).await {
        let _ = timeout(BOUND, close(&mut socket, closing)).await;
    }
}

enum Closing {
    Own(Frame),
    Clients,
}

/// Echoes until a Close is due or came; `None` where there is nobody to close with.
async fn echo(socket: &mut HttpWebSocket, application: &Application) -> Option<Closing> {
    let mut heard = Heard::by(application);
    loop {
        tokio::select! {
            frame = socket.next() => {
                let frame = frame?;
                match frame.opcode() {
                    OpCode::Close => {
                        heard.end(frame.close_code().map(u16::from));
                        return Some(Closing::Clients);
                    }
                    OpCode::Text | OpCode::Binary => {
                        heard.message(frame.payload().len());
                        socket.send(frame).await.ok()?;
                    }
                    _ => {}
                }
            }
            command = application.command() => {
                let frame = frame_of(&command)?;
                if frame.opcode() == OpCode::Close {
                    return Some(Closing::Own(frame));
                }
                socket.send(frame).await.ok()?;
            }
        }
    }
}

async fn close(socket: &mut HttpWebSocket, closing: Closing) -> yawc::Result<()> {
    if let Closing::Own(close) = closing {
        socket.send(close).await?;
    }
    while socket.next().await.is_some() {}
    Ok(())
}

async fn split(upgrading: UpgradeFut, application: Application) {
    let Ok(socket) = upgrading.await else { return };
    let (mut sink, mut stream) = socket.split();
    let (queue, mut queued) = mpsc::channel(32);
    let mut heard = Heard::by(&application);
    let mut reader = tokio::spawn(async move {
        while let Some(frame) = stream.next().await {
            match frame.opcode() {
                OpCode::Close => heard.end(frame.close_code().map(u16::from)),
                OpCode::Text | OpCode::Binary => {
                    heard.message(frame.payload().len());
                    if queue.send(frame).await.is_err() {
                        return;
                    }
                }
                _ => {}
            }
        }
    });
    let mut writer = tokio::spawn(async move {
        loop {
            let frame = tokio::select! {
                frame = queued.recv() => frame,
                command = application.command() => frame_of(&command),
            };
            let Some(frame) = frame else { return };
            let last = frame.opcode() == OpCode::Close;
            if sink.send(frame).await.is_err() || last {
                return;
            }
        }
    });
    tokio::select! {
        _ = &mut reader => writer.abort(),
        _ = &mut writer => reader.abort(),
    }
}

/// A command in the library's words; `None` to return. It has no Close without a code.
pub(super) fn frame_of(command: &Command) -> Option<Frame> {
    Some(match command {
        Command::SendText(content) => Frame::text(content.text().into_owned()),
        Command::SendBinary(content) => Frame::binary(content.bytes().into_owned()),
        Command::Ping(content) => Frame::ping(content.bytes().into_owned()),
        Command::Close(code, reason) => {
            let code = code.map_or(CloseCode::Normal, CloseCode::from);
            Frame::close(code, reason.text().as_bytes())
        }
        // Those to a whole server are not a connection's.
        Command::Return | Command::Keep | Command::Shutdown | Command::Broadcast(_) => return None,
    })
}
