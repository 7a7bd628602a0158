//! Six servers that open a WebSocket only for the right request. Behind it each has the bug of the
//! story: it sends its own Close, and waits for the client's for ever.

use hangup::script::Command;
use hangup::wire::handshake::{request, switching_protocols};
use hangup::{AppSteps, Connection, Suite};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What a server demands of an opening request, and what it answers to any other.
#[derive(Clone, Copy, Debug)]
pub enum Demands {
    /// 404, but for one host.
    Host,
    /// 401 without `Authorization`.
    Authorization,
    /// 500, but for a version of its own.
    Version,
    /// It drops every connection at once, but on one path.
    LivePath,
    /// A page, but on `/ws`.
    WsPath,
    /// 400 where a subprotocol is not offered.
    Subprotocol,
}

impl Demands {
    pub const ALL: [Self; 6] = [
        Self::Host,
        Self::Authorization,
        Self::Version,
        Self::LivePath,
        Self::WsPath,
        Self::Subprotocol,
    ];

    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The suite of such a server that is not given what it demands.
    pub fn suite(self) -> Suite {
        hangup::suite(move |conn| self.serve(conn)).named(self.name()).obeying(AppSteps::CLOSE)
    }

    /// The same, given what it demands.
    pub fn met(self) -> Suite {
        let suite = self.suite();
        match self {
            Self::Host => suite.host("chat.example.com"),
            Self::Authorization => suite.header("Authorization", "Bearer secret"),
            Self::Version => suite.header("X-Version", "2"),
            Self::LivePath => suite.path("/live?room=1"),
            Self::WsPath => suite.path("/ws"),
            Self::Subprotocol => suite.subprotocol("v1.chat").subprotocol("v2.chat"),
        }
    }

    /// What the failure says where it is not given that.
    pub fn reason(self) -> [&'static str; 2] {
        match self {
            Self::Host => {
                ["answers 404 instead of 101 to the opening request", r"HTTP/1.1 404 Not Found\r\n"]
            }
            Self::Authorization => [
                "It may need an Origin, Authorization or Cookie header",
                r"HTTP/1.1 401 Unauthorized\r\n",
            ],
            Self::Version => ["It reports an error of its own", r"HTTP/1.1 500 Oops\r\n"],
            Self::LivePath => ["ended the connection without an answer", "`GET /`"],
            Self::WsPath => ["A web server without a WebSocket on this path", ".path(\"/ws\")"],
            Self::Subprotocol => {
                ["It rejects the request; it may need `.subprotocol(", r"HTTP/1.1 400 Bad\r\n"]
            }
        }
    }

    /// What it answers to this request where that is no 101.
    fn refusal(self, head: &str) -> Option<&'static str> {
        let (line, refusal) = match self {
            Self::Host => ("\r\nHost: chat.example.com\r\n", "404 Not Found"),
            Self::Authorization => ("\r\nAuthorization: Bearer secret\r\n", "401 Unauthorized"),
            Self::Version => ("\r\nX-Version: 2\r\n", "500 Oops"),
            Self::LivePath => ("GET /live?room=1 ", ""),
            Self::WsPath => ("GET /ws ", "200 OK"),
            Self::Subprotocol => ("\r\nSec-WebSocket-Protocol: v1.chat, v2.chat\r\n", "400 Bad"),
        };
        (!head.contains(line)).then_some(refusal)
    }

    pub async fn serve(self, mut conn: Connection) {
        let mut head = Vec::new();
        let accept = loop {
            match request(&head) {
                Ok(Some((_, accept))) => break accept,
                Ok(None) if conn.read_buf(&mut head).await.is_ok_and(|count| count > 0) => {}
                _ => return,
            }
        };
        if let Some(refusal) = self.refusal(&String::from_utf8_lossy(&head)) {
            if !refusal.is_empty() {
                let answer = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n");
                let _ = conn.write_all(answer.as_bytes()).await;
            }
            return;
        }
        let _ = conn.write_all(switching_protocols(&accept).as_bytes()).await;
        let application = conn.application();
        let mut bytes = [0; 1024];
        loop {
            tokio::select! {
                command = application.command() => if matches!(command, Command::Close(..)) { break },
                read = conn.read(&mut bytes) => if !read.is_ok_and(|count| count > 0) { return },
            }
        }
        let _ = conn.write_all(b"\x88\x02\x03\xe8").await;
        // The bug: nothing bounds this.
        while conn.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    }
}
