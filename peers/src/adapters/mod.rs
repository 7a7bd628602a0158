//! One file a library: its host, an application in several styles, and nothing that judges.

mod actix_ws;
mod async_tungstenite;
mod axum;
mod ezsockets;
mod fastwebsockets;
mod hyper_tungstenite;
mod jsonrpsee;
mod poem;
mod ratchet;
mod salvo;
mod sockudo;
mod soketto;
mod tokio_tungstenite;
mod tokio_websockets;
mod warp;
mod web_socket;
mod yawc;

use crate::peer::Peer;

/// Every target of every library.
pub(crate) fn all() -> impl Iterator<Item = Peer> {
    [
        tokio_tungstenite::targets,
        async_tungstenite::targets,
        hyper_tungstenite::targets,
        axum::targets,
        warp::targets,
        poem::targets,
        salvo::targets,
        tokio_websockets::targets,
        fastwebsockets::targets,
        soketto::targets,
        ratchet::targets,
        web_socket::targets,
        yawc::targets,
        sockudo::targets,
        jsonrpsee::targets,
        ezsockets::targets,
        actix_ws::targets,
    ]
    .into_iter()
    .flat_map(|targets| targets())
}
