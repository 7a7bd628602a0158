//! As much of HTTP as one page needs: a request is read, its answer is written, and the connection is
//! closed.
//!
//! It knows no page, and answers nobody but a page that it served itself: another site, open in the same
//! browser, has another origin, or comes by another name of this machine.

use crate::wire::handshake::{HEAD_LIMIT, head_length};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest body that is read, in bytes.
const BODY_LIMIT: usize = 1 << 20;
/// How long a request may take to come.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// `GET`, or another method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The body.
    pub body: String,
}

/// What answers a request.
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub content: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Text, where all is well.
    pub const fn text(body: String) -> Self {
        Self { status: 200, content: "text/plain; charset=utf-8", body }
    }

    /// A status alone.
    pub const fn status(status: u16) -> Self {
        Self { status, content: "text/plain", body: String::new() }
    }
}

/// Reads a request that is meant for `own`.
///
/// # Errors
///
/// The status that answers one that is not, or is none.
pub(super) async fn request(stream: &mut TcpStream, own: SocketAddr) -> Result<Request, u16> {
    timeout(REQUEST_WITHIN, read(stream, own)).await.unwrap_or(Err(408))
}

async fn read(stream: &mut TcpStream, own: SocketAddr) -> Result<Request, u16> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(head) = head_length(&bytes) {
            break head;
        }
        if bytes.len() > HEAD_LIMIT {
            return Err(431);
        }
        more(stream, &mut bytes).await?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let is_ours = header(&text, "host").is_some_and(|host| host == own.to_string())
        && header(&text, "origin").is_none_or(|origin| origin == format!("http://{own}"));
    if !is_ours {
        return Err(403);
    }
    let length = header(&text, "content-length").map_or(Ok(0), str::parse::<usize>);
    let length = length.ok().filter(|length| *length <= BODY_LIMIT).ok_or(413_u16)?;
    while bytes.len() < head + length {
        more(stream, &mut bytes).await?;
    }
    let body = String::from_utf8_lossy(&bytes[head..head + length]).into_owned();
    let mut words = text.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(Request { method, path, body })
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<(), u16> {
    match stream.read_buf(bytes).await {
        Ok(1..) => Ok(()),
        _ => Err(400),
    }
}

/// The value of this header.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Writes an answer, and closes.
///
/// # Errors
///
/// The socket's.
pub(super) async fn answer(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let Answer { status, content, body } = answer;
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {content}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// What becomes of a request in which `OWN` stands for the address of the page.
    async fn asked(text: &str) -> Result<Request, u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("an address");
        let mut browser = TcpStream::connect(own).await.expect("it listens");
        let text = text.replace("OWN", &own.to_string());
        browser.write_all(text.as_bytes()).await.expect("it is sent");
        browser.shutdown().await.expect("and ends");
        let (mut stream, _) = listener.accept().await.expect("it comes");
        request(&mut stream, own).await
    }

    #[tokio::test]
    async fn a_request_of_the_page_is_read_and_one_of_another_site_is_not() {
        let told = "POST /told HTTP/1.1\r\nHost: OWN\r\norigin: http://OWN\r\ncontent-length: 6\r\n\r\n1 open";
        let request = asked(told).await.expect("it is the page's");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/told"));
        assert_eq!(request.body, "1 open");
        for (text, status) in [
            ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
            ("GET / HTTP/1.1\r\nHost: OWN\r\nOrigin: http://evil.example\r\n\r\n", 403),
            ("GET / HTTP/1.1\r\nHost: OWN\r\nContent-Length: 99999999999\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nHost: OWN\r\n", 400),
        ] {
            assert_eq!(asked(text).await, Err(status), "{text}");
        }
    }
}
