//! `fresh-masking-key`: every frame has a masking key of its own.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::{Frame, View};
use std::collections::BTreeMap;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::FreshMaskingKey,
    class: Class::Safety,
    section: "5.3, 10.3",
    quote: Some((
        "5.3",
        "When preparing a masked frame, the client MUST pick a fresh masking key from the set of \
                 allowed 32-bit values.",
    )),
    says: "A client masks each frame with a new key.",
    explains: "All frames of the connection have the same key, zero perhaps: the key is a constant, or\n\
              was chosen once. An attacker who chooses what the client sends then chooses the bytes on\n\
              the wire, and can poison the cache of a proxy (10.3). Choose a new key for each frame,\n\
              from a source that nobody can predict.",
    asked_of: AskedOf::Client("5.1 and 5.3 have clients mask, and servers not"),
    judged_from: JudgedFrom::Opening,
    symptoms: &[Symptom::SameKey],
    check,
};

//= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
//# When preparing a masked frame, the client MUST pick a fresh masking
//# key from the set of allowed 32-bit values.
/// Two keys are equal by chance once in four thousand million times; a play that is repeated shows it.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    let keys: Vec<(usize, [u8; 4])> = view
        .subject_frames
        .iter()
        .filter_map(|frame| Some((frame.started, key(view, frame)?)))
        .collect();
    if let Some((event, _)) = keys.iter().find(|(_, key)| *key == [0; 4]) {
        let fact = "masked a frame with the key 0, which changes nothing";
        out.push(Suspicion::new(Level::Must, Symptom::SameKey, fact, vec![*event]));
        return;
    }
    let mut seen = BTreeMap::new();
    let again = keys.iter().find_map(|(event, key)| Some((*event, seen.insert(key, *event)?)));
    let Some((event, earlier)) = again else { return };
    let is_one = keys.iter().all(|(_, key)| *key == keys[0].1);
    let fact = if is_one {
        "masked all its frames with the same key"
    } else {
        "masked two frames with the same key"
    };
    out.push(Suspicion::new(Level::Must, Symptom::SameKey, fact, vec![event, earlier]));
}

/// The masking key of a whole frame, where it has one.
fn key(view: &View<'_>, frame: &Frame) -> Option<[u8; 4]> {
    let head = frame.head.filter(|head| head.masked && frame.ended.is_some())?;
    let payload = frame.end_offset.checked_sub(usize::try_from(head.length).ok()?)?;
    view.bytes.to_actor.get(payload.checked_sub(4)?..payload)?.try_into().ok()
}
