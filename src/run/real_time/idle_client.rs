//! A client that opens and does nothing more, beside a campaign: does the server end it by itself,
//! or speak first? Then its sessions may begin with a message of their own (`--preamble`).
//!
//! It is no check, and breaks no rule: what it saw is told in the report.

use super::polite_client::PoliteClient;
use crate::transport::tcp::connect;
use crate::transport::tcp::endpoint::Endpoint;
use crate::wire::Opcode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// A message that comes so soon after the opening is the server's own beginning.
const FIRST: Duration = Duration::from_millis(500);

/// What became of a client that did nothing behind the opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdleEnd {
    /// Whether the server sent a message at once.
    pub speaks_first: bool,
    /// After how long it ended the connection, and how; `None` where it did not.
    pub ended: Option<(Duration, String)>,
}

/// The client, until it is dropped.
pub(super) struct IdleClient {
    seen: Arc<Mutex<IdleEnd>>,
    waiting: JoinHandle<()>,
}

impl IdleClient {
    /// Opens a connection at `endpoint`, without any preamble.
    pub fn start(endpoint: Endpoint) -> Self {
        let seen = Arc::<Mutex<IdleEnd>>::default();
        let recorded = Arc::clone(&seen);
        let note = move |change: &dyn Fn(&mut IdleEnd)| {
            change(&mut recorded.lock().unwrap_or_else(PoisonError::into_inner));
        };
        let waiting = tokio::spawn(async move {
            let Ok(connected) = connect(&endpoint, None).await else { return };
            let mut client = PoliteClient::new(connected.socket);
            let asked = client.send(endpoint.opening.request().as_bytes()).await;
            let Ok(response) = client.response().await else { return };
            if asked.is_err() || response.status != 101 {
                return;
            }
            client.opened = response.length;
            let opened = Instant::now();
            let message = [Opcode::TEXT, Opcode::BINARY];
            if timeout(FIRST, client.frame(&message)).await == Ok(true) {
                note(&|seen| seen.speaks_first = true);
            }
            client.frame(&[Opcode::CLOSE]).await;
            let ended = (opened.elapsed(), client.ending());
            note(&|seen| seen.ended = Some(ended.clone()));
        });
        Self { seen, waiting }
    }

    /// What it has seen so far.
    pub fn seen(&self) -> IdleEnd {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for IdleClient {
    fn drop(&mut self) {
        self.waiting.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tcp::endpoint::RequestOptions;
    use crate::wire::{FrameHead, handshake};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What a client sees of a server that sends this behind its 101, waits, and sends that.
    async fn seen(first: Vec<u8>, then: Vec<u8>) -> IdleEnd {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = handshake::switching_protocols(handshake::ACCEPT);
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.write_all(&first).await;
            tokio::time::sleep(FIRST + Duration::from_millis(100)).await;
            let _ = stream.write_all(&then).await;
        });
        let endpoint = Endpoint::resolve(&format!("ws://{address}/"), &RequestOptions::default());
        let client = IdleClient::start(endpoint.expect("a URL"));
        let patience = Instant::now() + Duration::from_secs(10);
        while client.seen().ended.is_none() && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        client.seen()
    }

    #[tokio::test]
    async fn a_server_that_speaks_first_or_ends_by_itself_is_seen_to() {
        let text = |text: &[u8]| {
            let mut bytes = Vec::new();
            FrameHead::server(Opcode::TEXT).encode(text, &mut bytes);
            bytes
        };
        let mut close = Vec::new();
        FrameHead::server(Opcode::CLOSE).encode(b"\x11\x38too slow", &mut close);
        let IdleEnd { speaks_first, ended } = seen(text(b"hello"), close).await;
        let (after, how) = ended.expect("it closes");
        assert!(speaks_first && after > FIRST, "{after:?}");
        assert_eq!(how, "the server closed with 4408 \"too slow\"");
        let IdleEnd { speaks_first, ended } = seen(Vec::new(), text(b"late")).await;
        assert!(!speaks_first, "that was no beginning");
        assert_eq!(ended.expect("it ends").1, "the server ended the connection without a Close");
    }
}
