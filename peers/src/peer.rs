//! What every adapter declares: a target made of a role, a name, a version and a function.

use hangup::bounds::Bounds;
use hangup::target::{Deviation, Role, Serving, WholeServer};
use hangup::{AppSteps, Connection, Listener, Stop, Suite, Target};
use std::future::Future;
use std::time::Duration;

/// What every peer is held to, unless its documentation promises another bound.
pub(crate) const BOUND: Duration = Duration::from_secs(5);

/// A server, or a client, on somebody else's library.
pub(crate) struct Peer {
    name: &'static str,
    version: &'static str,
    about: &'static str,
    role: Role,
    bounds: Bounds,
    obeys: AppSteps,
    deviations: Vec<Deviation>,
    served: Box<dyn Target>,
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
        let obeys = AppSteps::SEND | AppSteps::PING | AppSteps::CLOSE | AppSteps::RETURN;
        let suite = hangup::suite(serve).close_within(BOUND).obeying(obeys);
        Self::of(name, version, about, suite)
    }

    /// A whole server that closes and shuts down within [`BOUND`] and a second, hands messages for
    /// all on, and promises no more.
    pub(crate) fn whole<F>(
        name: &'static str,
        version: &'static str,
        about: &'static str,
        server: fn(Listener, Stop) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let suite = hangup::server_suite(server).close_within(BOUND).obeying(AppSteps::BROADCAST);
        Self::of(name, version, about, suite)
    }

    /// A client, that otherwise declares what a server does.
    pub(crate) fn client<F>(
        name: &'static str,
        version: &'static str,
        about: &'static str,
        connect: fn(Connection) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { role: Role::Client, ..Self::new(name, version, about, connect) }
    }

    /// One of the guide's servers or clients: `peers/examples` has it whole, with its promises.
    pub(crate) fn of(
        name: &'static str,
        version: &'static str,
        about: &'static str,
        suite: Suite,
    ) -> Self {
        let target = suite.into_target();
        Self {
            name,
            version,
            about,
            role: target.role(),
            bounds: target.bounds(),
            obeys: target.obeys(),
            deviations: target.deviations().to_vec(),
            served: Box::new(target),
        }
    }

    /// Obeys these commands and no other.
    pub(crate) const fn obeying(mut self, steps: AppSteps) -> Self {
        self.obeys = steps;
        self
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

    fn role(&self) -> Role {
        self.role
    }

    fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Some of what the libraries do takes a full buffer and two things at the same
    /// moment: once in a hundred thousand scripts.
    fn stale_after(&self) -> u64 {
        1_000_000
    }

    fn whole(&self) -> Option<&dyn WholeServer> {
        self.served.whole()
    }

    fn serve(&self, connection: Connection) -> Serving {
        self.served.serve(connection)
    }
}
