//! Controls: another play that decides whether a server acted on what the client did.
//!
//! [`Decision`] says which control it wants, and what the answer means. Here is what such a
//! play is as a script, and the loop that plays it. It judges nothing by itself.

use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Exchange};
use crate::judge::{Decided, Decision, judge};
use crate::script::{Act, Millis, Script};
use crate::verdict::{Control, Verdict, Violation};

/// The script of a control of `script`; `None` where there is none, because the script would
/// be empty, or sends nothing.
pub(crate) fn script_of(control: Control, script: &Script) -> Option<Script> {
    let Control::WithoutTheLastSend { lasting } = control;
    let last = script.steps.iter().rposition(|step| matches!(step.act, Act::Send(_)))?;
    let mut steps = script.steps[..last].to_vec();
    // A millisecond longer: what the server did then, it had the time to do.
    steps.push(Act::Wait(Millis(lasting.since_accept().as_millis() as u32 + 1)).into());
    (last > 0).then_some(Script { steps })
}

/// Plays a script.
pub(crate) type PlayScript<'a, E> = dyn FnMut(&Script) -> Result<Exchange, E> + 'a;

/// Decides on a violation that `script` showed in `exchange`, playing its controls.
pub(crate) fn decide<E>(
    violation: Violation,
    exchange: &Exchange,
    script: &Script,
    play: &mut PlayScript<'_, E>,
) -> Result<Decided, E> {
    let mut decision = Decision::on(violation, exchange, ConnectionId::FIRST);
    while let Some(control) = decision.control() {
        match script_of(control, script) {
            Some(script) => decision.tell(&play(&script)?),
            None => decision.cannot_play(),
        }
    }
    Ok(decision.made())
}

/// The verdict on the `exchange` that `script` led to, with every control played that it needs.
pub(crate) fn judge_and_decide<E>(
    exchange: &Exchange,
    bounds: &Bounds,
    script: &Script,
    play: &mut PlayScript<'_, E>,
) -> Result<Verdict, E> {
    let Verdict { violations, dismissals } = judge(exchange, bounds);
    let mut verdict = Verdict { violations: Vec::with_capacity(violations.len()), dismissals };
    for violation in violations {
        decide(violation, exchange, script, play)?.add_to(&mut verdict);
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Time, What};
    use crate::verdict::{Invariant, Reason};
    use crate::wire::{FrameHead, Opcode, handshake};
    use std::convert::Infallible;
    use std::time::Duration;

    const LASTING: Control = Control::WithoutTheLastSend { lasting: Time(7_000) };

    #[test]
    fn the_control_is_the_script_without_its_last_send_and_lasts_as_long() {
        let control = |script: &str| {
            let script: Script = script.parse().expect("a script");
            script_of(LASTING, &script).map(|script| script.to_string())
        };
        let without = Some("upgrade\nping\nwait 8ms\n".to_owned());
        assert_eq!(control("upgrade\nping\nclose 1001\nfin\n"), without);
        assert_eq!(control("upgrade\n"), None);
        assert_eq!(control("wait 1s\n"), None);
    }

    /// A client alone sees a server answer its Close with the code 1000, or, in a control, say
    /// so by itself.
    fn seen(closes_with: Option<u16>, server_code: Option<u16>) -> Exchange {
        let mut exchange = Exchange::new(false);
        exchange.transit = Duration::ZERO;
        let close = |code: u16, head: FrameHead| {
            let mut frame = Vec::new();
            head.encode(&code.to_be_bytes(), &mut frame);
            frame
        };
        let bytes = exchange.bytes_mut(ConnectionId::FIRST);
        bytes.to_subject.extend(handshake::REQUEST.bytes());
        let request = bytes.to_subject.len() as u32;
        let response = handshake::switching_protocols(handshake::ACCEPT).into_bytes();
        bytes.to_actor.extend(&response);
        let theirs = closes_with.map(|code| close(code, FrameHead::client(Opcode::CLOSE)));
        let own = server_code.map(|code| close(code, FrameHead::server(Opcode::CLOSE)));
        bytes.to_subject.extend(theirs.iter().flatten());
        bytes.to_actor.extend(own.iter().flatten());
        exchange.push(Time(0), What::Arrived { bytes: request });
        exchange.push_at_actor(Time(1), What::Read { bytes: response.len() as u32 });
        if let Some(frame) = theirs {
            exchange.push(Time(10), What::Arrived { bytes: frame.len() as u32 });
        }
        if let Some(frame) = own {
            exchange.push_at_actor(Time(20), What::Read { bytes: frame.len() as u32 });
        }
        exchange.push_at_actor(Time(30), What::ReadEnd);
        exchange
    }

    #[test]
    fn a_server_that_does_the_same_unasked_is_acquitted_and_another_is_not() {
        let script: Script = "upgrade\nclose 1001\n".parse().expect("a script");
        let shown = seen(Some(1001), Some(1000));
        let verdict = judge(&shown, &Bounds::default());
        assert_eq!(verdict.violations.len(), 1);
        assert_eq!(verdict.violations[0].identity.invariant(), Invariant::EchoesCode);
        assert!(verdict.violations[0].control.is_some(), "it is not certain yet");
        for (unasked, convicted) in [(Some(1000), false), (Some(1002), true), (None, true)] {
            let mut play = |control: &Script| {
                assert_eq!(control.to_string(), "upgrade\nwait 1ms\n");
                Ok::<_, Infallible>(seen(None, unasked))
            };
            let Ok(decided) = judge_and_decide(&shown, &Bounds::default(), &script, &mut play);
            assert_eq!(decided.violations.len(), usize::from(convicted), "{unasked:?}");
            assert!(decided.violations.iter().all(|violation| violation.control.is_none()));
            let by_control =
                decided.dismissals.iter().filter(|d| matches!(d.reason, Reason::Control(_)));
            assert_eq!(by_control.count(), usize::from(!convicted));
        }
    }
}
