//! soketto: a sender and a receiver, by calls that must not be cancelled.
//!
//! Its examples receive, send back, and `close`, which sends a Close and ends the
//! sending side. Both halves share a lock, so that a server that also listens to its
//! application polls receiving and sending side by side.

use crate::heard::Heard;
use crate::host;
use crate::known;
use crate::peer::{BOUND, CLOSE, Peer, SEND};
use ::http::{Request, Response};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern};
use hangup::{AppSteps, Application, Connection};
use http_body_util::Empty;
use hyper::body::{self, Bytes};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use soketto::connection::{Error, Receiver, Sender};
use soketto::data::ByteSlice125;
use soketto::handshake::http::{self, Error as NotWebSocket};
use soketto::handshake::{Server, server};
use soketto::{Data, Incoming};
use std::future::pending;
use std::pin::pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

const VERSION: &str = "soketto 0.8.1";

const NO_CODE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
    reason: "the library fails a connection without a Close, and its own `close()` sends 1000 \
             and no other code",
    rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
    rate: None,
};

const DEAF_AFTER_CLOSE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::LetsThePoliteFinish),
    reason: "the library's `close()` ends its sending side at once: a ping that comes before \
             the client's Close cannot be answered, and ends receiving with an error",
    rfc: "5.5.2: Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, \
          unless it already received a Close frame.",
    rate: None,
};

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
        Peer::new(
            "soketto/closing-well",
            VERSION,
            "the guide's server behind hyper: every wait for the client is bounded",
            |connection| host::hyper_bounded(connection, answer),
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .accepting(known::UNMASKED)
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ReleasesInTime).with_cause(Cause::ClientViolation),
            ..known::UNMASKED
        })
        .accepting(Deviation { pattern: Pattern::of(Invariant::LegalClose), ..known::ECHOES_1015 })
        .accepting(known::SHORT_CLOSE)
        .accepting(known::MALFORMED_CLOSE)
        .accepting(Deviation { pattern: NO_CODE.pattern.with_cause(Cause::ClientFin), ..NO_CODE })
        .accepting(NO_CODE)
        .accepting(known::EARLY_UNMASKED)
        .accepting(known::CODE_1014)
        .accepting(DEAF_AFTER_CLOSE)
        .with_handshake(),
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

async fn push(sender: &mut Sender<Compat<Connection>>, command: &Command) -> Result<(), Error> {
    match command {
        Command::SendText(content) => sender.send_text(content.text()).await?,
        Command::SendBinary(content) => sender.send_binary(content.bytes()).await?,
        Command::Ping(content) => {
            // The library takes no more than fits into a ping.
            if let Ok(payload) = ByteSlice125::try_from(&*content.bytes()) {
                sender.send_ping(payload).await?;
            }
        }
        Command::Close(..) | Command::Return | Command::Keep => {}
    }
    sender.flush().await
}

/// As the library's example with hyper answers a request.
async fn answer(
    mut request: Request<body::Incoming>,
) -> Result<Response<Empty<Bytes>>, NotWebSocket> {
    let mut server = http::Server::new();
    let response = server.receive_request(&request)?;
    let application = host::application(&request);
    tokio::spawn(closing_well(server, hyper::upgrade::on(&mut request), application));
    Ok(response.map(|()| Empty::new()))
}

// docs/closing-well.md: begin
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
// docs/closing-well.md: end
