//! What becomes of suspicions: the one place where a finding is decided, or dismissed.
//!
//! An excuse acquits where it certainly holds. Where it only may, a *control* decides: the same
//! script without what is said to be the reason, or with its pauses moved ([`Control`]). A
//! [`Decision`] plays nothing: it says which control it wants, and is told of the exchange, so
//! that the same code decides for virtual time, workers and sockets.

use super::lateness;
use super::obligations::{self, cause_of};
use super::rules::{Case, JudgedFrom, RULES, Rule, Suspicion, frees_resources, isolates_clients};
use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Exchange, Note, Time};
use crate::verdict::{
    Control, Dismissal, Doubt, Ending, Excuse, Excuses, Identity, Invariant, Owed, Reached, Reason,
    Symptom, Verdict, Violation, WhyUnproven, name_ends,
};
use crate::view::View;

/// Judges one connection as far as that is possible without playing again. What controls have
/// to settle is in [`Violation::doubts`]: of a dismissal, whether its excuse holds; of a
/// violation, whether the server acted by itself.
pub fn judge_connection(exchange: &Exchange, connection: ConnectionId, bounds: &Bounds) -> Verdict {
    let view = View::of(exchange, connection);
    let owed = obligations::earliest(&view, bounds);
    let case = Case { view: &view, bounds, owed };
    let mut verdict = Verdict { reached: reached(&view, owed), ..Verdict::default() };
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| is_judged(rule, &view)) {
        suspect(rule, &case, &mut found);
        for suspicion in found.drain(..) {
            decide(rule, suspicion, &case, &mut verdict);
        }
    }
    verdict.violations.sort_by_key(|violation| violation.identity);
    verdict
}

/// How far the connection got.
fn reached(view: &View<'_>, owed: Option<Owed>) -> Reached {
    let has = |wanted: fn(&Note) -> bool| view.notes.iter().any(|(_, note)| wanted(note));
    Reached {
        opened: view.opened.is_some(),
        closed: view.own_close().is_some() || view.actor_close().is_some(),
        ended: view.ended().is_some(),
        cause: owed.map(|owed| owed.cause),
        took_close: has(|note| *note == Note::BeganToClose),
        took_return: has(|note| *note == Note::BeganToReturn),
        took_send: has(|note| matches!(note, Note::Sends { .. })),
    }
}

/// What a rule's check finds, with all the excuses that may hold.
fn suspect(rule: &Rule, case: &Case<'_>, found: &mut Vec<Suspicion>) {
    (rule.check)(case, found);
    // Bytes before the 101 are the client's own violation (4.1): what a server makes of them
    // is its choice. What it sends by itself is not.
    if case.view.early && rule.judged_from == JudgedFrom::Answers {
        for suspicion in found.iter_mut() {
            suspicion.excuses.push(Excuse::EarlyBytes);
        }
    }
    // Nobody knows what the server would have done in a runtime that has what it asked for.
    if case.view.firsts.lacked.is_some() {
        for suspicion in found {
            suspicion.excuses.insert(0, Excuse::RuntimeLacks);
        }
    }
}

/// Whether a rule holds for this subject, and from when this connection has got to.
fn is_judged(rule: &Rule, view: &View<'_>) -> bool {
    let open = rule.judged_from == JudgedFrom::Accept || view.opened.is_some();
    rule.asked_of.includes(view.subject_role()) && open
}

/// Convicts or dismisses. Of one rule the first suspicion that nothing excuses convicts.
fn decide(rule: &Rule, suspicion: Suspicion, case: &Case<'_>, verdict: &mut Verdict) {
    let suspect = |excuse: &&Excuse| **excuse != Excuse::ActedByItself;
    let certain = suspicion.excuses.iter().find(|excuse| control_of(**excuse).is_none());
    let excuse = certain.or(suspicion.excuses.iter().find(suspect)).copied();
    let doubts = if certain.is_some() { Vec::new() } else { doubts(&suspicion, case.view) };
    let convicted = |violation: &Violation| violation.identity.invariant() == rule.invariant;
    match excuse {
        Some(excuse) => {
            let violation = Violation { doubts, ..violation(rule, suspicion, case) };
            verdict.dismissals.push(Dismissal { violation, reason: Reason::Excuse(excuse) });
        }
        None if verdict.violations.iter().any(convicted) => {}
        None => verdict.violations.push(Violation { doubts, ..violation(rule, suspicion, case) }),
    }
}

/// How a control settles whether an excuse holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ControlKind {
    /// By leaving out what seems to have prompted the server.
    Unprompted,
    /// By leaving out what excuses it.
    Without,
    /// By leaving out the other clients.
    Alone,
}

/// Which control decides whether an excuse holds; `None` where none can, or need: it holds for
/// certain, another rule speaks of it, or the same script without it is drawn as often.
/// `docs/architecture.md` has the reasons.
const fn control_of(excuse: Excuse) -> Option<ControlKind> {
    match excuse {
        Excuse::AfterMessage | Excuse::AfterQuiet | Excuse::AboutData | Excuse::ActedByItself => {
            Some(ControlKind::Unprompted)
        }
        Excuse::SameAlone => Some(ControlKind::Alone),
        // Not by what prompted it: a frame that wakes a server makes it send what had waited.
        Excuse::WaitedForRoom
        | Excuse::ApplicationClosed
        | Excuse::RoomCameTooLate
        | Excuse::EarlyBytes
        | Excuse::ClientGone
        | Excuse::ClientFin
        | Excuse::ApplicationLeft
        | Excuse::WideLength
        | Excuse::UnusualCode
        | Excuse::HalfFrame => Some(ControlKind::Without),
        Excuse::Crashed
        | Excuse::RuntimeLacks
        | Excuse::OtherThreads
        | Excuse::NoRoom
        | Excuse::CutOff
        | Excuse::ServerClosedFirst
        | Excuse::ServerFailed
        | Excuse::BlamesTheClient
        | Excuse::ClientsOwnCode
        | Excuse::NobodyCouldSee => None,
    }
}

/// What controls have to settle about a suspicion. All that is left out is left out at once:
/// where two excuses hold, a play without one of them would still be excused by the other.
fn doubts(suspicion: &Suspicion, view: &View<'_>) -> Vec<Doubt> {
    let last = suspicion.events.iter().max().map_or(Time::ZERO, |event| view.at(*event));
    let unprompted = suspicion.prompt.map(|prompt| Control::Unprompted { prompt, lasting: last });
    let by_prompt = |excuse: &Excuse| {
        unprompted.is_some() && control_of(*excuse) == Some(ControlKind::Unprompted)
    };
    let (own_reasons, others): (Vec<Excuse>, Vec<Excuse>) =
        suspicion.excuses.iter().copied().partition(by_prompt);
    let is_alone = |excuse: &Excuse| control_of(*excuse) == Some(ControlKind::Alone);
    let (alone, others): (Vec<Excuse>, Vec<Excuse>) = others.into_iter().partition(is_alone);
    let own_reasons: Excuses = own_reasons.into_iter().collect();
    let others: Excuses = others.into_iter().collect();
    let alone: Excuses = alone.into_iter().collect();
    let alone = (!alone.is_empty()).then_some(Doubt { excuses: alone, control: Control::Alone });
    let unprompted = unprompted.filter(|_| !own_reasons.is_empty());
    let unprompted = unprompted.map(|control| Doubt { excuses: own_reasons, control });
    let without = Doubt { excuses: others, control: Control::Without(others) };
    let without = (!others.is_empty()).then_some(without);
    unprompted.into_iter().chain(without).chain(alone).collect()
}

/// The suspicion as a violation, with its cause and the connection's ending. Safety has no
/// condition, and as cause what made the server act: one bug is one finding.
fn violation(rule: &Rule, suspicion: Suspicion, case: &Case<'_>) -> Violation {
    let Suspicion { level, symptom, fact, events, timing, .. } = suspicion;
    debug_assert!(rule.symptoms.contains(&symptom), "{}: {symptom}", rule.invariant);
    let (invariant, subject) = (rule.invariant, case.view.subject_role());
    let fact = match invariant {
        // The words of a panic are the program's own.
        Invariant::NoPanic => fact.into_owned(),
        _ => name_ends(&fact, Some(subject)).into_owned(),
    };
    let (doubts, refuted) = (Vec::new(), Excuses::default());
    if let Some((owed, condition, ending)) = timing {
        let identity = Identity::liveness(invariant, owed.cause, condition);
        let identity = identity.with_symptom(symptom).of_subject(subject);
        let owed = Some(owed);
        return Violation {
            identity,
            connection: case.view.connection(),
            level,
            ending,
            owed,
            fact,
            events,
            doubts,
            refuted,
        };
    }
    let view = case.view;
    let first = events.first().copied().unwrap_or(view.exchange.events.len());
    // A process that dies is one finding, whatever led to it: of one that did not repeat
    // nothing else is known, and it is to be told by the same words.
    let is_death = view.firsts.died.is_some_and(|died| events.contains(&died))
        || view.firsts.died.is_some() && invariant == Invariant::NoPanic;
    let cause = if is_death { None } else { cause_of(view, case.bounds, first) };
    let ending = match (invariant, view.lack()) {
        (Invariant::NoSpin, _) => Ending::Spinning(view.at(first)),
        (Invariant::NoPanic, Some((_, lack))) => Ending::Unproven(WhyUnproven::Lack(lack)),
        _ => lateness::ending(view, case.owed),
    };
    let identity = Identity::safety(invariant, cause).with_symptom(symptom).of_subject(subject);
    let connection = view.connection();
    Violation { identity, connection, level, ending, owed: None, fact, events, doubts, refuted }
}

/// The decision on one violation, or dismissal, about which there are doubts.
///
/// ```text
/// let mut decision = Decision::on(violation, &exchange, connection, &bounds);
/// while let Some(control) = decision.control() {
///     decision.tell(&play(control));       // or decision.cannot_play()
/// }
/// match decision.made() { Decided::Violation(..) => .., Decided::Dismissed(..) => .. }
/// ```
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    violation: Violation,
    exchange: &'a Exchange,
    connection: ConnectionId,
    bounds: Bounds,
    upheld: Option<Reason>,
}

impl<'a> Decision<'a> {
    /// Begins to decide on a violation that a connection of `exchange` showed.
    pub fn on(
        violation: Violation,
        exchange: &'a Exchange,
        connection: ConnectionId,
        bounds: &Bounds,
    ) -> Self {
        Self { violation, exchange, connection, bounds: *bounds, upheld: None }
    }

    /// The control to be played next; `None` once nothing more is needed.
    pub fn control(&self) -> Option<Control> {
        let doubt = self.violation.doubts.first().filter(|_| self.upheld.is_none())?;
        Some(doubt.control)
    }

    /// The control was played, and this is what happened.
    pub fn tell(&mut self, played: &Exchange) {
        let doubt = self.violation.doubts.remove(0);
        let refuted = match doubt.control {
            Control::Unprompted { lasting, .. } => {
                let did = SubjectAction::on(self.exchange, self.connection, lasting);
                SubjectAction::on(played, self.connection, lasting) != did
            }
            Control::Without(excuses) => self.shows(played, excuses),
            Control::Alone => !self.does_the_same_alone(played),
        };
        if refuted {
            let both = self.violation.refuted.iter().chain(doubt.excuses.iter());
            self.violation.refuted = both.collect();
        } else {
            self.upheld = Some(Reason::Control(doubt));
        }
    }

    /// The script has no such control. Who may have acted by itself stays under suspicion;
    /// another excuse holds.
    pub fn cannot_play(&mut self) {
        let doubt = self.violation.doubts.remove(0);
        let mut others = doubt.excuses.iter().filter(|excuse| *excuse != Excuse::ActedByItself);
        self.upheld = others.next().map(Reason::Excuse);
    }

    /// Whether a control shows the same symptom with nothing left to excuse it: only a
    /// coincidence that happens again, though the pauses are others, is none.
    fn shows(&self, played: &Exchange, left_out: Excuses) -> bool {
        let identity = self.violation.identity;
        if !self.says_the_same(played) {
            return false;
        }
        let shown = suspicions(played, self.connection, identity.invariant(), &self.bounds);
        let is_refuted = |excuse: &Excuse| match *excuse {
            Excuse::RoomCameTooLate => left_out.contain(Excuse::RoomCameTooLate),
            excuse => self.violation.refuted.contain(excuse) && !left_out.contain(excuse),
        };
        shown.iter().any(|(symptom, excuses)| {
            Some(*symptom) == identity.symptom() && excuses.iter().all(is_refuted)
        })
    }

    /// Whether the server does to this client alone, the first of the control, what it did to it beside
    /// others.
    fn does_the_same_alone(&self, played: &Exchange) -> bool {
        let Some(symptom) = self.violation.identity.symptom() else { return true };
        let alone = View::of(played, ConnectionId::FIRST);
        if self.violation.identity.invariant() == Invariant::FreesResources {
            let here = View::of(self.exchange, self.connection);
            return frees_resources::as_much_is_left(&alone, &here, symptom);
        }
        !isolates_clients::comes_at_once(&alone, symptom)
    }

    /// Whether the server's Close has the same code in a control, where the rule is about that: a
    /// server that refuses each violation with a wrong code has not refused this one, if what it
    /// sent here was its application's own Close.
    fn says_the_same(&self, played: &Exchange) -> bool {
        let code = |exchange, connection| View::of(exchange, connection).own_close()?.code();
        let is_about_the_code = matches!(
            self.violation.identity.invariant(),
            Invariant::RefusesIllegal | Invariant::AcceptsLegal | Invariant::EchoesCode
        );
        !is_about_the_code || code(self.exchange, self.connection) == code(played, self.connection)
    }

    /// What was decided.
    pub fn made(self) -> Decided {
        let Self { violation, upheld, .. } = self;
        match upheld {
            None => Decided::Violation(violation),
            Some(reason) => Decided::Dismissed(Dismissal { violation, reason }),
        }
    }
}

/// What looks as if a rule were broken on a connection, with the excuses.
fn suspicions(
    exchange: &Exchange,
    connection: ConnectionId,
    invariant: Invariant,
    bounds: &Bounds,
) -> Vec<(Symptom, Vec<Excuse>)> {
    let view = View::of(exchange, connection);
    let rule = invariant.rule();
    if !is_judged(rule, &view) {
        return Vec::new();
    }
    let owed = obligations::earliest(&view, bounds);
    let mut found = Vec::new();
    suspect(rule, &Case { view: &view, bounds, owed }, &mut found);
    found.into_iter().map(|suspicion| (suspicion.symptom, suspicion.excuses)).collect()
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

/// What a server did up to a time; what came later, it may have done for another reason.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SubjectAction {
    /// It sent a Close with this payload.
    Close(Box<[u8]>),
    /// It sent none, or part of one, and ended the connection.
    Ended,
    /// Neither.
    Nothing,
}

impl SubjectAction {
    fn on(exchange: &Exchange, connection: ConnectionId, upto: Time) -> Self {
        let view = View::of(exchange, connection);
        let upto = upto.after(exchange.timing_slack).after(exchange.transit);
        let own = view.own_close().filter(|own| view.at(own.started) <= upto);
        match own.and_then(|own| own.close.clone()) {
            Some(payload) => Self::Close(payload),
            None if view.ended().is_some_and(|ended| view.at(ended) <= upto) => Self::Ended,
            None => Self::Nothing,
        }
    }
}
