//! The check of a URL before the test: does a server answer, does it open a WebSocket, and does
//! its application act as its role says.
//!
//! It sends one opening request, the preamble of every session, nothing illegal, and closes as it should: a server may die of a
//! reset.

use super::kernel_table::KernelTable;
use super::polite_client::PoliteClient;
use super::remote_subject::UrlRole;
use crate::exchange::Exchange;
use crate::run::preflight::{Answer, Says};
use crate::script::Preamble;
use crate::transport::tcp::endpoint::Endpoint;
use crate::transport::tcp::{ConnectError, ConnectedSocket, connect};
use crate::wire::handshake;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long the response to the opening request may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long each wait of the preamble may take.
const PREAMBLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the application may take to act as its role says.
const ROLE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the server is given to close after the check; then the connection is reset.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

/// The result for a URL that can be tested.
pub(super) struct PreflightResult {
    /// Whether the kernel's table shows the server's end of the connection.
    pub in_kernel_table: bool,
    /// How long after the opening the application acted.
    pub application_delay: Duration,
}

/// Opens a WebSocket and checks that the application acts as `role` says.
///
/// # Errors
///
/// One line: what is wrong, and what to do.
pub(super) async fn check_url(
    endpoint: &Endpoint,
    role: UrlRole,
    table: Option<&KernelTable>,
) -> Result<PreflightResult, String> {
    let url = &endpoint.url;
    let ConnectedSocket { socket, local, peer, .. } =
        connect(endpoint, None).await.map_err(|error| no_connection(url, &error))?;
    let mut connection = PoliteClient::new(socket);
    connection
        .send(endpoint.opening.request().as_bytes())
        .await
        .map_err(|error| cut_short(url, &error))?;
    match timeout(RESPONSE_TIMEOUT, connection.response()).await {
        Err(_) => {
            let seconds = RESPONSE_TIMEOUT.as_secs();
            return Err(format!("{url}: no answer to the opening request within {seconds} s"));
        }
        Ok(response) => connection.opened = opened(url, &response, connection.received())?,
    }
    if let Some(preamble) = Preamble::of(&endpoint.opening) {
        connection
            .preamble(&preamble, PREAMBLE_TIMEOUT)
            .await
            .map_err(|why| format!("{url}: --preamble: {why}"))?;
    }
    let opened = Instant::now();
    // Only a socket of this machine's own address has its other end in this table.
    let watch = table.filter(|_| peer.ip() == local.ip()).map(|table| {
        table.watch(peer, local, None, super::record::Record::begin(Exchange::new(false)))
    });
    let acts = connection.application_acts(role);
    if !timeout(ROLE_TIMEOUT, acts).await.unwrap_or(false) {
        let seconds = ROLE_TIMEOUT.as_secs();
        return Err(match role {
            UrlRole::Plain => unreachable!("nothing is waited for"),
            UrlRole::Bye => format!(
                "{url}: the server sent no Close within {seconds} s after the opening. This has to be a URL \
                 whose application closes by itself (--bye of `probe`, --url of `replay`)"
            ),
            UrlRole::Echo => format!(
                "{url}: the server did not echo a message within {seconds} s. This has to be a URL whose \
                 application echoes (--echo)"
            ),
            UrlRole::Push => format!(
                "{url}: the server sent no message within {seconds} s after the opening. This has to be a URL \
                 whose application sends by itself (--push of `probe`, --url of `replay`)"
            ),
        });
    }
    let application_delay = opened.elapsed();
    let in_kernel_table = match watch {
        // An application that does something may be gone before anybody looks.
        Some(mut watch) => role != UrlRole::Plain || watch.is_accepted().await,
        None => false,
    };
    let _ = timeout(CLOSE_TIMEOUT, connection.close()).await;
    Ok(PreflightResult { in_kernel_table, application_delay })
}

fn no_connection(url: &str, error: &ConnectError) -> String {
    let help = match error {
        ConnectError::Tcp(..) => "is the server running there?",
        ConnectError::Tls(_) => {
            "--ca FILE trusts your own certificate, --insecure any; ws:// uses no TLS"
        }
    };
    format!("{url}: {error}; {help}")
}

fn cut_short(url: &str, error: &io::Error) -> String {
    format!("{url}: the server ended the connection during the opening: {error}")
}

/// The length of a response that opens a WebSocket.
fn opened(
    url: &str,
    response: &io::Result<handshake::Response>,
    bytes: &[u8],
) -> Result<usize, String> {
    let is_http = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
    };
    match (response, Answer::of(bytes, true)) {
        (Ok(response), None) => Ok(response.length),
        (Err(error), _) if !is_http(error) => Err(cut_short(url, error)),
        (_, Some(Answer::Foreign(_))) => {
            Err(format!("{url} does not answer in HTTP. If the server uses TLS, use wss://"))
        }
        (_, Some(answer)) => Err(format!("{url}: the server {}", answer.told(Says::AsOptions))),
        (Err(error), None) => Err(cut_short(url, error)),
    }
}
