//! jsonrpsee: a JSON-RPC client; what it is sent that is no answer or notification ends it.
//!
//! Its application closes by dropping the client, and has no other say in closing. It is told that
//! the connection is over, and neither with which code nor what came that no call had asked for, so
//! that it reports nothing. Its calls wait by a clock of their own: none is made. Its pings are left
//! out, as the server's are. Its documentation promises to give an opening up after 10 s.

#[path = "../../../examples/client/jsonrpsee.rs"]
mod guide;

use super::{URL, about};
use crate::peer::Peer;
use hangup::exchange::Note;
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection, secs};
use jsonrpsee_ws_client::WsClientBuilder;
use std::sync::Arc;

const VERSION: &str = "jsonrpsee-ws-client 0.26.1";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::client(
            "jsonrpsee-client/docs",
            VERSION,
            "makes no call; its application drops the client",
            docs,
        )
        .obeying(AppSteps::CLOSE | AppSteps::RETURN | AppSteps::KEEP)
        .handshake_within(secs(10)),
        Peer::of("jsonrpsee-client/closing-well", VERSION, about::CLOSING_WELL, guide::suite()),
    ]
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let connecting = WsClientBuilder::default().build_with_stream(URL, connection).await;
    let Ok(client) = connecting else { return application.note(Note::Refused) };
    application.note(Note::Opened);
    let client = Arc::new(client);
    let closes = tokio::select! {
        _ = client.on_disconnect() => false,
        closes = obey(&client, &application) => closes,
    };
    drop(client);
    if closes {
        application.note(Note::CloseReturned { code: None });
    }
}

/// Until the application closes, which is true, or leaves: the client is dropped in both cases.
async fn obey<C: Send + Sync + 'static>(client: &Arc<C>, application: &Application) -> bool {
    loop {
        match application.command().await {
            Command::Keep => application.keep(Arc::clone(client)),
            Command::Close(..) => return true,
            Command::Return => return false,
            // It can send no frame of its choice.
            _ => {}
        }
    }
}
