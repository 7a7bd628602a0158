//! The actor's socket over real TCP, in plain or through TLS: connects, or is accepted, reads, writes,
//! and closes.
//!
//! It knows neither frames nor scripts.

pub mod endpoint;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
pub mod tls;

use endpoint::Endpoint;
use socket2::SockRef;
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tls::{HandshakeError, OwnTls, SecureSocket};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

/// How long TCP may take to connect; the TLS handshake may take as long again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why connecting failed.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// No TCP connection to that address.
    Tcp(SocketAddr, io::Error),
    /// TCP connects, and the TLS handshake fails.
    Tls(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address, error) => write!(f, "nothing answers at {address}: {error}"),
            Self::Tls(error) => write!(f, "TLS fails: {error}"),
        }
    }
}

/// Why a connection that came cannot be used.
#[derive(Debug)]
pub(crate) enum AcceptError {
    /// The system refuses something.
    Tcp(io::Error),
    /// The TLS handshake fails.
    Tls(HandshakeError),
}

impl From<io::Error> for AcceptError {
    fn from(error: io::Error) -> Self {
        Self::Tcp(error)
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(error) => write!(f, "cannot listen: {error}"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

/// A connected socket.
pub(crate) struct ConnectedSocket {
    pub socket: ActorSocket,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    /// How long TCP took to connect: one way and back.
    pub round_trip: Duration,
}

impl ConnectedSocket {
    /// One that this machine's own process connected, and that was accepted; through `tls` where hangup
    /// speaks it.
    pub async fn accepted(
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<&OwnTls>,
    ) -> Result<Self, AcceptError> {
        // Each write is a segment of its own.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let socket = match tls {
            None => ActorSocket::Plain(stream),
            Some(tls) => ActorSocket::Tls(tls.accept(stream).await.map_err(AcceptError::Tls)?),
        };
        Ok(Self { socket, local, peer, round_trip: Duration::ZERO })
    }
}

/// Connects to the first address that answers; `window` is the receive buffer's size.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    window: Option<u32>,
) -> Result<ConnectedSocket, ConnectError> {
    let mut failed = None;
    for address in &endpoint.addresses {
        let began = Instant::now();
        let connected = timeout(CONNECT_TIMEOUT, connect_tcp(*address, window)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((stream, local)) => {
                let round_trip = began.elapsed();
                let socket = with_tls(stream, endpoint).await.map_err(ConnectError::Tls)?;
                return Ok(ConnectedSocket { socket, local, peer: *address, round_trip });
            }
            Err(error) => failed = failed.or(Some(ConnectError::Tcp(*address, error))),
        }
    }
    Err(failed.expect("an endpoint has an address"))
}

async fn connect_tcp(
    address: SocketAddr,
    window: Option<u32>,
) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(window) = window {
        // Before connecting: what the window can grow to is agreed on then.
        socket.set_recv_buffer_size(window)?;
    }
    let stream = socket.connect(address).await?;
    // Each write is a segment of its own.
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    Ok((stream, local))
}

async fn with_tls(stream: TcpStream, endpoint: &Endpoint) -> io::Result<ActorSocket> {
    let Some(tls) = &endpoint.tls else { return Ok(ActorSocket::Plain(stream)) };
    let secured = timeout(CONNECT_TIMEOUT, tls.connect(stream)).await;
    secured.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(ActorSocket::Tls)
}

/// A socket, for as long as the client keeps it. Dropped, it is reset, so that
/// neither end is left with anything to wait for.
pub(crate) enum ActorSocket {
    Plain(TcpStream),
    Tls(SecureSocket),
    /// Closed.
    Closed,
}

impl ActorSocket {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.tcp()),
            Self::Closed => None,
        }
    }

    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => stream.poll_read(cx, buffer),
            Self::Closed => Poll::Pending,
        }
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => stream.poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Reads what is there this instant, whatever the runtime knows of it: `None` for
    /// nothing, an empty read for the end. Only in plain.
    pub fn read_now(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let Self::Plain(stream) = self else { return None };
        let read = io::Read::read(&mut &*SockRef::from(stream), buffer);
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            read => Some(read),
        }
    }

    /// Whether bytes lie here unread.
    fn has_unread(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::uninit()];
        self.tcp().is_some_and(|stream| {
            SockRef::from(stream).peek(&mut byte).is_ok_and(|count| count > 0)
        })
    }

    /// Sends FIN, after TLS's own goodbye where there is TLS.
    pub fn send_fin(&mut self) {
        if let Self::Tls(stream) = self {
            stream.say_goodbye();
        }
        if let Some(stream) = self.tcp() {
            let _ = SockRef::from(stream).shutdown(Shutdown::Write);
        }
    }

    /// Sends RST and closes the socket.
    pub fn reset(&mut self) {
        if let Some(stream) = self.tcp() {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        *self = Self::Closed;
    }

    /// Closes it as `close(2)` does; true if that sent RST, because bytes were unread.
    pub fn close(&mut self) -> bool {
        let reset = self.has_unread();
        *self = Self::Closed;
        reset
    }

    pub fn set_window(&self, bytes: u32) {
        if let Some(stream) = self.tcp() {
            let _ = SockRef::from(stream).set_recv_buffer_size(bytes as usize);
        }
    }
}
