//! A polite look at a server before it is tested: is it there, does it speak
//! WebSocket on this URL, does its application do what was said.

use super::kernel_table::Table;
use super::remote_urls::Part;
use crate::exchange::Exchange;
use crate::transport::tcp::endpoint::Endpoint;
use crate::transport::tcp::{Connected, NoConnection, Socket, connect};
use crate::wire::{Decoder, FrameHead, Item, Opcode, Role, handshake};
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::time::{Instant, timeout};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the application may take to do what it does by itself.
const DOES_IT: Duration = Duration::from_secs(3);

/// What a server that may be tested showed.
pub(super) struct Greeted {
    /// Whether the kernel's table shows its end of the connection.
    pub is_here: bool,
    /// How long after the opening its application did its part.
    pub took: Duration,
}

/// Opens a WebSocket and sees whether the application does its `part`.
///
/// # Errors
///
/// One line: what is wrong, and what to do.
pub(super) async fn greet(
    endpoint: &Endpoint,
    part: Part,
    table: Option<&Table>,
) -> Result<Greeted, String> {
    let url = &endpoint.url;
    let Connected { socket, local, peer, .. } =
        connect(endpoint, None).await.map_err(|error| no_connection(url, &error))?;
    let mut visit = Visit { socket, got: Vec::new(), ended: false };
    visit.send(endpoint.request.as_bytes()).await.map_err(|error| cut_short(url, &error))?;
    let length = match timeout(PATIENCE, visit.response()).await {
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            return Err(format!("{url}: no answer to the opening request within {seconds} s"));
        }
        Ok(response) => opened(url, &response, &visit.got)?,
    };
    let opened = Instant::now();
    // Only a socket of this machine's own address has its other end in this table.
    let watch = table
        .filter(|_| peer.ip() == local.ip())
        .map(|table| table.watch(peer, local, super::record::Record::begin(Exchange::new(false))));
    let does = visit.does(part, length);
    if !timeout(DOES_IT, does).await.unwrap_or(false) {
        let seconds = DOES_IT.as_secs();
        return Err(match part {
            Part::Plain => unreachable!("nothing is waited for"),
            Part::Bye => format!(
                "{url}: no Close within {seconds} s of the opening: --bye wants a URL that closes on open"
            ),
            Part::Echo => format!(
                "{url}: a message was not answered with itself within {seconds} s: --echo wants a URL that echoes"
            ),
            Part::Push => format!(
                "{url}: no message within {seconds} s of the opening: --push wants a URL that sends unasked"
            ),
        });
    }
    let took = opened.elapsed();
    let is_here = match watch {
        // An application that does something may be gone before anybody looks.
        Some(mut watch) => part != Part::Plain || watch.is_accepted().await,
        None => false,
    };
    Ok(Greeted { is_here, took })
}

fn no_connection(url: &str, error: &NoConnection) -> String {
    let help = match error {
        NoConnection::Tcp(..) => "is the server running there?",
        NoConnection::Tls(_) => {
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
    let response = match response {
        Ok(response) => response,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(format!("{url}: what answers there does not speak HTTP; wss:// for TLS?"));
        }
        Err(error) => return Err(cut_short(url, error)),
    };
    let status = response.status;
    let why = match status {
        101 => return Ok(response.length),
        200..=299 => "a web server, and no WebSocket on this path".to_owned(),
        300..=399 => match header(&bytes[..response.length], "location") {
            Some(place) => format!("it sends elsewhere: probe {place} if that is meant"),
            None => "it sends elsewhere".to_owned(),
        },
        400 => "it does not like the request: does it want --subprotocol or --header?".to_owned(),
        401 | 403 | 407 => {
            "it wants to know who asks: --header 'Authorization: ...' or 'Cookie: ...'".to_owned()
        }
        404 => "there is no such path".to_owned(),
        _ => "it does not open a WebSocket".to_owned(),
    };
    Err(format!("{url}: the server answers {status} where 101 opens a WebSocket: {why}"))
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let pair = |line: &str| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim().replace(char::is_control, ""))
    };
    head.lines().find_map(pair)
}

/// A connection that behaves.
struct Visit {
    socket: Socket,
    got: Vec<u8>,
    ended: bool,
}

impl Visit {
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
        self.got.extend_from_slice(read.filled());
        Ok(())
    }

    async fn response(&mut self) -> io::Result<handshake::Response> {
        loop {
            match handshake::response(&self.got) {
                Ok(Some(response)) => return Ok(response),
                Ok(None) if self.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(None) => self.read().await?,
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Whether the application does its part; frames begin at `at`.
    async fn does(&mut self, part: Part, at: usize) -> bool {
        let wanted: &[Opcode] = match part {
            Part::Plain => return true,
            Part::Bye => &[Opcode::CLOSE],
            Part::Echo => {
                let mut frame = Vec::new();
                FrameHead::client(Opcode::TEXT).encode(b"hangup", &mut frame);
                if self.send(&frame).await.is_err() {
                    return false;
                }
                &[Opcode::TEXT, Opcode::BINARY]
            }
            Part::Push => &[Opcode::TEXT, Opcode::BINARY],
        };
        loop {
            let mut decoder = Decoder::new(Role::Server);
            let mut rest = &self.got[at..];
            while let Some(item) = decoder.next(&mut rest) {
                if matches!(item, Item::Frame(head) if wanted.contains(&head.opcode)) {
                    return true;
                }
            }
            if self.ended || self.read().await.is_err() {
                // Who ends without a Close closes as well, if badly: that is judged later.
                return part == Part::Bye;
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.socket.reset();
    }
}
