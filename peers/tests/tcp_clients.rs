//! As `tcp`, of clients: a server of hand-written bytes, over real TCP.

use super::tcp::{CLOSE, Frame, Orders, PATIENCE, PING, PONG, over_tcp};
use hangup::script::{Command, Content, Size};
use hangup::{Connection, Target};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

#[test]
fn a_frame_with_a_mask_is_served() {
    for name in [
        "fastwebsockets-client/docs",
        "soketto-client/docs",
        "yawc-client/docs",
        "jsonrpsee-client/docs",
    ] {
        over_tcp(async {
            let mut server = Server::open(name, None).await;
            server.send(&[PING, 0x82, 0, 0, 0, 0, b'h', b'i']).await;
            assert_eq!(server.frame().await, Some((PONG, b"hi".to_vec())), "{name}");
        });
    }
    // A client that keeps the rule ends the connection.
    over_tcp(async {
        let mut server = Server::open("tokio-tungstenite-client/docs", None).await;
        server.send(&[PING, 0x82, 0, 0, 0, 0, b'h', b'i']).await;
        assert_eq!(server.frame().await, None);
        assert!(server.ended);
    });
}

#[test]
fn a_close_that_is_too_long_is_sent_back() {
    for name in ["fastwebsockets-client/docs", "yawc-client/docs"] {
        over_tcp(async {
            let mut server = Server::open(name, None).await;
            let payload = [b"\x03\xe8".as_slice(), &[b'x'; 124]].concat();
            server.send(&[&[CLOSE, 126, 0, 126], payload.as_slice()].concat()).await;
            assert_eq!(server.frame().await, Some((CLOSE, payload)), "{name}");
        });
    }
}

#[test]
fn code_1015_is_sent_back() {
    for name in ["soketto-client/docs", "jsonrpsee-client/docs"] {
        over_tcp(async {
            let mut server = Server::open(name, None).await;
            server.send(&[CLOSE, 2, 0x03, 0xf7]).await;
            assert_eq!(server.frame().await, Some((CLOSE, b"\x03\xf7".to_vec())), "{name}");
        });
    }
}

#[test]
fn a_loop_that_ends_at_a_close_does_not_answer_it() {
    let names = [
        "tokio-tungstenite-client/drops",
        "async-tungstenite-client/drops",
        "tokio-websockets-client/drops",
        "yawc-client/drops",
    ];
    for name in names {
        over_tcp(async {
            let mut server = Server::open(name, None).await;
            server.send(&[CLOSE, 2, 0x03, 0xe8]).await;
            assert_eq!(server.frame().await, None, "{name}");
            assert!(server.ended, "{name} keeps the connection");
        });
    }
    // One that reads on answers it.
    over_tcp(async {
        let mut server = Server::open("tokio-tungstenite-client/docs", None).await;
        server.send(&[CLOSE, 2, 0x03, 0xe8]).await;
        assert_eq!(server.frame().await, Some((CLOSE, b"\x03\xe8".to_vec())));
    });
}

#[test]
fn a_reason_that_is_too_long_is_sent() {
    let names = [
        "tokio-tungstenite-client/docs",
        "async-tungstenite-client/docs",
        "fastwebsockets-client/docs",
        "ratchet-client/docs",
        "web-socket-client/docs",
        "yawc-client/docs",
        "sockudo-ws-client/docs",
    ];
    for name in names {
        over_tcp(async {
            let close = Command::Close(Some(1000), Content::Fill(Size(124)));
            let mut server = Server::open(name, Some(close)).await;
            let (first, payload) = server.frame().await.expect("a Close");
            assert_eq!((first, payload.len()), (CLOSE, 126), "{name}");
        });
    }
}

#[test]
fn text_that_is_not_utf_8_is_served() {
    for name in ["ratchet-client/docs", "web-socket-client/docs", "yawc-client/docs"] {
        over_tcp(async {
            let mut server = Server::open(name, None).await;
            server.send(&[0x81, 2, 0xc0, 0x80, PING, 2, b'h', b'i']).await;
            assert_eq!(server.frame().await, Some((PONG, b"hi".to_vec())), "{name}");
        });
    }
}

/// 4.1: "the client MUST _Fail the WebSocket Connection_", in both cases.
#[test]
fn an_answer_that_opens_nothing_opens() {
    // The hash of another key.
    over_tcp(async {
        let (mut server, _) = Server::accept("fastwebsockets-client/docs", None).await;
        server.send(answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").as_bytes()).await;
        server.send(&[PING, 2, b'h', b'i']).await;
        assert_eq!(server.frame().await, Some((PONG, b"hi".to_vec())));
    });
    // A subprotocol that nobody asked for.
    let names = ["fastwebsockets-client/docs", "tokio-websockets-client/docs", "yawc-client/docs"];
    for name in names {
        over_tcp(async {
            let (mut server, key) = Server::accept(name, None).await;
            let answer = answer(&derive_accept_key(key.as_bytes()));
            let answer = answer.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: soap\r\n\r\n");
            server.send(answer.as_bytes()).await;
            server.send(&[PING, 2, b'h', b'i']).await;
            assert_eq!(server.frame().await, Some((PONG, b"hi".to_vec())), "{name}");
        });
    }
    // A client that keeps the rule gives up.
    over_tcp(async {
        let (mut server, _) = Server::accept("tokio-tungstenite-client/docs", None).await;
        server.send(answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").as_bytes()).await;
        assert_eq!(server.frame().await, None);
        assert!(server.ended);
    });
}

#[test]
fn tcp_is_kept_for_as_long_as_the_server_keeps_it() {
    for name in ["tokio-tungstenite-client/docs", "async-tungstenite-client/docs"] {
        over_tcp(async {
            let mut server = Server::open(name, None).await;
            server.send(&[CLOSE, 2, 0x03, 0xe8]).await;
            assert_eq!(server.frame().await, Some((CLOSE, b"\x03\xe8".to_vec())), "{name}");
            assert_eq!(server.frame().await, None, "{name}");
            assert!(!server.ended, "{name} ends TCP");
        });
    }
}

/// A server that knows no more of WebSocket than this file.
struct Server {
    stream: TcpStream,
    /// What was read and is not yet a frame.
    bytes: Vec<u8>,
    ended: bool,
    orders: Arc<Orders>,
}

impl Server {
    /// Accepts a target's connection and opens its WebSocket; the application is given one command.
    async fn open(target: &str, command: Option<Command>) -> Self {
        let server = Self::open_with(target, command, &[]).await;
        server.orders.open();
        server
    }

    /// The same, with these bytes in the segment of the 101.
    async fn open_with(target: &str, command: Option<Command>, behind: &[u8]) -> Self {
        let (mut server, key) = Self::accept(target, command).await;
        let answer = answer(&derive_accept_key(key.as_bytes()));
        server.send(&[answer.as_bytes(), behind].concat()).await;
        server
    }

    /// Accepts a target's connection, and reads its request: its key.
    async fn accept(target: &str, command: Option<Command>) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let address = listener.local_addr().expect("an address");
        let registry = hangup_peers::registry();
        let target: Arc<dyn Target> = Arc::clone(registry.find(target).expect("a target"));
        let orders = Orders::of(command);
        let host = Arc::clone(&orders);
        tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.expect("a server");
            target.serve(Connection::controlled(stream, host)).await;
        });
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.expect("a request"));
        }
        let request = String::from_utf8(bytes).expect("a head");
        let key = request.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("Sec-WebSocket-Key").then(|| value.to_owned())
        });
        let server = Self { stream, bytes: Vec::new(), ended: false, orders };
        (server, key.unwrap_or_else(|| panic!("no key in {request}")))
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("room");
    }

    /// The next frame's first byte and payload; `None` at the end, or where none comes.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = unmasked(&self.bytes) {
                self.bytes.drain(..length);
                return Some(frame);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.bytes)).await;
            self.ended = matches!(read, Ok(Ok(0) | Err(_)));
            if !matches!(read, Ok(Ok(1..))) {
                return None;
            }
        }
    }
}

/// The response that opens a WebSocket with this hash of its key.
fn answer(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// A masked frame at the beginning of `bytes`, without its mask, and its length.
fn unmasked(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (head, length) = match bytes {
        [_, 0xfe, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, length @ 0x80..0xfe, ..] => (2, usize::from(*length & 0x7f)),
        _ => return None,
    };
    let key = bytes.get(head..head + 4)?;
    let payload = bytes.get(head + 4..head + 4 + length)?;
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    Some(((bytes[0], payload), head + 4 + length))
}
