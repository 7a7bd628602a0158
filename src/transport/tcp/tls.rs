//! TLS for `wss://`: whom to trust (the system's roots, further ones, anybody), hangup's own TLS as a
//! server, and a socket through either.
//!
//! It is there with the feature `tls`; without it `no_tls.rs` stands in its place, and has the same
//! names.

mod own_certificate;

use super::CONNECT_TIMEOUT;
use crate::excerpt::excerpt;
use own_certificate::OwnCertificate;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    ServerConfig, SignatureScheme, WantsVerifier,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Whose certificates are trusted.
#[derive(Clone)]
pub struct Trust(TlsConnector);

/// How to speak TLS with one server.
#[derive(Clone)]
pub(crate) struct Tls {
    trust: Trust,
    /// The name that its certificate must have.
    name: ServerName<'static>,
}

impl Tls {
    /// To a server of this name.
    ///
    /// # Errors
    ///
    /// That it is no name.
    pub fn new(trust: Trust, name: &str) -> Result<Self, String> {
        let server = ServerName::try_from(name.to_owned());
        let name =
            server.map_err(|error| format!("{} is no name for TLS: {error}", excerpt(name)))?;
        Ok(Self { trust, name })
    }

    /// The TLS handshake.
    pub async fn connect(&self, stream: TcpStream) -> io::Result<SecureSocket> {
        let secured = self.trust.0.connect(self.name.clone(), stream).await?;
        Ok(SecureSocket(Box::new(secured.into())))
    }
}

/// TLS of hangup as the server, with a certificate for this machine that is made for one run.
#[derive(Clone)]
pub struct OwnTls {
    acceptor: TlsAcceptor,
    authority: Arc<str>,
}

impl fmt::Debug for OwnTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnTls")
    }
}

impl OwnTls {
    /// With a certificate that is valid `now`, and for a year.
    ///
    /// # Errors
    ///
    /// One line: the system gives no random bytes, say.
    pub fn new(now: SystemTime) -> Result<Self, String> {
        let failed = |why: &dyn fmt::Display| format!("no certificate for TLS is made: {why}");
        let own = OwnCertificate::make(now).map_err(|error| failed(&error))?;
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let config = config.with_no_client_auth();
                config.with_single_cert(vec![own.certificate], own.key)
            });
        let mut config = config.map_err(|error| failed(&error))?;
        // A client that closes its socket with a ticket unread in it sends RST in the place of FIN.
        config.send_tls13_tickets = 0;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, authority: own.authority.into() })
    }

    /// The certificate that a client has to trust, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The TLS handshake with a client that has connected.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<SecureSocket, HandshakeError> {
        let secured = timeout(CONNECT_TIMEOUT, self.acceptor.accept(stream)).await;
        let secured = secured.map_err(|_| HandshakeError::TimedOut)??;
        Ok(SecureSocket(Box::new(secured.into())))
    }
}

/// Why a client's TLS handshake failed.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// The client refuses the certificate, with this alert.
    Distrusted(AlertDescription),
    /// What the client sends is no TLS.
    NoTls,
    /// The client ends TCP before the handshake is done.
    Ended,
    /// It took longer than it may.
    TimedOut,
    /// Another reason.
    Failed(io::Error),
}

impl HandshakeError {
    /// Whether a client that does not trust the certificate shows itself like this.
    pub fn may_be_distrust(&self) -> bool {
        matches!(self, Self::Distrusted(_) | Self::Ended)
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        let of_tls = error.get_ref().and_then(|error| error.downcast_ref());
        match (of_tls, error.kind()) {
            // A signature that does not fit is that of another authority of the same name.
            (
                Some(Error::AlertReceived(
                    alert @ (AlertDescription::DecryptError
                    | AlertDescription::BadCertificate
                    | AlertDescription::UnsupportedCertificate
                    | AlertDescription::CertificateRevoked
                    | AlertDescription::CertificateExpired
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::UnknownCA),
                )),
                _,
            ) => Self::Distrusted(*alert),
            (Some(Error::InvalidMessage(_)), _) => Self::NoTls,
            (
                None,
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe,
            ) => Self::Ended,
            _ => Self::Failed(error),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distrusted(alert) => {
                write!(f, "the client does not trust hangup's certificate (TLS alert {alert:?})")
            }
            Self::NoTls => {
                f.write_str("the client does not speak TLS; the URL that it gets is wss://")
            }
            Self::Ended => f.write_str(
                "the client ends the connection in the TLS handshake; it may not trust hangup's certificate",
            ),
            Self::TimedOut => write!(
                f,
                "the client does not finish the TLS handshake within {} s",
                CONNECT_TIMEOUT.as_secs()
            ),
            Self::Failed(error) => write!(f, "the TLS handshake with the client fails: {error}"),
        }
    }
}

/// A socket through TLS, of either side.
pub(crate) struct SecureSocket(Box<TlsStream<TcpStream>>);

impl SecureSocket {
    pub fn tcp(&self) -> &TcpStream {
        self.0.get_ref().0
    }

    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // What was written may still be on its way out.
        let _ = Pin::new(&mut self.0).poll_flush(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.0).poll_read(cx, buffer);
        let notified = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before;
        let cut = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        if notified || matches!(&read, Poll::Ready(Err(error)) if cut(error)) {
            // TLS says goodbye; the end is TCP's.
            return Pin::new(self.0.get_mut().0).poll_read(cx, buffer);
        }
        read
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.0).poll_write(cx, bytes);
        if written.is_ready() {
            let _ = Pin::new(&mut self.0).poll_flush(cx)?;
        }
        written
    }

    /// TLS's own end, before TCP's.
    pub fn say_goodbye(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.0).poll_shutdown(&mut cx);
    }
}

/// Trusts the system's roots, and those of `ca`, a PEM file's bytes.
///
/// # Errors
///
/// One line, where `ca` has no certificate, or nothing is trusted at all.
pub fn verifying(ca: Option<&[u8]>) -> Result<Trust, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    for certificate in ca.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let certificate = certificate.map_err(|error| format!("no PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("no certificate: {error}"))?;
    }
    if ca.is_some_and(|ca| CertificateDer::pem_slice_iter(ca).next().is_none()) {
        return Err("no certificate in it".to_owned());
    }
    if roots.is_empty() {
        return Err("this system trusts no certificates: say --ca FILE or --insecure".into());
    }
    let config = builder()?.with_root_certificates(roots).with_no_client_auth();
    Ok(Trust(TlsConnector::from(Arc::new(config))))
}

/// Trusts every certificate.
///
/// # Errors
///
/// Never in practice: the versions of TLS are those of the provider.
pub fn trusting() -> Result<Trust, String> {
    let verifier = Arc::new(AnyCertificate);
    let config = builder()?.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Trust(TlsConnector::from(Arc::new(config.with_no_client_auth()))))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, String> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

/// A verifier that accepts every certificate.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AcceptError, ActorSocket, ConnectedSocket};
    use super::*;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn own() -> OwnTls {
        #[expect(clippy::disallowed_methods, reason = "a certificate is valid at a date")]
        OwnTls::new(SystemTime::now()).expect("a certificate")
    }

    /// A client's TCP connection, and what becomes of its other end, which speaks `own`.
    async fn accepted(
        own: &OwnTls,
        client: impl AsyncFnOnce(TcpStream),
    ) -> Result<ConnectedSocket, AcceptError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let accepting = async {
            let (stream, peer) = listener.accept().await.expect("a client");
            ConnectedSocket::accepted(stream, peer, Some(own)).await
        };
        let connecting = async {
            client(TcpStream::connect(address).await.expect("it listens")).await;
        };
        tokio::join!(accepting, connecting).0
    }

    fn trust(own: &OwnTls) -> Trust {
        verifying(Some(own.authority().as_bytes())).expect("it is a certificate")
    }

    /// The next bytes that come through a socket; empty at the end.
    async fn next(
        mut socket: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Vec<u8> {
        let mut bytes = [0; 64];
        let mut buffer = ReadBuf::new(&mut bytes);
        std::future::poll_fn(|cx| socket(cx, &mut buffer)).await.expect("it reads");
        buffer.filled().to_vec()
    }

    #[tokio::test]
    async fn who_trusts_the_certificate_gets_bytes_and_a_goodbye_by_each_name() {
        let own = own();
        assert!(own.authority().lines().all(|line| line.len() <= 64), "{}", own.authority());
        for name in ["localhost", "127.0.0.1", "::1"] {
            let tls = Tls::new(trust(&own), name).expect(name);
            let mut secure = None;
            let served = accepted(&own, async |stream| {
                secure = Some(tls.connect(stream).await.expect(name));
            });
            let served = served.await.expect(name).socket;
            let (ActorSocket::Tls(mut server), Some(mut client)) = (served, secure) else {
                panic!("{name}: no TLS");
            };
            let sent = std::future::poll_fn(|cx| server.poll_write(cx, b"hello")).await;
            assert_eq!(sent.expect(name), 5);
            assert_eq!(next(|cx, buffer| client.poll_read(cx, buffer)).await, b"hello", "{name}");
            let sent = std::future::poll_fn(|cx| client.poll_write(cx, b"hi")).await;
            assert_eq!(sent.expect(name), 2);
            assert_eq!(next(|cx, buffer| server.poll_read(cx, buffer)).await, b"hi", "{name}");
            server.say_goodbye();
            // To rustls an end of TCP without close_notify is an error.
            let end = client.0.read(&mut [0; 8]).await;
            assert_eq!(end.expect("close_notify came"), 0, "{name}");
        }
    }

    #[tokio::test]
    async fn another_name_or_another_authority_is_refused_as_such() {
        let own = own();
        for (trusted, name) in [(trust(&own), "example.com"), (trust(&self::own()), "localhost")] {
            let tls = Tls::new(trusted, name).expect(name);
            let refused = accepted(&own, async |stream| {
                assert!(tls.connect(stream).await.is_err(), "{name}");
            });
            let Err(AcceptError::Tls(error)) = refused.await else { panic!("{name}: no error") };
            let is_distrust = matches!(error, HandshakeError::Distrusted(_));
            assert!(is_distrust && error.may_be_distrust(), "{name}: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_handshake_that_fails_is_told_as_what_it_is() {
        let own = own();
        let plain = accepted(&own, async |mut stream: TcpStream| {
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it writes");
            let _ = stream.read(&mut [0; 64]).await;
        });
        let leaves = accepted(&own, async |stream| drop(stream));
        for (error, named) in [
            (plain.await.err(), "does not speak TLS"),
            (leaves.await.err(), "ends the connection in the TLS handshake"),
        ] {
            let error = error.expect(named).to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_never_ends_is_given_up() {
        let own = own();
        let silent = accepted(&own, async |mut stream: TcpStream| {
            let _ = stream.read(&mut [0; 64]).await;
        });
        let error = silent.await.err().expect("no handshake").to_string();
        assert!(error.ends_with("does not finish the TLS handshake within 5 s"), "{error}");
    }
}
