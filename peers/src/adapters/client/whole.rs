//! Clients that hold the socket in one piece: a `Stream` and a `Sink` of messages. What the
//! library is doing in a read may be dropped, so that one loop reads and obeys.

use super::application::{Given, open};
use crate::heard::Heard;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use hangup::Application;
use hangup::script::Command;
use std::future::Future;

/// A library's message.
pub(super) trait Message: Sized + Send + 'static {
    /// A command in its words; `None` to return.
    fn of(command: &Command) -> Option<Self>;

    /// What it is to the application.
    fn given(&self) -> Given;
}

/// As documented: after a Close, its own or the server's, it reads on until the stream ends.
pub(super) async fn docs<S, M, E>(
    application: Application,
    connecting: impl Future<Output = Option<S>>,
) where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Message,
{
    let Some((mut socket, mut heard)) = open(&application, connecting).await else { return };
    match talk(&mut socket, &application, &mut heard).await {
        Closing::Own(close) => {
            if socket.send(close).await.is_ok() {
                read_on(&mut socket, &mut heard).await;
            }
            heard.close_returned();
        }
        Closing::Servers => read_on(&mut socket, &mut heard).await,
        Closing::Neither => {}
    }
}

/// The loop ends at the server's Close, and `close` is the last that is done.
pub(super) async fn drops<S, M, E>(
    application: Application,
    connecting: impl Future<Output = Option<S>>,
) where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Message,
{
    let Some((mut socket, mut heard)) = open(&application, connecting).await else { return };
    if let Closing::Own(close) = talk(&mut socket, &application, &mut heard).await {
        let _ = socket.send(close).await;
        heard.close_returned();
    }
}

/// Who began to close.
enum Closing<M> {
    Own(M),
    Servers,
    /// The connection is over, or the application leaves.
    Neither,
}

/// Reads and obeys until a Close is due or came.
async fn talk<S, M, E>(socket: &mut S, application: &Application, heard: &mut Heard) -> Closing<M>
where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
    M: Message,
{
    loop {
        let message = tokio::select! {
            message = socket.next() => match message.and_then(Result::ok) {
                Some(message) => {
                    let given = message.given();
                    heard.given(given);
                    if let Given::Close(_) = given {
                        return Closing::Servers;
                    }
                    continue;
                }
                None => return Closing::Neither,
            },
            command = application.command() => match M::of(&command) {
                Some(message) => message,
                None => return Closing::Neither,
            },
        };
        if let Given::Close(_) = message.given() {
            return Closing::Own(message);
        }
        if socket.send(message).await.is_err() {
            return Closing::Neither;
        }
    }
}

async fn read_on<S, M, E>(socket: &mut S, heard: &mut Heard)
where
    S: Stream<Item = Result<M, E>> + Unpin,
    M: Message,
{
    while let Some(Ok(message)) = socket.next().await {
        heard.given(message.given());
    }
}
