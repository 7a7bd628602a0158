//! What becomes of suspicions: the one place where a finding is decided, or dismissed.
//!
//! An excuse acquits, by name. Over TCP nobody sees what a server had read when it spoke: a
//! suspicion about an answer then waits for a *control*, the same connection without what
//! seems to have been answered. Where the server does the same, it answered nothing, and is
//! acquitted. A [`Decision`] plays nothing: it says which control it wants, and is told of the
//! exchange, so that the same code decides for virtual time, workers and sockets.

use super::lateness;
use super::obligations::{self, cause_of};
use super::rules::{Case, JudgedFrom, RULES, Rule, Suspicion};
use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Event, Exchange};
use crate::verdict::{
    Control, Dismissal, Ending, Excuse, Identity, Invariant, Reason, Verdict, Violation,
};
use crate::view::View;

/// Judges one connection as far as that is possible without playing again: violations that
/// need a control say so ([`Violation::control`]).
pub fn judge_connection(exchange: &Exchange, connection: ConnectionId, bounds: &Bounds) -> Verdict {
    let view = View::of(exchange, connection);
    let owed = obligations::earliest(&view, bounds);
    let case = Case { view: &view, bounds, owed };
    let mut verdict = Verdict::default();
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| is_judged(rule, &view)) {
        (rule.check)(&case, &mut found);
        for suspicion in found.drain(..) {
            decide(rule, suspicion, &case, &mut verdict);
        }
    }
    verdict.violations.sort_by_key(|violation| violation.identity);
    verdict
}

/// Whether a rule holds for this subject, and from when this connection has got to.
fn is_judged(rule: &Rule, view: &View<'_>) -> bool {
    let open = rule.judged_from == JudgedFrom::Accept || view.opened.is_some();
    rule.asked_of.includes(view.subject_role()) && open
}

/// Convicts or dismisses. Of one rule the first suspicion that nothing excuses convicts.
fn decide(rule: &Rule, suspicion: Suspicion, case: &Case<'_>, verdict: &mut Verdict) {
    // Bytes before the 101 are the client's own violation (4.1): what a server makes
    // of them is its choice, and only what it owes in time is judged.
    let early = case.view.early && rule.judged_from == JudgedFrom::Opening;
    let excuse = early.then_some(Excuse::EarlyBytes).or(suspicion.excuses.first().copied());
    let convicted = |violation: &Violation| violation.identity.invariant() == rule.invariant;
    match excuse {
        Some(excuse) => {
            let violation = violation(rule, suspicion, case);
            verdict.dismissals.push(Dismissal { violation, reason: Reason::Excuse(excuse) });
        }
        None if verdict.violations.iter().any(convicted) => {}
        None => verdict.violations.push(violation(rule, suspicion, case)),
    }
}

/// The suspicion as a violation, with its cause and the connection's ending. Safety has no
/// condition, and as cause what made the server act: one bug is one finding.
fn violation(rule: &Rule, suspicion: Suspicion, case: &Case<'_>) -> Violation {
    let control = control(&suspicion, case.view);
    let Suspicion { level, symptom, fact, events, timing, .. } = suspicion;
    debug_assert!(rule.symptoms.contains(&symptom), "{}: {symptom}", rule.invariant);
    let (invariant, fact) = (rule.invariant, fact.into_owned());
    if let Some((owed, condition, ending)) = timing {
        let identity = Identity::liveness(invariant, owed.cause, condition).with_symptom(symptom);
        return Violation { identity, level, ending, owed: Some(owed), fact, events, control };
    }
    let view = case.view;
    let first = events.first().copied().unwrap_or(view.exchange.events.len());
    // A process that dies is one finding, whatever led to it: of one that did not repeat
    // nothing else is known, and it is to be told by the same words.
    let is_death = view.firsts.died.is_some_and(|died| events.contains(&died))
        || view.firsts.died.is_some() && invariant == Invariant::NoPanic;
    let cause = if is_death { None } else { cause_of(view, case.bounds, first) };
    let ending = match invariant {
        Invariant::NoSpin => Ending::Spinning(view.at(first)),
        _ => lateness::ending(view, case.owed),
    };
    let identity = Identity::safety(invariant, cause).with_symptom(symptom);
    Violation { identity, level, ending, owed: None, fact, events, control }
}

/// The control that a suspicion about an answer needs: it lasts as long as this connection did
/// up to what proves the suspicion.
fn control(suspicion: &Suspicion, view: &View<'_>) -> Option<Control> {
    let last = suspicion.events.iter().max().filter(|_| suspicion.unsure_what_was_answered)?;
    Some(Control::WithoutTheLastSend { lasting: view.at(*last) })
}

/// The decision on one violation that somebody wants to be sure of.
///
/// ```text
/// let mut decision = Decision::on(violation, &exchange, connection);
/// while let Some(control) = decision.control() {
///     decision.tell(&play(control));       // or decision.cannot_play()
/// }
/// match decision.made() { Decided::Violation(..) => .., Decided::Dismissed(..) => .. }
/// ```
#[derive(Clone, Debug)]
pub struct Decision {
    violation: Violation,
    /// What the server did on the connection in question.
    did: WhatItDid,
    acquitted: Option<Control>,
}

impl Decision {
    /// Begins to decide on a violation that a connection of `exchange` showed.
    pub fn on(violation: Violation, exchange: &Exchange, connection: ConnectionId) -> Self {
        let did = WhatItDid::on(exchange, connection);
        Self { violation, did, acquitted: None }
    }

    /// The control to be played next; `None` once nothing more is needed.
    pub const fn control(&self) -> Option<Control> {
        self.violation.control
    }

    /// The control was played, and this is what happened.
    pub fn tell(&mut self, control: &Exchange) {
        let wanted = self.violation.control.take();
        if WhatItDid::on(control, ConnectionId::FIRST) == self.did {
            self.acquitted = wanted;
        }
    }

    /// The script has no such control: the suspicion stands.
    pub fn cannot_play(&mut self) {
        self.violation.control = None;
    }

    /// What was decided.
    pub fn made(self) -> Decided {
        let Self { violation, acquitted, .. } = self;
        match acquitted {
            None => Decided::Violation(violation),
            Some(control) => {
                Decided::Dismissed(Dismissal { violation, reason: Reason::Control(control) })
            }
        }
    }
}

/// Why something is no finding that showed in `shown` of so many plays again.
pub const fn not_repeated(shown: u32, plays: u32) -> Option<Reason> {
    if plays > 0 && shown == 0 { Some(Reason::NotRepeated { plays }) } else { None }
}

/// What a [`Decision`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is a violation, for certain.
    Violation(Violation),
    /// A control acquitted the server.
    Dismissed(Dismissal),
}

impl Decided {
    /// The violation, or what it would have been, and why it is none.
    pub fn into_parts(self) -> (Violation, Option<Reason>) {
        match self {
            Self::Violation(violation) => (violation, None),
            Self::Dismissed(Dismissal { violation, reason }) => (violation, Some(reason)),
        }
    }

    /// Takes it into a verdict.
    pub fn add_to(self, verdict: &mut Verdict) {
        match self {
            Self::Violation(violation) => verdict.violations.push(violation),
            Self::Dismissed(dismissal) => verdict.dismissals.push(dismissal),
        }
    }
}

/// What a server said with its first Close, if it sent one, and whether the actor saw the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WhatItDid {
    close: Option<Box<[u8]>>,
    ended: bool,
}

impl WhatItDid {
    fn on(exchange: &Exchange, connection: ConnectionId) -> Self {
        let view = View::of(exchange, connection);
        let ended = view.events().any(Event::shows_actor_the_end);
        Self { close: view.own_close().and_then(|close| close.close.clone()), ended }
    }
}
