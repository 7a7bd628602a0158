//! `reference-server`: a whole server that shuts down well, written to be read.
//!
//! Its sessions are those of `reference`, each in a task of its own; here is what it takes to
//! keep them apart and to end all of them within one bound. Five things matter:
//!
//! 1. **Nobody waits for a client.** A message for all is put into the queue of each session, and
//!    the server never waits for room in one.
//! 2. **The opening is the session's.** The accept loop only accepts.
//! 3. **The listener goes first.** Who comes during the shutdown is refused, and not held.
//! 4. **All are told at once, and one deadline is for all of them.** What is left then is dropped.
//! 5. **A session takes itself out of the list,** however it ends: by a guard's `Drop`.
//!
//! [`faulty`] has whole servers that get one of them wrong, as people write them.

pub mod faulty;
mod sessions;

use self::faulty::ServerFault;
use self::sessions::Sessions;
use super::{AppSteps, CLOSE, Connection, Serving, Target};
use crate::bounds::Bounds;
use crate::script::{Command, Content};
use crate::target::{Listener, Stop, WholeServer, serve_alone};
use crate::wire::CloseCode;
use std::time::Duration;
use tokio::time::timeout;

/// Beside the sessions' own time to close: to end the task of the last one.
const BESIDE: Duration = Duration::from_millis(500);

/// The bounds: of its sessions those of `reference`, but that idle clients may stay.
pub const BOUNDS: Bounds = Bounds { idle: None, memory: None, ..super::BOUNDS };

/// The targets `reference-server` and `reference-server/...`: honest or with a planted fault.
#[derive(Clone, Copy, Debug)]
pub struct ReferenceServer {
    fault: Option<ServerFault>,
}

impl ReferenceServer {
    /// The server without a fault.
    pub const HONEST: Self = Self { fault: None };

    /// A server with a planted fault.
    pub const fn with(fault: ServerFault) -> Self {
        Self { fault: Some(fault) }
    }
}

impl Target for ReferenceServer {
    fn name(&self) -> &str {
        self.fault.map_or("reference-server", ServerFault::target)
    }

    fn version(&self) -> &'static str {
        concat!("hangup ", env!("CARGO_PKG_VERSION"))
    }

    fn about(&self) -> &str {
        let honest = "a listener with a stop signal (a whole server), whose clients do not delay each other, and which shuts down within a bound";
        self.fault.map_or(honest, ServerFault::about)
    }

    fn bounds(&self) -> Bounds {
        BOUNDS
    }

    fn obeys(&self) -> AppSteps {
        AppSteps::ALL | AppSteps::SHUTDOWN | AppSteps::BROADCAST
    }

    fn is_planted(&self) -> bool {
        self.fault.is_some()
    }

    fn whole(&self) -> Option<&dyn WholeServer> {
        Some(self)
    }

    fn serve(&self, connection: Connection) -> Serving {
        serve_alone(self, connection)
    }
}

impl WholeServer for ReferenceServer {
    fn run(&self, listener: Listener, stop: Stop) -> Serving {
        match self.fault {
            None => Box::pin(serve(listener, stop)),
            Some(fault) => fault.run(listener, stop),
        }
    }
}

/// The whole server. Returning is the end of its shutdown.
async fn serve(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    // Who comes now is refused, and tries another server.
    drop(listener);
    sessions.order_all(&go_away());
    // Each session has the same time; this is for one that is stuck. Dropping them ends the rest.
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

/// Accepts, hands messages for all on, and clears up, until the server is to stop.
async fn serve_until(mut stop: Stop, listener: &Listener, sessions: &mut Sessions) {
    let application = listener.application();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            connection = listener.accept() => sessions.begin(connection),
            command = application.command() => if let Command::Broadcast(message) = command {
                sessions.order_all(&Command::SendText(message));
                // They take it before the next one comes: no queue fills up.
                tokio::task::yield_now().await;
            },
            () = sessions.one_ended() => {}
        }
    }
}

/// What every session is told at the shutdown.
fn go_away() -> Command {
    Command::Close(Some(CloseCode::GOING_AWAY.0), Content::Empty)
}
