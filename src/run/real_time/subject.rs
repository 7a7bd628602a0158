//! Whom scripts are played against over TCP: a server at a URL, a client that a command starts, or a
//! browser.
//!
//! A connection to either is had here; what is done with it, `play` decides.

use super::browser::{BROWSER, Browser, PageSocket};
use super::client_process::{ClientCommand, ClientRun};
use super::record::Record;
use crate::exchange::Death;
use crate::transport::tcp::endpoint::Endpoint;
use crate::transport::tcp::{ConnectedSocket, connect};
use crate::wire::{Opening, Role};
use std::fmt;
use std::time::Duration;

/// The one under test, as it acts at one URL, or by one command.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A server.
    Server(Endpoint),
    /// A client, which connects to hangup.
    Client(ClientCommand),
    /// A client too: a browser that somebody opened a page in.
    Browser(Browser),
}

/// A connection with a subject.
pub(super) struct Connected {
    pub socket: ConnectedSocket,
    /// What is in play of a client.
    pub client: Option<ClientInPlay>,
}

/// What is in play of a client beside its connection. Dropped, it is killed, or nothing more is heard of it.
pub(super) enum ClientInPlay {
    /// Its program.
    Program(ClientRun),
    /// A socket of a browser's page.
    Page(PageSocket),
}

impl ClientInPlay {
    /// The number of its process group, where it is a program.
    pub fn group(&self) -> Option<i32> {
        match self {
            Self::Program(program) => Some(program.group()),
            Self::Page(_) => None,
        }
    }

    /// Whether its application says what it is told.
    pub const fn reports(&self) -> bool {
        matches!(self, Self::Page(_))
    }

    /// What its application says goes to `record`.
    pub fn tell(&self, record: &Record) {
        if let Self::Page(socket) = self {
            socket.tell(record);
        }
    }

    /// Whether it is seen to be at work.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Program(program) => program.is_busy(),
            Self::Page(_) => false,
        }
    }

    /// Whether it ends, or its application is told of the end, within so long, and how its process ended.
    pub async fn ended_within(&self, time: Duration) -> Option<Death> {
        match self {
            Self::Program(program) => program.ended_within(time).await,
            Self::Page(socket) => socket.ended_within(time).await.then_some(Death::Unseen),
        }
    }
}

impl Subject {
    /// What it is called: the URL, or the command, as it was given.
    pub fn name(&self) -> &str {
        match self {
            Self::Server(endpoint) => &endpoint.url,
            Self::Client(command) => command.line(),
            Self::Browser(_) => BROWSER,
        }
    }

    /// Its role.
    pub const fn role(&self) -> Role {
        match self {
            Self::Server(_) => Role::Server,
            Self::Client(_) | Self::Browser(_) => Role::Client,
        }
    }

    /// The server's URL, resolved.
    pub const fn server(&self) -> Option<&Endpoint> {
        match self {
            Self::Server(endpoint) => Some(endpoint),
            Self::Client(_) | Self::Browser(_) => None,
        }
    }

    /// The opening request that it is sent; of a client the usual one, which nobody sends.
    pub fn opening(&self) -> &Opening {
        self.server().map_or(Opening::usual(), |endpoint| &endpoint.opening)
    }

    /// What a file says of its opening ([`Endpoint::opening_to_save`]).
    pub fn opening_to_save(&self) -> Opening {
        self.server().map_or_else(Opening::new, Endpoint::opening_to_save)
    }

    /// Whether its application says what it is told.
    pub const fn reports(&self) -> bool {
        matches!(self, Self::Browser(_))
    }

    /// Whether it is a client that hangup speaks TLS to.
    pub(super) fn speaks_tls(&self) -> bool {
        matches!(self, Self::Client(command) if command.speaks_tls())
    }

    /// Connects to the server, or starts the client, or asks the browser's page for a socket, and waits
    /// for it; `window` is the size of the receive buffer.
    ///
    /// # Errors
    ///
    /// One line, behind the name: why there is no connection.
    pub(super) async fn connect(&self, window: Option<u32>) -> Result<Connected, String> {
        match self {
            Self::Server(endpoint) => {
                let socket = connect(endpoint, window).await.map_err(|error| error.to_string())?;
                Ok(Connected { socket, client: None })
            }
            Self::Client(command) => {
                let (socket, client) = command.connect(window).await?;
                Ok(Connected { socket, client: Some(ClientInPlay::Program(client)) })
            }
            Self::Browser(browser) => {
                let (socket, page) = browser.connect(window).await?;
                Ok(Connected { socket, client: Some(ClientInPlay::Page(page)) })
            }
        }
    }
}

impl From<Endpoint> for Subject {
    fn from(endpoint: Endpoint) -> Self {
        Self::Server(endpoint)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
