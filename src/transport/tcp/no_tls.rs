//! What stands for [`tls`](super::tls) in a build without the feature `tls`: nobody is trusted, and
//! hangup has no TLS of its own, so that no socket through TLS ever exists.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::task::{Context, Poll};
use std::time::SystemTime;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

const WITHOUT: &str =
    "this hangup was built without TLS; rebuild it: cargo install --path . --features tls";

/// Whose certificates are trusted: nobody's.
#[derive(Clone)]
pub struct Trust(Infallible);

/// Says that this build speaks no TLS.
///
/// # Errors
///
/// Always.
pub fn verifying(_: Option<&[u8]>) -> Result<Trust, String> {
    Err(WITHOUT.to_owned())
}

/// Says that this build speaks no TLS.
///
/// # Errors
///
/// Always.
pub fn trusting() -> Result<Trust, String> {
    Err(WITHOUT.to_owned())
}

#[derive(Clone)]
pub(crate) struct Tls(Infallible);

impl Tls {
    #[expect(clippy::needless_pass_by_value, reason = "with the feature it is kept")]
    pub fn new(trust: Trust, _: &str) -> Result<Self, String> {
        match trust.0 {}
    }

    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub async fn connect(&self, _: TcpStream) -> io::Result<SecureSocket> {
        match self.0 {}
    }
}

/// TLS of hangup as the server: none.
#[derive(Clone, Debug)]
pub struct OwnTls(Infallible);

impl OwnTls {
    /// Says that this build speaks no TLS.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn new(_: SystemTime) -> Result<Self, String> {
        Err(WITHOUT.to_owned())
    }

    /// Nothing: there is none.
    pub fn authority(&self) -> &str {
        match self.0 {}
    }

    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    pub(crate) async fn accept(&self, _: TcpStream) -> Result<SecureSocket, HandshakeError> {
        match self.0 {}
    }
}

/// Why a client's TLS handshake failed: there is none.
#[derive(Debug)]
pub(crate) enum HandshakeError {}

impl HandshakeError {
    pub fn may_be_distrust(&self) -> bool {
        match *self {}
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

pub(crate) enum SecureSocket {}

impl SecureSocket {
    pub fn tcp(&self) -> &TcpStream {
        match *self {}
    }

    pub fn poll_read(&mut self, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    pub fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    pub fn say_goodbye(&mut self) {
        match *self {}
    }
}
