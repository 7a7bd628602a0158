//! Clients with a reading and a writing half. A read is never dropped half way, as most libraries
//! ask for: it has a future or a task of its own.

use super::application::{Given, open};
use super::whole::Message;
use crate::heard::Heard;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use hangup::Application;
use hangup::exchange::Note;
use hangup::script::Command;
use std::future::{Future, pending};
use std::marker::PhantomData;
use std::pin::pin;

/// The half that reads.
pub(super) trait Reader: Send + 'static {
    /// What comes next; `None` at the end, and where reading fails. Not to be dropped half way.
    fn read(&mut self) -> impl Future<Output = Option<Given>> + Send;
}

/// The half that writes.
pub(super) trait Writer: Send + 'static {
    /// What the reading half leaves for this one to send: a pong, the answer to a Close.
    type Owed: Send;

    /// Whether the reading half leaves anything. Default: the library sends it by itself.
    const OWES: bool = false;

    /// The next that is owed; `None` once the reading half is gone. May be dropped half way.
    fn owed(&mut self) -> impl Future<Output = Option<Self::Owed>> + Send {
        pending()
    }

    /// Sends it; false where nothing can be sent behind it.
    fn pay(&mut self, owed: Self::Owed) -> impl Future<Output = bool> + Send;

    /// Sends what the application says; false where that failed.
    fn say(&mut self, command: &Command) -> impl Future<Output = bool> + Send;
}

/// Both halves in one task; its own Close sent, it waits until reading ends.
pub(super) async fn joined<W, R>(
    application: Application,
    connecting: impl Future<Output = Option<(W, R)>>,
) where
    W: Writer,
    R: Reader,
{
    let Some(((mut writer, reader), heard)) = open(&application, connecting).await else { return };
    let mut reading = pin!(read(reader, heard));
    let mut told = None;
    let closes = {
        let mut obeying = pin!(obey(&mut writer, &application));
        loop {
            tokio::select! {
                heard = &mut reading, if told.is_none() => {
                    if !W::OWES {
                        return;
                    }
                    told = Some(heard);
                }
                closes = &mut obeying => break closes,
            }
        }
    };
    if !closes {
        return;
    }
    let told = match told {
        Some(told) => told,
        // What the reading half asks for now is late.
        None => loop {
            tokio::select! {
                told = &mut reading => break told,
                _ = writer.owed() => {}
            }
        },
    };
    told.close_returned();
}

/// A task for each half; the first to end stops the other.
pub(super) async fn split<W, R>(
    application: Application,
    connecting: impl Future<Output = Option<(W, R)>>,
) where
    W: Writer,
    R: Reader,
{
    let Some(((mut writer, reader), heard)) = open(&application, connecting).await else { return };
    let mut reading = tokio::spawn(read(reader, heard));
    let mut writing = tokio::spawn(async move {
        if obey(&mut writer, &application).await {
            application.note(Note::CloseReturned { code: None });
        }
    });
    tokio::select! {
        _ = &mut reading => {
            if W::OWES {
                let _ = writing.await;
            } else {
                writing.abort();
            }
        }
        _ = &mut writing => reading.abort(),
    }
}

/// A task reads; its own Close sent, the client waits for that task to end.
pub(super) async fn reader_task<W, R>(
    application: Application,
    connecting: impl Future<Output = Option<(W, R)>>,
) where
    W: Writer,
    R: Reader,
{
    let Some(((mut writer, reader), heard)) = open(&application, connecting).await else { return };
    let mut reading = tokio::spawn(read(reader, heard));
    let closes = {
        let mut obeying = pin!(obey(&mut writer, &application));
        tokio::select! {
            _ = &mut reading => {
                if W::OWES {
                    obeying.await;
                }
                return;
            }
            closes = &mut obeying => closes,
        }
    };
    if !closes {
        return reading.abort();
    }
    if let Ok(told) = reading.await {
        told.close_returned();
    }
}

async fn read(mut reader: impl Reader, mut heard: Heard) -> Heard {
    while let Some(given) = reader.read().await {
        heard.given(given);
    }
    heard
}

/// Obeys until the application has closed, which is true, or leaves, or nothing can be sent.
async fn obey(writer: &mut impl Writer, application: &Application) -> bool {
    loop {
        let goes_on = tokio::select! {
            owed = writer.owed() => match owed {
                Some(owed) => writer.pay(owed).await,
                None => false,
            },
            command = application.command() => match command {
                Command::Close(..) => return writer.say(&command).await,
                Command::Return => false,
                command => writer.say(&command).await,
            },
        };
        if !goes_on {
            return false;
        }
    }
}

/// A reading half that is a stream of messages.
pub(super) struct Reading<R>(pub(super) R);

impl<R, M, E> Reader for Reading<R>
where
    R: Stream<Item = Result<M, E>> + Send + Unpin + 'static,
    M: Message,
{
    async fn read(&mut self) -> Option<Given> {
        self.0.next().await?.ok().map(|message| message.given())
    }
}

/// A writing half that is a sink of messages.
pub(super) struct Writing<W, M>(W, PhantomData<fn(M)>);

impl<W, M> Writing<W, M> {
    pub(super) const fn of(sink: W) -> Self {
        Self(sink, PhantomData)
    }
}

impl<W, M> Writer for Writing<W, M>
where
    W: Sink<M> + Send + Unpin + 'static,
    M: Message,
{
    type Owed = ();

    async fn pay(&mut self, (): ()) -> bool {
        true
    }

    async fn say(&mut self, command: &Command) -> bool {
        match M::of(command) {
            Some(message) => self.0.send(message).await.is_ok(),
            None => true,
        }
    }
}
