//! Servers under test: the trait, the connection they serve, the registry.
//!
//! A target sees a byte stream and the commands to its application, and never
//! the script. It declares how long it may take ([`Bounds`]), which commands it obeys
//! ([`AppSteps`]) and which rules it is known to break ([`Deviation`]).

#[doc(hidden)]
pub mod changed;
pub mod clock;
mod connection;
pub mod nasty;
mod planted;
pub mod reference;
pub mod reference_client;
#[cfg(feature = "cli")]
mod reopened;
mod server;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;

#[cfg(feature = "cli")]
pub(crate) use reopened::with_opening;

pub use connection::{Application, ApplicationControl, Connection};
pub(crate) use server::{Backlog, ListenerControl, serve_alone};
pub use server::{Listener, Stop, WholeServer};

pub use crate::exchange::Note;
pub use crate::script::AppSteps;
pub use crate::wire::{InvalidOpening, Opening, Role};

use crate::bounds::Bounds;
use crate::excerpt::{MOST_NAMES, excerpt, nearest, tidy};
use crate::script::ConnectionNumber;
use crate::verdict::{Identity, Invariant, Pattern};
use reference::Reference;
use reference::faults::PlantedFault;
use reference::server::ReferenceServer;
use reference::server::faulty::ServerFault;
use reference_client::ReferenceClient;
use reference_client::faults::ClientFault;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// How many connections a script against this target may have.
pub(crate) fn most_connections(target: &dyn Target) -> u8 {
    if target.whole().is_some() { ConnectionNumber::MOST } else { ConnectionNumber::FIRST.get() }
}

/// A deviation that does not fire in so many scripts is stale: those of the built-in
/// targets fire hundreds of times in as many.
pub const STALE_AFTER: u64 = 20_000;

/// Where a deviation is to fire so often, chance does not leave it out: once in 20,000 campaigns.
const DUE: f64 = 10.0;

/// What [`Target::serve`] returns.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server under test: anything that serves one connection over
/// `AsyncRead + AsyncWrite` on tokio's clock.
pub trait Target: Send + Sync {
    /// The name, as given on the command line: `reference`, `tungstenite/no-deadline`.
    fn name(&self) -> &str;

    /// The library under test and its version: `tokio-tungstenite 0.30.0`.
    fn version(&self) -> &str;

    /// One sentence: what this server does.
    fn about(&self) -> &str;

    /// How long it may take. Default: to close within 5 s.
    fn bounds(&self) -> Bounds {
        Bounds::default()
    }

    /// Which commands its application obeys; it is sent no other. Default: none.
    fn obeys(&self) -> AppSteps {
        AppSteps::NONE
    }

    /// The opening request that it is sent, where a script says `upgrade`. Default: `GET /` of
    /// `localhost`.
    fn opening(&self) -> &Opening {
        Opening::usual()
    }

    /// Which end of a connection it is. Default: the server. A client is given its connection before
    /// it has sent its opening request, and may connect at once.
    fn role(&self) -> Role {
        Role::Server
    }

    /// The rules that it is known to break, each with a reason. Default: none.
    fn deviations(&self) -> &[Deviation] {
        &[]
    }

    /// After how many scripts a deviation that did not fire is stale. Default:
    /// [`STALE_AFTER`], and no fewer; more where one takes rare timing.
    fn stale_after(&self) -> u64 {
        STALE_AFTER
    }

    /// Whether it is broken on purpose: then it is tested only where it is named. Default: no.
    fn is_planted(&self) -> bool {
        false
    }

    /// The whole server, with its listener and its shutdown, where that is under test. Then it
    /// serves every connection, those of scripts with one connection too, and
    /// [`serve`](Self::serve) only those of `hangup serve`. Default: none, one connection at a time.
    fn whole(&self) -> Option<&dyn WholeServer> {
        None
    }

    /// Serves one connection to its end. Runs inside a tokio runtime without I/O
    /// whose clock is paused; threads and `std::time` are not part of that world.
    fn serve(&self, connection: Connection) -> Serving;
}

/// A rule that a target is known to break, accepted with a reason.
#[derive(Clone, Copy, Debug)]
pub struct Deviation {
    /// What it accepts: a rule, and where it says so only with one cause or condition.
    pub pattern: Pattern,
    /// Why it is accepted: whose fault it is and what settles it.
    pub reason: &'static str,
    /// The sentence of RFC 6455 at stake, with its section.
    pub rfc: &'static str,
    /// The share of a campaign's scripts that show it, where that is known, as a campaign reports
    /// it: `Some(0.01)` is one of a hundred. One that shows in more than
    /// [three times](crate::finding::share::JUMPED) as many, and in more than chance explains, is
    /// reported: it hides something else by now.
    ///
    /// The rate depends on what is drawn: on the bounds, on the application's steps
    /// ([`Target::obeys`]), and on the version of hangup. It is not judged under other bounds than
    /// the target's own. A rate of more than a third cannot jump.
    ///
    /// One that does not fire is stale only after so many scripts that ten were to show it.
    pub rate: Option<f64>,
}

impl Deviation {
    /// The same, in this share of the scripts.
    pub const fn at_rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Whether it should have fired in so many scripts: not where its rate is too low for that,
    /// nor where it is about [work](Invariant::LinearWork), which a campaign measures with
    /// pieces of a size that its seed names, however many scripts it plays.
    pub fn is_due(&self, scripts: u64) -> bool {
        let expected = |rate: f64| scripts as f64 * rate >= DUE;
        self.pattern.invariant() != Invariant::LinearWork && self.rate.is_none_or(expected)
    }

    /// Whether it accepts findings with this identity.
    pub fn accepts(&self, identity: Identity) -> bool {
        self.pattern.matches(identity)
    }

    /// The place of the first of `deviations` that accepts findings with this identity.
    pub fn accepting(deviations: &[Self], identity: Identity) -> Option<usize> {
        deviations.iter().position(|deviation| deviation.accepts(identity))
    }
}

/// Why no target has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// Nothing is known by this name.
    Unknown {
        /// The name.
        name: String,
        /// The targets that there are.
        known: Vec<String>,
    },
    /// It names planted faults that no server can have together.
    CannotCompose {
        /// The name.
        name: String,
        /// Why no server can have them.
        why: String,
    },
}

impl fmt::Display for NoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                // `nasty/` is all of `nasty/..`.
                let groups = known.iter().filter_map(|name| Some(&name[..=name.find('/')?]));
                let groups: BTreeSet<&str> = groups.filter(|_| name.ends_with('/')).collect();
                let names = groups.into_iter().chain(known.iter().map(String::as_str));
                let near = nearest(name, names).join(", ");
                let group = format!("{name}/");
                let name = excerpt(name);
                if known.iter().any(|known| known.starts_with(&group)) {
                    return write!(
                        f,
                        "no target `{name}`; the group `{name}/` is broken on purpose: name it with its slash"
                    );
                }
                if known.len() > MOST_NAMES {
                    return write!(
                        f,
                        "no target `{name}`; the nearest are: {near}; the command `targets` lists all {}",
                        known.len()
                    );
                }
                write!(f, "no target `{name}`; there are: {near}")
            }
            Self::CannotCompose { name, why } => {
                write!(f, "no target `{}`: {}", excerpt(name), tidy(why))
            }
        }
    }
}

impl std::error::Error for NoTarget {}

/// The targets that a command line knows, in the order in which they were added.
#[derive(Clone, Default)]
pub struct Registry {
    targets: Vec<Arc<dyn Target>>,
}

impl Registry {
    /// No targets.
    pub fn new() -> Self {
        Self::default()
    }

    /// The targets that come with hangup.
    pub fn built_in() -> Self {
        let registry = Reference::STYLES.into_iter().fold(Self::new(), Self::with);
        let registry = PlantedFault::ALL
            .iter()
            .fold(registry, |registry, fault| registry.with(Reference::with(*fault)));
        let registry = registry.with(ReferenceServer::HONEST);
        let registry = ServerFault::ALL
            .iter()
            .fold(registry, |registry, fault| registry.with(ReferenceServer::with(*fault)));
        let registry = registry.with(ReferenceClient::HONEST);
        let registry = ClientFault::ALL
            .iter()
            .fold(registry, |registry, fault| registry.with(ReferenceClient::with(*fault)));
        let registry =
            nasty::Nasty::ALL.iter().fold(registry, |registry, nasty| registry.with(*nasty));
        let registry =
            clock::OwnClock::ALL.iter().fold(registry, |registry, clock| registry.with(*clock));
        #[cfg(feature = "tungstenite")]
        let registry = tungstenite::Style::ALL
            .iter()
            .fold(registry, |registry, style| registry.with(tungstenite::Tungstenite(*style)));
        registry
    }

    /// Adds a target.
    ///
    /// # Panics
    ///
    /// If one of its name is there already.
    pub fn with(mut self, target: impl Target + 'static) -> Self {
        assert!(self.find(target.name()).is_none(), "two targets named {}", target.name());
        self.targets.push(Arc::new(target));
        self
    }

    /// All targets.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Target>> {
        self.targets.iter()
    }

    /// The target of this name among those that were added.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Target>> {
        self.targets.iter().find(|target| target.name() == name)
    }

    /// The target of this name, also one that is composed of planted faults that were
    /// added: `reference/A+B`, in any order.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn resolve(&self, name: &str) -> Result<Arc<dyn Target>, NoTarget> {
        if let Some(target) = self.find(name) {
            return Ok(Arc::clone(target));
        }
        let parts = reference::parts(name).ok_or_else(|| self.unknown(name))?;
        let cannot = |why| NoTarget::CannotCompose { name: name.to_owned(), why };
        let mut faults = Vec::new();
        for part in &parts {
            let target = self.find(part).ok_or_else(|| self.unknown(part))?;
            let fault = PlantedFault::of_target(target.name());
            faults.push(fault.ok_or_else(|| cannot(format!("`{part}` is no planted fault")))?);
        }
        match Reference::with_faults(&faults) {
            Ok(target) => Ok(Arc::new(target)),
            Err(why) => Err(cannot(why.to_string())),
        }
    }

    fn unknown(&self, name: &str) -> NoTarget {
        let known = self.iter().map(|target| target.name().to_owned()).collect();
        NoTarget::Unknown { name: name.to_owned(), known }
    }

    /// The targets that `names` select, each once, in the registry's order, and the
    /// composed ones behind them: a target's own name, or else the part before its slash
    /// for all of a family. No names select all servers, or all clients where no
    /// server is registered. Those that are broken on purpose are
    /// selected by their own names, or by a family with its slash: `reference/`.
    ///
    /// # Errors
    ///
    /// Why the first name that selects nothing does so.
    pub fn select(&self, names: &[String]) -> Result<Vec<Arc<dyn Target>>, NoTarget> {
        if names.is_empty() {
            let honest = self.targets.iter().filter(|target| !target.is_planted());
            let role = if honest.clone().any(|target| target.role() == Role::Server) {
                Role::Server
            } else {
                Role::Client
            };
            return Ok(honest.filter(|target| target.role() == role).cloned().collect());
        }
        let mut chosen = vec![false; self.targets.len()];
        let mut composed: Vec<Arc<dyn Target>> = Vec::new();
        for name in names {
            let selected = |target: &dyn Target| {
                let family = target.name().split_once('/').map(|(family, _)| family);
                target.name() == name
                    || (family == Some(name) && !target.is_planted() && self.find(name).is_none())
                    || (family.is_some() && family == name.strip_suffix('/'))
            };
            let mut any = false;
            for (target, chosen) in self.targets.iter().zip(&mut chosen) {
                let selected = selected(&**target);
                *chosen |= selected;
                any |= selected;
            }
            if !any {
                let target = self.resolve(name)?;
                if composed.iter().all(|other| other.name() != target.name()) {
                    composed.push(target);
                }
            }
        }
        let chosen = self.targets.iter().zip(chosen).filter(|(_, chosen)| *chosen);
        Ok(chosen.map(|(target, _)| Arc::clone(target)).chain(composed).collect())
    }
}
