//! Whom scripts are played against over TCP: a server at a URL, or a client that a command starts.
//!
//! A connection to either is had here; what is done with it, `play` decides.

use super::client_process::{ClientCommand, ClientRun};
use crate::transport::tcp::endpoint::Endpoint;
use crate::transport::tcp::{ConnectedSocket, connect};
use crate::wire::{Opening, Role};
use std::fmt;

/// The one under test, as it acts at one URL, or by one command.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A server.
    Server(Endpoint),
    /// A client, which connects to hangup.
    Client(ClientCommand),
}

/// A connection with a subject.
pub(super) struct Connected {
    pub socket: ConnectedSocket,
    /// The program, where it is a client's.
    pub client: Option<ClientRun>,
}

impl Subject {
    /// What it is called: the URL, or the command, as it was given.
    pub fn name(&self) -> &str {
        match self {
            Self::Server(endpoint) => &endpoint.url,
            Self::Client(command) => command.line(),
        }
    }

    /// Its role.
    pub const fn role(&self) -> Role {
        match self {
            Self::Server(_) => Role::Server,
            Self::Client(_) => Role::Client,
        }
    }

    /// The server's URL, resolved.
    pub const fn server(&self) -> Option<&Endpoint> {
        match self {
            Self::Server(endpoint) => Some(endpoint),
            Self::Client(_) => None,
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

    /// Connects to the server, or starts the client and waits for it; `window` is the size of the
    /// receive buffer.
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
                Ok(Connected { socket, client: Some(client) })
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
