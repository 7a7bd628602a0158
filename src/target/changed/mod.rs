//! Targets that are changed on purpose: what a server or a client sends, reads or when it lets go goes
//! through a wrapper between it and its transport, which breaks a rule. Changes are said as of a server;
//! of a client, it is the server's Close that it answers.
//!
//! Recall is measured with them (`cargo bench --bench recall`): how many of the plays that
//! certainly break a rule the judge convicts. Planted faults are mistakes of a server's code, and
//! show where that code goes wrong; a change shows in every play in which it takes effect, and
//! also in the controls of that play. A change knows frames, and neither scripts nor rules:
//! whether a play with it breaks a rule is for the bench to say.

mod input;
mod output;
mod stream;

use self::stream::ChangedStream;
use super::{AppSteps, Connection, Deviation, Listener, Role, Serving, Stop, Target, WholeServer};
use crate::bounds::Bounds;
use std::sync::Arc;
use std::time::Duration;

/// What is changed. An *answer* is a Close that the server sends after it has read a legal one
/// of the client's; any other Close is its *own*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the exchange is the same as without the wrapper.
    Nothing,
    /// The answer is not sent, nor anything behind it.
    DropAnswer,
    /// Only so many bytes of the answer are sent, all but one at most, and nothing behind them.
    CutAnswer(usize),
    /// The same of an own Close.
    CutOwnClose(usize),
    /// The answer has this code, or none, and no reason.
    RecodeAnswer(Option<u16>),
    /// FIN instead of the answer.
    FinBeforeAnswer,
    /// FIN instead of an own Close.
    FinBeforeOwnClose,
    /// An own Close is not sent, nor anything behind it.
    LeaveOutOwnClose,
    /// The first Close is sent twice.
    CloseTwice,
    /// A text comes behind the first Close.
    DataBehindClose,
    /// Bytes that are no frame come behind the first Close.
    BytesBehindClose,
    /// The first Close is masked; a client's is unmasked.
    MaskClose,
    /// The frame of this number, from 0, is masked; a client's is unmasked.
    MaskFrame(usize),
    /// All frames of a client have the same key.
    SameKey,
    /// The message of this number, from 0, is not sent.
    LoseMessage(usize),
    /// The message of this number, from 0, comes behind the next one.
    SwapMessages(usize),
    /// The server does not get to see the client's unfragmented message of this number, from 0.
    HideMessage(usize),
    /// FIN and the release of the transport come so much later.
    EndLater(Duration),
    /// Neither FIN nor the release of the transport ever comes.
    NeverEnd,
    /// The server does not get to see violations of the client's: it goes on as if there were
    /// none.
    ServeViolations,
}

/// A target with a change.
pub struct Changed {
    target: Arc<dyn Target>,
    change: Change,
    name: String,
}

impl Changed {
    /// `target`, changed.
    pub fn new(target: Arc<dyn Target>, change: Change) -> Self {
        let name = format!("{} with {change:?}", target.name());
        Self { target, change, name }
    }
}

impl Target for Changed {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        self.target.version()
    }

    fn about(&self) -> &'static str {
        "a change between an endpoint and its transport"
    }

    fn bounds(&self) -> Bounds {
        self.target.bounds()
    }

    fn obeys(&self) -> AppSteps {
        self.target.obeys()
    }

    fn role(&self) -> Role {
        self.target.role()
    }

    fn deviations(&self) -> &[Deviation] {
        self.target.deviations()
    }

    fn is_planted(&self) -> bool {
        self.change != Change::Nothing
    }

    fn whole(&self) -> Option<&dyn WholeServer> {
        self.target.whole().map(|_| self as &dyn WholeServer)
    }

    fn serve(&self, connection: Connection) -> Serving {
        self.target.serve(changed(connection, self.change, self.role()))
    }
}

/// Of a whole server the first connection is changed.
impl WholeServer for Changed {
    fn run(&self, listener: Listener, stop: Stop) -> Serving {
        let (change, role) = (self.change, self.role());
        let wrap = move |number, connection| match number {
            0 => changed(connection, change, role),
            _ => connection,
        };
        match self.target.whole() {
            Some(server) => server.run(listener.wrapping(wrap), stop),
            None => Box::pin(async {}),
        }
    }
}

fn changed(connection: Connection, change: Change, role: Role) -> Connection {
    connection.wrapped(|io| ChangedStream::new(io, change, role))
}
