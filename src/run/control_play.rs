//! Controls: another play that decides whether an excuse holds.
//!
//! [`Decision`] says which control it wants, and what the answer means. Here is what such a
//! play is as a script, and the loop that plays it. It judges nothing by itself.

mod several;

pub(crate) use self::several::control_of;

use crate::bounds::Bounds;
use crate::exchange::{Exchange, Time};
use crate::judge::{Decided, Decision, judge};
use crate::script::{
    Act, Awaited, Command, Encoding, Kind, Length, Millis, Pace, Piece, Script, Send, Step, Unit,
};
use crate::verdict::{Control, Dismissal, Excuse, Prompt, Reason, Verdict, Violation};
use crate::view::streams::opening_length;
use crate::wire::CloseCode;

/// By how much a control moves a pause: no multiple of what timers are usually set to.
const MOVED: Millis = Millis(7);

/// The script of a control of `script`, which has one connection; `None` where there is none, because
/// the script has nothing that could be left out, or nothing would be left. `encoding` says what it
/// sends; so many bytes of a preamble come behind it, which every play has.
fn script_of(
    control: Control,
    script: &Script,
    (encoding, preamble_bytes): (Encoding<'_>, u32),
) -> Option<Script> {
    let steps = match control {
        Control::Unprompted { prompt, lasting } => {
            let prompt = match prompt {
                Prompt::Sent { from } => Prompt::Sent { from: from.checked_sub(preamble_bytes)? },
                Prompt::Application => prompt,
            };
            unprompted(prompt, lasting, script, encoding)?
        }
        // A script of one connection has no other to leave out.
        Control::Alone => return None,
        Control::Without(excuses) => {
            excuses.iter().fold(script.steps.clone(), |steps, excuse| without(excuse, steps))
        }
    };
    (!steps.is_empty() && steps != script.steps).then_some(Script { steps })
}

/// Without what is said to have prompted the server, and without what the client sent later,
/// its FIN and its RST: an end that comes of those is another one. What else happens, happens:
/// pauses, reading, the application.
fn unprompted(
    prompt: Prompt,
    lasting: Time,
    script: &Script,
    encoding: Encoding<'_>,
) -> Option<Vec<Step>> {
    let first = match prompt {
        Prompt::Sent { from } => step_that_sends(from, script, encoding)?,
        Prompt::Application => script.steps.iter().position(closes)?,
    };
    let (before, after) = script.steps.split_at(first);
    let mut kept = before.to_vec();
    kept.extend(repetitions_before(prompt, script, first, encoding));
    let is_clients =
        |step: &Step| matches!(step.act, Act::Send(_) | Act::Fin | Act::Reset | Act::Drop);
    let stays = |step: &&Step| match prompt {
        Prompt::Sent { .. } => !is_clients(step),
        // The request may come in parts around it; and who is told to return ends as well.
        Prompt::Application => opens(step) || !is_clients(step) && !ends(step),
    };
    let mut tail: Vec<Step> = after.iter().filter(stays).cloned().collect();
    if let Some(step) = tail.first_mut() {
        // What it was joined to is gone; to anything before that it was not joined.
        step.joined = false;
    }
    kept.extend(tail);
    // A millisecond longer: what the server did then, it had the time to do.
    let lasting = u32::try_from(lasting.since_accept().as_millis()).unwrap_or(u32::MAX);
    let paused = kept.iter().map(pauses).fold(0, u32::saturating_add);
    let left = lasting.saturating_add(1).saturating_sub(paused);
    if left > 0 {
        kept.push(Act::Wait(Millis(left)).into());
    }
    (first > 0).then_some(kept)
}

/// The step that sends the byte that so many bytes come before, those of the request not counted.
fn step_that_sends(from: u32, script: &Script, encoding: Encoding<'_>) -> Option<usize> {
    let (offset, ends) = sent_up_to(from, script, encoding)?;
    ends.iter().position(|end| *end > offset)
}

/// How many bytes come before the one that `from` of those behind the request come before, and how
/// many have been sent after each step.
fn sent_up_to(from: u32, script: &Script, encoding: Encoding<'_>) -> Option<(usize, Vec<usize>)> {
    let mut sent = Vec::new();
    let mut ends = Vec::with_capacity(script.steps.len());
    for step in &script.steps {
        if let Act::Send(send) = &step.act {
            append(send, encoding, &mut sent);
        }
        ends.push(sent.len());
    }
    Some((opening_length(encoding.sender, &sent)? + from as usize, ends))
}

/// Appends all that a step sends.
fn append(send: &Send, encoding: Encoding<'_>, sent: &mut Vec<u8>) {
    let mut unit = Vec::new();
    send.unit.encode_with(&encoding, &mut unit);
    let times = if let Pace::Times(times, _) = send.pace { times } else { 1 };
    (0..times).for_each(|_| sent.extend_from_slice(send.piece.of(&unit)));
}

/// Of a step that sends the same thing again and again, what comes before the prompt.
fn repetitions_before(
    prompt: Prompt,
    script: &Script,
    step: usize,
    encoding: Encoding<'_>,
) -> Option<Step> {
    let Prompt::Sent { from } = prompt else { return None };
    let whole = &script.steps[step];
    let Act::Send(Send { piece, unit, pace: Pace::Times(times, every) }) = &whole.act else {
        return None;
    };
    let (offset, ends) = sent_up_to(from, script, encoding)?;
    let start = step.checked_sub(1).map_or(0, |before| ends[before]);
    let mut once = Vec::new();
    append(&Send { piece: *piece, unit: unit.clone(), pace: Pace::Once }, encoding, &mut once);
    let whole_before = offset.saturating_sub(start).checked_div(once.len());
    let before = whole_before.map_or(*times - 1, |before| (*times - 1).min(before as u32));
    let pace = Pace::Times(before, *every);
    let send = Send { piece: *piece, unit: unit.clone(), pace };
    (before > 0).then(|| Step { act: Act::Send(send), ..whole.clone() })
}

/// How long a step takes, at most, in milliseconds; to wait for the server is not counted.
fn pauses(step: &Step) -> u32 {
    match &step.act {
        Act::Wait(time) => time.0,
        Act::Send(Send { pace: Pace::Times(times, every), .. })
        | Act::App(_, Pace::Times(times, every)) => times.saturating_sub(1).saturating_mul(every.0),
        _ => 0,
    }
}

/// The steps with their pauses moved, all the same way, so that no two moves cancel out: a shorter
/// pause stays on the same side of every bound. Only where all are too short for that, they get
/// longer.
fn moved(mut steps: Vec<Step>) -> Vec<Step> {
    let is_long = |pause: &Millis| pause.0 > 2 * MOVED.0;
    let shortens = steps.iter_mut().filter_map(pause_of).any(|pause| is_long(pause));
    for pause in steps.iter_mut().filter_map(pause_of) {
        match pause.0 {
            0 => {}
            _ if !shortens => pause.0 += MOVED.0,
            _ if is_long(pause) => pause.0 -= MOVED.0,
            _ => {}
        }
    }
    steps
}

/// The pause of a step, where it has one.
const fn pause_of(step: &mut Step) -> Option<&mut Millis> {
    match &mut step.act {
        Act::Wait(time) => Some(time),
        Act::Send(Send { pace: Pace::Times(_, every) | Pace::Pieces(_, every), .. })
        | Act::App(_, Pace::Times(_, every) | Pace::Pieces(_, every)) => Some(every),
        _ => None,
    }
}

/// Whether the application is told to close, or to return.
const fn ends(step: &Step) -> bool {
    matches!(step.act, Act::App(Command::Close(..) | Command::Return, _))
}

/// Whether the application is told to close.
const fn closes(step: &Step) -> bool {
    matches!(step.act, Act::App(Command::Close(..), _))
}

/// The steps without what is an excuse of this name.
fn without(excuse: Excuse, steps: Vec<Step>) -> Vec<Step> {
    match excuse {
        Excuse::RoomCameTooLate => return moved(steps),
        Excuse::EarlyBytes => return after_the_opening(steps),
        _ => {}
    }
    let is_part = |send: &Send| match &send.unit {
        Unit::Frame(frame) => send.piece != Piece::Whole || frame.declares.is_some(),
        // It may be the beginning of a frame.
        Unit::Raw(_) => true,
        Unit::Upgrade(_) | Unit::Accept(_) => false,
    };
    let goes = |step: &Step| match (&step.act, excuse) {
        (Act::Fin, Excuse::ClientFin) => true,
        (Act::Reset | Act::Drop, Excuse::ClientGone) => true,
        (Act::App(Command::Return, _), Excuse::ApplicationLeft) => true,
        (Act::App(Command::Close(..) | Command::Return, _), Excuse::ApplicationClosed) => true,
        (
            Act::StopReading | Act::ResumeReading | Act::Cut | Act::Set(..),
            Excuse::WaitedForRoom,
        ) => true,
        (Act::Send(send), Excuse::HalfFrame) => is_part(send),
        _ => false,
    };
    let mut kept: Vec<Step> = Vec::with_capacity(steps.len());
    let mut gone = false;
    for mut step in steps {
        if goes(&step) {
            gone = true;
            continue;
        }
        step.joined &= !(kept.is_empty() || gone && kept.last().is_some_and(opens));
        gone = false;
        match &mut step.act {
            Act::Send(Send { unit: Unit::Frame(frame), .. }) if excuse == Excuse::WideLength => {
                frame.length = Length::Minimal;
            }
            Act::Send(Send { unit: Unit::Frame(frame), .. }) if excuse == Excuse::UnusualCode => {
                if let Kind::Close(Some(code), _) = &mut frame.kind
                    && CloseCode(*code).is_unusual()
                {
                    *code = CloseCode::NORMAL.0;
                }
            }
            Act::Send(send @ Send { pace: Pace::Pieces(..), .. })
                if excuse == Excuse::HalfFrame && matches!(send.unit, Unit::Frame(_)) =>
            {
                send.pace = Pace::Once;
            }
            _ => {}
        }
        kept.push(step);
    }
    kept
}

/// The steps, of which those behind the request come once the 101 is there.
fn after_the_opening(mut steps: Vec<Step>) -> Vec<Step> {
    let Some(last) = steps.iter().rposition(opens) else { return steps };
    let Some(next) = steps.get_mut(last + 1) else { return steps };
    next.joined = false;
    let waits = Send { piece: Piece::Whole, unit: Unit::Upgrade(None), pace: Pace::Once };
    if steps[last].act != Act::Send(waits) {
        steps.insert(last + 1, Act::Await(Awaited::Upgrade).into());
    }
    steps
}

/// Whether a step sends the actor's opening, or part of it.
const fn opens(step: &Step) -> bool {
    matches!(step.act, Act::Send(Send { unit: Unit::Upgrade(_) | Unit::Accept(_), .. }))
}

/// Leaves out the steps of one connection that were not begun.
fn truncated(script: &mut Script, begun: Option<usize>) {
    script.steps.truncate(begun.unwrap_or(usize::MAX));
}

/// Plays a script.
pub(crate) type PlayScript<'a, E> = dyn FnMut(&Script) -> Result<Exchange, E> + 'a;

/// Decides on a violation that `script` showed in `exchange`, playing its controls.
pub(crate) fn decide<E>(
    violation: Violation,
    exchange: &Exchange,
    bounds: &Bounds,
    script: &Script,
    play: &mut PlayScript<'_, E>,
) -> Result<Decided, E> {
    let connection = violation.connection;
    let mut decision = Decision::on(violation, exchange, connection, bounds);
    while let Some(control) = decision.control() {
        match control_of(control, script, exchange, connection) {
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
    let Verdict { violations, dismissals, reached } = judge(exchange, bounds);
    let decided = Vec::with_capacity(violations.len());
    let mut verdict = Verdict { violations: decided, dismissals, reached };
    for violation in violations {
        decide(violation, exchange, bounds, script, play)?.add_to(&mut verdict);
    }
    for dismissal in std::mem::take(&mut verdict.dismissals) {
        if is_open(&dismissal, &verdict) {
            decide(dismissal.violation, exchange, bounds, script, play)?.add_to(&mut verdict);
        } else {
            verdict.dismissals.push(dismissal);
        }
    }
    verdict.violations.sort_by_key(|violation| violation.identity);
    Ok(verdict)
}

/// Whether controls have to decide on a dismissal: its excuses only may hold, and the connection
/// is not convicted of breaking that rule already.
pub(crate) fn is_open(dismissal: &Dismissal, verdict: &Verdict) -> bool {
    let rule = dismissal.violation.identity.invariant();
    let (identity, connection) = (dismissal.violation.identity, dismissal.violation.connection);
    let same = |violation: &Violation| {
        let is_same_rule = violation.identity.invariant() == rule;
        is_same_rule && violation.connection == connection || violation.identity == identity
    };
    matches!(dismissal.reason, Reason::Excuse(_))
        && !dismissal.violation.doubts.is_empty()
        && !verdict.violations.iter().any(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{ConnectionId, Time, What};
    use crate::verdict::{Invariant, Reason};
    use crate::wire::{FrameHead, Opcode, handshake};
    use std::convert::Infallible;
    use std::time::Duration;

    fn control(control: Control, script: &str) -> Option<String> {
        let script: Script = script.parse().expect("a script");
        script_of(control, &script, (Encoding::USUAL, 0))
            .map(|script| script.to_string().replace('\n', "; "))
    }

    fn without(excuses: &[Excuse], script: &str) -> Option<String> {
        control(Control::Without(excuses.iter().copied().collect()), script)
    }

    #[test]
    fn the_control_without_a_frame_lasts_as_long_and_leaves_out_what_came_behind_it() {
        let unprompted = |from, script| {
            let prompt = Prompt::Sent { from };
            control(Control::Unprompted { prompt, lasting: Time(7_000) }, script)
        };
        let answers = "upgrade; ping; wait 8ms; ".to_owned();
        assert_eq!(unprompted(6, "upgrade\nping\nclose 1001\nfin\n"), Some(answers.clone()));
        assert_eq!(unprompted(6, "upgrade\nping\nclose 1001\nping\nreset\n"), Some(answers));
        let kept = "upgrade; stop reading; wait 1s; resume reading; ".to_owned();
        let script = "upgrade\nstop reading\nclose\n+ wait 1s\nresume reading\n";
        assert_eq!(unprompted(0, script), Some(kept));
        let once = Some("upgrade; ping x 2 every 1ms; wait 7ms; ".to_owned());
        assert_eq!(unprompted(12, "upgrade\nping x 9 every 1ms\nclose"), once);
        assert_eq!(unprompted(0, "upgrade\n"), None);
        assert_eq!(unprompted(0, "wait 1s\n"), None);
    }

    #[test]
    fn the_control_without_the_applications_close_keeps_the_rest() {
        let unasked = Control::Unprompted { prompt: Prompt::Application, lasting: Time(1_000) };
        let kept = Some("upgrade; app send text; stop reading; wait 2ms; ".to_owned());
        let script = "upgrade\napp send text\n+ app close\n+ stop reading\nping\napp return\nfin";
        assert_eq!(control(unasked, script), kept);
        let opens =
            Some("first 9 bytes of upgrade; rest after 9 bytes of upgrade; wait 2ms; ".to_owned());
        let script = "first 9 bytes of upgrade\napp close\n+ rest after 9 bytes of upgrade\nfin";
        assert_eq!(control(unasked, script), opens);
        assert_eq!(control(unasked, "upgrade\nping"), None);
    }

    #[test]
    fn pauses_are_moved_and_stay_on_their_side_of_a_bound() {
        let moved = |script| without(&[Excuse::RoomCameTooLate], script);
        let script = "upgrade\nwait 5s\nping x 3 every 4999ms\nwait 1ms";
        let other = "upgrade; wait 4993ms; ping x 3 every 4992ms; wait 1ms; ";
        assert_eq!(moved(script), Some(other.to_owned()), "no two moves cancel out");
        let longer = Some("upgrade; wait 8ms; ping x 3 every 21ms; ".to_owned());
        assert_eq!(moved("upgrade\nwait 1ms\nping x 3 every 14ms"), longer);
        assert_eq!(moved("upgrade\nclose"), None, "there is no pause");
    }

    #[test]
    fn what_excuses_is_left_out() {
        let script = "upgrade\n+ first 1 byte of close\nrest after 1 byte of close\n16-bit ping\n\
                      window 1B\nstop reading\ncut\napp close\napp return\nfin\nreset\nclose";
        for (excuse, goes) in [
            (Excuse::HalfFrame, "first 1 byte of close; rest after 1 byte of close; "),
            (Excuse::WaitedForRoom, "window 1B; stop reading; cut; "),
            (Excuse::ApplicationClosed, "app close; app return; "),
            (Excuse::ApplicationLeft, "app return; "),
            (Excuse::ClientFin, "fin; "),
            (Excuse::ClientGone, "reset; "),
        ] {
            let whole = script.replace('\n', "; ") + "; ";
            let left = without(&[excuse], script).expect("it has such steps");
            let expected = whole.replace(&format!("+ {goes}"), "").replace(goes, "");
            assert_eq!(left, expected, "{excuse}");
        }
        let script = "upgrade\nping declares 1\nraw hex 81\nping";
        let whole = without(&[Excuse::HalfFrame], script);
        assert_eq!(whole.as_deref(), Some("upgrade; ping; "), "frames that never end");
        let wide = without(&[Excuse::WideLength], "upgrade\n16-bit ping");
        assert_eq!(wide.as_deref(), Some("upgrade; ping; "));
        let script = "upgrade\nclose 1014\nclose 4000 \"x\"\nclose 1001";
        let usual = without(&[Excuse::UnusualCode], script);
        let expected = "upgrade; close 1000; close 1000 \"x\"; close 1001; ";
        assert_eq!(usual.as_deref(), Some(expected));
        let early = |script| without(&[Excuse::EarlyBytes], script);
        let both = without(&[Excuse::ClientFin, Excuse::WideLength], "upgrade\n16-bit ping\nfin");
        assert_eq!(both.as_deref(), Some("upgrade; ping; "), "all at once");
        assert_eq!(early("upgrade\n+ close").as_deref(), Some("upgrade; close; "));
        let waits =
            Some("first 9 bytes of upgrade; rest after 9 bytes of upgrade; await upgrade; close; ");
        let script = "first 9 bytes of upgrade\nrest after 9 bytes of upgrade\n+ close";
        assert_eq!(early(script).as_deref(), waits);
        assert_eq!(without(&[Excuse::ClientFin], "upgrade\nclose"), None);
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
        assert!(!verdict.violations[0].doubts.is_empty(), "it is not certain yet");
        for (unasked, convicted) in [(Some(1000), false), (Some(1002), true), (None, true)] {
            let mut play = |control: &Script| {
                assert_eq!(control.to_string(), "upgrade\nwait 1ms\n");
                Ok::<_, Infallible>(seen(None, unasked))
            };
            let Ok(decided) = judge_and_decide(&shown, &Bounds::default(), &script, &mut play);
            assert_eq!(decided.violations.len(), usize::from(convicted), "{unasked:?}");
            assert!(decided.violations.iter().all(|violation| violation.doubts.is_empty()));
            let by_control =
                decided.dismissals.iter().filter(|d| matches!(d.reason, Reason::Control(_)));
            assert_eq!(by_control.count(), usize::from(!convicted));
        }
    }
}
