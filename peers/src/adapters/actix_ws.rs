//! actix-ws: a session and a stream of messages, on actix-http's HTTP/1 server.
//!
//! Its documentation reads in a task of its own, answers pings, and closes the session
//! when the loop ends. actix is not `Send`: everything of it stays on the thread that
//! plays. Its HTTP timers read the real clock, which stands still here: what they bound
//! (a request's head, keep-alive) is not judged. The one for the head is off: when it
//! is over, it writes a 408 each time that it is asked, to a client that reads a few bytes
//! at a time without end.

#[path = "../../examples/actix_ws.rs"]
mod guide;

use crate::heard::Heard;
use crate::peer::{BOUND, Peer};
use actix_http::HttpService;
use actix_service::{Service as _, ServiceFactory as _, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt;
use actix_web::{App, HttpRequest, web};
use actix_ws::{AggregatedMessage, CloseReason, Closed, Message, MessageStream, Session};
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection, secs};
use send_wrapper::SendWrapper;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::LocalSet;
use tokio::time::timeout;

const VERSION: &str = "actix-ws 0.4.0";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "actix-ws/docs",
            VERSION,
            "echoes text; closes the session when the loop ends (its HTTP timers have their own clock)",
            |connection| serve_plainly(connection, docs),
        ),
        Peer::new(
            "actix-ws/bounded",
            VERSION,
            "one timeout around the close and the reads after it (its HTTP timers have their own clock)",
            |connection| serve_plainly(connection, bounded),
        ),
        Peer::new(
            "actix-ws/split",
            VERSION,
            "a session for reading and one for the application, each in its task (its HTTP timers have their own clock)",
            |connection| serve_plainly(connection, split),
        )
        .obeying(AppSteps::ALL),
        Peer::of("actix-ws/closing-well", VERSION, "the guide's server: a write that makes no progress fails (its HTTP timers have their own clock)", guide::suite()),
    ]
}

fn serve_plainly<F>(
    connection: Connection,
    socket: fn(Session, MessageStream, Application) -> F,
) -> impl Future<Output = ()> + Send
where
    F: Future<Output = ()> + 'static,
{
    let application = connection.application();
    serve(connection, application, socket)
}

/// Serves one connection with the times of `HttpServer`, but for the one of the request.
fn serve<S, F>(
    io: S,
    application: Application,
    socket: fn(Session, MessageStream, Application) -> F,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = ()> + 'static,
{
    SendWrapper::new(async move {
        let local = LocalSet::new();
        local
            .run_until(async move {
                let handler = move |request: HttpRequest, body: web::Payload| {
                    let application = application.clone();
                    async move {
                        let (response, session, stream) = actix_ws::handle(&request, body)?;
                        rt::spawn(socket(session, stream, application));
                        actix_web::Result::<_>::Ok(response)
                    }
                };
                let app = App::new().route("/", web::get().to(handler));
                let http = HttpService::build()
                    .client_request_timeout(Duration::ZERO)
                    .client_disconnect_timeout(secs(1))
                    .h1(map_config(app, |()| AppConfig::default()));
                if let Ok(service) = http.new_service(()).await {
                    let _ = service.call((io, None)).await;
                }
            })
            .await;
        local.await;
    })
}

async fn docs(mut session: Session, mut stream: MessageStream, application: Application) {
    let mut heard = Heard::by(&application);
    let mut reason = None;
    loop {
        tokio::select! {
            message = stream.recv() => match message {
                Some(Ok(Message::Ping(bytes))) => {
                    if session.pong(&bytes).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Text(text))) => {
                    heard.message(text.len());
                    if session.text(text).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(reason))) => {
                    heard.end(reason.map(|reason| reason.code.into()));
                    break;
                }
                Some(Ok(Message::Binary(data))) => {
                    heard.message(data.len());
                    break;
                }
                _ => break,
            },
            command = application.command() => match command {
                Command::Close(code, text) => {
                    reason = closing(code, &text.text());
                    break;
                }
                Command::Return => return,
                command => if push(&mut session, &command).await.is_err() { return },
            },
        }
    }
    let _ = session.close(reason).await;
}

async fn bounded(mut session: Session, stream: MessageStream, application: Application) {
    let mut heard = Heard::by(&application);
    let mut stream = stream.aggregate_continuations();
    let reason = loop {
        tokio::select! {
            message = stream.recv() => match message {
                Some(Ok(AggregatedMessage::Ping(bytes))) => {
                    if session.pong(&bytes).await.is_err() {
                        return;
                    }
                }
                Some(Ok(AggregatedMessage::Text(text))) => {
                    heard.message(text.len());
                    if session.text(text).await.is_err() {
                        return;
                    }
                }
                Some(Ok(AggregatedMessage::Binary(data))) => {
                    heard.message(data.len());
                    if session.binary(data).await.is_err() {
                        return;
                    }
                }
                Some(Ok(AggregatedMessage::Close(reason))) => {
                    heard.end(reason.as_ref().map(|reason| reason.code.into()));
                    break reason;
                }
                Some(Ok(AggregatedMessage::Pong(_))) => {}
                Some(Err(_)) | None => break None,
            },
            command = application.command() => match command {
                Command::Close(code, text) => break closing(code, &text.text()),
                Command::Return => return,
                command => if push(&mut session, &command).await.is_err() { return },
            },
        }
    };
    let _ = timeout(BOUND, async {
        session.close(reason).await?;
        while let Some(Ok(_)) = stream.recv().await {}
        Ok::<(), Closed>(())
    })
    .await;
}

async fn split(mut session: Session, stream: MessageStream, application: Application) {
    let mut other = session.clone();
    let mut heard = Heard::by(&application);
    let mut reading = rt::spawn(async move {
        let mut stream = stream.aggregate_continuations();
        while let Some(Ok(message)) = stream.recv().await {
            let sent = match message {
                AggregatedMessage::Ping(bytes) => session.pong(&bytes).await,
                AggregatedMessage::Text(text) => {
                    heard.message(text.len());
                    session.text(text).await
                }
                AggregatedMessage::Binary(data) => {
                    heard.message(data.len());
                    session.binary(data).await
                }
                AggregatedMessage::Close(reason) => {
                    heard.end(reason.as_ref().map(|reason| reason.code.into()));
                    let _ = session.close(reason).await;
                    return;
                }
                AggregatedMessage::Pong(_) => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
        let _ = session.close(None).await;
    });
    let mut commanded = rt::spawn(async move {
        loop {
            match application.command().await {
                Command::Close(code, text) => {
                    let _ = other.close(closing(code, &text.text())).await;
                    return;
                }
                Command::Return => return,
                Command::Keep => application.keep(other.clone()),
                command => {
                    if push(&mut other, &command).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    tokio::select! {
        _ = &mut reading => commanded.abort(),
        _ = &mut commanded => reading.abort(),
    }
}

async fn push(session: &mut Session, command: &Command) -> Result<(), Closed> {
    match command {
        Command::SendText(content) => session.text(content.text().into_owned()).await,
        Command::SendBinary(content) => session.binary(content.bytes().into_owned()).await,
        Command::Ping(content) => session.ping(&content.bytes()).await,
        // Those to a whole server are not a connection's.
        Command::Close(..)
        | Command::Return
        | Command::Keep
        | Command::Shutdown
        | Command::Broadcast(_) => Ok(()),
    }
}

fn closing(code: Option<u16>, text: &str) -> Option<CloseReason> {
    code.map(|code| CloseReason { code: code.into(), description: Some(text.to_owned()) })
}
