//! `wss://`: the same server behind TLS, in a build with the feature `tls`.
//!
//! `certificate/` is for these tests alone, made by
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out localhost.pem
//! -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE`.

mod listen;

use crate::server::{Desk, Server};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const CERTIFICATE: &str = include_str!("certificate/localhost.pem");
const KEY: &str = include_str!("certificate/key.pem");

/// Ends TLS in front of `server`, with [`CERTIFICATE`]; its port.
async fn in_front_of(server: &Server) -> u16 {
    let certificate =
        CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key that fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let behind = server.address.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut secure) = acceptor.accept(stream).await else { return };
                let Ok(mut plain) = TcpStream::connect(behind).await else { return };
                let _ = copy_bidirectional(&mut secure, &mut plain).await;
            });
        }
    });
    port
}

async fn hangup(desk: &Arc<Desk>, arguments: String) -> crate::server::Run {
    let desk = Arc::clone(desk);
    tokio::task::spawn_blocking(move || desk.hangup(&arguments)).await.expect("it joins")
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_hang_is_found_through_tls_whose_certificate_is_trusted_by_file_or_not_looked_at() {
    let server = Server::hangup("tungstenite/no-deadline");
    let port = in_front_of(&server).await;
    let desk = Arc::new(Desk::new());
    desk.write("ca.pem", CERTIFICATE);
    let probe = format!(
        "probe wss://localhost:{port}/ --bye wss://localhost:{port}/bye --seed 1 --watch 0s --scripts 16 \
         --close-within 1s --slack 800ms --format json"
    );
    for trust in ["--insecure", "--ca ca.pem"] {
        let run = hangup(&desk, format!("{probe} {trust}")).await;
        assert_eq!(run.code, Some(1), "{trust}: {run:?}");
        let hang = "ends-in-time: the server's own Close: silent";
        assert!(run.keys().contains(hang), "{trust}: {:?}", run.keys());
    }
    let stranger = hangup(&desk, probe.clone()).await;
    assert_eq!(stranger.code, Some(2), "{stranger:?}");
    assert!(stranger.out.contains("\"trouble\": \"wss://localhost:"), "{stranger:?}");
    assert!(stranger.err.contains("TLS fails: ") && stranger.err.contains("--insecure"));
    let plain = hangup(&desk, probe.replace("wss:", "ws:")).await;
    assert_eq!(plain.code, Some(2), "{plain:?}");
    desk.write("none.pem", "nothing\n");
    let none = hangup(&desk, format!("{probe} --ca none.pem")).await;
    assert!(none.err.contains("none.pem: no certificate in it"), "{none:?}");
}
