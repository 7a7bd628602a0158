//! `wss://`: the same server behind TLS.

use crate::server::{Desk, Server};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Ends TLS in front of `server`; its port, and its certificate as PEM.
async fn in_front_of(server: &Server) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
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
    (port, made.cert.pem())
}

async fn hangup(desk: &Arc<Desk>, arguments: String) -> crate::server::Run {
    let desk = Arc::clone(desk);
    tokio::task::spawn_blocking(move || desk.hangup(&arguments)).await.expect("it joins")
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_hang_is_found_through_tls_whose_certificate_is_trusted_by_file_or_not_looked_at() {
    let server = Server::hangup("tungstenite/no-deadline");
    let (port, pem) = in_front_of(&server).await;
    let desk = Arc::new(Desk::new());
    desk.write("ca.pem", &pem);
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
    assert_eq!((stranger.code, stranger.out.as_str()), (Some(2), ""), "{stranger:?}");
    assert!(stranger.err.contains("TLS fails: ") && stranger.err.contains("--insecure"));
    let plain = hangup(&desk, probe.replace("wss:", "ws:")).await;
    assert_eq!(plain.code, Some(2), "{plain:?}");
    desk.write("none.pem", "nothing\n");
    let none = hangup(&desk, format!("{probe} --ca none.pem")).await;
    assert!(none.err.contains("none.pem: no certificate in it"), "{none:?}");
}
