//! TLS for `wss://`: whom to trust (the system's roots, further ones, anybody), and a socket
//! through it.
//!
//! It is there with the feature `tls`; without it `no_tls.rs` stands in its place, and has the same
//! names.

use crate::excerpt::excerpt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    WantsVerifier,
};

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
        Ok(SecureSocket(Box::new(secured)))
    }
}

/// A socket through TLS.
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
