//! The judge's words: invariants, causes, conditions, endings, violations.

mod identity;
mod ids;
mod symptoms;

pub(crate) use identity::slug;
pub use identity::{Identity, ParseIdentityError, Pattern, Problem, Variant};
pub use ids::{Cause, Class, Condition, Excuse, Invariant, Level};
pub use symptoms::Symptom;

pub use crate::exchange::{OtherThreads, Time};
use crate::wire::Fault;
use serde::{Deserialize, Serialize};

/// Another play, which decides whether a server acted on what the client did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// The same without the last thing that the client sent, and lasting as long.
    WithoutTheLastSend {
        /// When the connection had shown what the suspicion is about.
        lasting: Time,
    },
}

/// Why a suspicion is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An excuse holds.
    Excuse(Excuse),
    /// The server did the same in a control.
    Control(Control),
    /// It showed once, and in none of so many plays again, alone. Real time only.
    NotRepeated {
        /// How many plays there were.
        plays: u32,
    },
}

impl Reason {
    /// The control that acquitted, where one did.
    pub const fn control(self) -> Option<Control> {
        match self {
            Self::Excuse(_) | Self::NotRepeated { .. } => None,
            Self::Control(control) => Some(control),
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
    /// Not by its deadline in virtual time, in which other threads do not live: nothing is
    /// proven, and it is no finding.
    Unproven(OtherThreads),
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
    /// The control without which it is not certain; `None` where it is. Real time only.
    pub control: Option<Control>,
}

/// All that the judge found on one connection; empty is good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The rules broken, in the order of [`Invariant::ALL`].
    pub violations: Vec<Violation>,
    /// What looked like a broken rule and is none, with the reason.
    pub dismissals: Vec<Dismissal>,
}

impl Verdict {
    /// Whether no rule was broken.
    pub const fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The control that acquitted the server of a violation with this identity, where one did.
    pub fn acquitted(&self, identity: Identity) -> Option<Control> {
        let mut dismissals = self.dismissals.iter();
        dismissals.find_map(|dismissal| {
            identity.stands_for(dismissal.violation.identity).then(|| dismissal.reason.control())?
        })
    }

    /// What cannot be judged in virtual time: suspicions of lateness whose ending other threads
    /// may yet change ([`Ending::Unproven`]).
    pub fn unproven(&self) -> impl Iterator<Item = &Violation> {
        let unproven = Reason::Excuse(Excuse::OtherThreads);
        let dismissals = self.dismissals.iter();
        let unproven = dismissals.filter(move |dismissal| dismissal.reason == unproven);
        unproven.map(|dismissal| &dismissal.violation)
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
