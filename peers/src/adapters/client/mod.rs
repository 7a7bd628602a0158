//! The client side: one file a library, in the styles of `whole` and `halves`, and nothing that
//! judges.
//!
//! A client is given its connection, connects over it, and has an application that obeys: to send,
//! to ping, to close, to leave. It reports what it is told. What a library is asked to send is
//! said in the words of its server's adapter, one folder up.
//!
//! | style | the client |
//! |---|---|
//! | `docs` | a loop that reads, as the library's documentation shows it; after a Close it reads on |
//! | `drops` | leaves the loop at a Close; `close` and drop |
//! | `split` | a reading and a writing task; the first to end stops the other |
//! | `reader-task` | sends its Close, and waits for the task that reads |
//! | `closing-well` | the guide's client: ends within its bound against every server |

mod application;
mod async_tungstenite;
mod ezsockets;
mod fastwebsockets;
mod halves;
mod jsonrpsee;
mod ratchet;
mod sockudo;
mod soketto;
mod tokio_tungstenite;
mod tokio_websockets;
mod web_socket;
mod whole;
mod yawc;

use crate::peer::Peer;

/// What is asked for; nobody looks at it.
const URL: &str = "ws://localhost/";

/// Every client of every library.
pub(crate) fn all() -> impl Iterator<Item = Peer> {
    [
        tokio_tungstenite::targets,
        async_tungstenite::targets,
        tokio_websockets::targets,
        fastwebsockets::targets,
        soketto::targets,
        ratchet::targets,
        web_socket::targets,
        yawc::targets,
        sockudo::targets,
        jsonrpsee::targets,
        ezsockets::targets,
    ]
    .into_iter()
    .flat_map(|targets| targets())
}

/// What the styles do, for `hangup-peers targets`.
mod about {
    pub(super) const DOCS: &str = "a loop that reads; after a Close it reads on";
    pub(super) const JOINED: &str =
        "reads and writes in one task; its own Close sent, it waits until reading ends";
    pub(super) const DROPS: &str =
        "a loop that reads; at a Close, its own too, it drops the socket";
    pub(super) const SPLIT: &str =
        "a task that reads and one that writes; the first to end stops the other";
    pub(super) const READER_TASK: &str = "sends its Close, and waits for the task that reads";
    pub(super) const CLOSING_WELL: &str =
        "the guide's client: every wait for the server is bounded";
}
