//! The control of a finding about an answer: does the server do the same where the
//! client does not do what it seems to have answered? An application may close by itself,
//! at a time of its own, and over TCP nobody sees what it had read by then.

use super::probe::Found;
use crate::exchange::{Trace, What};
use crate::script::{Act, Millis, Script};
use crate::verdict::Invariant;
use crate::wire::{Decoder, Item, Opcode, Role, handshake};

/// Where a finding is about what the server answered: its script without what was
/// answered, the last thing that the client sent, but with the time that it all took.
pub(super) fn script(found: &Found) -> Option<Script> {
    use Invariant::{AcceptsLegal, AnswersClose, EchoesCode, RefusesIllegal};
    let Found { violation, script, trace, .. } = found;
    let answers = [AnswersClose, RefusesIllegal, AcceptsLegal, EchoesCode];
    if !answers.contains(&violation.identity.invariant()) {
        return None;
    }
    let said = script.steps.iter().rposition(|step| matches!(step.act, Act::Send(_)))?;
    let mut steps = script.steps[..said].to_vec();
    let ended = violation.events.iter().max().map(|event| trace.events[*event].at)?;
    steps.push(Act::Wait(Millis(ended.since_accept().as_millis() as u32 + 1)).into());
    (said > 0).then_some(Script { steps })
}

/// What a server said with its first Close, if it sent one, and whether it ended the
/// connection.
pub(super) fn said(trace: &Trace) -> (Option<Vec<u8>>, bool) {
    let ended =
        trace.events.iter().any(|event| matches!(event.what, What::GotEnd | What::GotReset));
    let Some(length) = handshake::head_length(&trace.to_client) else { return (None, ended) };
    let mut rest = &trace.to_client[length..];
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
    use crate::exchange::Time;
    use crate::verdict::{Ending, Identity, Level, Violation};

    fn found(invariant: Invariant, script: &str) -> Found {
        let mut trace = Trace::new(false);
        trace.push(Time(7_000), What::GotEnd);
        let identity = Identity::safety(invariant, None);
        let violation = Violation {
            identity,
            level: Level::Should,
            ending: Ending::InTime,
            owed: None,
            fact: String::new(),
            events: vec![0],
        };
        let script = script.parse().expect("a script");
        let (index, plays, replays, shown, unprovoked) = (0, 0, 0, 0, false);
        let url = String::new();
        Found { violation, script, url, index, plays, replays, shown, unprovoked, trace }
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
        let mut trace = Trace::new(false);
        trace.to_client = handshake::switching_protocols(handshake::ACCEPT).into_bytes();
        assert_eq!(said(&trace), (None, false));
        trace.to_client.extend(b"\x89\x00\x88\x02\x03\xe8");
        trace.push(Time(1), What::GotReset);
        assert_eq!(said(&trace), (Some(b"\x03\xe8".to_vec()), true));
    }
}
