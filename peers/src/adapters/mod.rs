//! One file a library: its host, an application in several styles, and nothing that judges. What
//! clients of them are is in `client`.

#[cfg(feature = "frameworks")]
mod actix_ws;
mod async_tungstenite;
#[cfg(feature = "frameworks")]
mod axum;
mod client;
mod ezsockets;
mod fastwebsockets;
#[cfg(feature = "frameworks")]
mod hyper_tungstenite;
mod jsonrpsee;
#[cfg(feature = "frameworks")]
mod poem;
mod ratchet;
#[cfg(feature = "frameworks")]
mod salvo;
mod sockudo;
mod soketto;
mod tokio_tungstenite;
mod tokio_websockets;
#[cfg(feature = "frameworks")]
mod warp;
mod web_socket;
#[cfg(feature = "frameworks")]
mod whole_servers;
mod yawc;

use crate::peer::Peer;

/// Every target of every library.
pub(crate) fn all() -> impl Iterator<Item = Peer> {
    [
        tokio_tungstenite::targets,
        async_tungstenite::targets,
        #[cfg(feature = "frameworks")]
        hyper_tungstenite::targets,
        #[cfg(feature = "frameworks")]
        axum::targets,
        #[cfg(feature = "frameworks")]
        warp::targets,
        #[cfg(feature = "frameworks")]
        poem::targets,
        #[cfg(feature = "frameworks")]
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
        #[cfg(feature = "frameworks")]
        actix_ws::targets,
        #[cfg(feature = "frameworks")]
        whole_servers::targets,
    ]
    .into_iter()
    .flat_map(|targets| targets())
    .chain(client::all())
}
