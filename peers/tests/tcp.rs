//! Findings against a MUST, confirmed over real TCP by hand-written bytes.
//!
//! Nothing of hangup's client, link, judge or frame encoder takes part: a socket on
//! loopback, the RFC's sample handshake, frames spelled out byte by byte.

use hangup::exchange::Note;
use hangup::script::{Command, Content, Size};
use hangup::target::ApplicationControl;
use hangup::{Connection, Target};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// What is taken for "it stays open": a server that saw a violation acts at once.
pub(crate) const PATIENCE: Duration = Duration::from_millis(700);

/// The sample of RFC 6455, 1.3.
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const CLOSE: u8 = 0x88;

#[test]
fn a_frame_without_a_mask_is_served() {
    for name in ["fastwebsockets/docs", "soketto/docs", "jsonrpsee/docs"] {
        over_tcp(async {
            let mut client = Client::open(name, None).await;
            client.send(&[PING, 2, b'h', b'i']).await;
            assert_eq!(client.frame().await, Some((PONG, b"hi".to_vec())), "{name}");
        });
    }
    // A server that keeps the rule ends the connection.
    over_tcp(async {
        let mut client = Client::open("tokio-tungstenite/docs", None).await;
        client.send(&[PING, 2, b'h', b'i']).await;
        assert_eq!(client.frame().await, None);
        assert!(client.ended);
    });
}

#[test]
fn yawc_serves_a_ping_with_a_reserved_bit() {
    over_tcp(async {
        let mut client = Client::open("yawc/docs", None).await;
        client.send(&masked(PING | 0x40, b"hi")).await;
        assert_eq!(client.frame().await, Some((PONG, b"hi".to_vec())));
    });
}

#[test]
fn a_close_that_is_too_long_is_sent_back() {
    for name in ["fastwebsockets/docs", "yawc/docs"] {
        over_tcp(async {
            let mut client = Client::open(name, None).await;
            let payload = [b"\x03\xe8".as_slice(), &[b'x'; 124]].concat();
            client.send(&masked(CLOSE, &payload)).await;
            assert_eq!(client.frame().await, Some((CLOSE, payload)), "{name}");
        });
    }
}

#[test]
fn code_1015_is_sent_back() {
    for name in ["soketto/docs", "jsonrpsee/docs"] {
        over_tcp(async {
            let mut client = Client::open(name, None).await;
            client.send(&masked(CLOSE, b"\x03\xf7")).await;
            assert_eq!(client.frame().await, Some((CLOSE, b"\x03\xf7".to_vec())), "{name}");
        });
    }
}

#[test]
fn a_documented_loop_does_not_answer_a_close() {
    for name in ["axum/docs", "axum-hyper/docs", "salvo/docs", "sockudo-ws/split"] {
        over_tcp(async {
            let mut client = Client::open(name, None).await;
            client.send(&masked(CLOSE, b"\x03\xe8")).await;
            assert_eq!(client.frame().await, None, "{name}");
            assert!(client.ended, "{name} keeps the connection");
        });
    }
    // On the same library, a loop that reads on answers it.
    over_tcp(async {
        let mut client = Client::open("axum/closing-well", None).await;
        client.send(&masked(CLOSE, b"\x03\xe8")).await;
        assert_eq!(client.frame().await, Some((CLOSE, b"\x03\xe8".to_vec())));
    });
}

#[test]
fn a_reason_that_is_too_long_is_sent() {
    let names = [
        "tokio-tungstenite/docs",
        "async-tungstenite/docs",
        "hyper-tungstenite/docs",
        "axum/docs",
        "warp/docs",
        "poem/docs",
        "salvo/docs",
        "ezsockets/docs",
        "fastwebsockets/bounded",
        "ratchet/bounded",
        "web-socket/bounded",
        "yawc/docs",
        "sockudo-ws/docs",
    ];
    for name in names {
        over_tcp(async {
            let close = Command::Close(Some(1000), Content::Fill(Size(124)));
            let mut client = Client::open(name, Some(close)).await;
            let (first, payload) = client.frame().await.expect("a Close");
            assert_eq!((first, payload.len()), (CLOSE, 126), "{name}");
        });
    }
}

#[test]
fn text_that_is_not_utf_8_is_sent_back_as_text() {
    for name in ["ratchet/docs", "yawc/docs"] {
        over_tcp(async {
            let mut client = Client::open(name, None).await;
            client.send(&masked(0x81, b"\xc0\x80")).await;
            assert_eq!(client.frame().await, Some((0x81, b"\xc0\x80".to_vec())), "{name}");
        });
    }
}

#[test]
fn half_a_frame_without_a_mask_holds_a_connection() {
    let names = [
        "tokio-tungstenite/closing-well",
        "async-tungstenite/closing-well",
        "hyper-tungstenite/closing-well",
        "axum/closing-well",
        "warp/closing-well",
        "poem/closing-well",
        "salvo/closing-well",
        "yawc/closing-well",
        "ezsockets/docs",
    ];
    for name in names {
        over_tcp(async {
            let mut client = Client::open(name, None).await;
            // A ping of one byte, whose second byte says that there is no mask.
            client.send(&[PING, 1]).await;
            assert_eq!(client.frame().await, None, "{name}");
            assert!(!client.ended, "{name} ends the connection");
            client.send(b"x").await;
            client.read_to_end().await;
            assert!(client.ended, "{name} does not mind the whole frame either");
        });
    }
}

#[test]
fn soketto_forgets_a_message_that_a_pong_interrupts() {
    over_tcp(async {
        // A ping between the fragments does no harm; a pong does.
        let mut client = Client::open("soketto/docs", None).await;
        client.send(&[masked(0x01, b"ab"), masked(0x89, b""), masked(0x80, b"cd")].concat()).await;
        assert_eq!(client.frame().await, Some((0x8a, Vec::new())));
        assert_eq!(client.frame().await, Some((0x81, b"abcd".to_vec())));
        let mut client = Client::open("soketto/docs", None).await;
        client.send(&[masked(0x01, b"ab"), masked(0x8a, b""), masked(0x80, b"cd")].concat()).await;
        assert_eq!(client.frame().await, None);
        assert!(client.ended);
    });
}

#[test]
fn what_follows_the_request_in_one_segment_is_lost() {
    for name in ["soketto/docs", "ratchet/docs"] {
        over_tcp(async {
            let early = [REQUEST.as_bytes(), &masked(CLOSE, b"\x03\xe8")].concat();
            let mut client = Client::open_with(name, None, &early).await;
            assert_eq!(client.frame().await, None, "{name}");
            assert!(!client.ended, "{name} ends the connection");
            client.send(&masked(PING, b"hi")).await;
            assert_eq!(client.frame().await, Some((PONG, b"hi".to_vec())), "{name}");
        });
    }
}

#[test]
fn yawc_sends_text_after_its_close() {
    over_tcp(async {
        let mut client = Client::open("yawc/split", None).await;
        // In one segment: the echo is ready when the Close is answered.
        client.send(&[masked(0x81, b"late"), masked(CLOSE, b"\x03\xe8")].concat()).await;
        assert_eq!(client.frame().await, Some((CLOSE, b"\x03\xe8".to_vec())));
        assert_eq!(client.frame().await, Some((0x81, b"late".to_vec())));
    });
}

#[test]
fn ezsockets_loses_its_answer_where_closes_cross() {
    // The own Close has to be asked for between two steps of the library's tasks: after so
    // many turns of this runtime.
    let lost = (0..400).any(|turns| {
        let mut lost = false;
        over_tcp(async {
            let close = Command::Close(None, Content::Empty);
            let mut client = Client::open_gated("ezsockets/closing-well", close).await;
            if turns % 2 == 0 {
                client.send(&masked(CLOSE, b"\x03\xe8")).await;
            } else {
                client.orders.open();
            }
            for _ in 0..turns / 2 {
                tokio::task::yield_now().await;
            }
            client.orders.open();
            if turns % 2 == 1 {
                client.send(&masked(CLOSE, b"\x03\xe8")).await;
            }
            lost = client.frame().await.is_none() && client.ended;
        });
        lost
    });
    assert!(lost);
}

/// Runs on real time and real sockets.
pub(crate) fn over_tcp(story: impl Future<Output = ()>) {
    // The sockets are looked at between any two steps, as they are on a busy machine.
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().event_interval(1).build();
    runtime.expect("a runtime").block_on(story);
}

/// A frame of the client's: `first` byte, a payload of at most 65,535 bytes, a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short payload");
    let mut frame = match length {
        0..126 => vec![first, 0x80 | length as u8],
        _ => [vec![first, 0x80 | 0x7e], length.to_be_bytes().to_vec()].concat(),
    };
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A client that knows no more of WebSocket than this file.
struct Client {
    stream: TcpStream,
    /// What was read and is not yet a frame.
    bytes: Vec<u8>,
    ended: bool,
    orders: Arc<Orders>,
}

impl Client {
    /// Connects to a target whose application is given one command after the opening.
    async fn open(target: &str, command: Option<Command>) -> Self {
        let client = Self::open_with(target, command, REQUEST.as_bytes()).await;
        client.orders.open();
        client
    }

    /// Connects to a target whose application is given the command when its orders open.
    async fn open_gated(target: &str, command: Command) -> Self {
        Self::open_with(target, Some(command), REQUEST.as_bytes()).await
    }

    async fn open_with(target: &str, command: Option<Command>, request: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of loopback");
        let address = listener.local_addr().expect("an address");
        let registry = hangup_peers::registry();
        let target: Arc<dyn Target> = Arc::clone(registry.find(target).expect("a target"));
        let orders = Orders::of(command);
        let host = Arc::clone(&orders);
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            target.serve(Connection::controlled(stream, host)).await;
        });
        let mut stream = TcpStream::connect(address).await.expect("a server");
        stream.set_nodelay(true).expect("an option");
        stream.write_all(request).await.expect("room for a request");
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.expect("a response"));
        }
        let response = String::from_utf8(bytes).expect("a head");
        assert!(response.starts_with("HTTP/1.1 101 ") && response.contains(ACCEPT), "{response}");
        Self { stream, bytes: Vec::new(), ended: false, orders }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("room");
    }

    /// The next frame's first byte and payload; `None` at the end, or where none comes.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = parsed(&self.bytes) {
                self.bytes = rest;
                return Some(frame);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    async fn read_to_end(&mut self) {
        while self.read().await {}
    }

    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.bytes)).await;
        self.ended = matches!(read, Ok(Ok(0) | Err(_)));
        matches!(read, Ok(Ok(1..)))
    }
}

/// A frame's first byte and its payload.
pub(crate) type Frame = (u8, Vec<u8>);

/// An unmasked frame at the beginning of `bytes`, and what follows it.
fn parsed(bytes: &[u8]) -> Option<(Frame, Vec<u8>)> {
    let (head, length) = match bytes {
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_, length @ 0..126, ..] => (2, usize::from(*length)),
        _ => return None,
    };
    let payload = bytes.get(head..head + length)?;
    Some(((bytes[0], payload.to_vec()), bytes[head + length..].to_vec()))
}

/// One command for the application, given to it once they are open.
pub(crate) struct Orders(Mutex<Order>);

struct Order {
    command: Option<Command>,
    open: bool,
    waker: Option<Waker>,
}

impl Orders {
    pub(crate) fn of(command: Option<Command>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Order { command, open: false, waker: None })))
    }

    pub(crate) fn open(&self) {
        let mut order = self.0.lock().expect("no panic while it is held");
        order.open = true;
        if let Some(waker) = order.waker.take() {
            waker.wake();
        }
    }
}

impl ApplicationControl for Orders {
    fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut order = self.0.lock().expect("no panic while it is held");
        if order.open
            && let Some(command) = order.command.take()
        {
            return Poll::Ready(command);
        }
        order.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn note(&self, _: Note) {}
}
