//! What libraries need around them: hyper's HTTP/1 server and client.

use hangup::{Application, Connection};
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::Future;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
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

/// The request that opens a WebSocket with this key, offering no protocol.
pub(crate) fn opening_request(key: &str) -> Request<Empty<Bytes>> {
    Request::get("/")
        .header(HOST, "localhost")
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_VERSION, "13")
        .body(Empty::new())
        .expect("a request")
}

/// Connects a client whose WebSocket is all the library's but the opening; `None` where nothing
/// opens.
pub(crate) async fn opened(connection: Connection) -> Option<Upgraded> {
    let (mut sender, http) = client::conn::http1::handshake(TokioIo::new(connection)).await.ok()?;
    tokio::spawn(http.with_upgrades());
    let key = generate_key();
    let response = sender.send_request(opening_request(&key)).await.ok()?;
    let says = |name, value: &str| {
        let header = response.headers().get(name);
        header.is_some_and(|header| header.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let accept = derive_accept_key(key.as_bytes());
    let own = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    let accepts = response.status() == StatusCode::SWITCHING_PROTOCOLS
        && says(UPGRADE, "websocket")
        && says(CONNECTION, "upgrade")
        && own.is_some_and(|own| own == accept.as_str())
        && !response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL);
    if !accepts {
        return None;
    }
    hyper::upgrade::on(response).await.ok()
}
