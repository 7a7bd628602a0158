//! `linear-work`: a byte costs the same, however many came before. The RFC is silent: a
//! SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::{Delivery, Work};
use crate::verdict::{Class, Invariant, Level, Symptom};
use std::time::Duration;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::LinearWork,
    class: Class::Safety,
    section: "-",
    quote: None,
    says: "Twice the bytes cost the server about twice the work, however small the pieces are.",
    explains: "A parser starts again at the first byte with every piece of a request, or copies the whole\n\
              message again with every fragment: the work grows with the square of the bytes, and one\n\
              client that sends a few megabytes in small pieces keeps a processor busy for seconds.\n\
              Continue where the last piece ended, and append in place.\n\n\
              hangup plays the same script with twice the bytes, and with four times as many; the script is\n\
              printed with 64 KiB, whichever sizes were measured. The rule\n\
              is broken if four times the bytes take at least nine times the processor time, and both\n\
              doublings have a part in it; a server that is only slow takes four times the time.\n\
              Measured once a campaign, and not over TCP.",
    asked_of: AskedOf::Both("every program"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[
        Symptom::HeadInPieces,
        Symptom::MessageInPieces,
        Symptom::MessageInFragments,
        Symptom::ManyMessages,
    ],
    check,
};

/// Four times the bytes take four times the time where work is in proportion, and sixteen times where it
/// grows with the square: less where what each piece costs anyway is a part of it.
const OUT_OF_PROPORTION: f64 = 9.0;

/// Each doubling takes so many times the time at least: one alone may be a cache that was left.
const EACH: f64 = 2.5;

/// Less than this is too little to be measured.
const MEASURABLE: Duration = Duration::from_millis(8);

/// Whether the work grew out of proportion with the last two doublings.
pub fn is_out_of_proportion(work: &Work) -> bool {
    let enough = work.points.last().is_some_and(|last| last.took >= MEASURABLE);
    let grew: Vec<f64> = work.growth().rev().take(2).filter(|growth| *growth >= EACH).collect();
    enough && grew.len() == 2 && grew.iter().product::<f64>() >= OUT_OF_PROPORTION
}

fn check(case: &Case<'_>, out: &mut Suspicions) {
    let Some(work) = &case.view.exchange.work else { return };
    if is_out_of_proportion(work) {
        let symptom = match work.delivery {
            Delivery::Head => Symptom::HeadInPieces,
            Delivery::Message => Symptom::MessageInPieces,
            Delivery::Fragments => Symptom::MessageInFragments,
            Delivery::Messages => Symptom::ManyMessages,
        };
        out.push(Suspicion::new(Level::Should, symptom, fact(work), Vec::new()));
    }
}

/// What was seen, without the figures: those differ from run to run.
fn fact(work: &Work) -> String {
    let (what, pieces) = match work.delivery {
        Delivery::Head => ("a head", "pieces"),
        Delivery::Message => ("a message", "pieces"),
        Delivery::Fragments => ("a message", "fragments"),
        Delivery::Messages => ("bytes", "messages"),
    };
    let size = work.piece;
    format!(
        "takes over nine times the processor time for four times the bytes: {what} in {pieces} of {size} B"
    )
}
