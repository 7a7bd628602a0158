//! `delivers-every-message`: what the client had sent before its Close reaches the application.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Note;
use crate::judge::deliveries::{HELD_BACK, Pairs, pair};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, Message, View, messages};

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::DeliversEveryMessage,
    class: Class::Safety,
    section: "-",
    quote: None,
    says: "A message that the client sent before its Close reaches the application whole, in order and once.",
    explains: "RFC 6455 does not say it; every client that sends and then closes expects it. A server breaks\n\
              it if it handles a Close before the messages that came with it, or drops a channel to the\n\
              application with messages in it.\n\n\
              Deliver messages in the order in which they came, and the end after them. Judged of\n\
              applications that tell hangup what they receive (`Note::Reports`): with the content\n\
              (`Application::received`), or with the length alone, by which hangup can tell less.",
    asked_of: AskedOf::Both("every endpoint has an application that is sent messages"),
    judged_from: JudgedFrom::Opening,
    symptoms: &[
        Symptom::MessageWithheld,
        Symptom::GivenPart,
        Symptom::GivenOutOfOrder,
        Symptom::GivenTwice,
    ],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    if view.notes.iter().any(|(_, note)| *note == Note::Reports) && view.sees_both_ends() {
        out.extend(Deliveries::of(view).wrong());
    }
}

/// A message that the application says it was given.
struct Given {
    event: usize,
    bytes: u32,
    fingerprint: Option<u64>,
}

/// What the client sent, and what the application was given.
struct Deliveries<'a> {
    view: &'a View<'a>,
    /// The client's whole messages.
    sent: Vec<Message>,
    given: Vec<Given>,
}

impl<'a> Deliveries<'a> {
    fn of(view: &'a View<'a>) -> Self {
        let mut sent = messages(&view.actor_frames, &view.bytes.to_subject);
        sent.retain(|message| message.ended.is_some());
        let given = |(event, note): &(usize, Note)| {
            let (bytes, fingerprint) = note.message_given()?;
            Some(Given { event: *event, bytes, fingerprint })
        };
        Self { view, sent, given: view.notes.iter().filter_map(given).collect() }
    }

    fn is_same(&self, sent: usize, given: usize) -> bool {
        let (message, given) = (&self.sent[sent], &self.given[given]);
        let content = |fingerprint| message.fingerprint(&self.view.bytes.to_subject) == fingerprint;
        message.bytes == given.bytes as usize
            && message.ended.is_some_and(|ended| ended < given.event)
            && given.fingerprint.is_none_or(content)
    }

    /// What went wrong first: messages that are missing, then their order, then their number.
    fn wrong(&self) -> Option<Suspicion> {
        let pairs =
            pair(self.sent.len(), self.given.len(), |sent, given| self.is_same(sent, given))?;
        self.missing(&pairs).or_else(|| self.out_of_order(&pairs)).or_else(|| self.twice(&pairs))
    }

    /// As long as the transport is held, the application may still be given something.
    fn missing(&self, pairs: &Pairs) -> Option<Suspicion> {
        let end = self.view.firsts.dropped?;
        let missing = self.sent.iter().zip(&pairs.came).filter(|(_, came)| !**came);
        let mut first = None;
        for (message, _) in missing {
            let Some(read) = owed_since(self.view, message, end) else { continue };
            let suspicion = self.withheld(message, read, end, pairs);
            if suspicion.excuses.is_empty() {
                return Some(suspicion);
            }
            first.get_or_insert(suspicion);
        }
        first
    }

    fn withheld(&self, message: &Message, read: usize, end: usize, pairs: &Pairs) -> Suspicion {
        let view = self.view;
        let is_part = |(given, known): (&Given, &bool)| {
            !known && (given.bytes as usize) < message.bytes && given.event > message.started
        };
        let is_cut = self.given.iter().zip(&pairs.known).any(is_part);
        let words = words(message.bytes);
        let (symptom, fact) = if is_cut {
            let fact = format!("had given its application only part of {words} of the client's");
            (Symptom::GivenPart, fact)
        } else {
            let fact = format!("had not given its application {words} of the client's");
            (Symptom::MessageWithheld, fact)
        };
        Suspicion::new(Level::Should, symptom, fact, vec![end, read])
            .unless(excuses::crashed(view, end))
            .unless(excuses::waited_for_room_between(view, read, end))
            .unless(excuses::no_room_to_the_end(view))
            .unless(excuses::wide_length(view, &view.actor_frames[message.last_frame]))
    }

    fn out_of_order(&self, pairs: &Pairs) -> Option<Suspicion> {
        let (sent, given) = pairs.displaced.iter().find(|(_, given)| self.is_sure(*given))?;
        let (message, given) = (&self.sent[*sent], &self.given[*given]);
        let fact = format!("gave its application {} out of order", words(message.bytes));
        let events = vec![given.event, message.started];
        Some(Suspicion::new(Level::Should, Symptom::GivenOutOfOrder, fact, events))
    }

    /// Part of a message that is missing may look like another one.
    fn twice(&self, pairs: &Pairs) -> Option<Suspicion> {
        let came = self.sent.iter().zip(&pairs.came);
        if came.filter(|(_, came)| !**came).any(|(message, _)| is_before_close(self.view, message))
        {
            return None;
        }
        let unknown =
            (0..self.given.len()).filter(|given| !pairs.known[*given] && self.is_sure(*given));
        let again = |given| {
            let sent = (0..self.sent.len()).find(|sent| self.is_same(*sent, given))?;
            Some((&self.sent[sent], &self.given[given]))
        };
        let (message, given) = unknown.into_iter().find_map(again)?;
        let fact = format!("gave its application {} twice", words(message.bytes));
        let events = vec![given.event, message.started];
        Some(Suspicion::new(Level::Should, Symptom::GivenTwice, fact, events))
    }

    /// Whether all that could have been given by then is known: what breaks a rule of the wire
    /// is no message here, and may be one to the server.
    fn is_sure(&self, given: usize) -> bool {
        let fault = self.view.actor_fault;
        fault.is_none_or(|fault| self.given[given].event < fault.event)
    }
}

fn words(bytes: usize) -> String {
    format!("a message of {bytes} byte{}", if bytes == 1 { "" } else { "s" })
}

/// The event with which the server had read a whole message that its application had to be
/// given by the event `end`: it came before the client's Close, and the server answered that;
/// or the server had it for a while before anything happened that could keep it from that.
fn owed_since(view: &View<'_>, message: &Message, end: usize) -> Option<usize> {
    let frame = &view.actor_frames[message.last_frame];
    let read = view.received(frame)?;
    if !is_before_close(view, message) {
        return None;
    }
    let (firsts, wish) = (&view.firsts, view.wish_to_close());
    let stops = if answered_close(view) {
        [wish, firsts.reset, None, None, None, None]
    } else {
        let fault = view.actor_fault.map(|fault| fault.event);
        let own = view.own_close().map(|own| own.started);
        [wish, firsts.reset, fault, own, firsts.fin, Some(end)]
    };
    let in_time = |stop: usize| view.at(read).after(HELD_BACK) <= view.at(stop);
    stops.into_iter().flatten().all(in_time).then_some(read)
}

/// Whether no Close of the client's came before a message's end.
fn is_before_close(view: &View<'_>, message: &Message) -> bool {
    !view.actor_frames[..message.last_frame].iter().any(Frame::is_close)
}

/// Whether the server's Close answers the client's, as far as that can be told: then all that
/// came before the client's had its turn.
fn answered_close(view: &View<'_>) -> bool {
    let (Some(own), Some(theirs)) = (view.own_close(), view.actor_close()) else { return false };
    let read = view.received(theirs).is_some_and(|read| read < own.started);
    read && theirs.fault.is_none() && own.ended.is_some() && own.code() == theirs.code()
}
