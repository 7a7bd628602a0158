//! What libraries need around them: hyper's HTTP/1 server, a listener of one connection.

use hangup::{Application, Connection};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::Future;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Serves one connection as hyper's documentation shows. The request carries the
/// [`Application`] as an extension. Returns when HTTP is over; an upgraded connection
/// lives on in a task of its own.
pub(crate) async fn hyper<S, F, B, E>(connection: Connection, service: S)
where
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let application = connection.application();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(application.clone());
        service(request)
    });
    let http = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
    let _ = http.with_upgrades().await;
}

/// The application that [`hyper`] put into the request.
pub(crate) fn application<B>(request: &Request<B>) -> Application {
    request.extensions().get::<Application>().expect("the host put it there").clone()
}

/// Serves one connection whose WebSocket is all the library's but the opening: answers the
/// upgrade, and runs `serve` over what follows in a task of its own.
pub(crate) async fn upgrading<F>(connection: Connection, serve: fn(OnUpgrade, Application) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    hyper(connection, |request| answer(request, serve)).await;
}

#[expect(clippy::unused_async, reason = "what hyper serves is asynchronous")]
async fn answer<F>(
    mut request: Request<Incoming>,
    serve: fn(OnUpgrade, Application) -> F,
) -> Result<Response<Empty<Bytes>>, http::Error>
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
        return Response::builder().status(StatusCode::BAD_REQUEST).body(Empty::new());
    };
    let application = application(&request);
    tokio::spawn(serve(hyper::upgrade::on(&mut request), application));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "upgrade")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .body(Empty::new())
}
