//! Whole servers: the graceful shutdown of each framework as its documentation shows it, and the
//! guide's.
//!
//! Both have the guide's sessions, which close well once they are told to. What is documented tells
//! none of them: it is about requests. axum, poem and salvo run their own servers on hangup's listener.
//! warp's takes TCP alone: what it does with each connection is done here, with its own words.

#[path = "../../examples/axum_shutdown.rs"]
mod axum_guide;
#[path = "../../examples/hyper_shutdown.rs"]
mod hyper_guide;
#[path = "../../examples/poem_shutdown.rs"]
mod poem_guide;
#[path = "../../examples/salvo_shutdown.rs"]
mod salvo_guide;
#[path = "../../examples/warp_shutdown.rs"]
mod warp_guide;

use crate::peer::Peer;
use hangup::{Listener, Stop};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::ready;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const AXUM: &str = "axum 0.8.9";
const HYPER: &str = "hyper-tungstenite 0.30.0";
const WARP: &str = "warp 0.4.3";
const POEM: &str = "poem 3.1.12";
const SALVO: &str = "salvo 1.1.0";

/// As long as the examples of hyper-util and of poem wait.
const HYPER_WAITS: Duration = Duration::from_secs(10);
const POEM_WAITS: Duration = Duration::from_secs(5);

const WELL: &str =
    "the guide's whole server: the sessions are told, and waited for with one deadline";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::whole(
            "axum-server/docs",
            AXUM,
            "axum::serve with_graceful_shutdown, which tells no session",
            axum_docs,
        ),
        Peer::of("axum-server/closing-well", AXUM, WELL, axum_guide::suite()),
        Peer::whole(
            "hyper-server/docs",
            HYPER,
            "hyper-util's GracefulShutdown, which tells no session",
            hyper_docs,
        ),
        Peer::of("hyper-server/closing-well", HYPER, WELL, hyper_guide::suite()),
        Peer::whole(
            "warp-server/docs",
            WARP,
            "what Server::graceful does, which tells no session",
            warp_docs,
        ),
        Peer::of("warp-server/closing-well", WARP, WELL, warp_guide::suite()),
        Peer::whole(
            "poem-server/docs",
            POEM,
            "run_with_graceful_shutdown with its time-out, which tells no session",
            poem_docs,
        ),
        Peer::of("poem-server/closing-well", POEM, WELL, poem_guide::suite()),
        Peer::whole(
            "salvo-server/docs",
            SALVO,
            "ServerHandle::stop_graceful without a time-out, which tells no session",
            salvo_docs,
        ),
        Peer::of("salvo-server/closing-well", SALVO, WELL, salvo_guide::suite()),
    ]
}

async fn axum_docs(listener: Listener, stop: Stop) {
    use axum_guide::{Accept, Hub, app};
    let hub = Hub::new();
    let application = listener.application();
    let listener = Accept { listener, over: CancellationToken::new() };
    let server = axum::serve(listener, app(hub.clone())).with_graceful_shutdown(stop);
    tokio::select! {
        _ = server => {}
        () = hub.broadcast(application) => {}
    }
}

/// As hyper-util's `server_graceful.rs`.
async fn hyper_docs(listener: Listener, mut stop: Stop) {
    use hyper_guide::{Hub, answer};
    let hub = Hub::new();
    let graceful = GracefulShutdown::new();
    let application = listener.application();
    let accepting = async {
        loop {
            let io = TokioIo::new(listener.accept().await);
            let hub = hub.clone();
            let service = service_fn(move |request| ready(answer(request, &hub)));
            let server = auto::Builder::new(TokioExecutor::new());
            let http = server.serve_connection_with_upgrades(io, service);
            let http = graceful.watch(http.into_owned());
            tokio::spawn(async move {
                let _ = http.await;
            });
        }
    };
    tokio::select! {
        () = &mut stop => {}
        () = accepting => {}
        () = hub.broadcast(application) => {}
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = sleep(HYPER_WAITS) => {}
    }
}

/// As warp's `Server::graceful`, whose acceptor's trait is private.
async fn warp_docs(listener: Listener, mut stop: Stop) {
    use warp_guide::{Hub, app};
    let hub = Hub::new();
    let graceful = GracefulShutdown::new();
    let application = listener.application();
    let app = app(hub.clone());
    let accepting = async {
        loop {
            let io = TokioIo::new(listener.accept().await);
            let service = TowerToHyperService::new(warp::service(app.clone()));
            let watcher = graceful.watcher();
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let http = server.serve_connection_with_upgrades(io, service);
                let _ = watcher.watch(http).await;
            });
        }
    };
    tokio::select! {
        () = &mut stop => {}
        () = accepting => {}
        () = hub.broadcast(application) => {}
    }
    drop(listener);
    graceful.shutdown().await;
}

/// As poem's example `graceful-shutdown`.
async fn poem_docs(listener: Listener, stop: Stop) {
    use poem_guide::{Accept, Hub, app};
    let hub = Hub::new();
    let application = listener.application();
    let server = poem::Server::new_with_acceptor(Accept(listener));
    let server = server.run_with_graceful_shutdown(app(hub.clone()), stop, Some(POEM_WAITS));
    tokio::select! {
        _ = server => {}
        () = hub.broadcast(application) => {}
    }
}

/// As `ServerHandle::stop_graceful` is documented.
async fn salvo_docs(listener: Listener, stop: Stop) {
    use salvo_guide::{Accept, Hub, app};
    let hub = Hub::new();
    let application = listener.application();
    let server = salvo::Server::new(Accept(listener));
    let handle = server.handle();
    // Graceful shutdown the server
    tokio::spawn(async move {
        stop.await;
        handle.stop_graceful(None);
    });
    tokio::select! {
        () = server.serve(app(hub.clone())) => {}
        () = hub.broadcast(application) => {}
    }
}
