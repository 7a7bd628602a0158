//! The control of a finding about an answer: does the server do the same where the
//! client does not do what it seems to have answered? An application may close by itself,
//! at a time of its own, and over TCP nobody sees what it had read by then.

use super::probe::ProbeFinding;
use crate::exchange::{ConnectionId, Event, Exchange};
use crate::script::{Act, Millis, Script};
use crate::verdict::Invariant;
use crate::wire::{Decoder, Item, Opcode, Role, handshake};

/// Where a finding is about what the server answered: its script without what was
/// answered, the last thing that the client sent, but with the time that it all took.
pub(super) fn script(found: &ProbeFinding) -> Option<Script> {
    use Invariant::{AcceptsLegal, AnswersClose, EchoesCode, RefusesIllegal};
    let ProbeFinding { violation, script, trace: exchange, .. } = found;
    let answers = [AnswersClose, RefusesIllegal, AcceptsLegal, EchoesCode];
    if !answers.contains(&violation.key.invariant) {
        return None;
    }
    let said = script.steps.iter().rposition(|step| matches!(step.act, Act::Send(_)))?;
    let mut steps = script.steps[..said].to_vec();
    let ended = violation.events.iter().max().map(|event| exchange.events[*event].at)?;
    steps.push(Act::Wait(Millis(ended.since_accept().as_millis() as u32 + 1)).into());
    (said > 0).then_some(Script { steps })
}

/// What a server said with its first Close, if it sent one, and whether it ended the
/// connection.
pub(super) fn said(exchange: &Exchange) -> (Option<Vec<u8>>, bool) {
    let ended = exchange.events.iter().any(Event::shows_actor_the_end);
    let Some(length) = handshake::head_length(&exchange.bytes(ConnectionId::FIRST).to_actor) else {
        return (None, ended);
    };
    let mut rest = &exchange.bytes(ConnectionId::FIRST).to_actor[length..];
    let mut decoder = Decoder::new(Role::Server);
    while let Some(item) = decoder.next(&mut rest) {
        if matches!(item, Item::Frame(head) if head.opcode == Opcode::CLOSE) {
            return (Some(decoder.body().to_vec()), ended);
        }
    }
    (None, ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Time, What};
    use crate::verdict::{Ending, Key, Level, Violation};

    fn found(invariant: Invariant, script: &str) -> ProbeFinding {
        let mut exchange = Exchange::new(false);
        exchange.push_at_actor(Time(7_000), What::ReadEnd);
        let key = Key { invariant, cause: None, condition: None };
        let violation = Violation {
            key,
            level: Level::Should,
            ending: Ending::InTime,
            owed: None,
            fact: String::new(),
            events: vec![0],
            control: None,
        };
        let script = script.parse().expect("a script");
        let (index, plays, replays, shown, control_matched) = (0, 0, 0, 0, false);
        let url = String::new();
        ProbeFinding {
            violation,
            script,
            url,
            index,
            plays,
            replays,
            shown,
            control_matched,
            trace: exchange,
        }
    }

    #[test]
    fn the_control_is_the_script_without_what_was_answered_and_takes_as_long() {
        let control = |invariant, script: &str| {
            super::script(&found(invariant, script)).map(|script| script.to_string())
        };
        let closes = "upgrade\nping\nclose 1001\nfin\n";
        let without = Some("upgrade\nping\nwait 8ms\n".to_owned());
        assert_eq!(control(Invariant::EchoesCode, closes), without);
        assert_eq!(control(Invariant::EndsInTime, closes), None, "is about no answer");
        assert_eq!(control(Invariant::AcceptsLegal, "upgrade\n"), None);
    }

    #[test]
    fn what_a_server_said_is_its_close_and_its_end() {
        let mut exchange = Exchange::new(false);
        exchange.bytes_mut(ConnectionId::FIRST).to_actor =
            handshake::switching_protocols(handshake::ACCEPT).into_bytes();
        assert_eq!(said(&exchange), (None, false));
        exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend(b"\x89\x00\x88\x02\x03\xe8");
        exchange.push_at_actor(Time(1), What::ReadReset);
        assert_eq!(said(&exchange), (Some(b"\x03\xe8".to_vec()), true));
    }
}
