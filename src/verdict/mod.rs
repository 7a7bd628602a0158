//! The judge's words: rules, causes, conditions, endings, violations.

mod ends;
mod identity;
mod ids;
mod meanings;
mod reached;
mod symptoms;

pub(crate) use ends::name_ends;
pub(crate) use identity::slug;
pub use identity::{Identity, ParseIdentityError, Pattern, Problem, Variant};
pub use ids::{Cause, Class, Condition, Excuse, Invariant, Level};
pub use reached::Reached;
pub use symptoms::Symptom;

pub use crate::exchange::{ConnectionId, Lack, OtherThreads, Time};
use crate::wire::Fault;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Another play, which decides whether an excuse holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The same without what seems to have prompted the server, and without anything that the
    /// client sent after it. A server that does the same was not prompted by it: it is acquitted.
    Unprompted {
        /// What is left out.
        prompt: Prompt,
        /// How long it lasts: as long as it took to show what the suspicion is about.
        lasting: Time,
    },
    /// The same without what is said to excuse the server; where that is a coincidence of two
    /// moments, with every pause a few milliseconds shorter or longer. A server that shows the
    /// same symptom is convicted.
    Without(Excuses),
    /// The same client without the others, with the same commands to the server. A server that does
    /// the same is acquitted.
    Alone,
}

/// What seems to have made a server act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// What the client sent.
    Sent {
        /// How many bytes of the client's came before it, those of its request not counted.
        from: u32,
    },
    /// The application's wish to close.
    Application,
}

/// Excuses that may hold, and the control that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The excuses.
    pub excuses: Excuses,
    /// The play that decides whether they hold.
    pub control: Control,
}

/// A set of excuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excuses(u32);

impl Excuses {
    /// This one too.
    #[must_use]
    pub const fn and(self, excuse: Excuse) -> Self {
        Self(self.0 | 1 << excuse as u32)
    }

    /// Whether it is among them.
    pub const fn contain(self, excuse: Excuse) -> bool {
        self.0 & 1 << excuse as u32 != 0
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// They, in the order of [`Excuse::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Excuse> {
        Excuse::ALL.iter().copied().filter(move |excuse| self.contain(*excuse))
    }
}

impl FromIterator<Excuse> for Excuses {
    fn from_iter<T: IntoIterator<Item = Excuse>>(excuses: T) -> Self {
        excuses.into_iter().fold(Self::default(), Self::and)
    }
}

/// Their names: `the client had sent FIN, the server had crashed`.
impl std::fmt::Display for Excuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.iter().map(Excuse::id).collect();
        f.write_str(&names.join(", "))
    }
}

/// Why a suspicion is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An excuse holds.
    Excuse(Excuse),
    /// An excuse may hold, and a control did not refute it.
    Control(Doubt),
    /// It showed once, and in none of so many plays again, alone. Real time only.
    NotRepeated {
        /// How many plays there were.
        plays: u32,
    },
}

impl Reason {
    /// The excuses that a control upheld, where one did.
    pub const fn upheld(self) -> Option<Doubt> {
        match self {
            Self::Excuse(_) | Self::NotRepeated { .. } => None,
            Self::Control(doubt) => Some(doubt),
        }
    }
}

/// A suspicion that is not held against the server, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissal {
    /// What it would have been.
    pub violation: Violation,
    /// Why it is none.
    pub reason: Reason,
}

/// How a connection ended, measured against what was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// By its deadline, or with nothing owed.
    InTime,
    /// After its deadline, at exactly this time.
    Late(Time),
    /// Never: proven, nothing is left that could end it.
    Never,
    /// Not yet, while timers keep firing, this many microseconds apart on average.
    Ticking(u64),
    /// Not, because the server polls for ever while time stands still, from this time on.
    Spinning(Time),
    /// Not by this time, when watching ended; nothing was proven (real time only).
    Open(Time),
    /// Virtual time cannot tell: nothing is proven, and it is no finding.
    Unproven(WhyUnproven),
}

/// Why virtual time cannot tell how a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhyUnproven {
    /// Other threads are at work, whose time is not virtual.
    Threads(OtherThreads),
    /// The server asked for what its runtime does not have there.
    Lack(Lack),
}

/// As a clause.
impl fmt::Display for WhyUnproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(threads) => write!(f, "{threads}"),
            Self::Lack(lack) => write!(f, "the server {lack}, which virtual time does not have"),
        }
    }
}

impl Ending {
    /// The names of all of them.
    pub const KINDS: [&'static str; 7] =
        ["in time", "late", "never", "ticking", "spinning", "open", "unproven"];

    /// The ending's name in files and JSON.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::InTime => "in time",
            Self::Late(_) => "late",
            Self::Never => "never",
            Self::Ticking(_) => "ticking",
            Self::Spinning(_) => "spinning",
            Self::Open(_) => "open",
            Self::Unproven(_) => "unproven",
        }
    }

    /// The time that belongs to it, where one does.
    pub const fn at(self) -> Option<Time> {
        match self {
            Self::Late(at) | Self::Spinning(at) | Self::Open(at) => Some(at),
            Self::InTime | Self::Never | Self::Ticking(_) | Self::Unproven(_) => None,
        }
    }
}

/// An obligation: the end of the connection is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// What obliges.
    pub cause: Cause,
    /// Since when.
    pub since: Time,
    /// By when.
    pub deadline: Time,
    /// The event that armed it; for [`Cause::Handshake`] the first of the exchange.
    pub event: usize,
    /// For [`Cause::ClientViolation`], what the client did wrong.
    pub fault: Option<Fault>,
}

/// One rule broken on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule, why and under what condition.
    pub identity: Identity,
    /// The connection on which it shows; what is the whole server's stands on the first. No part of the identity.
    pub connection: ConnectionId,
    /// How strongly the RFC asks for it in this case.
    pub level: Level,
    /// How the connection ended.
    pub ending: Ending,
    /// What was owed, where the rule is about time.
    pub owed: Option<Owed>,
    /// What happened, in a few words without a subject's feelings: `sent Text after its Close`.
    pub fact: String,
    /// Indices into the exchange of the events that prove it.
    pub events: Vec<usize>,
    /// What has to be settled by controls before it is certain; none where it is.
    pub doubts: Vec<Doubt>,
    /// The excuses that controls have refuted.
    pub refuted: Excuses,
}

impl Invariant {
    /// Whether what breaks it is no connection's, but the whole server's.
    pub const fn is_told_of_the_whole_server(self) -> bool {
        matches!(self, Self::ShutsDownInTime | Self::FreesResources)
    }

    /// Whether it is about a whole server, with all its connections: it is judged only where one
    /// was played.
    pub const fn is_of_a_whole_server(self) -> bool {
        matches!(
            self,
            Self::ShutsDownInTime
                | Self::ClosesAllAtShutdown
                | Self::IsolatesClients
                | Self::StopsAccepting
                | Self::FreesResources
        )
    }

    /// Whether it is asked of clients alone.
    pub const fn is_of_clients(self) -> bool {
        matches!(
            self,
            Self::ConnectsInTime
                | Self::CloseReturns
                | Self::FreshMaskingKey
                | Self::LetsServerCloseTcp
                | Self::RefusesBadOpening
        )
    }
}

impl Violation {
    /// Whether it stands for something that the server asked for and its runtime lacks. No
    /// deviation accepts that: nobody knows what else the server would have done.
    pub const fn is_lack(&self) -> bool {
        matches!(self.ending, Ending::Unproven(WhyUnproven::Lack(_)))
    }
}

/// All that the judge found on one connection; empty is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The rules broken, in the order of [`Invariant::ALL`].
    pub violations: Vec<Violation>,
    /// What looked like a broken rule and is none, with the reason.
    pub dismissals: Vec<Dismissal>,
    /// How far the connection got.
    pub reached: Reached,
}

impl Verdict {
    /// Whether no rule was broken.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The excuse that a control upheld for a violation with this identity, where one did.
    pub fn acquitted(&self, identity: Identity) -> Option<Doubt> {
        let mut dismissals = self.dismissals.iter();
        dismissals.find_map(|dismissal| {
            identity.stands_for(dismissal.violation.identity).then(|| dismissal.reason.upheld())?
        })
    }

    /// What cannot be judged in virtual time ([`Ending::Unproven`]): suspicions of lateness whose
    /// ending other threads may yet change, and that the server asked for what its runtime lacks.
    pub fn unproven(&self) -> impl Iterator<Item = &Violation> {
        let excuses = [Excuse::OtherThreads, Excuse::RuntimeLacks].map(Reason::Excuse);
        let dismissals = self.dismissals.iter();
        let unproven = dismissals.filter(move |dismissal| excuses.contains(&dismissal.reason));
        let violations = unproven.map(|dismissal| &dismissal.violation);
        violations.filter(|violation| matches!(violation.ending, Ending::Unproven(_)))
    }

    /// The violation that this identity [stands for](Identity::stands_for), where there is one.
    pub fn find(&self, identity: Identity) -> Option<&Violation> {
        self.violations.iter().find(|violation| identity.stands_for(violation.identity))
    }

    /// The violation that shows the same as this identity, as far as that is seen up to the
    /// deadline ([`Identity::same_at_the_deadline`]).
    pub fn find_at_the_deadline(&self, identity: Identity) -> Option<&Violation> {
        let same = |violation: &&Violation| identity.same_at_the_deadline(violation.identity);
        self.find(identity).or_else(|| self.violations.iter().find(same))
    }
}
