//! `close-returns`: the call that closes returns, whatever the server does.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::Note;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::View;
use crate::wire::Role;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::CloseReturns,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "A client's call that closes the connection returns within the bound, whatever the server does.",
    explains: "The connection has ended in time, and the application still waits in the call that closes\n\
              it: for an answer that the reader has thrown away, say, or for a task that nobody wakes. A\n\
              program that closes its connections at its shutdown then hangs.\n\n\
              Resolve the call when the connection ends, however it ends. Judged of applications that\n\
              tell hangup what they receive (`Note::Reports`, `Note::CloseReturned`); over TCP (`hangup listen\n\
              --closes`) of programs, which have to end when their close has returned. Whether the\n\
              connection ends, `ends-in-time` judges.",
    asked_of: AskedOf::Client("an application calls it; a server's is told of the end"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[Symptom::CloseHangs],
    check,
};

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let Some((began, left)) = hangs(case.view) else { return };
    let fact = "still had not returned from its application's close, whose connection had ended";
    out.push(Suspicion::new(Level::Should, Symptom::CloseHangs, fact, vec![left, began]));
}

/// Where an application of a client is still in the call that closes when the time to close has
/// passed since the connection ended: when it began to, and when that was seen.
pub(super) fn hangs(view: &View<'_>) -> Option<(usize, usize)> {
    let has = |wanted: fn(&Note) -> bool| view.notes.iter().any(|(_, note)| wanted(note));
    let began = view.notes.iter().find(|(_, note)| *note == Note::BeganToClose);
    let (began, left) = (began?.0, view.firsts.outlived?);
    let returned = has(|note| matches!(note, Note::CloseReturned { .. }));
    // Over TCP nothing reports. There the program is seen, which is to end when its close returned.
    let reports = has(|note| *note == Note::Reports) || !view.sees_both_ends();
    let is_client = view.subject_role() == Role::Client;
    (is_client && reports && !returned && view.firsts.panicked.is_none()).then_some((began, left))
}
