//! What every adapter declares: a target made of a name, a version and a function.

use hangup::bounds::Bounds;
use hangup::target::{Deviation, Serving};
use hangup::{AppSteps, Connection, Target};
use std::future::Future;
use std::time::Duration;

/// What every peer is held to, unless its documentation promises another bound.
pub(crate) const BOUND: Duration = Duration::from_secs(5);
// docs/closing-well.md: begin constants
/// The time of one send: a Close may arrive right after it began.
pub(crate) const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
pub(crate) const CLOSE: Duration = Duration::from_secs(3);
// docs/closing-well.md: end

/// A server on somebody else's library.
pub(crate) struct Peer {
    name: &'static str,
    version: &'static str,
    about: &'static str,
    bounds: Bounds,
    obeys: AppSteps,
    deviations: Vec<Deviation>,
    serve: Box<dyn Fn(Connection) -> Serving + Send + Sync>,
}

impl Peer {
    /// A server that closes within [`BOUND`], obeys every command but to keep a handle of
    /// its session, and promises no more.
    pub(crate) fn new<F>(
        name: &'static str,
        version: &'static str,
        about: &'static str,
        serve: fn(Connection) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            name,
            version,
            about,
            bounds: Bounds::close_within(BOUND),
            obeys: AppSteps::SEND | AppSteps::PING | AppSteps::CLOSE | AppSteps::RETURN,
            deviations: Vec::new(),
            serve: Box::new(move |connection| Box::pin(serve(connection))),
        }
    }

    /// Obeys these commands and no other.
    pub(crate) const fn obeying(mut self, steps: AppSteps) -> Self {
        self.obeys = steps;
        self
    }

    /// Promises a whole opening within [`BOUND`], too.
    pub(crate) const fn with_handshake(self) -> Self {
        self.handshake_within(BOUND)
    }

    /// Promises a whole opening within this time, as its documentation says.
    pub(crate) const fn handshake_within(mut self, bound: Duration) -> Self {
        self.bounds.handshake = Some(bound);
        self
    }

    /// Promises an end after this time of silence, as its documentation says.
    pub(crate) const fn idle_within(mut self, bound: Duration) -> Self {
        self.bounds.idle = Some(bound);
        self
    }

    /// Breaks a rule through its library's fault, for this reason.
    pub(crate) fn accepting(mut self, deviation: Deviation) -> Self {
        self.deviations.push(deviation);
        self
    }
}

impl Target for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> &str {
        self.version
    }

    fn about(&self) -> &str {
        self.about
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn obeys(&self) -> AppSteps {
        self.obeys
    }

    fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Some of what the libraries do takes a full buffer and two things at the same
    /// moment: once in a hundred thousand scripts.
    fn stale_after(&self) -> u64 {
        1_000_000
    }

    fn serve(&self, connection: Connection) -> Serving {
        (self.serve)(connection)
    }
}
