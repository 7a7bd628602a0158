//! What libraries need around them: hyper's HTTP/1 server, a listener of one connection.

use crate::peer::{CLOSE, SEND};
use hangup::{Application, Connection};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_io_timeout::TimeoutStream;
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
    serve(&http1::Builder::new(), connection, application, service).await;
}

// docs/closing-well.md: begin host
/// Serves one connection so that neither its opening nor a write can hold it.
pub(crate) async fn hyper_bounded<S, F, B, E>(connection: Connection, service: S)
where
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let application = connection.application();
    // A write that makes no progress for so long fails, whoever made it: hyper, which
    // refuses a request, or the library, which answers a ping while it reads.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    // Without the timer, hyper panics where a time is given, and passes its default of
    // 30 s over where none is.
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(CLOSE);
    serve(&builder, Box::pin(io), application, service).await;
}
// docs/closing-well.md: end

async fn serve<I, S, F, B, E>(builder: &http1::Builder, io: I, application: Application, service: S)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(application.clone());
        service(request)
    });
    let _ = builder.serve_connection(TokioIo::new(io), service).with_upgrades().await;
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

/// The same on [`hyper_bounded`].
pub(crate) async fn upgrading_bounded<F>(
    connection: Connection,
    serve: fn(OnUpgrade, Application) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    hyper_bounded(connection, |request| answer(request, serve)).await;
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

/// The one connection of a listener: it is accepted once, and its end can be waited for.
pub(crate) fn only(connection: Connection) -> (Only, oneshot::Receiver<()>) {
    let (alive, gone) = oneshot::channel();
    (Only { connection, _alive: alive }, gone)
}

/// A connection whose drop is noticed.
pub(crate) struct Only {
    connection: Connection,
    _alive: oneshot::Sender<()>,
}

impl AsyncRead for Only {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_read(cx, buf)
    }
}

impl AsyncWrite for Only {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
