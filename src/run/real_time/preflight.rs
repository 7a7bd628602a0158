//! The check of a URL before the test: does a server answer, does it open a WebSocket, and does
//! its application act as its role says.
//!
//! It sends one opening request, nothing illegal, and closes as it should: a server may die of a
//! reset.

use super::kernel_table::KernelTable;
use super::remote_urls::UrlRole;
use crate::exchange::Exchange;
use crate::run::preflight::{Answer, Says};
use crate::transport::tcp::endpoint::Endpoint;
use crate::transport::tcp::{ClientSocket, ConnectError, ConnectedSocket, connect};
use crate::wire::{Decoder, FrameHead, Item, Opcode, Role, handshake};
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Instant, timeout};

/// How long the response to the opening request may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
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
    let mut connection = PreflightConnection { socket, received: Vec::new(), ended: false };
    connection
        .send(endpoint.opening.request().as_bytes())
        .await
        .map_err(|error| cut_short(url, &error))?;
    let length = match timeout(RESPONSE_TIMEOUT, connection.response()).await {
        Err(_) => {
            let seconds = RESPONSE_TIMEOUT.as_secs();
            return Err(format!("{url}: no answer to the opening request within {seconds} s"));
        }
        Ok(response) => opened(url, &response, &connection.received)?,
    };
    let opened = Instant::now();
    // Only a socket of this machine's own address has its other end in this table.
    let watch = table
        .filter(|_| peer.ip() == local.ip())
        .map(|table| table.watch(peer, local, super::record::Record::begin(Exchange::new(false))));
    let acts = connection.application_acts(role, length);
    if !timeout(ROLE_TIMEOUT, acts).await.unwrap_or(false) {
        let seconds = ROLE_TIMEOUT.as_secs();
        return Err(match role {
            UrlRole::Plain => unreachable!("nothing is waited for"),
            UrlRole::Bye => format!(
                "{url}: no Close within {seconds} s of the opening: --bye wants a URL that closes on open"
            ),
            UrlRole::Echo => format!(
                "{url}: a message was not answered with itself within {seconds} s: --echo wants a URL that echoes"
            ),
            UrlRole::Push => format!(
                "{url}: no message within {seconds} s of the opening: --push wants a URL that sends unasked"
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
            "--ca FILE trusts a certificate of your own, --insecure any; ws:// goes without"
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
            Err(format!("{url}: what answers there does not speak HTTP; wss:// for TLS?"))
        }
        (_, Some(answer)) => Err(format!("{url}: the server {}", answer.told(Says::AsOptions))),
        (Err(error), None) => Err(cut_short(url, error)),
    }
}

/// A connection that sends nothing illegal.
struct PreflightConnection {
    socket: ClientSocket,
    received: Vec<u8>,
    ended: bool,
}

impl PreflightConnection {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while sent < bytes.len() {
            sent += poll_fn(|cx| self.socket.poll_write(cx, &bytes[sent..])).await?;
        }
        Ok(())
    }

    /// Reads once more.
    async fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let mut read = ReadBuf::new(&mut buffer);
        poll_fn(|cx| self.socket.poll_read(cx, &mut read)).await?;
        self.ended = read.filled().is_empty();
        self.received.extend_from_slice(read.filled());
        Ok(())
    }

    async fn response(&mut self) -> io::Result<handshake::Response> {
        loop {
            match handshake::response(&self.received) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) if self.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(None) => self.read().await?,
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Closes the connection as it should, and waits for its end.
    async fn close(&mut self) -> io::Result<()> {
        let mut frame = Vec::new();
        FrameHead::client(Opcode::CLOSE).encode(&1000_u16.to_be_bytes(), &mut frame);
        self.send(&frame).await?;
        while !self.ended {
            self.read().await?;
        }
        Ok(())
    }

    /// Whether the application acts as `role` says; frames begin at `at`.
    async fn application_acts(&mut self, role: UrlRole, at: usize) -> bool {
        let wanted: &[Opcode] = match role {
            UrlRole::Plain => return true,
            UrlRole::Bye => &[Opcode::CLOSE],
            UrlRole::Echo => {
                let mut frame = Vec::new();
                FrameHead::client(Opcode::TEXT).encode(b"hangup", &mut frame);
                if self.send(&frame).await.is_err() {
                    return false;
                }
                &[Opcode::TEXT, Opcode::BINARY]
            }
            UrlRole::Push => &[Opcode::TEXT, Opcode::BINARY],
        };
        loop {
            let mut decoder = Decoder::new(Role::Server);
            let mut rest = &self.received[at..];
            while let Some(item) = decoder.next(&mut rest) {
                if matches!(item, Item::Frame(head) if wanted.contains(&head.opcode)) {
                    return true;
                }
            }
            if self.ended || self.read().await.is_err() {
                // Who ends without a Close closes as well, if badly: that is judged later.
                return role == UrlRole::Bye;
            }
        }
    }
}

impl Drop for PreflightConnection {
    fn drop(&mut self) {
        if self.ended {
            self.socket.close();
        } else {
            self.socket.reset();
        }
    }
}
