//! ezsockets: a client with handlers, over tungstenite and four tasks a connection.
//!
//! Its example sends by its handle, which also closes. By default it connects again, without end:
//! here a connection that is over stays so. Its heartbeat reads the real clock, as a session's does.

#[path = "../../../examples/client/ezsockets.rs"]
mod guide;

use super::application::Given;
use super::{URL, about};
use crate::heard::Heard;
use crate::peer::Peer;
use async_trait::async_trait;
use enfync::TryAdopt as _;
use enfync::builtin::native::TokioHandle;
use ezsockets::client::{ClientCloseMode, ClientConnector};
use ezsockets::{
    Bytes, Client, ClientConfig, ClientExt, CloseCode, CloseFrame, Error, Utf8Bytes, WSError,
    connect_with,
};
use hangup::exchange::Note;
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection};
use std::sync::{Mutex, PoisonError};
use tokio_tungstenite_026::tungstenite;
use tokio_tungstenite_026::{WebSocketStream, client_async};

const VERSION: &str = "ezsockets 0.7.2";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client(
            "ezsockets-client/docs",
            VERSION,
            "a client that closes by its handle (its heartbeat has its own clock)",
            docs,
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE | AppSteps::RETURN | AppSteps::KEEP),
        Peer::of("ezsockets-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

/// Hands out its connection, once.
struct Connector {
    connection: Mutex<Option<Connection>>,
    handle: TokioHandle,
}

#[async_trait]
impl ClientConnector for Connector {
    type Handle = TokioHandle;
    type Message = tungstenite::Message;
    type WSError = tungstenite::Error;
    type Socket = WebSocketStream<Connection>;

    fn handle(&self) -> TokioHandle {
        self.handle.clone()
    }

    async fn connect(&self, config: &ClientConfig) -> Result<Self::Socket, Self::WSError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        let connection = connection.ok_or(tungstenite::Error::AlreadyClosed)?;
        Ok(client_async(config.connect_http_request(), connection).await?.0)
    }
}

struct Listener {
    application: Application,
    heard: Heard,
}

#[async_trait]
impl ClientExt for Listener {
    type Call = ();

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.heard.given(Given::Message(text.len()));
        Ok(())
    }

    async fn on_binary(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.heard.given(Given::Message(bytes.len()));
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    async fn on_connect(&mut self) -> Result<(), Error> {
        self.application.note(Note::Opened);
        Ok(())
    }

    async fn on_connect_fail(&mut self, _: WSError) -> Result<ClientCloseMode, Error> {
        self.application.note(Note::Refused);
        Ok(ClientCloseMode::Close)
    }

    async fn on_close(&mut self, frame: Option<CloseFrame>) -> Result<ClientCloseMode, Error> {
        self.heard.given(Given::Close(frame.map(|frame| frame.code.into())));
        Ok(ClientCloseMode::Close)
    }

    async fn on_disconnect(&mut self) -> Result<ClientCloseMode, Error> {
        Ok(ClientCloseMode::Close)
    }
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let handle = TokioHandle::try_adopt().expect("a runtime");
    let connector = Connector { connection: Mutex::new(Some(connection)), handle };
    let listener = Listener { application: application.clone(), heard: Heard::by(&application) };
    let (client, mut running) = connect_with(|_| listener, ClientConfig::new(URL), connector);
    tokio::select! {
        _ = running.extract() => {}
        closes = obey(client, &application) => {
            if closes {
                let _ = running.extract().await;
                application.note(Note::CloseReturned { code: None });
            }
        }
    }
}

/// Obeys the application until it has closed, which is true, or leaves: then the handle is dropped.
async fn obey(client: Client<Listener>, application: &Application) -> bool {
    loop {
        let _ = match application.command().await {
            Command::SendText(content) => client.text(content.text().into_owned()),
            Command::SendBinary(content) => client.binary(content.bytes().into_owned()),
            Command::Keep => {
                application.keep(client.clone());
                continue;
            }
            Command::Close(code, reason) => {
                let frame = code.map(|code| CloseFrame {
                    code: CloseCode::from(code),
                    reason: reason.text().into_owned().into(),
                });
                let _ = client.close(frame);
                return true;
            }
            Command::Return => return false,
            // Those to a whole server are not a connection's.
            Command::Ping(_) | Command::Shutdown | Command::Broadcast(_) => continue,
        };
    }
}
