//! What a suite's server is sent to open a WebSocket: the builder methods.

use super::Suite;
use crate::target::{InvalidOpening, Opening};

impl Suite {
    /// The path of the opening request, with a query behind `?` where the server needs one.
    /// Default: `/`.
    ///
    /// ```
    /// # async fn my_server(conn: hangup::Connection) {}
    /// let suite = hangup::suite(my_server)
    ///     .path("/ws?room=1")
    ///     .header("Authorization", "Bearer secret")
    ///     .subprotocol("chat")
    ///     .host("chat.example.com");
    /// ```
    ///
    /// # Panics
    ///
    /// If it does not begin with `/`, or has a space, a control character, `#` or what is not
    /// ASCII in it.
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        self.opening(|opening| opening.with_path(path))
    }

    /// One more header of the opening request. May be called more than once.
    ///
    /// # Panics
    ///
    /// If the name is no header's name, the value has a line break in it, or the header is one
    /// that the opening handshake itself has, that announces a body, or that offers an extension.
    #[track_caller]
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.opening(|opening| opening.with_header(name, value))
    }

    /// One more subprotocol that the opening request offers. May be called more than once.
    ///
    /// # Panics
    ///
    /// If it is no subprotocol's name, or is offered already.
    #[track_caller]
    pub fn subprotocol(self, name: impl Into<String>) -> Self {
        self.opening(|opening| opening.with_subprotocol(name))
    }

    /// The `Host` header of the opening request. Default: `localhost`.
    ///
    /// # Panics
    ///
    /// If it is empty, or has a character in it that no name, address or port has: a space, `/`, `@`
    /// and the like.
    #[track_caller]
    pub fn host(self, host: impl Into<String>) -> Self {
        self.opening(|opening| opening.with_host(host))
    }

    /// What every session begins with, in the notation of scripts: what the client does after the
    /// opening, before the rest of each script, for a server that wants a message of its own first.
    /// Frames, `wait` and `await`, a step a line. It is part of what is saved, and is never shrunk.
    ///
    /// ```
    /// # async fn my_server(conn: hangup::Connection) {}
    /// let suite = hangup::suite(my_server)
    ///     .subprotocol("graphql-transport-ws")
    ///     .preamble("text \"{\\\"type\\\":\\\"connection_init\\\"}\"\nawait message");
    /// ```
    ///
    /// # Panics
    ///
    /// If it is no script, or has a step that is none of those.
    #[track_caller]
    pub fn preamble(self, preamble: &str) -> Self {
        self.opening(|opening| opening.with_preamble(preamble))
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "a mistake in the test's own code")]
    fn opening(mut self, change: impl FnOnce(Opening) -> Result<Opening, InvalidOpening>) -> Self {
        match change(self.target.opening) {
            Ok(opening) => self.target.opening = opening,
            Err(error) => panic!("{error}"),
        }
        self
    }
}
