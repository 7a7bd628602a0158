//! jsonrpsee: a JSON-RPC server; what it is sent that is no call, it answers with an error.
//!
//! Its application closes by `ServerHandle::stop`, and has no other say in closing:
//! which code is sent and how long is waited is the server's. Its documentation
//! promises to end a connection without a request in 30 s. Its pings (`enable_ws_ping`)
//! are left out: who missed them is found by the real clock.

#[path = "../../examples/jsonrpsee.rs"]
mod guide;

use crate::peer::Peer;
use hangup::{AppSteps, Connection, secs};
use std::time::Duration;

const VERSION: &str = "jsonrpsee-server 0.26.1";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "jsonrpsee/docs",
            VERSION,
            "answers calls; its application stops the server",
            docs,
        )
        .obeying(AppSteps::CLOSE)
        .handshake_within(secs(30)),
        Peer::of(
            "jsonrpsee/closing-well",
            VERSION,
            "the guide's server: a write that makes no progress fails",
            guide::suite(),
        ),
    ]
}

async fn docs(connection: Connection) {
    let application = connection.application();
    guide::serve(connection, application, Duration::MAX).await;
}
