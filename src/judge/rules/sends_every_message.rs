//! `sends-every-message`: what the application had sent before it closed comes before the Close.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Note;
use crate::judge::deliveries::{HELD_BACK, Pairs, pair};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, Message, View, messages};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::SendsEveryMessage,
    class: Class::Safety,
    section: "-",
    quote: None,
    says: "A message that the application sent before it closed reaches the client whole, in order and once, before the Close.",
    explains: "RFC 6455 does not say it; whoever calls send() and then close() expects it. Usual causes: the\n\
              close throws a queue away, aborts a writer task with messages in it, or takes another path\n\
              to the socket than the messages. Judged of applications that hangup can command to send.\n\n\
              Send the Close through the same queue as the messages, after them, and end the writer\n\
              when the queue is empty or the deadline has passed. Not judged where the client\n\
              does not read, has closed, broke a rule or disconnected.",
    asked_of: AskedOf::Both("every endpoint has an application that sends"),
    judged_from: JudgedFrom::Opening,
    symptoms: &[
        Symptom::MessageLost,
        Symptom::MessageCut,
        Symptom::MessagesSwapped,
        Symptom::MessageTwice,
    ],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let taken = taken(case.view);
    if !taken.is_empty() {
        out.extend(Deliveries::of(case.view, &taken).and_then(|deliveries| deliveries.wrong()));
    }
}

/// A message that the application took the command to send.
struct Taken {
    event: usize,
    text: bool,
    bytes: u32,
    fingerprint: u64,
}

impl Taken {
    fn words(&self) -> String {
        let kind = if self.text { "text" } else { "binary message" };
        let plural = if self.bytes == 1 { "" } else { "s" };
        format!("a {kind} of {} byte{plural}", self.bytes)
    }
}

/// Before the connection is open there is nobody to send anything to.
fn taken(view: &View<'_>) -> Vec<Taken> {
    let Some(opened) = view.opened else { return Vec::new() };
    let taken = |(event, note): &(usize, Note)| match *note {
        Note::Sends { text, bytes, fingerprint } if *event > opened => {
            Some(Taken { event: *event, text, bytes, fingerprint })
        }
        _ => None,
    };
    view.notes.iter().filter_map(taken).collect()
}

/// What was to be sent, and what was.
struct Deliveries<'a> {
    view: &'a View<'a>,
    taken: &'a [Taken],
    /// The messages that the server sent before its Close, the last perhaps in part.
    wire: Vec<Message>,
    /// Their fingerprints, of those that may be one of the application's.
    fingerprints: Vec<Option<u64>>,
}

impl<'a> Deliveries<'a> {
    /// `None` where the server's frames cannot be trusted.
    fn of(view: &'a View<'a>, taken: &'a [Taken]) -> Option<Self> {
        let close = view.subject_frames.iter().position(Frame::is_close);
        let frames = &view.subject_frames[..close.unwrap_or(view.subject_frames.len())];
        if frames.iter().any(|frame| frame.fault.is_some()) {
            return None;
        }
        let stream = &view.bytes.to_actor;
        let wire = messages(frames, stream);
        let fingerprint = |message: &Message| {
            let is_one = message.ended.is_some() && taken.iter().any(|one| fits(one, message));
            is_one.then(|| message.fingerprint(stream))
        };
        let fingerprints = wire.iter().map(fingerprint).collect();
        Some(Self { view, taken, wire, fingerprints })
    }

    fn is_same(&self, taken: usize, wire: usize) -> bool {
        let (one, message) = (&self.taken[taken], &self.wire[wire]);
        fits(one, message) && self.fingerprints[wire] == Some(one.fingerprint)
    }

    /// What went wrong first: messages that are missing, then their order, then their number.
    fn wrong(&self) -> Option<Suspicion> {
        let pairs =
            pair(self.taken.len(), self.wire.len(), |taken, wire| self.is_same(taken, wire))?;
        self.missing(&pairs).or_else(|| self.swapped(&pairs)).or_else(|| self.twice(&pairs))
    }

    fn missing(&self, pairs: &Pairs) -> Option<Suspicion> {
        let end = end_of_sending(self.view)?;
        let missing = self.taken.iter().zip(&pairs.came).filter(|(_, came)| !**came);
        let owed = missing.filter(|(taken, _)| is_owed(self.view, taken.event, end));
        let mut first = None;
        for (taken, _) in owed {
            let suspicion = self.lost(taken, end, pairs);
            if suspicion.excuses.is_empty() {
                return Some(suspicion);
            }
            first.get_or_insert(suspicion);
        }
        first
    }

    fn lost(&self, taken: &Taken, end: usize, pairs: &Pairs) -> Suspicion {
        let view = self.view;
        let is_part = |(message, known): (&Message, &bool)| {
            let less = message.ended.is_none() || message.bytes < taken.bytes as usize;
            !known && less && message.text == taken.text && message.started > taken.event
        };
        let is_cut = self.wire.iter().zip(&pairs.known).any(is_part);
        let words = taken.words();
        let (symptom, fact) = if is_cut {
            let fact = format!("had sent only part of {words} that its application had sent");
            (Symptom::MessageCut, fact)
        } else {
            (Symptom::MessageLost, format!("had not sent {words} that its application had sent"))
        };
        Suspicion::new(Level::Should, symptom, fact, vec![end, taken.event])
            .unless(excuses::silence(view, end))
            .unless(excuses::waited_for_room_between(view, taken.event, end))
            .unless(excuses::application_returned(view, end))
            .unless(excuses::refusable(view, end))
    }

    fn swapped(&self, pairs: &Pairs) -> Option<Suspicion> {
        let (taken, wire) =
            pairs.displaced.iter().find(|(taken, _)| !self.client_sent(&self.taken[*taken]))?;
        let taken = &self.taken[*taken];
        let fact = format!("sent {} of its application's out of order", taken.words());
        let events = vec![self.wire[*wire].started, taken.event];
        Some(Suspicion::new(Level::Should, Symptom::MessagesSwapped, fact, events))
    }

    /// A server that has words of its own may say them as often as it likes; and part of one
    /// message may look like another.
    fn twice(&self, pairs: &Pairs) -> Option<Suspicion> {
        if pairs.came.contains(&false) {
            return None;
        }
        let mut first = None;
        let unknown = (0..self.wire.len()).filter(|wire| !pairs.known[*wire]);
        for wire in unknown.filter(|wire| self.wire[*wire].ended.is_some()) {
            let taken = (0..self.taken.len()).find(|taken| self.is_same(*taken, wire))?;
            first.get_or_insert((taken, wire));
        }
        let (taken, wire) = first.filter(|(taken, _)| !self.client_sent(&self.taken[*taken]))?;
        let taken = &self.taken[taken];
        let fact = format!("sent {} that its application had sent once, twice", taken.words());
        let events = vec![self.wire[wire].started, taken.event];
        Some(Suspicion::new(Level::Should, Symptom::MessageTwice, fact, events))
    }

    /// Whether the client had sent such a message too: then it may be an echo. What breaks a rule
    /// of the wire is no message here, and may be one to the server.
    fn client_sent(&self, taken: &Taken) -> bool {
        if self.view.actor_fault.is_some() {
            return true;
        }
        let stream = &self.view.bytes.to_subject;
        let theirs = messages(&self.view.actor_frames, stream);
        theirs.iter().any(|message| {
            message.bytes == taken.bytes as usize
                && message.fingerprint(stream) == taken.fingerprint
        })
    }
}

/// Whether a message that was sent may be the one that was taken, by its kind and its length.
fn fits(taken: &Taken, message: &Message) -> bool {
    message.text == taken.text
        && message.bytes == taken.bytes as usize
        && message.started > taken.event
}

/// The event with which the server ended its sending: its Close, its FIN, or its leaving.
fn end_of_sending(view: &View<'_>) -> Option<usize> {
    let own = view.own_close().map(|own| own.started);
    [own, view.firsts.shut, view.firsts.dropped].into_iter().flatten().min()
}

/// Whether a message that was taken with the event `taken` had to be sent before the event
/// `end`: neither did the client go away before that, nor had it closed, or broken a rule, before
/// the message was taken or shortly behind; nor had the application closed.
fn is_owed(view: &View<'_>, taken: usize, end: usize) -> bool {
    let firsts = &view.firsts;
    let close = view.actor_frames.iter().find(|frame| frame.is_close());
    let hindrances =
        [close.map(|close| close.started), view.actor_fault.map(|fault| fault.event), firsts.fin];
    let hindered = hindrances.into_iter().flatten().min().filter(|event| *event < end);
    let in_time = hindered.is_none_or(|event| view.at(taken).after(HELD_BACK) <= view.at(event));
    let is_gone = [firsts.reset, firsts.cut].into_iter().flatten().any(|gone| gone < end);
    taken < end && !is_gone && view.wish_to_close().is_none_or(|began| taken < began) && in_time
}
